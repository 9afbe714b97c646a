"""Partners of the mock nation that never see the number, without a gateway: what they take, and everything that they refuse."""

import base64
import http.client
import json
import pathlib
import secrets
import time

import pytest
from jwcrypto import jwk, jws
from mock_rig import Nation
from rig import CLINIC_A, CONTROL, MOCK_PORTAL, fresh_number

CLINIC_APP, ID5, DATABASE = 16, 17, 18
HOOK, GIVE, TAKE = "/clinic-app/v1/webhooks", "/id5/v1/id5", "/vaccination-db/v1/provisions"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    n = Nation(pathlib.Path(tmp_path_factory.mktemp("partners")))
    n.signer = jwk.JWK.generate(kty="EC", crv="P-256")
    n.portal.jwks = json.dumps({"keys": [{**n.signer.export_public(as_dict=True), "kid": n.signer.thumbprint()}]}).encode()
    n.start()
    yield n
    n.close()


def kept(nation, system):
    return nation.call(CONTROL, "GET", f"/kept/{system}")[1]


def new_id():
    return secrets.token_hex(16)


# -- clinic apps --


def message(**more):
    return {"messageId": new_id(), "event": "record_corrected", "municipalityCode": "331007", "occurredAt": "2026-11-21T00:00:00.000Z", "immunizationId": new_id(),
            "version": "2", **more}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key, body, **head):
    protected = {"alg": "ES256", "kid": key.thumbprint(), "iat": int(time.time()), "jti": json.loads(body)["messageId"], "aud": CLINIC_A, **head}
    token = jws.JWS(body)
    token.add_signature(key, "ES256", json.dumps({**protected, "alg": "ES256"}))
    head64, _, signature = token.serialize(compact=True).split(".")
    return f"{head64}..{signature}" if protected["alg"] == "ES256" else f"{b64(json.dumps(protected).encode())}..{signature}"


def hook(nation, body, signature):
    conn = nation.connect(CLINIC_APP)
    try:
        conn.request("POST", HOOK, body=body, headers={"Content-Type": "application/json", **({"Pmhgw-Signature": signature} if signature else {})})
        r = conn.getresponse()
        return r.status, json.loads(r.read())
    finally:
        conn.close()


def test_a_webhook_is_taken_once_and_a_repetition_is_recognised(nation):
    said = message()
    body = json.dumps(said).encode()
    header = signed(nation.signer, body)
    assert hook(nation, body, header) == (200, {"messageId": said["messageId"]})
    assert hook(nation, body, signed(nation.signer, body)) == (200, {"messageId": said["messageId"]})  # the gateway tries again: signed anew
    got = kept(nation, "clinic-app")
    assert [m["message"] for m in got["messages"] if m["message"]["messageId"] == said["messageId"]] == [said]
    assert got["messages"][-1]["clinic"] == CLINIC_A and got["messages"][-1]["body"] == body.decode() and got["messages"][-1]["signature"] == header
    assert got["repeated"] >= 1 and got["keys_fetched"] == 1
    assert hook(nation, body, header)[0] == 409  # a copy
    head, _, tail = header.partition("..")
    raw = base64.urlsafe_b64decode(tail + "==")
    other = raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")  # as good a signature of the same
    assert hook(nation, body, f"{head}..{b64(other)}")[0] == 409
    assert kept(nation, "clinic-app")["replayed"] == 2


def test_a_webhook_that_is_not_the_gateways_is_refused(nation):
    stranger = jwk.JWK.generate(kty="EC", crv="P-256")
    body = json.dumps(message()).encode()
    before = kept(nation, "clinic-app")
    good = signed(nation.signer, body)
    head, _, tail = good.partition("..")
    for header in (None, "", "x", f"{head}.{tail}", f"{head}.{b64(body)}.{tail}", f"{head}..", f"..{tail}", good[:-1], signed(stranger, body),
                   signed(stranger, body, kid=nation.signer.thumbprint()), signed(nation.signer, body, alg="none"), signed(nation.signer, body, alg="HS256"),
                   signed(nation.signer, body, iat=int(time.time()) - 400), signed(nation.signer, body, iat=int(time.time()) + 400), signed(nation.signer, body, iat="0"),
                   signed(nation.signer, body, aud="331990001"), signed(nation.signer, body, more=1)):
        assert hook(nation, body, header)[0] == 401, header
    assert hook(nation, body.replace(b"331007", b"271403"), good)[0] == 401
    assert hook(nation, body, signed(nation.signer, body, jti=new_id()))[0] == 422  # signed for another message
    after = kept(nation, "clinic-app")
    assert after["messages"] == before["messages"] and after["stale"] == before["stale"] + 2 and after["bad_signature"] > before["bad_signature"]
    assert hook(nation, body, good)[0] == 200


@pytest.mark.parametrize("more", [{"name": "x"}, {"version": 2}, {"event": ""}, {"immunizationId": None}, {"messageId": "00"}])
def test_a_message_with_more_than_was_agreed_is_refused(nation, more):
    body = json.dumps(message(**more)).encode()
    assert hook(nation, body, signed(nation.signer, body))[0] in (401, 422)
    assert not [m for m in kept(nation, "clinic-app")["messages"] if m["body"] == body.decode()]


def test_faults_of_a_clinic_app(nation):
    def say(**fault):
        nation.fault("clinic-app", count=1, **fault)
        body = json.dumps(message()).encode()
        return hook(nation, body, signed(nation.signer, body))
    assert say(other_person=True) == (200, {"messageId": "0" * 32})
    assert say(missing_field=True) == (200, {}) and say(status=503)[0] == 503
    assert set(say(extra_field=True)[1]) == {"messageId", "unexpected"}
    with pytest.raises(ValueError):
        say(garbage=True)
    with pytest.raises((OSError, http.client.HTTPException)):
        say(reset=True)
    begun = time.monotonic()
    assert say(delay_ms=300)[0] == 200 and time.monotonic() - begun >= 0.3
    assert say(redirect=True)[0] == 307 and kept(nation, "clinic-app")["followed"] == 0
    assert nation.raw(CLINIC_APP, "POST", "/redirected", {})[0] == 200 and kept(nation, "clinic-app")["followed"] == 1


def test_what_was_kept_is_forgotten_on_request(nation):
    body = json.dumps(message()).encode()
    assert hook(nation, body, signed(nation.signer, body))[0] == 200
    assert nation.raw(CONTROL, "DELETE", "/kept/clinic-app")[0] == 204
    assert kept(nation, "clinic-app")["messages"] == []
    assert nation.call(CONTROL, "GET", "/kept/pmh")[0] == 404


# -- the history service --


def ask(nation, pmh_key, request=None, cert="gateway-intake", **more):
    return nation.call(ID5, "POST", GIVE, {"requestId": request or new_id(), "pmhKey": pmh_key, "purpose": "vaccination_database", **more}, cert=cert)


def test_an_id5_is_another_one_at_every_provision(nation):
    key, other = nation.key_of(fresh_number()), nation.key_of(fresh_number())
    request = new_id()
    status, first = ask(nation, key, request)
    assert status == 200 and first["requestId"] == request and len(first["id5"]) == 64
    assert ask(nation, key, request)[1] == first  # the same request again
    seen = [ask(nation, k)[1]["id5"] for k in (key, key, other)] + [ask(nation, other, request)[1]["id5"], first["id5"]]
    assert len(set(seen)) == 5
    assert [g["id5"] for g in kept(nation, "id5")["given"]][-1] == seen[3]
    assert key not in json.dumps(kept(nation, "id5"))


def test_an_id5_is_for_gateways_that_name_somebody(nation):
    key = nation.key_of(fresh_number())
    assert ask(nation, "pk-nobody")[0] == 404
    assert ask(nation, key, cert=f"clinic-{CLINIC_A}")[0] == 403 and ask(nation, key, cert=None)[0] == 401
    for bad in ({"purpose": "marketing"}, {"requestId": "x"}, {"more": "x"}, {"pmhKey": ""}, {"pmhKey": 1}):
        assert ask(nation, key, **bad)[0] == 422
    nation.fault("id5", other_person=True, count=1)
    assert ask(nation, key)[1]["requestId"] == "0" * 32


# -- the vaccination database --

DOSE = {"municipalityCode": "331007", "vaccinationProgramId": "mr-1", "doseNumber": "1", "vaccinationDate": "2026-11-21", "gtin": "14599990000075", "lotNumber": "A1",
        "isOverseas": False}


def provision(**more):
    return {k: v for k, v in {"provisionId": new_id(), "id5": secrets.token_hex(32), "status": "completed", "immunization": DOSE, **more}.items() if v is not None}


def provide(nation, body, cert="gateway-intake"):
    return nation.call(DATABASE, "POST", TAKE, body, cert=cert)


def test_a_dose_is_taken_corrected_and_taken_back(nation):
    first = provision()
    assert provide(nation, first) == (200, {"provisionId": first["provisionId"], "status": "accepted"})
    assert provide(nation, first)[0] == 200  # the same again
    second = provision(replaces=first["provisionId"], immunization={**DOSE, "lotNumber": "B2"})
    third = provision(replaces=second["provisionId"], status="cancelled", immunization=None)
    assert provide(nation, second)[0] == provide(nation, third)[0] == 200
    mine = [p for p in kept(nation, "vaccination-db")["provisions"] if p["provisionId"] in {p["provisionId"] for p in (first, second, third)}]
    assert [p.get("replacedBy") for p in mine] == [second["provisionId"], third["provisionId"], None]
    assert mine[0]["immunization"] == DOSE and mine[2]["immunization"] is None
    assert len({p["id5"] for p in mine}) == 3


def test_what_could_be_joined_or_contradicts_is_refused(nation):
    first = provision()
    assert provide(nation, first)[0] == 200
    count = len(kept(nation, "vaccination-db")["provisions"])
    assert provide(nation, {**first, "immunization": {**DOSE, "lotNumber": "B2"}})[0] == 409
    assert provide(nation, provision(id5=first["id5"]))[0] == 409  # an ID5 that came before
    assert provide(nation, provision(replaces=new_id()))[0] == 404
    assert provide(nation, provision(replaces=first["provisionId"]))[0] == 200
    assert provide(nation, provision(replaces=first["provisionId"]))[0] == 409  # it was replaced already
    for bad in (provision(pmhKey="x"), provision(immunization={**DOSE, "doctorName": "x"}), provision(immunization={**DOSE, "ticketNumber": "0123456789"}),
                provision(immunization={**DOSE, "immunizationId": new_id()}), provision(immunization=None), provision(status="cancelled", immunization=None),
                provision(status="gone"), provision(id5="short"), provision(provisionId="x"), {}, provision(immunization={k: v for k, v in DOSE.items() if k != "doseNumber"})):
        assert provide(nation, bad)[0] == 422, bad
    assert provide(nation, provision(), cert=f"clinic-{CLINIC_A}")[0] == 403
    assert len(kept(nation, "vaccination-db")["provisions"]) == count + 1


# -- notices to citizens --


def test_a_notice_reaches_the_portal_from_a_gateway_only(nation):
    said = {"messageId": new_id(), "event": "immunization_recorded", "municipalityCode": "331007", "occurredAt": "2026-11-21T00:00:00.000Z", "pseudonym": "ps-x",
            "immunizationId": new_id()}
    path = "/portal/v1/notices"
    assert nation.call(MOCK_PORTAL, "POST", path, said, cert="gateway-intake") == (200, {"messageId": said["messageId"]})
    assert nation.call(MOCK_PORTAL, "POST", path, said, cert="gateway-intake")[0] == 200
    got = kept(nation, "portal")
    assert got["notices"] == [{"known": False, "notice": said}] and got["repeated"] == 1
    assert nation.call(MOCK_PORTAL, "POST", path, said, cert=None)[0] == 401 and nation.call(MOCK_PORTAL, "POST", path, said, cert=f"clinic-{CLINIC_A}")[0] == 403
    for bad in ({**said, "name": "x"}, {k: v for k, v in said.items() if k != "pseudonym"}, {**said, "messageId": "x"}):
        assert nation.call(MOCK_PORTAL, "POST", path, bad, cert="gateway-intake")[0] == 422


def test_it_stops_in_order_and_keeps_nothing_of_it(nation):
    body = json.dumps(message()).encode()
    assert hook(nation, body, signed(nation.signer, body))[0] == 200 and provide(nation, provision())[0] == 200
    assert nation.stop() == 0
    assert "Sanitizer" not in nation.log() and json.loads(body)["messageId"] not in nation.log()
    nation.start()
    assert kept(nation, "clinic-app")["messages"] == [] and kept(nation, "vaccination-db")["provisions"] == []
