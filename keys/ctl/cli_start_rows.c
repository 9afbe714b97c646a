#include "keys/ctl/cli_rows.h"

#define HANDED FLAG("--csr", "自分の CA で署名せず、別の CA に渡す CSR を作る", "sign with no CA of our own: make a CSR for somebody else's CA"), \
    TEXT("--out", "DIR", FILL_DIR, "書き出し先のフォルダー(新しく作る)", "folder to write into; it is made"), \
    TEXT("--ca", "DIR", FILL_DIR, "署名に使う CA のフォルダー(init gateway が作った certs)", "folder of the CA that signs: certs as init gateway made it"), \
    NUM("--days", "N", 1, 825, "証明書の有効日数(397)", "days that the certificate lasts (397)"), \
    TEXT("--door", "URL", FILL_NONE, "接続先。設定ファイルに書く", "where it connects to, for its configuration"), TEXT("--name", "TEXT", FILL_NONE, "証明書に入る組織の名前", "name of the organisation, for the certificate"), \
    FLAG("--p12", "ブラウザー用に p12 と、その無作為なパスワードも作る", "a p12 for browsers too, with a random password"), JSON

const struct cli_row CLI_START_ROWS[] = {
    { .command = "up", .operands = "", .group = CLI_START, .ja = "この機械ですべてを動かす", .en = "run everything on this machine",
      .more_ja = "状態フォルダーに足りないもの(証明書、鍵、設定)を作り、専用の Redis を 2 つとデーモンを起動し、落ちたものを起動し直し、Ctrl-C ですべて止めます。",
      .more_en = "Makes what is missing of the state directory (certificates, keys, configuration), starts two private redis-servers and the daemons, restarts what "
                 "dies, and stops everything on Ctrl-C.",
      .opts = OPTS(STATE,
                   NUM("--base-port", "N", 1024, 65000, "最初のポート。N+1 自治体、N+2 医療機関、N+3 ポータル、N+10〜 模擬(18440)",
                       "first port; N+1 municipal, N+2 clinic, N+3 portal, N+10.. mocks (18440)"),
                   NUM("--workers", "N", 1, 64, "front のワーカー数(2)", "workers of the front (2)"),
                   LIST("--muni", "CODE", FILL_NONE, "331007 271403 222127 のほかの自治体", "one more municipality besides 331007 271403 222127"),
                   FLAG("--mocks", "模擬の全国システムも動かす", "run the mock nation too"),
                   FLAG("--only-setup", "足りないものを作るだけで、何も起動しない", "only make what is missing, and start nothing"), BIN, SHARE) },
    { .command = "init", .operands = "", .group = CLI_START, .ja = "証明書と設定を一度に作る", .en = "make certificates and a configuration in one go",
      .more_ja = "鍵は所有者だけが読めるように作り、既にあるものは上書きしません。終わりに、何を誰に渡すかを示します。",
      .more_en = "Keys are readable by their owner alone, and what is there already is never written over. At the end it says what to hand over to whom.",
      .opts = OPTS() },
    { .command = "init gateway", .operands = "", .group = CLI_START, .ja = "ゲートウェイ: CA、証明書、鍵、設定", .en = "a gateway: CA, certificates, keys, configuration",
      .more_ja = "状態フォルダーを新しく作ります。pmhgw up はその後、あるものをそのまま使います。--host は接続先として証明書に入る名前で、何度でも指定できます。",
      .more_en = "Makes a new state directory; `pmhgw up` then uses what is there. --host is a name under which callers connect, and goes into the certificate of the doors.",
      .opts = OPTS(STATE, LIST("--host", "NAME", FILL_NONE, "窓口のホスト名または IP アドレス", "host name or IP address of the doors"),
                   LIST("--muni", "CODE", FILL_NONE, "自治体コード(6 桁)。鍵と証明書を作る", "municipality code, 6 digits: keys and a certificate are made for it"),
                   TEXT("--name", "TEXT", FILL_NONE, "CA の名前に入る運営者の名前", "the operator's name, for the name of the CA"),
                   NUM("--base-port", "N", 1024, 65000, "最初のポート(18440)", "first port (18440)"), NUM("--workers", "N", 1, 64, "front のワーカー数(2)", "workers of the front (2)"),
                   FLAG("--csr", "CA を作らず、窓口と接続先用の CSR を作る", "make no CA but CSRs for the doors and for partners"),
                   NUM("--days", "N", 1, 825, "証明書の有効日数(397)", "days that certificates last (397)"), SHARE, JSON) },
    { .command = "init municipality", .operands = "CODE", .min = 1, .max = 1, .group = CLI_START, .ja = "自治体システムの証明書または CSR", .en = "a certificate or CSR for a municipal system",
      .opts = OPTS(TEXT("--system", "NAME", FILL_NONE, "業務システムの名前(kodomo)", "name of the system (kodomo)"), HANDED) },
    { .command = "init clinic", .operands = "CODE", .min = 1, .max = 1, .group = CLI_START, .ja = "医療機関(10 桁の医療機関コード)の証明書または CSR", .en = "the same for a clinic, by its code of 10 digits",
      .opts = OPTS(HANDED) },
    { .command = "init portal", .operands = "NAME", .min = 1, .max = 1, .group = CLI_START, .ja = "ポータルの証明書または CSR", .en = "the same for a portal", .opts = OPTS(HANDED) },
    { .command = "lookup", .operands = "", .group = CLI_START, .ja = "医療機関・住民として照会する(模擬)", .en = "ask as a clinic or as a citizen (mock nation)",
      .more_ja = "clinic: 模擬のオンライン資格確認がカードから連携キーを出し、医療機関が窓口に示します。citizen: 模擬ポータルがカードの持ち主をログインさせ、仮名で照会します。",
      .more_en = "clinic: a card at the mock online qualification gives a link key, which the clinic shows to its door. citizen: the mock portal logs the card's owner in and asks by pseudonym.",
      .opts = OPTS() },
#define CARD TEXT("--card", "SERIAL", FILL_NONE, "カードの証明書の番号(data/<自治体>.cards.jsonl)", "serial of the card's certificate (data/<muni>.cards.jsonl)")
#define REFUSED .one_ja = "示すものがない、または断られた", .one_en = "nothing to show, or refused"
    { .command = "lookup clinic", .operands = "", .group = CLI_START, .ja = "医療機関として", .en = "as a clinic", REFUSED,
      .opts = OPTS(CARD, TEXT("--institution", "CODE", FILL_NONE, "カードを読む医療機関のコード(3319900019)", "clinic where the card is read (3319900019)"),
                   TEXT("--shown-by", "CODE", FILL_NONE, "連携キーを示す別の医療機関。何も聞けないはず", "another clinic that shows the link key; it must hear nothing"),
                   FLAG("--reuse", "同じ連携キーを 2 度送る。2 度目は断られるはず", "send the same link key twice; the second must be refused"), JSON, STATE) },
    { .command = "lookup citizen", .operands = "", .group = CLI_START, .ja = "住民として", .en = "as a citizen", REFUSED,
      .opts = OPTS(CARD, JSON, STATE) },
    { .command = "citizen", .operands = "", .group = CLI_START, .ja = "住民として記録を見る・同意を取り消す(模擬)", .en = "a citizen: who asked, withdraw, end sessions (mock nation)",
      .more_ja = "模擬ポータルがカードの持ち主をログインさせ、仮名で尋ねます。", .more_en = "The mock portal logs the card's owner in and asks the gateway by pseudonym.", .opts = OPTS() },
#define SAVE TEXT("--save", "FILE", FILL_FILE, "応答をそのまま保存する", "keep the answer as it came")
#define CURSOR TEXT("--cursor", "SEQ", FILL_NONE, "これより古いもの", "what is older than this")
#define CITIZEN(word, ja_, en_, ...) { .command = "citizen " word, .operands = "", .group = CLI_START, .ja = ja_, .en = en_, REFUSED, .opts = OPTS(CARD, __VA_ARGS__ __VA_OPT__(,) SAVE, JSON, STATE) }
    CITIZEN("log", "誰が照会したか", "who asked about me", CURSOR),
    CITIZEN("consents", "同意と開いているセッション", "what I agreed to, and open sessions"),
    CITIZEN("withdraw", "同意を取り消す(指定がなければすべて)", "withdraw one consent, or all", TEXT("--consent", "ID", FILL_NONE, "この同意だけ", "this one")),
    CITIZEN("end", "セッションを終える(指定がなければすべて)", "end one session, or all", TEXT("--session", "ID", FILL_NONE, "このセッションだけ", "this one")),
    CITIZEN("doses", "予防接種の記録", "recorded vaccinations"),
    CITIZEN("tickets", "使える接種券", "tickets that can be used"),
    CITIZEN("notices", "届いた知らせ", "what I was told"),
    CITIZEN("statement", "署名した照会の記録(印刷用)", "the log signed, and to print", CURSOR,
            TEXT("--html", "FILE", FILL_FILE, "印刷用の文書を保存する", "keep the document to print")),
    { .command = "bench", .operands = "", .group = CLI_START, .ja = "動いているゲートウェイを短時間測る(模擬)", .en = "a short load on the running gateway (mock nation)",
      .more_ja = "模擬の全国システムのカードで照会し、自治体の行を登録します。同じ機械の負荷役と模擬も CPU を使うので、専用の機械の値ではなく下限の目安です。登録する行は合成データで、何度送っても変わりません。",
      .more_en = "Looks up with cards of the mock nation and registers rows of a municipality. The load and the mock nation take CPU of the same machine: the figures are a lower "
                 "bound for this moment, not what a machine of its own would do. The rows are synthetic, and sending them again changes nothing.",
      .one_ja = "一部の要求が失敗した", .one_en = "some requests failed",
      .opts = OPTS(NUM("--seconds", "N", 1, 600, "それぞれの測定の長さ(5)", "length of each part (5)"), NUM("--callers", "N", 1, 64, "同時に照会する数(4)", "callers at the same time (4)"),
                   NUM("--rows", "N", 1, 50000, "登録する行数(2000)", "rows to register (2000)"), TEXT("--muni", "CODE", FILL_MUNI, "自治体コード(331007)", "municipality (331007)"), STATE, BIN, JSON) },
    { .command = NULL },
};
