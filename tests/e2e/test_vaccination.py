"""Vaccinations: what clinics record, correct and read, the rules of a dose, and who hears of it."""

import threading

import pytest

from rig import CLINIC_A, CLINIC_B, fresh_number, wait_for
from sheet_rig import Town, silenced
from vaccine_rig import OTHER, Child, gtin, heard, months_ago, new_id, one, rules, today, warned


@pytest.fixture(scope="module")
def town(rig):
    return Town(rig)


@pytest.fixture(scope="module")
def child(town):
    return Child(town)


@pytest.fixture(scope="module")
def session(child):
    return child.session()


def test_a_record_is_seen_at_once_by_clinic_and_citizen(town):
    c = Child(town)
    s = c.session()
    assert c.read(s).json() == {"immunizations": []}
    a = c.record(s)
    made = one(a)
    assert a.json()["warnings"] == [] and made["version"] == "1" and made["status"] == "completed"
    assert made["gtin"] == gtin(7) and made["medicalInstitutionCode"] == CLINIC_A and "ticketNumber" not in made
    assert c.read(s).json()["immunizations"] == [made] == c.own().json()["immunizations"]
    assert c.read(c.session(CLINIC_B), CLINIC_B).json()["immunizations"] == [made]
    assert [t["ticketNumber"] for t in c.own("tickets").json()["tickets"]] == [c.ticket]


def test_the_same_request_again_is_answered_the_same(town):
    c = Child(town)
    s, request = c.session(), new_id()
    first = c.record(s, request=request)
    assert first.status == 200 and c.record(s, request=request).body == first.body
    assert heard(c.record(s, request=request, lotNumber="OTHER")) == (409, "conflict")
    assert len(c.read(s).json()["immunizations"]) == 1


def test_a_correction_keeps_history_and_meets_no_other_unseen(town):
    c = Child(town)
    s = c.session()
    made = one(c.record(s))
    request = new_id()
    fixed = c.correct(s, made, request=request, lotNumber="FIXED")
    assert one(fixed)["version"] == "2" and one(fixed)["lotNumber"] == "FIXED" and one(fixed)["reason"] == "typing_error"
    assert c.correct(s, made, request=request, lotNumber="FIXED").body == fixed.body
    assert heard(c.correct(s, made, lotNumber="LATE")) == (409, "version_conflict")
    other = c.session(CLINIC_B)
    assert heard(c.correct(other, one(fixed), CLINIC_B, lotNumber="FOREIGN")) == (404, "nothing")
    assert heard(c.correct(s, {"immunizationId": "0" * 32, "version": "1"})) == (404, "nothing")
    assert rules(c.correct(s, one(fixed), isConsented=False)) == ["not_consented"]
    gone = c.correct(s, one(fixed), cancel=True, reason="wrong_person")
    assert one(gone)["status"] == "cancelled" and one(gone)["version"] == "3"
    assert heard(c.correct(s, one(gone), lotNumber="AGAIN")) == (409, "conflict")
    assert c.own().json()["immunizations"] == [one(gone)]
    assert one(c.record(s))["version"] == "1", "what was cancelled counts for no rule"


# the rule that alone is broken -> how
BROKEN = {
    "gtin_check_digit": {"gtin": gtin(7)[:-1] + str((int(gtin(7)[-1]) + 1) % 10)},
    "product_not_of_program": {"gtin": gtin(6)},
    "lot_expired": {"expirationDate": today(-1)},
    "date_future": {"vaccinationDate": today(1)},
    "not_consented": {"isConsented": False},
    "dose_order": {"doseNumber": "2"},
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_dose_that_breaks_a_rule_is_refused_and_leaves_nothing(child, session, rule):
    a = child.record(session, **BROKEN[rule])
    assert rules(a) == [rule]
    fault = a.json()["rules"][0]
    assert fault["message_ja"] and fault["message_en"] and fault["field"]
    assert child.read(session).json()["immunizations"] == []


WARNED = {
    "gtin_unknown": {"gtin": gtin(99)},
    "lot_expiry_missing": {"expirationDate": None},
    "amount_unusual": {"doseQuantity": "0.25"},
    "lot_expiry_far": {"expirationDate": "2099-12-31"},
}


def test_warnings_come_with_the_answer(town):
    for rule, how in WARNED.items():
        c = Child(town)
        assert warned(c.record(c.session(), **how)) == [rule]


@pytest.mark.parametrize("born, broken", ((months_ago(12), []), (months_ago(12, -1), ["age_too_young"]), (months_ago(23), []), (months_ago(25), ["age_too_old"])))
def test_ages_end_where_the_law_says(town, born, broken):
    c = Child(town, born=born)
    a = c.record(c.session())
    assert (rules(a) if broken else one(a) and []) == broken


def test_a_dose_before_birth_is_none(town):
    c = Child(town, born=today())
    assert set(rules(c.record(c.session(), vaccinationDate=today(-1)))) == {"date_before_birth"}


def test_doses_come_in_order_at_their_distance_and_once(town):
    c = Child(town, born=months_ago(14), program="varicella")
    s = c.session()
    first = {"gtin": gtin(9), "vaccinationDate": today(-40)}
    assert one(c.record(s, **first))
    assert rules(c.record(s, **{**first, "vaccinationDate": today(-10)})) == ["dose_duplicate"]
    assert set(rules(c.record(s, **first))) == {"dose_duplicate", "same_day_duplicate"}
    assert rules(c.record(s, **first | {"doseNumber": "2", "vaccinationDate": today(-1)})) == ["interval_too_short"]
    assert set(rules(c.record(s, **first | {"doseNumber": "2", "vaccinationDate": today(-41)}))) >= {"dose_order"}
    assert rules(c.record(s, **first | {"doseNumber": "3", "vaccinationDate": today(-1)})) == ["dose_order"], "the program has no third"


def test_live_vaccines_keep_their_distance_over_programs(town):
    c = Child(town)
    s = c.session()
    assert one(c.record(s, vaccinationDate=today(-27)))
    live = {"vaccinationProgramId": "varicella", "gtin": gtin(9)}
    assert rules(c.record(s, **live)) == ["interval_too_short"]
    d = Child(town)
    s = d.session()
    assert one(d.record(s, vaccinationDate=today(-28))) and one(d.record(s, **live))


def test_gs1_fills_in_what_the_carton_says(town):
    c = Child(town)
    s = c.session()
    raw = f"]d201{gtin(7)}17271231" + "10LOT9"
    bare = {"gtin": None, "lotNumber": None, "expirationDate": None}
    made = one(c.record(s, gs1=raw, **bare))
    assert (made["gtin"], made["lotNumber"], made["expirationDate"]) == (gtin(7), "LOT9", "2027-12-31")
    d = Child(town)
    assert one(d.record(d.session(), gs1=f"10LOT9\x1d01{gtin(7)}", **{**bare, "expirationDate": today(9)}))["lotNumber"] == "LOT9"
    made_later = f"01{gtin(7)}11{today(1)[2:].replace('-', '')}17291231" + "10LOT9"
    e = Child(town)
    assert rules(e.record(e.session(), gs1=made_later, **bare)) == ["lot_not_made_yet"]
    a = c.record(s, gs1=raw, lotNumber="OTHER")
    assert a.status == 422 and {e["field"] for e in a.json()["errors"]} == {"lotNumber", "expirationDate"}
    for text, fault in ((raw[:-6] + "99", "application_identifier"), (f"01{gtin(7)[:-1]}x", "character"), ("(01" + gtin(7), "parenthesis"),
                        (f"01{gtin(7)}17271301", "date"), ("A" * 300, "too_long")):
        a = c.record(s, gs1=text, **bare)
        assert a.status == 422 and a.json()["gs1_fault"] == fault, (text, a.body)


BAD_FIELDS = {
    "municipalityCode": "331008", "vaccinationProgramId": "no-such", "doseNumber": "0", "vaccinationDate": "2026-02-30", "gtin": "123", "doseQuantity": "0.5mL",
    "lotNumber": "A" * 21, "place": "住所 123456789018", "doctorName": "１２３４ ５６７８ ９０１８", "isConsented": "yes", "medicalInstitutionCode": "2719900017",
    "myNumber": "123456789018",
}


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_a_field_that_is_wrong_is_named_without_its_value(child, session, field):
    value = BAD_FIELDS[field]
    a = child.record(session, **{field: value})
    assert a.status == 422 and a.json()["code"] == "field_invalid"
    assert [e["field"] for e in a.json()["errors"]] == ["" if field == "myNumber" else field]
    assert len(value) < 5 or str(value).encode() not in a.body


def test_who_is_of_no_such_municipality_gets_nothing(child, session):
    assert heard(child.record(session, municipalityCode=OTHER)) == (404, "nothing")


def test_a_session_without_immunizations_is_none(child):
    assert heard(child.record(child.session(scope="questionnaire"))) == (404, "no_session")
    s = child.session()
    assert heard(child.town.clinic("session", {"session": s})) == (404, "no_session"), "and one of immunizations tells no subsidy"
    assert heard(child.record(s, CLINIC_B)) == (404, "no_session")
    assert child.town.clinic("eligibility", {"link_key": child.town.mint(child.pmh_key, scope="immunizations", purpose="treatment")}).status == 200


def change(town, c, kind, day, **more):
    a = town.rig.muni(c.muni, "POST", "/v1/residents/change-tasks",
                      [{"changeType": kind, "municipalityIdentityKey": c.key, "effectiveDate": day, "operationKey": new_id(), **more}])
    assert a.status == 202, a.body
    assert town.rig.follow(c.muni, a.json()["task_id"])["state"] == "done"


def test_who_died_or_moved_is_given_nothing_from_that_day_on(town):
    c = Child(town)
    s = c.session()
    change(town, c, "moved_out", today(-3))
    assert rules(c.record(s, vaccinationDate=today(-3))) == ["ended_resident"]
    assert rules(c.record(s, vaccinationDate=today())) == ["ended_resident"]
    assert one(c.record(s, vaccinationDate=today(-4))), "what was given before may be recorded late"
    assert heard(c.read(s)) == (404, "nothing") == heard(c.own()) == heard(c.own("tickets"))


def test_two_clinics_at_once_never_write_one_dose_twice_nor_lose_a_version(town):
    c = Child(town)
    clinics = [(CLINIC_A, c.session()), (CLINIC_B, c.session(CLINIC_B))] * 4
    got = race([lambda clinic=clinic, s=s: c.record(s, clinic) for clinic, s in clinics])
    assert [a.status for a in got].count(200) == 1, [a.status for a in got]
    assert all(set(rules(a)) == {"dose_duplicate", "same_day_duplicate"} for a in got if a.status == 422)
    made = one(next(a for a in got if a.status == 200))
    owner, s = next(x for x in clinics if x[0] == made["medicalInstitutionCode"])
    got = race([lambda i=i: c.correct(s, made, owner, lotNumber=f"RACE{i}") for i in range(6)] + [lambda: c.read(s, owner)])
    done = [a for a in got[:6] if a.status == 200]
    assert len(done) == 1 and all(heard(a) == (409, "version_conflict") for a in got[:6] if a.status != 200)
    assert c.read(s, owner).json()["immunizations"] == [one(done[0])]


def race(calls):
    out = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(i):
        gate.wait()
        out[i] = calls[i]()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def test_a_lost_store_loses_no_record_that_was_answered(town):
    c = Child(town)
    s, request = c.session(), new_id()
    first = c.record(s, request=request)
    assert first.status == 200
    pid = town.rig.pid("redis-link")
    town.rig.kill("redis-link")
    assert c.record(s, request=request).status == 503
    town.rig.wait_back("redis-link", pid)
    wait_for("the same is answered", 10, lambda: c.record(s, request=request).body == first.body)
    assert [i["version"] for i in c.read(s).json()["immunizations"]] == ["1"]


def test_flags_silence_every_route_within_a_second(town):
    c = Child(town)
    s = c.session()
    made = one(c.record(s))
    asks = {"read": lambda: c.read(s), "record": lambda: c.record(s), "correct": lambda: c.correct(s, made), "own": c.own,
            "tickets": lambda: c.own("tickets"), "ticket": c.read_ticket}
    silenced(town.rig, c.key)
    for name, ask in asks.items():
        assert heard(ask()) == (404, "nothing"), name
    silenced(town.rig, c.key, hidden=False)
    assert c.read(s).json()["immunizations"] == [made]


def test_a_change_of_number_takes_records_along(town):
    c = Child(town)
    made = one(c.record(c.session()))
    new = fresh_number()
    town.rig.canaries.add(new)
    change(town, c, "number_changed", today(), newMyNumber=new)
    c.pmh_key = town.pmh_key(new)
    assert c.read(c.session()).json()["immunizations"] == [made]
    assert c.read_ticket().status == 200, "and the ticket leads to the new person"


def test_an_erased_resident_leaves_no_record_and_no_ticket(town):
    c = Child(town)
    one(c.record(c.session()))
    a = town.rig.muni(c.muni, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "retention_over"})
    assert a.status == 200 and a.json()["erased"] == 3, a.body
    assert heard(c.own()) == (404, "nothing") == heard(c.read_ticket())


def test_the_citizen_sees_who_recorded_and_who_read(town):
    c = Child(town)
    s = c.session()
    one(c.record(s))
    c.read(s)
    log = town.portal("access-log", {"pseudonym": c.pseudonym}).json()["entries"]
    events = [e["event"] for e in log]
    assert "immunization_recorded" in events and "immunizations_read" in events, events
