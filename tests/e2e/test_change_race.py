"""Changes of residents while a file of the same residents runs, API requests about them come, and clinics look them up (docs/residents.md)."""

import json
import os
import random
import shutil
import subprocess
import threading

from rig import fresh_number, row_for, wait_for
from test_changes import MUNI, OTHER, change, new_key, outcome, row

ROWS = int(os.environ.get("PMHGW_RACE_ROWS", 3000))
EACH = int(os.environ.get("PMHGW_RACE_EACH", 8))
TYPES = ("KODOMO-01", "HITORI-01", "SHOGAI-01")


def open_journals(rig):
    word = (rig.state / "keys/redis-link-intake.pass").read_text().strip()
    out = subprocess.run(["redis-cli", "-s", rig.state / "run/redis-link.sock", "--user", "intake", "--no-auth-warning", "-a", word, "ZCARD", "ch:todo"],
                         capture_output=True, text=True, check=True).stdout
    return int(out)


def dangling(rig, munis):
    """What is left of people or ties that are not there, of all municipalities: read from a copy, no user may list names."""
    copy = rig.dir / "copy"
    shutil.copytree(rig.state / "redis-link", copy)
    sock = copy / "s"
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", sock, "--dir", copy, "--appendonly", "yes", "--save", ""],
                              stdout=subprocess.DEVNULL)
    try:
        ask = lambda *words: subprocess.run(["redis-cli", "-s", sock, "--json", *words], capture_output=True, text=True).stdout
        wait_for("the copy is loaded", 20, lambda: ask("PING").startswith('"PONG'))
        assert json.loads(ask("EVAL", "return #redis.call('KEYS','p:*')", "0")) > 0
        return [x for m in munis for x in json.loads(ask("EVAL", DANGLING, "0", m))]
    finally:
        server.kill()
        server.wait()


DANGLING = """local bad={} local m=ARGV[1]
for _,k in ipairs(redis.call('KEYS','p:*')) do local n=0
for _,f in ipairs(redis.call('HKEYS',k)) do if string.sub(f,1,9)=='r:'..m..':' or f=='e:'..m then n=n+1 end end
local s=redis.call('HGET',k,'s:'..m)
if n>0 and not s then bad[#bad+1]='records without a subject '..k end
if n==0 and s and redis.call('EXISTS','s:'..s)==0 then bad[#bad+1]='subject that is not there '..k end
if n>0 and s and redis.call('HGET','s:'..s,'to') then bad[#bad+1]='records of a subject that leads elsewhere '..k end
if n>0 and s and not redis.call('HGET','s:'..s,'k') then bad[#bad+1]='records of a subject without a key '..k end end
for _,k in ipairs(redis.call('KEYS','rk:'..m..':*')) do local s=redis.call('GET',k) local h=string.sub(k,11)
local rk,al=redis.call('HGET','s:'..s,'rk'),redis.call('HGET','s:'..s,'al') or ''
if rk~=h and not string.find(al,h,1,true) then bad[#bad+1]='resident key that its subject does not know '..k end end
for _,k in ipairs(redis.call('KEYS','s:*')) do local to=redis.call('HGET',k,'to')
if to and not string.find(redis.call('HGET','s:'..to,'al') or '',string.sub(k,3),1,true) then bad[#bad+1]='leads to one that does not know it '..k end end
return bad"""


class Human:
    """One resident, or two keys that are one: numbers, cards, and what of it may be seen."""

    def __init__(self, rig, n):
        self.keys, self.mark = [new_key() for _ in range(n)], f"{random.randrange(10**7):07d}"
        self.numbers = [fresh_number() for _ in range(n)]
        self.rows = [row_for(number, key, medicalSubsidyRecipientNumber=self.mark) for number, key in zip(self.numbers, self.keys)]
        self.rig, self.cards = rig, []

    def rows_of(self, what):
        """Rows as a file has them: with the first number, with or without its key."""
        out = []
        for base in self.rows:
            for t in TYPES:
                more = {**base, "orgSpecificCertificateTypeId": t, "certificationName": f"{what} {t}"}
                if random.random() < 0.5:
                    more.pop("municipalityIdentityKey")
                out.append(more)
        return out


def look(rig, human, card):
    """Never anybody else's certificates."""
    link_key = rig.consent(card)
    if link_key is None:
        return []
    a = rig.clinic(link_key)
    assert a.status in (200, 404), (a.status, a.body)
    found = a.json()["eligibility"] if a.status == 200 else []
    assert {e["medicalSubsidyRecipientNumber"] for e in found} <= {human.mark}, "records of somebody else"
    return found


def changes_of(human, kind):
    first = human.keys[0]
    if kind == "number":
        human.numbers.append(fresh_number())
        human.numbers.append(fresh_number())
        return [row("number_changed", first, newMyNumber=n) for n in human.numbers[-2:]]
    if kind == "merge":
        return [row("merged", first, otherMunicipalityIdentityKey=human.keys[1])]
    if kind == "merge and back":
        one = row("merged", first, otherMunicipalityIdentityKey=human.keys[1])
        return [one, {**one, "changeType": "unmerged"}]
    if kind == "wrong":
        return [row("wrong_registration", first)]
    if kind == "wrong and back":
        one = row("wrong_registration", first)
        return [one, {**one, "changeType": "restored"}]
    one = row("moved_out", first)
    return [one, {**one, "changeType": "restored"}]


KINDS = {"number": 1, "merge": 2, "merge and back": 2, "wrong": 1, "wrong and back": 1, "end": 1}


def all_done(rig, tasks, seconds):
    for task in tasks:
        doc = rig.follow(MUNI, task, seconds)
        counts = doc["counts"]
        assert sum(v for k, v in counts.items() if k != "rows") == counts["rows"], counts


def test_changes_under_a_running_file(rig):
    humans = [(kind, Human(rig, n)) for kind, n in KINDS.items() for _ in range(EACH)]
    first = [r for _, h in humans for r in h.rows]
    rig.plant(first)
    assert rig.register(MUNI, first)["counts"]["registered"] == len(first)
    assert rig.register(OTHER, [h.rows[0] for _, h in humans])["counts"]["registered"] == len(humans)
    for _, h in humans:
        h.cards = [rig.card_of(n) for n in h.numbers]
    rows = [r for _, h in humans for r in h.rows_of("file")]
    rows += [row_for(fresh_number(), new_key()) for _ in range(ROWS - len(rows))]
    random.shuffle(rows)
    rig.plant(rows)
    path = rig.dir / "race.json"
    path.write_text(json.dumps(rows, ensure_ascii=False))
    tasks, troubles, looked = [], [], []

    def guarded(work):
        def run():
            try:
                work()
            except BaseException as e:  # noqa: BLE001 - told by the test
                troubles.append(repr(e))
        return threading.Thread(target=run)

    def send(rows):
        a = rig.muni(MUNI, "POST", "/v1/medical-subsidy/registration-tasks", rows)
        assert a.status == 202, (a.status, a.body)
        tasks.append(a.json()["task_id"])

    def changes(part):
        asked = [changes_of(h, kind) for kind, h in part]
        for _, h in part:
            rig.canaries.update(h.numbers)
        for step in range(2):
            for ops in asked:
                if step < len(ops):
                    doc = change(rig, ops[step])
                    tasks.append(doc["task_id"])
                    assert outcome(doc)[0] in ("updated", "unchanged"), (ops[step]["changeType"], outcome(doc))

    over = threading.Event()

    def lookups():
        while not over.is_set():
            _, h = random.choice(humans)
            look_one(rig, h)

    def look_one(rig, h):
        link_key = rig.consent(random.choice(h.cards))
        if link_key:
            a = rig.clinic(link_key)
            moved = a.status == 503 and a.json()["code"] == "deadline_exceeded"  # what was to be told changed while the log waited for the disk
            assert a.status in (200, 404) or moved, (a.status, a.body)
            looked.append(a.status)
            if a.status == 200:
                assert {e["medicalSubsidyRecipientNumber"] for e in a.json()["eligibility"]} == {h.mark}, "records of somebody else"

    imported = rig.command("import", str(path), "--muni", MUNI, "--no-wait")
    assert imported.returncode == 0, imported.stderr
    listed = rig.muni(MUNI, "GET", "/v1/tasks").json()["tasks"]
    tasks.append(listed[0]["task_id"])
    looker = guarded(lookups)
    workers = [guarded(lambda: changes(humans[0::2])), guarded(lambda: changes(humans[1::2])),
               guarded(lambda: [send(h.rows_of("api")) for _, h in humans])]
    for t in (looker, *workers):
        t.start()
    for t in workers:
        t.join()
    all_done(rig, tasks, 120)
    over.set()
    looker.join()
    assert not troubles, troubles
    assert looked.count(200) > looked.count(503), looked
    wait_for("open journals are carried out", 10, lambda: open_journals(rig) == 0)
    assert dangling(rig, (MUNI, OTHER)) == []
    for kind, h in humans:
        h.cards = [rig.card_of(n) for n in h.numbers]
        found = [{(e["municipalityCode"], e["certificationName"].split()[-1]) for e in look(rig, h, c)} for c in h.cards]
        mine = [{c for c in f if c[0] == MUNI} for f in found]
        if kind in ("number", "merge"):
            assert [len(f) for f in mine if f] == [len(TYPES)], (kind, found)
