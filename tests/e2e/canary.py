"""The search for canaries: `pmhgw leaks` over everything downstream, and a check of that search with forms written here."""

import base64
import hashlib
import json
import os
import subprocess
import urllib.parse

import rig


def forms(number, muni="331007"):
    """An individual number as it could have been written down, independently of keys/ctl/patterns.c."""
    a = number.encode()
    full = "".join(chr(0xFF10 + int(c)) for c in number)
    out = {
        "ascii": a, "reversed": a[::-1], "utf-16le": number.encode("utf-16-le"), "utf-16be": number.encode("utf-16-be"),
        "full-width": full.encode(), "full-width utf-16": full.encode("utf-16-le"), "full-width cp932": full.encode("cp932"),
        "blanks": b" ".join(a[i:i + 4] for i in (0, 4, 8)), "hyphens": b"-".join(a[i:i + 4] for i in (0, 4, 8)),
        "hex": a.hex().encode(), "bcd": bytes.fromhex(number), "le64": int(number).to_bytes(8, "little"),
        "be64": int(number).to_bytes(8, "big"), "percent": "".join(f"%{c:02X}" for c in a).encode(),
        "json escape": "".join(f"\\u{c:04x}" for c in a).encode(), "in a URL": ("n=" + urllib.parse.quote(number)).encode(),
        "in JSON": json.dumps({"n": number}).encode(), "as a JSON number": json.dumps({"n": int(number)}).encode() if number[0] != "0" else a,
    }
    for before in (b"", b"x", b"xy", b"xyz"):
        out[f"base64 after {len(before)}"] = base64.b64encode(before + a + b"tail")
        out[f"base64url after {len(before)}"] = base64.urlsafe_b64encode(before + a + b"tail")
    for name in ("md5", "sha1", "sha256"):
        h = hashlib.new(name, a)
        out.update({f"{name} raw": h.digest(), f"{name} hex": h.hexdigest().encode(), f"{name} HEX": h.hexdigest().upper().encode(),
                    f"{name} base64": base64.b64encode(h.digest())})
    h = hashlib.sha256(muni.encode() + a)
    out.update({"sha256 with municipality": h.digest(), "sha256 with municipality, hex": h.hexdigest().encode()})
    return out


def search(numbers_file, paths, pids=()):
    argv = [rig.BIN / "pmhgw", "leaks", "--json", "--numbers", str(numbers_file)]
    for pid in pids:
        argv += ["--pid", str(pid)]
    r = subprocess.run([*argv, *map(str, paths)], capture_output=True, text=True, timeout=120)
    assert r.stdout, f"pmhgw leaks ended with {r.returncode}: {r.stderr}"
    return json.loads(r.stdout)


TRIES = 3
PARTNERS = ("clinic-app", "portal", "id5", "vaccination-db", "claims")


def contents(folder):
    """Every file of a folder that a running daemon writes, with its bytes. What it replaces between the look into the folder and the reading is passed over:
    part-filled tiles of the audit log."""
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield path, path.read_bytes()
        except FileNotFoundError:
            pass


def told(r):
    """What partners were told that never see the number, as they keep it; none when the nation is not there."""
    path = r.dir / "partners"
    try:
        path.write_bytes(b"\n".join(r.call(rig.CONTROL, "GET", f"/kept/{name}", cert="operator-local").body for name in PARTNERS))
    except OSError:
        path.unlink(missing_ok=True)
    return [path]


def artefacts(r):
    """Everything of a rig where no number may be. Data files, the journal of the nation and certs are not downstream."""
    places = [r.state / d for d in ("log", "audit", "redis-link", "redis-vault", "spool", "conf", "run")]
    places += [p for p in (r.captured, r.dir / "wire.pcap", r.dir / "up.log") if p.exists()]
    places += told(r)
    places += [p for p in r.state.rglob("core*") if p.is_file()] + [p for p in r.state.rglob("*.tmp") if p.is_file()]
    return [p for p in places if p.exists()]


def pids(r):
    """Front, courier and audit; their memory is not readable for an ordinary user (they are not dumpable)."""
    return [p for p in (r.pid("pmhgw-front"), r.pid("pmhgw-courier"), r.pid("pmhgw-audit")) if p] if os.geteuid() == 0 else []


def control(r):
    """Forms of a fresh number in a copy of each kind of artefact: each form must be found in each. Returns the number of both."""
    number = rig.fresh_number()
    scratch = r.dir / "control"
    scratch.mkdir(exist_ok=True)
    (scratch / "numbers").write_text(number + "\n")
    all_forms = forms(number)
    missing = []
    for kind in ("answer", "log.jsonl", "appendonly.aof", "audit.log", "wire.pcap"):
        for name, form in all_forms.items():
            f = scratch / kind
            # Deep in a block of other bytes, so that block borders and line forms are met too.
            f.write_bytes(os.urandom(5000) + form + os.urandom(300))
            if search(scratch / "numbers", [f])["hits"] == 0:
                missing.append(f"{name} in {kind}")
            f.unlink()
            if kind != "answer":
                break  # the reader of files is one and the same: one form shows that it is used
    return len(all_forms), missing


def leaks(r, with_control=False):
    """Searches everything of a running rig; the report. Fails on a hit, and when the search itself did not work."""
    numbers = r.dir / "canaries"
    assert r.canaries, "a run without canaries proves nothing"
    numbers.write_text("".join(n + "\n" for n in sorted(r.canaries)))
    for _ in range(TRIES):  # a file that a daemon takes away between the look into its folder and the reading makes the search incomplete
        report = search(numbers, artefacts(r), pids(r))
        if report["complete"] or report["hits"]:
            break
    assert report["control_in_file"] == report["kinds"] and report["control_in_memory"] == report["kinds"], "the control was not found"
    found = [f"{f['place']} @{f['at']}: {f['kind']}" for f in report["found"]]
    assert report["hits"] == 0, f"individual numbers downstream: {found}"
    assert report["complete"], [p["name"] for p in report["places"] if p["skipped"]]
    if with_control:
        n, missing = control(r)
        assert not missing, f"forms that the search does not find: {missing}"
        report["forms"] = n
    return report
