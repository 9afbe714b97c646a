"""redis-link as a set of real servers, under load: what was acknowledged is there, or the store is said to be older and `pmhgw reconcile` mends what can be mended.
Each with Sentinels and with a Cluster, in plain text and with TLS.   ./test redis-ha"""

import json
import os
import signal
import subprocess
import time

import pytest
from ha_rig import BIN, Load, Rig, wait_for

TOLD = {"store_unavailable", "store_silent", "store_read_only", "store_replicas_missing", "store_loading", "store_refused"}
SETS = [("sentinel", False), ("sentinel", True), ("cluster", False), ("cluster", True)]
TOLD_S = 1.6  # for clinics and citizens: a second, and what a loaded machine adds


@pytest.fixture
def new(tmp_path):
    made = []

    def make(kind, tls=False, **more):
        made.append(Rig(tmp_path / str(len(made)), kind, tls, **more))
        return made[-1].up()

    try:
        yield make
    finally:
        for rig in made:
            rig.down()


def under_load(rig):
    load = Load(rig, people=1500)
    wait_for(lambda: load.acknowledged() > 60, 30, "some are acknowledged")
    return load


def back_again(load, gone, what):
    wait_for(lambda: load.back(gone), 90, "it goes on")
    print(f"{what}: back after {load.back(gone):.1f} s, longest refusal {load.refusals}, {sorted(map(str, load.codes()))}")


def nothing_is_lost(load):
    load.end()
    assert load.lost() == []
    assert {status for status, _ in load.codes()} <= {503} and {code for _, code in load.codes()} <= TOLD, load.codes()
    assert load.refusals["front"] < TOLD_S


@pytest.mark.parametrize("kind,tls", SETS)
def test_a_master_is_killed_and_comes_back_as_a_replica_and_the_next_one_is_killed(new, kind, tls):
    rig = new(kind, tls)
    load = under_load(rig)
    first = rig.master()
    rig.end_node(first)
    back_again(load, time.monotonic(), f"{kind} killed")
    second = rig.master()
    assert second != first
    rig.start_node(first)
    wait_for(lambda: rig.role(first) == "slave" and rig.replicated(second), 60, "it is a replica now")
    time.sleep(1)
    rig.end_node(second)
    back_again(load, time.monotonic(), f"{kind} killed again")
    assert rig.master() not in (None, second)
    nothing_is_lost(load)


@pytest.mark.parametrize("kind,tls", SETS[::2])
def test_a_master_that_stops_and_goes_on_later_is_not_believed_any_more(new, kind, tls):
    rig = new(kind, tls)
    load = under_load(rig)
    first, stopped = rig.master(), time.monotonic()
    rig.signal_node(first, signal.SIGSTOP)
    back_again(load, stopped, f"{kind} stopped")
    rig.signal_node(first, signal.SIGCONT)
    wait_for(lambda: rig.role(first) == "slave", 60, "it is a replica now")
    for _ in range(20):
        assert rig.ask(load.linked[-1]).status == 200
    nothing_is_lost(load)


def test_a_master_that_only_the_relay_still_reaches_acknowledges_nothing(new):
    """The partition that loses writes: its Sentinels and replicas are on the other side."""
    rig = new("sentinel", cuts=True)
    load = under_load(rig)
    first, cut = rig.master(), time.monotonic()
    rig.cuts[first].only = b"relay"
    back_again(load, cut, "sentinel cut off")
    assert rig.master() != first
    rig.cuts[first].only = None
    wait_for(lambda: rig.role(first) == "slave", 60, "it is a replica now")
    nothing_is_lost(load)


def of_relay(rig):
    """What `pmhgw doctor` finds of the relay."""
    done = subprocess.run([BIN / "pmhgw", "doctor", "--state", rig.dir, "--json"], capture_output=True, text=True, timeout=60)
    return {f["code"]: f["cause_en"] for f in json.loads(done.stdout)["findings"] if f["code"].startswith("relay_")}


def test_without_sentinels_nobody_is_served_and_with_them_everybody(new):
    rig = new("sentinel")
    load = under_load(rig)
    assert of_relay(rig) == {}
    for port in rig.sentinels[:2]:
        rig.procs[f"sentinel-{port}"].send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    wait_for(lambda: any(begun > stopped and status == 503 for begun, _, status, _ in list(load.answers)), 10, "nobody knows the master")
    assert time.monotonic() - stopped > 2, "an answer counts for a while"
    assert "not more than half of the Sentinels" in of_relay(rig)["relay_no_master"]
    for port in rig.sentinels[:2]:
        rig.procs[f"sentinel-{port}"].send_signal(signal.SIGCONT)
    back_again(load, stopped, "sentinels away")
    nothing_is_lost(load)


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_writes_wait_for_replicas_and_reads_do_not(new, kind):
    rig = new(kind)
    load = Load(rig, people=20)
    wait_for(lambda: len(load.linked) == 20, 30, "all are linked")
    load.end()
    master = rig.master()
    followers = rig.followers(master)
    for port in followers:
        rig.end_node(port)
    answer = rig.look_up(rig.pmh.key_of(load.tasks[0][1]))
    assert (answer.status, answer.code) == (503, "store_replicas_missing")
    assert rig.redis("redis-link", "GET", "ep") != [""]
    wait_for(lambda: rig.look_up(rig.pmh.key_of(load.tasks[0][1])).status == 503 and rig.front("GET", "/health", door="clinic") == 503, 10, "health says so too")
    for port in followers:
        rig.start_node(port)
    wait_for(lambda: rig.replicated(master), 60, "they are back")
    wait_for(lambda: rig.look_up(rig.pmh.key_of(load.tasks[0][1])).status == 200, 20, "and it works")
    assert load.lost() == []


def reconcile(rig, *more):
    done = subprocess.run([BIN / "pmhgw", "reconcile", "--state", rig.dir, *more], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "en_US.UTF-8", "LANG": "en_US.UTF-8"})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_a_failover_that_lost_what_was_acknowledged_is_told_and_reconciled(new, kind):
    """redis_wait_replicas: 0 promises nothing of failovers; then the epoch does what it does for a backup."""
    rig = new(kind, replicas=0, down_after_ms=4000)
    load = Load(rig, people=50)
    wait_for(lambda: load.acknowledged() > 20, 30, "some are acknowledged")
    load.end()
    key, num, pmh_key = rig.resident()
    assert rig.look_up(pmh_key).status == 200
    master = rig.master()
    followers = rig.followers(master)
    if kind == "sentinel":
        rig.ask_node(master, "CONFIG", "SET", "min-replicas-to-write", "0")
    for port in followers:
        rig.end_node(port)
    used = [rig.mint(pmh_key) for _ in range(3)]
    for link_key in used:
        assert rig.ask_front("clinic", "/v1/clinic/eligibility", {"link_key": link_key}, "clinic-3319900019").status == 200
    assert rig.flags(key, hidden=True)[0] == 200
    rig.end_node(master)
    for port in followers:
        rig.start_node(port)
    if kind == "cluster":  # they know that they have too little, and ask for no vote by themselves
        wait_for(lambda: rig.ask_node(followers[0], "CLUSTER", "FAILOVER", "TAKEOVER") == ["OK"], 20, "an operator decides")
    wait_for(lambda: rig.look_up(pmh_key).code == "store_older_than_log", 60, "the new master is older than the log")
    wait_for(lambda: rig.call("GET", "/health", cert=None)[1]["code"] == "store_older_than_log", 10, "the intake says so too")
    status, said = reconcile(rig)
    assert status in (0, 1), said
    wait_for(lambda: rig.look_up(pmh_key).status == 404, 20, "the flag is set again: nothing is told of the resident")
    for link_key in used:
        again = load.heard(lambda: rig.ask_front("clinic", "/v1/clinic/eligibility", {"link_key": link_key}, "clinic-3319900019"))  # each worker looks by itself
        assert again.status in (404, 409)
    assert load.lost() == []
