"""The command itself: help, pages and completion out of one table; JSON of every kind; the doctor names cause and next step; init makes what a new gateway and
those who connect to it need."""

import datetime
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import unicodedata

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from rig import BIN, ROOT, free_base, wait_for

LANGS = ("ja_JP.UTF-8", "en_US.UTF-8", "C.UTF-8")


def pmhgw(*argv, lang="en_US.UTF-8", **env):
    return subprocess.run([BIN / "pmhgw", *map(str, argv)], capture_output=True, text=True, timeout=60,
                          env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LC_ALL": lang, **env})


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def commands():
    """Every command and word, as the reference names them."""
    return re.findall(r"^###+ (.+)$", (ROOT / "docs/cli.md").read_text(), re.M)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A state that nothing runs on."""
    state = tmp_path_factory.mktemp("c") / "s"
    done = pmhgw("init", "gateway", "--state", state, "--host", "gateway.example.jp", "--host", "192.0.2.7", "--muni", "331007", "--name", "岡山県広域連合", "--json")
    assert done.returncode == 0, done.stderr
    return state


# ---- help, pages, completion ----

def test_the_reference_is_what_the_command_says():
    assert (ROOT / "docs/cli.md").read_text() == pmhgw("man", "--markdown").stdout, "make it anew: pmhgw man --markdown >docs/cli.md"


@pytest.mark.parametrize("lang", LANGS)
def test_help_of_everything_fits_80_columns(lang):
    names = commands()
    assert len(names) > 60
    for name in ["", *names[LANGS.index(lang)::1 if lang.startswith("ja") else 4]]:
        r = pmhgw(*name.split(), "--help", lang=lang)
        assert r.returncode == 0 and not r.stderr, (name, r.stderr)
        wide = [line for line in r.stdout.splitlines() if columns(line) > 82]  # 、 and 。 may hang over
        assert not wide, (name, wide)
        japanese = bool(re.search(r"[ぁ-ん]", r.stdout))
        assert japanese == (lang != "en_US.UTF-8"), (name, lang)


def test_man_pages_are_good_roff(tmp_path):
    for lang in ("en", "ja"):
        page = tmp_path / f"{lang}.1"
        page.write_text(pmhgw("man", "--lang", lang).stdout)
        r = subprocess.run(["groff", "-K", "utf8", "-T", "utf8", "-man", "-ww", "-z", page], capture_output=True, text=True, timeout=60)
        assert r.returncode == 0 and not r.stderr, r.stderr[:2000]
        text = subprocess.run(["groff", "-K", "utf8", "-T", "utf8", "-man", page], capture_output=True, text=True, timeout=60).stdout
        assert "reconcile" in text and ("予防接種" in text) == (lang == "ja")
    broken = tmp_path / "broken.1"
    broken.write_text(".TH X 1\n.SH\n.NOSUCH\n")
    assert subprocess.run(["groff", "-man", "-ww", "-z", broken], capture_output=True, text=True).stderr, "the check can fail"


def complete_in_bash(tmp_path, line, state):
    script = f"""
source <({BIN}/pmhgw completion bash)
COMP_WORDS=({BIN}/pmhgw {line}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_pmhgw; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    r = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, cwd=tmp_path, env={**os.environ, "PMHGW_STATE": str(state), "LC_ALL": "C.UTF-8"})
    assert not r.stderr, r.stderr
    return r.stdout.split()


def test_completion(tmp_path, state):
    (tmp_path / "file.csv").touch()
    for name in ("spool", "spool/331007-0123456789abcdef0123456789abcdef"):
        (state / name).mkdir(mode=0o700, exist_ok=True)
    for line, want in (("ta", "tasks"), ("tasks und", "undo"), ("tasks undo ''", "0123456789abcdef0123456789abcdef"), ("keys rotate ''", "link-jwe"), ("import --form ch", "checkup"),
                       ("import --muni ''", "331007"), ("import fi", "file.csv"), ("status --qu", "--quick"), ("completion ''", "zsh")):
        found = complete_in_bash(tmp_path, line, state)
        assert want in found, (line, found)
    assert "--json" not in complete_in_bash(tmp_path, "status --json --", state), "what was given is not offered again"
    assert complete_in_bash(tmp_path, "launch --", state) == ["--help"] and "launch" not in complete_in_bash(tmp_path, "''", state)
    for shell in ("zsh", "fish"):
        script = tmp_path / shell
        script.write_text(pmhgw("completion", shell).stdout)
        assert "pmhgw" in script.read_text()
        if shutil.which(shell):
            assert subprocess.run([shell, "-n", script], capture_output=True).returncode == 0


def test_wrong_words():
    for argv, meant in ((("stauts",), "pmhgw status"), (("audit", "verfy"), "pmhgw audit verify"), (("tasks", "undoo", "x"), "pmhgw tasks undo")):
        r = pmhgw(*argv)
        assert r.returncode == 2 and f"did you mean {meant}?" in r.stderr, r.stderr
    r = pmhgw("status", "--123456789018")
    assert r.returncode == 2 and "123456789018" not in r.stderr, "a number that was typed in the wrong place is not repeated"
    assert pmhgw().returncode == 2 and pmhgw("nonsense-at-all").returncode == 2


# ---- JSON, tables, colour ----

def test_what_cannot_be_done_is_a_problem_document(tmp_path, state):
    for argv in (("keys", "list", "--state", tmp_path / "none"), ("status", "--state", tmp_path / "none"), ("why", "xyz", "--state", state)):
        r = pmhgw(*argv, "--json")
        doc = json.loads(r.stdout)
        assert r.returncode == 2 and doc["exit"] == 2 and doc["type"] == f"urn:pmhgw:problem:{doc['code']}" and doc["title_en"].isascii() and re.search(r"[ぁ-んァ-ヶ一-龠]", doc["title"]), (argv, doc)
        assert r.stderr, "what is for people is on standard error"


def test_the_result_is_one_object(state):
    r = pmhgw("keys", "list", "--state", state, "--json")
    assert json.loads(r.stdout) == {"command": "keys list", "exit": 0, "keys": [{"kid": "k1", "state": "in_use", "retire_from": None}], "messages": []} and not r.stderr
    doc = json.loads(pmhgw("basis", "list", "--state", state, "--json").stdout)
    assert len(doc["bases"]) > 10 and {"id", "law_ja", "law_en", "purpose", "callers", "operations"} <= set(doc["bases"][0])
    doc = json.loads(pmhgw("certs", "revoke", "muni-331007", "--state", state, "--json").stdout)
    assert doc["exit"] == 0 and doc["messages"][0]["level"] == "done"


def on_terminal(*argv, width=60, **env):
    """What the command writes on a terminal of that width."""
    pid, fd = pty.fork()
    if pid == 0:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        os.environ.update({"LC_ALL": "ja_JP.UTF-8", "TERM": "xterm", "PMHGW_SHARE": str(ROOT / "config"), **env})
        os.execv(BIN / "pmhgw", [str(BIN / "pmhgw"), *map(str, argv)])
    out = b""
    while select.select([fd], [], [], 20)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode()


def test_tables_fit_the_terminal_and_colour_is_for_terminals(state):
    shown = on_terminal("certs", "list", "--state", state, width=60)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert "名前" in lines[0] and len(lines) > 8 and max(columns(line) for line in lines[:-1]) <= 60 and "…" in shown, shown
    assert "\x1b[1m" in shown and "\x1b[" not in on_terminal("certs", "list", "--state", state, NO_COLOR="1")
    plain = pmhgw("certs", "list", "--state", state, lang="ja_JP.UTF-8").stdout
    assert "\x1b[" not in plain and "…" not in plain and "municipality/331007/kodomo" in plain


# ---- doctor ----

def doctor(state):
    r = pmhgw("doctor", "--state", state, "--json")
    assert r.returncode == 1, "nothing runs"
    found = json.loads(r.stdout)["findings"]
    for f in found:
        assert f["cause_en"] and f["next_en"] and re.search(r"[ぁ-んァ-ヶ一-龠]", f["cause_ja"]), f
        assert f["next_ja"] and f["cause_ja"] != f["next_ja"]
    assert all(f["cause_en"] in r.stderr and f["next_en"] in r.stderr for f in found), "people see the same"
    return {f["code"]: f for f in found}


def expired(path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "doors")])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
            .not_valid_before(now - datetime.timedelta(days=9)).not_valid_after(now - datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))


def copied(state, to):
    """A state of its own to be broken."""
    shutil.copytree(state, to, copy_function=shutil.copy2)
    for conf in (to / "conf").iterdir():
        conf.write_text(conf.read_text().replace(str(state), str(to)))
    return to


def test_doctor_names_cause_and_next_step(state, tmp_path):
    broken = copied(state, tmp_path / "s")
    (broken / "audit/head").touch()
    healthy = set(doctor(broken))
    assert healthy == {"not_running"} | (healthy & {"disk_low", "folder_missing"}), healthy
    (broken / "keys/link.master").unlink()
    (broken / "keys/vault.master").chmod(0o644)
    expired(broken / "certs/doors.pem")
    later = datetime.datetime.now().timestamp() + 7200
    os.utime(broken / "audit/head", (later, later))
    conf = broken / "conf/redis-link.conf"
    conf.write_text(conf.read_text().replace("appendfsync always", "appendfsync no"))
    (broken / "certs/crl.pem").write_text("nothing")
    found = doctor(broken)
    assert {"key_missing", "mode_open", "certificate_expired", "clock_behind", "redis_settings"} <= set(found), set(found)
    assert "link.master" in found["key_missing"]["cause_en"] and "restore" in found["key_missing"]["next_en"]
    assert "chmod" in found["mode_open"]["next_ja"] and "doors.pem" in found["certificate_expired"]["cause_ja"]
    assert any(code.startswith("revocation_list") for code in found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_doctor_sees_a_disk_that_is_nearly_full(state, tmp_path):
    broken = tmp_path / "s"
    shutil.copytree(state, broken, copy_function=shutil.copy2)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", broken / "log"], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        low = doctor(broken)["disk_low"]
        assert "/log" in low["cause_en"] and "df -h" in low["next_en"]
    finally:
        subprocess.run(["umount", broken / "log"], check=True)


# ---- init ----

def test_init_makes_a_gateway_with_a_ca_of_its_own(state):
    assert {p.stat().st_mode & 0o077 for p in state.rglob("*")} == {0}
    ca = x509.load_pem_x509_certificate((state / "certs/ca.pem").read_bytes())
    doors = x509.load_pem_x509_certificate((state / "certs/doors.pem").read_bytes())
    ca.public_key().verify(doors.signature, doors.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    names = doors.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "gateway.example.jp"} <= set(names.get_values_for_type(x509.DNSName)) and "192.0.2.7" in map(str, names.get_values_for_type(x509.IPAddress))
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca and not doors.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    before = {p: p.read_bytes() for p in state.rglob("*") if p.is_file()}
    assert pmhgw("init", "gateway", "--state", state).returncode == 2, "nothing is written over"
    assert before == {p: p.read_bytes() for p in state.rglob("*") if p.is_file()}
    done = pmhgw("up", "--only-setup", "--state", state, "--muni", "331007")
    assert done.returncode == 0 and not (state / "certs/mocks.pem").exists() and not (state / "certs/clinic-3319900019.pem").exists(), "no certificate of the development CA"


def test_a_gateway_that_init_made_lets_its_clinic_in(tmp_path):
    state, base = tmp_path / "s", free_base()
    assert pmhgw("init", "gateway", "--state", state, "--host", "gateway.example.jp", "--muni", "331007", "--base-port", base).returncode == 0
    assert pmhgw("init", "clinic", "3319900019", "--ca", state / "certs", "--out", tmp_path / "c").returncode == 0
    with open(tmp_path / "log", "wb") as log:
        up = subprocess.Popen([BIN / "pmhgw", "up", "--state", state, "--base-port", str(base), "--muni", "331007"], stdout=log, stderr=log,
                              env={"PMHGW_SHARE": str(ROOT / "config"), **os.environ, "LC_ALL": "C.UTF-8"})
    try:
        wait_for("it is up", 40, lambda: (state / "run/ready").exists())
        context = ssl.create_default_context(cafile=state / "certs/ca.pem")
        context.load_cert_chain(tmp_path / "c/clinic-3319900019.pem", tmp_path / "c/clinic-3319900019.key")
        with socket.create_connection(("127.0.0.1", base + 2), 20) as raw, context.wrap_socket(raw, server_hostname="gateway.example.jp") as door:
            door.sendall(b'POST /v1/clinic/eligibility HTTP/1.1\r\nHost: gateway.example.jp\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"link_key":"x"}')
            assert door.recv(4096).startswith(b"HTTP/1.1 404"), "a clinic that shows no link key hears nothing, as every clinic"
        done = pmhgw("doctor", "--state", state)
        assert done.returncode == 0, done.stderr
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)


@pytest.mark.parametrize("kind, code, identity", (("municipality", "331007", "municipality/331007/kodomo"), ("clinic", "3319900019", "clinic/3319900019"), ("portal", "mynaportal", "portal/mynaportal")))
def test_init_of_who_connects(state, tmp_path, kind, code, identity):
    done = pmhgw("init", kind, code, "--ca", state / "certs", "--out", tmp_path / "o", "--p12", "--door", "https://gateway.example.jp:18442", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    config = json.loads(next((tmp_path / "o").glob("*.json")).read_text())
    assert config["identity"] == identity and config["door"].endswith(":18442") and all((tmp_path / "o" / config[k]).exists() for k in ("certificate", "key", "ca"))
    cert = x509.load_pem_x509_certificate((tmp_path / "o" / config["certificate"]).read_bytes())
    uri = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.UniformResourceIdentifier)
    assert uri == [f"pmhgw:{identity}"]
    x509.load_pem_x509_certificate((state / "certs/ca.pem").read_bytes()).public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    key, own, chain = pkcs12.load_key_and_certificates(next((tmp_path / "o").glob("*.p12")).read_bytes(), told["p12_password"].encode())
    assert own.serial_number == cert.serial_number and len(chain) == 1 and key is not None and len(told["p12_password"]) == 24
    assert {p.stat().st_mode & 0o077 for p in (tmp_path / "o").iterdir()} == {0}
    assert pmhgw("init", kind, code, "--ca", state / "certs", "--out", tmp_path / "o").returncode == 2, "nothing is written over"
    # for somebody else's CA
    done = pmhgw("init", kind, code, "--csr", "--out", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    csr = x509.load_pem_x509_csr(next((tmp_path / "r").glob("*.csr")).read_bytes())
    assert csr.is_signature_valid and not list((tmp_path / "r").glob("*.pem"))


def test_init_refuses_wrong_words(state, tmp_path):
    for argv in (("municipality", "33100"), ("clinic", "33199"), ("portal", "Not A Name"), ("municipality", "331007", "--system", "../x")):
        assert pmhgw("init", *argv, "--ca", state / "certs", "--out", tmp_path / "o").returncode == 2 and not (tmp_path / "o").exists(), argv
    assert pmhgw("init", "clinic", "3319900019", "--out", tmp_path / "o").returncode == 2, "neither --ca nor --csr"
    assert pmhgw("init", "clinic", "3319900019", "--ca", tmp_path, "--out", tmp_path / "o").returncode == 2, "no CA there"
    assert pmhgw("init", "gateway", "--state", tmp_path / "g", "--host", "bad host").returncode == 2
