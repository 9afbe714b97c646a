"""Fails every allocation and every system call of one daemon in turn, while it does one thing, and looks whether every promise was kept.

A world is a running system of tests/e2e with one tortured daemon; an act is what is done while a call fails, and what must be true afterwards."""

import os
import pathlib
import re
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import page as pages  # noqa: E402

LIBRARY = pathlib.Path(os.environ.get("PMHGW_BIN", HERE.parents[1] / "build/release/bin")) / "pmhgw-torture.so"
PATIENCE_S = 12     # until a caller must have an answer or the end of its connection
HELD_S = 0.7        # for so long a fault that does not end stays
FEW = 4             # points that are tried however long they take
BACK_S = 25         # until a normal request must work again

_READS = ("EIO", "EINTR", "EAGAIN", "ECONNRESET", "short")
_WRITES = ("EIO", "ENOSPC", "EINTR", "EAGAIN", "EPIPE", "short")
_SYNC = ("EIO", "ENOSPC", "EINTR")
_FILES = ("EMFILE", "ENOSPC", "EIO", "EINTR")
_PAIRS = ("EMFILE", "ENFILE")
# What each call may say: of epoll and getrandom only what the kernel says when the arguments are good.
FAULTS = {
    **dict.fromkeys(("read", "readv", "recv", "recvfrom", "recvmsg", "pread", "pread64", "preadv"), _READS),
    **dict.fromkeys(("write", "writev", "send", "sendto", "sendmsg", "pwrite", "pwrite64", "pwritev"), _WRITES),
    **dict.fromkeys(("fsync", "fdatasync", "ftruncate"), _SYNC), **dict.fromkeys(("open", "openat"), _FILES),
    **dict.fromkeys(("rename", "renameat", "mkdirat", "unlinkat"), ("ENOSPC", "EIO")),
    **dict.fromkeys(("socket", "socketpair", "pipe2", "eventfd"), _PAIRS), **dict.fromkeys(("accept", "accept4"), (*_PAIRS, "EINTR", "EAGAIN", "ECONNABORTED")),
    "connect": ("ECONNREFUSED", "EAGAIN", "EINTR", "ENOBUFS"), "epoll_wait": ("EINTR",), "epoll_pwait": ("EINTR",), "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "getrandom": ("EINTR", "short"), "mmap": ("ENOMEM",), "mlock": ("ENOMEM", "EAGAIN"), "fstat": ("EIO",),
}
# What stays until somebody does something about it.
LASTING = ("EMFILE", "ENOSPC")
# libuv ends the process when the kernel does not take a descriptor, or gives none for its first loop; nothing above it can change that.
ENDS_BY_DESIGN = ("epoll_ctl", "pipe2")
STARTS_BADLY = ("libcrypto", "libseccomp", "filter_load")  # the last: what libseccomp has left behind is given back there
CORRUPT = (b"stack smashing", b"corrupt", b"free():", b"malloc():", b"munmap_chunk")
CRASHES = (b'"signal":11', b'"signal":7,', b'"signal":4,', b'"signal":6', *CORRUPT)


class Broken(Exception):
    """A promise that was not kept."""


class Daemon:
    """One daemon of a rig, tortured."""

    def __init__(self, rig, name):
        self.rig, self.name = rig, name
        self.page = pages.Page(rig.dir / f"torture-{name}", LIBRARY)
        plain = rig.start

        def start(which):
            if which != name:
                return plain(which)
            with self.page.environment():
                return plain(which)

        rig.start = start

    def target(self):
        """The process that does the work: of the front its only worker."""
        proc = self.rig.procs.get(self.name)
        if not proc or proc.poll() is not None:
            return 0
        if self.name != "front":
            return proc.pid
        workers = self.rig.workers_of_front()
        return workers[0] if workers else 0

    def log(self):
        path = self.rig.dir / "log" / f"{self.name}.log"
        return path.read_bytes() if path.exists() else b""

    def ended(self):
        """How the daemon itself ended, and takes note of it: None, or what it returned."""
        proc = self.rig.procs.get(self.name)
        if not proc or proc.poll() is None:
            return None
        self.rig.procs.pop(self.name)
        return proc.returncode

    def end(self):
        """With everything that belongs to it: a worker whose supervisor is gone holds its doors until it has said good-bye."""
        proc = self.rig.procs.get(self.name)
        if not proc:
            return
        workers = self.rig.workers_of_front() if self.name == "front" and proc.poll() is None else []
        self.rig.procs.pop(self.name)
        for pid in (proc.pid, *workers):
            if proc.poll() is None or pid != proc.pid:
                os.kill(pid, signal.SIGKILL)
        proc.wait(20)
        wait_until(lambda: not any(runs(pid) for pid in workers), 20, "a killed worker stays")

    def again(self):
        """A new one, whatever became of the old."""
        self.end()
        self.rig.start(self.name)

    def revive(self):
        """As whoever started it does: one that has ended is started again."""
        if self.ended() is not None:
            self.rig.start(self.name)


class Sweep:
    """Points of one act against one daemon. tried, failed (faults that really came), ended (the daemon went and came back), asserted (of these, on purpose and where), broken (violations)."""

    def __init__(self, world, daemon, act, say=print):
        self.world, self.daemon, self.act, self.say = world, daemon, act, say
        self.tried = self.hit = self.ended = 0
        self.broken, self.answers, self.at, self.asserted = [], {}, {}, {}

    # -- one point --

    def point(self, calls, first, last, error, text):
        self.tried += 1
        d, page = self.daemon, self.daemon.page
        log_from, old = len(d.log()), d.target()
        lasting = last != first
        try:
            self.act.prepare()
            page.arm(calls, first, last, error, 0 if self.act.starts else old)
            timer = threading.Timer(HELD_S, page.disarm)
            if lasting:
                timer.start()
            try:
                answer = self.act.run()
            finally:
                timer.cancel()
                page.disarm()
            self.answers[answer] = self.answers.get(answer, 0) + 1
            self.hit += page.failed > 0
            self._look_at_end(log_from, old, text)
            self.act.afterwards(answer)
        except Broken as e:
            self._note(f"{text}: {e}")
            self._start_over()

    def _look_at_end(self, log_from, old, text):
        d, page = self.daemon, self.daemon.page
        code, log = d.ended(), d.log()[log_from:]
        crashed = [word.decode() for word in CRASHES if word in log]
        if code is not None:
            d.rig.start(d.name)
        gone = code is not None or (not self.act.starts and d.target() != old)
        self.ended += gone
        if code is not None and code < 0 or crashed:
            site = self._by_design(page, log, text) or self._in_a_library()
            if not site:
                raise Broken(f"crashed ({code}, {' '.join(crashed)}); {said(log)}")
            self.asserted[site] = self.asserted.get(site, 0) + 1
        if gone:
            self.at[text] = code
            if d.name == "front" and code is None:
                d.again()  # the waits of its supervisor grow with every end

    @staticmethod
    def _by_design(page, log, text):
        """Where it ended itself because it had to: it could not remember what it owes an answer for, or libuv could not go on."""
        sites = re.findall(rb'"assertion_failed","site":"([^"]+)"', log)
        if not page.aborted or any(word in log for word in CORRUPT):
            return None
        if sites and text.startswith("allocation"):
            return sites[-1].decode()
        return "libuv" if any(call in text for call in ENDS_BY_DESIGN) else None

    def _in_a_library(self):
        """While it starts, before it serves: libcrypto and libseccomp do not survive everything. Then it has not begun, and is started again."""
        where = [w.split(" ")[0] for w in self.daemon.page.where(LIBRARY.parent / f"pmhgw-{self.daemon.name}") if w not in ("?", "libc")]
        return where[0] if self.act.starts and where and where[0] in STARTS_BADLY else None

    def _note(self, text):
        where = " < ".join(w for w in self.daemon.page.where(LIBRARY.parent / f"pmhgw-{self.daemon.name}")[:14] if w != "?")
        self.broken.append(f"{self.act.name}/{self.daemon.name}: {text}\n      at {where}")
        self.say(f"   BROKEN {self.broken[-1]}")

    def _start_over(self):
        self.daemon.page.disarm()
        self.daemon.again()
        try:
            self.world.healthy(BACK_S)
        except Broken as e:
            self.broken.append(f"{self.act.name}/{self.daemon.name}: not even a new one works: {e}")
            raise

    # -- many --

    def count(self, calls):
        """How often each call comes while nothing fails, once everything is warm."""
        if not self.act.starts:
            self._count(calls)
        return self._count(calls)

    def _count(self, calls):
        page = self.daemon.page
        self.act.prepare()
        page.arm(calls, pid=0 if self.act.starts else self.daemon.target())
        answer = self.act.run()
        page.disarm()
        counts = page.counts()
        self.daemon.ended()
        self.act.afterwards(answer)
        assert answer in self.act.GOOD, f"{self.act.name} fails without any fault: {answer}"
        return counts

    def _enough(self, until):
        """The time is over; but also a slow machine tries a few."""
        return until and self.tried >= FEW and self.hit >= FEW - 2 and time.monotonic() > until

    def allocations(self, points=None, lasting=True, until=None):
        n = self.count(pages.ALLOCATIONS).get("malloc", 0)
        assert n > 0, "no allocation was seen: is the library preloaded?"
        for first in spread(n, points):
            for last in (first, pages.EVER) if lasting else (first,):
                if self._enough(until):
                    return n
                self.point(pages.ALLOCATIONS, first, last, 0, f"allocation {first} of {n}{'' if last == first else ' and all after it'}")
        return n

    def system_calls(self, points=None, until=None):
        import errno
        counts = self.count(pages.SYSTEM_CALLS)
        for call, n in sorted(counts.items()):
            for fault in FAULTS[call]:
                code = 0 if fault == "short" else getattr(errno, fault)
                for first in spread(n, points):
                    for last in (first, pages.EVER) if fault in LASTING else (first,):
                        if self._enough(until):
                            return sum(counts.values())
                        self.point(pages.BIT[call], first, last, code, f"{call} {first} of {n} says {fault}{'' if last == first else ' from there on'}")
        return sum(counts.values())


def said(log):
    """The line that tells why, or the last one."""
    lines = log.decode(errors="replace").splitlines()
    fatal = [line for line in lines if '"fatal"' in line] or [line for line in lines if '"signal"' in line] or lines
    return fatal[-1][:200] if fatal else "no line in its log"


def spread(n, points):
    """1 to n, or so many of them, evenly."""
    if not points or n <= points:
        return range(1, n + 1)
    return sorted({1 + int((i + 0.5) * n / points) for i in range(points)})


def wait_until(ask, seconds, what):
    end = time.monotonic() + seconds
    while True:
        got = ask()
        if got:
            return got
        if time.monotonic() > end:
            raise Broken(what)
        time.sleep(0.02)


def runs(pid):
    """Also false for one that only waits for whoever inherited it to take note of its end."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def stop(rig):
    """A rig to its end, however it is."""
    for name in list(rig.procs)[::-1]:
        proc = rig.procs.pop(name)
        if proc.poll() is None:
            proc.send_signal(signal.SIGKILL)
        proc.wait(20)
