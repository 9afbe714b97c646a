"""Held rows and dead letters: release, discard, replay, giving up, forgetting old tasks (intake_rig.py)."""

import itertools
import json
import random
import re
import threading
import time

import pytest

from canary import contents
from intake_rig import Rig, number, row, wait_for

SEEDS = itertools.count(20_000_000_000 + random.SystemRandom().randrange(10**10))
USED = []  # every number is a canary
MUNI, OTHER = "331007", "muni-271403"
ROW_RELEASED, ROW_DISCARDED, ROW_REPLAYED, ROW_QUARANTINED = 24, 25, 28, 15
CHANGED = {"name": "岡山太郎", "born": "1980-05-05"}


def fresh():
    USED.append(number(next(SEEDS)))
    return USED[-1]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("h"))
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """Gives a row up after the first attempt that failed."""
    r = Rig(tmp_path_factory.mktemp("g"), give_up_hours=0, retry_min_ms=50)
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture(autouse=True)
def pmh_is_well(request):
    yield
    for name in ("rig", "hasty"):
        if name in request.fixturenames:
            pmh = request.getfixturevalue(name).pmh
            pmh.fault, pmh.delay = None, 0.0
            if pmh.server is None:
                pmh.start()


def results(doc):
    return [(r["result"], r.get("code")) for r in doc["rows"]]


def order(rig, what, task, rows="all", officer="sato", cert="muni-331007"):
    body = {"officer": officer, **({"all": True} if rows == "all" else {"rows": rows})}
    return rig.call("POST", f"/v1/tasks/{task}/{what}", json.dumps(body).encode(), cert, rig.token(cert))


def ordered(rig, what, task, rows="all", **more):
    status, doc = order(rig, what, task, rows, **more)
    assert status == 200, doc
    return doc


def held_person(rig, n=1):
    """Somebody who is registered, and n rows that say it is somebody else; the task of those."""
    nums = [fresh() for _ in range(n)]
    assert rig.register_done([row(num) for num in nums])["counts"]["registered"] == n
    doc = rig.register_done([row(num, **CHANGED) for num in nums])
    assert results(doc) == [("quarantined", "person_mismatch")] * n
    return nums, doc["task_id"]


def records_of(rig):
    """Every person's sealed records, as they lie there: what clinics and citizens can be told."""
    return {p: rig.redis("redis-link", "HGETALL", p) for p in rig.redis("redis-link", "--scan", "--pattern", "p:*")}


def events(rig, event):
    return [(muni, count, actor) for e, _, _, muni, count, actor in rig.audit() if e == event]


# ---- release ----


def test_released_row_is_applied(rig):
    num = fresh()
    rig.register_done([row(num)])
    before = records_of(rig)
    doc = rig.register_done([row(num, **CHANGED)])
    task = doc["task_id"]
    assert results(doc) == [("quarantined", "person_mismatch")] and doc["state"] == "done_with_errors"
    assert records_of(rig) == before, "nobody is told anything new"
    assert results(rig.register_done([row(num)])) == [("unchanged", None)], "the first person is what is stored"
    doc = ordered(rig, "release", task, officer="sato_2")
    assert (doc["released"], doc["not_held"], doc["left"]) == (1, 0, 0)
    assert doc["rows"] == [{"row": 1, "result": "waiting"}]
    done = rig.wait_task(task)
    # an unchanged row confirmed the stored one meanwhile: the older row does not undo that
    assert results(done) == [("unchanged", "superseded")]
    assert records_of(rig).keys() == before.keys()
    [num], task = held_person(rig)
    assert rig.call("GET", "/v1/tasks", token=rig.token())[1]["backlog"]["rows"] == 0, "a held row does not wait"
    ordered(rig, "release", task, [1])
    done = rig.wait_task(task)
    assert results(done) == [("updated", None)] and done["state"] == "done"
    assert done["counts"]["quarantined"] == 0 and done["counts"]["updated"] == 1
    assert results(rig.register_done([row(num, **CHANGED)])) == [("unchanged", None)], "the new person is what is stored"
    assert (MUNI, 1, f"{MUNI}/officer/sato_2") in events(rig, ROW_RELEASED)
    assert rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}") == ["0"]


def test_released_person_of_one_request(rig):
    """Held at the door, before anything was known of the person: no key yet, a ticket of its own."""
    num = fresh()
    doc = rig.register_done([row(num), row(num, type_id="other", **CHANGED)])
    assert results(doc) == [("quarantined", "person_mismatch")] * 2
    task = doc["task_id"]
    rig.kill("intake")  # the number is in no memory any more
    rig.start("intake")
    rig.wait_healthy()
    doc = ordered(rig, "release", task, [2, 1, 2])
    assert doc["released"] == 2
    assert results(rig.wait_task(task)) == [("registered", None)] * 2


def test_double_release(rig):
    _, task = held_person(rig, 5)
    rig.pmh.delay, answers = 0.3, []
    threads = [threading.Thread(target=lambda: answers.append(order(rig, "release", task))) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert [s for s, _ in answers] == [200] * 4
    assert sum(d["released"] for _, d in answers) == 5, "each row once"
    done = rig.wait_task(task)
    assert done["counts"]["updated"] == 5 and done["counts"]["waiting"] == 0
    again = ordered(rig, "release", task, [1, 2, 9])
    assert again == {"released": 0, "not_held": 3, "left": 0, "rows": [{"row": n, "result": "not_held"} for n in (1, 2, 9)]}


def test_kill_between_release_and_apply(rig):
    """The person has no key yet, and PMH is away: the released row waits, over kills, and is applied once."""
    num = fresh()
    doc = rig.register_done([row(num), row(num, type_id="other", **CHANGED)])
    rig.pmh.stop()
    ordered(rig, "release", doc["task_id"])
    for part in ("intake", "redis-link", "vault"):
        rig.kill(part)
        rig.start(part)
        rig.wait_healthy()
    now = rig.task(doc["task_id"])[1]
    assert now["counts"]["waiting"] == 2 and now["counts"]["quarantined"] == 0
    assert rig.call("GET", "/v1/tasks", token=rig.token())[1]["backlog"]["rows"] == 2, "a released row waits again"
    rig.pmh.start()
    done = rig.wait_task(doc["task_id"])
    assert done["counts"]["registered"] == 2 and sum(done["counts"][c] for c in ("updated", "unchanged", "refused", "quarantined")) == 0


def test_kills_while_releasing(rig):
    _, task = held_person(rig, 300)
    done = threading.Event()

    def killer():
        for _ in range(3):
            time.sleep(random.uniform(0.01, 0.08))
            rig.kill("intake")
            rig.start("intake")
            rig.wait_healthy()
        done.set()

    thread = threading.Thread(target=killer)
    thread.start()
    while not done.is_set():
        try:
            order(rig, "release", task)
        except OSError:
            pass
    thread.join()
    ordered(rig, "release", task)
    assert rig.wait_task(task)["counts"] == {"rows": 300, "registered": 0, "updated": 300, "unchanged": 0, "refused": 0, "quarantined": 0, "waiting": 0}


# ---- discard ----


def test_discarded_row_is_dropped(rig):
    num = fresh()
    doc = rig.register_done([row(num), row(num, type_id="other", **CHANGED)])
    task, tickets = doc["task_id"], len(rig.redis("redis-vault", "--scan", "--pattern", "t:*"))
    people = rig.redis("redis-link", "--scan", "--pattern", "p:*")
    doc = ordered(rig, "discard", task, [2], officer="abe")
    assert doc["discarded"] == 1 and doc["left"] == 1
    assert (doc["rows"][0]["result"], doc["rows"][0]["code"]) == ("refused", "discarded_by_officer") and doc["rows"][0]["message_ja"]
    now = rig.task(task)[1]
    assert results(now) == [("quarantined", "person_mismatch"), ("refused", "discarded_by_officer")]
    assert (now["counts"]["refused"], now["counts"]["quarantined"]) == (1, 1)
    assert rig.redis("redis-link", "HEXISTS", f"o:{MUNI}:{task}", 2) == ["0"]
    wait_for(lambda: len(rig.redis("redis-vault", "--scan", "--pattern", "t:*")) == tickets - 1, 20, "the ticket is gone at the vault")
    assert ordered(rig, "release", task, [2])["not_held"] == 1, "there is no way back"
    assert (MUNI, 1, f"{MUNI}/officer/abe") in events(rig, ROW_DISCARDED)
    assert sorted(rig.redis("redis-link", "--scan", "--pattern", "p:*")) == sorted(people), "nothing was applied"


# ---- replay ----


def test_replay_after_an_answer_that_was_refused(rig):
    rig.pmh.fault = lambda entries: (200, json.dumps([{"pmhKey": 5, "myNumber": e["myNumber"]} for e in entries]).encode())
    doc = rig.register_done([row(fresh()) for _ in range(4)])
    task = doc["task_id"]
    assert results(doc) == [("quarantined", "upstream_answer_refused")] * 4
    cannot = ordered(rig, "release", task, [3])
    assert (cannot["released"], cannot["not_held"], cannot["left"]) == (0, 0, 4), "an officer cannot say that PMH's answer was good"
    assert (cannot["rows"][0]["result"], cannot["rows"][0]["code"]) == ("quarantined", "upstream_answer_refused")
    assert ordered(rig, "replay", task, [1])["replayed"] == 1
    assert results(rig.wait_task(task))[0] == ("quarantined", "upstream_answer_refused"), "the same again while PMH says the same"
    rig.pmh.fault = None
    assert ordered(rig, "replay", task, officer="op")["replayed"] == 4
    assert results(rig.wait_task(task)) == [("registered", None)] * 4
    assert (MUNI, 4, f"{MUNI}/officer/op") in events(rig, ROW_REPLAYED)


def test_replay_does_not_switch_off_the_rule_about_mixups(rig):
    [_], task = held_person(rig)
    cannot = ordered(rig, "replay", task)
    assert cannot == {"replayed": 0, "not_held": 0, "left": 1, "rows": []}
    assert ordered(rig, "replay", task, [1])["rows"][0]["code"] == "person_mismatch"
    assert results(rig.wait_task(task)) == [("quarantined", "person_mismatch")]


def test_lost_ticket_says_so(rig):
    num = fresh()
    rig.pmh.stop()
    status, doc = rig.register([row(num)])
    assert status == 202
    rig.kill("intake")
    for name in rig.redis("redis-vault", "--scan", "--pattern", "t:*"):
        rig.redis("redis-vault", "DEL", name)
    rig.pmh.start()
    rig.start("intake")
    rig.wait_healthy()
    assert results(rig.wait_task(doc["task_id"])) == [("quarantined", "ticket_lost")]
    for what in ("release", "replay"):
        one = ordered(rig, what, doc["task_id"], [1])["rows"][0]
        assert (one["result"], one["code"]) == ("quarantined", "ticket_lost") and one["message_en"]
    assert ordered(rig, "discard", doc["task_id"], [1])["discarded"] == 1


def test_unreadable_payload_stays_and_can_be_dropped(rig):
    [_, _], task = held_person(rig, 2)
    rig.redis("redis-link", "HSET", f"o:{MUNI}:{task}", 1, "damaged")
    doc = ordered(rig, "release", task)
    assert doc["released"] == 1 and doc["left"] == 1
    assert [(r["row"], r["result"], r.get("code")) for r in doc["rows"]] == [(1, "quarantined", "stored_value_unreadable"), (2, "waiting", None)]
    assert results(rig.wait_task(task)) == [("quarantined", "person_mismatch"), ("updated", None)]
    assert ordered(rig, "discard", task)["discarded"] == 1


# ---- rows of files ----


def send_file(rig, rows):
    """A JSON Lines file of these rows; its task."""
    data, token = "\n".join(json.dumps(r) for r in rows).encode(), rig.token()
    announced = json.dumps({"operation": "postRegistrationTasks", "bytes": len(data), "source": "json_lines"}).encode()
    status, doc = rig.call("POST", "/v1/files", announced, token=token)
    assert status == 201, doc
    status, doc = rig.call("PUT", f"/v1/files/{doc['file_id']}", data, token=token, media="application/octet-stream")
    assert status == 202, doc
    return rig.headers.get("Location", "").rsplit("/", 1)[-1] or doc["task_id"]


def rows_of_file(rig, task):
    status, doc = rig.call("GET", f"/v1/tasks/{task}/results?limit=1000", token=rig.token())
    assert status == 200, doc
    return results(doc)


def test_held_rows_of_a_file(rig):
    nums = [fresh() for _ in range(5)]
    rig.register_done([row(num) for num in nums])
    task = send_file(rig, [row(fresh()), *(row(num, **CHANGED) for num in nums)])
    done = rig.wait_task(task)
    assert (done["state"], done["counts"]["registered"], done["counts"]["quarantined"]) == ("done_with_errors", 1, 5), done
    assert rows_of_file(rig, task) == [("registered", None)] + [("quarantined", "person_mismatch")] * 5
    assert ordered(rig, "discard", task, [6])["discarded"] == 1
    assert ordered(rig, "replay", task, [5])["rows"][0]["code"] == "person_mismatch"
    released = ordered(rig, "release", task, [1, 2, 3])
    assert (released["released"], released["not_held"], released["left"]) == (2, 1, 2)
    assert ordered(rig, "release", task)["released"] == 2
    done = rig.wait_task(task)
    assert (done["state"], done["counts"]["updated"], done["counts"]["quarantined"], done["counts"]["refused"]) == ("done_with_errors", 4, 0, 1), done
    assert rows_of_file(rig, task) == [("registered", None)] + [("updated", None)] * 4 + [("refused", "discarded_by_officer")]


def test_dead_letters_of_a_file(hasty):
    hasty.pmh.stop()
    task = send_file(hasty, [row(fresh()) for _ in range(20)])
    done = hasty.wait_task(task)
    assert done["counts"]["quarantined"] == 20 and set(rows_of_file(hasty, task)) == {("quarantined", "upstream_gave_up")}, done
    hasty.pmh.start()
    assert ordered(hasty, "replay", task)["replayed"] == 20
    assert hasty.wait_task(task)["counts"]["registered"] == 20
    assert rows_of_file(hasty, task) == [("registered", None)] * 20


def test_old_file_is_forgotten_with_its_folder(rig):
    task = send_file(rig, [row(fresh())])
    assert rig.wait_task(task)["counts"]["registered"] == 1
    folder = rig.dir / "spool" / f"{MUNI}-{task}"
    assert folder.is_dir()
    rig.redis("redis-link", "ZADD", f"tl:{MUNI}", int(time.time() * 1000) - 91 * 24 * 3600 * 1000, task)
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: not folder.exists(), 10, "the folder is gone")
    assert rig.task(task)[0] == 404


# ---- who may, and what is asked ----


def test_foreign_and_unknown_tasks(rig):
    [_], task = held_person(rig)
    for what in ("release", "discard", "replay"):
        foreign = order(rig, what, task, cert=OTHER)
        unknown = order(rig, what, "0" * 32, cert=OTHER)
        malformed = order(rig, what, "nonsense", cert=OTHER)
        strip = lambda d: {k: v for k, v in d.items() if k not in ("instance", "request_id")}
        assert foreign[0] == unknown[0] == malformed[0] == 404
        assert strip(foreign[1]) == strip(unknown[1]) == strip(malformed[1])
        assert rig.call("POST", f"/v1/tasks/{task}/{what}", b'{"all":true,"officer":"a"}', "muni-331007", None)[0] == 401
    assert results(rig.task(task)[1]) == [("quarantined", "person_mismatch")]


@pytest.mark.parametrize("body,field,rule", [({"rows": [1]}, "officer", "missing"), ({"rows": [0], "officer": "a"}, "rows", "range"),
                                             ({"officer": "a"}, "rows", "missing"), ({"all": True, "officer": "CANARY"}, "officer", "number_inside"),
                                             ({"all": True, "officer": "a b"}, "officer", "class")])
def test_bad_orders(rig, body, field, rule):
    canary = fresh()
    raw = json.dumps(body).replace("CANARY", canary).encode()
    status, doc = rig.call("POST", f"/v1/tasks/{'0' * 32}/release", raw, "muni-331007", rig.token())
    assert status == 422 and [(e["field"], e["rule"]) for e in doc["errors"]] == [(field, rule)]
    assert canary.encode() not in rig.raw


def test_too_many_rows_at_a_time(rig):
    assert order(rig, "release", "0" * 32, list(range(1, 1002)))[0] == 413


def test_all_goes_a_thousand_at_a_time(rig):
    _, task = held_person(rig, 1100)
    first = ordered(rig, "release", task)
    assert (first["released"], first["left"], len(first["rows"])) == (1000, 100, 1000)
    assert [r["row"] for r in first["rows"]] == sorted(r["row"] for r in first["rows"])
    second = ordered(rig, "release", task)
    assert (second["released"], second["left"]) == (100, 0)
    assert rig.wait_task(task)["counts"]["updated"] == 1100


# ---- giving up ----


@pytest.mark.parametrize("fault", ["500", "garbage", "401", "nobody"])
def test_row_is_given_up_and_replayed(hasty, fault):
    answers = {"500": (500, b""), "garbage": (200, b"<html>"), "401": (401, b"{}")}
    if fault == "nobody":
        hasty.pmh.stop()
    else:
        hasty.pmh.fault = lambda entries: answers[fault]
    doc = hasty.register_done([row(fresh()) for _ in range(20)])
    assert results(doc) == [("quarantined", "upstream_gave_up")] * 20
    assert hasty.redis("redis-link", "ZCARD", "oq") == ["0"]
    assert hasty.redis("redis-link", "HLEN", f"o:{MUNI}:{doc['task_id']}") == ["20"], "what is needed to go on is kept"
    assert (MUNI, 20, "intake") in events(hasty, ROW_QUARANTINED)
    hasty.pmh.fault = None
    if fault == "nobody":
        hasty.pmh.start()
    assert ordered(hasty, "replay", doc["task_id"])["replayed"] == 20
    assert hasty.wait_task(doc["task_id"])["counts"]["registered"] == 20


def test_rows_that_are_not_even_tried_are_given_up(hasty):
    """The upstream has been away for long: its breaker lets a few rows through, the others wait; they are held as well."""
    hasty.pmh.stop()
    for _ in range(6):
        hasty.register_done([row(fresh())])
    _, doc = hasty.register([row(fresh()) for _ in range(300)])
    done = hasty.wait_task(doc["task_id"], seconds=20)
    assert done["counts"]["quarantined"] == 300 and {r["code"] for r in done["rows"]} == {"upstream_gave_up"}


def test_young_rows_are_not_given_up(rig):
    rig.pmh.stop()
    _, doc = rig.register([row(fresh()) for _ in range(20)])
    time.sleep(0.6)
    assert rig.task(doc["task_id"])[1]["counts"]["waiting"] == 20
    rig.pmh.start()
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 20


@pytest.mark.parametrize("status", [400, 422])
def test_one_row_that_pmh_does_not_take_is_found(rig, status):
    """PMH refuses a batch as a whole for one of its rows: the others go through, that one is held."""
    nums = [fresh() for _ in range(100)]
    rig.pmh.fault = lambda entries: (status, b"{}") if any(e["myNumber"] == nums[41] for e in entries) else rig.pmh.answer(entries)
    requests = rig.pmh.requests
    doc = rig.register_done([row(num) for num in nums])
    assert doc["counts"]["registered"] == 99
    assert results(doc)[41] == ("quarantined", "upstream_answer_refused")
    assert rig.pmh.requests - requests < 40
    rig.pmh.fault = None
    assert ordered(rig, "replay", doc["task_id"])["replayed"] == 1
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 100


@pytest.mark.parametrize("status", [400, 403, 408])
def test_partner_that_refuses_everything_does_not_empty_the_queue(rig, status):
    rig.pmh.fault = lambda entries: (status, b"{}")
    _, doc = rig.register([row(fresh()) for _ in range(200)])
    time.sleep(0.7)
    now = rig.task(doc["task_id"])[1]
    assert now["counts"]["waiting"] == 200, now["counts"]
    rig.pmh.fault = None
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 200


# ---- forgetting ----


def test_old_tasks_are_forgotten_but_not_what_is_held(rig):
    done = rig.register_done([row(fresh())])["task_id"]
    young = rig.register_done([row(fresh())])["task_id"]
    _, held = held_person(rig)
    rig.pmh.stop()
    _, doc = rig.register([row(fresh())])
    waits = doc["task_id"]
    old = int(time.time() * 1000) - 91 * 24 * 3600 * 1000
    for task in (done, held, waits):
        rig.redis("redis-link", "ZADD", f"tl:{MUNI}", old, task)
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: rig.task(done)[0] == 404, 10, "the old task is forgotten")
    assert rig.redis("redis-link", "EXISTS", *(f"{k}:{MUNI}:{done}" for k in ("t", "tr", "o"))) == ["0"]
    assert done not in rig.redis("redis-link", "ZRANGE", f"tl:{MUNI}", 0, -1)
    assert [rig.task(t)[0] for t in (young, held, waits)] == [200] * 3
    rig.pmh.start()
    assert rig.wait_task(waits)["counts"]["registered"] == 1
    assert ordered(rig, "release", held)["released"] == 1
    assert rig.wait_task(held)["counts"]["updated"] == 1


# ---- nothing was told ----


def test_no_number_was_told(rig, hasty):
    assert len(USED) > 100
    for r in (rig, hasty):
        places = [place for d in ("log", "redis-link", "redis-vault", "audit") for place in contents(r.dir / d)]
        assert sum(len(data) for _, data in places) > 1_000_000
        for path, data in places:
            told = {run[i:i + 12] for run in re.findall(rb"[0-9]{12,}", data) for i in range(len(run) - 11)}
            assert not told & {num.encode() for num in USED}, path.name
