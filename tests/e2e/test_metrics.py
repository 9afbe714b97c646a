"""What the daemons count: read by an operator only, understood by a parser of others, true, and without a word from outside."""

import concurrent.futures
import re
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rig import CLINIC, CLINIC_A, MUNICIPAL, numbers_of, wait_for

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


def test_the_command_tells_the_same_and_top_shows_rates(watched):
    told = watched.rig.command("metrics")
    names = lambda text: {f.name for f in text_string_to_metric_families(text)}
    assert told.returncode == 0 and names(told.stdout) == names(watched.text())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        shown = pool.submit(watched.rig.command, "top", "--interval", "2", "--times", "2")
        while not shown.done():
            assert look_up(watched) == 200
    assert shown.result().returncode == 0 and re.search(r"front lookUpEligibility +\d+\.\d/s", shown.result().stdout), shown.result().stdout
