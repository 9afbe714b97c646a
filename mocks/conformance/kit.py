"""Cases, what they expect, what was seen; and whoever does what a case asks: an adapter around a client, or a person."""

import json
import queue
import subprocess
import threading
import time

CASES = {"clinic": [], "municipal": []}
PASS, WARN, FAIL = "pass", "warn", "fail"


def case(who, name, ja, en, why_ja, why_en):
    """A function (kit) that plays a case and notes checks."""
    def add(f):
        CASES[who].append({"name": name, "ja": ja, "en": en, "why_ja": why_ja, "why_en": why_en, "play": f})
        return f
    return add


class Adapter:
    """A program that takes orders as JSON, one a line, and answers each with one line."""

    def __init__(self, command, patience):
        self.process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.patience, self.lines = patience, queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def tell(self, order):
        try:
            self.process.stdin.write(json.dumps(order, ensure_ascii=False) + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=self.patience)
            said = json.loads(line) if line else {"result": "gone"}
        except queue.Empty:
            return {"result": "no answer"}
        except (OSError, ValueError) as e:
            return {"result": "gone", "why": str(e)}
        return said if isinstance(said, dict) and isinstance(said.get("result"), str) else {"result": "no answer"}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Person:
    """Somebody who does it with the product and types what it shows."""

    def tell(self, order):
        print(f"\n  → {json.dumps(order, ensure_ascii=False)}")
        said = input("  画面に出た結果 / what it showed (shown, nothing, used, no_session, later, failed, done, done_with_errors): ").strip()
        return {"result": said or "no answer"}

    def close(self):
        pass


class Kit:
    def __init__(self, door, doer, who):
        self.door, self.doer, self.who, self.checks, self.n, self.tokens = door, doer, who, [], 0, []

    def key(self):
        """A link key that no other case has: it opens nothing anywhere."""
        self.n += 1
        return f"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiY29uZm9ybWFuY2UifQ..conformance{self.n:05d}.AAAA.AAAAAAAAAAAAAAAAAAAAAA"

    def tell(self, do, **more):
        return self.doer.tell({"do": do, **more})

    def check(self, good, ja, en, seen, otherwise=FAIL):
        self.checks.append({"verdict": PASS if good else otherwise, "ja": ja, "en": en, "seen": str(seen)})
        return good

    def result(self, said, *words):
        return self.check(said["result"] in words, f"結果は {'、'.join(words)}{' のどれか' if len(words) > 1 else ''}", f"the result is {' or '.join(words)}", said["result"])

    def requests(self, n, path=None):
        """Exactly so many requests (to a path)."""
        time.sleep(0.3)  # one that should not come has the time to
        found = [r for r in self.door.requests if path in (None, r.path)]
        self.check(len(found) == n, f"要求は {n} 回", f"{n} requests", f"{len(found)}: {', '.join(f'{r.method} {r.path}' for r in found)[:200]}")
        return found


def run(kit, cases, told=print):
    """The report: a list of cases with their checks and verdict."""
    report = []
    for c in cases:
        kit.checks = []
        begun = time.monotonic()
        try:
            c["play"](kit)
        except (AssertionError, KeyError, IndexError, TypeError) as e:
            kit.check(False, "最後まで進む", "the case could be played to its end", repr(e))
        finally:
            kit.door.closing = False
            kit.door.show("door")
        verdicts = [x["verdict"] for x in kit.checks]
        verdict = FAIL if FAIL in verdicts or not verdicts else WARN if WARN in verdicts else PASS
        report.append({"case": c["name"], "verdict": verdict, "seconds": round(time.monotonic() - begun, 1), "checks": kit.checks, **{k: c[k] for k in ("ja", "en", "why_ja", "why_en")}})
        told(f"{verdict.upper():5} {c['name']:22} {c['ja']} / {c['en']}")
        for x in kit.checks:
            if x["verdict"] != PASS:
                told(f"        {x['verdict']}: {x['ja']} / {x['en']} — {x['seen']}")
    return report
