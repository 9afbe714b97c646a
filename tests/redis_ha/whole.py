"""Tests of the whole system (tests/e2e) over a set instead of two private servers:   PMHGW_SET=cluster pytest -p whole tests/e2e/test_main_job.py
Both Redis are in one Cluster, or one set with Sentinels, under names and users of their own."""

import os
import pathlib
import secrets
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

import ha_rig  # noqa: E402
import rig  # noqa: E402

KIND = os.environ.get("PMHGW_SET", "cluster")


class UpSet(ha_rig.Rig):
    """A set for the state folder that `pmhgw up` has prepared."""
    other_tags = ("{vault}",)

    def __init__(self, state):
        self.kind, self.tls, self.down_after_ms, self.cuts, self.procs = KIND, False, 5000, {}, {}
        self.dir = pathlib.Path(state)
        self.set_passwords = {u: secrets.token_hex(16) for u in ("replica", "sentinel", "relay", "sentinels", "ask")}
        self.nodes = [ha_rig.node_port() for _ in range(3 if KIND == "sentinel" else 6)]
        self.sentinels = [ha_rig.free_port() for _ in range(3)] if KIND == "sentinel" else []
        self._secret("redis-link-test.pass", secrets.token_hex(32).encode())
        self._set_confs()
        vault = (self.dir / "conf/relay-link.yaml").read_text().replace("redis-link.sock", "redis-vault.sock")
        (self.dir / "conf/relay-vault.yaml").write_text(vault + "relay_tag: vault\n")

    def _users(self):
        """Those of redis-vault too."""
        tag = "{vault}" if KIND == "cluster" else ""
        vault = [line for line in (self.dir / "conf/redis-vault.conf").read_text().splitlines() if line.startswith("user vault")]
        return super()._users() + [vault[0].replace("~", "~" + tag)]

    def _relay_passes(self):
        return True  # `up` starts it


real_start, real_close = rig.Rig.start, rig.Rig.close


def start(self):
    if not (self.state / "conf/relay-link.yaml").exists():
        subprocess.run([self.bin / "pmhgw", "up", "--only-setup", "--state", self.state, "--base-port", str(self.base), "--workers", str(self.workers)], check=True,
                       stdout=subprocess.DEVNULL, env={"PMHGW_SHARE": str(rig.ROOT / "config"), **os.environ})
        self.set = UpSet(self.state)
        self.set.start("redis-link")
        self.set.kill("redis-link")
        for name in ("front", "intake", "courier", "vault"):
            conf = self.state / f"conf/{name}.yaml"
            conf.write_text("".join(conf.read_text().splitlines(True)[1:]) + "redis_wait_replicas: 1\n")
    return real_start(self)


def close(self):
    try:
        real_close(self)
    finally:
        for proc in getattr(self, "set", None) and self.set.procs.values() or ():
            if proc.poll() is None:
                proc.kill()


rig.Rig.start, rig.Rig.close = start, close
