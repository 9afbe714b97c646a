"""TLS handshakes and idle connections of the front beside nginx."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "e2e"))
import front_rig  # noqa: E402
from front_rig import BIN, CLINIC, free_port  # noqa: E402

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
        if not shutil.which("nginx"):
            print("nginx is not here: apt-get install nginx-light", file=sys.stderr)
            sys.exit(2)
        self.rig = front_rig.Rig(self.dir / "ours", workers=self.workers, **self.settings)
        try:
            self.rig.up()
            self._nginx()
        except BaseException:
            self.__exit__()
            raise
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

    def load(self, kind, port, clients, seconds, **popen):
        cert = self.rig.dir / "certs" / f"clinic-{CLINIC}.pem"
        args = [BIN / "pmhgw-shake-load", kind, "127.0.0.1", port, cert, cert.with_suffix(".key"), clients, seconds]
        return subprocess.Popen(list(map(str, args)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)

    def handshakes(self, door, seconds, kind, clients=32, beside=()):
        """us of CPU a handshake, the same of the processes beside, share of the resumed, errors."""
        port, pids = door
        before = ticks(pids), ticks(beside)
        out = words(self.load(kind, port, clients, seconds).communicate()[0])
        shaken = max(out["full"] + out["resumed"], 1)
        # the first handshake of each client cannot be a resumption
        return {"us": (ticks(pids) - before[0]) / shaken, "beside": (ticks(beside) - before[1]) / shaken, "n": int(shaken),
                "resumed": out["resumed"] / max(shaken - clients, 1), "errors": int(out["errors"])}

    def idle(self, door, connections):
        """KiB of memory that each idle connection takes; how many are open."""
        port, pids = door
        before = pss_kib(pids)
        proc = self.load("idle", port, connections, 0)
        opened = int(words(proc.stdout.readline())["open"])
        time.sleep(3)  # connections give their buffers back when they have been idle for a second
        each = (pss_kib(pids) - before) / max(opened, 1)
        proc.communicate()
        return each, opened


def words(line):
    w = line.split()
    return {k: float(v) for k, v in zip(w[::2], w[1::2])}


def median(values):
    return statistics.median(values)
