"""Persons with tickets, and clinics that record what they give, over a running system of rig.py."""

import datetime
import secrets

from rig import CLINIC_A, fresh_number, row_for
from sheet_rig import SUBJECT, TICKET, Town

MUNI, OTHER = "331007", "271403"
MR, MR_GTIN = "mr-1", "14599990000078"  # as config/vaccines.yaml has them; the GTIN is an example
JST = datetime.timezone(datetime.timedelta(hours=9))


def gtin(product):
    """Of the n-th example product of config/vaccines.yaml."""
    body = f"1459999000{product:03d}"
    return body + str(-sum(int(c) * (3 if i % 2 == 0 else 1) for i, c in enumerate(reversed(body))) % 10)


def today(days=0):
    return (datetime.datetime.now(JST).date() + datetime.timedelta(days=days)).isoformat()


def months_ago(n, days=0):
    """The day of birth of somebody who has been n months old for `days` days (an age is reached on the day before)."""
    d = datetime.datetime.now(JST).date() + datetime.timedelta(days=1 - days)
    at = d.year * 12 + d.month - 1 - n
    y, m = divmod(at, 12)
    return datetime.date(y, m + 1, min(d.day, 28)).isoformat()


def new_id():
    return secrets.token_hex(12)


def digits(n=10):
    return "".join(secrets.choice("0123456789") for _ in range(n))


class Child:
    """Registered with a subject and a ticket; sessions are opened with link keys that no card reader has made."""

    def __init__(self, town: Town, born=None, muni=MUNI, program=MR, dose="1", **more):
        self.town, self.rig, self.muni, self.program, self.dose = town, town.rig, muni, program, dose
        self.born, self.number = born or months_ago(14), fresh_number()
        self.key, self.ticket = f"v-{secrets.token_hex(5)}", digits()
        self.base = {"modificationSeg": "1", "myNumber": self.number, "municipalityIdentityKey": self.key,
                     "basicFiveInfo": {**row_for("")["basicFiveInfo"], "dateOfBirth": self.born}}
        task = self.rig.register(muni, [{**self.base, "isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{self.ticket}", **more}], SUBJECT)
        assert task["rows"][0]["result"] == "registered", task
        assert self.add_ticket(self.ticket)["rows"][0]["result"] == "registered"
        self.pmh_key = town.pmh_key(self.number)
        self.pseudonym = "ps-" + secrets.token_hex(10)
        assert town.portal("pseudonyms", {"pmh_key": self.pmh_key, "pseudonym": self.pseudonym}).status == 204

    def add_ticket(self, number, **more):
        return self.rig.register(self.muni, [{**self.base, "vaccinationProgramId": self.program, "ticketNumber": number, "doseNumber": self.dose,
                                              "validFrom": "2020-04-01", "validTo": "2099-03-31", **more}], TICKET)

    def line(self, ticket=None, muni=None, dose=None):
        return f"2{dose or self.dose}{muni or self.muni}{ticket or self.ticket}"

    def read_ticket(self, clinic=CLINIC_A, **more):
        return self.town.clinic("tickets/read", {"ticketLine": self.line(), "dateOfBirth": self.born, **more}, clinic)

    def session(self, clinic=CLINIC_A, scope="immunizations questionnaire", **more):
        a = self.town.clinic("eligibility", {"link_key": self.town.mint(self.pmh_key, clinic, scope, **more)}, clinic)
        assert a.status == 200, a.body
        return a.json()["session"]

    def dose_of(self, **more):
        """An immunization that breaks no rule."""
        given = {"municipalityCode": self.muni, "vaccinationProgramId": self.program, "doseNumber": "1", "vaccinationDate": today(), "gtin": gtin(7),
                 "lotNumber": "A1B2", "expirationDate": today(300), "doseQuantity": "0.5", "doseUnit": "mL", "site": "left_arm", "doctorName": "岡山　太郎",
                 "place": "試験診療所", "isConsented": True}
        return {k: v for k, v in {**given, **more}.items() if v is not None}

    def record(self, session, clinic=CLINIC_A, request=None, gs1=None, **more):
        body = {"session": session, "requestId": request or new_id(), "immunization": self.dose_of(**more)}
        return self.town.clinic("immunizations/record", {**body, **({"gs1": gs1} if gs1 else {})}, clinic)

    def correct(self, session, record, clinic=CLINIC_A, request=None, version=None, cancel=False, reason="typing_error", **more):
        body = {"session": session, "requestId": request or new_id(), "immunizationId": record["immunizationId"], "version": version or record["version"],
                "reason": reason, **({"cancel": True} if cancel else {"immunization": self.dose_of(**more)})}
        return self.town.clinic("immunizations/correct", body, clinic)

    def read(self, session, clinic=CLINIC_A):
        return self.town.clinic("immunizations", {"session": session}, clinic)

    def own(self, path="immunizations"):
        return self.town.portal(path, {"pseudonym": self.pseudonym})


def one(answer):
    assert answer.status == 200, answer.body
    return answer.json()["immunizations"][0]


def rules(answer):
    """Rules that were broken; the status has to say so."""
    body = answer.json()
    assert answer.status == 422 and body["code"] == "rules_broken", body
    return [r["rule"] for r in body["rules"]]


def warned(answer):
    assert answer.status == 200, answer.body
    return [w["rule"] for w in answer.json()["warnings"]]


def heard(answer):
    return answer.status, answer.json().get("code") if answer.body else None
