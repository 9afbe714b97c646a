"""Questionnaires: templates by the municipality, answers by the citizen, the doctor's part at the clinic; and everything that is refused on the way."""

import concurrent.futures
import datetime
import json
import ssl

import pytest

from rig import CLINIC_A, CLINIC_B, MUNICIPAL, wait_for
from sheet_rig import GOOD, MUNI, OTHER, TEMPLATES, TICKET, Person, Town, answers, doctor, new_id, silenced, template, yes_no


@pytest.fixture(scope="module")
def town(rig):
    t = Town(rig)
    a = t.put(template())
    assert a.status == 201, a.body
    return t


@pytest.fixture(scope="module")
def person(town):
    return Person(town)


def code(a):
    return a.status, a.json().get("code")


def faults(a):
    assert code(a) == (422, "field_invalid"), a.body
    return [(e.get("item"), e["field"], e["rule"]) for e in a.json()["errors"]]


def too_large(send):
    """The door says 413 as soon as the length is announced, and does not wait for the rest."""
    try:
        return send().status == 413
    except (ssl.SSLError, ConnectionError):
        return True


# ---- templates ----

def test_templates_have_versions_that_follow_one_another(town):
    one = template("versions")
    assert town.put(one).status == 201
    assert town.put(one).status == 200  # the same once more
    assert code(town.put({**one, "title_ja": "別"})) == (409, "version_conflict")
    assert code(town.put({**one, "version": "3"})) == (409, "version_conflict")
    two = {**one, "version": "2", "title_ja": "第二版"}
    assert town.put(two).status == 200
    assert town.get("versions").json()["title_ja"] == "第二版"
    assert town.get("versions", query="?version=1").json() == one
    assert code(town.get("versions", query="?version=3")) == (404, "not_found")
    assert code(town.get("versions", query="?version=0")) == (400, "malformed_url")
    listed = {t["id"]: t["version"] for t in town.rig.muni(MUNI, "GET", TEMPLATES).json()["templates"]}
    assert listed["versions"] == "2" and listed["flu"] == "1"


def test_a_template_is_its_own_municipalitys(town):
    assert code(town.get("flu", OTHER)) == (404, "not_found")
    assert town.rig.muni(OTHER, "GET", TEMPLATES).json() == {"templates": []}
    assert town.put(template(title_ja="よその予診票"), OTHER).status == 201
    assert town.get("flu").json()["title_ja"] == "インフルエンザ予診票"


def test_bad_templates_are_refused_by_name(town):
    def items(*those):
        return template("bad", items=list(those))
    assert (1, "id", "twice") in faults(town.put(items(yes_no("a"), yes_no("a"))))
    circle = items(yes_no("a", show_if={"item": "b", "equals": "yes"}), yes_no("b", show_if={"item": "a", "equals": "yes"}))
    assert (0, "show_if", "range") in faults(town.put(circle))
    assert (0, "text_ja", "class") in faults(town.put(items({**yes_no("a"), "text_ja": "\x1b[2J"})))
    assert (0, "text_ja", "number_inside") in faults(town.put(items({**yes_no("a"), "text_ja": "１２３４ ５６７８ ９０１２"})))
    assert (None, "id", "range") in faults(town.put(template("one"), ident="another"))
    assert (None, "items", "length") in faults(town.put(items(*(yes_no(f"q{i}") for i in range(65)))))
    deep = "[" * 40 + "]" * 40
    a = town.rig.muni(MUNI, "PUT", f"{TEMPLATES}/bad", f'{{"id":{deep}}}')
    assert code(a) == (400, "json_too_deep")
    assert too_large(lambda: town.rig.muni(MUNI, "PUT", f"{TEMPLATES}/bad", b'{"x":"' + b"a" * (1 << 20) + b'"}'))
    assert code(town.get("bad")) == (404, "not_found")


def test_two_officers_do_not_both_store_the_next_version(town):
    assert town.put(template("race")).status == 201
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: town.put(template("race", "2", title_ja=f"版{i}")).status, range(8)))
    assert sorted(got) == [200] + [409] * 7


# ---- the way of one ----

def test_from_the_citizen_to_the_doctor(town, person):
    book = person.list().json()
    assert [(t["ticketNumber"], t["templateId"], t["templateVersion"]) for t in book["tickets"]] == [(person.ticket, "flu", "1")]
    assert book["questionnaires"] == []
    shown = book["templates"][0]["template"]
    assert [i["id"] for i in shown["items"]] == ["temp", "ill", "what", "egg"] and "unfit_if" not in json.dumps(shown)

    draft = person.answer(answers(temp="37.6"), submit=False)
    assert draft.status == 200 and (draft.json()["status"], draft.json()["version"]) == ("draft", "1")
    session = person.session()
    assert town.clinic("questionnaires", {"session": session}).json()["questionnaires"] == []  # a draft is the citizen's own
    assert code(town.clinic("questionnaires/complete", doctor(session, draft.json()))) == (404, "nothing")

    sent = person.again(draft.json(), answers(temp="37.6", ill="yes", what="喘息"))
    assert sent.status == 200 and (sent.json()["status"], sent.json()["version"]) == ("submitted", "2")
    seen = town.clinic("questionnaires", {"session": session}).json()
    sheet = seen["questionnaires"][0]
    assert sheet["attention"] == ["temp"] and "ticketNumber" not in sheet and "seen" in [i["id"] for i in seen["templates"][0]["template"]["items"]]

    done = town.clinic("questionnaires/complete", doctor(session, sheet, isUnfit=True, isConsented=False, remarks="発熱のため見合わせ"))
    assert done.status == 200, done.body
    part = done.json()["doctor"]
    assert (part["isUnfit"], part["isConsented"], part["medicalInstitutionCode"]) == (True, False, CLINIC_A) and done.json()["version"] == "3"
    own = person.list().json()["questionnaires"][0]
    assert own["status"] == "completed" and own["doctor"]["remarks"] == "発熱のため見合わせ" and own["ticketNumber"] == person.ticket
    assert [h["status"] for h in own["history"]] == ["draft", "submitted", "completed"]
    assert code(person.again(own)) == (409, "conflict")  # completed is completed

    better = town.clinic("questionnaires/complete", doctor(session, done.json(), isUnfit=False))
    assert better.status == 200 and "consentedAt" in better.json()["doctor"]
    other = person.session(CLINIC_B)
    assert code(town.clinic("questionnaires/complete", doctor(other, better.json()), CLINIC_B)) == (409, "conflict")  # another clinic's word
    assert person.answer().status == 200  # the next visit: a new one for the same ticket


def test_the_same_request_again_changes_nothing(town):
    p = Person(town)
    body = p.body()
    first, again = (town.portal("questionnaires/answer", body) for _ in range(2))
    assert first.status == again.status == 200 and first.json() == again.json()
    assert len(p.list().json()["questionnaires"]) == 1
    word = doctor(p.session(), first.json())
    done, repeated = (town.clinic("questionnaires/complete", word) for _ in range(2))
    assert done.status == repeated.status == 200 and done.json() == repeated.json()


def test_stale_versions_are_refused(town):
    p = Person(town)
    sheet = p.answer().json()
    assert code(p.answer()) == (409, "version_conflict")  # one is begun for this ticket
    assert p.again(sheet).status == 200
    assert code(p.again(sheet)) == (409, "version_conflict")
    assert code(p.again({**sheet, "version": "9"})) == (409, "version_conflict")
    assert code(town.clinic("questionnaires/complete", doctor(p.session(), sheet))) == (409, "version_conflict")
    assert p.list().json()["questionnaires"][0]["version"] == "2"


def test_a_newer_template_asks_anew(town):
    assert town.put(template("mr", program="mr-1")).status == 201
    p = Person(town, program="mr-1")
    sheet = p.answer(templateId="mr", submit=False).json()
    assert town.put(template("mr", "2", program="mr-1")).status == 200
    assert code(p.again(sheet, templateId="mr")) == (409, "version_conflict")
    new = p.again(sheet, templateId="mr", templateVersion="2")
    assert new.status == 200 and new.json()["templateVersion"] == "2"
    # What the clinic completes stays with the version that was answered.
    assert town.put(template("mr", "3", program="mr-1")).status == 200
    done = town.clinic("questionnaires/complete", doctor(p.session(), new.json()))
    assert done.status == 200 and done.json()["templateVersion"] == "2"


def test_bad_answers_are_refused_by_name(town):
    p = Person(town)
    cases = [
        (answers(temp="36.5"), True, (1, "value", "missing")),
        (GOOD + answers(what="x"), True, (2, "value", "hidden")),
        (GOOD + answers(temp="36.6"), False, (0, "value", "twice")),
        (GOOD + answers(seen="yes"), True, (None, "item", "unknown")),
        (GOOD + answers(nobody="yes"), True, (None, "item", "unknown")),
        (answers(temp="hot"), False, (0, "value", "class")),
        (answers(temp="36.5", ill="maybe"), False, (1, "value", "code")),
        (answers(ill="yes", what="\x1b]0;x\x07"), False, (None, "value", "class")),
        (answers(ill="yes", what="a\r\nb"), False, (None, "value", "class")),
        (answers(ill="yes", what="\u009b31m"), False, (None, "value", "class")),
        (answers(ill="yes", what=p.number), False, (2, "value", "number_inside")),
        (answers(ill="yes", what="x" * 401), False, (None, "value", "length")),
    ]
    for values, submit, want in cases:
        a = p.answer(values, submit)
        assert want in faults(a), (values, a.body)
        assert p.number.encode() not in a.body
    assert (None, "templateId", "code") in faults(p.answer(templateId="nobody"))
    assert (None, "templateId", "code") in faults(p.answer(templateVersion="7"))
    assert town.put(template("measles", program="mr-2")).status == 201
    assert (None, "templateId", "range") in faults(p.answer(templateId="measles"))  # for another program
    assert code(p.answer(ticketNumber="0" * 10)) == (404, "nothing")
    assert code(p.answer(municipalityCode=OTHER)) == (404, "nothing")  # its template has that name too, but the ticket is not its
    assert p.list().json()["questionnaires"] == []


def test_answers_without_end_are_refused(town):
    p = Person(town)
    huge = p.body([{"item": "temp", "value": "1" * (1 << 20)}])
    assert too_large(lambda: town.portal("questionnaires/answer", huge))
    assert town.portal("questionnaires/answer", p.body([{"item": "temp", "value": "36.5"}] * 65)).status == 422
    many = '{"pseudonym":"%s","answers":[%s]}' % (p.pseudonym, ",".join("{}" for _ in range(20000)))
    assert town.portal("questionnaires/answer", many).status in (400, 413, 422)
    assert p.answer().status == 200


def test_bad_words_of_a_doctor_are_refused(town):
    p = Person(town)
    sheet, session = p.answer().json(), p.session()

    def said(**more):
        return town.clinic("questionnaires/complete", doctor(session, sheet, **more))
    assert (None, "isConsented", "range") in faults(said(isExplained=False))  # consent comes after the explanation
    assert (None, "isConsented", "range") in faults(said(isUnfit=True))
    assert (None, "doctorName", "number_inside") in faults(said(doctorName=p.number))
    assert (None, "remarks", "number_inside") in faults(said(remarks="番号 " + p.number))
    assert ("doctorName", "class") in [f[1:] for f in faults(said(doctorName="\x1b[31m"))]
    assert (4, "value", "missing") in faults(said(answers=[]))
    assert (None, "item", "unknown") in faults(said(answers=answers(temp="36.0", seen="yes")))  # the citizen's
    assert code(said(questionnaireId="0" * 32)) == (404, "nothing")
    assert code(town.clinic("questionnaires/complete", {**doctor(session, sheet), "session": "x" * 43})) == (404, "no_session")
    assert code(town.clinic("questionnaires", {"session": session}, CLINIC_B)) == (404, "no_session")
    assert p.list().json()["questionnaires"][0]["status"] == "submitted"


def test_a_session_that_does_not_allow_questionnaires_opens_none(town):
    p = Person(town)
    assert p.answer().status == 200
    assert code(town.clinic("questionnaires", {"session": p.session(scope="eligibility")})) == (404, "no_session")
    assert code(town.clinic("questionnaires", {"session": p.session(purpose="treatment")})) == (404, "nothing")  # no basis for that purpose


def test_at_a_venue_a_ticket_opens_the_questionnaires_of_its_program(town):
    assert town.put(template("je", program="japanese-encephalitis")).status == 201
    p = Person(town)
    first = p.ticket
    flu = p.answer().json()
    p.ticket = "".join(reversed(first)) if first != first[::-1] else "1234567890"
    row = {"modificationSeg": "1", "myNumber": p.number, "municipalityIdentityKey": p.key, "vaccinationProgramId": "japanese-encephalitis",
           "ticketNumber": p.ticket, "doseNumber": "1", "validFrom": "2020-04-01", "validTo": "2099-03-31"}
    assert town.rig.register(MUNI, [row], TICKET)["counts"]["registered"] == 1
    je = p.answer(templateId="je").json()
    a = town.clinic("tickets/read", {"ticketLine": f"21{MUNI}{first}", "dateOfBirth": "2019-05-06"})
    assert a.status == 200, a.body
    session = a.json()["session"]
    assert [s["questionnaireId"] for s in town.clinic("questionnaires", {"session": session}).json()["questionnaires"]] == [flu["questionnaireId"]]
    assert code(town.clinic("questionnaires/complete", doctor(session, je))) == (404, "nothing")
    assert town.clinic("questionnaires/complete", doctor(session, flu)).status == 200


def test_what_the_doctor_declares_unfit_is_not_recorded_that_day(town):
    assert town.put(template("covid", program="covid-19-special")).status == 201
    p = Person(town, program="covid-19-special")
    sheet, session = p.answer(templateId="covid").json(), p.session(scope="eligibility immunizations questionnaire")
    today = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=9)).date().isoformat()
    dose = {"municipalityCode": MUNI, "vaccinationProgramId": "covid-19-special", "doseNumber": "1", "vaccinationDate": today, "isConsented": True,
            "lotNumber": "X1", "expirationDate": "2099-01-01"}

    def record():
        a = town.clinic("immunizations/record", {"session": session, "requestId": new_id(), "immunization": dose})
        return a.status, {e["rule"] for e in a.json().get("rules", []) + a.json().get("errors", [])}
    done = town.clinic("questionnaires/complete", doctor(session, sheet, isUnfit=True, isConsented=False))
    assert done.status == 200, done.body
    status, rules = record()
    assert status == 422 and "declared_unfit" in rules
    assert town.clinic("questionnaires/complete", doctor(session, done.json())).status == 200
    assert record()[0] == 200


def test_two_at_once_do_not_lose_one_another(town):
    p = Person(town)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = [a.status for a in pool.map(lambda _: p.answer(), range(6))]
    assert sorted(got) == [200] + [409] * 5 and len(p.list().json()["questionnaires"]) == 1
    sheet, session = p.list().json()["questionnaires"][0], p.session()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = [a.status for a in pool.map(lambda i: town.clinic("questionnaires/complete", doctor(session, sheet, remarks=str(i))), range(6))]
    assert sorted(got) == [200] + [409] * 5


def test_a_silenced_person_is_nobody_at_every_route(town):
    p = Person(town)
    sheet, session = p.answer().json(), p.session()
    ask = {
        "list": p.list, "answer": p.answer,
        "read": lambda: town.clinic("questionnaires", {"session": session}),
        "complete": lambda: town.clinic("questionnaires/complete", doctor(session, sheet)),
    }
    silenced(town.rig, p.key)
    for name, fn in ask.items():
        assert code(fn()) == (404, "nothing"), name
    nobody = town.portal("questionnaires", {"pseudonym": "nobody-has-this-one"})
    mute = lambda a: {k: v for k, v in a.json().items() if k != "request_id"}
    assert mute(nobody) == mute(p.list())
    silenced(town.rig, p.key, hidden=False)
    assert p.list().status == 200


def test_who_has_moved_has_no_ticket_here(town):
    p = Person(town)
    assert p.answer().status == 200
    a = town.rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [
        {"changeType": "moved_out", "municipalityIdentityKey": p.key, "effectiveDate": "2026-01-01", "operationKey": new_id()}])
    assert a.status == 202
    book = p.list().json()
    assert book["tickets"] == book["questionnaires"] == []
    assert code(p.answer()) == (404, "nothing")


def test_staff_needs_the_program(town):
    assert code(town.rig.call(MUNICIPAL, "GET", TEMPLATES, cert=f"muni-{MUNI}")) == (401, "invalid_token")
    assert town.rig.call(MUNICIPAL, "GET", TEMPLATES, cert=f"clinic-{CLINIC_A}").status == 403


def test_what_was_done_is_in_the_log(town, rig):
    p = Person(town)
    sheet = p.answer().json()
    town.clinic("questionnaires/complete", doctor(p.session(), sheet))
    text = wait_for("the log has it", 20, lambda: (lambda t: "questionnaire_completed" in t and t)(rig.command("audit", "list", "--last", "40").stdout))
    assert "questionnaire_answered" in text and "template" in rig.command("audit", "list", "--last", "400").stdout


def test_answers_outlive_a_kill_of_the_store(town, rig):
    p = Person(town)
    sheet = p.answer().json()
    old = rig.kill("redis-link")
    rig.wait_back("redis-link", old)
    wait_for("the front has the store again", 10, lambda: p.list().status == 200)
    kept = p.list().json()["questionnaires"]
    assert [s["questionnaireId"] for s in kept] == [sheet["questionnaireId"]]
    assert p.again(sheet).status == 200
