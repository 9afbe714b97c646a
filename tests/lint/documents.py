#!/usr/bin/env python3
"""What documents name is there: files, tests by name, places behind links; and both READMEs say the same things."""

import re

import tree

TEST = re.compile(r"(tests/[\w./-]+\.(?:py|c))::(\w+)")
FILE = re.compile(r"(?<![\w./-])((?:tests|gateway|keys|connectors|config|mocks|docs)/[\w./-]*\w)")
OF_A_STATE = re.compile(r"keys/[\w-]+\.(?:ring|pub|key|kid|master|pass)$|keys/(?:cap|redis)$|NAME")  # files of a running system, and words that stand for something
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:`|/bin/|\$\()pmhgw ([a-z][a-z-]*)")
FIRST = re.compile(r"^pmhgw ([a-z][a-z-]*)", re.M)
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(body):
    """Of each heading the name that a link to it has, and names that stand there."""
    heads = re.findall(r"^#+ (.*)", FENCE.sub("", body), re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", h).lower()).strip().replace(" ", "-") for h in heads} | set(re.findall(r"<a (?:id|name)=\"(.*?)\"", body))


def has_test(path, name):
    return re.search(rf"^(?:def|static void) {name}\(", tree.text(path), re.M) is not None if (tree.ROOT / path).is_file() else False


def commands():
    """What docs/cli.md, which is made of the table of commands, has a chapter for."""
    return set(re.findall(r"^### ([a-z-]+)$", tree.text("docs/cli.md"), re.M)) if (tree.ROOT / "docs/cli.md").is_file() else None


def judge(name, known):
    """Findings of one document and how many references it has."""
    body = tree.text(name)
    found, seen = [], 0
    for path, test in TEST.findall(body):
        seen += 1
        if not has_test(path, test):
            found.append(f"{name}: no test {path}::{test}")
    for path in FILE.findall(body):
        seen += 1
        if not any(list(base.glob(f"{path}*")) for base in (tree.ROOT, (tree.ROOT / name).parent)) and not OF_A_STATE.search(path):
            found.append(f"{name}: no file {path}")
    said = COMMAND.findall(body) + [c for block in FENCE.findall(body) for c in FIRST.findall(block)]
    for command in said if known else []:
        seen += 1
        if command not in known:
            found.append(f"{name}: no command pmhgw {command}")
    for to in LINK.findall(FENCE.sub("", body)):
        if re.match(r"\w+:", to):
            continue
        seen += 1
        path, _, anchor = to.partition("#")
        there = (tree.ROOT / name).parent / path if path else tree.ROOT / name
        if not there.exists():
            found.append(f"{name}: a link to {to}, which is not there")
        elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
            found.append(f"{name}: a link to {to}, which has no such heading")
    return found, seen


def shape(body):
    """What two languages have in common: levels of headings, code, targets of links, rows of tables."""
    plain = FENCE.sub("", body)
    code = [[line for line in block.split("\n") if not line.lstrip().startswith("#")] for block in FENCE.findall(body)]
    code = [[line.split(" # ")[0].rstrip() for line in block] for block in code]
    return {"headings": re.findall(r"^(#+) ", plain, re.M), "code blocks": code, "pictures": re.findall(r"!\[.*?\]\((.*?)\)", plain),
            "links": sorted(set(LINK.findall(plain)) - {"README.md", "README.ja.md"}), "rows of tables": len(re.findall(r"^\|", plain, re.M))}


def languages():
    other = tree.ROOT / "README.ja.md"
    if not other.exists():
        return []
    one, two = shape(tree.text("README.md")), shape(tree.text("README.ja.md"))
    return [f"README.md and README.ja.md differ in {what}: {one[what]} / {two[what]}" for what in one if one[what] != two[what]]


def main():
    findings, looked, known = languages(), 0, commands()
    for name in tree.files(".md"):
        found, seen = judge(name, known)
        findings += found
        looked += seen
    assert not has_test("tests/lint/tree.py", "allow") and has_test("tests/lint/tree.py", "allowed")
    assert "what-is-left" in anchors("## What is left\n") and shape("# a\n") != shape("## a\n")
    tree.finish("what documents name", findings, looked)


main()
