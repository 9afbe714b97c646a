"""Certificates for a kit of its own: an issuer, a door, doors that a client has to turn away from, and the client itself."""

import pathlib
import subprocess
import time

GOOD_DAYS = 20  # of the 30 that they are made for
URI = {"clinic": "pmhgw:clinic/3319900019", "municipal": "pmhgw:municipality/331007/kodomo"}


def openssl(*words, **more):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, **more)


def issuer(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", 30,
            "-subj", f"/CN=pmhgw conformance {name}", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def leaf(folder, name, by, names, usage):
    """names: a subjectAltName."""
    request, extra = folder / f"{name}.csr", folder / f"{name}.ext"
    extra.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", request, "-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key", "-CAcreateserial", "-days", 30, "-extfile", extra, "-out", folder / f"{name}.pem")
    request.unlink()
    extra.unlink()


def make(folder, who, host):
    """Once for a folder, a client and a host; again when they have become old."""
    folder, note = pathlib.Path(folder), pathlib.Path(folder) / "made-for"
    folder.mkdir(parents=True, exist_ok=True)
    if note.exists() and note.read_text() == f"{who} {host}" and time.time() - note.stat().st_mtime < GOOD_DAYS * 86400:
        return folder
    here = f"DNS:localhost,IP:127.0.0.1,IP:::1{'' if host in ('127.0.0.1', 'localhost') else f',IP:{host}' if host[0].isdigit() else f',DNS:{host}'}"
    issuer(folder, "ca")
    issuer(folder, "stranger")
    leaf(folder, "door", "ca", here, "serverAuth")
    leaf(folder, "door-of-a-stranger", "stranger", here, "serverAuth")
    leaf(folder, "door-of-another-name", "ca", "DNS:another.invalid", "serverAuth")
    leaf(folder, who, "ca", f"URI:{URI[who]}", "clientAuth")
    note.write_text(f"{who} {host}")
    return folder
