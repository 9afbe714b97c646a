"""The audit log's tree from outside: what the command prints holds in an implementation that is not ours; what is altered is refused."""

import base64
import json
import os
import shutil
import signal
import subprocess

import audit_tree
import pytest
from front_rig import BIN, Rig, wait_for

SIZE = 70000


def pmhgw(state, *argv):
    words = [BIN / "pmhgw", "audit", *argv] + (["--state", state] if state else [])
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})


class Big:
    """70,000 entries: three levels of tiles."""
    def __init__(self, state):
        self.state, self.audit = state, state / "audit"
        subprocess.run([BIN / "pmhgw-audit-make", state, str(SIZE)], check=True, capture_output=True)
        self.vkey = (state / "keys" / "audit.pub").read_text()
        self.stored = list(audit_tree.entries(self.audit))
        self.tree = audit_tree.Tree([audit_tree.leaf_hash(audit_tree.leaf_of(e)) for e in self.stored])


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return Big(tmp_path_factory.mktemp("big"))


@pytest.fixture(scope="module")
def proof(big):
    done = pmhgw(big.state, "prove", "12345")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- what is published ----

def test_key_tiles_and_root_are_those_of_the_specifications(big):
    assert big.vkey == audit_tree.verifier_key((big.state / "keys" / "audit-sign.key").read_bytes())
    note = pmhgw(big.state, "checkpoint").stdout
    assert note == (big.audit / "checkpoint").read_text()
    assert audit_tree.checkpoint(note, big.vkey) == (SIZE, big.tree.root(0, SIZE))
    tiles = {str(p.relative_to(big.audit / "tiles")): p.read_bytes() for p in (big.audit / "tiles").rglob("*") if p.is_file() and p.name != "synced"}
    assert tiles == big.tree.tiles(SIZE)


def test_the_history_is_signed(big):
    for line in (big.audit / "checkpoints").read_text().splitlines():
        size, root, signature, when = line.split(" ")
        name = audit_tree.ORIGIN
        assert audit_tree.checkpoint(f"{name}\n{size}\n{root}\n\n\u2014 {name} {signature}\n", big.vkey)[0] == int(size) and when.endswith("Z")


@pytest.mark.parametrize("seq", [1, 2, 256, 257, 16384, 16385, 65536, 65537, 69888, 69999, 70000])
def test_a_proof_holds_elsewhere(big, tmp_path, seq):
    done = pmhgw(big.state, "prove", str(seq))
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    assert audit_tree.proved(done.stdout, big.vkey) == audit_tree.leaf_of(big.stored[seq - 1])
    assert [base64.b64decode(h) for h in doc["proof"]["path"]] == big.tree.path(seq - 1, 0, SIZE)
    assert (doc["seq"], doc["event"], doc["result"]) == (seq, "clinic_lookup", "ok")
    person = big.stored[seq - 1][40:56]
    assert person.hex() not in done.stdout and base64.b64encode(person).decode().rstrip("=") not in done.stdout  # nobody's handle leaves
    (tmp_path / "proof.json").write_text(done.stdout)
    (tmp_path / "log.pub").write_text(big.vkey)
    checked = pmhgw(None, "check", tmp_path / "proof.json", "--key", tmp_path / "log.pub")
    assert checked.returncode == 0, checked.stderr


def test_a_proof_made_elsewhere_is_accepted(big, tmp_path):
    note = (big.audit / "checkpoint").read_text()
    made = []
    for i in (0, 500, SIZE - 1):
        b64 = lambda b: base64.b64encode(b).decode()
        made.append({"seq": i + 1, "proof": {"leaf": b64(audit_tree.leaf_of(big.stored[i])), "index": i, "path": [b64(h) for h in big.tree.path(i, 0, SIZE)]}})
    key = big.state / "keys" / "audit.pub"
    forms = {"list": json.dumps({"checkpoint": note, "entries": made, "next": None}, indent=1),
             "lines": "\n".join(json.dumps(x) for x in [{"checkpoint": note}, *made]) + "\n",
             "lines, checkpoint last": "\n".join(json.dumps(x) for x in [*made, {"checkpoint": note}])}
    for name, text in forms.items():
        (tmp_path / "file").write_text(text)
        done = pmhgw(None, "check", tmp_path / "file", "--key", key, "--json")
        assert (done.returncode, json.loads(done.stdout)["entries"]) == (0, 3), name
    (tmp_path / "file").write_text(note)
    assert pmhgw(None, "check", tmp_path / "file", "--key", key).returncode == 0


def flipped(text):
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def altered(doc):
    """(name, document, what must be said)"""
    note = doc["checkpoint"]
    with_proof = lambda **more: {**doc, "proof": {**doc["proof"], **more}}
    leaf, path, index = doc["proof"]["leaf"], doc["proof"]["path"], doc["proof"]["index"]
    person = bytearray(base64.b64decode(leaf))
    person[45] ^= 1
    yield "leaf", with_proof(leaf=base64.b64encode(person).decode()), "path"
    yield "sequence in the leaf", with_proof(leaf=base64.b64encode(base64.b64decode(leaf)[:167] + b"\0" + base64.b64decode(leaf)[168:]).decode()), "leaf"
    yield "leaf cut", with_proof(leaf=leaf[:-4]), "shape"
    yield "leaf without padding", with_proof(leaf=leaf.rstrip("=")), "shape"
    yield "leaf in the other alphabet", with_proof(leaf="_" + leaf[1:]), "shape"
    yield "index", with_proof(index=index + 1), "leaf"
    yield "index below zero", with_proof(index=-1), "shape"
    yield "index a text", with_proof(index=str(index)), "shape"
    yield "no index", {**doc, "proof": {"leaf": leaf, "path": path}}, "shape"
    for i in (0, len(path) - 1):
        yield f"path {i}", with_proof(path=path[:i] + [flipped(path[i])] + path[i + 1:]), "path"
    yield "path shorter", with_proof(path=path[:-1]), "path"
    yield "path longer", with_proof(path=path + path[-1:]), "path"
    yield "path of 65", with_proof(path=path[:1] * 65), "shape"
    yield "path of numbers", with_proof(path=[1]), "shape"
    yield "path in another order", with_proof(path=path[::-1]), "path"
    yield "proof a text", {**doc, "proof": "x"}, "shape"
    yield "no checkpoint", {k: v for k, v in doc.items() if k != "checkpoint"}, "no_checkpoint"
    yield "checkpoint a number", {**doc, "checkpoint": 1}, "shape"
    yield "checkpoint empty", {**doc, "checkpoint": ""}, "checkpoint"
    yield "size", {**doc, "checkpoint": note.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")}, "forged"
    yield "origin", {**doc, "checkpoint": note.replace("pmhgw.local/audit\n", "pmhgw.local/audjt\n", 1)}, "forged"
    yield "name of the key", {**doc, "checkpoint": note.replace("\u2014 pmhgw.local/audit", "\u2014 pmhgw.local/audjt")}, "stranger"
    yield "two hyphens", {**doc, "checkpoint": note.replace("\u2014", "--")}, "checkpoint"
    yield "no signature", {**doc, "checkpoint": note.split("\u2014")[0]}, "checkpoint"
    yield "shown seq", {**doc, "seq": doc["seq"] + 1}, "says"
    yield "shown time", {**doc, "at": str(int(doc["at"][:4]) - 1) + doc["at"][4:]}, "says"
    yield "shown event", {**doc, "event": "session_read"}, "says"
    yield "shown result", {**doc, "result": "nothing"}, "says"
    yield "entries an object", {"checkpoint": note, "entries": {}}, "shape"
    yield "entry without a proof", {"checkpoint": note, "entries": [{"seq": 1}]}, "shape"
    yield "nothing", {}, "nothing"


def test_altered_proofs_are_refused(big, proof, tmp_path):
    cases = [(name, json.dumps(doc), what) for name, doc, what in altered(proof)]
    text = json.dumps(proof)
    cases += [("cut", text[:-1], "not_json"), ("empty", "", "not_json"), ("deep", "[" * 100000, "not_json"), ("twice", text[:-1] + ',"seq":1}', "not_json"),
              ("escapes", '{"checkpoint":"\\u001b[2J"}', "checkpoint"), ("not UTF-8", "\xff", "not_json"),
              ("second line", text + "\n" + json.dumps({**proof, "seq": 1}) + "\n", "says"), ("second line broken", text + "\n{\n", "not_json")]
    assert len(cases) >= 38
    for name, document, what in cases:
        (tmp_path / "file").write_text(document, encoding="latin-1" if name == "not UTF-8" else "utf-8")
        done = pmhgw(None, "check", tmp_path / "file", "--key", big.state / "keys" / "audit.pub", "--json")
        assert (done.returncode, json.loads(done.stdout)["what"]) == (1, what), name
    other = tmp_path / "other.pub"
    other.write_text(audit_tree.verifier_key(b"\7" * 32))
    (tmp_path / "file").write_text(text)
    done = pmhgw(None, "check", tmp_path / "file", "--key", other, "--json")
    assert (done.returncode, json.loads(done.stdout)["what"]) == (1, "stranger")
    assert pmhgw(None, "check", tmp_path / "none", "--key", other).returncode == 2
    assert pmhgw(None, "check", tmp_path / "file", "--key", tmp_path / "file").returncode == 2


def test_no_proof_of_what_is_not_there(big):
    for seq in ("0", "-1", "x", str(2**64)):
        assert pmhgw(big.state, "prove", seq).returncode == 2
    done = pmhgw(big.state, "prove", str(SIZE + 1))
    assert done.returncode == 2 and "signed" in done.stderr


# ---- a system at work ----

@pytest.fixture
def rig(tmp_path):
    r = Rig(tmp_path / "s", workers=1)
    (r.dir / "keys" / "audit.pub").write_text(audit_tree.verifier_key((r.dir / "keys" / "audit-sign.key").read_bytes()))
    r.up()
    yield r
    r.down()


def some_entries(rig, n=5):
    before = len(rig.audit())
    for _ in range(n):
        rig.look_up(rig.mint(rig.person()))
    assert len(rig.audit()) >= before + n


def signed(rig):
    note = (rig.dir / "audit" / "checkpoint").read_text()
    return audit_tree.checkpoint(note, (rig.dir / "keys" / "audit.pub").read_text())


def test_every_entry_is_signed_and_an_older_log_is_refused(rig, tmp_path):
    some_entries(rig)
    wait_for(lambda: signed(rig)[0] == len(rig.audit()), 20)
    vkey = (rig.dir / "keys" / "audit.pub").read_text()
    tree = audit_tree.Tree([audit_tree.leaf_hash(audit_tree.leaf_of(e)) for e in audit_tree.entries(rig.dir / "audit")])
    size, root = signed(rig)
    assert root == tree.root(0, size)
    kept = tmp_path / "kept"
    kept.write_text(pmhgw(rig.dir, "checkpoint").stdout)
    shutil.copytree(rig.dir / "audit", tmp_path / "older")
    some_entries(rig)
    newest = len(rig.audit())
    assert audit_tree.proved(pmhgw(rig.dir, "prove", str(newest)).stdout, vkey)  # written a moment ago: it waits for the signature
    done = pmhgw(rig.dir, "verify", "--since", kept, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["good"], done.stdout + done.stderr
    newer = tmp_path / "newer"
    newer.write_text(pmhgw(rig.dir, "checkpoint").stdout)

    # An older log in its place, with its own head: the daemon does not start while it has the newer checkpoint.
    rig.kill("audit", signal.SIGKILL)
    for name in ("head", "audit-0000000000000001.log"):
        shutil.copy(tmp_path / "older" / name, rig.dir / "audit" / name)
    rig.start("audit")
    assert rig.procs.pop("audit").wait(timeout=10) != 0
    assert '"audit_log_not_whole","what":"checkpoint"' in rig.log("audit").read_text()
    assert json.loads(pmhgw(rig.dir, "verify", "--json").stdout)["what"] == "checkpoint"
    # The whole folder of then: true in itself, but not what was kept.
    shutil.rmtree(rig.dir / "audit")
    shutil.copytree(tmp_path / "older", rig.dir / "audit")
    assert pmhgw(rig.dir, "verify").returncode == 0
    done = pmhgw(rig.dir, "verify", "--since", newer)
    assert done.returncode == 1 and "kept" in done.stderr
    forged = tmp_path / "forged"
    forged.write_text(newer.read_text().replace("\n", "0\n", 2))
    assert pmhgw(rig.dir, "verify", "--since", forged).returncode == 2


def test_a_kill_at_any_moment_leaves_a_log_that_verifies(rig):
    for _ in range(4):
        some_entries(rig, 3)
        rig.kill("audit", signal.SIGKILL)
        done = pmhgw(rig.dir, "verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        rig.start("audit")
        rig.wait_healthy()
    wait_for(lambda: signed(rig)[0] == len(rig.audit()), 20)
    rig.kill("audit", signal.SIGTERM)
    assert signed(rig)[0] == len(rig.audit())  # what was committed last is signed on the way out
    rig.start("audit")


# ---- another signing key ----

def test_the_signing_key_can_be_replaced(rig, tmp_path):
    pub, key = rig.dir / "keys" / "audit.pub", rig.dir / "keys" / "audit-sign.key"
    some_entries(rig)
    wait_for(lambda: signed(rig)[0] == len(rig.audit()), 20)
    first = pub.read_text()
    kept, before = tmp_path / "kept", tmp_path / "before.json"
    kept.write_text(pmhgw(rig.dir, "checkpoint").stdout)
    before.write_text(pmhgw(rig.dir, "prove", "2").stdout)
    old_pub = tmp_path / "old.pub"
    old_pub.write_text(first)

    done = pmhgw(rig.dir, "rotate-key")
    assert done.returncode == 2 and "running" in done.stderr and pub.read_text() == first  # not under a daemon that signs
    rig.kill("audit")
    size = signed(rig)[0]
    seed = key.read_bytes()
    for _ in range(2):
        done = pmhgw(rig.dir, "rotate-key")
        assert done.returncode == 0, done.stderr
    assert key.read_bytes() != seed and not key.with_name("audit-sign.key.next").exists() and key.stat().st_mode & 0o77 == 0
    lines = pub.read_text().splitlines()
    assert lines[0] == audit_tree.verifier_key(key.read_bytes()).strip() and lines[2] == f"{first.strip()} {size}" and len(lines) == 3
    note = (rig.dir / "audit" / "checkpoint").read_text()
    for line in (lines[0], first.strip()):  # the last one of the old key is signed by the new one too
        assert audit_tree.checkpoint(note, line + "\n")[0] == size
    assert pmhgw(rig.dir, "verify", "--since", kept).returncode == 0

    rig.start("audit")
    rig.wait_healthy()
    some_entries(rig)
    newest = len(rig.audit())
    wait_for(lambda: audit_tree.checkpoint((rig.dir / "audit" / "checkpoint").read_text(), lines[0] + "\n")[0] >= newest, 20)
    done = pmhgw(rig.dir, "verify", "--since", kept, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["good"], done.stdout
    after = tmp_path / "after.json"
    after.write_text(pmhgw(rig.dir, "prove", str(newest)).stdout)
    for file in (before, after, kept):
        assert pmhgw(None, "check", file, "--key", pub).returncode == 0
    done = pmhgw(None, "check", after, "--key", old_pub, "--json")
    assert (done.returncode, json.loads(done.stdout)["what"]) == (1, "stranger")

    # What the old key signs beyond its range is nothing: whoever stole it can write no newer log.
    doc = json.loads(after.read_text())
    doc["checkpoint"] = audit_tree.sign_checkpoint(seed, *audit_tree.checkpoint(doc["checkpoint"], lines[0] + "\n"))
    (tmp_path / "stolen.json").write_text(json.dumps(doc))
    done = pmhgw(None, "check", tmp_path / "stolen.json", "--key", pub, "--json")
    assert (done.returncode, json.loads(done.stdout)["what"]) == (1, "retired")
    assert pmhgw(None, "check", tmp_path / "stolen.json", "--key", old_pub).returncode == 0  # it is the range, not the signature


@pytest.mark.parametrize("stage", ["made", "listed", "signed"])
def test_a_replacement_that_was_broken_off_is_repeated(big, tmp_path, stage):
    """The files as a crash would leave them behind each step: the next run goes on with the key that had been made."""
    state = tmp_path / "s"
    shutil.copytree(big.state, state)
    pub, key = state / "keys" / "audit.pub", state / "keys" / "audit-sign.key"
    first, seed, fresh = pub.read_text(), key.read_bytes(), bytes(range(32))
    key.with_name("audit-sign.key.next").write_bytes(fresh)
    key.with_name("audit-sign.key.next").chmod(0o600)
    if stage != "made":
        pub.write_text(audit_tree.verifier_key(fresh) + f"{first.strip()} {SIZE - 1}\n")  # the daemon has signed more since
    if stage == "signed":
        note = (state / "audit" / "checkpoint").read_text()
        signature = audit_tree.sign_checkpoint(fresh, *audit_tree.checkpoint(note, first)).split("\n\n")[1]
        (state / "audit" / "checkpoint").write_text(note + signature)
        with (state / "audit" / "checkpoints").open("a") as f:
            f.write("half a li")
    done = pmhgw(state, "rotate-key")
    assert done.returncode == 0, done.stderr
    assert key.read_bytes() == fresh and pub.read_text() == audit_tree.verifier_key(fresh) + f"{first.strip()} {SIZE}\n"
    done = pmhgw(state, "verify", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["good"], done.stdout
    assert audit_tree.checkpoint((state / "audit" / "checkpoint").read_text(), pub.read_text().splitlines()[0] + "\n")[0] == SIZE


def test_a_list_of_keys_that_contradicts_itself_is_refused(big, tmp_path):
    key, other = big.vkey.strip(), audit_tree.verifier_key(b"\7" * 32).strip()
    bad = tmp_path / "bad.pub"
    for text in ("", f"{key} 5\n", f"{key}\n{other}\n", f"{key}\n{key} 5\n", f"{key}\n{other} 0\n", f"{key}\n{other} x\n", f"{key}\n\n{other} 5\n",
                 f"{key}\n{other} 5 \n", f"{key}\n{other.replace('pmhgw', 'other')} 5\n", f"{key}\n" * 2):
        bad.write_text(text)
        assert pmhgw(big.state, "verify", "--key", bad).returncode == 2, text
    bad.write_text(f"{other}\n{key} {SIZE}\n")
    assert pmhgw(big.state, "verify", "--key", bad).returncode == 0
    bad.write_text(f"{other}\n{key} {SIZE - 1}\n")
    done = pmhgw(big.state, "verify", "--key", bad, "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["what"] == "signature"
