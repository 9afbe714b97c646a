"""A file is taken back and its residents are erased before VRS has heard of the first: what the file had registered is taken back there all the same. What stands
again, here or with somebody else, stays."""

import json
import re
import secrets
import time

import pytest

from rig import fresh_number, row_for, wait_for
from sheet_rig import SUBJECT, TICKET
from vaccine_rig import MR, MUNI, digits
from vrs_rig import erase, kept_at_the_vault, link, nothing_stands, turned_on

NOTHING = {"waiting": 0, "not_taken": 0, "to_take_back": 0}
ROUTE = {"ticket": TICKET, "subject": SUBJECT}
WORD = {"ticket": "ticket", "subject": "vaccination"}


@pytest.fixture(scope="module")
def vrs(rig):
    return turned_on(rig)


@pytest.fixture(autouse=True)
def quiet(rig, vrs):
    yield
    rig.control("PUT", "/faults/pmh", {})
    vrs.faults()
    vrs.settled()
    assert vrs.waiting() == NOTHING


class Person:
    """A row of a file, and whoever is erased by it."""

    muni = MUNI

    def __init__(self, rig, form, ticket=None):
        self.number, self.key, self.ticket, self.form = fresh_number(), f"vu-{secrets.token_hex(5)}", ticket or digits(), form
        rig.canaries.add(self.number)

    def row(self, **more):
        base = {"modificationSeg": "1", "basicFiveInfo": row_for("")["basicFiveInfo"], "myNumber": self.number, "municipalityIdentityKey": self.key}
        own = {"vaccinationProgramId": MR, "doseNumber": "1", "validFrom": "2020-04-01", "validTo": "2099-03-31", "ticketNumber": self.ticket}
        return {**base, **(own if self.form == "ticket" else {"isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{self.ticket}"}), **more}

    def register(self, rig, **more):
        return rig.register(MUNI, [self.row(**more)], ROUTE[self.form])


def send(rig, people, *how):
    """The task of a file with a row of each."""
    file = rig.dir / "vrs-undone.jsonl"
    file.write_text("".join(json.dumps(p.row(), ensure_ascii=False) + "\n" for p in people))
    done = rig.command("import", str(file), "--muni", MUNI, "--form", WORD[people[0].form], *how)
    assert done.returncode in (0, 1), (done.stdout, done.stderr)
    file.unlink()
    return re.search(r"[0-9a-f]{32}", done.stdout).group(0)


def undo(rig, task):
    undone = rig.command("tasks", "undo", task, "--muni", MUNI)
    assert undone.returncode == 0, (undone.stdout, undone.stderr)


def known(rig, vrs, form, n=3):
    """People of a file of whom VRS has what the file said, and the file."""
    people = [Person(rig, form) for _ in range(n)]
    task = send(rig, people)
    for p in people:
        vrs.wait(1, p.number, form)
    vrs.settled()
    return people, task


def away(vrs):
    vrs.faults(status=503, count=100000)


def here(vrs):
    vrs.faults()
    vrs.settled()


@pytest.mark.parametrize("form", ["ticket", "subject"])
def test_nothing_of_a_file_stays_there_when_its_residents_are_erased_before_vrs_has_heard_of_its_undo(rig, vrs, form):
    before = kept_at_the_vault(rig)
    people, task = known(rig, vrs, form)
    away(vrs)
    undo(rig, task)
    assert vrs.waiting() == {"waiting": 3, "not_taken": 0, "to_take_back": 3}
    for p in people:
        assert erase(rig, p) == 0, "there is nothing left of it here"
    assert len(kept_at_the_vault(rig) - before) == 3
    for daemon in ("pmhgw-intake", "pmhgw-vault"):  # neither has it in memory
        rig.wait_back(daemon, rig.kill(daemon))
    rig.wait_healthy()
    vrs.faults()
    for p in people:
        nothing_stands(vrs, p.number)
        assert vrs.told(p.number)[-1]["content"] == {"kind": form, "status": "deleted"}
    vrs.settled()
    wait_for("the numbers were let go", 20, lambda: kept_at_the_vault(rig) <= before)
    assert vrs.waiting() == NOTHING


def test_rows_that_had_waited_for_pmh_are_taken_back_there_as_well(rig, vrs):
    db = link(rig)
    rig.control("PUT", "/faults/pmh", {"status": 503})
    people = [Person(rig, "ticket") for _ in range(3)]
    task = send(rig, people, "--no-wait")
    wait_for("they wait", 30, lambda: db("HLEN", f"o:{MUNI}:{task}") == 3)
    rig.control("PUT", "/faults/pmh", {})
    for p in people:
        vrs.wait(1, p.number, "ticket", seconds=40)
    vrs.settled()
    assert db("HLEN", f"tu:{MUNI}:{task}") == 3
    away(vrs)
    undo(rig, task)
    for p in people:
        erase(rig, p)
    here(vrs)
    for p in people:
        nothing_stands(vrs, p.number)


def test_who_is_not_erased_has_nothing_there_either(rig, vrs):
    """The number is still the resident's then, and no ticket of the vault is needed for it."""
    people, task = known(rig, vrs, "ticket")
    undo(rig, task)
    for p in people:
        nothing_stands(vrs, p.number)
    vrs.settled()
    assert [len([r for r in vrs.told(p.number) if r["content"]["status"] == "deleted"]) for p in people] == [1, 1, 1], "once each"


def test_what_vrs_never_heard_of_is_not_registered_there(rig, vrs):
    """VRS may be told to delete what it does not have."""
    away(vrs)
    people = [Person(rig, "ticket") for _ in range(3)]
    undo(rig, send(rig, people))
    erase(rig, people[0])
    here(vrs)
    for p in people:
        assert {r["content"]["status"] for r in vrs.told(p.number)} == {"deleted"}


def test_a_registration_that_vrs_refused_ends_with_its_file(rig, vrs):
    p = Person(rig, "ticket")
    vrs.refuse(1)
    task = send(rig, [p])
    wait_for("refused", 15, lambda: vrs.waiting()["not_taken"] == 1)
    undo(rig, task)
    vrs.settled()
    assert vrs.waiting() == NOTHING, "there is nothing for an officer any more"


def test_what_is_registered_anew_before_vrs_has_heard_stands_there(rig, vrs):
    people, task = known(rig, vrs, "ticket")
    anew, erased, gone = people
    away(vrs)
    undo(rig, task)
    assert anew.register(rig, validTo="2031-03-31")["rows"][0]["result"] == "registered"
    erase(rig, erased)
    assert erased.register(rig, validTo="2031-03-31")["rows"][0]["result"] == "registered"
    here(vrs)
    for p in (anew, erased):
        assert [r["content"]["ticket"]["validTo"] for r in vrs.stands(p.number)] == ["2031-03-31"]
    assert vrs.stands(gone.number) == []


def test_the_right_file_behind_a_wrong_one_leaves_its_tickets_with_the_right_residents(rig, vrs):
    wrong, task = known(rig, vrs, "ticket")
    away(vrs)
    undo(rig, task)
    right = [Person(rig, "ticket", ticket=p.ticket) for p in wrong]
    send(rig, right)
    for p in wrong:
        erase(rig, p)
    here(vrs)
    assert [(len(vrs.stands(p.number)), len(vrs.stands(q.number))) for p, q in zip(wrong, right)] == [(0, 1)] * 3


def test_a_ticket_that_an_officer_has_given_to_somebody_else_stays_theirs(rig, vrs):
    (p,), task = known(rig, vrs, "ticket", 1)
    other = Person(rig, "ticket", ticket=p.ticket)
    held = other.register(rig)
    assert held["rows"][0]["code"] == "ticket_of_another", held
    assert rig.muni(MUNI, "POST", f"/v1/tasks/{held['task_id']}/release", {"rows": [1], "officer": "sato"}).status == 200
    vrs.wait(1, other.number, "ticket")
    vrs.settled()
    undo(rig, task)
    vrs.settled()
    assert len(vrs.stands(other.number)) == 1 and vrs.stands(p.number) == []


def test_an_undo_that_is_killed_marks_all_of_it(rig, vrs):
    people, task = known(rig, vrs, "ticket", 200)
    db = link(rig)
    away(vrs)
    asked = rig.muni(MUNI, "POST", f"/v1/tasks/{task}/undo")
    assert asked.status == 202, asked.body
    for _ in range(3):
        had = db("ZCARD", "vw")
        wait_for("it goes on", 30, lambda: db("ZCARD", "vw") > had or db("ZCARD", "vw") == len(people))
        time.sleep(0.005)
        rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    rig.wait_healthy()
    wait_for("all of it is marked, once", 40, lambda: vrs.waiting() == {"waiting": len(people), "not_taken": 0, "to_take_back": len(people)})
    erased = people[::10]
    for p in erased:
        assert erase(rig, p) == 0
    here(vrs)
    assert [p for p in people if vrs.stands(p.number)] == []
