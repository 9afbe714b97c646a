#!/usr/bin/python3
"""Starts the units of pmhgw in a root without systemd:  units.py ROOT   until its input ends

What a unit says of user, groups, credentials, sockets, folders and network is done here as systemd would do it, and a daemon is up when it says so (READY=1). What a
unit says of system calls, capabilities and mounts is not done: systemd-analyze judges that. /proc has to be mounted in the root."""
import collections
import fcntl
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import time

UNITS = pathlib.Path("/usr/lib/systemd/system")
ORDER = ["redis-vault", "redis-link", "audit", "vault", "signer", "intake", "front", "courier"]
READY_S, END_S, FIRST_FD = 60, 30, 10
NOTIFY = "/run/notify"


def read(path):
    """{section: {key: [values]}}; an empty value forgets what was said before."""
    sections, here = collections.defaultdict(lambda: collections.defaultdict(list)), None
    for line in path.read_text().splitlines():
        if line.startswith("["):
            here = sections[line.strip("[]")]
        elif line and line[0] not in "#;":
            key, value = line.split("=", 1)
            here[key] = here[key] + [value] if value else []
    return sections


def numbers(name):
    return {line.split(":")[0]: int(line.split(":")[2]) for line in pathlib.Path("/etc", name).read_text().splitlines()}


class Unit:
    def __init__(self, name, users, groups):
        self.name = f"pmhgw-{name}"
        self.service = read(UNITS / f"{self.name}.service")["Service"]
        for dropin in sorted((UNITS / "pmhgw-.service.d").glob("*.conf")):
            for key, values in read(dropin)["Service"].items():
                self.service.setdefault(key, values)
        self.uid, self.gid = users[self.word("User")], groups[self.word("Group")]
        self.groups = [groups[g] for g in self.word("SupplementaryGroups").split()]
        self.credentials = pathlib.Path("/run/credentials", self.name)
        self.sockets = self.listen(users, groups)

    def word(self, key):
        return (self.service.get(key) or [""])[-1]

    def listen(self, users, groups):
        path = UNITS / f"{self.name}.socket"
        if not path.exists():
            return []
        said = read(path)["Socket"]
        fds = []
        for at in said["ListenStream"]:
            is_file = at.startswith("/")
            sock = socket.socket(socket.AF_UNIX if is_file else socket.AF_INET)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(at if is_file else (at.rsplit(":", 1)[0], int(at.rsplit(":", 1)[1])))
            if is_file:
                os.chmod(at, int(said["SocketMode"][-1], 8))
                os.chown(at, users[said["SocketUser"][-1]], groups[said["SocketGroup"][-1]])
            sock.listen(512)
            fds.append(fcntl.fcntl(sock.detach(), fcntl.F_DUPFD_CLOEXEC, FIRST_FD))
        return fds

    def folders(self):
        for key, base in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
            if self.word(key):
                path = pathlib.Path(base, self.word(key))
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(int(self.word(f"{key}Mode"), 8))
                os.chown(path, self.uid, self.gid)
        self.credentials.mkdir(parents=True)
        instead = dict(credential.split(":", 1) for credential in self.service.get("SetCredential", []))
        for credential in self.service.get("LoadCredential", []):
            name, source = credential.split(":", 1)
            if name in instead and not os.path.exists(source):
                (self.credentials / name).write_text(instead[name].encode().decode("unicode_escape"))
            else:
                shutil.copyfile(source, self.credentials / name)
            os.chown(self.credentials / name, self.uid, self.gid)
            (self.credentials / name).chmod(0o400)
        os.chown(self.credentials, self.uid, self.gid)
        self.credentials.chmod(0o500)

    def start(self):
        self.folders()
        words = self.word("ExecStart").replace("${CREDENTIALS_DIRECTORY}", str(self.credentials)).split()
        take = "".join(f"exec {3 + i}<&{fd}; " for i, fd in enumerate(self.sockets))
        listen = f"export LISTEN_PID=$$ LISTEN_FDS={len(self.sockets)}; " if self.sockets else ""
        own_network = ["/usr/bin/unshare", "--net"] if self.word("PrivateNetwork") == "yes" else []
        groups = f"--groups={','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        user = ["/usr/bin/setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", groups, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        self.log = open(f"/var/log/{self.name}.log", "ab")
        self.process = subprocess.Popen([*own_network, *user, "/bin/bash", "-c", f'{take}{listen}exec "$@"', "-", *words], pass_fds=self.sockets, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env={"CREDENTIALS_DIRECTORY": str(self.credentials), "NOTIFY_SOCKET": NOTIFY, "WATCHDOG_USEC": "30000000",
                                                                               "PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"})

    def end(self):
        self.process.terminate()
        return self.process.wait(END_S)


def wait_ready(hears, unit):
    """Daemons are started one after another: what is heard is of the last one. A watchdog's beat may come between."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until and unit.process.poll() is None:
        if select.select([hears], [], [], 0.2)[0] and b"READY=1" in hears.recv(4096):
            return
    tail = pathlib.Path(f"/var/log/{unit.name}.log").read_text(errors="replace").splitlines()[-15:]
    sys.exit(f"{unit.name} is not ready: {unit.process.poll()}\n" + "\n".join(tail))


def main():
    os.chroot(sys.argv[1])
    os.chdir("/")
    users, groups = numbers("passwd"), numbers("group")
    hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hears.bind(NOTIFY)
    os.chmod(NOTIFY, 0o777)
    units = []
    try:
        for name in ORDER:
            units.append(Unit(name, users, groups))
            units[-1].start()
            wait_ready(hears, units[-1])
            print(f"{units[-1].name} {units[-1].process.pid} {units[-1].uid}", flush=True)
        print("ready", flush=True)
        beats = 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            if select.select([hears, sys.stdin], [], [], 1)[0]:
                beats += b"WATCHDOG=1" in (hears.recv(4096) if select.select([hears], [], [], 0)[0] else b"")
        dead = [u.name for u in units if u.process.poll() is not None]
    finally:
        ends = {u.name: u.end() for u in reversed(units) if hasattr(u, "process")}
    print(f"ended {ends} beats {beats} dead {dead}", flush=True)
    sys.exit(1 if dead or any(ends.values()) else 0)


if __name__ == "__main__":
    main()
