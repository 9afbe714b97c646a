"""The description of the API (docs/api) as programs read it: whole, without references; and what the gateway's own tables say beside it."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from rig import BIN, ROOT

API, NPM = ROOT / "docs/api", ROOT / "tests/npm"
DOORS = ("municipal", "clinic", "portal")
PAGES = re.compile(r"^/console(/|$)")  # files for browsers, no API
METHODS = ("get", "put", "post", "delete")


def redocly(*words, check=True):
    return subprocess.run(["node_modules/.bin/redocly", *map(str, words)], cwd=NPM, capture_output=True, text=True, check=check,
                          env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"})


def bundle(to):
    """door -> document, every reference followed; files <door>.json in the folder."""
    redocly("bundle", *DOORS, "--config", API / "redocly.yaml", "--ext", "json", "--dereferenced", "-o", to)
    return {door: json.loads((pathlib.Path(to) / f"{door}.json").read_text()) for door in DOORS}


def documents():
    with tempfile.TemporaryDirectory() as to:
        return bundle(to)


def operations(document):
    """(method, path, operation, parameters of the path) of a document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def routes():
    """{door: {(method, path): (operation, callers, token)}} as the programs tell them."""
    found = {door: {} for door in DOORS}
    for program in ("pmhgw-front", "pmhgw-intake"):
        for line in subprocess.run([BIN / program, "--routes"], check=True, capture_output=True, text=True).stdout.splitlines():
            door, method, path, operation, callers, token = line.split("\t")
            if not PAGES.match(path):
                found[door][method, path] = operation, set() if callers in ("-", "anyone") else set(callers.split(",")), token == "token"
    return found


def callers_of(operation):
    """Roles and whether a token is asked for, by the security of an operation."""
    roles, token = set(), False
    for way in operation["security"]:
        roles |= set(way) - {"token", "staff"}
        token = token or "token" in way
    return roles, token
