"""A redis-link that comes back older than the audit log: nothing is served until `pmhgw reconcile` has replayed what must not be forgotten; then used keys are
used, withdrawn consents withdrawn, ended sessions ended, flagged residents silent and erased ones gone, and what was untouched works."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import time

import pytest

from person_rig import BIN, CLINIC_CERT, NOTHING, PORTAL_CERT, ROOT, Rig, heard, row, wait_for

OLDER = (503, "store_older_than_log")
CONSENTS, WITHDRAW, END = "/v1/portal/consents", "/v1/portal/consents/withdraw", "/v1/portal/sessions/end"


@pytest.fixture
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("o"))
    try:
        yield rig.up()
    finally:
        rig.down()


def reconcile(rig, *more):
    done = subprocess.run([BIN / "pmhgw", "reconcile", "--state", rig.dir, *more], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "en_US.UTF-8", "LANG": "en_US.UTF-8"})
    return done.returncode, done.stdout + done.stderr


def back_up(rig, store="redis-link"):
    """What an operator's backup is: the append-only files, copied while Redis writes."""
    to = rig.dir / f"backup-{store}"
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(rig.dir / store, to)
    return to


def put_back(rig, backup=None, store="redis-link"):
    rig.kill(store)
    shutil.rmtree(rig.dir / store)
    if backup:
        shutil.copytree(backup, rig.dir / store)
    else:
        (rig.dir / store).mkdir()
    rig.start(store)

    def answers():
        try:
            return rig.redis(store, "PING") == ["PONG"]
        except subprocess.CalledProcessError:
            return False

    wait_for(answers, 10, f"{store} answers")


def portal(rig, path, **members):
    answer = rig.ask_front("portal", path, members, PORTAL_CERT)
    assert answer.status == 200, answer.json
    return answer.json


def clinic(rig, link_key):
    return rig.ask_front("clinic", "/v1/clinic/eligibility", {"link_key": link_key}, CLINIC_CERT)


def healths(rig):
    return [rig.health()[0]] + [rig.front("GET", "/health", door=d) for d in ("clinic", "portal") for _ in range(4)]


def everything_is_refused(rig, pseudonym="ps-nobody-at-all"):
    """From the first answer on: no request gets through between the connection and the look."""
    answers = [heard(rig.look_up("pk-" + secrets.token_hex(8))), heard(rig.ask(pseudonym)), heard(rig.read_session("x" * 43)),
               heard(rig.ask_front("portal", CONSENTS, {"pseudonym": pseudonym}, PORTAL_CERT))]
    status, doc = rig.call("GET", "/health", cert=None)
    return answers + [(status, doc["code"])]


def wait_older(rig):
    seen = []

    def known():
        try:
            got = everything_is_refused(rig)
        except OSError:  # a daemon that is being started
            return False
        seen.extend(got)
        return all(a == OLDER for a in got)

    wait_for(known, 10, "every door says that the store is older")
    assert not [a for a in seen if a[0] in (200, 404, 409)], seen


def wait_served(rig):
    wait_for(lambda: set(healths(rig)) == {200}, 20, "every door serves again")


class Lives:
    """People and what happens to them around a backup."""

    def __init__(self, rig):
        self.rig = rig
        self.people = {name: rig.resident() for name in ("used", "withdrawn", "all", "ended", "flagged", "unflagged", "erased", "quiet")}
        self.pseudonym = {name: rig.linked(p[2]) for name, p in self.people.items()}
        self.sessions, self.keys, self.consents = {}, {}, {}
        for name in ("withdrawn", "all", "ended", "erased"):
            self.consents[name] = secrets.token_hex(8)
            self.sessions[name] = self.visit(name).json["session"]
        assert rig.flags(self.key("unflagged"), hidden=True)[0] == 200
        self.keys = {name: [rig.mint(p[2], **self.claims(name)) for _ in range(3)] for name, p in self.people.items()}

    def key(self, name):
        return self.people[name][0]

    def claims(self, name):
        return {"consent_id": self.consents[name]} if name in self.consents else {}

    def visit(self, name):
        answer = self.rig.look_up(self.people[name][2], **self.claims(name))
        assert answer.status == 200, answer.json
        return answer

    def act(self):
        rig = self.rig
        assert clinic(rig, self.keys["used"][0]).status == 200
        listed = portal(rig, CONSENTS, pseudonym=self.pseudonym["withdrawn"])["consents"]
        portal(rig, WITHDRAW, pseudonym=self.pseudonym["withdrawn"], consent_id=listed[0]["consent_id"])
        portal(rig, WITHDRAW, pseudonym=self.pseudonym["all"], all=True)
        portal(rig, END, pseudonym=self.pseudonym["ended"], all=True)
        assert rig.flags(self.key("flagged"), stopped=True)[0] == 200
        assert rig.flags(self.key("unflagged"))[0] == 200
        assert rig.erase(self.key("erased")) == (200, {"erased": 1})

    def look(self):
        """Nothing of it is forgotten, and what nobody touched works."""
        rig, first = self.rig, lambda name: clinic(rig, self.keys[name].pop())
        again = clinic(rig, self.keys["used"][0])
        assert heard(again) == (409, "used") and again.json["used_at"]
        assert heard(first("withdrawn")) == NOTHING and heard(first("all")) == NOTHING
        for name in ("withdrawn", "all", "ended", "erased"):
            assert heard(rig.read_session(self.sessions[name])) == (404, "no_session"), name
        for name in ("flagged", "erased"):
            assert (heard(first(name)), heard(rig.ask(self.pseudonym[name]))) == (NOTHING, NOTHING), name
        for name in ("used", "ended", "unflagged", "quiet"):
            assert first(name).status == 200 and rig.ask(self.pseudonym[name]).status == 200, name
        assert not {f.split(":")[0] for f in rig.fields(self.people["erased"][2])} - {"cw", "ce"}


def event(rig, name):
    import front_rig
    return [r for r in rig.records() if r["event"] == front_rig.EVENT[name]]


def test_an_older_store_serves_nothing_until_it_is_reconciled(rig):
    lives = Lives(rig)
    backup = back_up(rig)
    lives.act()
    status, late = rig.register([row(lives.people["quiet"][1], municipalityIdentityKey=lives.key("quiet"), type_id="kodomo09")])
    assert status == 202
    rig.wait_task(late["task_id"])
    put_back(rig, backup)
    wait_older(rig)
    assert heard(clinic(rig, lives.keys["used"][0])) == OLDER
    assert len(event(rig, "STORE_OLDER")) == 3, "each daemon says it once: two workers of the front, the intake"
    before = set(rig.redis("redis-link", "KEYS", "*"))
    code, told = reconcile(rig, "--dry-run")
    assert code == 1 and late["task_id"] in told and before == set(rig.redis("redis-link", "KEYS", "*")), told
    assert everything_is_refused(rig) == [OLDER] * 5
    code, told = reconcile(rig)
    assert code == 1 and f"task {late['task_id']}, 1 rows" in told, told  # 1: something is to be sent again
    wait_served(rig)
    lives.look()
    assert [r["count"] for r in event(rig, "RECONCILED")] == [8], told  # two withdrawals, an end, three settings of flags, an erasure and its number
    assert reconcile(rig)[0] == 0
    rig.register_done([row(lives.people["quiet"][1], municipalityIdentityKey=lives.key("quiet"), type_id="kodomo09")])
    assert len(rig.look_up(lives.people["quiet"][2]).json["eligibility"]) == 2


def test_an_empty_store_is_older_than_a_log_that_knows_acts(rig):
    key, num, pmh_key = rig.resident()
    used, session = rig.mint(pmh_key), rig.look_up(pmh_key).json["session"]
    assert clinic(rig, used).status == 200
    assert rig.flags(key, hidden=True)[0] == 200
    put_back(rig)
    wait_older(rig)
    rig.kill("front"), rig.kill("intake")  # also at a start
    rig.start("front"), rig.start("intake")
    wait_older(rig)
    assert reconcile(rig)[0] == 1
    wait_served(rig)
    assert heard(clinic(rig, used)) == (409, "used") and heard(rig.read_session(session)) == (404, "no_session")
    rig.register_done([row(num, municipalityIdentityKey=key)])
    assert heard(rig.look_up(pmh_key)) == NOTHING, "registered again, the flag is still there"
    assert rig.flags(key)[0] == 200
    assert rig.look_up(pmh_key).status == 200


def test_a_number_that_goes_back_under_a_living_connection_is_noticed_by_the_next_act(rig):
    pmh_key = rig.resident()[2]
    used = rig.mint(pmh_key)
    assert clinic(rig, used).status == 200
    time.sleep(1.5)  # every connection looks once a second: nobody has only seen smaller numbers
    rig.redis("redis-link", "FLUSHALL")
    assert heard(rig.look_up(pmh_key)) == OLDER, "its answer does not leave"
    for _ in range(12):  # also by other workers, and however often it is tried
        assert heard(rig.look_up(pmh_key)) == OLDER
    assert heard(clinic(rig, used)) == OLDER
    assert reconcile(rig)[0] == 1
    wait_for(lambda: heard(clinic(rig, used)) == (409, "used"), 20, "what the log knows is there again")


def test_nothing_is_read_out_of_a_store_that_lost_everything(rig):
    """Reads raise no number: each asks for it behind its own commands. "Nobody" would be a false answer."""
    pmh_key = rig.resident()[2]
    pseudonym, used = f"ps-{pmh_key[-12:]}-read", rig.mint(pmh_key)
    assert rig.ask_front("portal", "/v1/portal/pseudonyms", {"pmh_key": pmh_key, "pseudonym": pseudonym}, PORTAL_CERT).status == 204
    session = clinic(rig, used).json["session"]
    reads = [lambda: rig.ask_front("portal", "/v1/portal/eligibility", {"pseudonym": pseudonym}, PORTAL_CERT),
             lambda: rig.ask_front("clinic", "/v1/clinic/session", {"session": session}, CLINIC_CERT)]
    for read in reads:
        assert read().status == 200
    time.sleep(1.5)  # every connection has seen the number
    rig.redis("redis-link", "FLUSHALL")
    for _ in range(6):
        for read in reads:
            assert heard(read()) == OLDER
    assert reconcile(rig)[0] == 1
    wait_for(lambda: heard(clinic(rig, used)) == (409, "used"), 20, "what the log knows is there again")


def test_reconciling_is_killed_at_any_moment_and_repeated(rig):
    lives = Lives(rig)
    backup = back_up(rig)
    lives.act()
    put_back(rig, backup)
    wait_older(rig)
    for n in range(12):
        p = subprocess.Popen([BIN / "pmhgw", "reconcile", "--state", rig.dir], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.004 * n)
        p.send_signal(signal.SIGKILL)
        if p.wait() == 1:
            break
    reconcile(rig)
    wait_served(rig)
    lives.look()


def test_two_at_a_time_and_without_the_daemons(rig):
    assert reconcile(rig)[0] == 0  # nothing to do
    assert reconcile(rig, "--dry-run")[0] == 0
    import fcntl
    with open(rig.dir / "run/reconcile.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert reconcile(rig)[0] == 2
    rig.kill("audit")
    assert reconcile(rig)[0] == 2
    rig.start("audit")
    wait_served(rig)
    rig.kill("redis-link")
    assert reconcile(rig)[0] == 2
    rig.start("redis-link")
    wait_served(rig)  # the same store: not older
    assert not event(rig, "STORE_OLDER")


def test_an_older_vault_is_told_again_of_erased_numbers(rig):
    key = rig.resident()[0]
    backup = back_up(rig, "redis-vault")
    clean = {n for n in rig.redis("redis-vault", "KEYS", "*") if not n.startswith("t:")}
    assert rig.erase(key)[0] == 200
    erased = clean - set(rig.redis("redis-vault", "KEYS", "*"))
    assert len(erased) == 2
    put_back(rig, backup, "redis-vault")
    wait_for(lambda: rig.health()[0] == 200, 10, "the vault is back")
    assert erased <= set(rig.redis("redis-vault", "KEYS", "*"))
    assert reconcile(rig)[0] == 0 and erased <= set(rig.redis("redis-vault", "KEYS", "*")), "redis-link is not older: asked for with --all"
    assert reconcile(rig, "--all")[0] == 0
    assert not erased & set(rig.redis("redis-vault", "KEYS", "*"))
    assert reconcile(rig, "--all")[0] == 0
    wait_served(rig)


# ---- staff, rows of erased residents, pseudonyms ----

MUNI_CERT = "muni-331007"


def staff(rig, *words):
    out = subprocess.run([BIN / "pmhgw", "staff", *words, "--state", rig.dir], capture_output=True, text=True, timeout=30,
                         env={**os.environ, "LC_ALL": "C.UTF-8", "PMHGW_SHARE": str(ROOT / "config")})
    assert out.returncode == 0, out.stderr
    return out.stdout.strip().splitlines()[-1]


def door(rig, token, path, body, session=None):
    status, doc = rig.call("POST", path, json.dumps(body).encode(), MUNI_CERT, token, headers={"Pmhgw-Staff": session} if session else {})
    return status, doc


def test_a_withdrawn_user_and_rows_of_an_erased_resident_do_not_come_back(rig):
    token = rig.token(MUNI_CERT)
    words = {u: staff(rig, "add", "331007", u, "--role", "officer", "--programs", "*") for u in ("leaver", "stayer", "other")}

    def login(user):
        return door(rig, token, "/v1/staff/login", {"user_id": user, "password": words[user]})

    sessions = {u: login(u)[1]["staff_session"] for u in words}
    key, num, pmh = rig.resident()
    names = {n[-32:] for n in rig.redis("redis-link", "KEYS", "rk:*")} | {rig.name_of(pmh)[3:-1]}
    other_key, other_num, other_pmh = rig.resident()
    held = [rig.register_done([row(n, municipalityIdentityKey=k, name="岡山太郎", born="1980-05-05")]) for k, n in ((key, num), (other_key, other_num))]
    assert [h["counts"]["quarantined"] for h in held] == [1, 1]
    backup = back_up(rig)
    staff(rig, "withdraw", "331007", "leaver")
    assert door(rig, token, "/v1/staff/logout", {}, sessions["other"])[0] == 204
    assert rig.erase(key) == (200, {"erased": 1})
    rig.linked(other_pmh)
    put_back(rig, backup)
    wait_older(rig)
    code, told = reconcile(rig, "--dry-run")
    assert code == 1 and "dropped: 1" in told and "1 members of staff" in told and "1 pseudonyms" in told, told
    assert rig.redis("redis-link", "EXISTS", "er:331007") == ["0"]
    code, told = reconcile(rig)
    assert code == 1 and "dropped: 1" in told and "1 members of staff" in told and "1 pseudonyms" in told, told
    wait_served(rig)
    assert login("leaver")[0] == 401, "withdrawn"
    for user in words:
        assert door(rig, token, "/v1/staff/logout", {}, sessions[user])[0] == 401, "what was ended must not come back: all of them log in anew"
    assert login("stayer")[0] == 200 and login("other")[0] == 200
    tasks = [rig.call("GET", f"/v1/tasks/{h['task_id']}", None, MUNI_CERT, token)[1] for h in held]
    assert tasks[0]["counts"]["quarantined"] == 0 and tasks[0]["rows"][0]["code"] == "resident_erased", tasks[0]
    assert tasks[1]["counts"]["quarantined"] == 1
    assert set(rig.redis("redis-link", "ZRANGE", "er:331007", 0, -1)) == names, "rows of before that are still to be applied do not bring the resident back"
    assert reconcile(rig)[0] == 0 and reconcile(rig, "--all")[0] == 0
    words["leaver"] = staff(rig, "restore", "331007", "leaver")
    assert login("leaver")[0] == 200
    assert reconcile(rig, "--all")[0] == 0 and login("leaver")[0] == 200, "what was said since stays"
