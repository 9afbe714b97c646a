"""What no legal basis names is refused at every door, and what a request was decided by can be told afterwards (docs/legal-basis.md)."""

import json
import re
import subprocess

import pytest

import basis_register as reg
import front_rig
import intake_rig
from front_rig import CLINIC, ERR, EVENT, ROOT
from rig import CLINIC as CLINIC_DOOR
from rig import CLINIC_B, MUNICIPAL, fresh_number, row_for

REFUSED = EVENT["REFUSED"]
EVENT_NAMES = {name: int(n) for n, name in re.findall(r'^X\(\w+, *(\d+), "(\w+)"\)', (ROOT / "gateway/audit/events.def").read_text(), re.M)}
ANSWERED = {"clinic": ("clinic", f"clinic-{CLINIC}"), "portal": ("portal", "portal-mynaportal")}


def entry(rec):
    """The columns of a record that say why."""
    number = lambda lo, hi: int.from_bytes(rec[lo:hi], "big")
    return {"event": number(2, 4), "result": rec[1], "reason": number(4, 6), "basis": number(148, 150), "items": number(150, 152), "purpose": rec[152],
            "behalf": rec[153], "actor": rec[56:120].rstrip(b"\0").decode(), "subject": rec[40:56].hex()}


def log_of(state):
    out = []
    for path in sorted((state / "audit").glob("audit-*.log")):
        data = path.read_bytes()[64:]
        out += [entry(data[at:at + 160]) for at in range(0, len(data) - 207, 208) if any(data[at:at + 160])]
    return out


# ---- clinic and portal door ----

@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """Without a basis for sessions, for a citizen's own data, and for the purpose of immunization."""
    where = tmp_path_factory.mktemp("basis")
    text = reg.without_bases(reg.without(reg.SHIPPED.read_text(), "readSession", "lookUpByPseudonym"), 21)
    (where / "register.yaml").write_text(text)
    rig = front_rig.Rig(where / "state", workers=1, legal_basis_file=str(where / "register.yaml"))
    try:
        yield rig.up()
    finally:
        rig.down()


def test_a_clinic_is_refused_without_a_row(front):
    a = front.read_session("x" * 43)
    assert (a.status, a.code) == (403, "no_legal_basis")
    last = log_of(front.dir)[-1]
    assert (last["event"], last["reason"], last["basis"], last["actor"]) == (REFUSED, ERR["BASIS"], 0, f"clinic/{CLINIC}")


def test_a_portal_is_refused_without_a_row_before_its_body_is_read(front):
    a = front.post("portal", "/v1/portal/eligibility", b"{ this is no JSON", "portal-mynaportal")
    assert (a.status, a.code) == (403, "no_legal_basis")
    last = log_of(front.dir)[-1]
    assert (last["event"], last["reason"], last["actor"]) == (REFUSED, ERR["BASIS"], "portal/mynaportal")


def test_a_link_key_for_a_purpose_without_a_row_is_nothing(front):
    person = front.person()
    a = front.look_up(front.mint(person, purpose="immunization"))
    unknown = front.look_up(front.mint("pk-nobody-at-all"))
    assert a.without_id() == unknown.without_id() and a.code == "nothing"
    of_purpose = [e for e in log_of(front.dir) if e["event"] == EVENT["CLINIC_LOOKUP"] and e["reason"] == ERR["BASIS"]]
    assert len(of_purpose) == 1 and of_purpose[0]["basis"] == 0 and of_purpose[0]["items"] == 1
    assert front.look_up(front.mint(person)).status == 200
    good = log_of(front.dir)[-1]
    assert (good["basis"], good["purpose"], good["items"], good["behalf"]) == (20, 1, 1, 0)


def test_every_route_of_the_front_is_open_exactly_where_a_row_names_it(front):
    allowed = reg.allowed((front.dir.parent / "register.yaml").read_text())
    seen = set()
    for r in reg.routes(front_rig.BIN / "pmhgw-front"):
        if r["callers"] == "anyone":
            continue
        door, cert = ANSWERED[r["door"]]
        path = re.sub(r"{\w+}", "0" * 32, r["path"])
        a = front.call(door, r["method"], path, b"{}" if r["method"] in ("POST", "PUT") else None, cert)
        covered = (cert.split("-")[0], "*", r["operation"]) in allowed
        assert (a.json or {}).get("code") == ("no_legal_basis" if not covered else (a.json or {}).get("code")), r
        assert covered == ((a.json or {}).get("code") != "no_legal_basis"), r
        seen.add(covered)
    assert seen == {True, False}


def why_of(front, answer):
    request = dict((k.lower(), v) for k, v in answer.headers)["x-request-id"]
    return subprocess.run([front_rig.BIN / "pmhgw", "why", request, "--state", front.dir], check=True, capture_output=True, text=True).stdout


def test_why_tells_a_withdrawn_consent_and_a_flag_apart(front):
    withdrawn, silent = front.person(), front.person([{"flags": "n"}])
    redis = front.redis()
    redis.sock.sendall(bytes.fromhex(front.seed("withdraw", front.key("link.ring"), front.key("link.master"), withdrawn, "consent-1", 1)[0]))
    redis._reply()
    answers = [front.look_up(front.mint(withdrawn, consent_id="consent-1")), front.look_up(front.mint(silent))]
    assert answers[0].without_id() == answers[1].without_id()
    for answer, rule, other in zip(answers, ("R4", "R5"), ("R5", "R4"), strict=True):
        out = why_of(front, answer)
        assert re.findall(r"✗ (R\d+)", out) == [rule] and re.search(rf"[-✓] {other} ", out), out
        assert "basis 20" in out


BROKEN = {
    "short": (lambda text: "bases: []\n", "is needed"),
    "dangling": (lambda text: text.replace("[lookUpEligibility, lookUpEligibilityList", "[lookUpEligibilty, lookUpEligibilityList", 1), "there is no such operation above"),
    "twice": (lambda text: text.replace("- id: 21", "- id: 20", 1), "another basis has this number"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_register_keeps_the_doors_shut(front, tmp_path, name):
    change, says = BROKEN[name]
    (tmp_path / "register.yaml").write_text(change(reg.SHIPPED.read_text()))
    conf = (front.dir / "conf" / "front.yaml").read_text()
    conf = re.sub(r"legal_basis_file: .*", f"legal_basis_file: {tmp_path}/register.yaml", conf)
    conf = re.sub(r"(clinic|portal)_port: \d+", lambda m: f"{m[1]}_port: {front_rig.free_port()}", conf)
    (tmp_path / "front.yaml").write_text(conf)
    done = subprocess.run([front_rig.BIN / "pmhgw-front", "--config", tmp_path / "front.yaml"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert re.search(rf"register\.yaml:\d+:\d+: .*{says}", done.stderr), done.stderr


# ---- municipal door ----

@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """kodomo and yobo are two systems of one municipality, each with its own program."""
    where = tmp_path_factory.mktemp("town")
    (where / "register.yaml").write_text(reg.separated())
    rig = intake_rig.Rig(where / "state", legal_basis_file=str(where / "register.yaml"))
    try:
        yield rig.up()
    finally:
        rig.down()


SYSTEMS = {"muni-331007": "kodomo", "muni-331007-b": "yobo"}


def test_every_route_of_the_municipal_door_is_open_exactly_where_a_row_names_the_system(town):
    """Before the token: what is covered asks for a token, what is not does not."""
    allowed = reg.allowed(reg.separated())
    seen = set()
    for cert, system in SYSTEMS.items():
        for r in reg.routes(intake_rig.BIN / "pmhgw-intake"):
            if r["token"] != "token":
                continue
            status, doc = town.call(r["method"], re.sub(r"{\w+}", "0" * 32, r["path"]), None, cert)
            covered = bool({("municipality", s, r["operation"]) for s in (system, "*")} & allowed)
            assert (status, doc["code"]) == ((401, "invalid_token") if covered else (403, "no_legal_basis")), (system, r)
            seen.add((r["operation"], system, covered))
    for operations, system in ((reg.KODOMO, "kodomo"), (reg.YOBO, "yobo")):
        other = ({"kodomo", "yobo"} - {system}).pop()
        assert {(o, system, True) for o in operations} <= seen and {(o, other, False) for o in operations} <= seen


def announce(town, operation, cert):
    meta = {"operation": operation, "source": "json", "bytes": 2}
    return town.call("POST", "/v1/files", json.dumps(meta).encode(), cert, town.token(cert))


def test_a_file_is_judged_by_the_operation_of_its_rows(town):
    status, doc = announce(town, "postRegistrationTasks", "muni-331007-b")
    assert (status, doc["code"]) == (403, "no_legal_basis"), doc
    status, doc = announce(town, "postRegistrationTasks", "muni-331007")
    assert status == 201, doc
    for method in ("GET", "DELETE"):
        status, of_other = town.call(method, f"/v1/files/{doc['file_id']}", None, "muni-331007-b", town.token("muni-331007-b"))
        assert (status, of_other["code"]) == (403, "no_legal_basis"), method
    assert town.call("GET", f"/v1/files/{doc['file_id']}", None, "muni-331007", town.token())[0] == 200


def test_a_task_of_another_program_is_not_told(town):
    status, task = town.register([intake_rig.row(intake_rig.number(70001))])
    assert status == 202, task
    town.wait_task(task["task_id"])
    token = town.token("muni-331007-b")
    for path in ("", "/results", "/events", "/receipt"):
        status, doc = town.call("GET", f"/v1/tasks/{task['task_id']}{path}", None, "muni-331007-b", token)
        assert (status, doc["code"]) == (403, "no_legal_basis"), path
    listed = {cert: {t["task_id"] for t in town.call("GET", "/v1/tasks", None, cert, town.token(cert))[1]["tasks"]} for cert in SYSTEMS}
    assert task["task_id"] in listed["muni-331007"] and task["task_id"] not in listed["muni-331007-b"]
    for order in ("release", "discard", "replay"):
        body = json.dumps({"officer": "tester", "all": True}).encode()
        status, doc = town.call("POST", f"/v1/tasks/{task['task_id']}/{order}", body, "muni-331007-b", token)
        assert (status, doc["code"]) == (403, "no_legal_basis"), order


def test_records_of_the_intake_say_on_which_basis(town):
    """After the tests above: what the daemons recorded of their own, and of callers."""
    number = {name: n for name, n in EVENT.items()}
    seen = {}
    for e in log_of(town.dir):
        seen.setdefault((e["event"], e["actor"]), set()).add(e["basis"])
    assert seen[number["TOKEN_ISSUED"], "municipality/331007/kodomo"] == {13}
    assert seen[number["REGISTRATION"], "municipality/331007/kodomo"] == {1}
    assert seen[number["NUMBERING"], "intake"] == {40}
    assert seen[number["RECORD_STORED"], "intake"] == {41}
    assert seen[number["PROCESS_START"], "intake"] == {0}


# ---- the main job, and why ----

WITHOUT_BASIS = {"request_refused", "process_start", "audit_start", "ipc_breach"}


@pytest.fixture(scope="module")
def job(rig):
    """One resident with a certificate: the answers of a clinic and a citizen, good and refused, by name."""
    number = fresh_number()
    rig.register("331007", [row_for(number, key="w-1")])
    rig.linked(1)
    card = rig.card_of(number)
    key = rig.consent(card)
    answers = {"ok": rig.clinic(key), "used": rig.clinic(key)}
    answers["other clinic"] = rig.clinic(rig.consent(card), CLINIC_B)
    answers["broken key"] = rig.clinic(key[:-8] + "AAAAAAAA")
    answers["citizen"] = rig.citizen(card)
    answers["session"] = rig.session(answers["ok"].json()["session"])
    answers["malformed"] = rig.clinic(1)
    answers["wrong door"] = rig.call(CLINIC_DOOR, "POST", "/v1/clinic/eligibility", {"link_key": key}, cert="portal-mynaportal")
    answers["no token"] = rig.call(MUNICIPAL, "GET", "/v1/tasks", cert="muni-331007")
    rig.register("331007", [row_for(number, key="w-1", isNotDisclosed=True)])
    answers["silent"] = rig.clinic(rig.consent(card))
    return rig, number, answers


def why(rig, request):
    return rig.command("why", request)


def told(rig, answer):
    done = why(rig, answer.headers["x-request-id"])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name, status, decided, says", [
    ("ok", 200, None, "根拠 / basis 20"),
    ("session", 200, None, "根拠 / basis 20"),
    ("used", 409, "R3", "used before"),
    ("other clinic", 404, "R3", "made for another clinic"),
    ("broken key", 404, "R3", "does not open"),
    ("silent", 404, "R5", "control flag"),
    ("malformed", 422, "R0", "breaks a rule"),
    ("wrong door", 403, "R1", "not open to this role"),
    ("no token", 401, "R8", "access token"),
])
def test_why_names_the_rule_that_decided(job, name, status, decided, says):
    rig, number, answers = job
    assert answers[name].status == status, answers[name].body
    out = told(rig, answers[name])
    assert re.findall(r"✗ (R\d+)", out) == ([decided] if decided else []), out
    assert says in out, out


def test_why_tells_nothing_of_a_person(job):
    rig, number, answers = job
    handles = {e["subject"] for e in log_of(rig.state)} - {"0" * 32}
    assert handles
    for name, answer in answers.items():
        if name != "citizen":  # that id is the portal's own
            out = told(rig, answer)
            assert not [h for h in handles if h in out] and number not in out and "3319900019" not in out and "331007" not in out


def test_why_of_an_unknown_request(job):
    rig, _, _ = job
    for unknown in ("0" * 16, "0123456789abcdef"):
        done = why(rig, unknown)
        assert done.returncode == 1 and "no entry of that request" in done.stderr, unknown
    assert why(rig, "xyz").returncode == 2


def test_every_entry_of_a_caller_says_on_which_basis(job):
    rig, _, _ = job
    names = {n: name for name, n in EVENT_NAMES.items()}
    seen = set()
    for e in log_of(rig.state):
        name, caller = names[e["event"]], re.match(r"(clinic|portal|municipality)/|\d{6}/", e["actor"])
        if not caller or name in WITHOUT_BASIS:
            continue
        unread = name == "clinic_lookup" and e["reason"] in (ERR["TOKEN"], ERR["FORBIDDEN"])  # nobody knows for which purpose
        assert unread or (e["basis"] and e["purpose"]), e
        assert e["behalf"] == (name == "citizen_lookup"), e
        seen.add(name)
    assert {"token_issued", "registration_accepted", "clinic_lookup", "citizen_lookup", "pseudonym_linked", "session_read"} <= seen


def test_what_the_gateway_does_by_itself_has_a_basis_too(job):
    rig, _, _ = job
    of = {e["event"]: e["basis"] for e in log_of(rig.state) if e["actor"] == "intake"}
    assert of[EVENT["NUMBERING"]] == 40 and of[EVENT["RECORD_STORED"]] == 41


def test_the_shipped_register_covers_every_route_and_nothing_else(job):
    rig, _, _ = job
    done = rig.command("basis", "check")
    assert done.returncode == 0 and not done.stderr, done.stderr
    listed = rig.command("basis", "list").stdout
    assert "番号法" in listed and "lookUpEligibility" in listed and "(仮定)" in listed


def test_a_route_without_a_row_and_a_row_without_a_route_are_found(job, tmp_path):
    rig, _, _ = job
    (tmp_path / "less.yaml").write_text(reg.without(reg.SHIPPED.read_text(), "readSession"))
    done = rig.command("basis", "check", "--register", str(tmp_path / "less.yaml"))
    assert done.returncode == 1 and "/v1/clinic/session" in done.stderr
    more = reg.SHIPPED.read_text().replace("name: readSession", "name: flyToTheMoon").replace("readSession]", "flyToTheMoon]")
    (tmp_path / "more.yaml").write_text(more)
    done = rig.command("basis", "check", "--register", str(tmp_path / "more.yaml"))
    assert done.returncode == 1 and "flyToTheMoon" in done.stderr
