"""Certificates and the citizen's notices follow the records that they are about: a new number, a merge and its undo, a wrong registration, an erasure."""

import concurrent.futures
import json
import secrets
import threading

import pytest

from cert_rig import BIRTH, COVID, COVID_GTIN, Issuing
from es256 import unb64
from front_rig import Redis
from rig import fresh_number, wait_for
from sheet_rig import Town
from vaccine_rig import MUNI, OTHER, Child, new_id, one, today


@pytest.fixture(scope="module")
def town(rig):
    return Town(rig)


@pytest.fixture(scope="module")
def desk(rig, town):
    return Issuing(rig)


@pytest.fixture(scope="module")
def store(rig):
    return Redis(rig.state / "run/redis-link.sock", "intake", (rig.state / "keys/redis-link-intake.pass").read_text().strip())


class Resident(Child):
    """With a portal's pseudonym and a clinic's session; known in the store by the handle of its person."""

    def __init__(self, town, desk, store):
        before = set(store("ZRANGE", f"vi:{MUNI}", 0, -1))
        super().__init__(town, born=BIRTH)
        self.desk, self.store = desk, store
        (self.handle,) = set(store("ZRANGE", f"vi:{MUNI}", 0, -1)) - before
        self.at = self.session()

    def also_of(self, muni):
        task = self.rig.register(muni, [{**self.base, "isNotDisclosed": False}], "/v1/vaccination/subject-registration-tasks")
        assert task["rows"][0]["result"] == "registered", task

    def covid(self, n, **more):
        return {"vaccinationProgramId": COVID, "gtin": COVID_GTIN, "doseNumber": str(n), "vaccinationDate": f"2024-0{n}-01", "expirationDate": "2026-12-31", **more}

    def give(self, n=1, **more):
        return one(self.record(self.at, **self.covid(n, **more)))

    def mend(self, record, n=1, session=None, **more):
        return one(self.correct(session or self.at, record, **self.covid(n, lotNumber="MENDED", **more)))

    def issue(self, doses=None):
        a = self.desk.issue(self, **({"doses": [{"immunizationId": d["immunizationId"]} for d in doses]} if doses else {}))
        assert a.status == 200, a.body
        (card,) = a.json()["certificates"]
        card["kid"] = json.loads(unb64(card["jws"].split(".")[0]))["kid"]
        return card

    def cards(self):
        return {c["certificate_id"]: (c["state"], len(c["doses"])) for c in self.desk.certificates(self)}

    def told(self):
        a = self.own("notices")
        assert a.status == 200, a.body
        return sorted((n["municipalityCode"], n["immunizationId"]) for n in a.json()["notices"])

    def fields(self, *kinds):
        return sorted(f for f in self.store("HGETALL", b"p:{" + self.handle + b"}")[::2] if f.startswith(kinds))

    def change(self, kind, muni=MUNI, **more):
        row = {"changeType": kind, "municipalityIdentityKey": self.key, "effectiveDate": today(), "operationKey": new_id(), **more}
        a = self.rig.muni(muni, "POST", "/v1/residents/change-tasks", [row])
        assert a.status == 202, a.body
        task = self.rig.follow(muni, a.json()["task_id"])
        assert [r["result"] for r in task["rows"]] == ["updated"], task
        return row["operationKey"]

    def link(self, number):
        """What portal and card reader do with a number that they have not seen."""
        self.pmh_key, self.pseudonym = self.town.pmh_key(number), "ps-" + secrets.token_hex(10)
        assert self.town.portal("pseudonyms", {"pmh_key": self.pmh_key, "pseudonym": self.pseudonym}).status == 204
        self.at = self.session()

    def erase(self, muni=MUNI):
        a = self.rig.muni(muni, "POST", "/v1/residents/erase", {"municipalityIdentityKey": self.key, "reason": "no_longer_needed"})
        assert a.status == 200, a.body


@pytest.fixture
def settle(town, desk, store):
    return lambda: Resident(town, desk, store)


def verdict(rig, tmp_path, card):
    path = tmp_path / "card.txt"
    path.write_text(card["jws"])
    return json.loads(rig.command("certificate", "verify", str(path), "--json").stdout)["verdict"]


def test_a_new_number_takes_certificates_and_notices_along(rig, settle, tmp_path):
    r = settle()
    dose, new = r.give(), fresh_number()
    card, told = r.issue(), r.told()
    assert told == [(MUNI, dose["immunizationId"])]
    rig.canaries.add(new)
    r.change("number_changed", newMyNumber=new)
    assert r.fields(b"ct:", b"nt:") == []
    r.link(new)
    assert r.cards() == {card["certificate_id"]: ("good", 1)} and r.told() == told and verdict(rig, tmp_path, card) == "good"
    r.mend(dose)
    assert verdict(rig, tmp_path, card) == "superseded" and r.cards() == {card["certificate_id"]: ("superseded", 1)}


@pytest.mark.parametrize("mended", ["moved", "stayed"])
def test_the_records_of_another_municipality_stay_and_so_does_their_part(rig, settle, tmp_path, mended):
    """Only one of two municipalities reports the new number: a change of a record by either supersedes the card; then the other hears of it too."""
    r = settle()
    r.also_of(OTHER)
    mine, theirs, new = r.give(1), r.give(2, municipalityCode=OTHER), fresh_number()
    card, old = r.issue(), r.at
    rig.canaries.add(new)
    r.change("number_changed", newMyNumber=new)
    assert len(r.fields(b"ct:")) == 1 and r.told() == [(OTHER, theirs["immunizationId"])], "what is the other's stays there"
    r.link(new)
    assert r.cards() == {card["certificate_id"]: ("good", 1)} and r.told() == [(MUNI, mine["immunizationId"])]
    if mended == "moved":
        r.mend(mine)
    else:
        one(r.correct(old, theirs, cancel=True))
    assert verdict(rig, tmp_path, card) == "superseded"
    r.change("number_changed", muni=OTHER, newMyNumber=new)
    assert r.cards() == {card["certificate_id"]: ("superseded", 2)} and r.fields(b"ct:", b"nt:") == [], "the parts are one again"


def test_a_merge_takes_them_to_the_survivor_and_its_undo_back(rig, settle, tmp_path):
    kept, gone = settle(), settle()
    hers, his, second = gone.give(1), kept.give(1), kept.give(2)
    before, own = gone.issue(), kept.issue([his])
    operation = kept.change("merged", otherMunicipalityIdentityKey=gone.key)
    assert gone.fields(b"ct:", b"nt:") == []
    assert kept.cards() == {before["certificate_id"]: ("good", 1), own["certificate_id"]: ("good", 1)}
    assert kept.told() == sorted((MUNI, d["immunizationId"]) for d in (hers, his, second))
    both, only = kept.issue([hers, his]), kept.issue([second])
    assert verdict(rig, tmp_path, before) == verdict(rig, tmp_path, own) == "superseded"
    kept.change("unmerged", otherMunicipalityIdentityKey=gone.key, operationKey=operation)
    assert gone.cards() == {before["certificate_id"]: ("superseded", 1)} and gone.told() == [(MUNI, hers["immunizationId"])]
    assert kept.cards() == {own["certificate_id"]: ("superseded", 1), both["certificate_id"]: ("revoked", 1), only["certificate_id"]: ("good", 1)}
    assert verdict(rig, tmp_path, both) == "revoked", "it says of one human what two were given"
    assert kept.told() == sorted((MUNI, d["immunizationId"]) for d in (his, second))


def test_after_an_undo_a_correction_finds_what_went_back(rig, settle, tmp_path):
    kept, gone = settle(), settle()
    dose = gone.give()
    card = gone.issue()
    operation = kept.change("merged", otherMunicipalityIdentityKey=gone.key)
    assert kept.read(kept.at).json()["immunizations"][0]["immunizationId"] == dose["immunizationId"], "a clinic that is told changes nothing"
    kept.change("unmerged", otherMunicipalityIdentityKey=gone.key, operationKey=operation)
    assert verdict(rig, tmp_path, card) == "good" and kept.cards() == {} and gone.cards() == {card["certificate_id"]: ("good", 1)}
    gone.mend(dose)
    assert verdict(rig, tmp_path, card) == "superseded"


def test_a_correction_by_the_survivor_supersedes_a_card_of_the_other(rig, settle, tmp_path):
    kept, gone = settle(), settle()
    dose = gone.give()
    card = gone.issue()
    kept.change("merged", otherMunicipalityIdentityKey=gone.key)
    kept.mend(dose)
    assert verdict(rig, tmp_path, card) == "superseded"


def test_a_wrong_registration_revokes_and_what_was_told_goes(rig, settle, tmp_path):
    r = settle()
    r.also_of(OTHER)
    mine, theirs = r.give(1), r.give(2, municipalityCode=OTHER)
    other = r.issue([theirs])
    both = r.issue([mine])
    operation = r.change("wrong_registration")
    assert verdict(rig, tmp_path, both) == "revoked" and verdict(rig, tmp_path, other) == "good"
    assert r.cards() == {other["certificate_id"]: ("good", 1)} and r.told() == [(OTHER, theirs["immunizationId"])]
    r.change("restored", operationKey=operation)
    assert verdict(rig, tmp_path, both) == "revoked" and r.told() == [(OTHER, theirs["immunizationId"])], "nothing leaves a list"
    assert r.issue([mine])["doses"][0]["immunizationId"] == mine["immunizationId"]


def test_an_erasure_revokes_what_has_its_records_and_leaves_no_trace_of_them(rig, settle, tmp_path):
    r = settle()
    r.also_of(OTHER)
    mine, theirs = r.give(1), r.give(2, municipalityCode=OTHER)
    mixed = r.issue()
    r.erase()
    assert verdict(rig, tmp_path, mixed) == "revoked"
    assert r.cards() == {mixed["certificate_id"]: ("revoked", 1)}, "with the record of the other municipality alone"
    again = r.issue()
    assert [d["immunizationId"] for d in again["doses"]] == [theirs["immunizationId"]] != [mine["immunizationId"]]
    r.erase(OTHER)
    assert verdict(rig, tmp_path, again) == "revoked" and r.store("HGETALL", b"p:{" + r.handle + b"}") == []


def while_applying(r, act):
    """What portals were given while something happened to their citizen."""
    stop, cards = threading.Event(), []

    def apply():
        while not stop.is_set():
            a = r.desk.issue(r)
            cards.extend(a.json()["certificates"] if a.status == 200 else [])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(apply) for _ in range(2)]
        try:
            wait_for("some are issued", 10, lambda: len(cards) > 3)
            act()
        finally:
            stop.set()
        for f in running:
            f.result()
    return cards


def test_nothing_that_is_issued_during_an_erasure_stays_good(rig, settle, tmp_path):
    r = settle()
    r.give()

    def erase():
        for _ in range(20):
            if rig.muni(MUNI, "POST", "/v1/residents/erase", {"municipalityIdentityKey": r.key, "reason": "no_longer_needed"}).status == 200:
                return
        raise AssertionError("it was never erased")
    cards = while_applying(r, erase)
    assert r.store("HGETALL", b"p:{" + r.handle + b"}") == []
    assert {verdict(rig, tmp_path, c) for c in cards} == {"superseded", "revoked"}


def test_everything_that_is_issued_during_a_change_of_number_goes_along(rig, settle, tmp_path):
    r = settle()
    dose, new = r.give(), fresh_number()
    rig.canaries.add(new)
    cards = while_applying(r, lambda: r.change("number_changed", newMyNumber=new))
    assert r.fields(b"ct:", b"nt:", b"i:") == []
    r.link(new)
    assert [verdict(rig, tmp_path, c) for c in cards].count("good") == 1 == [s for s, _ in r.cards().values()].count("good")
    r.mend(dose)
    assert {verdict(rig, tmp_path, c) for c in cards} == {"superseded"}
