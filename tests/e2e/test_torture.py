"""A sample of the fault sweeps (tests/torture): single allocations and system calls of a daemon fail while it works; no promise is broken.

The whole: tests/torture/sweep, ./test nightly."""

import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "torture"))
import acts  # noqa: E402
import torture  # noqa: E402

SECONDS = 2  # for each: a slow machine tries fewer points


@pytest.fixture(scope="module", params=["front", "intake"])
def world(request, tmp_path_factory):
    if not torture.LIBRARY.exists():
        pytest.skip("built with sanitizers: they bring allocations of their own")
    world = acts.WORLDS[request.param][0](tmp_path_factory.mktemp(request.param), request.param)
    try:
        yield world
        world.look_at_all(with_control=False)  # the search looks for a control of its own
    finally:
        world.close()


def main_act(world):
    return (acts.Lookup if isinstance(world, acts.FrontWorld) else acts.Register)(world)


def judge(sweep):
    assert not sweep.broken
    assert sweep.tried > 2 and sweep.hit > 1, "no fault came: is the library preloaded?"


def test_an_allocation_fails(world):
    sweep = torture.Sweep(world, world.daemon, main_act(world))
    assert sweep.allocations(points=40, until=time.monotonic() + SECONDS) > 100
    judge(sweep)


def test_a_system_call_fails(world):
    sweep = torture.Sweep(world, world.daemon, main_act(world))
    assert sweep.system_calls(points=1, until=time.monotonic() + SECONDS) > 10
    judge(sweep)


def test_an_allocation_of_the_start_fails(world):
    sweep = torture.Sweep(world, world.daemon, acts.Start(world))
    assert sweep.allocations(points=6, lasting=False, until=time.monotonic() + SECONDS) > 100
    judge(sweep)


def test_an_audit_log_that_had_no_memory_for_a_connection_is_reached_again(tmp_path):
    """A connection that nobody accepts would keep libuv from listening for good."""
    if not torture.LIBRARY.exists():
        pytest.skip("built with sanitizers")
    world = acts.WORLDS["audit-of-registrations"][0](tmp_path, "audit")
    try:
        sweep, page = torture.Sweep(world, world.daemon, acts.Register(world)), torture.pages
        for first in (5, 5, 7, 9):
            sweep.point(page.ALLOCATIONS, first, page.EVER, 0, f"allocation {first} and all after it")
        assert not sweep.broken and sweep.hit > 1
    finally:
        world.close()
