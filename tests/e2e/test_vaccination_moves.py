"""What stands beside a person's vaccinations follows the person: numbers of tickets, the list of a municipality, and nobody writes back what was erased."""

import concurrent.futures
import threading

import pytest

from front_rig import Redis
from rig import CLINIC_B, fresh_number
from sheet_rig import Town
from vaccine_rig import MR, MUNI, Child, digits, heard, months_ago, new_id, one, rules, today

SMALL = "222127"  # the municipality of those who are counted


@pytest.fixture(scope="module")
def town(rig):
    return Town(rig)


@pytest.fixture(scope="module")
def store(rig):
    return Redis(rig.state / "run/redis-link.sock", "intake", (rig.state / "keys/redis-link-intake.pass").read_text().strip())


def change(town, c, kind, **more):
    row = {"changeType": kind, "municipalityIdentityKey": c.key, "effectiveDate": today(), "operationKey": new_id(), **more}
    a = town.rig.muni(c.muni, "POST", "/v1/residents/change-tasks", [row])
    assert a.status == 202, a.body
    task = town.rig.follow(c.muni, a.json()["task_id"])
    assert [r["result"] for r in task["rows"]] == ["updated"], task
    return row


def erase(town, c):
    return town.rig.muni(c.muni, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "no_longer_needed"})


def get_new_number(town, c):
    new = fresh_number()
    town.rig.canaries.add(new)
    change(town, c, "number_changed", newMyNumber=new)
    c.number, c.base["myNumber"] = new, new
    c.pmh_key = town.pmh_key(new)


def listed(store, muni=SMALL):
    return set(store("ZRANGE", f"vi:{muni}", 0, -1))


def release(town, c, task):
    assert town.rig.muni(c.muni, "POST", f"/v1/tasks/{task['task_id']}/release", {"rows": [1], "officer": "sato"}).status == 200
    town.rig.follow(c.muni, task["task_id"])


def test_a_ticket_stays_its_residents_after_a_new_number(town):
    a, b = Child(town), Child(town)
    get_new_number(town, a)
    row = b.add_ticket(a.ticket)["rows"][0]
    assert (row["result"], row.get("code")) == ("quarantined", "ticket_of_another"), row
    assert a.read_ticket().status == 200
    assert a.add_ticket(a.ticket, vaccineName="また")["rows"][0]["result"] == "updated", "its own it may send again"


def test_a_ticket_stays_with_whoever_two_residents_became_and_goes_back(town):
    kept, gone, other = Child(town), Child(town), Child(town)
    row = change(town, kept, "merged", otherMunicipalityIdentityKey=gone.key)
    assert other.add_ticket(gone.ticket)["rows"][0]["code"] == "ticket_of_another"
    for c in (kept, gone):
        assert town.clinic("tickets/read", {"ticketLine": c.line(), "dateOfBirth": c.born}).status == 200
    change(town, kept, "unmerged", otherMunicipalityIdentityKey=gone.key, operationKey=row["operationKey"])
    s = one(gone.record(gone.read_ticket().json()["session"]))
    assert [i["immunizationId"] for i in gone.own().json()["immunizations"]] == [s["immunizationId"]] and kept.own().json()["immunizations"] == []
    assert other.add_ticket(gone.ticket)["rows"][0]["code"] == "ticket_of_another"


def test_a_number_that_was_given_to_another_survives_the_erasure_of_the_first(town):
    a, b = Child(town), Child(town, born=months_ago(13))
    release(town, b, b.add_ticket(a.ticket))
    assert b.read_ticket(ticketLine=a.line()).status == 200
    assert erase(town, a).status == 200
    assert b.read_ticket(ticketLine=a.line()).status == 200


def test_a_wrong_registration_takes_its_tickets_along_and_brings_them_back(town, store):
    c, other = Child(town, muni=SMALL), Child(town, muni=SMALL)
    before = listed(store)
    row = change(town, c, "wrong_registration")
    assert heard(c.read_ticket()) == (404, "nothing") and len(listed(store)) == len(before) - 1
    change(town, c, "restored", operationKey=row["operationKey"])
    assert c.read_ticket().status == 200 and listed(store) == before
    assert other.add_ticket(c.ticket)["rows"][0]["code"] == "ticket_of_another"


def test_nothing_is_left_of_two_who_became_one(town, store):
    before = listed(store)
    kept, gone = Child(town, muni=SMALL), Child(town, muni=SMALL)
    handles = listed(store) - before
    assert len(handles) == 2
    change(town, kept, "merged", otherMunicipalityIdentityKey=gone.key)
    assert len(listed(store) - before) == 1
    assert erase(town, kept).status == 200
    assert listed(store) == before
    fields = [f for h in handles for f in store("HGETALL", b"p:{" + h + b"}")[::2]]
    assert not [f for f in fields if f.startswith((b"v:", b"k:", b"i:", b"q:", b"s:"))], fields
    assert heard(kept.read_ticket()) == (404, "nothing") == heard(gone.read_ticket())


def test_who_is_erased_while_clinics_read_and_write_stays_erased(town, store):
    for _ in range(3):
        before = listed(store)
        c = Child(town, muni=SMALL)
        (handle,) = listed(store) - before
        sessions = [c.session() for _ in range(2)]
        one(c.record(sessions[0], municipalityCode=SMALL))
        stop = threading.Event()

        def go_on(ask):
            while not stop.is_set():
                ask()
        asks = [lambda: c.read(sessions[0]), lambda: c.record(sessions[1], lotNumber=digits(6)), c.own,
                lambda: c.record(sessions[0], vaccinationProgramId="hepatitis-b", gtin=None, doseNumber="1")]
        with concurrent.futures.ThreadPoolExecutor(len(asks)) as pool:
            running = [pool.submit(go_on, ask) for ask in asks]
            for _ in range(20):
                if erase(town, c).status == 200:
                    break
            else:
                raise AssertionError("it was never erased")
            stop.set()
            for r in running:
                r.result()
        assert store("HGETALL", b"p:{" + handle + b"}") == [] and handle not in listed(store)


def test_an_erasure_takes_its_own_notices_and_leaves_the_others(town):
    """One person of two municipalities: what was told about records of the one that erases goes, and nothing of the other's."""
    c = Child(town)
    basic = {**c.base, "isNotDisclosed": False}
    assert town.rig.register("271403", [basic], "/v1/vaccination/subject-registration-tasks")["rows"][0]["result"] == "registered"
    s = c.session()
    one(c.record(s))
    one(c.record(s, municipalityCode="271403", vaccinationProgramId="hepatitis-b", gtin=None, vaccinationDate=c.born))
    munis = lambda: sorted(n["municipalityCode"] for n in c.own("notices").json()["notices"])
    assert munis() == ["271403", MUNI]
    assert erase(town, c).status == 200
    assert munis() == ["271403"] and [i["municipalityCode"] for i in c.own().json()["immunizations"]] == ["271403"]


def test_who_was_taken_out_of_the_subjects_is_given_nothing_from_that_day_on(town):
    """消除 by a registration of vaccinations, without any change of a resident."""
    c = Child(town)
    s = c.session()
    gone = {k: v for k, v in c.base.items() if k != "basicFiveInfo"} | {"modificationSeg": "2", "removalDate": today(-3)}
    task = town.rig.register(MUNI, [gone], "/v1/vaccination/subject-registration-tasks")
    assert task["rows"][0]["result"] == "updated", task
    assert rules(c.record(s, vaccinationDate=today(-3))) == ["ended_resident"]
    assert one(c.record(s, vaccinationDate=today(-4)))


def test_by_a_ticket_only_records_of_its_program_are_corrected(town):
    c = Child(town)
    full = c.session()
    other = one(c.record(full, vaccinationProgramId="hepatitis-b", gtin=None, vaccinationDate=c.born))
    s = c.read_ticket().json()["session"]
    assert heard(c.correct(s, other, lotNumber="X")) == (404, "nothing"), "made one of the ticket's program"
    assert heard(c.correct(s, other, cancel=True)) == (404, "nothing")
    assert one(c.correct(full, other, cancel=True))["status"] == "cancelled"
    assert one(c.record(s))["vaccinationProgramId"] == MR


def test_a_number_gets_in_by_no_code_of_the_carton(town):
    c = Child(town)
    s, number = c.session(), c.number
    bare = {"gtin": None, "lotNumber": None, "expirationDate": None}
    for text in (number, number[:4] + "-" + number[4:8] + "-" + number[8:], number[:6] + "." + number[6:]):
        a = c.record(s, gs1=f"01{c.dose_of()['gtin']}10{text}", **bare)
        assert a.status == 422 and [(e["field"], e["rule"]) for e in a.json()["errors"]] == [("gs1", "number_inside")], a.body
        assert number.encode() not in a.body
    wide = "　".join((number[:4], number[4:8], number[8:])).translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    for field, value in (("gtin", number), ("gtin", "00" + number), ("place", wide), ("specialCircumstances", "－".join(number))):
        a = c.record(s, **{field: value})
        assert a.status == 422 and [(e["field"], e["rule"]) for e in a.json()["errors"]] == [(field, "number_inside")], (field, a.body)
    assert c.read(s).json() == {"immunizations": []}


def ledger(town, muni):
    a = town.rig.muni(muni, "GET", f"/v1/vaccination/ledger?program={MR}")
    assert a.status == 200, a.body
    return {line.split(",")[3] for line in a.body.decode().split("\r\n") if line}


def test_a_record_names_a_ticket_of_its_own_person_or_finds_it(town):
    c, other = Child(town, muni=SMALL), Child(town, muni=SMALL)
    s = c.session()
    a = c.record(s, ticketNumber=other.ticket)
    assert a.status == 422 and [(e["field"], e["rule"]) for e in a.json()["errors"]] == [("ticketNumber", "range")], a.body
    request = new_id()
    made = c.record(s, request=request)
    assert made.status == 200 and c.record(s, request=request).body == made.body, "the same again, although the ticket was found meanwhile"
    assert c.ticket in ledger(town, SMALL) and other.ticket not in ledger(town, SMALL)
    fixed = c.correct(s, one(made), ticketNumber=c.ticket, lotNumber="NAMED")
    assert one(fixed)["version"] == "2" and c.ticket in ledger(town, SMALL)


def test_a_session_by_a_ticket_is_of_one_program_clinic_and_municipality(town):
    c = Child(town)
    s = c.read_ticket().json()["session"]
    assert heard(c.record(s, municipalityCode="271403")) == (404, "nothing")
    assert heard(c.record(s, vaccinationProgramId="mr-2")) == (404, "nothing")
    assert heard(c.read(s, CLINIC_B)) == (404, "no_session")
