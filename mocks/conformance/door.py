"""A door that plays what it is told and remembers what it saw: connections, handshakes, requests with their times."""

import http.server
import json
import secrets
import socket
import ssl
import threading
import time


class Answer:
    """delay: seconds before it; cut: so many bytes of the body, then the connection ends; hang_up: no answer at all."""

    def __init__(self, status, body=None, media="application/json", delay=0.0, cut=None, hang_up=False, **headers):
        self.status, self.delay, self.cut, self.hang_up = status, delay, cut, hang_up
        self.body = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        self.headers = {"Content-Type": media, "Cache-Control": "no-store", "X-Request-Id": secrets.token_hex(8), **{k.replace("_", "-"): v for k, v in headers.items()}}


def problem(status, code, title_ja, title_en, retry="never", **more):
    """A problem document as the gateway has it, with a member that no client knows."""
    headers = {k: more.pop(k) for k in list(more) if k[0].isupper()}
    return Answer(status, {"type": f"urn:pmhgw:problem:{code}", "title": title_ja, "status": status, "code": code, "detail": "案内に従ってください。", "title_en": title_en,
                           "detail_en": "Follow the advice.", "actor": "caller", "retry": retry, "request_id": secrets.token_hex(8), "memberOfTheFuture": {"a": [1]}, **more},
                  "application/problem+json", **headers)


class Request:
    def __init__(self, method, path, headers, body, connection):
        self.method, self.path, self.headers, self.body, self.connection, self.at = method, path, headers, body, connection, time.monotonic()

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        door = self.server.door
        self.request.settimeout(30)
        try:
            self.request.do_handshake()
        except (OSError, ssl.SSLError) as e:
            with door.lock:
                door.refused.append(str(e))
            self.dead = True
            return super().setup()
        self.dead = False
        with door.lock:
            door.connections.append({"version": self.request.version(), "cert": self.request.getpeercert(), "resumed": self.request.session_reused})
            self.number = len(door.connections)
        super().setup()

    def handle(self):
        if not self.dead:
            try:
                super().handle()
            except (OSError, ssl.SSLError):
                pass

    def answer(self):
        door = self.server.door
        request = Request(self.command, self.path, self.headers, self.body(), self.number)
        with door.lock:
            door.requests.append(request)
            play = door.script.pop(0) if door.script else door.otherwise
        answer = play(request) if callable(play) else play
        time.sleep(answer.delay)
        if answer.hang_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if answer.body or name != "Content-Type":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if door.closing:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body[:answer.cut])
        if answer.cut is not None:
            self.close_connection = True

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args):
        pass


class Door:
    def __init__(self, certs, host, port):
        self.certs, self.lock = certs, threading.Lock()
        self.closing = False  # whether each answer is the last one of its connection
        self.play()
        self.server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.server.daemon_threads, self.server.door = True, self
        self.server.handle_error = lambda *args: None
        self.plain = self.server.socket
        self.port = self.server.server_address[1]
        self.show("door")
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def show(self, name):
        """Which certificate the next connections meet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # to see who cannot do better
        context.load_cert_chain(self.certs / f"{name}.pem", self.certs / f"{name}.key")
        context.load_verify_locations(self.certs / "ca.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        self.server.get_request = lambda: self.accept(context)

    def accept(self, context):
        raw, where = self.plain.accept()
        return context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False), where

    def play(self, *script, otherwise=None):
        """Forgets what it saw, and answers with these, one after the other; callables are asked for their answer."""
        with self.lock:
            self.script, self.connections, self.requests, self.refused = list(script), [], [], []
            self.otherwise = otherwise or problem(500, "internal_error", "台本にない要求です。", "This request is not in the script.", "later")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
