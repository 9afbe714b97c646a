"""A whole gateway whose PMH answers at once, for the measurements of files. Everything in a state directory of its own.

The stores are the gateway's own two, appendfsync always, audit on; numbering is answered by tests/bench/pmh_instant.c, so that what is
measured is the gateway. The ceiling is measured by tests/bench/bulk_ceiling.c in two further Redis of the same settings."""

import csv
import itertools
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PMHGW_BIN", ROOT / "build/release/bin"))
PMH_PORT, PORTS = 11, (1, 2, 3, 11)
NEEDED = ("pmhgw", "pmhgw-front", "pmhgw-vault", "pmhgw-intake", "pmhgw-audit", "pmhgw-synth", "pmhgw-pmh-instant", "pmhgw-bulk-ceiling")
ENV = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PMHGW_SHARE": str(ROOT / "config")}
MUNIS = ("331007", "271403", "222127")
DURABLE = ("--port", "0", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--rdbcompression", "no", "--auto-aof-rewrite-min-size", "512mb",
           "--hash-max-listpack-value", "1024", "--hash-max-listpack-entries", "32", "--logfile", "", "--daemonize", "no")


def build():
    """The release build, unless the programs are there."""
    if "PMHGW_BIN" in os.environ or all((BIN / p).exists() for p in NEEDED):
        return
    for words in (["cmake", "--preset", "release", "-DPMHGW_TESTS=ON"], ["cmake", "--build", "--preset", "release", "-j", str(os.cpu_count())]):
        subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def free_base():
    for _ in range(200):
        base = random.randrange(20000, 30000, 20)
        try:
            for offset in PORTS:
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


def pieces(path, sizes):
    """Files of so many rows each, one after the other out of one file; that one goes."""
    out = []
    with open(path, encoding="utf-8", newline="") as f:
        rows = csv.reader(f)
        head = next(rows)
        for i, size in enumerate(sizes):
            out.append(path.with_name(f"{path.stem}-{i}.csv"))
            with open(out[-1], "w", encoding="utf-8", newline="") as to:
                write = csv.writer(to, lineterminator="\r\n").writerow
                write(head)
                for row in itertools.islice(rows, size):
                    write(row)
    path.unlink()
    return out


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


class System:
    """with System() as s: s.city(...), s.load(...)"""

    def __enter__(self):
        build()
        self.own = tempfile.TemporaryDirectory(prefix="pmhgw-bulk-")
        self.dir = pathlib.Path(self.own.name)
        self.state, self.base, self.children = self.dir / "state", free_base(), []
        self.log = open(self.dir / "log", "ab")
        self.run_child([BIN / "pmhgw", "up", "--state", self.state, "--base-port", str(self.base)])
        self.wait(lambda: (self.state / "run/ready").exists(), 60, "pmhgw up is ready")
        self.run_child([BIN / "pmhgw-pmh-instant", self.state / "certs", "127.0.0.1", str(self.base + PMH_PORT)])
        self.wait(self.pmh_listens, 10, "PMH listens")
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            end(child)
        self.own.cleanup()

    def run_child(self, words):
        self.children.append(subprocess.Popen(words, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=ENV))

    def wait(self, ask, seconds, what):
        until = time.monotonic() + seconds
        while not ask():
            if time.monotonic() > until or any(c.poll() is not None for c in self.children):
                sys.exit(f"not within {seconds} s: {what}\n{(self.dir / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def pmh_listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.base + PMH_PORT)) == 0

    def city(self, muni, *sizes, times=1):
        """CSV linkage files of so many residents each, all of them different people with one certificate. times: of a single file, each resident
        so often, with another address each time, in as many passes over all of them."""
        assert times == 1 or len(sizes) == 1
        out = self.dir / f"city-{muni}"
        subprocess.run([BIN / "pmhgw-synth", "--muni", muni, "--count", str(sum(sizes)), "--csv", "--distinct", "--times", str(times), "--no-cards",
                        "--out", out], check=True, stdout=subprocess.DEVNULL, env=ENV)
        path = out / f"{muni}.csv"
        return [path] if len(sizes) == 1 else pieces(path, sizes)

    def load(self, path, muni):
        """Seconds from the start of the command to the end of the last row."""
        since = time.monotonic()
        done = subprocess.run([BIN / "pmhgw", "import", path, "--muni", muni, "--state", self.state], capture_output=True, text=True, env=ENV, timeout=3600)
        if done.returncode != 0:
            sys.exit(f"import ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return time.monotonic() - since

    def pid(self, name):
        return int((self.state / f"run/{name}.pid").read_text())

    def pss_kib(self, name):
        for line in pathlib.Path(f"/proc/{self.pid(name)}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
        raise RuntimeError("no Pss")

    def cpu_s(self, name):
        fields = pathlib.Path(f"/proc/{self.pid(name)}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def aof_bytes(self, store):
        return sum(f.stat().st_size for f in (self.state / store).rglob("*") if f.is_file())


class Peak:
    """with Peak(system, names) as p: ...; p.kib[name]: the greatest memory seen of each."""

    def __init__(self, system, names):
        self.system, self.names, self.kib, self.over = system, names, dict.fromkeys(names, 0), threading.Event()

    def look(self):
        while not self.over.wait(0.05):
            for name in self.names:
                try:
                    self.kib[name] = max(self.kib[name], self.system.pss_kib(name))
                except (OSError, ValueError):
                    continue

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Stores:
    """Two empty Redis with the gateway's settings, for the ceiling."""

    def __enter__(self):
        self.own = tempfile.TemporaryDirectory(prefix="pmhgw-ceiling-")
        self.dir, self.children = pathlib.Path(self.own.name), []
        for name in ("link", "vault"):
            (self.dir / name).mkdir()
            self.children.append(subprocess.Popen(["redis-server", *DURABLE, "--dir", self.dir / name, "--unixsocket", self.dir / f"{name}.sock"],
                                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL))
        until = time.monotonic() + 10
        while not all((self.dir / f"{name}.sock").exists() for name in ("link", "vault")):
            if time.monotonic() > until:
                sys.exit("redis-server did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        for child in self.children:
            end(child)
        self.own.cleanup()

    def rate(self, rows, link_bytes, vault_bytes):
        return ceiling("redis", self.dir / "link.sock", self.dir / "vault.sock", str(rows), str(link_bytes), str(vault_bytes))


def ceiling(*words):
    """Rows per second, as bulk_ceiling says."""
    out = subprocess.run([BIN / "pmhgw-bulk-ceiling", *words], check=True, capture_output=True, text=True).stdout
    return float(out.split()[1])


def spread(values):
    return f"{statistics.median(values):,.0f} (of {' '.join(f'{v:,.0f}' for v in sorted(values))})"


def say(**figures):
    print(json.dumps(figures, ensure_ascii=False), flush=True)
