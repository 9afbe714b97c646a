"""A fresh Debian root: made once a run by mmdebstrap, from the package sources of this machine."""
import contextlib
import os
import pathlib
import shutil
import subprocess

RELEASE = "bookworm"
NO_SERVICES = "#!/bin/sh\nexit 101\n"
BINDS = ("proc", "dev", "sys")
OF_THIS_MACHINE = ["etc/npmrc", "usr/etc/npmrc", "root/.npmrc", "usr/local/share/ca-certificates"]


def sources():
    """Where this machine has its packages from: one file, as mmdebstrap takes it."""
    for path in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if os.path.exists(path) and os.path.getsize(path):
            return path
    raise RuntimeError("no sources of packages in /etc/apt")


def run(words, log=None, timeout=900, **more):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, **more)
    if log:
        pathlib.Path(log).write_text(done.stdout)
    assert done.returncode == 0, f"{words}: {done.returncode}\n" + "\n".join(done.stdout.splitlines()[-25:])
    return done.stdout


def make_tar(path, packages):
    run(["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", RELEASE, path, sources()], log=f"{path}.log")


class Root:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    @classmethod
    def unpack(cls, tar, path):
        root = cls(path)
        root.path.mkdir(parents=True)
        run(["tar", "-xf", tar, "-C", path])
        policy = root.path / "usr/sbin/policy-rc.d"
        policy.write_text(NO_SERVICES)
        policy.chmod(0o755)
        return root

    @contextlib.contextmanager
    def mounted(self):
        with contextlib.ExitStack() as stack:
            for name in BINDS:
                run(["mount", "--rbind" if name != "proc" else "--bind", f"/{name}", self.path / name])
                stack.callback(subprocess.run, ["umount", "-l", str(self.path / name)], check=False)
            yield self

    def like_this_machine(self):
        """Where packages come from, and whom this machine trusts for that. mounted(), with ca-certificates."""
        for name in OF_THIS_MACHINE:
            for path in [p for p in [pathlib.Path("/", name), *pathlib.Path("/", name).rglob("*")] if p.is_file()]:
                (self.path / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.path / path.relative_to("/"))
        self.run("update-ca-certificates")

    def run(self, *words, timeout=600, **env):
        return run(["chroot", self.path, "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                    *(f"{k}={v}" for k, v in env.items()), *words], timeout=timeout)
