"""Files laid into the spool and the queue as the municipal door does it, so that the engine is tested without the door; CSV to go with it."""

import csv
import io
import json
import os
import secrets
import socket
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from intake_rig import Rig, wait_for

NAMES = {
    "type_id": "証明書種別ID", "number": "個人番号", "name": "氏名", "kana": "氏名カナ", "address": "住所", "born": "生年月日", "sex": "性別",
    "hidden": "不開示", "payer": "公費負担者番号", "cert": "証明書名", "recipient": "受給者番号", "rk": "宛名番号",
}
USUAL = {"type_id": "kodomo01", "name": "愛知花子", "kana": "アイチハナコ", "address": "愛知県B市B町1-1-1", "born": "2013-01-01", "sex": "女", "hidden": "無",
         "payer": "87654321", "cert": "子ども医療費受給者証", "recipient": "0000002", "rk": ""}


def csv_of(rows):
    """rows: dicts of NAMES' keys; what is left out is usual."""
    out = io.StringIO()
    w = csv.writer(out, lineterminator="\r\n")
    w.writerow(NAMES.values())
    for row in rows:
        w.writerow([{**USUAL, **row}[k] for k in NAMES])
    return out.getvalue().encode()


def vault_call(rig, kind, body):
    cap = (rig.dir / "keys" / "cap-intake-vault").read_bytes()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(rig.dir / "run" / "vault.sock"))
        s.sendall(struct.pack(">BBHI", 0, 0, 33, 0) + b"\0" + cap + struct.pack(">BBHI", kind, 0, len(body), 7) + body)
        data, reply = b"", None
        while reply is None:
            data += s.recv(65536) or hung_up()
            while len(data) >= 8 and len(data) >= 8 + struct.unpack(">H", data[2:4])[0]:
                n = 8 + struct.unpack(">H", data[2:4])[0]
                reply, data = data[8:n] if data[0] == kind else None, data[n:]
    code, rest = struct.unpack(">H", reply[:2])[0], reply[2:]
    assert code == 0, code
    return rest


def hung_up():
    raise AssertionError("the vault hung up")


def frames(key, task, name, plain, size=65536):
    out = b"PMHGWFR1"
    for i, at in enumerate(range(0, len(plain), size)):
        part, nonce = plain[at:at + size], secrets.token_bytes(12)
        ad = task + name.encode() + b"\0" + struct.pack(">Q", i)
        out += struct.pack(">HH", len(part) - 1, (len(part) - 1) ^ 0xFFFF) + b"\x01" + nonce + AESGCM(key).encrypt(nonce, part, ad)
    return out


class BulkRig(Rig):
    """put() lays a file down (spoil: what becomes of its folder then); done() waits for its end and returns (fields of t:, results)."""

    def put(self, data, muni="331007", operation="postRegistrationTasks", source="csv", mode="apply", layout="child-medical-subsidy", of=None, sha256=None,
            announced=None, upload=True, spoil=None, accepted=None):
        task = secrets.token_bytes(16)
        rest = vault_call(self, 6, muni.encode() + task)
        key, wrapped = rest[:32], rest[32:]
        now = int(time.time() * 1000)
        fields = {"op": operation, "sys": "kodomo", "ms": now, "rows": 0, "src": source, "st": "uploading", "mode": mode, "layout": layout, "enc": "auto",
                  "acc_ms": accepted or now}
        if of:
            fields["of"] = of
        self.redis("redis-link", "HSET", f"t:{muni}:{task.hex()}", *[x for kv in fields.items() for x in kv])
        folder = self.dir / "spool" / f"{muni}-{task.hex()}"
        folder.mkdir(mode=0o700)
        meta = struct.pack(">QB", len(data) if announced is None else announced, sha256 is not None) + (sha256 or bytes(32)) + b"\0" + bytes(120)
        nonce = secrets.token_bytes(12)
        files = {"key": wrapped, "meta": b"\x01" + nonce + AESGCM(key).encrypt(nonce, meta, task + b"meta")}
        if upload:
            files["upload"] = frames(key, task, "upload", data)
        for name, content in files.items():
            (folder / name).write_bytes(content)
            os.chmod(folder / name, 0o600)
        if spoil:
            spoil(folder)
        self.redis("redis-link", "HSET", f"t:{muni}:{task.hex()}", "st", "accepted")
        self.redis("redis-link", "ZADD", f"tl:{muni}", now, task.hex())
        self.redis("redis-link", "ZADD", "fq", now, f"{muni}:{task.hex()}:1")
        self.keys = getattr(self, "keys", {})
        self.keys[task.hex()] = key
        return task.hex()

    def fields(self, task, muni="331007"):
        flat = self.redis("redis-link", "HGETALL", f"t:{muni}:{task}")
        return dict(zip(flat[::2], flat[1::2]))

    def done(self, task, muni="331007", seconds=30):
        wait_for(lambda: self.fields(task, muni).get("st") in ("ended", "rejected"), seconds, f"file {task}")
        return self.fields(task, muni), self.results(task, muni)

    def plain(self, task, part, muni="331007"):
        path = self.dir / "spool" / f"{muni}-{task}" / part
        if not path.exists():
            return b""
        data, at, i, out = path.read_bytes(), 8, 0, b""
        while at + 4 <= len(data):
            n = struct.unpack(">H", data[at:at + 2])[0] + 1
            sealed = data[at + 4:at + 4 + n + 29]
            if len(sealed) < n + 29:
                break
            out += AESGCM(self.keys[task]).decrypt(sealed[1:13], sealed[13:], bytes.fromhex(task) + part.encode() + b"\0" + struct.pack(">Q", i))
            at, i = at + 4 + n + 29, i + 1
        return out

    def results(self, task, muni="331007"):
        """[(row, result, code, with_row, resident_key, changed, unread)] as they are stored."""
        data, out = self.plain(task, "results", muni), []
        while data:
            n = struct.unpack(">H", data[:2])[0]
            body, data = data[2:2 + n], data[2 + n:]
            row, line, column = struct.unpack(">IQI", body[:16])
            body = body[16:]
            texts = []
            for _ in range(2):
                k = struct.unpack(">H", body[:2])[0]
                texts.append(body[2:2 + k].decode())
                body = body[2 + k:]
            unread, count, body = [], body[0], body[1:]
            for _ in range(count):
                pair = []
                for _ in range(2):
                    k = struct.unpack(">H", body[:2])[0]
                    pair.append(body[2:2 + k].decode())
                    body = body[2 + k:]
                unread.append((*pair, *struct.unpack(">QI", body[:12])))
                body = body[12:]
            _, result, code, with_row = struct.unpack(">BBBI", body[:7])
            faults, body = body[7], body[9:]
            for _ in range(faults):
                k = body[0]
                field, body = body[1:1 + k].decode(), body[1 + k:]
                k = body[0]
                unread.append((field, body[1:1 + k].decode()))
                body = body[1 + k:]
            out.append(Result(row, line, column, *texts, unread, RESULTS[result], CODES.get(code, code), with_row))
        return out


class Result:
    def __init__(self, row, line, column, resident_key, changed, unread, result, code, with_row):
        self.row, self.line, self.column, self.resident_key, self.changed = row, line, column, resident_key, changed
        self.unread, self.result, self.code, self.with_row = unread, result, code, with_row

    def __repr__(self):
        return json.dumps(self.__dict__, ensure_ascii=False)


RESULTS = ["waiting", "registered", "updated", "unchanged", "refused", "quarantined"]
CODES = {0: "", 1: "field_invalid", 2: "same_row_twice", 4: "resident_key_two_numbers", 5: "number_two_residents", 6: "person_mismatch",
         7: "upstream_answer_refused", 8: "municipality_closed", 11: "stored_value_unreadable", 12: "row_unreadable", 13: "replaced_earlier_row", 14: "nothing_to_remove",
         17: "changed_since", 19: "did_not_fail", 28: "resident_was_changed", 29: "row_lost", 32: "resident_erased_since"}
