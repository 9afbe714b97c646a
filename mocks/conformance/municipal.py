"""Cases of a municipal system. Orders: register (rows), send_file (content)."""

import re
import secrets
import urllib.parse

import tls
from door import Answer, problem
from kit import WARN, case

TOKEN, ROWS, FILES = "/oauth2/token", "/v1/medical-subsidy/registration-tasks", "/v1/files"
NOW = "2026-04-01T00:30:00.000Z"
ROW = {"orgSpecificCertificateTypeId": "KODOMO-01", "myNumber": "000000000001", "municipalityIdentityKey": "jumin-0001", "isNotDisclosed": False,
       "basicFiveInfo": {"name": "試験　花子", "nameKana": "シケン　ハナコ", "address": "岡山県岡山市北区試験町1-2-3", "dateOfBirth": "2019-05-06", "sex": "2"}}
COUNTS = {"rows": 1, "registered": 1, "updated": 0, "unchanged": 0, "refused": 0, "quarantined": 0, "waiting": 0}
PART = 4 << 20


class Gateway:
    """As much of the municipal door as the cases need. first: {kind of request: answers, or functions of (gateway, request), that come before the good ones}."""

    def __init__(self, tokens, ends_as="done", polls=1, pages=None, **first):
        self.first = {kind: list(answers) for kind, answers in first.items()}
        self.tokens, self.ends_as, self.polls, self.pages = tokens, ends_as, polls, pages or [[{"row": 1, "result": "registered"}]]
        self.data, self.size, self.id = b"", 0, secrets.token_hex(16)

    def state(self, state):
        return {"task_id": self.id, "operation": "postRegistrationTasks", "state": state, "received_at": NOW, "counts": COUNTS, "rows": self.pages[0], "memberOfTheFuture": 1}

    @staticmethod
    def kind(request):
        path = request.path.split("?")[0]
        if path in (TOKEN, ROWS, FILES):
            return {TOKEN: "token", ROWS: "rows", FILES: "announce"}[path]
        if path.startswith(FILES):
            return "part" if request.method == "PUT" else "where"
        return "results" if path.endswith("/results") else "task"

    def __call__(self, request):
        kind = self.kind(request)
        if kind != "token" and request.headers.get("Authorization", "") not in [f"Bearer {t}" for t in self.tokens]:
            return problem(401, "invalid_token", "アクセストークンがないか、無効です。", "The access token is missing or not valid.", "after_fix", WWW_Authenticate="Bearer")
        if self.first.get(kind):
            answer = self.first[kind].pop(0)
            answer = answer(self, request) if callable(answer) else answer
            if answer:
                return answer
        return getattr(self, f"on_{kind}")(request)

    def on_token(self, request):
        self.tokens.append(secrets.token_urlsafe(24))
        return Answer(200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 300})

    def on_rows(self, request):
        return Answer(202, self.state("accepted"), Location=f"/v1/tasks/{self.id}")

    def on_task(self, request):
        self.polls -= 1
        return Answer(200, self.state(self.ends_as if self.polls < 0 else "processing"))

    def on_results(self, request):
        n = int(urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query).get("cursor", ["0"])[0])
        return Answer(200, {"rows": self.pages[n], **({"next": str(n + 1)} if n + 1 < len(self.pages) else {})})

    def upload(self):
        return {"file_id": self.id, "state": "uploading", "received": len(self.data), "bytes": self.size}

    def on_announce(self, request):
        self.size = (request.json or {}).get("bytes", 0)
        return Answer(201, self.upload(), Location=f"{FILES}/{self.id}")

    def on_where(self, request):
        return Answer(200, self.upload())

    def on_part(self, request):
        at = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers.get("Content-Range") or f"bytes 0-{len(request.body) - 1}/{len(request.body)}")
        if not at or int(at[2]) - int(at[1]) + 1 != len(request.body) or len(request.body) > PART:
            return problem(400, "malformed_request", "要求を HTTP として読み取れません。", "The request cannot be read as HTTP.", "after_fix")
        if int(at[1]) != len(self.data):
            return self.wrong_offset()
        self.data += request.body
        if len(self.data) == self.size:
            return Answer(202, self.state("accepted"), Location=f"/v1/tasks/{self.id}")
        return Answer(200, self.upload())

    def wrong_offset(self):
        return problem(409, "wrong_offset", "送る位置が受信済みの末尾と違います。", "The part does not begin where the last one ended.", "after_fix", received=len(self.data))


def play(kit, **more):
    gateway = Gateway(kit.tokens, **more)
    kit.door.play(otherwise=gateway)
    return gateway


def register(kit, rows=None):
    return kit.tell("register", rows=rows or [ROW])


def first(kit):
    play(kit)
    return register(kit)


def asked(kit, kind):
    return [r for r in kit.door.requests if Gateway.kind(r) == kind]


tls.for_every_client({"municipal": first})


@case("municipal", "token", "トークンの要求", "asking for a token", "トークンは証明書に結び付き、有効な間は使い続けます。", "A token is bound to the certificate, and used as long as it lives.")
def token(kit):
    play(kit, token=[])
    register(kit)
    register(kit)
    seen = asked(kit, "token")
    kit.check(len(seen) <= 1, "二回の登録にトークンは一つ", "one token for two registrations", f"{len(seen)} tokens")
    for r in seen:
        form = urllib.parse.parse_qs(r.body.decode("ascii", "replace"))
        kit.check(form == {"grant_type": ["client_credentials"]} and r.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"),
                  "grant_type=client_credentials を form で送る", "sends grant_type=client_credentials as a form", r.body[:80])


@case("municipal", "token-ended", "トークンが切れた (401)", "a token that has ended (401)", "取り直して、同じ行をもう一度送ります。", "A new one is asked for, and the same rows are sent again.")
def token_ended(kit):
    play(kit)
    register(kit)
    kit.tokens.clear()
    gateway = play(kit)
    kit.result(register(kit), "done")
    kit.check(len(gateway.tokens) == 1, "トークンを取り直す", "asks for a new token", f"{len(gateway.tokens)} tokens")
    kit.check(len(asked(kit, "rows")) == 2 and asked(kit, "rows")[0].body == asked(kit, "rows")[1].body, "同じ行を一度だけ送り直す", "sends the same rows once more", f"{len(asked(kit, 'rows'))} times")


@case("municipal", "rows", "登録の形", "the form of a registration", "行は配列で、公開された項目名で送ります。", "Rows come as an array, with the published names.")
def rows(kit):
    play(kit, polls=2)
    kit.result(register(kit), "done")
    seen = asked(kit, "rows")
    kit.check(len(seen) == 1 and seen[0].json == [ROW], "行をそのまま配列で送る", "sends the rows as they are, in an array", [sorted(r) for r in (seen[0].json or [])] if seen else "nothing")
    kit.check("000000000001" not in " ".join(r.path for r in kit.door.requests), "URL に個人番号を入れない", "puts no number into a URL", [r.path for r in kit.door.requests])


@case("municipal", "follow", "受付を追う", "following a task", "202 は受け付けたことだけを示します。", "202 says that it is durable, and no more.")
def follow(kit):
    play(kit, polls=5)
    kit.result(register(kit), "done")
    times = [r.at for r in asked(kit, "task")]
    kit.check(len(times) >= 2, "終わるまで状態を読む", "reads the state until the end", f"{len(times)} times")
    gaps = [b - a for a, b in zip(times, times[1:])]
    kit.check(not gaps or min(gaps) >= 0.2, "0.2 秒より短い間隔で問い合わせない", "does not ask more often than every 0.2 s", f"{min(gaps, default=0):.3f} s", WARN)


@case("municipal", "refused-rows", "拒否された行", "rows that are refused", "終了しても、行ごとの結果を確認します。", "A task that has ended may have refused rows.")
def refused_rows(kit):
    fault = {"row": 1, "result": "refused", "code": "field_invalid", "message_ja": "項目が規則に合いません。", "message_en": "A field breaks a rule.",
             "errors": [{"field": "dateOfBirth", "rule": "date", "message_ja": "日付が正しくありません。", "message_en": "This is not an existing date."}]}
    play(kit, ends_as="done_with_errors", pages=[[fault]])
    said = register(kit)
    kit.result(said, "done_with_errors")
    kit.check(said.get("refused", 1) == 1, "拒否された行を数える", "counts the refused row", said.get("refused", "refused was not told"))


@case("municipal", "retry-after", "混雑 (503) と Retry-After", "overloaded (503) and Retry-After", "同じ行を送り直しても害はありません。", "Sending the same rows again does no harm.")
def retry_after(kit):
    play(kit, rows=[problem(503, "overloaded", "混雑しています。", "The gateway is overloaded.", "later", Retry_After="2")])
    said = register(kit)
    seen = asked(kit, "rows")
    if len(seen) == 1:
        kit.result(said, "later")
        return
    kit.result(said, "done")
    kit.check(seen[1].at - seen[0].at >= 1.95, "Retry-After の 2 秒を待つ", "waits 2 s, as Retry-After says", f"{seen[1].at - seen[0].at:.2f} s")
    kit.check(seen[0].body == seen[1].body, "同じ行を送る", "sends the same rows", "other rows")


@case("municipal", "lost-202", "202 が届かない", "a 202 that is lost", "受け付けたかどうか分からないときは、同じ行を送り直します。", "When nobody knows whether it was taken, the same rows are sent again.")
def lost_202(kit):
    gateway = play(kit, rows=[Answer(202, hang_up=True)])
    kit.result(register(kit), "done", "later", "failed")
    kit.check(not gateway.first["rows"], "行を送る", "sends the rows", f"{len(asked(kit, 'rows'))} requests")
    kit.check(len({r.body for r in asked(kit, "rows")}) == 1, "送り直すなら同じ行", "if it sends again, the same rows", f"{len(asked(kit, 'rows'))} requests")


@case("municipal", "unknown-code", "知らない誤りの記号", "a problem with a code that nobody knows", "記号は将来増えます。", "Codes will be added.")
def unknown_code(kit):
    play(kit, rows=[problem(422, "code_of_the_future", "将来の誤りです。", "A problem of the future.")] * 9)
    kit.result(register(kit), "failed")
    kit.check(len(asked(kit, "rows")) == 1, "送り直さない", "does not send it again", len(asked(kit, "rows")))


@case("municipal", "redirect", "転送", "a redirect", "個人番号を別の場所に送らない。", "Numbers go nowhere else.")
def redirect(kit):
    play(kit, rows=[Answer(307, None, Location="/elsewhere")])
    kit.result(register(kit), "failed", "later")
    kit.requests(0, "/elsewhere")


CONTENT = "".join(f"KODOMO-01,{n:012d},試験　花子\n" for n in range(120000))  # more than one part


def sent(kit, gateway, *results):
    said = kit.tell("send_file", operation="postRegistrationTasks", content=CONTENT)
    kit.result(said, *(results or ("done",)))
    kit.check(gateway.data == CONTENT.encode(), "全てのバイトが順に届く", "every byte arrives, in order", f"{len(gateway.data)} of {len(CONTENT.encode())} bytes")


@case("municipal", "file", "ファイルを分けて送る", "a file in parts", "一つの部分は 4 MiB までです。", "A part has at most 4 MiB.")
def file(kit):
    gateway = play(kit)
    sent(kit, gateway)
    kit.check(len(asked(kit, "part")) >= 2 and all(r.headers.get("Content-Range") for r in asked(kit, "part")), "Content-Range で分けて送る", "sends parts with Content-Range", f"{len(asked(kit, 'part'))} parts")


@case("municipal", "file-broken-off", "途中で切れた送信", "an upload that breaks off", "受信済みの位置を尋ねて続けます。", "It asks what has arrived, and goes on there.")
def broken_off(kit):
    def lost(gateway, request):
        gateway.on_part(request)  # it arrived; the answer does not
        return Answer(200, hang_up=True)
    gateway = play(kit, part=[lost])
    sent(kit, gateway)


@case("municipal", "file-wrong-offset", "位置の違い (409)", "a wrong offset (409)", "received に示された位置から続けます。", "It goes on at the position shown as received.")
def wrong_offset(kit):
    def other(gateway, request):
        gateway.data = CONTENT.encode()[:1000]  # only so much is there
        return gateway.wrong_offset()
    gateway = play(kit, part=[other])
    sent(kit, gateway)


@case("municipal", "file-results", "結果のページ", "results page by page", "next がある間、続きを読みます。", "As long as there is a next, more follows.")
def results(kit):
    bad = {"result": "refused", "code": "field_invalid", "message_ja": "項目が規則に合いません。", "message_en": "A field breaks a rule."}
    gateway = play(kit, ends_as="done_with_errors", pages=[[{"row": 1, **bad}], [], [{"row": 9, **bad}]])
    sent(kit, gateway, "done_with_errors")
    kit.check(len(asked(kit, "results")) == 3, "三つのページを全て読む", "reads all three pages", f"{len(asked(kit, 'results'))} pages")
