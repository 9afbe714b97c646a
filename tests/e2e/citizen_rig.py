"""A citizen at the portal door of front_rig.py, and readers of what it hears that share nothing with the gateway."""

import base64
import html.parser
import json
import os
import re
import secrets
import socket
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

import audit_tree
from front_rig import CLINIC, EVENT

ROUTES = {"list": "consents", "withdraw": "consents/withdraw", "end": "sessions/end", "log": "access-log", "statement": "access-log/statement"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
EVENTS = {"list": "CONSENTS_READ", "withdraw": "CONSENT_WITHDRAWN", "end": "SESSION_ENDED", "log": "ACCESS_LOG_READ", "statement": "STATEMENT_ISSUED"}
EXTRA = {"withdraw": {"all": True}, "end": {"all": True}}


class Citizen:
    def __init__(self, rig, records=None, portal="mynaportal"):
        self.rig, self.portal = rig, portal
        self.pmh_key, self.pseudonym = rig.person(records), "ps-" + secrets.token_hex(8)
        assert rig.link(self.pmh_key, self.pseudonym, portal).status == 204

    def __call__(self, what, **members):
        return self.rig.post("portal", f"/v1/portal/{ROUTES[what]}", {"pseudonym": self.pseudonym, **members}, f"portal-{self.portal}")

    def visit(self, clinic=CLINIC, **claims):
        """The session that a clinic opens."""
        answer = self.rig.look_up(self.rig.mint(self.pmh_key, aud=clinic, **claims), clinic)
        assert answer.status == 200
        return answer.json["session"]

    def log(self, **members):
        answer = self("log", **members)
        assert answer.status == 200, answer.raw
        return answer.json


def check(rig, doc):
    """Every entry of a page stands in the signed tree, and says what its leaf says."""
    size, root = audit_tree.checkpoint(doc["checkpoint"], rig.log_key)
    names = {number: name.lower() for name, number in EVENT.items()}
    for e in doc["entries"]:
        leaf = base64.b64decode(e["proof"]["leaf"], validate=True)
        path = [base64.b64decode(h, validate=True) for h in e["proof"]["path"]]
        assert audit_tree.included(audit_tree.leaf_hash(leaf), e["proof"]["index"], size, path, root)
        assert int.from_bytes(leaf[160:168], "big") == e["seq"] == e["proof"]["index"] + 1
        assert names[int.from_bytes(leaf[2:4], "big")] == e["event"] and TIME.fullmatch(e["at"])
    assert [e["seq"] for e in doc["entries"]] == sorted((e["seq"] for e in doc["entries"]), reverse=True)
    return doc["entries"]


class Ipc:
    """The intake's place at the audit daemon."""
    def __init__(self, rig):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(str(rig.dir / "run" / "audit.sock"))
        self.call(0, bytes([0]) + (rig.dir / "keys" / "cap-intake-audit").read_bytes())

    def call(self, kind, *bodies):
        self.s.sendall(b"".join(bytes([kind, 0]) + len(b).to_bytes(2, "big") + i.to_bytes(4, "big") + b for i, b in enumerate(bodies)))
        for _ in bodies:
            head = self.s.recv(8, socket.MSG_WAITALL)
            body = self.s.recv(int.from_bytes(head[2:4], "big"), socket.MSG_WAITALL)
            assert body[:2] == b"\0\0", body


def record(subject, event, actor=b"municipality/331007/kodomo"):
    body = bytearray(160)
    body[0], body[2:4] = 2, event.to_bytes(2, "big")
    body[8:16] = os.urandom(8)
    body[16:24] = int(time.time() * 1000).to_bytes(8, "big")
    body[28:34], body[40:56], body[56:56 + len(actor)] = b"331007", subject, actor
    return bytes(body)


def jws_open(rig, text):
    """The payload of an ES256 JWS whose certificate our CA has signed for documents."""
    head, payload, signature = [base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in text.split(".")]
    head = json.loads(head)
    assert set(head) == {"alg", "x5c"} and head["alg"] == "ES256"
    cert = x509.load_der_x509_certificate(base64.b64decode(head["x5c"][0], validate=True))
    ca = x509.load_pem_x509_certificate((rig.dir / "certs" / "ca.pem").read_bytes())
    ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(cert.signature_hash_algorithm))
    usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [u.dotted_string for u in usage] == ["1.3.6.1.5.5.7.3.36"]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    cert.public_key().verify(utils.encode_dss_signature(r, s), ".".join(text.split(".")[:2]).encode(), ec.ECDSA(hashes.SHA256()))
    return json.loads(payload)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attrs, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs

    def handle_data(self, data):
        self.text += data
