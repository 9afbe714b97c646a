"""What a careless or hostile caller sends: each gets a clear problem document that repeats nothing, and the service goes on."""

import base64
import json
import random
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rig import CLINIC, CLINIC_A, CLINIC_B, MUNICIPAL, PORTAL, REGISTRATION, fresh_number, row_for, wait_for

DOORS = {"municipal": MUNICIPAL, "clinic": CLINIC, "portal": PORTAL}
OWN = {"municipal": "muni-331007", "clinic": "clinic-" + CLINIC_A, "portal": "portal-mynaportal"}


def canary(rig):
    n = fresh_number()
    rig.canaries.add(n)
    return n


def problem(answer, status, code=None):
    """A problem document with both languages, who must act and whether to retry."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"].startswith("application/problem+json")
    p = answer.json()
    assert p["status"] == status and p["type"] and p["code"]
    if code:
        assert p["code"] == code, p
    texts = json.dumps(p, ensure_ascii=False)
    assert any("぀" <= c <= "ヿ" for c in texts), "no Japanese text"
    assert p["title_en"] and p["detail_en"] and p["retry"] and p["actor"] and p["request_id"]
    return p


def still_works(rig):
    assert rig.register("331007", [row_for(fresh_number())])["counts"]["registered"] == 1


@pytest.fixture(scope="module")
def foreign(rig, tmp_path_factory):
    """Certificates of another CA, an expired one, one without identity, and one with two identities."""
    d = tmp_path_factory.mktemp("certs")
    ca = rig.state / "certs"

    def make(name, san, days="30", issuer=ca, usage="clientAuth", start=None):
        conf = d / f"{name}.cnf"
        conf.write_text(f"[req]\ndistinguished_name=dn\n[dn]\n[ext]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                        f"extendedKeyUsage={usage}\n" + (f"subjectAltName={san}\n" if san else ""))
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                        "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr", "-config", conf], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", d / f"{name}.csr", "-CA", issuer / "ca.pem", "-CAkey", issuer / "ca.key",
                        "-CAcreateserial", "-CAserial", d / "serial", "-days", days, "-extfile", conf, "-extensions", "ext",
                        "-out", d / f"{name}.pem"], check=True, capture_output=True)

    other = d / "other"
    other.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other CA",
                    "-keyout", other / "ca.key", "-out", other / "ca.pem", "-days", "30"], check=True, capture_output=True)
    clinic = f"URI:pmhgw:clinic/{CLINIC_A}"
    make("other-ca", clinic, issuer=other)
    make("expired", clinic, days="-1")
    make("nobody", None)
    make("two-identities", f"{clinic},URI:pmhgw:portal/mynaportal")
    make("server-use", clinic, usage="serverAuth")
    make("long-code", "URI:pmhgw:clinic/33199000191")
    make("other-scheme", "URI:https://clinic/3319900019")
    return d


def tls(rig, door, cert="own"):
    context = rig.context(OWN[door] if cert == "own" else cert)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", rig.base + DOORS[door]), timeout=30), server_hostname="127.0.0.1")


def raw(rig, door, data, cert="own"):
    """Bytes out, whether they are wanted or not; then what came back: a whole answer, or all until the connection ends."""
    got = b""
    with tls(rig, door, cert) as s:
        s.settimeout(30)
        try:
            s.sendall(data)
        except (ssl.SSLError, ConnectionError, socket.timeout):
            pass
        try:
            while more := s.recv(65536):
                got += more
                head, _, body = got.partition(b"\r\n\r\n")
                length = [int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")]
                if length and len(body) >= length[0]:
                    break
        except (ssl.SSLError, ConnectionError, socket.timeout):
            pass
    return got


def status_of(data):
    return int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/1.1 ") else 0


# ---- who calls ----

@pytest.mark.parametrize("door,path,method", [("clinic", "/v1/clinic/eligibility", "POST"), ("portal", "/v1/portal/eligibility", "POST"),
                                              ("municipal", "/oauth2/token", "POST"), ("municipal", "/v1/tasks", "GET")])
def test_no_certificate(rig, door, path, method):
    problem(rig.call(DOORS[door], method, path, {} if method == "POST" else None), 401, "certificate_required")


@pytest.mark.parametrize("name", ["other-ca", "expired", "nobody", "two-identities", "server-use", "long-code", "other-scheme"])
def test_bad_certificates(rig, foreign, name):
    c = ssl.create_default_context(cafile=rig.state / "certs/ca.pem")
    c.load_cert_chain(foreign / f"{name}.pem", foreign / f"{name}.key")
    rig.contexts[name] = c
    problem(rig.call(CLINIC, "POST", "/v1/clinic/eligibility", {"link_key": "x"}, cert=name), 403, "certificate_refused")


@pytest.mark.parametrize("door,path,cert", [
    ("clinic", "/v1/clinic/eligibility", "muni-331007"), ("clinic", "/v1/clinic/eligibility", "portal-mynaportal"),
    ("portal", "/v1/portal/pseudonyms", "clinic-" + CLINIC_A), ("municipal", "/oauth2/token", "clinic-" + CLINIC_A),
    ("municipal", "/oauth2/token", "portal-mynaportal"), ("clinic", "/v1/clinic/session", "operator-local")])
def test_wrong_callers(rig, door, path, cert):
    problem(rig.call(DOORS[door], "POST", path, {}, cert=cert), 403, "forbidden")


def test_older_tls_is_refused(rig):
    c = ssl.create_default_context(cafile=rig.state / "certs/ca.pem")
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        c.wrap_socket(socket.create_connection(("127.0.0.1", rig.base + CLINIC), timeout=10), server_hostname="127.0.0.1")


def test_plain_http_is_no_door(rig):
    with socket.create_connection(("127.0.0.1", rig.base + CLINIC), timeout=10) as s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(15)
        assert not s.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("how", ["none", "garbage", "other certificate", "tampered", "basic"])
def test_tokens(rig, how):
    token = rig.token("331007")
    header = {"none": None, "garbage": "Bearer abc", "other certificate": f"Bearer {token}", "basic": f"Basic {token}",
              "tampered": f"Bearer {token[:-6]}{'A' if token[-6] != 'A' else 'B'}{token[-5:]}"}[how]
    cert = "muni-271403" if how == "other certificate" else "muni-331007"
    a = rig.call(MUNICIPAL, "GET", "/v1/tasks", cert=cert, headers={"Authorization": header} if header else {})
    problem(a, 401, "invalid_token")


# ---- routes ----

@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", ["/", "/v2/tasks", "/v1/tasks/../tasks", "/v1/%2e%2e/x", "//", "/v1/clinic", "/v1/tasks/" + "x" * 65])
def test_unknown_routes(rig, door, path):
    a = rig.call(DOORS[door], "GET", path, cert=OWN[door])
    assert a.status in (400, 404, 401), a.status
    problem(a, a.status)


@pytest.mark.parametrize("door,path,method", [("clinic", "/v1/clinic/eligibility", "GET"), ("portal", "/v1/portal/pseudonyms", "PUT"),
                                              ("municipal", REGISTRATION, "DELETE"), ("municipal", "/v1/tasks", "POST"), ("clinic", "/health", "POST")])
def test_wrong_methods(rig, door, path, method):
    a = rig.call(DOORS[door], method, path, cert=OWN[door])
    problem(a, 405, "method_not_allowed")
    assert a.headers.get("allow")


def test_a_number_in_the_url_is_not_repeated(rig):
    n = canary(rig)
    for door in DOORS:
        for path in (f"/v1/tasks/{n}", f"/v1/tasks?myNumber={n}", f"/{n}", f"/v1/clinic/{n}/x"):
            a = rig.call(DOORS[door], "GET", path, cert=OWN[door], headers={"X-My-Number": n, "Cookie": f"n={n}", "User-Agent": n})
            assert a.status >= 400 and n.encode() not in a.body and n not in str(a.headers)


# ---- bodies of a registration ----

ROW = json.dumps(row_for("@@@@@@@@@@@@"), ensure_ascii=False)
BODIES = {
    "empty": (b"", 400, None),
    "not JSON": (b'[{"myNumber":"%n"', 400, "invalid_json"),
    "two documents": (b"[] []", 400, "invalid_json"),
    "invalid UTF-8": (b'[{"myNumber":"%n","x":"\xff\xfe"}]', 400, "invalid_utf8"),
    "overlong UTF-8": (b'[{"myNumber":"%n","x":"\xc0\xaf"}]', 400, "invalid_utf8"),
    "surrogate": (b'[{"myNumber":"%n","x":"\xed\xa0\x80"}]', 400, "invalid_utf8"),
    "deep": (b"[" * 5000 + b'"%n"' + b"]" * 5000, 400, "json_too_deep"),
    "duplicate": (b'[{"myNumber":"%n","myNumber":"%n"}]', 400, "json_duplicate_key"),
    "escaped duplicate": (b'[{"myNumber":"%n","\\u006dyNumber":"%n"}]', 400, "json_duplicate_key"),
    "object": (b'{"myNumber":"%n"}', 400, "json_wrong_shape"),
    "a string": (b'"%n"', 400, None),
    "a number": (b"%n", 400, None),
    "huge exponent": (b"[1e999999999]", None, None),
    "byte order mark": (b"\xef\xbb\xbf[]", 400, None),
    "NUL": (b'[{"myNumber":"%n\x00"}]', 400, None),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_cannot_be_read(rig, name):
    body, status, code = BODIES[name]
    n = canary(rig)
    a = rig.muni("331007", "POST", REGISTRATION, body.replace(b"%n", n.encode()))
    assert n.encode() not in a.body
    if status:
        problem(a, status, code)
    else:
        assert a.status in (202, 400)


ROWS = {
    "number as a JSON number": ({"myNumber": 123456789018}, "myNumber", "type"),
    "13 digits": ({"myNumber": "%n1"}, "myNumber", "length"),
    "11 digits": ({"myNumber": "%11"}, "myNumber", "length"),
    "full-width digits": ({"myNumber": "%f"}, "myNumber", None),
    "letters": ({"myNumber": "12345678901x"}, "myNumber", "class"),
    "blanks": ({"myNumber": " %n"}, "myNumber", None),
    "null": ({"myNumber": None}, "myNumber", "type"),
    "missing": ({"myNumber": ...}, "myNumber", "missing"),
    "no such day": ({"validFrom": "2023-02-29"}, "validFrom", "date"),
    "slashes": ({"validFrom": "2023/02/28"}, "validFrom", None),
    "flag as text": ({"isNotDisclosed": "false"}, "isNotDisclosed", "type"),
    "text as flag": ({"isAlwaysReimbursement": False}, "isAlwaysReimbursement", "type"),
    "code": ({"isAlwaysReimbursement": "2"}, "isAlwaysReimbursement", "code"),
    "backwards": ({"validFrom": "2030-01-01", "validTo": "2020-01-01"}, None, "range"),
    "unknown member": ({"%n": "x"}, "", "unknown"),
    "control character": ({"certificationName": "a\u0007b"}, "certificationName", "class"),
    "too long": ({"certificationName": "長" * 5000}, "certificationName", "length"),
    "number in the name": ({"certificationName": "%n"}, "certificationName", None),
    "number in the address": ({"basicFiveInfo": {"name": "%n", "nameKana": "カナ", "address": "x", "dateOfBirth": "2019-01-01", "sex": "1"}}, None, None),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_with_a_fault(rig, name):
    change, field, rule = ROWS[name]
    n = canary(rig)
    full = "".join(chr(0xFF10 + int(c)) for c in n)

    def fill(v):
        if isinstance(v, dict):
            return {fill(k): fill(w) for k, w in v.items() if w is not ...}
        return v.replace("%n", n).replace("%11", n[:11]).replace("%f", full) if isinstance(v, str) else v

    row = fill({**row_for(n), **change})
    good = row_for(fresh_number())
    a = rig.muni("331007", "POST", REGISTRATION, [row, good])
    assert a.status == 202, a.body
    task = rig.follow("331007", a.json()["task_id"])
    text = json.dumps(task, ensure_ascii=False)
    assert n not in text and full not in text and n[:11] not in text
    bad, fine = task["rows"]
    assert fine["result"] == "registered", "a good row suffers from its neighbour"
    assert bad["result"] == "refused" and bad["code"] == "field_invalid", bad
    errors = bad["errors"]
    assert all(e["message_ja"] and e["message_en"] for e in errors)
    if field is not None:
        assert field in [e["field"] for e in errors], errors
    if rule:
        assert rule in [e["rule"] for e in errors], errors


def test_too_large_and_too_many(rig):
    head = f"POST {REGISTRATION} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.token('331007')}\r\nContent-Type: application/json\r\n"
    got = raw(rig, "municipal", head.encode() + b"Content-Length: 17825792\r\n\r\n")
    assert status_of(got) == 413 and b"body_too_large" in got, "the length alone is enough to refuse"
    # A sender that does not look up before it is done still gets its answer.
    got = raw(rig, "municipal", head.encode() + b"Content-Length: 17825792\r\n\r\n[" + b" " * 17825791)
    assert status_of(got) == 413 and b"body_too_large" in got
    a = rig.muni("331007", "POST", REGISTRATION, [row_for("123456789018")] * 5001)
    problem(a, 413, "too_many_rows")
    got = raw(rig, "clinic", b"POST /v1/clinic/eligibility HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
              + b"x" * 1048576)
    assert status_of(got) == 413 and b"body_too_large" in got


def test_wrong_media_type(rig):
    a = rig.call(CLINIC, "POST", "/v1/clinic/eligibility", b"link_key=x", cert=OWN["clinic"], headers={"Content-Type": "text/plain"})
    problem(a, 415, "unsupported_media_type")


# ---- link keys ----

@pytest.fixture(scope="module")
def person(rig):
    n = fresh_number()
    rig.register("331007", [row_for(n)])
    serial = rig.card_of(n)
    wait_for("the pseudonym is linked", 20, lambda: rig.citizen(serial).status == 200)
    return serial


def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def mint(rig, header=None, kid="k1", key=None, **change):
    """A link key of our making; the development key is in the state directory."""
    key = key or (rig.state / "keys/link-jwe.key").read_bytes()
    now = int(time.time())
    claims = {"iss": "onshi.local", "pmh_key": "nobody-nobody-nobody", "aud": CLINIC_A, "purpose": "treatment", "scope": "eligibility", "iat": now,
              "exp": now + 600, "jti": b64(random.randbytes(16)), "consent_id": b64(random.randbytes(16)), "consent_version": 1, **change}
    claims = {k: v for k, v in claims.items() if v is not None}
    head = b64(json.dumps(header or {"alg": "dir", "enc": "A256GCM", "kid": kid}, separators=(",", ":")).encode())
    iv = random.randbytes(12)
    sealed = AESGCM(key).encrypt(iv, json.dumps(claims, separators=(",", ":")).encode(), head.encode())
    return f"{head}..{b64(iv)}.{b64(sealed[:-16])}.{b64(sealed[-16:])}"


BAD_KEYS = {
    "expired": lambda rig, key: mint(rig, iat=int(time.time()) - 7200, exp=int(time.time()) - 3600),
    "of tomorrow": lambda rig, key: mint(rig, iat=int(time.time()) + 3600, exp=int(time.time()) + 7200),
    "too long a life": lambda rig, key: mint(rig, exp=int(time.time()) + 25 * 3600),
    "for another clinic": lambda rig, key: mint(rig, aud=CLINIC_B),
    "of another environment": lambda rig, key: mint(rig, iss="onshi.staging"),
    "of another purpose": lambda rig, key: mint(rig, purpose="advertising"),
    "of another key": lambda rig, key: mint(rig, key=random.randbytes(32)),
    "unknown kid": lambda rig, key: mint(rig, kid="k9"),
    "another algorithm": lambda rig, key: mint(rig, header={"alg": "dir", "enc": "A128GCM", "kid": "k1"}),
    "alg none": lambda rig, key: mint(rig, header={"alg": "none", "enc": "A256GCM", "kid": "k1"}),
    "compressed": lambda rig, key: mint(rig, header={"alg": "dir", "enc": "A256GCM", "kid": "k1", "zip": "DEF"}),
    "critical extension": lambda rig, key: mint(rig, header={"alg": "dir", "enc": "A256GCM", "kid": "k1", "crit": ["x"]}),
    "more claims": lambda rig, key: mint(rig, sub="x"),
    "without issuer": lambda rig, key: mint(rig, iss=None),
    "without purpose": lambda rig, key: mint(rig, purpose=None),
    "without version": lambda rig, key: mint(rig, consent_version=None),
    "version 0": lambda rig, key: mint(rig, consent_version=0),
    "a field that is not published": lambda rig, key: mint(rig, scope="eligibility.name"),
    "without jti": lambda rig, key: mint(rig, jti=None),
    "first part changed": lambda rig, key: "f" + key[1:],
    "tag cut": lambda rig, key: key[:-2],
    "tag changed": lambda rig, key: key[:-4] + ("AAAA" if key[-4:] != "AAAA" else "BBBB"),
    "padding": lambda rig, key: key + "=",
    "blank": lambda rig, key: key + " ",
    "five dots": lambda rig, key: ".....",
    "unknown person": lambda rig, key: mint(rig),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_bad_link_keys_get_one_answer(rig, person, name):
    key = rig.consent(person)
    a = rig.clinic(BAD_KEYS[name](rig, key))
    p = problem(a, 404, "nothing")
    reference = rig.clinic(mint(rig)).json()
    assert {k: v for k, v in p.items() if k != "request_id"} == {k: v for k, v in reference.items() if k != "request_id"}
    assert rig.clinic(key).status == 200, "a bad key used a good one up"


# ---- the wire ----

def test_half_requests_and_silence(rig):
    """Dropped by an absolute deadline; others are served meanwhile."""
    with tls(rig, "clinic") as half, tls(rig, "clinic") as silent:
        half.sendall(b"POST /v1/clinic/eligibility HTTP/1.1\r\nHost: x\r\nContent-Le")
        half.settimeout(20)
        silent.settimeout(20)
        assert rig.call(CLINIC, "GET", "/health").status == 200
        began = time.monotonic()
        got = b""
        try:
            while more := half.recv(65536):
                got += more
        except (ssl.SSLError, ConnectionError):
            pass
        assert time.monotonic() - began < 15, "half a request held its connection"
        assert status_of(got) in (0, 408)


def test_slow_header_bytes_do_not_help(rig):
    """A byte now and then: the deadline counts the whole header section."""
    with tls(rig, "municipal") as s:
        s.settimeout(0.5)
        began = time.monotonic()
        s.sendall(b"GET /health HTTP/1.1\r\n")
        ended = False
        while time.monotonic() - began < 18 and not ended:
            try:
                s.sendall(b"X-A: b\r\n")
                ended = s.recv(1000) == b"" or True
            except socket.timeout:
                continue
            except (ssl.SSLError, ConnectionError, OSError):
                ended = True
        assert ended and time.monotonic() - began < 16


def test_endless_body(rig):
    """Chunks without end are stopped at the limit, with the memory of one request."""
    token = rig.token("331007")
    with tls(rig, "municipal") as s:
        s.settimeout(30)
        s.sendall(f"POST {REGISTRATION} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b"[" + b" " * 0xFFFFF + b"\r\n"
        sent, got = 0, b""
        try:
            while sent < 64 << 20:
                s.sendall(chunk)
                sent += len(chunk)
        except (ssl.SSLError, ConnectionError, OSError):
            pass
        try:
            got = s.recv(65536)
        except (ssl.SSLError, ConnectionError, OSError):
            pass
        assert sent < 64 << 20 or status_of(got) == 413
    still_works(rig)


SMUGGLING = {
    "both lengths": b"POST /v1/clinic/eligibility HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /v1/clinic/eligibility HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "folded header": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "blank in the name": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "huge header": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 40000 + b"\r\n\r\n",
    "garbage": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("name", SMUGGLING)
@pytest.mark.parametrize("door", DOORS)
def test_requests_that_are_not_http(rig, door, name):
    got = raw(rig, door, SMUGGLING[name])
    assert status_of(got) in (0, 400, 404, 405, 411, 413, 431, 505), got[:80]
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", got)) <= 1, "two answers to one request"


def test_a_client_that_never_reads(rig):
    """Asks much and takes nothing: its answers pile up in its own socket only."""
    rows = [row_for(fresh_number()) for _ in range(200)]
    task = rig.register("331007", rows)
    token = rig.token("331007")
    request = (f"GET /v1/tasks/{task['task_id']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n").encode()
    sockets = []
    for _ in range(8):
        s = tls(rig, "municipal")
        s.settimeout(2)
        sockets.append(s)
        try:
            for _ in range(400):
                s.sendall(request)
        except (socket.timeout, ssl.SSLError, ConnectionError):
            pass
    began = time.monotonic()
    still_works(rig)
    assert time.monotonic() - began < 10
    for s in sockets:
        s.close()


def test_many_connections_at_once(rig):
    """Opened, half used, dropped: everything works afterwards."""
    def visit():
        for _ in range(20):
            try:
                with tls(rig, random.choice(list(DOORS))) as s:
                    s.sendall(random.choice([b"", b"GET", b"POST /v1/tasks HTTP/1.1\r\n", b"\0" * 500]))
            except (ssl.SSLError, ConnectionError, OSError):
                pass

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    still_works(rig)


def test_everything_still_works(rig, person):
    still_works(rig)
    assert rig.clinic(rig.consent(person)).status == 200
    assert rig.citizen(person).status == 200
    assert rig.command("status").returncode == 0
    assert rig.command("audit", "verify").returncode == 0
    for door in DOORS.values():
        assert rig.call(door, "GET", "/health").json() == {"status": "ok"}
