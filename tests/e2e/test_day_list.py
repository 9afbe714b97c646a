"""A clinic's day list: up to 100 link keys in one call, each as if it had come by itself."""

import json
import secrets
import signal
import threading
import time

import pytest

from front_rig import (CLINIC, ERR, EVENT, GIVEN, NOBODY, NOTHING, OTHER_CLINIC, Rig, USED, last, rig, wait_for)  # noqa: F401

PATH, MOST = "/v1/clinic/eligibility/list", 100
PROBLEM = {"type", "title", "status", "code", "detail", "title_en", "detail_en", "actor", "retry", "request_id"}


def ask(rig, keys, clinic=CLINIC):
    return rig.post("clinic", PATH, {"link_keys": keys}, f"clinic-{clinic}")


def codes(answer):
    """200, or the code of its problem, of each key."""
    assert answer.status == 200, answer.raw
    return [r["problem"]["code"] if "problem" in r else 200 for r in answer.json["results"]]


def lookups(rig, since):
    return [r[1:4] + (r[5],) for r in rig.audit()[since:] if r[0] == EVENT["CLINIC_LOOKUP"]]


def test_each_key_is_answered_in_its_place_as_it_would_be_alone(rig):
    people = [rig.person([{}] * (1 + i % 3)) for i in range(20)]
    alone = rig.look_up(rig.mint(people[1]))
    seen = len(rig.audit())
    answer = ask(rig, [rig.mint(p) for p in people])
    assert codes(answer) == [200] * len(people)
    for result in answer.json["results"]:
        assert set(result) == set(alone.json)
        assert rig.read_session(result["session"]).json == result
    assert [len(r["eligibility"]) for r in answer.json["results"]] == [len(rig.look_up(rig.mint(p)).json["eligibility"]) for p in people]
    assert len({r["session"] for r in answer.json["results"]}) == len(people)
    records = lookups(rig, seen)[:len(people)]
    assert sorted(r[2] for r in records) == sorted(map(rig.handle, people)) and {r[:2] for r in records} == {(GIVEN, 0)}


def test_each_key_is_used_up_by_itself_and_what_is_wrong_with_one_is_told_in_its_place(rig):
    one, other, silent = rig.person(), rig.person(), rig.person([])
    used, good, foreign, twice = rig.mint(one), rig.mint(other), rig.mint(one, aud=OTHER_CLINIC), rig.mint(one)
    nobody, late = rig.mint(silent), rig.mint(one, age=100000, life=10)
    first = rig.look_up(used)
    assert first.status == 200
    seen = len(rig.audit())
    answer = ask(rig, [used, good, foreign, twice, "broken", nobody, twice, late, rig.mint(other)])
    assert codes(answer) == ["used", 200, "nothing", 200, "nothing", "nothing", "used", "nothing", 200]
    problems = [r["problem"] for r in answer.json["results"] if "problem" in r]
    rid = next(v for k, v in answer.headers if k.lower() == "x-request-id")
    assert all(set(p) - {"used_at"} == PROBLEM and p["request_id"] == rid for p in problems)
    assert [("used_at" in p) for p in problems] == [p["code"] == "used" for p in problems]
    assert {p["status"] for p in problems} == {404, 409}
    assert answer.json["results"][0]["problem"]["used_at"] == rig.look_up(used).json["used_at"] <= answer.json["results"][6]["problem"]["used_at"]
    records = lookups(rig, seen)[:-1]
    h = rig.handle(one)
    want = [(USED, ERR["USED"], h, 0), (GIVEN, 0, rig.handle(other), 1), (NOTHING, ERR["FORBIDDEN"], h, 0), (GIVEN, 0, h, 1), (NOTHING, ERR["TOKEN"], NOBODY, 0),
            (NOTHING, ERR["NOTHING"], rig.handle(silent), 0), (USED, ERR["USED"], h, 0), (NOTHING, ERR["TOKEN"], h, 0), (GIVEN, 0, rig.handle(other), 1)]
    assert sorted(records) == sorted(want)
    # What the list has used up is used up, and nothing else is.
    assert [rig.look_up(k).code for k in (good, twice, nobody)] == ["used"] * 3
    assert rig.look_up(foreign, OTHER_CLINIC).status == 200
    r = rig.redis()
    left = [f for f in r("HKEYS", rig.put(one)[0]) if f.startswith(b"sn:")]
    assert len(left) == 3  # of `used` and of `twice`, and of the other clinic: what was used before left none
    assert [rig.read_session(answer.json["results"][i]["session"]).status for i in (1, 3, 8)] == [200] * 3


def test_what_is_nothing_in_a_list_looks_the_same_whatever_it_is(rig):
    raw = [json.dumps(ask(rig, [key]).json["results"][0]["problem"] | {"request_id": ""}) for key in
           ("broken", rig.mint("pk-" + secrets.token_hex(8)), rig.mint(rig.person(), aud=OTHER_CLINIC), rig.mint(rig.person(), purpose="other"))]
    assert len(set(raw)) == 1
    mixed = [rig.mint(rig.person()), "broken"]
    begun = time.monotonic()
    assert codes(ask(rig, mixed)) == [200, "nothing"]
    assert time.monotonic() - begun >= 0.02  # the whole is on the beat of what must not tell


def test_a_fault_of_the_whole_uses_nothing_up(rig):
    key = rig.mint(rig.person())
    send = lambda body: rig.post("clinic", PATH, body, f"clinic-{CLINIC}")  # noqa: E731
    for keys in ([], [key] * (MOST + 1), [key, 1], [key, ""], [key, "x" * 4097], key, None):
        answer = send({"link_keys": keys})
        assert (answer.status, answer.code) == (422, "field_invalid"), keys
        assert [f["field"] for f in answer.json["errors"]] == ["link_keys"]
    assert send({"link_keys": [key], "more": 1}).status == 422
    for text in ('{"link_keys":["%s"' % key, '["%s"]' % key, '{"link_keys":["%s"],"link_keys":["%s"]}' % (key, key)):
        assert send(text).status == 400
    assert send({"link_keys": [key, "x" * 4000] + ["x" * 4000] * 80}).status == 413
    assert rig.post("clinic", PATH, {"link_keys": [key]}, "portal-mynaportal").status == 403
    assert codes(ask(rig, [key])) == [200]


def test_a_whole_hundred_of_people_with_much_to_tell(rig):
    big = {"municipalityCode": "331007", "certificationName": "x" * 20000}
    person = rig.person([{"eligibility": big, "history": str(i)} for i in range(3)])  # 60 KB: 100 times that is more than a list tells
    keys = [rig.mint(person) for _ in range(MOST)]
    answer = ask(rig, keys)
    told = codes(answer)
    n = told.count(200)
    assert 40 < n < MOST and told == [200] * n + [told[-1]] * (MOST - n) and len(answer.raw) < 8 << 20
    late = answer.json["results"][-1]["problem"]
    assert (late["status"], late["retry"]) == (503, "later")
    assert codes(ask(rig, keys[n:n + 10] + keys[:2])) == [200] * 10 + ["used"] * 2  # what found no room was not used up


def test_the_same_person_again_and_again_keeps_the_latest_sessions(rig):
    person = rig.person()
    answer = ask(rig, [rig.mint(person) for _ in range(12)])
    assert codes(answer) == [200] * 12
    key, r = rig.put(person)[0], rig.redis()
    assert rig.look_up(rig.mint(person)).status == 200
    wait_for(lambda: sum(f.startswith(b"sn:") for f in r("HKEYS", key)) <= 8)  # consent.h, CONSENT_CLINIC_MAX


# ---- trouble ----

def test_without_redis_or_log_the_whole_is_refused_and_nothing_is_used_up(rig):
    keys = [rig.mint(rig.person()) for _ in range(3)]
    for name, code in (("redis", "store_unavailable"), ("audit", "audit_unavailable")):
        rig.kill(name)
        answer = ask(rig, keys)
        assert (answer.status, answer.code) == (503, code) and int(dict(answer.headers)["Retry-After"]) > 0
        rig.start(name)
        rig.wait_healthy()
    assert codes(ask(rig, keys)) == [200] * 3


def test_a_redis_that_falls_silent_is_told_of_the_whole(rig):
    keys = [rig.mint(rig.person()) for _ in range(3)] + ["broken"]
    rig.procs["redis"].send_signal(signal.SIGSTOP)
    try:
        answer = ask(rig, keys)
    finally:
        rig.procs["redis"].send_signal(signal.SIGCONT)
    assert answer.status == 503 and "results" not in answer.json
    rig.wait_healthy()
    assert codes(ask(rig, keys)) == [200] * 3 + ["nothing"]


def test_a_log_that_falls_silent_is_told_of_each_key_that_may_be_used_up(rig):
    keys = [rig.mint(rig.person()) for _ in range(3)]
    rig.procs["audit"].send_signal(signal.SIGSTOP)
    try:
        answer = ask(rig, keys)
    finally:
        rig.procs["audit"].send_signal(signal.SIGCONT)
    assert codes(answer) == ["audit_unavailable"] * 3
    rig.wait_healthy()
    assert codes(ask(rig, keys)) == ["used"] * 3


def stopped_during(rig, keys, act):
    """The answer to a list whose records wait in the log while something is done to its people."""
    heard = []
    rig.procs["audit"].send_signal(signal.SIGSTOP)
    caller = threading.Thread(target=lambda: heard.append(ask(rig, keys)))
    try:
        r, name = rig.redis(), rig.name
        caller.start()
        wait_for(lambda: any(f.startswith(b"sn:") for f in r("HKEYS", name)))
        time.sleep(0.3)  # longer than a reading is good for (fresh.h)
        act()
    finally:
        rig.procs["audit"].send_signal(signal.SIGCONT)
    caller.join()
    rig.wait_healthy()
    return heard[0]


def test_a_flag_that_is_set_while_the_records_wait_silences_that_person_alone(rig):
    from test_link_keys import raw
    hidden, seen = rig.person(), rig.person()
    rig.name = rig.put(hidden)[0]
    answer = stopped_during(rig, [rig.mint(seen), rig.mint(hidden), rig.mint(seen)], lambda: raw(rig, "flags", hidden, "271403", 1))
    assert codes(answer) == [200, "nothing", 200]
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (NOTHING, ERR["NOT_DISCLOSED"], rig.handle(hidden))


# ---- budget ----

RATE, BURST, MANY = 20, 5, 30


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("limited"), workers=1, caller_rate=RATE, caller_burst=BURST)
    try:
        for name in ("redis", "audit", "front"):
            rig.start(name)
        yield rig
    finally:
        rig.down()


def test_the_keys_of_a_list_count_in_the_rate_of_its_clinic_and_of_no_other(limited):
    wait_for(limited.redis_sock.exists)
    person = limited.person()
    keys, one, few = [limited.mint(person) for _ in range(MANY)], limited.mint(person), [limited.mint(person) for _ in range(2)]
    begun = 0

    def told(call, *args):
        try:
            return call(limited, *args).status
        except OSError:
            return None  # it starts

    def listed():
        nonlocal begun
        begun = time.monotonic()
        return told(ask, keys) == 200

    wait_for(listed, 20)
    assert told(ask, few) == 429 or time.monotonic() - begun > (MANY - BURST) / RATE
    assert limited.look_up(limited.mint(person, aud=OTHER_CLINIC), OTHER_CLINIC).status == 200
    wait_for(lambda: limited.look_up(one).status == 200)
    assert time.monotonic() - begun > (MANY + 1 - BURST) / RATE - 0.05  # alone it would have been one of those that are free at once
    wait_for(lambda: told(ask, few) == 200)  # what was turned away was not used up
