"""The budget of the doors as a caller sees it, and doors that run out of descriptors or memory (docs/decisions/0049-budgets.md)."""

import os
import resource
import signal
import socket
import time

import pytest

from front_rig import CLINIC, ERR, EVENT, OTHER_CLINIC, Rig, wait_for

RATE, BURST, PORTAL_BURST = 2, 4, 6


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("limited"), workers=2, caller_rate=RATE, caller_burst=BURST, portal_rate=RATE, portal_burst=PORTAL_BURST)
    try:
        rig.start("redis"), rig.start("audit"), rig.start("front")
        wait_for(lambda: healthy(rig), 20)
        yield rig
    finally:
        rig.down()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("plain"), workers=1)
    try:
        yield rig.up()
    finally:
        rig.down()


def healthy(rig):
    """Also what hears 429: strangers have a bucket of their own."""
    try:
        return rig.get("clinic", "/health").status in (200, 429)
    except OSError:
        return False


def turned_away(rig, reason):
    return [r for r in rig.audit() if r[0] == EVENT["REFUSED"] and r[2] == ERR[reason]]


def test_who_asks_too_often_uses_nothing_up_and_is_recorded_once_a_second(limited):
    keys = [limited.mint(limited.person()) for _ in range(BURST + 8)]
    answers = [(key, limited.look_up(key)) for key in keys]
    refused = [key for key, a in answers if a.status == 429]
    assert refused and all(a.status in (200, 429) for _, a in answers)
    a = next(a for _, a in answers if a.status == 429)
    assert a.code == "too_many_requests" and 1 <= int(dict(a.headers)["Retry-After"]) <= 5
    assert limited.look_up(limited.mint(limited.person(), aud=OTHER_CLINIC), OTHER_CLINIC).status == 200  # another caller
    wait_for(lambda: sum(r[5] for r in turned_away(limited, "RATE")) >= len(refused))
    records = turned_away(limited, "RATE")
    assert sum(r[5] for r in records) == len(refused) and {r[6] for r in records} == {f"clinic/{CLINIC}"}
    assert len(records) < len(refused)
    wait_for(lambda: limited.look_up(refused[0]).status == 200, 20)  # that key was not used up


def test_a_caller_has_one_rate_whatever_workers_it_meets(limited):
    wait_for(lambda: limited.look_up(limited.mint(limited.person(), aud=OTHER_CLINIC), OTHER_CLINIC).status == 200)
    time.sleep(BURST / RATE)  # its bucket is full
    body = '{"link_key":"x"}'
    begun = time.monotonic()
    heard = [limited.post("clinic", "/v1/clinic/eligibility", body, f"clinic-{OTHER_CLINIC}").status for _ in range(40)]  # a connection each: they are spread
    let_in = sum(status != 429 for status in heard)
    assert BURST <= let_in <= BURST + RATE * (time.monotonic() - begun) + 1, heard


def test_a_portal_has_a_rate_of_its_own(limited):
    """It asks for all citizens under one name: its figure says nothing of a clinic, nor a clinic's of it."""
    wait_for(lambda: limited.look_up(limited.mint(limited.person())).status == 200, 20)
    begun = time.monotonic()
    answers = [limited.ask("pn-" + "0" * 20) for _ in range(PORTAL_BURST + 8)]
    let_in = sum(a.status != 429 for a in answers)
    assert PORTAL_BURST <= let_in <= PORTAL_BURST + RATE * (time.monotonic() - begun) + 1, [a.status for a in answers]
    a = next(a for a in answers if a.status == 429)
    assert a.code == "too_many_requests" and 1 <= int(dict(a.headers)["Retry-After"]) <= 5
    assert limited.look_up(limited.mint(limited.person())).status == 200
    wait_for(lambda: sum(r[5] for r in turned_away(limited, "RATE") if r[6] == "portal/mynaportal") == len(answers) - let_in, 10)
    wait_for(lambda: limited.ask("pn-" + "0" * 20).status == 404, 20)


def cpu_s(pid):
    ticks = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def idle_share(pid, seconds=1.5):
    before, begun = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - begun)


def test_without_descriptors_the_doors_wait_and_go_on_by_themselves(plain):
    (worker,) = plain.workers_of_front()
    old = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, old[1]))  # every number is taken
    crowd = [socket.create_connection(("127.0.0.1", plain.ports["clinic"])) for _ in range(40)]
    try:
        share = idle_share(worker)
        for s in crowd[:20]:
            s.close()  # some have left when it goes on
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, old)
    wait_for(plain.healthy, 10)
    assert share < 0.3
    assert plain.workers_of_front() == [worker]
    assert plain.look_up(plain.mint(plain.person())).status == 200
    for s in crowd:
        s.close()


def data_bytes(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmSize")) * 1024


def test_without_memory_nothing_ends_and_all_goes_on_by_itself(plain):
    (worker,) = plain.workers_of_front()
    old = resource.prlimit(worker, resource.RLIMIT_AS)
    resource.prlimit(worker, resource.RLIMIT_AS, (data_bytes(worker), old[1]))  # not a page more
    crowd, heard = [], []
    try:
        for _ in range(150):
            s = socket.create_connection(("127.0.0.1", plain.ports["clinic"]), timeout=5)
            s = plain_tls(plain, s)
            crowd.append(s)
        share = idle_share(worker, 0.7)
        heard = [s is not None for s in crowd]
    finally:
        resource.prlimit(worker, resource.RLIMIT_AS, old)
        for s in crowd:
            if s:
                s.close()
    wait_for(plain.healthy, 10)
    assert plain.workers_of_front() == [worker], "the worker ended"
    assert share < 0.3
    assert not all(heard), "there was memory for everybody: the test tests nothing"
    assert plain.look_up(plain.mint(plain.person())).status == 200


def plain_tls(rig, sock):
    try:
        tls = rig.context(f"clinic-{CLINIC}").wrap_socket(sock, server_hostname="127.0.0.1")
        tls.sendall(b"GET /health HTTP/1.1\r\nHost: door\r\n\r\n")
        return tls if tls.recv(9) == b"HTTP/1.1 " else None
    except OSError:
        sock.close()
        return None


def test_a_worker_that_cannot_be_started_is_started_when_it_can_be(plain):
    front, (worker,) = plain.procs["front"].pid, plain.workers_of_front()
    old = resource.prlimit(front, resource.RLIMIT_NOFILE)
    resource.prlimit(front, resource.RLIMIT_NOFILE, (3, old[1]))  # no line to a child, so no child
    try:
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: b"fork_failed" in plain.log("front").read_bytes(), 10)
        share = idle_share(front)
    finally:
        resource.prlimit(front, resource.RLIMIT_NOFILE, old)
    wait_for(plain.healthy, 30)
    assert share < 0.3
    assert plain.look_up(plain.mint(plain.person())).status == 200
