"""The units: how closed they are, and that all of them run as their own users with what the units give them, and no more."""
import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SERVICES = ["redis-vault", "redis-link", "audit", "vault", "signer", "intake", "front", "courier"]
SCORE_MAX = 1.5


@pytest.mark.parametrize("name", [*SERVICES, "relay@link"])
def test_exposure_is_small(installed, name):
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--root={installed.path}", f"pmhgw-{name}.service"], capture_output=True, text=True, timeout=60)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert score and float(score[1]) <= SCORE_MAX, said.stdout + said.stderr


def test_units_are_well_formed(installed):
    units = sorted(p.name for p in (installed.path / "usr/lib/systemd/system").glob("pmhgw*.*") if p.is_file())
    assert len(units) >= len(SERVICES) + 5
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={installed.path}", *units], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and "pmhgw" not in said.stderr, said.stderr


def test_a_relay_needs_only_the_files_of_its_kind_of_store(installed):
    """A credential whose file is not there keeps a unit from starting, unless the unit says what stands in for it."""
    unit = (installed.path / "usr/lib/systemd/system/pmhgw-relay@.service").read_text()
    loaded, instead = (set(re.findall(rf"^{key}=([^:]+):", unit, re.M)) for key in ("LoadCredential", "SetCredential"))
    assert loaded - instead == {"relay.pass"} and instead < loaded
    assert set(re.findall(r"^SetCredential=[^:]+:(.*)$", unit, re.M)) == {r"\n"}  # an empty line: neither a password nor a certificate


class Host:
    def __init__(self, root):
        self.root = root
        self.child = subprocess.Popen([sys.executable, HERE / "units.py", root.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.daemons = {}
        for line in self.child.stdout:
            if line == "ready\n":
                return
            name, pid, uid = line.split()
            self.daemons[name] = (int(pid), int(uid))
        raise AssertionError(self.child.stderr.read())

    def end(self):
        said, wrong = self.child.communicate("end\n", timeout=120)
        assert self.child.returncode == 0, said + wrong
        return said


@pytest.fixture(scope="module")
def host(installed):
    said = installed.run("/usr/share/pmhgw/setup-host")
    assert "systemctl enable --now pmhgw.target" in said
    host = Host(installed)
    installed.run("pmhgw-synth", "--muni", "331007", "--out", "/var/lib/pmhgw/data", "--count", "20")  # the mock nation reads the cards at its start
    mocks = subprocess.Popen(["chroot", installed.path, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "pmhgw-mocks", "--state", "/var/lib/pmhgw/mocks", "--certs", "/var/lib/pmhgw/certs",
                              "--host", "127.0.0.1", "--base-port", "8440", "--portal-door", "https://127.0.0.1:8443", "--link-key", "/var/lib/pmhgw/keys/link-jwe.key", "--kid", "k1",
                              "--data", "/var/lib/pmhgw/data"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield host
    mocks.terminate()
    mocks.wait(30)
    host.end()


def command(host, *words):
    return host.root.run("pmhgw", *words, timeout=120, PMHGW_STATE="/var/lib/pmhgw")


def test_every_daemon_has_a_user_of_its_own(host):
    uids = [uid for _, uid in host.daemons.values()]
    assert len(uids) == len(SERVICES) == len(set(uids)) and 0 not in uids
    for pid, uid in host.daemons.values():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.M) and "CapEff:\t0000000000000000" in status


def test_who_has_no_business_with_a_socket_may_not_connect(host):
    """The courier's user is in no group of the vault's sockets, the front's neither; the intake's is."""
    may = lambda user, groups, path: subprocess.run(["chroot", f"--userspec={user}", f"--groups={groups}", host.root.path, "/usr/bin/test", "-w", path]).returncode == 0  # noqa: E731
    vault = "/run/pmhgw/vault.sock"
    assert may("pmhgw-intake", "pmhgw-to-vault", vault)
    for user, groups in (("pmhgw-front", "pmhgw-to-audit,pmhgw-to-signer,pmhgw-to-redis-link"), ("pmhgw-courier", "pmhgw-to-audit,pmhgw-to-signer,pmhgw-to-redis-link")):
        assert not may(user, groups, vault)
        assert not may(user, groups, "/run/pmhgw-redis-vault/redis-vault.sock")
        assert may(user, groups, "/run/pmhgw/audit.sock")
        for secret in ("/var/lib/pmhgw/keys/link.master", "/var/lib/pmhgw/certs/doors.key", "/run/credentials/pmhgw-vault/master", "/var/lib/pmhgw/audit"):
            assert subprocess.run(["chroot", f"--userspec={user}", f"--groups={groups}", host.root.path, "/usr/bin/test", "-r", secret]).returncode != 0, secret


def test_the_front_has_no_network_but_its_doors(host):
    pid, _ = host.daemons["pmhgw-front"]
    devices = pathlib.Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"] and devices[0].split()[1] == "0"


def test_a_file_goes_in_and_a_clinic_looks_up(host):
    command(host, "import", "/var/lib/pmhgw/data/331007.json", "--muni", "331007")
    cards = (host.root.path / "var/lib/pmhgw/data/331007.cards.jsonl").read_text().splitlines()
    card = next(c for c in map(json.loads, cards) if not c["not_disclosed"])
    assert "331007" in command(host, "lookup", "clinic", "--card", card["card_serial"], "--json")
    names = set(re.findall(r'daemon="(\w+)"', command(host, "metrics")))
    assert names >= {"vault", "audit", "signer", "intake", "front", "courier"}


def told(host, *words):
    """What a command says, whatever its exit code."""
    said = subprocess.run(["chroot", host.root.path, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "PMHGW_STATE=/var/lib/pmhgw", "pmhgw", *words, "--json"], capture_output=True, text=True, timeout=120)
    return json.loads(said.stdout)


def test_status_and_doctor_know_what_systemd_has_started(host):
    """Nobody writes their process ids into the state, and systemd holds the doors. The courier says that it lives every 1.5 s, and not before it has reached Redis."""
    until = time.monotonic() + 15
    while not (status := told(host, "status"))["good"] and time.monotonic() < until:
        time.sleep(0.3)
    assert status["good"] and {p["answer"] for p in status["processes"]} == {"ok"}, status
    found = {f["code"] for f in told(host, "doctor")["findings"]}
    assert not found & {"not_running", "port_taken", "redis_settings"}, found
