"""Cases of an application of a medical institution. Orders: look_up (link_key), session."""

import json
import secrets
import time

import tls
from door import Answer, problem
from kit import WARN, case

LOOK_UP, SESSION = "/v1/clinic/eligibility", "/v1/clinic/session"


def certificate(n=0, **more):
    return {"municipalityCode": "331007", "certificationName": f"子ども医療費受給資格証{n or ''}", "medicalSubsidyInsurerNumber": "88331004", "medicalSubsidyRecipientNumber": f"{n:07d}",
            "isAlwaysReimbursement": "0", "validFrom": "2024-04-01", "validTo": "2043-03-31", **more}


def told(n=1, delay=0.0, more=None, **answer):
    body = {"eligibility": [certificate(i) for i in range(n)], "session": secrets.token_urlsafe(32), "session_id": secrets.token_hex(16), "session_expires_at": "2099-01-01T00:00:00.000Z"}
    return Answer(200, {**body, **(more or {})}, delay=delay, **answer)


def nothing():
    return problem(404, "nothing", "表示できる情報はありません。", "There is nothing to show.")


def busy(status, code, seconds):
    return problem(status, code, "混雑しています。", "The gateway is overloaded.", "later", Retry_After=str(seconds))


def look_up(kit, key=None):
    return kit.tell("look_up", link_key=key or kit.key())


def first(kit):
    kit.door.play(otherwise=told())
    return look_up(kit)


tls.for_every_client({"clinic": first})


@case("clinic", "request", "要求の形", "the form of a request", "余計な項目や URL への識別子は受け付けません。", "Other members are refused, and so are identifiers in a URL.")
def request(kit):
    key = kit.key()
    kit.door.play(told())
    kit.result(look_up(kit, key), "shown")
    r = kit.requests(1)[0]
    kit.check((r.method, r.path) == ("POST", LOOK_UP), "POST で定められた経路に送る", "POST to the path of the description", f"{r.method} {r.path}")
    kit.check(r.headers.get("Content-Type", "").split(";")[0] == "application/json", "Content-Type は application/json", "Content-Type is application/json", r.headers.get("Content-Type"))
    kit.check(r.json == {"link_key": key}, "本文は link_key だけ", "the body has link_key and nothing else", list(r.json or {}))
    kit.check(not r.headers.get("Cookie"), "Cookie を送らない", "sends no cookie", r.headers.get("Cookie"), WARN)


@case("clinic", "unknown-members", "知らない項目のある応答", "an answer with members that nobody knows", "項目は将来増えます。", "Members will be added.")
def unknown_members(kit):
    kit.door.play(told(more={"memberOfTheFuture": {"deep": [1, {"a": None}]}, "eligibility": [certificate(1, anotherOfTheFuture=True)]}, X_Future="1"))
    kit.result(look_up(kit), "shown")
    kit.requests(1)


@case("clinic", "keep-alive", "接続を使い続ける", "connections are kept", "接続のたびに TLS の握手を行うと、窓口と端末の負荷になります。", "A handshake for each request is a burden on both sides.")
def keep_alive(kit):
    kit.door.play(otherwise=told())
    for _ in range(4):
        kit.result(look_up(kit), "shown")
    full = [c for c in kit.door.connections if not c["resumed"]]
    kit.check(len(full) <= 2, "4 回の照会で完全な握手は 2 回まで", "at most two full handshakes for four lookups", f"{len(kit.door.connections)} connections, {len(full)} full handshakes", WARN)


def waited(kit, status, code, seconds=1):
    """How long the client waited beyond Retry-After; None: it did not ask again, and said so."""
    kit.door.play(busy(status, code, seconds), told())
    key = kit.key()
    said = look_up(kit, key)
    seen = kit.door.requests
    if len(seen) == 1:
        kit.result(said, "later")
        return None
    kit.result(said, "shown")
    gap = seen[1].at - seen[0].at
    kit.check(gap >= seconds - 0.05, f"Retry-After の {seconds} 秒を待つ", f"waits {seconds} s, as Retry-After says", f"{gap:.2f} s")
    kit.check(gap <= seconds + 30, "30 秒以内にやり直す", "tries again within 30 s", f"{gap:.2f} s", WARN)
    kit.check(seen[1].json == {"link_key": key}, "同じ要求を送る", "sends the same request", seen[1].body[:80])
    return gap - seconds


@case("clinic", "retry-after-503", "混雑 (503) と Retry-After", "overloaded (503) and Retry-After", "断られた端末が同時に戻ると、また混雑します。", "Clients that come back all at once make the next crowd.")
def retry_503(kit):
    spread = [s for s in (waited(kit, 503, "overloaded") for _ in range(3)) if s is not None]
    if len(spread) == 3:
        kit.check(max(spread) - min(spread) > 0.02, "待つ時間をずらす", "spreads what comes back", ", ".join(f"+{s:.2f} s" for s in spread), WARN)


@case("clinic", "retry-after-429", "頻度の上限 (429) と Retry-After", "too many requests (429) and Retry-After", "上限は呼び出し元ごとです。", "The limit is each caller's.")
def retry_429(kit):
    waited(kit, 429, "too_many_requests")


@case("clinic", "used", "使用済みの連携キー (409)", "a link key that was used (409)", "もう一度送っても同じです。カード認証と同意からやり直します。", "Sending it again changes nothing: card and consent come anew.")
def used(kit):
    kit.door.play(otherwise=problem(409, "used", "この連携キーは使用済みです。", "This link key has been used.", "after_fix", used_at="2026-04-01T00:30:00.000Z"))
    kit.result(look_up(kit), "used")
    kit.requests(1)


@case("clinic", "nothing", "表示できる情報がない (404)", "nothing to show (404)", "理由は示されません。どの場合も同じに扱い、推測を表示しません。", "No reason is told: every such answer is treated alike, and nothing is guessed.")
def silent(kit):
    kit.door.play(nothing(), nothing())
    said = [look_up(kit), look_up(kit)]
    kit.result(said[0], "nothing")
    kit.check(said[0] == said[1], "二回とも同じに扱う", "treats both alike", said)
    kit.requests(2)


@case("clinic", "session", "セッションで照会する", "asking again in the session", "連携キーは一度だけ、その後はセッションです。", "A link key works once; then there is the session.")
def session(kit):
    opened = told()
    kit.door.play(opened, told())
    kit.result(look_up(kit), "shown")
    kit.result(kit.tell("session"), "shown")
    seen = kit.requests(2)

    kit.check(seen[1].path == SESSION and seen[1].json == {"session": json.loads(opened.body)["session"]}, "session だけを送る", "sends the session and nothing else", f"{seen[1].path} {list(seen[1].json or {})}")


@case("clinic", "no-session", "終わったセッション (404)", "a session that has ended (404)", "同意が撤回されると、すぐに終わります。", "It ends at once when the consent is withdrawn.")
def no_session(kit):
    kit.door.play(told(), problem(404, "no_session", "有効なセッションがありません。", "There is no such session.", "after_fix"))
    kit.result(look_up(kit), "shown")
    kit.result(kit.tell("session"), "no_session", "failed")
    kit.requests(2)


@case("clinic", "slow", "遅い応答", "a slow answer", "待てずに同じキーを送り直すと、使用済みになります。", "A second request with the same key meets a used key.")
def slow(kit):
    kit.door.play(told(delay=3))
    kit.result(look_up(kit), "shown", "later", "failed")
    kit.requests(1)


@case("clinic", "cut", "応答の途中で切れる", "an answer that breaks off", "途中までの応答を表示しません。", "Half an answer is not shown.")
def cut(kit):
    kit.door.play(told(n=3, cut=120), otherwise=problem(409, "used", "この連携キーは使用済みです。", "This link key has been used.", "after_fix"))
    kit.result(look_up(kit), "later", "failed", "used")


@case("clinic", "hang-up", "応答がないまま切れる", "a connection that ends without an answer", "記録されたかどうかは分かりません。", "Nobody knows whether it was carried out.")
def hang_up(kit):
    kit.door.play(Answer(200, hang_up=True), otherwise=problem(409, "used", "この連携キーは使用済みです。", "This link key has been used.", "after_fix"))
    kit.result(look_up(kit), "later", "failed", "used")
    kit.check(len(kit.door.requests) <= 3, "やり直しは 2 回まで", "tries again twice at most", len(kit.door.requests))


@case("clinic", "long", "長い応答", "a long answer", "一人が多くの受給者証を持つことがあります。", "A person can have many certificates.")
def long(kit):
    kit.door.play(told(n=800))
    said = look_up(kit)
    kit.result(said, "shown")
    kit.check(said.get("n", 800) == 800, "全て扱う", "takes all of them", said.get("n", "n was not told"))


@case("clinic", "characters", "文字", "characters", "IVS、サロゲートペア、外字を落とさない。", "Variants, characters beyond the BMP and private use are not lost.")
def characters(kit):
    name = "葛\U000e0100城市𠮷田\ue000手当"
    kit.door.play(told(more={"eligibility": [certificate(1, certificationName=name)]}))
    said = look_up(kit)
    kit.result(said, "shown")
    kit.check(said.get("name", name) == name, "受給者証の名称が変わらない", "the certificate's name is unchanged", said.get("name", "name was not told"))


@case("clinic", "unknown-code", "知らない誤りの記号", "a problem with a code that nobody knows", "記号は将来増えます。status と retry で判断します。", "Codes will be added: status and retry say what to do.")
def unknown_code(kit):
    kit.door.play(otherwise=problem(422, "code_of_the_future", "将来の誤りです。", "A problem of the future."))
    kit.result(look_up(kit), "failed")
    kit.requests(1)


@case("clinic", "not-json", "JSON でない応答", "an answer that is not JSON", "途中の機器が画面を返すことがあります。", "Something on the way may answer with a page.")
def not_json(kit):
    kit.door.play(otherwise=Answer(200, b"<html><body>login</body></html>", "text/html"))
    kit.result(look_up(kit), "failed", "later")


@case("clinic", "redirect", "転送", "a redirect", "連携キーを別の場所に送らない。", "The link key goes nowhere else.")
def redirect(kit):
    kit.door.play(Answer(307, None, Location="/elsewhere"), otherwise=told())
    kit.result(look_up(kit), "failed", "later")
    kit.requests(0, "/elsewhere")


@case("clinic", "fault", "ゲートウェイの障害 (500)", "a fault of the gateway (500)", "際限なくやり直さない。", "It is not tried for ever.")
def fault(kit):
    kit.door.play(otherwise=problem(500, "internal_error", "内部の誤りで処理できませんでした。", "The request failed because of a fault on our side.", "later"))
    begun = time.monotonic()
    kit.result(look_up(kit), "failed", "later")
    kit.check(len(kit.door.requests) <= 5, "やり直しは 4 回まで", "tries again four times at most", f"{len(kit.door.requests)} in {time.monotonic() - begun:.1f} s")
