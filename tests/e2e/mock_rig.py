"""The mock nation without a gateway: its process, and a portal door of the gateway that is played here."""

import base64
import http.client
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading

from jwcrypto import jwe, jwk
from rig import BIN, CLINIC_A, CONTROL, MOCK_PORTAL, ONSHI, PMH, ROOT, free_base, wait_for

ELIGIBILITY = {"eligibility": [{"certificationName": "子ども医療費受給資格証"}]}


class PortalDoor:
    """Plays the gateway's portal door: records every post, answers as told."""

    def __init__(self, certs):
        self.posts, self.asked, self.orders, self.refuse, self.lock = [], [], [], False, threading.Lock()
        self.jwks = b'{"keys":[]}'  # public keys of webhooks
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200 if self.path == "/.well-known/webhooks/jwks.json" else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(door.jwks)))
                self.end_headers()
                self.wfile.write(door.jwks)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                uris = [v for k, v in self.connection.getpeercert().get("subjectAltName", ()) if k == "URI"]
                status, answer = door.answer(self.path, body, uris)
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certs / "doors.pem", certs / "doors.key")
        context.load_verify_locations(certs / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, path, body, uris):
        with self.lock:
            assert uris == ["pmhgw:portal/mynaportal"], uris
            if path == "/v1/portal/pseudonyms" and set(body) == {"pmh_key", "pseudonym"}:
                if self.refuse:
                    return 503, b"{}"
                self.posts.append((body["pmh_key"], body["pseudonym"]))
                return 204, b""
            if path == "/v1/portal/eligibility" and set(body) == {"pseudonym"}:
                self.asked.append(body["pseudonym"])
                known = any(p == body["pseudonym"] for _, p in self.posts)
                return (200, json.dumps(ELIGIBILITY).encode()) if known else (404, b'{"code":"nothing"}')
            if path.startswith("/v1/portal/") and any(p == body.get("pseudonym") for _, p in self.posts):
                self.orders.append((path, {k: v for k, v in body.items() if k != "pseudonym"}))
                return 200, b'{"done":true}'
            return 400, b"{}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Nation:
    def __init__(self, directory):
        self.dir, self.certs, self.base = directory, directory / "certs", free_base()
        subprocess.run([ROOT / "config/dev-ca", self.certs, "--all"], check=True, timeout=60)
        self.key = os.urandom(32)
        (directory / "link.key").write_bytes(self.key)
        (directory / "link.key").chmod(0o600)
        subprocess.run([BIN / "pmhgw-synth", "--muni", "222127", "--count", "30", "--seed", "5", "--out", directory / "data"],
                       check=True, capture_output=True, timeout=60)
        lines = (directory / "data/222127.cards.jsonl").read_text().splitlines()
        self.cards = [json.loads(line) for line in lines]
        self.portal = PortalDoor(self.certs)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [BIN / "pmhgw-mocks", "--state", self.dir / "state", "--certs", self.certs, "--base-port", str(self.base), "--portal-door",
             self.portal.url, "--link-key", self.dir / "link.key", "--data", self.dir / "data", "--desk"], stderr=open(self.dir / "log", "ab"))

        def answers():
            assert self.process.poll() is None, self.log()[-1000:]
            try:
                return self.call(CONTROL, "GET", "/health")[0] == 200
            except OSError:
                return False
        wait_for("the nation answers", 20, answers)

    def log(self):
        return (self.dir / "log").read_text()

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(15)

    def close(self):
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        self.portal.close()

    def connect(self, port, cert=None, timeout=20):
        context = ssl.create_default_context(cafile=self.certs / "ca.pem")
        if cert:
            context.load_cert_chain(self.certs / f"{cert}.pem", self.certs / f"{cert}.key")
        return http.client.HTTPSConnection("127.0.0.1", self.base + port, context=context, timeout=timeout)

    def raw(self, port, method, path, body=None, cert=None):
        conn = self.connect(port, cert)
        try:
            text = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            conn.request(method, path, body=text, headers={"Content-Type": "application/json"} if text is not None else {})
            r = conn.getresponse()
            return r.status, r.read()
        finally:
            conn.close()

    def call(self, *words, **more):
        status, body = self.raw(*words, **more)
        return status, json.loads(body)

    def number(self, *numbers, cert="gateway-intake"):
        return self.call(PMH, "POST", "/pmh/v1/numbering", [{"myNumber": n} for n in numbers], cert=cert)

    def key_of(self, number):
        status, rows = self.number(number)
        assert status == 200 and [r["myNumber"] for r in rows] == [number]
        return rows[0]["pmhKey"]

    def consent(self, card, clinic=CLINIC_A):
        return self.call(ONSHI, "POST", "/onshi/v1/consents", {"card_serial": card, "items": ["eligibility"]}, cert=f"clinic-{clinic}")

    def login(self, card):
        return self.call(MOCK_PORTAL, "POST", "/portal/v1/eligibility", {"card_serial": card})

    def card(self, number):
        return self.call(CONTROL, "POST", "/cards", {"my_number": number})[1]["card_serial"]

    def fault(self, system, **members):
        status, _ = self.call(CONTROL, "PUT", f"/faults/{system}", members)
        assert status == 200

    def system(self, name):
        return self.call(CONTROL, "GET", "/state")[1]["systems"][name]

    def order(self, value):
        assert self.call(CONTROL, "PUT", "/settings", {"pseudonym_order": value})[0] == 200

    def wait_forgotten(self):
        wait_for("the portal has forgotten every PMH key", 20, lambda: self.system("portal")["pmh_keys_held"] == 0)

    def open_link_key(self, token):
        key = jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(self.key).decode().rstrip("="))
        box = jwe.JWE(algs=["dir", "A256GCM"])
        box.deserialize(token, key)
        assert json.loads(box.objects["protected"]) == {"alg": "dir", "enc": "A256GCM", "kid": "k1"}
        return json.loads(box.payload)
