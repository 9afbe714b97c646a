"""Real pmhgw-front and pmhgw-audit over a real Redis; records are seeded by pmhgw-test-seed, link keys minted by jwcrypto.

Rig makes a state directory of its own and gives each process a way to be killed and started again."""

import base64
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import ssl
import subprocess
import time

import audit_tree
import pytest
from jwcrypto import jwe, jwk

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PMHGW_BIN", ROOT / "build/release/bin"))
MUNIS = ("331007", "271403")
CLINIC, OTHER_CLINIC = "3319900019", "2719900017"
CERTS = {f"clinic-{c}": f"pmhgw:clinic/{c}" for c in (CLINIC, OTHER_CLINIC)} | {
    "portal-mynaportal": "pmhgw:portal/mynaportal", "portal-other": "pmhgw:portal/other", "muni-331007": "pmhgw:municipality/331007/kodomo"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Redis:
    """Just enough RESP to seed and to look."""

    def __init__(self, path, user, password):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")
        self("AUTH", user, password)

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.sock.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        return self._reply()

    def _reply(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest.decode()


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.json = json.loads(raw) if raw else None

    @property
    def code(self):
        return self.json.get("code")

    def without_id(self):
        """Everything the caller sees but the request id and the date."""
        rid = next(v for k, v in self.headers if k.lower() == "x-request-id").encode()
        headers = sorted((k, v.replace(rid.decode(), "ID")) for k, v in self.headers if k.lower() != "date")
        return self.status, headers, self.raw.replace(rid, b"ID")


class Rig:
    def __init__(self, state, workers=2, **settings):
        self.dir, self.settings = pathlib.Path(state), settings
        self.ports = {"clinic": free_port(), "portal": free_port()}
        self.workers, self.procs, self.contexts = workers, {}, {}
        for d in ("certs", "keys", "run", "redis-link", "audit", "conf", "log"):
            (self.dir / d).mkdir(parents=True, exist_ok=True)
        for cert in [("doors",), ("statements",)] + list(CERTS.items()):
            subprocess.run([ROOT / "config" / "dev-ca", self.dir / "certs", *cert], check=True)
        self._keys()
        self._confs()

    # ---- set-up ----

    def key(self, name):
        return str(self.dir / "keys" / name)

    def _secret(self, name, data):
        path = self.dir / "keys" / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        return data

    def _keys(self):
        for cap in ("intake", "front", "vault", "ctl"):
            self._secret(f"cap-{cap}-audit", secrets.token_bytes(32))
        self.log_key = audit_tree.verifier_key(self._secret("audit-sign.key", secrets.token_bytes(32)))
        self._secret("audit.pub", self.log_key.encode())
        self.password = self._secret("redis-link-front.pass", secrets.token_hex(32).encode())
        self.jwe_key = self._secret("link-jwe.key", secrets.token_bytes(32))
        self.seed("ring", self.key("link.ring"), self.key("link.master"), "k1", self.key("link-jwe.key"), *MUNIS)

    def _yaml(self, name, **settings):
        (self.dir / "conf" / f"{name}.yaml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items()))

    def _confs(self):
        d, audit = self.dir, str(self.dir / "run" / "audit.sock")
        self.redis_sock = d / "run" / "redis-link.sock"
        self.redis_conf = d / "conf" / "redis-link.conf"
        text = (ROOT / "config" / "redis-link.conf.in").read_text()
        hashed = {"FRONT_PASS_SHA256": hashlib.sha256(self.password).hexdigest(), "INTAKE_PASS_SHA256": secrets.token_hex(32), "COURIER_PASS_SHA256": secrets.token_hex(32)}
        for word, value in {"STATE": str(d), **hashed}.items():
            text = text.replace(f"@{word}@", value)
        self.redis_conf.write_text(text + "user test on >test ~* +@all\n")
        self._yaml("audit", audit_socket=audit, audit_dir=f"{d}/audit", audit_sign_key=self.key("audit-sign.key"), **{
            f"audit_cap_{who}_file": self.key(f"cap-{who}-audit") for who in ("intake", "front", "vault", "ctl")})
        self._yaml("front", audit_socket=audit, audit_cap_file=self.key("cap-front-audit"), link_ring=self.key("link.ring"),
                   link_master=self.key("link.master"), redis_link_socket=str(self.redis_sock), redis_link_user="front",
                   redis_link_pass_file=self.key("redis-link-front.pass"), clinic_port=self.ports["clinic"],
                   portal_port=self.ports["portal"], workers=self.workers, door_cert=f"{d}/certs/doors.pem",
                   door_key=f"{d}/certs/doors.key", door_ca=f"{d}/certs/ca.pem",
                   audit_pub_file=self.key("audit.pub"),
                   **{"statement_cert": f"{d}/certs/statements.pem", "statement_key": f"{d}/certs/statements.key",
                      "legal_basis_file": str(ROOT / "config" / "legal-basis.yaml"), "institutions_file": str(ROOT / "config" / "institutions.yaml"),
                      **self.settings})

    def seed(self, *args):
        return subprocess.run([BIN / "pmhgw-test-seed", *map(str, args)], check=True, capture_output=True, text=True).stdout.split()

    # ---- processes ----

    def start(self, name):
        if name == "redis":
            args = ["redis-server", self.redis_conf]
        else:
            args = [BIN / f"pmhgw-{name}", "--config", self.dir / "conf" / f"{name}.yaml"]
        with open(self.log(name), "ab") as log:
            self.procs[name] = subprocess.Popen(list(map(str, args)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self, name):
        return self.dir / "log" / f"{name}.log"

    def kill(self, name, sig=signal.SIGKILL):
        proc = self.procs.pop(name)
        proc.send_signal(sig)
        return proc.wait(timeout=20)

    def up(self):
        for name in ("redis", "audit", "front"):
            self.start(name)
        self.wait_healthy()
        return self

    def down(self):
        for name in list(self.procs)[::-1]:
            self.kill(name, signal.SIGTERM)

    def healthy(self):
        """Both doors, several times, because each worker has its own connections."""
        try:
            return all(self.get(door, "/health").status == 200 for door in ("clinic", "portal") for _ in range(8))
        except OSError:
            return False

    def wait_healthy(self):
        wait_for(self.healthy, 20)

    def workers_of_front(self):
        pid = self.procs["front"].pid
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def redis(self):
        return Redis(self.redis_sock, "test", "test")

    # ---- the doors ----

    def context(self, cert):
        if cert not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(self.dir / "certs" / "ca.pem")
            if cert:
                context.load_cert_chain(self.dir / "certs" / f"{cert}.pem", self.dir / "certs" / f"{cert}.key")
            self.contexts[cert] = context
        return self.contexts[cert]

    def call(self, door, method, path, body=None, cert=None):
        con = http.client.HTTPSConnection("127.0.0.1", self.ports[door], context=self.context(cert), timeout=10)
        try:
            con.request(method, path, body=body, headers={"Content-Type": "application/json"} if body is not None else {})
            answer = con.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            con.close()

    def get(self, door, path, cert=None):
        return self.call(door, "GET", path, cert=cert)

    def post(self, door, path, body, cert):
        return self.call(door, "POST", path, body if isinstance(body, (bytes, str)) else json.dumps(body), cert)

    def look_up(self, link_key, clinic=CLINIC):
        return self.post("clinic", "/v1/clinic/eligibility", {"link_key": link_key}, f"clinic-{clinic}")

    def read_session(self, session, clinic=CLINIC):
        return self.post("clinic", "/v1/clinic/session", {"session": session}, f"clinic-{clinic}")

    def link(self, pmh_key, pseudonym, portal="mynaportal"):
        return self.post("portal", "/v1/portal/pseudonyms", {"pmh_key": pmh_key, "pseudonym": pseudonym}, f"portal-{portal}")

    def ask(self, pseudonym, portal="mynaportal"):
        return self.post("portal", "/v1/portal/eligibility", {"pseudonym": pseudonym}, f"portal-{portal}")

    # ---- what others would have done ----

    def person(self, records=None):
        """A registered person; returns the PMH key. records: dicts of put(); one valid record when None."""
        pmh_key = "pk-" + secrets.token_hex(8)
        for record in [{}] if records is None else records:
            self.put(pmh_key, **record)
        return pmh_key

    def put(self, pmh_key, muni="331007", type_id="kodomo01", history="1", since=0, until=0, flags="-", eligibility=None):
        body = json.dumps({"municipalityCode": muni, "certificationName": "子ども医療費受給者証"} if eligibility is None else eligibility,
                          ensure_ascii=False)
        key, field, value = self.seed("record", self.key("link.ring"), self.key("link.master"), pmh_key, muni, type_id, history, since,
                                      until, flags, body)
        self.redis()("HSET", key, field, bytes.fromhex(value))
        return key, field

    def handle(self, pmh_key):
        return bytes.fromhex(self.seed("handle", self.key("link.ring"), self.key("link.master"), pmh_key)[0])

    def mint(self, pmh_key, aud=CLINIC, scope="eligibility", life=600, age=0, kid="k1", key=None, **more):
        now = int(time.time()) - age
        claims = {"iss": "onshi.local", "pmh_key": pmh_key, "aud": aud, "purpose": "treatment", "scope": scope, "iat": now, "exp": now + life,
                  "jti": secrets.token_hex(16), "consent_id": secrets.token_hex(8), "consent_version": 1, **more}
        secret = base64.urlsafe_b64encode(key or self.jwe_key).rstrip(b"=").decode()
        token = jwe.JWE(json.dumps(claims).encode(), json.dumps({"alg": "dir", "enc": "A256GCM", "kid": kid}))
        token.add_recipient(jwk.JWK(kty="oct", k=secret))
        return token.serialize(compact=True)

    # ---- the audit log ----

    def _log(self):
        """The bytes of every record, in order."""
        for path in sorted((self.dir / "audit").glob("audit-*.log")):
            data = path.read_bytes()[64:]
            for at in range(0, len(data) - 207, 208):
                rec = data[at:at + 160]
                if not any(rec):
                    break
                yield rec

    def audit(self):
        """(event, result, reason, subject, muni, count, actor) of every record, in order."""
        number = lambda rec, lo, hi: int.from_bytes(rec[lo:hi], "big")
        return [(number(r, 2, 4), r[1], number(r, 4, 6), r[40:56], r[28:34].decode(), number(r, 24, 28), r[56:120].rstrip(b"\0").decode())
                for r in self._log()]

    def records(self):
        """What audit() has not of every record."""
        number = lambda rec, lo, hi: int.from_bytes(rec[lo:hi], "big")
        return [{"event": number(r, 2, 4), "ref": r[120:136], "epoch": number(r, 136, 144), "until": number(r, 144, 148)} for r in self._log()]


# ---- what the tests share ----

def quick_mint(seal, pmh_key, aud=CLINIC, kid="k1", life=600):
    """As Rig.mint, for many: seal is AESGCM of the key."""
    b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    now, iv, head = int(time.time()), secrets.token_bytes(12), b64(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": kid}).encode())
    claims = {"iss": "onshi.local", "pmh_key": pmh_key, "aud": aud, "purpose": "treatment", "scope": "eligibility", "iat": now, "exp": now + life,
              "jti": secrets.token_hex(16), "consent_id": secrets.token_hex(8), "consent_version": 1}
    sealed = seal.encrypt(iv, json.dumps(claims).encode(), head)
    return b".".join((head, b"", b64(iv), b64(sealed[:-16]), b64(sealed[-16:]))).decode()



def table(path, first):
    """Names and numbers of an X-macro file; errors are counted, events carry their number."""
    rows = re.findall(r"^X\((\w+), *(\d*)", (ROOT / path).read_text(), re.M)
    return {name: int(number) if first is None else first + i for i, (name, number) in enumerate(rows)}


ERR = {"OK": 0} | table("gateway/base/errors.def", 1)
EVENT = table("gateway/audit/events.def", None)
GIVEN, NOTHING, USED, REFUSED, FAILED = range(5)
NOBODY = bytes(16)


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("front"))
    try:
        yield rig.up()
    finally:
        rig.down()


def last(rig, event, skip=0):
    return [r for r in rig.audit() if r[0] == EVENT[event]][-1 - skip]


def jst(days=0):
    day = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9))) + datetime.timedelta(days=days)
    return int(day.strftime("%Y%m%d"))
