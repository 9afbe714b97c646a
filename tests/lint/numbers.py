#!/usr/bin/env python3
"""No valid individual number stands in the tree, in code, documents or fixtures, except published examples (numbers.allow)."""

import re

import tree

DIGITS = re.compile(r"(?<![0-9A-Za-z.])([0-9]{4})[ -]?([0-9]{4})[ -]?([0-9]{4})(?![0-9A-Za-z])")


def valid(d):
    """= Ministerial Ordinance (MIC) No. 85 of 2014, art. 5"""
    q = [(n + 1 if n <= 6 else n - 5) * int(d[11 - n]) for n in range(1, 12)]
    r = sum(q) % 11
    return int(d[11]) == (0 if r <= 1 else 11 - r)


def main():
    allow = tree.allowed("numbers.allow")
    findings, looked = [], 0
    for name in tree.files():
        looked += 1
        body = tree.text(name)
        for m in DIGITS.finditer(body):
            d = "".join(m.groups())
            if valid(d) and d not in allow:
                findings.append(f"{name}:{body.count(chr(10), 0, m.start()) + 1}: a valid individual number")
    assert valid("123456789018") and not valid("123456789012")
    tree.finish("individual numbers in the tree", findings, looked)


main()
