"""Staff of a municipality: users, login without an oracle, sessions, second factor, roles and programs, the reveal of a number (intake_rig.py)."""

import base64
import concurrent.futures
import hashlib
import hmac
import itertools
import json
import os
import random
import struct
import subprocess
import time

import pytest

from intake_rig import BIN, ROOT, Rig, encodings, number, row, wait_for

A, B = "331007", "271403"
LOGIN, LOGOUT, CHANGED, REVEALED, RELEASED = 70, 71, 72, 20, 24
SEEDS = itertools.count(30_000_000_000 + random.SystemRandom().randrange(10**9))
IDS = (f"user-{i}" for i in itertools.count(1))
SAID = []  # every password and secret: none may be found anywhere
NAMED = itertools.count(1)


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("s"), reveals_per_day=3, release_two_officers=1)
    r.fixed = {}
    try:
        r.up()
        r.tokens = {}
        yield r
    finally:
        r.down()


def settings(rig, **more):
    """Another intake with other settings; those of the rig again when none are given."""
    if rig.fixed == more:
        return
    rig.fixed, before = more, dict(rig.settings)
    rig.kill("intake")
    rig.settings.update(more)
    rig._confs()
    rig.settings = before
    rig.start("intake")
    rig.wait_healthy()


@pytest.fixture(autouse=True)
def plain(request, rig):
    settings(rig, **getattr(request.function, "settings", {}))


def with_settings(**more):
    def mark(f):
        f.settings = more
        return f
    return mark


# ---- calls ----

def command(rig, *words):
    return subprocess.run([BIN / "pmhgw", "staff", *words, "--state", rig.dir], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "PMHGW_SHARE": str(ROOT / "config")})


def added(rig, *rights, muni=A):
    user = next(IDS)
    out = command(rig, "add", muni, user, *rights)
    assert out.returncode == 0, out.stderr
    return user, out.stdout.strip().splitlines()[-1]


def call(rig, method, path, body=None, session=None, cert=f"muni-{A}"):
    if cert not in rig.tokens:
        rig.tokens[cert] = rig.token(cert)
    return rig.call(method, path, None if body is None else json.dumps(body, ensure_ascii=False).encode(), cert, rig.tokens[cert],
                    headers={"Pmhgw-Staff": session} if session else {})


def login(rig, user, password, totp=None, cert=f"muni-{A}"):
    SAID.append(password)
    return call(rig, "POST", "/v1/staff/login", {"user_id": user, "password": password, **({"totp": totp} if totp else {})}, cert=cert)


def good_password():
    return f"blue kettle {random.SystemRandom().randrange(10**12)} river"


def member(rig, *rights, muni=A):
    """A user who has changed the first password: (id, password, session)."""
    cert = f"muni-{muni}"
    user, first = added(rig, *rights, muni=muni)
    status, doc = login(rig, user, first, cert=cert)
    assert status == 200 and doc["must_change_password"] is True, doc
    fresh = good_password()
    SAID.append(fresh)
    status, doc2 = call(rig, "POST", "/v1/staff/password", {"password": first, "new_password": fresh}, doc["staff_session"], cert)
    assert status == 204, doc2
    return user, fresh, doc["staff_session"]


def slug(answer):
    return answer[0], answer[1] and answer[1].get("code")


def hash_of(rig, key):
    flat = rig.redis("redis-link", "HGETALL", key)
    return dict(zip(flat[::2], flat[1::2]))


def counters(rig, muni=A):
    """What is counted: strangers to an id together, known sources of a user each by itself."""
    return {key: hash_of(rig, key) for key in rig.redis("redis-link", "KEYS", f"sf:{muni}:*") if key}


def forget_failures(rig):
    for key, fields in counters(rig).items():
        gone = [f for f in fields if ":" in f or not key.endswith(":k")]
        if gone:
            rig.redis("redis-link", "HDEL", key, *gone)


def code_of(secret, shift=0):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + shift), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def records(rig, event):
    """(result, actor, ref, behalf, basis, purpose, subject) of every record of that kind."""
    out = []
    for path in sorted((rig.dir / "audit").glob("audit-*.log")):
        data = path.read_bytes()[64:]
        for at in range(0, len(data) - 207, 208):
            r = data[at:at + 160]
            if any(r) and int.from_bytes(r[2:4], "big") == event:
                out.append((r[1], r[56:120].rstrip(b"\0").decode(), r[120:136].hex(), r[153], int.from_bytes(r[148:150], "big"), r[152], r[40:56].hex()))
    return out


# ---- the first user, passwords ----

def test_first_user_changes_the_password_and_nothing_else_before(rig):
    user, first = added(rig, "--role", "admin", "--programs", "*", "--name", "佐藤　花子")
    assert command(rig, "add", A, user, "--role", "admin").returncode == 2
    status, doc = login(rig, user, first)
    assert status == 200 and doc["must_change_password"] and doc["role"] == "admin" and doc["programs"] == ["*"]
    s = doc["staff_session"]
    assert slug(call(rig, "GET", "/v1/staff/users", session=s)) == (403, "password_change_required")
    assert slug(call(rig, "GET", "/v1/tasks", session=s)) == (403, "password_change_required")
    assert slug(call(rig, "POST", "/v1/staff/totp", {"password": first}, s)) == (403, "password_change_required")
    for bad in ("short", f"{user}-1", first):
        assert slug(call(rig, "POST", "/v1/staff/password", {"password": first, "new_password": bad}, s)) == (422, "password_not_acceptable"), bad
        forget_failures(rig)
    assert slug(call(rig, "POST", "/v1/staff/password", {"password": "wrong", "new_password": good_password()}, s)) == (401, "login_failed")
    used = [first]
    for _ in range(2):
        fresh = good_password()
        assert call(rig, "POST", "/v1/staff/password", {"password": used[-1], "new_password": fresh}, s)[0] == 204
        used.append(fresh)
    for old in used[1:]:
        assert slug(call(rig, "POST", "/v1/staff/password", {"password": used[-1], "new_password": old}, s)) == (422, "password_not_acceptable")
        forget_failures(rig)
    SAID.extend(used)
    assert slug(login(rig, user, first)) == (401, "login_failed")
    assert login(rig, user, used[-1])[0] == 200
    status, doc = call(rig, "GET", "/v1/staff/users", session=s)
    mine = next(u for u in doc["users"] if u["user_id"] == user)
    assert status == 200 and mine["display_name"] == "佐藤　花子" and not mine["must_change_password"] and not mine["second_factor"]
    assert {"one_time_password", "password"}.isdisjoint(mine)


# ---- no oracle ----

def test_every_failure_sounds_alike_and_takes_as_long(rig):
    there, word, _ = member(rig, "--role", "viewer")
    gone, gone_word, _ = member(rig, "--role", "viewer")
    late, late_first = added(rig, "--role", "viewer", "--until", "2020-01-01")
    assert command(rig, "withdraw", A, gone).returncode == 0
    locked, locked_word, _ = member(rig, "--role", "viewer")
    counter(rig, locked), counter(rig, "locked-nobody")
    kinds = {"wrong": lambda: (there, "wrong password 1"), "unknown": lambda: (f"nobody-{next(NAMED)}", word), "withdrawn": lambda: (gone, gone_word),
             "expired": lambda: (late, late_first), "locked": lambda: (locked, locked_word), "unknown, locked": lambda: ("locked-nobody", word)}
    times, bodies, headers = {k: [] for k in kinds}, set(), set()
    for _ in range(8):
        forget_failures(rig)
        for user in (locked, "locked-nobody"):
            lock(rig, user)
        for kind in random.sample(list(kinds), len(kinds)):
            user, password = kinds[kind]()
            begin = time.perf_counter()
            status, doc = login(rig, user, password)
            times[kind].append(time.perf_counter() - begin)
            assert slug((status, doc)) == (401, "login_failed"), kind
            doc.pop("request_id", None)
            doc.pop("instance", None)
            bodies.add(json.dumps(doc, sort_keys=True))
            headers.add(tuple(sorted((k, v) for k, v in rig.headers.items() if k.lower() not in ("date", "x-request-id", "pmhgw-request-id", "request-id"))))
    assert len(bodies) == 1, bodies
    assert len(headers) == 1, headers
    least = {k: min(v) * 1000 for k, v in times.items()}  # what others do on the machine only adds
    print({k: f"{v:.1f} ms" for k, v in least.items()})
    # One Argon2id more or less would be a factor.
    assert max(least.values()) < 1.35 * min(least.values()) + 5, least
    forget_failures(rig)


def counter(rig, user, muni=A):
    """Where the failures of a user from here are counted, found by the one that a wrong login adds: (key, what stands behind the names of its fields)."""
    if user not in COUNTERS:
        before = counters(rig, muni)
        assert login(rig, user, "wrong password 2", cert=f"muni-{muni}")[0] == 401
        ((key, field),) = [(k, f) for k, fields in counters(rig, muni).items() for f in fields if f.startswith("n") and fields[f] != before.get(k, {}).get(f)]
        COUNTERS[user] = key, field[1:]
    return COUNTERS[user]


def counted(rig, user):
    key, of = counter(rig, user)
    return rig.redis("redis-link", "HMGET", key, f"n{of}", f"until{of}")


COUNTERS = {}


def lock(rig, user):
    key, of = counter(rig, user)
    rig.redis("redis-link", "HSET", key, f"n{of}", 9, f"until{of}", int((time.time() + 100) * 1000), f"at{of}", int(time.time() * 1000))


@with_settings(staff_lock_s=2)
def test_failures_lock_an_id_for_a_growing_time_whether_anybody_has_it(rig):
    user, word, _ = member(rig, "--role", "viewer")
    for who in (user, "nobody-at-all"):
        counter(rig, who)
        for _ in range(4):
            assert login(rig, who, "wrong password 3")[0] == 401
        n, until = counted(rig, who)
        assert n == "5" and 0 < int(until) - time.time() * 1000 < 2100
        assert login(rig, who, word)[0] == 401  # locked: the right one too, and it does not count
        assert counted(rig, who)[0] == "5"
    time.sleep(2.1)
    assert login(rig, user, "wrong password 4")[0] == 401  # the sixth: twice as long
    assert 3000 < int(counted(rig, user)[1]) - time.time() * 1000 < 4100
    key, of = counter(rig, user)
    rig.redis("redis-link", "HSET", key, f"until{of}", 0)
    assert login(rig, user, word)[0] == 200
    assert counted(rig, user) == ["", ""]


def test_guesses_side_by_side_do_not_pass_the_limit_together(rig):
    user, word, _ = member(rig, "--role", "viewer")
    counter(rig, user)
    forget_failures(rig)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: login(rig, user, f"guess number {i} of many"), range(14)))
    assert {slug(a) for a in answers} <= {(401, "login_failed"), (503, "overloaded")}
    assert counted(rig, user)[0] == "5"
    assert login(rig, user, word)[0] == 401
    forget_failures(rig)
    assert login(rig, user, word)[0] == 200


def test_whoever_guesses_elsewhere_does_not_lock_the_user_out(rig):
    user, word, _ = member(rig, "--role", "viewer")
    elsewhere = f"muni-{A}-c"
    for _ in range(6):
        assert login(rig, user, "wrong password 5", cert=elsewhere)[0] == 401
    assert login(rig, user, word, cert=elsewhere)[0] == 401  # locked there, the right one too
    for _ in range(2):
        assert login(rig, user, word)[0] == 200
    assert login(rig, user, word, cert=elsewhere)[0] == 401  # and the user's own login gives no guesses back
    forget_failures(rig)
    assert login(rig, user, word, cert=elsewhere)[0] == 200  # known from now on


def test_a_flood_of_logins_of_one_municipality_leaves_the_others_in(rig):
    user, word, s = member(rig, "--role", "viewer", "--programs", "*", muni=B)
    user2, word2, s2 = member(rig, "--role", "viewer", "--programs", "*")
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        flood = [pool.submit(login, rig, f"flood-{i}", "wrong password 6") for i in range(60)]
        time.sleep(0.1)
        begin = time.monotonic()
        assert call(rig, "GET", "/v1/tasks", session=s2)[0] == 200
        took = time.monotonic() - begin
        assert login(rig, user, word, cert=f"muni-{B}")[0] == 200
        answers = {slug(f.result()) for f in flood}
    assert answers == {(401, "login_failed"), (503, "overloaded")}, answers
    assert took < 1, took


@pytest.mark.parametrize("password", ("x" * 129, "x" * 5000, "\u0000", "long enough \x1b[2J pass", "ｐａｓｓ" * 9))
def test_a_password_of_any_shape_is_an_answer(rig, password):
    user, _, _ = member(rig, "--role", "viewer")
    status, doc = call(rig, "POST", "/v1/staff/login", {"user_id": user, "password": password})
    assert status in (400, 401, 422) and "login_failed" in doc["code"] or status != 401, doc
    other = call(rig, "POST", "/v1/staff/login", {"user_id": f"nobody-{next(NAMED)}", "password": password})
    assert slug(other) == slug((status, doc))  # no oracle there either


# ---- sessions ----

def test_a_session_is_bound_to_its_certificate_and_municipality(rig):
    _, _, s = member(rig, "--role", "viewer", "--programs", "*")
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 200
    for cert in (f"muni-{A}-c", f"muni-{A}-b", f"muni-{B}"):
        assert slug(call(rig, "GET", "/v1/tasks", session=s, cert=cert)) == (401, "no_staff_session"), cert
    flipped = s[:10] + ("A" if s[10] != "A" else "B") + s[11:]
    for bad in (flipped, s[:-1], s + "A", s + "=", "x", "A" * 43, "A" * 4000, s.replace(s[3], "+", 1)):
        assert slug(call(rig, "GET", "/v1/tasks", session=bad)) == (401, "no_staff_session"), bad
    assert call(rig, "POST", "/v1/staff/logout", {}, s)[0] == 204
    assert slug(call(rig, "GET", "/v1/tasks", session=s)) == (401, "no_staff_session")


def test_a_changed_or_withdrawn_user_has_no_session_any_more(rig):
    _, _, admin = member(rig, "--role", "admin", "--programs", "*")
    user, word, s = member(rig, "--role", "officer", "--programs", "*")
    other = login(rig, user, word)[1]["staff_session"]
    fresh = good_password()
    assert call(rig, "POST", "/v1/staff/password", {"password": word, "new_password": fresh}, s)[0] == 204
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 200
    assert call(rig, "GET", "/v1/tasks", session=other)[0] == 401
    body = {"display_name": "鈴木", "role": "viewer", "programs": ["immunization"]}
    assert call(rig, "PUT", f"/v1/staff/users/{user}", body, admin)[0] == 200
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 401
    s = login(rig, user, fresh)[1]["staff_session"]
    status, doc = call(rig, "PUT", f"/v1/staff/users/{user}", {**body, "state": "withdrawn"}, admin)
    assert status == 200 and doc["state"] == "withdrawn"
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 401
    assert slug(login(rig, user, fresh)) == (401, "login_failed")
    status, doc = call(rig, "PUT", f"/v1/staff/users/{user}", {**body, "reset_password": True}, admin)
    assert status == 200 and login(rig, user, doc["one_time_password"])[1]["must_change_password"] is True


@with_settings(staff_idle_s=1, staff_session_s=3)
def test_sessions_end_when_idle_and_in_any_case(rig):
    _, _, s = member(rig, "--role", "viewer", "--programs", "*")
    begin = time.time()
    while time.time() < begin + 1.8:  # used: longer than it may be idle
        assert call(rig, "GET", "/v1/tasks", session=s)[0] == 200
        time.sleep(0.3)
    while time.time() < begin + 3.2:
        call(rig, "GET", "/v1/tasks", session=s)
        time.sleep(0.3)
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 401
    user, word, s = member(rig, "--role", "viewer", "--programs", "*")
    time.sleep(1.2)
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 401


# ---- second factor ----

@with_settings(totp_required=1)
def test_a_second_factor_is_enrolled_first_and_each_code_works_once(rig):
    user, word, s = member(rig, "--role", "viewer", "--programs", "*")
    assert slug(call(rig, "GET", "/v1/tasks", session=s)) == (403, "second_factor_required")
    assert slug(call(rig, "POST", "/v1/staff/totp", {"code": "123456"}, s)) == (409, "conflict")
    for bad in ({}, {"password": word, "code": "123456"}):
        assert slug(call(rig, "POST", "/v1/staff/totp", bad, s)) == (422, "field_invalid"), bad
    counter(rig, user)
    for guess in ("wrong password 7", "wrong password 8"):  # whoever found the session open: they count as those of the login
        assert slug(call(rig, "POST", "/v1/staff/totp", {"password": guess}, s)) == (401, "login_failed")
    assert counted(rig, user)[0] == "3"
    status, doc = call(rig, "POST", "/v1/staff/totp", {"password": word}, s)
    secret = doc["secret"]
    SAID.append(secret)
    assert status == 200 and doc["uri"].startswith(f"otpauth://totp/pmhgw%20{A}:{user}?secret={secret}&")
    assert slug(call(rig, "POST", "/v1/staff/totp", {"code": "000000" if code_of(secret) != "000000" else "000001"}, s)) == (401, "login_failed")
    assert call(rig, "POST", "/v1/staff/totp", {"code": code_of(secret, -1)}, s)[0] == 204
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 200
    assert slug(call(rig, "POST", "/v1/staff/totp", {"password": word}, s)) == (409, "conflict")
    assert slug(login(rig, user, word)) == (401, "login_failed")
    assert slug(login(rig, user, word, code_of(secret, -1))) == (401, "login_failed")  # the one of the enrolment
    code = code_of(secret)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = sorted(a[0] for a in pool.map(lambda _: login(rig, user, word, code), range(3)))
    assert answers == [200, 401, 401]
    assert slug(login(rig, user, word, code)) == (401, "login_failed")
    forget_failures(rig)
    assert login(rig, user, word, code_of(secret, 1))[0] == 200


# ---- roles and programs ----

def held_task(rig, n=1):
    """A task with n rows that are held."""
    nums = [number(next(SEEDS)) for _ in range(n)]
    rig.register_done([row(num) for num in nums])
    doc = rig.register_done([row(num, name="岡山太郎", born="1980-05-05") for num in nums])
    assert doc["counts"]["quarantined"] == n, doc
    return doc["task_id"]


def test_tasks_of_other_programs_are_as_if_they_did_not_exist(rig):
    task = held_task(rig)
    _, _, other = member(rig, "--role", "officer", "--programs", "immunization,health_checkup")
    _, _, mine = member(rig, "--role", "officer", "--programs", "medical_subsidy")
    _, _, viewer = member(rig, "--role", "viewer", "--programs", "medical_subsidy")
    none = "0" * 32
    for method, path, body in (("GET", "", None), ("GET", "/results", None), ("GET", "/events", None), ("GET", "/receipt", None), ("POST", "/undo", {}),
                               ("POST", "/release", {"all": True, "officer": "x"}), ("POST", "/discard", {"rows": [1]}), ("POST", "/replay", {"rows": [1]})):
        hidden = call(rig, method, f"/v1/tasks/{task}{path}", body, other)
        absent = call(rig, method, f"/v1/tasks/{none}{path}", body, other)
        assert slug(hidden) == slug(absent) == (404, "not_found"), path
    assert task not in [t["task_id"] for t in call(rig, "GET", "/v1/tasks", session=other)[1]["tasks"]]
    assert "backlog" not in call(rig, "GET", "/v1/tasks", session=other)[1]
    assert task in [t["task_id"] for t in call(rig, "GET", "/v1/tasks", session=mine)[1]["tasks"]]
    assert call(rig, "GET", f"/v1/tasks/{task}", session=viewer)[0] == 200
    rows = [row(number(next(SEEDS)))]
    assert slug(call(rig, "POST", "/v1/medical-subsidy/registration-tasks", rows, other)) == (403, "forbidden")
    assert slug(call(rig, "POST", "/v1/medical-subsidy/registration-tasks", rows, viewer)) == (403, "forbidden")
    assert slug(call(rig, "POST", f"/v1/tasks/{task}/release", {"all": True}, viewer)) == (403, "forbidden")
    _, _, some = member(rig, "--role", "admin", "--programs", "medical_subsidy")
    for who in (viewer, mine):
        assert slug(call(rig, "GET", "/v1/staff/users", session=who)) == (403, "forbidden")
    for who in (viewer, mine, some):  # the log tells of every program
        for path in ("/v1/audit/entries", "/v1/audit/export"):
            assert slug(call(rig, "GET", path, session=who)) == (403, "forbidden")
    assert call(rig, "POST", "/v1/medical-subsidy/registration-tasks", rows, mine)[0] == 202


@with_settings(staff_required=1)
def test_where_staff_is_required_the_officer_is_the_user(rig):
    task = held_task(rig)
    for path, body in (("release", {"all": True, "officer": "somebody"}), ("discard", {"all": True, "officer": "x"}), ("replay", {"all": True, "officer": "x"}), ("undo", {})):
        assert slug(call(rig, "POST", f"/v1/tasks/{task}/{path}", body)) == (401, "no_staff_session")
    for path in ("/v1/audit/entries", "/v1/audit/export"):
        assert slug(call(rig, "GET", path)) == (401, "no_staff_session")
    num, key = number(next(SEEDS)), f"resident-{next(SEEDS)}"
    rig.register_done([row(num, municipalityIdentityKey=key)])  # systems register by themselves
    flags = {"municipalityIdentityKey": key, "isNotDisclosed": True, "isViewingStopped": False, "isRecovery": False, "reason": "protection"}
    erase = {"municipalityIdentityKey": key, "reason": "moved_away"}
    _, _, viewer = member(rig, "--role", "viewer", "--programs", "*")
    _, _, limited = member(rig, "--role", "officer", "--programs", "medical_subsidy")
    for order in (("PUT", "/v1/residents/flags", flags), ("POST", "/v1/residents/erase", erase)):
        assert slug(call(rig, *order)) == (401, "no_staff_session")
        assert slug(call(rig, *order, viewer)) == (403, "forbidden")
    assert call(rig, "PUT", "/v1/residents/flags", flags, limited)[0] == 200
    assert slug(call(rig, "POST", "/v1/residents/erase", erase, limited)) == (403, "forbidden")  # it takes what belongs to every program
    user, _, s = member(rig, "--role", "officer", "--programs", "*")
    status, doc = call(rig, "POST", f"/v1/tasks/{task}/release", {"all": True, "officer": "somebody"}, s)
    assert status == 200 and doc["released"] == 1, doc
    record = records(rig, RELEASED)[-1]
    assert record[1] == f"{A}/officer/{user}" and record[3] == 2 and int(record[2], 16)
    assert call(rig, "POST", "/v1/residents/erase", erase, s) == (200, {"erased": 1})


def test_many_rows_are_released_by_two(rig):
    task, other = held_task(rig, 2), held_task(rig, 1)
    one, two = member(rig, "--role", "officer", "--programs", "*"), member(rig, "--role", "officer", "--programs", "*")
    path, body = f"/v1/tasks/{task}/release", {"rows": [1, 2]}
    assert slug(call(rig, "POST", path, {**body, "officer": "x"})) == (401, "no_staff_session")
    assert slug(call(rig, "POST", path, body, one[2])) == (409, "second_officer_required")
    assert slug(call(rig, "POST", path, body, one[2])) == (409, "second_officer_required")  # not oneself
    again = login(rig, *one[:2])[1]["staff_session"]
    assert slug(call(rig, "POST", path, body, again)) == (409, "second_officer_required")  # nor with another session
    assert call(rig, "POST", f"/v1/tasks/{other}/release", {"all": True}, two[2])[1]["released"] == 1  # few rows: one officer
    status, doc = call(rig, "POST", path, body, two[2])
    assert status == 200 and doc["released"] == 2, doc


def test_several_small_releases_of_one_day_are_counted_together(rig):
    tasks = [held_task(rig) for _ in range(2)]
    _, _, s = member(rig, "--role", "officer", "--programs", "*")
    assert call(rig, "POST", f"/v1/tasks/{tasks[0]}/release", {"all": True}, s)[1]["released"] == 1
    assert slug(call(rig, "POST", f"/v1/tasks/{tasks[1]}/release", {"all": True}, s)) == (409, "second_officer_required")
    assert call(rig, "POST", f"/v1/tasks/{tasks[1]}/release", {"all": True, "officer": "x"})[1]["released"] == 1  # a system by itself: once
    task = held_task(rig)
    assert slug(call(rig, "POST", f"/v1/tasks/{task}/release", {"all": True, "officer": "y"})) == (401, "no_staff_session")


def test_the_first_officer_has_to_be_there_still_and_to_be_another(rig):
    task = held_task(rig, 2)
    path, body = f"/v1/tasks/{task}/release", {"all": True}
    me, _, admin = member(rig, "--role", "admin", "--programs", "*")
    gone, two = member(rig, "--role", "officer", "--programs", "*"), member(rig, "--role", "officer", "--programs", "*")
    assert slug(call(rig, "POST", path, body, gone[2])) == (409, "second_officer_required")
    assert command(rig, "withdraw", A, gone[0]).returncode == 0
    assert slug(call(rig, "POST", path, body, two[2])) == (409, "second_officer_required")  # what the withdrawn one asked for is void: two is the first now
    rights = {"display_name": "x", "role": "officer", "programs": ["*"]}
    assert call(rig, "PUT", f"/v1/staff/users/{two[0]}", {**rights, "programs": ["medical_subsidy"]}, admin)[0] == 200
    puppet = next(IDS)
    status, doc = call(rig, "PUT", f"/v1/staff/users/{puppet}", rights, admin)
    fresh, s = good_password(), login(rig, puppet, doc["one_time_password"])[1]["staff_session"]
    assert call(rig, "POST", "/v1/staff/password", {"password": doc["one_time_password"], "new_password": fresh}, s)[0] == 204
    SAID.append(fresh)
    for session in (admin, s, admin):  # whoever gives a password can be that user, too
        assert slug(call(rig, "POST", path, body, session)) == (409, "second_officer_required")
    three = member(rig, "--role", "officer", "--programs", "*")
    assert call(rig, "POST", path, body, three[2])[1]["released"] == 2


# ---- administrators ----

def test_an_administrator_makes_users_of_the_own_municipality_only(rig):
    me, _, admin = member(rig, "--role", "admin", "--programs", "*")
    body = {"display_name": "田中　一郎 <b>", "role": "officer", "programs": ["immunization"], "until": "2099-03-31"}
    status, doc = call(rig, "PUT", "/v1/staff/users/tanaka-i", body, admin)
    assert status == 201 and doc["user_id"] == "tanaka-i" and doc["until"] == "2099-03-31", doc
    SAID.append(doc["one_time_password"])
    assert "one_time_password" not in call(rig, "PUT", "/v1/staff/users/tanaka-i", body, admin)[1]
    assert slug(call(rig, "PUT", f"/v1/staff/users/{me}", {**body, "role": "admin", "reveal": True}, admin)) == (403, "forbidden")
    assert login(rig, "tanaka-i", doc["one_time_password"], cert=f"muni-{B}")[0] == 401
    for bad in ({"display_name": "a\nb"}, {"display_name": "a\u202eb"}, {"display_name": "\x1b[2J"}, {"role": "root"}, {"programs": ["taxes"]}, {"password": "x"},
                {"display_name": "1234 5678 9018"}):
        assert slug(call(rig, "PUT", "/v1/staff/users/tanaka-j", {**body, **bad}, admin)) == (422, "field_invalid"), bad
    assert call(rig, "PUT", "/v1/staff/users/T", body, admin)[0] == 404
    _, _, some = member(rig, "--role", "admin", "--programs", "immunization")
    for rights in ({"programs": ["*"]}, {"programs": ["immunization", "medical_subsidy"]}):  # nobody gives what he has not
        assert slug(call(rig, "PUT", "/v1/staff/users/tanaka-k", {**body, **rights}, some)) == (403, "forbidden")
    assert slug(call(rig, "PUT", f"/v1/staff/users/{me}", body, some)) == (403, "forbidden")  # nor takes it
    assert call(rig, "PUT", "/v1/staff/users/tanaka-i", {**body, "state": "withdrawn"}, some)[0] == 200
    status, back = call(rig, "PUT", "/v1/staff/users/tanaka-i", body, some)
    assert status == 200 and "one_time_password" in back  # who was gone does not come back with the old password
    SAID.append(back["one_time_password"])
    _, _, elsewhere = member(rig, "--role", "admin", "--programs", "*", muni=B)
    users = call(rig, "GET", "/v1/staff/users", session=elsewhere, cert=f"muni-{B}")[1]["users"]
    assert users and not [u for u in users if u["user_id"] in (me, "tanaka-i")]
    made = [r for r in records(rig, CHANGED) if r[1] == f"{A}/staff/{me}"]
    assert len(made) == 2 and made[0][2] == made[1][2] and made[0][4] == 13
    assert slug(call(rig, "GET", "/v1/staff/users")) == (401, "no_staff_session")
    out = command(rig, "list", A)
    assert out.returncode == 0 and "tanaka-i" in out.stdout


# ---- one number ----

def test_a_number_is_shown_to_who_may_see_it_and_recorded_twice_before(rig):
    num, key = number(next(SEEDS)), f"resident-{next(SEEDS)}"
    rig.register_done([row(num, municipalityIdentityKey=key)])
    _, _, blind = member(rig, "--role", "admin", "--programs", "*")
    _, _, s = member(rig, "--role", "officer", "--programs", "medical_subsidy", "--reveal")
    path, body = "/v1/residents/reveal", {"municipalityIdentityKey": key, "purpose": "number_check"}
    assert slug(call(rig, "POST", path, body)) == (401, "no_staff_session")
    assert slug(call(rig, "POST", path, body, blind)) == (403, "forbidden")
    assert slug(call(rig, "POST", path, {**body, "purpose": "treatment"}, s)) == (403, "no_legal_basis")
    assert slug(call(rig, "POST", path, {**body, "purpose": "curiosity"}, s)) == (403, "no_legal_basis")
    before = len(records(rig, REVEALED))
    status, doc = call(rig, "POST", path, body, s)
    assert (status, doc) == (200, {"myNumber": num})
    told = records(rig, REVEALED)[before:]
    assert [r[1] for r in told] == ["vault", f"municipality/{A}/kodomo"]
    assert all(r[0] == 0 and r[3] == 2 and r[4] == 12 and r[5] == 17 and int(r[2], 16) for r in told) and told[0][2] == told[1][2]
    assert int(told[1][6], 16)
    assert slug(call(rig, "POST", path, {**body, "municipalityIdentityKey": "nobody"}, s)) == (404, "nothing")
    assert call(rig, "POST", path, body, s)[0] == 200
    assert slug(call(rig, "POST", path, body, s)) == (429, "reveal_limit_reached")  # three a day, the one that found nobody too
    _, _, elsewhere = member(rig, "--role", "admin", "--programs", "*", "--reveal", muni=B)
    assert slug(call(rig, "POST", path, body, elsewhere, f"muni-{B}")) == (404, "nothing")
    data = rig.log_text() + b"".join(p.read_bytes() for d in ("audit", "redis-link") for p in (rig.dir / d).rglob("*") if p.is_file())
    for form in encodings(num):
        assert form not in data


@with_settings(reveals_per_day=1000)
def test_nothing_is_shown_while_the_log_cannot_be_written(rig):
    num, key = number(next(SEEDS)), f"resident-{next(SEEDS)}"
    rig.register_done([row(num, municipalityIdentityKey=key)])
    _, _, s = member(rig, "--role", "officer", "--programs", "*", "--reveal")
    rig.kill("audit")
    try:
        status, doc = call(rig, "POST", "/v1/residents/reveal", {"municipalityIdentityKey": key, "purpose": "number_check"}, s)
        assert status == 503 and num not in json.dumps(doc)
    finally:
        rig.start("audit")
        rig.wait_healthy()


# ---- coverage, and what is left behind ----

def test_every_route_of_the_door_says_who_of_the_staff_may_call_it(rig):
    listed = subprocess.run([BIN / "pmhgw-intake", "--routes"], capture_output=True, text=True, check=True).stdout.splitlines()
    table = (ROOT / "keys/staff/permits.c").read_text()
    missing = [line.split("\t")[3] for line in listed if f'"{line.split(chr(9))[3]}"' not in table]
    assert not missing, "routes without a row in keys/staff/permits.c"
    assert len(listed) > 20


def test_no_password_and_no_secret_is_left_anywhere(rig):
    assert len(SAID) > 50
    time.sleep(0.2)
    data = rig.log_text() + b"".join(p.read_bytes() for d in ("audit", "redis-link", "conf") for p in (rig.dir / d).rglob("*") if p.is_file())
    for word in {w for w in SAID if len(w) > 12}:
        assert word.encode() not in data
    for forbidden in (b"\x1b", b"\xe2\x80\xae"):
        assert forbidden not in rig.log_text()
    assert [r for r in records(rig, LOGIN) if r[0] == 3 and int(r[2], 16)] and [r for r in records(rig, LOGIN) if r[0] == 0 and r[3] == 2]
