"""Every route of every door, before and after everything that stops an answer (route_walk.py)."""

import ssl
import time

import pytest

import route_walk
from crl import Issuer
from person_rig import CLINIC_CERT, PORTAL_CERT, Rig, heard
from route_walk import ASK, CITIZEN_OPS, CLINIC_OPS, COVER, SESSION_OPS, STOPS, VISIT_OPS, Person


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    state = tmp_path_factory.mktemp("routes")
    rig = Rig(state, front_settings={"door_crl": str(state / "certs" / "crl.pem")})
    rig.issuer = Issuer(rig.dir / "certs", rig.dir / "certs" / "crl.pem")
    rig.issuer.revoke()
    try:
        yield rig.up()
    finally:
        rig.down()


def test_every_route_is_covered_and_every_row_is_a_route():
    assert route_walk.routes() == set(COVER)


@pytest.mark.parametrize("name", STOPS)
def test_after_a_stop_every_route_is_silent_that_has_to_be(rig, name):
    stop, silent = STOPS[name]
    person, bystander = Person(rig), Person(rig)
    before = {op: heard(person.ask(op)) for op in ASK}
    assert {op: code for op, (code, _) in before.items()} == {op: 200 for op in ASK}
    stop(person)
    assert {op: heard(person.ask(op)) for op in ASK} == {op: silent.get(op, (200, None)) for op in ASK}
    assert {op: heard(bystander.ask(op)) for op in ASK} == before


def test_a_silent_person_is_answered_as_one_who_was_never_there(rig):
    """Bytes and headers, on every route that takes a name of a person."""
    silent, nobody = Person(rig), Person(rig)
    rig.flags(silent.key, hidden=True)
    nobody.pmh_key, nobody.pseudonym = "pk-never-seen-before", "ps-never-seen-before"
    nobody.ticket = "0000000000"
    for op in ASK:
        if op not in (*SESSION_OPS, *VISIT_OPS):  # nobody has a session of a person who was never there
            assert silent.ask(op).without_id() == nobody.ask(op).without_id(), op


def ask_or_none(person, op):
    try:
        return person.ask(op).status
    except (OSError, ssl.SSLError):
        return None


@pytest.mark.parametrize("cert, ops", ((CLINIC_CERT, CLINIC_OPS), (PORTAL_CERT, CITIZEN_OPS)))
def test_a_revoked_certificate_hears_nothing_on_any_route(rig, cert, ops):
    person = Person(rig)
    try:
        rig.issuer.revoke(cert)
        end = time.monotonic() + 1
        while time.monotonic() < end and any(ask_or_none(person, op) == 200 for op in ops):
            pass
        assert not [op for op in ops for _ in range(4) if ask_or_none(person, op) not in (None, 401, 403)]
    finally:
        rig.issuer.revoke()
        deadline = time.monotonic() + 5
        while any(ask_or_none(person, op) in (None, 401, 403) for op in ops for _ in range(4)) and time.monotonic() < deadline:
            time.sleep(0.05)
