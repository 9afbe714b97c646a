"""Are lengths, characters, codes and required members of the description those of the gateway? It is asked: each member of each body is broken in every way that the
description forbids, and stretched as far as it allows. Of each, what the gateway should say of the member: a rule, or nothing."""

import copy
import http.client
import json
import re

from api_docs import operations
from rig import CLINIC, CLINIC_A, MUNICIPAL, PORTAL, fresh_number

MUNI, PORTS = "331007", {"municipal": MUNICIPAL, "clinic": CLINIC, "portal": PORTAL}
CERTS = {"municipality": f"muni-{MUNI}", "vrs": "vrs-national", "clinic": f"clinic-{CLINIC_A}", "portal": "portal-test"}
# Not stretched, because more is asked of them than characters: one such row is the whole request's fault; codes joined by signs; names of something that has to be there.
MORE = {"legalBasis", "additionalConditions", "layout", "only_failed_of", "vaccinationProgramId", "doseQuantity"}
OTHERWISE = {("all", "type"), ("gs1", "length"), ("gs1", "class"), ("gs1", None)}  # judged with another member, or with rules of its own


def fits(schema, n):
    """A text of n characters that the description takes."""
    pattern = schema.get("pattern", "")
    return ("a" if "x-max-bytes" in schema or re.search("a-[fz]|!-~", pattern) else "1" if pattern else "\u3042") * n


def limits(schema):
    """(least, most) characters of a text, by its lengths or by the count at the end of its pattern; None: any."""
    least, most = schema.get("minLength"), schema.get("maxLength")
    count = re.search(r"\{(\d+)(?:,(\d+))?\}\$$", schema.get("pattern", ""))
    if count:
        least, most = int(count[1]), int(count[2] or count[1])
    return least, most


def of_text(schema):
    """(value, rule that the gateway should name or None) for a text."""
    pattern = schema.get("pattern", "")
    if schema.get("format") == "date":
        return [("2026-02-30", "date"), ("20260401", "date"), (7, "type")]
    if "enum" in schema or "const" in schema:
        return [("nosuchword", "code"), (7, "type")]
    least, most = limits(schema)
    probes = [(7, "type")]
    if most:
        probes += [(fits(schema, most + 1), "length")] + ([(fits(schema, most), None)] if "|" not in pattern else [])
    if least and least > 1:
        probes.append((fits(schema, least - 1), "length"))
    if least == 0 or (least is None and most and not pattern):
        probes.append(("", None))
    elif least and not pattern.startswith("^[0-9a-f]"):
        probes.append(("", "length"))
    if pattern and least and not pattern.startswith("^([0-9]"):
        probes.append(("あ" * least, "class"))
    elif most and not pattern and "x-max-bytes" not in schema:
        probes.append(("\u0007" * max(least or 1, 1), "class"))
    return probes


def probes_of(schema, given):
    kind = schema.get("type")
    if kind == "string":
        return of_text(schema)
    if kind == "boolean":
        return [("1", "type")]
    if kind == "array" and schema.get("items", {}).get("type") == "object":
        return [("1", "type")] + ([((given or [{}])[:1] * (schema["maxItems"] + 1), "length")] if "maxItems" in schema else []) + ([([], "length")] if schema.get("minItems") else [])
    if kind == "object":
        return [("1", "type")]
    return []


def broken(schema, body, at=()):
    """(name of the member, rule or None, body) for each probe; members of an object inside by their own name."""
    for name, member in schema.get("properties", {}).items():
        for value, rule in probes_of(member, inside(body, (*at, name))):
            if (rule is None and name in MORE) or (name, rule) in OTHERWISE:
                continue
            yield name, rule, changed(body, (*at, name), value)
        if name in schema.get("required", []):
            yield name, "missing", changed(body, (*at, name), None)
        if member.get("type") == "object" and member.get("properties") and isinstance(inside(body, (*at, name)), dict):
            yield from broken(member, body, (*at, name))
    if schema.get("additionalProperties") is False:
        yield "", "unknown", changed(body, (*at, "noSuchMember"), "x")


def inside(body, at):
    for name in at:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def changed(body, at, value):
    """A copy with a member set, or taken out."""
    to = copy.deepcopy(body)
    here = to
    for name in at[:-1]:
        here = here.setdefault(name, {})
    if value is None:
        here.pop(at[-1], None)
    else:
        here[at[-1]] = value
    return to


def said(answer):
    """{(field, rule)} of a problem document or of a row."""
    return {(e["field"], e["rule"]) for e in answer.get("errors", []) + answer.get("warnings", [])}


def judge(name, rule, heard):
    """None, or what is wrong."""
    if rule is None:
        wrong = sorted(r for f, r in heard if f == name and r in ("length", "class", "type", "code", "date"))
        return f"the description allows it, the gateway says {wrong}" if wrong else None
    return None if (name, rule) in heard else f"should be {rule}, the gateway says {sorted(heard)}"


# ---- asked ----

class Prober:
    """Every body of every operation, at a running system of contract_walk.Rig; session: of an administrator."""

    def __init__(self, rig, session):
        self.rig, self.session, self.asked, self.misfits, self.kept = rig, session, 0, [], {}

    def ask(self, door, method, path, o, body):
        ways = o["security"]
        headers = {}
        if "token" in ways[0]:
            headers["Authorization"] = f"Bearer {self.rig.token(MUNI)}"
        if "staff" in ways[0]:
            headers["Pmhgw-Staff"] = self.session
        con = self.connection(PORTS[door], CERTS[next(iter(ways[0]))])
        con.request(method, path.replace("{id}", "probe-user" if "staff/users" in path else "0" * 32), json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
        answer = con.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if raw else {}

    def connection(self, port, cert):
        """One for each caller, kept."""
        if (port, cert) not in self.kept:
            self.kept[port, cert] = http.client.HTTPSConnection("127.0.0.1", self.rig.base + port, context=self.rig.context(cert), timeout=30)
        return self.kept[port, cert]

    def note(self, o, name, rule, heard):
        if (o["operationId"], name, rule) == ("issueCertificate", "pseudonym", "class"):
            return  # looked at behind the attributes, which are refused here
        self.asked += 1
        wrong = judge(name, rule, heard)
        if wrong:
            self.misfits.append(f"{o['operationId']} {name or 'another member'}: {wrong}")

    def rows(self, door, method, path, o, schema, row):
        """All probes in one request: each is judged by itself."""
        probes = [(name, rule, body) for name, rule, body in broken(schema, row)]
        status, told = self.ask(door, method, path, o, [body for _, _, body in probes])
        assert status == 202, (o["operationId"], told)
        if "rows" not in told or not told["rows"]:
            self.rig.follow(MUNI, told["task_id"])
            told = self.rig.muni(MUNI, "GET", f"/v1/tasks/{told['task_id']}/results").json()
        by_row = {r["row"]: r for r in told["rows"]}
        for i, (name, rule, _) in enumerate(probes):
            self.note(o, name, rule, said(by_row.get(i + 1, {})))

    def bodies(self, door, method, path, o, schema, example):
        for name, rule, body in broken(schema, example):
            self.note(o, name, rule, said(self.ask(door, method, path, o, body)[1]))

    def all(self, documents):
        for door, document in documents.items():
            for method, path, o in operations(document):
                media = o.get("requestBody", {}).get("content", {}).get("application/json", {})
                schema, example = media.get("schema", {}), media.get("example")
                if schema.get("type") == "array":
                    number = fresh_number()
                    self.rig.canaries.add(number)
                    row = {**example[0], **({"myNumber": number} if "myNumber" in example[0] else {})}
                    self.rows(door, method, path, o, schema["items"], row)
                elif schema.get("properties"):
                    self.bodies(door, method, path, o, schema, example)
        return self
