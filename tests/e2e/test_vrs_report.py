"""What VRS is told: tickets, subjects and records, with the number that only the number zone has, once, in order, whatever dies on the way."""

import json
import re

import pytest

from rig import fresh_number, row_for, wait_for
from sheet_rig import SUBJECT
from vaccine_rig import MR, MUNI, digits, one
from vrs_rig import turned_on


@pytest.fixture(scope="module")
def vrs(rig):
    return turned_on(rig)


def test_a_subject_its_ticket_and_its_dose_arrive_under_its_number(rig, vrs):
    c = vrs.child()
    (subject,), (ticket,) = vrs.wait(1, c.number, "subject"), vrs.wait(1, c.number, "ticket")
    assert ticket["content"]["ticket"]["ticketNumber"] == c.ticket and ticket["content"]["status"] == "registered" and ticket["municipalityCode"] == MUNI
    assert set(subject["content"]) == {"kind", "status", "isNotDisclosed", "vaccinationSubjectNumber", "name", "dateOfBirth", "sex"}, "no address, no guardian"
    assert subject["content"]["dateOfBirth"] == c.born and subject["content"]["isNotDisclosed"] is False
    made = one(c.record(c.session()))
    (record,) = vrs.wait(1, c.number, "record")
    assert (record["id"], record["version"], record["content"]["lotNumber"], record["content"]["ticketNumber"]) == (made["immunizationId"], 1, "A1B2", c.ticket)


def test_a_correction_and_a_cancellation_arrive_in_their_order(rig, vrs):
    c = vrs.child()
    s = c.session()
    made = one(c.record(s))
    vrs.wait(1, c.number, "record")
    fixed = one(c.correct(s, made, lotNumber="C3D4"))
    vrs.wait(2, c.number, "record")
    assert c.correct(s, fixed, cancel=True).status == 200
    rows = vrs.wait(3, c.number, "record")
    assert [(r["version"], r["content"]["status"], r["content"]["lotNumber"]) for r in rows] == [(1, "completed", "A1B2"), (2, "completed", "C3D4"), (3, "cancelled", "C3D4")]
    assert len({r["id"] for r in rows}) == 1


def test_what_changes_while_vrs_is_away_is_told_once_as_it_is_then(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    s = c.session()
    vrs.faults(status=503, count=1000)
    made = one(c.record(s))
    one(c.correct(s, made, lotNumber="LATER"))
    wait_for("a try failed", 10, lambda: "vrs_report_failed" in (rig.state / "log/pmhgw-intake.log").read_text())
    assert vrs.told(c.number, "record") == []
    assert vrs.waiting()["waiting"] >= 1
    vrs.faults()
    (record,) = vrs.wait(1, c.number, "record")
    assert (record["version"], record["content"]["lotNumber"]) == (2, "LATER")
    wait_for("nothing waits", 10, lambda: vrs.waiting()["waiting"] == 0)
    assert len(vrs.told(c.number, "record")) == 1


def test_a_crash_of_the_intake_loses_nothing(rig, vrs):
    children = [vrs.child() for _ in range(3)]
    sessions = [c.session() for c in children]
    vrs.faults(delay_ms=400, count=3)
    for c, s in zip(children, sessions):
        one(c.record(s))
        rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    vrs.faults()
    for c in children:
        rows = vrs.wait(1, c.number, "record")
        assert {(r["id"], r["version"]) for r in rows} == {(rows[0]["id"], 1)}, "told again is told the same"
        assert len(vrs.wait(1, c.number, "ticket")) >= 1
    wait_for("nothing waits", 20, lambda: vrs.waiting()["waiting"] == 0)  # or the next fault would meet what is told again


@pytest.mark.parametrize("fault", [{"extra_field": True}, {"missing_field": True}])
def test_a_wrong_answer_leaves_a_dead_letter_that_is_replayed(rig, vrs, fault):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    s = c.session()
    vrs.faults(**fault, count=1)
    made = one(c.record(s))
    wait_for("a dead letter", 10, lambda: vrs.waiting()["not_taken"] == 1)
    assert not recall_is_closed(rig, made), "VRS is not said to have it"
    done = rig.command("vrs", "replay")
    assert done.returncode == 0, (done.stdout, done.stderr)
    vrs.wait(1, c.number, "record")
    wait_for("no dead letter", 10, lambda: vrs.waiting() == {"waiting": 0, "not_taken": 0, "to_take_back": 0})


def recall_is_closed(rig, record):
    return f"{record['immunizationId']},vrs" in rig.muni(MUNI, "GET", "/v1/vaccination/recalls").body.decode()


def test_a_row_that_vrs_does_not_want_keeps_no_other(rig, vrs):
    c, d = vrs.child(), vrs.child()
    vrs.wait(1, c.number, "ticket"), vrs.wait(1, d.number, "ticket")
    s, t = c.session(), d.session()
    vrs.refuse(1)
    one(c.record(s))
    wait_for("refused", 10, lambda: vrs.waiting()["not_taken"] == 1)
    one(d.record(t))
    vrs.wait(1, d.number, "record")
    listed = rig.command("vrs", "list")
    assert listed.returncode == 1 and "not_a_subject" in listed.stdout and c.number not in listed.stdout, listed.stdout
    assert rig.command("vrs", "replay").returncode == 0
    vrs.wait(1, c.number, "record")


def test_garbage_is_no_answer(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    s = c.session()
    vrs.faults(reset=True, count=2)
    one(c.record(s))
    vrs.wait(1, c.number, "record")


def test_a_ticket_that_changes_or_ends_is_told(rig, vrs):
    c = vrs.child()
    first = vrs.wait(1, c.number, "ticket")[0]
    assert c.add_ticket(c.ticket, validTo="2031-03-31")["rows"][0]["result"] == "updated"
    second = vrs.wait(2, c.number, "ticket")[1]
    assert second["id"] == first["id"] and second["version"] > first["version"] and second["content"]["ticket"]["validTo"] == "2031-03-31"
    assert c.add_ticket(c.ticket, modificationSeg="2", removalDate="2026-11-01")["rows"][0]["result"] == "updated"
    third = vrs.wait(3, c.number, "ticket")[2]
    assert (third["content"]["status"], third["content"]["endedOn"]) == ("ended", "2026-11-01")


def test_who_moves_away_is_ended_there_and_is_back_when_it_was_a_mistake(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "subject"), vrs.wait(1, c.number, "ticket")
    moved = {"changeType": "moved_out", "municipalityIdentityKey": c.key, "operationKey": f"vrs-{c.key}", "effectiveDate": "2026-11-01"}
    rig.follow(MUNI, rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [moved]).json()["task_id"])
    for kind in ("subject", "ticket"):
        told = vrs.wait(2, c.number, kind)[-1]["content"]
        assert (told["status"], told["endedOn"], told["endReason"]) == ("ended", "2026-11-01", "moved_out")
    rig.follow(MUNI, rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [{**moved, "changeType": "restored"}]).json()["task_id"])
    for kind in ("subject", "ticket"):
        assert vrs.wait(3, c.number, kind)[-1]["content"]["status"] == "registered"


def test_the_same_again_is_not_told_again(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    assert c.add_ticket(c.ticket)["rows"][0]["result"] == "unchanged"
    one(c.record(c.session()))
    vrs.wait(1, c.number, "record")
    assert len(vrs.told(c.number, "ticket")) == 1


def test_a_silenced_person_is_registered_with_the_flag(rig, vrs):
    """Who answers others keeps silent; VRS holds the municipality's own ledger, and has to know that it must."""
    c = vrs.child(isNotDisclosed=False)
    vrs.wait(1, c.number, "subject")
    row = {**c.base, "isNotDisclosed": True, "vaccinationSubjectNumber": f"V-{c.ticket}"}
    rig.register(MUNI, [row], SUBJECT)
    assert vrs.wait(2, c.number, "subject")[1]["content"]["isNotDisclosed"] is True


def test_an_erased_resident_is_not_told(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    s = c.session()
    vrs.faults(status=503, count=1000)
    one(c.record(s))
    a = rig.muni(MUNI, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "no_longer_needed"})
    assert a.status == 200, a.body
    vrs.faults()
    vrs.settled()
    assert [r["content"] for r in vrs.told(c.number, "record")] == [{"status": "deleted"}], "what VRS may have heard in vain is taken back as well"
    assert vrs.waiting()["not_taken"] == 0


def test_the_citizen_sees_that_vrs_was_told(rig, vrs):
    c = vrs.child()
    vrs.wait(1, c.number, "ticket")
    entry = next(e for e in c.own("access-log").json()["entries"] if e["event"] == "vrs_told")
    assert entry["basis"] == 116 and "VRS" in entry["event_ja"]


def test_an_inquiry_finds_what_was_told(rig, vrs):
    c = vrs.child()
    made = one(c.record(c.session()))
    vrs.wait(1, c.number, "record")
    a = rig.muni("271403", "POST", "/v1/vaccination/inquiries",
                 [{"myNumber": c.number, "previousMunicipalityCode": MUNI, "legalBasis": "90", "consentConfirmed": False}])
    rig.follow("271403", a.json()["task_id"])
    rows = rig.muni("271403", "GET", f"/v1/tasks/{a.json()['task_id']}/results").json()["rows"]
    assert [d["immunizationId"] for d in rows[0]["immunizations"]] == [made["immunizationId"]]


def test_a_new_number_is_told_with_all_that_stands_under_it(rig, vrs):
    c, new = vrs.child(), fresh_number()
    rig.canaries.add(new)
    made = one(c.record(c.session()))
    vrs.wait(1, c.number, "record")
    change = {"changeType": "number_changed", "municipalityIdentityKey": c.key, "operationKey": "vrs-number", "effectiveDate": "2026-11-01", "newMyNumber": new}
    a = rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [change])
    assert a.status == 202, a.body
    rig.follow(MUNI, a.json()["task_id"])
    (record,), (ticket,), (subject,) = vrs.wait(1, new, "record"), vrs.wait(1, new, "ticket"), vrs.wait(1, new, "subject")
    assert (record["id"], record["version"]) == (made["immunizationId"], 1) and ticket["content"]["ticket"]["ticketNumber"] == c.ticket
    assert ticket["id"] == vrs.told(c.number, "ticket")[0]["id"]


def test_a_file_of_tickets_is_told_and_taken_back_with_the_file(rig, vrs):
    base = {"modificationSeg": "1", "basicFiveInfo": row_for("")["basicFiveInfo"], "vaccinationProgramId": MR, "doseNumber": "1", "validFrom": "2020-04-01", "validTo": "2099-03-31"}
    rows = [{**base, "myNumber": fresh_number(), "municipalityIdentityKey": f"vf-{digits(8)}", "ticketNumber": digits()} for _ in range(12)]
    rig.plant(rows)
    file = rig.dir / "tickets.jsonl"
    file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    done = rig.command("import", str(file), "--muni", MUNI, "--form", "ticket")
    assert done.returncode == 0, (done.stdout, done.stderr)
    for r in rows:
        (told,) = vrs.wait(1, r["myNumber"], "ticket")
        assert told["content"]["ticket"]["ticketNumber"] == r["ticketNumber"]
    undone = rig.command("tasks", "undo", re.search(r"[0-9a-f]{32}", done.stdout).group(0), "--muni", MUNI)
    assert undone.returncode == 0, (undone.stdout, undone.stderr)
    for r in rows:
        assert vrs.wait(2, r["myNumber"], "ticket")[-1]["content"] == {"kind": "ticket", "status": "deleted"}
    file.unlink()
