#!/usr/bin/env python3
"""Functions that have a safer form here. banned.allow: file:function, reason."""

import re

import tree

BANNED = ("strcpy strncpy stpcpy strcat strncat sprintf vsprintf gets atoi atol atoll atof strtok strtok_r memcmp bcmp alloca "
          "system popen tmpnam mktemp rand srand random bzero asctime ctime gmtime localtime setjmp longjmp signal").split()
CALL = re.compile(r"(?<![A-Za-z0-9_.>])(" + "|".join(BANNED) + r")\s*\(")
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def strip(code):
    """Comments and string literals become blanks; line numbers stay."""
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code)


def calls(code):
    for i, line in enumerate(strip(code).split("\n"), 1):
        for m in CALL.finditer(line):
            yield i, m.group(1)


def main():
    allow = tree.allowed("banned.allow")
    findings, looked = [], 0
    for name in tree.files(".c", ".h"):
        looked += 1
        if name.parts[0] == "tests":
            continue
        for line, fn in calls(tree.text(name)):
            if f"{name}:{fn}" not in allow:
                findings.append(f"{name}:{line}: {fn}")
    assert list(calls("x = strcpy(a, b); /* gets( */ my_gets(a);")) == [(1, "strcpy")]
    tree.finish("banned functions", findings, looked)


main()
