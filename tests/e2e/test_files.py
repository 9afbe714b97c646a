"""The routes of files and tasks: uploads in parts, resumed and refused; results, events, receipts, undo (docs/bulk.md)."""

import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import intake_rig
from rig import MUNICIPAL, fresh_number, row_for, wait_for

MUNI, OTHER = "331007", "271403"
OPERATION = "postRegistrationTasks"
BYTES = "application/octet-stream"


def rows_of(rig, n, **more):
    rows = [row_for(fresh_number(), key=f"rk-{random.randrange(10**9)}", **more) for _ in range(n)]
    rig.plant(rows)
    return rows


def lines(rows):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()


def announce(rig, data, muni=MUNI, **more):
    ask = {"operation": OPERATION, "bytes": len(data), "source": "json_lines", **more}
    a = rig.muni(muni, "POST", "/v1/files", ask)
    assert a.status == 201, (a.status, a.body)
    doc = a.json()
    assert a.headers["location"] == f"/v1/files/{doc['file_id']}"
    assert doc == {"file_id": doc["file_id"], "state": "uploading", "received": 0, "bytes": len(data)}
    return doc["file_id"]


def put(rig, file_id, data, first=None, total=None, muni=MUNI, **headers):
    h = {"Content-Type": BYTES, **headers}
    if first is not None:
        h["Content-Range"] = f"bytes {first}-{first + len(data) - 1}/{total}"
    return rig.muni(muni, "PUT", f"/v1/files/{file_id}", data, headers=h)


def get(rig, path, muni=MUNI):
    a = rig.muni(muni, "GET", path)
    assert a.status == 200, (a.status, a.body)
    return a.json()


def over(rig, task_id, muni=MUNI, seconds=30):
    def ended():
        doc = get(rig, f"/v1/tasks/{task_id}", muni)
        return doc["state"] in ("done", "done_with_errors", "rejected") and doc
    return wait_for(f"task {task_id} has ended", seconds, ended)


def send(rig, data, muni=MUNI, **more):
    file_id = announce(rig, data, muni, **more)
    a = put(rig, file_id, data, muni=muni)
    assert a.status == 202, (a.status, a.body)
    assert a.headers["location"] == f"/v1/tasks/{file_id}" and a.json()["task_id"] == file_id
    return file_id


def refused(answer, status, code):
    assert (answer.status, answer.json()["code"]) == (status, code), (answer.status, answer.body)
    return answer.json()


# ---- uploads ----


def test_a_file_in_one_part(rig):
    data = lines(rows_of(rig, 3))
    doc = over(rig, send(rig, data, sha256=hashlib.sha256(data).hexdigest(), name="子ども医療費.jsonl"))
    assert doc["state"] == "done" and doc["counts"]["registered"] == 3 and doc["source"] == "json_lines" and doc["mode"] == "apply"
    assert doc["received_at"] <= doc["accepted_at"] <= doc["ended_at"] and "rows" not in doc
    assert get(rig, f"/v1/files/{doc['task_id']}") == {"file_id": doc["task_id"], "state": "done"}
    refused(rig.muni(MUNI, "DELETE", f"/v1/files/{doc['task_id']}"), 409, "conflict")


def test_parts_repeated_and_misplaced(rig):
    data = lines(rows_of(rig, 4))
    n, cut = len(data), len(data) // 2
    file_id = announce(rig, data, name="二つに分けて.jsonl")
    doc = refused(put(rig, file_id, data[cut:], cut, n), 409, "wrong_offset")
    assert doc["received"] == 0
    first = put(rig, file_id, data[:cut], 0, n)
    assert first.status == 200 and first.json()["received"] == cut
    assert put(rig, file_id, data[:cut], 0, n).json() == first.json(), "a repeated part"
    changed = bytes([data[0] ^ 1]) + data[1:cut]
    refused(put(rig, file_id, changed, 0, n), 409, "conflict")
    assert refused(put(rig, file_id, data[:cut + 1], 0, n), 409, "wrong_offset")["received"] == cut
    assert refused(put(rig, file_id, data[cut + 1:], cut + 1, n), 409, "wrong_offset")["received"] == cut
    assert get(rig, f"/v1/files/{file_id}") == {"file_id": file_id, "state": "uploading", "received": cut, "bytes": n, "name": "二つに分けて.jsonl"}
    assert get(rig, f"/v1/tasks/{file_id}")["state"] == "uploading"
    last = put(rig, file_id, data[cut:], cut, n)
    assert last.status == 202 and last.json()["state"] == "accepted"
    assert put(rig, file_id, data[cut:], cut, n).status == 202, "the answer to the last part was lost"
    refused(put(rig, file_id, data[:cut], 0, n), 409, "conflict")
    assert over(rig, file_id)["counts"]["registered"] == 4


def test_size_that_was_announced_is_binding(rig):
    data = b"x" * 100
    file_id = announce(rig, data)
    refused(put(rig, file_id, data + b"y"), 413, "body_too_large")
    refused(put(rig, file_id, data, 0, 101), 413, "body_too_large")
    refused(put(rig, file_id, data[:50]), 422, "field_invalid")
    refused(put(rig, file_id, data[:50], 0, 99), 422, "field_invalid")
    for bad in ("bytes 0-9/100", "bytes 0-100/100", "bytes 99-0/100", "bytes 0-99/*", "bytes 0-99", "rows 0-99/100", ""):
        a = put(rig, file_id, data, **{"Content-Range": bad})
        refused(a, 400, "malformed_request")
    refused(rig.muni(MUNI, "PUT", f"/v1/files/{file_id}", data), 415, "unsupported_media_type")
    assert get(rig, f"/v1/files/{file_id}")["received"] == 0
    assert rig.muni(MUNI, "DELETE", f"/v1/files/{file_id}").status == 204
    refused(rig.muni(MUNI, "GET", f"/v1/files/{file_id}"), 404, "not_found")
    refused(put(rig, file_id, data), 404, "not_found")
    refused(rig.muni(MUNI, "DELETE", f"/v1/files/{file_id}"), 404, "not_found")
    assert not list((rig.state / "spool").glob(f"*{file_id}*"))


def test_what_cannot_be_announced(rig):
    number = fresh_number()
    rig.canaries.add(number)
    good = {"operation": OPERATION, "bytes": 10}
    for body, status, code, field in [
        (b"{", 400, "invalid_json", None), ([good], 400, "json_wrong_shape", None), ({**good, "bytes": "10"}, 422, "field_invalid", "bytes"),
        ({"bytes": 10}, 422, "field_invalid", "operation"), ({**good, "operation": "x"}, 422, "field_invalid", "operation"),
        ({**good, "mode": "undo"}, 422, "field_invalid", "mode"), ({**good, "sha256": "00"}, 422, "field_invalid", "sha256"),
        ({**good, "name": f"{number}.csv"}, 422, "field_invalid", "name"), ({**good, "extra": 1}, 422, "field_invalid", ""),
        ({**good, "only_failed_of": "0" * 32}, 422, "field_invalid", "only_failed_of"), ({**good, "bytes": 2**40}, 507, "disk_full", None),
    ]:
        a = rig.muni(MUNI, "POST", "/v1/files", body)
        doc = refused(a, status, code)
        assert field is None or [e["field"] for e in doc["errors"]] == [field], doc
        assert number.encode() not in a.body
    assert rig.call(MUNICIPAL, "POST", "/v1/files", good, cert=f"muni-{MUNI}").status == 401
    assert rig.call(MUNICIPAL, "POST", "/v1/files", good, cert="clinic-3319900019", headers={"Authorization": f"Bearer {rig.token(MUNI)}"}).status == 403


def test_files_of_others_are_not_there(rig):
    data = lines(rows_of(rig, 1))
    mine = send(rig, data)
    over(rig, mine)
    waiting = announce(rig, data)
    for method, path in [("GET", f"/v1/files/{mine}"), ("DELETE", f"/v1/files/{waiting}"), ("GET", f"/v1/tasks/{mine}"), ("GET", f"/v1/tasks/{mine}/results"),
                         ("GET", f"/v1/tasks/{mine}/events"), ("GET", f"/v1/tasks/{mine}/receipt"), ("POST", f"/v1/tasks/{mine}/undo"),
                         ("GET", "/v1/files/nobody"), ("GET", "/v1/tasks/" + "0" * 32)]:
        refused(rig.muni(OTHER, method, path), 404, "not_found")
    refused(put(rig, waiting, data, muni=OTHER), 404, "not_found")
    assert mine not in [t["task_id"] for t in get(rig, "/v1/tasks", OTHER)["tasks"]]
    assert rig.muni(MUNI, "DELETE", f"/v1/files/{waiting}").status == 204


def test_wrong_sum_rejects_the_file(rig):
    data = lines(rows_of(rig, 2))
    doc = over(rig, send(rig, data, sha256="00" * 32))
    assert doc["state"] == "rejected" and doc["reject"]["code"] == "checksum_mismatch" and doc["reject"]["message_ja"]
    assert not any(v for k, v in doc["counts"].items() if k != "rows"), "nothing was applied"
    refused(rig.muni(MUNI, "POST", f"/v1/tasks/{doc['task_id']}/undo"), 409, "no_undo")


def test_bad_json_rejects_the_file(rig):
    doc = over(rig, send(rig, b'[{"myNumber":', source="json"))
    assert doc["state"] == "rejected" and doc["reject"]["message_en"]


def test_two_uploads_of_one_file_and_two_writers(rig):
    data = lines(rows_of(rig, 60))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        both = list(pool.map(lambda _: send(rig, data), range(2)))  # two files: no matter
        one = announce(rig, data)
        answers = list(pool.map(lambda _: put(rig, one, data), range(6)))
    codes = {(a.status, a.json().get("code")) for a in answers}
    assert (202, None) in codes and codes <= {(202, None), (503, "overloaded")}, codes
    for file_id in (*both, one):
        assert over(rig, file_id)["state"] == "done"


def test_upload_goes_on_after_a_kill(rig):
    data = lines(rows_of(rig, 30))
    n, third = len(data), len(data) // 3
    file_id = announce(rig, data, sha256=hashlib.sha256(data).hexdigest())
    assert put(rig, file_id, data[:third], 0, n).status == 200
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    rig.tokens.clear()
    assert get(rig, f"/v1/files/{file_id}")["received"] == third, "what was acknowledged is there"
    assert put(rig, file_id, data[third:2 * third], third, n).status == 200
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    assert refused(put(rig, file_id, data[third:2 * third], third, n), 409, "wrong_offset")["received"] == 2 * third
    assert put(rig, file_id, data[2 * third:], 2 * third, n).status == 202
    rig.wait_back("pmhgw-intake", rig.kill("pmhgw-intake"))
    assert over(rig, file_id)["counts"]["registered"] == 30


def test_disk_full(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=67m,mode=0700", "tmpfs", spool], capture_output=True).returncode != 0:
        return  # may not mount here: test_what_cannot_be_announced has seen a 507
    r = intake_rig.Rig(tmp_path)
    try:
        r.up()
        token = r.token()
        data = lines([row_for(fresh_number(), key=f"k{i}", certificationName="試" * 20) for i in range(400)])
        ask = {"operation": OPERATION, "bytes": len(data), "source": "json_lines"}
        status, doc = r.call("POST", "/v1/files", json.dumps({**ask, "bytes": 4 << 20}).encode(), token=token)
        assert (status, doc["code"]) == (507, "disk_full")
        status, doc = r.call("POST", "/v1/files", json.dumps(ask).encode(), token=token)
        assert status == 201, doc
        filler = spool / "filler"
        with open(filler, "wb") as f:
            try:
                while f.write(b"\0" * 65536):
                    f.flush()
            except OSError:
                pass
        context = r.context("muni-331007")
        con = http.client.HTTPSConnection("127.0.0.1", r.port, context=context, timeout=20)
        head = {"Authorization": f"Bearer {token}", "Content-Type": BYTES}

        def part():
            con.request("PUT", f"/v1/files/{doc['file_id']}", data, head)
            a = con.getresponse()
            return a.status, json.loads(a.read())

        status, problem = part()
        assert (status, problem["code"]) == (507, "disk_full"), problem
        there = r.call("GET", f"/v1/files/{doc['file_id']}", token=token)
        assert there[0] == 200 and there[1]["received"] == 0, (there, r.log_text()[-800:])
        filler.unlink()
        assert part()[0] == 202
        assert wait_for("ended", 20, lambda: (d := r.task(doc["file_id"], token=token)[1])["state"] == "done" and d)["counts"]["registered"] == 400
        con.close()
    finally:
        r.down()
        subprocess.run(["umount", spool], check=True)
        shutil.rmtree(tmp_path, ignore_errors=True)


def test_uploads_that_nobody_goes_on_with(tmp_path):
    r = intake_rig.Rig(tmp_path)
    try:
        r.up()
        token, ask = r.token(), json.dumps({"operation": OPERATION, "bytes": 9}).encode()
        old, orphan, lately, fresh = (r.call("POST", "/v1/files", ask, token=token)[1]["file_id"] for _ in range(4))
        long_ago = int(time.time() * 1000) - 73 * 3600 * 1000
        r.redis("redis-link", "HSET", f"t:{MUNI}:{old}", "ms", long_ago)
        r.redis("redis-link", "ZADD", f"fu:{MUNI}", long_ago, old)
        for lost in (orphan, lately):  # as when redis-link comes back empty
            r.redis("redis-link", "DEL", f"t:{MUNI}:{lost}")
        os.utime(tmp_path / "spool" / f"{MUNI}-{orphan}" / "key", (long_ago / 1000, long_ago / 1000))
        assert len(list((tmp_path / "spool").iterdir())) == 4
        con = http.client.HTTPSConnection("127.0.0.1", r.port, context=r.context("muni-331007"), timeout=20)
        con.request("GET", f"/v1/tasks/{fresh}/events", headers={"Authorization": f"Bearer {token}"})
        follower = con.getresponse()
        assert follower.readline() == b"event: progress\n"
        assert r.kill("intake", signal.SIGTERM) == 0
        assert b"event: end" not in follower.read(), "the stream ends in order, the task has not"
        con.close()
        r.start("intake")
        r.wait_healthy()
        kept = {f"{MUNI}-{fresh}", f"{MUNI}-{lately}"}
        wait_for("the folders are gone", 15, lambda: {p.name for p in (tmp_path / "spool").iterdir()} == kept)
        assert r.call("GET", f"/v1/files/{old}", token=token)[0] == 404
        assert r.call("GET", f"/v1/files/{fresh}", token=token)[1]["received"] == 0
        listed = r.call("GET", "/v1/tasks", token=token)[1]["tasks"]
        assert old not in [t["task_id"] for t in listed]
        # a municipality has at most 100 of them
        r.redis("redis-link", "ZADD", f"fu:{MUNI}", *[x for i in range(99) for x in (int(time.time() * 1000), f"{i:032x}")])
        status, doc = r.call("POST", "/v1/files", ask, token=token)
        assert (status, doc["code"]) == (409, "too_many_uploads"), doc
    finally:
        r.down()


def test_rows_that_end_in_the_outbox(tmp_path):
    """PMH is away: the file ends, its rows wait; the results show each as it ends. Too old a file is not undone."""
    r = intake_rig.Rig(tmp_path)
    try:
        r.up(pmh=False)
        token, data = r.token(), lines([row_for(fresh_number(), key=f"k{i}") for i in range(5)])
        ask = json.dumps({"operation": OPERATION, "bytes": len(data), "source": "json_lines"}).encode()
        task = r.call("POST", "/v1/files", ask, token=token)[1]["file_id"]
        assert r.call("PUT", f"/v1/files/{task}", data, token=token, media=BYTES)[0] == 202

        def rows(query=""):
            return [x["result"] for x in r.call("GET", f"/v1/tasks/{task}/results{query}", token=token)[1]["rows"]]
        wait_for("all rows wait", 20, lambda: rows() == ["waiting"] * 5)
        doc = r.task(task, token=token)[1]
        assert doc["state"] == "processing" and doc["counts"]["waiting"] == 5
        assert r.call("GET", "/v1/tasks", token=token)[1]["backlog"]["rows"] == 5
        assert r.call("GET", f"/v1/tasks/{task}/receipt", token=token)[1]["code"] == "not_complete"
        assert rows("?only=failed") == []
        assert r.call("POST", f"/v1/tasks/{task}/undo", b"{}", token=token)[1]["code"] == "not_complete", "a row that waits cannot be taken back"
        r.pmh.start()
        wait_for("all rows are registered", 30, lambda: rows() == ["registered"] * 5)
        wait_for("the task is done", 10, lambda: r.task(task, token=token)[1]["state"] == "done")
        assert r.call("GET", "/v1/tasks", token=token)[1]["backlog"]["rows"] == 0
        assert r.call("GET", f"/v1/tasks/{task}/results?limit=2", token=token)[1]["next"]
        r.redis("redis-link", "HSET", f"t:{MUNI}:{task}", "end_ms", int(time.time() * 1000) - 73 * 3600 * 1000)
        status, doc = r.call("POST", f"/v1/tasks/{task}/undo", b"{}", token=token)
        assert (status, doc["code"]) == (409, "too_late")
    finally:
        r.down()


MANY = """for i=1,ARGV[1] do local id=string.format('%032x',i) redis.call('HSET','t:'..ARGV[2]..':'..id,'op',ARGV[3],'sys','x','ms',1000+i,'rows','3','updated','1')
redis.call('ZADD','tb:'..ARGV[2],i,id) end return 1"""


def test_what_waits_is_told_however_many_tasks_there_are(tmp_path):
    r = intake_rig.Rig(tmp_path)

    def backlog():
        return r.call("GET", "/v1/tasks", token=token)[1]["backlog"]
    try:
        r.up(pmh=False)
        token = r.token()
        assert backlog() == {"rows": 0, "files": 0}
        for i in range(105):
            assert r.register([row_for(fresh_number(), key=f"b{i}")])[0] == 202
        page = r.call("GET", "/v1/tasks", token=token)[1]
        assert len(page["tasks"]) == 100 and page["backlog"]["rows"] == 105 and page["backlog"]["oldest_s"] < 60
        assert "backlog" not in r.call("GET", f"/v1/tasks?cursor={page['next']}", token=token)[1]
        assert r.redis("redis-link", "ZCARD", f"tb:{MUNI}") == ["105"]
        r.pmh.start()
        wait_for("every row is registered", 30, lambda: backlog()["rows"] == 0)
        assert r.redis("redis-link", "ZCARD", f"tb:{MUNI}") == ["0"], "who looks removes what is over"
        r.redis("redis-link", "EVAL", MANY, 0, 10400, MUNI, OPERATION)
        waits = backlog()
        assert (waits["rows"], waits["at_least"]) == (20000, True) and waits["oldest_s"] > 10**9
        r.redis("redis-link", "EVAL", MANY.replace("'updated','1'", "'updated','3'"), 0, 10300, MUNI, OPERATION)
        assert {k: v for k, v in backlog().items() if k != "oldest_s"} == {"rows": 200, "files": 0}
        r.redis("redis-link", "EVAL", MANY.replace("'updated','1'", "'updated','3'"), 0, 10400, MUNI, OPERATION)
        r.kill("intake", signal.SIGTERM)
        r.start("intake")
        wait_for("they go when nobody asks", 10, lambda: r.redis("redis-link", "ZCARD", f"tb:{MUNI}") == ["0"])
    finally:
        r.down()


# ---- tasks ----


def results(rig, task_id, query="", muni=MUNI):
    rows, cursor, pages = [], "", 0
    while True:
        page = get(rig, f"/v1/tasks/{task_id}/results?{query}{'&' if query and cursor else ''}{cursor}".rstrip("?"), muni)
        rows += page["rows"]
        pages += 1
        if "next" not in page:
            return rows, pages
        cursor = f"cursor={page['next']}"


def test_results_in_pages(rig):
    rows = rows_of(rig, 250)
    for i in (6, 99, 249):
        rows[i]["basicFiveInfo"]["dateOfBirth"] = "2019-02-30"
    task = over(rig, send(rig, lines(rows)))
    assert task["state"] == "done_with_errors" and task["counts"]["refused"] == 3
    whole, _ = results(rig, task["task_id"])
    assert [r["row"] for r in whole] == list(range(1, 251))
    assert {r["resident_key"] for r in whole if r["result"] == "registered"} <= {r["municipalityIdentityKey"] for r in rows}
    paged, pages = results(rig, task["task_id"], "limit=7")
    assert paged == whole and pages >= 250 // 7
    failed, _ = results(rig, task["task_id"], "only=failed")
    assert [r["row"] for r in failed] == [7, 100, 250] and all(r["code"] == "field_invalid" and r["message_ja"] and r["who"] == "caller" for r in failed)
    for bad in ("limit=0", "limit=1001", "only=x", "cursor=1", "cursor=9-9-9-9", "what=1", "cursor=0-0-3-0"):
        refused(rig.muni(MUNI, "GET", f"/v1/tasks/{task['task_id']}/results?{bad}"), 400, "malformed_url")
    again = rig.register(MUNI, rows[:3])  # a task of a request, in the same form
    assert [r["result"] for r in results(rig, again["task_id"], "limit=2")[0]] == ["unchanged"] * 3
    assert results(rig, again["task_id"], "only=failed") == ([], 1)


def test_list_in_pages(rig):
    ids = [announce(rig, b"x") for _ in range(5)]
    first = get(rig, "/v1/tasks")
    assert [t["task_id"] for t in first["tasks"][:5]] == ids[::-1]
    assert {"rows", "files"} <= first["backlog"].keys() and "next" not in first
    cursor = int(time.time() * 1000) - 86400000
    assert get(rig, f"/v1/tasks?cursor={cursor}")["tasks"] == []
    refused(rig.muni(MUNI, "GET", "/v1/tasks?cursor=x"), 400, "malformed_url")
    for i in ids:
        assert rig.muni(MUNI, "DELETE", f"/v1/files/{i}").status == 204


def follow(rig, task_id, begun=None):
    """(event, task) of every event of a stream to its end."""
    con = http.client.HTTPSConnection("127.0.0.1", rig.base + MUNICIPAL, context=rig.context(f"muni-{MUNI}"), timeout=30)
    con.request("GET", f"/v1/tasks/{task_id}/events", headers={"Authorization": f"Bearer {rig.token(MUNI)}"})
    a = con.getresponse()
    assert a.status == 200 and a.getheader("Content-Type") == "text/event-stream" and a.getheader("Transfer-Encoding") == "chunked"
    if begun:
        begun()
    events = []
    for block in a.read().decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    con.close()
    return events


def test_events_to_the_end(rig):
    data = lines(rows_of(rig, 300))
    file_id = announce(rig, data)
    events = follow(rig, file_id, lambda: put(rig, file_id, data))
    assert events[0][0] == "progress" and events[0][1]["state"] == "uploading"
    assert [name for name, _ in events].count("end") == 1 and events[-1][0] == "end"
    assert events[-1][1]["state"] == "done" and events[-1][1]["counts"]["registered"] == 300
    assert [name for name, _ in follow(rig, file_id)] == ["end"], "of a task that has ended"
    con = http.client.HTTPSConnection("127.0.0.1", rig.base + MUNICIPAL, context=rig.context(f"muni-{MUNI}"), timeout=30)
    waiting = announce(rig, b"x")
    con.request("GET", f"/v1/tasks/{waiting}/events", headers={"Authorization": f"Bearer {rig.token(MUNI)}"})
    assert con.getresponse().readline().startswith(b"event: progress")
    con.close()  # who leaves is nobody's trouble
    assert rig.muni(MUNI, "DELETE", f"/v1/files/{waiting}").status == 204


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_receipt(rig):
    data = lines(rows_of(rig, 5))
    file_id = announce(rig, data, sha256=hashlib.sha256(data).hexdigest())
    refused(rig.muni(MUNI, "GET", f"/v1/tasks/{file_id}/receipt"), 409, "not_complete")
    put(rig, file_id, data)
    task = over(rig, file_id)
    a = rig.muni(MUNI, "GET", f"/v1/tasks/{file_id}/receipt")
    assert a.status == 200 and a.headers["content-type"] == "application/jose"
    head, payload, signature = a.body.decode().split(".")
    header = json.loads(b64(head))
    assert header["alg"] == "ES256" and len(header["x5c"]) == 1
    cert = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    ca = x509.load_pem_x509_certificate((rig.state / "certs/ca.pem").read_bytes())
    ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(cert.signature_hash_algorithm))
    raw = b64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    cert.public_key().verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(b64(payload))
    page = rig.muni(MUNI, "GET", f"/v1/tasks/{file_id}/results").json()["rows"]
    told = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in page)
    assert said["results_sha256"] == hashlib.sha256(told.encode()).hexdigest()
    assert said["sha256"] == hashlib.sha256(data).hexdigest() and said["bytes"] == len(data)
    assert said["task_id"] == file_id and said["municipality"] == MUNI and said["operation"] == OPERATION
    assert said["ended_at"] == task["ended_at"] and said["counts"]["registered"] == 5


def test_undo(rig):
    rows = rows_of(rig, 3)
    file_id = announce(rig, lines(rows))
    refused(rig.muni(MUNI, "POST", f"/v1/tasks/{file_id}/undo"), 409, "not_complete")
    put(rig, file_id, lines(rows))
    over(rig, file_id)
    refused(rig.muni(MUNI, "POST", f"/v1/tasks/{file_id}/undo", {"x": 1}), 400, "json_wrong_shape")
    a = rig.muni(MUNI, "POST", f"/v1/tasks/{file_id}/undo", {})
    assert a.status == 202 and a.json()["mode"] == "undo" and a.json()["of"] == file_id
    undo = a.json()["task_id"]
    assert a.headers["location"] == f"/v1/tasks/{undo}"
    assert over(rig, undo)["state"] == "done"
    assert get(rig, f"/v1/tasks/{file_id}")["undone_by"] == undo
    refused(rig.muni(MUNI, "POST", f"/v1/tasks/{file_id}/undo"), 409, "no_undo")
    refused(rig.muni(MUNI, "POST", f"/v1/tasks/{undo}/undo"), 409, "no_undo")
    refused(rig.muni(MUNI, "GET", f"/v1/files/{undo}"), 404, "not_found")
    assert over(rig, send(rig, lines(rows)))["counts"]["registered"] == 3, "they were taken away"


def test_audit_names_what_was_done(rig):
    log = rig.command("audit", "list", "--last", "5000")
    text = log.stdout
    assert log.returncode == 0 and all(event in text for event in ("file_accepted", "file_key_opened", "task_read", "request_refused"))
    assert os.path.isdir(rig.state / "spool")
