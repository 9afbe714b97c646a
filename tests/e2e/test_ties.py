"""Rows whose ties contradict (one resident key with two numbers, one number with two keys): held, released, dropped (intake_rig.py, bulk_rig.py)."""

import itertools
import json
import random
import threading
import time

import pytest

from bulk_rig import BulkRig, csv_of
from intake_rig import number, row, wait_for

SEEDS = itertools.count(40_000_000_000 + random.SystemRandom().randrange(10**10))
KEYS = itertools.count()
MUNI = "331007"
KEY_TIED = 85  # events.def
TWO_NUMBERS, TWO_KEYS, CHANGED = "resident_key_two_numbers", "number_two_residents", "resident_was_changed"


def fresh():
    return number(next(SEEDS))


def key():
    return f"T-{next(KEYS)}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = BulkRig(tmp_path_factory.mktemp("t"))
    try:
        yield r.up()
        assert not misfits(r)
    finally:
        r.down()


def of(num, rk=None, type_id="kodomo01", **more):
    return row(num, type_id=type_id, **({"municipalityIdentityKey": rk} if rk else {}), **more)


def results(doc):
    return [(r["result"], r.get("code")) for r in doc["rows"]]


def sent(rig, *rows):
    return results(rig.register_done(list(rows)))


def held(rig, *rows, code):
    doc = rig.register_done(list(rows))
    assert results(doc) == [("quarantined", code)] * len(rows), doc
    return doc["task_id"]


def order(rig, what, task, rows="all"):
    body = {"officer": "sato", **({"all": True} if rows == "all" else {"rows": rows})}
    status, doc = rig.call("POST", f"/v1/tasks/{task}/{what}", json.dumps(body).encode(), token=rig.token())
    assert status == 200, doc
    return doc


def released(rig, task, rows="all"):
    order(rig, "release", task, rows)
    return results(rig.wait_task(task))


def change(rig, kind, rk, **more):
    body = [{"changeType": kind, "municipalityIdentityKey": rk, "effectiveDate": "2026-04-01", "operationKey": f"op-{next(KEYS)}", **more}]
    status, doc = rig.call("POST", "/v1/residents/change-tasks", json.dumps(body).encode(), token=rig.token())
    assert status == 202, doc
    return doc["rows"][0].get("code") or doc["rows"][0]["result"]


def leads(rig, rk, num):
    """Whether a resident change that names the key finds the person of the number; a change that changes nothing."""
    said = change(rig, "restored", rk, myNumber=num)
    assert said in ("unchanged", "number_not_of_resident", "unknown_resident"), said
    return said == "unchanged"


def ties(rig):
    owner = {k.split(":")[2]: rig.redis("redis-link", "GET", k)[0] for k in rig.redis("redis-link", "--scan", "--pattern", f"rk:{MUNI}:*")}
    subject = {}
    for name in rig.redis("redis-link", "--scan", "--pattern", "s:*"):
        lines = rig.redis("redis-link", "HMGET", name, "rk", "to")
        subject[name[2:]] = (lines + ["", ""])[:2]
    return owner, subject


def misfits(rig):
    """Keys and subjects that do not name each other; merged ones are let alone."""
    owner, subject = ties(rig)
    merged = {rk for rk, to in subject.values() if to}
    return [(rk, sid) for rk, sid in owner.items() if rk not in merged and subject.get(sid, ["", ""])[0] != rk] + \
           [(rk, sid) for sid, (rk, to) in subject.items() if rk and not to and owner.get(rk) != sid]


def records(rig):
    return {p: rig.redis("redis-link", "HGETALL", p) for p in rig.redis("redis-link", "--scan", "--pattern", "p:*")}


# ---- one key, two numbers ----


def test_released_key_goes_with_the_new_number(rig):
    old, new, rk = fresh(), fresh(), key()
    assert sent(rig, of(old, rk)) == [("registered", None)]
    before, tied = records(rig), len([e for e in rig.audit() if e[0] == KEY_TIED])
    doc = rig.register_done([of(new, rk)])
    task = doc["task_id"]
    assert results(doc) == [("quarantined", TWO_NUMBERS)] and doc["state"] == "done_with_errors" and doc["counts"]["quarantined"] == 1
    assert "officer" in doc["rows"][0]["message_en"] and "職員" in doc["rows"][0]["message_ja"]
    assert rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}") == ["1"], "its payload is kept"
    assert records(rig) == before and leads(rig, rk, old)
    cannot = order(rig, "replay", task, [1])
    assert (cannot["replayed"], cannot["rows"][0]["code"]) == (0, TWO_NUMBERS)
    assert released(rig, task) == [("registered", None)]
    assert rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}") == ["0"]
    assert leads(rig, rk, new) and not leads(rig, rk, old)
    assert sent(rig, of(new, rk)) == [("unchanged", None)]
    assert len([e for e in rig.audit() if e[0] == KEY_TIED]) == tied + 1, "the log says that a key was led elsewhere"
    after = records(rig)
    assert all(after[p] == v for p, v in before.items()) and len(after) == len(before) + 1, "what hangs on the old number stays there"
    # the old number with the same key is a contradiction again, and nothing but a release makes it none
    again = held(rig, of(old, rk), code=TWO_NUMBERS)
    assert leads(rig, rk, new)
    assert released(rig, again) == [("unchanged", None)], "what it says is what stands there"
    assert leads(rig, rk, old) and not leads(rig, rk, new)
    assert not misfits(rig)


def test_number_that_lost_its_key_takes_another(rig):
    old, new, rk, other = fresh(), fresh(), key(), key()
    sent(rig, of(old, rk))
    released(rig, held(rig, of(new, rk), code=TWO_NUMBERS))
    assert sent(rig, of(old, other)) == [("unchanged", None)]
    assert leads(rig, other, old) and leads(rig, rk, new)


def test_change_of_the_former_owner_leaves_the_key_alone(rig):
    old, new, later, rk, other = fresh(), fresh(), fresh(), key(), key()
    sent(rig, of(old, rk))
    released(rig, held(rig, of(new, rk), code=TWO_NUMBERS))
    sent(rig, of(old, other))
    assert change(rig, "number_changed", other, newMyNumber=later) == "updated"
    assert leads(rig, rk, new) and leads(rig, other, later)
    assert change(rig, "wrong_registration", other) == "updated"
    assert leads(rig, rk, new) and sent(rig, of(new, rk)) == [("unchanged", None)]


# ---- one number, two keys ----


def test_released_number_takes_the_new_key(rig):
    num, other, old, new = fresh(), fresh(), key(), key()
    assert sent(rig, of(num, old)) == [("registered", None)]
    task = held(rig, of(num, new, "other"), code=TWO_KEYS)
    assert not leads(rig, new, num)
    assert released(rig, task) == [("registered", None)]
    assert leads(rig, new, num) and change(rig, "restored", old) == "unknown_resident"
    held(rig, of(num, old), code=TWO_KEYS)
    assert sent(rig, of(num, new)) == [("unchanged", None)], "the certificate of before is the same person's"
    assert sent(rig, of(other, old)) == [("registered", None)], "the old key is free"
    assert leads(rig, old, other) and leads(rig, new, num)


def test_both_contradictions_at_once(rig):
    a, b, rk_a, rk_b = fresh(), fresh(), key(), key()
    sent(rig, of(a, rk_a), of(b, rk_b))
    task = held(rig, of(a, rk_b, "other"), code=TWO_NUMBERS)
    assert released(rig, task) == [("registered", None)]
    assert leads(rig, rk_b, a) and change(rig, "restored", rk_a) == "unknown_resident"
    held(rig, of(b, rk_b), code=TWO_NUMBERS)
    held(rig, of(a, rk_a), code=TWO_KEYS)


# ---- one request ----


def test_both_rows_of_a_request_are_held_and_one_of_them_wins(rig):
    a, b, rk = fresh(), fresh(), key()
    doc = rig.register_done([of(a, rk), of(b, rk), of(fresh(), key())])
    task = doc["task_id"]
    assert results(doc) == [("quarantined", TWO_NUMBERS)] * 2 + [("registered", None)]
    assert [r.get("with_rows") for r in doc["rows"]] == [[2], [1], None]
    assert change(rig, "restored", rk) == "unknown_resident", "neither is applied"
    said = sorted(released(rig, task)[:2])  # the officer has said of both that they are right, which cannot be
    assert said == [("quarantined", TWO_NUMBERS), ("registered", None)]
    doc = rig.task(task)[1]
    assert all("with_rows" not in r for r in doc["rows"])
    assert leads(rig, rk, a) != leads(rig, rk, b)
    assert order(rig, "discard", task)["discarded"] == 1
    assert sorted(results(rig.wait_task(task))[:2]) == [("refused", "discarded_by_officer"), ("registered", None)]


def test_request_that_contradicts_itself_and_what_is_stored(rig):
    a, b, rk = fresh(), fresh(), key()
    sent(rig, of(a, rk))
    task = held(rig, of(a, rk), of(b, rk), code=TWO_NUMBERS)
    assert released(rig, task) == [("unchanged", None), ("quarantined", TWO_NUMBERS)] and leads(rig, rk, a)
    assert released(rig, task) == [("unchanged", None), ("registered", None)] and leads(rig, rk, b)


def test_rows_of_one_number_with_two_keys(rig):
    num, good, bad = fresh(), key(), key()
    task = held(rig, of(num, good), of(num, bad, "other"), of(num, None, "third"), code=TWO_KEYS)
    assert order(rig, "discard", task, [2])["discarded"] == 1
    assert released(rig, task) == [("registered", None), ("refused", "discarded_by_officer"), ("registered", None)]
    assert leads(rig, good, num) and change(rig, "restored", bad) == "unknown_resident"


# ---- orders ----


def test_discarded_row_changes_no_tie(rig):
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk))
    before = ties(rig), records(rig)
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    assert order(rig, "discard", task)["discarded"] == 1
    assert results(rig.wait_task(task)) == [("refused", "discarded_by_officer")]
    assert order(rig, "release", task, [1])["not_held"] == 1
    assert (ties(rig)[0], records(rig)) == (before[0][0], before[1]) and leads(rig, rk, old)


def test_second_release_does_nothing(rig):
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk))
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    assert released(rig, task) == [("registered", None)]
    released(rig, held(rig, of(old, rk), code=TWO_NUMBERS))  # and back
    assert order(rig, "release", task, [1]) == {"released": 0, "not_held": 1, "left": 0, "rows": [{"row": 1, "result": "not_held"}]}
    assert leads(rig, rk, old)


def test_of_two_officers_the_second_is_asked_again(rig):
    old, news, rk = fresh(), [fresh(), fresh()], key()
    sent(rig, of(old, rk))
    tasks = [held(rig, of(n, rk), code=TWO_NUMBERS) for n in news]
    rig.pmh.delay = 0.2
    threads = [threading.Thread(target=order, args=(rig, "release", t)) for t in tasks]
    [t.start() for t in threads]
    [t.join() for t in threads]
    said = [results(rig.wait_task(t))[0] for t in tasks]
    rig.pmh.delay = 0
    assert sorted(said) == [("quarantined", TWO_NUMBERS), ("registered", None)], said
    winner = said.index(("registered", None))
    assert leads(rig, rk, news[winner])
    assert released(rig, tasks[1 - winner]) == [("registered", None)], "knowing that, an officer may decide otherwise"
    assert leads(rig, rk, news[1 - winner]) and not leads(rig, rk, news[winner])


def test_release_is_about_the_ties_that_stood_there(rig):
    """Between the holding and the release the key went to somebody else: nobody has looked at that yet."""
    old, new, third, rk = fresh(), fresh(), fresh(), key()
    sent(rig, of(old, rk))
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    assert change(rig, "wrong_registration", rk) == "updated"
    assert sent(rig, of(third, rk)) == [("registered", None)]
    assert released(rig, task) == [("quarantined", TWO_NUMBERS)] and leads(rig, rk, third)
    assert released(rig, task) == [("registered", None)] and leads(rig, rk, new)


def test_released_row_that_contradicts_nothing_any_more(rig):
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk))
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    assert change(rig, "wrong_registration", rk) == "updated"
    assert released(rig, task) == [("registered", None)] and leads(rig, rk, new)


def test_row_behind_a_later_registration_ties_nothing(rig):
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk))
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    assert sent(rig, of(new)) == [("registered", None)], "the same certificate, later, without a key"
    assert released(rig, task) == [("unchanged", "superseded")]
    assert leads(rig, rk, old) and not leads(rig, rk, new)


def test_each_release_lifts_one_rule(rig):
    """The key is another's, and the number's person has another name and birth date."""
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk), of(new))
    task = held(rig, of(new, rk, "other", name="岡山太郎", born="1980-05-05"), code=TWO_NUMBERS)
    assert released(rig, task) == [("quarantined", "person_mismatch")] and leads(rig, rk, old)
    assert released(rig, task) == [("registered", None)] and leads(rig, rk, new)


def test_a_mixup_that_is_released_still_holds_for_its_ties(rig):
    num, rk, other = fresh(), key(), key()
    sent(rig, of(num, rk))
    task = held(rig, of(num, None, "other", name="岡山太郎", born="1980-05-05"), code="person_mismatch")
    assert released(rig, task) == [("registered", None)]
    task = held(rig, of(num, rk, "third", name="広島次郎", born="1970-05-05"), code="person_mismatch")
    released(rig, held(rig, of(num, other), code=TWO_KEYS))
    assert released(rig, task) == [("quarantined", TWO_KEYS)] and leads(rig, other, num)


# ---- residents who were changed ----


def test_merged_key_is_not_taken_behind_the_back_of_the_merge(rig):
    a, b, new, rk_a, rk_b = fresh(), fresh(), fresh(), key(), key()
    sent(rig, of(a, rk_a), of(b, rk_b, "other"))
    merge = {"operationKey": f"op-{next(KEYS)}", "otherMunicipalityIdentityKey": rk_b}
    assert change(rig, "merged", rk_a, **merge) == "updated"
    task = held(rig, of(new, rk_b), code=TWO_NUMBERS)
    assert released(rig, task) == [("quarantined", CHANGED)]
    other = held(rig, of(b, key()), code=TWO_KEYS)
    assert released(rig, other) == [("quarantined", CHANGED)], "the number leads to the resident that it was merged into"
    assert order(rig, "discard", other)["discarded"] == 1
    assert change(rig, "unmerged", rk_a, **merge) == "updated"
    said = released(rig, task)  # the key went back to its own number meanwhile, which nobody has looked at
    assert said == [("quarantined", TWO_NUMBERS)] and leads(rig, rk_b, b)
    assert released(rig, task) == [("registered", None)]
    assert leads(rig, rk_b, new) and leads(rig, rk_a, a)


def test_earlier_number_of_a_resident(rig):
    first, second, new, rk = fresh(), fresh(), fresh(), key()
    sent(rig, of(first, rk))
    assert change(rig, "number_changed", rk, newMyNumber=second) == "updated"
    assert released(rig, held(rig, of(new, rk), code=TWO_NUMBERS)) == [("registered", None)]
    assert leads(rig, rk, new) and not leads(rig, rk, second) and not leads(rig, rk, first)
    for rows, code in (([of(first, rk)], TWO_NUMBERS), ([of(first, key())], TWO_KEYS)):
        task = held(rig, *rows, code=code)
        assert released(rig, task) == [("quarantined", CHANGED)], "that number is the second one's resident"
        assert order(rig, "discard", task)["discarded"] == 1
    assert leads(rig, rk, new)


def test_whatever_is_sent_and_released_keys_and_numbers_name_each_other(rig):
    """A random walk over few numbers and few keys, with orders of several officers at once."""
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    numbers, keys, tasks = [fresh() for _ in range(6)], [key() for _ in range(6)], []

    def register():
        rows = [of(dice.choice(numbers), dice.choice([*keys, None]), f"c{dice.randrange(3)}", certificationName=f"証{dice.randrange(9)}") for _ in range(3)]
        doc = rig.register_done(rows)
        assert "upstream_answer_refused" not in [r.get("code") for r in doc["rows"]], "a person went to another subject"
        if doc["counts"]["quarantined"]:
            tasks.append(doc["task_id"])

    def officers():
        some = [(dice.choice(["release", "release", "discard"]), t) for t in dice.sample(tasks, min(3, len(tasks)))]
        threads = [threading.Thread(target=order, args=(rig, what, t)) for what, t in some]
        [t.start() for t in threads]
        [t.join() for t in threads]
        for _, t in some:
            codes = [r.get("code") for r in rig.wait_task(t)["rows"]]
            assert "upstream_answer_refused" not in codes

    def resident():
        kind = dice.choice(["wrong_registration", "number_changed", "moved_out"])
        change(rig, kind, dice.choice(keys), **({"newMyNumber": dice.choice(numbers)} if kind == "number_changed" else {}))

    for step in range(60):
        dice.choice([register, register, officers, resident])()
        if step % 6 == 5:
            owner, subject = ties(rig)
            assert not misfits(rig), f"seed {seed}, step {step}"
            assert not [rk for rk, sid in owner.items() if subject.get(sid, ["", ""])[1]], f"seed {seed}, step {step}: a key leads to a number that is another's"
    [order(rig, "discard", t) for t in tasks]


# ---- PMH away, kills ----


def test_kill_between_release_and_apply(rig):
    old, new, rk = fresh(), fresh(), key()
    sent(rig, of(old, rk))
    task = held(rig, of(new, rk), code=TWO_NUMBERS)
    rig.pmh.stop()
    order(rig, "release", task)
    for part in ("intake", "redis-link", "vault"):
        rig.kill(part)
        rig.start(part)
        rig.wait_healthy()
    assert leads(rig, rk, old), "until the row is applied nothing is tied anew"
    rig.pmh.start()
    assert results(rig.wait_task(task)) == [("registered", None)] and leads(rig, rk, new)


def test_kills_while_rows_are_released(rig):
    n = 120
    olds, news, keys = [fresh() for _ in range(n)], [fresh() for _ in range(n)], [key() for _ in range(n)]
    rig.register_done([of(x, k) for x, k in zip(olds, keys)])
    task = held(rig, *(of(x, k) for x, k in zip(news, keys)), code=TWO_NUMBERS)
    for _ in range(3):
        try:
            order(rig, "release", task)
        except (OSError, AssertionError):
            pass
        time.sleep(random.uniform(0, 0.05))
        rig.kill("intake")
        rig.start("intake")
        rig.wait_healthy()
    order(rig, "release", task)
    done = rig.wait_task(task)
    assert (done["counts"]["registered"], done["counts"]["quarantined"]) == (n, 0), done["counts"]
    assert not misfits(rig) and leads(rig, keys[0], news[0])
    assert rig.register_done([of(x, k) for x, k in zip(news, keys)])["counts"]["unchanged"] == n


# ---- files ----


def test_rows_of_a_file(rig):
    x, y, rk, other = fresh(), fresh(), key(), key()
    task = rig.put(csv_of([{"number": x, "rk": rk}, {"number": y, "rk": rk}, {"number": x, "rk": other}]))
    fields, rows = rig.done(task)
    told = [(r.result, r.code) for r in rows]
    assert told == [("registered", ""), ("quarantined", TWO_NUMBERS), ("quarantined", TWO_KEYS)], "the earlier row stands"
    assert (fields["registered"], fields["quarantined"], fields.get("refused", "0")) == ("1", "2", "0")
    assert rig.wait_task(task)["state"] == "done_with_errors"
    status, doc = rig.call("GET", f"/v1/tasks/{task}/results", token=rig.token())
    assert [(r["who"], r["retry"]) for r in doc["rows"][1:]] == [("caller", "never")] * 2
    assert order(rig, "release", task, [2])["released"] == 1
    wait_for(lambda: rig.task(task)[1]["counts"]["registered"] == 2, 10, "row 2")
    assert leads(rig, rk, y)
    # x has lost the key: what row 3 says of it contradicts nothing any more
    assert order(rig, "release", task)["released"] == 1
    assert rig.wait_task(task)["state"] == "done"
    assert leads(rig, other, x) and leads(rig, rk, y)
    status, doc = rig.call("GET", f"/v1/tasks/{task}/results", token=rig.token())
    assert results(doc) == [("registered", None), ("registered", None), ("unchanged", None)]


def test_dry_run_counts_them(rig):
    x, y, rk, other = fresh(), fresh(), key(), key()
    sent(rig, of(x, rk))
    before = ties(rig)
    rows = [{"number": y, "rk": rk}, {"number": x, "rk": other}, {"number": fresh(), "rk": key()}, {"number": fresh()}]
    fields, told = rig.done(rig.put(csv_of(rows), mode="dry_run"))
    assert [(r.result, r.code) for r in told] == [("quarantined", TWO_NUMBERS), ("quarantined", TWO_KEYS), ("registered", ""), ("registered", "")]
    assert (fields["sus"], fields["quarantined"], fields["registered"]) == ("2", "2", "2"), fields
    assert ties(rig) == before


def test_number_without_a_key_is_held_in_a_file_and_released(rig):
    """PMH knows y already by another row: the held row of the file has no ticket then."""
    x, y, rk = fresh(), fresh(), key()
    sent(rig, of(x, rk), of(y))
    task = rig.put(csv_of([{"number": y, "rk": rk, "address": "別の住所"}]))
    fields, rows = rig.done(task)
    assert [(r.result, r.code) for r in rows] == [("quarantined", TWO_NUMBERS)]
    rig.pmh.stop()
    order(rig, "release", task)
    assert rig.wait_task(task)["state"] == "done", "nobody is asked: its PMH key is known"
    rig.pmh.start()
    assert leads(rig, rk, y) and not misfits(rig)
