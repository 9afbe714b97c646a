"""Bad files through the municipal door: each is told by line and column, without a value, and nobody else notices (intake_rig.py)."""

import concurrent.futures
import hashlib
import http.client
import itertools
import json
import random
import re
import time

import pytest

from canary import contents
from intake_rig import Rig, number, wait_for

SEEDS = itertools.count(20_000_000_000 + random.SystemRandom().randrange(10**10))
MUNI, OTHER = "muni-331007", "muni-271403"
USED = []                 # every number is a canary
MARK = "カナリア"          # stands in cells next to every fault: no message may repeat it
HEADERS = ("証明書種別ID", "個人番号", "氏名", "氏名カナ", "住所", "生年月日", "性別", "不開示", "証明書名", "公費受給者番号")
ENGLISH = ("orgSpecificCertificateTypeId", "myNumber", "basicFiveInfo.name", "basicFiveInfo.nameKana", "basicFiveInfo.address", "basicFiveInfo.dateOfBirth",
           "basicFiveInfo.sex", "isNotDisclosed", "certificationName", "medicalSubsidyRecipientNumber")
NUMBER, NAME, ADDRESS, BORN = 1, 2, 4, 5


def fresh():
    USED.append(number(next(SEEDS)))
    return USED[-1]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("bad"))
    try:
        yield r.up()
    finally:
        r.down()


# ---- files ----


def cells(**change):
    row = ["kodomo01", fresh(), f"{MARK}花子", "アイチハナコ", "愛知県B市B町1-1-1", "2013-01-01", "2", "0", "子ども医療費受給者証", "0000002"]
    for at, value in change.items():
        row[int(at[1:])] = value
    return row


def text(rows, headers=HEADERS, end="\r\n"):
    return "".join(",".join(line) + end for line in (headers, *rows))


def good(n=3):
    return text([cells() for _ in range(n)])


# ---- the door ----


class Door:
    """One municipality at the door; keeps every answer."""

    def __init__(self, rig, cert):
        self.rig, self.cert, self.token, self.heard = rig, cert, rig.token(cert), b""

    def call(self, method, path, body=None, **headers):
        con = http.client.HTTPSConnection("127.0.0.1", self.rig.port, context=self.rig.context(self.cert), timeout=30)
        head = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            con.request(method, path, body=body, headers=head)
            answer = con.getresponse()
            raw = answer.read()
        finally:
            con.close()
        self.heard += raw
        return answer.status, json.loads(raw) if raw else None

    def create(self, data, operation="postRegistrationTasks", **more):
        body = {"operation": operation, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}
        return self.call("POST", "/v1/files", json.dumps({k: v for k, v in body.items() if v is not None}).encode(), Content_Type="application/json")

    def put(self, task, data, first=0, total=None):
        where = {"Content_Range": f"bytes {first}-{first + len(data) - 1}/{total}"} if total else {}
        return self.call("PUT", f"/v1/files/{task}", data, Content_Type="application/octet-stream", **where)

    def send(self, data, part=4 << 20, **more):
        status, doc = self.create(data, **more)
        assert status == 201, doc
        task = doc["file_id"]
        for at in range(0, len(data), part):
            status, doc = self.put(task, data[at:at + part], at, len(data))
            assert status == (202 if at + part >= len(data) else 200), doc
        return task

    def ended(self, task, seconds=20):
        def asked():
            status, doc = self.call("GET", f"/v1/tasks/{task}")
            assert status == 200, doc
            return doc if doc["state"] in ("done", "done_with_errors", "rejected") else None
        return wait_for(asked, seconds, f"the end of {task}")

    def rows(self, task):
        status, doc = self.call("GET", f"/v1/tasks/{task}/results?limit=1000")
        assert status == 200, doc
        return doc["rows"]


def check_silent(door, *more):
    """No answer holds a number or a cell."""
    heard = door.heard.decode()
    assert MARK not in heard
    for value in more:
        assert value not in heard
    told = {run[i:i + 12] for run in re.findall(r"[0-9]{12,}", heard) for i in range(len(run) - 11)}
    assert not told & set(USED)


def beside(rig, work):
    """Does the work while another municipality sends a good file; that one is not affected."""
    other = Door(rig, OTHER)
    data = good(20).encode()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        task = pool.submit(lambda: other.send(data, part=700))
        result = work()
        done = other.ended(task.result())
    assert done["state"] == "done" and done["counts"]["registered"] == 20, done
    return result


# ---- faults of the file: nothing of it is applied ----


def utf8(s):
    return s.encode()


def cp932(s):
    return s.encode("cp932")


def with_line(n, line, rows=4):
    """A good file whose line n (the header is line 1) is replaced."""
    lines = good(rows).split("\r\n")
    lines[n - 1] = line
    return "\r\n".join(lines)


def mixed():
    lines = [cp932(line) for line in good(4).split("\r\n")]
    lines[3] = utf8(",".join(cells()))
    return b"\r\n".join(lines)


def swap(at, to, headers=HEADERS):
    return tuple(to if i == at else h for i, h in enumerate(headers))


# name: (bytes, further members of createFile, code, line, column; None: any)
FILES = {
    "utf-16": lambda: (good().encode("utf-16"), {}, "encoding_utf16", 1, None),
    "utf-16 without a mark": lambda: (text([cells()], ENGLISH).encode("utf-16-le"), {}, "encoding_utf16", 1, None),
    "cp932 where utf-8 was told": lambda: (cp932(good()), {"encoding": "utf-8"}, "encoding_invalid", 1, 1),
    "a byte that is none": lambda: (utf8(good()) + b"kodomo01,\xff\r\n", {}, "encoding_invalid", 5, None),
    "utf-8 in a cp932 file": lambda: (mixed(), {}, "encoding_mixed", 4, None),
    "a mark where cp932 was told": lambda: (b"\xef\xbb\xbf" + utf8(good()), {"encoding": "cp932"}, "encoding_mixed", 1, None),
    "a NUL byte": lambda: (utf8(with_line(3, ",".join(cells(c2=MARK + "\0")))), {}, "nul_byte", 3, None),
    "a quote that is not closed": lambda: (utf8(with_line(4, ",".join(cells(c2='"' + MARK)))), {}, "quote_not_closed", 4, None),
    "a quote inside": lambda: (utf8(with_line(3, ",".join(cells(c2=MARK + '"x"')))), {}, "quote_misplaced", 3, None),
    "text behind a quote": lambda: (utf8(with_line(3, ",".join(cells(c2=f'"{MARK}"x')))), {}, "quote_misplaced", 3, None),
    "a column missing": lambda: (utf8(text([cells()[:BORN] + cells()[BORN + 1:]], HEADERS[:BORN] + HEADERS[BORN + 1:])), {}, "header_missing", 1, None),
    "a column twice": lambda: (utf8(text([cells() + ["x"]], HEADERS + ("氏名",))), {}, "header_twice", 1, None),
    "a column under two names": lambda: (utf8(text([cells() + ["x"]], HEADERS + ("マイナンバー",))), {}, "header_twice", 1, None),
    "an unknown column": lambda: (utf8(text([cells() + ["x"]], HEADERS + (MARK,))), {}, "header_unknown", 1, None),
    "no header": lambda: (utf8("".join(",".join(cells()) + "\n" for _ in range(3))), {}, "header_unknown", 1, None),
    "another form's layout": lambda: (utf8(good()), {"operation": "postHistoryRegistrationTasks", "layout": "subsidy-history"}, "header_missing", 1, None),
    "header only": lambda: (utf8(text([])), {}, "no_rows", None, None),
    "nothing but line ends": lambda: (b"\r\n\r\n", {}, "file_empty", None, None),
    "a cell over the maximum": lambda: (utf8(with_line(3, ",".join(cells(c4="x" * (64 * 1024 + 1))))), {}, "cell_too_long", 3, None),
    "a line of 5 MB": lambda: (utf8(with_line(3, "x" * 5_000_000)), {}, "cell_too_long", 3, None),
    "a line of many cells": lambda: (utf8(with_line(3, ",".join(["y" * 60_000] * 40))), {}, "row_too_long", 3, None),
    "a checksum that is another": lambda: (utf8(good()), {"sha256": "0" * 64}, "checksum_mismatch", None, None),
}


@pytest.mark.parametrize("name", FILES)
def test_file_with_a_fault_is_rejected(rig, name):
    data, more, code, line, column = FILES[name]()
    door = Door(rig, MUNI)
    people = len(rig.redis("redis-link", "--scan", "--pattern", "s:*"))
    done = door.ended(door.send(data, **more))
    assert done["state"] == "rejected", done
    reject = done["reject"]
    assert reject["code"] == code and reject["message_ja"] and reject["message_en"], reject
    if line:
        assert reject["line"] == line and reject["column"] >= 1, reject
    if column:
        assert reject["column"] == column, reject
    assert sum(done["counts"][c] for c in ("registered", "updated", "unchanged", "waiting", "quarantined")) == 0
    assert len(rig.redis("redis-link", "--scan", "--pattern", "s:*")) == people, "nobody was even linked"
    check_silent(door)


@pytest.mark.parametrize("name", ["a quote that is not closed", "utf-8 in a cp932 file", "a line of 5 MB"])
def test_another_municipality_does_not_notice(rig, name):
    data, more, code, _, _ = FILES[name]()
    door = Door(rig, MUNI)
    done = beside(rig, lambda: door.ended(door.send(data, **more)))
    assert done["state"] == "rejected" and done["reject"]["code"] == code


def test_file_behind_a_bad_one_goes_on(rig):
    """Files of one municipality run one after the other; a bad one does not hold up the next."""
    door = Door(rig, MUNI)
    bad, fine = door.send(utf8(text([]))), door.send(utf8(good(5)))
    assert door.ended(bad)["state"] == "rejected"
    assert door.ended(fine)["counts"]["registered"] == 5


# ---- faults of a row: the others are applied ----


def one_bad(change, at=3):
    rows = [cells() for _ in range(4)]
    rows[at - 1] = change(rows[at - 1])
    return utf8(text(rows))


# name: (change of row 3, in line 4, code, rule, column in characters or the field; None: any). The forms do not know where a cell stood: the
# field tells the column.
ROWS = {
    "a cell too few": (lambda r: r[:-1], "row_unreadable", "column_count", None),
    "a cell too many": (lambda r: r + [MARK], "row_unreadable", "column_count", None),
    "scientific notation": (lambda r: r[:NUMBER] + ["4.21E+11"] + r[NUMBER + 1:], "row_unreadable", "scientific", 10),
    "an apostrophe": (lambda r: r[:NUMBER] + ["'" + r[NUMBER]] + r[NUMBER + 1:], "row_unreadable", "apostrophe", 10),
    "a day that is none": (lambda r: r[:BORN] + ["令和6年2月30日"] + r[BORN + 1:], "row_unreadable", "date", None),
    "a flag that is none": (lambda r: r[:7] + [MARK] + r[8:], "row_unreadable", "choice", None),
    "a number too short": (lambda r: r[:NUMBER] + [r[NUMBER][1:]] + r[NUMBER + 1:], "field_invalid", "length", "myNumber"),
    "letters in the number": (lambda r: r[:NUMBER] + ["12345678901x"] + r[NUMBER + 1:], "field_invalid", "class", "myNumber"),
    "the number in the name": (lambda r: r[:NAME] + [r[NAME] + r[NUMBER]] + r[NAME + 1:], "field_invalid", "number_inside", None),
    "no name": (lambda r: r[:NAME] + [""] + r[NAME + 1:], "field_invalid", "missing", None),
}


@pytest.mark.parametrize("name", ROWS)
def test_row_with_a_fault_is_refused(rig, name):
    change, code, rule, column = ROWS[name]
    door = Door(rig, MUNI)
    task = door.send(one_bad(change))
    done = door.ended(task)
    assert done["state"] == "done_with_errors"
    assert (done["counts"]["registered"], done["counts"]["refused"]) == (3, 1), done["counts"]
    rows = door.rows(task)
    assert [r["row"] for r in rows] == [1, 2, 3, 4] and [r["line"] for r in rows] == [2, 3, 4, 5]
    bad = rows[2]
    assert (bad["result"], bad["code"]) == ("refused", code), bad
    assert [e["rule"] for e in bad["errors"]] == [rule] and bad["message_ja"] and bad["message_en"], bad
    if isinstance(column, int):
        assert bad["column"] == column, bad
    elif column:
        assert bad["errors"][0]["field"] == column, bad
    assert [r["result"] for r in rows if r["row"] != 3] == ["registered"] * 3
    check_silent(door, "4.21E+11", "12345678901x")


def test_formula_cells_are_text(rig):
    door = Door(rig, MUNI)
    names = ["=HYPERLINK(1)", "+81", "-1", "@SUM(A1)", "=1+1"]
    task = door.send(utf8(text([cells(**{f"c{ADDRESS}": name}) for name in names])))
    done = door.ended(task)
    assert done["state"] == "done" and done["counts"]["registered"] == len(names), door.rows(task)
    check_silent(door, *names[:2], names[3])


def test_bad_rows_of_a_json_file(rig):
    from intake_rig import row
    door = Door(rig, MUNI)
    rows = [json.dumps(row(fresh(), name=MARK)) for _ in range(3)]
    lines = [rows[0], '{"myNumber":"%s",' % fresh(), "[]", rows[1], '{"x":1}', rows[2]]
    task = door.send("\n".join(lines).encode(), source="json_lines")
    done = door.ended(task)
    assert (done["state"], done["counts"]["registered"], done["counts"]["refused"]) == ("done_with_errors", 3, 3), done
    assert [(r["row"], r["result"]) for r in door.rows(task)] == [(i + 1, "registered" if i in (0, 3, 5) else "refused") for i in range(6)]
    check_silent(door)


# ---- the upload ----


def test_upload_that_breaks_off_applies_nothing(rig):
    door = Door(rig, MUNI)
    data = utf8(good(50))
    status, doc = door.create(data)
    assert status == 201
    task = doc["file_id"]
    half = len(data) // 2
    status, doc = door.put(task, data[:half], 0, len(data))
    assert (status, doc["received"]) == (200, half)
    time.sleep(0.3)
    assert door.call("GET", f"/v1/tasks/{task}")[1]["state"] == "uploading"
    # a hole, a part of another length, a part beyond the end
    for first, part, total in ((half + 1, data[half + 1:], len(data)), (half, data[half:], len(data) + 1), (half, data[half:] + b"x", len(data))):
        status, doc = door.put(task, part, first, total)
        assert 400 <= status < 500, (first, total, doc)
    status, doc = door.call("GET", f"/v1/files/{task}")
    assert (status, doc["received"], doc["bytes"], doc["state"]) == (200, half, len(data), "uploading")
    # another municipality knows nothing of it
    assert Door(rig, OTHER).call("GET", f"/v1/files/{task}")[0] == 404
    assert Door(rig, OTHER).call("DELETE", f"/v1/files/{task}")[0] == 404
    # what had arrived may be sent again; then it goes on
    assert door.put(task, data[:half], 0, len(data))[0] == 200
    assert door.put(task, data[half:], half, len(data))[0] == 202
    assert door.ended(task)["counts"]["registered"] == 50
    check_silent(door)


def test_connection_that_breaks_inside_a_part(rig):
    """The part does not count; the next one begins where the last whole one ended."""
    door = Door(rig, MUNI)
    data = utf8(good(50))
    task = door.create(data)[1]["file_id"]
    con = http.client.HTTPSConnection("127.0.0.1", rig.port, context=rig.context(MUNI), timeout=10)
    con.putrequest("PUT", f"/v1/files/{task}")
    for name, value in (("Authorization", f"Bearer {door.token}"), ("Content-Type", "application/octet-stream"),
                        ("Content-Length", str(len(data))), ("Content-Range", f"bytes 0-{len(data) - 1}/{len(data)}")):
        con.putheader(name, value)
    con.endheaders()
    con.send(data[:len(data) // 3])
    con.close()
    time.sleep(0.2)
    assert door.call("GET", f"/v1/files/{task}")[1]["received"] == 0
    assert door.call("DELETE", f"/v1/files/{task}")[0] == 204
    assert door.call("GET", f"/v1/files/{task}")[0] == 404


@pytest.mark.parametrize("change,field", [({"bytes": 0}, "bytes"), ({"bytes": -1}, "bytes"), ({"operation": "dropTables"}, "operation"),
                                          ({"sha256": "xyz"}, "sha256"), ({"layout": "../../etc/passwd"}, "layout"), ({"encoding": "utf-7"}, "encoding"),
                                          ({"source": "xlsx"}, "source"), ({"mode": "maybe"}, "mode"), ({"name": "x" * 121}, "name"),
                                          ({"only_failed_of": "nonsense"}, "only_failed_of")])
def test_bad_announcements(rig, change, field):
    door = Door(rig, MUNI)
    status, doc = door.create(utf8(good()), **change)
    assert status == 422 and [e["field"] for e in doc["errors"]] == [field], doc
    assert "passwd" not in door.heard.decode() and "dropTables" not in door.heard.decode()


def test_announced_name_holds_no_number(rig):
    door, canary = Door(rig, MUNI), fresh()
    status, doc = door.create(utf8(good()), name=f"meibo-{canary}.csv")
    assert status == 422 and doc["errors"][0]["field"] == "name"
    check_silent(door, canary)


# ---- nothing was told ----


def test_no_number_was_told(rig):
    assert len(USED) > 100
    places = [place for d in ("log", "redis-link", "redis-vault", "audit", "spool") for place in contents(rig.dir / d)]
    assert any("spool" in str(path) for path, _ in places)
    for path, data in places:
        told = {run[i:i + 12] for run in re.findall(rb"[0-9]{12,}", data) for i in range(len(run) - 11)}
        assert not told & {num.encode() for num in USED}, path.name
        assert MARK.encode() not in data and MARK.encode("cp932") not in data, path.name
