"""The front when something is down, restarted, renewed or badly configured."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from front_rig import BIN, EVENT, GIVEN, NOTHING, free_port, rig, wait_for  # noqa: F401 (rig is the fixture)


# ---- when something is down ----

def timed(call):
    begun = time.monotonic()
    return call(), time.monotonic() - begun


def test_redis_killed_and_back(rig):
    pmh_key = rig.person()
    used = rig.mint(pmh_key)
    session = rig.look_up(used).json["session"]
    rig.kill("redis")
    token = rig.mint(pmh_key)
    for call in (lambda: rig.look_up(token), lambda: rig.read_session(session), lambda: rig.link(pmh_key, "12345678"),
                 lambda: rig.ask("12345678"), lambda: rig.get("clinic", "/health")):
        answer, seconds = timed(call)
        assert (answer.status, answer.code) == (503, "store_unavailable")
        assert int(dict(answer.headers)["Retry-After"]) > 0
        assert seconds < 1
    rig.start("redis")
    rig.wait_healthy()
    assert rig.look_up(token).status == 200  # nothing had been used up
    assert rig.look_up(used).code == "used"
    assert rig.read_session(session).status == 200


def test_silent_redis_does_not_hang_the_caller(rig):
    token = rig.mint(rig.person())
    rig.procs["redis"].send_signal(signal.SIGSTOP)
    try:
        answer, seconds = timed(lambda: rig.look_up(token))
    finally:
        rig.procs["redis"].send_signal(signal.SIGCONT)
    assert answer.status == 503 and seconds < 2.5
    assert "Retry-After" in dict(answer.headers)
    rig.wait_healthy()


def test_health_speaks_for_every_worker_and_names_the_one_that_hangs(rig):
    def answers():
        heard = []
        for _ in range(12):
            con = http.client.HTTPSConnection("127.0.0.1", rig.ports["clinic"], context=rig.context(None), timeout=0.5)
            try:
                con.request("GET", "/health")
                a = con.getresponse()
                heard.append((a.status, json.loads(a.read())))
            except OSError:
                pass  # the one that hangs
            finally:
                con.close()
        return heard

    workers = rig.workers_of_front()
    os.kill(workers[0], signal.SIGSTOP)
    try:
        wait_for(lambda: (said := answers()) and all(status == 503 and doc["code"] == "worker_unavailable" and doc["actor"] == "operator" for status, doc in said)
                 and len({doc["worker"] for _, doc in said}) == 1)
    finally:
        os.kill(workers[0], signal.SIGCONT)
    rig.wait_healthy()
    assert all(said == (200, {"status": "ok"}) for said in answers())
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: len(set(rig.workers_of_front()) - {workers[0]}) == len(workers))
    rig.wait_healthy()


def test_audit_killed_nothing_is_answered(rig):
    pmh_key = rig.person()
    token, session = rig.mint(pmh_key), rig.look_up(rig.mint(pmh_key)).json["session"]
    rig.kill("audit")
    for call in (lambda: rig.look_up(token), lambda: rig.read_session(session), lambda: rig.look_up("x"),
                 lambda: rig.post("clinic", "/v1/clinic/eligibility", {}, None), lambda: rig.get("portal", "/health")):
        answer, seconds = timed(call)
        assert (answer.status, answer.code) == (503, "audit_unavailable")
        assert "eligibility" not in answer.json and "session" not in answer.json
        assert seconds < 1
    rig.start("audit")
    rig.wait_healthy()
    assert rig.look_up(token).status == 200


def test_silent_audit_nothing_is_answered(rig):
    token = rig.mint(rig.person())
    rig.procs["audit"].send_signal(signal.SIGSTOP)
    try:
        answer, seconds = timed(lambda: rig.look_up(token))
    finally:
        rig.procs["audit"].send_signal(signal.SIGCONT)
    assert (answer.status, answer.code) == (503, "audit_unavailable") and seconds < 2.5
    rig.wait_healthy()
    assert rig.look_up(token).code == "used"  # the use was durable before the audit was asked


def test_restart_keeps_used_keys_used(rig):
    pmh_key = rig.person()
    token = rig.mint(pmh_key)
    session = rig.look_up(token).json["session"]
    assert rig.kill("front", signal.SIGTERM) == 0
    rig.start("front")
    rig.wait_healthy()
    assert rig.look_up(token).code == "used"
    assert rig.read_session(session).status == 200


def test_stop_answers_what_it_has_begun(rig):
    """Whatever the audit log says was given out has reached its caller, although the front stops in the middle."""
    tokens = [rig.mint(rig.person()) for _ in range(8)] + [rig.mint("pk-nobody") for _ in range(400)]
    seen = len(rig.audit())

    def status(token):
        try:
            return rig.look_up(token).status
        except OSError:
            return None

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(status, t) for t in tokens]
        wait_for(lambda: len(rig.audit()) > seen + 20)
        assert rig.kill("front", signal.SIGTERM) == 0
    answers = [a.result() for a in answers]
    assert None in answers  # it did stop in the middle
    results = [r[1] for r in rig.audit()[seen:] if r[0] == EVENT["CLINIC_LOOKUP"]]
    assert (results.count(GIVEN), results.count(NOTHING)) == (answers.count(200), answers.count(404))
    rig.start("front")
    rig.wait_healthy()


def test_killed_worker_is_started_again_ever_later(rig):
    def waits():
        return [int(ms) for ms in re.findall(r'"worker_ended".*"signal":9,"again_in_ms":(\d+)', rig.log("front").read_text())]

    seen = len(waits())
    wait_for(lambda: len(rig.workers_of_front()) == 2)
    for wait_ms in (100, 200, 400):
        before = set(rig.workers_of_front())
        victim = max(before) if wait_ms > 100 else min(before)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(waits()) > seen and len(rig.workers_of_front()) == 2 and victim not in rig.workers_of_front())
        seen += 1
        assert waits()[-1] == wait_ms
    rig.wait_healthy()
    assert rig.look_up(rig.mint(rig.person())).status == 200


def test_the_start_of_every_worker_is_audited(rig):
    starts = lambda: [r for r in rig.audit() if r[0] == EVENT["PROCESS_START"]]
    before = len(starts())
    assert {(r[1], r[5], r[6]) for r in starts()} == {(GIVEN, 0, "front"), (GIVEN, 1, "front")}
    rig.kill("audit")
    os.kill(min(rig.workers_of_front()), signal.SIGKILL)
    wait_for(lambda: len(rig.workers_of_front()) == 2)
    time.sleep(2.5)  # its first attempt ends before there is an audit log again
    rig.start("audit")
    wait_for(lambda: len(starts()) == before + 1)
    rig.wait_healthy()


def test_hup_renews_all_workers(rig):
    before = set(rig.workers_of_front())
    rig.procs["front"].send_signal(signal.SIGHUP)
    wait_for(lambda: len(rig.workers_of_front()) == 2 and not before & set(rig.workers_of_front()), 20)
    rig.wait_healthy()
    assert rig.look_up(rig.mint(rig.person())).status == 200


def test_a_second_hup_during_a_renewal_renews_those_again_that_had_their_turn(rig):
    """Files may be exchanged between the two: the first worker has read the older ones."""
    before = set(rig.workers_of_front())
    rig.procs["front"].send_signal(signal.SIGHUP)
    wait_for(lambda: set(rig.workers_of_front()) - before, 10)
    first = set(rig.workers_of_front()) - before
    rig.procs["front"].send_signal(signal.SIGHUP)
    wait_for(lambda: len(rig.workers_of_front()) == 2 and not (before | first) & set(rig.workers_of_front()), 20)
    rig.wait_healthy()


def test_unusable_files_end_no_worker_that_serves(rig):
    """One worker has to start while a file is missing: the other goes on, attempts are spaced out, and the file's return is enough."""
    key = rig.dir / "certs" / "doors.key"
    before, log = set(rig.workers_of_front()), rig.log("front").stat().st_size
    failed = lambda: rig.log("front").read_text()[log:].count('"start_failed"')
    key.rename(key.with_suffix(".away"))
    try:
        os.kill(max(before), signal.SIGKILL)
        wait_for(lambda: failed() >= 3)
        time.sleep(1)
        assert failed() < 8
        assert rig.procs["front"].poll() is None
        assert len(before & set(rig.workers_of_front())) == 1
        wait_for(lambda: rig.get("clinic", "/health").status == 200)
    finally:
        key.with_suffix(".away").rename(key)
    wait_for(lambda: len(rig.workers_of_front()) == 2, 20)
    rig.wait_healthy()


def test_workers_go_with_their_parent(rig):
    workers = rig.workers_of_front()
    rig.kill("front", signal.SIGKILL)
    wait_for(lambda: not any(pathlib.Path(f"/proc/{w}").exists() for w in workers), 15)
    rig.start("front")
    rig.wait_healthy()


def test_taken_port_is_told(rig):
    second = subprocess.run([BIN / "pmhgw-front", "--config", rig.dir / "conf" / "front.yaml"], capture_output=True, text=True, timeout=10)
    assert second.returncode != 0
    assert f"clinic_port {rig.ports['clinic']}" in second.stderr and "EADDRINUSE" in second.stderr


@pytest.mark.parametrize("line, says", [("clinic_prot: 1\n", "clinic_prot"), ("vault_socket: /x\n", "vault_socket")])
def test_bad_configuration_is_told(rig, tmp_path, line, says):
    text = (rig.dir / "conf" / "front.yaml").read_text()
    (tmp_path / "front.yaml").write_text(text + line)
    run = subprocess.run([BIN / "pmhgw-front", "--config", tmp_path / "front.yaml"], capture_output=True, text=True, timeout=10)
    assert run.returncode == 78
    assert re.search(rf"front\.yaml:{text.count(chr(10)) + 1}:1: {says}: ", run.stderr)


def test_unusable_files_end_the_program(rig, tmp_path):
    text = (rig.dir / "conf" / "front.yaml").read_text()
    for port in rig.ports.values():
        text = text.replace(str(port), str(free_port()))
    (tmp_path / "front.yaml").write_text(text.replace("link.ring", "no.ring"))
    run = subprocess.run([BIN / "pmhgw-front", "--config", tmp_path / "front.yaml"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 78
    assert '"start_failed"' in run.stderr and "link_ring" in run.stderr
