"""The intake dies at every single step of a move between two persons, before the step or right behind it (intake_rig.py, redis_proxy.py)."""

import itertools
import json
import random
import threading
import time

import pytest

from canary import contents
from intake_rig import Rig, encodings, number, row, wait_for
from redis_proxy import RedisProxy

SEEDS = itertools.count(40_000_000_000 + random.SystemRandom().randrange(10**10))
USED = []
STEP = b"for c=1,tonumber(ARGV[1])"
STEPS = 5  # journal, copy, ties, remove, done
LATE = "the script comes late: what the callback did came first"


class Killer(RedisProxy):
    """Calls kill() at the n-th script of a change, before or behind its delivery."""

    def arm(self, n, behind, kill):
        with self.lock:
            self.left, self.behind, self.kill, self.killed, self.mute = n, behind, kill, threading.Event(), False

    def _held(self, data):
        with self.lock:
            if not getattr(self, "left", 0) or STEP not in data:
                return False
            self.left -= 1
            return self.left == 0

    def _forward(self, client, up):
        try:
            while data := client.recv(1 << 20):
                if not self._held(data):
                    up.sendall(data)
                    continue
                self.mute = True  # the intake hears nothing any more
                if self.behind:
                    up.sendall(data)
                    time.sleep(0.05)
                late = self.kill() == LATE
                self.mute = False
                if late:
                    up.sendall(data)
                self.killed.set()
        except OSError:
            pass
        finally:
            up.close()

    def _back(self, up, client):
        try:
            while data := up.recv(1 << 20):
                if not getattr(self, "mute", False):
                    client.sendall(data)
        except OSError:
            pass
        finally:
            client.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    path = tmp_path_factory.mktemp("c")
    r = Rig(path, redis_link_socket=str(path / "run" / "step.sock"))
    r.proxy = Killer(path / "run" / "step.sock", path / "run" / "redis-link.sock")
    try:
        yield r.up()
        stored = b"".join(data for _, data in contents(path / "redis-link")) + r.log_text()
        assert USED and not [1 for n in USED for form in encodings(n) if len(form) > 8 and form in stored], "a number is stored or logged"
    finally:
        r.down()
        r.proxy.close()


def fresh():
    USED.append(number(next(SEEDS)))
    return USED[-1]


def persons(rig):
    """Who has records: {person: fields}."""
    out = {}
    for name in rig.redis("redis-link", "--scan", "--pattern", "p:*"):
        fields = sorted(f for f in rig.redis("redis-link", "HKEYS", name) if f.startswith("r:331007:"))
        if fields:
            out[name] = fields
    return out


def resident(rig, key, types):
    num = fresh()
    doc = rig.register_done([row(num, type_id=t, municipalityIdentityKey=key) for t in types])
    assert doc["counts"]["registered"] == len(types), doc
    return num


def send(rig, change):
    return rig.call("POST", "/v1/residents/change-tasks", json.dumps([change]).encode(), token=rig.token())


def crash_at(rig, change, n, behind):
    rig.proxy.arm(n, behind, lambda: rig.kill("intake"))

    def quietly():
        try:
            send(rig, change)
        except OSError:
            pass

    sender = threading.Thread(target=quietly)
    sender.start()
    assert rig.proxy.killed.wait(10), "the step was not met"
    sender.join()
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: rig.redis("redis-link", "ZCARD", "ch:todo") == ["0"], 10, "open journals are taken up")


def result(rig, change):
    status, doc = send(rig, change)
    assert status == 202, doc
    return doc["rows"][0]["result"], doc["rows"][0].get("code")


CRASHES = [(n, True) for n in range(1, STEPS + 1)] + [(1, False), (3, False)]


@pytest.mark.parametrize("n, behind", CRASHES)
def test_a_change_of_number_survives(rig, n, behind):
    key, before = f"jumin-{next(SEEDS)}", persons(rig)
    resident(rig, key, ("a1", "a2"))
    old = {p: f for p, f in persons(rig).items() if p not in before}
    change = {"changeType": "number_changed", "municipalityIdentityKey": key, "newMyNumber": fresh(), "effectiveDate": "2026-04-01",
              "operationKey": key}
    crash_at(rig, change, n, behind)
    if not behind and n == 1:
        assert {p: f for p, f in persons(rig).items() if p not in before} == old, "nothing was written, nothing was done"
        assert result(rig, change) == ("updated", None)
    now = {p: f for p, f in persons(rig).items() if p not in before}
    assert len(now) == 1 and not now.keys() & old.keys() and [*now.values()] == [*old.values()]
    assert result(rig, change) == ("unchanged", None)
    assert rig.register_done([row(change["newMyNumber"], type_id="a1", municipalityIdentityKey=key)])["counts"]["unchanged"] == 1


@pytest.mark.parametrize("n, behind", CRASHES)
def test_a_merge_and_its_undo_survive(rig, n, behind):
    key, before = f"jumin-{next(SEEDS)}", persons(rig)
    mine, theirs = resident(rig, key, ("a1", "a2")), resident(rig, key + "-b", ("a1", "b2"))
    old = {p: f for p, f in persons(rig).items() if p not in before}
    change = {"changeType": "merged", "municipalityIdentityKey": key, "otherMunicipalityIdentityKey": key + "-b", "effectiveDate": "2026-04-01",
              "operationKey": key}
    crash_at(rig, change, n, behind)
    assert result(rig, change)[0] in ("updated", "unchanged")
    now = {p: f for p, f in persons(rig).items() if p not in before}
    assert len(now) == 1 and len([*now.values()][0]) == 3 and now.keys() <= old.keys()
    rows = [row(num, type_id="b2", municipalityIdentityKey=k) for num, k in ((mine, key), (theirs, key + "-b"))]
    assert [rig.register_done([r])["counts"]["unchanged"] for r in rows] == [1, 1]
    assert {p: f for p, f in persons(rig).items() if p not in before} == now
    # a confirmed row is one that changed since: undo of another pair, which nobody touched
    pair = f"jumin-{next(SEEDS)}"
    between = persons(rig)
    resident(rig, pair, ("a1", "a2")), resident(rig, pair + "-b", ("a1", "b2"))
    apart = {p: f for p, f in persons(rig).items() if p not in between}
    change = {**change, "municipalityIdentityKey": pair, "otherMunicipalityIdentityKey": pair + "-b", "operationKey": pair}
    assert result(rig, change) == ("updated", None)
    back = {**change, "changeType": "unmerged"}
    crash_at(rig, back, n, behind)
    assert result(rig, back)[0] in ("updated", "unchanged")
    assert {p: f for p, f in persons(rig).items() if p not in between} == apart



def test_a_script_that_comes_late_does_not_take_a_key_that_was_tied_anew(rig):
    key, other = f"late-{next(SEEDS)}", f"other-{next(SEEDS)}"
    before = set(rig.redis("redis-link", "--scan", "--pattern", "rk:331007:*"))
    resident(rig, key, ["kodomo01"])
    (rk,) = set(rig.redis("redis-link", "--scan", "--pattern", "rk:331007:*")) - before
    resident(rig, other, ["kodomo01"])
    (other_rk,) = set(rig.redis("redis-link", "--scan", "--pattern", "rk:331007:*")) - before - {rk}
    (gone,), (taker,) = rig.redis("redis-link", "GET", rk), rig.redis("redis-link", "GET", other_rk)

    def tied_anew():  # as the release of a held row does it
        rig.redis("redis-link", "HDEL", f"s:{gone}", "rk")
        rig.redis("redis-link", "HSET", f"s:{taker}", "rk", rk.rpartition(":")[2])
        rig.redis("redis-link", "SET", rk, taker)
        rig.redis("redis-link", "DEL", other_rk)
        return LATE

    rig.proxy.arm(3, False, tied_anew)
    change = {"changeType": "number_changed", "municipalityIdentityKey": key, "newMyNumber": fresh(), "effectiveDate": "2026-01-01", "operationKey": key}
    assert result(rig, change)[0] == "updated"
    assert rig.redis("redis-link", "GET", rk) == [taker], "the key stays where the officer tied it"
    assert rig.redis("redis-link", "HGET", f"s:{taker}", "rk") == [rk.rpartition(":")[2]]
    assert rig.redis("redis-link", "ZCARD", "ch:todo") == ["0"]
