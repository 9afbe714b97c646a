"""The worlds and acts of the fault sweeps: what is done while a call fails, and what has to be true afterwards."""

import base64
import http.client
import json
import os
import secrets
import ssl
import subprocess
import time

import torture
from torture import BACK_S, PATIENCE_S, Broken, wait_until

import canary
import front_rig
import intake_rig
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

GIVEN = 0
CLOSED, SILENT = "closed", "silent"


def problem_codes():
    return {line.split('"')[1] for line in (front_rig.ROOT / "gateway/base/errors.def").read_text().splitlines() if line.startswith("X(")}


CODES = problem_codes()


class Log:
    """The audit log as it grows: how many records there are of an event and a result."""

    def __init__(self, folder):
        self.folder, self.at, self.counts = folder, {}, {}

    def count(self, event, result):
        for path in sorted(self.folder.glob("audit-*.log")):
            with open(path, "rb") as f:
                f.seek(self.at.setdefault(path, 64))
                data = f.read()
            used = 0
            while len(data) - used >= 208 and any(data[used:used + 160]):
                rec = data[used:used + 160]
                name = int.from_bytes(rec[2:4], "big"), rec[1]
                self.counts[name] = self.counts.get(name, 0) + 1
                used += 208
            self.at[path] += used
        return self.counts.get((event, result), 0)


class World:
    """A rig, one daemon of it tortured."""

    def __init__(self, rig, name):
        self.rig, self.log = rig, Log(rig.dir / "audit")
        self.daemon = torture.Daemon(rig, name)
        rig.up()

    def close(self):
        torture.stop(self.rig)

    def look_at_all(self, with_control=True):
        """What must be true at the end of a run."""
        self.healthy(BACK_S)

    def ask(self, port, method, path, body=None, cert=None, headers=None):
        """(status or CLOSED or SILENT, what was read). An answer that is neither 2xx nor a problem document of ours breaks a promise."""
        con = http.client.HTTPSConnection("127.0.0.1", port, context=self.context(cert), timeout=PATIENCE_S)
        try:
            con.request(method, path, body, {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})})
            answer = con.getresponse()
            text = answer.read()
            with open(self.rig.dir / "captured", "ab") as f:
                f.write(text + b"\n")
        except TimeoutError:
            return SILENT, None
        except (OSError, http.client.HTTPException):
            return CLOSED, None
        finally:
            con.close()
        doc = json.loads(text) if text else {}
        if answer.status >= 300 and (answer.getheader("Content-Type") != "application/problem+json" or doc.get("code") not in CODES):
            raise Broken(f"{answer.status} that is no problem document of ours: {text[:200]!r}")
        return answer.status, doc

    def asked(self, *args, **more):
        """The status alone; silence breaks a promise."""
        status, doc = self.ask(*args, **more)
        if status == SILENT:
            raise Broken(f"no answer within {PATIENCE_S} s")
        return status, doc


class FrontWorld(World):
    """Clinic and portal doors over an audit log and a Redis."""

    def __init__(self, folder, name):
        super().__init__(front_rig.Rig(folder, workers=1), name)
        self.person = self.rig.person()
        assert self.rig.link(self.person, "ps-torture-0001").status == 204
        self.context, self.seal = self.rig.context, AESGCM(self.rig.jwe_key)
        self.kid, self.extra = "k1", 0

    def healthy(self, seconds):
        def is_now():
            self.daemon.revive()
            return "front" in self.rig.procs and self.rig.healthy()
        wait_until(is_now, seconds, f"not healthy within {seconds} s")

    def look_at_all(self, with_control=True):
        super().look_at_all(with_control)
        said = subprocess.run([front_rig.BIN / "pmhgw", "audit", "verify", "--state", self.rig.dir], capture_output=True, text=True, timeout=120)
        if said.returncode != 0:
            raise Broken(f"the audit log does not verify: {said.stdout}{said.stderr}")

    def mint(self, kid="k1"):
        return front_rig.quick_mint(self.seal, self.person, kid=kid)

    def clinic(self, path, body):
        return self.asked(self.rig.ports["clinic"], "POST", path, json.dumps(body), f"clinic-{front_rig.CLINIC}")

    def citizen(self):
        return self.asked(self.rig.ports["portal"], "POST", "/v1/portal/eligibility", json.dumps({"pseudonym": "ps-torture-0001"}), "portal-mynaportal")

    def write_ring(self, kid):
        """The ring with one more key of link keys, the one that `kid` names; an atomic exchange, as `pmhgw keys` makes it."""
        keys = self.rig.dir / "keys"
        if not hasattr(self, "ring"):
            self.ring = (keys / "link.ring").read_bytes()
        head, nonce = bytes([intake_rig.LINK_KINDS["LINK_JWE"]]) + kid.encode().ljust(16, b"\0"), secrets.token_bytes(12)
        sealed = AESGCM((keys / "link.master").read_bytes()).encrypt(nonce, self.rig.jwe_key, head)
        new = keys / "link.ring.new"
        new.touch(mode=0o600)
        new.write_bytes(self.ring + head + b"\x01" + nonce + sealed)
        os.replace(new, keys / "link.ring")


class IntakeWorld(World):
    """The municipal door over audit log, vault, two Redis and a PMH of our own."""

    def __init__(self, folder, name):
        super().__init__(intake_rig.Rig(folder), name)
        self.contexts, self.numbers = {}, []
        self.token = self.rig.token()

    def context(self, cert):
        if cert not in self.contexts:
            self.contexts[cert] = self.rig.context(cert)
        return self.contexts[cert]

    def healthy(self, seconds):
        def is_now():
            self.daemon.revive()
            return self.rig.health()[0] == 200
        wait_until(is_now, seconds, f"not healthy within {seconds} s")

    def close(self):
        self.rig.pmh.stop()
        super().close()

    def look_at_all(self, with_control=True):
        """No number anywhere but in the memory of who needs it; and the search finds one that is there."""
        super().look_at_all(with_control)
        known = self.rig.dir / "canaries"
        known.write_text("".join(n + "\n" for n in self.numbers or [self.number()]))
        places = [self.rig.dir / name for name in ("log", "audit", "redis-link", "redis-vault", "conf", "run", "captured", "spool")]
        pids = [self.rig.procs["audit"].pid] if os.geteuid() == 0 else []
        report = canary.search(known, [p for p in places if p.exists()], pids)
        if report["control_in_file"] != report["kinds"] or report["control_in_memory"] != report["kinds"]:
            raise Broken("the control was not found")
        if report["hits"]:
            raise Broken(f"individual numbers downstream: {report['found']}")
        missing = canary.control(self.rig)[1] if with_control else None
        if missing:
            raise Broken(f"forms that the search does not find: {missing}")

    def number(self):
        self.numbers.append(intake_rig.number(secrets.randbelow(10 ** 11)))
        return self.numbers[-1]

    def municipal(self, method, path, body=None):
        return self.asked(self.rig.port, method, path, body, "muni-331007", {"Authorization": f"Bearer {self.token}"})

    def task(self, task_id):
        """The task when it is done, else None."""
        status, doc = self.municipal("GET", f"/v1/tasks/{task_id}")
        return doc if status == 200 and doc["state"].startswith("done") else None


# ---- acts ----

class Act:
    GOOD, starts, at_most = (200,), False, None  # at_most: places of each kind of call in a sweep, where a place takes long

    def __init__(self, world):
        self.world, self.name = world, type(self).__name__.lower()

    def prepare(self):
        pass

    def again(self, ask, good):
        """A normal request, until one of the good answers comes."""
        def once():
            self.world.daemon.revive()
            try:
                status, doc = ask()
            except (ssl.SSLError, OSError):
                return None
            return (status, doc) if status in good else None
        return wait_until(once, BACK_S, f"a normal request does not work within {BACK_S} s")

    def recorded(self, event, before, answer):
        if answer == 200 and self.world.log.count(event, GIVEN) <= before:
            raise Broken("answered 200 without a record")


class Lookup(Act):
    """A clinic's lookup: the link key opens at most once."""

    EVENT = front_rig.EVENT["CLINIC_LOOKUP"]

    def prepare(self):
        self.key, self.before = self.world.mint(), self.world.log.count(self.EVENT, GIVEN)

    def run(self):
        return self.world.clinic("/v1/clinic/eligibility", {"link_key": self.key})[0]

    def afterwards(self, answer):
        self.recorded(self.EVENT, self.before, answer)
        status, _ = self.again(lambda: self.world.clinic("/v1/clinic/eligibility", {"link_key": self.key}), (200, 409))
        if (answer, status) == (200, 200):
            raise Broken("a link key opened twice")
        if status != 200:  # so that every point ends with something that works
            key = self.world.mint()
            self.again(lambda: self.world.clinic("/v1/clinic/eligibility", {"link_key": key}), (200, 409))


class DayList(Act):
    """A clinic's day list with one key twice: each opens at most once, and what is told of each is true."""

    EVENT, at_most = front_rig.EVENT["CLINIC_LOOKUP"], 300

    def prepare(self):
        self.keys, self.before = [self.world.mint() for _ in range(3)], self.world.log.count(self.EVENT, GIVEN)
        self.keys.append(self.keys[0])
        self.opened = set()

    def send(self):
        status, doc = self.world.clinic("/v1/clinic/eligibility/list", {"link_keys": self.keys})
        if status != 200:
            return status, None
        heard = [r["problem"]["code"] if "problem" in r else 200 for r in doc["results"]]
        if not {h for h in heard if h != 200} <= CODES:
            raise Broken(f"a problem that is none of ours: {heard}")
        return status, heard

    def told(self, heard):
        for key, what in zip(self.keys, heard or ()):
            if what == 200 and key in self.opened:
                raise Broken("a link key of a list opened twice")
            if what == 200:
                self.opened.add(key)

    def run(self):
        status, heard = self.send()
        self.told(heard)
        if heard and self.world.log.count(self.EVENT, GIVEN) < self.before + heard.count(200):
            raise Broken("told without a record")
        return status

    def settled(self):
        """Every key is good or used."""
        status, heard = self.send()
        self.told(heard)
        return (200 if heard and set(heard) <= {200, "used"} else 503), heard

    def afterwards(self, answer):
        self.again(self.settled, (200,))
        if self.again(self.settled, (200,))[1] != ["used"] * len(self.keys):
            raise Broken("a key of a list is good for ever")


class Session(Act):
    EVENT = front_rig.EVENT["SESSION_READ"]

    def prepare(self):
        key = self.world.mint()
        self.session = self.world.clinic("/v1/clinic/eligibility", {"link_key": key})[1].get("session")
        if not self.session:
            raise Broken("no session to read")
        self.before = self.world.log.count(self.EVENT, GIVEN)

    def ask(self):
        return self.world.clinic("/v1/clinic/session", {"session": self.session})

    def run(self):
        return self.ask()[0]

    def afterwards(self, answer):
        self.recorded(self.EVENT, self.before, answer)
        self.again(self.ask, (200,))


class Citizen(Act):
    EVENT = front_rig.EVENT["CITIZEN_LOOKUP"]

    def prepare(self):
        self.before = self.world.log.count(self.EVENT, GIVEN)

    def run(self):
        return self.world.citizen()[0]

    def afterwards(self, answer):
        self.recorded(self.EVENT, self.before, answer)
        self.again(self.world.citizen, (200,))


class Rotation(Act):
    """Another key for link keys is taken up; one that fails is tried again."""

    at_most = 250

    def prepare(self):
        self.world.extra += 1
        self.kid = f"x{self.world.extra}"

    def look_up(self):
        return self.world.clinic("/v1/clinic/eligibility", {"link_key": self.world.mint(self.kid)})

    def run(self):
        self.world.write_ring(self.kid)
        end, status = time.monotonic() + 1.5, 404
        while status != 200 and time.monotonic() < end:
            time.sleep(0.05)
            status = self.look_up()[0]
        return status

    def afterwards(self, answer):
        self.again(self.look_up, (200,))


class Register(Act):
    """A row is registered: what was acknowledged is done, and what was not can be sent again."""

    GOOD, EVENT = (202,), front_rig.EVENT["REGISTRATION"]

    def prepare(self):
        self.before, self.asked = self.world.log.count(self.EVENT, GIVEN), self.world.rig.pmh.entries
        self.body, self.acknowledged = json.dumps([intake_rig.row(self.world.number())]), None

    def send(self):
        return self.world.municipal("POST", "/v1/medical-subsidy/registration-tasks", self.body)

    def run(self):
        status, doc = self.send()
        if status == 202:
            self.acknowledged = doc["task_id"]
            end = time.monotonic() + 0.6
            while self.world.rig.pmh.entries == self.asked and time.monotonic() < end:  # asking the door would be more calls that fail
                time.sleep(0.01)
            time.sleep(0.08)
        return status

    def afterwards(self, answer):
        if answer == 202 and self.world.log.count(self.EVENT, GIVEN) <= self.before:
            raise Broken("acknowledged without a record")
        if not self.acknowledged:
            self.acknowledged = self.again(self.send, (202,))[1]["task_id"]
        task = wait_until(lambda: self.world.task(self.acknowledged), BACK_S, "an acknowledged registration does not end")
        if task["counts"]["registered"] + task["counts"]["unchanged"] != 1:
            raise Broken(f"an acknowledged registration is not there: {task}")
        again = self.again(self.send, (202,))[1]["task_id"]
        task = wait_until(lambda: self.world.task(again), BACK_S, "a second registration does not end")
        if task["counts"]["unchanged"] != 1:
            raise Broken(f"a registered row is not found again: {task}")


class Start(Act):
    """The daemon starts: it serves, or it ends and says so."""

    GOOD, starts, at_most = ("serves",), True, 150

    def prepare(self):
        self.world.daemon.end()

    def serves(self):
        try:
            return self.world.rig.get("clinic", "/health").status == 200 if isinstance(self.world, FrontWorld) else self.world.rig.health()[0] == 200
        except OSError:
            return False

    def run(self):
        rig, name = self.world.rig, self.world.daemon.name
        rig.start(name)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if rig.procs[name].poll() is not None:
                return "ended"
            if self.serves():
                return "serves"
            time.sleep(0.02)
        return "neither"

    def afterwards(self, answer):
        if answer == "neither":
            raise Broken(f"neither serves nor has ended after {PATIENCE_S} s")
        def is_now():
            self.world.daemon.revive()
            return self.serves()
        wait_until(is_now, BACK_S, f"does not serve within {BACK_S} s")


WORLDS = {
    "front": (FrontWorld, (Lookup, DayList, Session, Citizen, Rotation, Start)),
    "intake": (IntakeWorld, (Register, Start)),
    "vault": (IntakeWorld, (Register, Start)),
    "audit": (FrontWorld, (Lookup, Start)),
    "audit-of-registrations": (IntakeWorld, (Register,)),
}
