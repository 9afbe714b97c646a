"""What VRS has of a resident who is erased, was registered by mistake or has another number is taken back there or moved; flags are told; and who dies on the way
loses nothing.

PMHGW_VRS_KILLS    kills in the middle of an erasure, of each process (1)"""

import http.client
import os
import random
import secrets
import threading
import time

import pytest

from front_rig import Redis
from rig import fresh_number, wait_for
from vaccine_rig import MUNI, OTHER, one
from vrs_rig import erase, kept_at_the_vault, link, nothing_stands, turned_on

KILLS = int(os.environ.get("PMHGW_VRS_KILLS", 1))  # in the middle of an erasure, of each process
FLAGS = {"isNotDisclosed": False, "isViewingStopped": False, "isRecovery": False}


@pytest.fixture(scope="module")
def vrs(rig):
    return turned_on(rig)


@pytest.fixture(autouse=True)
def quiet(vrs):
    yield
    vrs.faults()
    vrs.settled()
    assert vrs.waiting() == {"waiting": 0, "not_taken": 0, "to_take_back": 0}


def full(vrs, **more):
    """A child of whom VRS has subject, ticket and record."""
    c = vrs.child(**more)
    c.made = one(c.record(c.session()))
    wait_for("VRS has three of it", 15, lambda: len(vrs.stands(c.number)) == 3)
    return c


def change(rig, kind, c, **more):
    row = {"changeType": kind, "municipalityIdentityKey": c.key, "operationKey": f"op-{secrets.token_hex(6)}", "effectiveDate": "2026-11-01", **more}
    a = rig.muni(c.muni, "POST", "/v1/residents/change-tasks", [row])
    assert a.status == 202, a.body
    task = rig.follow(c.muni, a.json()["task_id"])
    assert task["rows"][0]["result"] in ("updated", "registered"), task
    return row


def flags(rig, c, **raised):
    a = rig.muni(c.muni, "PUT", "/v1/residents/flags", {"municipalityIdentityKey": c.key, "reason": "domestic_violence", **FLAGS, **raised})
    assert a.status == 200, a.body


def test_all_of_an_erased_resident_is_taken_back(rig, vrs):
    c = full(vrs)
    assert erase(rig, c) == 3
    nothing_stands(vrs, c.number)
    newest = {r["id"]: r for r in vrs.told(c.number)}
    assert sorted(str(r["content"]) for r in newest.values()) == sorted(str(x) for x in (
        {"kind": "subject", "status": "deleted"}, {"kind": "ticket", "status": "deleted"}, {"status": "deleted"}))
    vrs.settled()


def test_an_erasure_is_acknowledged_while_vrs_is_away_and_taken_back_when_it_is_here(rig, vrs):
    c = full(vrs)
    vrs.faults(status=503, count=100000)
    assert erase(rig, c) == 3
    assert vrs.waiting()["to_take_back"] == 3
    for daemon in ("pmhgw-intake", "pmhgw-vault"):  # neither has it in memory
        rig.wait_back(daemon, rig.kill(daemon))
    rig.wait_healthy()
    assert len(vrs.stands(c.number)) == 3
    vrs.faults()
    nothing_stands(vrs, c.number)
    vrs.settled()
    assert erase(rig, c) == 0


def test_who_is_registered_again_before_vrs_heard_of_the_erasure_stands_there(rig, vrs):
    c = full(vrs)
    vrs.faults(status=503, count=100000)
    erase(rig, c)
    assert c.add_ticket(c.ticket)["rows"][0]["result"] == "registered"
    vrs.faults()
    vrs.settled()
    assert [r["content"].get("kind") for r in vrs.stands(c.number)] == ["ticket"], "what was registered anew, and nothing of before"


def test_a_wrong_registration_is_taken_back_and_comes_back_with_its_undo(rig, vrs):
    c = full(vrs)
    row = change(rig, "wrong_registration", c)
    nothing_stands(vrs, c.number)
    a = rig.muni(c.muni, "POST", "/v1/residents/change-tasks", [{**row, "changeType": "restored"}])
    rig.follow(c.muni, a.json()["task_id"])
    wait_for("all of it is there again", 20, lambda: len(vrs.stands(c.number)) == 3)
    vrs.settled()
    assert len(vrs.stands(c.number)) == 3


def test_a_wrong_registration_that_is_undone_at_once_leaves_all_where_it_is(rig, vrs):
    c = full(vrs)
    vrs.faults(status=503, count=100000)
    row = change(rig, "wrong_registration", c)
    a = rig.muni(c.muni, "POST", "/v1/residents/change-tasks", [{**row, "changeType": "restored"}])
    rig.follow(c.muni, a.json()["task_id"])
    vrs.faults()
    vrs.settled()
    assert len(vrs.stands(c.number)) == 3


def test_nothing_stays_under_an_old_number(rig, vrs):
    c, new = full(vrs), fresh_number()
    rig.canaries.add(new)
    change(rig, "number_changed", c, newMyNumber=new)
    wait_for("all of it is under the new number", 20, lambda: len(vrs.stands(new)) == 3)
    nothing_stands(vrs, c.number)


def test_of_two_who_become_one_all_stands_under_one_number_and_goes_back_again(rig, vrs):
    kept, gone = full(vrs), full(vrs)
    row = change(rig, "merged", kept, otherMunicipalityIdentityKey=gone.key)
    wait_for("all of both is under one number", 20, lambda: (len(vrs.stands(kept.number)), len(vrs.stands(gone.number))) == (5, 0))
    a = rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [{**row, "changeType": "unmerged"}])
    rig.follow(MUNI, a.json()["task_id"])
    wait_for("each has its own again", 20, lambda: (len(vrs.stands(kept.number)), len(vrs.stands(gone.number))) == (3, 3))


def test_a_row_stands_in_a_message_once_however_many_marks_it_has(rig, vrs):
    c, new = full(vrs), fresh_number()
    rig.canaries.add(new)
    vrs.faults(status=503, count=100000)
    change(rig, "number_changed", c, newMyNumber=new)
    c.pmh_key = c.town.pmh_key(new)
    one(c.correct(c.session(), c.made, lotNumber="MOVED"))
    before = len(vrs.told())
    vrs.faults()
    wait_for("the correction is there", 20, lambda: any(r["content"].get("lotNumber") == "MOVED" for r in vrs.stands(new)))
    vrs.settled()
    told = [(r["requestId"], r["id"]) for r in vrs.told()[before:]]
    assert len(told) == len(set(told)), "twice in one message"


def test_who_is_erased_while_the_old_number_is_being_taken_back_leaves_nothing_there(rig, vrs):
    c, new = full(vrs), fresh_number()
    rig.canaries.add(new)
    vrs.faults(status=503, count=100000)
    change(rig, "number_changed", c, newMyNumber=new)
    erase(rig, c)
    vrs.faults()
    nothing_stands(vrs, c.number)
    nothing_stands(vrs, new)


def test_an_end_is_told_as_an_end_and_not_taken_back(rig, vrs):
    c = full(vrs)
    change(rig, "died", c)
    wait_for("the end is there", 20, lambda: {r["content"].get("endReason") for r in vrs.stands(c.number)} == {"died", None})
    assert len(vrs.stands(c.number)) == 3, "records stay for as long as they are kept here"


def test_flags_that_are_set_without_a_registration_are_told(rig, vrs):
    c = full(vrs)
    said = lambda: {r["content"]["isNotDisclosed"] for r in vrs.stands(c.number) if "kind" in r["content"]}
    assert said() == {False}
    for raised, told in (({"isNotDisclosed": True}, True), ({}, False), ({"isViewingStopped": True}, True)):
        flags(rig, c, **raised)
        wait_for(f"VRS knows {raised}", 15, lambda: said() == {told})


def test_a_municipality_that_vrs_does_not_take_holds_no_other(rig, vrs):
    c, d = vrs.child(), vrs.child(muni=OTHER)
    vrs.settled()
    vrs.refuse(1)
    c.add_ticket(c.ticket, validTo="2031-03-31")
    wait_for("refused", 15, lambda: vrs.waiting()["not_taken"] == 1)
    d.add_ticket(d.ticket, validTo="2031-03-31")
    wait_for("the other one is told", 15, lambda: any(r["content"].get("ticket", {}).get("validTo") == "2031-03-31" for r in vrs.stands(d.number)))
    assert rig.command("vrs", "replay").returncode == 0


def test_a_mark_of_somebody_who_is_no_subject_ends_and_is_shown(rig, vrs):
    db = link(rig)
    before = set(db("ZRANGE", f"vi:{MUNI}", 0, -1))
    c = vrs.child()
    vrs.settled()
    (h,) = set(db("ZRANGE", f"vi:{MUNI}", 0, -1)) - before
    person, tie = b"p:{" + h + b"}", f"s:{MUNI}"
    sid, words = db("HGET", person, tie), db("HGETALL", person)
    ticket = next(w for w in words[::2] if w.startswith(b"k:"))
    db("HDEL", person, tie)
    db("ZADD", "vq", 1, h + b":" + ticket)
    wait_for("it has ended", 15, lambda: vrs.waiting()["not_taken"] == 1)
    listed = rig.command("vrs", "list")
    assert listed.returncode == 1 and "no_tie" in listed.stdout and c.number not in listed.stdout, listed.stdout
    doctor = rig.command("doctor")
    assert "1 registrations were not taken by VRS" in doctor.stdout + doctor.stderr
    ident = listed.stdout.split("ticket")[1].split()[0]
    assert rig.command("vrs", "drop").returncode == 2, "nothing is given up without being named"
    assert rig.command("vrs", "drop", "0" * 16).returncode == 0 and vrs.waiting()["not_taken"] == 1
    assert rig.command("vrs", "replay", ident).returncode == 0
    wait_for("it has ended again", 15, lambda: vrs.waiting() == {"waiting": 0, "not_taken": 1, "to_take_back": 0})
    assert rig.command("vrs", "drop", ident).returncode == 0 and vrs.waiting()["not_taken"] == 0
    db("HSET", person, tie, sid)


def test_a_mark_that_is_read_in_the_middle_of_an_erasure_is_nothing_for_an_officer(rig, vrs):
    """What stood there is gone, and so is its number, and the tie is still there: an erasure has its own marks for what is to be taken back."""
    db = link(rig)
    vault = Redis(rig.state / "run/redis-vault.sock", "vault", (rig.state / "keys/redis-vault.pass").read_text().strip())
    before = set(db("ZRANGE", f"vi:{MUNI}", 0, -1))
    vrs.child()
    vrs.settled()
    (h,) = set(db("ZRANGE", f"vi:{MUNI}", 0, -1)) - before
    person, tie = b"p:{" + h + b"}", f"s:{MUNI}"
    words, sid = db("HGETALL", person), db("HGET", person, tie)
    ticket = next(w for w in words[::2] if w.startswith(b"k:"))
    mark, sealed, number = h + b":" + ticket, db("HGET", person, ticket), vault("GET", b"n:" + sid)
    assert number
    vault("DEL", b"n:" + sid)
    db("HDEL", person, ticket)
    db("ZADD", "vq", 1, mark)
    wait_for("it was looked at", 20, lambda: db("ZSCORE", "vq", mark) != b"1")
    assert vrs.waiting() == {"waiting": 1, "not_taken": 0, "to_take_back": 0}
    db("HDEL", person, tie)
    vrs.settled()
    assert vrs.waiting() == {"waiting": 0, "not_taken": 0, "to_take_back": 0}
    db("HSET", person, tie, sid, ticket, sealed)
    vault("SET", b"n:" + sid, number)


def versions_of(vrs, c):
    """Of each row of the number that was taken back, the versions under which that was said."""
    out = {}
    for r in vrs.told(c.number):
        if r["content"]["status"] == "deleted":
            out.setdefault(r["id"], set()).add(r["version"])
    return out


def test_a_death_on_the_way_loses_nothing_and_says_it_again_as_the_same(rig, vrs):
    c = full(vrs)
    vrs.faults(delay_ms=300, count=2)
    assert erase(rig, c) == 3
    for name in ("redis-link", "redis-vault"):
        rig.wait_back(name, rig.kill(name))
    rig.wait_healthy(60)
    vrs.settled(40)
    assert vrs.stands(c.number) == []
    assert [len(v) for v in versions_of(vrs, c).values()] == [1, 1, 1], "one that comes twice is the same to VRS"


@pytest.mark.parametrize("name", ["pmhgw-intake", "pmhgw-vault", "redis-link", "redis-vault"])
def test_a_death_in_the_middle_of_an_erasure_is_completed_by_the_same_request(rig, vrs, name):
    for _ in range(KILLS):
        c = full(vrs)
        vrs.faults(status=503, count=100000)
        sent = threading.Thread(target=lambda c=c: attempt(rig, c))
        sent.start()
        time.sleep(random.uniform(0, 0.03))
        rig.wait_back(name, rig.kill(name))
        sent.join(60)
        rig.wait_healthy(60)
        wait_for("the erasure is acknowledged", 30, lambda: attempt(rig, c) == 200)
        vrs.faults()
        nothing_stands(vrs, c.number)
        vrs.settled(40)


def attempt(rig, c):
    """The status, or None when the connection was lost."""
    try:
        return rig.muni(c.muni, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "no_longer_needed"}).status
    except (OSError, http.client.HTTPException):
        return None


def test_the_vault_keeps_a_number_for_as_long_as_vrs_is_away_and_no_longer(rig, vrs):
    c = full(vrs)
    before = kept_at_the_vault(rig)  # a ticket of one whose vault died at the very moment may be there for 30 days
    assert len(before) <= 2
    vrs.faults(status=503, count=100000)
    erase(rig, c)
    assert len(kept_at_the_vault(rig) - before) == 1
    vrs.faults()
    wait_for("it was let go", 20, lambda: kept_at_the_vault(rig) <= before)
    nothing_stands(vrs, c.number)
