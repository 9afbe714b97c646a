"""The walls between the processes, as the running system shows them."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from rig import BIN, ROOT, fresh_number, row_for

sys.path.insert(0, str(ROOT / "tests/lint"))
import binaries  # noqa: E402
import sockets  # noqa: E402

ROOTS_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="other processes' descriptors are only shown to root")


def test_programs_hold_what_they_may():
    findings, looked = binaries.walls(BIN)
    assert not findings and looked > 500


@ROOTS_ONLY
def test_open_sockets(rig):
    """Who is connected to whom: only the lines of the picture in docs/architecture.md."""
    rig.register("331007", [row_for(fresh_number())])
    findings, seen = sockets.walls(rig)
    assert not findings
    for link in (("pmhgw-vault", "redis-vault"), ("pmhgw-front", "redis-link"), ("pmhgw-intake", "redis-link"), ("pmhgw-intake", "pmhgw-vault"),
                 ("pmhgw-front", "pmhgw-audit"), ("pmhgw-intake", "pmhgw-audit"), ("pmhgw-vault", "pmhgw-audit")):
        assert link in seen, f"the search for connections does not see {link}"


@pytest.mark.parametrize("name", ["pmhgw-vault", "pmhgw-audit", "pmhgw-intake", "pmhgw-front", "pmhgw-courier", "pmhgw-signer"])
def test_privileges_are_given_up(rig, name):
    pids = [pid for pid, of in sockets.processes(rig).items() if of == name]
    if name == "pmhgw-front":
        pids.remove(rig.pid(name))  # the supervisor only starts and stops workers; it serves nobody
        assert len(pids) == rig.workers
    for pid in pids:
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == "2", "a filter is in force"
        assert re.search(r"Max core file size\s+0\s+0", pathlib.Path(f"/proc/{pid}/limits").read_text())


def test_confs_name_their_own_settings_only(rig):
    front = (rig.state / "conf/front.yaml").read_text()
    assert "vault" not in front
    audit = (rig.state / "conf/audit.yaml").read_text()
    assert "redis" not in audit and "ring" not in audit and "vault_socket" not in audit
    vault = (rig.state / "conf/vault.yaml").read_text()
    assert "link" not in vault and "http" not in vault


def test_a_conf_with_a_foreign_setting_is_refused(rig, tmp_path):
    conf = tmp_path / "front.yaml"
    conf.write_text((rig.state / "conf/front.yaml").read_text() + f'vault_socket: "{rig.state}/run/vault.sock"\n')
    r = subprocess.run([BIN / "pmhgw-front", "--config", conf], capture_output=True, text=True, timeout=10)
    assert r.returncode != 0 and "vault_socket" in r.stderr


def test_state_is_private(rig):
    for path in rig.state.rglob("*"):
        try:
            if path.is_file() or path.is_dir():
                assert path.stat().st_mode & 0o077 == 0, path
        except FileNotFoundError:
            pass  # a tile of the audit log that grew meanwhile


def test_redis_users_may_not_look_around(rig):
    """The front's user at redis-link: no KEYS, no CONFIG, no names of the outbox; nobody without a password."""
    password = (rig.state / "keys/redis-link-front.pass").read_text().strip()
    sock = str(rig.state / "run/redis-link.sock")

    def ask(*words, login=True):
        auth = ["--user", "front", "--pass", password, "--no-auth-warning"] if login else []
        return subprocess.run(["redis-cli", "-s", sock, *auth, *words], capture_output=True, text=True, timeout=10).stdout

    assert "PONG" in ask("PING")
    for words in (("KEYS", "*"), ("CONFIG", "GET", "*"), ("FLUSHALL",), ("SCRIPT", "FLUSH"), ("DEBUG", "SLEEP", "0"), ("SCAN", "0"),
                  ("GET", "o:x"), ("HGETALL", "s:x"), ("MONITOR",), ("ACL", "LIST"), ("SHUTDOWN", "NOSAVE")):
        assert any(no in ask(*words) for no in ("NOPERM", "not allowed")), words
    assert "NOAUTH" in ask("PING", login=False)


def test_a_second_up_says_so(rig):
    r = subprocess.run([BIN / "pmhgw", "up", "--state", rig.state, "--base-port", str(rig.base)], capture_output=True, text=True, timeout=20)
    assert r.returncode == 2 and str(rig.process.pid) in r.stderr and len(r.stderr.splitlines()) == 1


def test_a_taken_port_says_so(rig, tmp_path):
    r = subprocess.run([BIN / "pmhgw", "up", "--state", tmp_path / "s", "--base-port", str(rig.base)], capture_output=True, text=True, timeout=20)
    assert r.returncode == 2 and str(rig.base + 1) in r.stderr and len(r.stderr.splitlines()) == 1


def test_a_long_path_says_so(tmp_path):
    r = subprocess.run([BIN / "pmhgw", "up", "--state", tmp_path / ("x" * 110)], capture_output=True, text=True, timeout=20)
    assert r.returncode == 2 and "socket" in r.stderr and len(r.stderr.splitlines()) == 1


def test_missing_programs_say_so(tmp_path):
    r = subprocess.run([BIN / "pmhgw", "up", "--state", tmp_path / "s"], capture_output=True, text=True, timeout=20, env={"PATH": str(tmp_path)})
    assert r.returncode == 2 and "apt-get install redis-server" in r.stderr and len(r.stderr.splitlines()) == 1


def test_doctor_names_what_is_wrong(rig):
    assert rig.command("doctor").returncode == 0
    key = rig.state / "keys/vault.master"
    key.chmod(0o644)
    try:
        r = rig.command("doctor")
        assert r.returncode == 1 and "vault.master" in r.stderr
    finally:
        key.chmod(0o600)
