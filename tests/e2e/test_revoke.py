"""Revoked client certificates: new, resumed, kept and idle connections, streams, answers under way, and lists that are bad (docs/access.md)."""

import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import front_rig
import intake_rig
from crl import Issuer
from front_rig import CLINIC, EVENT, OTHER_CLINIC, Rig, wait_for

MINE, OTHER = f"clinic-{CLINIC}", f"clinic-{OTHER_CLINIC}"
WITHIN = 1.0  # seconds from the rename of the file to silence
WORKERS = 4
ASK = json.dumps({"session": "A" * 43}).encode()


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    state = tmp_path_factory.mktemp("revoke")
    rig = Rig(state, workers=WORKERS, door_crl=str(state / "certs" / "crl.pem"))
    rig.issuer = Issuer(rig.dir / "certs", rig.dir / "certs" / "crl.pem")
    rig.issuer.revoke()
    try:
        yield rig.up()
    finally:
        rig.down()


@pytest.fixture(autouse=True)
def everybody_is_good(request):
    yield
    if "front" in request.fixturenames:
        rig = request.getfixturevalue("front")
        rig.issuer.revoke()
        wait_for(lambda: all(heard(rig, c, (404, "no_session"), 8) for c in (MINE, OTHER)))


def ask(rig, cert):
    """Something that each clinic may ask, and what is heard of an unknown session."""
    answer = rig.post("clinic", "/v1/clinic/session", ASK, cert)
    return answer.status, answer.code


def heard(rig, cert, what, times=1):
    """Each of them is told that; a connection that is just being closed, because the list changed under it, is told nothing."""
    try:
        return all(ask(rig, cert) == what for _ in range(times))
    except OSError:
        return False


class Kept:
    """A connection that stays, without the comfort of one that comes back."""

    def __init__(self, rig, cert, session=None, context=None):
        self.sock = (context or rig.context(cert)).wrap_socket(socket.create_connection(("127.0.0.1", rig.ports["clinic"]), 5),
                                                               server_hostname="127.0.0.1", session=session)

    def ask(self):
        self.sock.sendall(b"POST /v1/clinic/session HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ASK) + ASK)
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        return answer.status, json.loads(answer.read())["code"]

    def ended(self, seconds):
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True
        except TimeoutError:
            return False


class Busy(threading.Thread):
    """Asks again and again on one connection until it is refused or cut."""

    def __init__(self, rig, cert):
        super().__init__(daemon=True)
        self.kept, self.answers, self.last_good, self.stop = Kept(rig, cert), [], 0.0, False
        self.start()

    def run(self):
        try:
            while not self.stop:
                heard = self.kept.ask()
                if heard != (404, "no_session"):
                    self.answers.append(heard)
                    return
                self.last_good = time.monotonic()
        except (OSError, http.client.HTTPException):
            self.answers.append("cut")


def test_kept_idle_and_new_connections_end_within_a_second_on_every_worker_under_load(front):
    busy, idle = [Busy(front, MINE) for _ in range(8)], [Kept(front, MINE) for _ in range(16)]
    others = [Busy(front, OTHER) for _ in range(4)]
    idle_others = [Kept(front, OTHER) for _ in range(4)]
    for k in idle + idle_others:
        assert k.ask() == (404, "no_session")
    time.sleep(0.3)
    assert not any(b.answers for b in busy + others)
    front.issuer.revoke(MINE)
    revoked = time.monotonic()
    for k in idle:
        assert k.ended(max(0.01, revoked + WITHIN - time.monotonic()))
    for b in busy:
        b.join(5)
        assert b.answers and b.answers[0] in ("cut", (403, "certificate_refused"))
    silent = max(b.last_good for b in busy) - revoked
    assert silent <= WITHIN
    print(f"silent on {WORKERS} workers after {silent * 1000:.0f} ms")
    assert {ask(front, MINE) for _ in range(16)} == {(403, "certificate_refused")}
    for k in idle_others:
        assert k.ask() == (404, "no_session")
    for b in others:
        b.stop = True
        b.join(5)
        assert not b.answers


def test_a_revoked_certificate_does_not_resume_and_others_do(front):
    """Judged again before the handshake ends, on every worker, within a second of the new list."""
    contexts, sessions = {}, {}
    for cert in (MINE, OTHER):
        contexts[cert], sessions[cert] = front.context(cert), []
        for _ in range(8):
            k = Kept(front, cert, context=contexts[cert])
            assert k.ask() == (404, "no_session")
            sessions[cert].append(k.sock.session)
    front.issuer.revoke(MINE)
    time.sleep(WITHIN)
    for session in sessions[MINE] * 2:
        k = Kept(front, MINE, session=session, context=contexts[MINE])
        assert not k.sock.session_reused
        assert k.ask() == (403, "certificate_refused")
    for session in sessions[OTHER]:
        k = Kept(front, OTHER, session=session, context=contexts[OTHER])
        assert k.sock.session_reused
        assert k.ask() == (404, "no_session")


def test_an_answer_under_way_does_not_leave(front):
    link_key, heard = front.mint(front.person()), []
    front.procs["audit"].send_signal(signal.SIGSTOP)
    try:
        asking = threading.Thread(target=lambda: heard.append(front.look_up(link_key)))
        asking.start()
        time.sleep(0.3)
        front.issuer.revoke(MINE)
        time.sleep(0.7)
        assert not heard
    finally:
        front.procs["audit"].send_signal(signal.SIGCONT)
    asking.join(10)
    assert (heard[0].status, heard[0].code) == (403, "certificate_refused")
    assert b"eligibility" not in heard[0].raw
    refusals = [r for r in front.audit() if r[0] == EVENT["REFUSED"] and r[6] == f"clinic/{CLINIC}"]
    assert refusals[-1][2] == front_rig.ERR["CERT_REFUSED"]


def test_link_key_and_session_of_a_revoked_clinic_are_refused_before_they_are_used(front):
    person = front.person()
    opened = front.look_up(front.mint(person)).json["session"]
    link_key = front.mint(person)
    front.issuer.revoke(MINE)
    wait_for(lambda: heard(front, MINE, (403, "certificate_refused"), 12))
    for _ in range(8):
        assert front.look_up(link_key).code == "certificate_refused"
        assert front.read_session(opened).code == "certificate_refused"
    front.issuer.revoke()  # reinstated
    wait_for(lambda: heard(front, MINE, (404, "no_session"), 12))
    assert front.read_session(opened).status == 200
    assert front.look_up(link_key).status == 200


def test_the_same_number_of_another_certificate_and_a_long_list_change_nothing(front):
    mine = front.issuer.serial(MINE)
    front.issuer.revoke(more=[mine ^ 1, mine >> 8, *range(1, 20001)])
    wait_for(lambda: front.audit()[-1][0] == EVENT["REVOCATIONS"] and front.audit()[-1][5] == 20002)
    assert {ask(front, MINE) for _ in range(8)} == {(404, "no_session")}
    wait_for(lambda: len([r for r in front.audit() if r[0] == EVENT["REVOCATIONS"] and r[5] == 20002]) == WORKERS)


def test_a_bad_list_changes_nothing_while_the_good_one_lasts(front):
    good = front.issuer.pem()
    for bad in (b"", b"no list", good[:200], good.replace(b"M", b"N", 3), front.issuer.pem(MINE, number=1), front.issuer.pem(MINE, age=7200, life=-3600)):
        front.issuer.put(bad)
        time.sleep(0.3)
        assert {ask(front, MINE) for _ in range(4)} == {(404, "no_session")}
    os.unlink(front.issuer.path)
    time.sleep(0.5)
    assert {ask(front, MINE) for _ in range(8)} == {(404, "no_session")}
    assert front.log("front").read_text().count('"revocation_list_refused"') >= WORKERS


def test_a_worker_that_is_started_again_knows_who_is_revoked(front):
    front.issuer.revoke(MINE)
    wait_for(lambda: heard(front, MINE, (403, "certificate_refused"), 12))
    before = set(front.workers_of_front())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(front.workers_of_front()) - before) == WORKERS)
    front.wait_healthy()
    assert {ask(front, MINE) for _ in range(16)} == {(403, "certificate_refused")}


def test_an_ended_list_refuses_everybody_with_a_certificate_until_a_new_one_comes(front):
    kept = Kept(front, MINE)
    front.issuer.revoke(life=2)
    time.sleep(0.5)
    assert kept.ask() == (404, "no_session")
    time.sleep(2.7)
    assert kept.ask() == (503, "revocation_unknown")
    assert {ask(front, MINE) for _ in range(8)} == {(503, "revocation_unknown")}
    health = front.get("clinic", "/health")
    assert (health.status, health.code, health.json["actor"]) == (503, "revocation_unknown", "operator")
    said = front.log("front").read_text()
    assert '"revocation_unknown"' in said and '"revocation_list_ends_soon"' in said
    front.issuer.revoke()
    wait_for(front.healthy, 3)
    assert ask(front, MINE) == (404, "no_session")


def pmhgw(rig, *args):
    ran = subprocess.run([front_rig.BIN / "pmhgw", "certs", *args, "--state", rig.dir], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "LANG": "en_US.UTF-8"})
    return ran.returncode, ran.stdout, ran.stderr


def test_a_list_that_is_missing_at_the_start_refuses_until_the_command_makes_one_and_then_revokes(tmp_path):
    crl = tmp_path / "certs" / "crl.pem"
    rig = Rig(tmp_path, workers=1, door_crl=str(crl))
    try:
        for name in ("redis", "audit", "front"):
            rig.start(name)

        def unknown():
            try:
                return rig.get("clinic", "/health").code == "revocation_unknown"
            except OSError:
                return False

        wait_for(unknown)
        assert ask(rig, MINE) == (503, "revocation_unknown")
        assert rig.get("clinic", "/v1/clinic/session").code == "certificate_required"  # who has none hears that
        assert pmhgw(rig, "crl")[0] == 0
        rig.wait_healthy()
        assert ask(rig, MINE) == (404, "no_session")
        assert pmhgw(rig, "revoke", MINE)[0] == pmhgw(rig, "revoke", MINE)[0] == 0
        wait_for(lambda: heard(rig, MINE, (403, "certificate_refused")), WITHIN)
        assert ask(rig, OTHER) == (404, "no_session")
        assert pmhgw(rig, "crl")[0] == 0
        listed = json.loads(pmhgw(rig, "list", "--json")[1])
        assert {c["name"]: c["state"] for c in listed["certificates"]}[MINE] == "revoked"
        assert [c["name"] for c in listed["certificates"] if c["state"] != "good"] == [MINE] and listed["list_until"] > time.time() + 29 * 86400
        for name in ("ca", "crl", "nobody", "../ca", ""):
            assert pmhgw(rig, "revoke", name)[0] == 2
        revoked = x509.load_pem_x509_crl(crl.read_bytes())
        assert [r.serial_number for r in revoked] == [Issuer(rig.dir / "certs", crl).serial(MINE)]
        crl.write_bytes(b"broken")  # is never written over: it may have revoked somebody
        assert pmhgw(rig, "crl")[0] == 2 and pmhgw(rig, "revoke", OTHER)[0] == 2 and crl.read_bytes() == b"broken"
        time.sleep(0.5)
        assert ask(rig, MINE) == (403, "certificate_refused") and ask(rig, OTHER) == (404, "no_session")
    finally:
        rig.down()


# ---- the municipal door ----

MUNI = "muni-331007"
FILE = {"operation": "postRegistrationTasks", "bytes": 100, "source": "json_lines"}


@pytest.fixture(scope="module")
def intake(tmp_path_factory):
    state = tmp_path_factory.mktemp("revoke-intake")
    rig = intake_rig.Rig(state, door_crl=str(state / "certs" / "crl.pem"))
    rig.issuer = Issuer(rig.dir / "certs", rig.dir / "certs" / "crl.pem")
    rig.issuer.revoke()
    try:
        rig.up()
        yield rig
    finally:
        rig.down()


def test_a_stream_and_an_upload_of_a_revoked_municipality_end_within_a_second(intake):
    rig, token = intake, intake.token(MUNI)
    status, body = rig.call("POST", "/v1/files", json.dumps(FILE).encode(), MUNI, token)[:2]
    assert status == 201
    task = (body if isinstance(body, dict) else json.loads(body))["file_id"]
    stream = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(MUNI), timeout=5)
    stream.request("GET", f"/v1/tasks/{task}/events", headers={"Authorization": f"Bearer {token}"})
    events = stream.getresponse()
    assert events.status == 200
    half = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(MUNI), timeout=5)
    half.putrequest("PUT", f"/v1/files/{task}")
    for name, value in (("Authorization", f"Bearer {token}"), ("Content-Type", "application/octet-stream"), ("Content-Length", "100"), ("Content-Range", "bytes 0-99/100")):
        half.putheader(name, value)
    half.endheaders(b"x" * 50)
    rig.issuer.revoke(MUNI)
    revoked = time.monotonic()
    with pytest.raises((http.client.HTTPException, OSError)):
        while True:
            if not events.read1(4096):
                raise http.client.IncompleteRead(b"")
    assert time.monotonic() - revoked <= WITHIN
    half.send(b"x" * 50)
    answer = half.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (403, "certificate_refused")
    assert rig.call("POST", "/oauth2/token", b"grant_type=client_credentials", MUNI, media="application/x-www-form-urlencoded")[0] == 403
    assert rig.call("GET", "/v1/tasks", None, "muni-271403", rig.token("muni-271403"))[0] == 200


# ---- another issuer, while it works ----

def other_ca(certs, name, identity):
    """A second authority with a certificate for somebody, made by an implementation that is not ours: certs/NAME-ca.pem, .key, NAME.pem, .key."""
    now = datetime.datetime.utcnow()
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def made(of, public, usage, *more):
        b = (x509.CertificateBuilder().subject_name(of).issuer_name(subject).public_key(public).serial_number(x509.random_serial_number())
             .not_valid_before(now - datetime.timedelta(minutes=1)).not_valid_after(now + datetime.timedelta(days=2)))
        for extension, critical in ((x509.BasicConstraints(ca=usage, path_length=None), True), *more):
            b = b.add_extension(extension, critical)
        return b.sign(ca_key, hashes.SHA256())

    usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    ca = made(subject, ca_key.public_key(), True, (x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True}), True), (x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False))
    leaf = made(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "leaf")]), key.public_key(), False, (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), False),
                (x509.SubjectAlternativeName([x509.UniformResourceIdentifier("pmhgw:" + identity)]), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False))
    for file, cert, secret in ((f"{name}-ca", ca, ca_key), (name, leaf, key)):
        (certs / f"{file}.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        (certs / f"{file}.key").write_bytes(secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    issuer = Issuer.__new__(Issuer)
    issuer.certs, issuer.path, issuer.number, issuer.cert, issuer.key = certs, None, 0, ca, ca_key
    return issuer


def test_a_new_issuer_of_the_clinic_door_is_taken_up_with_its_list(front):
    """By new workers, on SIGHUP; the first issuer's callers notice nothing."""
    certs, conf = front.dir / "certs", front.dir / "conf" / "front.yaml"
    second, before, first = other_ca(certs, "newclinic", f"clinic/{OTHER_CLINIC}"), conf.read_text(), (certs / "ca.pem").read_bytes()
    assert {ask(front, "newclinic") for _ in range(WORKERS)} == {(403, "certificate_refused")}
    try:
        (certs / "doors-ca.pem").write_bytes(first + (certs / "newclinic-ca.pem").read_bytes())
        conf.write_text("\n".join(f'door_ca: "{certs}/doors-ca.pem"' if line.startswith("door_ca:") else line for line in before.splitlines()) + "\n")
        front.issuer.put(front.issuer.pem() + second.pem())
        front.procs["front"].send_signal(signal.SIGHUP)
        wait_for(lambda: heard(front, "newclinic", (404, "no_session"), 8))
        assert ask(front, MINE) == (404, "no_session")
        front.issuer.put(front.issuer.pem() + second.pem("newclinic"))
        wait_for(lambda: heard(front, "newclinic", (403, "certificate_refused"), 8), WITHIN + 1)
        assert {ask(front, MINE) for _ in range(8)} == {(404, "no_session")}
    finally:
        conf.write_text(before)
        seen = front.log("front").stat().st_size
        front.procs["front"].send_signal(signal.SIGHUP)
        wait_for(lambda: '"reloaded"' in front.log("front").read_text()[seen:])


def test_a_new_issuer_of_the_municipal_door_is_taken_up_with_its_list_and_judged_by_it(intake):
    """SIGHUP, without a restart: its callers are served, its list revokes them, and the first issuer's callers notice nothing."""
    rig, certs, pid = intake, intake.dir / "certs", intake.procs["intake"].pid
    first, name = (certs / "ca.pem").read_bytes(), "newcomer"
    second = other_ca(certs, name, f"municipality/{MUNI[5:]}/{name}")
    asked = lambda cert: rig.call("POST", "/oauth2/token", b"grant_type=client_credentials", cert, media="application/x-www-form-urlencoded")

    def status(cert):
        try:
            return asked(cert)[0]
        except OSError:
            return 0

    assert status(name) == 403 and status("muni-271403") == 200
    try:
        both = first + (certs / f"{name}-ca.pem").read_bytes()
        (certs / "doors-ca.pem").write_bytes(both)
        conf = rig.dir / "conf" / "intake.yaml"
        before = conf.read_text()
        conf.write_text("\n".join(f'door_ca: "{certs}/doors-ca.pem"' if line.startswith("door_ca:") else line for line in before.splitlines()) + "\n")
        rig.issuer.put(rig.issuer.pem(MUNI) + second.pem())
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: status(name) == 200)
        assert status("muni-271403") == 200 and status(MUNI) == 403
        rig.issuer.put(rig.issuer.pem(MUNI) + second.pem(name))
        wait_for(lambda: status(name) == 403, WITHIN)
        assert status("muni-271403") == 200
        rig.issuer.put(rig.issuer.pem(MUNI))  # the second one's list is held until it ends
        time.sleep(0.5)
        assert status(name) == 403 and status("muni-271403") == 200
        (certs / "doors-ca.pem").write_bytes(b"nobody")
        seen = (rig.dir / "log/intake.log").stat().st_size
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: '"reload_refused"' in (rig.dir / "log/intake.log").read_text()[seen:])
        assert status("muni-271403") == 200
        conf.write_text(before)
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: '"reloaded"' in (rig.dir / "log/intake.log").read_text()[seen:])
        assert asked(name)[1]["code"] == "certificate_refused" and rig.health()[0] == 200 and rig.procs["intake"].pid == pid
    finally:
        conf.write_text(before)


# ---- what the operator hears ----

def doctor_says(rig):
    ran = subprocess.run([front_rig.BIN / "pmhgw", "doctor", "--state", rig.dir], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "LANG": ""})
    return ran.stdout, ran.stderr


def test_doctor_names_each_list_with_its_age_its_end_and_who_is_refused_then(front):
    """In both languages; the end is the one that the list has."""
    def end():
        return x509.load_pem_x509_crl(front.issuer.path.read_bytes()).next_update.strftime("%Y-%m-%dT%H:%MZ")

    front.issuer.revoke(life=40 * 86400, age=7200)
    said = doctor_says(front)[0]
    line = next(x for x in said.splitlines() if "pmhgw-front" in x and "nextUpdate" in x)
    assert end() in line and "2 h 00 min" in line and "clients with its certificates are refused" in line and "お断りします" in line
    assert "ends soon" not in doctor_says(front)[1]
    front.issuer.revoke(life=86000, age=40 * 86400)
    warned = doctor_says(front)[1]
    assert "ends soon" in warned and "まもなく期限" in warned and end() in warned and "pmhgw certs crl" in warned
    front.issuer.put(front.issuer.pem(age=7200, life=-3600))
    warned = doctor_says(front)[1]
    assert "has ended" in warned and "期限" in warned and "✗ 失効リスト" in warned
    front.issuer.put(b"no list")
    warned = doctor_says(front)[1]
    assert "is not accepted (no_list)" in warned and "no list of revoked certificates by" in warned and "✗ 失効リスト" in warned
