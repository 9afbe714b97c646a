"""What the municipal door leaves in the audit log besides what was done (intake_rig.py)."""

import pytest

from intake_rig import Rig, wait_for


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("a"))
    try:
        yield r.up()
    finally:
        r.down()


REFUSED, PROCESS_START, KEYS_CHANGED = 50, 61, 83
REFUSALS = {
    "no token": lambda r, t: r.call("GET", "/v1/tasks"),
    "bad token": lambda r, t: r.call("GET", "/v1/tasks", None, token=t[:-4] + "AAAA"),
    "unknown task": lambda r, t: r.task("0" * 32, token=t),
    "bad grant": lambda r, t: r.call("POST", "/oauth2/token", b"grant_type=x", media="application/x-www-form-urlencoded"),
    "not json": lambda r, t: r.register(b"[", token=t),
    "an object": lambda r, t: r.register(b"{}", token=t),
    "no such route": lambda r, t: r.call("GET", "/v1/nowhere", None, token=t),
    "wrong media": lambda r, t: r.call("POST", "/v1/medical-subsidy/registration-tasks", b"[]", token=t, media="text/plain"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_audited(rig, name):
    token = rig.token()
    seen = len(rig.audit())
    status, doc = REFUSALS[name](rig, token)
    assert 400 <= status < 500, doc
    records = [(event, muni, count, actor) for event, _, reason, muni, count, actor in rig.audit()[seen:] if reason]
    assert records == [(REFUSED, "331007", 1, "municipality/331007/kodomo")]


def test_start_is_audited(rig):
    assert (PROCESS_START, "intake") in [(event, actor) for event, _, _, _, _, actor in rig.audit()]


def replace(path, data):
    fresh = path.with_suffix(".fresh")
    fresh.touch(mode=0o600)
    fresh.write_bytes(data)
    fresh.rename(path)


def changes(rig):
    return [actor for event, _, _, _, _, actor in rig.audit() if event == KEYS_CHANGED]


def test_a_changed_ring_is_taken_up_and_a_broken_one_changes_nothing(rig):
    ring = rig.dir / "keys" / "link.ring"
    good, token = ring.read_bytes(), rig.token()
    replace(ring, good)
    wait_for(lambda: changes(rig) == ["intake"], 20, "the ring is taken up")
    assert rig.call("GET", "/v1/tasks", None, token=token)[0] == 200
    replace(ring, good[:-5])
    try:
        wait_for(lambda: "keys_refused" in (rig.dir / "log" / "intake.log").read_text(), 20, "the broken ring is told")
        assert rig.call("GET", "/v1/tasks", None, token=rig.token())[0] == 200
        assert changes(rig) == ["intake"]
    finally:
        replace(ring, good)
