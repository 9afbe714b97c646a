"""Cases of every client: whom it talks to, and with what."""

from kit import WARN, case

WHO = {"clinic": "pmhgw:clinic/", "municipal": "pmhgw:municipality/"}


def for_every_client(first):
    """first: {who: function (kit) that has the client ask once, with a good answer}."""
    for who, ask in first.items():
        case(who, "tls", "TLS 1.3 とクライアント証明書", "TLS 1.3 and the client certificate", "窓口は TLS 1.3 だけを受け付けます。", "A door speaks TLS 1.3 only.")(lambda kit, ask=ask: secure(kit, ask))
        for name, ja, en in (("stranger", "知らない発行者の窓口", "a door of a stranger's issuer"), ("another-name", "別の名前の窓口", "a door with another name")):
            case(who, f"tls-{name}", ja, en, "偽の窓口に番号や鍵を渡さないため。", "No number and no key may go to a door that is not ours.")(lambda kit, name=name, ask=ask: turned_away(kit, f"door-of-{'a-' if name == 'stranger' else ''}{name}", ask))


def secure(kit, ask):
    ask(kit)
    seen = kit.door.connections
    kit.check(bool(seen) and all(c["version"] == "TLSv1.3" for c in seen), "TLS 1.3 で接続する", "connects with TLS 1.3", ", ".join(str(c["version"]) for c in seen))
    names = [value for c in seen for kind, value in (c["cert"] or {}).get("subjectAltName", ()) if kind == "URI"]
    kit.check(any(n.startswith(WHO[kit.who]) for n in names), "自分の証明書を示す", "shows its certificate", names)


def turned_away(kit, certificate, ask):
    kit.door.closing = True  # so that no connection of before is there
    ask(kit)
    kit.door.closing = False
    kit.door.show(certificate)
    said = ask(kit)
    kit.check(not kit.door.requests, "要求を送らない", "sends nothing", f"{len(kit.door.requests)} requests")
    kit.check(said["result"] in ("failed", "later"), "失敗として扱う", "takes it for a failure", said["result"], WARN)
