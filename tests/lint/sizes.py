#!/usr/bin/env python3
"""Files of at most 500 lines, functions of at most 70; tables do not count as functions."""

import tree

FILE_MAX, FUNCTION_MAX = 500, 70


def functions(lines):
    """(name line, length) of everything between a { and a } in the first column whose head ends with a parenthesis."""
    start = None
    for i, line in enumerate(lines):
        if line == "{" and i and lines[i - 1].rstrip().endswith(")"):
            start = i - 1
        elif line.startswith("}") and start is not None:
            yield start + 1, i - start + 1
            start = None


def main():
    findings, looked, longest = [], 0, 0
    for name in tree.files(".c", ".h", ".py", ".sh", ".def"):
        lines = tree.text(name).split("\n")
        looked += 1
        if len(lines) - 1 > FILE_MAX:
            findings.append(f"{name}: {len(lines) - 1} lines")
        if name.suffix != ".c":
            continue
        for line, length in functions(lines):
            longest = max(longest, length)
            if length > FUNCTION_MAX:
                findings.append(f"{name}:{line}: function of {length} lines")
    assert list(functions(["int f(void)", "{", "    x;", "}"])) == [(1, 4)]
    tree.finish(f"sizes (longest function {longest} lines)", findings, looked)


main()
