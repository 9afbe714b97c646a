"""What a municipality takes out: the VRS ledger, who is due, statistics. Files that are whole or broken off, without a number, in the memory of one page."""

import csv
import hashlib
import io
import re
import socket
import subprocess
import threading

import pytest

from front_rig import Redis
from rig import BIN, MUNICIPAL, wait_for
from sheet_rig import MUNI, OTHER, Town, silenced

LEDGER, DUE, STATISTICS = "/v1/vaccination/ledger", "/v1/vaccination/due", "/v1/vaccination/statistics"
PROGRAM = "covid-19-special"
MANY = 20000


def load(rig, muni, count, name="試験 花子"):
    """Residents with doses, sealed and put in place by the gateway's own code."""
    keys = rig.state / "keys"
    out = subprocess.run([BIN / "pmhgw-test-vaccinated", keys / "link.ring", keys / "link.master", muni, PROGRAM, str(count), name], check=True, capture_output=True)
    redis = Redis(rig.state / "run/redis-link.sock", "intake", (keys / "redis-link-intake.pass").read_text().strip())
    redis.sock.settimeout(60)
    sender = threading.Thread(target=redis.sock.sendall, args=(out.stdout,))
    sender.start()
    for _ in range(out.stdout.count(b"\r\nHSET\r\n") + out.stdout.count(b"\r\nZADD\r\n")):
        assert redis._reply() in (0, 1)
    sender.join()


@pytest.fixture(scope="module")
def town(rig):
    t = Town(rig)
    load(rig, MUNI, MANY, "=HYPERLINK(1)")
    load(rig, OTHER, 3)
    rig.card_of("123456789018")  # a canary of this file
    return t


def get(town, path, muni=MUNI, **more):
    return town.rig.muni(muni, "GET", path, timeout=60, **more)


def rows(answer):
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.body.decode()  # UTF-8
    assert not text.startswith("\ufeff") and (not text or text.endswith("\r\n")) and "\n" not in text.replace("\r\n", "")
    return list(csv.reader(io.StringIO(text, newline="")))


def code(a):
    return a.status, a.json().get("code")


# ---- the ledger ----

def test_the_ledger_has_the_published_columns(town):
    got = rows(get(town, f"{LEDGER}?program={PROGRAM}", OTHER))
    assert len(got) == 3 and all(len(r) == 17 and r[0] == "" for r in got)
    by_ticket = {r[3]: r for r in got}
    first = by_ticket["0000000001"]
    assert first == ["", "20210401085959", "20210301", "0000000001", OTHER, "市民会館\"大\"ホール", "'=cmd|' /C calc'!A0", "ファイザー", "FC9880"] + [""] * 8
    second = by_ticket["0000000011"]
    assert second[11:] == ["0000000012", OTHER, "市民会館\"大\"ホール", "岡山 太郎", "ファイザー", "12345"]
    assert second[9:11] == ["20210401085959", "20210402"]


def test_the_ledger_may_have_titles_and_alignment(town):
    titled = rows(get(town, f"{LEDGER}?program={PROGRAM}&header=yes", OTHER))
    assert titled[0][0] == "個別宛名番号(空欄)" and titled[0][1] == "1回目接種履歴登録日時" and titled[0][16] == "2回目ワクチンロット番号" and len(titled) == 4
    aligned = {r[3]: r for r in rows(get(town, f"{LEDGER}?program={PROGRAM}&aligned=yes", OTHER))}
    assert aligned["0000000011"][8] == "12345".rjust(20) and aligned["0000000001"][8] == "FC9880".ljust(20)
    assert aligned["0000000011"][5] == "市民会館\"大\"ホール".ljust(30)
    later = rows(get(town, f"{LEDGER}?program={PROGRAM}&first=2", OTHER))
    assert [r[3][-1] for r in later] == ["2"] * len(later) and len(later) == 2
    assert rows(get(town, f"{LEDGER}?program=mr-1", OTHER)) == []


def test_twenty_thousand_residents_in_the_memory_of_a_page(town, rig):
    pid = rig.pid("pmhgw-intake")

    def peak():
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
    get(town, f"{LEDGER}?program={PROGRAM}", OTHER)
    before = peak()
    got = rows(get(town, f"{LEDGER}?program={PROGRAM}"))
    assert len(got) == MANY and len({r[3] for r in got}) == MANY  # everybody once
    assert peak() - before < 24 * 1024, "KiB more"
    assert all(r[4] == MUNI for r in got)


def test_nobody_is_missed_or_twice_while_clinics_write(town):
    """The list changes all the time while it is read."""
    handles = sorted(redis_of(town)("ZRANGE", f"vi:{MUNI}", 0, -1))
    assert len(handles) >= MANY
    stop, added = threading.Event(), []

    def write():
        redis = redis_of(town)
        while not stop.is_set():
            for h in (handles[0], handles[len(handles) // 2], handles[-1]):
                redis("ZADD", f"vi:{MUNI}", 0, h)
            added.append(f"{len(added):032x}")
            redis("ZADD", f"vi:{MUNI}", 0, added[-1])  # in the list, and nothing of it: as somebody who was just erased
    writer = threading.Thread(target=write)
    writer.start()
    try:
        got = rows(get(town, f"{LEDGER}?program={PROGRAM}"))
    finally:
        stop.set()
        writer.join()
        redis_of(town)("ZREM", f"vi:{MUNI}", *added)
    assert len(got) == MANY and len({r[3] for r in got}) == MANY and added


def redis_of(town):
    return Redis(town.rig.state / "run/redis-link.sock", "intake", (town.rig.state / "keys/redis-link-intake.pass").read_text().strip())


def test_who_asked_what_and_how_much_is_in_the_log(town, rig):
    a = get(town, f"{LEDGER}?program={PROGRAM}", OTHER)
    entries = [e for e in rig.muni(OTHER, "GET", "/v1/audit/entries").json()["entries"] if e["event"] == "ledger_exported"]
    last, first = entries[0], entries[1]
    assert first["count"] == 0 and last["count"] == 3 and first["actor"] == last["actor"] == f"municipality/{OTHER}/kodomo"
    log = b"".join(p.read_bytes() for p in (rig.state / "audit").glob("audit-*.log"))
    assert hashlib.sha256(a.body).digest()[:16] in log


def test_the_command_writes_a_file_or_none(town, rig, tmp_path):
    out = tmp_path / "ledger.csv"
    done = rig.command("vaccination", "ledger", "--muni", OTHER, "--program", PROGRAM, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == get(town, f"{LEDGER}?program={PROGRAM}", OTHER).body and out.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(out.read_bytes()).hexdigest() in done.stdout
    assert rig.command("vaccination", "due", "--muni", OTHER, "--program", "nobody-knows", "--out", tmp_path / "due.csv").returncode == 2
    assert rig.command("vaccination", "ledger", "--muni", OTHER, "--program", "a b&c", "--out", tmp_path / "due.csv").returncode == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger.csv"]


def test_a_part_is_not_taken_for_the_whole(town, rig):
    """Redis goes away in the middle: the connection is broken, the file is not there."""
    out = rig.dir / "broken.csv"
    p = subprocess.Popen([BIN / "pmhgw", "vaccination", "ledger", "--muni", MUNI, "--program", PROGRAM, "--out", out, "--state", rig.state],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for("the export has begun", 20, lambda: out.with_suffix(".csv.part").exists() and out.with_suffix(".csv.part").stat().st_size > 0)
    old = rig.kill("redis-link")
    ended = p.wait(60)
    assert (ended, out.exists()) in ((2, False), (0, True)), p.stderr.read()  # it may have been quicker than the kill
    if ended == 0:
        assert out.read_bytes().count(b"\r\n") == MANY
    rig.wait_back("redis-link", old)
    assert not out.with_suffix(".csv.part").exists()


# ---- who is due ----

def test_who_is_due(town):
    got = rows(get(town, f"{DUE}?program={PROGRAM}&on=2026-11-21", OTHER))
    head, due = got[0], [dict(zip(got[0], r)) for r in got[1:]]
    assert "vaccinationSubjectNumber" in head and "myNumber" not in head
    by = {d["vaccinationSubjectNumber"]: d for d in due}
    # Number 0 has one dose of 1 March 2021, and 18 whole days have to lie between; the others have two.
    assert by["V-0"]["doseNumber"] == "2" and by["V-0"]["from"] == "2021-03-20" and by["V-0"]["lastVaccinationDate"] == "2021-03-01"
    assert by["V-1"]["doseNumber"] == "3" and by["V-0"]["recall"] == "1" and by["V-0"]["dateOfBirth"] == "2020-01-01"
    assert rows(get(town, f"{DUE}?program={PROGRAM}&on=2021-03-19", OTHER))[1:] == []
    assert [r[0] for r in rows(get(town, f"{DUE}?program={PROGRAM}&on=2021-03-20", OTHER))[1:]] == ["V-0"]
    assert rows(get(town, f"{DUE}?program={PROGRAM}&on=2021-03-20&list=recall", OTHER))[1:] == []
    assert [r[0] for r in rows(get(town, f"{DUE}?program={PROGRAM}&list=reduction", OTHER))[1:]] == ["V-0"]  # 減免
    assert rows(get(town, f"{DUE}?program=mr-1", OTHER))[1:] == []  # too old for it


def test_the_silent_stay_in_the_municipalitys_own_list_and_are_marked(town):
    due = rows(get(town, f"{DUE}?program={PROGRAM}"))
    silent = [r for r in due[1:] if r[due[0].index("notDisclosed")] == "1"]
    assert len(silent) == MANY // 10
    assert "'=HYPERLINK(1)" in {r[due[0].index("name")] for r in due[1:]}


# ---- statistics ----

def test_statistics_do_not_tell_small_counts(town):
    town_of_three = f"{STATISTICS}?from=2021-03&to=2021-04"
    got = rows(get(town, town_of_three, OTHER))
    assert got[0] == ["vaccinationProgramId", "doseNumber", "ageGroup", "month", "count"]
    assert got[1:] and all(r[0] == PROGRAM and r[4] == "*" for r in got[1:])
    exact = rows(get(town, town_of_three + "&small=exact", OTHER))
    assert [r[1:] for r in exact[1:]] == [["1", "1", "2021-03", "3"], ["2", "1", "2021-04", "2"]]
    many = rows(get(town, town_of_three))
    assert sum(int(r[4]) for r in many[1:] if r[1] == "1") == MANY
    assert rows(get(town, STATISTICS, OTHER)) == [got[0]]  # nobody in the last twelve months


# ---- what is refused ----

def test_queries_that_are_not_documented_are_refused(town):
    for path in (LEDGER, f"{LEDGER}?program=", f"{LEDGER}?program=a%20b", f"{LEDGER}?program={PROGRAM}&first=0", f"{LEDGER}?program={PROGRAM}&first=99",
                 f"{LEDGER}?program={PROGRAM}&header=no", f"{LEDGER}?program={PROGRAM}&program=x", f"{LEDGER}?program={'x' * 51}", f"{LEDGER}?muni={OTHER}",
                 DUE, f"{DUE}?program=nobody-knows", f"{DUE}?program={PROGRAM}&on=2026-02-30", f"{DUE}?program={PROGRAM}&list=all",
                 f"{STATISTICS}?from=2026-01", f"{STATISTICS}?from=2026-02&to=2026-01", f"{STATISTICS}?from=2020-01&to=2026-01", f"{STATISTICS}?small=5"):
        assert code(get(town, path)) == (400, "malformed_url"), path


def test_each_municipality_sees_its_own(town, rig):
    assert len(rows(get(town, f"{LEDGER}?program={PROGRAM}", OTHER))) == 3
    assert rows(get(town, f"{LEDGER}?program={PROGRAM}", "222127")) == []
    for cert in ("clinic-3319900019", "portal-mynaportal"):
        assert rig.call(MUNICIPAL, "GET", f"{LEDGER}?program={PROGRAM}", cert=cert).status == 403
    assert rig.call(MUNICIPAL, "GET", f"{LEDGER}?program={PROGRAM}", cert=f"muni-{MUNI}").status == 401


def test_one_export_of_a_municipality_at_a_time(town, rig):
    """One that does not read holds its place, and nobody else's."""
    context = rig.context(f"muni-{MUNI}")
    with socket.create_connection(("127.0.0.1", rig.base + MUNICIPAL)) as raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
        s.sendall(f"GET {LEDGER}?program={PROGRAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.token(MUNI)}\r\n\r\n".encode())
        assert s.recv(100).startswith(b"HTTP/1.1 200")
        assert code(get(town, f"{LEDGER}?program={PROGRAM}")) == (503, "overloaded")
        assert len(rows(get(town, f"{LEDGER}?program={PROGRAM}", OTHER))) == 3
    wait_for("its place is free", 20, lambda: get(town, f"{STATISTICS}?from=2021-03&to=2021-03").status == 200)


def test_who_is_erased_is_gone_from_every_list(town, rig):
    from sheet_rig import Person
    p = Person(town, muni="222127")
    assert p.answer().status in (404, 422)  # no template there
    index = Redis(rig.state / "run/redis-link.sock", "intake", (rig.state / "keys/redis-link-intake.pass").read_text().strip())
    assert index("ZCARD", "vi:222127") == 1
    assert len(rows(get(town, f"{DUE}?program={PROGRAM}", "222127"))) == 2
    silenced(rig, p.key, muni="222127")
    listed = rows(get(town, f"{DUE}?program={PROGRAM}", "222127"))
    assert listed[1][listed[0].index("notDisclosed")] == "1"
    assert rig.muni("222127", "POST", "/v1/residents/erase", {"municipalityIdentityKey": p.key, "reason": "no_longer_needed"}).status == 200
    assert len(rows(get(town, f"{DUE}?program={PROGRAM}", "222127"))) == 1 and index("ZCARD", "vi:222127") == 0
