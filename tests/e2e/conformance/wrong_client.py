"""A client that does wrong what clients do wrong: any certificate, no waiting, the same key again, half an answer, redirects, a token for each request, parts from the beginning."""

import http.client
import json
import ssl
import sys
import urllib.request

from right_client import ORDERS, Client, main


class Wrong(Client):
    def __init__(self, url, ca, cert, key):
        super().__init__(url, ca, cert, key)
        self.url = url
        self.context = ssl._create_unverified_context()
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(cert, key)

    def send(self, method, path, body=None, media="application/json", headers=None):
        request = urllib.request.Request(self.url + path, data=body.encode() if isinstance(body, str) else body, method=method, headers={"Content-Type": media, **(headers or {})})
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=2) as answer:
                return answer.status, answer.read()
        except http.client.IncompleteRead as e:
            return 200, e.partial
        except urllib.error.HTTPError as e:
            if e.code == 307:  # carries it anywhere
                self.send(method, e.headers["Location"], body, media)
            return e.code, e.read()

    def look_up(self, order):
        for _ in range(8):
            try:
                status, raw = self.send("POST", "/v1/clinic/eligibility?link_key=" + order["link_key"][-5:], json.dumps({"link_key": order["link_key"], "terminal": "7"}))
            except OSError:
                continue
            if status == 200:
                return {"result": "shown", "n": raw.count(b"certificationName"), "name": raw.decode("ascii", "ignore")[:20]}
        return {"result": "nothing"}

    in_session = look_up

    def register(self, order):
        self.send("POST", "/oauth2/token", json.dumps({"grant_type": "client_credentials"}))
        status, _ = self.send("POST", "/v1/medical-subsidy/registration-tasks", json.dumps({"rows": order["rows"]}), headers={"Authorization": "Bearer x"})
        return {"result": "done" if status < 500 else "failed"}

    def send_file(self, order):
        self.send("PUT", "/v1/files/0", order["content"][:100])
        return {"result": "done"}


ORDERS |= {"look_up": Wrong.look_up, "session": Wrong.look_up, "register": Wrong.register, "send_file": Wrong.send_file}
main(Wrong) if len(sys.argv) > 4 else None
