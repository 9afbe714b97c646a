"""docker/compose.yaml against the architecture: who is on which network, who can reach which socket, who holds which secret. No engine is needed."""
import pathlib
import re

import pytest
import yaml

from conftest import ROOT
from units import read

COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SERVICES = COMPOSE["services"]
# Who may connect to whom: a volume holds one socket, that of the service of its name.
SOCKETS = {"run-audit": {"audit", "vault", "intake", "front", "courier"}, "run-vault": {"vault", "intake"}, "run-signer": {"signer", "front", "courier"},
           "run-redis-vault": {"redis-vault", "vault"}, "run-redis-link": {"redis-link", "intake", "front", "courier"}}
NETWORKS = {"intake": ["number"], "front": ["doors"], "courier": ["partners"]}
# On the host: an address for each zone, this machine's own until the site names one.
PORTS = {"intake": ["${PMHGW_MUNICIPAL_ADDRESS:-127.0.0.1}:8441:8441"], "front": ["${PMHGW_DOORS_ADDRESS:-127.0.0.1}:8442:8442", "${PMHGW_DOORS_ADDRESS:-127.0.0.1}:8443:8443"]}


def volumes(name):
    return {v.split(":")[0] for v in SERVICES[name]["volumes"]}


def test_every_daemon_is_a_service():
    assert set(SERVICES) == {"redis-vault", "redis-link", "audit", "vault", "signer", "intake", "front", "courier"}
    assert all(service["command"] == [name] for name, service in SERVICES.items())


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_given_that_is_not_needed(name):
    s = SERVICES[name]
    assert s["user"] == "7000:7000" and s["read_only"] is True and s["cap_drop"] == ["ALL"] and "cap_add" not in s
    assert s["security_opt"] == ["no-new-privileges:true"] and not s.get("privileged") and "pid" not in s and "ipc" not in s
    assert s.get("ports", []) == PORTS.get(name, [])


@pytest.mark.parametrize("name", SERVICES)
def test_networks_are_those_of_the_architecture(name):
    s = SERVICES[name]
    assert s.get("networks", []) == NETWORKS.get(name, [])
    assert ("network_mode" in s) == (name not in NETWORKS) and s.get("network_mode", "none") == "none"


def test_nobody_outside_the_number_zone_is_on_its_network_or_at_its_sockets():
    on_number = {name for name, s in SERVICES.items() if "number" in s.get("networks", [])}
    assert on_number == {"intake"}
    assert set(COMPOSE["networks"]) == {"number", "doors", "partners"}
    for socket, who in SOCKETS.items():
        assert {name for name in SERVICES if socket in volumes(name)} == who, socket


def test_data_is_its_owners_alone():
    for volume in COMPOSE["volumes"]:
        if volume.startswith("data-"):
            assert len([name for name in SERVICES if volume in volumes(name)]) == 1, volume
    assert set(COMPOSE["volumes"]) == set().union(*(volumes(name) for name in SERVICES))


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_those_of_the_unit_and_of_the_settings(name):
    """The same as under systemd, and what is a plain file there."""
    given = {s["target"]: COMPOSE["secrets"][s["source"]]["file"].removeprefix("${PMHGW_SITE:-./site}/") for s in SERVICES[name]["secrets"]}
    unit = read(ROOT / f"config/systemd/pmhgw-{name}.service")["Service"]
    loaded = {c.split(":", 1)[0]: c.split(":", 1)[1].removeprefix("/var/lib/pmhgw/") for c in unit["LoadCredential"]}
    settings = ROOT / f"config/systemd/conf/{name}.yaml"
    text = settings.read_text() if settings.exists() else ""
    if name == "courier":
        text += (settings.parent / "targets.yaml").read_text()
    plain = {pathlib.Path(p).name: p for p in re.findall(r"/var/lib/pmhgw/(certs/[\w.-]+)", text)}
    assert given == loaded | plain
    if text:
        assert set(re.findall(r"credential:(\S+)", text)) == set(loaded)


def test_no_daemon_is_swapped_or_leaves_a_core():
    hardening = read(ROOT / "config/systemd/pmhgw-.service.d/hardening.conf")["Service"]
    assert hardening["MemorySwapMax"] == ["0"] and hardening["LimitCORE"] == ["0"]
    for unit in (ROOT / "config/systemd").glob("*.service"):
        assert not {"MemorySwapMax", "LimitCORE"} & set(read(unit)["Service"]), unit
    assert all(s["ulimits"]["core"] == 0 for s in SERVICES.values())
