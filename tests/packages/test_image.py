"""docker/Dockerfile, built by buildah without an engine; every service of compose.yaml started from the image with its volumes and secrets; a file in, a clinic asks.

buildah's chroot isolation has no networks of its own, no read-only root and no limits: test_compose.py compares those."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml

from conftest import ROOT, copy_tree
from root import make_tar, run

COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SERVICES = ["redis-vault", "redis-link", "audit", "vault", "signer", "intake", "front", "courier"]
UID = 7000


class Buildah:
    def __init__(self, place):
        self.words = ["buildah", "--root", str(place / "containers"), "--runroot", str(place / "containers-run"), "--storage-driver", "vfs"]
        self.place = place

    def __call__(self, *words, timeout=1800, log=None):
        return run([*self.words, *words], timeout=timeout, log=log)

    def has(self, image):
        return subprocess.run([*self.words, "inspect", "--type", "image", image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture(scope="module")
def image(place):
    buildah = Buildah(place)
    if not buildah.has("localhost/debian-base"):
        make_tar(place / "minbase.tar", ["ca-certificates"])
        empty = buildah("from", "scratch").strip()
        buildah("add", empty, place / "minbase.tar", "/")
        buildah("commit", empty, "localhost/debian-base")
        buildah("rm", empty)
    if not buildah.has("localhost/pmhgw"):
        context = copy_tree(place / "context")
        buildah("bud", "--layers", "--isolation", "chroot", "--pull-never", "--format", "docker", "--build-arg", "BASE=localhost/debian-base", "-f", context / "docker/Dockerfile",
                "-t", "localhost/pmhgw", context, log=place / "image.log")
    return buildah


class Containers:
    """The services of compose.yaml, in one working container of the image: what differs between them is what they are given."""

    def __init__(self, image):
        self.image, self.running = image, {}
        self.at = image.place / "compose"
        shutil.rmtree(self.at, ignore_errors=True)
        for name in [*COMPOSE["volumes"], "site"]:
            (self.at / name).mkdir(parents=True, mode=0o700)  # as the folder of the image that a new volume begins with
            os.chown(self.at / name, UID, UID)
        self.container = image("from", "--pull-never", "localhost/pmhgw").strip()

    def words(self, given, *command):
        mounts = [word for volume in given for word in ("-v", volume)]
        return [*self.image.words, "run", "--isolation", "chroot", "--user", f"{UID}:{UID}", *mounts, self.container, "--", *command]

    def run(self, given, *command, timeout=120):
        return run(self.words(given, *command), timeout=timeout)

    def secrets(self, name):
        folder = self.at / "secrets" / name
        folder.mkdir(parents=True)
        for secret in COMPOSE["services"][name]["secrets"]:
            source = COMPOSE["secrets"][secret["source"]]["file"].replace("${PMHGW_SITE:-./site}", str(self.at / "site"))
            shutil.copy2(source, folder / secret["target"])
            os.chown(folder / secret["target"], UID, UID)
        os.chown(folder, UID, UID)
        return folder

    def given(self, name):
        volumes = [f"{self.at / v.split(':')[0]}:{v.split(':')[1]}" for v in COMPOSE["services"][name]["volumes"]]
        return [*volumes, f"{self.at / 'secrets' / name}:/run/secrets:ro"]

    def start(self, name):
        self.secrets(name)
        log = open(self.at / f"{name}.log", "wb")
        self.running[name] = subprocess.Popen(self.words(self.given(name), "/usr/local/bin/role", *COMPOSE["services"][name]["command"]), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def alive(self, name):
        return subprocess.run(self.words(self.given(name), "/usr/local/bin/alive", name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0

    def await_alive(self, name):
        until = time.monotonic() + 90
        while time.monotonic() < until and self.running[name].poll() is None:
            if self.alive(name):
                return
            time.sleep(0.5)
        raise AssertionError(f"{name} is not alive: {self.running[name].poll()}\n" + (self.at / f"{name}.log").read_text(errors="replace")[-2000:])

    def end(self):
        storage = str(self.image.place / "containers")
        tell(inside(storage), signal.SIGTERM)
        until = time.monotonic() + 30
        while inside(storage) and time.monotonic() < until:
            time.sleep(0.2)
        left = inside(storage)
        tell(left, signal.SIGKILL)
        for child in self.running.values():
            child.wait(30)
        self.image("rm", self.container)
        assert not left, "a daemon did not end"


def inside(storage):
    """Processes whose root is a container's of this storage."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if "/buildah" in os.readlink(f"/proc/{pid}/root") and any(storage in line for line in open(f"/proc/{pid}/mountinfo")):
                found.append(int(pid))
        except OSError:
            continue
    return found


def tell(pids, what):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one whose parent has just ended it
            os.kill(pid, what)


@pytest.fixture(scope="module")
def containers(image):
    c = Containers(image)
    try:
        c.run([f"{c.at / 'site'}:/site"], "/usr/local/bin/role", "setup")
        for name in SERVICES:
            c.start(name)
            c.await_alive(name)
        yield c
    finally:
        c.end()


def test_what_the_image_says_of_itself(image):
    said = json.loads(image("inspect", "--type", "image", "localhost/pmhgw"))["Docker"]["config"]
    assert said["User"] == f"{UID}:{UID}" and said["Entrypoint"] == ["/usr/local/bin/role"] and said["Healthcheck"]["Test"] == ["CMD", "/usr/local/bin/alive"]
    assert set(said["ExposedPorts"]) == {"8441/tcp", "8442/tcp", "8443/tcp"}


def test_no_secret_and_no_compiler_is_in_the_image(image):
    container = image("from", "--pull-never", "localhost/pmhgw").strip()
    try:
        found = run([*image.words, "run", "--isolation", "chroot", container, "--", "/bin/sh", "-c",
                     "ls /usr/bin/gcc /usr/bin/cc /src /build 2>/dev/null; find / -xdev \\( -name '*.key' -o -name '*.pass' -o -name '*.master' \\) -not -path '/usr/share/*' -not -path '/proc/*' 2>/dev/null; true"])
    finally:
        image("rm", container)
    assert not found.strip(), found


def test_every_service_runs_with_what_compose_gives_it(containers):
    assert {name for name, child in containers.running.items() if child.poll() is None} == set(SERVICES)


def test_the_health_check_tells_who_is_not_alive(containers):
    given = [v for v in containers.given("vault") if ":/run/pmhgw/metrics" not in v]
    empty = containers.at / "empty"
    empty.mkdir()
    done = subprocess.run(containers.words([*given, f"{empty}:/run/pmhgw/metrics"], "/usr/local/bin/alive", "vault"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    assert done.returncode != 0


def test_a_file_goes_in_and_a_clinic_looks_up(containers):
    site = [f"{containers.at / 'site'}:/site"]
    containers.run(site, "/usr/bin/pmhgw-synth", "--muni", "331007", "--out", "/site/data", "--count", "20")  # the mock nation reads the cards at its start
    mocks = subprocess.Popen(containers.words(site, "/usr/bin/pmhgw-mocks", "--state", "/site/mocks", "--certs", "/site/certs", "--host", "127.0.0.1", "--base-port", "8440",
                                              "--portal-door", "https://127.0.0.1:8443", "--link-key", "/site/keys/link-jwe.key", "--kid", "k1", "--data", "/site/data"),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    containers.running["mocks"] = mocks
    containers.run(site, "/usr/bin/pmhgw", "import", "/site/data/331007.json", "--muni", "331007", "--state", "/site")
    cards = (containers.at / "site/data/331007.cards.jsonl").read_text().splitlines()
    card = next(c for c in map(json.loads, cards) if not c["not_disclosed"])
    assert "331007" in containers.run(site, "/usr/bin/pmhgw", "lookup", "clinic", "--card", card["card_serial"], "--json", "--state", "/site")
