"""`pmhgw import` with files of every form and encoding, of resident changes, and rows that PMH really held."""

import csv
import json
import os
import re
import signal
import subprocess

import pytest

from rig import BIN, fresh_number, row_for, wait_for

MUNI = "331007"
TASK = r"[0-9a-f]{32}"


def run(rig, *argv, lang="en_US.UTF-8"):
    env = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES")}
    r = subprocess.run([BIN / "pmhgw", *map(str, argv), "--state", str(rig.state)], capture_output=True, text=True, timeout=40, env={**env, "LANG": lang})
    for n in rig.canaries:
        assert n not in r.stdout + r.stderr
    return r


def send(rig, file, *more, **how):
    return run(rig, "import", file, "--muni", MUNI, *more, **how)


def lines(rig, rows, name="rows.jsonl"):
    file = rig.dir / name
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return file


def id_in(r):
    return re.search(rf"file id: ({TASK})", r.stdout).group(1)


def told(path, rig):
    """The rows of a file of results, which holds no number."""
    text = path.read_text(encoding="utf-8-sig")
    assert not [n for n in rig.canaries if n in text]
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else list(csv.DictReader(text.splitlines()))


def synth(rig, form, *how, count=12):
    """A file of that form; its numbers are canaries."""
    name = f"{MUNI}.json" if form == "subsidy" else f"{MUNI}.{form}.json"
    out = rig.dir / f"forms-{form}"
    base = [BIN / "pmhgw-synth", "--muni", MUNI, "--count", str(count), "--seed", "77", "--form", form, "--distinct", "--no-cards", "--out", out]
    for more in ([], list(how)):
        subprocess.run([*base, *more], check=True, capture_output=True, timeout=60)
    rig.plant(json.loads((out / name).read_text()))
    return out / name.replace("json", "csv" if "--csv" in how else "jsonl" if "--jsonl" in how else "json")


HOW = [("checkup", ["--csv"]), ("vaccination", ["--csv", "--encoding", "cp932"]), ("ticket", ["--jsonl"]), ("history", []), ("subsidy", ["--csv", "--encoding", "cp932"])]


@pytest.mark.parametrize("form,how", HOW, ids=[h[0] for h in HOW])
def test_a_file_of_every_form_tried_applied_repeated_and_taken_back(rig, form, how):
    file, word = synth(rig, form, *how), "subject" if form == "subsidy" else form
    tried = send(rig, file, "--form", word, "--dry-run")
    assert tried.returncode == 0 and "would be new 12" in tried.stdout, tried.stdout + tried.stderr
    out = rig.dir / f"{form}.csv"
    done = send(rig, file, "--form", word, "--results", out)
    assert done.returncode == 0 and "registered 12" in done.stdout, done.stdout + done.stderr
    rows = told(out, rig)
    assert [r["result"] for r in rows] == ["registered"] * 12 and all(r["resident_key"] for r in rows)
    again = send(rig, file, "--form", word)
    assert again.returncode == 0 and "unchanged 12" in again.stdout and "take it back" not in again.stdout, again.stdout
    receipt = run(rig, "tasks", "receipt", id_in(done), "--verify", file, "--muni", MUNI)
    assert receipt.returncode == 0, receipt.stdout + receipt.stderr
    undone = run(rig, "tasks", "undo", id_in(done), "--muni", MUNI)
    assert undone.returncode == 0 and "updated 12" in undone.stdout, undone.stdout + undone.stderr
    twice = run(rig, "tasks", "undo", id_in(done), "--muni", MUNI)
    assert twice.returncode == 2 and "no_undo" in twice.stderr


def test_a_file_of_another_form_is_told_as_such_and_stops_nobody(rig):
    file = synth(rig, "checkup", "--csv")
    wrong = send(rig, file)
    assert wrong.returncode == 2 and "header_unknown" in wrong.stderr and "--form is one of" in wrong.stderr, wrong.stdout + wrong.stderr
    misled = send(rig, file, "--form", "subject", "--layout", "municipal-checkup")
    assert misled.returncode == 2 and re.search(r"layout  code  .", misled.stderr) and "file id" not in misled.stdout, misled.stdout + misled.stderr
    missing = send(rig, file, "--layout", "no-such-layout", lang="ja_JP.UTF-8")
    assert missing.returncode == 2 and "layout  code  決められた値ではありません" in missing.stderr, missing.stderr
    assert send(rig, file, "--form", "checkup", "--dry-run").returncode == 0


def test_what_cannot_be_kept_is_said_before_anything_is_sent(rig):
    file = lines(rig, [row_for(fresh_number())])
    r = send(rig, file, "--results", rig.dir / "no-such-folder/r.csv")
    assert r.returncode == 2 and "cannot be made" in r.stderr and "file id" not in r.stdout
    assert not (rig.dir / "r.csv.part").exists() and send(rig, file, "--only-failed-of", "0" * 32).returncode == 2


def test_refused_rows_tell_whose_they_are_unless_a_number_may_stand_there(rig):
    rows = [row_for(fresh_number(), key=f"jumin-{i}") for i in range(4)]
    rig.plant(rows)
    rows[0]["validFrom"] = "yesterday"
    rows[1]["municipalityIdentityKey"] = rows[1]["myNumber"]
    rows[2]["myNumber"], rows[2]["municipalityIdentityKey"] = "1", rows[2]["myNumber"]  # the columns were mixed up
    rows[3]["myNumber"] = rows[3]["myNumber"][:-1]
    out = rig.dir / "whose.jsonl"
    assert send(rig, lines(rig, rows), "--results", out).returncode == 1
    assert [r.get("resident_key") for r in told(out, rig)] == ["jumin-0", None, None, "jumin-3"]


def test_changes_of_residents_in_a_file(rig):
    rows = [row_for(fresh_number(), key=f"ido-{i}") for i in range(3)]
    rig.plant(rows)
    assert send(rig, lines(rig, rows)).returncode == 0
    number, other = rows[0]["myNumber"], rows[1]["myNumber"]
    head = "異動区分,宛名番号,個人番号,異動日,処理番号\n"
    file = rig.dir / "ido.csv"
    file.write_text(head + f"転出,ido-0,{number},2026-04-01,f-1\n転出,nobody,,2026-04-01,f-2\n転出,{other},,2026-04-01,f-3\n"
                    f"転出,{number},{number},2026-04-01,f-4\n転出,ido-1,{number},2026-04-01,f-5\n引越,ido-2,,2026-04-01,f-6\n", encoding="cp932")
    codes = ["", "unknown_resident", "unknown_resident", "field_invalid", "number_not_of_resident", "field_invalid"]
    for mode in (["--dry-run"], [], ["--dry-run"], []):
        out = rig.dir / f"ido{len(mode)}.csv"
        r = send(rig, file, "--form", "changes", "--results", out, *mode)
        seen = told(out, rig)
        assert r.returncode == 1 and [x["code"] for x in seen] == codes, r.stdout + r.stderr
        assert [x["resident_key"] for x in seen] == ["ido-0", "nobody", "", "", "ido-1", "ido-2"]
        assert "take it back" not in r.stdout
        assert "would change 1" in r.stdout or "updated 1" in r.stdout or "unchanged 1" in r.stdout
    assert seen[0]["result"] == "unchanged"
    undo = run(rig, "tasks", "undo", id_in(r), "--muni", MUNI)
    assert undo.returncode == 2 and "no_undo" in undo.stderr, undo.stdout + undo.stderr


def test_a_dry_run_of_changes_numbers_nobody(rig):
    rows = [row_for(fresh_number(), key=f"neu-{i}") for i in range(2)]
    new = fresh_number()
    rig.plant([*rows, {"myNumber": new}])
    assert send(rig, lines(rig, rows)).returncode == 0
    change = {"changeType": "number_changed", "municipalityIdentityKey": "neu-0", "effectiveDate": "2026-04-01"}
    file = lines(rig, [{**change, "newMyNumber": new, "operationKey": "n-1"}, {**change, "newMyNumber": rows[1]["myNumber"], "operationKey": "n-2"}], "neu.jsonl")
    for _ in range(2):
        r = send(rig, file, "--form", "changes", "--dry-run")
        assert r.returncode == 1 and "would change 1" in r.stdout and "number_of_another_resident" in r.stdout, r.stdout + r.stderr
    assert send(rig, file, "--form", "changes").returncode == 1
    assert "unchanged 1" in send(rig, file, "--form", "changes", "--dry-run").stdout


def test_rows_that_pmh_really_held_are_replayed(rig):
    rows = [row_for(fresh_number(), key=f"held-{i}") for i in range(3)]
    rig.plant(rows)
    rig.control("PUT", "/faults/pmh", {"wrong_number": True})
    try:
        r = send(rig, lines(rig, rows))
    finally:
        rig.control("PUT", "/faults/pmh", {})
    assert r.returncode == 1 and "quarantined 1" in r.stdout and "upstream_answer_refused" in r.stdout and "replay " in r.stdout, r.stdout + r.stderr
    kept = run(rig, "tasks", "release", id_in(r), "--all", "--officer", "tanaka", "--muni", MUNI)
    assert kept.returncode == 1 and "still held 1" in kept.stdout, kept.stdout + kept.stderr  # nothing that an officer could judge
    again = run(rig, "replay", id_in(r), "--officer", "tanaka", "--muni", MUNI)
    assert again.returncode == 0 and "replayed 1" in again.stdout, again.stdout + again.stderr
    followed = run(rig, "tasks", "follow", id_in(r), "--muni", MUNI)
    assert followed.returncode == 0 and "registered 3" in followed.stdout and "quarantined 0" in followed.stdout, followed.stdout + followed.stderr


def test_what_keeps_a_file_up_is_told(rig):
    rows = [row_for(fresh_number(), key=f"up-{i}") for i in range(3)]
    rig.plant(rows)
    data = lines(rig, rows).read_bytes()
    ask = {"operation": "postRegistrationTasks", "bytes": len(data), "source": "json_lines"}
    task = rig.muni(MUNI, "POST", "/v1/files", ask).json()["file_id"]

    def put(first, part):
        head = {"Content-Type": "application/octet-stream", "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}
        return rig.muni(MUNI, "PUT", f"/v1/files/{task}", part, headers=head).status

    assert put(0, data[:100]) == 200
    rig.process.send_signal(signal.SIGSTOP)  # nobody starts it again
    try:
        rig.kill("pmhgw-vault")
        assert put(100, data[100:]) == 202
        waits = wait_for("the file says what it waits for", 15, lambda: rig.muni(MUNI, "GET", f"/v1/tasks/{task}").json().get("waits_for"))
        assert waits["code"] == "vault_unavailable" and waits["who"] == "operator" and waits["message_ja"] and waits["message_en"]
        listed = run(rig, "tasks", "--muni", MUNI)
        assert "! The vault cannot be reached. [vault_unavailable]" in listed.stdout, listed.stdout
        rig.kill("pmhgw-intake")
        away = run(rig, "tasks", "--timeout", "1", "--muni", MUNI)
        assert away.returncode == 2 and "the gateway does not answer" in away.stderr and "pmhgw status" in away.stderr, away.stderr
    finally:
        rig.process.send_signal(signal.SIGCONT)
    followed = run(rig, "tasks", "follow", task, "--muni", MUNI)
    assert followed.returncode == 0 and "registered 3" in followed.stdout, followed.stdout + followed.stderr
    assert "waits_for" not in rig.muni(MUNI, "GET", f"/v1/tasks/{task}").json()
