"""The engine of files: real daemons, real Redis, a PMH that the test controls (bulk_rig.py)."""

import collections
import itertools
import json
import random
import signal
import subprocess
import time

import pytest

from bulk_rig import BulkRig, csv_of
from intake_rig import number, wait_for

SEEDS = itertools.count(30_000_000_000 + random.SystemRandom().randrange(10**10))


def fresh(n):
    return [number(next(SEEDS)) for _ in range(n)]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = BulkRig(tmp_path_factory.mktemp("b"), retry_min_ms=100, retry_max_ms=1000)
    try:
        yield r.up()
    finally:
        r.down()


def told(results):
    return [(r.row, r.result, r.code, *r.unread) for r in results]


COUNT = """local n=0 for _,k in ipairs(redis.call('KEYS','p:*')) do for _,f in ipairs(redis.call('HKEYS',k)) do
if string.sub(f,1,2)=='r:' then n=n+1 end end end return n"""


def records(rig):
    """How many records there are of all people; -1 while Redis starts."""
    try:
        return int(rig.redis("redis-link", "EVAL", COUNT, 0)[0])
    except (ValueError, subprocess.CalledProcessError):
        return -1


def test_a_file_of_new_rows_is_registered(rig):
    before, n = records(rig), 1000
    task = rig.put(csv_of({"number": x, "rk": f"R-{i}"} for i, x in enumerate(fresh(n))))
    fields, results = rig.done(task)
    assert told(results) == [(i + 1, "registered", "") for i in range(n)]
    assert results[0].line == 2 and results[-1].line == n + 1
    assert results[7].resident_key.startswith("R")
    assert (fields["st"], fields["rows"], fields["registered"], fields["ck"]) == ("ended", str(n), str(n), str(n))
    assert records(rig) == before + n
    assert rig.redis("redis-link", "ZCARD", "fq") == ["0"]
    assert not (rig.dir / "spool" / f"331007-{task}" / "upload").exists()


def test_the_same_file_again_changes_nothing_and_a_changed_row_is_updated(rig):
    people = [{"number": x} for x in fresh(200)]
    rig.done(rig.put(csv_of(people)))
    fields, results = rig.done(rig.put(csv_of(people)))
    assert collections.Counter(r.result for r in results) == {"unchanged": 200}
    people[57]["address"] = "愛知県B市B町2-2-2"
    fields, results = rig.done(rig.put(csv_of(people)))
    assert fields["updated"] == "1" and results[57].result == "updated"
    assert [r.changed for r in results] == [""] * 57 + ["address"] + [""] * 142
    people[57].update(address="愛知県B市B町3-3-3", hidden="有", cert="別の証")
    assert rig.done(rig.put(csv_of(people)))[1][57].changed == "address,certificationName,isNotDisclosed"


def test_bad_rows_are_told_with_their_place_and_the_others_are_applied(rig):
    a, b, c, d = fresh(4)
    rows = [{"number": a}, {"number": b, "born": "2013-02-30"}, {"number": "12345"}, {"number": c}, {"number": d, "kana": ""}]
    fields, results = rig.done(rig.put(csv_of(rows)))
    assert [r.result for r in results] == ["registered", "refused", "refused", "registered", "refused"]
    assert results[1].code == "row_unreadable" and results[1].unread[0][:2] == ("basicFiveInfo.dateOfBirth", "date")
    assert results[1].unread[0][2] == 3
    assert results[2].code == results[4].code == "field_invalid"
    head = csv_of(rows).decode().splitlines()[0].split(",")
    lines = csv_of(rows).decode().splitlines()
    for row, column in ((2, "個人番号"), (4, "氏名カナ")):  # lines from 1 with the header, columns in characters
        assert results[row].line == row + 2
        assert results[row].column == len(",".join(lines[row + 1].split(",")[:head.index(column)])) + (2 if head.index(column) else 1)
    assert (fields["registered"], fields["refused"]) == ("2", "3")


def test_the_later_row_of_a_certificate_wins(rig):
    x, y = fresh(2)
    rows = [{"number": x}, {"number": y}, {"number": x, "address": "別の住所"}, {"number": y}, {"number": x, "address": "また別の住所"}]
    rows += [{"number": n} for n in fresh(100)] + [{"number": x, "address": "最後の住所"}]
    fields, results = rig.done(rig.put(csv_of(rows)))
    assert told(results)[:5] == [(1, "registered", ""), (2, "registered", ""), (3, "updated", "replaced_earlier_row"),
                                 (4, "unchanged", "same_row_twice"), (5, "updated", "replaced_earlier_row")]
    assert [results[i].with_row for i in (2, 3, 4, 105)] == [1, 2, 3, 5]
    assert results[105].code == "replaced_earlier_row"


def test_two_numbers_of_one_resident_key_are_held(rig):
    x, y = fresh(2)
    fields, results = rig.done(rig.put(csv_of([{"number": x, "rk": "RK-A"}, {"number": y, "rk": "RK-A"}, {"number": x, "rk": "RK-B"}])))
    assert told(results) == [(1, "registered", ""), (2, "quarantined", "resident_key_two_numbers"), (3, "quarantined", "number_two_residents")]


@pytest.mark.parametrize("rule,how", [("checksum_mismatch", {"sha256": bytes(32)}), ("size_mismatch", {"announced": 5}), ("layout_unknown", {"layout": "nope"})])
def test_a_file_that_is_not_what_was_announced_is_rejected(rig, rule, how):
    before = records(rig)
    fields, results = rig.done(rig.put(csv_of([{"number": x} for x in fresh(3)]), **how))
    assert (fields["st"], fields["rj"], results) == ("rejected", rule, [])
    assert records(rig) == before


def test_a_fault_of_the_file_rejects_it_before_any_row_is_applied(rig):
    before = records(rig)
    data = csv_of([{"number": x} for x in fresh(300)]).replace("氏名カナ".encode(), "見知らぬ列".encode())
    fields, _ = rig.done(rig.put(data))
    assert (fields["st"], fields["rj"], fields["rj_line"]) == ("rejected", "header_unknown", "1")
    fields, _ = rig.done(rig.put(csv_of([{"number": x} for x in fresh(300)]) + '"offen'.encode()))
    assert (fields["st"], fields["rj"]) == ("rejected", "quote_not_closed")
    assert records(rig) == before


# ---- trouble ----

def whole(rig, task, n, before, seconds=60):
    """Every row once, in order, each with its result; nothing is left over."""
    fields, results = rig.done(task, seconds=seconds)
    assert [r.row for r in results] == list(range(1, n + 1))
    assert collections.Counter(r.result for r in results) == {"registered": n}
    assert (fields["st"], fields["registered"], fields["ck"]) == ("ended", str(n), str(n))
    assert {k: fields.get(k, "0") for k in ("updated", "unchanged", "refused", "quarantined")} == dict.fromkeys(
        ("updated", "unchanged", "refused", "quarantined"), "0")
    assert records(rig) == before + n
    return fields, results


@pytest.mark.parametrize("what", ["intake", "vault", "redis-link", "redis-vault", "audit"])
def test_a_part_that_is_killed_in_the_middle_loses_and_doubles_nothing(rig, what):
    before, n = records(rig), 4000
    task = rig.put(csv_of({"number": x, "rk": f"{what}-{i}"} for i, x in enumerate(fresh(n))))
    for share in (0.1, 0.5):
        wait_for(lambda: records(rig) > before + share * n, 20, "rows")
        rig.kill(what)
        rig.start(what)
        wait_for(lambda: records(rig) >= 0, 20, "Redis")
    whole(rig, task, n, before)


def test_a_spool_file_that_was_cut_off_loses_no_row_in_silence(rig):
    """At a border of frames a cut looks like an end. Rows that cannot be read any more are told, and the next file has its turn."""
    n = 8000
    task = rig.put(csv_of({"number": x, "rk": f"cut-{i}"} for i, x in enumerate(fresh(n))))
    wait_for(lambda: rig.fields(task).get("st") == "processing", 20, "processing")
    rig.kill("intake")
    path = rig.dir / "spool" / f"331007-{task}" / "upload"
    data, at, frames = path.read_bytes(), 8, []
    while at < len(data):  # head: length - 1, its complement; then the sealed text
        frames.append(at)
        at += 4 + int.from_bytes(data[at:at + 2], "big") + 1 + 29
    assert len(frames) > 8
    with open(path, "r+b") as f:
        f.truncate(frames[-4])
    rig.start("intake")
    fields, results = rig.done(task, seconds=60)
    assert [r.row for r in results] == list(range(1, n + 1))
    lost = [r for r in results if r.result == "refused"]
    assert 0 < len(lost) < n and {r.code for r in lost} == {"row_lost"}
    assert (fields["st"], fields["rows"], fields["refused"]) == ("ended", str(n), str(len(lost)))
    assert int(fields["registered"]) == n - len(lost)
    fields, _ = rig.done(rig.put(csv_of([{"number": x} for x in fresh(3)])))
    assert (fields["st"], fields["registered"]) == ("ended", "3")


def test_rows_without_a_key_wait_in_the_outbox_while_pmh_is_away(rig):
    before, n = records(rig), 500
    known = fresh(100)
    rig.done(rig.put(csv_of({"number": x} for x in known)))
    rig.pmh.stop()
    task = rig.put(csv_of([{"number": x} for x in fresh(n)] + [{"number": x, "address": "転居先"} for x in known]))
    fields, results = rig.done(task)
    assert collections.Counter(r.result for r in results) == {"waiting": n, "updated": 100}
    assert not (rig.dir / "spool" / f"331007-{task}" / "upload").exists()
    rig.pmh.start()
    wait_for(lambda: rig.fields(task).get("registered") == str(n), 30, "rows of the outbox")
    assert records(rig) == before + 100 + n
    assert rig.redis("redis-link", "ZCARD", "oq") == ["0"]


def test_a_mix_up_of_persons_is_held(rig):
    a, b = fresh(2)
    rig.done(rig.put(csv_of([{"number": a}, {"number": b}])))
    task = rig.put(csv_of([{"number": a, "name": "別人太郎", "born": "1950-05-05"}, {"number": b, "name": "改姓花子"}]))
    fields, results = rig.done(task)
    assert told(results) == [(1, "quarantined", "person_mismatch"), (2, "updated", "")]
    assert (fields["quarantined"], fields["updated"]) == ("1", "1")
    assert rig.redis("redis-link", "HKEYS", f"o:331007:{task}") == ["1"]


# ---- the other modes ----

PEOPLE = """local out={} for _,k in ipairs(redis.call('KEYS','*')) do if string.sub(k,1,2)=='p:' or string.sub(k,1,2)=='s:' or string.sub(k,1,3)=='rk:' then
local v if string.sub(k,1,2)=='rk' then v=redis.call('GET',k) else v=redis.call('HGETALL',k) table.sort(v) v=table.concat(v) end
out[#out+1]=k..redis.sha1hex(v) end end table.sort(out) return redis.sha1hex(table.concat(out))"""


def people(rig):
    """A sum over everything that is stored about people."""
    return rig.redis("redis-link", "EVAL", PEOPLE, 0)


def test_a_dry_run_tells_what_would_be_and_changes_nothing(rig):
    known, new = fresh(3), fresh(2)
    rig.done(rig.put(csv_of({"number": x} for x in known)))
    before = people(rig), rig.redis("redis-vault", "DBSIZE")
    rows = [{"number": known[0]}, {"number": known[1], "address": "転居先"}, {"number": known[2], "name": "別人太郎", "born": "1950-05-05"}]
    fields, results = rig.done(rig.put(csv_of(rows + [{"number": x} for x in new]), mode="dry_run"))
    assert [r.result for r in results] == ["unchanged", "updated", "quarantined", "registered", "registered"]
    assert results[1].changed == "address"
    assert (fields["sus"], fields["registered"], fields["quarantined"]) == ("1", "2", "1")
    assert (people(rig), rig.redis("redis-vault", "DBSIZE")) == before
    fields, results = rig.done(rig.put(csv_of([{"number": known[1], "name": "改姓花子"}]), mode="dry_run"))
    assert (results[0].result, results[0].changed, fields["sus"]) == ("updated", "name", "1")


def test_only_the_rows_that_failed_are_sent_again(rig):
    a, b, c = fresh(3)
    rows = [{"number": a}, {"number": b, "born": "2013-02-30"}, {"number": c, "kana": ""}]
    first = rig.put(csv_of(rows))
    rig.done(first)
    rows[1]["born"], rows[2]["kana"] = "2013-02-28", "アイチ"
    fields, results = rig.done(rig.put(csv_of(rows), of=first))
    assert told(results) == [(1, "unchanged", "did_not_fail"), (2, "registered", ""), (3, "registered", "")]


def test_a_file_is_taken_back_but_for_what_changed_since(rig):
    known, new, later = fresh(150), fresh(150), fresh(1)[0]
    rig.done(rig.put(csv_of({"number": x} for x in known + [later])))
    before = records(rig)
    rows = [{"number": x, "address": "誤った住所"} for x in known] + [{"number": x} for x in new] + [{"number": known[0], "address": "二度目"}]
    wrong = rig.put(csv_of(rows + [{"number": later, "address": "誤った住所"}]))
    assert rig.done(wrong)[0]["updated"] == "152"
    rig.done(rig.put(csv_of([{"number": later, "address": "直した住所"}])))
    fields, results = rig.done(rig.put(b"", mode="undo", of=wrong, upload=False))
    assert fields["st"] == "ended" and fields["rows"] == "302"
    assert collections.Counter((r.result, r.code) for r in results) == {("updated", ""): 301, ("refused", "changed_since"): 1}
    assert records(rig) == before
    fields, results = rig.done(rig.put(csv_of([{"number": x} for x in known] + [{"number": later, "address": "直した住所"}]), mode="dry_run"))
    assert collections.Counter(r.result for r in results) == {"unchanged": 151}


def test_an_undo_that_is_killed_goes_on_where_it_was(rig):
    known = fresh(4000)
    rig.done(rig.put(csv_of({"number": x} for x in known)))
    wrong = rig.put(csv_of({"number": x, "address": "誤った住所"} for x in known))
    rig.done(wrong)
    task = rig.put(b"", mode="undo", of=wrong, upload=False)
    wait_for(lambda: rig.fields(task).get("st") == "processing", 20, "undo")
    for _ in range(3):
        rig.kill("intake")
        rig.start("intake")
        rig.wait_healthy()
    fields, results = rig.done(task)
    assert collections.Counter((r.result, r.code) for r in results) == {("updated", ""): 4000}
    assert len({r.row for r in results}) == 4000
    fields, results = rig.done(rig.put(csv_of({"number": x} for x in known), mode="dry_run"))
    assert fields["unchanged"] == "4000"


STORED = """local t={} for _,k in ipairs(redis.call('KEYS','p:*')) do local h=redis.call('HGETALL',k) for i=1,#h,2 do
if string.sub(h[i],1,2)=='r:' then t[#t+1]=k..' '..h[i]..' '..redis.sha1hex(h[i+1]) end end end table.sort(t) return t"""


def stored(rig):
    """Every record of everybody, byte by byte."""
    return rig.redis("redis-link", "EVAL", STORED, 0)


def sent_while_pmh_is_away(rig, rows, new):
    rig.pmh.stop()
    task = rig.put(csv_of(rows))
    fields, results = rig.done(task)
    assert collections.Counter(r.result for r in results)["waiting"] == new
    rig.pmh.start()
    wait_for(lambda: rig.redis("redis-link", "HLEN", f"o:331007:{task}") == ["0"], 40, "rows of the outbox")
    return task


def test_rows_that_the_outbox_applied_are_taken_back_too(rig):
    known, new, later = fresh(60), fresh(70), fresh(1)[0]
    rig.done(rig.put(csv_of({"number": x} for x in known)))
    before = stored(rig)
    rows = [{"number": x, "address": "誤った住所"} for x in known] + [{"number": x} for x in new + [later]]
    wrong = sent_while_pmh_is_away(rig, rows + [{"number": x, "address": "二度目"} for x in new[:30]], 101)
    assert int(rig.redis("redis-link", "HLEN", f"tu:331007:{wrong}")[0]) >= 71 and len(stored(rig)) == len(before) + 71
    rig.done(rig.put(csv_of([{"number": later, "address": "直した住所"}])))
    fields, results = rig.done(rig.put(b"", mode="undo", of=wrong, upload=False))
    written = 60 + int(rig.redis("redis-link", "HLEN", f"tu:331007:{wrong}")[0])
    assert fields["rows"] == str(written) and len({r.row for r in results}) == written
    assert collections.Counter((r.result, r.code) for r in results) == {("updated", ""): written - 1, ("refused", "changed_since"): 1}
    assert [r.row for r in results if r.code] == [131]
    after = stored(rig)
    assert set(before) < set(after) and len(after) == len(before) + 1


def test_an_undo_of_rows_of_the_outbox_that_is_killed_goes_on_where_it_was(rig):
    before, new = stored(rig), fresh(1500)
    wrong = sent_while_pmh_is_away(rig, [{"number": x} for x in new], 1500)
    task = rig.put(b"", mode="undo", of=wrong, upload=False)
    for _ in range(3):
        wait_for(lambda: rig.fields(task).get("st") in ("processing", "ended"), 20, "undo")
        rig.kill("intake")
        rig.start("intake")
        rig.wait_healthy()
    fields, results = rig.done(task)
    assert sorted(r.row for r in results) == list(range(1, 1501))
    assert {(r.result, r.code) for r in results} == {("updated", "")}
    assert stored(rig) == before


def officer(rig, what, task, rows):
    status, doc = rig.call("POST", f"/v1/tasks/{task}/{what}", json.dumps({"officer": "sato", "rows": rows}).encode(), token=rig.token())
    assert status == 200, doc
    return doc


def test_a_released_row_and_the_row_of_the_file_below_it_are_taken_back(rig):
    x, y = fresh(2)
    other = {"name": "山田太郎", "kana": "ヤマダタロウ", "born": "1980-05-05"}
    rig.done(rig.put(csv_of([{"number": x}, {"number": y}])))
    before = stored(rig)
    wrong = rig.put(csv_of([{"number": x, "address": "一度目"}, {"number": x, **other}, {"number": y, **other}]))
    assert [r.result for r in rig.done(wrong)[1]] == ["updated", "quarantined", "quarantined"]
    assert officer(rig, "release", wrong, [2])["released"] == 1
    wait_for(lambda: rig.redis("redis-link", "HLEN", f"o:331007:{wrong}") == ["1"], 10, "the released row")
    fields, results = rig.done(rig.put(b"", mode="undo", of=wrong, upload=False))
    assert sorted((r.row, r.result, r.code) for r in results) == [(1, "updated", ""), (2, "updated", "")]
    assert stored(rig) == before
    rig.redis("redis-link", "HSET", f"t:331007:{wrong}", "undone", "0" * 32)  # as the door says it
    doc = officer(rig, "release", wrong, [3])
    assert (doc["released"], doc["not_held"]) == (0, 1), "what was taken back does not come again"
    assert officer(rig, "discard", wrong, [3])["discarded"] == 1
    assert stored(rig) == before


def test_what_an_undo_needs_is_sealed_and_goes_when_it_is_too_late(rig):
    new = fresh(3)
    task = sent_while_pmh_is_away(rig, [{"number": x} for x in new], 3)
    assert sorted(rig.redis("redis-link", "HKEYS", f"tu:331007:{task}")) == ["1", "2", "3"]
    moved = "return redis.call('HSET',KEYS[1],'2',redis.call('HGET',KEYS[1],'1'))"  # a value that is another row's
    assert rig.redis("redis-link", "EVAL", moved, 1, f"tu:331007:{task}") == ["0"]
    fields, results = rig.done(rig.put(b"", mode="undo", of=task, upload=False))
    assert sorted((r.row, r.result, r.code) for r in results) == [(1, "updated", ""), (2, "refused", "stored_value_unreadable"), (3, "updated", "")]
    queued = rig.put(csv_of({"number": x} for x in fresh(2)))
    rig.done(queued)
    rig.redis("redis-link", "HSET", f"t:331007:{queued}", "end_ms", 1000, "undone", "0" * 32)  # accepted at the last moment, as the door says it
    rig.redis("redis-link", "HSET", f"t:331007:{task}", "end_ms", 1000)
    rig.kill("intake")
    rig.start("intake")
    wait_for(lambda: rig.redis("redis-link", "EXISTS", f"tu:331007:{task}") == ["0"], 15, "janitor")
    time.sleep(0.3)
    assert rig.plain(queued, "undo"), "an undo that waits for its turn finds what it needs"


def changes_csv(rows):
    return ("異動区分,宛名番号,異動日,処理番号\n" + "".join(",".join(r) + "\n" for r in rows)).encode()


def test_a_file_of_resident_changes_is_carried_out_row_by_row(rig):
    x = fresh(1)[0]
    rig.done(rig.put(csv_of([{"number": x, "rk": "CH-1"}])))
    rows = [("転出", "CH-1", "2026-04-01", "op-bulk-1"), ("死亡", "CH-unknown", "2026-04-01", "op-bulk-2"), ("転出", "CH-1", "2026-04-99", "op-bulk-3")]
    fields, results = rig.done(rig.put(changes_csv(rows), operation="postResidentChangeTasks", layout="resident-changes"))
    assert [r.result for r in results] == ["updated", "refused", "refused"]
    assert results[0].resident_key == "CH-1" and results[2].code == "row_unreadable"
    assert (fields["updated"], fields["refused"]) == ("1", "2")


def test_a_stop_in_the_middle_is_orderly_and_the_file_goes_on(rig):
    before, n = records(rig), 5000
    rig.pmh.delay = 1.0
    task = rig.put(csv_of({"number": x} for x in fresh(n)))
    wait_for(lambda: records(rig) > before + 200, 20, "rows")
    assert rig.kill("intake", signal.SIGTERM) == 0
    rig.pmh.delay = 0.0
    fields = rig.fields(task)
    assert fields["st"] == "processing" and int(fields["ck"]) == len(rig.results(task)) == records(rig) - before
    rig.start("intake")
    whole(rig, task, n, before)


def test_an_upload_that_a_crash_left_behind_is_removed(rig):
    task = rig.put(csv_of([{"number": fresh(1)[0]}]))
    rig.done(task)
    left = rig.dir / "spool" / f"331007-{task}" / "upload"
    wait_for(lambda: not left.exists(), 20, "upload to go")
    left.write_bytes(b"PMHGWFR1")
    rig.kill("intake", signal.SIGTERM)
    rig.start("intake")
    wait_for(lambda: not left.exists(), 15, "janitor")
    assert left.parent.exists()


def test_files_of_two_municipalities_run_side_by_side_and_those_of_one_in_their_order(rig):
    x = fresh(1)[0]
    tasks = [rig.put(csv_of([{"number": x, "address": f"住所{i}"}])) for i in range(3)]
    other = rig.put(csv_of([{"number": x}]), muni="271403")
    assert rig.done(other, muni="271403")[0]["registered"] == "1"
    assert [rig.done(t)[1][0].result for t in tasks] == ["registered", "updated", "updated"]
    assert rig.done(rig.put(csv_of([{"number": x, "address": "住所2"}])))[1][0].result == "unchanged"


def test_rows_that_went_to_the_outbox_before_a_kill_go_there_once(rig):
    before, n = records(rig), 6000
    until = rig.pmh.entries + 1000
    rig.pmh.fault = lambda entries: rig.pmh.answer(entries) if rig.pmh.entries <= until else None  # however slowly this test is scheduled, not all of them
    task = rig.put(csv_of({"number": x, "rk": f"kill-{i}"} for i, x in enumerate(fresh(n))))
    wait_for(lambda: records(rig) > before + 500, 20, "rows")
    rig.pmh.stop()
    wait_for(lambda: rig.redis("redis-link", "HLEN", f"o:331007:{task}") != ["0"], 20, "rows in the outbox")
    for _ in range(2):
        rig.kill("intake")
        rig.start("intake")
    rig.pmh.fault = None
    rig.pmh.start()
    fields, results = rig.done(task)
    assert [r.row for r in results] == list(range(1, n + 1))
    assert {r.result for r in results} <= {"registered", "waiting"}
    wait_for(lambda: rig.fields(task).get("registered") == str(n), 40, "rows of the outbox")
    assert records(rig) == before + n
    assert rig.redis("redis-link", "HLEN", f"tr:331007:{task}") == [str(sum(r.result == "waiting" for r in results))]
    assert rig.redis("redis-link", "HLEN", f"o:331007:{task}") == ["0"]


def test_a_bad_entry_of_the_vault_refuses_its_row_and_no_other(rig):
    a, b, c = fresh(3)
    entries = []
    for x in (a, b):
        before = set(rig.redis("redis-vault", "KEYS", "i:*"))
        rig.done(rig.put(csv_of([{"number": x}])))
        entries += set(rig.redis("redis-vault", "KEYS", "i:*")) - before
    assert rig.redis("redis-vault", "COPY", entries[1], entries[0], "REPLACE") == ["1"]
    refused = ("refused", "stored_value_unreadable")
    _, results = rig.done(rig.put(csv_of([{"number": x} for x in (c, a, b)])))
    assert (results[1].result, results[1].code) == refused
    assert [results[0].result, results[2].result] == ["registered", "unchanged"]
    _, results = rig.done(rig.put(csv_of([{"number": a}])))  # alone, too
    assert [(r.result, r.code) for r in results] == [refused]
