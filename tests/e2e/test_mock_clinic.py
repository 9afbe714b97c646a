"""What the mock clinic's tablet asks of its own system, and that this system asks the real gateway with the clinic's certificate."""

import pytest
from cert_rig import COVID, COVID_GTIN
from rig import CLINIC_A, CLINIC_B, CONTROL, fresh_number, row_for


@pytest.fixture(scope="module")
def card(rig):
    number = fresh_number()
    assert rig.register("331007", [row_for(number)])["counts"]["registered"] == 1
    return rig.card_of(number)


def ask(rig, path, body, clinic=CLINIC_A):
    a = rig.call(CONTROL, "POST", f"/clinic/v1/{clinic}/{path}", body)
    rig.keep(a)
    return a


def key_of(rig, card, *items, clinic=CLINIC_A, purpose="treatment"):
    a = ask(rig, "consents", {"card_serial": card, "items": list(items or ("eligibility",)), "purpose": purpose}, clinic)
    assert a.status == 201, a.body
    return a.json()["link_key"]


def test_the_clinics_are_those_whose_certificates_are_there(rig):
    assert [c["code"] for c in rig.call(CONTROL, "GET", "/clinic/v1/clinics").json()["clinics"]] == [CLINIC_A, CLINIC_B]
    assert ask(rig, "eligibility", {"link_key": "x"}, "3300000000").status == 404


def test_what_the_gateway_says_is_handed_on(rig, card):
    key = key_of(rig, card)
    first = ask(rig, "eligibility", {"link_key": key})
    assert first.status == 200 and first.json()["eligibility"]
    used = ask(rig, "eligibility", {"link_key": key})
    assert used.status == 409 and used.json()["code"] == "used" and used.json()["used_at"]
    assert ask(rig, "session", {"session": first.json()["session"]}).json()["eligibility"] == first.json()["eligibility"]
    assert ask(rig, "session", {"session": first.json()["session"]}, CLINIC_B).status == 404


def test_a_key_is_of_no_use_to_the_other_clinic(rig, card):
    assert ask(rig, "eligibility", {"link_key": key_of(rig, card)}, CLINIC_B).json()["code"] == "nothing"


def test_a_days_patients_at_once(rig, card):
    a = ask(rig, "eligibility/list", {"link_keys": [key_of(rig, card), key_of(rig, card, clinic=CLINIC_B), "no key"]})
    assert a.status == 200
    told = a.json()["results"]
    assert told[0]["eligibility"] and [r["problem"]["code"] for r in told[1:]] == ["nothing", "nothing"]


def test_a_dose_is_recorded_and_read_back(rig, card):
    key = key_of(rig, card, "eligibility", "immunizations", purpose="immunization")
    session = ask(rig, "eligibility", {"link_key": key}).json()["session"]
    dose = {"municipalityCode": "331007", "vaccinationProgramId": COVID, "doseNumber": "1", "vaccinationDate": "2024-03-01", "isConsented": True}
    made = ask(rig, "immunizations/record", {"session": session, "requestId": "r" * 20, "gs1": f"]d201{COVID_GTIN}1726123110FC9880", "immunization": dose})
    assert made.status == 200, made.body
    assert [d["lotNumber"] for d in ask(rig, "immunizations", {"session": session}).json()["immunizations"]] == ["FC9880"]
    mine = rig.call(CONTROL, "POST", "/portal/v1/immunizations", {"card_serial": card})
    assert mine.status == 200 and len(mine.json()["immunizations"]) == 1


def test_the_portals_page_has_the_key_of_the_log(rig):
    assert rig.call(CONTROL, "GET", "/portal/v1/log-key").json()["log_key"] == (rig.state / "keys/audit.pub").read_text()
