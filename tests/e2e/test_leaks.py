"""`pmhgw leaks` over the memory of a process: it reads only the pages that are there, and a number is found wherever on them it stands."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from rig import BIN, fresh_number

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of another process")

# Each number comes as digits with blanks between and commas behind, turned by one, and is written byte by byte: it stands nowhere else in the process.
HOLDER = textwrap.dedent("""
    import mmap, os, sys, tempfile
    PAGE = mmap.PAGESIZE
    def write(m, at, word):
        for i, c in enumerate(word.split("/")):
            m[at + i] = 48 + (int(c) + 1) % 10
    words = sys.stdin.readline().split()
    anonymous = mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    shared = mmap.mmap(-1, 8 * PAGE)
    files = [tempfile.TemporaryFile() for _ in range(2)]
    for f in files:
        f.truncate(8 * PAGE)
    mapped, private = mmap.mmap(files[0].fileno(), 8 * PAGE), mmap.mmap(files[1].fileno(), 8 * PAGE, mmap.MAP_PRIVATE)
    for word, (m, at) in zip(words, [(anonymous, 0), (anonymous, 8 * PAGE - 12), (anonymous, 16 * PAGE), (anonymous, 24 * PAGE - 5), (anonymous, 64 * PAGE - 12),
                                     (shared, 3 * PAGE + 7), (mapped, 5 * PAGE + 1), (private, 6 * PAGE - 12)]):
        write(m, at, word)
    other = os.fork()
    if not other:
        write(shared, 6 * PAGE, words[-1])  # a page that this process has never looked at
        os._exit(0)
    os.waitpid(other, 0)
    print("there", flush=True)
    sys.stdin.read()
""")
PLACES = 9


def leaks(numbers, pid):
    done = subprocess.run([BIN / "pmhgw", "leaks", "--json", "--numbers", numbers, "--pid", str(pid)], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_a_number_is_found_wherever_it_stands_in_the_memory_of_a_process(tmp_path):
    numbers, absent = [fresh_number() for _ in range(PLACES)], fresh_number()
    (tmp_path / "numbers").write_text("".join(n + "\n" for n in numbers))
    (tmp_path / "absent").write_text(absent + "\n")
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            holder.stdin.write(" ".join("/".join(str((int(c) - 1) % 10) for c in n) for n in numbers) + "\n")
            holder.stdin.flush()
            assert holder.stdout.readline() == "there\n"
            report, other = leaks(tmp_path / "numbers", holder.pid), leaks(tmp_path / "absent", holder.pid)
        finally:
            holder.kill()
    assert {f["kind"] for f in report["found"]} == {"ascii"} and report["complete"], report
    assert {f["number"] for f in report["found"]} == set(range(PLACES)), "each of them, by its place in the list"
    assert report["hits"] == PLACES, "and each once"
    assert other["hits"] == 0 and other["complete"], other
