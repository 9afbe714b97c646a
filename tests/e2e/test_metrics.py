"""What the daemons count: read by an operator only, understood by a parser of others, true, and without a word from outside."""

import concurrent.futures
import json
import os
import re
import secrets
import signal
import subprocess
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rig import CLINIC, CLINIC_A, MUNICIPAL, REGISTRATION, fresh_number, numbers_of, row_for, wait_for

MUNI = "331007"
DAEMONS = {"vault", "audit", "signer", "intake", "front", "courier"}


class Watched:
    def __init__(self, rig):
        self.rig = rig

    def text(self):
        a = self.rig.call(MUNICIPAL, "GET", "/metrics", cert="operator-local")
        assert a.status == 200 and a.headers["content-type"].startswith("text/plain; version=0.0.4")
        return a.body.decode("ascii")

    def series(self):
        """{(name, frozenset of labels): value}"""
        return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(self.text()) for s in f.samples}

    def sum(self, metric, **labels):
        return sum(v for (name, have), v in self.series().items() if name == metric and labels.items() <= dict(have).items())


@pytest.fixture(scope="module")
def watched(rig):
    rows = rig.synth(MUNI, 4)
    rig.register(MUNI, rows)
    rig.linked(len(numbers_of(rows)))
    rig.number = numbers_of(rows)[0]
    return Watched(rig)


def look_up(watched):
    card = watched.rig.card_of(watched.rig.number)
    return watched.rig.clinic(watched.rig.consent(card)).status


def test_every_daemon_tells_that_it_lives(watched):
    wait_for("all of them", 10, lambda: {dict(labels)["daemon"] for (name, labels), v in watched.series().items() if name == "pmhgw_up" and v > 0} == DAEMONS)
    assert watched.sum("pmhgw_up", daemon="front") == watched.rig.workers


def test_a_lookup_is_counted_with_how_it_was_answered(watched):
    of = {"daemon": "front", "door": "clinic", "operation": "lookUpEligibility"}
    before = watched.sum("pmhgw_requests_total", **of, **{"class": "2xx"}), watched.sum("pmhgw_requests_total", **of, **{"class": "4xx"})
    took, written = watched.sum("pmhgw_request_duration_seconds_count", **of), watched.sum("pmhgw_audit_duration_seconds_count", daemon="front")
    assert [look_up(watched) for _ in range(5)] == [200] * 5
    assert watched.rig.clinic("not.a.link.key", CLINIC_A).status == 404
    assert watched.sum("pmhgw_requests_total", **of, **{"class": "2xx"}) == before[0] + 5
    assert watched.sum("pmhgw_requests_total", **of, **{"class": "4xx"}) == before[1] + 1
    assert watched.sum("pmhgw_request_duration_seconds_count", **of) == took + 6
    assert watched.sum("pmhgw_audit_duration_seconds_count", daemon="front") >= written + 6
    assert watched.sum("pmhgw_redis_duration_seconds_count", daemon="front") > 0 and watched.sum("pmhgw_accepted_total", door="clinic") > 0


def test_what_is_told_of_a_municipality_is_counted_and_what_is_not_told_is_not(watched):
    rig = watched.rig
    told = lambda who: watched.sum("pmhgw_told_total", municipality=MUNI, caller=who)
    hidden = fresh_number()
    rig.register(MUNI, [row_for(hidden, isNotDisclosed=True)])
    before = told("clinic"), told("citizen")
    assert look_up(watched) == 200
    assert rig.citizen(rig.card_of(rig.number)).status == 200
    assert (told("clinic"), told("citizen")) == (before[0] + 1, before[1] + 1)
    key = rig.consent(rig.card_of(hidden))
    assert rig.clinic(key).status == 404 and rig.clinic("not.a.link.key").status == 404
    assert (told("clinic"), told("citizen")) == (before[0] + 1, before[1] + 1), "nobody learns from the numbers who is silent"


def test_only_an_operator_reads_it(watched):
    for cert, status in (("muni-331007", 403), ("clinic-" + CLINIC_A, 403), (None, 401), ("operator-local", 200)):
        assert watched.rig.call(MUNICIPAL, "GET", "/metrics", cert=cert).status == status, cert
    assert watched.rig.call(CLINIC, "GET", "/metrics", cert="operator-local").status == 404


def test_no_label_is_a_word_from_outside(watched):
    words = ["zz-canary-" + s for s in ("path", "query", "key")]
    watched.rig.call(CLINIC, "GET", f"/{words[0]}?{words[1]}", cert=f"clinic-{CLINIC_A}")
    watched.rig.clinic(words[2])
    text = watched.text()
    assert not any(w in text for w in words) and not re.search(r"(?<!\d)\d{12}(?!\d)", re.sub(r" [\d.]+$", "", text, flags=re.M))
    assert watched.sum("pmhgw_requests_total", door="clinic", operation="none") >= 1, "the unknown path is counted as such"


def test_counters_go_on_after_a_crash_and_the_dead_are_not_counted(watched):
    of = {"daemon": "front", "operation": "lookUpEligibility", "class": "2xx"}
    look_up(watched)
    before = watched.sum("pmhgw_requests_total", **of)
    watched.rig.wait_back("pmhgw-front", watched.rig.kill("pmhgw-front", signal.SIGKILL))
    assert look_up(watched) == 200
    assert watched.sum("pmhgw_requests_total", **of) == before + 1
    wait_for("the front's processes are those that live", 10, lambda: watched.sum("pmhgw_up", daemon="front") == watched.rig.workers)


def test_a_worker_that_takes_the_place_of_one_that_was_killed_is_counted(watched):
    supervisor = watched.rig.pid("pmhgw-front")
    workers = lambda: set(map(int, open(f"/proc/{supervisor}/task/{supervisor}/children").read().split()))
    before = workers()
    assert len(before) == watched.rig.workers
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("the workers are others", 20, lambda: len(workers() - before) == watched.rig.workers)
    watched.rig.wait_healthy()
    wait_for("the front's processes are those that live", 10, lambda: watched.sum("pmhgw_up", daemon="front") == watched.rig.workers)
    assert watched.sum("pmhgw_start_time_seconds", daemon="front") > 0


def test_the_command_tells_the_same_and_top_shows_rates(watched):
    told = watched.rig.command("metrics")
    names = lambda text: {f.name for f in text_string_to_metric_families(text)}
    assert told.returncode == 0 and names(told.stdout) == names(watched.text())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        shown = pool.submit(watched.rig.command, "top", "--interval", "2", "--times", "2")
        while not shown.done():
            assert look_up(watched) == 200
    assert shown.result().returncode == 0 and re.search(r"front lookUpEligibility +\d+\.\d/s", shown.result().stdout), shown.result().stdout


# ---- what becomes of rows, and what waits ----

def rows(watched, result, muni=MUNI):
    return watched.sum("pmhgw_rows_total", daemon="intake", municipality=muni, result=result)


def wait_sum(watched, expected, name, **labels):
    wait_for(f"{name} is {expected}", 15, lambda: watched.sum(name, **labels) == expected)


def test_rows_are_counted_by_municipality_and_result_of_requests_and_of_files(watched, tmp_path):
    rig, before = watched.rig, {r: rows(watched, r) for r in ("registered", "unchanged", "refused")}
    others, files = rows(watched, "registered", "271403"), watched.sum("pmhgw_files_total", municipality=MUNI)
    sent = [row_for(fresh_number(), f"metrics-{secrets.token_hex(4)}") for _ in range(3)]
    assert rig.register(MUNI, sent)["counts"]["registered"] == 3
    assert rows(watched, "registered") == before["registered"] + 3
    rig.register(MUNI, sent[:2] + [{**sent[2], "validTo": "x"}])
    assert rows(watched, "unchanged") == before["unchanged"] + 2
    assert rows(watched, "refused") == before["refused"] + 1
    more = [row_for(fresh_number(), f"metrics-{secrets.token_hex(4)}") for _ in range(5)]
    rig.plant(more)
    (tmp_path / "rows.json").write_text(json.dumps(more + sent, ensure_ascii=False))
    assert rig.command("import", str(tmp_path / "rows.json"), "--muni", MUNI).returncode == 0
    assert rows(watched, "registered") == before["registered"] + 8 and rows(watched, "unchanged") == before["unchanged"] + 5
    assert watched.sum("pmhgw_files_total", municipality=MUNI) == files + 1
    assert rows(watched, "registered", "271403") == others
    assert {dict(labels)["municipality"] for (name, labels) in watched.series() if "municipality" in dict(labels)} <= {"331007", "271403", "222127"}


def test_what_waits_is_told_with_its_age_and_shown_by_top(watched):
    rig, began = watched.rig, time.time()
    rig.control("PUT", "/faults/pmh", {"status": 503})
    try:
        sent = [row_for(fresh_number(), f"waits-{secrets.token_hex(4)}") for _ in range(2)]
        rig.plant(sent)
        task = rig.muni(MUNI, "POST", REGISTRATION, sent)
        assert task.status == 202
        wait_sum(watched, 2, "pmhgw_rows_waiting", municipality=MUNI)
        wait_sum(watched, 2, "pmhgw_outbox_rows", queue="numbering")
        assert began - 2 <= watched.sum("pmhgw_waiting_since_seconds", municipality=MUNI) <= time.time()
        shown = rig.command("top", "--interval", "1", "--times", "1").stdout
        assert re.search(rf"(自治体|municipality) {MUNI} +2 (行|rows)", shown), shown
    finally:
        rig.control("PUT", "/faults/pmh", {})
    rig.follow(MUNI, task.json()["task_id"])
    wait_sum(watched, 0, "pmhgw_rows_waiting", municipality=MUNI)
    wait_sum(watched, 0, "pmhgw_waiting_since_seconds", municipality=MUNI)


def test_rows_that_wait_for_an_officer_are_counted(watched):
    key, held, counted = f"held-{secrets.token_hex(4)}", watched.sum("pmhgw_rows_held", municipality=MUNI), rows(watched, "quarantined")
    assert watched.rig.register(MUNI, [row_for(fresh_number(), key)])["counts"]["registered"] == 1
    assert watched.rig.register(MUNI, [row_for(fresh_number(), key)])["counts"]["quarantined"] == 1  # another number under one key
    wait_sum(watched, held + 1, "pmhgw_rows_held", municipality=MUNI)
    assert rows(watched, "quarantined") == counted + 1


def test_lanes_and_what_was_given_up_are_counted(watched):
    state, due = watched.rig.state, str(int(time.time() * 1000) + 60000)
    redis = lambda *words: subprocess.run(["redis-cli", "-s", state / "run/redis-link.sock", "--user", "intake", "--no-auth-warning", "-a", (state / "keys/redis-link-intake.pass").read_text().strip(), *words],
                                          check=True, capture_output=True, text=True).stdout
    put = {"pmhgw_notices_waiting": ("ZADD", "nx", due, "0" * 40), "pmhgw_notices_dead": ("HSET", "nd", "metrics", "1 x x 1 x"), "pmhgw_vrs_not_taken": ("HSET", "vd", "metrics", "x")}
    before = {name: watched.sum(name) for name in put}
    try:
        assert [redis(*words).strip() for words in put.values()] == ["1"] * 3
        wait_for("each is counted", 15, lambda: {name: watched.sum(name) - 1 for name in put} == before)
    finally:
        for words in (("ZREM", "nx", "0" * 40), ("HDEL", "nd", "metrics"), ("HDEL", "vd", "metrics")):
            redis(*words)
    wait_for("and not any more", 15, lambda: {name: watched.sum(name) for name in put} == before)


def test_ends_of_certificates_and_lists_and_the_disk_of_the_log_are_told(watched):
    series = watched.series()
    now, told = time.time(), {(name, dict(labels)["daemon"], dict(labels).get("setting")): v for (name, labels), v in series.items()}
    for daemon in ("front", "intake"):
        assert now < told["pmhgw_certificate_end_time_seconds", daemon, "door_cert"]
        assert now + 29 * 86400 < told["pmhgw_revocation_list_end_time_seconds", daemon, None] < now + 31 * 86400
        assert now - 600 < told["pmhgw_revocation_list_made_time_seconds", daemon, None] < now + 60
        assert told["pmhgw_revocation_lists_missing", daemon, None] == 0
    assert told["pmhgw_audit_disk_free_bytes", "audit", None] > 0 and ("pmhgw_audit_disk_hours", "audit", None) in told
