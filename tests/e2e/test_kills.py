"""kill -9 of every process in the middle of an import: the import ends by itself, and every acknowledged row is there, once.

PMHGW_KILLS    kills per process (1)
PMHGW_ROWS     residents of each import (1500)"""

import json
import os
import random
import subprocess
import threading
import time

import pytest
from rig import BIN, CLINIC_A, DAEMONS, fresh_number, numbers_of, row_for, wait_for

KILLS = int(os.environ.get("PMHGW_KILLS", "1"))
AN_IMPORT = 3  # meets so many; for more there is another import
RESIDENTS = int(os.environ.get("PMHGW_ROWS", "1500"))
# Slow enough that an import of this size is still running when the kills come.
PACE = {"delay_ms": 4000}


class Import(threading.Thread):
    """pmhgw import in the background."""

    def __init__(self, rig, muni, file):
        super().__init__()
        self.argv = [BIN / "pmhgw", "import", file, "--muni", muni, "--state", str(rig.state), "--timeout", "120"]
        self.result = None
        self.start()

    def run(self):
        self.result = subprocess.run(self.argv, capture_output=True, text=True, timeout=400)


def tasks_of(rig, muni):
    listed = rig.muni(muni, "GET", "/v1/tasks").json()
    return listed["tasks"] if isinstance(listed, dict) else listed


def check_all_there(rig, muni, rows):
    """Every row once: sending all again finds each unchanged; the nation made one key a person; every person can be asked about."""
    people = numbers_of(rows)
    again = rig.register(muni, rows, seconds=120)
    assert again["counts"]["unchanged"] == len(rows), again["counts"]
    hidden = {r["myNumber"] for r in rows if r["isNotDisclosed"]}
    seen = 0
    for number in random.sample(people, 40):
        serial = rig.card_of(number)
        a = rig.citizen(serial)
        if a.status not in (200, 404):
            print(a.status, a.body.decode(), *rig.log_tail("pmhgw-mocks"), *rig.log_tail("pmhgw-front"), sep="\n")
        assert a.status in (200, 404), a
        mine = [r for r in rows if r["myNumber"] == number]
        if a.status == 200:
            got = [e["medicalSubsidyRecipientNumber"] for e in a.json()["eligibility"]]
            assert len(got) == len(set(got)) and set(got) <= {r["medicalSubsidyRecipientNumber"] for r in mine}
            assert number not in hidden
            seen += 1
    assert seen > 10


def kill_during_import(rig, muni, names):
    """One import while each of the processes is killed; returns the rows."""
    rows = rig.synth(muni, RESIDENTS)
    for row in rows:  # residents of their own: the generator counts its keys from the same start every time
        row["municipalityIdentityKey"] = f"{row['municipalityIdentityKey']}-{rig.seeds[-1]}"
    file = rig.dir / f"{muni}-import.json"
    file.write_text(json.dumps(rows, ensure_ascii=False))
    keys = rig.nation()["systems"]["intermediary"]["keys_new"]
    linked = rig.nation()["systems"]["portal"]["linked"]
    rig.control("PUT", "/faults/pmh", PACE)
    running = Import(rig, muni, file)
    killed = 0
    for name in names:
        time.sleep(random.uniform(0.1, 0.4))
        assert running.is_alive(), f"the import was over before {name} was killed: {running.result}"
        old = rig.kill(name)
        killed += 1
        wait_for(f"{name} is back", 30, lambda: rig.pid(name) not in (0, old))
        if name == "pmhgw-mocks":  # it forgets its faults
            wait_for("the nation is back", 30, lambda: rig.command("status").returncode == 0)
            rig.control("PUT", "/faults/pmh", PACE)
    rig.wait_healthy(60)
    rig.control("PUT", "/faults/pmh", {})
    running.join(300)
    r = running.result
    assert r and r.returncode == 0, r and (r.stdout[-2000:] + r.stderr[-2000:])
    people = numbers_of(rows)
    assert rig.nation()["systems"]["intermediary"]["pmh_keys_held"] >= len(people)
    rig.linked(linked + len(people), 60)
    # The nation's counters restart with it; what it holds does not: one key a person, never two.
    assert rig.nation()["systems"]["intermediary"]["keys_new"] <= keys + len(people)
    return rows, killed


@pytest.mark.parametrize("name", DAEMONS)
def test_one_is_killed(rig, name):
    for left in range(KILLS, 0, -AN_IMPORT):
        muni = random.choice(["331007", "271403", "222127"])
        rows, _ = kill_during_import(rig, muni, [name] * min(left, AN_IMPORT))
        check_all_there(rig, muni, rows)


def test_all_are_killed_in_one_import(rig):
    # The nation last: it comes back without its pace, and what is then imported before it is slowed again leaves no time for others.
    order = sorted(random.sample(DAEMONS, len(DAEMONS)), key=lambda name: name == "pmhgw-mocks")
    rows, killed = kill_during_import(rig, "271403", order)
    assert killed == len(DAEMONS)
    check_all_there(rig, "271403", rows)


def test_a_used_link_key_stays_used(rig):
    """Over the death of the front, of redis-link, and of everything."""
    number = fresh_number()
    rig.register("331007", [row_for(number)])
    serial = rig.card_of(number)
    wait_for("the pseudonym is linked", 20, lambda: rig.citizen(serial).status == 200)
    key = rig.consent(serial)
    assert rig.clinic(key).status == 200
    for names in (["pmhgw-front"], ["redis-link"], DAEMONS):
        old = {name: rig.kill(name) for name in names}
        for name in names:
            rig.wait_back(name, old[name])
        a = rig.clinic(key, CLINIC_A)
        assert a.status == 409 and a.json()["code"] == "used", a.body


def test_up_itself_is_killed(rig):
    """Its children go with it, and the next `up` waits for them; nothing is lost."""
    number = fresh_number()
    rig.register("331007", [row_for(number)])
    serial = rig.card_of(number)
    wait_for("the pseudonym is linked", 20, lambda: rig.citizen(serial).status == 200)
    pids = [rig.pid(name) for name in DAEMONS]
    rig.process.kill()
    rig.process.wait(5)
    (rig.state / "run/ready").unlink(missing_ok=True)
    rig.process = None
    rig.start()
    wait_for("the old processes are gone", 20, lambda: not any(os.path.exists(f"/proc/{p}") and "pmhgw" in open(f"/proc/{p}/cmdline").read()
                                                               for p in pids if p and p not in [rig.pid(n) for n in DAEMONS]))
    assert rig.citizen(serial).status == 200
    assert rig.register("331007", [row_for(number)])["counts"]["unchanged"] == 1


def test_stop_and_start_again(rig):
    number = fresh_number()
    rig.register("331007", [row_for(number)])
    serial = rig.card_of(number)
    began = time.monotonic()
    rig.stop()
    assert time.monotonic() - began < 10
    rig.start()
    assert rig.register("331007", [row_for(number)])["counts"]["unchanged"] == 1
    assert wait_for("the citizen is known", 20, lambda: rig.citizen(serial).status == 200)


def test_redis_away_is_a_clear_503(rig):
    """Stopped, not killed: requests get an answer within their deadline, none hangs, and it comes back by itself."""
    import signal
    number = fresh_number()
    rig.register("331007", [row_for(number)])
    serial = rig.card_of(number)
    wait_for("the pseudonym is linked", 20, lambda: rig.citizen(serial).status == 200)
    key = rig.consent(serial)
    pid = rig.kill("redis-link", signal.SIGSTOP)
    try:
        began = time.monotonic()
        a = rig.clinic(key)
        assert time.monotonic() - began < 8
        assert a.status == 503 and a.json()["code"] in ("store_unavailable", "store_silent", "deadline_exceeded") and int(a.headers["retry-after"]) >= 1
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("the clinic door answers", 20, lambda: rig.clinic(rig.consent(serial)).status == 200)


def test_audit_holds_after_all_of_it(rig):
    r = rig.command("audit", "verify")
    assert r.returncode == 0, r.stdout + r.stderr
