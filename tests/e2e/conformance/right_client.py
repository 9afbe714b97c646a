"""A client that does everything right, with the adapter of docs/api/conformance.md: for the test of the kit, and as an example.

    right_client.py URL CA CERT KEY"""

import http.client
import json
import random
import ssl
import sys
import time
import urllib.parse

PART, PATIENCE_S, TRIES = 4 << 20, 10, 3
LATER = (429, 503)


class Client:
    def __init__(self, url, ca, cert, key):
        self.at = urllib.parse.urlsplit(url)
        self.context = ssl.create_default_context(cafile=ca)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(cert, key)
        self.con = self.token = self.session = None

    # ---- one request, and one that is tried again ----

    def once(self, method, path, body, headers):
        if self.con is None:
            self.con = http.client.HTTPSConnection(self.at.hostname, self.at.port, context=self.context, timeout=PATIENCE_S)
        try:
            self.con.request(method, path, body, headers)
            answer = self.con.getresponse()
            return answer, answer.read()
        except (OSError, ssl.SSLError, http.client.HTTPException):
            self.con.close()
            self.con = None
            raise

    def ask(self, method, path, body=None, media="application/json", repeat=False, **headers):
        """(status, document). repeat: also when nobody knows whether it was carried out."""
        if body is not None:
            headers["Content-Type"] = media
        for left in reversed(range(TRIES)):
            try:
                answer, raw = self.once(method, path, body, headers)
            except (OSError, ssl.SSLError, http.client.HTTPException) as e:
                if not repeat or not left or isinstance(e, ssl.SSLCertVerificationError):
                    raise
                continue
            if answer.status in LATER and left:
                time.sleep(int(answer.headers.get("Retry-After") or 1) + random.uniform(0.05, 0.6))
                continue
            if raw and not (answer.headers.get("Content-Type") or "").split(";")[0].endswith("json"):
                raise ValueError("no JSON")
            return answer.status, json.loads(raw) if raw else {}
        raise ValueError("never")

    # ---- clinic ----

    def shown(self, status, doc):
        if status == 200:
            self.session = doc["session"]
            found = doc["eligibility"]
            return {"result": "shown", "n": len(found), "name": found[0].get("certificationName", "") if found else ""}
        return {"result": {"nothing": "nothing", "used": "used", "no_session": "no_session"}.get(doc.get("code")) or ("later" if status in LATER or status >= 500 else "failed")}

    def look_up(self, order):
        return self.shown(*self.ask("POST", "/v1/clinic/eligibility", json.dumps({"link_key": order["link_key"]})))

    def in_session(self, order):
        return self.shown(*self.ask("POST", "/v1/clinic/session", (json.dumps({"session": self.session}).encode(),)))  # chunked: a gateway takes that, too

    # ---- municipality ----

    def with_token(self, method, path, body=None, media="application/json", **more):
        for _ in range(2):
            if not self.token:
                status, doc = self.ask("POST", "/oauth2/token", "grant_type=client_credentials", "application/x-www-form-urlencoded", repeat=True)
                if status != 200:
                    return status, doc
                self.token = doc["access_token"]
            status, doc = self.ask(method, path, body, media, Authorization=f"Bearer {self.token}", **more)
            if doc.get("code") != "invalid_token":
                break
            self.token = None
        return status, doc

    def follow(self, task):
        while True:
            status, doc = self.with_token("GET", f"/v1/tasks/{task}", repeat=True)
            if status != 200:
                return {"result": "failed"}
            if doc["state"] in ("done", "done_with_errors", "rejected"):
                return {"result": doc["state"], "refused": sum(r["result"] == "refused" for r in doc.get("rows", []))}
            time.sleep(0.3)

    def register(self, order):
        status, doc = self.with_token("POST", "/v1/medical-subsidy/registration-tasks", json.dumps(order["rows"], ensure_ascii=False).encode(), repeat=True)
        return self.follow(doc["task_id"]) if status == 202 else {"result": "later" if status in LATER else "failed"}

    def send_file(self, order):
        content = order["content"].encode()
        status, doc = self.with_token("POST", "/v1/files", json.dumps({"operation": order["operation"], "bytes": len(content)}))
        if status != 201:
            return {"result": "failed"}
        where, at = f"/v1/files/{doc['file_id']}", 0
        while status != 202:
            part = content[at:at + PART]
            try:
                status, doc = self.with_token("PUT", where, part, "application/octet-stream", **{"Content-Range": f"bytes {at}-{at + len(part) - 1}/{len(content)}"})
            except (OSError, http.client.HTTPException):
                status, doc = self.with_token("GET", where, repeat=True)
            if status not in (200, 202) and doc.get("code") != "wrong_offset":
                return {"result": "failed"}
            at = doc.get("received", at)
        said = self.follow(doc["task_id"])
        return {**said, "rows": len(self.results(doc["task_id"]))} if said["result"] == "done_with_errors" else said

    def results(self, task):
        rows, cursor = [], ""
        while True:
            _, page = self.with_token("GET", f"/v1/tasks/{task}/results?only=failed{cursor}", repeat=True)
            rows += page["rows"]
            if "next" not in page:
                return rows
            cursor = f"&cursor={page['next']}"


ORDERS = {"look_up": Client.look_up, "session": Client.in_session, "register": Client.register, "send_file": Client.send_file}


def main(make=Client):
    client = make(*sys.argv[1:5])
    for line in sys.stdin:
        order = json.loads(line)
        try:
            said = ORDERS[order["do"]](client, order)
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            said = {"result": "failed"}
        print(json.dumps(said, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
