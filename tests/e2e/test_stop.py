"""An orderly stop: what had begun when SIGTERM came is answered, on every door, however slowly it comes in; `up` waits for it."""

import http.client
import signal
import threading
import time

import pytest
from rig import CLINIC, MUNICIPAL, PORTAL, Rig
from steady_load import Person

SLOW_S = 3.5  # from the order to stop to the end of the bodies


@pytest.fixture
def rig():
    r = Rig()
    try:
        yield r.start()
    finally:
        r.close()


def begin(rig, port, path, body, cert, headers):
    """A request of which half of the body has been sent."""
    body = (body if isinstance(body, bytes) else body.encode()) + b" " * 200
    con = http.client.HTTPSConnection("127.0.0.1", rig.base + port, context=rig.context(cert), timeout=20)
    con.putrequest("POST", path)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        con.putheader(name, value)
    con.endheaders(body[:len(body) // 2])
    return con, body[len(body) // 2:]


def trickle(con, rest, until):
    """A byte now and then, so that it is slow and not silent; the rest at the end."""
    while rest and time.monotonic() < until:
        con.send(rest[:1])
        rest = rest[1:]
        time.sleep(0.2)
    con.send(rest)
    answer = con.getresponse()
    answer.read()
    return answer.status, (answer.getheader("Connection") or "").lower()


def test_requests_that_had_begun_are_answered_before_the_daemons_end(rig):
    person = Person(rig)
    begun = {name: begin(rig, port, path, body, cert, headers)
             for name, port, method, path, body, cert, headers, _ in person.requests() if method == "POST"}
    expected = {name: status for name, *_, status in person.requests()}
    assert {port for _, port, *_ in person.requests()} == {CLINIC, PORTAL, MUNICIPAL} and len(begun) == 3
    time.sleep(0.3)  # the halves have arrived
    rig.process.send_signal(signal.SIGTERM)
    heard, until = {}, time.monotonic() + SLOW_S
    lines = [threading.Thread(target=lambda n=n, c=c, r=r: heard.update({n: trickle(c, r, until)})) for n, (c, r) in begun.items()]
    for t in lines:
        t.start()
    for t in lines:
        t.join()
    assert heard == {name: (expected[name], "close") for name in begun}
    assert rig.process.wait(20) == 0
    assert "強制終了" not in rig.up_log()
    rig.process = None
