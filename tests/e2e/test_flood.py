"""A clinic that sends 10,000 link keys of one citizen: nobody else loses anything, and nothing grows beyond its bound (docs/access.md)."""

import base64
import concurrent.futures
import http.client
import json
import os
import secrets
import threading
import time

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from front_rig import CLINIC, OTHER_CLINIC, Rig, wait_for

GOOD, BAD, THREADS = 8000, 2000, 12
KEPT = 8                        # consent.h, CONSENT_CLINIC_MAX
GROWTH_OF_A_WORKER = 16 << 20


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("flood"))
    try:
        yield rig.up()
    finally:
        rig.down()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Mint:
    """As Rig.mint, and fast."""

    def __init__(self, rig):
        self.seal = AESGCM(rig.jwe_key)
        self.head = b64(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": "k1"}).encode())

    def __call__(self, pmh_key, aud=CLINIC, age=0, **more):
        now, iv = int(time.time()) - age, secrets.token_bytes(12)
        claims = {"iss": "onshi.local", "pmh_key": pmh_key, "aud": aud, "purpose": "treatment", "scope": "eligibility", "iat": now, "exp": now + 600,
                  "jti": secrets.token_hex(16), "consent_id": secrets.token_hex(8), "consent_version": 1, **more}
        sealed = self.seal.encrypt(iv, json.dumps(claims).encode(), self.head)
        return b".".join((self.head, b"", b64(iv), b64(sealed[:-16]), b64(sealed[-16:]))).decode()


class Clients:
    """A connection of the clinic for each thread."""

    def __init__(self, rig):
        self.rig, self.own = rig, threading.local()

    def __call__(self, body):
        if not hasattr(self.own, "con"):
            self.own.con = http.client.HTTPSConnection("127.0.0.1", self.rig.ports["clinic"], context=self.rig.context(f"clinic-{CLINIC}"), timeout=20)
        path = "/v1/clinic/session" if "session" in body else "/v1/clinic/eligibility"
        self.own.con.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.own.con.getresponse()
        return answer.status, answer.read()


def rss(rig):
    pages = [int(open(f"/proc/{pid}/statm").read().split()[1]) for pid in rig.workers_of_front()]
    return max(pages) * os.sysconf("SC_PAGE_SIZE")


def memory(redis):
    return int(next(line for line in redis("INFO", "memory").decode().splitlines() if line.startswith("used_memory:")).split(":")[1])


def keys(redis, pattern):
    return redis("KEYS", pattern)


def sessions(redis):
    return sum(field.startswith(b"sn:") for person in keys(redis, "p:*") for field in redis("HKEYS", person))


def send(clients, bodies):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(clients, bodies))


def test_a_flood_of_one_clinic_locks_nobody_out_and_is_bounded(rig):
    mint, clients, redis = Mint(rig), Clients(rig), rig.redis()
    victim, bystander = rig.person(), rig.person()
    rig.link(victim, "ps-victim-00")
    other = rig.look_up(rig.mint(victim, aud=OTHER_CLINIC), OTHER_CLINIC).json["session"]
    statuses = send(clients, [{"link_key": mint(victim)} for _ in range(500)])
    assert {s for s, _ in statuses} == {200}, next(answer for answer in statuses if answer[0] != 200)
    begun_rss, begun_memory, begun_keys = rss(rig), memory(redis), len(keys(redis, "*"))

    def bad(i):
        return [{"link_key": mint(victim, aud=OTHER_CLINIC)}, {"link_key": mint(victim, age=4000)}, {"link_key": mint(victim)[:-4] + "AAAA"},
                {"session": "".join(secrets.choice("abcdefghij0123456789") for _ in range(len(other)))}][i % 4]

    flood = [{"link_key": mint(victim)} for _ in range(GOOD - 500)] + [bad(i) for i in range(BAD)]
    secrets.SystemRandom().shuffle(flood)
    with concurrent.futures.ThreadPoolExecutor(1) as side:
        running = side.submit(send, clients, flood)
        longest, rounds = 0, 0
        while not running.done():  # meanwhile: the same person elsewhere, and somebody else
            begun = time.monotonic()
            assert rig.read_session(other, OTHER_CLINIC).status == 200
            if rounds < KEPT - 2:  # more would end its own
                assert rig.look_up(rig.mint(victim, aud=OTHER_CLINIC), OTHER_CLINIC).status == 200
            assert rig.look_up(rig.mint(bystander)).status == 200
            assert rig.ask("ps-victim-00").status == 200
            longest = max(longest, time.monotonic() - begun)
            rounds += 1
            time.sleep(0.05)
        answers = running.result()
    assert rounds > 10 and longest < 6
    count = {status: sum(1 for s, _ in answers if s == status) for status in {s for s, _ in answers}}
    assert count.pop(200) == GOOD - 500
    assert sum(count.values()) == BAD and set(count) <= {404, 401, 403, 410}, count

    # what the store keeps; two that opened side by side may both have been let in, until the next one comes
    for person in (victim, bystander):
        assert rig.look_up(rig.mint(person)).status == 200
    wait_for(lambda: sessions(redis) <= 3 * KEPT)  # one person at two clinics, one at one
    assert len(keys(redis, "*")) <= begun_keys, "neither a use nor a refused key leaves a key of its own"
    grown = memory(redis) - begun_memory
    assert grown < 1 << 20, grown
    assert all(redis("HLEN", person) < 5 * KEPT for person in keys(redis, "p:*"))
    assert rss(rig) - begun_rss < GROWTH_OF_A_WORKER, "what a worker keeps does not follow what it was sent"

    # the citizen
    listed = rig.post("portal", "/v1/portal/consents", {"pseudonym": "ps-victim-00"}, "portal-mynaportal").json
    clinics = [s["institutionCode"] for s in listed["sessions"]]
    assert clinics.count(CLINIC) == KEPT and OTHER_CLINIC in clinics
    assert rig.read_session(json.loads(next(b for s, b in reversed(answers) if s == 200))["session"]).status in (200, 401, 404)
    assert rig.post("portal", "/v1/portal/consents/withdraw", {"pseudonym": "ps-victim-00", "all": True}, "portal-mynaportal").status == 200
    assert sessions(redis) <= KEPT, "those of the other person"
    time.sleep(1.1)  # what is given in the same second counts as withdrawn, too
    assert rig.look_up(rig.mint(victim, aud=OTHER_CLINIC), OTHER_CLINIC).status == 200, "a new consent is as good as ever"
