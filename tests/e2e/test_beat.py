"""Answers that must not tell whether there is somebody leave on a beat from the arrival of their request; no other answer waits (gateway/lookup/rhythm.h)."""

import http.client
import json
import secrets
import signal
import time

import pytest

from front_rig import CLINIC, EVENT, NOTHING, OTHER_CLINIC, Rig

BEAT_S = 0.020
ROUNDS = 8


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("beat"))
    try:
        yield rig.up()
    finally:
        rig.down()


def connect(rig, door="clinic"):
    con = http.client.HTTPSConnection("127.0.0.1", rig.ports[door], context=rig.context(f"clinic-{CLINIC}" if door == "clinic" else "portal-mynaportal"), timeout=10)
    con.connect()
    return con


def times(rig, door, path, heard, bodies):
    """Seconds from the first byte sent to the answer, shortest first: no less than the gateway has waited."""
    con, took = connect(rig, door), []
    for body in bodies:
        begun = time.perf_counter()
        con.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = con.getresponse()
        took.append(time.perf_counter() - begun)
        raw = answer.read()
        assert answer.status == heard, raw
    con.close()
    return sorted(took)


def flagged(rig):
    pmh_key, pseudonym = rig.person([{"flags": "n"}]), "ps-" + secrets.token_hex(8)
    rig.link(pmh_key, pseudonym)
    return pmh_key, pseudonym


@pytest.mark.parametrize("path,more", [
    ("eligibility", {}), ("consents", {}), ("consents/withdraw", {"all": True}), ("sessions/end", {"all": True}), ("access-log", {}), ("access-log/statement", {})])
def test_nothing_leaves_the_portal_door_before_the_beat(rig, path, more):
    silent = flagged(rig)[1]
    for pseudonym in (silent, "ps-" + secrets.token_hex(8)):
        assert times(rig, "portal", f"/v1/portal/{path}", 404, [{"pseudonym": pseudonym, **more}] * ROUNDS)[0] >= BEAT_S


def test_no_refusal_of_a_link_key_leaves_before_the_beat(rig):
    silent, there = flagged(rig)[0], rig.person()
    used = rig.mint(there)
    assert rig.look_up(used).status == 200
    refused = [rig.mint(silent), rig.mint("pk-nobody"), rig.mint(there, aud=OTHER_CLINIC), rig.mint(there, age=4000), rig.mint(there, key=bytes(32)), "x"]
    assert times(rig, "clinic", "/v1/clinic/eligibility", 404, [{"link_key": k} for k in refused])[0] >= BEAT_S
    assert times(rig, "clinic", "/v1/clinic/eligibility", 409, [{"link_key": used}] * ROUNDS)[0] >= BEAT_S


def test_no_refused_session_leaves_before_the_beat(rig):
    pmh_key = rig.person()
    token = rig.look_up(rig.mint(pmh_key)).json["session"]
    rig.put(pmh_key, flags="n")
    assert times(rig, "clinic", "/v1/clinic/session", 404, [{"session": t} for t in (token, token[::-1])] * (ROUNDS // 2))[0] >= BEAT_S


def test_a_pseudonym_that_is_linked_tells_nothing_either(rig):
    there = rig.person()
    body = {"pmh_key": there, "pseudonym": "ps-" + secrets.token_hex(8)}
    assert times(rig, "portal", "/v1/portal/pseudonyms", 204, [body] * ROUNDS)[0] >= BEAT_S
    assert times(rig, "portal", "/v1/portal/pseudonyms", 409, [{**body, "pseudonym": "ps-another-one"}] * ROUNDS)[0] >= BEAT_S


def test_what_tells_something_does_not_wait(rig):
    pmh_key, pseudonym = rig.person(), "ps-" + secrets.token_hex(8)
    rig.link(pmh_key, pseudonym)
    assert times(rig, "clinic", "/v1/clinic/eligibility", 200, [{"link_key": rig.mint(pmh_key)} for _ in range(4 * ROUNDS)])[0] < BEAT_S
    token = rig.look_up(rig.mint(pmh_key)).json["session"]
    assert times(rig, "clinic", "/v1/clinic/session", 200, [{"session": token}] * 4 * ROUNDS)[0] < BEAT_S
    assert times(rig, "portal", "/v1/portal/eligibility", 200, [{"pseudonym": pseudonym}] * 4 * ROUNDS)[0] < BEAT_S
    assert times(rig, "portal", "/v1/portal/consents", 200, [{"pseudonym": pseudonym}] * 4 * ROUNDS)[0] < BEAT_S
    assert times(rig, "clinic", "/v1/clinic/eligibility", 422, [{"link_key": 1}] * 4 * ROUNDS)[0] < BEAT_S, "a fault of form is about nobody"


def request(path, body):
    data = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def read_answer(file):
    status, n = int(file.readline().split()[1]), 0
    while (line := file.readline().strip()):
        if line.lower().startswith(b"content-length:"):
            n = int(line.split(b":")[1])
    return status, file.read(n)


def test_requests_behind_each_other_are_answered_in_order(rig):
    """A request of a row arrives when the one before it has been answered: nothing of the one shows in the other."""
    nobody, there = {"link_key": rig.mint("pk-nobody")}, {"link_key": rig.mint(rig.person())}
    sock = connect(rig).sock
    begun = time.perf_counter()
    sock.sendall(b"".join(request("/v1/clinic/eligibility", b) for b in (nobody, there, nobody)))
    file, heard, at = sock.makefile("rb"), [], []
    for _ in range(3):
        heard.append(read_answer(file)[0])
        at.append(time.perf_counter() - begun)
    assert heard == [404, 200, 409]
    assert at[0] >= BEAT_S and at[2] >= 2 * BEAT_S
    sock.close()


def test_many_wait_together_and_do_not_hold_each_other_up(rig):
    socks = [connect(rig).sock for _ in range(150)]
    keys = [rig.mint("pk-nobody") for _ in socks]
    begun = time.perf_counter()
    for sock, key in zip(socks, keys):
        sock.sendall(request("/v1/clinic/eligibility", {"link_key": key}))
    assert {read_answer(sock.makefile("rb"))[0] for sock in socks} == {404}
    assert time.perf_counter() - begun < 1.5
    for sock in socks:
        sock.close()


def test_who_leaves_while_waiting_harms_nobody(rig):
    before = len([r for r in rig.audit() if r[0] == EVENT["CLINIC_LOOKUP"]])
    for i in range(40):
        sock = connect(rig).sock
        sock.sendall(request("/v1/clinic/eligibility", {"link_key": rig.mint("pk-nobody")}))
        if i % 2:
            time.sleep(0.005)
        sock.close()
    end = time.monotonic() + 5
    while len([r for r in rig.audit() if r[0] == EVENT["CLINIC_LOOKUP"]]) < before + 20 and time.monotonic() < end:
        time.sleep(0.05)
    assert rig.look_up(rig.mint(rig.person())).status == 200


def test_an_answer_that_waits_leaves_before_a_stop(rig):
    for _ in range(2):
        sock = connect(rig).sock
        sock.sendall(request("/v1/clinic/eligibility", {"link_key": rig.mint("pk-nobody")}))
        time.sleep(0.008)  # by now it waits
        begun = time.monotonic()
        rig.procs["front"].send_signal(signal.SIGTERM)
        status, body = read_answer(sock.makefile("rb"))
        assert (status, json.loads(body)["code"]) == (404, "nothing")
        assert rig.procs.pop("front").wait(timeout=10) == 0
        assert time.monotonic() - begun < 5
        last = [r for r in rig.audit() if r[0] == EVENT["CLINIC_LOOKUP"]][-1]
        assert last[1] == NOTHING
        rig.start("front")
        rig.wait_healthy()
