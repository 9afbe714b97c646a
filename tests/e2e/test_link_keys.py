"""Link keys, consent and sessions over a real front, store and audit log: what uses a key up, what ends it, and what nobody hears of."""

import base64
import concurrent.futures
import datetime
import http.client
import json
import os
import secrets
import shutil
import subprocess
import threading
import time

import pytest
from jwcrypto import jwe, jwk

from front_rig import BIN, CLINIC, ERR, EVENT, NOBODY, NOTHING, OTHER_CLINIC, REFUSED, ROOT, Rig, USED, free_port, last, rig, wait_for  # noqa: F401

FULL = {"municipalityCode": "331007", "certificationName": "子ども医療費受給者証 \"A\\\" {1}", "validTo": "2027-03-31", "isAlwaysReimbursement": False,
        "certificationDetail": [{"a": "}", "b": [1, {"c": "]"}]}]}


def raw(rig, *args):
    """A change of a person's hash, sealed by our own code."""
    r = rig.redis()
    r.sock.sendall(bytes.fromhex(rig.seed(args[0], rig.key("link.ring"), rig.key("link.master"), *args[1:])[0]))
    return r._reply()


def seal(rig, claims, header=None, key=None):
    k = base64.urlsafe_b64encode(key or rig.jwe_key).rstrip(b"=").decode()
    token = jwe.JWE(json.dumps(claims).encode(), json.dumps(header or {"alg": "dir", "enc": "A256GCM", "kid": "k1"}))
    token.add_recipient(jwk.JWK(kty="oct", k=k))
    return token.serialize(compact=True)


# ---- the use ----

def test_a_use_is_told_with_its_time_to_its_own_clinic_only_and_recorded_for_the_citizen(rig):
    pmh_key = rig.person()
    token = rig.mint(pmh_key)
    before = time.time()
    assert rig.look_up(token).status == 200
    used = rig.look_up(token)
    at = datetime.datetime.fromisoformat(used.json["used_at"].replace("Z", "+00:00")).timestamp()
    assert used.code == "used" and before - 0.1 <= at <= time.time() + 0.1
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (USED, ERR["USED"], rig.handle(pmh_key))
    other = rig.look_up(token, OTHER_CLINIC)
    assert (other.status, other.code) == (404, "nothing") and "used_at" not in other.json
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (NOTHING, ERR["FORBIDDEN"], rig.handle(pmh_key))


def test_a_use_is_in_the_log_alone(rig):
    pmh_key, jti, r = rig.person(), secrets.token_hex(16), rig.redis()
    name = rig.seed("used", rig.key("link.ring"), rig.key("link.master"), pmh_key, jti)[0].rsplit(":", 1)[1]
    epoch = int(r("GET", "ep") or 0)
    assert rig.look_up(rig.mint(pmh_key, jti=jti)).status == 200
    assert not r("KEYS", "u:*")
    assert int(r("GET", "ep")) == epoch + 1
    rec = rig.records()[-1]
    assert rec["ref"].hex() == name and rec["epoch"] == epoch + 1 and 600 < rec["until"] - time.time() <= 691


def test_a_use_counts_whatever_becomes_of_the_store(rig):
    pmh_key, r = rig.person(), rig.redis()
    token, key = rig.mint(pmh_key), rig.put(pmh_key)[0]
    first = rig.look_up(token)
    assert first.status == 200
    r("HDEL", key, *[f for f in r("HKEYS", key) if f[:3] in (b"sn:", b"co:")])
    again = rig.look_up(token)
    assert again.code == "used" and "session" not in again.json
    assert last(rig, "CLINIC_LOOKUP")[1:5] == (USED, ERR["USED"], rig.handle(pmh_key), "000000")


def test_refused_keys_ask_the_store_as_the_others_do_and_leave_nothing(rig):
    pmh_key, r = rig.person(), rig.redis()
    before = {k for k in r("KEYS", "*")}
    epoch = int(r("GET", "ep") or 0)
    for token in ("not.a.token", rig.mint(pmh_key, aud=OTHER_CLINIC), rig.mint(pmh_key, iss="onshi.other")):
        assert rig.look_up(token).code == "nothing"
    assert int(r("GET", "ep")) == epoch + 3
    time.sleep(0.05)
    assert {k for k in r("KEYS", "*")} - before <= {b"ep"}


# ---- every bad key: one answer, nothing used up, on record ----

def moved(token, part, f):
    parts = token.split(".")
    parts[part] = f(parts[part])
    return ".".join(parts)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(token, **header):
    return moved(token, 0, lambda _: b64(json.dumps(header).encode()))


NOW = lambda: int(time.time())  # noqa: E731
# name: (token from rig, PMH key, good token), reason in the log, whether the log names the person
BAD = {
    "truncated": (lambda rig, p, t: t[:-1], "TOKEN", False),
    "cut in the middle": (lambda rig, p, t: t[:len(t) // 2], "TOKEN", False),
    "one byte of the tag less": (lambda rig, p, t: moved(t, 4, lambda s: s[:-2]), "TOKEN", False),
    "a tag of 12 bytes": (lambda rig, p, t: moved(t, 4, lambda s: s[:16]), "TOKEN", False),
    "padded": (lambda rig, p, t: t + "==", "TOKEN", False),
    "padded inside": (lambda rig, p, t: moved(t, 4, lambda s: s + "=="), "TOKEN", False),
    "white space": (lambda rig, p, t: t + " ", "TOKEN", False),
    "base64 instead of base64url": (lambda rig, p, t: moved(t, 3, lambda s: "+/" + s[2:]), "TOKEN", False),
    "last bits not zero": (lambda rig, p, t: moved(t, 4, lambda s: s[:-1] + chr(ord(s[-1]) + 1)), "TOKEN", False),
    "header encoded again": (lambda rig, p, t: moved(t, 0, lambda s: b64(json.dumps(json.loads(base64.urlsafe_b64decode(s + "==")), indent=1).encode())), "TOKEN", False),
    "alg none": (lambda rig, p, t: with_header(t, alg="none", enc="A256GCM", kid="k1"), "TOKEN", False),
    "A128GCM": (lambda rig, p, t: with_header(t, alg="dir", enc="A128GCM", kid="k1"), "TOKEN", False),
    "RSA-OAEP": (lambda rig, p, t: with_header(t, alg="RSA-OAEP", enc="A256GCM", kid="k1"), "TOKEN", False),
    "A256KW with a key part": (lambda rig, p, t: moved(with_header(t, alg="A256KW", enc="A256GCM", kid="k1"), 1, lambda _: b64(bytes(40))), "TOKEN", False),
    "zip": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM", kid="k1", zip="DEF"), "TOKEN", False),
    "crit": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM", kid="k1", crit=["exp"]), "TOKEN", False),
    "jwk in the header": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM", kid="k1", jwk={"kty": "oct", "k": "AA"}), "TOKEN", False),
    "no kid": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM"), "TOKEN", False),
    "kid a path": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM", kid="../../link.ring"), "TOKEN", False),
    "kid a statement": (lambda rig, p, t: with_header(t, alg="dir", enc="A256GCM", kid="k1' OR 1=1--"), "TOKEN", False),
    "wrong kid": (lambda rig, p, t: rig.mint(p, kid="k9"), "TOKEN", False),
    "foreign key": (lambda rig, p, t: rig.mint(p, key=secrets.token_bytes(32)), "TOKEN", False),
    "another environment": (lambda rig, p, t: rig.mint(p, iss="onshi.other"), "TOKEN", False),
    "issuer with a newline": (lambda rig, p, t: rig.mint(p, iss="onshi.local\n"), "TOKEN", False),
    "wrong audience": (lambda rig, p, t: rig.mint(p, aud=OTHER_CLINIC), "FORBIDDEN", True),
    "purpose without basis": (lambda rig, p, t: rig.mint(p, purpose="advertising"), "BASIS", True),
    "field that is not published": (lambda rig, p, t: rig.mint(p, scope="eligibility.name"), "TOKEN", False),
    "issued in the future": (lambda rig, p, t: rig.mint(p, age=-60), "TOKEN", True),
    "expired by the skew": (lambda rig, p, t: rig.mint(p, age=631, life=600), "TOKEN", True),
    "lives too long": (lambda rig, p, t: rig.mint(p, life=24 * 3600 + 1), "TOKEN", True),
    "version 0": (lambda rig, p, t: rig.mint(p, consent_version=0), "TOKEN", False),
    "version a text": (lambda rig, p, t: rig.mint(p, consent_version="1"), "TOKEN", False),
    "one claim more": (lambda rig, p, t: rig.mint(p, nbf=1), "TOKEN", False),
    "claims not an object": (lambda rig, p, t: seal(rig, [1]), "TOKEN", False),
    "JWS instead": (lambda rig, p, t: ".".join(t.split(".")[:3]), "TOKEN", False),
    "JWE of JSON form": (lambda rig, p, t: json.dumps({"protected": t.split(".")[0]}), "TOKEN", False),
}


@pytest.fixture(scope="module")
def nothing(rig):
    return rig.look_up(rig.mint("pk-nobody-" + secrets.token_hex(8))).without_id()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_hears_nothing_and_uses_nothing_up(rig, nothing, name):
    make, reason, known = BAD[name]
    pmh_key = rig.person()
    good = rig.mint(pmh_key)
    assert rig.look_up(make(rig, pmh_key, good)).without_id() == nothing
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (NOTHING, ERR[reason], rig.handle(pmh_key) if known else NOBODY)
    assert rig.look_up(good).status == 200


def test_control_characters_are_no_text_of_a_key(rig):
    good = rig.mint(rig.person())
    answer = rig.look_up(good[:50] + "\n" + good[50:])
    assert (answer.status, answer.code) == (422, "field_invalid")
    assert rig.look_up(good).status == 200


def test_a_megabyte_is_refused_before_it_is_read(rig):
    answer = rig.look_up("x" * (1 << 20))
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_within_the_skew_a_key_still_works(rig):
    for claims in ({"age": -20}, {"age": 620, "life": 600}):
        assert rig.look_up(rig.mint(rig.person(), **claims)).status == 200


# ---- other implementations of JOSE, both ways ----

CLAIMS = {"aud": CLINIC, "purpose": "treatment", "scope": "eligibility", "consent_version": 1}


def claims_of(pmh_key):
    return {"iss": "onshi.local", "pmh_key": pmh_key, "iat": NOW(), "exp": NOW() + 60, "jti": secrets.token_hex(16), "consent_id": secrets.token_hex(8), **CLAIMS}


def jose(rig, *args, text):
    """The command of José (C, jansson and OpenSSL of their own use); the key is the one of the rig."""
    (rig.dir / "jose.jwk").write_text(json.dumps({"kty": "oct", "k": b64(rig.jwe_key)}))
    return subprocess.run(["jose", "jwe", *args, "-k", rig.dir / "jose.jwk"], input=text, text=True, capture_output=True, check=True).stdout


def test_jwcrypto_opens_what_we_seal(rig):
    claims = claims_of("pk-1")
    token = rig.seed("seal", rig.key("link-jwe.key"), "k1", json.dumps(claims))[0]
    box = jwe.JWE()
    box.deserialize(token, jwk.JWK(kty="oct", k=b64(rig.jwe_key)))
    assert json.loads(box.payload) == claims  # and every lookup here opens what jwcrypto has sealed


@pytest.mark.skipif(not shutil.which("jose"), reason="needs the jose command")
def test_jose_opens_what_we_seal_and_we_open_what_it_seals(rig):
    pmh_key = rig.person()
    claims = claims_of(pmh_key)
    ours = rig.seed("seal", rig.key("link-jwe.key"), "k1", json.dumps(claims))[0]
    assert json.loads(jose(rig, "dec", "-i", "-", text=ours)) == claims
    (rig.dir / "claims").write_text(json.dumps(claims))
    theirs = jose(rig, "enc", "-i", json.dumps({"protected": {"alg": "dir", "enc": "A256GCM", "kid": "k1"}}), "-I", str(rig.dir / "claims"), "-c", text="")
    assert rig.look_up(theirs.strip()).status == 200
    assert rig.look_up(ours).code == "used"  # the same jti


# ---- fields ----

def test_a_narrowed_key_tells_those_fields_only_and_so_does_its_session(rig):
    pmh_key = rig.person([{"eligibility": FULL}, {"history": "2", "eligibility": {"validTo": "2026-12-31", "segment": "x"}}])
    scope = "eligibility.certificationDetail eligibility.validTo questionnaire"
    first = rig.look_up(rig.mint(pmh_key, scope=scope))
    want = [{"validTo": "2027-03-31", "certificationDetail": FULL["certificationDetail"]}, {"validTo": "2026-12-31"}]
    key = lambda e: e["validTo"]  # noqa: E731
    assert sorted(first.json["eligibility"], key=key) == sorted(want, key=key)
    assert rig.read_session(first.json["session"]).json == first.json
    assert FULL in rig.look_up(rig.mint(pmh_key)).json["eligibility"]


# ---- consent ----

def test_a_withdrawn_consent_ends_its_keys_and_sessions_and_no_other(rig):
    pmh_key, consent, other = rig.person(), "c-" + secrets.token_hex(8), "c-" + secrets.token_hex(8)
    unused, mine, others = rig.mint(pmh_key, consent_id=consent), rig.mint(pmh_key, consent_id=consent), rig.mint(pmh_key, consent_id=other)
    session, kept = rig.look_up(mine).json["session"], rig.look_up(others).json["session"]
    raw(rig, "withdraw", pmh_key, consent, 1)
    assert rig.look_up(unused).code == "nothing"
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (NOTHING, ERR["CONSENT"], rig.handle(pmh_key))
    assert rig.look_up(rig.mint(pmh_key, consent_id=consent)).code == "nothing"
    assert (rig.read_session(session).status, rig.read_session(session).code) == (404, "no_session")
    assert rig.read_session(kept).status == 200
    assert rig.look_up(rig.mint(pmh_key, consent_id=consent, consent_version=2)).status == 200  # given anew


def test_withdrawing_everything_ends_what_was_given_until_then(rig):
    pmh_key = rig.person()
    token, session = rig.mint(pmh_key), rig.look_up(rig.mint(pmh_key)).json["session"]
    raw(rig, "withdraw-all", pmh_key, NOW() * 1000 + 999)
    assert rig.look_up(token).code == "nothing" and rig.read_session(session).code == "no_session"
    time.sleep(1.01)
    assert rig.look_up(rig.mint(pmh_key)).status == 200


def test_a_consent_of_a_clock_ahead_is_withdrawn_when_it_was_seen_before(rig):
    pmh_key, consent = rig.person(), secrets.token_hex(8)
    assert rig.look_up(rig.mint(pmh_key, consent_id=consent, age=-20)).status == 200
    raw(rig, "withdraw-all", pmh_key, NOW() * 1000 + 999)
    assert rig.look_up(rig.mint(pmh_key, consent_id=consent, age=-20)).code == "nothing"


def test_control_flags_of_a_person_silence(rig):
    pmh_key = rig.person()
    session = rig.look_up(rig.mint(pmh_key)).json["session"]
    for bits in (1, 2, 4):
        raw(rig, "flags", pmh_key, "271403", bits)
        assert rig.look_up(rig.mint(pmh_key)).code == "nothing" and rig.read_session(session).code == "nothing"
        assert last(rig, "SESSION_READ")[1:3] == (NOTHING, ERR["NOT_DISCLOSED"])
    raw(rig, "flags", pmh_key, "271403", 0)
    assert rig.read_session(session).status == 200


# ---- sessions ----

def test_a_session_lives_while_the_person_has_it(rig):
    pmh_key, r = rig.person(), rig.redis()
    session = rig.look_up(rig.mint(pmh_key)).json["session"]
    key = rig.put(pmh_key)[0]
    fields = [f for f in r("HKEYS", key) if f.startswith(b"sn:")]
    assert len(fields) == 1 and rig.read_session(session).status == 200
    value = r("HGET", key, fields[0])
    r("HDEL", key, fields[0])
    assert rig.read_session(session).code == "no_session"
    r("HSET", key, "sn:" + "0" * 32, value)  # moved: it is another's place
    assert rig.read_session(session).code == "no_session"


def test_a_session_of_a_renewed_certificate_of_the_same_clinic_has_ended(rig):
    session = rig.look_up(rig.mint(rig.person())).json["session"]
    name = f"clinic-{CLINIC}"
    subprocess.run([ROOT / "config" / "dev-ca", rig.dir / "certs", "second-" + name, f"pmhgw:clinic/{CLINIC}"], check=True)
    answer = rig.post("clinic", "/v1/clinic/session", {"session": session}, "second-" + name)
    assert answer.code == "no_session"
    assert last(rig, "SESSION_READ")[1:3] == (REFUSED, ERR["CERT_REFUSED"])
    assert rig.read_session(session).status == 200


def test_the_oldest_of_too_many_sessions_ends(rig):
    pmh_key, r = rig.person(), rig.redis()
    elsewhere = rig.look_up(rig.mint(pmh_key, aud=OTHER_CLINIC), OTHER_CLINIC).json["session"]
    sessions = [rig.look_up(rig.mint(pmh_key)).json["session"] for _ in range(10)]
    key = rig.put(pmh_key)[0]
    kept = [1 + 8] * 2  # consent.h, CONSENT_CLINIC_MAX
    wait_for(lambda: [sum(f.startswith(kind) for f in r("HKEYS", key)) for kind in (b"sn:", b"co:")] == kept)
    assert rig.read_session(elsewhere, OTHER_CLINIC).status == 200
    assert [rig.read_session(s).status for s in sessions[:3] + sessions[-1:]] == [404, 404, 200, 200]


def test_a_second_use_leaves_nothing_and_takes_nothing_away(rig):
    pmh_key, r = rig.person(), rig.redis()
    token, unknown = rig.mint(pmh_key), rig.mint("pk-" + secrets.token_hex(8))
    first = rig.look_up(token)
    assert first.status == 200 and rig.look_up(unknown).code == "nothing"
    key = rig.put(pmh_key)[0]
    before, everything = sorted(r("HKEYS", key)), sorted(r("KEYS", "p:*"))
    again = [rig.look_up(t) for t in (token, token, unknown)]
    assert [a.code for a in again] == ["used"] * 3
    assert again[0].json["used_at"] == again[1].json["used_at"]
    assert sorted(r("HKEYS", key)) == before and sorted(r("KEYS", "p:*")) == everything
    assert rig.read_session(first.json["session"]).status == 200


def test_side_by_side_one_use_wins_and_leaves_one_session(rig):
    pmh_key, r = rig.person(), rig.redis()
    key = rig.put(pmh_key)[0]
    for _ in range(5):
        before = {f for f in r("HKEYS", key) if f[:3] in (b"sn:", b"co:")}
        token = rig.mint(pmh_key)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: rig.look_up(token), range(6)))
        assert sorted(a.status for a in answers) == [200] + [409] * 5
        left = {f for f in r("HKEYS", key) if f[:3] in (b"sn:", b"co:")} - before
        assert sorted(f[:3] for f in left) == [b"co:", b"sn:"]
        winner = next(a for a in answers if a.status == 200)
        assert rig.read_session(winner.json["session"]).status == 200


# ---- several hosts over one store ----

def test_two_fronts_over_one_store_have_one_winner_each(rig):
    ports = {"clinic": free_port(), "portal": free_port()}
    conf = rig.dir / "conf" / "front.yaml"
    text = conf.read_text().replace(f"clinic_port: {rig.ports['clinic']}", f"clinic_port: {ports['clinic']}")
    (rig.dir / "conf" / "front2.yaml").write_text(text.replace(f"portal_port: {rig.ports['portal']}", f"portal_port: {ports['portal']}"))
    with open(rig.dir / "log" / "front2.log", "ab") as log:
        second = subprocess.Popen([str(BIN / "pmhgw-front"), "--config", str(rig.dir / "conf" / "front2.yaml")], stdout=log, stderr=log)
    try:
        doors = [rig.ports["clinic"], ports["clinic"]]

        def ask(port, token, path="/v1/clinic/eligibility", name="link_key"):
            con = http.client.HTTPSConnection("127.0.0.1", port, context=rig.context(f"clinic-{CLINIC}"), timeout=10)
            con.request("POST", path, json.dumps({name: token}), {"Content-Type": "application/json"})
            answer = con.getresponse()
            return answer.status, json.loads(answer.read())

        wait_for(lambda: not second.poll() and port_open(ports["clinic"]))
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in range(8):
                token = rig.mint(rig.person())
                answers = list(pool.map(lambda i: ask(doors[i % 2], token), range(16)))
                assert sorted(status for status, _ in answers) == [200] + [409] * 15
                session = next(body["session"] for status, body in answers if status == 200)
                assert [ask(p, session, "/v1/clinic/session", "session")[0] for p in doors] == [200, 200]
    finally:
        second.terminate()
        assert second.wait(timeout=20) == 0


def port_open(port):
    import socket
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


# ---- rotation ----

def keys(rig, *words):
    done = subprocess.run([BIN / "pmhgw", "keys", *words, "--state", rig.dir], capture_output=True, text=True,
                          env=os.environ | {"PMHGW_SHARE": str(ROOT / "config"), "LC_ALL": "C"})
    return done.returncode, done.stdout + done.stderr


class Load:
    """Lookups on kept connections; every answer must be 200."""

    def __init__(self, rig, mint, threads=4):
        self.rig, self.mint, self.stop, self.statuses = rig, mint, threading.Event(), []
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self):
        person = self.rig.person()
        con = http.client.HTTPSConnection("127.0.0.1", self.rig.ports["clinic"], context=self.rig.context(f"clinic-{CLINIC}"), timeout=10)
        while not self.stop.is_set():
            try:
                con.request("POST", "/v1/clinic/eligibility", json.dumps({"link_key": self.mint(person)}), {"Content-Type": "application/json"})
                answer = con.getresponse()
                answer.read()
                self.statuses.append(answer.status)
            except OSError as e:
                self.statuses.append(repr(e))
                con.close()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


def test_keys_rotate_under_load_without_a_failed_request(rig):
    pmh_key = rig.person()
    old = [rig.mint(pmh_key) for _ in range(3)]
    current = lambda: ((rig.dir / "keys/link-jwe.kid").read_text().strip() if (rig.dir / "keys/link-jwe.kid").exists() else "k1")  # noqa: E731

    def mint(person):
        kid = current()
        path = rig.dir / "keys" / f"link-jwe-{kid}.key"
        return rig.mint(person, kid=kid, key=path.read_bytes() if path.exists() else rig.jwe_key)

    workers = sorted(rig.workers_of_front())
    with Load(rig, mint) as load:
        time.sleep(0.3)
        code, said = keys(rig, "rotate", "link-jwe")
        assert code == 0, said
        time.sleep(0.5)
    assert "k2" in keys(rig, "list")[1]
    assert current() == "k2" and len(load.statuses) > 50 and set(load.statuses) == {200}
    assert sorted(rig.workers_of_front()) == workers  # nobody was restarted for it
    assert {r[5] for r in rig.audit() if r[0] == EVENT["KEYS_CHANGED"]} == {2}
    assert rig.look_up(old[0]).status == 200  # made under the older key
    assert keys(rig, "retire", "k2")[0] == 2 and keys(rig, "retire", "k1")[0] == 2  # in use; may be alive
    assert rig.look_up(old[1]).status == 200
    assert keys(rig, "retire", "k1", "--even-if-alive")[0] == 0
    wait_for(lambda: [r[5] for r in rig.audit() if r[0] == EVENT["KEYS_CHANGED"]].count(1) == len(workers), 20)
    for _ in range(4):  # every worker
        assert rig.look_up(rig.mint(pmh_key)).code == "nothing"
    assert rig.look_up(old[2]).code == "nothing"
    assert rig.look_up(mint(pmh_key)).status == 200
    rig.jwe_key = (rig.dir / "keys/link-jwe.key").read_bytes()


def test_a_broken_ring_changes_nothing(rig):
    kid = (rig.dir / "keys/link-jwe.kid").read_text().strip()
    ring = rig.dir / "keys" / "link.ring"
    good = ring.read_bytes()
    ring.write_bytes(good[:-7])
    try:
        time.sleep(0.6)
        assert rig.look_up(rig.mint(person_of(rig, good), kid=kid)).status == 200
    finally:
        ring.write_bytes(good)


def test_a_ring_that_lacks_the_key_of_the_store_changes_nothing(rig):
    assert keys(rig, "rotate", "link-jwe")[0] == 0
    rig.jwe_key = (rig.dir / "keys/link-jwe.key").read_bytes()
    kid = (rig.dir / "keys/link-jwe.kid").read_text().strip()
    ring = rig.dir / "keys" / "link.ring"
    good = ring.read_bytes()
    entries = [good[at:at + 78] for at in range(8, len(good), 78)]
    lacking = [e for e in entries if e[0] != 16 and (e[0] != 19 or e[1:17].rstrip(b"\0") != kid.encode())]  # nor the key that tokens come under
    assert good[:8] == b"PMHGWKR1" and len(lacking) == len(entries) - 2 and any(e[0] == 19 for e in lacking)
    ring.write_bytes(good[:8] + b"".join(lacking))
    try:
        time.sleep(0.6)
        assert rig.look_up(rig.mint(person_of(rig, good), kid=kid)).status == 200
    finally:
        ring.write_bytes(good)


def person_of(rig, ring):
    """A person needs a ring that is whole."""
    copy = rig.dir / "keys" / "copy.ring"
    copy.write_bytes(ring)
    copy.chmod(0o600)
    rig.key = lambda name: str(rig.dir / "keys" / ("copy.ring" if name == "link.ring" else name))
    try:
        return rig.person()
    finally:
        del rig.key
