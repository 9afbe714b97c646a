"""The front from outside: clinics and the portal over mutual TLS, with a real store and a real audit log behind it."""

import concurrent.futures
import datetime
import http.client
import json
import re
import secrets
import time

import pytest

from canary import contents
from front_rig import CLINIC, ERR, EVENT, FAILED, GIVEN, NOBODY, NOTHING, OTHER_CLINIC, REFUSED, USED, jst, last, rig, wait_for  # noqa: F401 (rig is the fixture)


# ---- the clinic's lookup ----

def test_found(rig):
    pmh_key = rig.person([{"since": jst(), "until": jst()}, {"muni": "271403", "history": "2", "eligibility": {"n": 2}},
                          {"history": "3", "until": jst(-1)}, {"history": "4", "since": jst(1)}, {"history": "5", "flags": "d"}])
    answer = rig.look_up(rig.mint(pmh_key))
    assert answer.status == 200
    assert set(answer.json) == {"eligibility", "session", "session_id", "session_expires_at"}
    assert sorted(answer.json["eligibility"], key=len) == [{"n": 2}, {"municipalityCode": "331007", "certificationName": "子ども医療費受給者証"}]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", answer.json["session"])
    assert pmh_key.encode() not in answer.raw
    first, other = last(rig, "CLINIC_LOOKUP", 1), last(rig, "CLINIC_LOOKUP")  # the use, and behind it what the other municipality is to see
    for (event, result, reason, subject, muni, count, actor), who in ((first, rig.handle(pmh_key)), (other, NOBODY)):
        assert (result, reason, subject, count, actor) == (GIVEN, 0, who, 1, f"clinic/{CLINIC}")
    assert {first[4], other[4]} == {"331007", "271403"}


def test_second_use_is_used(rig):
    token = rig.mint(rig.person())
    assert rig.look_up(token).status == 200
    again = rig.look_up(token)
    assert (again.status, again.code) == (409, "used")
    assert last(rig, "CLINIC_LOOKUP")[1:3] == (USED, ERR["USED"])


def test_second_use_looks_the_same_for_an_unknown_person(rig):
    known, unknown = rig.mint(rig.person()), rig.mint("pk-nobody")
    rig.look_up(known), rig.look_up(unknown)
    answers = [rig.look_up(known), rig.look_up(unknown)]
    seen = [(status, headers, raw.replace(answer.json["used_at"].encode(), b"WHEN"))
            for answer in answers for status, headers, raw in [answer.without_id()]]
    assert seen[0] == seen[1]


def test_other_clinic_hears_nothing_and_uses_nothing_up(rig):
    pmh_key = rig.person()
    token = rig.mint(pmh_key)
    for _ in range(2):
        other = rig.look_up(token, OTHER_CLINIC)
        assert (other.status, other.code) == (404, "nothing")
    assert last(rig, "CLINIC_LOOKUP")[1:4] == (NOTHING, ERR["FORBIDDEN"], rig.handle(pmh_key))
    assert rig.look_up(token).status == 200


def tampered(token):
    head, _, iv, text, tag = token.split(".")
    return ".".join([head, "", iv, ("A" if text[0] != "A" else "B") + text[1:], tag])


def bad_tokens(rig):
    pmh_key = rig.person()
    good = rig.mint(pmh_key)
    return {
        "expired": (rig.mint(pmh_key, age=700, life=600), "TOKEN"),
        "from the future": (rig.mint(pmh_key, age=-300), "TOKEN"),
        "lives too long": (rig.mint(pmh_key, life=25 * 3600), "TOKEN"),
        "tampered": (tampered(good), "TOKEN"),
        "foreign key": (rig.mint(pmh_key, key=secrets.token_bytes(32)), "TOKEN"),
        "foreign kid": (rig.mint(pmh_key, kid="k9"), "TOKEN"),
        "unknown claim": (rig.mint(pmh_key, admin=True), "TOKEN"),
        "not a token": ("not.a.token", "TOKEN"),
        "cut": (good[:-3], "TOKEN"),
        "other clinic's": (rig.mint(pmh_key, aud=OTHER_CLINIC), "FORBIDDEN"),
        "unknown kind": (rig.mint(pmh_key, scope="eligibilityx ticket"), "TOKEN"),
        "unknown person": (rig.mint("pk-nobody-at-all"), "NOTHING"),
        "ended": (rig.mint(rig.person([{"until": jst(-1)}])), "NOTHING"),
        "not begun": (rig.mint(rig.person([{"since": jst(1)}])), "NOTHING"),
        "deleted": (rig.mint(rig.person([{"flags": "d"}])), "NOTHING"),
        "not disclosed": (rig.mint(rig.person([{"flags": "n"}])), "NOT_DISCLOSED"),
        "not disclosed elsewhere": (rig.mint(rig.person([{}, {"muni": "271403", "flags": "n"}])), "NOT_DISCLOSED"),
        "not disclosed long ago": (rig.mint(rig.person([{}, {"history": "2", "flags": "nd", "until": 20200101}])), "NOT_DISCLOSED"),
    }


def test_every_nothing_is_the_same_and_audited(rig):
    seen = {}
    for name, (token, reason) in bad_tokens(rig).items():
        answer = rig.look_up(token)
        assert (answer.status, answer.code) == (404, "nothing"), name
        assert token.encode() not in answer.raw
        assert last(rig, "CLINIC_LOOKUP")[1:3] == (NOTHING, ERR[reason]), name
        seen[name] = answer.without_id()
    assert all(s == seen["unknown person"] for s in seen.values()), seen


def test_each_municipality_whose_records_are_told_has_a_record_of_it(rig):
    """Its own operation log shows what was told of its data; the person's log shows the lookup once."""
    pmh_key = rig.person([{}, {"history": "2"}, {"muni": "271403", "history": "3"}])
    pseudonym = "ps-" + secrets.token_hex(8)
    assert rig.link(pmh_key, pseudonym).status == 204
    token, n = rig.mint(pmh_key), len(rig.audit())
    answer = rig.look_up(token)
    for event, asked in ((EVENT["CLINIC_LOOKUP"], answer), (EVENT["SESSION_READ"], rig.read_session(answer.json["session"])), (EVENT["CITIZEN_LOOKUP"], rig.ask(pseudonym))):
        assert asked.status == 200 and len(asked.json["eligibility"]) == 3
        found = [(rec, more) for rec, more in list(zip(rig.audit(), rig.records()))[n:] if rec[0] == event]
        assert sorted((rec[4], rec[5]) for rec, _ in found) == [("271403", 1), ("331007", 2)] and {rec[1] for rec, _ in found} == {GIVEN}
        about = [(rec, more) for rec, more in found if rec[3] != bytes(16)]
        assert len(about) == 1 and about[0][0][3] == rig.handle(pmh_key)
        assert all(more["ref"] == bytes(16) and more["epoch"] == 0 for rec, more in found if rec[3] == bytes(16))
    assert rig.look_up(token).code == "used"  # tells nothing of anybody's
    assert [rec[4] for rec in rig.audit()[-1:]] == ["000000"]


def test_not_disclosed_takes_effect_at_once(rig):
    pmh_key = rig.person()
    session = rig.look_up(rig.mint(pmh_key)).json["session"]
    pseudonym = "ps-" + secrets.token_hex(8)
    assert rig.link(pmh_key, pseudonym).status == 204
    assert rig.ask(pseudonym).status == 200
    rig.put(pmh_key, muni="271403", history="9", flags="n")
    for answer in (rig.look_up(rig.mint(pmh_key)), rig.read_session(session), rig.ask(pseudonym)):
        assert (answer.status, answer.code) == (404, "nothing")


def test_moved_record_is_an_alarm(rig):
    pmh_key, other = rig.person(), rig.person()
    r = rig.redis()
    source, field = rig.put(other, history="7")
    target, _ = rig.put(pmh_key, history="8")
    r("HSET", target, field, r("HGET", source, field))
    answer = rig.look_up(rig.mint(pmh_key))
    assert (answer.status, answer.code) == (500, "internal_error")
    assert last(rig, "CLINIC_LOOKUP")[1:3] == (FAILED, ERR["SEAL"])


def test_one_winner_over_two_workers(rig):
    for _ in range(4):
        token = rig.mint(rig.person())
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda _: rig.look_up(token), range(64)))
        assert sorted(a.status for a in answers) == [200] + [409] * 63
        assert {a.code for a in answers if a.status == 409} == {"used"}


# ---- the clinic's session ----

def test_session_is_read_again(rig):
    pmh_key = rig.person()
    first = rig.look_up(rig.mint(pmh_key)).json
    for _ in range(2):
        answer = rig.read_session(first["session"])
        assert answer.status == 200 and answer.json == first
    assert last(rig, "SESSION_READ")[1:4] == (GIVEN, 0, rig.handle(pmh_key))


def test_session_of_another_certificate(rig):
    pmh_key = rig.person()
    session = rig.look_up(rig.mint(pmh_key)).json["session"]
    other = rig.read_session(session, OTHER_CLINIC)
    assert (other.status, other.code) == (404, "no_session")
    assert last(rig, "SESSION_READ")[1:4] == (REFUSED, ERR["CERT_REFUSED"], rig.handle(pmh_key))
    unknown = rig.read_session(secrets.token_urlsafe(32))
    assert unknown.without_id() == other.without_id()
    assert last(rig, "SESSION_READ")[1:4] == (REFUSED, ERR["SESSION"], NOBODY)
    assert rig.read_session(session).status == 200


def test_session_ends(rig):
    session = rig.look_up(rig.mint(rig.person(), life=24 * 3600, age=24 * 3600 - 2)).json
    expires = datetime.datetime.fromisoformat(session["session_expires_at"].replace("Z", "+00:00")).timestamp()
    assert expires < time.time() + 5
    wait_for(lambda: rig.read_session(session["session"]).code == "no_session", 20)
    assert time.time() >= expires - 0.1


def test_moved_session_does_not_open(rig):
    r, mine, other = rig.redis(), rig.person(), rig.person()
    session = rig.look_up(rig.mint(mine)).json["session"]
    rig.look_up(rig.mint(other))
    mine_key, other_key = rig.put(mine)[0], rig.put(other)[0]
    mine_field, other_field = (next(f for f in r("HKEYS", key) if f.startswith(b"sn:")) for key in (mine_key, other_key))
    r("HSET", mine_key, mine_field, r("HGET", other_key, other_field))
    assert rig.read_session(session).status == 500


# ---- the portal ----

def test_pseudonym_before_and_after_the_registration(rig):
    late, early = "pk-" + secrets.token_hex(8), rig.person()
    ps_late, ps_early = ("ps." + secrets.token_hex(8) for _ in range(2))
    assert rig.link(late, ps_late).status == 204
    assert rig.ask(ps_late).code == "nothing"
    rig.put(late)
    for pmh_key, pseudonym in ((late, ps_late), (early, ps_early)):
        for _ in range(2):
            answer = rig.link(pmh_key, pseudonym)
            assert (answer.status, answer.raw) == (204, b"")
        answer = rig.ask(pseudonym)
        assert answer.status == 200 and set(answer.json) == {"eligibility"}
        assert last(rig, "CITIZEN_LOOKUP")[1:4] == (GIVEN, 0, rig.handle(pmh_key))
    assert last(rig, "PSEUDONYM_LINKED")[6] == "portal/mynaportal"


def test_pseudonym_conflicts(rig):
    a, b = rig.person(), rig.person()
    ps_a, ps_b, fresh = (secrets.token_hex(8) for _ in range(3))
    assert rig.link(a, ps_a).status == rig.link(b, ps_b).status == 204
    for pmh_key, pseudonym in ((a, ps_b), (b, ps_a), (a, fresh), ("pk-unknown-" + fresh, ps_a)):
        answer = rig.link(pmh_key, pseudonym)
        assert (answer.status, answer.code) == (409, "conflict")
        assert last(rig, "PSEUDONYM_LINKED")[1:3] == (REFUSED, ERR["CONFLICT"])
    assert rig.ask(ps_a).status == rig.ask(ps_b).status == 200
    assert rig.ask(fresh).code == "nothing"
    assert rig.link("pk-unknown-" + fresh, fresh).status == 204  # the lost claim was taken back


def test_interrupted_link_is_completed(rig):
    pmh_key, pseudonym, r = rig.person(), secrets.token_hex(8), rig.redis()
    before = set(r("KEYS", "ps:*"))
    assert rig.link(pmh_key, pseudonym).status == 204
    r("DEL", (set(r("KEYS", "ps:*")) - before).pop())
    assert rig.ask(pseudonym).code == "nothing"
    assert rig.link(pmh_key, pseudonym).status == 204
    assert rig.ask(pseudonym).status == 200


def test_raced_links_have_one_outcome(rig):
    pmh_key, names = rig.person(), [secrets.token_hex(8) for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: rig.link(pmh_key, n).status, names))
    assert sorted(answers) == [204] + [409] * 15
    assert [n for n in names if rig.ask(n).status == 200] == [names[answers.index(204)]]


def test_a_claim_that_is_taken_back_is_ones_own(rig):
    """Two posts of a pseudonym that somebody else has both give their claim back: not the one that another post has made meanwhile."""
    taken = "ps-" + secrets.token_hex(8)
    assert rig.link(rig.person(), taken).status == 204
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(25):
            pmh_key, own = rig.person(), "ps-" + secrets.token_hex(8)
            posts = [pool.submit(rig.link, pmh_key, own if i % 4 == 3 else taken) for i in range(16)]
            assert {p.result().status for p in posts} <= {204, 409}
            if any(p.result().status == 204 for p in posts):
                assert rig.link(pmh_key, "ps-" + secrets.token_hex(8)).status == 409, "a second pseudonym for one person"


def test_portals_do_not_share_pseudonyms(rig):
    a, b, pseudonym = rig.person([{"eligibility": {"n": 1}}]), rig.person([{"eligibility": {"n": 2}}]), secrets.token_hex(8)
    assert rig.link(a, pseudonym).status == rig.link(b, pseudonym, "other").status == 204
    assert rig.ask(pseudonym).json == {"eligibility": [{"n": 1}]}
    assert rig.ask(pseudonym, "other").json == {"eligibility": [{"n": 2}]}


def test_portal_nothing_is_the_same(rig):
    hidden, ended = rig.person([{}, {"history": "2", "flags": "n"}]), rig.person([{"until": jst(-1)}])
    ps = [secrets.token_hex(8) for _ in range(3)]
    assert rig.link(hidden, ps[0]).status == rig.link(ended, ps[1]).status == 204
    answers = [rig.ask(p) for p in ps]
    assert {a.status for a in answers} == {404}
    assert answers[0].without_id() == answers[1].without_id() == answers[2].without_id()
    reasons = [last(rig, "CITIZEN_LOOKUP", skip)[2] for skip in (2, 1, 0)]
    assert reasons == [ERR["NOT_DISCLOSED"], ERR["NOTHING"], ERR["NOTHING"]]


# ---- bad requests ----

@pytest.mark.parametrize("door, path, body, status, code, fields", [
    ("clinic", "/v1/clinic/eligibility", "{", 400, "invalid_json", None),
    ("clinic", "/v1/clinic/eligibility", "[]", 400, "json_wrong_shape", None),
    ("clinic", "/v1/clinic/eligibility", b'{"link_key":"\xff"}', 400, "invalid_utf8", None),
    ("clinic", "/v1/clinic/eligibility", '{"link_key":"a","link_key":"b"}', 400, "json_duplicate_key", None),
    ("clinic", "/v1/clinic/eligibility", "{}", 422, "field_invalid", [("link_key", "missing")]),
    ("clinic", "/v1/clinic/eligibility", {"link_key": 123456789018}, 422, "field_invalid", [("link_key", "type")]),
    ("clinic", "/v1/clinic/eligibility", {"link_key": "x", "canary": "y"}, 422, "field_invalid", [("", "unknown")]),
    ("clinic", "/v1/clinic/eligibility", {"link_key": "x" * 4097}, 422, "field_invalid", [("link_key", "length")]),
    ("clinic", "/v1/clinic/eligibility", {"link_key": "x" * 9000}, 413, "body_too_large", None),
    ("clinic", "/v1/clinic/session", {"session": "short"}, 422, "field_invalid", [("session", "length")]),
    ("portal", "/v1/portal/pseudonyms", {"pmh_key": "pk-1", "pseudonym": "1234567"}, 422, "field_invalid", [("pseudonym", "length")]),
    ("portal", "/v1/portal/pseudonyms", {"pmh_key": "pk-1", "pseudonym": "x" * 129}, 422, "field_invalid", [("pseudonym", "length")]),
    ("portal", "/v1/portal/pseudonyms", {"pmh_key": "pk-1", "pseudonym": "has space"}, 422, "field_invalid", [("pseudonym", "class")]),
    ("portal", "/v1/portal/pseudonyms", {"pmh_key": "キー", "pseudonym": "12345678"}, 422, "field_invalid", [("pmh_key", "class")]),
    ("portal", "/v1/portal/eligibility", {"pseudonym": "１２３４５６７８"}, 422, "field_invalid", [("pseudonym", "class")]),
])
def test_bad_bodies(rig, door, path, body, status, code, fields):
    answer = rig.post(door, path, body, f"clinic-{CLINIC}" if door == "clinic" else "portal-mynaportal")
    assert (answer.status, answer.code) == (status, code)
    if fields:
        assert [(e["field"], e["rule"]) for e in answer.json["errors"]] == fields
    for word in (b"canary", b"123456789018", b"has space"):
        assert word not in answer.raw


@pytest.mark.parametrize("door, path, cert, status, code", [
    ("clinic", "/v1/clinic/eligibility", "portal-mynaportal", 403, "forbidden"),
    ("clinic", "/v1/clinic/session", "muni-331007", 403, "forbidden"),
    ("clinic", "/v1/clinic/eligibility", None, 401, "certificate_required"),
    ("portal", "/v1/portal/eligibility", f"clinic-{CLINIC}", 403, "forbidden"),
    ("portal", "/v1/portal/pseudonyms", None, 401, "certificate_required"),
])
def test_wrong_callers_are_refused_and_audited(rig, door, path, cert, status, code):
    answer = rig.post(door, path, {}, cert)
    assert (answer.status, answer.code) == (status, code)
    _, result, reason, subject, muni, count, actor = last(rig, "REFUSED")
    assert (result, subject, muni, count) == (REFUSED, NOBODY, "000000", 1)
    assert reason == ERR["CERT_MISSING" if cert is None else "FORBIDDEN"]


@pytest.mark.parametrize("method, path, body, reason", [
    ("POST", "/v1/clinic/eligibility", "{", "BAD_JSON"),
    ("POST", "/v1/clinic/eligibility", {"link_key": 1}, "FIELD"),
    ("POST", "/v1/clinic/eligibility", "x" * 9000, "BODY_TOO_LARGE"),
    ("POST", "/v1/nowhere", {}, "NO_ROUTE"),
    ("DELETE", "/v1/clinic/session", None, "METHOD"),
    ("GET", "/v1/%41", None, "BAD_URL"),
])
def test_every_refusal_is_audited_once_before_its_answer(rig, method, path, body, reason):
    seen = len(rig.audit())
    body = json.dumps(body) if isinstance(body, dict) else body
    assert 400 <= rig.call("clinic", method, path, body, f"clinic-{CLINIC}").status < 500
    assert rig.audit()[seen:] == [(EVENT["REFUSED"], REFUSED, ERR[reason], NOBODY, "000000", 1, f"clinic/{CLINIC}")]


def test_a_flood_of_strangers_does_not_fill_the_audit_log(rig):
    seen = len(rig.audit())
    con = http.client.HTTPSConnection("127.0.0.1", rig.ports["clinic"], context=rig.context(None), timeout=10)
    for i in range(120):
        con.request("GET", f"/nowhere/{i}")
        answer = con.getresponse()
        assert answer.status == 401 and answer.read()
    con.close()
    records = rig.audit()[seen:]
    assert sum(r[5] for r in records) == 120 and {r[2] for r in records} == {ERR["CERT_MISSING"]}


def test_the_doors_do_not_share_routes(rig):
    assert rig.post("clinic", "/v1/portal/eligibility", {}, "portal-mynaportal").status == 404
    assert rig.post("portal", "/v1/clinic/eligibility", {}, f"clinic-{CLINIC}").status == 404
    assert rig.get("clinic", "/v1/clinic/eligibility", f"clinic-{CLINIC}").status == 405


# ---- what is left behind ----

def test_nothing_that_was_sent_is_in_logs_audit_or_store(rig):
    canary = "123456789018"
    pmh_key, pseudonym = "pk-" + canary, "ps-" + canary
    rig.put(pmh_key, eligibility={"medicalSubsidyRecipientNumber": canary})
    token = rig.mint(pmh_key)
    assert canary in rig.look_up(token).raw.decode()  # the search can find it
    assert rig.link(pmh_key, pseudonym).status == 204
    assert rig.ask(pseudonym).status == 200
    for door, path, cert in (("clinic", "/v1/clinic/eligibility", f"clinic-{CLINIC}"), ("portal", "/v1/portal/pseudonyms", "portal-mynaportal")):
        rig.post(door, path, {canary: canary}, cert)
        rig.post(door, path, f'{{"{canary}"', cert)
        rig.call(door, "GET", f"/{canary}?n={canary}", cert=cert)
    for folder in ("log", "audit", "redis-link"):
        files = list(contents(rig.dir / folder))
        assert files
        for path, data in files:
            assert canary.encode() not in data, path
