"""The intake of intake_rig and a front over one redis-link: what a municipality says about a resident is heard, or not, at the doors of clinics and portal."""

import json
import secrets
import subprocess
import time
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import front_rig
import intake_rig
from es256 import jws_of
from front_rig import CLINIC, Answer
from intake_rig import BIN, MUNIS, ROOT, free_port, number, row, wait_for

PORTAL_CERT, CLINIC_CERT = "portal-mynaportal", f"clinic-{CLINIC}"
LINK = "/v1/clinic/eligibility", "/v1/clinic/session"


class Rig(intake_rig.Rig):
    def __init__(self, state, workers=2, front_settings=None, **settings):
        self.workers, self.contexts, self.front_settings = workers, {}, front_settings or {}
        self.ports = {"clinic": free_port(), "portal": free_port()}
        super().__init__(state, **settings)

    def _certs(self):
        super()._certs()
        subprocess.run([ROOT / "config" / "dev-ca", self.dir / "certs", PORTAL_CERT, "pmhgw:portal/mynaportal"], check=True)
        for signer in ("statements", "card-attributes"):
            subprocess.run([ROOT / "config" / "dev-ca", self.dir / "certs", signer], check=True)

    def _ring(self, name, kinds, entries):
        master = secrets.token_bytes(32)
        out = b"PMHGWKR1"
        for kind, ident in entries:
            head, nonce, key = bytes([kinds[kind]]) + ident.encode().ljust(16, b"\0"), secrets.token_bytes(12), secrets.token_bytes(32)
            out += head + b"\x01" + nonce + AESGCM(master).encrypt(nonce, key, head)
            if kind == "LINK_JWE":
                self.jwe_key = key
        self._secret(f"{name}.master", master)
        self._secret(f"{name}.ring", out)

    def _keys(self):
        super()._keys()
        self._secret("redis-link-front.pass", secrets.token_hex(32).encode())
        self._ring("signer", {"SIGN_SHC": 32}, [("SIGN_SHC", "1")])
        for cap in ("cap-front-signer", "cap-ctl-signer"):
            self._secret(cap, secrets.token_bytes(32))

    def _confs(self):
        super()._confs()
        d, key = str(self.dir), lambda n: f"{self.dir}/keys/{n}"
        self._redis_conf("redis-link", {"redis-link-intake": self._acl("intake"), "redis-link-front": self._acl("front"), "redis-link-test": "~* +@all"})
        self._yaml("signer", signer_socket=f"{d}/run/signer.sock", signer_cap_front_file=key("cap-front-signer"), signer_cap_ctl_file=key("cap-ctl-signer"),
                   signer_ring=key("signer.ring"), signer_master=key("signer.master"))
        self._yaml("front", audit_socket=f"{d}/run/audit.sock", audit_cap_file=key("cap-front-audit"), link_ring=key("link.ring"),
                   link_master=key("link.master"), redis_link_socket=f"{d}/run/redis-link.sock", redis_link_user="front",
                   redis_link_pass_file=key("redis-link-front.pass"), clinic_port=self.ports["clinic"], portal_port=self.ports["portal"],
                   workers=self.workers, door_cert=f"{d}/certs/doors.pem", door_key=f"{d}/certs/doors.key", door_ca=f"{d}/certs/ca.pem",
                   legal_basis_file=str(ROOT / "config" / "legal-basis.yaml"), institutions_file=str(ROOT / "config" / "institutions.yaml"),
                   vaccines_file=str(ROOT / "config" / "vaccines.yaml"),
                   statement_cert=f"{d}/certs/statements.pem", statement_key=f"{d}/certs/statements.key",
                   certificate_signer=f"{d}/run/signer.sock", certificate_signer_cap_file=key("cap-front-signer"),
                   certificate_issuer=f"https://127.0.0.1:{self.ports['portal']}", attributes_cert=f"{d}/certs/card-attributes.pem", **self.front_settings)

    def up(self, pmh=True):
        super().up(pmh)
        self.start("signer")
        self.start("front")
        wait_for(lambda: all(self.front("GET", "/health", door=d) == 200 for d in ("clinic", "portal") for _ in range(6)), 20, "front")
        return self

    # ---- the doors of the front ----

    def context(self, cert):
        if cert not in self.contexts:
            self.contexts[cert] = super().context(cert)
        return self.contexts[cert]

    def front(self, method, path, door):
        try:
            return front_rig.Rig.call(self, *(door, method, path)).status
        except OSError:
            return 0

    def attributes(self, pseudonym, **claims):
        """What the portal says of the card of whom row() registers."""
        key = serialization.load_pem_private_key((self.dir / "certs" / "card-attributes.key").read_bytes(), None)
        return jws_of(key, {"aud": "pmhgw", "sub": pseudonym, "portal": "mynaportal", "azp": "portal/mynaportal", "iat": int(time.time()), "jti": secrets.token_urlsafe(24),
                            "name": row("")["basicFiveInfo"]["name"], "birthDate": row("")["basicFiveInfo"]["dateOfBirth"], **claims})

    def ask_front(self, door, path, body, cert):
        return self.send_front(door, path, json.dumps(body), "application/json", cert)

    def post_form(self, door, path, form, cert):
        return self.send_front(door, path, urllib.parse.urlencode(form), "application/x-www-form-urlencoded", cert)

    def send_front(self, door, path, body, media, cert):
        con = front_rig.http.client.HTTPSConnection("127.0.0.1", self.ports[door], context=self.context(cert), timeout=10)
        try:
            con.request("POST", path, body=body, headers={"Content-Type": media})
            answer = con.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            con.close()

    def mint(self, pmh_key, **more):
        return front_rig.Rig.mint(self, pmh_key, **more)

    def look_up(self, pmh_key, **more):
        return self.ask_front("clinic", LINK[0], {"link_key": self.mint(pmh_key, **more)}, CLINIC_CERT)

    def read_session(self, session):
        return self.ask_front("clinic", LINK[1], {"session": session}, CLINIC_CERT)

    def link(self, pmh_key, pseudonym):
        return self.ask_front("portal", "/v1/portal/pseudonyms", {"pmh_key": pmh_key, "pseudonym": pseudonym}, PORTAL_CERT)

    def ask(self, pseudonym):
        return self.ask_front("portal", "/v1/portal/eligibility", {"pseudonym": pseudonym}, PORTAL_CERT)

    # ---- the municipal door ----

    def own_token(self, cert="muni-331007"):
        key, now = f"token {cert}", time.monotonic()
        if key not in self.logs or self.logs[key][1] < now:
            self.logs[key] = self.token(cert), now + 240
        return self.logs[key][0]

    def say(self, method, path, body, cert="muni-331007"):
        return self.call(method, path, json.dumps(body).encode(), cert, self.own_token(cert))

    def flags(self, key, hidden=False, stopped=False, recovery=False, cert="muni-331007", reason="dv_support"):
        return self.say("PUT", "/v1/residents/flags", {"municipalityIdentityKey": key, "isNotDisclosed": hidden, "isViewingStopped": stopped,
                                                       "isRecovery": recovery, "reason": reason}, cert)

    def flags_now(self, key, cert="muni-331007"):
        return self.say("POST", "/v1/residents/flags", {"municipalityIdentityKey": key}, cert)

    def erase(self, key, cert="muni-331007"):
        return self.say("POST", "/v1/residents/erase", {"municipalityIdentityKey": key, "reason": "no_longer_needed"}, cert)

    def change(self, kind, key, cert="muni-331007", day="2026-01-01", **more):
        status, doc = self.say("POST", "/v1/residents/change-tasks", [{"changeType": kind, "municipalityIdentityKey": key, "effectiveDate": day,
                                                                       "operationKey": secrets.token_hex(8), **more}], cert)
        assert status == 202, doc
        return self.call("GET", f"/v1/tasks/{doc['task_id']}", None, cert, self.own_token(cert))[1]["rows"][0]

    def resident(self, key=None, cert="muni-331007", num=None, **more):
        """A registered resident: (resident key, number, PMH key)."""
        key, num = key or f"jumin-{secrets.token_hex(6)}", num or number(secrets.randbelow(10**11))
        task = self.register_done([row(num, municipalityIdentityKey=key, **more)], cert)
        assert task["counts"]["registered"] == 1, task
        return key, num, self.pmh.key_of(num)

    def linked(self, pmh_key):
        """Its pseudonym at the portal."""
        pseudonym = "ps-" + secrets.token_hex(10)
        assert self.link(pmh_key, pseudonym).status == 204
        return pseudonym

    def fields(self, pmh_key):
        return [f for f in self.redis("redis-link", "HKEYS", self.name_of(pmh_key)) if f]

    def name_of(self, pmh_key):
        """p:{h}, by way of the name of a use."""
        out = subprocess.run([BIN / "pmhgw-test-seed", "used", self.dir / "keys/link.ring", self.dir / "keys/link.master", pmh_key, "x" * 16],
                             check=True, capture_output=True, text=True).stdout
        return "p:" + out.split(":")[1]

    def handle(self, pmh_key):
        out = subprocess.run([BIN / "pmhgw-test-seed", "handle", self.dir / "keys/link.ring", self.dir / "keys/link.master", pmh_key],
                             check=True, capture_output=True, text=True).stdout
        return bytes.fromhex(out.split()[0])

    def records(self):
        """Every audit record: event, result, reason, subject, muni, count, epoch."""
        num = lambda r, lo, hi: int.from_bytes(r[lo:hi], "big")
        for path in sorted((self.dir / "audit").glob("audit-*.log")):
            data = path.read_bytes()[64:]
            for at in range(0, len(data) - 207, 208):
                r = data[at:at + 160]
                if any(r):
                    yield {"event": num(r, 2, 4), "result": r[1], "reason": num(r, 4, 6), "subject": r[40:56], "muni": r[28:34].decode(),
                           "count": num(r, 24, 28), "epoch": num(r, 136, 144), "actor": r[56:120].rstrip(b"\0").decode()}

    def last(self, event):
        return [r for r in self.records() if r["event"] == front_rig.EVENT[event]][-1]


def heard(answer):
    doc = answer.json or {}
    if doc.get("resourceType") == "OperationOutcome":
        return answer.status, doc["issue"][0]["details"]["coding"][0]["code"]
    return answer.status, doc.get("code")


NOTHING = (404, "nothing")
__all__ = ["Rig", "heard", "NOTHING", "MUNIS", "number", "row", "wait_for"]
