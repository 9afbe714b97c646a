"""The Debian packages: the same bytes wherever they are built, nothing that lintian finds, installed and removed in a fresh root."""
import hashlib
import json
import os
import subprocess
import time

import pytest

PORT = "28440"


def sums(paths):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def test_two_builds_in_two_places_are_byte_equal(debs, debs_again):
    assert len(debs) == 2 and sums(debs) == sums(debs_again)


def test_lintian_finds_nothing(debs):
    done = subprocess.run(["lintian", "--allow-root", *map(str, debs)], capture_output=True, text=True, timeout=300)
    found = [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")]
    assert done.returncode == 0 and not found, done.stdout + done.stderr


def test_every_program_is_hardened(installed):
    for program in (installed.path / "usr/bin").glob("pmhgw*"):
        text = subprocess.run(["readelf", "-hldW", program], capture_output=True, text=True, check=True).stdout
        assert "Type:                              DYN" in text and "GNU_RELRO" in text and "BIND_NOW" in text, program
        assert not any(" RWE " in line for line in text.splitlines()), program


def test_version_manual_and_completion_are_installed(installed):
    version = installed.run("dpkg-query", "-W", "-f", "${Version}", "pmhgw").strip()
    for program in sorted((installed.path / "usr/bin").glob("pmhgw*")):
        name = program.name
        if name not in ("pmhgw-mocks", "pmhgw-synth"):
            assert installed.run(name, "--version").split() == [name, version]
        assert list((installed.path / "usr/share/man").glob(f"man?/{name}.?.gz")), name
    assert (installed.path / "usr/share/bash-completion/completions/pmhgw").exists()
    for daemon in ("vault", "audit", "signer", "intake", "front", "courier"):
        shown = installed.run(f"pmhgw-{daemon}", "--config", f"/etc/pmhgw/{daemon}.yaml", "--show", CREDENTIALS_DIRECTORY="/run/credentials/x")
        assert "credentials/x/" in shown


def pmhgw(root, *words):
    done = subprocess.run(["chroot", root.path, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PMHGW_STATE=/srv/trial", "pmhgw", *words],
                          capture_output=True, text=True, timeout=120)
    return done


@pytest.fixture(scope="module")
def up(installed):
    """The whole system with the mock nation, as `pmhgw up --mocks` starts it from what was installed."""
    with open(installed.path / "tmp/up.log", "w") as log:
        child = subprocess.Popen(["chroot", installed.path, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "pmhgw", "up", "--mocks", "--state", "/srv/trial",
                                  "--base-port", PORT], stdout=log, stderr=log)
    ready = installed.path / "srv/trial/run/ready"
    until = time.monotonic() + 90
    while not ready.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    assert ready.exists(), (installed.path / "tmp/up.log").read_text()
    yield installed
    child.terminate()
    assert child.wait(60) == 0


def test_what_was_installed_runs_and_takes_residents(up):
    up.run("pmhgw-synth", "--muni", "331007", "--out", "/srv/trial/data", "--count", "20")
    done = pmhgw(up, "import", "/srv/trial/data/331007.json", "--muni", "331007")
    assert done.returncode == 0, done.stdout + done.stderr
    status = pmhgw(up, "status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout), status.stdout + status.stderr


def test_settings_that_were_changed_stay_and_data_outlives_removal(installed, debs):
    conf = installed.path / "etc/pmhgw/audit.yaml"
    conf.write_text(conf.read_text() + "log_level: 2\n")
    names = [f"/tmp/{deb.name}" for deb in debs]
    installed.run("dpkg", "-i", "--force-confold", *names)
    assert conf.read_text().endswith("log_level: 2\n")
    state = installed.path / "var/lib/pmhgw"
    (state / "kept").write_text("x")
    installed.run("apt-get", "purge", "-y", "pmhgw", "pmhgw-mocks")
    assert not conf.exists() and (state / "kept").exists() and not (installed.path / "usr/bin/pmhgw").exists()
    installed.run("dpkg", "-i", *names)
    assert not conf.read_text().endswith("log_level: 2\n")
    os.remove(state / "kept")
