"""TLS handshakes and idle connections of the front beside nginx, by the probe of the peers' harness (its load/probe.c)."""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "e2e"))
import front_rig  # noqa: E402
from front_rig import CLINIC, free_port  # noqa: E402

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
NGINX = """daemon off; worker_processes {workers}; pid {dir}/nginx.pid; error_log {dir}/nginx.err warn;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {dir}/n1; proxy_temp_path {dir}/n2; fastcgi_temp_path {dir}/n3; uwsgi_temp_path {dir}/n4; scgi_temp_path {dir}/n5;
  ssl_certificate {certs}/doors.pem; ssl_certificate_key {certs}/doors.key; ssl_client_certificate {certs}/ca.pem; ssl_verify_client on;
  ssl_protocols TLSv1.3; ssl_session_cache off;
  server {{ listen 127.0.0.1:{port} ssl reuseport backlog=4096; location / {{ return 404; }} }}
}}
"""


def probe_source():
    """The harness of the peers lies beside the repository, or where PMHGW_PEERS says. Exits 2 where it is not."""
    for at in (os.environ.get("PMHGW_PEERS"), HERE.parents[2] / "shared" / "bench"):
        if at and (pathlib.Path(at) / "load" / "probe.c").exists():
            return pathlib.Path(at) / "load" / "probe.c"
    print("the harness of the peers is not here: PMHGW_PEERS=DIR (with load/probe.c in it)", file=sys.stderr)
    sys.exit(2)


def tree(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def ticks(pids):
    """CPU that they and their children have used, in us."""
    total = 0
    for pid in pids:
        total += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return total * TICK_US


def pss_kib(pids):
    return sum(int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{p}/smaps_rollup").read_text(), re.M)[1]) for p in pids)


class Doors:
    """`with Doors() as d`: a front (its audit beside) and nginx over the same certificates; d.ours, d.nginx are (port, pids)."""

    def __init__(self, workers=2, **settings):
        self.folder = tempfile.TemporaryDirectory(prefix="pmhgw-tls-", ignore_cleanup_errors=True)
        self.workers, self.settings, self.procs = workers, settings, []

    def __enter__(self):
        self.dir = pathlib.Path(self.folder.name)
        self.dir.chmod(0o711)
        source = probe_source()
        subprocess.run(["gcc", "-O2", source, "-o", self.dir / "probe", "-lssl", "-lcrypto", "-lm"], check=True)
        self.rig = front_rig.Rig(self.dir / "ours", workers=self.workers, **self.settings)
        try:
            self.rig.up()
            self._nginx()
        except BaseException:
            self.__exit__()
            raise
        self.env = {**os.environ, "CLIENT_CERT": str(self.rig.dir / "certs" / f"clinic-{CLINIC}.pem"), "CLIENT_KEY": str(self.rig.dir / "certs" / f"clinic-{CLINIC}.key")}
        self.ours = (self.rig.ports["clinic"], tree(self.rig.procs["front"].pid))
        self.audit = tree(self.rig.procs["audit"].pid)
        return self

    def _nginx(self):
        port = free_port()
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX.format(workers=self.workers, dir=self.dir, certs=self.rig.dir / "certs", port=port))
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        proc = subprocess.Popen(["nginx", "-e", self.dir / "nginx.err", "-c", conf, "-g", f"user {user};"])
        self.procs.append(proc)
        front_rig.wait_for(lambda: self._accepts(port))
        self.nginx = (port, tree(proc.pid))

    @staticmethod
    def _accepts(port):
        try:
            front_rig.socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        for proc in self.procs:
            proc.terminate()
            proc.wait(timeout=20)
        if hasattr(self, "rig"):
            self.rig.down()
        self.folder.cleanup()

    def handshakes(self, door, seconds, kind, connections=32, beside=()):
        """us of CPU a handshake, share of the resumed, errors."""
        port, pids = door
        before = ticks(pids), ticks(beside)
        out = subprocess.run([self.dir / "probe", "hs", "127.0.0.1", str(port), str(seconds), str(connections), kind], env=self.env, check=True, capture_output=True, text=True).stdout
        n, full, resumed, errors = (int(re.search(rf"\b{w}=(\d+)", out)[1]) for w in ("handshakes", "full", "resumed", "errors"))
        used = ticks(pids) - before[0], ticks(beside) - before[1]
        return {"us": used[0] / max(n, 1), "beside": used[1] / max(n, 1), "n": n, "resumed": resumed / max(full + resumed, 1), "errors": errors}

    def idle(self, door, connections):
        """KiB of memory that each idle connection takes."""
        port, pids = door
        before = pss_kib(pids)
        proc = subprocess.Popen([self.dir / "probe", "idle", "127.0.0.1", str(port), "6", str(connections)], env=self.env, stdout=subprocess.PIPE, text=True)
        opened = int(re.search(r"open=(\d+)", proc.stdout.readline())[1])
        time.sleep(3)
        each = (pss_kib(pids) - before) / max(opened, 1)
        proc.wait()
        return each, opened


def median(values):
    return statistics.median(values)
