"""redis-link as three servers with three Sentinels: the master is killed under load, and what was acknowledged is there. The long ones are in tests/redis_ha."""

import time

import pytest
from ha_rig import Load, Rig, wait_for

TOLD = {"store_unavailable", "store_silent", "store_read_only", "store_replicas_missing"}


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path, "sentinel", down_after_ms=1500)
    try:
        yield rig.up()
    finally:
        rig.down()


def test_a_killed_master_takes_nothing_along_that_was_acknowledged(rig):
    load = Load(rig)
    wait_for(lambda: load.acknowledged() > 30, 20, "some are acknowledged")
    rig.end_node(rig.nodes[0])
    gone = time.monotonic()
    wait_for(lambda: load.back(gone), 60, "it goes on at another server")
    load.end()
    assert rig.master() in rig.nodes[1:]
    assert load.lost() == []
    assert load.codes() and {status for status, _ in load.codes()} == {503} and {code for _, code in load.codes()} <= TOLD, load.codes()
    assert load.refusals["front"] < 1.6
