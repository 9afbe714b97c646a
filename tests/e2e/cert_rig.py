"""A resident with vaccination records, a portal and a kiosk that apply for its certificates, and the programs of others that verify them."""

import base64
import json
import os
import pathlib
import secrets
import subprocess
import time

from cryptography.hazmat.primitives import serialization
from jwcrypto import jwe, jwk

from es256 import b64, jws_of
from rig import CLINIC, CLINIC_A, ONSHI, PORTAL, ROOT, fresh_number, row_for

NPM = pathlib.Path(ROOT) / "tests/npm"
COVID, JE, COVID_GTIN = "covid-19-special", "japanese-encephalitis", "14599990000167"
BIRTH, NAME = "2019-05-06", "試験　花子"
PASSPORT = {"number": "TK0000000", "nationality": "JPN", "name": "SHIKEN HANAKO"}


class Issuing:
    """What the portal has: the key that signs what cards say, its own certificate at the door."""

    def __init__(self, rig):
        self.rig, certs = rig, rig.state / "certs"
        subprocess.run([ROOT / "config/dev-ca", certs, "portal-test", "pmhgw:portal/test"], check=True, capture_output=True)
        self.key = serialization.load_pem_private_key((certs / "card-attributes.key").read_bytes(), None)

    def attributes(self, person, key=None, header=None, **claims):
        azp = claims.get("azp", "portal/test")
        return jws_of(key or self.key, {
            "aud": "pmhgw", "sub": person.pseudonym, "portal": "test", "azp": azp, "iat": int(time.time()), "jti": secrets.token_urlsafe(24), "name": NAME,
            "birthDate": BIRTH, **claims}, header)

    def post(self, path, body, cert="portal-test"):
        return self.rig.call(PORTAL, "POST", f"/v1/portal/{path}", body, cert=cert)

    def issue(self, person, kind="shc", cert="portal-test", attributes=None, **more):
        body = {"pseudonym": person.pseudonym, "kind": kind, "attributes": attributes or self.attributes(person), **more}
        return self.post("certificates/issue", body, cert)

    def certificates(self, person):
        a = self.post("certificates", {"pseudonym": person.pseudonym})
        assert a.status == 200, a.body
        return a.json()["certificates"]

    def jwks(self):
        a = self.rig.call(PORTAL, "GET", "/.well-known/jwks.json")
        assert a.status == 200, a.body
        assert a.headers["access-control-allow-origin"] == "*"
        return a.json()

    def crl(self, kid):
        a = self.rig.call(PORTAL, "GET", f"/.well-known/crl/{kid}.json")
        assert a.status == 200, a.body
        assert a.headers["access-control-allow-origin"] == "*"
        return a.json()


class Person:
    """Registered, linked to the portal "test", with a clinic's session."""

    def __init__(self, rig, issuing, muni="331007", records=(COVID,)):
        self.rig, self.muni = rig, muni
        self.number, self.key = fresh_number(), f"jumin-{secrets.token_hex(6)}"
        task = rig.register(muni, [row_for(self.number, self.key)])
        assert task["counts"]["registered"] == 1, task
        self.card = rig.card_of(self.number)
        a = rig.call(ONSHI, "POST", "/onshi/v1/consents", {"card_serial": self.card, "items": ["eligibility", "immunizations"], "purpose": "immunization"},
                     cert=f"clinic-{CLINIC_A}")
        assert a.status == 201, a.body
        token = jwe.JWE()
        token.deserialize(a.json()["link_key"], jwk.JWK(kty="oct", k=b64((rig.state / "keys/link-jwe.key").read_bytes())))
        self.pseudonym = "ps-" + secrets.token_hex(10)
        linked = issuing.post("pseudonyms", {"pmh_key": json.loads(token.payload)["pmh_key"], "pseudonym": self.pseudonym})
        assert linked.status == 204, linked.body
        self.session = rig.clinic(a.json()["link_key"]).json()["session"]
        self.doses = [self.record(program, n + 1) for n, program in enumerate(records)]

    def record(self, program=COVID, dose=1, gtin=COVID_GTIN, lot="FC9880", date=None, **more):
        """A dose as the clinic records it: its id and version."""
        self.said = {"municipalityCode": self.muni, "vaccinationProgramId": program, "doseNumber": str(dose), "vaccinationDate": date or f"2024-{3 * dose:02}-01",
                     "gtin": gtin, "lotNumber": lot, "expirationDate": "2026-12-31", "doseQuantity": "0.3", "doseUnit": "mL", "isConsented": True, **more}
        a = self.rig.call(CLINIC, "POST", "/v1/clinic/immunizations/record",
                          {"session": self.session, "requestId": secrets.token_hex(12), "immunization": self.said}, cert=f"clinic-{CLINIC_A}")
        assert a.status in (200, 201), a.body
        return a.json()

    def correct(self, immunization_id, version, cancel=False, **changes):
        body = {"session": self.session, "requestId": secrets.token_hex(12), "immunizationId": immunization_id, "version": str(version), "reason": "wrong_lot"}
        body |= {"cancel": True} if cancel else {"immunization": {**self.said, **changes}}
        a = self.rig.call(CLINIC, "POST", "/v1/clinic/immunizations/correct", body, cert=f"clinic-{CLINIC_A}")
        assert a.status in (200, 201), a.body
        return a.json()

    def flags(self, hidden):
        a = self.rig.muni(self.muni, "PUT", "/v1/residents/flags", {"municipalityIdentityKey": self.key, "isNotDisclosed": hidden, "isViewingStopped": False,
                                                                    "isRecovery": False, "reason": "dv_support"})
        assert a.status == 200, a.body


class SoftToken:
    """A P-256 key in a PKCS#11 token of SoftHSM, in the state directory of the rig."""

    def __init__(self, rig, folder):
        conf, pin, pem = rig.state / "softhsm2.conf", rig.state / "keys/token-pin", folder / "key.pem"
        (rig.state / "tokens").mkdir(mode=0o700)
        conf.write_text(f"directories.tokendir = {rig.state}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        pin.write_text("271828\n")
        pin.chmod(0o600)
        env = {**os.environ, "SOFTHSM2_CONF": str(conf)}
        call = lambda *words: subprocess.run(["softhsm2-util", *words], env=env, check=True, capture_output=True)
        call("--init-token", "--free", "--label", "pmhgw", "--so-pin", "314159", "--pin", "271828")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pem], check=True, capture_output=True)
        call("--import", str(pem), "--token", "pmhgw", "--pin", "271828", "--label", "card", "--id", "a1")
        pem.unlink()
        self.uri = f"pkcs11:token=pmhgw;object=card?pin-source=file:{pin}&module-path=/usr/lib/softhsm/libsofthsm2.so"


def foreign(issuing, certificates):
    """What jose, json-canonicalize, jsQR and node say of each."""
    world = {"jwks": issuing.jwks(), "csca": (issuing.rig.state / "certs/csca.pem").read_text(), "certificates": certificates}
    done = subprocess.run(["node", NPM / "verify-certificates.mjs"], input=json.dumps(world), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def zbar(png, folder):
    """What zbarimg reads in the picture."""
    path = pathlib.Path(folder) / f"{secrets.token_hex(8)}.png"
    path.write_bytes(base64.b64decode(png))
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path], capture_output=True, timeout=30)
    path.unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1").rstrip("\n")
