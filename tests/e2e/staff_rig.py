"""Staff over the intake of intake_rig: users, logins, counters of failures, held rows."""

import base64
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

from canary import contents
from intake_rig import BIN, ROOT, Rig, number, row

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


def held_task(rig, n=1):
    """A task with n rows that are held."""
    nums = [number(next(SEEDS)) for _ in range(n)]
    rig.register_done([row(num) for num in nums])
    doc = rig.register_done([row(num, name="岡山太郎", born="1980-05-05") for num in nums])
    assert doc["counts"]["quarantined"] == n, doc
    return doc["task_id"]


def nothing_is_left(rig):
    """No password and no secret anywhere, and nothing in the log that a terminal obeys."""
    time.sleep(0.2)
    data = rig.log_text() + b"".join(data for d in ("audit", "redis-link", "conf") for _, data in contents(rig.dir / d))
    for word in {w for w in SAID if len(w) > 12}:
        assert word.encode() not in data
    for forbidden in (b"\x1b", b"\xe2\x80\xae"):
        assert forbidden not in rig.log_text()
