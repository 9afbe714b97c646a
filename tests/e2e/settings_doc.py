#!/usr/bin/python3
"""docs/settings.md as the daemons' own tables say it:  tests/e2e/settings_doc.py BIN > docs/settings.md"""
import pathlib
import subprocess
import sys

DAEMONS = ["front", "intake", "vault", "audit", "signer", "courier", "relay"]

HEAD = """# Settings

One YAML file for each daemon, one "setting: value" a line; what is not named has its default. Made of [gateway/conf/params.def](../gateway/conf/params.def) by `tests/e2e/settings_doc.py`; each daemon tells its part with `--help`.

| | |
|---|---|
| `pmhgw-front --config FILE --check` | looks whether it could be started with that file. What is wrong is told with file, line and column; exit 78 |
| `pmhgw-front --config FILE --show` | every setting as it would be in force, each with where it comes from: a line of the file, or the default. Secrets are files: only where they lie is told |
| reload: yes | another value is taken with SIGHUP (`pmhgw reload`, `systemctl reload`); everything else when the daemon is started again |
| secret file | the value is the path of a file that holds a secret; a file that everybody may read is refused. The PIN of a token is named by `pin-source`, never by its value |
| `credential:NAME` | instead of a path: the file that systemd hands over under that name (`LoadCredential=`) |

"""


def document(bin_dir: pathlib.Path) -> str:
    def table(name):
        return subprocess.run([bin_dir / f"pmhgw-{name}", "--help", "--markdown"], capture_output=True, text=True, check=True, timeout=10).stdout
    return HEAD + "\n".join(table(name) for name in DAEMONS)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(document(pathlib.Path(sys.argv[1])))
