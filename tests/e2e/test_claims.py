"""What a municipality owes its clinics: months that are over, what is taken back in a later one, reductions, and the claims system that counts again."""

import csv
import datetime
import io

import pytest

from rig import CLINIC_A, CONTROL, MUNICIPAL
from test_exports import load
from vaccine_rig import JST, MUNI, OTHER, Child, Town, gtin, months_ago, new_id

CLAIMS, SYSTEM = "/v1/vaccination/claims", 19
HEAD = ["claimMonth", "municipalityCode", "medicalInstitutionCode", "vaccinationProgramId", "vaccinationMonth", "kind", "count", "unitPrice", "ownShare", "amount",
        "note", "state"]
COVID, OLD = "covid-19-special", "pneumococcal-elderly"
NOW = datetime.datetime.now(JST).strftime("%Y-%m")


@pytest.fixture(scope="module")
def town(rig):
    t = Town(rig)
    load(rig, OTHER, 3)  # recorded at 8:59:59 on 1 April 2021, in Japan; it was still March in London
    return t


def get(town, month, muni=OTHER):
    return town.rig.muni(muni, "GET", f"{CLAIMS}?month={month}")


def lines(answer):
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/csv; charset=utf-8" and answer.body.endswith(b"\r\n")
    head, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
    assert head == HEAD
    return rows


def kept(town):
    return town.rig.call(CONTROL, "GET", "/kept/claims", cert="operator-local").json()


def put(town, body, month="2021-04", muni=OTHER):
    return town.rig.call(SYSTEM, "PUT", f"/claims/v1/claims/{month}", body, cert=f"muni-{muni}", headers={"Content-Type": "text/csv"})


SPRING = [["2021-04", OTHER, CLINIC_A, COVID, "2021-03", "charge", "3", "2277", "0", "6831", "", "final"],
          ["2021-04", OTHER, CLINIC_A, COVID, "2021-04", "charge", "2", "2277", "0", "4554", "", "final"]]


def test_a_month_is_what_was_recorded_in_it(town):
    assert lines(get(town, "2021-04")) == SPRING
    assert lines(get(town, "2021-03")) == lines(get(town, "2021-05")) == []
    assert lines(get(town, "2021-04", "222127")) == []


def test_the_command_sends_a_month_once_and_gets_a_receipt(town, rig, tmp_path):
    out = tmp_path / "claims.csv"
    for _ in range(2):  # the same again is taken again
        done = rig.command("claims", "--muni", OTHER, "--month", "2021-04", "--out", out, "--send")
        assert done.returncode == 0 and "11385" in done.stdout, (done.stdout, done.stderr)
    assert out.read_bytes() == get(town, "2021-04").body
    assert [(f["municipalityCode"], f["month"], f["rows"], f["amount"]) for f in kept(town)["files"]] == [(OTHER, "2021-04", 2, 11385)]
    entries = [e for e in rig.muni(OTHER, "GET", "/v1/audit/entries").json()["entries"] if e["event"] == "claims_exported"]
    assert [e["count"] for e in entries[:2]] == [2, 0] and entries[0]["actor"] == f"municipality/{OTHER}/kodomo"


def test_a_dose_that_is_cancelled_later_is_taken_back_then(town, rig, tmp_path):
    """The second dose of a resident, recorded in April 2021, is cancelled now."""
    session = town.clinic("eligibility", {"link_key": town.mint("TEST-1", scope="immunizations")}).json()["session"]
    records = town.clinic("immunizations", {"session": session}).json()["immunizations"]
    second = next(r for r in records if r["doseNumber"] == "2")
    a = town.clinic("immunizations/correct", {"session": session, "requestId": new_id(), "immunizationId": second["immunizationId"], "version": second["version"],
                                              "cancel": True, "reason": "wrong_person"})
    assert a.status == 200, a.body
    assert lines(get(town, NOW)) == [[NOW, OTHER, CLINIC_A, COVID, "2021-04", "cancellation", "-1", "2277", "0", "-2277", "", "provisional"]]
    assert lines(get(town, "2021-04")) == SPRING  # what was paid was paid
    out = tmp_path / "claims.csv"
    done = rig.command("claims", "--muni", OTHER, "--month", NOW, "--out", out, "--send")
    assert done.returncode == 2 and out.exists(), done.stdout  # nobody pays a month that is not over
    assert len(kept(town)["files"]) == 1


def test_a_reduction_is_the_one_that_the_subject_had(town):
    born = months_ago(65 * 12, 20)
    for more in ({"reductionSegment": "生活保護"}, {}, {"reductionSegment": "知らない区分"}):
        child = Child(town, born=born, program=OLD, **more)
        a = child.record(child.session(), vaccinationProgramId=OLD, gtin=gtin(2))
        assert a.status == 200, a.body
    child.rig.register(MUNI, [{**child.base, "isNotDisclosed": False, "vaccinationSubjectNumber": "V-1", "reductionSegment": "生活保護"}],
                       "/v1/vaccination/subject-registration-tasks")  # too late for the dose
    got = [r for r in lines(get(town, NOW, MUNI)) if r[3] == OLD]
    assert [r[5:11] for r in got] == [["charge", "1", "8600", "0", "8600", ""], ["charge", "1", "8600", "4000", "4600", ""],
                                      ["charge", "1", "8600", "4000", "4600", "unknown_reduction"]]


def test_the_claims_system_counts_again(town):
    good = get(town, "2021-04").body.decode()
    taken = len(kept(town)["files"])
    assert put(town, good).status == 200
    for wrong in (good.replace("6831", "6832"), good.replace(",3,2277", ",4,2277"), good.replace("final", "provisional"), good.replace(OTHER, MUNI),
                  good.replace(CLINIC_A, "3319900018"), good.replace("\r\n", "\n"), good.split("\r\n", 1)[1], good.rstrip(), good + good.split("\r\n", 1)[1][:10],
                  good.replace("charge", "cancellation"), good.replace("2021-03", "2021-13"), good + good.split("\r\n")[-2] + "\r\n", ""):
        assert put(town, wrong).status in (400, 415, 422), wrong
    assert put(town, "\r\n".join(good.split("\r\n")[:2]) + "\r\n").status == 409  # another file for a month that was taken
    assert put(town, good, month="2021-05").status == 422 and put(town, good, muni=MUNI).status == 422
    assert town.rig.call(SYSTEM, "PUT", "/claims/v1/claims/2021-04", good, cert=f"clinic-{CLINIC_A}", headers={"Content-Type": "text/csv"}).status == 403
    assert len(kept(town)["files"]) == taken


def test_what_is_not_asked_for_properly_is_refused(town, rig):
    year = int(NOW[:4]) + 1
    for query in ("", "?month=", "?month=2021-13", "?month=202104", "?month=2021-04&month=2021-05", "?month=2021-04&small=exact", f"?month={year}-12", f"?muni={OTHER}"):
        a = rig.muni(OTHER, "GET", CLAIMS + query)
        assert (a.status, a.json()["code"]) == (400, "malformed_url"), query
    for cert in (f"clinic-{CLINIC_A}", "portal-mynaportal"):
        assert rig.call(MUNICIPAL, "GET", f"{CLAIMS}?month=2021-04", cert=cert).status == 403
    for words in (("--month", "2021-4"), ("--month", "x"), (), ("--month", f"{year}-12")):
        assert rig.command("claims", "--muni", OTHER, "--out", rig.dir / "none.csv", *words).returncode == 2
    assert not (rig.dir / "none.csv").exists()
