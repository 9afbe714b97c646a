"""Who was perhaps told: a provision whose answer was odd, lost or none may have been taken. It is corrected and taken back like one that was confirmed."""

import pytest
from rig import wait_for
from test_courier import Post
from test_courier_edges import settle
from vaccine_rig import Child, one

DATABASE = "vaccination-db"
TAKEN = ({"garbage": True}, {"other_person": True}, {"reset": True})  # and the answer says something else, or nothing
REFUSED = ({"status": 400}, {"redirect": True})


@pytest.fixture(scope="module")
def post(rig):
    return Post(rig)


@pytest.fixture(autouse=True)
def nothing_is_left(post):
    yield
    post.fault(DATABASE)
    settle(post)
    if post.dead():
        assert post.notices("drop", "--all").returncode == 0


def provisions(post):
    return post.kept(DATABASE)["provisions"]


def dies(post, **fault):
    """A record whose provision becomes a dead letter by this fault; and what the database has of it."""
    settle(post)
    known = {p["provisionId"] for p in provisions(post)}
    c = Child(post.town)
    session = c.session()
    post.fault(DATABASE, **fault)
    try:
        record = one(c.record(session))
        wait_for("its provision is a dead letter", 10, lambda: [d for d in post.dead().values() if d["kind"] == "provision"])
    finally:
        post.fault(DATABASE)
    return c, session, record, known, [p for p in provisions(post) if p["provisionId"] not in known]


@pytest.mark.parametrize("fault", TAKEN)
def test_what_was_taken_with_an_odd_answer_is_taken_back(post, fault):
    c, session, record, known, taken = dies(post, **fault)
    assert len(taken) == 1 and "replacedBy" not in taken[0]
    one(c.correct(session, record, cancel=True))
    wait_for("the database takes it back", 20, lambda: all("replacedBy" in p for p in provisions(post) if p["provisionId"] == taken[0]["provisionId"]))
    settle(post)
    assert ("database", "") not in post.recalls(record)


def test_a_correction_replaces_what_was_taken_with_an_odd_answer(post):
    c, session, record, known, (taken,) = dies(post, garbage=True)
    assert ("database", "") not in post.recalls(record), "it may have the newest"
    one(c.correct(session, record, lotNumber="B2C3"))
    settle(post)
    now = [p for p in provisions(post) if p["provisionId"] not in known]
    assert [p.get("replacedBy") for p in now] == [now[1]["provisionId"], None], "one dose, and not two"
    assert now[1]["immunization"]["lotNumber"] == "B2C3"


@pytest.mark.parametrize("fault", REFUSED)
def test_what_was_never_taken_is_no_loss_to_take_back(post, fault):
    c, session, record, known, taken = dies(post, **fault)
    assert taken == []
    before, dead = post.kept(DATABASE)["refused"], post.dead()
    one(c.correct(session, record, cancel=True))
    settle(post)
    assert [p for p in provisions(post) if p["provisionId"] not in known] == [] and post.dead() == dead
    assert post.kept(DATABASE)["refused"] == before + 1, "it was asked, and knew nothing of it"
    assert ("database", "") not in post.recalls(record)


def test_a_correction_of_what_was_never_taken_is_told_as_the_first(post):
    c, session, record, known, _ = dies(post, status=400)
    one(c.correct(session, record, lotNumber="B2C3"))
    settle(post)
    now = [p for p in provisions(post) if p["provisionId"] not in known]
    assert len(now) == 1 and "replacedBy" not in now[0] and now[0]["immunization"]["lotNumber"] == "B2C3"


def test_the_newest_version_that_it_has_is_replaced_whichever_that_is(post):
    c, session, record, known, (first,) = dies(post, garbage=True)
    post.fault(DATABASE, status=400)
    record = one(c.correct(session, record, lotNumber="B2C3"))
    wait_for("the second is a dead letter too", 20, lambda: len(post.dead()) == 2)
    post.fault(DATABASE)
    one(c.correct(session, record, lotNumber="D4E5"))
    settle(post)
    now = [p for p in provisions(post) if p["provisionId"] not in known]
    assert len(now) == 2 and now[0]["replacedBy"] == now[1]["provisionId"] and now[1]["immunization"]["lotNumber"] == "D4E5"


def test_a_first_version_that_was_cancelled_before_it_was_sent_is_never_told(post):
    settle(post)
    known, asked = {p["provisionId"] for p in provisions(post)}, post.kept(DATABASE)["requests"]
    c = Child(post.town)
    session = c.session()
    post.fault("id5", status=400)
    try:
        record = one(c.record(session))
        wait_for("nobody gives a key", 20, post.dead)
    finally:
        post.fault("id5")
    one(c.correct(session, record, cancel=True))
    settle(post)
    assert {p["provisionId"] for p in provisions(post)} == known and post.kept(DATABASE)["requests"] == asked, "it was not sent, so it was not perhaps told"


def test_a_courier_that_is_killed_has_written_who_was_perhaps_told(post):
    settle(post)
    known = {p["provisionId"] for p in provisions(post)}
    c = Child(post.town)
    session = c.session()
    post.fault(DATABASE, delay_ms=3000)
    record = one(c.record(session))
    (taken,) = wait_for("the database has it, and has not said so", 20, lambda: [p for p in provisions(post) if p["provisionId"] not in known])
    post.restart()
    post.fault(DATABASE)
    one(c.correct(session, record, cancel=True))
    wait_for("the lease has run out, and all is told", 20, lambda: "replacedBy" in next(p for p in provisions(post) if p["provisionId"] == taken["provisionId"]))
