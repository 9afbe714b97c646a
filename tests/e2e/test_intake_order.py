"""pmhgw-intake where what happens comes late, twice or in another order (intake_rig.py, redis_proxy.py)."""

import datetime
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
    # who asks behind it on the same connection hears that the store is silent
    done = wait_for(lambda: (lambda status, d: d if status == 200 and d["state"] == "done" else None)(*rig.task(doc["task_id"])), 30, "done")
    assert results(done) == [("registered", None)]
    assert rig.proxy.delivered.wait(15), "the late write went to Redis"
    status, after = rig.task(doc["task_id"])
    assert status == 200 and after["counts"] == done["counts"] and after["state"] == "done"


HEADERS = "証明書種別ID,個人番号,氏名,氏名カナ,住所,生年月日,性別,不開示,証明書名,公費受給者番号"


def test_an_acceptance_that_comes_late_does_not_open_a_file_again(rig):
    """The last part is acknowledged after a second try; the file ends; then the first try's transaction arrives."""
    data = f"{HEADERS}\r\nkodomo01,{fresh()},愛知花子,アイチハナコ,愛知県B市B町1-1-1,2013-01-01,2,0,子ども医療費受給者証,0000002\r\n".encode()
    token = rig.token()
    body = json.dumps({"operation": "postRegistrationTasks", "bytes": len(data)}).encode()
    status, doc = rig.call("POST", "/v1/files", body, token=token)
    assert status == 201, doc
    path, media = f"/v1/files/{doc['file_id']}", "application/octet-stream"
    rig.proxy.hold(b"acc_ms", 12.0)
    assert rig.call("PUT", path, data, token=token, media=media)[0] == 503
    wait_for(lambda: rig.call("GET", path, token=token)[0] == 202 or rig.task(doc["file_id"])[1]["state"] != "uploading", 5, "accepted")
    done = wait_for(lambda: (lambda d: d if d["state"] == "done" else None)(rig.task(doc["file_id"])[1]), 1, "the end before the late write")
    assert rig.proxy.delivered.wait(15), "the late write went to Redis"
    time.sleep(0.5)
    assert rig.task(doc["file_id"])[1] == done and rig.redis("redis-link", "EXISTS", "fq:331007") == ["0"]


def test_an_older_row_that_waits_does_not_undo_an_unchanged_one(rig):
    """A (applied), B (older than the second A, waits for PMH), A again (unchanged): A stays."""
    num, munis = fresh(), "331007"
    rig.pmh.stop()
    _, first = rig.register([row(num, certificationName="A")])
    _, late = rig.register([row(num, certificationName="B")])
    rig.kill("intake")
    rig.redis("redis-link", "ZREM", "oq", f"{munis}:{late['task_id']}:1")  # out of sight until below
    rig.pmh.start()
    rig.start("intake")
    rig.wait_healthy()
    assert results(rig.wait_task(first["task_id"])) == [("registered", None)]
    assert results(rig.register_done([row(num, certificationName="A")])) == [("unchanged", None)]
    assert rig.task(late["task_id"])[1]["counts"]["waiting"] == 1, "the older row is still on its way"
    rig.redis("redis-link", "ZADD", "oq", 1, f"{munis}:{late['task_id']}:1")
    assert results(rig.wait_task(late["task_id"])) == [("unchanged", "superseded")]
    assert results(rig.register_done([row(num, certificationName="A")])) == [("unchanged", None)], "A is what is stored"


def test_rows_do_not_wait_for_an_outage_that_is_over(rig):
    """The intake dies while PMH is away; PMH comes back first. Their next attempt was minutes away."""
    rig.pmh.stop()
    _, doc = rig.register([row(fresh()) for _ in range(20)])
    time.sleep(0.5)
    rig.kill("intake")
    for n in range(1, 21):
        rig.redis("redis-link", "ZADD", "oq", "XX", int(time.time() * 1000) + 300_000, f"331007:{doc['task_id']}:{n}")
    rig.pmh.start()
    rig.start("intake")
    rig.wait_healthy()
    assert rig.wait_task(doc["task_id"], seconds=10)["counts"]["registered"] == 20


def restart(rig):
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()


def test_a_clock_that_was_set_back_loses_no_registration(rig):
    """Until yesterday the clock was an hour ahead: what comes now is later all the same, and is worked on now."""
    num, hour = fresh(), 3600 * 1000
    ahead = int(time.time() * 1000) + hour
    rig.redis("redis-link", "ZADD", "tl:271403", ahead, "0" * 32)
    try:
        restart(rig)
        first = rig.register_done([row(num)])
        rig.redis("redis-link", "ZREM", "tl:271403", "0" * 32)
        restart(rig)
        second = rig.register_done([row(num, certificationName="改")])
    finally:
        rig.redis("redis-link", "ZREM", "tl:271403", "0" * 32)
    assert results(first) == [("registered", None)] and results(second) == [("updated", None)]
    assert ahead < rig_ms(first) < rig_ms(second) < ahead + hour


def rig_ms(doc):
    return datetime.datetime.fromisoformat(doc["received_at"].replace("Z", "+00:00")).timestamp() * 1000


def test_rows_that_wait_are_found_when_the_clock_is_set_back(rig):
    """They wait for a time that is a day away now."""
    rig.pmh.stop()
    status, doc = rig.register([row(fresh())])
    assert status == 202
    time.sleep(0.3)
    member = f"331007:{doc['task_id']}:1"
    rig.kill("intake")
    rig.redis("redis-link", "ZADD", "oq", int(time.time() * 1000) + 24 * 3600 * 1000, member)
    rig.pmh.start()
    rig.start("intake")
    rig.wait_healthy()
    assert results(rig.wait_task(doc["task_id"], seconds=20)) == [("registered", None)]


def test_an_open_journal_is_taken_up_at_the_start_whatever_the_clock_says(rig):
    rig.kill("intake")
    rig.redis("redis-link", "ZADD", "ch:todo", int(time.time() * 1000) + 24 * 3600 * 1000, "331007:" + "0" * 32)
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: rig.redis("redis-link", "ZCARD", "ch:todo") == ["0"], 20, "it was looked at: there is no such journal")


@pytest.mark.parametrize("muni", ["331007", "999999"])
def test_a_journal_that_cannot_be_opened_is_not_tried_in_a_circle(rig, muni):
    """Damaged, or of a municipality that has been closed."""
    name = f"{muni}:{'1' * 32}"
    stopped = lambda: rig.log_text().count(b"change_stopped")
    before = stopped()
    rig.redis("redis-link", "SET", f"ch:{name}", "nonsense")
    rig.redis("redis-link", "ZADD", "ch:todo", 1, name)
    try:
        wait_for(lambda: stopped() > before, 20, "it was looked at")
        time.sleep(1.5)
        assert stopped() - before == 1
    finally:
        rig.redis("redis-link", "ZREM", "ch:todo", name)
        rig.redis("redis-link", "DEL", f"ch:{name}")
