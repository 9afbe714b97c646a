"""A redis-link that comes back older than an erasure has lost what VRS was to take back: `pmhgw reconcile` marks it once more."""

import pytest

from rig import wait_for
from vaccine_rig import MUNI, one
from vrs_rig import erase, kept_at_the_vault, link, nothing_stands, turned_on


@pytest.fixture(scope="module")
def vrs(rig):
    return turned_on(rig)


def full(vrs, db):
    """A child of whom VRS has subject, ticket and record, and where it is stored."""
    before = set(db("ZRANGE", f"vi:{MUNI}", 0, -1))
    c = vrs.child()
    c.made = one(c.record(c.session()))
    wait_for("VRS has three of it", 15, lambda: len(vrs.stands(c.number)) == 3)
    (h,) = set(db("ZRANGE", f"vi:{MUNI}", 0, -1)) - before
    c.person = b"p:{" + h + b"}"
    return c


def fields(db, c):
    return sorted(f for f in db("HGETALL", c.person)[::2] if f[:2] in (b"v:", b"k:", b"i:", b"q:", b"s:") or f[:3] == b"nt:")


def test_vrs_hears_of_an_erasure_that_the_store_has_forgotten(rig, vrs):
    db = link(rig)
    stays, heard, waits = (full(vrs, db) for _ in range(3))
    vrs.settled()
    kept = kept_at_the_vault(rig)
    copy = rig.copy_store()
    erase(rig, heard)
    nothing_stands(vrs, heard.number)
    vrs.settled()
    vrs.faults(status=503, count=100000)
    erase(rig, waits)
    assert vrs.waiting() == {"waiting": 3, "not_taken": 0, "to_take_back": 3} and len(kept_at_the_vault(rig) - kept) == 1
    rig.put_store_back(copy)
    db = link(rig)
    assert rig.reconcile("--dry-run")["vrs_to_take_back"] == 6 and db("ZCARD", "vw") == 0, "nothing was changed"
    assert len(fields(db, waits)) >= 4
    told = rig.reconcile()
    assert told["vrs_to_take_back"] == 6 and told["erasures"] == 2, told
    rig.wait_ready()
    wait_for("VRS was told to delete all three", 20, lambda: [r["content"]["status"] for r in vrs.told(waits.number)] == ["deleted"] * 3)
    vrs.settled()
    wait_for("the number was let go", 20, lambda: kept_at_the_vault(rig) <= kept)
    assert vrs.waiting() == {"waiting": 0, "not_taken": 3, "to_take_back": 3}, "of the other one the vault has no number any more, since VRS had heard"
    assert vrs.told(heard.number) == [] == vrs.told(stays.number)
    assert fields(db, waits) == [] == fields(db, heard) and len(fields(db, stays)) >= 4
    listed = rig.command("vrs", "list")
    assert listed.returncode == 1 and listed.stdout.count("no_number") == 3, listed.stdout
    left = [line.split()[2] for line in listed.stdout.splitlines() if "no_number" in line]
    assert rig.command("vrs", "drop", *left).returncode == 0
    assert vrs.waiting() == {"waiting": 0, "not_taken": 0, "to_take_back": 0}
    assert rig.reconcile("--all")["vrs_to_take_back"] == 0, "what is told twice marks nothing"
