"""A whole system (tests/e2e/rig.py) with one tortured daemon that `pmhgw up` starts again when it has ended; what partners are told, and what is signed."""

import os
import pathlib
import re
import shutil
import signal
import time

import torture
from acts import Act, Log, GIVEN
from torture import BACK_S, PATIENCE_S, Broken, wait_until

import front_rig
import rig as whole_rig
from sheet_rig import Town
from vaccine_rig import Child, one

SETTINGS = "courier_timeout_ms: 700\ncourier_retry_min_ms: 100\ncourier_retry_max_ms: 300\n"
TOLD, LATER = "told", "later"
VERSIONS = 15


class Daemon(torture.Daemon):
    """Its program is a script that preloads the library into the real one."""

    def __init__(self, rig, name):
        self.rig, self.name = rig, name
        self.page = torture.pages.Page(rig.dir / f"torture-{name}", torture.LIBRARY)
        self.taken = 0  # of its ends, how many are known
        self._wrap(rig)

    def _wrap(self, rig):
        real, own = pathlib.Path(rig.bin).resolve(), rig.dir / "bin"
        own.mkdir()
        for program in real.iterdir():
            if program.name.startswith("pmhgw") and program.name not in ("pmhgw", f"pmhgw-{self.name}"):
                (own / program.name).symlink_to(program)
        shutil.copy2(real / "pmhgw", own / "pmhgw")  # finds the others beside itself
        script = own / f"pmhgw-{self.name}"
        script.write_text(f'#!/bin/sh\nLD_PRELOAD={self.page.library} PMHGW_TORTURE={self.page.path} exec {real}/pmhgw-{self.name} "$@"\n')
        script.chmod(0o755)
        rig.bin = own

    def target(self):
        return self.rig.pid(f"pmhgw-{self.name}")

    def log(self):
        path = self.rig.state / f"log/pmhgw-{self.name}.log"
        return path.read_bytes() if path.exists() else b""

    def _ends(self):
        """(status, signal) of each end of it, as `pmhgw up` tells them."""
        return re.findall(rf"pmhgw-{self.name} ended \(status (\d+), signal (\d+)\)", self.rig.up_log())

    def ended(self):
        ends = self._ends()
        if len(ends) == self.taken:
            return None
        self.taken = len(ends)
        wait_until(self.target, BACK_S, "it is not started again")
        status, signum = map(int, ends[-1])
        return -signum or status

    def end(self):
        pid = self.target()
        if pid:
            ends = len(self._ends())
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(self._ends()) > ends, 20, "a killed daemon stays")
            self.taken = ends + 1

    def again(self):
        self.end()
        wait_until(self.target, BACK_S, "it is not started again")

    def revive(self):
        """Is done by whoever started it."""


class World:
    """A clinic that has recorded a dose and corrects it; another one has read it, and hears of each correction."""

    def __init__(self, folder, name):
        self.rig = whole_rig.Rig(workers=1, state=folder)
        self.rig.capture_traffic = lambda: None
        self.rig.start_of = self.rig.start
        self.daemon = Daemon(self.rig, name)
        self.rig.start_of()
        self.rig.start = lambda which: None  # `pmhgw up` does
        conf = self.rig.state / "conf/courier.yaml"
        conf.write_text("# ours\n" + conf.read_text().split("\n", 1)[1] + SETTINGS)
        self.rig.wait_back("pmhgw-courier", self.rig.kill("pmhgw-courier"))
        self.log = Log(self.rig.state / "audit")
        self.daemon.ended()
        self.town = Town(self.rig)
        self.somebody()

    def somebody(self):
        """A child whose record two clinics know; a record has so many versions and no more."""
        self.child = Child(self.town)
        self.session = self.child.session()
        self.record = one(self.child.record(self.session))
        wait_until(lambda: self.heard("1"), BACK_S, "a clinic does not hear of a first record")
        assert self.child.read(self.child.session(whole_rig.CLINIC_B), whole_rig.CLINIC_B).status == 200

    def heard(self, version):
        """What apps of clinics were told of a version of the record."""
        kept = self.rig.call(whole_rig.CONTROL, "GET", "/kept/clinic-app", cert="operator-local").json()["messages"]
        return [m for m in kept if m["message"].get("immunizationId") == self.record["immunizationId"] and m["message"]["version"] == version]

    def correct(self):
        self.record = one(self.child.correct(self.session, self.record, lotNumber=f"L{int(self.record['version']) % 1000}"))
        return self.record["version"]

    def healthy(self, seconds):
        wait_until(lambda: self.rig.command("status", "--quick").returncode == 0, seconds, f"not healthy within {seconds} s")

    def look_at_all(self, with_control=True):
        self.healthy(BACK_S)
        said = self.rig.command("audit", "verify")
        if said.returncode != 0:
            raise Broken(f"the audit log does not verify: {said.stdout}{said.stderr}")

    def close(self):
        self.rig.close()


class Message(Act):
    """A clinic is told of a correction, with a signature, after that was recorded; at the latest when memory, files and the like are to be had again."""

    GOOD, EVENT = (TOLD,), front_rig.EVENT["NOTICE_SENT"]
    SOON_S, ASK_S = 0.9, 0.03

    def prepare(self):
        if int(self.world.record["version"]) >= VERSIONS:
            self.world.somebody()
        self.before = self.world.log.count(self.EVENT, GIVEN)

    def told_within(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.world.heard(self.version):
                return TOLD
            time.sleep(self.ASK_S)
        return LATER

    def run(self):
        self.version = self.world.correct()
        return self.told_within(self.SOON_S)

    def afterwards(self, answer):
        told = wait_until(lambda: self.world.heard(self.version), BACK_S, f"not told within {BACK_S} s")
        if not all(m["signature"] for m in told):
            raise Broken("told without a signature")
        if self.world.log.count(self.EVENT, GIVEN) <= self.before:
            raise Broken("told without a record")


class Begin(Message):
    """The daemon starts, and the first message goes out."""

    starts, at_most, SOON_S = True, 120, PATIENCE_S

    def prepare(self):
        super().prepare()
        self.version = None

    def run(self):
        self.world.daemon.end()
        return super().run()


WORLDS = {
    "courier": (World, (Message, Begin)),
    "signer": (World, (Message, Begin)),
}
