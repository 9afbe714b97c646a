"""Control flags of a resident, set at the municipal door: what clinics and the portal hear at once, and what becomes of the flags when the resident changes."""

import secrets
import signal
import socket
import subprocess
import threading
import time

import pytest

from front_rig import ERR, EVENT, NOTHING as AR_NOTHING
from person_rig import BIN, NOTHING, Rig, heard, number, row


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("flags"))
    try:
        yield rig.up()
    finally:
        rig.down()


def everywhere(rig, pmh_key, session, pseudonym):
    return heard(rig.look_up(pmh_key)), heard(rig.read_session(session)), heard(rig.ask(pseudonym))


def test_each_flag_silences_every_route_at_once_and_lifting_lets_them_speak(rig):
    key, _, pmh_key = rig.resident()
    session, pseudonym = rig.look_up(pmh_key).json["session"], rig.linked(pmh_key)
    for bits, flag in ((1, "hidden"), (2, "stopped"), (4, "recovery")):
        status, doc = rig.flags(key, **{flag: True})
        assert status == 200 and sum([doc["isNotDisclosed"] * 1, doc["isViewingStopped"] * 2, doc["isRecovery"] * 4]) == bits, doc
        assert everywhere(rig, pmh_key, session, pseudonym) == (NOTHING,) * 3
        record = rig.last("FLAGS_SET")
        assert (record["subject"], record["muni"], record["count"], record["result"]) == (rig.handle(pmh_key), "331007", bits, 0)
        assert record["epoch"] == int(rig.redis("redis-link", "GET", "ep")[0]) - 1  # the lookup after it raised it again
        status, doc = rig.flags(key, reason="ended")
        assert status == 200 and not (doc["isNotDisclosed"] or doc["isViewingStopped"] or doc["isRecovery"]) and doc["reason"] == "ended"
        assert everywhere(rig, pmh_key, session, pseudonym) == ((200, None),) * 3
        assert not [f for f in rig.fields(pmh_key) if f.startswith("f:")]


def test_a_silent_person_looks_like_one_who_was_never_registered(rig):
    key, _, pmh_key = rig.resident()
    rig.flags(key, hidden=True)
    assert rig.look_up(pmh_key).without_id() == rig.look_up("pk-never-seen").without_id()
    assert rig.ask(rig.linked(pmh_key)).without_id() == rig.ask("ps-" + secrets.token_hex(10)).without_id()


def test_who_cannot_be_found_or_said_is_refused(rig):
    key, _, pmh_key = rig.resident()
    assert [rig.flags(k, hidden=True)[1]["code"] for k in ("no-such-key", key + "x")] == ["unknown_resident"] * 2
    status, doc = rig.flags(key, hidden=True, cert="muni-271403")  # another municipality cannot name this one's residents
    assert (status, doc["code"]) == (404, "unknown_resident")
    assert rig.flags(key, hidden=True, reason="not a word")[0] == 422
    assert rig.say("PUT", "/v1/residents/flags", {"municipalityIdentityKey": key, "isNotDisclosed": True, "reason": "x"})[0] == 422
    assert rig.look_up(pmh_key).status == 200


NOT_SET = {"isNotDisclosed": False, "isViewingStopped": False, "isRecovery": False}


def test_what_is_in_force_is_told_to_who_may_set_it_and_recorded_first(rig):
    key, _, pmh_key = rig.resident()
    assert rig.flags_now(key) == (200, {**NOT_SET, "in_records": NOT_SET, "has_left": False})
    said = rig.flags(key, hidden=True, recovery=True)[1]
    assert rig.flags_now(key) == (200, {**said, "in_records": NOT_SET, "has_left": False})
    record = rig.last("FLAGS_READ")
    assert (record["subject"], record["muni"], record["count"], record["result"], record["epoch"]) == (rig.handle(pmh_key), "331007", 5, 0, 0)
    assert record["actor"].startswith("municipality/331007")
    epoch = rig.redis("redis-link", "GET", "ep")
    assert rig.flags_now(key)[0] == 200 and rig.redis("redis-link", "GET", "ep") == epoch  # a look changes nothing
    rig.flags(key, reason="over")
    assert rig.flags_now(key) == (200, {**NOT_SET, "in_records": NOT_SET, "has_left": False})


def test_nothing_of_another_municipality_is_told_and_who_is_not_found_is_one_answer(rig):
    key, num, pmh_key = rig.resident()
    elsewhere, _, _ = rig.resident(cert="muni-271403", num=num)
    rig.flags(elsewhere, stopped=True, cert="muni-271403")
    assert heard(rig.look_up(pmh_key)) == NOTHING
    assert rig.flags_now(key) == (200, {**NOT_SET, "in_records": NOT_SET, "has_left": False})
    seen = len([r for r in rig.records() if r["event"] == EVENT["FLAGS_READ"]])
    unknown = [rig.flags_now(elsewhere), rig.flags_now("no-such-key"), rig.flags_now(key, cert="muni-271403")]
    assert [(status, {**doc, "request_id": None}) for status, doc in unknown] == [(404, {**unknown[0][1], "request_id": None})] * 3
    assert unknown[0][1]["code"] == "unknown_resident"
    assert len([r for r in rig.records() if r["event"] == EVENT["FLAGS_READ"]]) == seen and rig.last("REFUSED")["reason"] == ERR["RESIDENT"]
    rig.flags(elsewhere, cert="muni-271403")


def test_flags_of_records_and_an_end_are_told_beside_those_of_the_person(rig):
    key, _, _ = rig.resident(isNotDisclosed=True)
    assert rig.flags_now(key) == (200, {**NOT_SET, "in_records": {**NOT_SET, "isNotDisclosed": True}, "has_left": False})
    said = rig.flags(key, stopped=True)[1]
    rig.change("moved_out", key)
    assert rig.flags_now(key) == (200, {**said, "in_records": {**NOT_SET, "isNotDisclosed": True}, "has_left": True})


def test_no_flags_are_told_by_number_or_with_more_than_a_key(rig):
    key, num, _ = rig.resident()
    for body in ({}, {"municipalityIdentityKey": key, "isNotDisclosed": False}, {"municipalityIdentityKey": key, "myNumber": num}):
        status, doc = rig.say("POST", "/v1/residents/flags", body)
        assert (status, doc["code"]) == (422, "field_invalid") and num not in str(doc)


def test_another_municipalitys_flag_silences_until_the_person_has_left_it(rig):
    key, num, pmh_key = rig.resident()
    elsewhere, _, _ = rig.resident(cert="muni-271403", num=num)
    rig.flags(elsewhere, stopped=True, cert="muni-271403")
    assert heard(rig.look_up(pmh_key)) == NOTHING
    rig.change("moved_out", elsewhere, cert="muni-271403")
    assert rig.look_up(pmh_key).status == 200
    rig.flags(key, hidden=True)
    assert heard(rig.look_up(pmh_key)) == NOTHING


def test_flags_stay_when_records_are_removed_and_registered_again(rig):
    key, num, pmh_key = rig.resident()
    rig.flags(key, recovery=True)
    for more in ({"isDeleted": True}, {"medicalSubsidyRecipientNumber": "0000009"}):
        rig.register_done([row(num, municipalityIdentityKey=key, **more)])
    assert heard(rig.look_up(pmh_key)) == NOTHING


def test_flags_go_with_a_new_number_and_with_a_merge_and_back(rig):
    key, _, old_key = rig.resident()
    rig.flags(key, hidden=True)
    new = number(secrets.randbelow(10**11))
    assert rig.change("number_changed", key, newMyNumber=new)["result"] == "updated"
    assert heard(rig.look_up(rig.pmh.key_of(new))) == NOTHING
    assert rig.flags(key)[0] == 200
    assert rig.look_up(rig.pmh.key_of(new)).status == 200
    assert not [f for f in rig.fields(old_key) if f.startswith("f:")]

    kept, _, kept_pmh = rig.resident(name="一人目", born="2001-01-01")
    gone, _, gone_pmh = rig.resident(name="一人目", born="2001-01-01", type_id="kodomo02")
    rig.flags(gone, stopped=True)
    operation = secrets.token_hex(8)
    merge = {"municipalityIdentityKey": kept, "otherMunicipalityIdentityKey": gone, "effectiveDate": "2026-01-01", "operationKey": operation}
    rig.say("POST", "/v1/residents/change-tasks", [{**merge, "changeType": "merged"}])
    assert heard(rig.look_up(kept_pmh)) == NOTHING
    rig.flags(gone, hidden=True)  # the merged key names the one resident; changed while they are one: both keep it
    rig.say("POST", "/v1/residents/change-tasks", [{**merge, "changeType": "unmerged"}])
    assert (heard(rig.look_up(kept_pmh)), heard(rig.look_up(gone_pmh))) == (NOTHING, NOTHING)


def test_unmerging_takes_a_flag_that_was_only_copied_off_the_other(rig):
    kept, _, kept_pmh = rig.resident(name="二人目", born="2001-01-01")
    gone, _, gone_pmh = rig.resident(name="二人目", born="2001-01-01", type_id="kodomo02")
    rig.flags(gone, stopped=True)
    merge = {"municipalityIdentityKey": kept, "otherMunicipalityIdentityKey": gone, "effectiveDate": "2026-01-01", "operationKey": secrets.token_hex(8)}
    for kind in ("merged", "unmerged"):
        rig.say("POST", "/v1/residents/change-tasks", [{**merge, "changeType": kind}])
    assert (rig.look_up(kept_pmh).status, heard(rig.look_up(gone_pmh))) == (200, NOTHING)


def test_flags_of_a_wrong_registration_do_not_silence_whose_number_it_was(rig):
    key, _, pmh_key = rig.resident()
    rig.flags(key, hidden=True)
    assert rig.change("wrong_registration", key)["result"] == "updated"
    assert not [f for f in rig.fields(pmh_key) if f[:2] in ("f:", "r:")]


def test_a_record_with_recovery_silences(rig):
    key, num, pmh_key = rig.resident()
    body = [{"modificationSeg": "1", "myNumber": num, "municipalityIdentityKey": key, "isRecovery": True, "isNotDisclosed": False, "isViewingStopped": False,
             "vaccinationSubjectNumber": "V1"}]
    basic = row(num)["basicFiveInfo"]
    status, doc = rig.say("POST", "/v1/vaccination/subject-registration-tasks", [{**body[0], "basicFiveInfo": basic}])
    assert status == 202, doc
    assert rig.wait_task(doc["task_id"])["counts"]["registered"] == 1, rig.wait_task(doc["task_id"])
    assert heard(rig.look_up(pmh_key)) == NOTHING


def test_a_flag_that_is_set_while_an_answer_waits_for_the_audit_log_silences_it(rig):
    """The record of the lookup is on its way when the daemon stops; the flag is written meanwhile, as another host would write it."""
    key, _, pmh_key = rig.resident()
    quiet_key, _, quiet_pmh = rig.resident()
    flagged, untouched = [], []
    rig.procs["audit"].send_signal(signal.SIGSTOP)
    threads = [threading.Thread(target=lambda: flagged.append(rig.look_up(pmh_key))), threading.Thread(target=lambda: untouched.append(rig.look_up(quiet_pmh)))]
    try:
        for t in threads:
            t.start()
        time.sleep(0.15)
        field = rig.redis("redis-link", "HKEYS", rig.name_of(pmh_key))
        assert any(f.startswith("sn:") for f in field)  # it was judged: its session is open
        set_flags(rig, pmh_key)
        time.sleep(0.3)
    finally:
        rig.procs["audit"].send_signal(signal.SIGCONT)
    for t in threads:
        t.join(10)
    assert heard(flagged[0]) == NOTHING and untouched[0].status == 200
    mine = [r for r in rig.records() if r["subject"] == rig.handle(pmh_key) and r["event"] == 30]
    assert [r["result"] for r in mine[-2:]] == [0, AR_NOTHING] and mine[-1]["reason"] == ERR["NOT_DISCLOSED"]


def set_flags(rig, pmh_key):
    """As another host would: without the locks of this one."""
    out = subprocess.run([BIN / "pmhgw-test-seed", "flags", rig.dir / "keys/link.ring", rig.dir / "keys/link.master", pmh_key, "331007", "1"],
                         check=True, capture_output=True, text=True).stdout
    word = (rig.dir / "keys" / "redis-link-test.pass").read_text()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(rig.dir / "run" / "redis-link.sock"))
        s.sendall(b"*3\r\n$4\r\nAUTH\r\n$4\r\ntest\r\n$%d\r\n%s\r\n" % (len(word), word.encode()) + bytes.fromhex(out.strip()))
        time.sleep(0.05)
        assert b"-" not in s.recv(100)


def test_nothing_is_set_while_it_could_not_be_recorded(rig):
    key, _, pmh_key = rig.resident()
    rig.own_token()
    rig.kill("audit")
    time.sleep(0.3)
    assert rig.flags(key, hidden=True)[0] == 503 and rig.flags_now(key)[0] == 503  # nor told
    assert not [f for f in rig.fields(pmh_key) if f.startswith("f:")]
    rig.start("audit")
    rig.wait_healthy()
    assert rig.flags(key, hidden=True)[0] == 200
    assert heard(rig.look_up(pmh_key)) in (NOTHING, (503, "audit_unavailable"))
