"""Entries past their time go, and with them nothing else: the rest is found and provable, what was signed before holds, and a kill in between harms nothing."""

import os
import signal
import subprocess
import time

import pytest

from intake_rig import BIN, Rig, wait_for
from test_oplog import A, all_entries, entries, open_note

SEGMENT, ENTRIES, PRUNED = 16384, 3 * 16384 + 900, 82
YEARS = 4 * 365 * 86400 * 1000


@pytest.fixture
def rig(tmp_path):
    r = Rig(tmp_path)
    try:
        yield r
    finally:
        r.down()


def make(rig, first_ms):
    subprocess.run([BIN / "pmhgw-audit-make", rig.dir, str(ENTRIES), str(first_ms)], check=True, timeout=60)


def audit(rig, *argv):
    return subprocess.run([BIN / "pmhgw", "audit", *argv, "--state", rig.dir], capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})


def segments(rig):
    return [int(p.name[6:22], 16) for p in sorted((rig.dir / "audit").glob("audit-*.log"))]


def test_what_is_past_its_time_goes_and_the_rest_holds(rig):
    make(rig, int(time.time() * 1000) - YEARS)
    kept = rig.dir / "kept"
    kept.write_text(audit(rig, "checkpoint").stdout)
    assert segments(rig) == [1, SEGMENT + 1, 2 * SEGMENT + 1, 3 * SEGMENT + 1]
    rig.up()
    wait_for(lambda: segments(rig) == [3 * SEGMENT + 1], 15, "old segments are gone")
    assert (PRUNED, 3) in [(r[0], r[4]) for r in rig.audit()]
    verified = audit(rig, "verify", "--since", kept)
    assert verified.returncode == 0, verified.stderr
    assert all((rig.dir / "audit" / "tiles" / "0" / f"{n:03d}").exists() for n in range(3 * SEGMENT // 256))
    got = all_entries(rig, A, 64)  # each proof is checked
    assert got[-1]["seq"] == 3 * SEGMENT + 1 and len(got) >= 900
    assert entries(rig, A, f"?cursor={SEGMENT}")[1]["entries"] == []
    assert "next" not in entries(rig, A, f"?cursor={3 * SEGMENT + 2}")[1]
    assert audit(rig, "prove", "5").returncode == 2
    rig.kill("audit", signal.SIGKILL)
    rig.start("audit")
    rig.wait_healthy()
    assert [e["seq"] for e in all_entries(rig, A, 64)][-len(got):] == [e["seq"] for e in got]
    assert audit(rig, "verify", "--since", kept).returncode == 0


def test_what_is_within_its_time_stays(rig):
    make(rig, int(time.time() * 1000) - 1000 * 86400 * 1000)
    rig.up()
    time.sleep(3)
    assert len(segments(rig)) == 4
    assert not any(r[0] == PRUNED for r in rig.audit())
    status, doc = entries(rig, A, "?cursor=6")
    assert status == 200 and [e["seq"] for e in doc["entries"]] == [5, 4, 3, 2, 1] and open_note(rig, doc["checkpoint"])[0] >= ENTRIES


@pytest.mark.parametrize("days, good", [(0, True), (1, False), (2, False), (3, True)])
def test_a_log_that_would_forget_used_link_keys_is_refused(rig, days, good):
    conf = rig.dir / "conf" / "audit.yaml"
    kept = [line for line in conf.read_text().splitlines() if not line.startswith("audit_keep_days")]
    conf.write_text("\n".join([*kept, f"audit_keep_days: {days}", ""]))
    checked = subprocess.run([BIN / "pmhgw-audit", "--config", conf, "--check"], capture_output=True, text=True, timeout=20)
    assert (checked.returncode == 0) == good, checked.stderr
    assert ("audit_keep_days_too_few" in checked.stderr) != good
