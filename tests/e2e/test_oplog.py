"""The operation log of a municipality: its own entries only, provable by anybody who has the public key, also after a crash of the audit daemon.

The check of the proofs is written here from RFC 6962 and the C2SP note format, with hashlib, and knows nothing of the program's own."""

import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import staff_rig
from intake_rig import BIN, Rig, number, row, wait_for

A, B = "muni-331007", "muni-271403"
READ, REFUSED = 73, 50


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("o"))
    try:
        r.up()
        for i in range(4):
            r.register_done([row(number(50 + i), type_id="kodomo01")], A)
        r.register_done([row(number(50), type_id="kodomo01")], B)  # a person of both
        yield r
    finally:
        r.down()


# ---- many entries, said by an intake to the audit daemon ----

class Ipc:
    def __init__(self, rig, role=0, cap="cap-intake-audit"):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(str(rig.dir / "run" / "audit.sock"))
        assert self.call(0, bytes([role]) + (rig.dir / "keys" / cap).read_bytes()) == (0, b"")

    def send(self, kind, bodies):
        self.s.sendall(b"".join(bytes([kind, 0]) + struct.pack(">HI", len(b), i) + b for i, b in enumerate(bodies)))

    def reply(self):
        """(code, body), None when the connection was closed."""
        head = self.s.recv(8, socket.MSG_WAITALL)
        if len(head) < 8:
            return None
        body = self.s.recv(struct.unpack(">H", head[2:4])[0], socket.MSG_WAITALL)
        return int.from_bytes(body[:2], "big"), body[2:]

    def call(self, kind, body):
        self.send(kind, [body])
        return self.reply()


def record(actor, muni, subject=b"", event=12):
    body = bytearray(160)
    body[0], body[3] = 2, event
    body[8:16] = os.urandom(8)
    body[16:24] = struct.pack(">Q", int(time.time() * 1000))
    body[28:34], body[40:40 + len(subject)], body[56:56 + len(actor)] = muni.encode(), subject, actor.encode()
    return bytes(body)


def flood(rig, n, *fields):
    ipc = Ipc(rig)
    for at in range(0, n, 500):
        ipc.send(1, [record(*fields) for _ in range(500)])
        assert all(ipc.reply()[0] == 0 for _ in range(500))


# ---- an independent verifier ----

def open_note(rig, note):
    """Size and root of a checkpoint that this log's key has signed."""
    text, lines = note.split("\n\n", 1)
    origin, size, root = (text + "\n").split("\n")[:3]
    public = Ed25519PrivateKey.from_private_bytes((rig.dir / "keys" / "audit-sign.key").read_bytes()).public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + raw).digest()[:4]
    for line in lines.splitlines():
        dash, name, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and name == origin and blob[:4] == key_id:
            public.verify(blob[4:], (text + "\n").encode())
            return int(size), base64.b64decode(root)
    raise AssertionError("not signed by the log")


def root_of(leaf, index, size, path):
    """RFC 9162, 2.1.3.2."""
    fn, sn, h = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    assert fn <= sn
    for p in path:
        assert sn
        if fn & 1 or fn == sn:
            h = hashlib.sha256(b"\1" + p + h).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            h = hashlib.sha256(b"\1" + h + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return h


def check(entry, size, root):
    proof = entry["proof"]
    leaf = base64.b64decode(proof["leaf"], validate=True)
    assert len(leaf) == 176 and proof["index"] == entry["seq"] - 1
    assert root_of(leaf, proof["index"], size, [base64.b64decode(p, validate=True) for p in proof["path"]]) == root
    # what is told is what was signed
    assert int.from_bytes(leaf[160:168], "big") == entry["seq"]
    assert leaf[56:120].rstrip(b"\0").decode() == entry["actor"]
    assert int.from_bytes(leaf[24:28], "big") == entry["count"]
    assert leaf[8:16].hex() == entry["request"]
    return leaf


def entries(rig, cert, query="", token=None):
    return rig.call("GET", f"/v1/audit/entries{query}", None, cert, token or rig.token(cert))


def all_entries(rig, cert, limit):
    """Every page; each checked against its own checkpoint."""
    out, query, token = [], f"?limit={limit}", rig.token(cert)
    while query:
        status, doc = entries(rig, cert, query, token)
        assert status == 200, doc
        size, root = open_note(rig, doc["checkpoint"])
        assert len(doc["entries"]) <= limit
        for e in doc["entries"]:
            check(e, size, root)
        out += doc["entries"]
        query = f"?limit={limit}&cursor={doc['next']}" if "next" in doc else None
    seqs = [e["seq"] for e in out]
    assert seqs == sorted(set(seqs), reverse=True)
    return out


def stored(rig):
    """seq -> stored bytes, from the files."""
    out = {}
    for path in sorted((rig.dir / "audit").glob("audit-*.log")):
        data = path.read_bytes()[64:]
        for at in range(0, len(data) - 207, 208):
            if any(data[at:at + 176]):
                out[int.from_bytes(data[at + 160:at + 168], "big")] = data[at:at + 176]
    return out


def own(rig, code, upto):
    want = []
    for seq, e in stored(rig).items():
        actor = e[56:120].rstrip(b"\0").decode()
        if seq <= upto and (e[28:34].decode() == code or actor.startswith(f"municipality/{code}/")):
            want.append(seq)
    return want[::-1]


# ---- reading ----

@pytest.mark.parametrize("limit", [3, 64])
def test_each_sees_all_of_its_own_and_nothing_else(rig, limit):
    for cert, code, other in ((A, "331007", "271403"), (B, "271403", "331007")):
        got = all_entries(rig, cert, limit)
        assert [e["seq"] for e in got] == own(rig, code, got[0]["seq"])
        assert not any(e["actor"].startswith(f"municipality/{other}") or e.get("municipality") == other for e in got)
        assert {"registration_accepted", "token_issued"} <= {e["event"] for e in got}


def test_a_reading_is_audited_before_it_is_answered(rig):
    token = rig.token(A)
    status, doc = entries(rig, A, "?limit=5", token)
    assert status == 200
    last = rig.audit()[-1]
    assert last[0] == READ and last[3] == "331007" and last[4] == len(doc["entries"]) == 5


def test_no_handle_of_a_person_goes_out(rig):
    handles = {e[40:56] for e in stored(rig).values() if any(e[40:56])}
    for cert in (A, B):
        got = all_entries(rig, cert, 64)
        text = json.dumps(got)
        for h in handles:
            assert h.hex() not in text
            assert not any(h in base64.b64decode(e["proof"]["leaf"]) for e in got)


def test_a_person_has_one_name_in_a_municipality_and_another_in_each(rig):
    who, other = os.urandom(16), os.urandom(16)
    intake, front = Ipc(rig), Ipc(rig, 1, "cap-front-audit")
    for actor, code, handle in (("municipality/331007/x", "331007", who), ("intake", "331007", who), ("municipality/331007/x", "331007", other),
                                ("municipality/271403/x", "271403", who)):
        assert intake.call(1, record(actor, code, handle, 27))[0] == 0
    assert front.call(1, record("clinic/3319900019", "331007", who, 30))[0] == 0  # a visit: told, but not whose

    def newest(cert, n):
        return [e.get("person") for e in entries(rig, cert)[1]["entries"] if e["event"] in ("resident_changed", "clinic_lookup")][:n]
    visit, b, a2, a1 = newest(A, 4)
    assert visit is None and a1 == a2 != b and len(a1) == 32
    assert newest(B, 1)[0] not in (None, a1, b)
    assert who.hex() not in (a1, newest(B, 1)[0])


@pytest.mark.parametrize("query", ["?limit=0", "?limit=65", "?cursor=x", "?cursor=1&cursor=2", "?muni=271403"])
def test_other_queries_are_refused(rig, query):
    status, doc = entries(rig, A, query)
    assert (status, doc["code"]) == (400, "malformed_url")


def test_without_token_or_certificate_there_is_nothing(rig):
    assert rig.call("GET", "/v1/audit/entries")[0] == 401
    assert rig.call("GET", "/v1/audit/entries", None, None)[0] == 401
    assert rig.call("GET", "/v1/audit/entries", None, B, rig.token(A))[0] == 401  # bound to the certificate
    assert rig.call("GET", "/v1/audit/export", None, "clinic-3319900019")[0] == 403


# ---- exporting ----

def export(rig, cert, query="", token=None):
    con = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(cert), timeout=30)
    try:
        con.request("GET", f"/v1/audit/export{query}", headers={"Authorization": f"Bearer {token or rig.token(cert)}"})
        answer = con.getresponse()
        return answer.status, answer.read()
    finally:
        con.close()


def slow_reader(rig, token, session=None):
    """A connection on which an export was asked for, and that holds little of it."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(20)
    raw.connect(("127.0.0.1", rig.port))
    tls = rig.context(A).wrap_socket(raw, server_hostname="127.0.0.1")
    staff = f"Pmhgw-Staff: {session}\r\n" if session else ""
    tls.sendall(f"GET /v1/audit/export HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{staff}\r\n".encode())
    return tls


def lines_of(rig, raw):
    *lines, last = [json.loads(line) for line in raw.decode().split("\n")[:-1]]
    assert not any(c < 32 or c == 127 for c in raw.replace(b"\n", b"")) and b"\\u00" not in b"".join(raw.split(b"\n")[:-2])
    assert last["count"] == len(lines)
    size, root = open_note(rig, last["checkpoint"])
    for e in lines:
        check(e, size, root)
    return lines


def today():
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600))


def test_an_export_is_whole_and_provable(rig):
    status, raw = export(rig, A)
    assert status == 200
    got = lines_of(rig, raw)
    assert [e["seq"] for e in got] == own(rig, "331007", got[0]["seq"])
    reads = [r for r in rig.audit() if r[0] == READ and r[3] == "331007"]
    assert reads[-1][4] == len(got) and reads[-2][4] == 0  # the end, and before it the beginning


def test_an_export_has_the_days_that_were_asked_for(rig):
    assert len(lines_of(rig, export(rig, A, f"?from={today()}&to={today()}")[1])) > 10
    assert lines_of(rig, export(rig, A, "?to=2020-01-01")[1]) == []
    assert lines_of(rig, export(rig, A, "?from=2099-01-01")[1]) == []
    for query in ("?from=2026-02-30", "?from=2026-02-02&to=2026-02-01", "?to=today", "?since=2026-01-01"):
        assert export(rig, A, query)[0] == 400


def test_a_reader_that_is_slow_gets_everything_and_keeps_nobody_waiting(rig):
    token = rig.token(A)
    flood(rig, 10000, "municipality/222127/x", "222127")  # what is another's does not count, but it is passed over: more than a segment
    flood(rig, 4500, "municipality/331007/x", "331007")   # enough for more than what socket and stream hold
    with slow_reader(rig, token) as tls:
        data = tls.recv(100)
        time.sleep(1.0)
        assert export(rig, A, token=token)[0] == 503  # one at a time
        assert len(lines_of(rig, export(rig, B)[1])) > 5  # and others have theirs
        assert not [r for r in rig.audit()[-20:] if r[0] == READ and r[3] == "331007" and r[4] > 4000]  # it was not read out ahead of the reader
        while piece := tls.recv(65536):
            data += piece
    got = lines_of(rig, data.split(b"\r\n\r\n", 1)[1])
    assert len(got) > 4500
    assert export(rig, A, f"?from={today()}", token)[0] == 200


def test_a_reader_that_leaves_frees_its_place(rig):
    token = rig.token(A)
    for _ in range(6):
        con = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(A))
        con.request("GET", "/v1/audit/export", headers={"Authorization": f"Bearer {token}"})
        con.getresponse().read(10)
        con.close()
        wait_for(lambda: export(rig, A, "?to=2020-01-01", token)[0] == 200, 10, "the place is free")


def command(rig, *argv):
    return subprocess.run([BIN / "pmhgw", "audit", *argv], capture_output=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})


def test_the_command_writes_the_same_lines_and_checks_them(rig, tmp_path):
    public = Ed25519PrivateKey.from_private_bytes((rig.dir / "keys" / "audit-sign.key").read_bytes()).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    origin = json.loads(export(rig, A, "?to=2020-01-01")[1])["checkpoint"].split("\n")[0]
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).hexdigest()[:8]
    pub = tmp_path / "audit.pub"
    pub.write_text("+".join([origin, key_id, base64.b64encode(b"\x01" + public).decode()]) + "\n")
    door = lines_of(rig, export(rig, A)[1])
    out = tmp_path / "a.jsonl"
    done = command(rig, "export", "--muni", "331007", "--out", out, "--key", pub, "--state", rig.dir)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o77 == 0
    folder = [e for e in lines_of(rig, out.read_bytes()) if e["seq"] <= door[0]["seq"]]
    strip = lambda entries: [{k: v for k, v in e.items() if k != "proof"} | {"leaf": e["proof"]["leaf"]} for e in entries]
    assert strip(folder) == strip(door)
    for data, status in ((out.read_bytes(), 0), (out.read_bytes().replace(b'"event":"task_read"', b'"event":"staff_login"', 1), 1)):
        out.write_bytes(data)
        assert command(rig, "check", out, "--key", pub).returncode == status
    assert command(rig, "export", "--muni", "33100", "--key", pub, "--state", rig.dir).returncode == 2
    assert command(rig, "export", "--muni", "331007", "--from", "2026-02-30", "--key", pub, "--state", rig.dir).returncode == 2


# ---- the socket ----

def test_an_intake_may_not_ask_about_persons_nor_a_vault_about_anybody(rig):
    find = lambda kind: bytes([kind]) + b"331007".ljust(16, b"\0") + struct.pack(">QQQ", 0, 0, 2**64 - 1)
    code, body = Ipc(rig).call(3, find(2))
    assert code == 0 and len(body) == 8 * 65
    assert Ipc(rig).call(3, find(1)) is None
    assert Ipc(rig).call(3, find(2)[:-1]) is None
    assert Ipc(rig, 2, "cap-vault-audit").call(3, find(2)) is None
    assert Ipc(rig).call(7, bytes(16)) is None
    code, body = Ipc(rig, 3, "cap-ctl-audit").call(8, b"")
    assert code == 0 and len(body) == 21 and body[20] == 1 and int.from_bytes(body[:8], "big") > 0


def test_an_entry_of_another_is_as_if_it_did_not_exist(rig):
    mine = own(rig, "331007", 10**9)
    foreign = next(seq for seq in stored(rig) if seq not in mine)
    ipc = Ipc(rig)
    size = int.from_bytes(ipc.call(5, b"")[1][:8], "big")
    prove = lambda seq: ipc.call(4, b"\x02" + b"331007".ljust(16, b"\0") + struct.pack(">QQ", seq, size))
    assert prove(mine[0])[0] == 0
    assert prove(foreign) == prove(size + 5) == prove(0) and prove(foreign)[0] != 0


# ---- trouble ----

def test_without_the_audit_daemon_there_is_no_answer_and_after_it_everything(rig):
    token = rig.token(A)
    before = lines_of(rig, export(rig, A)[1])
    rig.kill("audit", signal.SIGKILL)
    for path in ("entries", "export"):
        status, doc = rig.call("GET", f"/v1/audit/{path}", None, A, token)
        assert (status, doc["code"]) == (503, "audit_unavailable")
    rig.start("audit")
    rig.wait_healthy()
    (rig.dir / "audit" / "index" / f"{1:016x}").unlink(missing_ok=True)  # and is made anew
    after = lines_of(rig, export(rig, A)[1])
    assert [e["seq"] for e in after if e["seq"] <= before[0]["seq"]] == [e["seq"] for e in before]


def test_a_kill_in_an_export_is_seen_by_its_end(rig):
    """A last line with a checkpoint is there only when all of it came."""
    token = rig.token(A)
    with slow_reader(rig, token) as tls:
        data = tls.recv(100)
        rig.kill("audit", signal.SIGKILL)
        while piece := tls.recv(65536):
            data += piece
    assert json.loads(data.splitlines()[-1]) == {"error": "audit_unavailable"}
    rig.start("audit")
    rig.wait_healthy()
    assert len(lines_of(rig, export(rig, A)[1])) > 4500


def test_an_export_ends_with_the_session_of_whoever_began_it(rig):
    rig.tokens = {A: rig.token(A)}
    _, _, session = staff_rig.member(rig, "--role", "admin", "--programs", "*")
    with slow_reader(rig, rig.tokens[A], session) as tls:
        data = tls.recv(100)
        assert b" 200 " in data
        time.sleep(0.5)  # until nobody takes more of it
        assert staff_rig.call(rig, "POST", "/v1/staff/logout", {}, session)[0] in (200, 204)
        while piece := tls.recv(65536):
            data += piece
    *lines, last = data.split(b"\r\n\r\n", 1)[1].splitlines()
    assert json.loads(last) == {"error": "no_staff_session"} and len(lines) < len(lines_of(rig, export(rig, A, token=rig.tokens[A])[1]))
