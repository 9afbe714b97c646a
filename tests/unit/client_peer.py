"""The partner of client_test: an HTTPS server that behaves as the path says. Arguments: folder with certificates, server
certificate, highest TLS version. Prints its port."""
import http.server
import json
import socket
import ssl
import struct
import sys
import time

hits = {"redirect": 0, "target": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.path.split("?")[0].strip("/").replace("/", "_")
        getattr(self, "on_" + name)(body)

    do_GET = do_POST = do_PUT = serve

    def on_echo(self, body):
        self.say(200, body)

    def on_about(self, body):
        text = "%s|%s|%s|%s|%s" % (self.command, self.headers.get("Content-Type"), self.headers.get("Authorization"), self.headers.get("Expect"),
                                   self.connection.getpeercert()["subject"][0][0][1])
        self.say(200, text.encode())

    def on_port(self, body):
        self.say(200, str(self.client_address[1]).encode())

    def on_s500(self, body):
        self.say(500, b"no")

    def on_slow(self, body):
        time.sleep(3)
        self.say(200, b"late")

    def on_drip(self, body):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(30):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def on_reset(self, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        socket.socket.close(self.connection)

    def on_hangup(self, body):
        self.close_connection = True

    def on_cut(self, body):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def on_big(self, body):
        self.say(200, b"x" * 5000)

    def on_endless(self, body):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(10000):
                self.wfile.write(b"x" * 10000)
        except OSError:
            pass
        self.close_connection = True

    def on_nothttp(self, body):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.close_connection = True

    def on_redirect(self, body):
        hits["redirect"] += 1
        self.say(302, b"", [("Location", "/target")])

    def on_target(self, body):
        hits["target"] += 1
        self.say(200, b"target")

    def on_hits(self, body):
        self.say(200, b"%d %d" % (hits["redirect"], hits["target"]))

    def on_gzip(self, body):
        self.say(200, b"\x1f\x8b not inflated", [("Content-Encoding", "gzip")])


    def on_pmh_ok(self, body):
        rows = [{"pmhKey": "key-" + row["myNumber"][-3:], "myNumber": row["myNumber"]} for row in json.loads(body)]
        self.say(200, json.dumps(rows[::-1]).encode())

    def on_pmh_one(self, body):
        self.say(200, json.dumps([{"pmhKey": "key", "myNumber": json.loads(body)[0]["myNumber"]}]).encode())

    def on_pmh_garbage(self, body):
        self.say(200, b"<html>busy</html>")

    def on_pmh_long(self, body):
        self.say(200, b"[" + b" " * 20000 + b"]")

    def on_pmh_429(self, body):
        self.say(429, b"[]")

    def on_pmh_400(self, body):
        self.say(400, b"[]")

    def on_pmh_401(self, body):
        self.say(401, b"[]")

    def on_pmh_408(self, body):
        self.say(408, b"[]")

    def on_pmh_422(self, body):
        self.say(422, b"[]")

    def on_pmh_404(self, body):
        self.say(404, b"[]")

    def on_pmh_201(self, body):
        self.say(201, b"[]")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


folder, cert, version = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/{cert}.pem", f"{folder}/{cert}.key")
context.load_verify_locations(f"{folder}/ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
context.maximum_version = getattr(ssl.TLSVersion, version)
server = Server(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
