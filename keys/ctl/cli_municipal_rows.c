#include "keys/ctl/cli_rows.h"

#define SOME_HELD .one_ja = "受け付けなかった行、または保留の行がある", .one_en = "some rows were refused or are held"
#define STAY_HELD .one_ja = "保留のままの行がある", .one_en = "some stay held"
#define COMMON MUNI, PATIENCE, STATE, JSON
#define ROWS TEXT("--rows", "1,5-9", FILL_NONE, "この行", "these rows")
#define OFFICER TEXT("--officer", "NAME", FILL_NONE, "判断した職員。監査記録に残る", "who has decided it; goes into the audit log")
#define OUT TEXT("--out", "FILE", FILL_FILE, "このファイルに書く", "write to this file")
#define SHOW NUM("--show", "N", 0, 1000, "表示する、受け付けなかった行と保留の行の数(20)", "refused and held rows that are listed (20)")
#define TASK .operands = "TASK", .min = 1, .max = 1, .fill = FILL_TASK
#define REPLAY_OPTS OPTS(ROWS, FLAG("--all", "すべて", "all of them"), OFFICER, COMMON)
#define REPLAY_TEXTS .ja = "送れなかった行をもう一度送る", .en = "try rows again that could not be sent", \
    .more_ja = "接続先の事情や当方の不具合で保留になった行を、一つの受付について、または --all ですべての受付についてもう一度送ります。", \
    .more_en = "Rows that a partner or a fault of ours held back are tried again, of one task or with --all of every task."

const struct cli_row CLI_MUNICIPAL_ROWS[] = {
    { .command = "import", .operands = "FILE", .min = 1, .max = 1, .fill = FILL_FILE, .group = CLI_MUNICIPAL, .ja = "ファイル(CSV、JSON)を登録する", .en = "register a file (CSV, JSON)",
      .more_ja = "自治体システムのファイル(CSV、JSON 配列、JSON Lines)をそのまま自治体の窓口に送り、終わるまで見届けます。同じファイルをもう一度送っても何も変わりません。",
      .more_en = "Sends a file of a municipal system (CSV, JSON array, JSON Lines) to the municipal door as it is, and follows it to its end. Sending the same file again changes nothing.",
      SOME_HELD,
      .opts = OPTS(MUNI, ONE_OF("--form", "FORM", "subject history checkup vaccination ticket changes", "様式: subject(既定)、history、checkup、vaccination、ticket、changes",
                                "subject (default), history, checkup, vaccination, ticket, changes"),
                   TEXT("--operation", "ID", FILL_NONE, "様式を操作の名前で", "the same by operation id"),
                   ONE_OF("--source", "KIND", "csv json json_lines", "形式: csv、json、json_lines(拡張子から)", "csv, json, json_lines (by the end of the name)"),
                   TEXT("--layout", "NAME", FILL_NONE, "CSV: ゲートウェイのレイアウト(様式のもの)", "CSV: a layout of the gateway (that of the form)"),
                   ONE_OF("--encoding", "NAME", "auto utf-8 cp932", "CSV: auto(既定)、utf-8、cp932", "CSV: auto (default), utf-8 or cp932"),
                   FLAG("--dry-run", "何が起きるかだけを示し、何も変えない", "say what would happen; nothing is changed"),
                   TEXT("--only-failed-of", "TASK", FILL_TASK, "その受付で受け付けられた行を飛ばす", "pass over the rows that were accepted there"),
                   TEXT("--resume", "ID", FILL_TASK, "途中で切れた送信を続ける", "go on with an upload that was broken off"),
                   TEXT("--results", "OUT", FILL_FILE, "行ごとの結果を書く。CSV、名前が .jsonl なら JSON Lines", "write one line a row: CSV, or JSON lines when OUT ends in .jsonl"),
                   FLAG("--no-wait", "送って受付番号を表示し、終わる", "upload, print the id of the task, end"), SHOW, PATIENCE,
                   NUM("--part-bytes", "N", 1024, 3 * 1024 * 1024, "一度に送るバイト数(3 MiB)", "bytes of one part (3 MiB)"), STATE, JSON) },
    { .command = "tasks", .operands = "", .group = CLI_MUNICIPAL, .otherwise = "list", .ja = "受け付けたファイルの結果・取り消し・保留の行", .en = "results of files, undo, held rows, receipts",
      .opts = OPTS() },
    { .command = "tasks list", .operands = "", .group = CLI_MUNICIPAL, .ja = "自治体の新しい受付", .en = "the newest tasks of a municipality",
      .opts = OPTS(FLAG("--all", "古いものも", "older ones too"), COMMON) },
    { .command = "tasks show", TASK, .group = CLI_MUNICIPAL, .ja = "一つの受付", .en = "one task", .opts = OPTS(SHOW, COMMON) },
    { .command = "tasks follow", TASK, .group = CLI_MUNICIPAL, .ja = "終わるまで見届ける", .en = "follow a task to its end", SOME_HELD, .opts = OPTS(COMMON) },
    { .command = "tasks results", TASK, .group = CLI_MUNICIPAL, .ja = "行ごとの結果(CSV)。番号は含まない", .en = "one line a row, CSV; never a number",
      .opts = OPTS(FLAG("--failed", "受け付けなかった行と保留の行だけ", "refused and held rows only"), FLAG("--csv", "CSV(既定)", "CSV (default)"),
                   FLAG("--jsonl", "JSON Lines(--json も同じ)", "JSON lines (--json is the same)"), OUT, COMMON) },
    { .command = "tasks receipt", TASK, .group = CLI_MUNICIPAL, .ja = "署名付きの受領書", .en = "the signed receipt of a file",
      .more_ja = "--verify: 受領書が正しく、まさにそのファイルと、ゲートウェイが示す結果のものかを確かめます。", .more_en = "--verify: is it good, of this very file, and of the results that the gateway tells?",
      .one_ja = "--verify: 正しくない", .one_en = "--verify: it is not",
      .opts = OPTS(TEXT("--verify", "FILE", FILL_FILE, "署名・証明書・このファイルの要約値・結果の要約値を確かめる", "check signature, chain, the sum of this file, and the sum of the results"),
                   TEXT("--receipt", "JWS", FILL_FILE, "尋ねる代わりに、保存した受領書", "a receipt that was kept, instead of asking for one"), OUT, COMMON) },
    { .command = "tasks undo", TASK, .group = CLI_MUNICIPAL, .ja = "ファイルを取り消す(72 時間以内)", .en = "take a file back (within 72 hours)",
      .more_ja = "その後に変わった行はそのままです。", .more_en = "Rows that were changed since stay as they are.", SOME_HELD,
      .opts = OPTS(FLAG("--no-wait", "見届けない", "do not follow it"), COMMON) },
    { .command = "tasks cancel", TASK, .group = CLI_MUNICIPAL, .ja = "送りかけの送信をやめる", .en = "give an upload up that is not complete",
      .more_ja = "何も残りません。受け付けたファイルは undo で取り消します。", .more_en = "Nothing of it is kept. A file that was accepted is taken back by undo.", .opts = OPTS(COMMON) },
    { .command = "tasks release", TASK, .group = CLI_MUNICIPAL, .ja = "職員が確かめた保留の行を進める", .en = "held rows go on: an officer has looked at them", STAY_HELD,
      .opts = OPTS(ROWS, FLAG("--all", "すべて", "all of them"), OFFICER, COMMON) },
    { .command = "tasks discard", TASK, .group = CLI_MUNICIPAL, .ja = "保留の行を反映しないことにする", .en = "held rows are dropped", STAY_HELD,
      .opts = OPTS(ROWS, FLAG("--all", "すべて", "all of them"), OFFICER, COMMON) },
    { .command = "tasks replay", .operands = "[TASK]", .min = 0, .max = 1, .fill = FILL_TASK, .group = CLI_MUNICIPAL, REPLAY_TEXTS, STAY_HELD, .opts = REPLAY_OPTS },
    { .command = "replay", .operands = "[TASK]", .min = 0, .max = 1, .fill = FILL_TASK, .group = CLI_MUNICIPAL, REPLAY_TEXTS, STAY_HELD, .opts = REPLAY_OPTS },
    { .command = "vaccination", .operands = "", .group = CLI_MUNICIPAL, .ja = "予防接種の台帳・対象者・統計を書き出す", .en = "vaccination ledger, who is due, statistics",
      .more_ja = "CSV で書き出します。個人番号は含みません。", .more_en = "Written as CSV. No file holds an individual number.", .opts = OPTS() },
#define VACCINATION TEXT("--muni", "CODE", FILL_MUNI, "自治体コード(6 桁)", "municipality code, 6 digits"), TEXT("--out", "FILE", FILL_FILE, "書き出し先(全部書けたときだけ残る)", "made whole or not at all"), STATE, JSON
#define PROGRAM TEXT("--program", "ID", FILL_NONE, "予防接種の種類", "the program")
    { .command = "vaccination ledger", .operands = "", .group = CLI_MUNICIPAL, .ja = "VRS の台帳(17 列)", .en = "the VRS ledger (17 columns)",
      .opts = OPTS(PROGRAM, NUM("--first", "N", 1, 98, "最初の列に入れる回数(1)", "the dose in the first columns (1)"), FLAG("--header", "見出しの行を付ける", "a line with the titles"),
                   FLAG("--aligned", "公表された長さまで空白で埋める", "texts padded with blanks to the published lengths"), VACCINATION) },
    { .command = "vaccination due", .operands = "", .group = CLI_MUNICIPAL, .ja = "対象者の抽出", .en = "who is due",
      .opts = OPTS(PROGRAM, TEXT("--on", "DAY", FILL_NONE, "基準日 YYYY-MM-DD(今日)", "on that day, YYYY-MM-DD (today)"),
                   ONE_OF("--list", "LIST", "recall reduction", "recall または reduction だけ", "recall or reduction only"), VACCINATION) },
    { .command = "vaccination statistics", .operands = "", .group = CLI_MUNICIPAL, .ja = "統計", .en = "counts",
      .opts = OPTS(TEXT("--from", "MONTH", FILL_NONE, "YYYY-MM から", "from YYYY-MM"), TEXT("--to", "MONTH", FILL_NONE, "YYYY-MM まで", "to YYYY-MM"),
                   FLAG("--exact", "5 未満の件数も。公表しないこと", "counts below 5 too; not for publication"), VACCINATION) },
    { .command = "claims", .operands = "", .group = CLI_MUNICIPAL, .ja = "予防接種の請求(医療機関別・月別)を書き出す・送る", .en = "what clinics are owed for a month's vaccinations",
      .more_ja = "医療機関別・月別の件数と金額を CSV に書き出し、請求支払システムに送ります。個人番号は含みません。",
      .more_en = "Writes what a municipality owes its clinics for the vaccinations of a month as CSV, and sends it to the claims system. No file holds an individual number.",
      .opts = OPTS(MUNI, TEXT("--month", "MONTH", FILL_NONE, "YYYY-MM。終わっていない月は仮の値", "YYYY-MM; the month that is not over yet is provisional"),
                   TEXT("--out", "FILE", FILL_FILE, "書き出し先(全部書けたときだけ残る)", "made whole or not at all"),
                   FLAG("--send", "請求支払システム(模擬)にも送る。一月に一度だけ", "and send it to the claims system (of the mock nation); a month is taken once"), STATE, JSON) },
    { .command = "inquire", .operands = "FILE", .min = 1, .max = 1, .fill = FILL_FILE, .group = CLI_MUNICIPAL, .ja = "他の市区町村に予防接種記録を照会する",
      .en = "ask other municipalities for immunization records",
      .more_ja = "CSV(UTF-8、1 行目は項目名)にある人の予防接種記録を照会します。", .more_en = "Of the persons in a CSV file (UTF-8, first line: names of the fields).",
      .one_ja = "照会できなかった行がある", .one_en = "some rows could not be asked",
      .opts = OPTS(TEXT("--muni", "CODE", FILL_MUNI, "照会する自治体のコード(6 桁)", "who asks: municipality code, 6 digits"),
                   TEXT("--basis", "ID", FILL_NONE, "列 legalBasis がないときの、すべての行の根拠(pmhgw basis list)", "legal basis (pmhgw basis list) of every row, where the file has no column legalBasis"),
                   FLAG("--consent", "列 consentConfirmed がないとき、全員の同意を確認済みとする", "the consent of every person is confirmed, where the file has no column consentConfirmed"),
                   TEXT("--out", "FILE", FILL_FILE, "応答を JSON Lines で新しいファイルに。なければ画面に", "what is answered, JSON lines as they come, to a new file; without it: to the terminal"),
                   FLAG("--no-wait", "照会だけする。続きは pmhgw tasks", "only ask: `pmhgw tasks` shows what becomes of it"), STATE, JSON) },
    { .command = NULL },
};
