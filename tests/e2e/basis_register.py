"""Registers of legal bases for tests, and the shipped one as data: enough YAML for files that are written as these are."""

import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "legal-basis.yaml"
KODOMO = {"postRegistrationTasks", "postHistoryRegistrationTasks"}
YOBO = {"postVaccinationSubjectRegistrationTasks", "postVaccinationTicketRegistrationTasks"}
PROGRAM_OF_BASIS = {1: "kodomo", 2: "kenshin", 3: "yobo"}


def separated():
    """The shipped register, each program bound to the one system that is there for it."""
    text = SHIPPED.read_text()
    for basis, system in PROGRAM_OF_BASIS.items():
        text, n = re.subn(rf'(- id: {basis}\n(?:    .*\n)*?    callers: \[{{ role: municipality, systems: \[)"\*"', rf"\g<1>{system}", text)
        assert n == 1, basis
    return text


def without(text, *operations):
    """The same register without these operations."""
    for name in operations:
        text, n = re.subn(rf"^  - {{ name: {name},.*\n", "", text, flags=re.M)
        assert n == 1, name
        text = re.sub(rf"(?<=\[){name}, |, {name}(?=[,\]])", "", text)
        text = re.sub(rf"  - id: \d+\n(?:    .*\n)*?    operations: \[{name}\]\n(?:    .*\n)*", "", text)
    return text


def without_bases(text, *ids):
    for basis in ids:
        text, n = re.subn(rf"  - id: {basis}\n(?:    .*\n)*", "", text)
        assert n == 1, basis
    return text


def operations(text):
    return set(re.findall(r"^  - { name: (\w+), (?:program|purpose):", text, re.M)) - {"x"}


def allowed(text):
    """{(role, system or "*", operation)} that some basis names."""
    out = set()
    for row in re.findall(r"  - id: \d+\n(?:    .*\n)*", text):
        names = re.search(r"operations: \[(.*)\]", row).group(1).split(", ")
        for role, systems in re.findall(r"{ role: (\w+)(?:, systems: \[(.*?)\])? }", row):
            out |= {(role, s.strip('"'), n) for s in (systems or '"*"').split(", ") for n in names}
    return out


def routes(program):
    """[{door, method, path, operation, callers, token}] as a daemon prints them."""
    lines = subprocess.run([program, "--routes"], check=True, capture_output=True, text=True).stdout.splitlines()
    keys = ("door", "method", "path", "operation", "callers", "token")
    return [dict(zip(keys, line.split("\t"), strict=True)) for line in lines]


def problem(raw):
    return json.loads(raw).get("code")
