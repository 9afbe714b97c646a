"""Files that cannot go on come to an end that says what became of every row, and hold nobody else up (bulk_rig.py)."""

import collections
import itertools
import random
import secrets
import signal
import time

import pytest

from bulk_rig import BulkRig, csv_of
from intake_rig import number, wait_for

SEEDS = itertools.count(50_000_000_000 + random.SystemRandom().randrange(10**10))
MUNI, OTHER = "331007", "271403"
FILE_ENDED, OK, REFUSED, FAILED = 23, 0, 3, 4  # events.def, audit.h
PATIENCE_S = 2
RESULTS = ("registered", "updated", "unchanged", "refused", "quarantined")


def fresh(n):
    return [number(next(SEEDS)) for _ in range(n)]


def file_of(n):
    return csv_of({"number": x} for x in fresh(n))


def a_rig(path, give_up_s):
    r = BulkRig(path, retry_min_ms=100, retry_max_ms=500, file_give_up_s=give_up_s)
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    yield from a_rig(tmp_path_factory.mktemp("e"), 0)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    yield from a_rig(tmp_path_factory.mktemp("p"), PATIENCE_S)


def folder(rig, task, muni=MUNI):
    return rig.dir / "spool" / f"{muni}-{task}"


def told(rig, task, muni=MUNI):
    status, doc = rig.task(task, f"muni-{muni}")
    assert status == 200, doc
    return doc


def stop_in_the_middle(rig, n, muni=MUNI):
    """A file of n rows of which some are applied; the intake is down."""
    rig.pmh.delay = 0.4
    task = rig.put(file_of(n), muni=muni)
    wait_for(lambda: int(rig.fields(task, muni).get("ck", 0)) > 0, 30, "rows")
    rig.kill("intake")
    rig.pmh.delay = 0.0
    done = int(rig.fields(task, muni)["ck"])
    assert 0 < done < n
    return task, done


def check_counts(fields, n):
    assert int(fields["rows"]) == n and sum(int(fields.get(r, 0)) for r in RESULTS) == n, fields


# ---- nothing was applied: rejected ----

BROKEN = {
    "no folder": lambda d: d.rename(d.with_name("gone")),
    "another key": lambda d: (d / "key").write_bytes(bytes(len((d / "key").read_bytes()))),
    "meta that does not open": lambda d: (d / "meta").write_bytes(bytes(len((d / "meta").read_bytes()))),
    "an upload that cannot be read": lambda d: ((d / "upload").unlink(), (d / "upload").mkdir()),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_does_not_open_is_rejected_and_the_next_one_runs(rig, what):
    people = len(rig.redis("redis-link", "--scan", "--pattern", "s:*"))
    bad = rig.put(file_of(3), spoil=BROKEN[what])
    behind = rig.put(file_of(3))
    fields, results = rig.done(bad, seconds=20)
    assert (fields["st"], fields["rj"]) == ("rejected", "stored_value_unreadable")
    assert sum(int(fields.get(r, 0)) for r in RESULTS) == 0 and not results
    assert rig.done(behind, seconds=20)[0]["registered"] == "3"
    assert len(rig.redis("redis-link", "--scan", "--pattern", "s:*")) == people + 3, "nobody of it was even linked"
    assert told(rig, bad)["state"] == "rejected"
    assert [a[1] for a in rig.audit() if a[0] == FILE_ENDED][-2:] == [REFUSED, OK]


def away(d):
    (d / "key").rename(d / "away")


def test_a_file_that_does_not_open_delays_no_other_municipality_and_loses_nothing_when_it_opens_again(patient):
    rig = patient
    bad = rig.put(file_of(50), spoil=away)
    doc = wait_for(lambda: (lambda d: d if "waits_for" in d else None)(told(rig, bad)), 20, "waits_for")
    assert doc["waits_for"]["message_ja"] and doc["state"] == "accepted"
    other = rig.put(file_of(3), muni=OTHER)
    assert rig.done(other, muni=OTHER, seconds=20)[0]["registered"] == "3"
    assert rig.fields(bad)["st"] == "accepted"
    path = folder(rig, bad) / "away"
    path.rename(path.with_name("key"))
    assert rig.done(bad)[0]["registered"] == "50"
    assert "waits_for" not in told(rig, bad)


def test_damage_is_given_its_time_and_no_more(patient):
    rig = patient
    bad = rig.put(file_of(3), spoil=away)
    behind, began = rig.put(file_of(3)), time.monotonic()
    fields, _ = rig.done(bad, seconds=PATIENCE_S + 5)
    assert fields["st"] == "rejected" and PATIENCE_S - 0.5 < time.monotonic() - began < PATIENCE_S + 3
    assert rig.done(behind, seconds=20)[0]["registered"] == "3"


# ---- in the middle: what was applied stays, and the rest is told ----


def lose_upload(d):
    (d / "upload").unlink()


def io_upload(d):
    (d / "upload").unlink()
    (d / "upload").mkdir()


@pytest.mark.parametrize("how", [lose_upload, io_upload], ids=["gone", "cannot be read"])
def test_an_upload_lost_in_the_middle_ends_with_a_result_for_every_row(rig, how):
    n = 3000
    task, done = stop_in_the_middle(rig, n)
    how(folder(rig, task))
    behind = rig.put(file_of(3))
    rig.start("intake")
    fields, results = rig.done(task, seconds=20)
    assert [r.row for r in results] == list(range(1, n + 1))
    assert {r.result for r in results[:done]} == {"registered"}
    assert {(r.result, r.code) for r in results[done:]} == {("refused", "row_lost")}
    assert (fields["st"], fields["rj"], fields["registered"]) == ("ended", "file_unreadable", str(done))
    check_counts(fields, n)
    doc = told(rig, task)
    assert doc["state"] == "done_with_errors" and "reject" not in doc
    assert doc["stopped"]["code"] == "file_unreadable" and doc["stopped"]["who"] == "operator" and doc["stopped"]["rows_without_result"] == 0
    assert rig.done(behind)[0]["registered"] == "3"


BEGUN = {
    "no key": lambda d: (d / "key").unlink(),
    "results that do not open": lambda d: (d / "results").write_bytes(b"PMHGWFR1" + secrets.token_bytes(4000)),
    "results that cannot be written": lambda d: ((d / "results").unlink(), (d / "results").mkdir()),
}


@pytest.mark.parametrize("what", BEGUN)
def test_a_file_whose_results_cannot_be_told_any_more_is_not_called_rejected(rig, what):
    n = 3000
    task, done = stop_in_the_middle(rig, n)
    BEGUN[what](folder(rig, task))
    behind = rig.put(file_of(3))
    rig.start("intake")
    wait_for(lambda: rig.fields(task)["st"] == "ended", 20, "the end")
    fields = rig.fields(task)
    assert (fields["rj"], fields["registered"], fields["refused"], fields["untold"]) == ("file_unreadable", str(done), str(n - done), str(n - done))
    check_counts(fields, n)
    doc = told(rig, task)
    assert doc["state"] == "done_with_errors" and doc["stopped"]["rows_without_result"] == n - done and "reject" not in doc
    assert not (folder(rig, task) / "upload").exists()
    assert rig.done(behind)[0]["registered"] == "3"
    assert [a[1] for a in rig.audit() if a[0] == FILE_ENDED][-2:] == [FAILED, OK]


def test_rows_in_the_outbox_are_not_counted_twice_when_their_file_is_lost(rig):
    """They had left the file: they end there, and the counts still add up."""
    n = 6000
    rig.pmh.stop()
    try:
        task = rig.put(file_of(n))
        wait_for(lambda: rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}") != ["0"], 20, "rows in the outbox")
        rig.kill("intake")
        left = int(rig.redis("redis-link", "HLEN", f"o:{MUNI}:{task}")[0])
        assert 0 < left < n and rig.fields(task)["st"] == "processing"
        lose_upload(folder(rig, task))
        rig.start("intake")
        fields, results = rig.done(task, seconds=20)
    finally:
        rig.pmh.start()
    assert [r.row for r in results] == list(range(1, n + 1))
    assert collections.Counter(r.result for r in results) == {"waiting": left, "refused": n - left}
    wait_for(lambda: rig.fields(task).get("registered") == str(left), 30, "rows of the outbox")
    check_counts(rig.fields(task), n)
    assert told(rig, task)["state"] == "done_with_errors"


def close(rig, muni):
    """The municipality's key is destroyed in the vault. What it was."""
    path = rig.dir / "keys" / "vault.ring"
    was = path.read_bytes()
    size = 17 + 1 + 12 + 32 + 16
    entries = [was[at:at + size] for at in range(8, len(was), size)]
    assert any(muni.encode() in e for e in entries)
    path.write_bytes(was[:8] + b"".join(e for e in entries if muni.encode() not in e))
    return was


def test_a_municipality_closed_in_the_middle_keeps_what_was_applied(rig):
    n = 3000
    task, done = stop_in_the_middle(rig, n, OTHER)
    behind = rig.put(file_of(3), muni=OTHER)
    rig.kill("vault")
    was = close(rig, OTHER)
    rig.start("vault")
    rig.start("intake")
    try:
        wait_for(lambda: rig.fields(task, OTHER)["st"] == "ended", 10, "the end")
        fields = rig.fields(task, OTHER)
        assert (fields["rj"], fields["registered"], fields["refused"], fields["untold"]) == ("municipality_closed", str(done), str(n - done), str(n - done))
        check_counts(fields, n)
        doc = told(rig, task, OTHER)
        assert doc["state"] == "done_with_errors" and doc["stopped"]["code"] == "municipality_closed"
        fields, _ = rig.done(behind, muni=OTHER)
        assert (fields["st"], fields["rj"]) == ("rejected", "municipality_closed"), "nothing of it was applied"
    finally:
        rig.kill("vault")
        (rig.dir / "keys" / "vault.ring").write_bytes(was)
        rig.start("vault")
        rig.wait_healthy()


# ---- rows that wait while the vault loses what they need ----


def wait_for_pmh(rig, rows, muni):
    """A file whose rows wait for PMH; their numbers are at the vault alone. The vault's places of them."""
    before = set(rig.redis("redis-vault", "KEYS", "n:*"))
    task = rig.put(csv_of({"number": x} for x in rows), muni=muni)
    assert {r.result for r in rig.done(task, muni=muni)[1]} == {"waiting"}
    return task, sorted(set(rig.redis("redis-vault", "KEYS", "n:*")) - before)


@pytest.mark.parametrize("what", ["a number that does not open", "a municipality that was closed"])
def test_a_row_whose_number_is_lost_keeps_no_other_from_pmh(rig, what):
    rig.pmh.stop()
    bad, places = wait_for_pmh(rig, fresh(2), OTHER)
    good, _ = wait_for_pmh(rig, fresh(5), MUNI)
    rig.kill("intake")
    rig.kill("vault")
    was = None
    if what == "a municipality that was closed":
        was = close(rig, OTHER)
    else:
        rig.redis("redis-vault", "SET", places[0], "not sealed by anybody")
    rig.start("vault")
    rig.start("intake")
    rig.wait_healthy()
    rig.pmh.start()
    try:
        wait_for(lambda: rig.fields(good).get("registered") == "5", 20, "the other municipality's rows")
        wait_for(lambda: told(rig, bad, OTHER)["state"] == "done_with_errors", 10, "the rows that cannot go on")
        counts = told(rig, bad, OTHER)["counts"]
        assert (counts["refused"], counts["registered"], counts["quarantined"]) == ((2, 0, 0) if was else (0, 1, 1))
        _, page = rig.call("GET", f"/v1/tasks/{bad}/results?only=failed", cert=f"muni-{OTHER}", token=rig.token(f"muni-{OTHER}"))
        if was:
            assert page["code"] == "results_not_readable"
        else:
            assert [r["code"] for r in page["rows"]] == ["stored_value_unreadable"]
    finally:
        if was:
            rig.kill("vault")
            (rig.dir / "keys" / "vault.ring").write_bytes(was)
            rig.start("vault")
            rig.wait_healthy()


# ---- only_failed_of ----


def some_failed(rig):
    """A file of which the middle row is refused, and the file mended."""
    numbers = fresh(3)
    rows = [{"number": x, "sex": "?" if x == numbers[1] else "女"} for x in numbers]
    task = rig.put(csv_of(rows))
    assert [r.result for r in rig.done(task)[1]] == ["registered", "refused", "registered"]
    return task, csv_of({**r, "sex": "女"} for r in rows)


@pytest.mark.parametrize("mode", ["dry_run", "apply"])
def test_only_the_rows_that_failed_are_sent_or_looked_at(rig, mode):
    of, mended = some_failed(rig)
    fields, results = rig.done(rig.put(mended, mode=mode, of=of), seconds=10)
    assert [(r.result, r.code) for r in results] == [("unchanged", "did_not_fail"), ("registered", ""), ("unchanged", "did_not_fail")]


@pytest.mark.parametrize("what", ["no folder", "results that do not open"])
def test_failed_rows_of_a_file_whose_results_are_lost_are_not_guessed(rig, what):
    of, mended = some_failed(rig)
    if what == "no folder":
        folder(rig, of).rename(rig.dir / f"away-{of}")
    else:
        (folder(rig, of) / "results").write_bytes(b"PMHGWFR1" + secrets.token_bytes(500))
    task, behind = rig.put(mended, of=of), rig.put(file_of(3))
    fields, results = rig.done(task, seconds=20)
    assert sum(int(fields.get(r, 0)) for r in RESULTS if r != "refused") == 0
    doc = told(rig, task)
    reason = doc.get("reject") or doc["stopped"]
    assert reason["code"] == "other_results_unreadable" and reason["message_ja"]
    assert rig.done(behind, seconds=20)[0]["registered"] == "3"


@pytest.mark.parametrize("what", ["no folder", "key gone", "results that do not open"])
def test_results_that_are_lost_are_told_as_that(rig, what):
    task, _ = some_failed(rig)
    if what == "no folder":
        folder(rig, task).rename(rig.dir / f"away-{task}")
    elif what == "key gone":
        (folder(rig, task) / "key").unlink()
    else:
        (folder(rig, task) / "results").write_bytes(b"PMHGWFR1" + secrets.token_bytes(500))
    for route in ("results", "receipt"):
        status, doc = rig.call("GET", f"/v1/tasks/{task}/{route}", token=rig.token())
        assert (status, doc["code"]) == (410, "results_not_readable"), doc
    assert told(rig, task)["counts"]["registered"] == 2


# ---- undo ----


@pytest.mark.parametrize("what", ["no folder", "undo part that does not open"])
def test_an_undo_that_does_not_open_ends_and_the_next_file_runs(rig, what):
    of = rig.put(file_of(20))
    assert rig.done(of)[0]["registered"] == "20"
    if what == "no folder":
        folder(rig, of).rename(rig.dir / f"away-{of}")
    else:
        (folder(rig, of) / "undo").write_bytes(b"PMHGWFR1" + secrets.token_bytes(500))
    task = rig.put(b"", mode="undo", of=of, upload=False)
    behind = rig.put(file_of(3))
    fields, _ = rig.done(task, seconds=20)
    assert (fields["st"], fields["rj"]) == ("rejected", "stored_value_unreadable")
    assert rig.done(behind)[0]["registered"] == "3"


# ---- the queue ----


def test_a_task_that_cannot_be_read_leaves_the_queue(rig):
    task = rig.put(file_of(3))
    rig.done(task)
    bad = secrets.token_bytes(16).hex()
    rig.redis("redis-link", "HSET", f"t:{MUNI}:{bad}", "op", "nonsense", "st", "accepted")
    rig.redis("redis-link", "ZADD", "fq", int(time.time() * 1000), f"{MUNI}:{bad}:1")
    rig.redis("redis-link", "ZADD", "fq", 1, "nonsense")
    behind = rig.put(file_of(3))
    assert rig.done(behind, seconds=20)[0]["registered"] == "3"
    assert rig.redis("redis-link", "ZCARD", "fq") == ["0"]
    wait_for(lambda: rig.redis("redis-link", "EXISTS", f"fq:{MUNI}", "fq:munis") == ["0"], 20, "empty queues")


MANY = """for i=1,tonumber(ARGV[2]) do redis.call('ZADD','fq',ARGV[3],ARGV[1]..':'..string.format('%032x',i)..':1') end"""


def test_thousands_of_files_of_one_municipality_do_not_hide_those_of_another(patient):
    rig = patient
    rig.kill("intake", signal.SIGTERM)
    now = int(time.time() * 1000)
    rig.put(file_of(3), spoil=away)
    rig.redis("redis-link", "EVAL", MANY, 0, MUNI, 9000, now + 1000)
    other = rig.put(file_of(3), muni=OTHER)
    rig.redis("redis-link", "ZADD", "fq", now + 2000, f"{OTHER}:{other}:1")
    rig.start("intake")
    rig.wait_healthy()
    assert rig.done(other, muni=OTHER, seconds=PATIENCE_S)[0]["registered"] == "3"
    assert int(rig.redis("redis-link", "ZCARD", f"fq:{MUNI}")[0]) > 4096
