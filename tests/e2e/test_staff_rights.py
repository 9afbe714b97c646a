"""What staff may: roles and programs, releases by two, administrators, the reveal of a number (staff_rig.py)."""

import json

from canary import contents
from intake_rig import encodings, number, row
from staff_rig import (A, B, call, CHANGED, command, good_password, held_task, IDS, login, member, nothing_is_left, plain, records, RELEASED,
                       REVEALED, rig, SAID, SEEDS, slug, with_settings)  # noqa: F401 (fixtures)


# ---- roles and programs ----

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
    for order in (("PUT", "/v1/residents/flags", flags), ("POST", "/v1/residents/flags", {"municipalityIdentityKey": key}), ("POST", "/v1/residents/erase", erase)):
        assert slug(call(rig, *order)) == (401, "no_staff_session")
        assert slug(call(rig, *order, viewer)) == (403, "forbidden")
    assert call(rig, "PUT", "/v1/residents/flags", flags, limited)[0] == 200
    assert call(rig, "POST", "/v1/residents/flags", {"municipalityIdentityKey": key}, limited)[1]["reason"] == "protection"
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
    data = rig.log_text() + b"".join(data for d in ("audit", "redis-link") for _, data in contents(rig.dir / d))
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


def test_no_password_and_no_secret_is_left_anywhere(rig):
    assert len(SAID) > 15
    nothing_is_left(rig)
