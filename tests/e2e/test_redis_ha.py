"""redis-link as three servers with three Sentinels: the master is killed under load, and what was acknowledged is there. The long ones are in tests/redis_ha."""

import json
import os
import re
import socket
import subprocess
import time

import pytest
from ha_rig import BIN, Load, Rig, free_port, wait_for
from listening import serve_each

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
    assert load.refusals["front"] < 2.5  # a second, on a machine that has nothing else to do


def command(rig, *words):
    done = subprocess.run([BIN / "pmhgw", *words, "--state", rig.dir], capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "en_US.UTF-8"})
    return done.returncode, done.stdout + done.stderr


def test_what_the_command_writes_waits_for_replicas_as_its_daemons_do(rig):
    """reconcile writes as front and intake, staff as intake: each with the settings of that daemon."""
    master = rig.master()
    assert command(rig, "staff", "add", "331007", "yamada", "--role", "admin")[0] == 0
    assert rig.look_up(rig.resident()[2]).status == 200, "there are acts to be replayed"
    assert command(rig, "reconcile", "--all")[0] == 0
    assert rig.ask_node(master, "CONFIG", "SET", "min-replicas-to-write", "0") == ["OK"], "nobody else refuses"
    for port in rig.followers(master):
        rig.end_node(port)
    for words in (("reconcile", "--all"), ("staff", "add", "331007", "suzuki", "--role", "viewer")):
        status, said = command(rig, *words)
        assert status == 2 and "replicas" in said, (words, said)
    assert command(rig, "staff", "list", "331007")[0] == 0, "what only reads does not wait"
    for name in ("front", "intake"):
        conf = rig.dir / f"conf/{name}.yaml"
        conf.write_text(conf.read_text().replace("redis_wait_replicas: 1", "redis_wait_replicas: 0"))
    assert command(rig, "reconcile", "--all")[0] == 0 and command(rig, "staff", "add", "331007", "tanaka", "--role", "viewer")[0] == 0
    (rig.dir / "conf/intake.yaml").write_text("redis_wait_replicas: many\n")
    status, said = command(rig, "staff", "withdraw", "331007", "tanaka")
    assert status == 2 and "intake.yaml:1:22: redis_wait_replicas" in said, "nothing is written on other terms than the daemon's"


TLS = {"relay_ca": "{d}/ca.pem", "relay_cert": "{d}/ca.pem", "relay_key": "{d}/pass"}
SAID = [
    ({"relay_store": "sentinel://link@127.0.0.1:26379,127.0.0.2:26379"}, 0, ""),
    ({"relay_store": "cluster://[::1]:7000", "relay_tag": "a-1"}, 0, ""),
    ({"relay_store": "tcp://192.0.2.1:6379", "relay_plain": 1}, 0, ""),
    ({"relay_store": "tcp://192.0.2.1:6379"}, 78, "relay_store: .*relay_plain"),
    ({"relay_store": "sentinel://link@127.0.0.1:26379,192.0.2.1:26379"}, 78, "relay_store: .*relay_plain"),
    ({"relay_store": "tls://192.0.2.1:6379"}, 78, "relay_store: .*relay_ca"),
    ({"relay_store": "tls://192.0.2.1:6379", **TLS}, 78, "relay_cert"),
    ({"relay_store": "tcp://redis:6379"}, 78, "relay_store"),
    ({"relay_store": "unix:/run/redis.sock"}, 78, "relay_store"),
    ({"relay_store": "tcp://127.0.0.1:6379", "relay_tag": "a}b"}, 78, "relay_tag"),
    ({"relay_store": "tcp://127.0.0.1:6379", "relay_pass_file": "{d}/none"}, 78, "relay_pass_file"),
    ({"relay_store": "tcp://127.0.0.1:6379", "relay_sentinel_user": "ask"}, 78, "relay_sentinel_pass_file"),
    ({"relay_store": "tcp://127.0.0.1:6379", "redis_link_user": "front"}, 78, "redis_link_user"),
]


@pytest.mark.parametrize("settings,status,word", SAID)
def test_a_relay_says_what_is_wrong_with_its_settings(tmp_path, settings, status, word):
    for name, text in (("pass", "word"), ("ca.pem", "no certificate")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    all_of = {"relay_listen": f"{tmp_path}/s.sock", "relay_pass_file": "{d}/pass", **settings}
    conf = tmp_path / "relay.yaml"
    conf.write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in all_of.items()).replace("{d}", str(tmp_path)))
    done = subprocess.run([BIN / "pmhgw-relay", "--config", conf, "--check"], capture_output=True, text=True, timeout=10)
    assert done.returncode == status, done.stderr
    setting = word.partition(":")[0]
    place = f"{conf}:{list(all_of).index(setting) + 1 if setting in all_of else 1}:1: {word}"
    assert re.search(f"^{place}.* / .", done.stderr, re.M) if status else not done.stderr


class Sentinel:
    """One that names whom it is told to, as long as somebody listens."""

    def __init__(self, ip, port):
        self.answer = f"*2\r\n${len(ip)}\r\n{ip}\r\n${len(str(port))}\r\n{port}\r\n".encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        serve_each(self.listener, self._talk)

    def _talk(self, client):
        with client:
            while client.recv(4096):
                client.sendall(self.answer)


@pytest.mark.parametrize("ip, plain, word", (("192.0.2.1", 0, "relay_needs_tls"), ("192.0.2.1", 1, "relay_master"), ("127.0.0.1", 0, "relay_master")))
def test_a_sentinel_cannot_send_passwords_over_an_open_line(tmp_path, ip, plain, word):
    """Nobody connects to the relay: it looks for the master and goes nowhere."""
    (tmp_path / "pass").write_text("word")
    (tmp_path / "pass").chmod(0o600)
    sentinel = Sentinel(ip, free_port())
    conf = {"relay_listen": f"{tmp_path}/s.sock", "relay_pass_file": f"{tmp_path}/pass", "relay_store": f"sentinel://link@127.0.0.1:{sentinel.port}", "relay_plain": plain}
    (tmp_path / "relay.yaml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in conf.items()))
    log = open(tmp_path / "log", "wb")
    relay = subprocess.Popen([BIN / "pmhgw-relay", "--config", tmp_path / "relay.yaml"], stdout=log, stderr=log)
    said = lambda: [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]  # noqa: E731
    try:
        wait_for(lambda: word in said(), 10, "it says whom it has found")
        time.sleep(1.2)  # more answers: it stays so, and is told once
        assert [e for e in said() if e.startswith("relay_")] == [word]
    finally:
        relay.terminate()
        relay.wait(10)
        sentinel.listener.close()
