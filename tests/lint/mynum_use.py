#!/usr/bin/env python3
"""Where the digits of a number are taken out: nz_mynum_use, counted. mynum_use.allow: file:uses, reason.

Every mention counts, so that the function cannot be handed on by its address either. Tests may use it."""

import re

import tree

USE = re.compile(r"\bnz_mynum_use\b")
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def uses(code):
    return len(USE.findall(COMMENT.sub(" ", code)))


def judge(found, allow):
    for name, n in sorted(found.items()):
        if f"{name}:{n}" not in allow:
            yield f"{name}: {n} uses of nz_mynum_use, not as mynum_use.allow has it"
    for entry in sorted(allow):
        name = entry.rpartition(":")[0]
        if name not in found:
            yield f"{name}: stands in mynum_use.allow, but does not use it"


def main():
    found, looked = {}, 0
    for name in tree.files(".c", ".h"):
        looked += 1
        n = uses(tree.text(name))
        if n and name.parts[0] != "tests":
            found[str(name)] = n
    assert uses("/* nz_mynum_use( */ x = nz_mynum_use(m, f, a); y = &nz_mynum_use; my_nz_mynum_use();") == 2
    assert list(judge({"a.c": 1}, {"a.c:1"})) == []
    assert len(list(judge({"a.c": 2}, {"a.c:1"}))) == 1 and len(list(judge({}, {"a.c:1"}))) == 1 and len(list(judge({"b.c": 1}, set()))) == 1
    tree.finish("uses of the digits", list(judge(found, tree.allowed("mynum_use.allow"))), looked)


main()
