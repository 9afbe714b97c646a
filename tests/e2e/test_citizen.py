"""What a citizen sees and does at the portal door, over a real front, store and audit log. Proofs are checked by code that is not ours (audit_tree.py),
the statement's signature by cryptography."""

import base64
import concurrent.futures
import os
import re
import secrets
import signal
import subprocess
import threading
import time

import audit_tree
import pytest

from citizen_rig import EVENTS, EXTRA, ROUTES, TIME, Citizen, Ipc, Page, check, jws_open, record
from front_rig import BIN, CLINIC, ERR, EVENT, FAILED, GIVEN, NOBODY, NOTHING, OTHER_CLINIC, Rig, last, rig, wait_for  # noqa: F401


@pytest.fixture
def citizen(rig):
    return Citizen(rig)


# ---- consents and sessions ----

def test_the_list_tells_consents_and_open_sessions_with_names_of_institutions(rig, citizen):
    assert citizen("list").json == {"consents": [], "sessions": []}
    citizen.visit(consent_id="c-one")
    citizen.visit(OTHER_CLINIC, consent_id="c-two", scope="eligibility questionnaire")
    doc = citizen("list").json
    two, one = doc["consents"]
    assert (one["institution"], one["institution_en"], one["institutionCode"]) == ("模擬こどもクリニック", "Mock Children's Clinic", CLINIC)
    assert (two["institutionCode"], two["items"], one["items"]) == (OTHER_CLINIC, ["eligibility", "questionnaire"], ["eligibility"])
    assert (one["purpose"], one["purpose_ja"]) == ("treatment", "診療時の資格確認")
    assert all(TIME.fullmatch(c[k]) for c in (one, two) for k in ("given_at", "expires_at")) and "withdrawn_at" not in one
    assert re.fullmatch("[0-9a-f]{32}", one["consent_id"]) and one["consent_id"] != two["consent_id"]
    assert [s["consent_id"] for s in doc["sessions"]] == [two["consent_id"], one["consent_id"]]
    assert [s["institutionCode"] for s in doc["sessions"]] == [OTHER_CLINIC, CLINIC]
    assert last(rig, "CONSENTS_READ")[1:6] == (GIVEN, 0, rig.handle(citizen.pmh_key), "000000", 4)
    assert citizen.pmh_key.encode() not in citizen("list").raw


def test_a_withdrawn_consent_is_dead_everywhere_and_others_live(rig, citizen):
    mine, other = citizen.visit(consent_id="c-one"), citizen.visit(OTHER_CLINIC, consent_id="c-two")
    unused = rig.mint(citizen.pmh_key, consent_id="c-one")
    name = next(c["consent_id"] for c in citizen("list").json["consents"] if c["institutionCode"] == CLINIC)
    epoch = int(rig.redis()("GET", "ep"))
    left = citizen("withdraw", consent_id=name)
    assert left.status == 200
    assert {c["institutionCode"]: "withdrawn_at" in c for c in left.json["consents"]} == {CLINIC: True, OTHER_CLINIC: False}
    assert [s["institutionCode"] for s in left.json["sessions"]] == [OTHER_CLINIC]
    assert rig.records()[-1]["ref"].hex() == name and rig.records()[-1]["epoch"] == epoch + 1 and rig.records()[-1]["until"] > time.time() + 47 * 3600
    assert last(rig, "CONSENT_WITHDRAWN")[1:6] == (GIVEN, 0, rig.handle(citizen.pmh_key), "000000", 1)
    assert rig.look_up(unused).code == "nothing" and rig.look_up(rig.mint(citizen.pmh_key, consent_id="c-one")).code == "nothing"
    assert rig.read_session(mine).code == "no_session" and rig.read_session(other, OTHER_CLINIC).status == 200
    again = citizen("withdraw", consent_id=name)  # once more: the same
    assert again.status == 200 and len(again.json["sessions"]) == 1
    assert rig.look_up(rig.mint(citizen.pmh_key, consent_id="c-one", consent_version=2)).status == 200  # given anew
    assert "withdrawn_at" not in next(c for c in citizen("list").json["consents"] if c["consent_id"] == name)
    assert citizen("withdraw", consent_id=name).status == 200
    assert rig.look_up(rig.mint(citizen.pmh_key, consent_id="c-one", consent_version=2)).code == "nothing"


def test_withdrawing_all_is_one_act(rig, citizen):
    sessions = [(citizen.visit(c), c) for c in (CLINIC, OTHER_CLINIC)]
    left = citizen("withdraw", all=True)
    assert left.status == 200 and left.json["sessions"] == [] and all("withdrawn_at" in c for c in left.json["consents"])
    assert rig.records()[-1]["ref"] == NOBODY and rig.records()[-1]["until"] > 0 and rig.records()[-1]["epoch"] > 0
    assert [rig.read_session(s, c).code for s, c in sessions] == ["no_session"] * 2
    assert Citizen(rig)("withdraw", all=True).json == {"consents": [], "sessions": []}  # nothing there: fine


def test_too_many_withdrawals_become_one_of_all_and_the_record_says_so(rig, citizen):
    lasting = citizen.visit(consent_id="c-lasting")
    for n in range(65):
        citizen.visit(consent_id=f"c-{n}")
        assert citizen("withdraw", consent_id=citizen("list").json["consents"][0]["consent_id"]).status == 200
        assert (rig.read_session(lasting).status, rig.records()[-2]["ref"] == NOBODY) == ((200, False) if n < 64 else (404, True))
    assert rig.records()[-2]["until"] and all("withdrawn_at" in c for c in citizen("list").json["consents"])


def test_what_has_expired_is_left_out(rig, citizen):
    citizen.visit(consent_id="c-old", life=24 * 3600, age=24 * 3600 - 2)
    citizen("withdraw", all=True)
    assert len(citizen("list").json["consents"]) == 1  # withdrawn, and shown as such
    wait_for(lambda: citizen("list").json == {"consents": [], "sessions": []}, 20)


def test_ending_a_session_leaves_the_consent(rig, citizen):
    mine, other = citizen.visit(consent_id="c-one"), citizen.visit(OTHER_CLINIC)
    name = next(s["session_id"] for s in citizen("list").json["sessions"] if s["institutionCode"] == CLINIC)
    left = citizen("end", session_id=name)
    assert left.status == 200 and [s["institutionCode"] for s in left.json["sessions"]] == [OTHER_CLINIC]
    assert not any("withdrawn_at" in c for c in left.json["consents"])
    assert rig.records()[-1]["ref"].hex() == name and rig.records()[-1]["until"] > time.time() and rig.records()[-1]["epoch"] > 0
    assert rig.read_session(mine).code == "no_session" and rig.read_session(other, OTHER_CLINIC).status == 200
    assert citizen("end", session_id=name).json == left.json
    assert rig.look_up(rig.mint(citizen.pmh_key, consent_id="c-one")).status == 200


def test_ending_all_sessions_leaves_a_record_of_each(rig, citizen):
    sessions = [citizen.visit() for _ in range(5)]
    names = {s["session_id"] for s in citizen("list").json["sessions"]}
    seen = len(rig.audit())
    assert citizen("end", all=True).json["sessions"] == []
    assert {r["ref"].hex() for r in rig.records()[seen:]} == names and len(names) == 5
    assert [r[0:2] for r in rig.audit()[seen:]] == [(EVENT["SESSION_ENDED"], GIVEN)] * 5
    assert {rig.read_session(s).code for s in sessions} == {"no_session"}


def test_the_name_of_another_is_worth_nothing(rig, citizen):
    other = Citizen(rig)
    session = other.visit()
    doc = other("list").json
    assert citizen("end", session_id=doc["sessions"][0]["session_id"]).json == {"consents": [], "sessions": []}
    stale = citizen("withdraw", consent_id=doc["consents"][0]["consent_id"])
    assert (stale.status, stale.code) == (404, "nothing")
    assert (last(rig, "CONSENT_WITHDRAWN")[1:3], rig.records()[-1]["until"], rig.records()[-1]["ref"]) == ((NOTHING, ERR["NOTHING"]), 0, NOBODY)
    assert rig.read_session(session).status == 200 and len(other("list").json["sessions"]) == 1


def test_the_pseudonym_of_another_portal_is_nobodys(rig):
    there = Citizen(rig, portal="other")
    session = there.visit()
    here = Citizen(rig)
    here.pseudonym = there.pseudonym
    assert {(here(what, **EXTRA.get(what, {})).status, here(what, **EXTRA.get(what, {})).code) for what in ROUTES} == {(404, "nothing")}
    assert rig.read_session(session).status == 200 and len(there("list").json["sessions"]) == 1


def test_orders_of_nobody_leave_nothing_in_the_store(rig, citizen):
    citizen.visit()
    r, before = rig.redis(), set(rig.redis()("KEYS", "*"))
    fields = lambda: {k: r("HGETALL", k) for k in before if k.startswith(b"p:")}  # noqa: E731
    was = fields()
    assert citizen("withdraw", consent_id="0" * 32).code == citizen("withdraw", consent_id="f" * 32).code == "nothing"
    citizen.pseudonym = "ps-" + secrets.token_hex(8)
    assert {citizen(what, **EXTRA.get(what, {})).code for what in ROUTES} == {"nothing"}
    assert set(r("KEYS", "*")) == before and fields() == was


@pytest.mark.parametrize("what", ROUTES)
def test_a_silenced_person_is_answered_like_nobody(rig, what):
    hidden, nobody = Citizen(rig), Citizen(rig, [])
    session = hidden.visit()
    rig.put(hidden.pmh_key, muni="271403", history="9", flags="n")
    nobody.pseudonym = "ps-" + secrets.token_hex(8)
    answers = [c(what, **EXTRA.get(what, {})).without_id() for c in (Citizen(rig, []), hidden, nobody)]  # the first: linked, but never registered
    assert answers[0] == answers[1] == answers[2] and answers[0][0] == 404
    assert [last(rig, EVENTS[what], skip)[2] for skip in (1, 0)] == [ERR["NOT_DISCLOSED"], ERR["NOTHING"]]
    if what in ("withdraw", "end"):  # what was ordered was done: when the flag is lifted nothing comes back
        rig.put(hidden.pmh_key, muni="271403", history="9")
        assert rig.read_session(session).code == "no_session"


def test_a_withdrawal_races_with_sessions_that_open(rig):
    """Whatever a clinic heard while the withdrawal was on its way: after its answer no session under the consent reads and no key works."""
    for n in range(8):
        citizen, consent = Citizen(rig), f"c-{n}"
        citizen.visit(consent_id=consent)
        name = citizen("list").json["consents"][0]["consent_id"]
        opened, stop = [], threading.Event()

        def clinic():
            while not stop.is_set():
                answer = rig.look_up(rig.mint(citizen.pmh_key, consent_id=consent))
                if answer.status == 200:
                    opened.append(answer.json["session"])

        threads = [threading.Thread(target=clinic) for _ in range(4)]
        [t.start() for t in threads]
        wait_for(lambda: opened)
        done = citizen("withdraw", **({"all": True} if n % 2 else {"consent_id": name}))
        assert done.status == 200 and done.json["sessions"] == []
        stop.set()
        [t.join() for t in threads]
        heard = [rig.read_session(s) for s in opened]
        assert {(a.status, a.code) for a in heard} <= {(404, "no_session")}, (n, heard)
        assert rig.look_up(rig.mint(citizen.pmh_key, consent_id=consent)).code == "nothing"
        assert citizen("list").json["sessions"] == []


def test_an_acknowledged_withdrawal_survives_the_death_of_the_front(rig):
    for delay in (0, 0.001, 0.002, 0.004):
        citizen = Citizen(rig)
        session = citizen.visit(consent_id="c-one")
        name = citizen("list").json["consents"][0]["consent_id"]
        heard = []

        def ask():
            try:
                heard.append(citizen("withdraw", consent_id=name).status)
            except OSError:
                heard.append(0)

        t = threading.Thread(target=ask)
        t.start()
        time.sleep(delay)
        for pid in rig.workers_of_front():
            os.kill(pid, signal.SIGKILL)
        t.join()
        rig.wait_healthy()
        if heard == [200]:
            assert rig.read_session(session).code == "no_session"
            assert last(rig, "CONSENT_WITHDRAWN")[3] == rig.handle(citizen.pmh_key)
        assert citizen("withdraw", consent_id=name).status == 200  # once more completes it
        assert rig.read_session(session).code == "no_session"
        assert last(rig, "CONSENT_WITHDRAWN")[3] == rig.handle(citizen.pmh_key) and rig.records()[-2]["ref"].hex() == name


# ---- the access log ----

def test_the_log_tells_who_asked_and_proves_it(rig, citizen):
    citizen.visit()
    used = rig.mint(citizen.pmh_key)
    assert [rig.look_up(used).status for _ in range(2)] == [200, 409]
    rig.look_up(rig.mint(citizen.pmh_key), OTHER_CLINIC)  # another's key
    entries = check(rig, citizen.log())
    assert [(e["event"], e["result"]) for e in entries] == [("clinic_lookup", "nothing"), ("clinic_lookup", "used"), ("clinic_lookup", "ok"),
                                                           ("clinic_lookup", "ok"), ("pseudonym_linked", "ok")]
    assert [e["institutionCode"] for e in entries] == [OTHER_CLINIC, CLINIC, CLINIC, CLINIC, "mynaportal"]
    e = entries[2]
    assert (e["institution"], e["what"], e["purpose"], e["basis"], e["on_behalf"]) == ("模擬こどもクリニック", ["eligibility"], "treatment", 20, "own")
    assert "個人情報保護法" in e["why_ja"] and "連携キー" in e["event_ja"] and "link key" in e["event_en"]
    assert "使用済み" in entries[1]["result_ja"] and "nothing was given out" in entries[0]["result_en"]
    again = check(rig, citizen.log(limit="1"))
    assert [(e["event"], e["institution"], e["on_behalf"]) for e in again] == [("access_log_read", "マイナポータル(本人)", "citizen")]
    assert last(rig, "ACCESS_LOG_READ")[1:6] == (GIVEN, 0, rig.handle(citizen.pmh_key), "000000", 1)
    raw = citizen("log").raw
    for secret in (citizen.pmh_key.encode(), rig.handle(citizen.pmh_key).hex().encode(), base64.b64encode(rig.handle(citizen.pmh_key))[:20]):
        assert secret not in raw


def test_pages_are_newest_first_and_whole(rig, citizen):
    for _ in range(6):
        citizen.visit()
    whole = [e["seq"] for e in citizen.log(limit="50")["entries"]]
    assert len(whole) == 7
    pages, cursor = [], {"cursor": str(max(whole) + 1)}
    while cursor:
        page = citizen.log(limit="3", **cursor)
        pages.append([e["seq"] for e in check(rig, page)])
        cursor = {"cursor": page["next"]} if "next" in page else {}
    assert sum(pages, []) == whole and [len(p) for p in pages] == [3, 3, 1]
    assert citizen.log(cursor="1")["entries"] == [] and "next" not in citizen.log(cursor="1")
    assert citizen.log(cursor="18446744073709551615", limit="1")["entries"][0]["event"] == "access_log_read"


def test_nobody_reads_another_persons_entries(rig, citizen):
    other = Citizen(rig)
    other.visit()
    theirs = {e["seq"] for e in other.log()["entries"]}
    assert not theirs & {e["seq"] for e in citizen.log()["entries"]}


def test_a_long_log_is_read_in_pages(rig, citizen):
    """10,000 entries and more, in a file that is full, among others' entries."""
    ipc, mine = Ipc(rig), rig.handle(citizen.pmh_key)
    for _ in range(20):
        ipc.call(1, *[record(mine if i % 2 else os.urandom(16), EVENT["RESIDENT_CHANGED"]) for i in range(1000)])
    seen, cursor, worst, began = 0, {}, 0, time.monotonic()
    while seen < 2000:
        t = time.monotonic()
        page = citizen.log(limit="50", **cursor)
        worst = max(worst, time.monotonic() - t)
        assert len(page["entries"]) == 50
        seen += 50
        cursor = {"cursor": page["next"]}
    check(rig, page)
    assert page["entries"][0]["institution"] == "岡山市" and worst < 6, (worst, time.monotonic() - began)
    whole = citizen("statement", limit="50", cursor=cursor["cursor"])
    assert whole.status == 200 and len(check(rig, jws_open(rig, whole.json["statement"]))) == 50 and "これより前の記録もあります" in whole.json["html"]
    far = citizen.log(limit="50", cursor=str(page["entries"][-1]["seq"] - 12000))
    assert len(check(rig, far)) == 50


def test_protection_is_not_told_and_leaves_no_gap(rig, citizen):
    mine = rig.handle(citizen.pmh_key)
    ipc = Ipc(rig)
    for event in ("RESIDENT_CHANGED", "FLAGS_SET", "FLAGS_READ", "RESIDENT_CHANGED", "FLAGS_SET", "RESIDENT_CHANGED", "FLAGS_SET"):
        ipc.call(1, record(mine, EVENT[event]))
    top = citizen.log()
    assert [e["event"] for e in top["entries"]] == ["resident_changed"] * 3 + ["pseudonym_linked"] and "next" not in top
    last_of = lambda doc: doc["entries"][-1]["seq"]  # noqa: E731
    page = citizen.log(limit="2", cursor=str(top["entries"][0]["seq"] + 1))
    assert [e["event"] for e in page["entries"]] == ["resident_changed"] * 2 and int(page["next"]) == last_of(page)
    other = Citizen(rig)
    ipc.call(1, record(rig.handle(other.pmh_key), EVENT["FLAGS_SET"]), record(rig.handle(other.pmh_key), EVENT["RESIDENT_CHANGED"]))
    assert "next" in other.log(limit="1")
    ipc.call(1, record(rig.handle(citizen.pmh_key), EVENT["FLAGS_SET"]))


def test_a_flag_that_is_set_meanwhile_silences_the_log(rig, citizen):
    os.kill(rig.procs["audit"].pid, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(citizen, "log")
            time.sleep(0.3)
            rig.put(citizen.pmh_key, muni="271403", history="9", flags="n")
            os.kill(rig.procs["audit"].pid, signal.SIGCONT)
            answer = asked.result()
    finally:
        os.kill(rig.procs["audit"].pid, signal.SIGCONT)
    assert (answer.status, answer.code) == (404, "nothing")


# ---- the statement ----

def test_the_statement_is_signed_and_printable(rig, citizen, tmp_path):
    citizen.visit()
    answer = citizen("statement", limit="50")
    assert answer.status == 200
    doc = answer.json
    entries = check(rig, doc)
    assert [e["event"] for e in entries] == ["clinic_lookup", "pseudonym_linked"]
    said = jws_open(rig, doc["statement"])
    assert said == {k: v for k, v in doc.items() if k not in ("statement", "html")}
    assert re.fullmatch("[0-9a-f]{16}", said["request"])
    assert said["type"] == "access_log_statement" and said["portal"] == "mynaportal" and said["log_key"] + "\n" == rig.log_key
    changed = doc["statement"].split(".")
    changed[1] = changed[1][:-2] + ("AA" if changed[1][-2:] != "AA" else "BB")
    with pytest.raises(Exception):
        jws_open(rig, ".".join(changed))
    page = Page(doc["html"])
    assert {"script", "img", "link", "iframe", "object"} & set(page.tags) == set() and not {"src", "href"} & {k for k, _ in page.attrs}
    assert not any(k.startswith("on") for k, _ in page.attrs) and "url(" not in doc["html"] and "@import" not in doc["html"]
    root = doc["checkpoint"].splitlines()[2]
    for word in ("アクセス記録の証明書", "Statement of access", "模擬こどもクリニック", "Mock Children's Clinic", root, rig.log_key.strip(), said["request"],
                 "pmhgw audit check", str(entries[0]["seq"])):
        assert word in page.text, word
    assert page.text.index("アクセス記録の証明書") < page.text.index("Statement of access") and "@page{size:A4" in doc["html"]
    rec = last(rig, "STATEMENT_ISSUED")
    assert rec[1:6] == (GIVEN, 0, rig.handle(citizen.pmh_key), "000000", 2)
    assert "statement_issued" == citizen.log(limit="1")["entries"][0]["event"]
    if (BIN / "pmhgw").exists():
        (tmp_path / "statement.json").write_bytes(answer.raw)
        done = subprocess.run([BIN / "pmhgw", "audit", "check", tmp_path / "statement.json", "--key", rig.key("audit.pub")], capture_output=True)
        assert done.returncode == 0, done.stderr


def test_a_statement_names_the_key_that_is_in_use(rig, citizen):
    """The file is replaced by a list (pmhgw audit rotate-key): its first line is told, without a new start."""
    pub = rig.dir / "keys" / "audit.pub"
    before, fresh = pub.read_text(), audit_tree.verifier_key(b"\x05" * 32)
    said = lambda: citizen("statement").json["log_key"] + "\n"
    replace = lambda text: (pub.with_suffix(".new").write_text(text), pub.with_suffix(".new").rename(pub))
    assert said() == before
    try:
        replace(fresh + f"{before.strip()} 7\n")
        wait_for(lambda: said() == fresh, 20)
        replace("no key\n")
        time.sleep(1)
        assert said() == fresh  # what cannot be read changes nothing
    finally:
        replace(before)
    wait_for(lambda: said() == before, 20)


# ---- bad input, and what is away ----

@pytest.mark.parametrize("what, members, code, fault", [
    ("list", {"pseudonym": "short"}, "field_invalid", ("pseudonym", "length")),
    ("list", {"pseudonym": "ps-\u001b[31m12345"}, "field_invalid", ("pseudonym", "class")),
    ("list", {"pseudonym": "ps-\u000012345"}, "invalid_json", None),
    ("list", {"canary": 1}, "field_invalid", ("", "unknown")),
    ("withdraw", {}, "field_invalid", ("consent_id", "range")),
    ("withdraw", {"all": False}, "field_invalid", ("all", "range")),
    ("withdraw", {"all": True, "consent_id": "0" * 32}, "field_invalid", ("consent_id", "range")),
    ("withdraw", {"all": "true"}, "field_invalid", ("all", "type")),
    ("withdraw", {"consent_id": "A" * 32}, "field_invalid", ("consent_id", "class")),
    ("withdraw", {"consent_id": "0" * 31}, "field_invalid", ("consent_id", "length")),
    ("withdraw", {"consent_id": "0" * 32}, "nothing", None),
    ("withdraw", {"consent_id": "\r\n" + "0" * 30}, "field_invalid", ("consent_id", "class")),
    ("end", {"session_id": "g" * 32}, "field_invalid", ("session_id", "class")),
    ("end", {}, "field_invalid", ("session_id", "range")),
    ("log", {"cursor": "0"}, "field_invalid", ("cursor", "range")),
    ("log", {"cursor": "18446744073709551616"}, "field_invalid", ("cursor", "range")),
    ("log", {"cursor": "9" * 400}, "field_invalid", ("cursor", "length")),
    ("log", {"cursor": "01"}, "field_invalid", ("cursor", "range")),
    ("log", {"cursor": 5}, "field_invalid", ("cursor", "type")),
    ("log", {"limit": "51"}, "field_invalid", ("limit", "range")),
    ("log", {"limit": "0"}, "field_invalid", ("limit", "range")),
    ("log", {"limit": "-1"}, "field_invalid", ("limit", "class")),
    ("statement", {"limit": "999"}, "field_invalid", ("limit", "length")),
])
def test_bad_orders(rig, citizen, what, members, code, fault):
    session = citizen.visit()
    answer = citizen(what, **members)
    assert answer.code == code, answer.raw
    if fault:
        assert [(e["field"], e["rule"]) for e in answer.json["errors"]] == [fault]
    assert b"canary" not in answer.raw and rig.read_session(session).status == 200


def test_values_that_somebody_put_into_the_store_are_an_alarm(rig, citizen):
    citizen.visit()
    other = Citizen(rig)
    r = rig.redis()
    person = lambda c: "p:{%s}" % rig.seed("used", rig.key("link.ring"), rig.key("link.master"), c.pmh_key, "x")[0].split("{")[1].split("}")[0]  # noqa: E731
    fields = r("HGETALL", person(citizen))
    moved = next((f, v) for f, v in zip(fields[::2], fields[1::2]) if f.startswith(b"co:"))
    r("HSET", person(other), *moved)
    assert {other(w, **EXTRA.get(w, {})).code for w in ("list", "withdraw", "end")} == {"internal_error"}
    assert last(rig, "SESSION_ENDED")[1:3] == (FAILED, ERR["SEAL"])


def test_without_the_audit_log_there_is_no_answer(rig, citizen):
    session = citizen.visit()
    rig.kill("audit")
    try:
        wait_for(lambda: citizen("list").code == "audit_unavailable", 20)
        assert {citizen(w, **EXTRA.get(w, {})).code for w in ROUTES} == {"audit_unavailable"}
    finally:
        rig.start("audit")
        rig.wait_healthy()
    assert rig.read_session(session).status == 200  # and nothing was done


def test_an_audit_log_that_hangs_keeps_nobody_waiting_for_long(rig, citizen):
    os.kill(rig.procs["audit"].pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda w: citizen(w, **EXTRA.get(w, {})), ROUTES))
        assert {a.code for a in answers} == {"audit_unavailable"} and time.monotonic() - began < 5
    finally:
        os.kill(rig.procs["audit"].pid, signal.SIGCONT)
        rig.wait_healthy()
    assert citizen.log()["entries"]


def test_a_front_without_a_key_for_statements_has_none(tmp_path):
    rig = Rig(tmp_path, workers=1)
    conf = rig.dir / "conf" / "front.yaml"
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if not line.startswith("statement_")))
    try:
        citizen = Citizen(rig.up())
        assert (citizen("statement").status, citizen("statement").code) == (404, "not_found")
        assert citizen.log()["entries"]
    finally:
        rig.down()
