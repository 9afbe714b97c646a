"""What daemons say of their settings, and docs/settings.md."""
import json
import os
import pathlib
import subprocess

import settings_doc

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PMHGW_BIN", ROOT / "build/release/bin"))
SIGNER = ["signer_socket", "signer_cap_front_file", "signer_cap_ctl_file", "signer_ring", "signer_master"]


def signer(tmp_path, text, *words, **env):
    file = tmp_path / "signer.yaml"
    file.write_text(text)
    return subprocess.run([BIN / "pmhgw-signer", "--config", file, *words], capture_output=True, text=True, timeout=10, env={**os.environ, **env})


def whole(tmp_path, **other):
    values = {name: tmp_path / name for name in SIGNER} | other
    return "".join(f"{name}: {value}\n" for name, value in values.items())


def test_the_document_is_what_the_daemons_say():
    assert (ROOT / "docs/settings.md").read_text() == settings_doc.document(BIN), f"run: tests/e2e/settings_doc.py {BIN} > docs/settings.md"


def test_what_is_in_force_is_shown_and_would_say_the_same(tmp_path):
    shown = signer(tmp_path, whole(tmp_path, log_level=3), "--show")
    assert shown.returncode == 0, shown.stderr
    file = tmp_path / "signer.yaml"
    assert f'signer_master: "{tmp_path}/signer_master"  # {file}:5, a secret: only where it lies\n' in shown.stdout
    assert f"log_level: 3  # {file}:6\n" in shown.stdout and "uid: 0  # default\n" in shown.stdout and "# signer_shc_uri:  # not set\n" in shown.stdout
    again = signer(tmp_path, shown.stdout, "--show")
    values = [[line.split("  #")[0] for line in text.splitlines()] for text in (shown.stdout, again.stdout)]
    assert again.returncode == 0 and values[0] == values[1]


def test_a_wrong_file_is_refused_with_its_place(tmp_path):
    for words in ([], ["--check"], ["--show"]):
        refused = signer(tmp_path, whole(tmp_path, log_level="loud"), *words)
        assert refused.returncode == (78 if words else 1) and not refused.stdout
        assert "signer.yaml:6:12: log_level: " in refused.stderr


def test_a_secret_that_everybody_may_read_is_refused(tmp_path):
    (tmp_path / "signer_master").write_bytes(bytes(32))
    (tmp_path / "signer_master").chmod(0o644)
    refused = signer(tmp_path, whole(tmp_path), "--show")
    assert refused.returncode == 78 and "signer.yaml:5:1: signer_master: " in refused.stderr
    (tmp_path / "signer_master").chmod(0o600)
    assert signer(tmp_path, whole(tmp_path), "--show").returncode == 0


def test_credentials_come_from_the_service_manager(tmp_path):
    text = whole(tmp_path, signer_master="credential:master")
    none = {"CREDENTIALS_DIRECTORY": ""}
    assert "signer.yaml:5:16: signer_master: " in signer(tmp_path, text, "--show", **none).stderr
    given = signer(tmp_path, text, "--show", CREDENTIALS_DIRECTORY="/run/credentials/x")
    assert 'signer_master: "/run/credentials/x/master"' in given.stdout


def test_the_command_shows_and_checks_the_settings_of_a_folder(tmp_path):
    def config(*words):
        return subprocess.run([BIN / "pmhgw", "config", *words], capture_output=True, text=True, timeout=10, env={k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"})
    folder = ROOT / "config/systemd/conf"
    assert config("check", "--dir", folder).returncode == 0
    shown = config("show", "front", "--dir", folder)
    assert shown.returncode == 0 and 'door_key: "/run/credentials/pmhgw-front.service/door.key"' in shown.stdout
    rows = {row["name"]: row for row in json.loads(config("show", "front", "--dir", folder, "--json").stdout)["settings"]}
    assert rows["workers"] == {"name": "workers", "value": 2, "unit": "processes", "source": "file", "line": 14, "secret_file": False, "reload": True}
    assert rows["stop_ms"]["source"] == "default" and rows["door_key"]["secret_file"]
    for name in ("front", "intake", "vault", "audit", "courier"):
        (tmp_path / f"{name}.yaml").write_text((folder / f"{name}.yaml").read_text())
    (tmp_path / "signer.yaml").write_text("log_level: 9\n")
    wrong = config("check", "--dir", tmp_path)
    assert wrong.returncode == 1 and "signer.yaml:1:12: log_level" in wrong.stderr
    assert config("show", "nobody", "--dir", folder).returncode == 2
