"""The drill: work, a sealed backup while it goes on, more work, everything destroyed but the audit log; put back, reconciled, and then what must be there is
there, what must not be forgotten is not, and what is lost is named."""

import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

import canary
from rig import BIN, ROOT, Rig, fresh_number, numbers_of, row_for, wait_for

MUNI = "331007"


def pmhgw(*argv, lang="en_US.UTF-8", timeout=60):
    return subprocess.run([BIN / "pmhgw", *map(str, argv)], capture_output=True, text=True, timeout=timeout, env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LC_ALL": lang})


@pytest.fixture(scope="module")
def rig():
    rig = Rig()
    try:
        yield rig.start()
    finally:
        rig.close()


def damaged(path, to, at=None, cut=None):
    raw = bytearray(path.read_bytes())
    if at is not None:
        raw[at] ^= 1
    to.write_bytes(raw[:cut] if cut else raw)
    return to


def test_drill(rig, tmp_path):
    numbers = [fresh_number() for _ in range(4)]
    rig.register(MUNI, [row_for(n, f"key-{i}") for i, n in enumerate(numbers)])
    cards = [rig.card_of(n) for n in numbers]
    rig.linked(4)
    for card in cards:
        assert rig.citizen(card).status == 200
    session = rig.clinic(rig.consent(cards[0])).json()["session"]
    waiting_key = rig.consent(cards[1])

    # -- the backup, while rows are registered
    assert pmhgw("backup-key", tmp_path / "box").returncode == 0
    assert (tmp_path / "box.key").stat().st_mode & 0o777 == 0o600
    busy = threading.Thread(target=rig.register, args=(MUNI, [row_for(fresh_number()) for _ in range(30)]))
    busy.start()
    data, keys = tmp_path / "data.age", tmp_path / "keys.age"
    done = rig.command("backup", str(data), "--to", str(tmp_path / "box.pub"), "--with-keys", str(keys), "--json")
    busy.join(60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [f["kind"] for f in told["files"]] == ["data", "keys"] and told["exit"] == 0
    assert rig.command("backup", str(data), "--to", str(tmp_path / "box.pub")).returncode == 2, "a backup is not written over"

    # -- it is sealed
    (tmp_path / "numbers").write_text("\n".join(rig.canaries))
    found = canary.search(tmp_path / "numbers", [data, keys])
    assert found["hits"] == 0 and found["control_in_file"] == found["kinds"] and found["complete"], found
    for word in (b"appendonly", b"redis-link", b"BEGIN PRIVATE KEY", (rig.state / "keys/link.master").read_bytes()[:16]):
        assert word not in data.read_bytes() and word not in keys.read_bytes(), word

    # -- more work, which only the audit log will have
    assert rig.clinic(waiting_key).status == 200
    withdrawn = rig.command("citizen", "withdraw", "--card", cards[0])
    assert withdrawn.returncode == 0, withdrawn.stderr
    refused = rig.session(session)
    assert refused.status != 200
    late = fresh_number()
    lost = rig.register(MUNI, [row_for(late, "key-late")])

    # -- the machine burns; the disk with the audit log does not, nor does the rest of the nation
    rig.stop()
    shutil.move(rig.state / "audit", tmp_path / "audit")
    shutil.move(rig.state / "mocks", tmp_path / "mocks")
    shutil.rmtree(rig.state)

    # -- what was touched, cut or is for somebody else is refused before anything is written
    assert pmhgw("backup-key", tmp_path / "other").returncode == 0
    size = data.stat().st_size
    for bad, key in ((damaged(data, tmp_path / "bad1", at=size // 2), "box"), (damaged(data, tmp_path / "bad2", cut=size - 1), "box"), (damaged(data, tmp_path / "bad3", cut=size // 3), "box"),
                     (damaged(data, tmp_path / "bad4", at=70), "box"), (data, "other"), (keys, "box")):
        r = pmhgw("restore", bad, "--key", tmp_path / f"{key}.key", "--state", rig.state)
        assert r.returncode == 2 and not rig.state.exists(), (bad, r.stderr)
    r = pmhgw("restore", data, "--key", tmp_path / "box.key", "--keys", damaged(keys, tmp_path / "bad5", at=2000), "--state", rig.state)
    assert r.returncode == 2 and not rig.state.exists(), "the keys are looked at before the data are written"

    # -- put back
    done = pmhgw("restore", data, "--key", tmp_path / "box.key", "--keys", keys, "--audit", tmp_path / "audit", "--state", rig.state)
    assert done.returncode == 0 and "reconcile" in done.stdout, done.stderr
    assert {p.stat().st_mode & 0o077 for p in rig.state.rglob("*")} == {0}
    assert pmhgw("restore", data, "--key", tmp_path / "box.key", "--state", rig.state).returncode == 2, "only into an empty state"

    shutil.copytree(tmp_path / "mocks", rig.state / "mocks", dirs_exist_ok=True)

    # -- nobody is served until what the log knows is replayed
    rig.start(wait=False)
    wait_for("the store is known to be older", 40, lambda: rig.command("reconcile", "--dry-run").returncode == 1)
    assert not (rig.state / "run/ready").exists()
    done = rig.command("reconcile", "--all", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["tasks_lost"] >= 1 and told["withdrawals"] >= 1 and told["pseudonyms_lost"] >= 1, done.stdout
    assert any(lost["task_id"] in m["en"] for m in told["messages"]), "the lost task is named"
    rig.wait_ready()

    # -- what must be there, what must not be forgotten, what is lost
    assert all(rig.citizen(card).status == 200 for card in cards[1:])
    assert rig.clinic(waiting_key).status == 409, "used after the backup, and used it stays"
    assert rig.session(session).status != 200
    assert rig.clinic(rig.consent(rig.card_of(late))).status == 404
    rig.register(MUNI, [row_for(late, "key-late")])
    assert rig.clinic(rig.consent(rig.card_of(late))).status == 200, "what was sent again is there"
    assert rig.command("audit", "verify").returncode == 0
    assert rig.command("doctor").returncode == 0, rig.command("doctor").stderr


def test_bench(rig):
    rows = rig.synth(MUNI, count=12, seed=4711)
    rig.register(MUNI, rows)
    cards = [rig.card_of(n) for n in numbers_of(rows)]
    (rig.state / f"data/{MUNI}.cards.jsonl").write_text("".join(json.dumps({"card_serial": c}) + "\n" for c in cards))
    done = rig.command("bench", "--seconds", "1", "--callers", "2", "--rows", "60", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = {p["part"]: p for p in told["parts"]}
    assert done.returncode == 0 and set(parts) == {"lookups", "session_reads", "registration_rows"}, done.stdout + done.stderr
    assert parts["lookups"]["done"] > 5 and parts["lookups"]["p50_ms"] <= parts["lookups"]["p99_ms"] <= parts["lookups"]["max_ms"] and told["cpus"] > 0
    assert parts["registration_rows"]["done"] >= 60 and not list((rig.state / "run").glob("bench-*")), "its rows are not left behind"
    entries = json.loads(rig.command("audit", "list", "--last", "10000", "--json").stdout)["entries"]
    assert any(e["event"] == "clinic_lookup" for e in entries), "it is the real gateway that was asked"


def test_doctor_tells_a_redis_that_says_nothing(rig):
    pid = rig.pid("redis-link")
    os.kill(pid, signal.SIGSTOP)
    try:
        done = rig.command("doctor", "--json")
    finally:
        os.kill(pid, signal.SIGCONT)
    found = {f["code"]: f for f in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1 and "redis-link" in found["redis_away"]["cause_en"] and f"-p {pid}" in found["redis_away"]["next_ja"], found
    rig.wait_healthy()
    assert rig.command("doctor").returncode == 0


def test_with_a_passphrase_and_the_audit_log_of_that_moment(rig, tmp_path):
    (tmp_path / "pass").write_text("correct horse battery staple\n")
    (tmp_path / "short").write_text("short\n")
    data = tmp_path / "data.age"
    assert rig.command("backup", str(data), "--passphrase-file", str(tmp_path / "short")).returncode == 2
    assert rig.command("backup", str(data)).returncode == 2, "nobody could open it"
    assert rig.command("backup", str(data), "--passphrase-file", str(tmp_path / "pass")).returncode == 0
    (tmp_path / "wrong").write_text("another horse battery staple\n")
    assert pmhgw("restore", data, "--passphrase-file", tmp_path / "wrong", "--check").returncode == 1
    done = pmhgw("restore", data, "--passphrase-file", tmp_path / "pass", "--state", tmp_path / "s")
    assert done.returncode == 0 and "25 hours" in done.stderr, done.stderr
    verified = pmhgw("audit", "verify", "--state", tmp_path / "s", "--key", rig.state / "keys/audit.pub")
    assert verified.returncode == 0, verified.stderr
    assert not list((tmp_path / "s").rglob("*.key")) and not list((tmp_path / "s/keys").iterdir()), "no key unless asked for"


@pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")
def test_another_program_opens_it(rig, tmp_path):
    subprocess.run(["age-keygen", "-o", tmp_path / "id"], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", tmp_path / "id"], check=True, capture_output=True, text=True).stdout
    (tmp_path / "pub").write_text(public)
    assert rig.command("backup", str(tmp_path / "data.age"), "--to", str(tmp_path / "pub")).returncode == 0
    plain = subprocess.run(["age", "-d", "-i", tmp_path / "id", tmp_path / "data.age"], check=True, capture_output=True).stdout
    (tmp_path / "t").mkdir()
    subprocess.run(["tar", "xf", "-", "-C", tmp_path / "t"], input=plain, check=True)
    subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST"], cwd=tmp_path / "t", check=True)
    assert (tmp_path / "t/PMHGW").read_text().startswith("pmhgw-backup 1\nkind data\n")
    # and what it seals, we open
    sealed = subprocess.run(["age", "-r", public.strip()], input=plain, check=True, capture_output=True).stdout
    (tmp_path / "theirs.age").write_bytes(sealed)
    assert pmhgw("restore", tmp_path / "theirs.age", "--key", tmp_path / "id", "--check").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("systemd-tmpfiles"), reason="needs root, and what makes the folders")
def test_what_is_put_back_where_the_packages_have_it_is_found_by_the_commands():
    done = subprocess.run([ROOT / "tests/e2e/as_installed.sh", ROOT, BIN], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["/run/pmhgw", "kept 1"], done.stdout + done.stderr
