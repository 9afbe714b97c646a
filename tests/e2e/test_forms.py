"""The forms beside the subsidies: checkups, vaccination subjects, tickets. What they register is kept and flagged, and told to nobody."""

import json
import zlib

import pytest

from rig import REGISTRATION, fresh_number, row_for, wait_for

CHECKUP = "/v1/municipal-checkup/registration-tasks"
SUBJECT = "/v1/vaccination/subject-registration-tasks"
TICKET = "/v1/vaccination/ticket-registration-tasks"
BASIC = row_for("")["basicFiveInfo"]


def checkup(number, key, **more):
    return {"modificationSeg": "1", "myNumber": number, "municipalityIdentityKey": key, "basicFiveInfo": BASIC, "isNotDisclosed": False,
            "checkupTypeId": "GAN-01", "fiscalYear": "2026", "checkupName": "胃がん検診", "validFrom": "2026-04-01", "validTo": "2027-03-31", **more}


def subject(number, key, **more):
    return {"modificationSeg": "1", "myNumber": number, "municipalityIdentityKey": key, "basicFiveInfo": BASIC, "isNotDisclosed": False,
            "guardianName": "試験　太郎", "vaccinationSubjectNumber": "V-1", **more}


def ticket_number(key):
    """One person's in its municipality."""
    return "0000012345" if key == "ticket-life" else f"{zlib.crc32(key.encode()):010d}"


def ticket(number, key, **more):
    return {"modificationSeg": "1", "myNumber": number, "municipalityIdentityKey": key, "vaccinationProgramId": "MR-1", "ticketNumber": ticket_number(key),
            "doseNumber": "1", "validFrom": "2026-04-01", "validTo": "2027-03-31", **more}


def removal(number, key, date, **more):
    return {"modificationSeg": "2", "myNumber": number, "municipalityIdentityKey": key, "removalDate": date, **more}


def outcome(task):
    return [(r["result"], r.get("code")) for r in task["rows"]]


def faults(task):
    return [(e["field"], e["rule"]) for e in task["rows"][0].get("errors", [])]


CASES = {
    "checkup": (CHECKUP, "postMunicipalCheckupRegistrationTasks", checkup, {"checkupTypeId": "GAN-01", "fiscalYear": "2026"}, {"checkupName": "肺がん検診"}),
    "subject": (SUBJECT, "postVaccinationSubjectRegistrationTasks", subject, {}, {"guardianName": "試験　次郎"}),
    "ticket": (TICKET, "postVaccinationTicketRegistrationTasks", ticket, {"vaccinationProgramId": "MR-1", "ticketNumber": "0000012345"}, {"doseNumber": "2"}),
}


@pytest.mark.parametrize("form", CASES)
def test_register_update_remove(rig, form):
    path, operation, make, key_fields, change = CASES[form]
    number, key = fresh_number(), f"{form}-life"
    row = make(number, key)
    assert outcome(rig.register("331007", [removal(number, key, "2026-10-01", **key_fields)], path)) == [("refused", "nothing_to_remove")]
    task = rig.register("331007", [row], path)
    assert task["operation"] == operation and outcome(task) == [("registered", None)]
    assert outcome(rig.register("331007", [row], path)) == [("unchanged", None)]
    assert outcome(rig.register("331007", [{**row, **change}], path)) == [("updated", None)]
    gone = removal(number, key, "2026-10-01", **key_fields)
    assert outcome(rig.register("331007", [gone], path)) == [("updated", None)]
    assert outcome(rig.register("331007", [gone], path)) == [("unchanged", None)]
    assert outcome(rig.register("331007", [{**gone, "removalDate": "2026-11-01"}], path)) == [("updated", None)]
    # Registered again, the removal is undone.
    assert outcome(rig.register("331007", [{**row, **change}], path)) == [("updated", None)]
    assert outcome(rig.register("331007", [gone], path)) == [("updated", None)]


def test_another_municipality_removes_nothing_here(rig):
    number = fresh_number()
    rig.register("331007", [subject(number, "own-1")], SUBJECT)
    assert outcome(rig.register("271403", [removal(number, "own-1", "2026-10-01")], SUBJECT)) == [("refused", "nothing_to_remove")]


def test_what_a_row_needs(rig):
    number = fresh_number()
    cases = [
        (CHECKUP, {**checkup(number, "n-1"), "modificationSeg": "3"}, ("modificationSeg", "code")),
        (CHECKUP, {**checkup(number, "n-1"), "removalDate": "2026-10-01"}, ("removalDate", "range")),
        (CHECKUP, {k: v for k, v in checkup(number, "n-1").items() if k != "isNotDisclosed"}, ("isNotDisclosed", "missing")),
        (CHECKUP, {k: v for k, v in checkup(number, "n-1").items() if k != "municipalityIdentityKey"}, ("municipalityIdentityKey", "missing")),
        (SUBJECT, {k: v for k, v in subject(number, "n-1").items() if k != "basicFiveInfo"}, ("basicFiveInfo", "missing")),
        (SUBJECT, subject(number, "n-1", guardianName=f"親 {number}"), ("guardianName", "number_inside")),
        (TICKET, ticket(number, "n-1", ticketNumber="123"), ("ticketNumber", "length")),
        (TICKET, {k: v for k, v in removal(number, "n-1", "2026-10-01").items()}, ("vaccinationProgramId", "missing")),
        (TICKET, {**ticket(number, "n-1"), "segment": "A"}, ("", "unknown")),
        (REGISTRATION, {**row_for(number), "modificationSeg": "1"}, ("", "unknown")),
    ]
    for path, row, fault in cases:
        task = rig.register("331007", [row], path)
        assert outcome(task) == [("refused", "field_invalid")]
        assert fault in faults(task), (fault, faults(task))


@pytest.mark.parametrize("flag", ["isNotDisclosed", "isViewingStopped"])
def test_a_flag_of_a_vaccination_subject_silences_the_clinic(rig, flag):
    number = fresh_number()
    rig.register("331007", [row_for(number, f"flag-{flag}")])
    card = rig.card_of(number)
    wait_for("the pseudonym is there", 20, lambda: rig.citizen(card).status == 200)
    session = rig.clinic(rig.consent(card)).json()["session"]
    row = subject(number, f"flag-{flag}")
    rig.register("331007", [row], SUBJECT)
    body = rig.session(session).json()
    assert len(body["eligibility"]) == 1 and "guardianName" not in body["eligibility"][0]
    a = rig.muni("331007", "POST", SUBJECT, [{**row, flag: True}])
    assert a.status == 202
    wait_for("the clinic hears nothing", 10, lambda: rig.session(session).status == 404)
    assert rig.citizen(card).status == rig.clinic(rig.consent(card)).status == 404
    rig.follow("331007", a.json()["task_id"])
    assert outcome(rig.register("331007", [row], SUBJECT)) == [("updated", None)]
    assert rig.citizen(card).status == 200


def test_only_subsidies_are_told(rig):
    number = fresh_number()
    for path, row in ((CHECKUP, checkup(number, "told-1")), (SUBJECT, subject(number, "told-1")), (TICKET, ticket(number, "told-1"))):
        assert outcome(rig.register("331007", [row], path)) == [("registered", None)]
    card = rig.card_of(number)
    assert rig.clinic(rig.consent(card)).status == rig.citizen(card).status == 404
    rig.register("331007", [row_for(number, "told-1")])
    wait_for("the subsidy is told", 20, lambda: rig.citizen(card).status == 200)


def test_mix_ups_are_held_across_forms(rig):
    number = fresh_number()
    other = {**BASIC, "name": "別人　一郎", "dateOfBirth": "1970-01-01"}
    rig.register("331007", [row_for(number, "mix-1")])
    assert outcome(rig.register("331007", [subject(number, "mix-1", basicFiveInfo=other)], SUBJECT)) == [("quarantined", "person_mismatch")]
    # A ticket need not say whose it is, and a removal need not either.
    assert outcome(rig.register("331007", [ticket(number, "mix-1")], TICKET)) == [("registered", None)]
    both = [ticket(number, "mix-1", ticketNumber="0000000002"), ticket(number, "mix-1", ticketNumber="0000000003", basicFiveInfo=BASIC)]
    assert outcome(rig.register("331007", both, TICKET)) == [("registered", None)] * 2


def send_file(rig, rows, operation, text, **more):
    """Results of the rows of a file."""
    rig.plant(rows)
    a = rig.muni("331007", "POST", "/v1/files", {"operation": operation, "bytes": len(text.encode()), **more})
    assert a.status == 201, (a.status, a.body)
    assert rig.muni("331007", "PUT", a.headers["location"], text.encode(), headers={"Content-Type": "application/octet-stream"}).status == 202
    task = rig.follow("331007", a.json()["file_id"])
    doc = rig.muni("331007", "GET", f"/v1/tasks/{task['task_id']}/results").json()
    return [(r["result"], r.get("code")) for r in doc["rows"]]


def test_files_have_the_same_columns_in_every_row(rig):
    columns = ["modificationSeg", "myNumber", "municipalityIdentityKey", *(f"basicFiveInfo.{k}" for k in BASIC), "guardianName", "isNotDisclosed", "removalDate"]

    def line(row, seg, removal_date=""):
        cells = {**row, **{f"basicFiveInfo.{k}": v for k, v in BASIC.items()}, "modificationSeg": seg, "isNotDisclosed": "0", "removalDate": removal_date}
        return ",".join(cells[c] for c in columns)

    a, b, c, d = rows = [subject(fresh_number(), f"file-{i}") for i in range(4)]
    text = "\n".join([",".join(columns), line(a, "1"), line(b, "1"), line(c, "2", "2026-10-01"), line(b, "2", "2026-10-01"), line(d, "3")]) + "\n"
    assert send_file(rig, rows, "postVaccinationSubjectRegistrationTasks", text) == [
        ("registered", None), ("registered", None), ("refused", "nothing_to_remove"), ("updated", "replaced_earlier_row"), ("refused", "field_invalid")]
    gone = [removal(a["myNumber"], "file-0", date) for date in ("2026-10-01", "2026-11-01", "2026-11-01")]
    assert send_file(rig, rows, "postVaccinationSubjectRegistrationTasks", "\n".join(map(json.dumps, gone)), source="json_lines") == [
        ("updated", None), ("updated", "replaced_earlier_row"), ("unchanged", "same_row_twice")]
