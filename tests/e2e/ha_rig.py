"""The daemons of person_rig over a redis-link that is no server of this state but a set: three servers with three Sentinels, or a Cluster of three masters with a replica each.
All of it is real, on this machine, each process with a port of its own; pmhgw-relay stands where redis-link's socket is."""

import collections
import hashlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time

import person_rig
from intake_rig import BIN, ROOT, free_port, number, row, wait_for
from listening import serve_each

NAME = "link"
GOOD = (200, 202, 204)
Said = collections.namedtuple("Said", "status json")
TAG = "{pmhgw}"


def node_port():
    """One that leaves room for the port of a Cluster's own talk, 10,000 above."""
    while True:
        port = 11000 + secrets.randbelow(8000)
        try:
            for p in (port, port + 10000):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            return port
        except OSError:
            continue


class Cut:
    """A port in front of a server. While `only` is set, whoever logs in as somebody else hears nothing, in both directions: cut off, not refused."""

    def __init__(self, server):
        self.server, self.port, self.only = server, free_port(), None
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        serve_each(self.listener, self._serve)

    def close(self):
        self.listener.close()

    def _serve(self, client):
        try:
            up = socket.create_connection(("127.0.0.1", self.server), timeout=5)
            up.settimeout(None)
        except OSError:
            client.close()
            return
        who = []
        threading.Thread(target=self._copy, args=(up, client, who, False), daemon=True).start()
        self._copy(client, up, who, True)

    def _copy(self, source, to, who, names):
        try:
            while data := source.recv(1 << 18):
                if names and not who:
                    who.append(data)
                if self.only is None or (who and self.only in who[0]):
                    to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Rig(person_rig.Rig):
    """kind: "sentinel" or "cluster"."""

    other_tags = ()  # of names in the Cluster that are somebody else's than redis-link's

    def __init__(self, state, kind, tls=False, cuts=False, down_after_ms=2000, replicas=1, **settings):
        self.kind, self.tls, self.down_after_ms = kind, tls, down_after_ms
        self.set_passwords = {u: secrets.token_hex(16) for u in ("replica", "sentinel", "relay", "sentinels", "ask")}
        self.nodes = [node_port() for _ in range(3 if kind == "sentinel" else 6)]
        self.cuts = {port: Cut(port) for port in self.nodes} if cuts else {}
        self.sentinels = [free_port() for _ in range(3)] if kind == "sentinel" else []
        wait = {"redis_wait_replicas": replicas, "redis_wait_ms": 400}
        super().__init__(state, front_settings=wait, **wait, **settings)
        self.wait = wait
        self._set_confs()

    # ---- settings: the examples of config/redis, filled in ----

    def _example(self, name, port, more=(), **words):
        """One of them. Without TLS for sets that have none; `more`: behind it, where the last word counts."""
        words = {"ADDRESS": "127.0.0.1", "PORT": port, "CERTS": f"{self.dir}/set-certs", "NAME": NAME, "MASTER": "127.0.0.1", "PORT_OF_MASTER": self.announced(self.nodes[0]), **words}
        text = (ROOT / "config/redis" / name).read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        assert not re.search(r"@[A-Z_0-9]+@", re.sub(r"(?m)^#.*", "", text)), text
        lines = text.splitlines()
        if not self.tls:
            lines = [f"port {port}" if line == "port 0" else line for line in lines if not line.startswith("tls-")]
        return "\n".join([*lines, *more]) + "\n"

    def _hash(self, user):
        return hashlib.sha256(self.set_passwords[user].encode()).hexdigest()

    def _users(self):
        """What config/redis/users makes of the users of redis-link.conf, and one who may do everything."""
        tag = ["pmhgw"] if self.kind == "cluster" else []
        passes = {f"{u.upper()}_PASS": str(self.dir / f"keys/redis-{u}.pass") for u in ("replica", "sentinel", "relay")}
        made = subprocess.run([ROOT / "config/redis/users", self.dir / "conf/redis-link.conf", *tag], capture_output=True, text=True, check=True, env={**os.environ, **passes}).stdout
        word = hashlib.sha256((self.dir / "keys/redis-link-test.pass").read_bytes()).hexdigest()
        return [line for line in made.splitlines() if not line.startswith("user test ")] + [f"user test on #{word} ~* &* +@all"]

    def announced(self, port):
        return self.cuts[port].port if self.cuts else port

    def _node_conf(self, port):
        home = self.dir / f"node-{port}"
        home.mkdir()
        more = [f"cluster-node-timeout {self.down_after_ms}"] if self.kind == "cluster" else [f"replica-announce-port {self.announced(port)}"]
        text = self._example(f"node-{self.kind}.conf", port, more + self._users(), DIR=home, REPLICA_PASSWORD=self.set_passwords["replica"])
        if port == self.nodes[0]:
            text = re.sub(r"(?m)^replicaof .*\n", "", text)
        (self.dir / f"conf/node-{port}.conf").write_text(text)

    def _sentinel_conf(self, port):
        home = self.dir / f"sentinel-{port}"
        home.mkdir()
        more = [f"sentinel down-after-milliseconds {NAME} {self.down_after_ms}", f"sentinel failover-timeout {NAME} 6000"]
        text = self._example("sentinel.conf", port, more, DIR=home, SENTINEL_PASSWORD=self.set_passwords["sentinel"], SENTINELS_PASSWORD=self.set_passwords["sentinels"],
                             SENTINELS_PASSWORD_SHA256=self._hash("sentinels"), ASK_PASSWORD_SHA256=self._hash("ask"))
        (self.dir / f"conf/sentinel-{port}.conf").write_text(text)

    def store(self):
        scheme = self.kind + ("+tls" if self.tls else "")
        asked = ",".join(f"127.0.0.1:{p}" for p in (self.sentinels or self.nodes))
        return f"{scheme}://{NAME}@{asked}" if self.kind == "sentinel" else f"{scheme}://{asked}"

    def _set_confs(self):
        certs = self.dir / "set-certs"
        certs.mkdir()
        for name, of in (("ca.pem", "ca.pem"), ("server.pem", "doors.pem"), ("server.key", "doors.key"), ("client.pem", "gateway-intake.pem"), ("client.key", "gateway-intake.key")):
            (certs / name).symlink_to(self.dir / "certs" / of)
        for user, word in self.set_passwords.items():
            self._secret(f"redis-{user}.pass", word.encode())
        for port in self.nodes:
            self._node_conf(port)
        for port in self.sentinels:
            self._sentinel_conf(port)
        tls = {"relay_ca": f"{certs}/ca.pem", "relay_cert": f"{certs}/client.pem", "relay_key": f"{certs}/client.key"} if self.tls else {}
        asks = {"relay_sentinel_user": "ask", "relay_sentinel_pass_file": f"{self.dir}/keys/redis-ask.pass"} if self.kind == "sentinel" else {}
        self._yaml("relay-link", relay_listen=f"{self.dir}/run/redis-link.sock", relay_store=self.store(), relay_user="relay",
                   relay_pass_file=f"{self.dir}/keys/redis-relay.pass", **asks, **tls)

    # ---- processes ----

    def _spawn(self, name, args):
        with open(self.dir / "log" / f"{name}.log", "ab") as log:
            self.procs[name] = subprocess.Popen([str(a) for a in args], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def start_node(self, port):
        self._spawn(f"node-{port}", ["redis-server", self.dir / f"conf/node-{port}.conf"])

    def start(self, name):
        if name != "redis-link":
            super().start(name)
            return
        for port in self.nodes:
            self.start_node(port)
        if self.kind == "cluster":
            self._make_cluster()
        wait_for(lambda: self.replicated(self.nodes[0] if self.sentinels else self.master()), 20, "the replicas follow")
        for port in self.sentinels:  # they look for replicas at once, and then every ten seconds
            self._spawn(f"sentinel-{port}", ["redis-server", self.dir / f"conf/sentinel-{port}.conf", "--sentinel"])
        wait_for(lambda: all(self.watches(p) for p in self.sentinels), 20, "the Sentinels know each other")
        self._spawn("redis-link", [BIN / "pmhgw-relay", "--config", self.dir / "conf/relay-link.yaml"])
        wait_for(lambda: self._relay_passes(), 20, "the relay has found the master")

    def _relay_passes(self):
        try:
            return self.redis("redis-link", "PING") == ["PONG"]
        except subprocess.CalledProcessError:
            return False

    def _cli(self, port, *args, user="test"):
        tls = ["--tls", "--cacert", self.dir / "certs/ca.pem", "--cert", self.dir / "certs/gateway-intake.pem", "--key", self.dir / "certs/gateway-intake.key"] if self.tls else []
        word = self.set_passwords["sentinels"] if user == "sentinels" else (self.dir / "keys/redis-link-test.pass").read_text()
        return ["redis-cli", "-h", "127.0.0.1", "-p", str(port), "--no-auth-warning", "--user", user, "--pass", word, *map(str, tls), *map(str, args)]

    def ask_node(self, port, *args, user="test"):
        out = subprocess.run(self._cli(port, *args, user=user), capture_output=True, text=True, timeout=10)
        return out.stdout.split("\n")[:-1]

    def _make_cluster(self):
        wait_for(lambda: all(self.ask_node(p, "PING") == ["PONG"] for p in self.nodes), 10, "the nodes answer")
        made = subprocess.run(self._cli(self.nodes[0], "--cluster", "create", *(f"127.0.0.1:{p}" for p in self.nodes), "--cluster-replicas", "1", "--cluster-yes"),
                              capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stdout + made.stderr
        wait_for(lambda: all("cluster_state:ok" in self.ask_node(p, "CLUSTER", "INFO") for p in self.nodes), 30, "the Cluster is whole")
        # Nearly all is in one slot: its owner gets a second replica, from a master that holds nothing of ours.
        owner = self.master()
        ours = {str(owner)} | {str(self.owner(int(self.ask_node(owner, "CLUSTER", "KEYSLOT", tag)[0]))) for tag in self.other_tags}
        ids = {int(w[1].split("@")[0].rsplit(":", 1)[1]): w[0] for w in map(str.split, self.ask_node(owner, "CLUSTER", "NODES"))}
        spare = next(p for p in self.nodes if self.role(p) == "slave" and self.ask_node(p, "ROLE")[2] not in ours)
        assert self.ask_node(spare, "CLUSTER", "REPLICATE", ids[owner]) == ["OK"]

    def watches(self, port):
        said = self.ask_node(port, "SENTINEL", "MASTER", NAME, user="sentinels")
        known = dict(zip(said[::2], said[1::2]))
        return known.get("num-slaves") == "2" and known.get("num-other-sentinels") == "2"

    def role(self, port):
        return (self.ask_node(port, "ROLE") or [""])[0]

    def replicated(self, port):
        """What is written there is at its replicas within a moment."""
        if not port:
            return False
        key = (TAG if self.kind == "cluster" else "") + "t:test"
        said = subprocess.run(self._cli(port), input=f"SET {key} 1 PX 1\nWAIT 9 200\n", capture_output=True, text=True, timeout=10).stdout.split()
        return said[:1] == ["OK"] and int(said[-1]) == 2

    def followers(self, master):
        return [p for p in self.nodes if self.role(p) == "slave" and self.ask_node(p, "ROLE")[2] == str(self.announced(master))]

    def alive(self, port):
        proc = self.procs.get(f"node-{port}")
        return proc and proc.poll() is None

    def master(self):
        """The port of whoever is the master of our keys now."""
        if self.kind == "sentinel":
            for port in self.sentinels:
                said = self.ask_node(port, "SENTINEL", "get-master-addr-by-name", NAME, user="sentinels")
                if len(said) == 2:
                    return next(p for p in self.nodes if self.announced(p) == int(said[1]))
            return None
        return self.owner(int(self.ask_node(self.nodes[0], "CLUSTER", "KEYSLOT", TAG)[0]) if self.alive(self.nodes[0]) else 5077)

    def owner(self, slot):
        for port in filter(self.alive, self.nodes):
            for line in self.ask_node(port, "CLUSTER", "NODES"):
                words = line.split()
                ranges = [tuple(int(x) for x in (w.split("-") * 2)[:2]) for w in words[8:] if not w.startswith("[")]
                if "master" in words[2] and "fail" not in words[2] and any(a <= slot <= b for a, b in ranges):
                    return int(words[1].split("@")[0].rsplit(":", 1)[1])
        return None

    def end_node(self, port, sig=signal.SIGKILL):
        return self.kill(f"node-{port}", sig)

    def signal_node(self, port, sig):
        self.procs[f"node-{port}"].send_signal(sig)

    def down(self):
        for name, proc in self.procs.items():
            if name.startswith(("node-", "sentinel-")) and proc.poll() is None:
                proc.send_signal(signal.SIGCONT)
        for cut in self.cuts.values():
            cut.close()
        super().down()


class Load:
    """Registrations by a municipality, links of pseudonyms and lookups by clinics, all the time: what was acknowledged, and what every answer was and when."""

    def __init__(self, rig, people=300, threads=2):
        self.rig, self.stop, self.lock = rig, threading.Event(), threading.Lock()
        numbers = [number(secrets.randbelow(10**11)) for _ in range(people)]
        done = rig.register_done([row(n, municipalityIdentityKey=f"jumin-{secrets.token_hex(6)}") for n in numbers])
        assert done["counts"]["registered"] == people, done["counts"]
        self.free = [rig.pmh.key_of(n) for n in numbers]
        self.linked, self.tasks, self.answers = [], [], []  # pseudonyms; (task, number); (begun, ended, status, code) at any door
        self.refusals = {"front": 0.0, "municipal": 0.0}   # how long the longest one took
        rig.own_token()
        self.threads = [threading.Thread(target=t, daemon=True) for t in [self._link] * threads + [self._register]]
        for t in self.threads:
            t.start()

    def _link(self):
        while not self.stop.is_set():
            with self.lock:
                pmh_key = self.free.pop() if self.free else None
            if not pmh_key:
                return
            pseudonym = "ps-" + secrets.token_hex(10)
            if self._one(lambda: self.rig.link(pmh_key, pseudonym)) == 204:
                self.linked.append(pseudonym)
            self._one(lambda: self.rig.look_up(pmh_key))
            time.sleep(0.05)

    def _register(self):
        while not self.stop.is_set():
            num, told = number(secrets.randbelow(10**11)), []
            body = json.dumps([row(num, municipalityIdentityKey=f"jumin-{secrets.token_hex(6)}")]).encode()
            if self._one(lambda: self._registered(body, told), "municipal") == 202:
                self.tasks.append((told[0], num))
            time.sleep(0.05)

    def _registered(self, body, told):
        status, doc = self.rig.call("POST", "/v1/medical-subsidy/registration-tasks", body, "muni-331007", self.rig.own_token())
        told.append(doc.get("task_id"))
        return Said(status, doc)

    def _one(self, ask, door="front"):
        begun = time.monotonic()
        try:
            answer = ask()
            status, code = answer.status, answer.json.get("code") if answer.status >= 400 else None
        except OSError:
            status, code = 0, "no answer"
        with self.lock:
            self.answers.append((begun, time.monotonic(), status, code))
            if status not in GOOD:
                self.refusals[door] = max(self.refusals[door], time.monotonic() - begun)
        return status

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(15)

    def acknowledged(self):
        return len(self.linked) + len(self.tasks)

    def back(self, gone):
        """How long after `gone` the last refusal before good answers ended; None: there are no good answers behind the refusals yet."""
        with self.lock:
            answers = sorted(self.answers)
        bad = [end for _, end, status, _ in answers if end > gone and status not in GOOD]
        if not bad or sum(begun > max(bad) and status in GOOD for begun, _, status, _ in answers) < 20:
            return None
        return max(bad) - gone

    def codes(self):
        with self.lock:
            return {(status, code) for _, _, status, code in self.answers if status not in GOOD}

    def lost(self):
        """What was acknowledged and is not there: pseudonyms that nobody knows, rows that did not become registered residents. It may go on to another server meanwhile."""
        gone = [p for p in self.linked if self.heard(lambda: self.rig.ask(p)).status != 200]
        for task, num in self.tasks:
            done = wait_for(lambda: self._ended(task), 30, "the task ends")
            heard = self.heard(lambda: self.rig.look_up(self.rig.pmh.key_of(num)))
            if done["counts"]["registered"] != 1 or heard.status != 200:
                gone.append((task, done["counts"], heard.status, heard.json))
        return gone

    def _ended(self, task):
        status, doc = self.rig.call("GET", f"/v1/tasks/{task}", None, "muni-331007", self.rig.own_token())
        assert status in (200, 503), doc
        return doc if status == 200 and doc["state"].startswith("done") else None

    @staticmethod
    def heard(ask):
        answers = []
        wait_for(lambda: answers.append(ask()) or answers[-1].status != 503, 30, "an answer")
        return answers[-1]
