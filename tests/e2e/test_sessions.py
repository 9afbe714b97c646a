"""TLS sessions at the doors: resumed whichever worker is met, after a reload, with each ticket more than once; tickets without a request; TLS 1.2 where it is allowed."""

import http.client
import os
import re
import signal
import socket
import ssl

import pytest

from front_rig import CLINIC, Rig, wait_for

MINE, WORKERS = f"clinic-{CLINIC}", 3


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("sessions"), workers=WORKERS)
    try:
        yield rig.up()
    finally:
        rig.down()


def context_of(rig, cert=MINE, newest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(rig.dir / "certs" / "ca.pem")
    context.maximum_version = newest
    if cert:
        context.load_cert_chain(rig.dir / "certs" / f"{cert}.pem", rig.dir / "certs" / f"{cert}.key")
    return context


def dial(rig, context, session=None, door="clinic", port=None):
    raw = socket.create_connection(("127.0.0.1", port or rig.ports[door]), 5)
    return context.wrap_socket(raw, server_hostname="127.0.0.1", session=session)


def ask(s):
    s.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = http.client.HTTPResponse(s)
    answer.begin()
    answer.read()
    return answer.status


def used(rig, context, session=None, **where):
    """Whether the session was resumed, and the newest one after a request."""
    with dial(rig, context, session, **where) as s:
        assert ask(s) == 200
        return s.session_reused, s.session


def test_resumed_whichever_worker_is_met(front):
    context = context_of(front)
    _, session = used(front, context)
    for _ in range(60):
        reused, session = used(front, context, session)
        assert reused


def test_a_ticket_comes_without_a_request(front):
    context = context_of(front)
    with dial(front, context) as s:
        s.settimeout(0.2)

        def ticket():
            try:
                s.recv(1)
            except TimeoutError:
                pass
            return s.session is not None and s.session.has_ticket
        wait_for(ticket, 20)
        session = s.session
    assert used(front, context, session)[0]


def test_not_at_another_door_and_not_without_a_certificate(front):
    context = context_of(front)
    _, session = used(front, context)
    assert not used(front, context, session, door="portal")[0]
    nobody = context_of(front, None)
    _, none = used(front, nobody)
    assert none is None or not none.has_ticket


def test_sessions_outlive_a_reload_and_a_dead_worker(front):
    context = context_of(front)
    _, session = used(front, context)
    before = set(front.workers_of_front())
    front.procs["front"].send_signal(signal.SIGHUP)
    wait_for(lambda: not before & set(front.workers_of_front()) and len(front.workers_of_front()) == WORKERS, 20)
    front.wait_healthy()
    for _ in range(2 * WORKERS):
        reused, session = used(front, context, session)
        assert reused
    os.kill(front.workers_of_front()[0], signal.SIGKILL)
    wait_for(lambda: len(front.workers_of_front()) == WORKERS, 20)
    front.wait_healthy()
    for _ in range(2 * WORKERS):
        reused, session = used(front, context, session)
        assert reused


def test_older_tls_where_it_is_allowed_only(front):
    old = context_of(front, newest=ssl.TLSVersion.TLSv1_2)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with dial(front, old) as s:
            ask(s)
    conf = front.dir / "conf" / "front.yaml"
    text = conf.read_text()
    try:
        conf.write_text(text + "door_tls12: 1\n")
        before = set(front.workers_of_front())
        front.procs["front"].send_signal(signal.SIGHUP)
        wait_for(lambda: not before & set(front.workers_of_front()) and len(front.workers_of_front()) == WORKERS, 20)
        with dial(front, old) as s:
            assert s.version() == "TLSv1.2" and re.match(r"ECDHE-.*(GCM|CHACHA20)", s.cipher()[0])
            assert ask(s) == 200
    finally:
        conf.write_text(text)
        front.procs["front"].send_signal(signal.SIGHUP)
