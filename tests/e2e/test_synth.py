"""pmhgw-synth: linkage files of made-up residents."""
import json
import os
import pathlib
import re
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PMHGW_BIN", "build/release/bin"))


def synth(out, *args, count=200, code=0):
    done = subprocess.run([BIN / "pmhgw-synth", "--muni", "331007", "--count", str(count), "--out", out, *args],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return pathlib.Path(out)


def test_the_same_seed_writes_the_same_file(tmp_path):
    a, b, c = (synth(tmp_path / n, "--csv", "--seed", s) / "331007.csv" for n, s in (("a", "1"), ("b", "1"), ("c", "2")))
    assert a.read_bytes() == b.read_bytes() != c.read_bytes()


def test_cp932_holds_every_row_and_changes_nothing_but_names(tmp_path):
    utf8 = (synth(tmp_path / "u", "--csv", count=2000) / "331007.csv").read_bytes().decode("utf-8").split("\r\n")
    # Python's name of what Windows and glibc call CP932; user-defined characters are in its private use area
    raw = (synth(tmp_path / "c", "--csv", "--encoding", "cp932", count=2000) / "331007.csv").read_bytes()
    cp932 = raw.decode("cp932", errors="replace").split("\r\n")
    assert len(utf8) == len(cp932) and utf8[0] == cp932[0]
    names = [utf8[0].split(",").index(h) for h in ("氏名", "氏名カナ")]
    changed = 0
    for u, c in zip(utf8[1:], cp932[1:]):
        u, c = u.split(","), c.split(",")
        changed += any(u[i : i + 1] != c[i : i + 1] for i in names)
        assert [v for i, v in enumerate(u) if i not in names] == [v for i, v in enumerate(c) if i not in names]
    assert 0 < changed < len(utf8) // 2


def test_residents_come_again_with_another_address_and_nothing_else(tmp_path):
    def cells(*args):
        text = (synth(tmp_path / str(len(args)), "--csv", "--encoding", "cp932", "--distinct", *args) / "331007.csv").read_bytes().decode("cp932")
        return [line.split(",") for line in text.split("\r\n")[:-1]]
    once, thrice = cells(), cells("--times", "3")
    assert thrice[:201] == once and len(thrice) == 601
    at = once[0].index("住所")
    for n in (1, 2):
        for was, now in zip(once[1:], thrice[1 + 200 * n:]):
            assert was[:at] + was[at + 1:] == now[:at] + now[at + 1:] and now[at] == f'{was[at][:-1]}　{n}号室"'
    cards = tmp_path / "2" / "331007.cards.jsonl"
    assert len(cards.read_text().splitlines()) == 200, "a card each, however often they come"


def test_distinct_residents_have_one_row_each_and_no_cards_are_written_when_none_are_wanted(tmp_path):
    out = synth(tmp_path / "d", "--jsonl", "--distinct", "--no-cards", count=2000)
    assert [p.name for p in out.iterdir()] == ["331007.jsonl"]
    assert len((out / "331007.jsonl").read_text().splitlines()) == 2000


@pytest.mark.parametrize("form", ["history", "checkup", "vaccination", "ticket"])
def test_every_form_has_its_own_file(tmp_path, form):
    out = synth(tmp_path / "f", "--csv", "--form", form)
    assert (out / f"331007.{form}.csv").read_text().startswith(("証明書種別ID,", "変更区分,"))


@pytest.mark.parametrize("args", [["--form", "pets"], ["--encoding", "cp932"], ["--csv", "--encoding", "latin1"], ["--csv=1"], ["--times", "0"], ["--times", "1001"], ["more"]])
def test_what_it_does_not_know_is_refused(tmp_path, args):
    synth(tmp_path / "x", *args, code=64)
    assert not (tmp_path / "x").exists()


def test_tickets_are_for_programs_of_the_shipped_table_by_the_age_of_their_residents(tmp_path):
    table = (pathlib.Path(__file__).resolve().parents[2] / "config/vaccines.yaml").read_text()
    known = set(re.findall(r"^  - id: (\S+)$", table, re.M))
    rows = {form: json.loads((synth(tmp_path / form, "--form", form, count=2000) / f"331007.{form}.json").read_text()) for form in ("vaccination", "ticket")}
    ages = {}
    for subject, ticket in zip(rows["vaccination"], rows["ticket"]):
        assert subject["municipalityIdentityKey"] == ticket["municipalityIdentityKey"]
        age = 2026 - int(subject["basicFiveInfo"]["dateOfBirth"][:4])
        ages.setdefault(ticket["vaccinationProgramId"], set()).add(age)
    assert known >= set(ages) and len(ages) >= 8
    assert ages["mr-1"] <= {1, 2} and min(ages["influenza-elderly"]) >= 65 and ages["mr-2"] <= {5, 6, 7}
