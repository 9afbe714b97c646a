"""Changes of residents against rows that are under way, each at the moment where they could miss each other (bulk_rig.py)."""

import itertools
import json
import random
import threading
import time

import pytest

from bulk_rig import BulkRig, csv_of
from intake_rig import number, row

SEEDS = itertools.count(50_000_000_000 + random.SystemRandom().randrange(10**10))
KEYS = itertools.count(random.randrange(10**6) * 1000)


def fresh():
    return number(next(SEEDS))


def key():
    return f"K-{next(KEYS)}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = BulkRig(tmp_path_factory.mktemp("f"), retry_min_ms=100, retry_max_ms=1000)
    try:
        yield r.up()
    finally:
        r.down()


def change(rig, kind, who, **more):
    ask = {"changeType": kind, "municipalityIdentityKey": who, "effectiveDate": "2026-01-01", "operationKey": key(), **more}
    status, doc = rig.call("POST", "/v1/residents/change-tasks", json.dumps([ask]).encode(), token=rig.token())
    assert status == 202, doc
    return doc["rows"][0]["result"], doc["rows"][0].get("code")


def persons(rig):
    """{person: its certificates here}"""
    out = {}
    for name in rig.redis("redis-link", "--scan", "--pattern", "p:*"):
        fields = sorted(f for f in rig.redis("redis-link", "HKEYS", name) if f.startswith("r:331007:"))
        if fields:
            out[name] = fields
    return out


def grown(rig, before):
    return {p: f for p, f in persons(rig).items() if before.get(p) != f}


class SlowAbout:
    """PMH takes its time about one number; the batch of that row keeps its names meanwhile."""

    def __init__(self, rig, num, seconds=1.0):
        self.rig, self.num, self.seconds, self.asked = rig, num, seconds, threading.Event()

    def __enter__(self):
        self.rig.pmh.fault = self.answer
        return self

    def __exit__(self, *_):
        self.rig.pmh.fault = None

    def answer(self, entries):
        if any(e["myNumber"] == self.num for e in entries):
            self.asked.set()
            time.sleep(self.seconds)
        return self.rig.pmh.answer(entries)


@pytest.mark.parametrize("kind", ["number_changed", "wrong_registration"])
def test_a_row_by_an_earlier_number_does_not_miss_a_change_while_its_batch_waits_for_pmh(rig, kind):
    who, old, slow = key(), fresh(), fresh()
    before = persons(rig)
    rig.register_done([row(old, municipalityIdentityKey=who)])
    assert change(rig, "number_changed", who, newMyNumber=fresh()) == ("updated", None)
    with SlowAbout(rig, slow) as pmh:
        task = rig.put(csv_of([{"number": old, "type_id": "hitori01"}, {"number": slow, "rk": key()}]))
        assert pmh.asked.wait(10)
        done = change(rig, kind, who, **({"newMyNumber": fresh()} if kind == "number_changed" else {}))
        assert done == ("updated", None)
        rig.done(task)
    after = grown(rig, before)
    for person in after:
        subject = rig.redis("redis-link", "HGET", person, "s:331007")[0]
        assert subject, f"records of nobody: {after[person]}"
        assert rig.redis("redis-link", "HGET", f"s:{subject}", "to") == [""]
    if kind == "number_changed":
        assert sorted(map(len, after.values())) == [1, 2], after


def test_many_rows_of_one_resident_come_through_while_the_number_changes(rig):
    """They know the key of the person that it was when they were read."""
    who, numbers = key(), [fresh(), fresh()]
    types = [f"art{i:02d}" for i in range(16)]
    rig.register_done([row(numbers[0], municipalityIdentityKey=who)])
    token, tasks = rig.token(), []
    for n in range(4):
        slow, now, then = fresh(), numbers[n % 2], numbers[(n + 1) % 2]
        with SlowAbout(rig, slow, 0.3) as pmh:
            file = rig.put(csv_of([{"number": now}, {"number": slow, "rk": key()}]))
            assert pmh.asked.wait(10)
            status, doc = rig.register([row(now, type_id=t, certificationName=f"{n}") for t in types], token=token)
            assert status == 202
            tasks.append(doc["task_id"])
            assert change(rig, "number_changed", who, newMyNumber=then) == ("updated", None)
            rig.done(file)
        start = time.monotonic()
        rig.wait_task(doc["task_id"], seconds=15)
        assert time.monotonic() - start < 3, "rows that waited for a name are not looked at again"
    for task in tasks:
        counts = rig.wait_task(task)["counts"]
        assert counts["waiting"] == counts["quarantined"] == counts["refused"] == 0, counts
    mine = [f for f in persons(rig).values() if len(f) > 2]
    assert [len(f) for f in mine] == [1 + len(types)], mine


def test_a_merge_that_would_be_too_much_is_not_begun(rig):
    keys, before = [key(), key()], persons(rig)
    for who, n, kind in zip(keys, (200, 100), "ab"):
        num = fresh()
        rig.register_done([row(num, type_id=f"{kind}{i:03d}", municipalityIdentityKey=who) for i in range(n)])
    assert sorted(map(len, grown(rig, before).values())) == [100, 200]
    ask = {"changeType": "merged", "municipalityIdentityKey": keys[0], "otherMunicipalityIdentityKey": keys[1], "effectiveDate": "2026-01-01",
           "operationKey": key()}
    task = rig.put(json.dumps(ask).encode(), operation="postResidentChangeTasks", source="json_lines")
    fields, _ = rig.done(task)
    assert fields["quarantined"] == "1", fields
    for what, code in (("release", "too_much_to_change"), ("replay", "too_much_to_change"), ("discard", "discarded_by_officer")):
        status, doc = rig.call("POST", f"/v1/tasks/{task}/{what}", b'{"rows":[1],"officer":"sato"}', token=rig.token())
        assert status == 200 and doc["rows"][0]["code"] == code, doc
    fields = rig.fields(task)
    assert (fields["quarantined"], fields["refused"]) == ("0", "1")
    assert sorted(map(len, grown(rig, before).values())) == [100, 200], "nothing was done"
    assert rig.redis("redis-link", "ZCARD", "ch:todo") == ["0"]
    assert change(rig, "moved_out", keys[1]) == ("updated", None)
