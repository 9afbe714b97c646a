"""Inquiries between municipalities: asked through VRS, answered by it and by ourselves, with everything that a peer can do wrong."""

import json
import threading
import time

import pytest

from rig import CLINIC_A, MUNICIPAL, check_digit, fresh_number, row_for, wait_for
from sheet_rig import Town
from vaccine_rig import Child, one

VRS = 15
ASKER, OWN_PEER = "331007", "271403"
INQUIRIES, PROVISIONS = "/v1/vaccination/inquiries", "/v1/vaccination/provisions"
WITHOUT_CONSENT, WITH_CONSENT, OTHER_BASIS = "90", "91", "3"


def code(prefecture, running):
    body = f"{prefecture:02}{running:03}"
    return body + str((11 - sum(w * int(d) for w, d in zip((6, 5, 4, 3, 2), body)) % 11) % 10)


PEERS = [code(p, 100) for p in range(1, 13)]


def dose(peer, n=1, **more):
    return {"immunizationId": f"{n:032x}", "version": "1", "status": "completed", "municipalityCode": peer, "vaccinationProgramId": "covid19",
            "doseNumber": str(n), "vaccinationDate": f"2021-0{n}-10", "lotNumber": "FC9880", "recordedAt": "2021-12-20T00:00:00.000Z", **more}


def person(number, peer, basis=WITHOUT_CONSENT, consent=False, **more):
    return {"myNumber": number, "previousMunicipalityCode": peer, "legalBasis": basis, "consentConfirmed": consent, **more}


@pytest.fixture(scope="module")
def vrs(rig):
    """Patience of seconds instead of a minute."""
    with open(rig.state / "conf/intake.yaml", "a") as conf:
        conf.write("vrs_timeout_ms: 3000\nvrs_hedge_ms: 300\ninquiry_deadline_s: 5\nvrs_in_flight: 8\n")
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    v = Vrs(rig)
    rig.control("POST", "/vrs/gateways", {"municipalityCode": OWN_PEER, "door": f"https://127.0.0.1:{rig.base + MUNICIPAL}"})
    return v


class Vrs:
    def __init__(self, rig):
        self.rig = rig

    def plant(self, peer, n=1, doses=None):
        """Fresh persons who lived there."""
        numbers = [fresh_number() for _ in range(n)]
        self.rig.canaries.update(numbers)
        self.rig.control("POST", "/vrs/persons", [{"myNumber": x, "municipalityCode": peer, **({"immunizations": doses} if doses is not None else {})} for x in numbers])
        return numbers

    def behave(self, peer, **how):
        self.rig.control("PUT", "/vrs/behaviours", {"municipalityCode": peer, **how})

    def faults(self, **how):
        self.rig.control("PUT", "/faults/vrs", how)

    def asked(self, peer):
        return self.rig.call(10, "GET", "/vrs/state", cert="operator-local").json()["asked"].get(peer, {"requests": 0, "persons": 0, "learned": 0})

    def post(self, persons, muni=ASKER):
        self.rig.plant(persons)
        return self.rig.muni(muni, "POST", INQUIRIES, persons)

    def start(self, persons, muni=ASKER):
        a = self.post(persons, muni)
        assert a.status == 202, (a.status, a.body)
        assert a.json()["operation"] == "postInquiries" and a.json()["counts"]["waiting"] == len(persons)
        return a.json()["task_id"]

    def page(self, task, query="", muni=ASKER):
        return self.rig.muni(muni, "GET", f"/v1/tasks/{task}/results{query}")

    def results(self, task, muni=ASKER):
        """All rows by their number, and the statement."""
        rows, query, statement = {}, "?limit=500", None
        while True:
            a = self.page(task, query, muni)
            assert a.status == 200, (a.status, a.body)
            page = a.json()
            for r in page["rows"]:
                assert (r["row"], r.get("municipalityCode")) not in rows, "told twice"
                rows[r["row"], r.get("municipalityCode")] = r
            statement = page.get("statement", statement)
            if not page["rows"] or "next" not in page:
                return rows, statement
            query = f"?limit=500&cursor={page['next']}"

    def ask(self, persons, muni=ASKER, seconds=40):
        task = self.start(persons, muni)
        end = self.rig.follow(muni, task, seconds)
        rows, statement = self.results(task, muni)
        return end, {row: r for (row, _), r in rows.items()}, statement


def test_records_of_the_previous_municipality_are_found_and_nobody_elses(rig, vrs):
    here, there = PEERS[0], PEERS[1]
    (a,), (b,) = vrs.plant(here), vrs.plant(there, doses=[dose(there, 1), dose(there, 2)])
    end, rows, statement = vrs.ask([person(a, here, municipalityIdentityKey="K-1"), person(b, there), person(b, here)])
    assert [rows[i]["result"] for i in (1, 2, 3)] == ["found", "found", "nothing"]
    assert rows[1]["resident_key"] == "K-1" and rows[1]["immunizations"][0]["municipalityCode"] == here
    assert [d["doseNumber"] for d in rows[2]["immunizations"]] == ["1", "2"]
    assert "immunizations" not in rows[3] and "code" not in rows[3]
    assert end["state"] == "done" and end["counts"] == {"rows": 3, "found": 2, "nothing": 1, "failed": 0, "quarantined": 0, "waiting": 0}
    assert statement["complete"] and (statement["askedMunicipalities"], statement["answeredMunicipalities"]) == (2, 2)
    assert vrs.asked(here) == {"requests": 1, "persons": 2, "learned": 1}, "a municipality that does not know the person learns nothing of it"


def test_without_a_basis_or_a_consent_that_it_needs_nothing_is_asked(rig, vrs):
    peer = PEERS[2]
    (a,) = vrs.plant(peer)
    for p, why in ((person(a, peer, OTHER_BASIS), "no_legal_basis"), (person(a, peer, "9999"), "no_legal_basis"), (person(a, peer, "92"), "no_legal_basis"),
                   (person(a, peer, WITH_CONSENT), "consent_required"), (person(a, "all", WITH_CONSENT, True), "no_legal_basis")):
        answer = vrs.post([person(a, peer), p])
        assert (answer.status, answer.json()["code"]) == (403, why), answer.body
    assert vrs.asked(peer)["requests"] == 0
    _, rows, _ = vrs.ask([person(a, peer, WITH_CONSENT, True)])
    assert rows[1]["result"] == "found"


def test_a_row_that_breaks_a_rule_is_told_and_the_others_are_asked(rig, vrs):
    peer = PEERS[2]
    (a,) = vrs.plant(peer)
    end, rows, statement = vrs.ask([person(a, "999999"), person(a, ASKER), person("12345", peer), {**person(a, peer), "extra": 1}, person(a, peer)])
    assert [rows[i]["result"] for i in range(1, 6)] == ["refused"] * 4 + ["found"]
    assert [rows[i]["errors"][0]["field"] for i in (1, 2, 3)] == ["previousMunicipalityCode", "previousMunicipalityCode", "myNumber"]
    assert end["counts"]["failed"] == 4 and not statement["complete"] and statement["refused"] == 4
    for body, status in (([], 400), ({}, 400), ("[", 400), ([person(a, peer)] * 5001, 413)):
        assert rig.muni(ASKER, "POST", INQUIRIES, body).status == status


@pytest.mark.parametrize("fault, result, log", [
    ({"wrong_number": True}, "quarantined", "inquiry_answer_of_another_person"), ({"other_person": True}, "quarantined", "inquiry_answer_of_another_person"),
    ({"extra_field": True}, "quarantined", "inquiry_quarantined"), ({"missing_field": True}, "quarantined", "inquiry_quarantined")])
def test_an_answer_about_another_person_is_never_kept(rig, vrs, fault, result, log):
    peer = PEERS[3]
    (a,) = vrs.plant(peer)
    vrs.faults(**fault, count=1)
    end, rows, statement = vrs.ask([person(a, peer)])
    assert (rows[1]["result"], rows[1]["code"]) == (result, "upstream_answer_refused") and "immunizations" not in rows[1]
    assert end["counts"]["quarantined"] == 1 and end["state"] == "done_with_errors"
    assert statement["failedMunicipalities"] == [{"municipalityCode": peer, "persons": 1, "code": "upstream_answer_refused"}]
    assert log in (rig.state / "log/pmhgw-intake.log").read_text()


@pytest.mark.parametrize("doses", [[dose("131016")], [dose(PEERS[4], lotNumber="90000000001" + check_digit("90000000001"))], [dose(PEERS[4], name="x")], [{"version": "1"}], [dose(PEERS[4], version=1)], [dose(PEERS[4], vaccinationDate="2021-02-30")]])
def test_records_that_are_not_what_was_agreed_are_never_kept(rig, vrs, doses):
    (a,) = vrs.plant(PEERS[4], doses=doses)
    _, rows, _ = vrs.ask([person(a, PEERS[4])])
    assert rows[1]["result"] == "quarantined"


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"garbage": True}, {"partial": True}, {"delay_ms": 300}, {"status": 429}])
def test_what_goes_wrong_once_is_asked_again(rig, vrs, fault):
    peer = PEERS[5]
    numbers = vrs.plant(peer, 4)
    vrs.faults(**fault, count=1)
    end, rows, statement = vrs.ask([person(x, peer) for x in numbers])
    assert end["counts"]["found"] == 4 and statement["complete"]


def test_a_municipality_that_does_not_exist_and_one_that_refuses_are_told(rig, vrs):
    (a,) = vrs.plant(PEERS[6])
    nowhere = code(47, 999)
    _, rows, _ = vrs.ask([person(a, nowhere)])
    assert (rows[1]["result"], rows[1]["code"]) == ("failed", "no_such_municipality")
    vrs.faults(status=403, count=1)
    _, rows, _ = vrs.ask([person(a, PEERS[6])])
    assert (rows[1]["result"], rows[1]["code"]) == ("failed", "municipality_refused")


def test_everywhere_only_where_the_basis_allows_it(rig, vrs):
    peer = PEERS[7]
    (a,) = vrs.plant(peer)
    task = vrs.start([person(a, "all")])
    end = rig.follow(ASKER, task, 60)
    asked = end["askedMunicipalities"]
    assert asked >= 1740 and end["counts"]["found"] >= 1 and end["counts"]["failed"] == 0 and end["answeredMunicipalities"] == asked
    rows, statement = vrs.results(task)
    assert rows[1, peer]["result"] == "found" and len(rows) == asked and (1, ASKER) not in rows
    assert statement["message_en"] == f"{asked} of {asked} municipalities answered."


def test_two_rows_about_one_person_have_one_answer(rig, vrs):
    peer = PEERS[6]
    (a,) = vrs.plant(peer)
    before = vrs.asked(peer)
    _, rows, statement = vrs.ask([person(a, peer, municipalityIdentityKey="K-1"), person(a, peer, municipalityIdentityKey="K-2"), person(a, peer, WITH_CONSENT, True)])
    assert [rows[i]["result"] for i in (1, 2, 3)] == ["found"] * 3 and statement["complete"]
    assert rows[1]["immunizations"] == rows[2]["immunizations"]
    assert vrs.asked(peer)["persons"] - before["persons"] == 2, "one for each basis"


def test_a_late_second_answer_finds_its_own_person(rig, vrs):
    """Of somebody who is asked for everywhere the number is kept until the last request that bears it is back."""
    log = rig.state / "log/pmhgw-intake.log"
    before = log.read_text().count("inquiry_answer_of_another_person")
    (a,) = vrs.plant(PEERS[7])
    for peer, ms in ((PEERS[0], 1500), (PEERS[1], 1650), (PEERS[2], 1800)):
        vrs.behave(peer, latency_ms=ms)
    end = rig.follow(ASKER, vrs.start([person(a, "all")]), 60)
    assert end["counts"]["failed"] == end["counts"]["quarantined"] == 0
    time.sleep(0.6)
    for peer in PEERS[:3]:
        vrs.behave(peer)
    assert log.read_text().count("inquiry_answer_of_another_person") == before


def test_whom_to_ask_everywhere_is_waited_for_and_not_for_ever(rig, vrs):
    (a,) = vrs.plant(PEERS[7])
    vrs.faults(status=503, count=3)
    end = rig.follow(ASKER, vrs.start([person(a, "all")]), 60)
    assert end["counts"]["found"] >= 1 and end["askedMunicipalities"] >= 1740
    vrs.faults(status=503)
    end, rows, statement = vrs.ask([person(a, "all")])
    vrs.faults()
    assert (rows[1]["result"], rows[1]["code"], rows[1]["municipalityCode"]) == ("failed", "vrs_unavailable", "000000")
    assert end["state"] == "done_with_errors" and not statement["complete"] and statement["answeredMunicipalities"] == 0
    entries_of_it = rig.command("audit", "list", "--last", "1000").stdout.rsplit("inquiry_accepted", 1)[1]
    assert entries_of_it.count("file_key_opened") <= 2, "once, and for the results; not for each try"


def test_a_municipality_that_asks_too_much_holds_nobody_else(rig, vrs):
    peer = code(23, 100)
    numbers = vrs.plant(peer, 1) * 240
    vrs.behave(peer, latency_ms=2500)
    answers = [vrs.post([person(x, peer)], muni="222127").status for x in numbers]
    assert set(answers) == {202, 503} and 195 <= answers.count(202) <= 225, "no more than 200 wait"
    (b,) = vrs.plant(PEERS[9])
    _, rows, _ = vrs.ask([person(b, PEERS[9])], muni=OWN_PEER, seconds=10)
    assert rows[1]["result"] == "found"
    vrs.behave(peer)


def test_a_slow_and_a_dead_municipality_hold_nobody_else_and_are_named(rig, vrs):
    slow, dead, closed, rest = PEERS[8], PEERS[9], PEERS[10], [code(20, 100 + n) for n in range(30)]
    vrs.behave(slow, latency_ms=2000)
    vrs.behave(dead, dead=True)
    vrs.behave(closed, maintenance=True)
    people = [(x, p) for p in (slow, dead, dead, closed, *rest) for x in vrs.plant(p)]
    before = vrs.asked(slow)["requests"]
    began = time.monotonic()
    task = vrs.start([person(x, p) for x, p in people])
    wait_for("all who answer have answered", 20, lambda: len(vrs.results(task)[0]) >= len(rest))
    assert time.monotonic() - began < 8
    assert vrs.results(task)[1] is None, "not the whole truth yet"
    end = rig.follow(ASKER, task, 20)
    rows, statement = vrs.results(task)
    by_peer = {p: [r for (_, q), r in rows.items() if q == p] for p in (slow, dead, closed)}
    assert [r["result"] for r in by_peer[slow]] == ["found"]
    assert [(r["result"], r["code"]) for r in by_peer[dead]] == [("failed", "municipality_not_answering")] * 2
    assert [(r["result"], r["code"]) for r in by_peer[closed]] == [("failed", "municipality_not_answering")]
    assert statement["message_en"] == f"{len(rest) + 1} of {len(rest) + 3} municipalities answered." and not statement["complete"]
    assert {f["municipalityCode"]: f["persons"] for f in statement["failedMunicipalities"]} == {dead: 2, closed: 1}
    assert end["state"] == "done_with_errors" and end["counts"]["failed"] == 3 and end["answeredMunicipalities"] == len(rest) + 1
    assert {(i, q) for (i, q), r in rows.items() if r["result"] == "failed"} == {(r["row"], r["municipalityCode"]) for r in vrs.page(task, "?only=failed").json()["rows"]}
    assert vrs.asked(slow)["requests"] - before == 2, "asked a second time when it was slow, and not a third"
    for p in (slow, dead, closed):
        vrs.behave(p)


def test_a_killed_intake_goes_on_where_it_was(rig, vrs):
    peers = [code(21, 100 + n) for n in range(25)]
    for p in peers[:12]:
        vrs.behave(p, latency_ms=1200)
    people = [(x, p) for p in peers for x in vrs.plant(p, 3)]
    task = vrs.start([person(x, p) for x, p in people])
    wait_for("some have answered", 20, lambda: len(vrs.results(task)[0]) >= 10)
    told = {k for k in vrs.results(task)[0]}
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    end = rig.follow(ASKER, task, 30)
    rows, statement = vrs.results(task)
    assert end["counts"] == {"rows": 75, "found": 75, "nothing": 0, "failed": 0, "quarantined": 0, "waiting": 0} and statement["complete"]
    assert told <= set(rows) and len(rows) == 75
    for p in peers[:12]:
        vrs.behave(p)
    assert not list((rig.state / "spool").glob(f"*{task}/upload")), "the numbers are gone with the end"


def test_events_tell_counts_until_the_end(rig, vrs):
    (a,) = vrs.plant(PEERS[11])
    vrs.behave(PEERS[11], latency_ms=700)
    task = vrs.start([person(a, PEERS[11])])
    events = rig.muni(ASKER, "GET", f"/v1/tasks/{task}/events").body.decode()
    vrs.behave(PEERS[11])
    end = json.loads(events.rsplit("data: ", 1)[1])
    assert events.count("event: end") == 1 and end["counts"]["found"] == 1 and end["answeredMunicipalities"] == 1


def test_others_and_other_orders_get_nothing_of_it(rig, vrs):
    (a,) = vrs.plant(PEERS[0])
    task = vrs.start([person(a, PEERS[0])])
    rig.follow(ASKER, task)
    assert vrs.page(task, muni="222127").status == 404
    assert rig.muni(ASKER, "POST", f"/v1/tasks/{task}/undo", {}).json()["code"] == "no_undo"
    assert rig.muni(ASKER, "GET", f"/v1/tasks/{task}/receipt").status == 404
    assert vrs.page(task, "?cursor=1-2-3-4").status in (400, 422)
    upload = {"operation": "postInquiries", "source": "json", "bytes": 10}
    assert rig.muni(ASKER, "POST", "/v1/files", upload).status == 422


# ---- we give ----

@pytest.fixture(scope="module")
def child(rig):
    """Registered and vaccinated at the other municipality of this gateway."""
    c = Child(Town(rig), muni=OWN_PEER)
    rig.canaries.add(c.number)
    a = c.record(c.session())
    assert a.status == 200, a.body
    return c


def entries(rig, muni):
    return [e for e in rig.muni(muni, "GET", "/v1/audit/entries?limit=50").json()["entries"]]


def provide(rig, numbers, cert="vrs-national", provider=OWN_PEER, **more):
    rig.canaries.update(n for n in numbers if len(n) == 12)
    body = {"requestId": "0" * 32, "inquirerMunicipalityCode": ASKER, "providerMunicipalityCode": provider, "legalBasis": "90",
            "persons": [{"myNumber": n} for n in numbers], **more}
    return rig.call(MUNICIPAL, "POST", PROVISIONS, body, cert=cert)


def test_what_we_recorded_is_given_to_who_asks_through_vrs(rig, vrs, child):
    stranger = fresh_number()
    end, rows, _ = vrs.ask([person(child.number, OWN_PEER), person(stranger, OWN_PEER)])
    assert [rows[i]["result"] for i in (1, 2)] == ["found", "nothing"]
    (dose_given,) = rows[1]["immunizations"]
    assert (dose_given["municipalityCode"], dose_given["lotNumber"], dose_given["status"]) == (OWN_PEER, "A1B2", "completed")
    ours, theirs = entries(rig, ASKER), entries(rig, OWN_PEER)
    assert {"inquiry_accepted", "inquiry_sent", "inquiry_answered"} <= {e["event"] for e in ours}
    given = [e for e in theirs if e["event"] == "immunizations_provided"]
    assert [e["result"] for e in given[:2]].count("ok") == 1 and all((e["actor"], e["counterpart"]) == ("vrs/national", ASKER) for e in given)
    assert {e["counterpart"] for e in ours if e["event"] == "inquiry_sent"} >= {OWN_PEER}
    assert not [e for e in ours if e["event"] == "immunizations_provided"], "who asks does not see why it heard nothing"


def test_unknown_silenced_and_ours_of_another_municipality_are_one_answer(rig, vrs, child):
    stranger, answers = fresh_number(), []
    known = provide(rig, [child.number])
    assert known.status == 200 and len(known.json()["persons"][0]["immunizations"]) == 1
    answers.append(provide(rig, [stranger]).json()["persons"][0]["immunizations"])
    answers.append(provide(rig, [child.number], provider=ASKER).json()["persons"][0]["immunizations"])
    answers.append(provide(rig, [child.number], provider="131016").json()["persons"][0]["immunizations"])
    flags = {"municipalityIdentityKey": child.key, "isNotDisclosed": True, "isViewingStopped": False, "isRecovery": False, "reason": "support_measure"}
    assert rig.muni(OWN_PEER, "PUT", "/v1/residents/flags", flags).status == 200
    silent = provide(rig, [child.number])
    answers.append(silent.json()["persons"][0]["immunizations"])
    assert rig.muni(OWN_PEER, "PUT", "/v1/residents/flags", {**flags, "isNotDisclosed": False}).status == 200
    assert answers == [[]] * 4
    twice = provide(rig, [stranger, child.number, stranger])
    assert [p["myNumber"] for p in twice.json()["persons"]] == [stranger, child.number], "asked for twice, answered once"
    other = provide(rig, [stranger])
    assert silent.body.replace(child.number.encode(), b"N") == other.body.replace(stranger.encode(), b"N")
    varying = ("x-request-id", "date")
    assert {k: v for k, v in silent.headers.items() if k not in varying} == {k: v for k, v in other.headers.items() if k not in varying}
    assert len(provide(rig, [child.number]).json()["persons"][0]["immunizations"]) == 1


def test_who_was_given_a_record_that_is_corrected_is_an_open_recall_until_it_asks_again(rig, vrs):
    c = Child(Town(rig), muni=OWN_PEER)
    rig.canaries.add(c.number)
    session = c.session()
    record = one(c.record(session))
    open_recalls = lambda: [line.split(",") for line in rig.muni(OWN_PEER, "GET", "/v1/vaccination/recalls").body.decode("utf-8-sig").splitlines()
                            if line.startswith(record["immunizationId"])]
    for _ in range(2):
        assert [d["version"] for d in provide(rig, [c.number]).json()["persons"][0]["immunizations"]] == ["1"]
    assert not [r for r in open_recalls() if "municipality" in r]
    assert c.correct(session, record, lotNumber="C3D4").status == 200
    assert [ASKER in r for r in open_recalls() if "municipality" in r] == [True]
    assert [d["lotNumber"] for d in provide(rig, [c.number]).json()["persons"][0]["immunizations"]] == ["C3D4"]
    assert not [r for r in open_recalls() if "municipality" in r]


def test_a_correction_and_a_question_that_meet_lose_nothing(rig, vrs):
    """Who is told a version stands in the record, or was told the newest."""
    c = Child(Town(rig), muni=OWN_PEER)
    rig.canaries.add(c.number)
    session = c.session()
    record, lots, bad = one(c.record(session)), [], []

    def ask():
        for _ in range(25):
            a = provide(rig, [c.number])
            (lots if a.status == 200 else bad).append(a.json()["persons"][0]["immunizations"][0]["lotNumber"] if a.status == 200 else a.json()["code"])

    asking = threading.Thread(target=ask)
    asking.start()
    for k in range(5):
        a = c.correct(session, record, lotNumber=f"R{k}")
        assert a.status == 200, a.body
        record = one(a)
        time.sleep(0.3)
    asking.join()
    assert set(bad) <= {"overloaded", "deadline"} and len(bad) < 5 and len(set(lots)) >= 3, (bad, lots)
    assert [d["lotNumber"] for d in provide(rig, [c.number]).json()["persons"][0]["immunizations"]] == ["R4"]


def test_who_has_moved_away_is_still_asked_about_here(rig, vrs, child):
    change = {"changeType": "moved_out", "municipalityIdentityKey": child.key, "operationKey": "moved-1", "effectiveDate": "2025-01-01"}
    a = rig.muni(OWN_PEER, "POST", "/v1/residents/change-tasks", [change])
    if a.status == 202 and a.json()["rows"][0]["result"] in ("updated", "registered"):
        assert len(provide(rig, [child.number]).json()["persons"][0]["immunizations"]) == 1
    else:
        pytest.fail(f"{a.status} {a.body}")


@pytest.mark.parametrize("cert, status", [(f"muni-{ASKER}", 403), (f"clinic-{CLINIC_A}", 403), ("gateway-intake", 403), (None, 401)])
def test_only_vrs_may_ask_us(rig, vrs, child, cert, status):
    assert provide(rig, [child.number], cert=cert).status == status


@pytest.mark.parametrize("bad", [{"persons": []}, {"persons": [{"myNumber": "1"}]}, {"persons": [{}]}, {"providerMunicipalityCode": "000000"}, {"legalBasis": "x"},
                                 {"more": 1}, {"requestId": "0"}, {"persons": [{"myNumber": "790000000006"}] * 201}])
def test_a_malformed_question_is_refused(rig, vrs, child, bad):
    assert provide(rig, [child.number], **bad).status == 422


def test_the_citizen_sees_who_asked_and_who_was_told(rig, vrs, child):
    provide(rig, [child.number])
    log = child.own("access-log").json()["entries"]
    entry = next(e for e in log if e["event"] == "immunizations_provided")
    assert entry["institutionCode"] == ASKER and entry["basis"] == 92 and "市区町村" in entry["event_ja"] and "第19条第16号" in entry["why_ja"]


def test_the_command_asks_with_a_file(rig, vrs):
    peers = [code(22, 100 + n) for n in range(3)]
    people = [(x, p) for p in peers for x in vrs.plant(p, 2)]
    file, out = rig.dir / "persons.csv", rig.dir / "answers.jsonl"
    file.write_text("previousMunicipalityCode,myNumber,municipalityIdentityKey\n" + "".join(f"{p},{x},K-{i}\n" for i, (x, p) in enumerate(people)))
    done = rig.command("inquire", str(file), "--muni", ASKER, "--basis", WITH_CONSENT, "--consent", "--out", str(out))
    assert done.returncode == 0 and "3 of 3 municipalities answered." in done.stderr, (done.stdout, done.stderr)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted((r["row"], r["resident_key"], r["result"]) for r in rows) == [(i + 1, f"K-{i}", "found") for i in range(6)]
    assert rig.command("inquire", str(file), "--muni", ASKER, "--basis", WITH_CONSENT).returncode == 2, "without the consent"
    assert rig.command("inquire", str(file), "--muni", ASKER).returncode == 2, "no basis"
    file.unlink()


def test_what_was_found_is_removed_after_its_time(rig, vrs):
    (a,) = vrs.plant(PEERS[0])
    with open(rig.state / "conf/intake.yaml", "a") as conf:
        conf.write("inquiry_keep_days: 0\n")
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    task = vrs.start([person(a, PEERS[0])])
    rig.follow(ASKER, task)
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))  # it looks once a minute, and after its start
    wait_for("the folder is gone", 10, lambda: not list((rig.state / "spool").glob(f"*{task}")))
    gone = vrs.page(task)
    assert (gone.status, gone.json()["code"]) == (410, "results_removed")
    assert rig.muni(ASKER, "GET", f"/v1/tasks/{task}").json()["counts"]["found"] == 1
