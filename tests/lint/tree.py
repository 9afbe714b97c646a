"""What the checks share: the files of the tree, and how a finding is reported."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = {"build", ".git", ".state", "node_modules", "__pycache__", ".pytest_cache"}


def files(*suffixes):
    """Files of the tree as paths relative to its root; only these suffixes when any are given."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        names = [pathlib.Path(n) for n in listed.stdout.decode().split("\0") if n]
    else:
        names = [p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file()]
    names = [n for n in names if not SKIP & set(n.parts) and (ROOT / n).is_file()]
    return sorted(n for n in names if not suffixes or n.suffix in suffixes)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def allowed(name):
    """Lines of an allow file without comments: word, reason."""
    path = pathlib.Path(__file__).parent / name
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    return {line[0] for line in lines if line}


def finish(what, findings, looked_at):
    """A check that looked at nothing has not passed."""
    for f in findings:
        print(f"  {f}")
    good = not findings and looked_at > 0
    print(f"{'ok  ' if good else 'FAIL'} {what}: {len(findings)} findings, {looked_at} looked at")
    sys.exit(0 if good else 1)
