"""The conformance kit (mocks/conformance/): a right client passes every case of it, a wrong one fails those that it should, and the report says why."""

import json
import subprocess

import pytest

from rig import ROOT

CLIENTS = ROOT / "tests/e2e/conformance"
HARMLESS = {"tls", "unknown-members", "long", "characters", "slow"}  # what the wrong client gets right, or cannot get wrong


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{(who, client): (exit status, what was printed, report, folder)}: all at once, since they wait most of the time."""
    started = {}
    for who in ("clinic", "municipal"):
        for client in ("right", "wrong"):
            where = tmp_path_factory.mktemp(f"{who}-{client}")
            command = ["/usr/bin/python3", ROOT / "mocks/conformance", who, "--dir", where, "--adapter", f"/usr/bin/python3 {CLIENTS}/{client}_client.py {{url}} {{ca}} {{cert}} {{key}}"]
            started[who, client] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), where
    ended = {}
    for key, (process, where) in started.items():
        printed = process.communicate(timeout=300)[0]
        ended[key] = process.returncode, printed, json.loads((where / "report.json").read_text()), where
    return ended


@pytest.mark.parametrize("who", ("clinic", "municipal"))
def test_a_right_client_passes_every_case(runs, who):
    status, printed, report, where = runs[who, "right"]
    assert status == 0 and report["summary"]["fail"] == 0, printed
    assert sum(report["summary"].values()) >= 16 and all(c["checks"] for c in report["cases"])
    page = (where / "report.html").read_text()
    assert "適合" in page and "<script" not in page and all(c["case"] in page for c in report["cases"])


@pytest.mark.parametrize("who", ("clinic", "municipal"))
def test_a_wrong_client_fails_where_it_is_wrong(runs, who):
    status, printed, report, _ = runs[who, "wrong"]
    passed = {c["case"] for c in report["cases"] if c["verdict"] == "pass"}
    assert status == 1 and not passed - HARMLESS, printed
    assert "TLSv1.2" in json.dumps(report, ensure_ascii=False)


def test_the_cases_are_those_of_the_page():
    listed = subprocess.run(["/usr/bin/python3", ROOT / "mocks/conformance", "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
    page = (ROOT / "docs/api/conformance.md").read_text()
    assert len(listed) > 30 and [line for line in listed if f"`{line.split(chr(9))[1]}`" not in page] == []
