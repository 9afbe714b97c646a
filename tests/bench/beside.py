"""Clinic lookups beside what one would pick instead: runs the harness of the peers (see docs/performance.md) with the gateway as one more row.

    tests/bench/beside.py [--peers DIR] [--seconds 4] [--rounds 3] [--connections 256] [--residents 20000] [--requests 1500000] [--rows REGEX]

Prints the harness's table, then one line a row: name, requests per second, CPU us a request, both as ratios to the others. Our row counts the CPU of the
front and of the audit daemon. Redis runs beside, as for the others, and its CPU a request comes in a line of its own."""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "e2e"))
import front_rig  # noqa: E402
from front_rig import BIN, CLINIC  # noqa: E402

URL = "https://127.0.0.1:$TLS_PORT/fhir/metadata"  # the harness asks it once; the load asks for eligibility


def ticks(pid):
    return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))


class Ours:
    def __init__(self, tmp, workers):
        self.tmp = pathlib.Path(tmp)
        self.rig = front_rig.Rig(self.tmp / "ours", workers=workers)

    def prepare(self, residents, requests):
        """Certificates, residents and requests, where the harness and beside.lua look for them."""
        certs = self.rig.dir / "certs"
        (self.tmp / "certs").mkdir(exist_ok=True)
        for name, of in {"ca": "ca", "server": "doors", "client": f"clinic-{CLINIC}"}.items():
            for kind in ("pem", "key"):
                shutil.copy(certs / f"{of}.{kind}", self.tmp / "certs" / f"{name}.{kind}")
                (self.tmp / "certs" / f"{name}.{kind}").chmod(0o644)
        both = b"".join((self.tmp / "certs" / f"server.{kind}").read_bytes() for kind in ("pem", "key"))
        (self.tmp / "certs" / "server-both.pem").write_bytes(both)
        self.rig.start("redis")
        front_rig.wait_for(self.rig.redis_sock.exists)
        key = self.rig.key
        made = subprocess.run([BIN / "pmhgw-beside-make", key("link.ring"), key("link.master"), key("link-jwe.key"), "k1", CLINIC, str(residents), str(requests), self.tmp],
                              check=True, capture_output=True, text=True).stdout
        (self.tmp / "ours.bytes").write_text(made.split()[1])
        (self.tmp / "requests").rename(self.tmp / "ours.requests")
        (self.tmp / "ours.next").write_text("0\n")
        with open(self.tmp / "residents.resp", "rb") as resp:
            subprocess.run(["redis-cli", "-s", self.rig.redis_sock, "--user", "test", "--pass", "test", "--no-auth-warning", "--pipe"], stdin=resp, check=True, capture_output=True)

    def end(self):
        self.rig.down()


def target(state):
    """What the harness starts: audit and front of the prepared state, on TLS_PORT."""
    conf = pathlib.Path(state) / "conf"
    text = re.sub(r"^clinic_port:.*$", f"clinic_port: {os.environ['TLS_PORT']}", (conf / "front.yaml").read_text(), flags=re.M)
    (conf / "front.yaml").write_text(re.sub(r"^workers:.*$", f"workers: {os.environ['WORKERS']}", text, flags=re.M))
    audit = subprocess.Popen([BIN / "pmhgw-audit", "--config", conf / "audit.yaml"])
    try:
        front_rig.wait_for((pathlib.Path(state) / "run" / "audit.sock").exists)
        front = subprocess.Popen([BIN / "pmhgw-front", "--config", conf / "front.yaml"])
    except BaseException:
        audit.terminate()
        raise
    front_rig.signal.signal(front_rig.signal.SIGTERM, lambda *_: front.terminate())
    try:
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
    """A copy of the harness that knows what our answer to its one question looks like."""
    to = pathlib.Path(tmp) / "harness"
    shutil.copytree(peers, to)
    for at in [to, *to.rglob("*")]:
        at.chmod(0o755)
    script, was = to / "run.sh", "then want=pseudonym; fi"
    text = script.read_text()
    if was not in text:
        raise SystemExit("the harness of the peers is not the one that this was written for")
    script.write_text(text.replace(was, was + "; if [[ $name == ours ]]; then want=CapabilityStatement; fi"))
    return to


@contextlib.contextmanager
def kept_packages(tmp):
    """The packages of the Node peer, from an earlier run where there was one."""
    kept, here = HERE.parents[1] / "build" / "peers-node", pathlib.Path(tmp) / "node"
    here.mkdir()
    if kept.exists():
        (here / "node_modules").symlink_to(kept)
    try:
        yield
    finally:
        if (here / "node_modules").is_dir() and not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            shutil.move(here / "node_modules", kept)


def run(peers, seconds, rounds, connections, residents, requests, rows, workers=2, extra=()):
    """The table of the harness: {row: {"rate", "us", "cpu_ratio", "ratio", "redis_us", "errors"}}."""
    with tempfile.TemporaryDirectory(prefix="pmhgw-beside-", ignore_cleanup_errors=True) as tmp:
        os.chmod(tmp, 0o711)
        ours = Ours(tmp, workers)
        try:
            ours.prepare(residents, requests)
            peers = harness(peers, tmp)
            env = {**os.environ, "BENCH_TMP": tmp, "BENCH_WRK": str(HERE / "beside.lua"), "BENCH_HARNESS": str(peers)}
            command = f"/usr/bin/python3 {HERE / 'beside.py'} --target {ours.rig.dir}"
            before = ticks(ours.rig.procs["redis"].pid)
            with kept_packages(tmp):
                done = subprocess.run([peers / "run.sh", "-d", str(seconds), "-r", str(rounds), "-c", str(connections), "-w", str(workers), "-n", str(residents), "-o", rows,
                                       "-t", f"ours|static|{URL}|{command}", *extra], env=env, capture_output=True, text=True)
            sys.stderr.write(done.stderr)
            sys.stdout.write(done.stdout)
            if done.returncode:
                raise SystemExit("the harness ended badly")
            used = int((pathlib.Path(tmp) / "ours.next").read_text())
            print(f"redis-link, all runs: {(ticks(ours.rig.procs['redis'].pid) - before) * 10000 / max(used, 1):.1f} us a lookup ({used} lookups)")
        finally:
            ours.end()
    return table_of(done.stdout)


def table_of(text):
    table = {}
    for line in text.splitlines():
        w = line.split()
        if len(w) >= 11 and re.fullmatch(r"[\d.]+", w[1]):
            table[w[0]] = {"rate": float(w[1]), "us": float(w[5]), "errors": int(w[8]), "cpu_ratio": float(w[9]), "ratio": float(w[10])}
    return table


def main():
    if sys.argv[1:2] == ["--target"]:
        return target(sys.argv[2])
    p = argparse.ArgumentParser()
    p.add_argument("--peers")
    for name, value in {"seconds": 4, "rounds": 3, "connections": 256, "residents": 20000, "requests": 1500000}.items():
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--rows", default="nginx-lua-clinic|node-clinic")
    a = p.parse_args()
    table = run(peers_in(a.peers), a.seconds, a.rounds, a.connections, a.residents, a.requests, a.rows)
    own = table["ours"]
    for name, row in table.items():
        print(f"{name:20} {row['rate']:9.0f}/s {row['us']:7.1f} us   ours: {own['rate'] / row['rate']:.2f} of its rate, {own['us'] / row['us']:.2f} of its CPU")


if __name__ == "__main__":
    main()
