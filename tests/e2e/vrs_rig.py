"""What VRS is told, over a running system of rig.py: switched on, and asked at the mock."""

import json

from front_rig import Redis
from rig import wait_for
from sheet_rig import Town
from vaccine_rig import Child


def turned_on(rig):
    for daemon in ("intake", "front"):
        conf = rig.state / f"conf/{daemon}.yaml"
        mark, rest = conf.read_text().split("\n", 1)  # without the mark it stays as it is, also after a start
        assert mark.startswith("# Made by pmhgw up")
        conf.write_text(rest + ("vrs_report: yes\n" if daemon == "front" else "vrs_report: yes\nvrs_timeout_ms: 2000\nretry_min_ms: 100\nretry_max_ms: 400\n"))
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


def erase(rig, c):
    a = rig.muni(c.muni, "POST", "/v1/residents/erase", {"municipalityIdentityKey": c.key, "reason": "no_longer_needed"})
    assert a.status == 200, a.body
    return a.json()["erased"]


def link(rig):
    return Redis(rig.state / "run/redis-link.sock", "intake", (rig.state / "keys/redis-link-intake.pass").read_text().strip())


def commands(data):
    """Of an append-only file."""
    at = 0

    def line():
        nonlocal at
        end = data.index(b"\r\n", at)
        text, at = data[at + 1:end], end + 2
        return int(text)

    try:
        while at < len(data):
            words = []
            for _ in range(line()):
                n = line()
                words.append(data[at:at + n])
                at += n + 2
            yield words
    except (IndexError, ValueError):
        return  # it is being written


def kept_at_the_vault(rig):
    """Tickets under which redis-vault keeps a number, by what it has written: nobody may list its names."""
    kept, grant = set(), 23
    for file in sorted((rig.state / "redis-vault").rglob("*.incr.aof")):
        for verb, *words in commands(file.read_bytes()):
            if verb.upper() == b"SET" and words[0].startswith(b"t:") and len(words[1]) > grant:
                kept.add(words[0])
            if verb.upper() == b"DEL":
                kept -= set(words)
    return kept


def nothing_stands(vrs, number):
    wait_for("VRS has nothing of the number any more", 20, lambda: vrs.stands(number) == [])
