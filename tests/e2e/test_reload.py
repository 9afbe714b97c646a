"""Certificates, settings and programs are exchanged under a small load: no request fails, no connection is reset."""

import json
import os
import random
import re
import shutil
import signal
import socket
import ssl

import pytest

from conftest import BROKEN
from rig import BIN, CLINIC, CLINIC_A, MUNICIPAL, PORTAL, Rig, wait_for
from steady_load import Load, Person, other_door_certificate, set_in

PROGRAMS = ("pmhgw", "pmhgw-audit", "pmhgw-vault", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier", "pmhgw-mocks", "pmhgw-synth")


@pytest.fixture(scope="module")
def rig():
    """A system whose programs can be exchanged. What flows through it is searched for numbers elsewhere."""
    r = Rig()
    r.bin = r.dir / "bin"
    r.bin.mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(BIN / name, r.bin / name)
    try:
        yield r.start()
        broken = [f.name for f in r.state.glob("log/*.log") if BROKEN.search(f.read_bytes())]
        assert not broken, f"a daemon tripped over itself: {broken}"
    finally:
        r.close()


@pytest.fixture(scope="module")
def person(rig):
    return Person(rig)


@pytest.fixture
def load(rig, person):
    with Load(rig, person) as running:
        yield running
    assert not running.failed, running.failed[:10]


def conf(rig, daemon):
    return rig.state / "conf" / f"{daemon}.yaml"


def children_of(pid):
    return {int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()}


def workers(rig):
    return children_of(rig.pid("pmhgw-front"))


def serial_at(rig, port):
    """Of the certificate that a door shows."""
    context = ssl.create_default_context(cafile=rig.state / "certs" / "ca.pem")
    with socket.create_connection(("127.0.0.1", rig.base + port), timeout=10) as s, context.wrap_socket(s, server_hostname="127.0.0.1") as t:
        return int(t.getpeercert()["serialNumber"], 16)


def reload(rig):
    done = rig.command("reload")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_other_certificates_are_shown_by_every_door(rig, load):
    serial = other_door_certificate(rig)
    assert serial_at(rig, CLINIC) != serial
    reload(rig)
    assert [serial_at(rig, port) for port in (CLINIC, PORTAL, MUNICIPAL)] == [serial] * 3


@pytest.mark.parametrize("n", [4, 1, 2])
def test_other_numbers_of_workers(rig, load, n):
    set_in(conf(rig, "front"), "workers", n)
    before = workers(rig)
    reload(rig)
    wait_for("the others have gone", 15, lambda: len(workers(rig)) == n and not before & workers(rig))


def asked_with_trace(rig, port, cert):
    """(request id, trace id) of a request that is part of somebody's trace. Letters only: what could be a number is not taken."""
    trace = "".join(random.choices("abcdef", k=32))
    a = rig.call(port, "GET", "/health", cert=cert, headers={"traceparent": f"00-{trace}-{'c' * 16}-01"})
    assert a.status == 200
    return a.headers["x-request-id"], trace


def lines_of(rig, daemon, request_id):
    return [line for line in map(json.loads, filter(lambda x: x.startswith("{"), (rig.state / f"log/pmhgw-{daemon}.log").read_text().splitlines())) if line.get("id") == request_id]


def test_another_log_level_is_in_force_everywhere(rig, load):
    """Also: lines about a request have its id, and the trace that it is part of."""
    before = {d: set_in(conf(rig, d), "log_level", 0) for d in ("front", "intake", "audit", "courier", "vault", "signer")}
    try:
        reload(rig)
        said = lambda: '"level":"debug"' in (rig.state / "log/pmhgw-front.log").read_text()
        wait_for("the front says more", 10, said)
        for daemon, port, cert in (("front", CLINIC, f"clinic-{CLINIC_A}"), ("front", PORTAL, "portal-mynaportal"), ("intake", MUNICIPAL, "muni-331007")):
            request_id, trace = asked_with_trace(rig, port, cert)
            wait_for("its line is there", 10, lambda: [(x["level"], x["event"], x["trace"], x["operation"]) for x in lines_of(rig, daemon, request_id)] == [("debug", "answer", trace, "health")])
    finally:
        for daemon, text in before.items():
            conf(rig, daemon).write_text(text)
    reload(rig)
    for daemon, port, cert in (("front", CLINIC, f"clinic-{CLINIC_A}"), ("intake", MUNICIPAL, "muni-331007")):
        assert lines_of(rig, daemon, asked_with_trace(rig, port, cert)[0]) == []


def test_another_setting_of_the_intake_is_in_force(rig, load):
    """It cannot be changed in a process that works: `up` exchanges the process."""
    before, pid = set_in(conf(rig, "intake"), "pmh_batch_rows", 50), rig.pid("pmhgw-intake")
    done = reload(rig)
    assert "pmh_batch_rows" in done.stderr
    assert rig.pid("pmhgw-intake") not in (0, pid)
    conf(rig, "intake").write_text(before)
    reload(rig)


def test_other_link_key_keys_open_link_keys(rig, load, person):
    assert rig.command("keys", "rotate", "link-jwe").returncode == 0
    assert rig.clinic(rig.consent(person.card)).status == 200


@pytest.mark.parametrize("daemon", ["front", "intake", "vault"])
def test_a_wrong_setting_is_refused_with_its_place_and_nothing_changes(rig, load, daemon):
    before, pids = conf(rig, daemon).read_text(), (workers(rig), rig.pid("pmhgw-intake"), rig.pid("pmhgw-vault"))
    conf(rig, daemon).write_text(before + "log_levle: 1\n")
    try:
        done = rig.command("reload")
    finally:
        conf(rig, daemon).write_text(before)
    assert done.returncode == 1
    assert re.search(rf"{daemon}\.yaml:{before.count(chr(10)) + 1}:1: log_levle: その名前の項目はありません / there is no such setting", done.stderr)
    assert (workers(rig), rig.pid("pmhgw-intake"), rig.pid("pmhgw-vault")) == pids


def test_a_certificate_that_cannot_be_used_is_refused_and_the_old_one_stays(rig, load):
    key, before, serial = rig.state / "certs" / "doors.key", workers(rig), serial_at(rig, CLINIC)
    good = key.read_bytes()
    try:
        key.write_bytes(b"no key")
        done = rig.command("reload")
        assert done.returncode == 1 and "door_key" in done.stderr and "何も変えていません" in done.stderr
        assert workers(rig) == before
        seen = {d: (rig.state / f"log/pmhgw-{d}.log").stat().st_size for d in ("front", "intake")}
        rig.process.send_signal(signal.SIGHUP)  # nobody has looked beforehand
        for daemon, at in seen.items():
            wait_for(f"{daemon} says what came of it", 15, lambda: '"event":"reload_refused"' in (rig.state / f"log/pmhgw-{daemon}.log").read_text()[at:])
        assert workers(rig) >= before
        assert [serial_at(rig, port) for port in (CLINIC, MUNICIPAL)] == [serial] * 2
        sessions = [connected(rig)[0] for _ in range(20)]
        upgraded = rig.command("upgrade", "pmhgw-front")  # the next program does not come up either: this one takes over again
        assert upgraded.returncode == 1
        assert all(connected(rig, s)[1] for s in sessions)
        assert workers(rig) >= before and serial_at(rig, CLINIC) == serial
    finally:
        key.write_bytes(good)
    reload(rig)
    wait_for("the others have gone", 15, lambda: not before & workers(rig))


def test_settings_that_cannot_change_while_it_runs_are_named(rig, load):
    before = set_in(conf(rig, "front"), "portal_port", 1)
    try:
        done = rig.command("reload")
    finally:
        conf(rig, "front").write_text(before)
    assert done.returncode == 1
    assert "portal_port: 動いている間は変えられません" in done.stderr


def test_hangup_of_up_reaches_every_daemon(rig, load):
    seen = {d: (rig.state / f"log/pmhgw-{d}.log").stat().st_size for d in ("front", "intake", "audit", "courier")}
    rig.process.send_signal(signal.SIGHUP)
    for daemon, at in seen.items():
        wait_for(f"{daemon} says what came of it", 15, lambda: '"event":"reloaded"' in (rig.state / f"log/pmhgw-{daemon}.log").read_text()[at:])


# ---- programs ----

def put_program(rig, name, how):
    """Another file at its place, as a package manager puts it there."""
    new = rig.bin / (name + ".new")
    shutil.copy2(BIN / name, new)
    if how:
        new.write_text(how)
    new.rename(rig.bin / name)
    return (rig.bin / name).stat().st_ino


def inode_of(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def connected(rig, session=None):
    """(session to come back with, whether this one was taken) of a clinic; each session is offered once."""
    context = rig.context(f"clinic-{CLINIC_A}")
    with socket.create_connection(("127.0.0.1", rig.base + CLINIC), timeout=10) as s, context.wrap_socket(s, server_hostname="127.0.0.1", session=session) as t:
        t.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert t.recv(4096).startswith(b"HTTP/1.1 200 ")
        return t.session, t.session_reused


def test_every_program_is_exchanged_and_callers_resume_their_sessions(rig, load):
    sessions = [connected(rig)[0] for _ in range(100)]
    daemons = ("audit", "vault", "signer", "intake", "courier", "front")
    placed = {d: put_program(rig, f"pmhgw-{d}", None) for d in daemons}
    done = rig.command("upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {d: inode_of(rig.pid(f"pmhgw-{d}")) for d in daemons} == placed
    assert sum(connected(rig, s)[1] for s in sessions) >= 99


def test_a_program_that_does_not_run_is_refused_and_the_old_one_stays(rig, load):
    before = {d: (rig.pid(f"pmhgw-{d}"), inode_of(rig.pid(f"pmhgw-{d}"))) for d in ("front", "vault")}
    for daemon in before:
        put_program(rig, f"pmhgw-{daemon}", "#!/bin/sh\nexit 1\n")
    done = rig.command("upgrade")
    assert done.returncode == 1
    assert {d: (rig.pid(f"pmhgw-{d}"), inode_of(rig.pid(f"pmhgw-{d}"))) for d in before} == before
    for daemon in before:
        put_program(rig, f"pmhgw-{daemon}", None)


def test_a_program_that_checks_out_and_does_not_come_up_gives_way_to_the_one_before(rig, load):
    before = inode_of(rig.pid("pmhgw-vault"))
    put_program(rig, "pmhgw-vault", '#!/bin/sh\ncase "$*" in *--check*) exit 0 ;; esac\nexit 1\n')
    done = rig.command("upgrade", "pmhgw-vault")
    assert done.returncode == 1 and "pmhgw-vault" in done.stderr
    assert inode_of(rig.pid("pmhgw-vault")) == before
    put_program(rig, "pmhgw-vault", None)
    assert rig.command("upgrade", "pmhgw-vault").returncode == 0


def test_an_unknown_daemon_is_no_daemon(rig):
    assert rig.command("upgrade", "pmhgw-nobody").returncode == 2
