"""The mock nation alone: one real process, a portal door of the gateway that the tests play (mock_rig.py)."""

import base64
import concurrent.futures
import gzip
import http.client
import json
import os
import pathlib
import random
import signal
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto import jwe, jwk, jws
from mock_rig import ELIGIBILITY, Nation
from rig import CLINIC_A, CLINIC_B, CONTROL, MOCK_PORTAL, ONSHI, PMH, fresh_number, wait_for

INTERMEDIARY, VRS = 14, 15


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    n = Nation(pathlib.Path(tmp_path_factory.mktemp("nation")))
    n.start()
    yield n
    n.close()


# -- numbering --


def test_numbering_is_idempotent_and_says_nothing_else(nation):
    numbers = [fresh_number() for _ in range(3)]
    status, rows = nation.number(*numbers)
    assert status == 200
    assert [set(r) for r in rows] == [{"pmhKey", "myNumber"}] * 3
    assert sorted(r["myNumber"] for r in rows) == sorted(numbers)
    assert len({r["pmhKey"] for r in rows}) == 3
    again = nation.number(*reversed(numbers))[1]
    assert {r["myNumber"]: r["pmhKey"] for r in again} == {r["myNumber"]: r["pmhKey"] for r in rows}


def test_one_number_asked_in_parallel_gets_one_key(nation):
    number = fresh_number()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        keys = set(pool.map(nation.key_of, [number] * 36))
    assert len(keys) == 1


def test_only_the_gateway_may_ask(nation):
    assert nation.number(fresh_number(), cert=f"clinic-{CLINIC_A}")[0] == 403
    assert nation.number(fresh_number(), cert="portal-mynaportal")[0] == 403
    assert nation.number(fresh_number(), cert=None)[0] == 401


@pytest.mark.parametrize("body, status", [
    (b"", 415), (b"[]", 400), (b"{}", 400), (b"[", 400), (b"[1]", 422), (b'[{"myNumber":123456789012}]', 422), (b'[{"myNumber":"1234"}]', 422),
    (b'[{"myNumber":"123456789018","name":"x"}]', 422), ('[{"myNumber":"１２３４５６７８９０１８"}]'.encode(), 422),
    (b"[" + b",".join([b'{"myNumber":"123456789018"}'] * 1001) + b"]", 413),
])
def test_bad_numbering_requests(nation, body, status):
    got = nation.raw(PMH, "POST", "/pmh/v1/numbering", body, cert="gateway-intake")[0]
    assert got == status or (body == b"" and got in (400, 415))
    assert nation.number(fresh_number())[0] == 200


# -- a crash loses nothing --


def test_kill_keeps_keys_cards_pseudonyms_and_settings(nation):
    numbers = [fresh_number() for _ in range(20)]
    keys = {n: nation.key_of(n) for n in numbers}
    renewed = nation.card(numbers[0])
    renewed = nation.call(CONTROL, "POST", "/cards/renew", {"card_serial": renewed})[1]["card_serial"]
    cards = {n: nation.card(n) for n in numbers}
    assert cards[numbers[0]] == renewed
    nation.wait_forgotten()
    before = dict(nation.portal.posts)
    stop = threading.Event()
    acknowledged = {}

    def keep_asking():
        while not stop.is_set():
            n = fresh_number()
            try:
                acknowledged[n] = nation.key_of(n)
            except (OSError, http.client.HTTPException):
                return
    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for t in askers:
        t.start()
    time.sleep(0.3 + random.random() / 5)
    nation.stop(signal.SIGKILL)
    stop.set()
    for t in askers:
        t.join()
    assert acknowledged
    nation.start()
    for n, key in {**keys, **acknowledged}.items():
        assert nation.key_of(n) == key
    assert {n: nation.card(n) for n in numbers} == cards
    nation.wait_forgotten()
    after = dict(nation.portal.posts)
    assert all(after[k] == p for k, p in before.items())
    assert set(acknowledged.values()) <= set(after)


def test_torn_journal_line_is_cut_off(nation):
    number = fresh_number()
    key = nation.key_of(number)
    nation.stop(signal.SIGKILL)
    journal = nation.dir / "state/journal.jsonl"
    with open(journal, "ab") as f:
        f.write(b'{"e":"key","n":"9999')
    nation.start()
    assert nation.key_of(number) == key
    assert all(json.loads(line)["e"] for line in journal.read_text().splitlines())


# -- consent and link key --


def test_link_key_opens_elsewhere_and_is_fresh_each_time(nation):
    card = nation.cards[0]
    key = nation.key_of(card["my_number"])
    seen = []
    for clinic in (CLINIC_A, CLINIC_A, CLINIC_B):
        status, answer = nation.consent(card["card_serial"], clinic)
        assert status == 201 and set(answer) == {"link_key", "consent_id", "expires_at"}
        claims = nation.open_link_key(answer["link_key"])
        assert set(claims) == {"iss", "pmh_key", "aud", "purpose", "scope", "iat", "exp", "jti", "consent_id", "consent_version"}
        assert (claims["iss"], claims["purpose"], claims["consent_version"]) == ("onshi.local", "treatment", 1)
        assert (claims["pmh_key"], claims["aud"], claims["scope"]) == (key, clinic, "eligibility")
        assert claims["exp"] - claims["iat"] == 24 * 3600 and abs(claims["iat"] - time.time()) < 60
        assert claims["consent_id"] == answer["consent_id"]
        seen.append((answer["link_key"], claims["jti"], claims["consent_id"]))
    for column in zip(*seen):
        assert len(set(column)) == 3


def consent_with(nation, **members):
    body = {"card_serial": nation.cards[0]["card_serial"], "items": ["eligibility"], **members}
    return nation.call(ONSHI, "POST", "/onshi/v1/consents", body, cert=f"clinic-{CLINIC_A}")


def test_a_consent_says_items_purpose_and_version(nation):
    nation.key_of(nation.cards[0]["my_number"])
    status, answer = consent_with(nation, items=["eligibility.validTo", "immunizations"], purpose="emergency", consent_id="again-1", consent_version=4)
    claims = nation.open_link_key(answer["link_key"])
    assert status == 201 and answer["consent_id"] == "again-1"
    assert [claims[k] for k in ("scope", "purpose", "consent_id", "consent_version")] == ["eligibility.validTo immunizations", "emergency", "again-1", 4]


@pytest.mark.parametrize("fault, claim, good", [
    ("expired", "exp", lambda v: v < time.time() - 60), ("future", "iat", lambda v: v > time.time() + 60),
    ("other_clinic", "aud", lambda v: v != CLINIC_A), ("other_environment", "iss", lambda v: v != "onshi.local"),
    ("other_purpose", "purpose", lambda v: v == "advertising"),
])
def test_faulty_claims_on_request(nation, fault, claim, good):
    nation.key_of(nation.cards[0]["my_number"])
    assert good(nation.open_link_key(consent_with(nation, fault=fault)[1]["link_key"])[claim])


@pytest.mark.parametrize("fault", ["truncated", "flipped", "long", "alg_none", "a128gcm", "rsa_oaep", "unknown_kid"])
def test_faulty_tokens_on_request(nation, fault):
    nation.key_of(nation.cards[0]["my_number"])
    token = consent_with(nation, fault=fault)[1]["link_key"]
    with pytest.raises(Exception):
        nation.open_link_key(token)


def test_the_key_in_use_is_taken_up(nation):
    nation.key_of(nation.cards[0]["my_number"])
    folder = nation.dir
    fresh = os.urandom(32)
    (folder / "link-jwe-k7.key").touch(mode=0o600)
    (folder / "link-jwe-k7.key").write_bytes(fresh)
    (folder / "link-jwe.kid").write_text("k7\n")
    try:
        token = consent_with(nation)[1]["link_key"]
        assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"] == "k7"
        box = jwe.JWE(algs=["dir", "A256GCM"])
        box.deserialize(token, jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(fresh).decode().rstrip("=")))
    finally:
        (folder / "link-jwe.kid").unlink()
    assert nation.open_link_key(consent_with(nation)[1]["link_key"])


def test_no_consent_without_key_card_or_clinic(nation):
    unnumbered = nation.card(fresh_number())
    assert nation.consent(unnumbered)[0] == 404
    assert nation.consent("0000DEAD")[0] == 404
    card = nation.cards[0]["card_serial"]
    for body in ({"card_serial": card}, {"card_serial": card, "items": []}, {"card_serial": card, "items": ["drugs"]},
                 {"card_serial": 1, "items": ["eligibility"]}, {"card_serial": card, "items": ["eligibility"], "more": 1},
                 {"card_serial": card, "items": ["eligibility", "eligibility"]}, {"card_serial": card, "items": ["eligibility.name"]},
                 {"card_serial": card, "items": ["eligibility"], "consent_version": 0}, {"card_serial": card, "items": ["eligibility"], "fault": "x"}):
        assert nation.call(ONSHI, "POST", "/onshi/v1/consents", body, cert=f"clinic-{CLINIC_A}")[0] == 422
    assert nation.call(ONSHI, "POST", "/onshi/v1/consents", {"card_serial": card, "items": ["eligibility"]}, cert="gateway-intake")[0] == 403


# -- pseudonyms --


def test_pushed_pseudonym_and_forgotten_key(nation):
    nation.order("push")
    key = nation.key_of(fresh_number())
    wait_for("the pair is posted", 10, lambda: key in dict(nation.portal.posts))
    nation.wait_forgotten()
    assert nation.system("portal")["pseudonyms_held"] >= 1
    files = b"".join(f.read_bytes() for f in (nation.dir / "state").iterdir())
    pseudonym = dict(nation.portal.posts)[key]
    assert key.encode() not in files and pseudonym.encode() not in files


def test_posts_are_retried_until_they_are_taken(nation):
    nation.portal.refuse = True
    key = nation.key_of(fresh_number())
    wait_for("posts fail", 10, lambda: nation.system("portal")["posts_failed"] >= 3)
    assert nation.system("portal")["pmh_keys_held"] >= 1
    assert key not in dict(nation.portal.posts)
    nation.portal.refuse = False
    wait_for("the pair is posted", 15, lambda: key in dict(nation.portal.posts))
    nation.wait_forgotten()


def test_waiting_pairs_survive_a_crash(nation):
    nation.portal.refuse = True
    key = nation.key_of(fresh_number())
    nation.stop(signal.SIGKILL)
    nation.portal.refuse = False
    nation.start()
    wait_for("the pair is posted", 15, lambda: key in dict(nation.portal.posts))


def test_first_use(nation):
    nation.order("first_use")
    try:
        number = fresh_number()
        key = nation.key_of(number)
        time.sleep(0.3)
        assert key not in dict(nation.portal.posts)
        status, answer = nation.login(nation.card(number))
        assert (status, answer) == (200, ELIGIBILITY)
        assert nation.portal.asked[-1] == dict(nation.portal.posts)[key]
        nation.wait_forgotten()
    finally:
        nation.order("push")


def test_change_to_push_catches_up(nation):
    nation.order("first_use")
    key = nation.key_of(fresh_number())
    nation.order("push")
    wait_for("the pair is posted", 10, lambda: key in dict(nation.portal.posts))


def test_renewed_card_keeps_the_pseudonym_and_ends_the_old_one(nation):
    number = fresh_number()
    key, old = nation.key_of(number), nation.card(number)
    assert nation.login(old) == (200, ELIGIBILITY)
    pseudonym = nation.portal.asked[-1]
    status, answer = nation.call(CONTROL, "POST", "/cards/renew", {"card_serial": old})
    new = answer["card_serial"]
    assert status == 200 and new != old
    posts = len(nation.portal.posts)
    assert nation.login(new) == (200, ELIGIBILITY)
    assert nation.portal.asked[-1] == pseudonym == dict(nation.portal.posts)[key]
    assert len(nation.portal.posts) == posts
    assert nation.login(old)[0] == 404 and nation.consent(old)[0] == 404
    assert nation.open_link_key(nation.consent(new)[1]["link_key"])["pmh_key"] == key
    assert nation.call(CONTROL, "POST", "/cards/renew", {"card_serial": old})[0] == 404


def test_login_passes_on_what_the_gateway_says(nation):
    assert nation.login("0000DEAD")[0] == 404
    assert nation.login(nation.card(fresh_number()))[0] == 404
    number = fresh_number()
    nation.portal.refuse = True
    nation.key_of(number)
    assert nation.login(nation.card(number))[0] == 502
    nation.portal.refuse = False
    wait_for("the citizen is answered", 15, lambda: nation.login(nation.card(number)) == (200, ELIGIBILITY))


CITIZENS = [("consents", {}), ("consents/withdraw", {"consent_id": "0" * 32}), ("consents/withdraw", {"all": True}), ("sessions/end", {"session_id": "f" * 32}),
            ("access-log", {}), ("access-log", {"cursor": "17", "limit": "5"}), ("access-log/statement", {"limit": "50"}), ("questionnaires", {}),
            ("questionnaires/answer", {"requestId": "r" * 16, "municipalityCode": "222127", "ticketNumber": "0" * 10, "templateId": "t", "templateVersion": "1",
                                       "answers": [{"item": "temp", "value": "36.5"}], "submit": True}),
            ("certificates", {}), ("certificates/revoke", {"certificate_id": "c" * 22})]


def test_a_citizens_orders_are_handed_on_with_the_pseudonym_in_place_of_the_card(nation):
    number = fresh_number()
    nation.key_of(number)
    card = nation.card(number)
    for path, members in CITIZENS:
        assert nation.call(MOCK_PORTAL, "POST", f"/portal/v1/{path}", {"card_serial": card, **members}) == (200, {"done": True})
        assert nation.portal.orders[-1] == (f"/v1/portal/{path}", members)
    seen = len(nation.portal.orders)
    for path, members in (("consents", {"all": True}), ("access-log", {"cursor": 17}), ("consents/withdraw", {"consent_id": {}}), ("access-log", {"limit": "9" * 65}),
                          ("questionnaires/answer", {"answers": {"temp": "36.5"}}), ("certificates/issue", {"attributes": "a.b.c"})):
        assert nation.call(MOCK_PORTAL, "POST", f"/portal/v1/{path}", {"card_serial": card, **members})[0] == 422
    assert nation.call(MOCK_PORTAL, "POST", "/portal/v1/consents", {"card_serial": "0000DEAD"})[0] == 404
    assert len(nation.portal.orders) == seen


def test_cards_are_shown_without_their_numbers(nation):
    status, raw = nation.raw(CONTROL, "GET", "/cards")
    cards = json.loads(raw)["cards"]
    assert status == 200 and len(cards) == len(nation.cards)
    assert {frozenset(c) for c in cards} == {frozenset(("card_serial", "name", "date_of_birth", "sex", "municipalityCode", "not_disclosed"))}
    assert {c["card_serial"] for c in cards} == {c["card_serial"] for c in nation.cards}
    assert not [c for c in nation.cards if c["my_number"].encode() in raw]


def test_an_application_for_a_certificate_has_what_the_card_says_signed_by_the_portal(nation):
    card = nation.cards[0]
    nation.key_of(card["my_number"])
    assert nation.call(MOCK_PORTAL, "POST", "/portal/v1/certificates/issue", {"card_serial": card["card_serial"], "kind": "shc"}) == (200, {"done": True})
    path, members = nation.portal.orders[-1]
    assert path == "/v1/portal/certificates/issue" and set(members) == {"kind", "attributes"}
    token = jws.JWS()
    token.deserialize(members["attributes"], jwk.JWK.from_pem(x509.load_pem_x509_certificate((nation.certs / "card-attributes.pem").read_bytes())
                                                               .public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)))
    said = json.loads(token.payload)
    assert (said["name"], said["birthDate"], said["azp"], said["portal"]) == (card["name"], card["date_of_birth"], "portal/mynaportal", "mynaportal")
    assert said["sub"] and abs(said["iat"] - time.time()) < 60 and card["my_number"] not in str(said)
    stranger = nation.card(fresh_number())
    assert nation.call(MOCK_PORTAL, "POST", "/portal/v1/certificates/issue", {"card_serial": stranger, "kind": "shc"})[0] == 404, "nobody has seen that card"


def test_without_a_clinic_door_there_is_no_clinic(nation):
    assert nation.call(CONTROL, "GET", "/clinic/v1/clinics") == (200, {"clinics": []})
    assert nation.call(CONTROL, "POST", f"/clinic/v1/{CLINIC_A}/consents", {"card_serial": nation.cards[0]["card_serial"], "items": ["eligibility"]})[0] == 404
    assert nation.call(CONTROL, "GET", "/portal/v1/log-key")[0] == 404


# -- faults --


@pytest.mark.parametrize("system", ["pmh", "intermediary"])
def test_faults_of_numbering(nation, system):
    a, b = fresh_number(), fresh_number()
    good = {n: nation.key_of(n) for n in (a, b)}

    def rows():
        status, answer = nation.number(a, b)
        assert status == 200
        return answer
    nation.fault(system, wrong_number=True, count=1)
    assert rows()[0]["myNumber"] not in (a, b)
    nation.fault(system, extra_field=True, count=1)
    assert [len(r) for r in rows()] == [3, 2]
    nation.fault(system, missing_field=True, count=1)
    assert [len(r) for r in rows()] == [1, 2]
    nation.fault(system, swap=True, count=1)
    assert {r["myNumber"]: r["pmhKey"] for r in rows()} == {a: good[b], b: good[a]}
    nation.fault(system, status=503, count=2)
    assert [nation.raw(PMH, "POST", "/pmh/v1/numbering", [{"myNumber": a}], cert="gateway-intake")[0] for _ in range(3)] == [503, 503, 200]
    nation.fault(system, garbage=True, count=1)
    status, body = nation.raw(PMH, "POST", "/pmh/v1/numbering", [{"myNumber": a}], cert="gateway-intake")
    assert status == 200
    with pytest.raises(ValueError):
        json.loads(body)
    nation.fault(system, reset=True, count=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        nation.number(a)
    nation.fault(system, delay_ms=700, count=1)
    start = time.monotonic()
    rows()
    assert time.monotonic() - start >= 0.7
    start = time.monotonic()
    assert {r["myNumber"]: r["pmhKey"] for r in rows()} == good
    assert time.monotonic() - start < 0.6
    assert nation.system(system)["fault"] == {} and nation.system(system)["answers_with_fault"] >= 8


def test_reset_after_issuing_loses_no_key(nation):
    number = fresh_number()
    nation.fault("pmh", reset=True, count=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        nation.number(number)
    assert nation.key_of(number) == nation.key_of(number)
    assert nation.system("intermediary")["my_numbers_held"] == nation.system("intermediary")["pmh_keys_held"]


def test_faults_of_consent_and_login(nation):
    card = nation.cards[1]
    nation.key_of(card["my_number"])
    nation.fault("onshi", status=500, count=1)
    assert nation.consent(card["card_serial"])[0] == 500
    nation.fault("onshi", missing_field=True, count=1)
    assert nation.consent(card["card_serial"])[1] == {}
    nation.fault("portal", extra_field=True, count=1)
    assert set(nation.login(card["card_serial"])[1]) == {"eligibility", "unexpected"}
    nation.fault("portal", reset=True, count=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        nation.login(card["card_serial"])
    nation.fault("onshi", reset=True)
    nation.fault("onshi")
    assert nation.consent(card["card_serial"])[0] == 201


def test_faults_that_are_none(nation):
    assert nation.call(CONTROL, "PUT", "/faults/nobody", {})[0] == 404
    for bad in ({"status": 99}, {"delay_ms": -1}, {"reset": 1}, {"x": True}):
        assert nation.call(CONTROL, "PUT", "/faults/pmh", bad)[0] == 422
    assert nation.system("pmh")["fault"] == {}


def test_stop_ends_delayed_answers(nation):
    nation.fault("pmh", delay_ms=60000, count=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(nation.number, fresh_number())
        wait_for("the request is held", 20, lambda: nation.system("pmh")["answers_with_fault"] and not nation.system("pmh")["fault"])
        assert nation.stop() == 0
        with pytest.raises((OSError, http.client.HTTPException)):
            late.result(10)
    nation.start()


# -- what is shown --


def test_vrs_answers_gateways_and_nobody_else(nation):
    number, peer = fresh_number(), "011002"
    question = {"requestId": "0" * 32, "inquirerMunicipalityCode": "331007", "providerMunicipalityCode": peer, "legalBasis": "90", "persons": [{"myNumber": number}]}
    assert nation.call(VRS, "POST", "/vrs/v1/inquiries", question)[0] in (401, 403)
    assert nation.raw(CONTROL, "POST", "/vrs/persons", [{"myNumber": number, "municipalityCode": peer}])[0] == 204
    status, answer = nation.call(VRS, "POST", "/vrs/v1/inquiries", question, cert="gateway-intake")
    assert status == 200 and answer["persons"][0]["immunizations"][0]["municipalityCode"] == peer
    status, munis = nation.call(VRS, "GET", "/vrs/v1/municipalities", cert="gateway-intake")
    assert len(set(munis["municipalities"])) == 1741
    home = nation.call(CONTROL, "POST", "/vrs/home", {"myNumber": fresh_number()})[1]["municipalityCode"]
    assert home in munis["municipalities"]
    assert nation.call(VRS, "POST", "/vrs/v1/inquiries", {**question, "providerMunicipalityCode": "999999"}, cert="gateway-intake")[0] == 404


def test_the_others_are_there(nation):
    assert nation.call(INTERMEDIARY, "GET", "/health")[0] == 200


def test_page_and_state(nation):
    assert nation.raw(CONTROL, "GET", "/")[0] == 307
    for page, file in (("clinic", "scan.js"), ("portal", "proof.js"), ("map", "flow.js")):
        status, text = nation.raw(CONTROL, "GET", f"/{page}")
        text = gzip.decompress(text).decode()
        assert status == 200 and f'src="/{page}/app.js"' in text
        assert "http://" not in text and "https://" not in text
        assert nation.raw(CONTROL, "GET", f"/{page}/{file}")[0] == 200
    systems = nation.call(CONTROL, "GET", "/state")[1]["systems"]
    assert set(systems) == {"pmh", "intermediary", "onshi", "portal", "vrs", "clinic-app", "id5", "vaccination-db", "claims"}
    assert [s for s, v in systems.items() if v["my_numbers_held"]] == ["intermediary", "vrs"]


def test_logs_have_no_number(nation):
    number, planted = fresh_number(), nation.cards[2]["my_number"]
    nation.key_of(number)
    nation.key_of(planted)
    nation.number("1234")
    assert nation.stop() == 0
    log = nation.log()
    assert "nation_up" in log and "nation_down" in log
    numbers = {json.loads(line).get("n") for line in (nation.dir / "state/journal.jsonl").read_text().splitlines()} - {None}
    assert {number, planted} <= numbers
    assert not [n for n in numbers if n in log]
    nation.start()
