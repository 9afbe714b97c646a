"""The main job from end to end: register, numbers to keys, pseudonyms, a clinic asks, a citizen asks, and who hears nothing."""

import json
import subprocess

import pytest

from rig import BIN, CLINIC, CLINIC_B, HISTORY, MOCK_PORTAL, PORTAL, fresh_number, numbers_of, row_for, wait_for

SHOWN = {"municipalityCode", "certificationName", "medicalSubsidyInsurerNumber", "medicalSubsidyRecipientNumber", "segment", "incomeSegment",
         "additionalConditions", "designatedMedicalInstitutions", "isAlwaysReimbursement", "maxCopaymentAmount", "validFrom", "validTo",
         "certificationSubKey", "certificationDetail"}


@pytest.fixture(scope="module")
def city(rig):
    """120 residents, one of them not disclosed, registered and linked, and the serials of their cards."""
    rows = rig.synth(count=120)
    while not any(r["isNotDisclosed"] and not born_with_it(r) for r in rows):
        rows = rig.synth(count=120)
    task = rig.register("331007", rows)
    rig.linked(len(numbers_of(rows)))
    return rows, {n: rig.card_of(n) for n in numbers_of(rows)}, task


def born_with_it(row):
    """A certificate may begin on the day of birth: its dates then say so, on paper as here."""
    return row["basicFiveInfo"]["dateOfBirth"] in (row.get("validFrom"), row.get("validTo"))


def open_card(rig, city, not_disclosed=False):
    """Serial and rows of a resident who is disclosed and has a certificate today, or who is not disclosed; no certificate began at birth."""
    rows, cards, _ = city
    hidden = {r["myNumber"] for r in rows if r["isNotDisclosed"]}
    newborn = {r["myNumber"] for r in rows if born_with_it(r)}
    for number, serial in cards.items():
        if (number in hidden) == not_disclosed and number not in newborn and (not_disclosed or rig.citizen(serial).status == 200):
            return serial, [r for r in rows if r["myNumber"] == number]
    raise AssertionError("the synthetic city has no such resident")


def test_every_row_is_registered_once(rig, city):
    rows, _, task = city
    assert task["state"] == "done", task["counts"]
    assert task["counts"]["rows"] == task["counts"]["registered"] == len(rows)
    assert [r["row"] for r in task["rows"]] == list(range(1, len(rows) + 1))
    systems = rig.nation()["systems"]
    people = len(numbers_of(rows))
    assert systems["intermediary"]["keys_new"] == people
    assert systems["pmh"]["my_numbers_held"] == 0 and systems["portal"]["pmh_keys_held"] == 0


def test_the_same_rows_again_change_nothing(rig, city):
    rows, _, _ = city
    keys = rig.nation()["systems"]["intermediary"]["keys_new"]
    task = rig.register("331007", rows)
    assert task["state"] == "done" and task["counts"]["unchanged"] == len(rows)
    assert rig.nation()["systems"]["intermediary"]["keys_new"] == keys


def test_clinic_reads_the_certificate(rig, city):
    card, mine = open_card(rig, city)
    a = rig.clinic(rig.consent(card))
    assert a.status == 200, a.body
    got = a.json()
    assert got["session"] and got["session_expires_at"]
    shown = {e["medicalSubsidyRecipientNumber"] for e in got["eligibility"]}
    assert shown <= {r["medicalSubsidyRecipientNumber"] for r in mine} and shown
    for e in got["eligibility"]:
        assert set(e) <= SHOWN and e["municipalityCode"] == "331007"
    # Nothing about who it is: no name, no birth date, no identifier of any kind.
    assert mine[0]["basicFiveInfo"]["nameKana"] not in a.body.decode()
    assert mine[0]["basicFiveInfo"]["dateOfBirth"] not in a.body.decode()
    assert mine[0]["municipalityIdentityKey"] not in a.body.decode()


def test_a_link_key_works_once(rig, city):
    card, _ = open_card(rig, city)
    key = rig.consent(card)
    assert rig.clinic(key).status == 200
    for _ in range(5):  # also on other workers
        a = rig.clinic(key)
        assert a.status == 409 and a.json()["code"] == "used"


def test_another_clinic_hears_nothing_and_consumes_nothing(rig, city):
    card, _ = open_card(rig, city)
    key = rig.consent(card)
    a = rig.clinic(key, clinic=CLINIC_B)
    assert a.status == 404 and a.json()["code"] == "nothing"
    assert rig.clinic(key).status == 200, "the other clinic used the key up"
    b = rig.clinic(key, clinic=CLINIC_B)
    assert (b.status, b.json()["code"]) == (404, "nothing"), "used is told to the rightful clinic only"


def test_session_is_bound_to_the_clinic(rig, city):
    card, _ = open_card(rig, city)
    first = rig.clinic(rig.consent(card)).json()
    again = rig.session(first["session"])
    assert again.status == 200 and again.json()["eligibility"] == first["eligibility"]
    token = first["session"]
    forged = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    for a in (rig.session(token, clinic=CLINIC_B), rig.session("x" * 43), rig.session(forged)):
        assert a.status == 404, a.body
    assert rig.session(first["session"]).status == 200


def test_not_disclosed_is_silent_everywhere(rig, city):
    card, _ = open_card(rig, city, not_disclosed=True)
    unknown = rig.card_of(fresh_number())
    key = rig.consent(card)
    assert key, "card and consent work; the gateway is silent"
    silent = rig.clinic(key)
    assert silent.status == 404
    citizen = rig.citizen(card)
    assert citizen.status == 404
    # Exactly what somebody hears about whom nothing is known.
    other = rig.citizen(unknown)
    assert other.status == 404
    strip = lambda a: {k: v for k, v in a.json().items() if k not in ("instance", "request_id", "request")}
    assert strip(citizen) == strip(other)
    assert len(citizen.body) == len(other.body)


def test_a_citizen_sees_who_asked_and_takes_the_consent_back(rig, city):
    card, _ = open_card(rig, city)
    at_portal = lambda what, **members: rig.call(MOCK_PORTAL, "POST", f"/portal/v1/{what}", {"card_serial": card, **members})  # noqa: E731
    session, unused = rig.clinic(rig.consent(card)).json()["session"], rig.consent(card)
    assert rig.session(session).status == 200
    log = at_portal("access-log").json()
    assert [(e["event"], e["institution"]) for e in log["entries"][:2]] == [("session_read", "模擬こどもクリニック"), ("clinic_lookup", "模擬こどもクリニック")]
    saved = rig.state / "statement.json"
    saved.write_bytes(at_portal("access-log/statement").body)
    done = subprocess.run([BIN / "pmhgw", "audit", "check", saved, "--key", rig.state / "keys" / "audit.pub"], capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    mine = at_portal("consents").json()["consents"][0]
    left = at_portal("consents/withdraw", consent_id=mine["consent_id"])
    assert left.status == 200 and left.json()["consents"][0]["withdrawn_at"] and mine["consent_id"] not in [s["consent_id"] for s in left.json()["sessions"]]
    assert rig.session(session).status == 404
    assert rig.clinic(unused).status == 200, "another consent of the same person"
    assert at_portal("consents/withdraw", all=True).json()["sessions"] == []
    wait_for("a consent given anew counts", 20, lambda: rig.clinic(rig.consent(card)).status == 200)


def test_flag_takes_effect_at_once(rig):
    """A certificate that becomes 不開示 is silent for the open session too."""
    number = fresh_number()
    row = row_for(number, "flag-1")
    rig.register("331007", [row])
    card = rig.card_of(number)
    wait_for("the pseudonym is there", 20, lambda: rig.citizen(card).status == 200)
    session = rig.clinic(rig.consent(card)).json()["session"]
    assert rig.session(session).status == 200
    task = rig.register("331007", [{**row, "isNotDisclosed": True}])
    assert task["counts"]["updated"] == 1
    assert rig.session(session).status == 404
    assert rig.citizen(card).status == 404
    assert rig.clinic(rig.consent(card)).status == 404
    assert rig.register("331007", [row])["counts"]["updated"] == 1
    assert rig.citizen(card).status == 200


def test_a_renewed_card_keeps_the_pseudonym(rig, city):
    card, _ = open_card(rig, city)
    before = rig.nation()["systems"]["portal"]["pseudonyms_held"]
    first = rig.citizen(card).json()["eligibility"]
    new = rig.control("POST", "/cards/renew", {"card_serial": card}).json()["card_serial"]
    assert new != card
    assert rig.citizen(card).status != 200, "the old card still works"
    assert rig.citizen(new).json()["eligibility"] == first
    assert rig.nation()["systems"]["portal"]["pseudonyms_held"] == before
    city[1].update({n: new for n, serial in city[1].items() if serial == card})


def test_pseudonym_at_first_use(rig):
    """The other published order: the portal makes the pseudonym when the citizen comes."""
    rig.control("PUT", "/settings", {"pseudonym_order": "first_use"})
    try:
        number = fresh_number()
        linked = rig.nation()["systems"]["portal"]["linked"]
        rig.register("271403", [row_for(number, "first-use")])
        assert rig.nation()["systems"]["portal"]["linked"] == linked
        card = rig.card_of(number)
        a = rig.citizen(card)
        assert a.status == 200 and a.json()["eligibility"][0]["municipalityCode"] == "271403", a.body
        assert rig.nation()["systems"]["portal"]["linked"] == linked + 1
    finally:
        rig.control("PUT", "/settings", {"pseudonym_order": "push"})


def test_two_municipalities_one_person(rig):
    """The key is reused upstream; both certificates are shown, each under its municipality."""
    number = fresh_number()
    rig.register("331007", [row_for(number, "two-a")])
    reused = rig.nation()["systems"]["intermediary"]["keys_reused"]
    rig.register("222127", [row_for(number, "two-b", medicalSubsidyRecipientNumber="1234566")])
    assert rig.nation()["systems"]["intermediary"]["keys_reused"] == reused + 1
    card = rig.card_of(number)
    got = wait_for("the citizen sees both", 20, lambda: rig.citizen(card).status == 200 and rig.citizen(card).json()["eligibility"])
    assert sorted(e["municipalityCode"] for e in got) == ["222127", "331007"]


def test_history_form(rig):
    number = fresh_number()
    row = row_for(number, "history-1", historyKey="H-1", isDeleted=False, certificationDetail=[])
    task = rig.register("331007", [row], path=HISTORY)
    assert task["counts"]["registered"] == 1, task
    card = rig.card_of(number)
    assert wait_for("it is shown", 20, lambda: rig.citizen(card).status == 200)
    assert rig.register("331007", [{**row, "isDeleted": True}], path=HISTORY)["counts"]["updated"] == 1
    assert rig.citizen(card).status == 404


def test_tasks_belong_to_their_municipality(rig, city):
    task = city[2]["task_id"]
    assert rig.muni("331007", "GET", f"/v1/tasks/{task}").status == 200
    assert rig.muni("271403", "GET", f"/v1/tasks/{task}").status == 404
    mine = rig.muni("331007", "GET", "/v1/tasks").json()
    theirs = rig.muni("271403", "GET", "/v1/tasks").json()
    assert task in json.dumps(mine) and task not in json.dumps(theirs)


def test_contradictions_have_their_own_results(rig):
    a, b, c, d = (fresh_number() for _ in range(4))
    rows = [
        row_for(a, "c-1"), row_for(a, "c-1"),                                            # the same row twice
        row_for(b, "c-2"), row_for(b, "c-2", validTo="2030-03-31"),                      # the same certificate, other content
        row_for(c, "c-3"), row_for(d, "c-3", orgSpecificCertificateTypeId="OTHER"),      # one resident, two numbers
        row_for(fresh_number(), "c-5"),
    ]
    task = rig.register("331007", rows)
    results = [(r["result"], r.get("code")) for r in task["rows"]]
    assert results[0][0] == "registered" and results[1] == ("unchanged", "same_row_twice")
    assert results[2][1] == results[3][1] == "rows_contradict"
    assert results[4] == results[5] == ("quarantined", "resident_key_two_numbers")
    assert results[6][0] == "registered", "a good row suffers from its neighbours"
    e = fresh_number()
    task = rig.register("331007", [row_for(e, "c-6"), row_for(e, "c-7", orgSpecificCertificateTypeId="OTHER")])
    assert {(r["result"], r.get("code")) for r in task["rows"]} == {("quarantined", "number_two_residents")}, task["rows"]


def test_person_mismatch_is_held(rig):
    """Same number, other name and other birth date: another person's number was sent."""
    number = fresh_number()
    rig.register("331007", [row_for(number)])
    other = row_for(number, basicFiveInfo={"name": "別人　太郎", "nameKana": "ベツジン　タロウ", "address": "岡山県", "dateOfBirth": "1988-01-02", "sex": "1"})
    task = rig.register("331007", [other])
    assert task["rows"][0]["result"] == "quarantined" and task["rows"][0]["code"] == "person_mismatch", task


@pytest.mark.parametrize("fault", ["wrong_number", "extra_field", "missing_field"])
def test_a_lying_upstream_is_quarantined(rig, fault):
    number = fresh_number()
    rig.control("PUT", "/faults/pmh", {fault: True, "count": 1})
    try:
        task = rig.register("331007", [row_for(number)])
    finally:
        rig.control("PUT", "/faults/pmh", {})
    assert task["rows"][0]["result"] == "quarantined" and task["rows"][0]["code"] == "upstream_answer_refused", task["rows"]
    assert rig.citizen(rig.card_of(number)).status == 404


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"garbage": True}])
def test_an_ailing_upstream_is_asked_again(rig, fault):
    number = fresh_number()
    rig.control("PUT", "/faults/pmh", {**fault, "count": 1})
    task = rig.register("331007", [row_for(number)], seconds=40)
    assert task["counts"]["registered"] + task["counts"]["quarantined"] == 1, task
    if "garbage" not in fault:
        assert task["counts"]["registered"] == 1


def test_portal_may_not_ask_for_others(rig):
    a = rig.call(PORTAL, "POST", "/v1/portal/eligibility", {"pseudonym": "A" * 22}, cert="portal-mynaportal")
    assert a.status == 404 and a.json()["code"] == "nothing"
    a = rig.call(CLINIC, "POST", "/v1/clinic/eligibility", {"link_key": "x.y.z"}, cert="portal-mynaportal")
    assert a.status == 403
    a = rig.call(PORTAL, "POST", "/v1/portal/eligibility", {"pseudonym": "A" * 22}, cert="clinic-" + CLINIC_B)
    assert a.status == 403


def test_audit_log_holds(rig):
    r = rig.command("audit", "verify")
    assert r.returncode == 0, r.stdout + r.stderr
    listed = rig.command("audit", "list", "--last", "5000").stdout
    for event in ("registration_accepted", "clinic_lookup", "citizen_lookup", "pseudonym_linked", "session_read"):
        assert event in listed, event
