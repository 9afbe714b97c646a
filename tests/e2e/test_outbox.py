"""How much may wait: what cannot be queued is refused and not half done, and a dead letter too many waits. The operator sees it, in pages, also when an entry is damaged."""

import json
import signal
import time

import pytest
from rig import CLINIC_A, CLINIC_B, wait_for
from sheet_rig import GOOD, Person, template
from test_courier import Post
from test_courier_edges import ask, settle
from vaccine_rig import MUNI, Child, one

LANES, DEAD = 5, 3
ENTRY = "ab" * 16


@pytest.fixture(scope="module")
def post(rig):
    post = Post(rig)
    conf = rig.state / "conf/courier.yaml"
    conf.write_text(conf.read_text() + f"courier_dead_max: {DEAD}\n")
    front = rig.state / "conf/front.yaml"
    front.write_text("# ours\n" + front.read_text().split("\n", 1)[1] + f"outbox_max: {LANES}\n")
    post.restart(signal.SIGTERM)
    rig.wait_back("pmhgw-front", rig.kill("pmhgw-front", signal.SIGTERM))
    rig.wait_healthy()
    return post


@pytest.fixture(autouse=True)
def nothing_is_left(post):
    yield
    for system in ("clinic-app", "vaccination-db", "portal", "id5"):
        post.fault(system)
    if post.notices("list").returncode:
        post.notices("drop", "--all")
    settle(post, 15)
    if post.notices("list").returncode:
        assert post.notices("drop", "--all").returncode == 0


def fill(post):
    """Lanes of nobody that are not due: as many as there may be."""
    due = int(time.time() * 1000) + 100_000
    for n in range(LANES):
        ask(post.rig, "intake", "RPUSH", f"nl:{n:032x}", "0" * 32)
        ask(post.rig, "intake", "ZADD", "nx", str(due), f"{n:032x}")


def empty(post):
    for n in range(LANES):
        ask(post.rig, "intake", "ZREM", "nx", f"{n:032x}")
        ask(post.rig, "intake", "DEL", f"nl:{n:032x}")


def test_a_record_that_could_not_be_told_is_refused_and_not_written(post):
    c = Child(post.town)
    session = c.session()
    settle(post)
    fill(post)
    try:
        a = c.record(session)
        assert a.status == 503 and a.json()["code"] == "outbox_full" and "retry-after" in a.headers, a.body
        assert c.read(session).json()["immunizations"] == [], "nothing was written"
        assert "outbox_max" in post.rig.command("doctor").stderr
    finally:
        empty(post)
    record = one(c.record(session))
    wait_for("with room again it is told", 20, lambda: post.heard(record) == [(CLINIC_A, "record_confirmed", "1")])


def test_a_questionnaire_that_could_not_be_told_is_refused_and_not_written(post):
    assert post.town.put(template()).status in (200, 201)
    p = Person(post.town)
    post.town.clinic("eligibility", {"link_key": post.town.mint(p.pmh_key, CLINIC_A, "questionnaire")})
    settle(post)
    fill(post)
    try:
        a = p.answer(GOOD, submit=True)
        assert a.status == 503 and a.json()["code"] == "outbox_full", a.body
    finally:
        empty(post)
    assert p.answer(GOOD, submit=True).status in (200, 201)
    settle(post)


def test_a_dead_letter_too_many_waits_and_is_not_lost(post):
    settle(post)
    post.fault("clinic-app", status=400)
    records = []
    for n in range(1, DEAD + 2):  # one after the other: there is room for few lanes, and a record has several
        c = Child(post.town)
        records.append(one(c.record(c.session())))
        wait_for("as many as there may be", 20, lambda n=n: len(post.dead()) == min(n, DEAD))
        wait_for("and one waits", 20, lambda n=n: f"lanes that wait: {max(n - DEAD, 0)}" in post.notices("list").stdout)
    status = json.loads(post.rig.command("status", "--json").stdout)["messages"]
    assert status["dead"] == DEAD and status["waiting"] == 1
    assert "courier_dead_max" in post.rig.command("doctor").stderr
    post.fault("clinic-app")
    wait_for("the one that waited is told", 10, lambda: sum(bool(post.heard(r)) for r in records) == 1)
    assert post.notices("replay", "--all").returncode == 0
    wait_for("and with it all the others", 10, lambda: all(post.heard(r) for r in records))


def test_a_damaged_entry_hides_no_other_and_can_be_dropped(post):
    c, a, record = post.shared()
    settle(post)
    post.fault("clinic-app", status=400)
    one(c.correct(a, record, lotNumber="B2C3"))
    wait_for("it is a dead letter", 20, post.dead)
    ask(post.rig, "intake", "HSET", "nd", ENTRY, "not a letter")
    ask(post.rig, "intake", "HSET", "nd", "\x1b[31mred", "x")
    told = post.notices("list")
    assert told.returncode == 1 and f"{ENTRY}  読めない項目です / cannot be read" in told.stdout and "\x1b" not in told.stdout and len(post.dead()) == 1
    assert post.notices("replay", ENTRY).returncode == 2, "nobody knows what it was"
    assert post.notices("drop", ENTRY).returncode == 0
    assert ENTRY not in post.notices("list").stdout and len(post.dead()) == 1


def test_dead_letters_are_chosen_by_kind_and_by_recipient(post):
    c, a, record = post.shared()
    settle(post)
    post.fault("clinic-app", status=400)
    post.fault("vaccination-db", status=400)
    one(c.correct(a, record, lotNumber="B2C3"))
    wait_for("two are dead letters", 20, lambda: len(post.dead()) == 2)
    for words, kinds in ((("--kind", "provision"), ["provision"]), (("--who", CLINIC_B), ["record"]), (("--kind", "citizen"), []),
                         (("--kind", "record", "--who", CLINIC_A), [])):
        said = post.notices("list", *words)
        assert [line.split()[2] for line in said.stdout.splitlines() if len(line.split()) == 7 and len(line.split()[0]) == 32] == kinds
        assert said.returncode == (1 if kinds else 0)
    assert post.notices("list", "--kind", "other").returncode == 2
    assert post.notices("drop", "--all", "--kind", "provision").returncode == 0
    assert [d["kind"] for d in post.dead().values()] == ["record"]


def test_many_dead_letters_are_read_in_pages(post):
    settle(post)
    for n in range(0, 1500, 300):
        words = [w for i in range(n, n + 300) for w in (f"{i:032x}", f"1790000000000 refused partner 1 {i:032x}")]
        ask(post.rig, "intake", "HSET", "nd", *words)
    told = post.notices("list")
    assert "dead letters: 1500" in told.stdout and len([line for line in told.stdout.splitlines() if "refused" in line]) == 1500
    assert post.notices("drop", "--all").returncode == 0
    assert post.notices("list").returncode == 0


def test_dead_letters_of_somebody_who_was_erased_go_and_others_stay(post):
    settle(post)
    c, a, record = post.shared()
    settle(post)  # there is room for few lanes, and a record has several
    other, b, kept = post.shared()
    settle(post)
    post.fault("clinic-app", status=400)
    one(c.correct(a, record, lotNumber="B2C3"))
    settle(post)
    one(other.correct(b, kept, lotNumber="B2C3"))
    wait_for("both are dead letters", 20, lambda: len(post.dead()) == 2)
    settle(post)
    done = post.rig.muni(MUNI, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "no_longer_needed"})
    assert done.status == 200, done.body
    wait_for("one goes", 10, lambda: len(post.dead()) == 1)
    time.sleep(2)
    assert len(post.dead()) == 1
    post.fault("clinic-app")
    assert post.notices("replay", "--all").returncode == 0
    wait_for("the other one is told", 20, lambda: (CLINIC_B, "record_corrected", "2") in post.heard(kept))
