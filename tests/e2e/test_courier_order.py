"""Messages that are late, or sent again by an officer: what they say is looked at again before it leaves, and what is so no more is not said. Keys that change meanwhile count."""

import os
import secrets

import pytest
from rig import fresh_number, row_for, wait_for
from sheet_rig import Town
from test_courier import Post
from test_courier_edges import settle
from vaccine_rig import MUNI, OTHER, Child, one

APP = "clinic-app"


@pytest.fixture(scope="module")
def post(rig):
    return Post(rig)


@pytest.fixture(autouse=True)
def nothing_is_left(post):
    yield
    post.fault(APP)
    settle(post)
    if post.dead():
        assert post.notices("drop", "--all").returncode == 0


class Visitor:
    """Somebody whom a clinic has open."""

    def __init__(self, post):
        self.post, self.rig, self.number = post, post.rig, fresh_number()
        self.row = row_for(self.number, key=f"o-{secrets.token_hex(5)}")
        self.rig.register(MUNI, [self.row])
        self.pmh_key, self.pseudonym = Town(self.rig).pmh_key(self.number), "ps-" + secrets.token_hex(10)
        assert post.town.portal("pseudonyms", {"pmh_key": self.pmh_key, "pseudonym": self.pseudonym}).status == 204
        self.session = self.rig.clinic(self.rig.consent(self.rig.card_of(self.number))).json()["session_id"]

    def heard(self):
        return [m["message"]["event"] for m in self.post.kept(APP)["messages"] if m["message"].get("sessionId") == self.session]

    def changes(self, number="1234567"):
        self.rig.register(MUNI, [{**self.row, "medicalSubsidyRecipientNumber": number}])

    def moves_out(self, day="2026-01-01"):
        a = self.rig.muni(MUNI, "POST", "/v1/residents/change-tasks", [{"changeType": "moved_out", "municipalityIdentityKey": self.row["municipalityIdentityKey"],
                                                                      "effectiveDate": day, "operationKey": f"op-{secrets.token_hex(6)}"}])
        assert a.status == 202, a.body

    def refused_change(self):
        """A change that the clinic did not take: its message is a dead letter."""
        self.post.fault(APP, status=400)
        try:
            self.changes()
            (ident, letter), = wait_for("it is a dead letter", 20, self.post.dead).items()
        finally:
            self.post.fault(APP)
        assert letter["kind"] == "eligibility" and letter["why"] == "refused"
        return ident

    def dropped(self):
        log = self.post.town.portal("access-log", {"pseudonym": self.pseudonym}).json()["entries"]
        return [e["event"] for e in log].count("notice_dropped")


def test_a_change_that_is_sent_again_does_not_follow_the_end(post):
    v = Visitor(post)
    ident = v.refused_change()
    v.moves_out()
    wait_for("the clinic hears that it is over", 20, lambda: v.heard() == ["eligibility_revoked"])
    assert post.notices("replay", ident).returncode == 0
    settle(post)
    assert v.heard() == ["eligibility_revoked"] and not post.dead(), "nothing changed for somebody who is gone"


def test_a_change_that_still_is_one_is_told_when_it_is_sent_again(post):
    v = Visitor(post)
    ident = v.refused_change()
    assert post.notices("replay", ident).returncode == 0
    wait_for("the clinic hears of it", 20, lambda: v.heard() == ["eligibility_changed"])


def test_a_session_that_has_ended_is_told_of_no_more(post):
    v = Visitor(post)
    ident = v.refused_change()
    before = v.dropped()
    a = post.town.portal("sessions/end", {"pseudonym": v.pseudonym, "all": True})
    assert a.status in (200, 204), a.body
    assert post.notices("replay", ident).returncode == 0
    settle(post)
    assert v.heard() == [] and not post.dead()
    assert v.dropped() == before + 1, "and that nothing was said is on record"


def test_an_end_that_was_put_off_is_not_told_late(post):
    v = Visitor(post)
    post.fault(APP, status=400)
    try:
        v.moves_out()
        (ident, _), = wait_for("the end is a dead letter", 20, post.dead).items()
    finally:
        post.fault(APP)
    v.moves_out("2099-01-01")
    wait_for("the clinic hears that something changed", 20, lambda: v.heard() == ["eligibility_changed"])
    assert post.notices("replay", ident).returncode == 0
    settle(post)
    assert v.heard() == ["eligibility_changed"] and not post.dead()


ENTRY, KIND_LINK_DATA = 1 + 16 + 29 + 32, 17  # gateway/crypto/keyring.h


def without_key_of(ring, muni):
    head, entries = ring[:8], [ring[i:i + ENTRY] for i in range(8, len(ring), ENTRY)]
    kept = [e for e in entries if not (e[0] == KIND_LINK_DATA and e[1:17].rstrip(b"\0") == muni.encode())]
    assert head == b"PMHGWKR1" and len(kept) == len(entries) - 1
    return head + b"".join(kept)


def replace(path, data):
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(0o600)
    os.rename(new, path)


def test_a_key_that_is_taken_off_the_ring_and_put_back_counts_without_a_restart(post):
    ring = post.rig.state / "keys/link.ring"
    whole, pid, log = ring.read_bytes(), post.rig.pid("pmhgw-courier"), post.rig.state / "log/pmhgw-courier.log"
    c = Child(post.town, muni=OTHER)
    settle(post)
    post.fault(APP, status=503)
    record = one(c.record(c.session()))
    try:
        replace(ring, without_key_of(whole, OTHER))

        def unreadable():
            post.notices("replay", "--all")
            return [d for d in post.dead().values() if (d["kind"], d["why"], d["owner"]) == ("record", "no_content", "municipality")]
        wait_for("the courier can read it no more", 10, unreadable)
        replace(ring, whole[:-5])
        wait_for("a broken ring is told", 20, lambda: "keys_refused" in log.read_text())
    finally:
        replace(ring, whole)
        post.fault(APP)

    def told():
        post.notices("replay", "--all")
        return post.heard(record)
    wait_for("with its key back it is told", 10, told)
    assert post.rig.pid("pmhgw-courier") == pid, "and nobody was restarted"
    post.rig.wait_healthy()
