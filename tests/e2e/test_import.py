"""`pmhgw import` and `pmhgw tasks` as people and scripts use them: what they print, what they write, how they end."""

import csv
import json
import os
import re
import signal
import subprocess
import time

import pytest

from rig import BIN, fresh_number, row_for, wait_for
from test_linkage import table

MUNI = "331007"
TASK = r"[0-9a-f]{32}"


@pytest.fixture
def rows(rig):
    made = [row_for(fresh_number(), key=f"I{fresh_number()[:9]}") for _ in range(6)]
    rig.plant(made)
    return made


def run(rig, *argv, lang="en_US.UTF-8"):
    words = [BIN / "pmhgw", *map(str, argv), "--state", str(rig.state)]
    env = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES")}
    r = subprocess.run(words, capture_output=True, text=True, timeout=40, env={**env, "LANG": lang})
    for n in rig.canaries:
        assert n not in r.stdout + r.stderr
    return r


def send(rig, rows, *more, name="import.jsonl", **how):
    file = rig.dir / name
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return run(rig, "import", file, "--muni", MUNI, *more, **how)


def id_in(r):
    return re.search(rf"file id: ({TASK})", r.stdout).group(1)


def task(rig, task_id):
    return rig.muni(MUNI, "GET", f"/v1/tasks/{task_id}").json()


def test_results_have_one_line_a_row_and_no_number(rig, rows):
    rows[1]["validFrom"] = "yesterday"
    out = rig.dir / "results.csv"
    r = send(rig, rows, "--results", out)
    assert r.returncode == 1, r.stdout + r.stderr
    assert out.stat().st_mode & 0o077 == 0
    lines = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    assert [line["row"] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert [line["result"] for line in lines].count("registered") == 5
    assert lines[1]["result"] == "refused" and lines[1]["errors"].startswith("validFrom:")
    assert lines[2]["resident_key"] == rows[2]["municipalityIdentityKey"]
    assert not any(row["myNumber"] in out.read_text() for row in rows)
    failed = run(rig, "tasks", "results", id_in(r), "--failed", "--jsonl", "--muni", MUNI)
    assert [json.loads(line)["row"] for line in failed.stdout.splitlines()] == [2]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(rig, rows):
    r = send(rig, rows, "--dry-run")
    assert r.returncode == 0 and "would be new 6" in r.stdout and "to apply it:" in r.stdout, r.stdout + r.stderr
    r = send(rig, rows)
    assert r.returncode == 0 and "registered 6" in r.stdout, r.stdout + r.stderr


def test_only_what_failed_is_sent_again(rig, rows):
    rows[3]["medicalSubsidyInsurerNumber"] = "1"
    first = send(rig, rows)
    assert first.returncode == 1 and "--only-failed-of " + id_in(first) in first.stdout, first.stdout + first.stderr
    rows[3]["medicalSubsidyInsurerNumber"] = "88331004"
    out = rig.dir / "again.jsonl"
    r = send(rig, rows, "--only-failed-of", id_in(first), "--results", out)
    assert r.returncode == 0 and "registered 1" in r.stdout, r.stdout + r.stderr
    codes = [json.loads(line).get("code") for line in out.read_text().splitlines()]
    assert codes.count("did_not_fail") == 5 and len(codes) == 6


def test_a_rejected_file_is_told_with_its_place_and_no_cell(rig, rows):
    file = rig.dir / "broken.csv"
    file.write_bytes(table(rows, "\n").encode() + b'"secret cell\n')
    r = run(rig, "import", file, "--muni", MUNI)
    assert r.returncode == 2 and re.search(r"line 8 column 1 .*quote_not_closed: .", r.stderr) and "secret" not in r.stdout + r.stderr, r.stderr
    ja = run(rig, "import", file, "--muni", MUNI, lang="ja_JP.UTF-8")
    assert ja.returncode == 2 and "8 行 1 文字目" in ja.stderr and "rejected" not in ja.stderr
    both = run(rig, "import", file, "--muni", MUNI, lang="C.UTF-8")
    message = re.search(r"quote_not_closed: (.*?) / ", both.stderr).group(1)
    assert both.stderr.count(message) == 1 and "line 8" in both.stderr, both.stderr


def test_nothing_is_waited_for_when_told_so(rig, rows):
    r = send(rig, rows, "--no-wait")
    assert r.returncode == 0 and re.fullmatch(TASK, r.stdout.splitlines()[-1]), r.stdout + r.stderr
    task_id = r.stdout.splitlines()[-1]
    followed = run(rig, "tasks", "follow", task_id, "--muni", MUNI)
    assert followed.returncode == 0 and "registered 6" in followed.stdout, followed.stdout + followed.stderr
    listed = run(rig, "tasks", "--muni", MUNI)
    assert listed.returncode == 0 and task_id in listed.stdout.splitlines()[0] and "done" in listed.stdout.splitlines()[0], listed.stdout
    shown = run(rig, "tasks", "show", task_id, "--muni", MUNI)
    assert shown.returncode == 0 and "state: done" in shown.stdout and "registered 6" in shown.stdout


def test_a_file_is_taken_back(rig, rows):
    r = send(rig, rows)
    assert r.returncode == 0, r.stdout + r.stderr
    undone = run(rig, "tasks", "undo", id_in(r), "--muni", MUNI)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    again = send(rig, rows)
    assert again.returncode == 0 and "registered 6" in again.stdout, again.stdout + again.stderr


def test_a_receipt_is_of_this_file_and_of_no_other(rig, rows):
    r = send(rig, rows)
    task_id, file, kept = id_in(r), rig.dir / "import.jsonl", rig.dir / "receipt.jws"
    good = run(rig, "tasks", "receipt", task_id, "--verify", file, "--out", kept, "--muni", MUNI)
    assert good.returncode == 0 and "of this file" in good.stdout, good.stdout + good.stderr
    other = rig.dir / "other.jsonl"
    other.write_bytes(file.read_bytes() + b"\n")
    assert run(rig, "tasks", "receipt", task_id, "--verify", other, "--receipt", kept, "--muni", MUNI).returncode == 1
    wrong = run(rig, "tasks", "receipt", task_id, "--verify", other, "--receipt", kept, "--muni", MUNI)
    assert "another content: sha256 does not fit" in wrong.stderr and "results_sha256" not in wrong.stderr, wrong.stderr
    text = kept.read_text().strip()
    head, payload, signature = text.split(".")
    kept.write_text(f"{head}.{payload[:-4]}AAAA.{signature}")
    forged = run(rig, "tasks", "receipt", task_id, "--verify", file, "--receipt", kept, "--muni", MUNI)
    assert forged.returncode == 1 and "not good" in forged.stderr, forged.stderr


def test_a_receipt_is_of_the_results_that_the_gateway_tells(rig, rows):
    assert send(rig, rows).returncode == 0
    rows[0]["basicFiveInfo"] = {**rows[0]["basicFiveInfo"], "name": "別人太郎", "dateOfBirth": "1950-05-05"}
    r = send(rig, rows)
    task_id, file, kept = id_in(r), rig.dir / "import.jsonl", rig.dir / "kept.jws"
    check = ["tasks", "receipt", task_id, "--verify", file, "--muni", MUNI]
    assert run(rig, *check, "--out", kept).returncode == 0
    assert run(rig, "tasks", "discard", task_id, "--all", "--officer", "sato", "--muni", MUNI).returncode == 0
    old = run(rig, *check, "--receipt", kept)
    assert old.returncode == 1 and "results_sha256 does not fit" in old.stderr, old.stdout + old.stderr
    assert run(rig, *check).returncode == 0, "a receipt made now fits"


def test_an_upload_is_given_up(rig):
    made = rig.muni(MUNI, "POST", "/v1/files", {"operation": "postRegistrationTasks", "bytes": 100, "source": "json_lines"}).json()["file_id"]
    gone = run(rig, "tasks", "cancel", made, "--muni", MUNI)
    assert gone.returncode == 0 and "given up" in gone.stdout, gone.stdout + gone.stderr
    assert rig.muni(MUNI, "GET", f"/v1/files/{made}").status == 404
    again = run(rig, "tasks", "cancel", made, "--muni", MUNI)
    assert again.returncode == 2 and "not_found" in again.stderr, again.stderr


def test_an_accepted_file_is_not_given_up(rig, rows):
    late = run(rig, "tasks", "cancel", id_in(send(rig, rows)), "--muni", MUNI)
    assert late.returncode == 2 and "conflict" in late.stderr, late.stderr


def test_held_rows_wait_for_an_officer(rig, rows):
    assert send(rig, rows).returncode == 0
    for row in rows[:2]:
        row["basicFiveInfo"] = {**row["basicFiveInfo"], "name": "別人　太郎", "nameKana": "ベツジン　タロウ", "dateOfBirth": "1990-01-02"}
    r = send(rig, rows)
    assert r.returncode == 1 and "quarantined 2" in r.stdout and "tasks release" in r.stdout, r.stdout + r.stderr
    task_id = id_in(r)
    assert run(rig, "tasks", "release", task_id, "--rows", "1", "--muni", MUNI).returncode == 2  # by whom?
    released = run(rig, "tasks", "release", task_id, "--rows", "1", "--officer", "tanaka", "--muni", MUNI)
    assert released.returncode == 1 and "released 1" in released.stdout and "still held 1" in released.stdout, released.stdout + released.stderr
    dropped = run(rig, "tasks", "discard", task_id, "--all", "--officer", "tanaka", "--muni", MUNI)
    assert dropped.returncode == 0 and "discarded 1" in dropped.stdout, dropped.stdout + dropped.stderr
    nothing = run(rig, "replay", "--all", "--officer", "tanaka", "--muni", MUNI)
    assert nothing.returncode == 0 and "replayed 0" in nothing.stdout, nothing.stdout + nothing.stderr


def start(rig, file, *more):
    words = [BIN / "pmhgw", "import", file, "--muni", MUNI, "--part-bytes", "1024", "--state", rig.state, *more]
    return subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "en_US.UTF-8"})


def large(rig, rows, lines=600):
    """A file of many parts: the rows, and the first of them again and again."""
    file = rig.dir / "large.jsonl"
    with open(file, "w") as f:
        for i in range(lines):
            f.write(json.dumps(rows[i % len(rows)], ensure_ascii=False) + "\n")
    return file


def halfway(rig, process):
    """The id, once a part was taken and others are to come."""
    line = process.stdout.readline()
    task_id = re.search(rf"file id: ({TASK})", line).group(1)
    wait_for("the first parts", 10, lambda: rig.muni(MUNI, "GET", f"/v1/files/{task_id}").json()["received"] > 4000)
    return task_id


def test_an_upload_goes_on_after_the_intake_was_killed(rig, rows):
    process = start(rig, large(rig, rows))
    task_id = halfway(rig, process)
    process.send_signal(signal.SIGSTOP)
    old = rig.kill("pmhgw-intake")
    seen = rig.state / f"spool/{MUNI}-{task_id}"
    assert seen.is_dir()
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    rig.wait_back("pmhgw-intake", old)
    assert process.returncode == 0 and "registered 6" in out, out + err
    assert re.search(r"upload [\d.]+ KiB/[\d.]+ KiB", out) and re.search(r"processing 600/600 rows  (\d+|-) rows/s  left \S+ s  errors 0", out), out
    assert "\r" not in out and "\033" not in out


def test_ctrl_c_says_how_to_resume(rig, rows):
    file = large(rig, rows, 1500)
    process = start(rig, file)
    task_id = halfway(rig, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 2 and f"--resume {task_id}" in out + err, out + err
    kept = rig.muni(MUNI, "GET", f"/v1/files/{task_id}").json()
    assert kept["state"] == "uploading" and 0 < kept["received"] < file.stat().st_size
    other = rig.dir / "small.jsonl"
    other.write_text("{}\n")
    assert run(rig, "import", other, "--muni", MUNI, "--resume", task_id).returncode == 2
    r = run(rig, "import", file, "--muni", MUNI, "--resume", task_id)
    assert r.returncode == 0 and "registered 6" in r.stdout, r.stdout + r.stderr


def test_ctrl_c_while_rows_are_worked_on_leaves_them_to_the_gateway(rig, rows):
    file = large(rig, rows, 6)
    rig.control("PUT", "/faults/pmh", {"delay_ms": 2500})
    try:
        process = start(rig, file)
        task_id = re.search(rf"file id: ({TASK})", process.stdout.readline()).group(1)
        wait_for("the file is accepted", 10, lambda: task(rig, task_id)["state"] not in ("uploading", "accepted"))
        time.sleep(1.2)  # long enough that it listens to events by now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        rig.control("PUT", "/faults/pmh", {})
    assert process.returncode == 2 and "the gateway goes on" in err and f"tasks follow {task_id}" in out, out + err
    followed = run(rig, "tasks", "follow", task_id, "--muni", MUNI)
    assert followed.returncode == 0 and "registered 6" in followed.stdout, followed.stdout + followed.stderr


@pytest.mark.parametrize("argv,said", [
    (["import", "nothing.csv", "--muni", MUNI], "cannot open"),
    (["import", "nothing.txt", "--muni", MUNI], "--source"),
    (["import", "nothing.csv", "--muni", "33100"], "6 digits"),
    (["import", "nothing.csv", "--muni", MUNI, "--layout", "own.yaml"], "--layout"),
    (["import", "nothing.csv", "--muni", MUNI, "--form", "other"], "--form"),
    (["import", "nothing.csv", "--muni", MUNI, "--rows", "5"], "unknown option"),
    (["tasks", "show", "../../x", "--muni", MUNI], "id of a task"),
    (["tasks", "show", "0" * 32, "--muni", MUNI], "not_found"),
    (["tasks", "burn", "0" * 32, "--muni", MUNI], "no such command"),
    (["tasks", "release", "0" * 32, "--rows", "5-1", "--officer", "a", "--muni", MUNI], "--rows"),
    (["replay", "--muni", MUNI, "--officer", "a"], "--all"),
])
def test_what_cannot_be_done_is_said_and_ends_with_2(rig, argv, said):
    r = run(rig, *argv)
    assert r.returncode == 2 and said in r.stderr, r.stdout + r.stderr


def test_status_tells_what_waits(rig):
    r = run(rig, "status")
    assert r.returncode == 0 and all(re.search(rf"{m}: \d+ files under way, ", r.stdout) for m in ("331007", "271403", "222127")), r.stdout
    waits = json.loads(run(rig, "status", "--json").stdout)["backlog"]
    assert [w["municipality"] for w in waits] == ["222127", "271403", "331007"] and all(w["heard"] for w in waits)
    assert run(rig, "doctor").returncode == 0
    (rig.state / "spool").chmod(0o755)
    bad = run(rig, "doctor")
    (rig.state / "spool").chmod(0o700)
    assert bad.returncode == 1 and "spool" in bad.stderr
