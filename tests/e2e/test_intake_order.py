"""pmhgw-intake where what happens comes late, twice or in another order (intake_rig.py, redis_proxy.py)."""

import itertools
import json
import random
import signal
import threading
import time

import pytest

from intake_rig import Rig, number, row, wait_for
from redis_proxy import RedisProxy

SEEDS = itertools.count(20_000_000_000 + random.SystemRandom().randrange(10**10))


def fresh():
    return number(next(SEEDS))


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    path = tmp_path_factory.mktemp("o")
    r = Rig(path, redis_link_socket=str(path / "run" / "late.sock"))
    r.proxy = RedisProxy(path / "run" / "late.sock", path / "run" / "redis-link.sock")
    try:
        yield r.up()
    finally:
        r.down()
        r.proxy.close()


@pytest.fixture(autouse=True)
def all_is_well(rig):
    yield
    rig.pmh.fault, rig.pmh.delay = None, 0.0
    if rig.pmh.server is None:
        rig.pmh.start()


def results(doc):
    return [(r["result"], r.get("code")) for r in doc["rows"]]


def test_a_write_that_comes_late_is_not_counted_twice(rig):
    """The write of a row is given up after 10 s, made again, and then the first one arrives after all."""
    rig.pmh.delay = 0.5
    status, doc = rig.register([row(fresh())])
    assert status == 202
    rig.proxy.hold(b"ZREM", 11.0)
    done = rig.wait_task(doc["task_id"])
    assert results(done) == [("registered", None)]
    assert rig.proxy.delivered.wait(15), "the late write went to Redis"
    status, after = rig.task(doc["task_id"])
    assert status == 200 and after["counts"] == done["counts"] and after["state"] == "done"


def test_an_older_row_that_waits_does_not_undo_an_unchanged_one(rig):
    """A (applied), B (older than the second A, waits for PMH), A again (unchanged): A stays."""
    num, munis = fresh(), "331007"
    rig.pmh.stop()
    _, first = rig.register([row(num, certificationName="A")])
    _, late = rig.register([row(num, certificationName="B")])
    rig.kill("intake")
    rig.redis("redis-link", "ZADD", "oq", "XX", int(time.time() * 1000) + 6000, f"{munis}:{late['task_id']}:1")
    rig.redis("redis-link", "ZADD", "oq", "XX", 1, f"{munis}:{first['task_id']}:1")
    rig.pmh.start()
    rig.start("intake")
    rig.wait_healthy()
    assert results(rig.wait_task(first["task_id"])) == [("registered", None)]
    assert results(rig.register_done([row(num, certificationName="A")])) == [("unchanged", None)]
    assert rig.task(late["task_id"])[1]["counts"]["waiting"] == 1, "the older row is still on its way"
    assert results(rig.wait_task(late["task_id"])) == [("unchanged", "superseded")]
    assert results(rig.register_done([row(num, certificationName="A")])) == [("unchanged", None)], "A is what is stored"
