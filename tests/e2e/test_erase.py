"""A resident is erased: what a municipality held of a person is gone everywhere, what others hold stays, and a crash in the middle is completed by the same request."""

import concurrent.futures
import os
import secrets
import time

import pytest

from front_rig import EVENT, Redis
from person_rig import NOTHING, Rig, heard, number, row

KILLS = int(os.environ.get("PMHGW_ERASE_KILLS", 3))


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("erase"))
    try:
        yield rig.up()
    finally:
        rig.down()


def names(rig, store="redis-link"):
    return set(rig.redis(store, "KEYS", "*"))


def left_of(rig, pmh_key, before):
    """Names that the resident brought and that are still there, but for tasks, what keeps link keys dead, and what keeps rows of before from being applied."""
    return {n for n in names(rig) - before if n.split(":")[0] not in ("t", "tr", "tl", "tu", "tb", "u", "ep", "er")} - {rig.name_of(pmh_key)}


def test_everything_of_the_person_is_gone_and_the_number_too(rig):
    before, vault_before = names(rig), names(rig, "redis-vault")
    key, num, pmh_key = rig.resident()
    for n in (2, 3):
        rig.register_done([row(num, municipalityIdentityKey=key, type_id=f"kodomo0{n}")])
    rig.flags(key, hidden=True)
    rig.flags(key)
    rig.change("moved_out", key, day="2030-01-01")
    session, pseudonym = rig.look_up(pmh_key).json["session"], rig.linked(pmh_key)
    assert rig.ask(pseudonym).status == 200
    assert rig.erase(key) == (200, {"erased": 3})
    assert (heard(rig.look_up(pmh_key)), heard(rig.ask(pseudonym)), heard(rig.read_session(session))) == (NOTHING, NOTHING, (404, "no_session"))
    assert not {f.split(":")[0] for f in rig.fields(pmh_key)} - {"cw", "ce"}
    assert not left_of(rig, pmh_key, before)
    assert {n for n in names(rig, "redis-vault") - vault_before if not n.startswith("t:")} == set()
    record = rig.last("PERSON_ERASED")
    assert (record["subject"], record["muni"], record["count"], record["result"], record["actor"]) == (
        rig.handle(pmh_key), "331007", 3, 0, "municipality/331007/kodomo")
    assert record["epoch"] > 0
    vault = [r for r in rig.records() if r["event"] == EVENT["PERSON_ERASED"] and r["actor"] == "vault"]
    assert vault and vault[-1]["count"] == 1


def test_again_or_unknown_is_zero_and_the_key_is_free(rig):
    key, num, pmh_key = rig.resident()
    assert rig.erase(key) == (200, {"erased": 1})
    assert rig.erase(key) == (200, {"erased": 0})
    assert rig.erase("never-heard-of") == (200, {"erased": 0})
    rig.resident(key)  # with another number
    assert rig.resident(num=num)[2] == pmh_key  # and the number with another key
    assert rig.look_up(pmh_key).status == 200


def test_other_municipalities_keep_theirs_with_pseudonym_and_session(rig):
    key, num, pmh_key = rig.resident()
    elsewhere, _, _ = rig.resident(cert="muni-271403", num=num)
    session, pseudonym = rig.look_up(pmh_key).json["session"], rig.linked(pmh_key)
    assert rig.erase(elsewhere)[1] == {"erased": 0}  # under its own code nobody has that key
    assert len(rig.look_up(pmh_key).json["eligibility"]) == 2
    assert rig.erase(key) == (200, {"erased": 1})
    for answer in (rig.look_up(pmh_key), rig.read_session(session), rig.ask(pseudonym)):
        assert answer.status == 200 and {r["municipalityCode"] for r in answer.json["eligibility"]} == {"271403"}
    assert rig.flags(elsewhere, hidden=True, cert="muni-271403")[0] == 200
    assert heard(rig.ask(pseudonym)) == NOTHING


def test_all_names_of_a_merged_and_renumbered_resident_go(rig):
    vault_before = names(rig, "redis-vault")
    kept, _, kept_pmh = rig.resident(name="併合", born="2001-01-01")
    gone, _, gone_pmh = rig.resident(name="併合", born="2001-01-01", type_id="kodomo02")
    assert rig.change("merged", kept, otherMunicipalityIdentityKey=gone)["result"] == "updated"
    new = number(secrets.randbelow(10**11))
    assert rig.change("number_changed", kept, newMyNumber=new)["result"] == "updated"
    assert rig.erase(gone) == (200, {"erased": 2})
    for pmh_key in (kept_pmh, gone_pmh, rig.pmh.key_of(new)):
        assert heard(rig.look_up(pmh_key)) == NOTHING
    assert {n for n in names(rig, "redis-vault") - vault_before if not n.startswith("t:")} == set()
    assert rig.flags(kept, hidden=True)[1]["code"] == "unknown_resident"


def test_who_writes_to_the_person_meanwhile_does_not_end_an_erasure(rig):
    """The gateway itself looks again at what was changed under it: the caller hears of none of it."""
    db = Redis(rig.dir / "run/redis-link.sock", "test", (rig.dir / "keys/redis-link-test.pass").read_text().strip())
    anew = lambda: rig.log_text().count(b"erasure_begins_anew")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            key, _, pmh_key = rig.resident()
            seen, person = anew(), rig.name_of(pmh_key)
            sent = pool.submit(rig.erase, key)
            while not sent.done() and anew() == seen:
                for _ in range(50):
                    db("HINCRBY", person, "iv", 1)
            assert sent.result() == (200, {"erased": 1})
            assert rig.erase(key) == (200, {"erased": 0})
            db("DEL", person)  # what was written after the end
            if anew() > seen:
                return
    pytest.fail("nobody came between")


def test_journals_go_and_nothing_brings_the_records_back(rig):
    key, _, pmh_key = rig.resident()
    operation = secrets.token_hex(8)
    wrong = {"municipalityIdentityKey": key, "effectiveDate": "2026-01-01", "operationKey": operation}
    rig.say("POST", "/v1/residents/change-tasks", [{**wrong, "changeType": "wrong_registration"}])
    assert [n for n in names(rig) if n.startswith("ch:")]
    assert rig.erase(key) == (200, {"erased": 0})  # the records lie in the journal alone
    assert not [n for n in names(rig) if n.startswith("ch:")]
    status, doc = rig.say("POST", "/v1/residents/change-tasks", [{**wrong, "changeType": "restored"}])
    task = rig.call("GET", f"/v1/tasks/{doc['task_id']}", None, "muni-331007", rig.own_token())[1]
    assert task["rows"][0]["code"] == "unknown_resident"
    assert heard(rig.look_up(pmh_key)) == NOTHING


def test_rows_that_wait_or_are_held_are_dropped_with_their_tickets(rig):
    key, num, pmh_key = rig.resident()
    other_key, other_num, other_pmh = rig.resident()
    vault_before = names(rig, "redis-vault")
    held = rig.register_done([row(number(secrets.randbelow(10**11)), municipalityIdentityKey=key)])  # one key with two numbers
    assert held["counts"]["quarantined"] == 1
    rig.pmh.fault = lambda entries: (503, b"{}")
    fresh = f"jumin-{secrets.token_hex(6)}"
    status, doc = rig.register([row(number(secrets.randbelow(10**11)), municipalityIdentityKey=k) for k in (fresh, fresh + "-2")])
    assert status == 202
    try:
        assert rig.erase(key)[0] == 200
        assert rig.erase(fresh) == (200, {"erased": 0})
        rows = rig.call("GET", f"/v1/tasks/{doc['task_id']}", None, "muni-331007", rig.own_token())[1]["rows"]
        assert [(r["result"], r.get("code")) for r in rows] == [("refused", "resident_erased"), ("waiting", None)]
        assert [(w["field"], w["rule"]) for w in rows[0]["warnings"]] == [("medicalSubsidyInsurerNumber", "check_digit")], "what was said of the row stays"
    finally:
        rig.pmh.fault = None
    task = rig.wait_task(doc["task_id"])
    assert (task["counts"]["refused"], task["counts"]["registered"]) == (1, 1)
    task = rig.wait_task(held["task_id"])
    assert (task["counts"]["refused"], task["counts"]["quarantined"]) == (1, 0), task
    assert rig.look_up(other_pmh).status == 200
    index = lambda seen: {n for n in seen if n.startswith("i:")}
    assert len(index(names(rig, "redis-vault")) - index(vault_before)) == 1  # of the row that was registered in the end


def test_nothing_begins_while_it_could_not_be_recorded_or_the_vault_is_away(rig):
    key, _, pmh_key = rig.resident()
    rig.own_token()
    rig.kill("vault")
    time.sleep(0.2)
    assert rig.erase(key)[0] == 503
    assert rig.look_up(pmh_key).status == 200
    rig.start("vault")
    rig.wait_healthy()
    assert rig.erase(key) == (200, {"erased": 1})


@pytest.mark.parametrize("turn", range(KILLS))
def test_a_crash_at_any_moment_is_completed_by_a_repeat(rig, turn):
    key, num, pmh_key = rig.resident()
    rig.register_done([row(num, municipalityIdentityKey=key, type_id="kodomo02")])
    pseudonym = rig.linked(pmh_key)
    rig.own_token()
    answer = rig.kill_during(lambda: rig.erase(key), 0.002 + 0.004 * turn)
    rig.start("intake")
    rig.wait_healthy()
    rig.logs = {k: v for k, v in rig.logs.items() if not k.startswith("token")}
    if answer is None:
        assert rig.erase(key)[0] == 200
    assert (heard(rig.look_up(pmh_key)), heard(rig.ask(pseudonym))) == (NOTHING, NOTHING)
    assert not {f.split(":")[0] for f in rig.fields(pmh_key)} - {"cw", "ce", "co", "sn"}
    mine = [r for r in rig.records() if r["event"] == EVENT["PERSON_ERASED"] and r["subject"] == rig.handle(pmh_key)]
    assert mine and mine[-1]["count"] == 2 and mine[-1]["epoch"] > 0
    assert not [n for n in names(rig) if n.startswith("ch:er:")]
    assert rig.resident(key, num=num)[2] == pmh_key


# ---- the whole of it, as `pmhgw up` runs it ----

def test_the_command_erases_and_the_key_never_stands_in_an_argument(tmp_path):
    from rig import Rig as Town, fresh_number, row_for
    town = Town().start()
    try:
        key, num = f"jumin-{secrets.token_hex(6)}", fresh_number()
        assert town.register("331007", [row_for(num, key)])["counts"]["registered"] == 1
        card = town.card_of(num)
        assert town.citizen(card).status == 200
        (tmp_path / "key").write_text(key + "\n")
        assert town.command("erase", "331007").returncode == 2  # neither file nor standard input
        done = town.command("erase", "331007", "--resident-key-file", tmp_path / "key")
        assert done.returncode == 0 and "1" in done.stdout and key not in done.stdout + done.stderr, done
        assert town.citizen(card).status == 404
        done = town.command("erase", "331007", "--resident-key-file", tmp_path / "key")
        assert done.returncode == 0 and key not in done.stdout + done.stderr, done
        (tmp_path / "key").write_text(f"{key}\n{key}\n")
        assert town.command("erase", "331007", "--resident-key-file", tmp_path / "key").returncode == 2
        assert town.command("audit", "verify").returncode == 0
    finally:
        town.close()
