"""Every operation of every door, asked so that it is done and so that it is refused, over a running system of rig.py."""

import hashlib
import json
import secrets
import ssl
import subprocess
import time
import urllib.parse

from cryptography.hazmat.primitives import serialization
from jwcrypto import jwe, jwk

import front_rig
import rig as nation
from es256 import b64, jws_of
from intake_rig import row
from rig import CLINIC, MUNICIPAL, ONSHI, PORTAL, ROOT, fresh_number, wait_for
from route_walk import ASK, PROGRAM, Person
from staff_rig import code_of

MUNI, OTHER, DOORS = "331007", "271403", {"municipal": MUNICIPAL, "clinic": CLINIC, "portal": PORTAL}
SUBSIDY = "/v1/medical-subsidy/registration-tasks"
WORDS = "a kettle for the river {}"


class Rig(nation.Rig):
    """With what route_walk.Person asks of a rig."""

    def start(self):
        super().start()
        certs = self.state / "certs"
        subprocess.run([ROOT / "config/dev-ca", certs, "portal-test", "pmhgw:portal/test"], check=True, capture_output=True)
        self.jwe_key = (self.state / "keys/link-jwe.key").read_bytes()
        self.card_key = serialization.load_pem_private_key((certs / "card-attributes.key").read_bytes(), None)
        return self

    mint = front_rig.Rig.mint

    def front(self, door, path, body, media, cert):
        a = self.call(DOORS[door], "POST", path, body, cert={"portal-mynaportal": "portal-test"}.get(cert, cert), headers={"Content-Type": media})
        return front_rig.Answer(a.status, list(a.headers.items()), a.body)

    def ask_front(self, door, path, body, cert):
        return self.front(door, path, json.dumps(body).encode(), "application/json", cert)

    def post_form(self, door, path, form, cert):
        return self.front(door, path, urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded", cert)

    def attributes(self, pseudonym):
        return jws_of(self.card_key, {"aud": "pmhgw", "sub": pseudonym, "portal": "test", "azp": "portal/test", "iat": int(time.time()), "jti": secrets.token_urlsafe(24),
                                      "name": row("")["basicFiveInfo"]["name"], "birthDate": row("")["basicFiveInfo"]["dateOfBirth"]})

    def say(self, method, path, body, **more):
        a = self.muni(MUNI, method, path, body, **more)
        return a.status, json.loads(a.body) if a.body else None

    def wait_task(self, task):
        return self.follow(MUNI, task)

    def pmh_key(self, number):
        a = self.call(ONSHI, "POST", "/onshi/v1/consents", {"card_serial": self.card_of(number), "items": ["eligibility"]}, cert=f"clinic-{nation.CLINIC_A}")
        token = jwe.JWE()
        token.deserialize(a.json()["link_key"], jwk.JWK(kty="oct", k=b64(self.jwe_key)))
        return json.loads(token.payload)["pmh_key"]

    def resident(self):
        key, number = f"jumin-{secrets.token_hex(6)}", fresh_number()
        task = self.register(MUNI, [row(number, municipalityIdentityKey=key)])
        assert task["counts"]["registered"] == 1, task
        return key, number, self.pmh_key(number)

    def linked(self, pmh_key):
        pseudonym = "ps-" + secrets.token_hex(10)
        assert self.ask_front("portal", "/v1/portal/pseudonyms", {"pmh_key": pmh_key, "pseudonym": pseudonym}, "portal-test").status == 204
        return pseudonym


# ---- the municipal door ----

def expect(answer, *status):
    assert answer.status in status, (answer.status, answer.body[:400])
    return answer.json() if answer.body and answer.headers["content-type"].endswith("json") and "ndjson" not in answer.headers["content-type"] else answer


def registrations(rig, person):
    base = {"modificationSeg": "1", "myNumber": person.number, "municipalityIdentityKey": person.key, "basicFiveInfo": row("")["basicFiveInfo"]}
    history = {"isAlwaysReimbursement": "0", "validFrom": "2024-04-01", "validTo": "2024-12-31", "historyKey": "7", "isDeleted": False, "certificationDetail": [{"label": "x"}]}
    rows = {
        nation.HISTORY: [row(person.number, municipalityIdentityKey=person.key, **history)],
        "/v1/municipal-checkup/registration-tasks": [{**base, "isNotDisclosed": False, "checkupTypeId": "gastric", "fiscalYear": "2026"}],
        "/v1/vaccination/subject-registration-tasks": [{**base, "isNotDisclosed": False, "guardianName": "試験　太郎"}],
        "/v1/vaccination/ticket-registration-tasks": [{**base, "vaccinationProgramId": PROGRAM, "ticketNumber": "".join(secrets.choice("0123456789") for _ in range(10)), "doseNumber": "2"}],
        SUBSIDY: [row(fresh_number()), {"myNumber": "1"}, row(fresh_number(), type_id="x y")],
        "/v1/residents/change-tasks": [{"changeType": "moved_out", "municipalityIdentityKey": "nobody", "effectiveDate": "2026-04-01", "operationKey": secrets.token_hex(8)}],
    }
    for path, body in rows.items():
        rig.plant(body)
        task = expect(rig.muni(MUNI, "POST", path, body), 202)["task_id"]
        rig.follow(MUNI, task)
        expect(rig.muni(MUNI, "POST", path, {"rows": body}), 400)
    return task


def held(rig, person):
    """A row that is held for the same number with another name and birth date; released, discarded, replayed."""
    other = row(person.number, name="別人　一郎", born="1950-02-03")
    task = expect(rig.muni(MUNI, "POST", SUBSIDY, [other]), 202)["task_id"]
    rig.follow(MUNI, task)
    at = f"/v1/tasks/{task}"
    assert expect(rig.muni(MUNI, "POST", f"{at}/replay", {"all": True, "officer": "sato"}), 200)["replayed"] == 0
    assert expect(rig.muni(MUNI, "POST", f"{at}/release", {"rows": [1, 9], "officer": "sato"}), 200)["released"] == 1
    expect(rig.muni(MUNI, "POST", f"{at}/discard", {"rows": [1], "officer": "sato"}), 200)
    for order in ("release", "discard", "replay"):
        expect(rig.muni(MUNI, "POST", f"{at}/{order}", {"rows": [1]}), 422)
        expect(rig.muni(MUNI, "POST", f"/v1/tasks/{'0' * 32}/{order}", {"all": True, "officer": "sato"}), 404)


def stream(rig, path):
    """Server-sent events to their end."""
    return rig.muni(MUNI, "GET", path, headers={"Accept": "text/event-stream"})


def files(rig):
    numbers = [fresh_number() for _ in range(3)]
    body = json.dumps([row(n) for n in numbers] + [{"myNumber": "x"}], ensure_ascii=False).encode()
    rig.canaries |= set(numbers)
    ask = {"operation": "postRegistrationTasks", "bytes": len(body), "source": "json", "name": "見本.json", "sha256": hashlib.sha256(body).hexdigest()}
    expect(rig.muni(MUNI, "POST", "/v1/files", {**ask, "operation": "post"}), 422)
    given_up = expect(rig.muni(MUNI, "POST", "/v1/files", {**ask, "mode": "dry_run"}), 201)["file_id"]
    expect(rig.muni(MUNI, "DELETE", f"/v1/files/{given_up}"), 204)
    expect(rig.muni(MUNI, "DELETE", f"/v1/files/{given_up}"), 404)
    file = expect(rig.muni(MUNI, "POST", "/v1/files", ask), 201)["file_id"]
    at, half = f"/v1/files/{file}", len(body) // 2
    octets = {"Content-Type": "application/octet-stream"}
    expect(rig.muni(MUNI, "PUT", at, body[:half], headers={**octets, "Content-Range": f"bytes 0-{half - 1}/{len(body)}"}), 200)
    expect(rig.muni(MUNI, "PUT", at, body[half + 1:], headers={**octets, "Content-Range": f"bytes {half + 1}-{len(body) - 1}/{len(body)}"}), 409)
    assert expect(rig.muni(MUNI, "GET", at), 200)["received"] == half
    expect(rig.muni(MUNI, "PUT", at, body[half:], headers={**octets, "Content-Range": f"bytes {half}-{len(body) - 1}/{len(body)}"}), 202)
    expect(rig.muni(MUNI, "DELETE", at), 409)
    stream(rig, f"/v1/tasks/{file}/events")
    done = rig.follow(MUNI, file)
    assert done["state"] == "done_with_errors", done
    expect(rig.muni(MUNI, "GET", at), 200)
    for query in ("", "?limit=2", "?only=failed"):
        page = expect(rig.muni(MUNI, "GET", f"/v1/tasks/{file}/results{query}"), 200)
    expect(rig.muni(MUNI, "GET", f"/v1/tasks/{file}/results?only=all"), 400)
    expect(rig.muni(MUNI, "GET", f"/v1/tasks/{file}/receipt"), 200)
    undone = expect(rig.muni(MUNI, "POST", f"/v1/tasks/{file}/undo", {}), 202)["task_id"]
    rig.follow(MUNI, undone)
    expect(rig.muni(MUNI, "POST", f"/v1/tasks/{file}/undo", {}), 409)
    dry(rig, ask, body, octets)
    return page


def dry(rig, ask, body, octets):
    file = expect(rig.muni(MUNI, "POST", "/v1/files", {**ask, "mode": "dry_run"}), 201)["file_id"]
    expect(rig.muni(MUNI, "PUT", f"/v1/files/{file}", body, headers=octets), 202)
    rig.follow(MUNI, file)
    broken = b"\xff\xfe no CSV"
    file = expect(rig.muni(MUNI, "POST", "/v1/files", {"operation": "postRegistrationTasks", "bytes": len(broken)}), 201)["file_id"]
    expect(rig.muni(MUNI, "PUT", f"/v1/files/{file}", broken, headers=octets), 202)
    wait_for("the broken file is rejected", 30, lambda: expect(rig.muni(MUNI, "GET", f"/v1/tasks/{file}"), 200)["state"] == "rejected")


def tasks(rig, task):
    expect(rig.muni(MUNI, "GET", "/v1/tasks"), 200)
    expect(rig.muni(MUNI, "GET", f"/v1/tasks/{task}/results"), 200)
    stream(rig, f"/v1/tasks/{task}/events")
    expect(rig.muni(MUNI, "GET", "/v1/tasks?cursor=x"), 400)
    for path in ("", "/results", "/events", "/receipt"):
        expect(rig.muni(MUNI, "GET", f"/v1/tasks/{'0' * 32}{path}"), 404)
    expect(rig.muni(MUNI, "POST", f"/v1/tasks/{task}/undo", {}), 404, 409)


def residents(rig):
    key, _, _ = rig.resident()
    flags = {"municipalityIdentityKey": key, "isNotDisclosed": True, "isViewingStopped": False, "isRecovery": False, "reason": "dv_support"}
    expect(rig.muni(MUNI, "PUT", "/v1/residents/flags", flags), 200)
    expect(rig.muni(MUNI, "PUT", "/v1/residents/flags", {**flags, "municipalityIdentityKey": "nobody"}), 404)
    who = {"municipalityIdentityKey": key}
    expect(rig.muni(MUNI, "POST", "/v1/residents/flags", who), 200)
    expect(rig.muni(MUNI, "PUT", "/v1/residents/flags", {**flags, "isNotDisclosed": False, "reason": "over"}), 200)
    expect(rig.muni(MUNI, "POST", "/v1/residents/flags", who), 200)
    expect(rig.muni(MUNI, "POST", "/v1/residents/flags", {"municipalityIdentityKey": "nobody"}), 404)
    expect(rig.muni(MUNI, "POST", "/v1/residents/flags", flags), 422)
    expect(rig.muni(MUNI, "POST", "/v1/residents/erase", {"municipalityIdentityKey": key, "reason": "no_longer_needed"}), 200)
    expect(rig.muni(MUNI, "POST", "/v1/residents/erase", {"municipalityIdentityKey": key, "reason": "No"}), 422)


def admin(rig, user):
    """Session of a new administrator who has changed the first password."""
    first = rig.command("staff", "add", MUNI, user, "--role", "admin", "--programs", "*", "--reveal").stdout.strip().splitlines()[-1]
    session = expect(rig.muni(MUNI, "POST", "/v1/staff/login", {"user_id": user, "password": first}), 200)["staff_session"]
    expect(rig.muni(MUNI, "POST", "/v1/staff/password", {"password": first, "new_password": WORDS.format(secrets.randbelow(10**9))}, headers={"Pmhgw-Staff": session}), 204)
    return session


def staff(rig, person):
    said = rig.command("staff", "add", MUNI, "ueda", "--role", "admin", "--programs", "*", "--reveal")
    first = said.stdout.strip().splitlines()[-1]

    def ask(path, body, session=None, method="POST"):
        return rig.muni(MUNI, method, path, body, headers={"Pmhgw-Staff": session} if session else {})

    expect(ask("/v1/staff/login", {"user_id": "ueda", "password": "wrong"}), 401)
    session = expect(ask("/v1/staff/login", {"user_id": "ueda", "password": first}), 200)["staff_session"]
    expect(ask("/v1/staff/users", None, session, "GET"), 403)
    words = [WORDS.format(secrets.randbelow(10**9)) for _ in range(2)]
    expect(ask("/v1/staff/password", {"password": first, "new_password": "short"}, session), 422)
    expect(ask("/v1/staff/password", {"password": first, "new_password": words[0]}, session), 204)
    expect(ask("/v1/staff/totp", {"password": "wrong"}, session), 401)
    secret = expect(ask("/v1/staff/totp", {"password": words[0]}, session), 200)["secret"]
    expect(ask("/v1/staff/totp", {"code": code_of(secret)}, session), 204)
    expect(ask("/v1/staff/users", None, session, "GET"), 200)
    for path in ("overview", "series", "certificates"):
        expect(ask(f"/v1/console/{path}", None, session, "GET"), 200)
        expect(ask(f"/v1/console/{path}", None, None, "GET"), 401)
    user = {"display_name": "佐藤　花子", "role": "officer", "programs": ["*"], "from": "2026-01-01", "until": "2099-12-31"}
    expect(ask("/v1/staff/users/sato-hanako", user, session, "PUT"), 201)
    expect(ask("/v1/staff/users/sato-hanako", {**user, "role": "viewer"}, session, "PUT"), 200)
    expect(ask("/v1/staff/users/sato-hanako", {**user, "role": "king"}, session, "PUT"), 422)
    expect(ask("/v1/residents/reveal", {"municipalityIdentityKey": person.key, "purpose": "number_check"}, session), 200)
    expect(ask("/v1/residents/reveal", {"municipalityIdentityKey": "nobody", "purpose": "number_check"}, session), 404)
    expect(ask("/v1/staff/logout", {}, session), 204)
    expect(ask("/v1/staff/logout", {}, session), 401)


def oplog(rig):
    page = expect(rig.muni(MUNI, "GET", "/v1/audit/entries?limit=5"), 200)
    expect(rig.muni(MUNI, "GET", f"/v1/audit/entries?cursor={page['next']}"), 200)
    expect(rig.muni(MUNI, "GET", "/v1/audit/entries?limit=65"), 400)
    expect(rig.muni(MUNI, "GET", "/v1/audit/export?from=2026-01-01"), 200)
    expect(rig.muni(MUNI, "GET", "/v1/audit/export?from=x"), 400)


def vaccination(rig, person):
    for path, wrong in (("questionnaire-templates", "questionnaire-templates/none"), ("questionnaire-templates/walk?version=1", "questionnaire-templates/walk?version=2"),
                        (f"ledger?program={PROGRAM}&first=1&header=yes", "ledger"), ("statistics?small=exact", "statistics?from=2026-01"), (f"due?program={PROGRAM}&list=recall", "due"),
                        ("claims?month=2026-01", "claims"), ("recalls", "recalls?all=yes")):
        expect(rig.muni(MUNI, "GET", f"/v1/vaccination/{path}"), 200)
        expect(rig.muni(MUNI, "GET", f"/v1/vaccination/{wrong}"), 400, 404)
    expect(rig.muni(MUNI, "PUT", "/v1/vaccination/questionnaire-templates/walk", {"id": "walk", "version": "7", "title_ja": "予診票", "programs": [{"vaccinationProgramId": PROGRAM}],
                                                                                  "items": [{"id": "ill", "text_ja": "病気", "type": "yes_no", "required": True}]}), 409)
    ask = {"myNumber": person.number, "previousMunicipalityCode": OTHER, "legalBasis": "90", "consentConfirmed": True}
    task = expect(rig.muni(MUNI, "POST", "/v1/vaccination/inquiries", [ask, {**ask, "legalBasis": "90", "previousMunicipalityCode": "000000"}]), 202)["task_id"]
    rig.follow(MUNI, task)
    expect(rig.muni(MUNI, "GET", f"/v1/tasks/{task}/results"), 200)
    expect(rig.muni(MUNI, "POST", "/v1/vaccination/inquiries", [{**ask, "legalBasis": "9999"}]), 403)
    given = {"requestId": secrets.token_hex(16), "inquirerMunicipalityCode": OTHER, "providerMunicipalityCode": MUNI, "legalBasis": "90", "persons": [{"myNumber": person.number}]}
    answer = expect(rig.call(MUNICIPAL, "POST", "/v1/vaccination/provisions", given, cert="vrs-national"), 200)
    assert answer["persons"][0]["immunizations"], answer
    expect(rig.call(MUNICIPAL, "POST", "/v1/vaccination/provisions", {**given, "persons": []}, cert="vrs-national"), 422)


# ---- all of it ----

def persons(rig):
    """Every operation of clinics and of the citizen, done and refused."""
    done, silent = Person(rig), Person(rig)
    for op, ask in ASK.items():
        answer = ask(done)
        assert answer.status in (200, 204), (op, answer.raw)
    rig.muni(MUNI, "PUT", "/v1/residents/flags", {"municipalityIdentityKey": silent.key, "isNotDisclosed": True, "isViewingStopped": False, "isRecovery": False, "reason": "test"})
    for op, ask in ASK.items():
        assert ask(silent).status == 404, op
    key = rig.mint(done.pmh_key)
    keys = {"link_keys": [key, key, rig.mint(silent.pmh_key), "x"]}
    told = rig.ask_front("clinic", "/v1/clinic/eligibility/list", keys, f"clinic-{nation.CLINIC_A}")
    assert [r.get("problem", {}).get("code") for r in told.json["results"]] == [None, "used", "nothing", "nothing"], told.raw
    assert rig.ask_front("clinic", "/v1/clinic/eligibility/list", {"link_keys": []}, f"clinic-{nation.CLINIC_A}").status == 422
    assert rig.ask_front("clinic", "/v1/clinic/eligibility", {"link_key": key}, f"clinic-{nation.CLINIC_A}").status == 409
    assert done.dose("record", gs1="(01)1").status == 422
    assert done.portal("access-log", limit="2").status == 200 and done.portal("tickets", qr=True).status == 200
    return done


def public(rig):
    for door, path in (("portal", "/.well-known/jwks.json"), ("portal", "/.well-known/webhooks/jwks.json"), ("portal", "/fhir/metadata"), ("clinic", "/fhir/metadata"),
                       ("clinic", "/health"), ("portal", "/health"), ("municipal", "/health")):
        answer = expect(rig.call(DOORS[door], "GET", path), 200)
        expect(rig.call(DOORS[door], "GET", path, b"{}"), 413)
        if path == "/.well-known/jwks.json":
            kid = answer["keys"][0]["kid"]
    expect(rig.call(PORTAL, "GET", f"/.well-known/crl/{kid}.json"), 200)
    expect(rig.call(PORTAL, "GET", "/.well-known/crl/none.json"), 404)
    expect(rig.call(PORTAL, "POST", "/v1/portal/pseudonyms", {"pmh_key": "", "pseudonym": "ps-00000000"}, cert="portal-test"), 422)
    expect(rig.call(MUNICIPAL, "GET", "/metrics", cert="operator-local"), 200)
    expect(rig.call(MUNICIPAL, "GET", "/metrics", cert=f"muni-{MUNI}"), 403)
    expect(rig.call(MUNICIPAL, "POST", "/oauth2/token", b"grant_type=password", cert=f"muni-{MUNI}", headers={"Content-Type": "application/x-www-form-urlencoded"}), 400)


def strangers(rig, doors):
    """Every operation without a certificate, with another's, and without a token."""
    for door, found in doors.items():
        for (method, path), (_, callers, token) in found.items():
            if not callers:
                continue
            where, body = path.replace("{id}", "0" * 32), None if method in ("GET", "DELETE") else b"{}"
            for cert in (None, f"muni-{MUNI}" if door != "municipal" else "portal-test", *([f"muni-{MUNI}"] if token else [])):
                try:
                    assert rig.call(DOORS[door], method, where, body, cert=cert).status in (400, 401, 403, 415), (door, path, cert)
                except (ssl.SSLError, ConnectionError):
                    pass


def walk(rig, doors):
    person = persons(rig)
    task = registrations(rig, person)
    held(rig, person)
    files(rig)
    tasks(rig, task)
    residents(rig)
    staff(rig, person)
    oplog(rig)
    vaccination(rig, person)
    public(rig)
    strangers(rig, doors)
    return person
