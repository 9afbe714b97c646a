/* pmhgw: the operator's command. */

#include <locale.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/slice.h"
#include "keys/ctl/children.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/say.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *ja, *en; /* NULL: not shown */
} COMMANDS[] = {
    { "up",     cmd_up,     "この機械ですべてを動かす",             "run everything on this machine" },
    { "status", cmd_status, "動いているものの様子",                 "what runs, and how it is" },
    { "import", cmd_import, "ファイル(CSV、JSON)を登録する",      "register a file (CSV, JSON)" },
    { "tasks",  cmd_tasks,  "受け付けたファイルの結果・取り消し・保留の行", "results of files, undo, held rows, receipts" },
    { "replay", cmd_replay, "送れなかった行をもう一度送る(tasks replay)", "try rows again that could not be sent (tasks replay)" },
    { "vaccination", cmd_vaccination, "予防接種の台帳・対象者・統計を書き出す", "vaccination ledger, who is due, statistics" },
    { "claims", cmd_claims, "予防接種の請求(医療機関別・月別)を書き出す・送る", "what clinics are owed for a month's vaccinations" },
    { "lookup", cmd_lookup, "医療機関・住民として照会する(模擬)", "ask as a clinic or as a citizen (mock nation)" },
    { "citizen", cmd_citizen, "住民として記録を見る・同意を取り消す(模擬)", "a citizen: who asked, withdraw, end sessions (mock nation)" },
    { "audit",  cmd_audit,  "監査記録を検証する・見る",             "verify and list the audit log" },
    { "keys",   cmd_keys,   "連携キーの封かん鍵を替える・廃止する", "rotate and retire the sealing keys of link keys" },
    { "certs",  cmd_certs,  "証明書の期限を見る・失効させる",       "list and revoke development certificates" },
    { "certificate", cmd_certificate, "予防接種証明書を検証する・署名の鍵を替える", "verify a certificate of vaccination, rotate the signing keys" },
    { "staff",  cmd_staff,  "自治体の職員の利用者を登録・停止する",   "make, list and withdraw users of a municipality" },
    { "inquire", cmd_inquire, "他の市区町村に予防接種記録を照会する", "ask other municipalities for immunization records" },
    { "erase",  cmd_erase,  "住民一人の情報を消去する",             "erase what a municipality holds of one resident" },
    { "vrs", cmd_vrs, "VRSへの登録で受け付けられなかったものを見る・送り直す", "what VRS did not take, and telling it again" },
    { "notices", cmd_notices, "届かなかった知らせを見る・送り直す", "messages to partners that were not delivered" },
    { "why",    cmd_why,    "要求がどの規則で決まったかを説明する", "explain which rule decided about a request" },
    { "basis",  cmd_basis,  "法的根拠の台帳を見る・確かめる",       "list and check the register of legal bases" },
    { "reload", cmd_reload, "証明書・設定・ログの量・ワーカー数を、止めずに入れ替える", "take up certificates and settings without a stop" },
    { "upgrade", cmd_upgrade, "プログラムを、止めずに新しいものに入れ替える", "exchange the programs without a stop" },
    { "reconcile", cmd_reconcile, "古い状態に戻った保存先に監査記録を反映する", "replay the audit log into a store that came back older" },
    { "leaks",  cmd_leaks,  "個人番号が漏れていないか探す",         "search files and memory for individual numbers" },
    { "metrics", cmd_metrics, "デーモンが数えているもの(Prometheus の形式)", "what the daemons count, as Prometheus reads it" },
    { "top",    cmd_top,    "デーモンの今の様子",                   "what the daemons do now" },
    { "doctor", cmd_doctor, "不具合の原因を調べる",                 "find out what is wrong" },
    { "launch", children_launch, NULL, NULL },
};

static void help(FILE *to)
{
    fprintf(to, "usage: pmhgw COMMAND [options]      (pmhgw COMMAND --help)\n\n");
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (COMMANDS[i].en)
            fprintf(to, "  %-9s %s / %s\n", COMMANDS[i].name, COMMANDS[i].en, COMMANDS[i].ja);
}

int main(int argc, char **argv)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    log_open(LITERAL("pmhgw"), LOG_ERROR); /* that a command has connected is no news */
    struct slice word = argc > 1 ? slice_str(argv[1]) : SLICE_NONE;
    if (slice_eq(word, LIT("--help")) || slice_eq(word, LIT("-h")) || slice_eq(word, LIT("help"))) {
        help(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (slice_eq(slice_str(COMMANDS[i].name), word))
            return COMMANDS[i].run(argc - 1, argv + 1);
    if (argc < 2) {
        help(stderr);
        return 2;
    }
    say_error("その命令はありません。pmhgw --help を見てください", "no such command; see pmhgw --help");
    return 2;
}
