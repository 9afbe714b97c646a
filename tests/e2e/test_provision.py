"""Doses reach the vaccination database under an ID5, by way of the history service, and under no other name: no two provisions can be joined."""

import json

import pytest

from rig import CLINIC_A, CLINIC_B, wait_for
from test_courier import Post
from vaccine_rig import Child, gtin, months_ago, one

VARICELLA = {"vaccinationProgramId": "varicella", "gtin": gtin(9)}


@pytest.fixture(scope="module")
def post(rig):
    return Post(rig)


def provisions(post, lot):
    """What the database has of a lot, oldest first; with it what took such a dose back."""
    rows = post.kept("vaccination-db")["provisions"]
    mine = {r["provisionId"]: r for r in rows if (r["immunization"] or {}).get("lotNumber") == lot}
    return [r for r in rows if r["provisionId"] in mine or r["provisionId"] in {m.get("replacedBy") for m in mine.values()}]


def provided(post, lot, n):
    return wait_for(f"{n} provisions of {lot}", 20, lambda: (lambda p: len(p) == n and p)(provisions(post, lot)))


def names(row):
    return {row["provisionId"], row["id5"], row.get("replacedBy")} - {None}


def test_a_dose_is_told_under_an_id5_and_no_other_name(post):
    c = Child(post.town)
    record = one(c.record(c.session(), lotNumber="LOT-1", doctorName="岡山　太郎"))
    row, = provided(post, "LOT-1", 1)
    assert set(row) == {"provisionId", "id5", "immunization"}
    assert set(row["immunization"]) == {"municipalityCode", "vaccinationProgramId", "doseNumber", "vaccinationDate", "gtin", "lotNumber", "expirationDate", "doseMicrolitres",
                                        "isOverseas"}
    text = json.dumps(post.kept("vaccination-db"), ensure_ascii=False)
    session_names = [c.pmh_key, c.pseudonym, c.ticket, c.key, c.number, record["immunizationId"], CLINIC_A, "岡山　太郎"]
    assert not [n for n in session_names if n in text]
    given = post.kept("id5")["given"]
    asked, = [g for g in given if g["id5"] == row["id5"]]
    assert asked["requestId"] not in text and row["provisionId"] not in json.dumps(given)  # the two services have the ID5 in common and nothing else
    assert not [n for n in session_names if n in json.dumps(given)]


def test_no_two_provisions_of_a_person_can_be_joined(post):
    c = Child(post.town)
    c.add_ticket("7" + c.ticket[1:], vaccinationProgramId="varicella")
    session, other = c.session(), c.session(CLINIC_B)
    first = one(c.record(session, lotNumber="LOT-2"))
    one(c.record(other, CLINIC_B, lotNumber="LOT-3", **VARICELLA))
    one(c.correct(session, first, lotNumber="LOT-2", place="別の会場"))
    doses = provided(post, "LOT-2", 2) + provided(post, "LOT-3", 1)
    seen = [names(r) for r in doses]
    assert len({r["id5"] for r in doses}) == len({r["provisionId"] for r in doses}) == 3
    assert not (seen[0] | seen[1]) & seen[2]  # of two records: nothing
    assert seen[0] & seen[1] == {doses[1]["provisionId"]}  # of one: what was replaced


def test_a_correction_and_a_cancellation_replace_what_was_told(post):
    c = Child(post.town)
    session = c.session()
    record = one(c.record(session, lotNumber="LOT-4"))
    record = one(c.correct(session, record, lotNumber="LOT-4", doseQuantity="0.25"))
    one(c.correct(session, record, cancel=True))
    told = provided(post, "LOT-4", 3)
    assert [r["immunization"] and r["immunization"]["doseMicrolitres"] for r in told] == ["500", "250", None]
    assert [r.get("replacedBy") for r in told] == [told[1]["provisionId"], told[2]["provisionId"], None]
    assert post.dead() == {}


def test_what_is_tried_again_is_the_same_provision(post):
    """The database is away after the ID5 was given: the same ID5 again, and one dose."""
    given = len(post.kept("id5")["given"])
    post.fault("vaccination-db", status=503, count=2)
    post.fault("id5", status=503, count=1)
    c = Child(post.town)
    one(c.record(c.session(), lotNumber="LOT-5"))
    row, = provided(post, "LOT-5", 1)
    mine = [g["id5"] for g in post.kept("id5")["given"][given:] if g["id5"] == row["id5"]]
    assert len(mine) == 3 and post.dead() == {}


def test_a_dose_whose_answer_was_lost_is_there_once(post):
    post.fault("vaccination-db", reset=True, count=1)
    c = Child(post.town)
    one(c.record(c.session(), lotNumber="LOT-6"))
    provided(post, "LOT-6", 1)
    wait_for("it was sent again", 20, lambda: post.kept("vaccination-db")["repeated"] >= 1)
    assert len(provisions(post, "LOT-6")) == 1


@pytest.mark.parametrize("system, fault, why", [
    ("id5", {"other_person": True}, "other_id"), ("id5", {"garbage": True}, "wrong_shape"), ("id5", {"redirect": True}, "redirect"),
    ("vaccination-db", {"other_person": True}, "other_id"), ("vaccination-db", {"missing_field": True}, "wrong_shape"), ("vaccination-db", {"redirect": True}, "redirect"),
])
def test_a_wrong_answer_is_never_believed(post, system, fault, why):
    before, followed = set(post.dead()), post.kept(system)["followed"]
    post.fault(system, count=1, **fault)
    c = Child(post.town)
    lot = "LOT-" + c.ticket
    one(c.record(c.session(), lotNumber=lot))
    dead = wait_for("a dead letter", 20, lambda: {k: v for k, v in post.dead().items() if k not in before})
    (letter, said), = dead.items()
    assert (said["kind"], said["why"]) == ("provision", why)
    assert post.kept(system)["followed"] == followed
    assert provisions(post, lot) == [] or (system == "vaccination-db" and "redirect" not in fault)  # there it may have been taken before the answer went wrong
    taken, repeated = len(provisions(post, lot)), post.kept("vaccination-db")["repeated"]
    assert post.notices("replay", letter).returncode == 0
    provided(post, lot, 1)
    wait_for("it was sent again", 20, lambda: post.kept("vaccination-db")["repeated"] >= repeated + taken)  # or the next fault would be its own
    wait_for("no dead letter is left", 20, lambda: letter not in post.dead())


def test_who_was_born_long_ago_is_told_the_same_way(post):
    c = Child(post.town, born=months_ago(65 * 12, 20), program="pneumococcal-elderly", reductionSegment="生活保護")
    assert c.record(c.session(), vaccinationProgramId="pneumococcal-elderly", gtin=gtin(2), lotNumber="LOT-7").status == 200
    row, = provided(post, "LOT-7", 1)
    assert "生活保護" not in json.dumps(row, ensure_ascii=False)
