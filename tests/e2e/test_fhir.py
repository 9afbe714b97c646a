"""The FHIR view at both doors: what it says, what it refuses, and that it says no more than the native routes do."""

import json
import time

import pytest

from fhir_rig import CLINIC_TYPES, NAMES, PORTAL_TYPES, SCOPE, outcome, resources, search, settle
from rig import CLINIC, CLINIC_A, CLINIC_B, CONTROL, PORTAL, fresh_number, wait_for
from sheet_rig import new_id, silenced

JP = "http://jpfhir.jp/fhir/core/StructureDefinition/"
SESSION, NOTHING = (404, "no_session"), (404, "nothing")


@pytest.fixture(scope="module")
def world(rig):
    return settle(rig, 6)


@pytest.fixture
def person(world):
    return world[1][0]


@pytest.fixture
def session(world):
    return world[2][0]


def native(person, path):
    a = person.town.portal(path, {"pseudonym": person.pseudonym})
    assert a.status == 200, a.body
    return a.json()


def test_a_patient_is_an_id_of_the_session_or_the_portal_and_nothing_else(world, person, session):
    here, again = resources(person.ask("Patient", session)), resources(person.ask("Patient", session))
    other, own = resources(person.ask("Patient", person.session())), resources(person.ask("Patient"))
    assert here == again and len(here) == 1 and set(here[0]) == {"resourceType", "id", "meta", "identifier"}
    assert len({r[0]["id"] for r in (here, other, own)}) == 3
    assert not any(c.isdigit() for c in here[0]["id"])
    for kind in PORTAL_TYPES[1:]:
        for r in resources(person.ask(kind)):
            assert f'"Patient/{own[0]["id"]}"'.encode() in json.dumps(r).encode(), kind


def test_ids_of_two_clinics_have_nothing_in_common(world, person, session):
    elsewhere = person.session(clinic=CLINIC_B)
    for kind in CLINIC_TYPES:
        a = {r["id"] for r in resources(person.ask(kind, session))}
        b = {r["id"] for r in resources(search(person.rig, "clinic", kind, {"session": elsewhere}, cert=f"clinic-{CLINIC_B}"))}
        assert a and b and not a & b, kind


def test_a_coverage_says_what_the_native_answer_says(person, session):
    told = resources(person.ask("Coverage", session))
    records = person.town.clinic("session", {"session": session}).json()["eligibility"]
    assert [(c["payor"][0]["identifier"]["value"], c["subscriberId"], c["period"]["start"], c["type"]["text"]) for c in told] == [
        (r["medicalSubsidyInsurerNumber"], r["medicalSubsidyRecipientNumber"], r["validFrom"], r["certificationName"]) for r in records]
    assert told[0]["type"]["coding"][0] == {"system": "urn:oid:1.2.392.100495.20.2.61", "code": "8", "display": "公費"}
    assert told[0]["identifier"][0]["system"].endswith("/PublicInsuredPersonNumber") and told[0]["meta"]["profile"] == [JP + "JP_Coverage"]
    assert resources(person.ask("Coverage"))[0]["subscriberId"] == told[0]["subscriberId"]


def test_a_narrowed_consent_narrows_the_view(person):
    a = person.ask("Coverage", person.session("eligibility.certificationName"))
    c = resources(a)[0]
    assert c["type"]["text"] == "子ども医療費受給資格証" and "subscriberId" not in c and "period" not in c
    assert c["payor"][0]["extension"][0]["valueCode"] == "masked" and b"88331004" not in a.body and b"331007" not in a.body


def test_doses_are_told_by_program_day_and_product_as_they_were_recorded(world):
    _, people, sessions = world
    for p, s in zip(people, sessions):
        told, record = resources(p.ask("Immunization", s))[0], native(p, "immunizations")["immunizations"][0]
        assert told["status"] == {"completed": "completed", "cancelled": "entered-in-error"}[record["status"]]
        assert told["occurrenceDateTime"] == record["vaccinationDate"] and told["meta"]["versionId"] == record["version"]
        assert told.get("lotNumber") == record.get("lotNumber") and told["primarySource"] is not record["isOverseas"]
        assert [x["actor"]["display"] for x in told.get("performer", []) if x["actor"]["type"] == "Practitioner"] == [record[k] for k in ("doctorName",) if k in record]
        assert record["immunizationId"].encode() not in json.dumps(told).encode()


def test_names_come_as_they_were_written(world):
    """IVS, private use, four bytes, quotation marks."""
    _, people, _ = world
    shown = {a["actor"]["display"] for p in people for r in resources(p.ask("Immunization")) for a in r.get("performer", []) if a["actor"]["type"] == "Practitioner"}
    assert shown == {NAMES[p.i] for p in people if "doctorName" in p.dose()} and len(shown) > 3


def test_a_clinic_sees_what_was_submitted_and_the_citizen_drafts_too(world):
    _, people, sessions = world
    clinic = {p.i: [r["status"] for r in resources(p.ask("QuestionnaireResponse", s))] for p, s in zip(people, sessions)}
    own = {p.i: [r["status"] for r in resources(p.ask("QuestionnaireResponse"))] for p in people}
    assert own == {0: ["amended"], 1: ["in-progress"], 2: ["completed"], 3: [], 4: ["amended"], 5: ["in-progress"]}
    assert clinic == own | {1: [], 5: []}
    items = {i["linkId"]: i for i in resources(people[0].ask("QuestionnaireResponse"))[0]["item"]}
    assert items["temp"]["answer"] == [{"valueDecimal": 36.5}] and items["ill"]["answer"] == [{"valueBoolean": False}] and items["temp"]["text"] == "体温"
    doctor = {i["linkId"]: i["answer"][0] for i in items["doctor.part"]["item"]}
    assert doctor["doctor.unfit"] == {"valueBoolean": False} and doctor["doctor.name"] == {"valueString": "岡山　太郎"}


def test_a_citizen_sees_its_consents_and_who_asked(world):
    person = world[1][1]
    session = person.session()
    consents = resources(person.ask("Consent"))
    assert {c["status"] for c in consents} == {"active"}
    kinds = {x["code"] for c in consents for x in c["provision"]["class"]}
    assert kinds == {"Coverage", "Immunization", "QuestionnaireResponse"}
    assert person.ask("Patient", session).status == 200
    before = len(resources(person.ask("AuditEvent")))
    assert person.town.portal("consents/withdraw", {"pseudonym": person.pseudonym, "all": True}).status == 200
    assert {c["status"] for c in resources(person.ask("Consent"))} == {"inactive"}
    assert outcome(person.ask("Patient", session)) == SESSION
    events = resources(person.ask("AuditEvent"))
    assert len(events) > before
    clinics = [e for e in events if e["subtype"][0]["code"] == "fhir_read"]
    assert clinics and clinics[0]["agent"][0]["who"]["identifier"]["value"] == CLINIC_A
    assert "own_fhir_read" in [e["subtype"][0]["code"] for e in events]


def test_pages_follow_the_link_and_hold_everything_once(world):
    person = world[1][2]
    for kind in ("AuditEvent", "Consent"):
        if kind == "Consent":
            for _ in range(3):
                person.session()
        whole = [r["id"] for r in resources(person.ask(kind))]
        got, query, total = [], "?_count=2", None
        while query:
            a = search(person.rig, "portal", kind, {"pseudonym": person.pseudonym}, query=query)
            page = resources(a)
            assert len(page) <= 2 and (kind == "AuditEvent") == ("total" not in a.json())
            got += [r["id"] for r in page]
            links = {x["relation"]: x["url"] for x in a.json()["link"]}
            assert person.pseudonym not in json.dumps(links)
            query = "?" + links["next"].split("?")[1] if "next" in links else None
        assert len(got) == len(set(got)) >= 3 and set(whole) <= set(got), kind
    assert resources(person.ask("Consent", _cursor="4000")) == []


def test_only_what_a_page_told_is_noted_as_told(world):
    """A correction goes to who was told: of two doses the other clinic has seen one."""
    person, own = world[1][3], world[2][3]
    town, rig = person.town, person.rig
    body = {"session": own, "requestId": new_id(), "immunization": person.dose(vaccinationDate="2025-11-05", expirationDate="2026-03-31")}
    assert town.clinic("immunizations/record", body).status == 200
    records = native(person, "immunizations")["immunizations"]
    elsewhere = person.session("immunizations", CLINIC_B)
    page = search(rig, "clinic", "Immunization", {"session": elsewhere, "_count": "1"}, cert=f"clinic-{CLINIC_B}")
    assert [r["occurrenceDateTime"] for r in resources(page)] == [records[0]["vaccinationDate"]] and page.json()["total"] == len(records) == 2
    for r in records:
        dose = person.dose(lotNumber="CORRECTED", vaccinationDate=r["vaccinationDate"], expirationDate=r.get("expirationDate", "2026-03-31"))
        a = town.clinic("immunizations/correct", {"session": own, "requestId": new_id(), "immunizationId": r["immunizationId"], "version": r["version"],
                                                  "reason": "typing_error", "immunization": dose})
        assert a.status == 200, a.body
    ids = [r["immunizationId"] for r in records]
    heard = lambda clinic: {ids.index(m["message"]["immunizationId"]) for m in rig.call(CONTROL, "GET", "/kept/clinic-app", cert="operator-local").json()["messages"]
                            if m["clinic"] == clinic and m["message"].get("immunizationId") in ids}
    wait_for("the other clinic was told of the correction", 10, lambda: heard(CLINIC_B) and heard(CLINIC_A) == {0, 1})
    assert heard(CLINIC_B) == {0}


@pytest.mark.parametrize("more, want", (
    ({"_count": "0"}, [("_count", "range")]), ({"_count": "51"}, [("_count", "range")]), ({"_count": "x"}, [("_count", "class")]), ({"_cursor": "0"}, [("_cursor", "range")]),
    ({"_format": "xml"}, [("_format", "code")]), ({"patient": "1"}, [(None, "unknown")]), ({"_include": "x"}, [(None, "unknown")])))
def test_a_form_that_is_wrong_is_told_what_is(person, session, more, want):
    for a in (person.ask("Patient", session, **more), person.ask("AuditEvent", **more)):
        assert outcome(a) == (422, "field_invalid")
        assert [(i.get("expression", [None])[0], i["details"]["coding"][0]["code"]) for i in a.json()["issue"][1:]] == want


def test_who_is_asked_about_stands_in_the_body_alone(person, session):
    rig = person.rig
    for door, name, value in (("clinic", "session", session), ("portal", "pseudonym", person.pseudonym)):
        assert outcome(search(rig, door, "Patient", b"", query=f"?{name}={value}")) == (400, "malformed_url")
        assert outcome(search(rig, door, "Patient", {name: value}, query=f"?{name}={value}")) == (400, "malformed_url")
        assert outcome(search(rig, door, "Patient", None, method="GET", query=f"?{name}={value}")) == (405, "method_not_allowed")
        assert outcome(search(rig, door, "Patient", b"")) == (422, "field_invalid")
        assert outcome(search(rig, door, "Patient", {name: value}, media="application/json")) == (415, "unsupported_media_type")
        assert outcome(search(rig, door, "Patient", {name: value}, media="")) == (415, "unsupported_media_type")
        assert outcome(search(rig, door, "Patient", {name: value, "_format": "x" * 1100})) == (413, "body_too_large")


def test_types_that_a_door_has_not_are_not_found(person, session):
    for kind in ("Consent", "AuditEvent", "Observation", "patient"):
        assert outcome(person.ask(kind, session)) == (404, "not_found")
    assert outcome(person.ask("Observation")) == (404, "not_found")
    for door, port, types in (("clinic", CLINIC, CLINIC_TYPES), ("portal", PORTAL, PORTAL_TYPES)):
        a = person.rig.call(port, "GET", "/fhir/metadata")
        assert a.status == 200 and a.headers["content-type"] == "application/fhir+json" and a.json()["fhirVersion"] == "4.0.1"
        assert tuple(r["type"] for r in a.json()["rest"][0]["resource"]) == types, door


def test_a_session_answers_only_the_types_that_its_consent_covers(person):
    covered = {"eligibility": {"Coverage"}, "immunizations": {"Immunization"}, "questionnaire": {"QuestionnaireResponse"}}
    for scope in ("eligibility", "immunizations questionnaire"):
        session = person.session(scope)
        allowed = {"Patient"}.union(*(covered[k] for k in scope.split()))
        for kind in CLINIC_TYPES:
            a = person.ask(kind, session)
            assert (a.status == 200) == (kind in allowed), (scope, kind)
            if kind not in allowed:
                assert outcome(a) == SESSION


def test_the_purpose_of_a_session_is_judged_as_at_the_native_routes(person):
    session = person.session(SCOPE, purpose="treatment")
    assert person.ask("Coverage", session).status == 200
    assert outcome(person.ask("Immunization", session)) == NOTHING == (lambda a: (a.status, a.json()["code"]))(person.town.clinic("immunizations", {"session": session}))


def test_another_clinics_session_and_another_portals_pseudonym_are_nothing(person, session):
    assert outcome(search(person.rig, "clinic", "Patient", {"session": session}, cert=f"clinic-{CLINIC_B}")) == SESSION
    assert outcome(search(person.rig, "clinic", "Patient", {"session": "x" * 43})) == SESSION
    assert outcome(search(person.rig, "portal", "Patient", {"pseudonym": person.pseudonym}, cert="portal-mynaportal")) == NOTHING
    assert outcome(search(person.rig, "portal", "Patient", {"pseudonym": person.pseudonym}, cert=f"clinic-{CLINIC_A}")) == (403, "forbidden")
    assert outcome(search(person.rig, "clinic", "Patient", {"session": session}, cert="portal-test")) == (403, "forbidden")


def test_a_silent_person_is_silent_in_every_type_and_alike(world):
    _, people, sessions = world
    person, session = people[5], sessions[5]
    silenced(person.rig, person.key)
    refusals = [person.ask(kind, session) for kind in CLINIC_TYPES] + [person.ask(kind) for kind in PORTAL_TYPES]
    assert {outcome(a) for a in refusals} == {NOTHING}
    began = time.monotonic()
    nobody = search(person.rig, "portal", "Patient", {"pseudonym": "ps-nobody-has-this"})
    assert time.monotonic() - began >= 0.02 and outcome(nobody) == NOTHING
    strip = lambda a: (a.body.replace(a.headers["x-request-id"].encode(), b""), sorted(set(a.headers) - {"date"}))
    assert {str(strip(a)) for a in refusals[4:]} == {str(strip(nobody))}
    silenced(person.rig, person.key, hidden=False)
    assert person.ask("Patient", session).status == 200


def test_a_number_in_a_text_never_gets_as_far_as_the_view(world, person, session):
    number = fresh_number()
    person.rig.canaries.add(number)
    body = {"session": session, "requestId": "planted-number-001", "immunization": person.dose(doseNumber="2", specialCircumstances=f"番号 {number}")}
    a = person.town.clinic("immunizations/record", body)
    assert a.status == 422 and ("specialCircumstances", "number_inside") in [(e["field"], e["rule"]) for e in a.json()["errors"]]
    for kind in CLINIC_TYPES:
        assert number.encode() not in person.ask(kind, session).body


def test_an_identifier_that_could_be_a_number_is_withheld(world):
    """A scheme of a municipality may have twelve digits: the native answer tells it, this one says that it does not."""
    from fhir_rig import MUNI, Resident
    from rig import row_for
    p = Resident(world[0], 1)
    row = row_for(p.number, p.key, medicalSubsidyRecipientNumber="400000000001")
    p.rig.register(MUNI, [row])
    p.link()
    session = p.session("eligibility")
    a = p.ask("Coverage", session)
    c, warnings = resources(a)[0], resources(a, "outcome")
    assert b"400000000001" not in a.body and "subscriberId" not in c and c["_subscriberId"]["extension"][0]["valueCode"] == "masked"
    assert [w["issue"][0]["code"] for w in warnings] == ["suppressed"]
