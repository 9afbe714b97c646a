"""`pmhgw up` with a relay in the place of redis-link: reload and upgrade check its settings as those of the daemons, and say when it has to be started again."""

import json
import re
import shutil
import subprocess

import pytest

from intake_rig import free_port
from rig import Rig, wait_for
from test_cli import pmhgw

NAME = "redis-link"


@pytest.fixture(scope="module")
def rig():
    """The store is a server with a port, somebody else's as far as `up` knows."""
    r = Rig(workers=1)
    store = None
    try:
        made = pmhgw("up", "--only-setup", "--state", r.state, "--base-port", r.base)
        assert made.returncode == 0, made.stderr
        port = free_port()
        conf = (r.state / "conf/redis-link.conf").read_text().replace("port 0", f"port {port}\nbind 127.0.0.1")
        (r.dir / "server.conf").write_text(re.sub(r"(?m)^unixsocket.*\n", "", conf) + "user relay on >word nocommands +ping +role\n")
        (r.state / "keys/redis-relay.pass").write_text("word")
        (r.state / "keys/redis-relay.pass").chmod(0o600)
        settings = {"relay_listen": f"{r.state}/run/redis-link.sock", "relay_store": f"tcp://127.0.0.1:{port}", "relay_pass_file": f"{r.state}/keys/redis-relay.pass"}
        relay_conf(r).write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items()))
        store = subprocess.Popen(["redis-server", str(r.dir / "server.conf")], stdout=subprocess.DEVNULL)
        yield r.start()
    finally:
        r.close()
        if store:
            store.terminate()
            store.wait(10)


def relay_conf(rig):
    return rig.state / "conf/relay-link.yaml"


def pids(rig):
    return {name: rig.pid(name) for name in (NAME, "redis-vault", "pmhgw-audit", "pmhgw-vault", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier")}


def said(done):
    return json.loads(done.stdout).get("daemons", {})


def test_status_says_which_store_is_behind_a_relay(rig):
    parts = {p["name"]: p for p in json.loads(rig.command("status", "--quick", "--json").stdout)["processes"]}
    assert parts[NAME]["relay"] is True and parts[NAME]["answer"] == "ok" and "relay" not in parts["redis-vault"]
    line = next(x for x in rig.command("status", "--quick").stdout.splitlines() if NAME in x)
    assert "relay" in line or "中継" in line


def test_a_relay_whose_settings_have_not_changed_is_left_alone(rig):
    before = pids(rig)
    done = rig.command("reload", "--json")
    assert done.returncode == 0, done.stderr
    assert NAME not in said(done) and pids(rig) == before


@pytest.mark.parametrize("line, place", [("relay_tga: x", "4:1: relay_tga: その名前の項目はありません / there is no such setting"), ("relay_plain: 9", "4:14: relay_plain: "),
                                         ("relay_tag: a}b", "4:1: relay_tag: "), ("relay_sentinel_user: ask", "1:1: relay_sentinel_pass_file: 読めません / cannot be read")])
def test_wrong_settings_of_a_relay_are_refused_with_their_place_and_nothing_changes(rig, line, place):
    before, running = relay_conf(rig).read_text(), pids(rig)
    front = (rig.state / "conf/front.yaml")
    front.touch()
    seen = (rig.state / "log/pmhgw-front.log").stat().st_size
    relay_conf(rig).write_text(before + line + "\n")
    try:
        done, by_name = rig.command("reload"), rig.command("upgrade", NAME)
    finally:
        relay_conf(rig).write_text(before)
    for refused in (done, by_name):
        assert refused.returncode == 1 and f"conf/relay-link.yaml:{place}" in refused.stderr, refused.stderr
        assert "pmhgw-relay" in refused.stderr and ("何も変えていません" in refused.stderr or "nothing was changed" in refused.stderr)
    assert pids(rig) == running and b"reload" not in (rig.state / "log/pmhgw-front.log").read_bytes()[seen:], "nobody was told"


def test_another_setting_of_a_relay_waits_for_a_start_that_is_ordered(rig):
    """A daemon's requests would be refused meanwhile: `reload` promises that none is."""
    relay_conf(rig).write_text(relay_conf(rig).read_text() + "log_level: 0\n")
    before = pids(rig)
    done = rig.command("reload", "--json")
    assert done.returncode == 1 and said(done)[NAME] == "needs_start" and said(done)["pmhgw-front"] == "taken", done.stdout + done.stderr
    assert "pmhgw upgrade redis-link" in done.stderr and pids(rig)[NAME] == before[NAME]
    assert rig.command("upgrade", "--json").returncode == 0 and rig.pid(NAME) == before[NAME], "only by its name"
    before = pids(rig)
    done = rig.command("upgrade", NAME, "--json")
    assert done.returncode == 0 and said(done) == {NAME: "started_again"}, done.stdout + done.stderr
    assert rig.pid(NAME) not in (0, before[NAME]) and {**pids(rig), NAME: 0} == {**before, NAME: 0}
    rig.wait_healthy()
    done = rig.command("reload", "--json")
    assert done.returncode == 0 and NAME not in said(done), "it is in force"


def test_a_file_that_a_relay_names_waits_for_a_start_too(rig):
    secret = rig.state / "keys/redis-relay.pass"
    secret.write_text("word")
    done = rig.command("reload", "--json")
    assert done.returncode == 1 and said(done)[NAME] == "needs_start"
    assert rig.command("upgrade", NAME).returncode == 0
    rig.wait_healthy()


def test_a_relay_that_is_to_replace_a_server_of_up_waits_for_up(rig):
    shutil.copy2(relay_conf(rig), rig.state / "conf/relay-vault.yaml")
    before = pids(rig)
    try:
        done = rig.command("reload", "--json")
        assert done.returncode == 1 and said(done)["redis-vault"] == "needs_start" and "pmhgw up" in done.stderr and "upgrade redis-vault" not in done.stderr
        assert rig.command("upgrade", "redis-vault").returncode == 2, "it is no relay that would be started again"
    finally:
        (rig.state / "conf/relay-vault.yaml").unlink()
    assert pids(rig) == before
    assert rig.command("upgrade", "redis-vault").returncode == 2


def test_a_relay_that_ended_is_back_by_itself(rig):
    old = rig.kill(NAME)
    rig.wait_back(NAME, old)
    wait_for("its settings are those of the file", 10, lambda: rig.command("reload").returncode == 0)
