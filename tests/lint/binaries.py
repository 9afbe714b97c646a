#!/usr/bin/env python3
"""Walls that can be read off the programs: who holds number code, who links what, no hidden mutable globals.

usage: binaries.py [BUILD_DIR]   (build/release)"""

import pathlib
import re
import subprocess
import sys

import tree

NO_NUMBER_CODE = ("pmhgw-front", "pmhgw-audit", "pmhgw-courier", "pmhgw-relay")
VAULT_LINKS = {"libuv", "libcrypto", "libhiredis", "libyaml-0", "libseccomp", "libc", "ld-linux-x86-64", "linux-vdso", "libm", "libpthread",
               "libdl", "librt"}
VAULT_NEVER = re.compile(r" (SSL_|curl_|json_|llhttp_|CRYPTO_malloc_debug)\w*")
DESK = re.compile(r"(desk__?|relay__)\w+$")  # mocks/desk: the browser's way in, of the mock nation only
DAEMONS = ("pmhgw-vault", "pmhgw-audit", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier", "pmhgw")
FRONT_NEVER = ("redis-vault", "redis_vault_", "nz_", "my_number_check", "vault.ring")


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def symbols(program):
    """Names that the program defines or asks for, static ones too."""
    return {line.split()[-1].split("@")[0] for line in (run("nm", program) + run("nm", "-D", program)).splitlines() if line.split()}


def libraries(program):
    return {re.split(r"\.so", pathlib.Path(word).name)[0].split("-2.")[0] for word in
            (line.split()[0] for line in run("ldd", program).splitlines() if line.strip())}


def walls(bin_dir):
    """Findings about the four daemons, and how many facts were looked at."""
    findings, looked = [], 0
    for name in NO_NUMBER_CODE:
        names = symbols(bin_dir / name)
        looked += len(names)
        findings += [f"{name} holds {s}" for s in sorted(names) if s.startswith("nz_")]
    vault = bin_dir / "pmhgw-vault"
    names = symbols(vault)
    looked += len(names)
    findings += [f"pmhgw-vault holds {s}" for s in sorted(names) if VAULT_NEVER.match(" " + s)]
    findings += [f"pmhgw-vault links {lib}" for lib in sorted(libraries(vault) - VAULT_LINKS)]
    for name in DAEMONS:
        findings += [f"{name} holds {s}: the desk belongs to the mock nation" for s in sorted(symbols(bin_dir / name)) if DESK.match(s)]
    # The other side of the coin: the search sees number code and the desk where they are.
    if not any(DESK.match(s) for s in symbols(bin_dir / "pmhgw-mocks")):
        findings.append("no desk in pmhgw-mocks: is it called something else now?")
    if not any(s.startswith("nz_") for s in names):
        findings.append("no nz_ symbol in pmhgw-vault: was it stripped, or is the prefix not kept?")
    return findings, looked


def globals_of(build):
    """Mutable objects in .data and .bss of our own libraries."""
    found = set()
    libs = [p for part in ("gateway", "keys", "connectors", "mocks") for p in sorted((build / part).rglob("*.a"))]
    for lib in libs:
        for line in run("objdump", "-t", str(lib)).splitlines():
            m = re.match(r"\S+ (.{7}) (\.(?:t?data|t?bss)\S*)\s+(\S+)\s+(\S+)$", line)
            if m and "O" in m.group(1) and not m.group(2).startswith(".data.rel.ro") and int(m.group(3), 16):
                found.add((lib.stem.removeprefix("lib"), re.sub(r"\.\d+$", "", m.group(4))))
    return found, len(libs)


def main():
    build = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT / "build/release"
    findings, looked = walls(build / "bin")
    allow = tree.allowed("globals.allow")
    mutable, libs = globals_of(build)
    findings += [f"mutable global {lib}: {name}" for lib, name in sorted(mutable) if f"{lib}:{name}" not in allow]
    tree.finish(f"walls of the programs, globals of {libs} libraries", findings, looked if libs else 0)


if __name__ == "__main__":
    main()
