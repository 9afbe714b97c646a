"""A stream of events ends with the session of the member of staff who follows it (docs/staff.md), and with nobody else's."""

import http.client
import threading
import time

import pytest

from intake_rig import Rig
from test_staff import A, call, member

WITHIN_S, IDLE_S = 1.0, 6  # a slow machine makes members for some seconds


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("s"), staff_idle_s=IDLE_S)
    try:
        r.up()
        r.tokens = {}
        yield r
    finally:
        r.down()


@pytest.fixture(scope="module")
def task(rig):
    """A file that nobody uploads: nothing of it ends a stream."""
    status, doc = call(rig, "POST", "/v1/files", {"operation": "postRegistrationTasks", "bytes": 1, "source": "json_lines"})
    assert status == 201, doc
    return doc["file_id"]


class Stream:
    def __init__(self, rig, task, session=None):
        self.con = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(f"muni-{A}"), timeout=20)
        headers = {"Authorization": f"Bearer {rig.tokens[f'muni-{A}']}", **({"Pmhgw-Staff": session} if session else {})}
        self.con.request("GET", f"/v1/tasks/{task}/events", headers=headers)
        self.answer = self.con.getresponse()
        assert self.answer.status == 200
        self.lines, self.ended = [], None
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        try:
            while line := self.answer.readline():
                self.lines.append(line)
            self.ended = time.monotonic()
        except OSError:
            pass

    def ends_within(self, begun, seconds=WITHIN_S):
        self.thread.join(10)
        assert self.ended is not None, "the stream is still open, or was cut"
        return self.ended - begun < seconds

    def open_after(self, seconds):
        self.thread.join(seconds)
        return self.thread.is_alive()

    def close(self):
        if self.ended is None:
            self.con.sock.shutdown(2)
        self.thread.join(5)
        self.con.close()


def test_a_stream_ends_when_its_user_is_withdrawn_and_no_other_stream_does(rig, task):
    _, _, admin = member(rig, "--role", "admin", "--programs", "*")
    user, _, session = member(rig, "--role", "officer", "--programs", "*")
    _, _, other = member(rig, "--role", "viewer", "--programs", "*")
    mine, theirs, system = Stream(rig, task, session), Stream(rig, task, other), Stream(rig, task)
    assert mine.open_after(1.2), "nothing has ended yet"
    body = {"display_name": "鈴木", "role": "officer", "programs": ["*"], "state": "withdrawn"}
    assert call(rig, "PUT", f"/v1/staff/users/{user}", body, admin)[0] == 200
    assert mine.ends_within(time.monotonic())
    assert not any(line.startswith(b"event: end") for line in mine.lines), "the task goes on"
    assert mine.lines[-2].startswith(b": the session has ended")
    assert theirs.open_after(0.8) and system.open_after(0)
    for s in (mine, theirs, system):
        s.close()


def test_a_stream_ends_with_the_logout_of_its_session(rig, task):
    _, _, session = member(rig, "--role", "viewer", "--programs", "*")
    s = Stream(rig, task, session)
    assert call(rig, "POST", "/v1/staff/logout", {}, session)[0] == 204
    assert s.ends_within(time.monotonic())
    s.close()


def test_a_stream_ends_with_a_right_that_was_taken(rig, task):
    _, _, admin = member(rig, "--role", "admin", "--programs", "*")
    user, _, session = member(rig, "--role", "officer", "--programs", "*")
    s = Stream(rig, task, session)
    assert call(rig, "PUT", f"/v1/staff/users/{user}", {"display_name": "鈴木", "role": "officer", "programs": ["immunization"]}, admin)[0] == 200
    assert s.ends_within(time.monotonic())
    s.close()


def test_a_stream_does_not_keep_its_session_alive(rig, task):
    _, _, session = member(rig, "--role", "viewer", "--programs", "*")
    begun = time.monotonic()
    s = Stream(rig, task, session)
    assert s.ends_within(begun, IDLE_S + WITHIN_S)
    assert s.ended - begun > IDLE_S - 1
    s.close()
    assert call(rig, "GET", "/v1/tasks", session=session)[0] == 401


def test_a_store_that_is_away_ends_no_stream(rig, task):
    _, _, session = member(rig, "--role", "viewer", "--programs", "*")
    s = Stream(rig, task, session)
    rig.kill("redis-link")
    assert s.open_after(1.5)
    rig.start("redis-link")
    rig.wait_healthy()
    assert s.open_after(0.5)
    assert call(rig, "POST", "/v1/staff/logout", {}, session)[0] == 204
    assert s.ends_within(time.monotonic())
    s.close()


def test_many_who_leave_while_they_are_judged_harm_nobody(rig, task):
    _, _, session = member(rig, "--role", "viewer", "--programs", "*")
    for _ in range(3):
        streams = [Stream(rig, task, session) for _ in range(8)]
        time.sleep(0.4)
        for s in streams:
            s.close()
    assert call(rig, "GET", "/health")[1] == {"status": "ok"}
