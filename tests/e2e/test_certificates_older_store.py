"""A redis-link that comes back older than an erasure, or a revocation by the citizen, has the certificates again, as good ones, and what leads to the resident: `pmhgw reconcile` takes both away once more."""

import pytest

from front_rig import Redis
from rig import wait_for
from sheet_rig import SUBJECT
from test_certificates_follow import desk, settle, town, verdict  # noqa: F401
from vaccine_rig import MUNI, OTHER
from vrs_rig import commands, link


@pytest.fixture
def store(rig):
    """Of one test: each puts another store in the place of the one before."""
    return Redis(rig.state / "run/redis-link.sock", "intake", (rig.state / "keys/redis-link-intake.pass").read_text().strip())


def person(r):
    return b"p:{" + r.handle + b"}"


def indexes(rig, r):
    """Names that lead from its tickets to the person, by what redis-link has written: nobody may list its names."""
    return {w[1] for file in (rig.state / "redis-link").rglob("*.incr.aof") for w in commands(file.read_bytes())
            if w[0].upper() == b"HSET" and w[1].startswith(b"tk:") and person(r) in w}


def seen(db, people, tickets):
    """All that the store has of them, byte by byte."""
    has = [dict(zip(*[iter(db("HGETALL", person(r)))] * 2)) for r in people]
    return has, [db("ZRANGE", f"vi:{muni}", 0, -1, "WITHSCORES") for muni in (MUNI, OTHER)], [{k: db("HGET", k, "p") for k in t} for t in tickets]


def register_again(r):
    """Registered anew after its erasure, with a dose: its card."""
    r.rig.register(MUNI, [{**r.base, "isNotDisclosed": False, "vaccinationSubjectNumber": f"V-{r.ticket}"}], SUBJECT)
    r.add_ticket(r.ticket)
    r.link(r.number)
    r.give()
    return r.issue()


def test_a_card_of_an_erased_one_is_revoked_once_more_and_nothing_leads_to_the_person(rig, settle, store, tmp_path):  # noqa: F811
    gone, mixed, stays, back = people = [settle() for _ in range(4)]
    rig.canaries |= {r.number for r in people}
    mixed.also_of(OTHER)
    gone.give(), stays.give(), back.give()
    mixed.give(1), mixed.give(2, municipalityCode=OTHER)
    cards = [r.issue() for r in people]
    assert [len(c["doses"]) for c in cards] == [1, 2, 1, 1]
    back.erase()
    cards[3] = register_again(back)
    wait_for("whoever is told of a record was told: that is written down in it", 20, lambda: store("ZCARD", "nx") == 0)
    copy = rig.copy_store()
    tickets = [indexes(rig, r) for r in people]
    assert [len(t) for t in tickets] == [1] * 4
    gone.erase(), mixed.erase()
    assert [verdict(rig, tmp_path, c) for c in cards] == ["revoked", "revoked", "good", "good"]
    rig.put_store_back(copy)
    db = link(rig)
    before = seen(db, people, tickets)
    assert all(r.handle in before[1][0] for r in people) and all(person(r) in t.values() for r, t in zip(people, before[2]))
    assert rig.reconcile("--dry-run")["erasures"] == 3 and seen(db, people, tickets) == before, "nothing was changed"
    assert rig.reconcile()["erasures"] == 3
    rig.wait_ready()
    assert [verdict(rig, tmp_path, c) for c in cards] == ["revoked", "revoked", "good", "good"]
    assert mixed.cards() == {cards[1]["certificate_id"]: ("revoked", 1)}, "with the record of the other municipality alone"
    assert [n for n, _ in mixed.told()] == [OTHER]
    after = seen(db, people, tickets)
    assert after[0][0] == {} and not {f for f in after[0][1] if f.endswith(MUNI.encode()) or MUNI.encode() + b":" in f}
    assert after[0][2:] == before[0][2:], "who was not erased, and who was registered after it"
    assert [r.handle in after[1][0] for r in people] == [False, False, True, True] and mixed.handle in after[1][1]
    assert [set(t.values()) for t in after[2]] == [{None}, {None}, {person(stays)}, {person(back)}]
    lists = [stays.desk.crl(c["kid"]) for c in cards]
    assert rig.reconcile("--all")["erasures"] == 3
    assert seen(db, people, tickets) == after and [stays.desk.crl(c["kid"]) for c in cards] == lists, "what is told twice changes nothing"


def revoke(r, card):
    a = r.desk.post("certificates/revoke", {"pseudonym": r.pseudonym, "certificate_id": card["certificate_id"]})
    assert a.status == 200, a.body


def test_a_card_that_its_person_revoked_is_revoked_once_more(rig, settle, store, tmp_path):  # noqa: F811
    taken, kept, late = people = [settle() for _ in range(3)]
    rig.canaries |= {r.number for r in people}
    taken.give(), kept.give(), late.give()
    cards = [taken.issue(), kept.issue()]
    copy = rig.copy_store()
    revoke(taken, cards[0])
    cards.append(late.issue())
    unseen = taken.issue()  # in no older store
    revoke(taken, unseen)
    assert [verdict(rig, tmp_path, c) for c in cards + [unseen]] == ["revoked", "good", "good", "revoked"]
    rig.put_store_back(copy)
    db = link(rig)
    before = [db("HGETALL", person(r)) for r in people]
    dry = rig.reconcile("--dry-run")
    assert (dry["certificates_revoked"], dry["certificates_lost"], dry["not_replayed"]) == (1, 2, 1), dry
    assert [db("HGETALL", person(r)) for r in people] == before, "nothing was changed"
    told = rig.reconcile()
    assert (told["certificates_revoked"], told["certificates_lost"], told["not_replayed"]) == (1, 2, 1), told
    rig.wait_ready()
    assert [verdict(rig, tmp_path, c) for c in cards] == ["revoked", "good", "good"]
    assert taken.cards()[cards[0]["certificate_id"]][0] == "revoked" and kept.cards() == {cards[1]["certificate_id"]: ("good", 1)}
    lists = [taken.desk.crl(c["kid"]) for c in cards]
    again = rig.reconcile("--all")
    assert again["not_replayed"] == 0 and again["certificates_lost"] == 0, again
    assert [taken.desk.crl(c["kid"]) for c in cards] == lists, "what is told twice changes nothing"
