"""What the command says where a relay stands in the place of a Redis of this machine: doctor and config know it and its files, a backup says what is not in it."""

import contextlib
import json
import signal
import subprocess
import time

import pytest
from cryptography import x509

from intake_rig import free_port
from rig import BIN, wait_for
from test_cli import copied, doctor, expired, pmhgw, state  # noqa: F401: a fixture

LOCAL = {"redis_away", "redis_settings"}


def relay(home, store="redis-link", **settings):
    """Settings of a relay in the place of that Redis, with a password file; None leaves one out."""
    conf = home / f"conf/relay-{store.removeprefix('redis-')}.yaml"
    (home / "keys/redis-relay.pass").write_text("word")
    (home / "keys/redis-relay.pass").chmod(0o600)
    all_of = {"relay_listen": f"{home}/run/{store}.sock", "relay_store": f"tcp://127.0.0.1:{free_port()}", "relay_pass_file": f"{home}/keys/redis-relay.pass", **settings}
    conf.write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in all_of.items() if v is not None))
    return conf


@pytest.fixture
def home(state, tmp_path):  # noqa: F811
    return copied(state, tmp_path / "s")


@contextlib.contextmanager
def running(*argv):
    process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)


def of_relay(home):
    return {code: f for code, f in doctor(home).items() if code.startswith("relay_")}


def not_running(home):
    done = json.loads(pmhgw("doctor", "--state", home, "--json").stdout)
    return [f["cause_en"].split()[0] for f in done["findings"] if f["code"] == "not_running"]


# ---- config ----

def test_config_shows_and_checks_a_relay_that_has_a_file(home):
    assert "relay" not in pmhgw("config", "check", "--state", home).stdout, "without a file there is none to check"
    relay(home)
    done = pmhgw("config", "check", "--state", home)
    assert done.returncode == 0 and "conf/relay-link.yaml" in done.stdout and "relay-vault" not in done.stdout
    told = json.loads(pmhgw("config", "show", "relay-link", "--state", home, "--json").stdout)
    rows = {row["name"]: row for row in told["settings"]}
    assert told["file"].endswith("conf/relay-link.yaml") and rows["relay_store"]["line"] == 2 and rows["relay_pass_file"]["secret_file"] and rows["relay_tag"]["source"] == "default"
    assert pmhgw("config", "show", "relay-vault", "--state", home).returncode == 1
    relay(home, "redis-vault", relay_plain=7)
    bad = pmhgw("config", "check", "--state", home)
    assert bad.returncode == 1 and "relay-vault.yaml:4:14: relay_plain" in bad.stderr


# ---- doctor ----

def test_doctor_looks_for_the_relay_and_not_for_what_it_replaces(home):
    (home / "conf/redis-link.conf").write_text("")
    before = doctor(home)
    assert "redis_settings" in before and "redis-link" in not_running(home) and not of_relay(home)
    relay(home)
    found = of_relay(home)
    assert set(found) == {"relay_not_running"} and "redis-link" in found["relay_not_running"]["cause_en"] and "pmhgw-relay@link" in found["relay_not_running"]["next_ja"]
    assert not LOCAL & set(doctor(home)) and "redis-link" not in not_running(home) and "redis-vault" in not_running(home)
    relay(home, "redis-vault")
    assert "redis-vault" not in not_running(home)


@pytest.mark.parametrize("settings, place", [
    ({"relay_plain": 9}, "relay-link.yaml:4:14: relay_plain"), ({"relay_listen": None}, "relay_listen"), ({"relay_store": "redis://a"}, "relay-link.yaml:2:1: relay_store"),
    ({"relay_store": "tcp://192.0.2.1:6379"}, "relay-link.yaml:2:1: relay_store"), ({"relay_pass_file": "/nowhere"}, "relay-link.yaml:3:1: relay_pass_file"), ({"redis_conns": 1}, "relay-link.yaml:4:1: redis_conns"),
])
def test_doctor_says_what_is_wrong_with_its_settings_and_where(home, settings, place):
    relay(home, **settings)
    found = of_relay(home)
    assert set(found) == {"relay_settings"}, "what cannot start is not looked for"
    assert place in found["relay_settings"]["cause_en"] and place in found["relay_settings"]["cause_ja"] and "config check" in found["relay_settings"]["next_en"]


def test_doctor_judges_the_files_that_a_relay_names(home):
    certs = home / "set"
    certs.mkdir(mode=0o700)
    for name in ("ca.pem", "doors.pem", "doors.key"):
        (certs / name).write_bytes((home / "certs" / name).read_bytes())
        (certs / name).chmod(0o600)
    relay(home, relay_store=f"tls://127.0.0.1:{free_port()}", relay_ca=f"{certs}/ca.pem", relay_cert=f"{certs}/doors.pem", relay_key=f"{certs}/doors.key")
    good = doctor(home)
    assert "relay_settings" not in good and "certificate_expired" not in good and "mode_open" not in good
    told = json.loads(pmhgw("doctor", "--state", home, "--json").stdout)["messages"]
    ends = x509.load_pem_x509_certificate((certs / "doors.pem").read_bytes()).not_valid_after
    assert any("relay_cert" in m["en"] and f"ends {ends:%Y-%m-%d}" in m["en"] for m in told), told
    (home / "keys/redis-relay.pass").chmod(0o640)
    (certs / "doors.key").chmod(0o640)
    expired(certs / "ca.pem")
    opened = json.loads(pmhgw("doctor", "--state", home, "--json").stdout)["findings"]
    assert {f["cause_en"].split()[0] for f in opened if f["code"] == "mode_open"} == {f"{home}/keys/redis-relay.pass", f"{certs}/doors.key"}
    found = doctor(home)
    assert "set/ca.pem" in found["certificate_expired"]["cause_en"] and "pmhgw-relay@link" in found["certificate_expired"]["next_en"]


def test_doctor_knows_whether_there_is_a_master(home):
    port = free_port()
    conf = relay(home, relay_store=f"tcp://127.0.0.1:{port}")
    users = [f"user {u} on >{w} ~* &* +@all" for u, w in (("relay", "word"), ("intake", (home / "keys/redis-link-intake.pass").read_text()))]
    server = home / "server.conf"
    with running(BIN / "pmhgw-relay", "--config", conf) as process:
        wait_for("the relay listens", 10, lambda: (home / "run/redis-link.sock").exists())
        away = of_relay(home)
        assert set(away) == {"relay_no_master"} and f"127.0.0.1:{port}" in away["relay_no_master"]["cause_ja"] and "relay_server_refused" in away["relay_no_master"]["next_en"]
        for lines, code in ((users, None), (users[:1], "relay_login_refused"), (users[1:], "relay_no_master")):
            server.write_text("\n".join([f"port {port}", "bind 127.0.0.1", "save \"\"", f"dir {home}", *lines]) + "\n")
            with running("redis-server", server):
                wait_for("it answers", 10, lambda: subprocess.run(["redis-cli", "-p", str(port), "PING"], capture_output=True, text=True).stdout.strip())
                found = of_relay(home)
                assert set(found) == ({code} if code else set()), found
                assert code != "relay_no_master" or "refuses" in found[code]["cause_en"]
        process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        assert set(of_relay(home)) == {"relay_silent"} and time.monotonic() - begun < 20


def test_doctor_names_the_sentinels_that_cannot_be_reached(home):
    ports = [free_port() for _ in range(3)]
    conf = relay(home, relay_store="sentinel://link@" + ",".join(f"127.0.0.1:{p}" for p in ports))
    (home / "sentinel.conf").write_text(f"port {ports[0]}\nbind 127.0.0.1\ndir {home}\n")
    with running("redis-server", home / "sentinel.conf", "--sentinel"), running(BIN / "pmhgw-relay", "--config", conf):
        wait_for("the relay listens", 10, lambda: (home / "run/redis-link.sock").exists())
        wait_for("the Sentinel answers", 10, lambda: subprocess.run(["redis-cli", "-p", str(ports[0]), "PING"], capture_output=True, text=True).stdout.strip())
        cause = of_relay(home)["relay_no_master"]["cause_en"]
    assert "2 of 3" in cause and f"127.0.0.1:{ports[0]}" not in cause and all(f"127.0.0.1:{p}" in cause for p in ports[1:])


# ---- backup ----

def backup(home, tmp_path, name):
    (tmp_path / "pass").write_text("correct horse battery staple\n")
    done = pmhgw("backup", tmp_path / name, "--passphrase-file", tmp_path / "pass", "--state", home, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_backup_says_that_a_store_elsewhere_is_not_in_it(home, tmp_path):
    for store in ("redis-link", "redis-vault"):
        (home / store / "appendonlydir").mkdir()
        (home / store / "appendonlydir/appendonly.aof.1.base.rdb").write_text("data")
    told, said = backup(home, tmp_path, "whole.age")
    assert told["stores_elsewhere"] == [] and "redis-link" not in said
    check = ("--passphrase-file", tmp_path / "pass", "--check")
    assert "redis-" not in pmhgw("restore", tmp_path / "whole.age", *check).stderr
    relay(home)
    told, said = backup(home, tmp_path, "part.age")
    assert told["stores_elsewhere"] == ["redis-link"] and "redis-link" in said and "redis-vault" not in said and "docs/redis.md" in said
    assert any("redis-link" in m["ja"] and m["level"] == "warning" for m in told["messages"])
    done = pmhgw("restore", tmp_path / "part.age", *check, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["stores_missing"] == ["redis-link"] and "redis-link" in done.stderr and "redis-vault" not in done.stderr
    back = tmp_path / "back"
    done = pmhgw("restore", tmp_path / "part.age", *check[:2], "--state", back)
    assert done.returncode == 0 and "redis-link" in done.stderr, done.stderr
    assert not list((back / "redis-link").iterdir()) and list((back / "redis-vault/appendonlydir").iterdir()), "what was there before the relay would come back older"
    assert (back / "conf/relay-link.yaml").exists()
