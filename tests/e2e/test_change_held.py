"""Changes of residents that wait for PMH or are held: in requests and in files, through kills, orders of an officer, and a clock that goes back
(intake_rig.py)."""

import itertools
import json
import random
import time

import pytest

from canary import contents
from intake_rig import Rig, encodings, number, row, wait_for

SEEDS = itertools.count(60_000_000_000 + random.SystemRandom().randrange(10**10))
KEYS = itertools.count(random.randrange(10**6) * 1000)
USED = []  # every number is a canary
MUNI = "331007"
OTHERS = {"name": "岡山太郎", "born": "1980-05-05"}
ROW_QUARANTINED = 15


def fresh():
    USED.append(number(next(SEEDS)))
    return USED[-1]


def key():
    return f"W-{next(KEYS)}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("w"), retry_max_ms=1000)
    try:
        yield r.up()
        stored = b"".join(data for _, data in contents(r.dir / "redis-link")) + r.log_text()
        assert USED and not [1 for n in USED for form in encodings(n) if len(form) > 8 and form in stored], "a number is stored or logged"
    finally:
        r.down()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("x"), give_up_hours=0, retry_min_ms=50, retry_max_ms=500)
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture(autouse=True)
def pmh_is_well(request):
    yield
    for name in ("rig", "hasty"):
        if name in request.fixturenames:
            request.getfixturevalue(name).pmh.fault = None


def ask(kind, who, operation=None, **more):
    return {"changeType": kind, "municipalityIdentityKey": who, "effectiveDate": "2026-01-01", "operationKey": operation or key(), **more}


def post(rig, *rows):
    status, doc = rig.call("POST", "/v1/residents/change-tasks", json.dumps(rows).encode(), token=rig.token())
    assert status == 202, doc
    return doc


def results(doc):
    return [(r["result"], r.get("code")) for r in doc["rows"]]


def change(rig, *args, **more):
    return results(post(rig, ask(*args, **more)))[0]


def resident(rig, **more):
    who, num = key(), fresh()
    rig.register_done([row(num, municipalityIdentityKey=who, **more)])
    return who, num


def residents(rig, n):
    people = [(key(), fresh()) for _ in range(n)]
    rig.register_done([row(num, municipalityIdentityKey=who) for who, num in people])
    return people


def send_file(rig, rows):
    data, token = "\n".join(json.dumps(r) for r in rows).encode(), rig.token()
    announced = json.dumps({"operation": "postResidentChangeTasks", "bytes": len(data), "source": "json_lines"}).encode()
    status, doc = rig.call("POST", "/v1/files", announced, token=token)
    assert status == 201, doc
    status, doc = rig.call("PUT", f"/v1/files/{doc['file_id']}", data, token=token, media="application/octet-stream")
    assert status == 202, doc
    return doc["task_id"]


def rows_of_file(rig, task):
    status, doc = rig.call("GET", f"/v1/tasks/{task}/results?limit=1000", token=rig.token())
    assert status == 200, doc
    return results(doc)


def order(rig, what, task, rows="all"):
    body = {"officer": "sato", **({"all": True} if rows == "all" else {"rows": rows})}
    status, doc = rig.call("POST", f"/v1/tasks/{task}/{what}", json.dumps(body).encode(), token=rig.token())
    assert status == 200, doc
    return doc


def away(rig):
    rig.pmh.fault = lambda entries: (503, b"")


def restart(rig):
    rig.kill("intake")
    rig.start("intake")
    rig.wait_healthy()


def counts(rig, task, **want):
    now = rig.task(task)[1]["counts"]
    return all(now[k] == v for k, v in want.items())


def nothing_waits(rig):
    assert rig.redis("redis-link", "ZCARD", "ch:wait") == ["0"]
    assert rig.redis("redis-link", "--scan", "--pattern", "ch:q:*") in ([], [""])


# ---- PMH is away ----


def test_file_goes_on_without_pmh_and_its_rows_end_later(rig):
    people = residents(rig, 5)
    a, b = people[0][0], people[1][0]
    new = fresh()
    away(rig)
    task = send_file(rig, [ask("moved_out", people[2][0]), ask("number_changed", a, newMyNumber=new), ask("died", a),
                           ask("number_changed", b, newMyNumber=fresh()), ask("moved_out", people[3][0]), ask("moved_out", key())])
    wait_for(lambda: rig.task(task)[1]["counts"]["waiting"] == 3 and rig.redis("redis-link", "HGET", f"t:{MUNI}:{task}", "st") == ["ended"], 10, "the file ended")
    assert rows_of_file(rig, task) == [("updated", None), ("waiting", None), ("waiting", None), ("waiting", None), ("updated", None),
                                       ("refused", "unknown_resident")]
    assert rig.task(task)[1]["state"] in ("processing", "stalled")
    assert not (rig.dir / "spool" / f"{MUNI}-{task}" / "upload").exists(), "the numbers of the file are gone with it"
    later = send_file(rig, [ask("moved_out", people[4][0])])
    assert rig.wait_task(later)["counts"]["updated"] == 1, "the next file has its turn"
    restart(rig)
    rig.pmh.fault = None
    done = rig.wait_task(task)
    assert done["counts"] == {"rows": 6, "registered": 0, "updated": 5, "unchanged": 0, "refused": 1, "quarantined": 0, "waiting": 0}
    assert rows_of_file(rig, task) == [("updated", None)] * 5 + [("refused", "unknown_resident")]
    assert change(rig, "restored", a, myNumber=new) == ("updated", None), "the end came behind the new number, and went nowhere else"
    nothing_waits(rig)


def test_later_changes_of_a_resident_wait_behind_it(rig):
    (a, _), (b, _), (c, _) = residents(rig, 3)
    first, second, operation = fresh(), fresh(), key()
    away(rig)
    one = post(rig, ask("number_changed", a, newMyNumber=first), ask("died", a, operation), ask("moved_out", b))
    assert results(one) == [("waiting", None), ("waiting", None), ("updated", None)]
    two = post(rig, ask("restored", a, operation))
    three = post(rig, ask("number_changed", a, newMyNumber=second), ask("merged", c, otherMunicipalityIdentityKey=a))
    four = post(rig, ask("moved_out", c))
    assert results(two) + results(three) + results(four) == [("waiting", None)] * 4, "c is named by a row that waits"
    restart(rig)
    rig.pmh.fault = None
    docs = [rig.wait_task(d["task_id"]) for d in (one, two, three, four)]
    assert [r for d in docs for r in results(d)] == [("updated", None)] * 7
    assert change(rig, "moved_out", a, myNumber=second) == ("updated", None), "the last number is the resident's"
    assert change(rig, "merged", c, otherMunicipalityIdentityKey=a) == ("refused", "same_resident")
    nothing_waits(rig)


def test_rows_that_wait_outlive_kills(rig):
    people = [who for who, _ in residents(rig, 6)]
    away(rig)
    rows = [ask("number_changed", who, newMyNumber=fresh()) for who in people]
    task = send_file(rig, rows[:3])
    doc = post(rig, *rows[3:])
    for i in range(3):
        time.sleep(0.15 + 0.1 * i)
        restart(rig)
    rig.pmh.fault = None
    time.sleep(0.1)
    restart(rig)
    assert rig.wait_task(task)["counts"]["updated"] == 3
    assert rig.wait_task(doc["task_id"])["counts"]["updated"] == 3
    assert results(post(rig, *rows)) == [("unchanged", None)] * 6
    nothing_waits(rig)


def test_file_that_dies_among_its_rows_tells_what_it_did(rig):
    """Behind the checkpoint rows come again: also one that was taken back further down, and one that has left the file."""
    people, n = [who for who, _ in residents(rig, 2)], 100
    before = len(rig.redis("redis-link", "--scan", "--pattern", f"ch:{MUNI}:*"))
    operations = [key() for _ in range(n)]
    away(rig)
    rows = [ask("number_changed", people[1], newMyNumber=fresh())]
    for operation in operations:
        rows += [ask("died", people[0], operation), ask("restored", people[0], operation)]
    task = send_file(rig, rows)
    wait_for(lambda: len(rig.redis("redis-link", "--scan", "--pattern", f"ch:{MUNI}:*")) > before + 5, 20, "journals are written")
    rig.kill("intake")
    told = rig.redis("redis-link", "HMGET", f"t:{MUNI}:{task}", "st", "ck")
    assert told[0] == "processing" and int(told[1] or 0) < len(rows), told
    rig.start("intake")
    rig.wait_healthy()
    wait_for(lambda: rig.redis("redis-link", "HGET", f"t:{MUNI}:{task}", "st") == ["ended"], 15, "the file ended")
    rig.pmh.fault = None
    rig.wait_task(task)
    assert set(rows_of_file(rig, task)) == {("updated", None)}


def test_pmh_that_is_away_is_asked_now_and_then(rig):
    people = [who for who, _ in residents(rig, 30)]
    away(rig)
    asked = rig.pmh.requests
    task = send_file(rig, [ask("number_changed", who, newMyNumber=fresh()) for who in people])
    wait_for(lambda: rig.redis("redis-link", "HGET", f"t:{MUNI}:{task}", "st") == ["ended"], 10, "the file ended")
    time.sleep(1)
    assert rig.task(task)[1]["counts"]["waiting"] == 30 and rig.pmh.requests - asked < 25, rig.pmh.requests - asked
    rig.pmh.fault = None
    start = time.monotonic()
    assert rig.wait_task(task)["counts"]["updated"] == 30
    assert time.monotonic() - start < 15
    nothing_waits(rig)


def test_clock_that_was_set_back_leaves_nothing_waiting(rig):
    who, _ = resident(rig)
    away(rig)
    doc = post(rig, ask("number_changed", who, newMyNumber=fresh()))
    rig.kill("intake")
    rig.redis("redis-link", "ZADD", "ch:wait", int(time.time() * 1000) + 5 * 3600 * 1000, f"{MUNI}:{doc['task_id']}:1")
    rig.pmh.fault = None
    rig.start("intake")
    rig.wait_healthy()
    assert results(rig.wait_task(doc["task_id"], seconds=20)) == [("updated", None)]


# ---- held ----


def unlike(rig):
    """A resident and a number of somebody with another name and birth date."""
    who, _ = resident(rig)
    new = fresh()
    rig.register_done([row(new, **OTHERS)])
    return who, new


@pytest.mark.parametrize("send", ["request", "file"])
def test_mixup_is_released(rig, send):
    who, new = unlike(rig)
    a, b = resident(rig)[0], resident(rig, **OTHERS)[0]
    rows = [ask("number_changed", who, newMyNumber=new), ask("merged", a, otherMunicipalityIdentityKey=b), ask("moved_out", a)]
    task = post(rig, *rows)["task_id"] if send == "request" else send_file(rig, rows)
    read = (lambda: results(rig.task(task)[1])) if send == "request" else (lambda: rows_of_file(rig, task))
    done = rig.wait_task(task)
    assert (done["state"], done["counts"]["quarantined"], done["counts"]["updated"]) == ("done_with_errors", 2, 1)
    assert read() == [("quarantined", "person_mismatch")] * 2 + [("updated", None)]
    cannot = order(rig, "replay", task, [1])["rows"][0]
    assert (cannot["result"], cannot["code"]) == ("quarantined", "person_mismatch")
    assert order(rig, "release", task)["released"] == 2
    assert order(rig, "release", task)["released"] == 0, "once"
    done = rig.wait_task(task)
    assert (done["state"], done["counts"]["updated"], done["counts"]["quarantined"]) == ("done", 3, 0), done
    assert read() == [("updated", None)] * 3
    assert change(rig, "moved_out", who, myNumber=new) == ("updated", None)
    assert change(rig, "merged", a, otherMunicipalityIdentityKey=b) == ("refused", "same_resident")
    assert rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}") == ["0"]
    nothing_waits(rig)


def test_release_does_not_replace_what_came_later(rig):
    who, new = unlike(rig)
    task = post(rig, ask("number_changed", who, newMyNumber=new))["task_id"]
    later = fresh()
    assert change(rig, "number_changed", who, newMyNumber=later) == ("updated", None), "nobody waits for an officer"
    assert order(rig, "release", task)["released"] == 1
    assert results(rig.wait_task(task)) == [("unchanged", "superseded")]
    assert change(rig, "moved_out", who, myNumber=later) == ("updated", None)


@pytest.mark.parametrize("send", ["request", "file"])
def test_held_change_is_dropped(rig, send):
    who, new = unlike(rig)
    rows = [ask("number_changed", who, newMyNumber=new)]
    before = len(rig.redis("redis-vault", "--scan", "--pattern", "t:*"))
    task = post(rig, *rows)["task_id"] if send == "request" else send_file(rig, rows)
    rig.wait_task(task)
    assert len(rig.redis("redis-vault", "--scan", "--pattern", "t:*")) == before + 1
    doc = order(rig, "discard", task, [1])
    assert (doc["discarded"], doc["left"], doc["rows"][0]["code"]) == (1, 0, "discarded_by_officer")
    assert rig.redis("redis-link", "EXISTS", f"o:{MUNI}:{task}") == ["0"]
    wait_for(lambda: len(rig.redis("redis-vault", "--scan", "--pattern", "t:*")) == before, 20, "the ticket is gone at the vault")
    assert rig.task(task)[1]["counts"]["refused"] == 1
    assert order(rig, "release", task, [1])["not_held"] == 1


@pytest.mark.parametrize("send", ["request", "file"])
def test_answer_of_pmh_that_was_refused_is_replayed(rig, send):
    who, new = resident(rig)[0], fresh()
    rig.pmh.fault = lambda entries: (200, json.dumps([{"pmhKey": 5, "myNumber": e["myNumber"]} for e in entries]).encode())
    rows = [ask("number_changed", who, newMyNumber=new)]
    task = post(rig, *rows)["task_id"] if send == "request" else send_file(rig, rows)
    read = (lambda: results(rig.task(task)[1])) if send == "request" else (lambda: rows_of_file(rig, task))
    rig.wait_task(task)
    assert read() == [("quarantined", "upstream_answer_refused")]
    assert order(rig, "release", task, [1])["rows"][0]["code"] == "upstream_answer_refused"
    assert order(rig, "replay", task)["replayed"] == 1
    rig.wait_task(task)
    assert read() == [("quarantined", "upstream_answer_refused")], "the same again while PMH says the same"
    rig.pmh.fault = None
    restart(rig)
    assert order(rig, "replay", task)["replayed"] == 1
    rig.wait_task(task)
    assert read() == [("updated", None)] and change(rig, "moved_out", who, myNumber=new) == ("updated", None)


def test_stored_value_that_opens_again_is_replayed(rig):
    before = set(rig.redis("redis-link", "--scan", "--pattern", "p:*"))
    who, _ = resident(rig)
    [person] = set(rig.redis("redis-link", "--scan", "--pattern", "p:*")) - before
    [field] = [f for f in rig.redis("redis-link", "HKEYS", person) if f.startswith("r:")]
    rig.redis("redis-link", "HSET", person, f"{field[:-1]}!", "damaged")
    rig.redis("redis-link", "HSET", person, "e:331007", "damaged")
    task = post(rig, ask("wrong_registration", who))["task_id"]
    assert results(rig.task(task)[1]) == [("quarantined", "stored_value_unreadable")]
    rig.redis("redis-link", "HDEL", person, "e:331007", f"{field[:-1]}!")
    assert order(rig, "replay", task)["replayed"] == 1
    assert results(rig.wait_task(task)) == [("updated", None)]
    assert change(rig, "moved_out", who) == ("refused", "unknown_resident")


def test_ticket_that_is_gone_is_told(rig):
    who, new = unlike(rig)
    task = post(rig, ask("number_changed", who, newMyNumber=new))["task_id"]
    for name in rig.redis("redis-vault", "--scan", "--pattern", "t:*"):
        rig.redis("redis-vault", "DEL", name)
    assert order(rig, "release", task)["released"] == 1
    assert results(rig.wait_task(task)) == [("quarantined", "ticket_lost")]
    assert order(rig, "release", task, [1])["rows"][0]["code"] == "ticket_lost"
    assert order(rig, "discard", task)["discarded"] == 1


def test_damaged_payload_is_held_and_stops_nobody(rig):
    (a, _), (b, _) = resident(rig), resident(rig)
    away(rig)
    doc = post(rig, ask("number_changed", a, newMyNumber=fresh()), ask("number_changed", b, newMyNumber=fresh()))
    rig.redis("redis-link", "HSET", f"o:{MUNI}:{doc['task_id']}", 1, "damaged")
    rig.pmh.fault = None
    assert results(rig.wait_task(doc["task_id"])) == [("quarantined", "stored_value_unreadable"), ("updated", None)]
    assert change(rig, "moved_out", a) == ("updated", None), "its place in the line is of no account"
    assert order(rig, "replay", doc["task_id"], [1])["rows"][0]["code"] == "stored_value_unreadable"
    assert order(rig, "discard", doc["task_id"])["discarded"] == 1
    nothing_waits(rig)


@pytest.mark.parametrize("send", ["request", "file"])
def test_change_that_was_given_up_is_kept_and_replayed(hasty, send):
    who, new = resident(hasty)[0], fresh()
    away(hasty)
    rows = [ask("number_changed", who, newMyNumber=new), ask("died", who)]
    held = len([e for e in hasty.audit() if e[0] == ROW_QUARANTINED])
    task = post(hasty, *rows)["task_id"] if send == "request" else send_file(hasty, rows)
    read = (lambda: results(hasty.task(task)[1])) if send == "request" else (lambda: rows_of_file(hasty, task))
    hasty.wait_task(task)
    assert read() == [("quarantined", "upstream_gave_up"), ("updated", None)], "the one behind it has its turn then"
    assert len([e for e in hasty.audit() if e[0] == ROW_QUARANTINED]) == held + 1
    hasty.redis("redis-link", "ZADD", f"tl:{MUNI}", int(time.time() * 1000) - 91 * 24 * 3600 * 1000, task)
    restart(hasty)
    time.sleep(1.2)
    assert hasty.task(task)[0] == 200, "a task with a row that is held stays"
    hasty.pmh.fault = None
    assert order(hasty, "replay", task)["replayed"] == 1
    hasty.wait_task(task)
    assert read() == [("updated", None)] * 2
    assert change(hasty, "restored", who, myNumber=new) == ("updated", None), "the end went with the person"
    restart(hasty)
    wait_for(lambda: hasty.task(task)[0] == 404, 20, "the old task is forgotten")
