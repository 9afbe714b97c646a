"""Changes of residents as municipal systems send them, seen from a clinic and from the citizen's portal (docs/residents.md)."""

import datetime
import itertools
import os
import random
import socket
import threading
import time

import pytest

from rig import fresh_number, row_for, wait_for

MUNI, OTHER = "331007", "271403"
PATH = "/v1/residents/change-tasks"
TODAY = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=9)).date()
PAST, FUTURE = str(TODAY - datetime.timedelta(days=3)), str(TODAY + datetime.timedelta(days=30))
KEYS = itertools.count(random.randrange(10**6) * 1000)
KILLS = int(os.environ.get("PMHGW_CHANGE_KILLS", 2))


def new_key(what="jumin"):
    return f"{what}-{next(KEYS)}"


def op():
    return new_key("ido")


class Resident:
    """Registered, with a card."""

    def __init__(self, rig, key=None, **more):
        self.rig, self.key, self.number = rig, key or new_key(), fresh_number()
        self.row = row_for(self.number, self.key, **more)
        task = rig.register(MUNI, [self.row])
        assert task["counts"]["registered"] == 1, task
        self.card = rig.card_of(self.number)

    def seen(self, card=None):
        """What a clinic hears: the names of the certificates, [] for nothing."""
        return seen(self.rig, card or self.card)


def seen(rig, card):
    link_key = rig.consent(card)
    if link_key is None:
        return []  # the nation has no PMH key for this card yet
    a = rig.clinic(link_key)
    assert a.status in (200, 404), (a.status, a.body)
    return sorted(e["certificationName"] for e in a.json()["eligibility"]) if a.status == 200 else []


def citizen(rig, card):
    a = rig.citizen(card)
    return a.status == 200 and len(a.json().get("eligibility", [])) > 0


def change(rig, *rows, muni=MUNI, status=202):
    for r in rows:
        rig.canaries.update(n for n in (r.get("myNumber"), r.get("newMyNumber")) if isinstance(n, str) and len(n) == 12)
    a = rig.muni(muni, "POST", PATH, list(rows), timeout=120)
    assert a.status == status, (a.status, a.body)
    return a.json()


def outcome(doc):
    got = [(r["result"], r.get("code")) for r in doc["rows"]]
    return got[0] if len(got) == 1 else got


def row(kind, key, when=PAST, operation=None, **more):
    return {"changeType": kind, "municipalityIdentityKey": key, "effectiveDate": when, "operationKey": operation or op(), **more}


# ---- ends ----


@pytest.mark.parametrize("kind", ["moved_out", "died", "forced_expiry"])
def test_an_end_silences_and_is_taken_back(rig, kind):
    who, operation = Resident(rig), op()
    assert who.seen() and citizen(rig, who.card)
    doc = change(rig, row(kind, who.key, operation=operation, myNumber=who.number))
    assert outcome(doc) == ("updated", None) and doc["state"] == "done"
    assert rig.muni(MUNI, "GET", f"/v1/tasks/{doc['task_id']}").json()["counts"]["updated"] == 1
    assert who.seen() == [] and not citizen(rig, who.card)
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("updated", None)
    assert who.seen() and citizen(rig, who.card)
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("unchanged", None)
    late = change(rig, row(kind, who.key, operation=operation))
    assert outcome(late) == ("refused", "operation_undone") and late["state"] == "done_with_errors" and who.seen()


def test_a_future_end_waits_for_its_day_and_the_newest_date_wins(rig):
    who, operation = Resident(rig), op()
    assert outcome(change(rig, row("moved_out", who.key, FUTURE, operation))) == ("updated", None)
    assert who.seen()
    assert outcome(change(rig, row("moved_out", who.key, FUTURE, operation))) == ("unchanged", None)
    assert outcome(change(rig, row("moved_out", who.key, PAST, operation))) == ("updated", None)
    assert who.seen() == []
    # another system's own cancellation, with an operation of its own
    assert outcome(change(rig, row("restored", who.key))) == ("updated", None)
    assert who.seen()
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("unchanged", "changed_since")
    assert outcome(change(rig, row("restored", who.key))) == ("unchanged", None)


def test_undo_of_the_later_end_gives_the_earlier_one_back(rig):
    who, first, second = Resident(rig), op(), op()
    change(rig, row("moved_out", who.key, FUTURE, first), row("died", who.key, PAST, second))
    assert who.seen() == []
    assert outcome(change(rig, row("restored", who.key, operation=first))) == ("unchanged", "changed_since")
    assert outcome(change(rig, row("restored", who.key, operation=second))) == ("updated", None)
    assert who.seen()
    assert outcome(change(rig, row("restored", who.key, operation=first))) == ("updated", None)


# ---- 誤登録 ----


def test_wrong_registration_leaves_nothing_and_can_be_undone(rig):
    who, operation = Resident(rig), op()
    assert outcome(change(rig, row("wrong_registration", who.key, operation=operation))) == ("updated", None)
    assert who.seen() == [] and not citizen(rig, who.card)
    assert outcome(change(rig, row("moved_out", who.key))) == ("refused", "unknown_resident")
    assert outcome(change(rig, row("wrong_registration", who.key, operation=operation))) == ("unchanged", None)
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("updated", None)
    assert who.seen() and citizen(rig, who.card)
    assert rig.register(MUNI, [who.row])["counts"]["unchanged"] == 1


def test_wrong_registration_frees_the_key_for_the_right_number(rig):
    who, operation, right = Resident(rig), op(), fresh_number()
    change(rig, row("wrong_registration", who.key, operation=operation))
    assert rig.register(MUNI, [row_for(right, who.key)])["counts"]["registered"] == 1
    assert seen(rig, rig.card_of(right)) and who.seen() == []
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("unchanged", "changed_since")
    assert who.seen() == []


def test_a_wrong_registration_is_not_taken_back_over_somebody_with_an_earlier_number(rig):
    who, operation = Resident(rig), op()
    change(rig, row("number_changed", who.key, newMyNumber=fresh_number()))
    change(rig, row("wrong_registration", who.key, operation=operation))
    other = new_key()
    assert rig.register(MUNI, [row_for(who.number, other)])["counts"]["registered"] == 1
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("unchanged", "changed_since")
    assert rig.register(MUNI, [row_for(who.number, other, certificationName="その後")])["counts"]["updated"] == 1
    assert who.seen() == ["その後"]


# ---- a new number ----


def test_number_changed_moves_everything(rig):
    who, new, operation = Resident(rig), fresh_number(), op()
    rig.register(MUNI, [row_for(who.number, who.key, orgSpecificCertificateTypeId="NYUJI-01", certificationName="乳児")])
    new_card = rig.card_of(new)
    both = who.seen()
    assert len(both) == 2 and seen(rig, new_card) == []
    asked = row("number_changed", who.key, operation=operation, myNumber=who.number, newMyNumber=new)
    assert outcome(change(rig, asked)) == ("updated", None)
    assert seen(rig, new_card) == both and who.seen() == []
    assert citizen(rig, new_card) and not citizen(rig, who.card)
    assert outcome(change(rig, asked)) == ("unchanged", None)
    # rows with either number are the same resident now
    assert rig.register(MUNI, [row_for(new, who.key)])["counts"]["unchanged"] == 1
    assert rig.register(MUNI, [row_for(who.number, who.key, certificationName="新しい名前")])["counts"]["updated"] == 1
    assert "新しい名前" in seen(rig, new_card) and who.seen() == []
    # an end follows the person, and so does its undo
    end = op()
    change(rig, row("moved_out", who.key, operation=end))
    assert seen(rig, new_card) == []
    # and back to the old number
    assert outcome(change(rig, row("number_changed", who.key, myNumber=new, newMyNumber=who.number))) == ("updated", None)
    assert seen(rig, new_card) == [] and who.seen() == []
    assert outcome(change(rig, row("restored", who.key, operation=end))) == ("updated", None)
    assert "新しい名前" in who.seen() and seen(rig, new_card) == []


def test_numbers_that_are_somebody_elses_are_refused(rig):
    who, other = Resident(rig), Resident(rig)
    assert outcome(change(rig, row("number_changed", who.key, newMyNumber=other.number))) == ("refused", "number_of_another_resident")
    assert outcome(change(rig, row("moved_out", who.key, myNumber=other.number))) == ("refused", "number_not_of_resident")
    assert outcome(change(rig, row("moved_out", who.key, myNumber=fresh_number()))) == ("refused", "number_not_of_resident")
    operation = op()
    change(rig, row("number_changed", who.key, operation=operation, newMyNumber=fresh_number()))
    again = row("number_changed", who.key, operation=operation, newMyNumber=fresh_number())
    assert outcome(change(rig, again)) == ("refused", "operation_key_reused")
    assert outcome(change(rig, row("moved_out", other.key, operation=operation))) == ("refused", "operation_key_reused")
    assert other.seen()


def test_a_new_number_of_somebody_unlike_is_held(rig):
    who, new = Resident(rig), fresh_number()
    stranger = {"name": "別人　太郎", "nameKana": "ベツジン　タロウ", "address": "岡山県", "dateOfBirth": "1970-01-01", "sex": "1"}
    rig.register(MUNI, [row_for(new, basicFiveInfo=stranger)])
    assert outcome(change(rig, row("number_changed", who.key, newMyNumber=new))) == ("quarantined", "person_mismatch")
    assert who.seen()


def test_number_changed_waits_for_pmh(rig):
    who, new = Resident(rig), fresh_number()
    new_card, before = rig.card_of(new), None
    rig.control("PUT", "/faults/pmh", {"status": 503})
    try:
        doc = change(rig, row("number_changed", who.key, newMyNumber=new))
        assert outcome(doc) == ("waiting", None) and who.seen()
        before = rig.muni(MUNI, "GET", f"/v1/tasks/{doc['task_id']}").json()
    finally:
        rig.control("PUT", "/faults/pmh", {})
    assert before["counts"]["waiting"] == 1
    assert outcome(rig.follow(MUNI, doc["task_id"], 20)) == ("updated", None)
    assert seen(rig, new_card) and who.seen() == []


# ---- one human, two keys ----


def merged_pair(rig):
    a, b = Resident(rig), Resident(rig, certificationName="重複")
    rig.register(MUNI, [row_for(b.number, b.key, orgSpecificCertificateTypeId="HITORI-01", certificationName="ひとり親")])
    return a, b


def test_merge_and_unmerge(rig):
    a, b = merged_pair(rig)
    operation = op()
    mine, theirs = a.seen(), b.seen()
    merge = row("merged", a.key, operation=operation, otherMunicipalityIdentityKey=b.key)
    assert outcome(change(rig, merge)) == ("updated", None)
    assert a.seen() == sorted([*mine, "ひとり親"]) and b.seen() == [], "the certificate of the same kind is the kept one's"
    assert outcome(change(rig, merge)) == ("unchanged", None)
    # whatever mixture of keys and numbers comes: one resident
    for number, key in ((a.number, a.key), (b.number, b.key), (a.number, b.key), (b.number, a.key)):
        assert rig.register(MUNI, [row_for(number, key)])["counts"]["unchanged"] == 1
    assert b.seen() == []
    assert outcome(change(rig, row("unmerged", a.key, operation=operation, otherMunicipalityIdentityKey=b.key))) == ("updated", None)
    assert a.seen() == mine and b.seen() == theirs
    assert outcome(change(rig, row("unmerged", a.key, operation=operation, otherMunicipalityIdentityKey=b.key))) == ("unchanged", None)
    crossed = rig.register(MUNI, [row_for(a.number, b.key)])["rows"][0]
    assert (crossed["result"], crossed["code"]) == ("quarantined", "resident_key_two_numbers")


def test_what_changed_since_the_merge_stays(rig):
    a, b = merged_pair(rig)
    operation = op()
    change(rig, row("merged", a.key, operation=operation, otherMunicipalityIdentityKey=b.key))
    rig.register(MUNI, [row_for(a.number, a.key, orgSpecificCertificateTypeId="HITORI-01", certificationName="ひとり親改")])
    back = change(rig, row("unmerged", a.key, operation=operation, otherMunicipalityIdentityKey=b.key))
    assert outcome(back) == ("updated", "changed_since")
    assert "ひとり親改" in a.seen() and b.seen() == ["重複"]


def test_merges_that_cannot_be(rig):
    a, b = Resident(rig), Resident(rig)
    stranger = {"name": "別人　太郎", "nameKana": "ベツジン　タロウ", "address": "岡山県", "dateOfBirth": "1970-01-01", "sex": "1"}
    c = Resident(rig, basicFiveInfo=stranger)
    both = {"otherMunicipalityIdentityKey": b.key}
    assert outcome(change(rig, row("merged", a.key, otherMunicipalityIdentityKey=a.key))) == ("refused", "same_resident")
    assert outcome(change(rig, row("merged", a.key, otherMunicipalityIdentityKey=new_key()))) == ("refused", "unknown_resident")
    assert outcome(change(rig, row("merged", a.key, otherMunicipalityIdentityKey=c.key))) == ("quarantined", "person_mismatch")
    assert outcome(change(rig, row("unmerged", a.key, **both))) == ("refused", "unknown_operation")
    change(rig, row("merged", a.key, **both))
    assert outcome(change(rig, row("merged", a.key, **both))) == ("refused", "same_resident")
    assert outcome(change(rig, row("wrong_registration", a.key))) == ("refused", "resident_merged")
    assert c.seen()


# ---- who may, and what is read ----


def test_another_municipality_cannot_touch_it(rig):
    who = Resident(rig)
    rig.register(OTHER, [row_for(who.number, who.key, certificationName="大阪")])
    here = who.seen()
    assert len(here) == 2
    operation = op()
    change(rig, row("moved_out", who.key, operation=operation), muni=OTHER)
    assert who.seen() == [name for name in here if name != "大阪"]
    # the same operationKey is another operation here
    assert outcome(change(rig, row("restored", who.key, operation=operation))) == ("unchanged", None)
    stranger = new_key()
    Resident(rig, key=stranger)
    for kind, more in (("moved_out", {}), ("wrong_registration", {}), ("number_changed", {"newMyNumber": fresh_number()})):
        assert outcome(change(rig, row(kind, stranger, **more), muni=OTHER)) == ("refused", "unknown_resident")


def test_bad_rows_are_refused_by_name_and_do_not_stop_the_others(rig):
    who = Resident(rig)
    bad = [row("moved_in", who.key), row("moved_out", who.key, "2026-02-30"), {**row("died", who.key), "operationKey": "x" * 51},
           row("number_changed", who.key), row("merged", who.key), row("died", who.key, newMyNumber=fresh_number()),
           row("number_changed", who.key, myNumber=who.number, newMyNumber=who.number), {**row("died", who.key), "extra": 1},
           row("number_changed", who.key, operation=f"k{who.number}", myNumber=who.number, newMyNumber=fresh_number()), "no object"]
    doc = change(rig, *(b for b in bad if isinstance(b, dict)), row("moved_out", who.key, FUTURE))
    faults = [[(e["field"], e["rule"]) for e in r.get("errors", [])] for r in doc["rows"]]
    assert faults == [[("changeType", "code")], [("effectiveDate", "date")], [("operationKey", "length")], [("newMyNumber", "missing")],
                      [("otherMunicipalityIdentityKey", "missing")], [("newMyNumber", "range")], [("newMyNumber", "range")], [("", "unknown")],
                      [("operationKey", "number_inside")], []]
    assert outcome(doc)[-1] == ("updated", None) and who.number not in str(doc)
    assert rig.muni(MUNI, "POST", PATH, []).json()["code"] == "json_wrong_shape", "an empty request"
    assert rig.muni(MUNI, "POST", PATH, [row("died", new_key())] * 501).json()["code"] == "too_many_rows"


# ---- a crash at any moment ----


class Todo:
    """Asks redis-link for open journals, as fast as it answers."""

    def __init__(self, rig):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(rig.state / "run/redis-link.sock"))
        word = (rig.state / "keys/redis-link-intake.pass").read_text().strip()
        assert self.ask("AUTH", "intake", word) == b"+OK\r\n"

    def ask(self, *words):
        self.socket.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)]))
        return self.socket.recv(4096)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while self.ask("ZCARD", "ch:todo") == b":0\r\n" and time.monotonic() < end:
            pass
        self.socket.close()


def crash_while(rig, rows, delay):
    """Kills the intake so long after the first journal was written."""
    pid, todo = rig.pid("pmhgw-intake"), Todo(rig)

    def send():
        try:
            rig.muni(MUNI, "POST", PATH, rows, timeout=30)
        except OSError:
            pass  # it was killed

    sender = threading.Thread(target=send)
    sender.start()
    todo.wait(5)
    time.sleep(delay)
    rig.kill("pmhgw-intake")
    sender.join()
    rig.wait_back("pmhgw-intake", pid)


def test_a_kill_in_the_middle_of_a_request_loses_nothing(rig):
    """Every single step: test_change_steps.py."""
    for _ in range(KILLS):
        cases = []
        first = [row_for(fresh_number(), new_key()) for _ in range(16)]
        for r in first[8:]:
            r["certificationName"] = "他"
            r["orgSpecificCertificateTypeId"] = "HOKA-01"
        assert rig.register(MUNI, first)["counts"]["registered"] == 16
        for i in range(8):
            old = first[i]
            if i % 2:
                other = first[8 + i]
                asked = row("merged", old["municipalityIdentityKey"], otherMunicipalityIdentityKey=other["municipalityIdentityKey"])
                cases.append((asked, rig.card_of(other["myNumber"]), rig.card_of(old["myNumber"]), "他", [old["certificationName"], "他"]))
            else:
                new = fresh_number()
                asked = row("number_changed", old["municipalityIdentityKey"], newMyNumber=new)
                cases.append((asked, rig.card_of(old["myNumber"]), rig.card_of(new), old["certificationName"], [old["certificationName"]]))
        rows = [c[0] for c in cases]
        crash_while(rig, rows, random.random() * 0.02)

        def settled():
            return all((name in seen(rig, there)) != (name in seen(rig, gone)) for _, gone, there, name, _ in cases)
        wait_for("each certificate is at exactly one person", 15, settled)
        assert {o[0] for o in outcome(change(rig, *rows))} <= {"updated", "unchanged"}
        for _, gone, there, _, want in cases:
            assert seen(rig, gone) == [] and seen(rig, there) == sorted(want)
