#!/usr/bin/env python3
"""Nothing in the tree names a path of somebody's machine."""

import re

import tree

PATH = re.compile(r"(?<![A-Za-z0-9_.$}@/-])/(?:home|root|Users|work|mnt|media)/[A-Za-z0-9_.-]+|/tmp/(?:w|b-[a-z]+|llx)\b")


def main():
    findings, looked = [], 0
    for name in tree.files():
        if str(name) == "tests/lint/paths.py":
            continue
        looked += 1
        for i, line in enumerate(tree.text(name).split("\n"), 1):
            if PATH.search(line):
                findings.append(f"{name}:{i}: {PATH.search(line).group()}")
    assert PATH.search("see /home/x/y") and not PATH.search("docs/home/x")
    tree.finish("paths of a machine", findings, looked)


main()
