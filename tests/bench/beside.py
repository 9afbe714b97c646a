#!/usr/bin/python3
"""Lookups beside what one would pick instead: runs the harness of the peers (see docs/performance.md) with the gateway as more rows.

    tests/bench/beside.py [--peers DIR] [--seconds 3] [--rounds 3] [--connections 256 64] [--requests 2000000] [--rows REGEX] [--ours NAME...]

Our rows: `ours` (clinic, link key used up, audit durable before the answer), `ours-unsynced` (the same in front of an audit daemon of the bench that says "durable"
before it is), `ours-citizen` (the portal asks by pseudonym), `ours-door` (`/health` of the clinics' door: TLS, HTTP and an answer, nothing looked up) and `ours-list` (100 link keys in one
call; only where the front has that route).

There are so many residents that each is asked for about twice in all: what a lookup costs grows with the sessions that a person has open, and no clinic asks for
everybody eight times. The peers' records are 20,000, as many as they are asked for.

Prints for each number of connections the harness's table, the ratios of our rows to those of the others, and who used how much CPU a lookup: front, audit daemon, Redis,
generator; how much of the machine was idle. What the harness calls the server is of ours the front and the audit daemon; Redis runs beside, as for the others."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "e2e"))
import front_rig  # noqa: E402
from front_rig import BIN, CLINIC  # noqa: E402

LIST_ROUTE, LIST_KEYS, RECORDS = "/v1/clinic/eligibility/list", 100, 20000
OURS = {  # name: (which audit daemon, URL)
    "ours": ("synced", "https://127.0.0.1:$TLS_PORT/v1/clinic/eligibility"),
    "ours-unsynced": ("unsynced", "https://127.0.0.1:$TLS_PORT/v1/clinic/eligibility"),
    "ours-citizen": ("synced", "https://127.0.0.1:$PORT/v1/portal/eligibility"),
    "ours-door": ("synced", "https://127.0.0.1:$TLS_PORT/health"),
    "ours-list": ("synced", "https://127.0.0.1:$TLS_PORT" + LIST_ROUTE),
}
AUDIT = {"synced": "pmhgw-audit", "unsynced": "pmhgw-beside-audit-unsynced"}
# What the copy of the harness does otherwise: our rows are not asked once with requests of its own; before it ends it stands still for as long as it is told to.
PATCHES = {
    "  args=(-sS --fail": "  if [[ $name == ours* ]]; then continue; fi\n  args=(-sS --fail",
    "# ---- extras (-x)": "printf '%s\\n' \"${rows[@]}\" >\"$T/rows\"\nif [[ ${BENCH_HOLD:-} ]]; then\n  : >\"$T/standing\"\n"
                         "  while [[ -e $T/standing ]] && kill -0 $PPID; do sleep 0.05; done\nfi\n# ---- extras (-x)",
}


def has_lists():
    return LIST_ROUTE.encode() in (BIN / "pmhgw-front").read_bytes()


class Ours:
    """Store and certificates of our rows; the harness starts the daemons (target())."""

    def __init__(self, tmp, workers, name="ours"):
        self.tmp = pathlib.Path(tmp)
        self.rig = front_rig.Rig(self.tmp / name, workers=workers)

    def prepare(self, residents, requests, lists=0):
        """Certificates, residents and requests, where the harness and beside.lua look for them."""
        certs = self.rig.dir / "certs"
        (self.tmp / "certs").mkdir(exist_ok=True)
        for name, of in {"ca": "ca", "server": "doors", "client": f"clinic-{CLINIC}", "portal": "portal-mynaportal"}.items():
            for kind in ("pem", "key"):
                shutil.copy(certs / f"{of}.{kind}", self.tmp / "certs" / f"{name}.{kind}")
                (self.tmp / "certs" / f"{name}.{kind}").chmod(0o644)
        both = b"".join((self.tmp / "certs" / f"server.{kind}").read_bytes() for kind in ("pem", "key"))
        (self.tmp / "certs" / "server-both.pem").write_bytes(both)
        (self.tmp / "doors").mkdir(exist_ok=True)
        self.rig.start("redis")
        front_rig.wait_for(self.rig.redis_sock.exists)
        (self.rig.dir / "redis.pid").write_text(str(self.rig.procs["redis"].pid))
        key = self.rig.key
        made = subprocess.run([BIN / "pmhgw-beside-make", key("link.ring"), key("link.master"), key("link-jwe.key"), "k1", CLINIC, str(residents), str(requests), self.tmp, str(lists)],
                              check=True, capture_output=True, text=True).stdout.split()
        for kind, bytes_each in zip(("requests", "citizens", "lists"), made[1::2]):
            (self.tmp / f"{kind}.bytes").write_text(bytes_each)
            (self.tmp / f"{kind}.next").write_text("0\n")
        self.load()

    def load(self):
        """The residents as they were in the beginning, into Redis."""
        with open(self.tmp / "residents.resp", "rb") as resp:
            subprocess.run(["redis-cli", "-s", self.rig.redis_sock, "--user", "test", "--pass", "test", "--no-auth-warning", "--pipe"], stdin=resp, check=True, capture_output=True)

    def end(self):
        self.rig.down()


def config(state, sync):
    """Settings of this run, by those of the rig; an unsynced audit log is another one."""
    conf, ports = state / "conf", {"clinic_port": os.environ["TLS_PORT"], "portal_port": os.environ["PORT"], "workers": os.environ["WORKERS"]}
    names = {"audit_socket": f"{state}/run/audit-{sync}.sock", "audit_dir": f"{state}/audit-{sync}"}
    (state / f"audit-{sync}").mkdir(exist_ok=True)
    made = {}
    for daemon in ("audit", "front"):
        text = (conf / f"{daemon}.yaml").read_text()
        for name, value in (ports | names).items():
            text = re.sub(rf"^{name}:.*$", f"{name}: {value}", text, flags=re.M)
        made[daemon] = conf / f"{daemon}-{sync}.yaml"
        made[daemon].write_text(text)
    return made, pathlib.Path(names["audit_socket"])


def target(state, sync):
    """What the harness starts: audit and front of the prepared state, on TLS_PORT and PORT."""
    state = pathlib.Path(state)
    conf, socket = config(state, sync)
    socket.unlink(missing_ok=True)
    audit = subprocess.Popen([BIN / AUDIT[sync], "--config", conf["audit"]])
    try:
        front_rig.wait_for(socket.exists)
        front = subprocess.Popen([BIN / "pmhgw-front", "--config", conf["front"]])
    except BaseException:
        audit.terminate()
        raise
    front_rig.signal.signal(front_rig.signal.SIGTERM, lambda *_: front.terminate())
    try:
        for port in (os.environ["TLS_PORT"], os.environ["PORT"]):
            (state.parent / "doors" / port).write_text(json.dumps({"front": front.pid, "audit": audit.pid, "redis": int((state / "redis.pid").read_text())}))
        front.wait()
    finally:
        front.kill()
        audit.terminate()
        audit.wait()


def peers_in(folder):
    for at in [folder] if folder else [os.environ.get("PMHGW_PEERS"), HERE.parents[2] / "shared" / "bench"]:
        if at and (pathlib.Path(at) / "run.sh").exists():
            return pathlib.Path(at)
    raise SystemExit("the harness of the peers is not here: --peers DIR or PMHGW_PEERS=DIR (its run.sh)")


def harness(peers, tmp):
    """A copy of the harness that knows our rows, and a wrk for it."""
    to, programs = pathlib.Path(tmp) / "harness", pathlib.Path(tmp) / "bin"
    shutil.copytree(peers, to)
    for at in [to, *to.rglob("*")]:
        at.chmod(0o755)
    script = to / "run.sh"
    text = script.read_text()
    for was, becomes in PATCHES.items():
        if text.count(was) != 1:
            raise SystemExit("the harness of the peers is not the one that this was written for")
        text = text.replace(was, becomes)
    script.write_text(text)
    programs.mkdir()
    (programs / "wrk").write_text(f'#!/bin/sh\nexec /usr/bin/python3 {HERE / "beside_wrk.py"} "$@"\n')
    (programs / "wrk").chmod(0o755)
    return to


@contextlib.contextmanager
def kept_packages(tmp):
    """The packages of the Node peer, from an earlier run where there was one."""
    kept, here = HERE.parents[1] / "build" / "peers-node" / "node_modules", pathlib.Path(tmp) / "node"
    here.mkdir()
    if kept.exists():
        (here / "node_modules").symlink_to(kept)
    try:
        yield
    finally:
        if (here / "node_modules").is_dir() and not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(here / "node_modules", kept)


class Field:
    """Ours and the peers over the same data: run() as often as wanted."""

    def __init__(self, peers, tmp, ours, workers):
        self.peers, self.tmp, self.ours, self.workers = peers, pathlib.Path(tmp), ours, workers
        self.script = harness(peers, tmp) / "run.sh"

    def command(self, seconds, rounds, connections, rows, mine):
        targets = []
        for name in mine:
            sync, url = OURS[name]
            targets += ["-t", f"{name}|static|{url}|/usr/bin/python3 {HERE / 'beside.py'} --target {self.ours.rig.dir} {sync}"]
        return [self.script, "-d", str(seconds), "-r", str(rounds), "-c", str(connections), "-w", str(self.workers), "-n", str(RECORDS), "-o", rows, *targets]

    def env(self, patient, hold):
        env = {**os.environ, "BENCH_TMP": str(self.tmp), "BENCH_WRK": str(HERE / "beside.lua"), "BENCH_HARNESS": str(self.script.parent), "BENCH_REAL_WRK": shutil.which("wrk") or "wrk",
               "PATH": f"{self.tmp / 'bin'}:{os.environ['PATH']}", "BENCH_HOLD": "1" if hold else ""}
        return env if patient else {"BENCH_QUIET": "101"} | env  # not: measured at once, however busy the machine

    def run(self, seconds, rounds, connections, rows, mine=("ours",), patient=False, then=None):
        """The table of the harness: {row: {"rate", "us", "redis_us", "errors", "cpu_ratio", "ratio", "cpu"}}. then(rows): called while everything still runs."""
        (self.tmp / "cpu").write_text("")
        (self.tmp / "standing").unlink(missing_ok=True)
        with open(self.tmp / "told", "w+", encoding="utf-8") as told:
            proc = subprocess.Popen(list(map(str, self.command(seconds, rounds, connections, rows, mine))), env=self.env(patient, then), stdout=told)
            try:
                while then and proc.poll() is None and not (self.tmp / "standing").exists():
                    time.sleep(0.05)
                if then and proc.poll() is None:
                    then(self.standing())
            finally:
                (self.tmp / "standing").unlink(missing_ok=True)
                proc.wait()
            told.seek(0)
            text = told.read()
        sys.stdout.write(text)
        if proc.returncode:
            raise SystemExit("the harness ended badly")
        return table_of(text, self.standing(), self.cpu())

    def standing(self):
        return {name: url for name, _, _, url in (line.split("|") for line in (self.tmp / "rows").read_text().splitlines())}

    def cpu(self):
        """{url: {who: us a request}}: the mean of the runs behind the first, which warms up."""
        runs = {}
        for line in (self.tmp / "cpu").read_text().splitlines():
            one = json.loads(line)
            runs.setdefault(one.pop("url"), []).append(one)
        return {url: {who: sum(r[who] * r["requests"] for r in of[1:]) / sum(r["requests"] for r in of[1:]) for who in of[0] if who != "requests"}
                for url, of in runs.items() if len(of) > 1}


@contextlib.contextmanager
def field(peers, requests, lists=0, workers=2):
    """For so many lookups at most, of a quarter as many residents."""
    with tempfile.TemporaryDirectory(prefix="pmhgw-beside-", ignore_cleanup_errors=True) as tmp:
        os.chmod(tmp, 0o711)
        ours = Ours(tmp, workers)
        try:
            ours.prepare(max(RECORDS, (requests + lists * LIST_KEYS) // 4), requests, lists)
            with kept_packages(tmp):
                yield Field(peers, tmp, ours, workers)
        finally:
            ours.end()


def run(peers, seconds, rounds, connections, requests, rows):
    """One run of the row `ours` beside others."""
    with field(peers, requests) as f:
        return f.run(seconds, rounds, connections, rows)


def table_of(text, urls, cpu):
    table = {}
    for line in text.splitlines():
        w = line.split()
        if len(w) >= 11 and re.fullmatch(r"[\d.]+", w[1]):
            table[w[0]] = {"rate": float(w[1]), "us": float(w[5]), "redis_us": float(w[6]), "errors": int(w[8]), "cpu_ratio": float(w[9]), "ratio": float(w[10]),
                           "cpu": cpu.get(urls.get(w[0]), {})}
    return table


def ratios(table):
    """Of our rows to each other one, as lines."""
    for mine in (name for name in table if name.startswith("ours")):
        own = table[mine]
        yield f"{mine}: {own['rate']:.0f}/s, {own['us']:.1f} us, {own['errors']} errors; CPU {own['cpu_ratio']:.2f} x webdis"
        for name, row in table.items():
            if name != mine:
                yield f"    {name:20} {row['rate']:9.0f}/s {row['us']:7.1f} us   {mine}: {own['rate'] / row['rate']:.2f} of its rate, {own['us'] / row['us']:.2f} of its CPU"


def shares(table):
    """Who used how much CPU a request, as lines; idle: of all processors meanwhile."""
    yield f"{'CPU us a request':22} {'front':>8} {'audit':>8} {'server':>8} {'Redis':>8} {'generator':>10} {'all':>8} {'idle':>6}"
    for name, row in table.items():
        cpu = row["cpu"]
        redis, generator = cpu.get("redis", row["redis_us"]), cpu.get("generator", 0)
        part = [f"{cpu[who]:.1f}" if who in cpu else "-" for who in ("front", "audit")]
        yield f"{name:22} {part[0]:>8} {part[1]:>8} {row['us']:8.1f} {redis:8.1f} {generator:10.1f} {row['us'] + redis + generator:8.1f} {cpu.get('idle', 0):4.0f} %"


def main():
    if sys.argv[1:2] == ["--target"]:
        return target(*sys.argv[2:4])
    p = argparse.ArgumentParser()
    p.add_argument("--peers")
    for name, value in {"seconds": 3, "rounds": 3, "requests": 2000000, "lists": 8000}.items():
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--connections", type=int, nargs="+", default=[256, 64])
    p.add_argument("--rows", default="nginx-lua-clinic|node-clinic|nginx-lua-mtls")
    p.add_argument("--ours", nargs="+", choices=sorted(OURS), default=[name for name in OURS if name != "ours-list" or has_lists()])
    a = p.parse_args()
    with field(peers_in(a.peers), a.requests, a.lists if "ours-list" in a.ours else 0) as f:
        for connections in a.connections:
            table = f.run(a.seconds, a.rounds, connections, a.rows, a.ours, patient=True)
            print("", *ratios(table), "", *shares(table), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
