"""At the venue: a tablet reads the line of a ticket and reaches the record, never the number."""

import concurrent.futures
import re
import statistics
import subprocess
import time

import pytest

from rig import CLINIC_B
from sheet_rig import TICKET, Town, silenced
from vaccine_rig import MR, OTHER, Child, digits, heard, months_ago, one, today

NOTHING = (404, "nothing")


@pytest.fixture(scope="module")
def town(rig):
    return Town(rig)


def test_a_ticket_opens_a_session_for_its_program(town):
    c = Child(town)
    a = c.read_ticket()
    body = a.json()
    assert a.status == 200 and body["ticket"]["vaccinationProgramId"] == MR and body["ticket"]["doseNumber"] == "1"
    assert c.ticket.encode() not in a.body and b"name" not in a.body
    s = body["session"]
    assert c.read(s).json() == {"immunizations": []}
    assert one(c.record(s))["vaccinationProgramId"] == MR
    assert heard(c.record(s, vaccinationProgramId="varicella")) == NOTHING, "another program than the ticket's"
    assert heard(town.clinic("session", {"session": s})) == (404, "no_session"), "no subsidies by a ticket"
    assert heard(c.read(s, CLINIC_B)) == (404, "no_session")
    listed = town.portal("consents", {"pseudonym": c.pseudonym}).json()["sessions"]
    assert any(set(x["items"]) == {"immunizations", "questionnaire"} for x in listed)
    assert town.portal("sessions/end", {"pseudonym": c.pseudonym, "all": True}).status == 200
    assert heard(c.read(s)) == (404, "no_session"), "the citizen ends it"
    log = town.portal("access-log", {"pseudonym": c.pseudonym}).json()["entries"]
    assert "ticket_read" in [e["event"] for e in log]


@pytest.mark.parametrize("line, rule", (("2133100700000123", "length"), ("21331007000001234567", "length"), ("21331008" + "0" * 10, "check_digit"),
                                        ("2133100７" + "0" * 10, "class"), ("213310070000012 45", "class")))
def test_a_malformed_line_is_told_as_that(town, line, rule):
    a = town.clinic("tickets/read", {"ticketLine": line, "dateOfBirth": "2020-01-01"}, CLINIC_B)
    assert a.status == 422 and [(e["field"], e["rule"]) for e in a.json()["errors"]] == [("ticketLine", rule)]


def test_whatever_is_wrong_with_a_ticket_is_one_answer(town):
    c, silent = Child(town), Child(town)
    silenced(town.rig, silent.key)
    wrong = {
        "nobody's number": {"ticketLine": c.line(digits())}, "another city": {"ticketLine": c.line(muni=OTHER)}, "a city that is not ours": {"ticketLine": c.line(muni="131016")},
        "another birthday": {"dateOfBirth": "2001-01-01"}, "another dose": {"ticketLine": c.line(dose="2")},
    }
    answers = {name: c.read_ticket(**how) for name, how in wrong.items()} | {"a silent person": silent.read_ticket()}
    plain = {name: {k: v for k, v in a.json().items() if k not in ("request_id", "instance")} for name, a in answers.items()}
    assert {heard(a) for a in answers.values()} == {NOTHING}
    assert len({str(v) for v in plain.values()}) == 1 and len({str(sorted(set(a.headers) - {"date"})) for a in answers.values()}) == 1
    times = {name: statistics.median(timed(lambda how=how: c.read_ticket(**how)) for _ in range(3)) for name, how in list(wrong.items())[:2]}
    assert max(times.values()) - min(times.values()) < 0.02, times


def timed(ask):
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def test_a_ticket_that_has_ended_gives_nothing_and_its_reissue_works(town):
    c = Child(town)
    old, new = c.ticket, digits()
    assert c.add_ticket(new)["rows"][0]["result"] == "registered"
    gone = {**c.base, "modificationSeg": "2", "removalDate": today(), "vaccinationProgramId": MR, "ticketNumber": old}
    del gone["basicFiveInfo"]
    assert town.rig.register(c.muni, [gone], TICKET)["rows"][0]["result"] == "updated"
    assert heard(c.read_ticket()) == NOTHING
    assert c.read_ticket(ticketLine=c.line(new)).status == 200
    assert c.add_ticket(new, forcedExpiryDate=today())["rows"][0]["result"] == "updated"
    assert heard(c.read_ticket(ticketLine=c.line(new))) == NOTHING


def test_a_number_is_one_persons_in_its_municipality(town):
    a, b = Child(town), Child(town)
    row = b.add_ticket(a.ticket)["rows"][0]
    assert (row["result"], row["code"]) == ("quarantined", "ticket_of_another"), row
    assert a.read_ticket().status == 200 and heard(b.read_ticket(ticketLine=a.line(), dateOfBirth=b.born)) in (NOTHING, (200, None))
    elsewhere = Child(town, muni=OTHER)
    assert elsewhere.add_ticket(a.ticket)["rows"][0]["result"] == "registered", "another municipality has its own numbers"
    same = digits()
    rows = [{**x.base, "vaccinationProgramId": MR, "ticketNumber": same, "doseNumber": "1"} for x in (a, b)]
    assert sorted(r["result"] for r in town.rig.register(a.muni, rows, TICKET)["rows"]) == ["quarantined", "registered"]


def test_an_officer_can_give_the_number_to_the_other(town):
    a, b = Child(town), Child(town, born=months_ago(13))
    task = b.add_ticket(a.ticket)
    assert task["rows"][0]["code"] == "ticket_of_another"
    r = town.rig.muni(b.muni, "POST", f"/v1/tasks/{task['task_id']}/release", {"rows": [1], "officer": "sato"})
    assert r.status == 200, r.body
    town.rig.follow(b.muni, task["task_id"])
    assert b.read_ticket(ticketLine=a.line()).status == 200


def picture(svg, folder, scale=6):
    """What a scanner reads in it."""
    side = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])
    dark = {(int(x) + i, int(y)) for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg) for i in range(int(n))}
    path = folder / "ticket.pgm"
    path.write_bytes(b"P5 %d %d 255\n" % (side * scale, side * scale) +
                     b"".join(bytes(0 if (x // scale, y) in dark else 255 for x in range(side * scale)) * scale for y in range(side)))
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_citizen_shows_the_line_or_its_qr_and_the_tablet_reads_it(town, tmp_path):
    c = Child(town)
    (plain,) = c.own("tickets").json()["tickets"]
    assert "ticketQr" not in plain and plain["ticketLine"][1:] == c.line()[1:] and len(plain["ticketLine"]) == 18
    (shown,) = town.portal("tickets", {"pseudonym": c.pseudonym, "qr": True}).json()["tickets"]
    line = picture(shown["ticketQr"], tmp_path)
    assert line == plain["ticketLine"] and c.read_ticket(ticketLine=line).status == 200


def test_tries_in_vain_are_limited_for_a_clinic_however_many_come_at_once(town):
    c = Child(town)
    town.rig.canaries.add(c.number)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: heard(c.read_ticket(CLINIC_B, ticketLine=c.line(digits()))), range(64)))
    assert set(got) == {NOTHING, (429, "too_many_tries")} and 10 <= got.count(NOTHING) <= 20, got
    assert heard(c.read_ticket(CLINIC_B)) == (429, "too_many_tries"), "a good one neither"
    assert c.read_ticket().status == 200, "other clinics go on"


def test_good_tickets_are_no_tries(town):
    c = Child(town)
    assert [c.read_ticket().status for _ in range(25)] == [200] * 25
