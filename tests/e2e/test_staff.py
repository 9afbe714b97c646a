"""Staff of a municipality: users, login without an oracle, sessions, second factor (staff_rig.py)."""

import concurrent.futures
import json
import random
import subprocess
import time

import pytest

from intake_rig import BIN, ROOT
from staff_rig import (A, added, B, call, code_of, command, counted, counter, forget_failures, good_password, lock, LOGIN, login, member, NAMED,
                       nothing_is_left, plain, records, rig, SAID, slug, with_settings)  # noqa: F401 (fixtures)


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

    def alike():
        """What others do on the machine only adds: the least of each is its own, once there are enough. One Argon2id more or less would be a factor."""
        least = [min(v) for v in times.values()]
        return max(least) < 1.35 * min(least) + 0.005

    for turn in range(20):
        if turn >= 5 and alike():
            break
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
    assert alike(), {k: f"{min(v) * 1000:.1f} ms" for k, v in times.items()}
    forget_failures(rig)


@with_settings(staff_lock_s=1)
def test_failures_lock_an_id_for_a_growing_time_whether_anybody_has_it(rig):
    user, word, _ = member(rig, "--role", "viewer")
    for who in (user, "nobody-at-all"):
        counter(rig, who)
        for _ in range(4):
            assert login(rig, who, "wrong password 3")[0] == 401
        n, until = counted(rig, who)
        assert n == "5" and 0 < int(until) - time.time() * 1000 < 1100
        assert login(rig, who, word)[0] == 401  # locked: the right one too, and it does not count
        assert counted(rig, who)[0] == "5"
    time.sleep(1.1)
    assert login(rig, user, "wrong password 4")[0] == 401  # the sixth: twice as long
    assert 1000 < int(counted(rig, user)[1]) - time.time() * 1000 < 2100
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


@with_settings(staff_idle_s=1, staff_session_s=2)
def test_sessions_end_when_idle_and_in_any_case(rig):
    _, _, s = member(rig, "--role", "viewer", "--programs", "*")
    begin = time.time()
    while time.time() < begin + 1.3:  # used: longer than it may be idle
        assert call(rig, "GET", "/v1/tasks", session=s)[0] == 200
        time.sleep(0.3)
    while time.time() < begin + 2.1:
        call(rig, "GET", "/v1/tasks", session=s)
        time.sleep(0.3)
    assert call(rig, "GET", "/v1/tasks", session=s)[0] == 401
    user, word, s = member(rig, "--role", "viewer", "--programs", "*")
    time.sleep(1.1)
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


# ---- coverage, and what is left behind ----

def test_every_route_of_the_door_says_who_of_the_staff_may_call_it(rig):
    listed = subprocess.run([BIN / "pmhgw-intake", "--routes"], capture_output=True, text=True, check=True).stdout.splitlines()
    table = (ROOT / "keys/staff/permits.c").read_text()
    missing = [line.split("\t")[3] for line in listed if f'"{line.split(chr(9))[3]}"' not in table]
    assert not missing, "routes without a row in keys/staff/permits.c"
    assert len(listed) > 20


def test_no_password_and_no_secret_is_left_anywhere(rig):
    assert len(SAID) > 30
    nothing_is_left(rig)
    assert [r for r in records(rig, LOGIN) if r[0] == 3 and int(r[2], 16)] and [r for r in records(rig, LOGIN) if r[0] == 0 and r[3] == 2]
