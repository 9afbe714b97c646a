"""The audit log's tree, proofs and signed notes, written again from RFC 6962 and C2SP tlog-tiles, tlog-checkpoint and signed-note: nothing here
shares a line with the gateway."""

import base64
import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORIGIN = "pmhgw.local/audit"
SEGMENT, HEAD, ENTRY, LEAF = 16384, 64, 208, 176


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- entries ----

def leaf_of(stored):
    """What of an entry is hashed: the person's handle is hidden with the sequence number."""
    person = stored[40:56]
    if any(person):
        person = sha(b"pmhgw person", stored[160:168], person)[:16]
    return stored[:40] + person + stored[56:176]


def entries(folder):
    """The 176 stored bytes of every entry, in order."""
    for path in sorted(folder.glob("audit-*.log")):
        data = path.read_bytes()
        for at in range(HEAD, len(data), ENTRY):
            if not any(data[at:at + ENTRY]):
                return
            yield data[at:at + LEAF]


def leaf_hash(leaf):
    return sha(b"\0", leaf)


# ---- the tree, level by level: levels[l][i] is complete ----

class Tree:
    def __init__(self, leaves):
        self.levels = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([sha(b"\1", below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def root(self, begin, end):
        n = end - begin
        if n == 0:
            return sha()
        if n & (n - 1) == 0 and begin % n == 0:
            return self.levels[n.bit_length() - 1][begin // n]
        k = 1 << (n - 1).bit_length() - 1
        return sha(b"\1", self.root(begin, begin + k), self.root(begin + k, end))

    def path(self, m, begin, end):
        if end - begin == 1:
            return []
        k = 1 << (end - begin - 1).bit_length() - 1
        if m < begin + k:
            return self.path(m, begin, begin + k) + [self.root(begin + k, end)]
        return self.path(m, begin + k, end) + [self.root(begin, begin + k)]

    def tiles(self, size):
        """{path under tiles/: content} as tlog-tiles says for a tree of that size."""
        found = {}
        for level in range(8):
            hashes = self.levels[8 * level][:size >> 8 * level] if 8 * level < len(self.levels) else []
            for n in range(0, (len(hashes) + 255) // 256):
                part = hashes[256 * n:256 * n + 256]
                digits = f"{n:03d}" if n < 1000 else f"{n:0{(len(str(n)) + 2) // 3 * 3}d}"
                groups = [digits[i:i + 3] for i in range(0, len(digits), 3)]
                name = "/".join([f"x{g}" for g in groups[:-1]] + groups[-1:])
                found[f"{level}/{name}" + ("" if len(part) == 256 else f".p/{len(part)}")] = b"".join(part)
        return found


def included(leaf, index, size, path, root):
    """RFC 6962 §2.1.1 walked from the root down: which side each step of the path is on."""
    sides, begin, end = [], 0, size
    if not 0 <= index < size:
        return False
    while end - begin > 1:
        k = 1 << (end - begin - 1).bit_length() - 1
        sides.append(index < begin + k)
        begin, end = (begin, begin + k) if sides[-1] else (begin + k, end)
    if len(sides) != len(path):
        return False
    h = leaf
    for left, other in zip(reversed(sides), path):
        h = sha(b"\1", h, other) if left else sha(b"\1", other, h)
    return h == root


# ---- signed notes ----

def key_id(name, public):
    return sha(name.encode(), b"\n\x01", public)[:4]


def verifier_key(seed, name=ORIGIN):
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(b'%c' % 1 + public).decode()}\n"


def sign_checkpoint(seed, size, root, name=ORIGIN):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"
    return f"{text}\n\u2014 {name} {base64.b64encode(key_id(name, public) + private.sign(text.encode())).decode()}\n"


def checkpoint(note, vkey):
    """(size, root) of a signed checkpoint; an exception when it is not one."""
    name, number, packed = vkey.strip().split("+", 2)
    kind_and_key = base64.b64decode(packed, validate=True)
    assert kind_and_key[:1] == b"\1" and key_id(name, kind_and_key[1:]).hex() == number
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        dash, who, packed = line.split(" ")
        signature = base64.b64decode(packed, validate=True)
        if (dash, who, signature[:4].hex()) == ("\u2014", name, number):
            Ed25519PublicKey.from_public_bytes(kind_and_key[1:]).verify(signature[4:], text.encode())
            origin, size, root = text.splitlines()[:3]
            assert origin == name
            return int(size), base64.b64decode(root, validate=True)
    raise InvalidSignature


def proved(document, vkey):
    """The leaf of a proof that holds."""
    doc = json.loads(document)
    size, root = checkpoint(doc["checkpoint"], vkey)
    proof = doc["proof"]
    leaf = base64.b64decode(proof["leaf"], validate=True)
    path = [base64.b64decode(h, validate=True) for h in proof["path"]]
    assert included(leaf_hash(leaf), proof["index"], size, path, root)
    return leaf
