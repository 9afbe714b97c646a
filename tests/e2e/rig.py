"""A whole pmhgw on this machine: real daemons, two real Redis, the mock nation, in a state directory of its own.

Every number that a run registers or plants is a canary: Rig.leaks() (canary.py) searches everything downstream for all of them."""

import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PMHGW_BIN", ROOT / "build/release/bin"))
MUNICIPAL, CLINIC, PORTAL, CONTROL, PMH, ONSHI, MOCK_PORTAL = 1, 2, 3, 10, 11, 12, 13
CLINIC_A, CLINIC_B = "3319900019", "2719900017"
MUNIS = ("331007", "271403", "222127")
REGISTRATION = "/v1/medical-subsidy/registration-tasks"
HISTORY = "/v1/medical-subsidy/history-registration-tasks"
DAEMONS = ("redis-vault", "redis-link", "pmhgw-audit", "pmhgw-vault", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier", "pmhgw-mocks")


def wait_for(what, seconds, ask):
    """Asks until the answer is true; the answer. Fails with `what` when the time is over."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.03)


def free_base():
    """A base port whose whole range is free now."""
    for _ in range(200):
        base = random.randrange(20000, 30000, 20)
        try:
            for offset in (*range(1, 4), *range(10, 21)):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {len(self.body)} bytes>"


class Rig:
    def __init__(self, workers=2, state=None):
        self.own = tempfile.TemporaryDirectory(prefix="pmhgw-e2e-") if state is None else None
        self.dir = pathlib.Path(self.own.name if self.own else state)
        self.state = self.dir / "state"
        self.captured = self.dir / "captured"  # what clinics, the portal and citizens were answered
        self.base, self.workers = free_base(), workers
        self.canaries, self.tokens, self.contexts = set(), {}, {}
        self.seeds, self.bin = [], BIN
        self.process = self.tcpdump = None

    # -- life --

    def start(self, wait=True):
        log = open(self.dir / "up.log", "ab")
        self.process = subprocess.Popen(
            [self.bin / "pmhgw", "up", "--mocks", "--state", self.state, "--base-port", str(self.base), "--workers", str(self.workers)],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "SOFTHSM2_CONF": str(self.state / "softhsm2.conf")})
        if wait:
            self.wait_ready()
            self.capture_traffic()
        return self

    def wait_ready(self, seconds=60):
        def ready():
            assert self.process.poll() is None, f"pmhgw up ended: {self.up_log()[-2000:]}"
            return (self.state / "run/ready").exists()
        wait_for(f"pmhgw up is ready\n{self.up_log()[-2000:]}", seconds, ready)

    def up_log(self):
        return (self.dir / "up.log").read_text(errors="replace")

    def stop(self):
        if self.tcpdump:
            self.tcpdump.terminate()
            self.tcpdump.wait(10)
            self.tcpdump = None
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
                raise
            self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            if self.own:
                self.own.cleanup()

    def capture_traffic(self):
        """The downstream doors and mocks on the wire, where tcpdump may run."""
        if os.geteuid() != 0 or self.tcpdump:
            return
        wire = self.dir / "wire.pcap"
        wire.unlink(missing_ok=True)
        ports = " or ".join(f"port {self.base + o}" for o in (CLINIC, PORTAL, ONSHI, MOCK_PORTAL))
        try:
            self.tcpdump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", str(wire), ports],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return
        until = time.monotonic() + 5
        while self.tcpdump.poll() is None and not (wire.exists() and wire.stat().st_size) and time.monotonic() < until:
            time.sleep(0.01)  # it has written the head of the file: it listens
        if self.tcpdump.poll() is not None:
            self.tcpdump = None

    # -- processes --

    def pid(self, name):
        try:
            return int((self.state / f"run/{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def log_tail(self, name, lines=12):
        """The last lines that a daemon logged, to be shown by a check that failed."""
        return (self.state / f"log/{name}.log").read_text(errors="replace").splitlines()[-lines:]

    def kill(self, name, sig=signal.SIGKILL):
        pid = wait_for(f"{name} has a process", 20, lambda: self.pid(name))
        os.kill(pid, sig)
        return pid

    def wait_back(self, name, old, seconds=30):
        wait_for(f"{name} is back", seconds, lambda: self.pid(name) not in (0, old))
        self.wait_healthy(seconds)

    def wait_healthy(self, seconds=30):
        wait_for("everything answers", seconds, lambda: self.command("status", "--quick").returncode == 0)

    def command(self, *argv, timeout=120):
        """One pmhgw command on this state."""
        words = [self.bin / "pmhgw", *argv, "--state", str(self.state)]
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout, env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LC_ALL": "C.UTF-8"})

    # -- a store that came back older --

    def copy_store(self):
        """redis-link as it is now, as an operator copies it: while it writes."""
        copy = self.dir / "redis-link-copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.state / "redis-link", copy)
        return copy

    def put_store_back(self, copy):
        """It is older than the audit log: nobody is served until reconcile()."""
        self.stop()
        shutil.rmtree(self.state / "redis-link")
        shutil.copytree(copy, self.state / "redis-link")
        vault = self.state / "log/pmhgw-vault.log"
        before = vault.stat().st_size
        self.start(wait=False)
        wait_for("the store is known to be older", 40, lambda: self.command("reconcile", "--dry-run").returncode == 1)
        wait_for("the vault can be told of erased numbers", 40, lambda: b'"ready"' in vault.read_bytes()[before:])

    def reconcile(self, *more):
        done = self.command("reconcile", "--json", *more)
        assert done.returncode in (0, 1), (done.stdout, done.stderr)
        return json.loads(done.stdout)

    # -- doors --

    def context(self, cert):
        if cert not in self.contexts:
            certs = self.state / "certs"
            c = ssl.create_default_context(cafile=certs / "ca.pem")
            c.minimum_version = ssl.TLSVersion.TLSv1_3
            if cert:
                c.load_cert_chain(certs / f"{cert}.pem", certs / f"{cert}.key")
            self.contexts[cert] = c
        return self.contexts[cert]

    def call(self, port, method, path, body=None, cert=None, headers=None, timeout=30):
        """One HTTPS request on a connection of its own. body: bytes, str, or anything for JSON."""
        h = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()
        if body is not None:
            h.setdefault("Content-Type", "application/json")
        conn = http.client.HTTPSConnection("127.0.0.1", self.base + port, context=self.context(cert), timeout=timeout)
        try:
            conn.request(method, path, body=body, headers=h)
            r = conn.getresponse()
            answer = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        finally:
            conn.close()
        if port in (CLINIC, PORTAL, ONSHI, MOCK_PORTAL):
            self.keep(answer)
        return answer

    def keep(self, answer):
        with open(self.captured, "ab") as f:
            f.write(repr(answer.headers).encode() + b"\n" + answer.body + b"\n")

    def token(self, muni):
        if muni not in self.tokens:
            a = self.call(MUNICIPAL, "POST", "/oauth2/token", b"grant_type=client_credentials", cert=f"muni-{muni}",
                          headers={"Content-Type": "application/x-www-form-urlencoded"})
            assert a.status == 200, (a.status, a.body)
            self.tokens[muni] = a.json()["access_token"]
        return self.tokens[muni]

    def muni(self, muni, method, path, body=None, **more):
        return self.call(MUNICIPAL, method, path, body, cert=f"muni-{muni}",
                         headers={"Authorization": f"Bearer {self.token(muni)}", **more.pop("headers", {})}, **more)

    def register(self, muni, rows, path=REGISTRATION, seconds=60):
        """Sends rows and follows the task to its end; the task."""
        self.plant(rows)
        a = self.muni(muni, "POST", path, rows)
        assert a.status == 202, (a.status, a.body)
        return self.follow(muni, a.json()["task_id"], seconds)

    def follow(self, muni, task_id, seconds=60):
        def done():
            a = self.muni(muni, "GET", f"/v1/tasks/{task_id}")
            return a.status == 200 and a.json()["state"].startswith("done") and a.json()
        return wait_for("the task is done", seconds, done)

    def consent(self, card, clinic=CLINIC_A):
        """Card authentication and consent: a link key for that clinic; None when refused."""
        a = self.call(ONSHI, "POST", "/onshi/v1/consents", {"card_serial": card, "items": ["eligibility"]}, cert=f"clinic-{clinic}")
        return a.json()["link_key"] if a.status == 201 else None

    def clinic(self, link_key, clinic=CLINIC_A):
        return self.call(CLINIC, "POST", "/v1/clinic/eligibility", {"link_key": link_key}, cert=f"clinic-{clinic}")

    def session(self, session, clinic=CLINIC_A):
        return self.call(CLINIC, "POST", "/v1/clinic/session", {"session": session}, cert=f"clinic-{clinic}")

    def citizen(self, card):
        return self.call(MOCK_PORTAL, "POST", "/portal/v1/eligibility", {"card_serial": card})

    # -- the mock nation --

    def nation(self):
        return self.call(CONTROL, "GET", "/state", cert="operator-local").json()

    def control(self, method, path, body):
        a = self.call(CONTROL, method, path, body, cert="operator-local")
        assert a.status in (200, 201, 204), (a.status, a.body)
        return a

    def linked(self, n, seconds=30):
        wait_for(f"{n} pseudonyms are linked", seconds, lambda: self.nation()["systems"]["portal"]["linked"] >= n)

    # -- residents --

    def synth(self, muni="331007", count=20, seed=None, extra=()):
        """Rows of a fresh synthetic municipality, people of earlier ones left out (two seeds can draw one number). All of its
        numbers are canaries."""
        out = self.dir / "synth"
        seed = random.randrange(1, 10**9) if seed is None else seed
        self.seeds.append(seed)
        subprocess.run([BIN / "pmhgw-synth", "--muni", muni, "--count", str(count), "--seed", str(seed), "--out", out, *extra],
                       check=True, capture_output=True, timeout=60)
        rows = [row for row in json.loads((out / f"{muni}.json").read_text()) if row["myNumber"] not in self.canaries]
        self.plant(rows)
        return rows

    def card_of(self, number):
        """Serial of the card that the nation gives the holder of a number (somebody new when nobody holds it)."""
        self.canaries.add(number)
        return self.control("POST", "/cards", {"my_number": number}).json()["card_serial"]

    def plant(self, rows):
        for row in rows if isinstance(rows, list) else []:
            n = row.get("myNumber") if isinstance(row, dict) else None
            if isinstance(n, str) and len(n) == 12 and n.isascii() and n.isdigit():
                self.canaries.add(n)


def check_digit(body):
    q = [(n + 1 if n <= 6 else n - 5) * int(body[11 - n]) for n in range(1, 12)]
    r = sum(q) % 11
    return "0" if r <= 1 else str(11 - r)


def fresh_number():
    """A random number with a good check digit, outside the range of the generator."""
    body = "7" + "".join(random.choices("0123456789", k=10))
    return body + check_digit(body)


def numbers_of(rows):
    """The numbers of rows, in order, each once."""
    return list(dict.fromkeys(row["myNumber"] for row in rows))


def row_for(number, key=None, **more):
    """A complete row of postRegistrationTasks for one number."""
    row = {
        "orgSpecificCertificateTypeId": "KODOMO-01", "myNumber": number,
        "basicFiveInfo": {"name": "試験　花子", "nameKana": "シケン　ハナコ", "address": "岡山県岡山市北区試験町1-2-3", "dateOfBirth": "2019-05-06", "sex": "2"},
        "isNotDisclosed": False, "medicalSubsidyInsurerNumber": "88331004", "certificationName": "子ども医療費受給資格証",
        "medicalSubsidyRecipientNumber": "3985967", "isAlwaysReimbursement": "0", "validFrom": "2024-04-01", "validTo": "2043-03-31",
    }
    if key:
        row["municipalityIdentityKey"] = key
    return {**row, **more}
