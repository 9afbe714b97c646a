"""Messages to partners when something happens in the middle: to the person, to the database, to the clock; and what the courier may do at redis-link."""

import secrets
import signal
import subprocess
import time

import pytest
from rig import CLINIC_B, fresh_number, wait_for
from sheet_rig import silenced
from test_courier import Post
from vaccine_rig import MUNI, Child, one

FAR = 4_000_000_000_000  # the year 2096


@pytest.fixture(scope="module")
def post(rig):
    return Post(rig)


def ask(rig, user, *words):
    """What redis-link answers this daemon's user."""
    password = (rig.state / f"keys/redis-link-{user}.pass").read_text().strip()
    argv = ["redis-cli", "-s", str(rig.state / "run/redis-link.sock"), "--user", user, "--pass", password, "--no-auth-warning", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=10).stdout.split("\n")[:-1]


def settle(post, seconds=10):
    wait_for("nothing is on its way", seconds, lambda: "lanes that wait: 0" in post.notices("list").stdout)


def test_who_was_told_stands_in_the_record_when_the_person_became_silent_meanwhile(post):
    c, a, record = post.shared()
    settle(post)
    post.fault("clinic-app", delay_ms=500)
    before = post.kept("clinic-app")["requests"]
    try:
        one(c.correct(a, record, lotNumber="B2C3"))
        wait_for("the message is on its way", 20, lambda: post.kept("clinic-app")["requests"] > before)
        silenced(post.rig, c.key)
        settle(post)
    finally:
        post.fault("clinic-app")
        silenced(post.rig, c.key, hidden=False)
    assert post.heard(record, CLINIC_B) == [(CLINIC_B, "record_corrected", "2")], "it had left before"
    assert ("clinic", CLINIC_B) not in post.recalls(record)


def test_nobody_is_asked_for_a_key_that_cannot_be_used(post):
    post.fault("vaccination-db", status=503)
    try:
        before = {s: post.kept(s)["requests"] for s in ("id5", "vaccination-db")}
        for c in [Child(post.town) for _ in range(10)]:
            one(c.record(c.session()))
        wait_for("the database is left alone", 20, lambda: post.kept("vaccination-db")["requests"] >= before["vaccination-db"] + 5)
        time.sleep(2.5)
        asked, tried = (post.kept(s)["requests"] - before[s] for s in ("id5", "vaccination-db"))
        assert asked <= tried + 4, f"{asked} keys for {tried} tries"
    finally:
        post.fault("vaccination-db")
    wait_for("all is told or given up", 20, lambda: "lanes that wait: 0" in post.notices("list").stdout)
    post.notices("drop", "--all")


def test_nothing_is_said_of_a_municipality_that_the_citizen_has_left(post):
    c = Child(post.town)
    settle(post)
    post.fault("portal", status=503)
    try:
        record = one(c.record(c.session()))
        a = post.rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [{"changeType": "moved_out", "municipalityIdentityKey": c.key, "effectiveDate": "2026-01-01",
                                                                      "operationKey": f"op-{secrets.token_hex(6)}"}])
        assert a.status == 202, a.body
        wait_for("the resident has left", 20, lambda: c.own("notices").status == 404)
    finally:
        post.fault("portal")
    settle(post)
    assert record["immunizationId"] not in str(post.kept("portal"))
    assert not post.dead()


def test_what_waits_follows_its_record_to_another_number(post):
    c, a, record = post.shared()
    settle(post)
    known = {p["provisionId"] for p in post.kept("vaccination-db")["provisions"]}
    for system in ("vaccination-db", "clinic-app"):
        post.fault(system, status=503)
    try:
        one(c.correct(a, record, lotNumber="B2C3"))
        wait_for("both are given up", 20, lambda: len(post.dead()) == 2)
        change = {"changeType": "number_changed", "municipalityIdentityKey": c.key, "newMyNumber": fresh_number(), "effectiveDate": "2026-01-01",
                  "operationKey": f"op-{secrets.token_hex(6)}"}
        a = post.rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [change])
        assert a.json()["counts"]["updated"] == 1, a.body
    finally:
        for system in ("vaccination-db", "clinic-app"):
            post.fault(system)
    assert ("clinic", CLINIC_B) in post.recalls(record)
    assert post.notices("replay", "--all").returncode == 0
    new = wait_for("the database is told", 20, lambda: [p for p in post.kept("vaccination-db")["provisions"] if p["provisionId"] not in known])
    assert len(new) == 1 and new[0]["immunization"]["lotNumber"] == "B2C3"
    wait_for("clinic B hears of it", 20, lambda: post.heard(record, CLINIC_B) == [(CLINIC_B, "record_corrected", "2")])
    wait_for("and it stands in the record", 20, lambda: ("clinic", CLINIC_B) not in post.recalls(record))
    assert not post.dead()


def test_a_clock_that_was_ahead_holds_nothing_up(post):
    def link(*words):
        return ask(post.rig, "intake", *words)
    c = Child(post.town)
    settle(post)
    post.fault("clinic-app", status=503)
    try:
        record = one(c.record(c.session()))
        wait_for("it waits for another try", 20, lambda: len(link("ZRANGE", "nx", "0", "-1")) == 1)
        for lane in link("ZRANGE", "nx", "0", "-1"):
            link("ZADD", "nx", str(FAR), lane)
    finally:
        post.fault("clinic-app")
    for lane in link("ZRANGE", "nx", "0", "-1"):
        link("ZADD", "nx", str(FAR), lane)
    wait_for("it is told all the same", 20, lambda: post.heard(record))


def test_a_database_that_is_not_configured_costs_nobody_a_key(post):
    targets = post.rig.state / "conf/targets.yaml"
    whole = targets.read_text()
    settle(post)
    targets.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("database:")))
    post.restart(signal.SIGTERM)
    try:
        before = post.kept("id5")["requests"]
        c = Child(post.town)
        one(c.record(c.session()))
        dead = wait_for("an officer hears of it", 20, post.dead)
        assert [(d["kind"], d["why"]) for d in dead.values()] == [("provision", "no_target")]
        assert post.kept("id5")["requests"] == before
        targets.write_text(targets.read_text() + "database: none\n")
        post.restart(signal.SIGTERM)
        another = Child(post.town)
        one(another.record(another.session()))
        settle(post)
        assert len(post.dead()) == 1 and post.kept("id5")["requests"] == before, "where nothing is provided nobody misses it"
    finally:
        targets.write_text(whole)
        post.restart(signal.SIGTERM)
        post.notices("drop", "--all")


def test_the_courier_reads_persons_and_notes_who_was_told_and_no_more(post):
    assert ask(post.rig, "courier", "PING") == ["PONG"]
    for words in (("DEL", "p:{x}"), ("SET", "p:{x}", "y"), ("HDEL", "p:{x}", "y"), ("RPUSH", "p:{x}", "y"), ("HGETALL", "s:x"), ("HSET", "s:x", "y", "z"), ("GET", "u:x"),
                  ("HGETALL", "us:x"), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("FLUSHALL",), ("SCRIPT", "FLUSH"), ("ACL", "LIST"), ("DEL", "ep"),
                  ("EVAL", "return redis.call('DEL','p:{x}')", "0"), ("EVAL", "return redis.call('GET','tk:x')", "0")):
        answer = " ".join(ask(post.rig, "courier", *words))
        assert any(no in answer for no in ("NOPERM", "not allowed", "can't access")), (words, answer)
