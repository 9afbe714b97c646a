"""One running system per test file; after its tests everything downstream is searched for the canaries of the file."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import canary  # noqa: E402
from rig import Rig  # noqa: E402


BROKEN = re.compile(rb"Sanitizer|runtime error:|assertion_failed|BUG REPORT")


@pytest.fixture(scope="module")
def rig():
    r = Rig()
    try:
        r.start()
        yield r
        assert r.canaries, "no number was registered or planted"
        canary.leaks(r)
        broken = [f.name for f in r.state.glob("log/*.log") if BROKEN.search(f.read_bytes())]
        assert not broken, f"a daemon tripped over itself: {broken}"
    finally:
        r.close()
