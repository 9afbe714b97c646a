"""A small constant load on the three doors: each line asks, waits for its answer, and asks again, on a connection that it keeps or on a new one each time.

What counts as failed: any answer but the expected one, and every connection that is refused, reset, closed without an answer, or silent for PATIENCE_S."""

import http.client
import json
import secrets
import subprocess
import threading
import time

from rig import CLINIC, CLINIC_A, MUNICIPAL, PORTAL, ROOT, fresh_number, row_for, wait_for

PATIENCE_S, JSON = 20, {"Content-Type": "application/json"}


class Person:
    """A resident who is registered, and what the doors know of it."""

    def __init__(self, rig, muni="331007"):
        self.rig, self.muni = rig, muni
        self.rows = [row_for(fresh_number(), "steady-" + secrets.token_hex(4))]
        assert rig.register(muni, self.rows)["counts"]["registered"] == 1
        self.card = rig.card_of(self.rows[0]["myNumber"])
        self.session = rig.clinic(rig.consent(self.card)).json()["session"]

    def requests(self):
        """(name, port, method, path, body, certificate, headers, expected status)"""
        token = {"Authorization": "Bearer " + self.rig.token(self.muni), **JSON}
        cert = f"muni-{self.muni}"
        return [
            ("session", CLINIC, "POST", "/v1/clinic/session", json.dumps({"session": self.session}), f"clinic-{CLINIC_A}", JSON, 200),
            ("nobody", PORTAL, "POST", "/v1/portal/eligibility", json.dumps({"pseudonym": "12345678"}), "portal-mynaportal", JSON, 404),
            ("tasks", MUNICIPAL, "GET", "/v1/tasks", None, cert, token, 200),
            ("register", MUNICIPAL, "POST", "/v1/medical-subsidy/registration-tasks", json.dumps(self.rows, ensure_ascii=False).encode(), cert, token, 202),
        ]


class Load:
    """with Load(rig, person) as load: ...   Then load.failed has a line for each failure."""

    def __init__(self, rig, person, pause_s=0.004):
        self.rig, self.pause_s, self.over = rig, pause_s, threading.Event()
        self.failed, self.answered, self.slowest, self.lock = [], {}, {}, threading.Lock()
        self.threads = [threading.Thread(target=self._line, args=(*request, kept)) for request in person.requests() for kept in (True, False)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        wait_for("every line was answered", 20, lambda: sum(self.answered.values()) > len(self.threads) and len(self.answered) == 4)
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def total(self):
        with self.lock:
            return sum(self.answered.values())

    def _note(self, name, seconds, fault):
        with self.lock:
            self.answered[name] = self.answered.get(name, 0) + 1
            self.slowest[name] = max(seconds, self.slowest.get(name, 0))
            if fault:
                self.failed.append(f"{name}: {fault} after {seconds:.2f} s")

    def _line(self, name, port, method, path, body, cert, headers, expected, kept):
        con, context = None, self.rig.context(cert)
        while not self.over.is_set():
            begun, fault = time.monotonic(), ""
            con = con or http.client.HTTPSConnection("127.0.0.1", self.rig.base + port, context=context, timeout=PATIENCE_S)
            try:
                con.request(method, path, body, headers)
                answer = con.getresponse()
                text = answer.read()
                last = not kept or answer.getheader("Connection", "").lower() == "close"
                if answer.status != expected:
                    fault = f"{answer.status} {json.loads(text).get('code') if text else ''}"
            except (OSError, http.client.HTTPException) as e:
                fault, last = repr(e), True
            if last:
                con.close()
                con = None
            self._note(name, time.monotonic() - begun, fault)
            time.sleep(self.pause_s)
        if con:
            con.close()


def other_door_certificate(rig):
    """Another certificate and key in the place of those of the doors; its serial number."""
    certs, name = rig.state / "certs", "doors-" + secrets.token_hex(4)
    subprocess.run([ROOT / "config" / "dev-ca", certs, name], check=True, capture_output=True)
    for end in ("key", "pem"):
        (certs / f"{name}.{end}").rename(certs / f"doors.{end}")
    return serial_of(certs / "doors.pem")


def serial_of(pem):
    out = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", pem], check=True, capture_output=True, text=True).stdout
    return int(out.strip().split("=")[1], 16)


def set_in(path, name, value):
    """One setting of a file, put there or replaced; None: taken away. The text that was there before."""
    before = path.read_text()
    lines = [line for line in before.splitlines() if not line.startswith(name + ":")]
    if value is not None:
        lines.append(f"{name}: {value}")
    path.write_text("\n".join(lines) + "\n")
    return before
