"""The command among others: what it reads stays in it, what strangers made is written as text, and what is there is in the backup, whatever the file system says of it."""

import base64
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import zlib

import pytest

from rig import BIN, ROOT, wait_for

PASSPHRASE = "correct horse battery staple"
# A readdir() of file systems that do not tell what a name is (NFS, some of FUSE).
SHIM = """#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#define UNTOLD(type, name) \\
    struct type *name(DIR *d) \\
    { \\
        struct type *(*real)(DIR *) = (struct type * (*)(DIR *)) dlsym(RTLD_NEXT, #name), *x = real(d); \\
        if (x) \\
            x->d_type = DT_UNKNOWN; \\
        return x; \\
    }
UNTOLD(dirent, readdir)
UNTOLD(dirent64, readdir64)
"""


def pmhgw(*argv, **env):
    return subprocess.run([BIN / "pmhgw", *map(str, argv)], capture_output=True, text=True, timeout=60, env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LC_ALL": "en_US.UTF-8", **env})


@pytest.fixture
def state(tmp_path):
    done = pmhgw("init", "gateway", "--state", tmp_path / "s", "--muni", "331007")
    assert done.returncode == 0, done.stderr
    (tmp_path / "word").write_text(PASSPHRASE + "\n")
    return tmp_path / "s"


# ---- what it reads stays in it ----

def cores_allowed():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def writer(fifo):
    """Its other end, once somebody reads; None before."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


@pytest.fixture
def waiting():
    """A command in the middle of reading a passphrase; started by somebody who lets it write cores, and, where root runs this, as nobody."""
    box = pathlib.Path(tempfile.mkdtemp())
    box.chmod(0o777)
    os.mkfifo(box / "word")
    (box / "word").chmod(0o666)
    shutil.copy(BIN / "pmhgw", box / "pmhgw")
    child = subprocess.Popen([box / "pmhgw", "restore", "none", "--passphrase-file", box / "word"], cwd=box, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             user="nobody" if os.geteuid() == 0 else None, preexec_fn=cores_allowed)
    try:
        held = wait_for("it reads the passphrase", 10, lambda: writer(box / "word"))
        yield child
        os.close(held)
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(box)


def test_no_core_has_what_it_read_and_nobody_looks_into_it(waiting):
    limits = pathlib.Path(f"/proc/{waiting.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits), limits
    # the files of a process that may not be looked into are root's, also when it is not
    assert pathlib.Path(f"/proc/{waiting.pid}/environ").stat().st_uid == 0
    waiting.send_signal(signal.SIGABRT)
    _, status = os.waitpid(waiting.pid, 0)
    waiting.returncode = -signal.SIGABRT
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)


# ---- what strangers made is written as text ----

def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def card(kid, rid):
    squeeze = zlib.compressobj(wbits=-15)
    payload = squeeze.compress(json.dumps({"vc": {"rid": rid}}).encode()) + squeeze.flush()
    return ".".join((b64(json.dumps({"alg": "ES256", "zip": "DEF", "kid": kid}).encode()), b64(payload), b64(bytes(64))))


@pytest.mark.parametrize("kid, rid", (("A" * 43, 'a","verdict":"good'), ('a","verdict":"good' + "A" * 25, "a"), ("A" * 43, "\x1b[2J\n{}")))
def test_a_certificate_cannot_say_itself_that_it_is_good(state, tmp_path, kid, rid):
    (tmp_path / "jwks.json").write_text('{"keys":[]}')
    (tmp_path / "card").write_text(card(kid, rid))
    done = pmhgw("certificate", "verify", tmp_path / "card", "--jwks", tmp_path / "jwks.json", "--state", state, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["verdict"] == "unknown_key" and told["kid"] == kid and told["id"] == rid, done.stdout
    assert done.stdout.count("\n") == 1 and "\x1b" not in done.stdout


# ---- what it writes is its own ----

def test_a_file_that_somebody_has_put_there_before_gets_nothing(state, tmp_path):
    theirs = os.open(tmp_path / "b.part", os.O_RDWR | os.O_CREAT, 0o666)
    os.fchmod(theirs, 0o666)
    done = pmhgw("backup", tmp_path / "b", "--passphrase-file", tmp_path / "word", "--state", state)
    assert done.returncode == 0 and (tmp_path / "b").stat().st_size > 1000, done.stderr
    assert os.fstat(theirs).st_size == 0 and (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    os.close(theirs)


# ---- what is there is in the backup ----

@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    d = tmp_path_factory.mktemp("shim")
    (d / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", d / "shim.so", d / "shim.c", "-ldl"], check=True, timeout=60)
    return d / "shim.so"


def test_a_backup_has_everything_where_the_file_system_does_not_tell_files_from_folders(state, tmp_path, shim):
    (state / "audit/tile").mkdir(parents=True)
    (state / "audit/tile/000").write_bytes(b"x" * 40)
    done = pmhgw("backup", tmp_path / "plain", "--passphrase-file", tmp_path / "word", "--state", state, "--json")
    there = json.loads(done.stdout)["files"][0]["members"]
    assert done.returncode == 0 and there > 10, done.stderr
    done = pmhgw("backup", tmp_path / "untold", "--passphrase-file", tmp_path / "word", "--state", state, "--json", LD_PRELOAD=str(shim))
    assert done.returncode == 0 and json.loads(done.stdout)["files"][0]["members"] == there, done.stdout
    done = pmhgw("restore", tmp_path / "untold", "--passphrase-file", tmp_path / "word", "--state", tmp_path / "back", "--audit", state / "audit", LD_PRELOAD=str(shim))
    assert done.returncode == 0 and (tmp_path / "back/audit/tile/000").read_bytes() == b"x" * 40, done.stderr


def test_a_backup_names_what_it_leaves_out(state, tmp_path):
    done = pmhgw("backup", tmp_path / "all", "--passphrase-file", tmp_path / "word", "--state", state)
    assert done.returncode == 0 and "left out" not in done.stderr, done.stderr
    (state / "conf/front (old).yaml").write_text("workers: 1\n")
    done = pmhgw("backup", tmp_path / "some", "--passphrase-file", tmp_path / "word", "--state", state)
    assert done.returncode == 0 and "1 files were left out" in done.stderr, done.stderr
