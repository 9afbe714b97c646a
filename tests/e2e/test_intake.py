"""pmhgw-intake end to end: real daemons, real Redis, a PMH that the test controls (intake_rig.py)."""

import base64
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import intake_rig
from canary import contents
from intake_rig import Rig, number, row, wait_for

SEEDS = itertools.count(20_000_000_000 + random.SystemRandom().randrange(10**10))
USED = []


KILLS = int(os.environ.get("PMHGW_INTAKE_KILLS", 25))


def fresh():
    USED.append(number(next(SEEDS)))
    return USED[-1]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("i"))
    try:
        yield r.up()
    finally:
        r.down()


@pytest.fixture(autouse=True)
def pmh_is_well(request):
    yield
    if "rig" in request.fixturenames:
        pmh = request.getfixturevalue("rig").pmh
        pmh.fault, pmh.delay = None, 0.0
        if pmh.server is None:
            pmh.start()


def results(doc):
    return [(r["result"], r.get("code")) for r in doc["rows"]]


OFFICIAL = {
    "orgSpecificCertificateTypeId": "XXXXX", "myNumber": "210987654321",
    "basicFiveInfo": {"name": "愛知花子", "nameKana": "アイチハナコ", "address": "愛知県B市B町1-1-1 Bマンション101号室",
                      "dateOfBirth": "2013-01-01", "sex": "2"},
    "isNotDisclosed": False, "medicalSubsidyInsurerNumber": "87654321", "certificationName": "自立支援医療受給者証(育成医療)",
    "medicalSubsidyRecipientNumber": "0000002",
}


# ---- the main way ----


def test_official_sample_is_accepted(rig):
    USED.append(OFFICIAL["myNumber"])
    doc = rig.register_done([OFFICIAL])
    assert doc["state"] == "done" and doc["counts"]["registered"] == 1
    assert {"medicalSubsidyInsurerNumber", "myNumber"} == {w["field"] for w in doc["rows"][0]["warnings"]}


def test_history_form(rig):
    more = {"isAlwaysReimbursement": "0", "validFrom": "2025-04-01", "validTo": "2027-03-31", "isDeleted": False, "certificationDetail": []}
    num = fresh()
    rows = [row(num, historyKey=f"h{i}", **more) for i in range(3)]
    requests = rig.pmh.requests
    doc = rig.register_done(rows, path="history-registration-tasks")
    assert doc["operation"] == "postHistoryRegistrationTasks"
    assert results(doc) == [("registered", None)] * 3
    assert rig.pmh.requests == requests + 1, "one person, one question"


def test_accepted_answer(rig):
    status, doc = rig.register([row(fresh())])
    assert status == 202 and rig.headers["Location"] == f"/v1/tasks/{doc['task_id']}"
    assert doc["state"] == "accepted" and doc["counts"]["waiting"] == 1 and results(doc) == [("waiting", None)]


def test_same_rows_again_change_nothing(rig):
    rows = [row(fresh()) for _ in range(20)]
    assert rig.register_done(rows)["counts"]["registered"] == 20
    asked, stored = rig.pmh.entries, rig.redis("redis-link", "--scan", "--pattern", "p:*")
    again = rig.register_done(rows)
    assert again["counts"]["unchanged"] == 20 and again["state"] == "done"
    assert rig.pmh.entries == asked, "a known key is not asked for again"
    assert sorted(rig.redis("redis-link", "--scan", "--pattern", "p:*")) == sorted(stored)


def test_change_is_an_update(rig):
    num = fresh()
    rig.register_done([row(num)])
    assert results(rig.register_done([row(num, certificationName="別の受給者証")])) == [("updated", None)]
    assert results(rig.register_done([row(num, certificationName="別の受給者証")])) == [("unchanged", None)]


def test_many_rows(rig):
    doc = rig.register_done([row(fresh()) for _ in range(1500)])
    assert doc["counts"]["registered"] == 1500 and len(doc["rows"]) == 1500


def test_two_municipalities_one_key(rig):
    num = fresh()
    rig.register_done([row(num)])
    asked = rig.pmh.key_of(num)
    assert results(rig.register_done([row(num)], cert="muni-271403")) == [("registered", None)]
    assert rig.pmh.key_of(num) == asked


def test_list_of_tasks(rig):
    _, doc = rig.register([row(fresh())])
    status, listed = rig.call("GET", "/v1/tasks", token=rig.token())
    assert status == 200 and listed["tasks"][0]["task_id"] == doc["task_id"] and "rows" not in listed["tasks"][0]


# ---- who may ----


def test_token_rules(rig):
    good = rig.token()
    assert json.loads(base64.urlsafe_b64decode(good.split(".")[0] + "=="))["kid"] == "k10", "the newest key of k9 and k10"
    cases = {
        "none": (None, "muni-331007", 401), "garbage": ("x" * 80, "muni-331007", 401), "tampered": (good[:-4] + "AAAA", "muni-331007", 401),
        "of another municipality": (good, "muni-271403", 401), "of another system": (good, "muni-331007-b", 401),
        "of another certificate of the same system": (good, "muni-331007-c", 401),
    }
    for name, (token, cert, want) in cases.items():
        status, doc = rig.call("GET", "/v1/tasks", None, cert, token)
        assert (status, doc["code"]) == (want, "invalid_token"), name
        assert "Bearer" in rig.headers["WWW-Authenticate"], name
    assert rig.call("GET", "/v1/tasks", None, "clinic-3319900019", good)[0] == 403
    assert rig.call("GET", "/v1/tasks", None, None, good)[0] == 401


@pytest.mark.parametrize("body", [b"", b"grant_type=password", b"grant_type=client_credentials&x=1", b"grant_type=client_credentials&"
                                  b"grant_type=client_credentials", b"grant%5Ftype=client_credentials", b"grant_type"])
def test_token_form_is_strict(rig, body):
    status, doc = rig.call("POST", "/oauth2/token", body, media="application/x-www-form-urlencoded")
    assert status == 400, doc


def test_unknown_municipality_gets_no_token(rig):
    status, doc = rig.call("POST", "/oauth2/token", b"grant_type=client_credentials", "muni-999999", media="application/x-www-form-urlencoded")
    assert status == 403, doc


def test_task_of_another_municipality_is_unknown(rig):
    _, doc = rig.register([row(fresh())])
    token = rig.token("muni-271403")
    foreign = rig.task(doc["task_id"], "muni-271403", token)
    unknown = rig.task("0" * 32, "muni-271403", token)
    malformed = rig.task("nonsense", "muni-271403", token)
    for answer in (foreign, unknown, malformed):
        assert answer[0] == 404
    strip = lambda d: {k: v for k, v in d.items() if k not in ("instance", "request_id")}
    assert strip(foreign[1]) == strip(unknown[1]) == strip(malformed[1])


# ---- rules ----


def test_rules_inside_one_request(rig):
    a, b, c = fresh(), fresh(), fresh()
    doc = rig.register_done([
        row(a), row(a),
        row(b, certificationName="一"), row(b, certificationName="二"),
        row(c, born="2013-02-30"),
    ])
    assert doc["state"] == "done_with_errors"
    assert results(doc) == [("registered", None), ("unchanged", "same_row_twice"), ("refused", "rows_contradict"),
                            ("refused", "rows_contradict"), ("refused", "field_invalid")]
    fault = doc["rows"][4]["errors"][0]
    assert fault["rule"] == "date" and fault["message_ja"] and fault["message_en"]
    assert doc["rows"][1]["with_rows"] == [1]


def test_resident_keys_against_each_other(rig):
    a, b = fresh(), fresh()
    doc = rig.register_done([row(a, municipalityIdentityKey="r1"), row(b, municipalityIdentityKey="r1")])
    assert results(doc) == [("quarantined", "resident_key_two_numbers")] * 2
    doc = rig.register_done([row(a, municipalityIdentityKey="r2"), row(a, municipalityIdentityKey="r3", type_id="other")])
    assert results(doc) == [("quarantined", "number_two_residents")] * 2


def test_resident_keys_against_what_is_stored(rig):
    a, b = fresh(), fresh()
    key = f"stored-{a[-4:]}{b[-4:]}"
    assert results(rig.register_done([row(a, municipalityIdentityKey=key)])) == [("registered", None)]
    assert results(rig.register_done([row(b, municipalityIdentityKey=key)])) == [("quarantined", "resident_key_two_numbers")]
    assert results(rig.register_done([row(a, municipalityIdentityKey=key + "x")])) == [("quarantined", "number_two_residents")]
    assert results(rig.register_done([row(a, municipalityIdentityKey=key)])) == [("unchanged", None)]
    assert results(rig.register_done([row(b, municipalityIdentityKey=key)], cert="muni-271403")) == [("registered", None)]


def test_other_person_with_a_known_number_is_held(rig):
    num = fresh()
    rig.register_done([row(num)])
    doc = rig.register_done([row(num, name="岡山太郎", born="1980-05-05")])
    assert results(doc) == [("quarantined", "person_mismatch")] and doc["state"] == "done_with_errors"
    doc = rig.register_done([row(num, name="岡山太郎", born="1980-05-05", type_id="other")])
    assert results(doc) == [("quarantined", "person_mismatch")], "also on another certificate of that person"
    assert results(rig.register_done([row(num, name="婚姻花子")])) == [("updated", None)], "a new name alone is no mix-up"


def test_other_person_with_the_same_number_in_one_request(rig):
    num = fresh()
    doc = rig.register_done([row(num), row(num, name="岡山太郎", born="1980-05-05", type_id="other")])
    assert results(doc) == [("quarantined", "person_mismatch")] * 2
    held = [rig.redis("redis-link", "HEXISTS", f"o:331007:{doc['task_id']}", n) for n in (1, 2)]
    assert held == [["1"], ["1"]], "both are kept for an officer"
    assert rig.redis("redis-link", "ZSCORE", "oq", f"331007:{doc['task_id']}:1") in ([], [""]), "and wait for nobody else"


# ---- bad input: a problem document, no echo ----

BAD_BODIES = {
    "not json": (b'[{"myNumber":"%s"', "invalid_json"),
    "an object": (b'{"myNumber":"%s"}', "json_wrong_shape"),
    "too deep": (b"[" * 40 + b'"%s"' + b"]" * 40, "json_too_deep"),
    "a member twice": (b'[{"myNumber":"%s","myNumber":"1"}]', "json_duplicate_key"),
    "not utf-8": (b'[{"myNumber":"%s","x":"\xff"}]', "invalid_utf8"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies(rig, name):
    body, code = BAD_BODIES[name]
    canary = fresh().encode()
    status, doc = rig.register(body.replace(b"%s", canary))
    assert status == 400 and doc["code"] == code
    assert canary not in rig.raw


BAD_NUMBERS = {"13 digits": lambda n: n + "0", "11 digits": lambda n: n[1:], "full width": lambda n: n.translate({48 + d: 0xFF10 + d for d in range(10)}),
               "a JSON number": lambda n: int(n), "a space": lambda n: n + " ", "null": lambda n: None}


@pytest.mark.parametrize("name", BAD_NUMBERS)
def test_bad_numbers(rig, name):
    num = fresh()
    doc = rig.register_done([row(BAD_NUMBERS[name](num)), row(fresh())])
    assert results(doc) == [("refused", "field_invalid"), ("registered", None)]
    assert doc["rows"][0]["errors"][0]["field"] == "myNumber"
    assert num.encode() not in rig.raw and num.encode() not in rig.log_text()


def test_unknown_field_is_not_repeated(rig):
    doc = rig.register_done([row(fresh(), surprising="x")])
    assert results(doc) == [("refused", "field_invalid")] and doc["rows"][0]["errors"][0]["rule"] == "unknown"
    assert b"surprising" not in rig.raw


# ---- the upstream ----


def test_pmh_down_then_back(rig):
    rig.pmh.stop()
    _, doc = rig.register([row(fresh()) for _ in range(30)])
    time.sleep(1.5)
    status, now = rig.task(doc["task_id"])
    assert status == 200 and now["state"] == "processing" and now["counts"]["waiting"] == 30
    rig.pmh.start()
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 30


def test_pmh_down_over_a_kill_of_intake(rig):
    rig.pmh.stop()
    _, doc = rig.register([row(fresh()) for _ in range(30)])
    time.sleep(0.5)
    for _ in range(3):
        rig.kill("intake")
        rig.start("intake")
        rig.wait_healthy()
        time.sleep(0.4)
    rig.pmh.start()
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 30


def test_pmh_down_does_not_hold_up_known_people(rig):
    known = fresh()
    rig.register_done([row(known)])
    rig.pmh.stop()
    _, waits = rig.register([row(fresh()) for _ in range(50)])
    assert results(rig.register_done([row(known, certificationName="新")])) == [("updated", None)]
    rig.pmh.start()
    rig.wait_task(waits["task_id"])


TEMPORARY = {"500": lambda e: (500, b"oops"), "garbage": lambda e: (200, b"<html>"), "hangs up": lambda e: None, "503": lambda e: (503, b"")}


@pytest.mark.parametrize("name", TEMPORARY)
def test_temporary_faults_of_pmh(rig, name):
    left = [3]

    def fault(entries):
        left[0] -= 1
        return TEMPORARY[name](entries) if left[0] >= 0 else rig.pmh.answer(entries)

    rig.pmh.fault = fault
    assert rig.register_done([row(fresh()) for _ in range(5)])["counts"]["registered"] == 5
    assert left[0] < 0


def test_slow_pmh(rig):
    rig.pmh.delay = 1.0
    assert rig.register_done([row(fresh())])["counts"]["registered"] == 1


def lie(change):
    def fault(rig):
        def answer(entries):
            _, body = rig.pmh.answer(entries)
            return 200, json.dumps(change(json.loads(body))).encode()
        return answer
    return fault


LIES = {
    "an extra member": lie(lambda a: [dict(x, name="x") for x in a]),
    "another number": lie(lambda a: [dict(x, myNumber=number(99_999_999_9)) for x in a]),
    "number missing": lie(lambda a: [{"pmhKey": x["pmhKey"]} for x in a]),
    "a key that is a number": lie(lambda a: [dict(x, pmhKey=5) for x in a]),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_of_pmh_are_held(rig, name):
    rig.pmh.fault = LIES[name](rig)
    before = sorted(rig.redis("redis-link", "--scan", "--pattern", "p:*"))
    doc = rig.register_done([row(fresh())])
    assert results(doc) == [("quarantined", "upstream_answer_refused")]
    assert sorted(rig.redis("redis-link", "--scan", "--pattern", "p:*")) == before, "nothing is stored"
    held = rig.redis("redis-link", "HGET", f"o:331007:{doc['task_id']}", "1")
    assert held and held[0], "the row is kept for an officer"


def test_swapped_keys_of_pmh_are_held(rig):
    known = fresh()
    rig.register_done([row(known)])
    rig.pmh.fault = lambda entries: (200, json.dumps([{"pmhKey": rig.pmh.key_of(known), "myNumber": e["myNumber"]} for e in entries]).encode())
    assert results(rig.register_done([row(fresh())])) == [("quarantined", "upstream_answer_refused")]


def test_parallel_registrations_of_one_number(rig):
    num, docs, token = fresh(), [], rig.token()
    keys = len(rig.pmh.keys)

    def one():
        docs.append(intake_call(rig, token, [row(num)]))

    def intake_call(r, tok, rows):
        import http.client
        con = http.client.HTTPSConnection("127.0.0.1", r.port, context=r.context("muni-331007"), timeout=30)
        con.request("POST", "/v1/medical-subsidy/registration-tasks", json.dumps(rows), {"Content-Type": "application/json", "Authorization": f"Bearer {tok}"})
        answer = con.getresponse()
        doc = json.loads(answer.read())
        con.close()
        return answer.status, doc

    threads = [threading.Thread(target=one) for _ in range(64)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert [s for s, _ in docs] == [202] * 64
    done = [rig.wait_task(d["task_id"]) for _, d in docs]
    outcomes = sorted(results(d)[0][0] for d in done)
    assert outcomes == ["registered"] + ["unchanged"] * 63
    assert len(rig.pmh.keys) == keys + 1


# ---- our own parts fail ----


@pytest.mark.parametrize("part,code", [("redis-link", "store_unavailable"), ("audit", "audit_unavailable"), ("vault", "vault_unavailable"),
                                       ("redis-vault", "store_unavailable")])
def test_a_part_is_killed(rig, part, code):
    token = rig.token()
    rig.kill(part)
    time.sleep(0.2)
    began = time.monotonic()
    status, doc = rig.register([row(fresh())], token=token)
    took = time.monotonic() - began
    assert status == 503, doc
    assert rig.headers["Retry-After"]
    assert doc["code"] == code and took < (1.0 if part == "redis-link" else 4.0), took
    if part != "redis-vault":
        assert rig.health()[0] == 503
    rig.start(part)
    rig.wait_healthy()
    wait_for(lambda: rig.register([row(fresh())], token=token)[0] == 202, 10, "recovery")


def test_frozen_redis_hangs_nobody(rig):
    token = rig.token()
    rig.procs["redis-link"].send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        status, _ = rig.register([row(fresh())], token=token)
        assert status == 503 and time.monotonic() - began < 15
    finally:
        rig.procs["redis-link"].send_signal(signal.SIGCONT)
    rig.wait_healthy()


def test_random_kills_lose_and_double_nothing(rig):
    keys, people = len(rig.pmh.keys), len(rig.redis("redis-link", "--scan", "--pattern", "p:*"))
    tasks, numbers, kills, stop, dice = [], [], [], threading.Event(), random.Random(7)

    def killer():
        while len(kills) < KILLS and not stop.is_set():
            part = dice.choice(["intake", "vault", "audit", "redis-link", "redis-vault", "pmh"])
            if part == "pmh":
                rig.pmh.stop()
                time.sleep(0.1)
                rig.pmh.start()
            else:
                rig.kill(part)
                time.sleep(dice.random() / 10)
                rig.start(part)
            kills.append(part)
            time.sleep(0.1 + dice.random() / 3)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        while thread.is_alive():
            part = [fresh() for _ in range(100)]
            tasks.append(wait_for(lambda: try_register(rig, [row(n) for n in part]), 60, "acknowledged"))
            numbers += part
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
    rig.wait_healthy()
    assert len(kills) == KILLS and len(tasks) > KILLS / 5
    for doc in [rig.wait_task(t, seconds=60) for t in tasks]:
        assert doc["counts"]["registered"] + doc["counts"]["unchanged"] == 100, doc["counts"]
    assert len(rig.pmh.keys) == keys + len(numbers)
    names = rig.redis("redis-link", "--scan", "--pattern", "p:*")
    assert len(set(names)) == people + len(numbers)
    assert rig.redis("redis-link", "ZCARD", "oq") == ["0"] and rig.redis("redis-link", "ZCARD", "o:ready") == ["0"]


def try_register(rig, rows):
    try:
        status, doc = rig.register(rows)
    except (OSError, AssertionError, ValueError, intake_rig.http.client.HTTPException):
        return None
    return doc["task_id"] if status == 202 else None


# ---- what is left behind; last in the file ----


def leaks(rig, num):
    """Files under the state directory in which a number lies in some encoding."""
    forms = intake_rig.encodings(num)
    places = (place for d in ("redis-link", "redis-vault", "log", "audit") for place in contents(rig.dir / d))
    return [path.name for path, data in places if any(form in data for form in forms)]


def test_no_number_is_left_anywhere(rig):
    control = fresh()
    (rig.dir / "log" / "control.log").write_text(f"control {control.encode().hex()}")
    assert leaks(rig, control) == ["control.log"], "the search finds what is there, and only that"
    for num in random.Random(1).sample(USED[:-1], min(len(USED) - 1, 60)) + [OFFICIAL["myNumber"]]:
        assert leaks(rig, num) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of processes that nobody but root may look into")
def test_numbers_are_wiped_from_memory(rig):
    if intake_rig.has_sanitizer(rig.procs["intake"].pid):
        pytest.skip("terabytes of shadow memory")
    rig.pmh.delay = 1.5
    numbers = [fresh() for _ in range(20)]
    forms = [n.encode() for n in numbers]
    _, doc = rig.register([row(n) for n in numbers])
    time.sleep(0.5)
    assert intake_rig.memory_hits(rig.procs["intake"].pid, forms) > 0, "the search finds numbers on their way"
    rig.wait_task(doc["task_id"])
    rig.register([row(numbers[0] + "1"), row(int(numbers[1]))])
    rig.register(json.dumps([row(numbers[2])]).encode()[:-3])
    wait_for(lambda: intake_rig.memory_hits(rig.procs["intake"].pid, forms) == 0, 10, "wiped")
    assert intake_rig.memory_hits(rig.procs["audit"].pid, forms) == 0


def test_orderly_stop(rig):
    assert rig.kill("intake", signal.SIGTERM) == 0
    rig.start("intake")
    rig.wait_healthy()
