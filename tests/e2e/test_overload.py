"""What a caller hears while Redis or the audit log stands still: he is turned away at once, by a budget that says which of them it was, nothing grows, and all goes on
by itself. And a clinic that asks far too much beside one that does not (docs/decisions/0049-budgets.md, 0057)."""

import re
import signal
import subprocess
import time

import pytest

from front_rig import BIN, CLINIC, OTHER_CLINIC, Rig, wait_for

CONNS, STILL_S, GROWTH = 60, 1.0, 24 << 20


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overload")
    (folder / "run" / "metrics").mkdir(parents=True)
    rig = Rig(folder, workers=1, work_max=8, work_wait_max=32, work_wait_ms=300, redis_wait_max=8, audit_wait_max=8, metrics_dir=str(folder / "run" / "metrics"))
    try:
        rig.up()
        (rig.dir / "people").write_text("".join(rig.person() + "\n" for _ in range(20)))
        yield rig
    finally:
        rig.down()


class Crowd:
    """CONNS connections of one clinic that ask, hear, and ask again."""

    def __init__(self, rig, seconds):
        certs = rig.dir / "certs"
        args = (BIN / "pmhgw-open-load", "127.0.0.1", rig.ports["clinic"], certs / "ca.pem", certs / f"clinic-{CLINIC}.pem", certs / f"clinic-{CLINIC}.key",
                rig.key("link-jwe.key"), "k1", CLINIC, rig.dir / "people", CONNS, 20000, f"0:{seconds}")
        self.proc = subprocess.Popen(list(map(str, args)), stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.first = self.proc.stdout.readline().split()
        return self

    def rows(self):
        words = [self.first] + [line.split() for line in self.proc.stdout]
        return [{k: int(v) for k, v in zip(w[::2], w[1::2])} for w in words if w[:1] == ["second"]]

    def __exit__(self, *_):
        self.proc.stdout.close()
        self.proc.kill()
        self.proc.wait()


def number(rig, name, **labels):
    text = subprocess.run([BIN / "pmhgw", "metrics", "--state", rig.dir], check=True, capture_output=True, text=True).stdout
    lines = [line for line in text.splitlines() if line.startswith(name) and all(f'{k}="{v}"' in line for k, v in labels.items())]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def rss(rig):
    (worker,) = rig.workers_of_front()
    return next(int(line.split()[1]) << 10 for line in open(f"/proc/{worker}/status") if line.startswith("VmRSS"))


def logged(rig, cause):
    return sum(int(n) for n in re.findall(rf'"event":"requests_shed_because".*?"{cause}":(\d+)', rig.log("front").read_text()))


@pytest.mark.parametrize("still", ["redis", "audit"])
def test_who_comes_while_it_stands_still_hears_so_at_once(rig, still):
    shed, told = number(rig, "pmhgw_requests_shed_total", **{"class": "clinic", "cause": still}), logged(rig, still)
    with Crowd(rig, 3) as crowd:
        before = rss(rig)
        rig.procs[still].send_signal(signal.SIGSTOP)
        try:
            time.sleep(STILL_S)
            level, in_work, grown = number(rig, "pmhgw_budget_level", **{"class": "clinic"}), number(rig, "pmhgw_requests_in_work"), rss(rig) - before
        finally:
            rig.procs[still].send_signal(signal.SIGCONT)
        rows = crowd.rows()
    assert level == 2 and in_work <= 8
    assert grown < GROWTH, grown
    assert sum(r["shed"] for r in rows) > CONNS and any(r["ok"] > 0 for r in rows[-2:]), rows
    worst = max(rows, key=lambda r: r["shed"])
    assert worst["shed_p50_us"] < 500000 and max(r["shed_p99_us"] for r in rows) < 3000000, rows  # those inside hear of it in about a second, others at once
    assert number(rig, "pmhgw_requests_shed_total", **{"class": "clinic", "cause": still}) > shed
    wait_for(lambda: logged(rig, still) > told)
    wait_for(lambda: rig.look_up(rig.mint(rig.person())).status == 200, 20)
    wait_for(lambda: number(rig, "pmhgw_budget_level", **{"class": "clinic"}) == 0, 20)
    wait_for(lambda: number(rig, "pmhgw_requests_in_work") == 0, 20)


def test_a_clinic_beside_one_that_asks_far_too_much_is_served(rig):
    rig.kill("front", signal.SIGTERM)
    rig.settings.update(redis_wait_max=1024, audit_wait_max=4096)  # those know no callers
    rig._confs()
    rig.start("front")
    rig.wait_healthy()
    with Crowd(rig, 2) as crowd:
        heard = [rig.look_up(rig.mint(rig.person(), aud=OTHER_CLINIC), OTHER_CLINIC).status for _ in range(15)]
        rows = crowd.rows()
    assert heard == [200] * 15
    assert sum(r["shed"] for r in rows) > 0 and sum(r["ok"] for r in rows) > 0, rows
