"""A front with store and audit log for measurements: persons, several fronts over one store, and the generators in C."""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import front_rig  # noqa: E402
from front_rig import BIN, CLINIC, free_port  # noqa: E402


class System:
    """`with System() as s`: redis, audit and one front are up; s.rig is the rig of the e2e tests."""

    def __init__(self, persons=200, workers=2):
        self.folder = tempfile.TemporaryDirectory(prefix="pmhgw-front-", ignore_cleanup_errors=True)
        self.rig = front_rig.Rig(self.folder.name, workers=workers)
        self.fronts, self.persons = [], persons

    def __enter__(self):
        try:
            self.rig.up()
            self.pmh_keys = self.rig.dir / "pmh-keys"
            self.pmh_keys.write_text("".join(self.rig.person() + "\n" for _ in range(self.persons)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for proc in self.fronts:
            proc.terminate()
        for proc in self.fronts:
            proc.wait(timeout=20)
        self.rig.down()
        self.folder.cleanup()

    def another_front(self, **settings):
        """A front on ports of its own over the same store; settings that differ. Returns its clinic port."""
        name = f"front{len(self.fronts) + 2}"
        ports = {"clinic_port": free_port(), "portal_port": free_port()}
        lines = (self.rig.dir / "conf" / "front.yaml").read_text().splitlines()
        changed = {**ports, **settings}
        kept = [line for line in lines if line.split(":")[0] not in changed]
        conf = self.rig.dir / "conf" / f"{name}.yaml"
        conf.write_text("\n".join(kept + [f"{k}: {json.dumps(v)}" for k, v in changed.items()]) + "\n")
        with open(self.rig.dir / "log" / f"{name}.log", "ab") as log:
            self.fronts.append(subprocess.Popen([str(BIN / "pmhgw-front"), "--config", str(conf)], stdout=log, stderr=log))
        port = ports["clinic_port"]
        front_rig.wait_for(lambda: self.healthy(port), 20)
        return port

    def healthy(self, port):
        mine = self.rig.ports["clinic"]
        self.rig.ports["clinic"] = port
        try:
            return self.rig.get("clinic", "/health").status == 200
        except OSError:
            return False
        finally:
            self.rig.ports["clinic"] = mine

    def _door(self):
        certs = self.rig.dir / "certs"
        return [certs / "ca.pem", certs / f"clinic-{CLINIC}.pem", certs / f"clinic-{CLINIC}.key", self.rig.key("link-jwe.key"), "k1", CLINIC,
                self.pmh_keys]

    def start_race(self, ports, groups, racers, keys, seconds):
        args = [BIN / "pmhgw-redeem-race", "127.0.0.1", ",".join(map(str, ports)), *self._door(), groups, racers, keys, seconds]
        return subprocess.Popen(list(map(str, args)), stdout=subprocess.PIPE, text=True)

    def load(self, port, connections, requests, pairs=False):
        """The line of pmhgw-lookup-load as a dict."""
        args = [BIN / "pmhgw-lookup-load", "127.0.0.1", port, *self._door(), connections, requests] + (["pairs"] if pairs else [])
        done = subprocess.run(list(map(str, args)), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"generator: {done.stdout}{done.stderr}")
        return words(done.stdout)


def words(line):
    w = line.split()
    return {k: float(v) for k, v in zip(w[::2], w[1::2])}
