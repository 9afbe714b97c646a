"""One running system per test file; after its tests everything downstream is searched for the canaries of the file."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import canary  # noqa: E402
from rig import Rig  # noqa: E402


@pytest.fixture(scope="module")
def rig():
    r = Rig()
    try:
        r.start()
        yield r
        assert r.canaries, "no number was registered or planted"
        canary.leaks(r)
    finally:
        r.close()
