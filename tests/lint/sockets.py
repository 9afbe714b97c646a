"""Who is connected to whom in a running system: descriptors in /proc, and the kernel's list of unix sockets with their peers."""

import os
import re
import subprocess

# process -> processes whose unix socket it may be connected to
MAY = {
    "pmhgw-intake": {"pmhgw-vault", "pmhgw-audit", "redis-link"},
    "pmhgw-front": {"pmhgw-audit", "pmhgw-signer", "redis-link"},
    "pmhgw-courier": {"pmhgw-audit", "pmhgw-signer", "redis-link"},
    "pmhgw-vault": {"redis-vault", "pmhgw-audit"},
    "pmhgw-signer": set(),
    "pmhgw-audit": set(),
    "redis-vault": set(),
    "redis-link": set(),
    "pmhgw-mocks": set(),
}
# TCP ports, as offsets from the base, that a process may listen on and connect to
LISTEN = {"pmhgw-intake": {1}, "pmhgw-front": {2, 3}, "pmhgw-mocks": set(range(10, 21))}
CONNECT = {"pmhgw-intake": {11}, "pmhgw-courier": {13, 16, 17, 18}, "pmhgw-mocks": {1, 2, 3, *range(10, 20)}}  # its desk and its apps


def processes(rig):
    """pid -> name of every process of the system, workers too."""
    found = {rig.pid(name): name for name in MAY if rig.pid(name)}
    for entry in os.listdir("/proc"):
        try:
            stat = open(f"/proc/{entry}/stat").read() if entry.isdigit() else ""
        except OSError:
            continue
        parent = int(stat.rsplit(")", 1)[1].split()[1]) if stat else 0
        if parent in found:
            found[int(entry)] = found[parent]
    return found


def inodes(pid):
    out = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            m = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
        if m:
            out.add(int(m.group(1)))
    return out


def unix_links(rig):
    """Pairs (client, server) of names that are connected over the sockets of this state."""
    names = processes(rig)
    owner = {}
    for pid, name in names.items():
        for inode in inodes(pid):
            owner.setdefault(inode, name)
    pairs = set()
    for line in subprocess.run(["ss", "-xnH", "state", "connected"], capture_output=True, text=True, check=True).stdout.splitlines():
        m = re.match(r"\S+\s+(?:\S+\s+)?\d+\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)", line)
        if not m or not m.group(1).startswith(str(rig.state)):
            continue
        server, client = owner.get(int(m.group(2))), owner.get(int(m.group(3)))
        if server and client:
            pairs.add((client, server))
    return pairs


def tcp(rig):
    """(name, "listen" or "connect", offset) of the TCP sockets of the system."""
    found = set()
    for pid, name in processes(rig).items():
        mine = inodes(pid)
        for table in ("tcp", "tcp6"):
            for line in open(f"/proc/{pid}/net/{table}").read().splitlines()[1:]:
                words = line.split()
                if int(words[9]) not in mine:
                    continue
                local, remote = (int(w.rsplit(":", 1)[1], 16) - rig.base for w in words[1:3])
                if words[3] == "0A":
                    found.add((name, "listen", local))
                elif local not in LISTEN.get(name, set()):
                    found.add((name, "connect", remote))
    return found


def walls(rig):
    """Findings, and the connections that were seen."""
    pairs = unix_links(rig)
    findings = [f"{a} is connected to {b}" for a, b in sorted(pairs) if a != b and b not in MAY[a]]
    for name, how, port in sorted(tcp(rig)):
        allowed = LISTEN if how == "listen" else CONNECT
        if port not in allowed.get(name, set()):
            findings.append(f"{name}: {how} {port:+d}")
    return findings, pairs
