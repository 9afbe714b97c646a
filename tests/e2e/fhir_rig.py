"""Residents with everything that the FHIR view tells of, and searches at both doors, over a running system of rig.py."""

import secrets
import urllib.parse

from rig import CLINIC, CLINIC_A, PORTAL, fresh_number, row_for
from sheet_rig import GOOD, PROGRAM, SUBJECT, TICKET, Town, answers, doctor, new_id, template
from vaccine_rig import MUNI, digits, gtin, today

CLINIC_TYPES = ("Patient", "Coverage", "Immunization", "QuestionnaireResponse")
PORTAL_TYPES = (*CLINIC_TYPES, "Consent", "AuditEvent")
SCOPE = "eligibility immunizations questionnaire"
FLU_GTIN = gtin(13)
# IVS, private use, four bytes, and the blank between names: kept as they came.
NAMES = ("岡山　太郎", "辻\U000e0100　花子", "\ue000\uf8ff　外字", "𠮷野　家", "Dr. O'Neil \"Q\" <&>", "髙﨑　彅")


def search(rig, door, kind, form, cert=None, method="POST", query="", media="application/x-www-form-urlencoded"):
    port, own = (CLINIC, f"clinic-{CLINIC_A}") if door == "clinic" else (PORTAL, "portal-test")
    body = form if isinstance(form, (bytes, type(None))) else urllib.parse.urlencode(form).encode()
    return rig.call(port, method, f"/fhir/{kind}/_search{query}", body, cert=cert or own, headers={"Content-Type": media} if media else {})


def resources(answer, mode="match"):
    assert answer.status == 200, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/fhir+json"
    return [e["resource"] for e in answer.json().get("entry", []) if e["search"]["mode"] == mode]


def outcome(answer):
    """The status, and the code of the OperationOutcome that every refusal is."""
    doc = answer.json()
    assert answer.headers["content-type"] == "application/fhir+json" and doc["resourceType"] == "OperationOutcome", answer.body
    return answer.status, doc["issue"][0]["details"]["coding"][0]["code"]


class Resident:
    """Of many, registered together: see settle()."""

    def __init__(self, town, i):
        self.town, self.rig, self.i, self.number = town, town.rig, i, fresh_number()
        self.key, self.ticket, self.pseudonym = f"f-{secrets.token_hex(6)}", digits(), "ps-" + secrets.token_hex(10)
        basic = {**row_for("")["basicFiveInfo"], "name": NAMES[i % len(NAMES)], "dateOfBirth": "1950-04-01"}
        self.base = {"modificationSeg": "1", "myNumber": self.number, "municipalityIdentityKey": self.key, "basicFiveInfo": basic}

    def subsidies(self):
        """None, one or two, with more or less in them."""
        i, rows = self.i, []
        for n in range((1, 2, 1, 0)[i % 4] if i else 1):
            more = [{"segment": "A", "incomeSegment": "ウ", "additionalConditions": "01-02;03-04"}, {"isAlwaysReimbursement": "1", "maxCopaymentAmount": {"month": 500}},
                    {"designatedMedicalInstitutions": "3319900019", "certificationName": ""}][(i + n) % 3]
            row = row_for(self.number, self.key, orgSpecificCertificateTypeId=f"KODOMO-0{n + 1}", medicalSubsidyRecipientNumber=f"{i:04}{n:03}", **more)
            row["basicFiveInfo"] = self.base["basicFiveInfo"]
            if (i + n) % 5 == 4:
                del row["medicalSubsidyInsurerNumber"]
            rows.append(row)
        return rows

    def subject(self):
        return {**self.base, "isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{self.ticket}"}

    def ticket_row(self):
        return {**self.base, "vaccinationProgramId": PROGRAM, "ticketNumber": self.ticket, "doseNumber": "1", "validFrom": "2020-04-01", "validTo": "2099-03-31"}

    def link(self):
        self.pmh_key = self.town.pmh_key(self.number)
        assert self.town.portal("pseudonyms", {"pmh_key": self.pmh_key, "pseudonym": self.pseudonym}).status == 204

    def session(self, scope=SCOPE, clinic=CLINIC_A, **more):
        a = self.town.clinic("eligibility", {"link_key": self.town.mint(self.pmh_key, clinic, scope, **more)}, clinic)
        assert a.status == 200, a.body
        return a.json()["session"]

    def dose(self, **more):
        i = self.i
        given = {"municipalityCode": MUNI, "vaccinationProgramId": PROGRAM, "doseNumber": "1", "vaccinationDate": today(), "gtin": FLU_GTIN, "lotNumber": f"L{i}",
                 "expirationDate": today(200 + i % 9), "doseQuantity": "0.5", "doseUnit": "mL", "site": "左上腕", "route": "皮下", "doctorName": NAMES[i % len(NAMES)],
                 "place": "試験会場", "medicalInstitutionCode": CLINIC_A, "manufacturer": "試験製薬", "productName": f"試験ワクチン{NAMES[i % len(NAMES)]}",
                 "implementationSegment": "個別", "vaccinationSegment": "定期", "specialCircumstances": "特になし", "isConsented": True,
                 "isOverseas": i % 7 == 3, "isCautionRequired": i % 6 == 2}
        # Every optional one is missing for somebody.
        optional = ("gtin", "lotNumber", "expirationDate", "doctorName", "place", "medicalInstitutionCode", "site", "route", "manufacturer", "productName",
                    "implementationSegment", "vaccinationSegment", "specialCircumstances")
        for k, name in enumerate(optional):
            if i and (i % (k + 3) == 0):
                del given[name]
        if i and i % 4 == 1:
            del given["doseQuantity"], given["doseUnit"]
        return {**given, **more}

    def vaccinate(self, session):
        body = {"session": session, "requestId": new_id(), "immunization": self.dose()}
        a = self.town.clinic("immunizations/record", body)
        assert a.status == 200, a.body
        if self.i % 5 == 4:  # cancelled, or corrected
            how = {"cancel": True} if self.i % 2 else {"immunization": self.dose(lotNumber="CORRECTED")}
            record = a.json()["immunizations"][0]
            a = self.town.clinic("immunizations/correct", {"session": session, "requestId": new_id(), "immunizationId": record["immunizationId"], "version": record["version"],
                                                           "reason": "typing_error", **how})
            assert a.status == 200, a.body

    def question(self, session):
        """Nothing, a draft, submitted, or completed by the doctor."""
        how = self.i % 4
        if how == 3:
            return
        values = (GOOD, answers(temp="38", ill="yes", what=f"持病 {NAMES[self.i % len(NAMES)]}", egg="mild"))[self.i % 2]
        body = {"pseudonym": self.pseudonym, "requestId": new_id(), "municipalityCode": MUNI, "ticketNumber": self.ticket, "templateId": "flu", "templateVersion": "1",
                "answers": values, "submit": how != 1}
        a = self.town.portal("questionnaires/answer", body)
        assert a.status == 200, a.body
        if how == 0:
            more = {"remarks": "備考 \ue000"} if self.i % 8 else {}
            a = self.town.clinic("questionnaires/complete", doctor(session, a.json(), **more))
            assert a.status == 200, a.body

    def ask(self, kind, session=None, door=None, **more):
        own = {"session": session} if session else {"pseudonym": self.pseudonym}
        return search(self.rig, door or ("clinic" if session else "portal"), kind, {**own, **more})


def settle(rig, n):
    """A town with its template and n residents: registered, linked, each with a session, a dose and a questionnaire. -> (town, residents, their sessions)."""
    town = Town(rig)
    town.put(template())
    people = [Resident(town, i) for i in range(n)]
    for rows, path in (([r for p in people for r in p.subsidies()], None), ([p.subject() for p in people], SUBJECT), ([p.ticket_row() for p in people], TICKET)):
        for at in range(0, len(rows), 100):
            rig.register(MUNI, rows[at:at + 100], **({"path": path} if path else {}))
    sessions = []
    for p in people:
        p.link()
        # Without a subsidy the key is one for vaccinations alone.
        sessions.append(p.session(SCOPE if p.subsidies() else "immunizations questionnaire"))
        p.question(sessions[-1])
        p.vaccinate(sessions[-1])
    return town, people, sessions
