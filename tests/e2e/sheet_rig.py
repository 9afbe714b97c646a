"""Persons with tickets, templates of questionnaires, and the doors at which both are used, over a running system of rig.py."""

import json
import secrets
import subprocess
import types

import front_rig
from jwcrypto import jwe, jwk
from rig import CLINIC as CLINIC_DOOR
from rig import CLINIC_A, PORTAL, ROOT, fresh_number, row_for

SUBJECT = "/v1/vaccination/subject-registration-tasks"
TICKET = "/v1/vaccination/ticket-registration-tasks"
TEMPLATES = "/v1/vaccination/questionnaire-templates"
MUNI, OTHER = "331007", "271403"
PROGRAM = "influenza-elderly"


def yes_no(item, **more):
    return {"id": item, "text_ja": f"{item}ですか", "type": "yes_no", "required": True, **more}


def template(ident="flu", version="1", program=PROGRAM, **more):
    return {"id": ident, "version": version, "title_ja": "インフルエンザ予診票", "title_en": "Flu", "consent_ja": "説明を受け、接種に同意します。",
            "programs": [{"vaccinationProgramId": program}],
            "items": [{"id": "temp", "text_ja": "体温", "type": "number", "required": True, "unfit_if": {"at_least": "37.5"}},
                      yes_no("ill"),
                      {"id": "what", "text_ja": "病名", "type": "text", "required": True, "show_if": {"item": "ill", "equals": "yes"}},
                      {"id": "egg", "text_ja": "卵", "type": "choice", "required": False, "choices": [{"id": "none", "ja": "ない"}, {"id": "mild", "ja": "軽い"}]},
                      yes_no("seen", doctor_only=True)], **more}


def answers(**values):
    return [{"item": k, "value": v} for k, v in values.items()]


GOOD = answers(temp="36.5", ill="no")


def new_id():
    return secrets.token_hex(12)


class Town:
    """The doors, with keys that no card reader has made: link keys and pseudonyms for whom a test has registered."""

    def __init__(self, rig):
        self.rig = rig
        self.signer = types.SimpleNamespace(jwe_key=(rig.state / "keys/link-jwe.key").read_bytes())
        subprocess.run([ROOT / "config/dev-ca", rig.state / "certs", "portal-test", "pmhgw:portal/test"], check=True, capture_output=True)

    def mint(self, pmh_key, clinic=CLINIC_A, scope="eligibility questionnaire", purpose="immunization", **more):
        return front_rig.Rig.mint(self.signer, pmh_key, clinic, scope, purpose=purpose, **more)

    def pmh_key(self, number):
        """Out of the link key that the card reader of the mock nation makes for it."""
        token = jwe.JWE()
        token.deserialize(self.rig.consent(self.rig.card_of(number)))
        token.decrypt(jwk.JWK(kty="oct", k=front_rig.base64.urlsafe_b64encode(self.signer.jwe_key).rstrip(b"=").decode()))
        return json.loads(token.payload)["pmh_key"]

    def portal(self, path, body):
        return self.rig.call(PORTAL, "POST", f"/v1/portal/{path}", body, cert="portal-test")

    def clinic(self, path, body, clinic=CLINIC_A):
        return self.rig.call(CLINIC_DOOR, "POST", f"/v1/clinic/{path}", body, cert=f"clinic-{clinic}")

    def put(self, body, muni=MUNI, ident=None):
        return self.rig.muni(muni, "PUT", f"{TEMPLATES}/{ident or body['id']}", body)

    def get(self, ident, muni=MUNI, query=""):
        return self.rig.muni(muni, "GET", f"{TEMPLATES}/{ident}{query}")


class Person:
    def __init__(self, town, muni=MUNI, program=PROGRAM, **more):
        self.town, self.muni, self.number = town, muni, fresh_number()
        self.key, self.ticket = f"q-{secrets.token_hex(5)}", "".join(secrets.choice("0123456789") for _ in range(10))
        rig = town.rig
        rig.register(muni, [row_for(self.number, self.key)])
        basic = row_for("")["basicFiveInfo"]
        base = {"modificationSeg": "1", "myNumber": self.number, "municipalityIdentityKey": self.key, "basicFiveInfo": basic}
        rig.register(muni, [{**base, "isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{self.ticket}", **more}], SUBJECT)
        rig.register(muni, [{**base, "vaccinationProgramId": program, "ticketNumber": self.ticket, "doseNumber": "1", "validFrom": "2020-04-01",
                             "validTo": "2099-03-31"}], TICKET)
        self.pmh_key = town.pmh_key(self.number)
        self.pseudonym = "ps-" + secrets.token_hex(10)
        a = town.portal("pseudonyms", {"pmh_key": self.pmh_key, "pseudonym": self.pseudonym})
        assert a.status == 204, a.body

    def list(self):
        return self.town.portal("questionnaires", {"pseudonym": self.pseudonym})

    def body(self, values=GOOD, submit=True, **more):
        return {"pseudonym": self.pseudonym, "requestId": new_id(), "municipalityCode": self.muni, "ticketNumber": self.ticket, "templateId": "flu",
                "templateVersion": "1", "answers": values, "submit": submit, **more}

    def answer(self, *args, **more):
        return self.town.portal("questionnaires/answer", self.body(*args, **more))

    def again(self, sheet, *args, **more):
        return self.answer(*args, questionnaireId=sheet["questionnaireId"], version=sheet["version"], **more)

    def session(self, clinic=CLINIC_A, **more):
        a = self.town.clinic("eligibility", {"link_key": self.town.mint(self.pmh_key, clinic, **more)}, clinic)
        assert a.status == 200, a.body
        return a.json()["session"]


def doctor(session, sheet, **more):
    return {"session": session, "requestId": new_id(), "questionnaireId": sheet["questionnaireId"], "version": sheet["version"], "answers": answers(seen="yes"),
            "doctorName": "岡山　太郎", "isUnfit": False, "isExplained": True, "isConsented": True, **more}


def silenced(rig, key, muni=MUNI, hidden=True):
    a = rig.muni(muni, "PUT", "/v1/residents/flags", {"municipalityIdentityKey": key, "isNotDisclosed": hidden, "isViewingStopped": False, "isRecovery": False,
                                                      "reason": "dv_support"})
    assert a.status == 200, a.body


