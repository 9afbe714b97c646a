"""The page that a tortured daemon and its tormentor share (fail_page.h), and what a stack of it means."""

import contextlib
import mmap
import os
import pathlib
import re
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
EVER = 0xFFFFFFFF
_HEAD = struct.Struct("<4IiIQ4I")
_STACK, _CALLS = 24, 64
SIZE = _HEAD.size + 8 * _STACK + 4 * _CALLS


def names():
    """The calls in the order of enum torture_call."""
    text = (HERE / "fail_page.h").read_text()
    lists = {m[1]: re.findall(r"^ *X\((\w+),", m[2], re.M) for m in re.finditer(r"#define (TORTURE_\w+)\(X\)(.*?)\n\n", text, re.S)}
    found = re.findall(r"^ *CALL_(\w+),$", text, re.M)
    return found + [name for part in ("PLAIN", "LENGTH", "LIST", "MESSAGE") for name in lists[f"TORTURE_{part}"]]


CALLS = names()
BIT = {name: 1 << i for i, name in enumerate(CALLS)}
LIBS = ("?", "libuv", "libcrypto", "libssl", "libhiredis", "libcurl", "libseccomp", "libc")
ALLOCATIONS, SYSTEM_CALLS = BIT["malloc"], (1 << len(CALLS)) - 1 - BIT["malloc"]


class Page:
    def __init__(self, path, library):
        self.path, self.library = pathlib.Path(path), pathlib.Path(library)
        self.path.write_bytes(bytes(max(SIZE, mmap.PAGESIZE)))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    @contextlib.contextmanager
    def environment(self):
        """What is started inside has the page."""
        before = {name: os.environ.get(name) for name in ("LD_PRELOAD", "PMHGW_TORTURE")}
        os.environ.update(LD_PRELOAD=str(self.library), PMHGW_TORTURE=str(self.path))
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)

    def arm(self, calls, first=0, last=0, error=0, pid=0):
        self.map[:SIZE] = _HEAD.pack(0, pid, first, last, error, 0, calls, 0, 0, 0, 0) + bytes(SIZE - _HEAD.size)
        self.map[:4] = struct.pack("<I", 1)

    def disarm(self):
        self.map[:4] = bytes(4)

    def _head(self, at):
        return _HEAD.unpack(self.map[:_HEAD.size])[at]

    seen, failed, aborted, crashed = (property(lambda self, at=at: self._head(at)) for at in (7, 8, 9, 10))

    def counts(self):
        """{call: how often}"""
        at = _HEAD.size + 8 * _STACK
        by = struct.unpack(f"<{_CALLS}I", self.map[at:at + 4 * _CALLS])
        return {name: n for name, n in zip(CALLS, by) if n}

    # -- where --

    def where(self, program):
        """The functions that led to the first failure, innermost first."""
        depth = self._head(5)
        stack = struct.unpack(f"<{_STACK}Q", self.map[_HEAD.size:_HEAD.size + 8 * _STACK])[:depth]
        own = [at for at in stack if at >= len(LIBS)]
        out = subprocess.run(["addr2line", "-f", "-s", "-e", program, *(hex(at - 1) for at in own)], capture_output=True, text=True).stdout.split("\n") if own else []
        names = iter(f"{fn} ({line.split(' ')[0]})" for fn, line in zip(out[::2], out[1::2]))
        return [next(names, "?") if at >= len(LIBS) else LIBS[at] for at in stack]
