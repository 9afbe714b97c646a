"""In place of wrk for the harness of the peers (beside.py puts it there): shows the certificate of the door that is asked, and writes down who used how much CPU.

BENCH_TMP/doors/PORT names our processes behind a port; BENCH_TMP/cpu gets a line of JSON a run, also for the rows of others (of those only the generator's part): us a request, and how much of all processors was idle."""

import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

TMP = pathlib.Path(os.environ["BENCH_TMP"])
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def tree(pid):
    return [pid] + [p for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split() for p in tree(int(child))]


def cpu_us(pid):
    """Of a process and its children."""
    return TICK_US * sum(sum(map(int, pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) for p in tree(pid))


def idle_us():
    """Of all processors together."""
    return TICK_US * sum(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[4:6]))


def main():
    url = next(a for a in sys.argv if re.match("https?://", a))
    port = re.search(r":(\d+)/", url)[1]
    doors = TMP / "doors" / port
    watched = json.loads(doors.read_text()) if doors.exists() else {}
    if watched and "/portal/" in url:
        os.environ.update(CLIENT_CERT=str(TMP / "certs/portal.pem"), CLIENT_KEY=str(TMP / "certs/portal.key"))
    before, idle, begun = {who: cpu_us(pid) for who, pid in watched.items()}, idle_us(), time.monotonic()
    done = subprocess.run([os.environ["BENCH_REAL_WRK"], *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = {who: cpu_us(pid) - before[who] for who, pid in watched.items()} | {"generator": (own.ru_utime + own.ru_stime) * 1e6}
    used["idle"] = (idle_us() - idle) / (time.monotonic() - begun) / os.cpu_count() / 1e4
    requests = re.search(r"^BENCH (\d+)", done.stdout, re.M)
    if requests and int(requests[1]):
        with open(TMP / "cpu", "a", encoding="utf-8") as out:
            out.write(json.dumps({"url": url, "requests": int(requests[1])} | {who: us if who == "idle" else us / int(requests[1]) for who, us in used.items()}) + "\n")
    sys.stdout.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
