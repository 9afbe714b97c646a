"""What the console is told of the gateway (docs/decisions/0062-what-the-console-is-told.md): to staff, of their own municipality and programs, and nothing of any person."""

import json
import re
import signal
import time

import pytest
from intake_rig import encodings, number, row
from staff_rig import A, B, Rig, SEEDS, call, held_task, login, member, slug

PATHS = ("/v1/console/overview", "/v1/console/series", "/v1/console/certificates")
OVERVIEW, SERIES, CERTIFICATES = PATHS


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    where = tmp_path_factory.mktemp("s")
    (where / "metrics").mkdir(mode=0o700)
    r = Rig(where, metrics_dir=str(where / "metrics"))
    try:
        r.up()
        r.tokens, r.people = {}, {}
        yield r
    finally:
        r.down()


def session(rig, role="admin", programs="*", muni=A):
    """Of one member of staff of each kind."""
    who = (role, programs, muni)
    if who not in rig.people:
        rig.people[who] = member(rig, "--role", role, "--programs", programs, muni=muni)[2]
    return rig.people[who]


def read(rig, path, *who, muni=A):
    status, doc = call(rig, "GET", path, session=session(rig, *who, muni=muni), cert=f"muni-{muni}")
    assert status == 200, doc
    return doc


def part(doc, name):
    (found,) = [p for p in doc["parts"] if p["name"] == name]
    return found


def test_whoever_works_there_sees_how_the_gateway_is(rig):
    for role in ("viewer", "officer", "admin"):
        doc = read(rig, OVERVIEW, role, "*")
        assert doc["municipality"] == A and doc["all_programs"] is True and re.fullmatch(r"\d+\.\d+\.\d+", doc["version"])
        for name in ("redis-link", "vault", "audit", "pmh"):
            assert part(doc, name)["state"] == "up" and re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", part(doc, name)["since"])
        assert part(doc, "front")["state"] == "down", "there is none in this rig"
        assert doc["audit"]["checkpoint"].startswith("pmhgw.local/audit\n") and doc["audit"]["size"] > 0
        assert read(rig, CERTIFICATES, role, "*")["known"] is True
        assert len(read(rig, SERIES, role, "*")["registered"]) == 48


def test_nobody_else_is_told_anything(rig):
    for path in PATHS:
        assert slug(call(rig, "GET", path)) == (401, "no_staff_session")
        assert slug(call(rig, "GET", path, session="x" * 43)) == (401, "no_staff_session")
        assert slug(call(rig, "GET", path, session=session(rig), cert=f"muni-{B}")) == (401, "no_staff_session")  # another one's session
        assert rig.call("GET", path)[0] == 401  # no token
        assert rig.call("GET", path, cert="clinic-3319900019")[0] == 403


def test_what_waits_is_of_the_own_municipality_and_programs(rig):
    before = read(rig, OVERVIEW)["backlog"]
    held_task(rig, 2)
    assert read(rig, OVERVIEW)["backlog"]["held"] == before["held"] + 2
    assert read(rig, OVERVIEW, "viewer", "medical_subsidy")["backlog"]["held"] == before["held"] + 2
    limited = read(rig, OVERVIEW, "officer", "immunization,health_checkup")
    assert limited["all_programs"] is False
    assert limited["backlog"] == {"rows": 0, "files": 0, "stalled": 0, "held": 0}
    assert read(rig, OVERVIEW, muni=B)["backlog"]["held"] == 0
    assert not {"waiting", "given_up"} & set(read(rig, OVERVIEW)["notices"]), "queues that others share are told without their length"


def test_rows_that_wait_for_pmh_are_seen_and_so_is_pmh(rig):
    rig.pmh.stop()
    try:
        status, doc = call(rig, "POST", "/v1/medical-subsidy/registration-tasks", [row(number(next(SEEDS))) for _ in range(3)])
        assert status == 202, doc
        waits = read(rig, OVERVIEW)["backlog"]
        assert waits["rows"] >= 3 and "oldest_s" in waits
        assert read(rig, OVERVIEW, muni=B)["backlog"]["rows"] == 0
        for _ in range(5):  # so many failures open the breaker
            call(rig, "POST", "/v1/medical-subsidy/registration-tasks", [row(number(next(SEEDS)))])
        wait_for_state(rig, "pmh", "down")
    finally:
        rig.pmh.start()
    wait_for_state(rig, "pmh", "up")
    end = time.monotonic() + 30
    while read(rig, OVERVIEW)["backlog"]["rows"]:
        assert time.monotonic() < end
        time.sleep(0.1)


def wait_for_state(rig, name, state, seconds=30):
    end = time.monotonic() + seconds
    while part(read(rig, OVERVIEW), name)["state"] != state:
        assert time.monotonic() < end, f"{name} is not {state}"
        time.sleep(0.1)


def last(rig, count, **who):
    """What the newest hours sum up to: the clock may pass an hour meanwhile."""
    return sum(v or 0 for v in read(rig, SERIES, **who)[count])


def until(rig, count, want):
    """What is told may be some seconds old."""
    end = time.monotonic() + 30
    while (now := last(rig, count)) != want:
        assert now < want and time.monotonic() < end, (count, now, want)
        time.sleep(0.3)


def settled(rig):
    """Every row that the tasks tell of is in the hours: how many they are."""
    tasks = call(rig, "GET", "/v1/tasks")[1]["tasks"]
    n = sum(t["counts"]["registered"] for t in tasks)
    until(rig, "registered", n)
    return n


def test_the_hours_tell_what_became_of_rows(rig):
    settled(rig)
    before, other = {c: last(rig, c) for c in ("registered", "unchanged", "requests_refused")}, last(rig, "registered", muni=B)
    rows = [row(number(next(SEEDS))) for _ in range(4)]
    rig.register_done(rows)
    until(rig, "registered", before["registered"] + 4)
    rig.register_done(rows)
    until(rig, "unchanged", before["unchanged"] + 4)
    assert call(rig, "POST", "/v1/medical-subsidy/registration-tasks", {"no": "array"})[0] >= 400
    until(rig, "requests_refused", before["requests_refused"] + 1)
    assert last(rig, "registered") == before["registered"] + 4
    assert last(rig, "registered", muni=B) == other
    series = read(rig, SERIES)
    assert all(len(series[k]) == 48 for k in series if isinstance(series[k], list)) and series["step_s"] == 3600
    assert series["registered"][0] is None, "nobody looked two days ago"


def test_the_hours_outlive_a_restart_and_count_nothing_twice(rig):
    before = settled(rig)
    rig.kill("intake", signal.SIGKILL)
    rig.start("intake")
    rig.wait_healthy()
    assert last(rig, "registered") == before
    rig.register_done([row(number(next(SEEDS)))])
    until(rig, "registered", before + 1)


def test_the_hours_are_for_who_is_in_charge_of_everything(rig):
    for role in ("viewer", "admin"):
        assert slug(call(rig, "GET", SERIES, session=session(rig, role, "medical_subsidy"))) == (403, "forbidden")


def test_certificates_and_their_ends(rig):
    doc = read(rig, CERTIFICATES)
    settings = {(c["daemon"], c["setting"]) for c in doc["certificates"]}
    assert {("intake", "door_cert"), ("intake", "door_ca"), ("intake", "upstream_cert"), ("intake", "receipt_cert")} <= settings
    assert doc["own"]["stage"] == "later" and doc["own"]["ends_at"] > doc["at"]
    assert all(c["ends_at"] > doc["at"] for c in doc["certificates"])


def test_a_part_that_is_away_is_said(rig):
    rig.kill("audit", signal.SIGTERM)
    try:
        wait_for_state(rig, "audit", "down")
        doc = read(rig, OVERVIEW)
        assert doc["audit"].get("checkpoint") is None and part(doc, "redis-link")["state"] == "up" and doc["backlog"]
        down_since = part(doc, "audit")["since"]
    finally:
        rig.start("audit")
    wait_for_state(rig, "audit", "up")
    assert part(read(rig, OVERVIEW), "audit")["since"] > down_since
    rig.wait_healthy()


def test_without_redis_the_answer_is_a_refusal_that_comes_soon(rig):
    who = session(rig)
    rig.kill("redis-link", signal.SIGTERM)
    try:
        for path in PATHS:
            began = time.monotonic()
            status, doc = call(rig, "GET", path, session=who)
            assert status == 503 and doc["code"].startswith("store_"), doc
            assert time.monotonic() - began < 5
    finally:
        rig.start("redis-link")
    rig.wait_healthy()
    assert read(rig, OVERVIEW)["backlog"] is not None


def test_nothing_of_a_person_is_told(rig):
    num, key = number(next(SEEDS)), f"resident-{next(SEEDS)}"
    rig.register_done([row(num, name="公開花子", municipalityIdentityKey=key)])
    told = "".join(json.dumps(read(rig, path), ensure_ascii=False) for path in PATHS)
    assert key not in told and "公開花子" not in told
    for form in encodings(num):
        assert form not in told.encode()


def test_a_second_login_hears_the_same(rig):
    """The overview is of the municipality, not of who asks."""
    user, password, mine = member(rig, "--role", "viewer", "--programs", "*")
    status, doc = login(rig, user, password)
    assert status == 200
    one, two = (call(rig, "GET", OVERVIEW, session=s)[1]["backlog"] for s in (mine, doc["staff_session"]))
    assert {k: v for k, v in one.items() if k != "oldest_s"} == {k: v for k, v in two.items() if k != "oldest_s"}
