"""Messages to partners that never see the number: told at least once, in their order, signed; held up by nobody, and never told of somebody who has become silent."""

import base64
import json
import os
import random
import re
import secrets
import signal
import subprocess
import time

import pytest
from jwcrypto import jwk, jws
from rig import BIN, CLINIC_A, CLINIC_B, CONTROL, PORTAL, ROOT, fresh_number, row_for, wait_for
from sheet_rig import GOOD, Person, Town, silenced, template
from vaccine_rig import MUNI, Child, one

CLINIC_C, CLINIC_D = "2719900025", "2719900033"  # in no targets file; at an address inside, without leave
SETTINGS = "courier_timeout_ms: 700\ncourier_retry_min_ms: 100\ncourier_retry_max_ms: 300\ncourier_give_up_s: 1\n"


class Post:
    """The outbox and who hears of it."""

    def __init__(self, rig):
        self.rig, self.town = rig, Town(rig)
        for clinic in (CLINIC_C, CLINIC_D):
            subprocess.run([ROOT / "config/dev-ca", rig.state / "certs", f"clinic-{clinic}", f"pmhgw:clinic/{clinic}"], check=True, capture_output=True)
        targets = rig.state / "conf/targets.yaml"
        inside = next(line for line in targets.read_text().splitlines() if CLINIC_B in line).replace(CLINIC_B, CLINIC_D).replace(", private: true", "")
        targets.write_text("# ours\n" + targets.read_text().split("\n", 1)[1].replace("clinics:\n", f"clinics:\n{inside}\n"))
        conf = rig.state / "conf/courier.yaml"
        conf.write_text("# ours\n" + conf.read_text().split("\n", 1)[1] + SETTINGS)
        self.restart(signal.SIGTERM)

    def restart(self, sig=signal.SIGKILL):
        self.rig.wait_back("pmhgw-courier", self.rig.kill("pmhgw-courier", sig))

    def fault(self, system, **what):
        self.rig.control("PUT", f"/faults/{system}", what)

    def kept(self, system):
        return self.rig.call(CONTROL, "GET", f"/kept/{system}", cert="operator-local").json()

    def heard(self, record, clinic=None):
        """What clinic apps were told of a record: (clinic, event, version), in the order in which it came."""
        return [(m["clinic"], m["message"]["event"], m["message"]["version"]) for m in self.kept("clinic-app")["messages"]
                if m["message"].get("immunizationId") == record["immunizationId"] and clinic in (None, m["clinic"])]

    def notices(self, *words):
        return self.rig.command("notices", *words)

    def dead(self):
        lines = [line.split() for line in self.notices("list").stdout.splitlines()]
        return {w[0]: {"kind": w[2], "who": w[3], "why": w[4], "owner": w[6]} for w in lines if len(w) == 7 and len(w[0]) == 32}

    def recalls(self, record=None, muni=MUNI):
        a = self.rig.muni(muni, "GET", "/v1/vaccination/recalls")
        assert a.status == 200, a.body
        rows = [line.split(",") for line in a.body.decode().split("\r\n")[1:] if line]
        return [(r[7], r[8]) for r in rows if record is None or r[0] == record["immunizationId"]]

    def shared(self):
        """A record that clinic A wrote and clinic B has read."""
        c = Child(self.town)
        a, b = c.session(), c.session(CLINIC_B)
        record = one(c.record(a))
        assert c.read(b, CLINIC_B).status == 200
        return c, a, record

    def events(self, child):
        log = self.town.portal("access-log", {"pseudonym": child.pseudonym})
        return [e["event"] for e in log.json()["entries"]]


@pytest.fixture(scope="module")
def post(rig):
    return Post(rig)


def test_a_record_is_told_to_its_clinic_and_signed(post):
    c = Child(post.town)
    record = one(c.record(c.session()))
    wait_for("the clinic hears of it", 20, lambda: post.heard(record) == [(CLINIC_A, "record_confirmed", "1")])
    kept = next(m for m in post.kept("clinic-app")["messages"] if m["message"].get("immunizationId") == record["immunizationId"])
    assert set(kept["message"]) == {"messageId", "event", "municipalityCode", "occurredAt", "immunizationId", "version"}, "ids that the clinic knows, and no more"
    keys = post.rig.call(PORTAL, "GET", "/.well-known/webhooks/jwks.json").json()
    head, middle, signature = kept["signature"].split(".")
    assert middle == "", "detached"
    said = json.loads(base64.urlsafe_b64decode(head + "=="))
    assert said["alg"] == "ES256" and said["jti"] == kept["message"]["messageId"] and said["aud"] == CLINIC_A and abs(said["iat"] - time.time()) < 30
    key = next(k for k in keys["keys"] if k["kid"] == said["kid"])
    whole = ".".join((head, base64.urlsafe_b64encode(kept["body"].encode()).rstrip(b"=").decode(), signature))
    token = jws.JWS()
    token.deserialize(whole, key=jwk.JWK(**key))
    assert token.payload.decode() == kept["body"]
    with pytest.raises(jws.InvalidJWSSignature):
        jws.JWS().deserialize(whole.replace("..", "."), key=jwk.JWK.generate(kty="EC", crv="P-256"))
    certificates = post.rig.call(PORTAL, "GET", "/.well-known/jwks.json").json()
    assert said["kid"] not in {k["kid"] for k in certificates["keys"]}, "not a key of certificates"
    notices = c.own("notices").json()["notices"]
    assert [(n["event"], n["immunizationId"]) for n in notices] == [("immunization_recorded", record["immunizationId"])]
    assert "notice_sent" in post.events(c)


def test_a_key_is_rotated_with_overlap(post):
    def kids():
        return {k["kid"] for k in post.rig.call(PORTAL, "GET", "/.well-known/webhooks/jwks.json").json()["keys"]}
    before = kids()
    r = post.rig.command("certificate", "rotate-key", "messages")
    assert r.returncode == 0, r.stderr
    post.rig.wait_back("pmhgw-signer", post.rig.kill("pmhgw-signer", signal.SIGTERM))
    for name in ("pmhgw-front", "pmhgw-courier"):  # they would ask by themselves within half a minute
        post.rig.wait_back(name, post.rig.kill(name, signal.SIGTERM))
    both = wait_for("both keys are published", 20, lambda: len(kids()) == 2 and kids())
    assert before < both
    c = Child(post.town)
    record = one(c.record(c.session()))
    wait_for("the clinic hears of it", 20, lambda: post.heard(record))
    signature = next(m["signature"] for m in post.kept("clinic-app")["messages"] if m["message"].get("immunizationId") == record["immunizationId"])
    assert json.loads(base64.urlsafe_b64decode(signature.split(".")[0] + "=="))["kid"] in both - before


def test_a_correction_reaches_whoever_was_told(post):
    c, a, record = post.shared()
    post.fault("clinic-app", status=503)
    try:
        one(c.correct(a, record, lotNumber="B2C3"))
        assert ("clinic", CLINIC_B) in post.recalls(record), "not confirmed yet"
        assert ("clinic", CLINIC_A) not in post.recalls(record), "it wrote the correction"
        assert post.recalls(record, "271403") == [], "of another municipality"
    finally:
        post.fault("clinic-app")
    wait_for("clinic B hears of it", 20, lambda: post.heard(record, CLINIC_B) == [(CLINIC_B, "record_corrected", "2")])
    wait_for("and has confirmed it", 20, lambda: ("clinic", CLINIC_B) not in post.recalls(record))
    assert [n["event"] for n in c.own("notices").json()["notices"]] == ["immunization_corrected", "immunization_recorded"]


def test_clinics_that_have_somebody_open_hear_of_changes_of_eligibility(post):
    rig, number = post.rig, fresh_number()
    row = row_for(number, key=f"e-{secrets.token_hex(5)}")
    rig.register(MUNI, [row])
    older, newest = (rig.clinic(rig.consent(rig.card_of(number))).json()["session_id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", older) and older != newest

    def heard():
        return [(m["clinic"], m["message"]["event"]) for m in post.kept("clinic-app")["messages"] if m["message"].get("sessionId") == newest]
    rig.register(MUNI, [{**row, "medicalSubsidyRecipientNumber": "1234567"}])
    wait_for("the clinic hears that something changed", 20, lambda: heard() == [(CLINIC_A, "eligibility_changed")])
    a = rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [{"changeType": "moved_out", "municipalityIdentityKey": row["municipalityIdentityKey"],
                                                              "effectiveDate": "2026-01-01", "operationKey": f"op-{secrets.token_hex(6)}"}])
    assert a.status == 202, a.body
    wait_for("and that it is over", 20, lambda: heard() == [(CLINIC_A, "eligibility_changed"), (CLINIC_A, "eligibility_revoked")])
    kept = json.dumps(post.kept("clinic-app"))
    assert older not in kept, "once, in its newest session"
    assert number not in kept and "1234567" not in kept and row["municipalityIdentityKey"] not in kept


def test_changes_by_a_file_are_told_to_who_has_somebody_open_and_of_nobody_else(post, tmp_path):
    rig, people = post.rig, []
    for _ in range(3):
        number = fresh_number()
        people.append({"number": number, "row": row_for(number, key=f"f-{secrets.token_hex(5)}")})
    rig.register(MUNI, [p["row"] for p in people])
    for p in people[:2]:
        p["session"] = rig.clinic(rig.consent(rig.card_of(p["number"]))).json()["session_id"]
    changed, same, closed = people
    rows = [{**changed["row"], "medicalSubsidyRecipientNumber": "1234567"}, same["row"], {**closed["row"], "medicalSubsidyRecipientNumber": "1234567"}]

    def heard():
        sessions = {changed["session"]: "changed", same["session"]: "same"}
        return [(sessions[m["message"]["sessionId"]], m["message"]["event"]) for m in post.kept("clinic-app")["messages"] if m["message"].get("sessionId") in sessions]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    before = len(post.kept("clinic-app")["messages"])
    for words in (["--dry-run"], []):
        done = rig.command("import", str(tmp_path / "rows.json"), "--muni", MUNI, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        if words:
            time.sleep(0.5)
            assert heard() == [], "nothing was applied"
    wait_for("the clinic hears of the one that changed", 20, lambda: heard() == [("changed", "eligibility_changed")])
    assert rig.command("import", str(tmp_path / "rows.json"), "--muni", MUNI).returncode == 0
    time.sleep(1)
    assert heard() == [("changed", "eligibility_changed")] and len(post.kept("clinic-app")["messages"]) == before + 1, "the same file again changes nothing"
    task, = re.findall(r"[0-9a-f]{32}", done.stdout)[:1]
    undone = rig.command("tasks", "undo", task, "--muni", MUNI)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    wait_for("and hears that the file was taken back", 20, lambda: heard() == [("changed", "eligibility_changed")] * 2)
    assert len(post.kept("clinic-app")["messages"]) == before + 2, "of nobody else"


def test_a_clinic_with_an_open_session_hears_of_a_questionnaire(post):
    assert post.town.put(template()).status in (200, 201)
    p = Person(post.town)
    session = post.town.clinic("eligibility", {"link_key": post.town.mint(p.pmh_key, CLINIC_A, "questionnaire")}).json()
    sheet = p.answer(GOOD, submit=True).json()
    wait_for("the clinic hears of it", 20, lambda: [
        m["message"]["sessionId"] for m in post.kept("clinic-app")["messages"]
        if m["message"]["event"] == "questionnaire_submitted" and m["message"]["questionnaireId"] == sheet["questionnaireId"]] == [session["session_id"]])


def test_who_hangs_holds_up_nobody_else(post):
    c = Child(post.town)
    post.fault("clinic-app", delay_ms=5000)
    try:
        before, repeated = len(post.kept("vaccination-db")["provisions"]), post.kept("clinic-app")["repeated"]
        for _ in range(3):
            child = Child(post.town)
            one(child.record(child.session()))
        record = one(c.record(c.session()))
        wait_for("the database is told meanwhile", 3, lambda: len(post.kept("vaccination-db")["provisions"]) >= before + 4)
    finally:
        post.fault("clinic-app")
    wait_for("the clinic, which never answered, hears it again and knows it by its id", 20, lambda: post.kept("clinic-app")["repeated"] >= repeated + 4)
    assert post.heard(record) == [(CLINIC_A, "record_confirmed", "1")]


@pytest.mark.parametrize("fault, why", (({"status": 400}, "refused"), ({"redirect": True}, "redirect"), ({"other_person": True}, "other_id")))
def test_what_is_not_taken_becomes_a_dead_letter(post, fault, why):
    c = Child(post.town)
    post.fault("clinic-app", **fault)
    try:
        record = one(c.record(c.session()))
        dead = wait_for("it is a dead letter", 20, post.dead)
    finally:
        post.fault("clinic-app")
    (ident, letter), = dead.items()
    assert letter == {"kind": "record", "who": CLINIC_A, "why": why, "owner": "partner"}
    assert post.kept("clinic-app")["followed"] == 0, "nobody is followed anywhere"
    assert post.notices("list").returncode == 1
    if why == "redirect":
        assert post.notices("drop", ident).returncode == 0
    else:
        assert post.notices("replay", ident).returncode == 0
        wait_for("the clinic hears it", 20, lambda: post.heard(record) == [(CLINIC_A, "record_confirmed", "1")])
    wait_for("no dead letter is left", 20, lambda: not post.dead() and post.notices("list").returncode == 0)
    assert post.notices("replay", ident).returncode == 2, "there is none any more"


def test_it_is_given_up_after_its_time_and_sent_again_by_an_officer(post):
    c, a, record = post.shared()
    post.fault("clinic-app", status=503)
    try:
        one(c.correct(a, record, lotNumber="B2C3"))
        dead = wait_for("it is given up", 20, lambda: [d for d in post.dead().values() if d["who"] == CLINIC_B])
    finally:
        post.fault("clinic-app")
    assert dead == [{"kind": "record", "who": CLINIC_B, "why": "gave_up", "owner": "operator"}]
    assert "pmhgw notices list" in post.rig.command("doctor").stderr, "the operator is told of it"
    assert ("clinic", CLINIC_B) in post.recalls(record)
    assert post.notices("replay", "--all").returncode == 0
    wait_for("clinic B hears of it", 20, lambda: (CLINIC_B, "record_corrected", "2") in post.heard(record))
    wait_for("and has confirmed it", 20, lambda: ("clinic", CLINIC_B) not in post.recalls(record))


@pytest.mark.parametrize("clinic", (CLINIC_C, CLINIC_D))
def test_who_is_not_configured_is_told_nothing_and_stands_in_the_ledger(post, clinic):
    c = Child(post.town)
    a, other = c.session(), c.session(clinic)
    record = one(c.record(a))
    assert c.read(other, clinic).status == 200
    one(c.correct(a, record, lotNumber="B2C3"))
    dead = wait_for("an officer hears of it", 20, lambda: [d for d in post.dead().values() if d["who"] == clinic])
    assert dead[0]["why"] == "no_target" and dead[0]["owner"] == "operator"
    assert ("clinic", clinic) in post.recalls(record) and post.heard(record, clinic) == []
    assert post.notices("drop", "--all").returncode == 0


def test_somebody_who_has_become_silent_is_told_of_no_more(post):
    c = Child(post.town)
    post.fault("clinic-app", status=503)
    try:
        record = one(c.record(c.session()))
        silenced(post.rig, c.key)
        time.sleep(0.3)
    finally:
        post.fault("clinic-app")
    other = Child(post.town)
    later = one(other.record(other.session()))
    wait_for("the others are told", 20, lambda: post.heard(later))
    time.sleep(0.5)
    assert post.heard(record) == [] and not post.dead()


def test_two_couriers_tell_everything_once(post):
    second = subprocess.Popen([BIN / "pmhgw-courier", "--config", post.rig.state / "conf/courier.yaml"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.4)
        before = post.kept("clinic-app")
        records = []
        for _ in range(4):
            c = Child(post.town)
            a = c.session()
            records.append(one(c.record(a)))
            records.append(one(c.correct(a, records[-1], lotNumber="B2C3")))
        wait_for("all are told", 20, lambda: all(post.heard(r) for r in records))
        time.sleep(0.5)
        after = post.kept("clinic-app")
        assert after["requests"] - before["requests"] == len(after["messages"]) - len(before["messages"]) and after["repeated"] == before["repeated"]
        assert second.poll() is None
    finally:
        second.terminate()
        second.wait(15)


def test_kills_lose_nothing_and_change_no_order(post):
    children = [Child(post.town) for _ in range(2)]
    sessions = [(c, c.session(), c.session(CLINIC_B)) for c in children]
    records = [(c, a, b, one(c.record(a))) for c, a, b in sessions]
    for c, a, b, record in records:
        assert c.read(b, CLINIC_B).status == 200
    for n in range(int(os.environ.get("PMHGW_COURIER_KILLS", "3"))):  # at most 28: a record has 32 versions
        for i, (c, a, b, record) in enumerate(records):
            record = one(c.correct(a, record, lotNumber=f"L{n}"))
            assert c.read(b, CLINIC_B).status == 200
            records[i] = (c, a, b, record)
        time.sleep(random.uniform(0, 0.25))
        os.kill(wait_for("there is a courier", 10, lambda: post.rig.pid("pmhgw-courier")), signal.SIGKILL)
    for c, a, b, record in records:
        one(c.correct(a, record, cancel=True))
    for c, a, b, record in records:
        heard = wait_for("clinic B hears of the end", 20, lambda r=record: [h for h in post.heard(r, CLINIC_B) if h[1] == "record_cancelled"] and post.heard(r, CLINIC_B))
        versions = [int(v) for _, _, v in heard]
        assert versions == sorted(versions), heard
        assert post.heard(record, CLINIC_A)[0] == (CLINIC_A, "record_confirmed", "1")
    app = post.kept("clinic-app")
    assert app["bad_signature"] == app["stale"] == app["replayed"] == app["bad_shape"] == 0
    post.rig.wait_healthy()
