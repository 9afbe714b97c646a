"""The desk of the mock nation: a browser without a client certificate reaches doors of this machine, and nobody else does."""

import http.server
import json
import pathlib
import re
import secrets
import signal
import socket
import ssl
import sys
import threading

import pytest
from mock_rig import Nation
from rig import ROOT  # noqa: F401  (the rig's path)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "torture"))
import page  # noqa: E402
import torture  # noqa: E402

DESK, MUNICIPAL = 20, 1


class Door(http.server.ThreadingHTTPServer):
    """Plays the municipal door: asks for a certificate, says what it heard, streams."""

    daemon_threads = True

    def __init__(self, port, certs):
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs / "doors.pem", certs / "doors.key")
        context.load_verify_locations(certs / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def whose(self):
        return [v for k, v in self.connection.getpeercert()["subjectAltName"] if k == "URI"]

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = json.dumps({"bytes": len(body), "sum": sum(body), "whose": self.whose(), "connection": self.headers.get_all("Connection")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in ("first", "second"):
            self.wfile.write(b"%x\r\ndata: %s\n\n\r\n" % (len(word) + 8, word.encode()))
            self.wfile.flush()
            assert self.server.go_on.wait(20)
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    n = Nation(pathlib.Path(tmp_path_factory.mktemp("desk")))
    n.start()
    yield n
    n.close()


@pytest.fixture
def door(nation):
    d = Door(nation.base + MUNICIPAL, nation.certs)
    yield d
    d.go_on.set()
    d.shutdown()
    d.server_close()


def urls(nation):
    return dict(line.split("\t") for line in (nation.dir / "state/desk").read_text().splitlines())


def host(nation, name):
    return re.fullmatch(r"http://([a-z-]+\.[a-p]{32}\.localhost:\d+)/.*", urls(nation)[name])[1]


def ask(nation, head, body=b"", to="127.0.0.1"):
    """Everything that one connection answers."""
    with socket.create_connection((to, nation.base + DESK), timeout=20) as s:
        s.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        got = b""
        while piece := s.recv(65536):
            got += piece
    return int(got.split()[1]), got.split(b"\r\n\r\n", 1)[1]


def test_a_way_to_the_control_door(nation):
    status, body = ask(nation, f"GET /state HTTP/1.1\nHost: {host(nation, 'nation')}\nConnection: keep-alive")
    assert status == 200 and json.loads(body)["systems"]
    status, _ = ask(nation, f"GET /nowhere HTTP/1.1\nHost: {host(nation, 'nation')}")
    assert status == 404


def test_uploads_pass_with_the_certificate_of_one_municipality(nation, door):
    body = secrets.token_bytes(3 << 20)
    status, said = ask(nation, f"PUT /v1/files/x HTTP/1.1\nHost: {host(nation, 'console')}\nContent-Length: {len(body)}", body)
    assert status == 200
    assert json.loads(said) == {"bytes": len(body), "sum": sum(body), "whose": ["pmhgw:municipality/331007/kodomo"], "connection": ["close"]}


def test_streams_pass_piece_by_piece(nation, door):
    with socket.create_connection(("127.0.0.1", nation.base + DESK), timeout=20) as s:
        s.sendall(f"GET /v1/tasks/x/events HTTP/1.1\r\nHost: {host(nation, 'console')}\r\n\r\n".encode())
        got = b""
        while b"first" not in got:
            piece = s.recv(65536)
            assert piece
            got += piece
        assert b"second" not in got, "the door has not said it yet"
        door.go_on.set()
        while piece := s.recv(65536):
            got += piece
    assert got.endswith(b"data: second\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("of", ["127.0.0.1:{port}", "localhost:{port}", "nation.localhost:{port}", "evil.example:{port}", "nation.{wrong}.localhost:{port}",
                                "other.{key}.localhost:{port}", "nation.{key}.localhost:1"])
def test_who_does_not_know_the_key_hears_nothing(nation, of):
    """Other users of the machine, and pages whose name was rebound to this address."""
    key = host(nation, "nation").split(".")[1]
    name = of.format(port=nation.base + DESK, key=key, wrong="a" * 32)
    status, body = ask(nation, f"GET /state HTTP/1.1\nHost: {name}")
    assert status == 403 and b"systems" not in body and key.encode() not in body


def test_a_second_host_does_not_help(nation):
    status, _ = ask(nation, f"GET /state HTTP/1.1\nHost: {host(nation, 'nation')}\nHost: evil.example")
    assert status == 400


def test_a_second_request_is_not_answered(nation):
    """A connection is one request: what follows was not looked at."""
    head = f"GET /health HTTP/1.1\nHost: {host(nation, 'nation')}"
    text = (head.replace("\n", "\r\n") + "\r\n\r\n" + "GET /state HTTP/1.1\r\nHost: evil.example\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", nation.base + DESK), timeout=20) as s:
        s.sendall(text)
        got = b""
        while piece := s.recv(65536):
            got += piece
    assert got.count(b"HTTP/1.1 ") == 1 and b"systems" not in got


def test_a_door_that_is_down_is_said(nation):
    status, body = ask(nation, f"GET / HTTP/1.1\nHost: {host(nation, 'console')}")
    assert status == 502 and b"does not answer" in body


def test_listens_on_this_machine_only(nation):
    for family in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(family).read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            assert int(port, 16) != nation.base + DESK or line.split()[3] != "0A" or address == "0100007F", line


def test_the_key_is_of_one_run_and_its_file_of_one_user(nation):
    path = nation.dir / "state/desk"
    assert path.stat().st_mode & 0o777 == 0o600
    before = urls(nation)
    assert nation.stop(signal.SIGTERM) == 0
    assert not path.exists()
    nation.start()
    after = urls(nation)
    assert set(after) == set(before) and all(after[k] != before[k] for k in after)
    assert not re.search(r"[a-p]{32}", nation.log()), "the log names no key"


def test_a_desk_that_had_no_memory_for_connections_is_reached_again(nation):
    """A connection that nobody accepts would keep libuv from listening for good."""
    if not torture.LIBRARY.exists():
        pytest.skip("built with sanitizers: they bring allocations of their own")
    nation.stop()
    faults = page.Page(nation.dir / "faults", torture.LIBRARY)
    with faults.environment():
        nation.start()
    head = f"GET /health HTTP/1.1\nHost: {host(nation, 'nation')}"
    for callers in (1, 2, 5):
        faults.arm(page.ALLOCATIONS, 1, page.EVER)
        refused = [socket.create_connection(("127.0.0.1", nation.base + DESK), timeout=20) for _ in range(callers)]
        for s in refused:
            assert s.recv(1) == b"", "it is told at once"
            s.close()
        failed = faults.failed
        faults.disarm()
        assert failed >= callers, "each met a failed allocation"
        assert ask(nation, head)[0] == 200
