"""Real daemons around pmhgw-intake, and a PMH that the test controls.

Rig makes a state directory of its own (certificates, rings, capabilities, two private redis-servers on unix sockets),
starts pmhgw-audit, pmhgw-vault and pmhgw-intake, and gives each a way to be killed and started again."""

import hashlib
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PMHGW_BIN", ROOT / "build/release/bin"))
MUNIS = ("331007", "271403")

VAULT_KINDS = {"NUM_INDEX": 1, "NUM_DATA": 2}
LINK_KINDS = {"LINK_INDEX": 16, "LINK_DATA": 17, "LINK_COMMON": 18, "LINK_JWE": 19, "TOKEN": 20, "AUDIT_HANDLE": 21}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def number(seed):
    """A 12-digit individual number with a right check digit."""
    digits = f"{seed:011d}"
    total = sum(int(digits[10 - (n - 1)]) * (n + 1 if n <= 6 else n - 5) for n in range(1, 12))
    return digits + str(0 if total % 11 <= 1 else 11 - total % 11)


def row(num, name="愛知花子", born="2013-01-01", type_id="kodomo01", **more):
    """A row as the published form of 医療費助成対象者情報登録 has it."""
    return {
        "orgSpecificCertificateTypeId": type_id,
        "myNumber": num,
        "basicFiveInfo": {"name": name, "nameKana": "アイチハナコ", "address": "愛知県B市B町1-1-1 Bマンション101号室",
                          "dateOfBirth": born, "sex": "2"},
        "isNotDisclosed": False,
        "medicalSubsidyInsurerNumber": "87654321",
        "certificationName": "自立支援医療受給者証(育成医療)",
        "medicalSubsidyRecipientNumber": "0000002",
        **more,
    }


class Pmh:
    """Numbering at PMH over mutual TLS; `fault` is None or a function (entries) -> (status, body bytes) or None to hang up."""

    def __init__(self, certs, port):
        self.keys, self.lock, self.fault = {}, threading.Lock(), None
        self.requests, self.entries, self.delay = 0, 0, 0.0
        self.certs, self.port, self.server = certs, port, None

    def key_of(self, num):
        with self.lock:
            if num not in self.keys:
                self.keys[num] = "pk-" + secrets.token_hex(12)
            return self.keys[num]

    def answer(self, entries):
        return 200, json.dumps([{"pmhKey": self.key_of(e["myNumber"]), "myNumber": e["myNumber"]} for e in entries]).encode()

    def start(self):
        pmh = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if pmh.server is None:  # stopped: connections that are kept alive end too
                    return self.hang_up()
                entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pmh.requests += 1
                pmh.entries += len(entries)
                time.sleep(pmh.delay)
                out = pmh.fault(entries) if pmh.fault else pmh.answer(entries)
                if out is None:
                    return self.hang_up()
                self.send_response(out[0])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out[1])))
                self.end_headers()
                self.wfile.write(out[1])

            def hang_up(self):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certs / "mocks.pem", self.certs / "mocks.key")
        context.load_verify_locations(self.certs / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        if self.server:
            server, self.server = self.server, None
            server.shutdown()
            server.server_close()


class Rig:
    def __init__(self, state, **settings):
        self.dir = pathlib.Path(state)
        self.port, self.pmh_port = free_port(), free_port()
        self.settings = {"retry_min_ms": 100, "retry_max_ms": 2000, "pmh_timeout_ms": 2000, **settings}
        self.procs, self.logs = {}, {}
        for d in ("certs", "keys", "run", "redis-vault", "redis-link", "audit", "conf", "log"):
            (self.dir / d).mkdir(parents=True, exist_ok=True)
        self._certs()
        self._keys()
        self._confs()
        self.pmh = Pmh(self.dir / "certs", self.pmh_port)

    # ---- set-up ----

    def _certs(self):
        tool, certs = ROOT / "config" / "dev-ca", self.dir / "certs"
        names = [("doors",), ("mocks",), ("receipts",), ("gateway-intake", "pmhgw:gateway/intake"), ("clinic-3319900019", "pmhgw:clinic/3319900019")]
        names += [(f"muni-{m}", f"pmhgw:municipality/{m}/kodomo") for m in MUNIS]
        names += [("muni-999999", "pmhgw:municipality/999999/kodomo"), ("muni-331007-b", "pmhgw:municipality/331007/yobo"),
                  ("muni-331007-c", "pmhgw:municipality/331007/kodomo")]
        for name in names:
            subprocess.run([tool, certs, *name], check=True)

    def _ring(self, name, kinds, entries):
        master = secrets.token_bytes(32)
        out = b"PMHGWKR1"
        for kind, ident in entries:
            head = bytes([kinds[kind]]) + ident.encode().ljust(16, b"\0")
            nonce = secrets.token_bytes(12)
            out += head + b"\x01" + nonce + AESGCM(master).encrypt(nonce, secrets.token_bytes(32), head)
        self._secret(f"{name}.master", master)
        self._secret(f"{name}.ring", out)

    def _secret(self, name, data):
        path = self.dir / "keys" / name
        path.touch(mode=0o600)
        path.write_bytes(data)

    def _keys(self):
        self._ring("vault", VAULT_KINDS, [("NUM_INDEX", "1")] + [("NUM_DATA", m) for m in MUNIS])
        self._ring("link", LINK_KINDS, [("LINK_INDEX", "1"), ("LINK_COMMON", "1"), ("TOKEN", "k9"), ("TOKEN", "k10"), ("AUDIT_HANDLE", "1"),
                                        ("LINK_JWE", "k1")] + [("LINK_DATA", m) for m in MUNIS])
        for cap in ("cap-intake-vault", "cap-ctl-vault", "cap-intake-audit", "cap-front-audit", "cap-vault-audit", "cap-ctl-audit"):
            self._secret(cap, secrets.token_bytes(32))
        self._secret("audit-sign.key", secrets.token_bytes(32))
        for user in ("redis-vault", "redis-vault-test", "redis-link-intake", "redis-link-test"):
            self._secret(f"{user}.pass", secrets.token_hex(32).encode())

    @staticmethod
    def _acl(user, template="redis-link.conf.in"):
        """The rules of a user as they are shipped."""
        lines = (ROOT / "config" / template).read_text().splitlines()
        found = [line for line in lines if line.startswith(f"user {user} on ")]
        return " ".join(word for word in found[0].split()[3:] if not word.startswith("#"))

    def _yaml(self, name, **settings):
        (self.dir / "conf" / f"{name}.yaml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items()))

    def _redis_conf(self, name, users):
        lines = ["port 0", f"unixsocket {self.dir}/run/{name}.sock", "unixsocketperm 700", f"dir {self.dir}/{name}", "appendonly yes",
                 "appendfsync always", "no-appendfsync-on-rewrite no", "save \"\"", "user default off resetpass ~* &* +@all"]
        for user, rules in users.items():
            word = hashlib.sha256((self.dir / "keys" / f"{user}.pass").read_bytes()).hexdigest()
            lines.append(f"user {user.rsplit('-', 1)[-1]} on #{word} {rules}")
        (self.dir / "conf" / f"{name}.conf").write_text("\n".join(lines) + "\n")

    def _confs(self):
        d = str(self.dir)
        key = lambda n: f"{d}/keys/{n}"
        self._redis_conf("redis-vault", {"redis-vault": self._acl("vault", "redis-vault.conf.in"), "redis-vault-test": "~* +@all"})
        self._redis_conf("redis-link", {"redis-link-intake": self._acl("intake"), "redis-link-test": "~* +@all"})
        audit = f"{d}/run/audit.sock"
        self._yaml("audit", audit_socket=audit, audit_dir=f"{d}/audit", audit_cap_intake_file=key("cap-intake-audit"),
                   audit_cap_front_file=key("cap-front-audit"), audit_cap_vault_file=key("cap-vault-audit"),
                   audit_cap_ctl_file=key("cap-ctl-audit"), audit_sign_key=key("audit-sign.key"))
        self._yaml("vault", audit_socket=audit, audit_cap_file=key("cap-vault-audit"), vault_socket=f"{d}/run/vault.sock",
                   vault_cap_intake_file=key("cap-intake-vault"), vault_cap_ctl_file=key("cap-ctl-vault"), vault_ring=key("vault.ring"),
                   vault_master=key("vault.master"), redis_vault_socket=f"{d}/run/redis-vault.sock", redis_vault_user="vault",
                   redis_vault_pass_file=key("redis-vault.pass"))
        self._yaml("intake", audit_socket=audit, audit_cap_file=key("cap-intake-audit"), vault_socket=f"{d}/run/vault.sock",
                   vault_cap_file=key("cap-intake-vault"), link_ring=key("link.ring"), link_master=key("link.master"),
                   **{"redis_link_socket": f"{d}/run/redis-link.sock", "legal_basis_file": str(ROOT / "config" / "legal-basis.yaml"),
                      "institutions_file": str(ROOT / "config" / "institutions.yaml"), **self.settings}, redis_link_user="intake",
                   redis_link_pass_file=key("redis-link-intake.pass"), door_host="127.0.0.1", municipal_port=self.port,
                   door_cert=f"{d}/certs/doors.pem", door_key=f"{d}/certs/doors.key", door_ca=f"{d}/certs/ca.pem",
                   pmh_url=f"https://127.0.0.1:{self.pmh_port}/pmh/v1/numbering", upstream_ca=f"{d}/certs/ca.pem",
                   upstream_cert=f"{d}/certs/gateway-intake.pem", upstream_key=f"{d}/certs/gateway-intake.key", spool_dir=f"{d}/spool", layouts_dir=str(ROOT / "config" / "layouts"),
                   receipt_cert=f"{d}/certs/receipts.pem", receipt_key=f"{d}/certs/receipts.key")

    # ---- processes ----

    def start(self, name):
        if name.startswith("redis"):
            args = ["redis-server", str(self.dir / "conf" / f"{name}.conf")]
        else:
            args = [str(BIN / f"pmhgw-{name}"), "--config", str(self.dir / "conf" / f"{name}.yaml")]
        log = open(self.dir / "log" / f"{name}.log", "ab")
        self.procs[name] = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()

    def kill(self, name, sig=signal.SIGKILL):
        proc = self.procs.pop(name)
        proc.send_signal(sig)
        return proc.wait(timeout=20)

    def kill_during(self, act, seconds, name="intake"):
        """The daemon dies so long after act was begun: what act gave, or None when it was broken off."""
        got = []

        def do():
            try:
                got.append(act())
            except OSError:
                got.append(None)

        thread = threading.Thread(target=do)
        thread.start()
        time.sleep(seconds)
        self.kill(name)
        thread.join(10)
        return got[0]

    def up(self, pmh=True):
        for name in ("redis-vault", "redis-link", "audit", "vault", "intake"):
            self.start(name)
        if pmh:
            self.pmh.start()
        self.wait_healthy()
        return self

    def wait_healthy(self, seconds=20):
        wait_for(lambda: self.health()[0] == 200, seconds, "health")

    def down(self):
        self.pmh.stop()
        for name in list(self.procs)[::-1]:
            if self.procs[name].poll() is None:
                self.kill(name, signal.SIGTERM)

    def health(self):
        try:
            return self.call("GET", "/health", cert=None)
        except OSError:
            return 0, None

    # ---- the municipal door ----

    def context(self, cert):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.dir / "certs" / "ca.pem")
        if cert:
            context.load_cert_chain(self.dir / "certs" / f"{cert}.pem", self.dir / "certs" / f"{cert}.key")
        return context

    def call(self, method, path, body=None, cert="muni-331007", token=None, media="application/json", timeout=40, headers=()):
        """(status, parsed body); the headers of the last answer are in self.headers."""
        con = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(cert), timeout=timeout)
        headers = {**({"Content-Type": media} if body is not None else {}), **dict(headers)}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            con.request(method, path, body=body, headers=headers)
            answer = con.getresponse()
            raw = answer.read()
            self.headers = dict(answer.getheaders())
            self.raw = raw
            return answer.status, json.loads(raw) if raw else None
        finally:
            con.close()

    def token(self, cert="muni-331007", body=b"grant_type=client_credentials"):
        status, doc = self.call("POST", "/oauth2/token", body, cert, media="application/x-www-form-urlencoded")
        assert status == 200, doc
        return doc["access_token"]

    def register(self, rows, cert="muni-331007", token=None, path="registration-tasks"):
        body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        return self.call("POST", f"/v1/medical-subsidy/{path}", body, cert, token or self.token(cert))

    def task(self, task_id, cert="muni-331007", token=None):
        return self.call("GET", f"/v1/tasks/{task_id}", None, cert, token or self.token(cert))

    def wait_task(self, task_id, cert="muni-331007", seconds=30):
        token = self.token(cert)

        def finished():
            status, doc = self.task(task_id, cert, token)
            assert status == 200, doc
            return doc if doc["state"].startswith("done") else None

        return wait_for(finished, seconds, f"task {task_id}")

    def register_done(self, rows, cert="muni-331007", **more):
        status, doc = self.register(rows, cert, **more)
        assert status == 202, doc
        return self.wait_task(doc["task_id"], cert)

    # ---- what is stored ----

    def redis(self, name, *args):
        user = {"redis-link": "redis-link-test", "redis-vault": "redis-vault-test"}[name]
        word = (self.dir / "keys" / f"{user}.pass").read_text()
        out = subprocess.run(["redis-cli", "-s", str(self.dir / "run" / f"{name}.sock"), "--user", user.rsplit("-", 1)[-1], "--no-auth-warning",
                              "-a", word, "--raw", *map(str, args)], capture_output=True, check=True)
        return out.stdout.decode(errors="replace").splitlines()

    def audit(self):
        """(event, result, reason, muni, count, actor) of every record, in order, as numbers of events.def and errors.def."""
        out = []
        for path in sorted((self.dir / "audit").glob("audit-*.log")):
            data = path.read_bytes()[64:]
            for at in range(0, len(data) - 207, 208):
                rec = data[at:at + 160]
                if any(rec):
                    out.append((int.from_bytes(rec[2:4], "big"), rec[1], int.from_bytes(rec[4:6], "big"), rec[28:34].decode(),
                                int.from_bytes(rec[24:28], "big"), rec[56:120].rstrip(b"\0").decode()))
        return out

    def log_text(self):
        return b"".join(p.read_bytes() for p in sorted((self.dir / "log").iterdir()))


def has_sanitizer(pid):
    return "libasan" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def memory_hits(pid, forms):
    """How often one of the byte strings lies in the readable memory of a process."""
    hits = 0
    for line in open(f"/proc/{pid}/maps"):
        part = line.split()
        if "r" not in part[1] or part[-1] in ("[vvar]", "[vsyscall]"):
            continue
        begin, end = (int(x, 16) for x in part[0].split("-"))
        try:
            with open(f"/proc/{pid}/mem", "rb") as mem:
                mem.seek(begin)
                data = mem.read(end - begin)
        except OSError:  # pages of memfd_secret: not even root reads them
            continue
        hits += sum(data.count(form) for form in forms)
    return hits


def wait_for(what, seconds, name):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError(f"{name}: not within {seconds} s")


def encodings(num):
    """The forms in which a number could be lying around."""
    import base64
    raw = num.encode()
    forms = {raw, raw.hex().encode(), raw.hex().upper().encode(), num.translate({ord("0") + d: 0xFF10 + d for d in range(10)}).encode(),
             num.encode("utf-16-le"), num.encode("utf-16-be"), hashlib.sha256(raw).digest(), hashlib.sha256(raw).hexdigest().encode(),
             hashlib.sha1(raw).hexdigest().encode(), hashlib.md5(raw).hexdigest().encode(), struct.pack("<Q", int(num)), struct.pack(">Q", int(num)),
             f"{int(num):x}".encode(), num[::-1].encode()}
    for shift in range(3):
        forms.add(base64.b64encode(b"\0" * shift + raw)[4 if shift else 0:-4])
    return forms
