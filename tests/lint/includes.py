#!/usr/bin/env python3
"""Includes go downward only (the table in docs/architecture.md); the number zone is named by itself only."""

import re

import tree

LAYER = {
    "gateway/base": 0,
    "gateway/loop": 1, "gateway/crypto": 1, "gateway/conf": 1, "gateway/box": 1, "gateway/metrics": 0.5,
    "gateway/ipc": 2, "gateway/redis": 2, "gateway/check": 2, "gateway/http": 2, "gateway/tls": 2,
    "gateway/audit": 3, "gateway/jose": 3, "gateway/serve": 3, "gateway/store": 3, "gateway/signer": 3, "connectors/core": 3,
    "gateway/cert": 3.5, "gateway/notice": 3.5, "gateway/pages": 3.5,
    "gateway/basis": 4, "gateway/consent": 4, "gateway/epoch": 4, "gateway/vaccine": 4, "gateway/questionnaire": 4,
    "connectors/open": 4.5,
    "gateway/lookup": 5, "gateway/fhir": 5,
    "gateway/clinic": 6, "gateway/portal": 6, "gateway/courier": 6,
    "gateway/front": 7, "gateway/relay": 4,
}
ZONE = ("keys/", "connectors/number/")
# The vault parses nothing: these folders are closed to it.
CLOSED_TO_VAULT = {"gateway/check", "gateway/http", "gateway/tls", "gateway/jose", "gateway/serve", "connectors/core",
                   "connectors/number", "keys/intake", "keys/ctl", "keys/linkage", "keys/registration", "keys/spool"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def folder(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in ("gateway", "keys", "connectors") else parts[0]


def in_zone(path):
    return path.startswith(ZONE)


def fault(source, target):
    """Why source may not include target; None when it may."""
    a, b = folder(source), folder(target)
    if not (tree.ROOT / target).is_file():
        return "includes are written from the top of the tree"
    if a == "tests":
        return None
    if b == "tests" or (b == "mocks" and a != "mocks"):
        return f"{a} may not include {b}"
    if a == "keys/vault" and b in CLOSED_TO_VAULT:
        return "the vault parses nothing"
    if in_zone(target):
        return None if in_zone(source) else "common code may not name the number zone"
    if a == b:
        return None
    if b not in LAYER:
        return f"{b} has no layer"
    if in_zone(source) or a == "mocks":
        return f"{a} may use layers up to 4" if LAYER[b] > 4 else None
    if a not in LAYER:
        return f"{a} has no layer"
    return None if LAYER[b] < LAYER[a] else f"layer {LAYER[a]} includes layer {LAYER[b]}"


def main():
    findings, looked = [], 0
    for name in tree.files(".c", ".h", ".def"):
        for target in INCLUDE.findall(tree.text(name)):
            looked += 1
            why = fault(str(name), target)
            if why:
                findings.append(f"{name}: {target}: {why}")
    # The rules themselves: each must refuse what it is for.
    assert fault("gateway/front/front.c", "keys/number/mynum.h")
    assert fault("connectors/open/clinic.c", "keys/number/mynum.h") and fault("connectors/open/clinic.c", "connectors/number/vrs.h")
    assert fault("gateway/base/buf.c", "gateway/loop/loop.h")
    tree.finish("includes go downward", findings, looked)


main()
