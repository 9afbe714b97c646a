"""Certificates of vaccination from the application to the verifier: applied for at the portal and at a kiosk, verified by programs of others, superseded by a
correction, revoked by the citizen; what must be refused is."""

import json
import os
import re
import signal
import socket
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cert_rig import PASSPORT, Issuing, Person, SoftToken, foreign, zbar
from es256 import b64, unb64
from rig import wait_for

MANY_DIGITS = re.compile(r"\d{12}")


@pytest.fixture(scope="module")
def desk(rig):
    return Issuing(rig)


@pytest.fixture(scope="module")
def person(rig, desk):
    p = Person(rig, desk, records=())
    p.ids = [p.record(dose=n)["immunizations"][-1]["immunizationId"] for n in (1, 2)]
    return p


def issued(answer):
    assert answer.status == 200, answer.body
    return answer.json()


def refused(answer):
    return answer.status, answer.json()["code"]


def verdict(rig, tmp_path, text):
    path = tmp_path / "certificate.txt"
    path.write_text(text)
    done = rig.command("certificate", "verify", str(path), "--json")
    return done.returncode, json.loads(done.stdout)["verdict"]


def recorded(rig, *words):
    """The newest entry of the audit log that has these words."""
    lines = rig.command("audit", "list", "--last", "200").stdout.splitlines()
    return [line for line in lines if all(w in line for w in words)]


def test_a_card_and_a_seal_are_good_for_programs_of_others(rig, desk, person, tmp_path):
    card = issued(desk.issue(person))
    seal = issued(desk.issue(person, kind="vds-nc", passport=PASSPORT))
    both = card["certificates"] + seal["certificates"]
    assert [c["kind"] for c in both] == ["shc", "vds-nc"] and card["left_out"] == seal["left_out"] == []
    shc, vds = foreign(desk, both)
    assert shc["ok"] and vds["ok"], (shc, vds)
    assert [zbar(c["png"], tmp_path) for c in both] == [c["qr"] for c in both]
    names = [e["resource"] for e in shc["payload"]["vc"]["credentialSubject"]["fhirBundle"]["entry"]]
    assert names[0]["name"] == [{"use": "usual", "family": "試験", "given": ["花子"]}] and names[0]["birthDate"] == "2019-05-06"
    assert [(d["vaccineCode"]["coding"][0]["code"], d["occurrenceDateTime"], d["lotNumber"]) for d in names[1:]] == [
        ("208", "2024-03-01", "FC9880"), ("208", "2024-06-01", "FC9880")]
    assert vds["payload"]["msg"]["pid"] == {"dob": "2019-05-06", "i": "TK0000000", "n": "SHIKEN HANAKO"}
    assert [verdict(rig, tmp_path, c["qr"]) for c in both] == [(0, "good")] * 2
    assert verdict(rig, tmp_path, json.dumps({"verifiableCredential": [both[0]["jws"]]})) == (0, "good")
    for payload in (shc["payload"], vds["payload"]):
        text = json.dumps({**payload, "sha256": ""}, ensure_ascii=False)
        assert not MANY_DIGITS.search(text) and person.number not in text and "331007" not in text and person.key not in text


def test_what_was_tampered_with_is_refused_by_all(rig, desk, person, tmp_path):
    card = issued(desk.issue(person))["certificates"][0]
    seal = issued(desk.issue(person, kind="vds-nc", passport=PASSPORT))["certificates"][0]
    digits = card["qr"]
    at = digits.index("/") + 1 + 2 * (card["jws"].index(".") + 30)
    flipped = digits[:at] + ("21" if digits[at:at + 2] != "21" else "22") + digits[at + 2:]
    short = digits[:-2]
    renamed = seal["qr"].replace("SHIKEN HANAKO", "SHIKEN HANAKA")
    spaced = seal["qr"].replace('"hdr":{', '"hdr": {')
    tampered = [{"kind": "shc", "qr": flipped}, {"kind": "shc", "qr": short}, {"kind": "vds-nc", "qr": renamed}]
    assert [r["ok"] for r in foreign(desk, [{"kind": "shc", "qr": digits}, {"kind": "vds-nc", "qr": seal["qr"]}, *tampered])] == [True, True, False, False, False]
    assert all(verdict(rig, tmp_path, t["qr"])[0] == 1 for t in tampered)
    assert verdict(rig, tmp_path, renamed) == (1, "bad_signature")
    assert verdict(rig, tmp_path, spaced) == (0, "good")  # another form of the same data: the canonical one is what is signed
    head = json.loads(unb64(card["jws"].split(".")[0]))
    other = {**head, "kid": "A" * 43}
    foreign_key = b64(json.dumps(other).encode()) + "." + card["jws"].split(".", 1)[1]
    assert verdict(rig, tmp_path, foreign_key) == (1, "unknown_key")
    assert verdict(rig, tmp_path, "nothing of the kind") == (1, "malformed")


def test_a_new_one_supersedes_the_old_and_a_correction_supersedes_both(rig, desk, tmp_path):
    p = Person(rig, desk, records=())
    dose = p.record()["immunizations"][-1]["immunizationId"]
    first = issued(desk.issue(p))["certificates"][0]
    kid = json.loads(unb64(first["jws"].split(".")[0]))["kid"]
    assert verdict(rig, tmp_path, first["jws"]) == (0, "good")
    second = issued(desk.issue(p))["certificates"][0]
    seal = issued(desk.issue(p, kind="vds-nc", passport=PASSPORT))["certificates"][0]
    assert [verdict(rig, tmp_path, c["qr"]) for c in (first, second, seal)] == [(1, "superseded"), (0, "good"), (0, "good")]
    p.correct(dose, 1, lotNumber="FE9787")
    assert [verdict(rig, tmp_path, c["qr"]) for c in (second, seal)] == [(1, "superseded")] * 2
    crl = desk.crl(kid)
    rids = [foreign(desk, [{"kind": "shc", "qr": c["qr"]}])[0]["payload"]["vc"]["rid"] for c in (first, second)]
    assert set(rids) <= set(crl["rids"]) and set(rids) <= set(crl["superseded"]) and crl["method"] == "rid" and crl["ctr"] == len(crl["rids"])
    assert next(k for k in desk.jwks()["keys"] if k["kid"] == kid)["crlVersion"] == crl["ctr"]
    assert {c["state"] for c in desk.certificates(p)} == {"superseded"}
    third = issued(desk.issue(p))["certificates"][0]
    bundle = foreign(desk, [third])[0]["payload"]["vc"]["credentialSubject"]["fhirBundle"]
    assert bundle["entry"][1]["resource"]["lotNumber"] == "FE9787" and third["doses"][0]["version"] == 2
    p.correct(dose, 2, cancel=True)
    assert verdict(rig, tmp_path, third["jws"]) == (1, "superseded")
    assert refused(desk.issue(p)) == (404, "nothing_to_certify")


def test_a_citizen_takes_one_back(rig, desk, person, tmp_path):
    card = issued(desk.issue(person))["certificates"][0]
    revoke = lambda name, who=person: desk.post("certificates/revoke", {"pseudonym": who.pseudonym, "certificate_id": name})
    assert revoke(card["certificate_id"]).status == revoke(card["certificate_id"]).status == 200
    assert verdict(rig, tmp_path, card["qr"]) == (1, "revoked")
    issued(desk.issue(person))  # a newer one does not make it superseded instead
    assert verdict(rig, tmp_path, card["qr"]) == (1, "revoked")
    other = Person(rig, desk)
    theirs = issued(desk.issue(other))["certificates"][0]["certificate_id"]
    assert refused(revoke(theirs)) == refused(revoke("0" * 32)) == (404, "nothing")
    assert recorded(rig, "certificate_ended", "portal/test")


def test_taking_back_meets_a_new_one_and_stays(rig, desk):
    """Whoever supersedes a certificate writes it as it was read: not over what was taken back meanwhile."""
    p = Person(rig, desk)
    met = 0
    for _ in range(8):
        kept = [c["certificate_id"] for c in desk.certificates(p) if c["state"] == "good"]
        name, ready = kept[0] if kept else issued(desk.issue(p))["certificates"][0]["certificate_id"], threading.Barrier(3)
        attributes = [desk.attributes(p) for _ in range(2)]

        def renew(k):
            ready.wait()
            answers[k] = desk.issue(p, attributes=attributes[k])

        answers = [None, None]
        threads = [threading.Thread(target=renew, args=(k,)) for k in range(2)]
        [t.start() for t in threads]
        ready.wait()
        revoked = desk.post("certificates/revoke", {"pseudonym": p.pseudonym, "certificate_id": name})
        [t.join() for t in threads]
        states = {c["certificate_id"]: c["state"] for c in desk.certificates(p)}
        assert {revoked.status, *(a.status for a in answers)} <= {200, 503}  # 503: the others were before it three times, or the machine is slow
        if revoked.status == 200:
            assert states[name] == "revoked"
        assert list(states.values()).count("good") <= 1, "two at once leave one"
        met += revoked.status == 200 and 200 in [a.status for a in answers]
    assert met >= 4


def test_a_name_that_fills_the_card_is_told_and_is_no_fault_of_ours(rig, desk, person):
    wide = "".join(chr(0x20000 + 257 * k) for k in range(100))
    a = desk.issue(person, attributes=desk.attributes(person, name=wide))
    if a.status == 200:
        assert foreign(desk, a.json()["certificates"])[0]["ok"]
    else:
        assert refused(a) == (404, "nothing_to_certify")
    assert refused(desk.issue(person, attributes=desk.attributes(person, name=wide + "x"))) == (422, "attributes_refused")
    assert refused(desk.issue(person, attributes=desk.attributes(person, name="\u202e花子"))) == (422, "attributes_refused")


def test_attributes_that_are_not_good_are_refused_alike(rig, desk, person):
    now = int(time.time())
    stranger = ec.generate_private_key(ec.SECP256R1())
    sign = lambda **claims: desk.attributes(person, **claims)
    good = sign()
    bad = {
        "other key": desk.attributes(person, key=stranger), "other audience": sign(aud="another"), "other person": sign(sub="ps-somebody-else"),
        "other caller": sign(azp="kiosk/test"), "other portal": sign(portal="mynaportal"), "old": sign(iat=now - 601), "from the future": sign(iat=now + 120),
        "short jti": sign(jti="short"), "no such day": sign(birthDate="2019-02-30"), "digits in the name": sign(name="試験 123456789012"), "one more": sign(extra="x"),
        "other algorithm": desk.attributes(person, header={"alg": "none"}), "crit": desk.attributes(person, header={"alg": "ES256", "crit": ["x"]}),
        "key in the header": desk.attributes(person, header={"alg": "ES256", "jwk": {}}), "cut": good[:-4], "not three parts": good.replace(".", "", 1),
        "other birth date than registered": sign(birthDate="2019-05-07"),
    }
    assert {why: refused(desk.issue(person, attributes=a)) for why, a in bad.items()} == {why: (422, "attributes_refused") for why in bad}
    issued(desk.issue(person, attributes=good))
    assert refused(desk.issue(person, attributes=good)) == (422, "attributes_refused")  # once only


def test_names_of_passports(rig, desk, person):
    issue = lambda name: desk.issue(person, kind="vds-nc", passport={**PASSPORT, "name": name})
    taken = {"Müller Anna": "MUELLER ANNA", "YAMADA (SATO) HANAKO": "YAMADA (SATO) HANAKO", "サトウ　ジュンイチ": "SATO JUNICHI", "Щербаков Юрий": "SHCHERBAKOV IURII"}
    sealed = foreign(desk, [{"kind": "vds-nc", "qr": issued(issue(name))["certificates"][0]["qr"]} for name in taken])
    assert [s["payload"]["msg"]["pid"]["n"] for s in sealed] == list(taken.values())
    for name in ("試験花子", "홍길동", "محمد", "YAMADA 123456789012", "A" * 40, "YAMADA  HANAKO"):
        assert refused(issue(name)) == (422, "field_invalid"), name
    card = issued(desk.issue(person, passport=PASSPORT))["certificates"][0]
    patient = foreign(desk, [card])[0]["payload"]["vc"]["credentialSubject"]["fhirBundle"]["entry"][0]["resource"]
    assert patient["name"] == [{"use": "usual", "family": "SHIKEN", "given": ["HANAKO"]}]
    assert refused(desk.issue(person, kind="vds-nc")) == (422, "field_invalid")


def test_doses_that_no_certificate_can_hold_are_told(rig, desk):
    p = Person(rig, desk, records=())
    plain = p.record()["immunizations"][-1]["immunizationId"]
    uncoded = p.record(dose=2, gtin="14987035184611")["immunizations"][-1]["immunizationId"]  # warned of, taken: the table has no such product
    answer = issued(desk.issue(p))
    assert [d["immunizationId"] for d in answer["certificates"][0]["doses"]] == [plain]
    assert answer["left_out"] == [{"immunizationId": uncoded, "why": "no_code"}]
    assert refused(desk.issue(p, doses=[{"immunizationId": uncoded}])) == (404, "nothing_to_certify")
    assert [d["immunizationId"] for d in issued(desk.issue(p, doses=[{"immunizationId": plain}]))["certificates"][0]["doses"]] == [plain]


def test_a_kiosk_issues_with_the_cards_attributes_and_nothing_else(rig, desk, person):
    kiosk = desk.attributes(person, azp="kiosk/test")
    assert len(issued(desk.issue(person, cert="kiosk-test", attributes=kiosk))["certificates"]) == 1
    assert refused(desk.issue(person, cert="kiosk-test")) == (422, "attributes_refused")  # given to the portal
    assert refused(desk.post("certificates", {"pseudonym": person.pseudonym}, "kiosk-test")) == (403, "forbidden")
    assert refused(desk.post("eligibility", {"pseudonym": person.pseudonym}, "kiosk-test")) == (403, "forbidden")
    assert recorded(rig, "certificate_issued", "kiosk/test") and not recorded(rig, "certificates_read", "kiosk/test")


def test_nothing_is_issued_to_the_silenced(rig, desk, tmp_path):
    p = Person(rig, desk)
    card = issued(desk.issue(p))["certificates"][0]
    p.flags(hidden=True)
    nobody = Person.__new__(Person)
    nobody.pseudonym = "ps-never-seen-before"
    silent, unknown = desk.issue(p), desk.issue(nobody)
    assert refused(silent) == refused(unknown) == (404, "nothing")
    strip = lambda a: {k: v for k, v in a.json().items() if k not in ("request_id", "instance")}
    assert strip(silent) == strip(unknown)
    assert verdict(rig, tmp_path, card["qr"]) == (0, "good")  # what was issued says nothing that is not true, and a list that all can read must not tell of the flag
    p.flags(hidden=False)
    issued(desk.issue(p))


def test_without_the_signer_nothing_is_issued_and_it_comes_back(rig, desk, person):
    pid = rig.kill("pmhgw-signer", signal.SIGKILL)
    answers = []
    for _ in range(40):
        a = desk.issue(person)
        answers.append((a.status, None if a.status == 200 else a.json()["code"]))
        if answers[-1][0] == 200 and rig.pid("pmhgw-signer") not in (0, pid):
            break
    assert set(answers) <= {(200, None), (503, "signer_unavailable")} and answers[-1] == (200, None)
    rig.wait_back("pmhgw-signer", pid)


def test_anyone_may_read_keys_and_lists_and_nothing_else(rig, desk):
    kid = desk.jwks()["keys"][0]["kid"]
    assert set(desk.crl(kid)) == {"kid", "method", "rids", "superseded", "ctr"}
    for path in ("A" * 43, kid[:-1], kid + "x"):
        assert rig.call(3, "GET", f"/.well-known/crl/{path}.json").status == 404
    assert rig.call(3, "POST", "/v1/portal/certificates", {"pseudonym": "ps-12345678"}).status == 401
    assert rig.call(3, "POST", "/v1/portal/certificates/issue", {"pseudonym": "ps-12345678"}, cert="clinic-3319900019").status == 403


def test_who_has_no_capability_gets_nothing_from_the_signer_and_holds_nobody(rig, desk, person):
    pid, path = rig.pid("pmhgw-signer"), str(rig.state / "run/signer.sock")
    frame = lambda kind, body, n=None: bytes([kind, 0]) + (len(body) if n is None else n).to_bytes(2, "big") + bytes(4) + body
    sign = frame(1, bytes([1, 1]) + bytes(32))
    hello = lambda role, cap: frame(0, bytes([role]) + cap)
    for words in (b"\xff" * 4096, sign, hello(1, bytes(32)) + sign, hello(9, bytes(32)), hello(1, b"x"), frame(0, b"", 0xFFFF), b"GET / HTTP/1.1\r\n\r\n", sign[:5]):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(path)
            s.sendall(words)
            try:
                assert s.recv(4096) == b"", words  # closed: at once, or when nobody has greeted in time
            except ConnectionResetError:
                pass
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(300)]
    for s in crowd:
        s.setblocking(False)
        try:
            s.connect(path)
        except BlockingIOError:
            pass
    issued(desk.issue(person))
    for s in crowd:
        s.close()
    wait_for("the command is let in", 20, lambda: rig.command("certificate", "keys").returncode == 0)
    assert rig.pid("pmhgw-signer") == pid


def restart_signer(rig):
    rig.wait_back("pmhgw-signer", rig.kill("pmhgw-signer", signal.SIGTERM))


def new_keys_signs(rig, desk, person, old):
    """The first certificate under another key; meanwhile the old one signs."""
    found = []
    def other():
        found[:] = issued(desk.issue(person))["certificates"]
        return kid_of(found[0]) != old
    wait_for("the new key signs", 45, other)
    return found[0]


def kid_of(card):
    return json.loads(unb64(card["jws"].split(".")[0]))["kid"]


def test_keys_rotate_and_the_old_one_goes_on_being_verified(rig, desk, person, tmp_path):
    before = issued(desk.issue(person))["certificates"][0]
    seal = issued(desk.issue(person, kind="vds-nc", passport=PASSPORT))["certificates"][0]
    seal_list = [k for k in rig.command("certificate", "keys").stdout.splitlines() if k.startswith("vds-nc")][0].split()[2]
    for use in ("shc", "vds-nc"):
        assert rig.command("certificate", "rotate-key", use).returncode == 0
    token = SoftToken(rig, tmp_path)
    with open(rig.state / "conf/signer.yaml", "a") as conf:
        conf.write(f'signer_shc_uri: "{token.uri}"\n')
    restart_signer(rig)
    rig.wait_back("pmhgw-front", rig.kill("pmhgw-front", signal.SIGTERM))  # it would ask within 30 s
    listed = [line.split() for line in rig.command("certificate", "keys").stdout.splitlines()]
    assert [(k[0], k[1]) for k in listed if k[0] != "messages"] == [("shc", "1"), ("shc", "2"), ("vds-nc", "1"), ("vds-nc", "2"), ("shc", "240")]
    after = new_keys_signs(rig, desk, person, kid_of(before))
    assert kid_of(after) == listed[-1][2] and {k["kid"] for k in desk.jwks()["keys"]} == {k[2] for k in listed if k[0] == "shc"}
    assert [r["ok"] for r in foreign(desk, [after, before])] == [True, True]
    assert verdict(rig, tmp_path, before["qr"]) == (1, "superseded") and verdict(rig, tmp_path, after["qr"]) == (0, "good")
    again = issued(desk.issue(person, kind="vds-nc", passport=PASSPORT))["certificates"][0]  # its certificate is still that of key 1
    assert [verdict(rig, tmp_path, c["qr"]) for c in (seal, again)] == [(1, "superseded"), (0, "good")]
    assert set(desk.crl(seal_list)["superseded"]) and {k[2] for k in listed} - {seal_list}
    for k in listed:
        if k[0] == "vds-nc":
            desk.crl(k[2])  # also of a key whose certificate is not in use
    assert "Seccomp:\t2" in open(f"/proc/{rig.pid('pmhgw-signer')}/status").read()
    assert rig.command("certificate", "retire-key", "shc", "2").returncode == 2, "the newest of the ring"
    assert rig.command("certificate", "retire-key", "shc", "1").returncode == 0
    restart_signer(rig)
    rig.wait_back("pmhgw-front", rig.kill("pmhgw-front", signal.SIGTERM))
    wait_for("the front has the keys", 10, lambda: rig.call(3, "GET", "/.well-known/jwks.json").status == 200)
    assert verdict(rig, tmp_path, before["qr"]) == (1, "unknown_key") and verdict(rig, tmp_path, after["qr"]) == (0, "good")
    for bad in (("rotate-key", "other"), ("retire-key", "shc", "x"), ("retire-key", "shc", "1"), ("rotate-key",)):
        assert rig.command("certificate", *bad).returncode == 2, bad


def test_keys_are_in_the_signer_only(rig):
    """No file in the clear, no socket out."""
    pid = rig.pid("pmhgw-signer")
    assert not (rig.state / "certs/vds-signer.key").exists()
    assert b"PRIVATE" not in (rig.state / "keys/signer.ring").read_bytes()
    assert "Seccomp:\t2" in open(f"/proc/{pid}/status").read()
    targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    inodes = {m.group(1) for t in targets if (m := re.match(r"socket:\[(\d+)\]", t))}
    tcp = {line.split()[9] for name in ("tcp", "tcp6") for line in open(f"/proc/{pid}/net/{name}").readlines()[1:]}
    assert inodes and not inodes & tcp
    assert wait_for("it answers", 20, lambda: rig.command("status", "--quick").returncode == 0)
