"""Rows that were received before their resident was erased, and come to be applied after: of files, of requests, of the outbox. None brings the resident back;
what is received afterwards registers anew."""

import itertools
import os
import random
import secrets
import threading
import time

import pytest

from bulk_rig import BulkRig, csv_of
from intake_rig import number, row, wait_for

SEEDS = itertools.count(20_000_000_000 + random.SystemRandom().randrange(10**9))
GONE = ("refused", "resident_erased_since")
AHEAD = 4096 + 128  # rows that a file has in the air at most, and one batch more
KILLS = int(os.environ.get("PMHGW_ERASE_KILLS", 3))
MUNI, NOTED = "331007", "er:331007"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = BulkRig(tmp_path_factory.mktemp("e"), retry_min_ms=100, retry_max_ms=1000)
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture
def gate(rig):
    """PMH answers while it is set."""
    opened = threading.Event()
    opened.set()
    rig.pmh.fault = lambda entries: (opened.wait(30), rig.pmh.answer(entries))[1]
    yield opened
    rig.pmh.fault = None
    opened.set()


def fresh(n=1):
    return [number(next(SEEDS)) for _ in range(n)]


def now_ms():
    return int(time.time() * 1000)


def names(rig, pattern, store="redis-link"):
    return set(rig.redis(store, "KEYS", pattern)) - {""}


class Resident:
    def __init__(self, rig):
        self.rig, self.key, (self.num,) = rig, f"jumin-{secrets.token_hex(6)}", fresh()
        before = names(rig, "rk:*"), names(rig, "p:*")
        assert rig.register_done([row(self.num, municipalityIdentityKey=self.key)])["counts"]["registered"] == 1
        (self.rk,), (self.person,) = names(rig, "rk:*") - before[0], names(rig, "p:*") - before[1]

    def row(self, **more):
        return {"number": self.num, "rk": self.key, **more}

    def erase(self):
        return erase(self.rig, self.key)

    @property
    def there(self):
        """Whether anything leads to the resident, or is known of the person."""
        return bool(int(self.rig.redis("redis-link", "EXISTS", self.rk, self.person)[0]))


def erase(rig, key, token=None):
    body = ('{"municipalityIdentityKey":"%s","reason":"no_longer_needed"}' % key).encode()
    return rig.call("POST", "/v1/residents/erase", body, "muni-331007", token or rig.token())


def told(results):
    return [(r.result, r.code) for r in results]


def before(rig, rows, accepted=None, **more):
    """A file that was received then, or five seconds ago, and has its turn now."""
    return rig.done(rig.put(csv_of(rows), accepted=accepted or now_ms() - 5000, **more))[1]


# ---- a file that is being applied ----

def test_later_rows_of_a_running_file_do_not_bring_anybody_back(rig, gate):
    gone, stays = [Resident(rig) for _ in range(4)], Resident(rig)
    gate.clear()
    vault, others = names(rig, "n:*", "redis-vault"), fresh(AHEAD + 3000)
    rows = [{"number": n} for n in others]
    places = AHEAD, AHEAD + 1, AHEAD + 200, AHEAD + 2500
    for at, resident in zip(places, gone):
        rows[at] = resident.row(address="転居先")
    rows[AHEAD + 1]["rk"] = ""  # known by the person alone
    rows[AHEAD + 2] = stays.row(address="転居先")
    asked = rig.pmh.requests
    task = rig.put(csv_of(rows))
    wait_for(lambda: rig.pmh.requests > asked, 20, "the file is running")
    assert [r.erase() for r in gone] == [(200, {"erased": 1})] * 4
    gate.set()
    fields, results = rig.done(task)
    assert told(results[at] for at in places) == [GONE] * 4
    assert (results[AHEAD + 2].result, fields["refused"], fields["registered"]) == ("updated", "4", str(len(rows) - 5))
    assert [r.there for r in gone] == [False] * 4 and stays.there
    wait_for(lambda: len(names(rig, "n:*", "redis-vault") - vault) == len(rows) - 5, 10, "no number of them is left at the vault")
    rig.pmh.fault = None
    fields, results = rig.done(rig.put(csv_of([r.row() for r in gone])))
    assert told(results) == [("registered", "")] * 4 and all(r.there for r in gone), "what comes afterwards registers anew"


def test_whatever_the_order_of_erasures_and_batches(rig):
    """A row is applied before its resident is erased, or not at all."""
    people, n = [Resident(rig) for _ in range(20)], 12000
    rows = [{"number": x, "rk": f"{people[0].key}-{i}"} for i, x in enumerate(fresh(n))]
    places = sorted(random.sample(range(n), len(people)))
    for at, resident in zip(places, people):
        rows[at] = resident.row(address="転居先")
    token = rig.token()
    task = rig.put(csv_of(rows))
    wait_for(lambda: rig.fields(task).get("st") == "processing", 20, "the file is running")
    for resident in reversed(people):
        wait_for(lambda: erase(rig, resident.key, token)[0] == 200, 30, "while a batch has its names: 503")
    results = rig.done(task)[1]
    assert {told([results[at]])[0] for at in places} <= {GONE, ("updated", "")}
    assert GONE in told(results), "some are erased while the file is running"
    assert not [r.key for r in people if r.there]
    assert len([r for r in results if r.result == "registered"]) == n - len(people)


def test_a_file_that_waited_for_its_turn(rig):
    """Looked at before the numbers go to the vault; the same key with another number, and the same number with another key or none, is the resident too."""
    r, other = Resident(rig), Resident(rig)
    received = now_ms()
    assert r.erase() == (200, {"erased": 1})
    vault = names(rig, "*", "redis-vault")
    for rows in ([r.row()], [r.row(number=fresh()[0])], [r.row(rk="")], [r.row(rk=r.key + "-2")], [r.row(), r.row(type_id="kodomo02"), r.row()]):
        assert told(before(rig, rows, received)) == [GONE] * len(rows), rows
    assert told(before(rig, [r.row()], received, mode="dry_run")) == [GONE], "a dry run tells the same"
    assert told(before(rig, [other.row(address="転居先"), {"number": fresh()[0]}], received)) == [("updated", ""), ("registered", "")]
    assert not r.there
    wait_for(lambda: len([n for n in names(rig, "*", "redis-vault") - vault if n[0] in "ni"]) == 2, 10, "the number of the new one alone, and its index")
    assert told(rig.done(rig.put(csv_of([r.row()])))[1]) == [("registered", "")]
    assert told(before(rig, [r.row(address="前の住所")])) == [GONE], "it is what was erased, even now"


def test_who_was_erased_before_anything_came(rig):
    key, (num,) = f"jumin-{secrets.token_hex(6)}", fresh()
    assert erase(rig, key) == (200, {"erased": 0})
    assert told(before(rig, [{"number": num, "rk": key}])) == [GONE]
    assert told(rig.done(rig.put(csv_of([{"number": num, "rk": key}])))[1]) == [("registered", "")]


def test_another_municipality_is_not_meant(rig):
    r = Resident(rig)
    assert r.erase()[0] == 200
    task = rig.put(csv_of([r.row()]), muni="271403", accepted=now_ms() - 5000)
    assert told(rig.done(task, "271403")[1]) == [("registered", "")]


def killed_with_rows_in_the_outbox(rig, rows):
    """A file whose intake is dead, of which some rows went to the outbox and no checkpoint knows it."""
    for _ in range(10):
        rig.pmh.stop()
        task = rig.put(csv_of(rows()))
        wait_for(lambda: rig.redis("redis-link", "HEXISTS", f"o:{MUNI}:{task}", 1) == ["1"], 20, "rows in the outbox")
        rig.kill("intake")
        if rig.fields(task)["st"] == "processing" and rig.fields(task).get("ck", "0") == "0":
            return task
        rig.pmh.start()
        rig.start("intake")
        rig.wait_healthy()
        rig.done(task)
    pytest.fail("every file was faster")


def test_a_row_that_left_the_file_before_a_crash_is_told_once(rig, gate):
    """The erasure drops it where it waits; the file comes by again, and finds that it is not its own any more."""
    key, n = f"jumin-{secrets.token_hex(6)}", 3000
    task = killed_with_rows_in_the_outbox(rig, lambda: [{"number": fresh()[0], "rk": key}] + [{"number": x} for x in fresh(n - 1)])
    gate.clear()
    rig.pmh.start()
    first = rig.put(csv_of([{"number": fresh()[0]}]))
    rig.redis("redis-link", "ZADD", "fq", 1, f"{MUNI}:{first}:1")  # before the other one, so that that has not its turn yet
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: rig.fields(first)["st"] == "processing", 20, "the file before it")
    assert erase(rig, key) == (200, {"erased": 0})
    assert (rig.fields(task)["refused"], rig.fields(task)["st"]) == ("1", "processing")
    gate.set()
    results = rig.done(task)[1]
    assert [r.row for r in results] == list(range(1, n + 1))
    wait_for(lambda: rig.fields(task).get("registered") == str(n - 1), 40, "the others are registered")
    assert rig.fields(task)["refused"] == "1"


# ---- the outbox ----

def test_rows_without_a_key_that_wait_for_pmh(rig):
    """Nobody knows whose they are until PMH says it."""
    r = Resident(rig)
    assert r.erase()[0] == 200
    rig.pmh.stop()
    task = rig.put(csv_of([r.row(rk=""), {"number": fresh()[0]}]), accepted=now_ms() - 5000)
    assert [x.result for x in rig.done(task)[1]] == ["waiting", "waiting"]
    rig.pmh.start()
    wait_for(lambda: rig.fields(task).get("refused") == "1" and rig.fields(task).get("registered") == "1", 30, "both have ended")
    assert not r.there and not names(rig, f"o:{MUNI}:{task}")
    assert not [n for n in rig.redis("redis-link", "ZRANGE", "oq", 0, -1) if task in n]


def test_a_request_that_was_under_way(rig):
    r = Resident(rig)
    rig.redis("redis-link", "ZADD", NOTED, now_ms() + 20000, r.rk[-32:])
    task = rig.register_done([row(r.num, municipalityIdentityKey=r.key, type_id="kodomo02"), row(fresh()[0])])
    assert [(x["result"], x.get("code")) for x in task["rows"]] == [GONE, ("registered", None)]
    assert "もう一度送って" in task["rows"][0]["message_ja"] and "send it again" in task["rows"][0]["message_en"]
    rig.redis("redis-link", "ZADD", NOTED, now_ms() - 1000, r.rk[-32:])
    assert rig.register_done([row(r.num, municipalityIdentityKey=r.key, type_id="kodomo02")])["counts"]["registered"] == 1
    rig.redis("redis-link", "ZADD", NOTED, now_ms() + 20000, r.person[3:-1])
    assert rig.register_done([row(r.num, type_id="kodomo03")])["rows"][0]["code"] == GONE[1], "by the person"
    rig.redis("redis-link", "DEL", NOTED)


# ---- crashes, clocks, and how long it is known ----

@pytest.mark.parametrize("turn", range(KILLS))
def test_a_crash_of_the_erasure_at_any_moment(rig, turn):
    """Nothing is removed before it is known who; a repeat, or a file in between, finds it so."""
    r, token = Resident(rig), rig.token()
    rig.kill_during(lambda: erase(rig, r.key, token), 0.001 + 0.003 * turn)
    noted = set(rig.redis("redis-link", "ZRANGE", NOTED, 0, -1)) >= {r.rk[-32:], r.person[3:-1]}
    begun = not [f for f in rig.redis("redis-link", "HKEYS", r.person) if f.startswith("r:")]
    assert noted or not begun
    rig.start("intake")
    rig.wait_healthy()
    assert before(rig, [r.row()])[0].result == ("refused" if noted else "unchanged")
    assert erase(rig, r.key)[0] == 200 and not r.there
    assert told(before(rig, [r.row()])) == [GONE] and not r.there


def test_what_comes_after_is_after_whatever_the_clock_does(rig):
    r = Resident(rig)
    rig.redis("redis-link", "ZADD", NOTED, now_ms() + 60000, r.rk[-32:])  # before the clock was set back
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()
    assert rig.register_done([row(r.num, municipalityIdentityKey=r.key, type_id="kodomo02")])["counts"]["registered"] == 1
    rig.redis("redis-link", "DEL", NOTED)


def test_it_is_known_while_a_task_of_before_is_kept(rig):
    oldest = now_ms() - 3 * 3600 * 1000
    rig.redis("redis-link", "ZADD", f"tl:{MUNI}", oldest, "c" * 32)
    rig.redis("redis-link", "ZADD", NOTED, oldest - 1, "a" * 32, oldest, "b" * 32)
    rig.redis("redis-link", "DEL", "tl:271403")
    rig.redis("redis-link", "ZADD", "er:271403", now_ms() - 2 * 3600 * 1000, "a" * 32, now_ms() - 1000, "b" * 32)
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()
    for name in (NOTED, "er:271403"):
        wait_for(lambda: not rig.redis("redis-link", "ZSCORE", name, "a" * 32)[0], 10, f"{name}: what no row can come before is forgotten")
        assert rig.redis("redis-link", "ZSCORE", name, "b" * 32)[0], name
    rig.redis("redis-link", "ZREM", f"tl:{MUNI}", "c" * 32)


def test_of_whom_it_is_not_known_any_more_nobody_comes_back(rig):
    rig.redis("redis-link", "DEL", NOTED)
    rig.redis("redis-link", "ZADD", NOTED, now_ms(), "*")
    assert told(before(rig, [{"number": fresh()[0], "rk": f"jumin-{secrets.token_hex(6)}"}, {"number": fresh()[0]}])) == [GONE] * 2
    assert told(rig.done(rig.put(csv_of([{"number": fresh()[0]}])))[1]) == [("registered", "")]
    rig.redis("redis-link", "DEL", NOTED)
