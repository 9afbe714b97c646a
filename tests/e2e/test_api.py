"""docs/api and docs/errors.md say what the programs do. Whether answers are as described: tests/figures/contract."""

import re
import subprocess
import urllib.parse

import pytest

from api_docs import API, DOORS, callers_of, documents, operations, redocly, routes
from rig import ROOT

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ERRORS = re.compile(r'^X\(\w+, *(\d+), *\w+, *\w+, *"(\w+)"', re.M)


@pytest.fixture(scope="module")
def described():
    return documents()


def test_the_description_passes_the_strict_rules_of_a_linter_of_others():
    said = redocly("lint", *DOORS, "--config", API / "redocly.yaml", "--format", "json", check=False)
    assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-2000:]
    assert '"errors": 0' in said.stdout and '"warnings": 0' in said.stdout, said.stdout[-500:]


@pytest.mark.parametrize("door", DOORS)
def test_every_route_is_described_and_every_description_is_a_route(described, door):
    there = {(method, path): (o["operationId"], *callers_of(o)) for method, path, o in operations(described[door])}
    assert there == routes()[door]


def test_summaries_are_japanese_and_descriptions_english(described):
    seen = 0
    for door in DOORS:
        for method, path, o in operations(described[door]):
            seen += 1
            assert JAPANESE.search(o["summary"]) and re.match("[A-Z`0-9]", o["description"]), (method, path)
    assert seen > 80


def test_codes_of_problems_are_those_of_the_table_with_their_status(described):
    status_of, seen = dict(reversed(row) for row in ERRORS.findall((ROOT / "gateway/base/errors.def").read_text())), set()
    for door in DOORS:
        for method, path, o in operations(described[door]):
            for status, answer in o["responses"].items():
                schema = answer.get("content", {}).get("application/problem+json", {}).get("schema", {})
                codes = [c for part in schema.get("allOf", []) for c in part.get("properties", {}).get("code", {}).get("enum", [])]
                seen |= set(codes)
                assert all(status in ("default", status_of[c]) for c in codes), (method, path, status, codes)
                assert codes or status[0] == "2" or path.startswith("/fhir/"), (method, path, status)
    assert len(seen) > 50


def test_the_catalogue_of_errors_is_what_the_tables_say():
    assert subprocess.run([ROOT / "config/error-catalogue", "--check"]).returncode == 0
    text = (ROOT / "docs/errors.md").read_text()
    slugs = [slug for _, slug in ERRORS.findall((ROOT / "gateway/base/errors.def").read_text())]
    assert len(slugs) >= 80 and [s for s in slugs if text.count(f'<a id="{s}"></a>') != 1] == []


@pytest.mark.parametrize("prefix", ("", "/console/api/"))
def test_the_pages_have_everything_and_need_nothing(described, tmp_path, prefix):
    subprocess.run(["node", ROOT / "gateway/pages/api-docs.mjs", ROOT / "docs", tmp_path, *filter(None, [prefix])], check=True)
    pages = {p.name: p.read_text() for p in tmp_path.glob("*.html")}
    ids = {name: set(re.findall(r'id="([^"]+)"', text)) for name, text in pages.items()}
    for door in DOORS:
        assert {o["operationId"] for _, _, o in operations(described[door])} <= ids[f"{door}.html"]
    for name, text in pages.items():
        assert not re.search(r"<script|<iframe|<img|style=|@import| on\w+=", text), name
        for to in set(re.findall(r'(?:href|src)="([^"]+)"', text)):
            where, _, anchor = to.removeprefix(prefix).partition("#")
            where = "index.html" if prefix and f"{to}/" == prefix else where or name
            assert urllib.parse.urlsplit(to).scheme in ("", "data") and (where.startswith("data:") or (tmp_path / where).is_file()), (name, to)
            assert not anchor or anchor in ids[where], (name, to)
