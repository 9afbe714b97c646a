"""The table that covers every route of every door: how a person's data would be asked for there, or why none can be had. A route without a row
makes test_routes.py fail, so that no new route can forget the stops of docs/access.md."""

import json
import secrets
import subprocess
import time

from person_rig import BIN, CLINIC_CERT, PORTAL_CERT, Rig, heard, row

NO_DATA = "tells nothing about a person"
OWN = "a municipality's own: tells it what it registered itself, never medical data of others, and ids of tasks rather than persons"
STAFF = "about members of staff, not persons"
SUBJECT, TICKET, PROGRAM, BORN = "subject", "ticket", "japanese-encephalitis-2", "2013-01-01"
GTIN = "14599990000105"  # of a product that certificates have a code for
NUMBER = "a municipality's own number of its own resident; flags hide a person downstream, not from its municipality (docs/staff.md)"


class Person:
    """Registered, consented, with a session and a pseudonym: every route speaks."""

    def __init__(self, rig: Rig):
        self.rig = rig
        self.key, self.number, self.pmh_key = rig.resident()
        self.consent = f"consent-{secrets.token_hex(8)}"
        answer = self.ask("lookUpEligibility")
        assert answer.status == 200, answer.raw
        self.vaccinate()
        answer = self.ask("lookUpEligibility")
        self.session, self.pseudonym = answer.json["session"], rig.linked(self.pmh_key)
        book = self.portal("consents").json
        self.question()
        self.session_id, self.consent_id = book["sessions"][0]["session_id"], book["consents"][0]["consent_id"]
        assert self.clinic("/v1/clinic/eligibility", {"link_key": rig.mint(self.pmh_key, consent_id=f"spare-{secrets.token_hex(8)}")}).status == 200
        issued = self.ask("issueCertificate")
        assert issued.status == 200, issued.raw
        self.certificate = issued.json["certificates"][0]["certificate_id"]
        self.spare = [c["consent_id"] for c in self.portal("consents").json["consents"] if c["consent_id"] != self.consent_id][0]

    def vaccinate(self):
        """Subject, ticket, a session of its own under the same consent, and a dose that is recorded and corrected."""
        base = {"modificationSeg": "1", "myNumber": self.number, "municipalityIdentityKey": self.key, "basicFiveInfo": row("")["basicFiveInfo"]}
        self.ticket = "".join(secrets.choice("0123456789") for _ in range(10))
        for path, more in ((SUBJECT, {"isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{self.ticket}"}),
                           (TICKET, {"vaccinationProgramId": PROGRAM, "ticketNumber": self.ticket, "doseNumber": "1"})):
            status, doc = self.rig.say("POST", f"/v1/vaccination/{path}-registration-tasks", [{**base, **more}])
            assert status == 202, doc
            assert self.rig.wait_task(doc["task_id"])["counts"]["registered"] == 1
        answer = self.clinic("/v1/clinic/eligibility", {"link_key": self.rig.mint(self.pmh_key, consent_id=self.consent, scope="immunizations questionnaire", purpose="immunization")})
        assert answer.status == 200, answer.raw
        self.visit, self.requests = answer.json["session"], [secrets.token_hex(12) for _ in range(2)]
        answer = self.dose("record")
        assert answer.status == 200, answer.raw
        self.record = answer.json["immunizations"][0]

    def question(self):
        """A template, and a questionnaire that was submitted and is completed."""
        status, doc = self.rig.say("PUT", "/v1/vaccination/questionnaire-templates/walk", {
            "id": "walk", "version": "1", "title_ja": "予診票", "programs": [{"vaccinationProgramId": PROGRAM}],
            "items": [{"id": "ill", "text_ja": "病気", "type": "yes_no", "required": True}]})
        assert status in (200, 201), doc
        self.words = [secrets.token_hex(12) for _ in range(2)]
        answer = self.ask("answerQuestionnaire")
        assert answer.status == 200, answer.raw
        self.sheet = answer.json["questionnaireId"]

    def dose(self, what, **more):
        """Always the same request: it is answered the same, and changes something once."""
        given = {"municipalityCode": "331007", "vaccinationProgramId": PROGRAM, "doseNumber": "1", "vaccinationDate": "2025-12-01", "isConsented": True,
                 "gtin": GTIN}
        request = self.requests[what == "correct"]
        return self.clinic(f"/v1/clinic/immunizations/{what}", {"session": self.visit, "requestId": request, "immunization": given | ({"place": "x"} if more else {}), **more})

    def clinic(self, path, body):
        return self.rig.ask_front("clinic", path, body, CLINIC_CERT)

    def portal(self, path, **members):
        return self.rig.ask_front("portal", f"/v1/portal/{path}", {"pseudonym": self.pseudonym, **members}, PORTAL_CERT)

    def fhir(self, kind):
        """The view of a clinic in a session, or of the portal."""
        door, cert, who = ("portal", PORTAL_CERT, {"pseudonym": self.pseudonym}) if kind.startswith("Own") else ("clinic", CLINIC_CERT, {
            "session": self.session if kind in ("Patient", "Coverage") else self.visit})
        return self.rig.post_form(door, f"/fhir/{kind.removeprefix('Own')}/_search", who, cert)

    def ask(self, operation):
        return ASK[operation](self)




def only_result(answer):
    """What a day list of one key tells of it, as it would be told alone; a refusal of the whole as it is."""
    if answer.status != 200:
        return answer
    (result,) = answer.json["results"]
    problem = result.get("problem")
    answer.status, answer.json, answer.raw = (problem["status"], problem, json.dumps(problem).encode()) if problem else (200, result, json.dumps(result).encode())
    return answer


FHIR_KINDS = ("Patient", "Coverage", "Immunization", "QuestionnaireResponse", "OwnPatient", "OwnCoverage", "OwnImmunization", "OwnQuestionnaireResponse", "OwnConsent",
              "OwnAuditEvent")
ASK = {
    "lookUpEligibility": lambda p: p.clinic("/v1/clinic/eligibility", {"link_key": p.rig.mint(p.pmh_key, consent_id=p.consent)}),
    "lookUpEligibilityList": lambda p: only_result(p.clinic("/v1/clinic/eligibility/list", {"link_keys": [p.rig.mint(p.pmh_key, consent_id=p.consent)]})),
    "readSession": lambda p: p.clinic("/v1/clinic/session", {"session": p.session}),
    "readImmunizations": lambda p: p.clinic("/v1/clinic/immunizations", {"session": p.visit}),
    "recordImmunization": lambda p: p.dose("record"),
    "correctImmunization": lambda p: p.dose("correct", immunizationId=p.record["immunizationId"], version="1", reason="typing_error"),
    "readTicket": lambda p: p.clinic("/v1/clinic/tickets/read", {"ticketLine": f"21331007{p.ticket}", "dateOfBirth": BORN}),
    "lookUpByPseudonym": lambda p: p.portal("eligibility"),
    "listConsents": lambda p: p.portal("consents"),
    "readAccessLog": lambda p: p.portal("access-log"),
    "issueStatement": lambda p: p.portal("access-log/statement"),
    "readOwnImmunizations": lambda p: p.portal("immunizations"),
    "readOwnTickets": lambda p: p.portal("tickets"),
    "readOwnNotices": lambda p: p.portal("notices"),
    "listOwnCertificates": lambda p: p.portal("certificates"),
    "issueCertificate": lambda p: p.portal("certificates/issue", kind="shc", attributes=p.rig.attributes(p.pseudonym)),
    "revokeCertificate": lambda p: p.portal("certificates/revoke", certificate_id=p.certificate),
    # Always the same request: it changes something once.
    "listOwnQuestionnaires": lambda p: p.portal("questionnaires"),
    "answerQuestionnaire": lambda p: p.portal("questionnaires/answer", requestId=p.words[0], municipalityCode="331007", ticketNumber=p.ticket, templateId="walk",
                                              templateVersion="1", answers=[{"item": "ill", "value": "no"}], submit=True),
    "readQuestionnaires": lambda p: p.clinic("/v1/clinic/questionnaires", {"session": p.visit}),
    "completeQuestionnaire": lambda p: p.clinic("/v1/clinic/questionnaires/complete", {
        "session": p.visit, "requestId": p.words[1], "questionnaireId": p.sheet, "version": "1", "doctorName": "岡山", "isUnfit": False, "isExplained": True,
        "isConsented": True}),
    **{f"search{kind}": lambda p, kind=kind: p.fhir(kind) for kind in FHIR_KINDS},
    # These two change something, but not twice: a consent that nothing else here is about, and a session that is not there.
    "withdrawConsents": lambda p: p.portal("consents/withdraw", consent_id=p.spare),
    "endSessions": lambda p: p.portal("sessions/end", session_id="0" * 32),
}
LOOK_UP_OPS = ("lookUpEligibility", "lookUpEligibilityList")
FHIR_VISIT_OPS = ("searchImmunization", "searchQuestionnaireResponse")
FHIR_CLINIC_OPS = ("searchPatient", "searchCoverage", *FHIR_VISIT_OPS)
VISIT_OPS = (*FHIR_VISIT_OPS, "readImmunizations", "recordImmunization", "correctImmunization", "readQuestionnaires", "completeQuestionnaire")  # in a session that the person has consented to
SESSION_OPS = ("readSession", "searchPatient", "searchCoverage")  # in the session of the link key for eligibility
CLINIC_OPS = (*LOOK_UP_OPS, *SESSION_OPS, *VISIT_OPS, "readTicket")
RECORD_OPS = (*LOOK_UP_OPS, "readSession", "lookUpByPseudonym", "searchCoverage", "searchOwnCoverage")
# What tells of vaccinations; a clinic that recorded one hears the same again, also of who has left since.
DOSE_OPS = ("searchPatient", "searchOwnPatient", "searchImmunization", "searchOwnImmunization", "readImmunizations", "readTicket", "readOwnImmunizations", "readOwnTickets", "readOwnNotices", "issueCertificate")
CITIZEN_OPS = tuple(o for o in ASK if o not in CLINIC_OPS)

# (door, operation) -> None: in ASK; or why there is nothing to ask
COVER = {(door, op): None for op in ASK for door in ("clinic" if op in CLINIC_OPS else "portal",)} | {
    ("clinic", "readCapabilities"): NO_DATA, ("portal", "readCapabilities"): NO_DATA,
    ("clinic", "health"): NO_DATA, ("portal", "health"): NO_DATA, ("municipal", "health"): NO_DATA,
    ("portal", "linkPseudonym"): "answers 204 to every pair, known or not",
    ("portal", "readCertificateKeys"): NO_DATA, ("portal", "readWebhookKeys"): NO_DATA, ("portal", "readRevokedCertificates"): "random names of certificates, without a person",
    ("municipal", "getConsole"): NO_DATA, ("municipal", "issueToken"): NO_DATA, ("municipal", "readMetrics"): NO_DATA,
    ("municipal", "readOverview"): NO_DATA, ("municipal", "readSeries"): NO_DATA, ("municipal", "readCertificates"): NO_DATA,
    **{("municipal", op): OWN for op in (
        "postRegistrationTasks", "postHistoryRegistrationTasks", "postMunicipalCheckupRegistrationTasks", "postVaccinationSubjectRegistrationTasks",
        "postVaccinationTicketRegistrationTasks", "createFile", "putFilePart", "getFile", "deleteFile", "listTasks", "getTask", "getTaskResults", "followTask",
        "getTaskReceipt", "undoTask", "releaseRows", "discardRows", "replayRows", "postResidentChangeTasks", "readOperationLog", "exportOperationLog",
        "setControlFlags", "readControlFlags", "eraseResident", "putQuestionnaireTemplate", "getQuestionnaireTemplate", "listQuestionnaireTemplates", "exportLedger",
        "exportStatistics", "exportDue", "exportClaims", "readRecalls")},
    **{("municipal", op): STAFF for op in ("loginStaff", "logoutStaff", "changePassword", "enrolTotp", "listUsers", "putUser")},
    ("municipal", "revealNumber"): NUMBER,
    ("municipal", "postInquiries"): "tells the id of a task only; what others answer is silenced where they are",
    ("municipal", "provideImmunizations"): "nothing is an empty list and not a problem document: test_inquiry.py sets flags, and compares bytes",
}


def routes():
    """(door, operation) of every route, as the programs tell them."""
    found = set()
    for program in ("pmhgw-front", "pmhgw-intake"):
        for line in subprocess.run([BIN / program, "--routes"], check=True, capture_output=True, text=True).stdout.splitlines():
            door, _, _, operation, *_ = line.split("\t")
            found.add((door, operation))
    return found


# ---- the stops ----

NOTHING, NO_SESSION = (404, "nothing"), (404, "no_session")


def withdraw(p):
    assert p.portal("consents/withdraw", consent_id=p.consent_id).status == 200


def end_session(p):
    assert p.portal("sessions/end", session_id=p.session_id).status == 200


def again(p, **more):
    p.rig.register_done([row(p.number, municipalityIdentityKey=p.key, **more)])


def all_of(what, ops):
    return {op: what for op in ops}


SILENT = all_of(NOTHING, ASK)
DELETED = all_of(NOTHING, RECORD_OPS)  # the citizen still sees who asked
ENDED = DELETED | all_of(NOTHING, (*DOSE_OPS, "answerQuestionnaire", "completeQuestionnaire"))  # the lists of questionnaires are empty
NO_CONSENT = all_of(NO_SESSION, (*SESSION_OPS, *VISIT_OPS))
# name -> (the stop, operation -> what is heard afterwards; operations that are not named speak on)
STOPS = {
    "not disclosed": (lambda p: p.rig.flags(p.key, hidden=True), SILENT),
    "viewing stopped": (lambda p: p.rig.flags(p.key, stopped=True), SILENT),
    "recovery": (lambda p: p.rig.flags(p.key, recovery=True), SILENT),
    "not disclosed by a row": (lambda p: again(p, isNotDisclosed=True), SILENT),
    "erased": (lambda p: p.rig.erase(p.key), SILENT | NO_CONSENT),
    "moved out": (lambda p: p.rig.change("moved_out", p.key), ENDED),
    "died": (lambda p: p.rig.change("died", p.key), ENDED),
    "forced expiry": (lambda p: p.rig.change("forced_expiry", p.key), ENDED),
    "registered wrongly": (lambda p: p.rig.change("wrong_registration", p.key), SILENT),  # nobody has anything of the person
    "deleted by a row": (lambda p: again(p, isDeleted=True), DELETED),
    "consent withdrawn": (withdraw, all_of(NOTHING, LOOK_UP_OPS) | NO_CONSENT),
    "all consents withdrawn": (lambda p: p.portal("consents/withdraw", all=True), all_of(NOTHING, LOOK_UP_OPS) | NO_CONSENT),
    "session ended": (end_session, all_of(NO_SESSION, SESSION_OPS)),
    "all sessions ended": (lambda p: p.portal("sessions/end", all=True), NO_CONSENT),
}


def heard_by(p, operation):
    return heard(p.ask(operation))


def silent_within(p, operation, want, seconds):
    """How long until `want` is heard; None when it is not."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if heard_by(p, operation) == want:
            return time.monotonic() - begun
    return None
