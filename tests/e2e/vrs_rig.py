"""What VRS is told, over a running system of rig.py: switched on, and asked at the mock."""

import json

from rig import wait_for
from sheet_rig import Town
from vaccine_rig import Child


def turned_on(rig):
    for daemon in ("intake", "front"):
        with open(rig.state / f"conf/{daemon}.yaml", "a") as conf:
            conf.write("vrs_report: yes\n" if daemon == "front" else "vrs_report: yes\nvrs_timeout_ms: 2000\nretry_min_ms: 100\nretry_max_ms: 400\n")
        rig.wait_back(f"pmhgw-{daemon}", rig.kill(f"pmhgw-{daemon}"))
    return Vrs(rig)


class Vrs:
    def __init__(self, rig):
        self.rig, self.town = rig, Town(rig)

    def child(self, **more):
        c = Child(self.town, **more)
        self.rig.canaries.add(c.number)
        return c

    def told(self, number=None, kind=None):
        rows = self.rig.call(10, "GET", "/vrs/told", cert="operator-local").json()["rows"]
        return [r for r in rows if number in (None, r["myNumber"]) and kind in (None, r["kind"], r["content"].get("kind"))]

    def faults(self, **how):
        self.rig.control("PUT", "/faults/vrs", how)

    def refuse(self, n):
        self.rig.control("PUT", "/vrs/refuse", {"rows": n})

    def wait(self, n, number, kind=None, seconds=15):
        return wait_for(f"VRS was told {n} of {kind}", seconds, lambda: len(self.told(number, kind)) >= n and self.told(number, kind))

    def waiting(self):
        return json.loads(self.rig.command("status", "--json").stdout)["vrs"]

    def settled(self, seconds=20):
        """Nothing waits; what was not taken stays."""
        wait_for("nothing waits for VRS", seconds, lambda: self.waiting()["waiting"] == 0)

    def stands(self, number):
        """What VRS has under the number now: of each id the newest, if it is this number's and not deleted."""
        newest = {r["id"]: r for r in self.told()}
        return [r for r in newest.values() if r["myNumber"] == number and r["content"]["status"] != "deleted"]
