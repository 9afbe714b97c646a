"""pmhgw 適合試験 / conformance kit for clients of a gateway.

    python3 mocks/conformance clinic    --adapter COMMAND [--dir DIR] [--host HOST] [--port PORT] [--only CASE,...]
    python3 mocks/conformance municipal --adapter COMMAND ...
    python3 mocks/conformance clinic    --person        (a person does it with the product and types what it shows)
    python3 mocks/conformance --list

COMMAND is started once; {url} {ca} {cert} {key} in it become the address and the files of the certificates. What it is told and has to answer:
docs/api/conformance.md. The report is written to DIR (pmhgw-conformance): report.html, report.json. Exit status: 0 nothing failed, 1 something did."""

import argparse
import pathlib
import shlex
import sys

import clinic  # noqa: F401  (their cases)
import municipal  # noqa: F401
import report
from certs import make
from door import Door
from kit import CASES, Adapter, Kit, Person, run


def arguments():
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("client", nargs="?", choices=tuple(CASES))
    parser.add_argument("--adapter", help="program between the kit and the client")
    parser.add_argument("--person", action="store_true", help="no adapter: somebody does it by hand")
    parser.add_argument("--dir", default="pmhgw-conformance", type=pathlib.Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--only", help="names of cases, with commas")
    parser.add_argument("--patience", default=60, type=float, help="seconds for an answer of the adapter")
    parser.add_argument("--list", action="store_true", help="names the cases")
    a = parser.parse_args()
    if not a.list and (not a.client or bool(a.adapter) == a.person):
        parser.error("a client, and --adapter COMMAND or --person")
    return a


def main():
    a = arguments()
    if a.list:
        for who, cases in CASES.items():
            for c in cases:
                print(f"{who}\t{c['name']}\t{c['ja']}\t{c['en']}")
        return 0
    wanted = a.only.split(",") if a.only else None
    cases = [c for c in CASES[a.client] if not wanted or c["name"] in wanted]
    if not cases:
        print("no such case / その試験はありません", file=sys.stderr)
        return 2
    certs = make(a.dir / "certs", a.client, a.host)
    door = Door(certs, a.host, a.port)
    url = f"https://{a.host}:{door.port}"
    files = {"url": url, "ca": certs / "ca.pem", "cert": certs / f"{a.client}.pem", "key": certs / f"{a.client}.key"}
    print("\n".join(f"{name:5} {value}" for name, value in files.items()))
    command = a.adapter
    for name, value in files.items():
        command = command and command.replace(f"{{{name}}}", shlex.quote(str(value)))
    doer = Person() if a.person else Adapter(command, a.patience)
    try:
        told = run(Kit(door, doer, a.client), cases)
    finally:
        doer.close()
        door.close()
    report.write(a.dir, a.client, told)
    n = report.summary(told)
    print(f"適合 {n['pass']}, 注意 {n['warn']}, 不適合 {n['fail']} / pass {n['pass']}, warn {n['warn']}, fail {n['fail']}: {a.dir / 'report.html'}")
    return 1 if n["fail"] else 0


sys.exit(main())
