"""./demo as somebody runs it who has just cloned: it ends well, twice, and what it says was looked for was found where it should be."""

import os
import re
import subprocess

import pytest
from rig import BIN, ROOT, free_base

pytestmark = pytest.mark.skipif(BIN.resolve() != (ROOT / "build/release/bin").resolve(), reason="./demo runs what ./test has built")


def test_the_story_ends_well_and_again(tmp_path):
    env = {**os.environ, "PMHGW_STATE": str(tmp_path / "state"), "PMHGW_PORT": str(free_base()), "PMHGW_RESIDENTS": "60", "LC_ALL": "C.UTF-8"}
    for _ in range(2):
        done = subprocess.run([ROOT / "demo"], env=env, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        assert re.search(r"found: 0 \(control: file (\d+) of \1\b", done.stdout)
        assert "✗" not in done.stdout + done.stderr
        assert '"event"' not in done.stdout + done.stderr, "lines of a log among what people read"
