#include "keys/ctl/cli_rows.h"

#define PUB TEXT("--key", "PUB", FILL_FILE, "検証鍵(状態の keys/audit.pub)", "verifier key (keys/audit.pub of the state)")
#define REGISTER TEXT("--register", "FILE", FILL_FILE, "見る台帳(デーモンのもの)", "register to look at (the one of the daemons)")

const struct cli_row CLI_EVIDENCE_ROWS[] = {
    { .command = "audit", .operands = "", .group = CLI_EVIDENCE, .ja = "監査記録を検証する・見る", .en = "verify and list the audit log", .opts = OPTS() },
    { .command = "audit verify", .operands = "", .group = CLI_EVIDENCE, .ja = "記録のすべてを確かめる(連鎖、木、署名)", .en = "check all of the log: chain, tree, tiles, signature",
      .more_ja = "合わない最初の記録を示します。", .more_en = "Names the first entry that does not fit.", .one_ja = "正しくない", .one_en = "it is not good",
      .opts = OPTS(TEXT("--since", "FILE", FILL_FILE, "保存したチェックポイント。記録がそれを含むはず", "a checkpoint that was kept: the log must contain it"), PUB, JSON, STATE) },
    { .command = "audit list", .operands = "", .group = CLI_EVIDENCE, .ja = "新しい記録を見る", .en = "the newest entries", .one_ja = "記録が正しくない", .one_en = "the log is not good",
      .opts = OPTS(NUM("--last", "N", 1, 10000, "件数(20)", "entries that are listed (20)"), STATE, JSON) },
    { .command = "audit checkpoint", .operands = "", .group = CLI_EVIDENCE, .ja = "最新の署名付きチェックポイント", .en = "the newest signed checkpoint",
      .more_ja = "別の場所に保存してください。verify --since が、差し替えられた記録を見つけます。", .more_en = "Keep it elsewhere: `verify --since` finds a log that was replaced.", .opts = OPTS(PUB, STATE, JSON) },
    { .command = "audit prove", .operands = "SEQ", .min = 1, .max = 1, .group = CLI_EVIDENCE, .ja = "一件の記録とその証明(JSON)", .en = "one entry and its proof, as JSON",
      .more_ja = "pmhgw audit check が公開鍵だけで確かめます。", .more_en = "`pmhgw audit check` checks it with the public key alone.", .opts = OPTS(PUB, STATE, JSON) },
    { .command = "audit check", .operands = "FILE", .min = 1, .max = 1, .fill = FILL_FILE, .group = CLI_EVIDENCE, .ja = "証明・出力を公開鍵だけで確かめる", .en = "check a proof or an export with the public key alone",
      .more_ja = "証明、照会の記録、署名した記録、書き出し、チェックポイントを読みます。", .more_en = "A proof, an access log, a statement, an export or a checkpoint.", .one_ja = "正しくない", .one_en = "it is not good",
      .opts = OPTS(TEXT("--key", "PUB", FILL_FILE, "ログの検証鍵 audit.pub", "verifier key of the log: audit.pub"), FLAG("--list", "記録の内容も示す", "print what the entries say"), JSON,
                   TEXT("--state", "DIR", FILL_DIR, "なくてよい。--key がなければその keys/audit.pub", "not needed; without --key its keys/audit.pub is taken")) },
    { .command = "audit export", .operands = "", .group = CLI_EVIDENCE, .ja = "一つの自治体の操作記録を証明付きで書き出す", .en = "the operation log of one municipality with proofs",
      .more_ja = "新しい順の JSON Lines で、最後の行がチェックポイントです。pmhgw audit check FILE --key PUB で確かめます。",
      .more_en = "JSON lines, newest first; the last line has the checkpoint. `pmhgw audit check FILE --key PUB` checks them.",
      .opts = OPTS(MUNI, TEXT("--from", "DAY", FILL_NONE, "最初の日 YYYY-MM-DD", "first day, YYYY-MM-DD"), TEXT("--to", "DAY", FILL_NONE, "最後の日 YYYY-MM-DD", "last day, YYYY-MM-DD"),
                   TEXT("--out", "FILE", FILL_FILE, "標準出力の代わりに(全部書けたときだけ残る)", "instead of standard output; made whole or not at all"), PUB, STATE, JSON) },
    { .command = "audit rotate-key", .operands = "", .group = CLI_EVIDENCE, .ja = "チェックポイントの署名鍵を替える(pmhgw-audit を止めて)", .en = "a new key for checkpoints; pmhgw-audit must be stopped",
      .more_ja = "keys/audit.pub は新しい鍵と、以前の鍵が署名した範囲を示します。以前のチェックポイント、証明、署名した記録は有効なままです。途中で切れたら、もう一度実行します。",
      .more_en = "keys/audit.pub then names the new key and, with what they may have signed, those that it replaced: older checkpoints, proofs and statements stay good. "
                 "A run that was broken off is repeated.", .opts = OPTS(STATE, JSON) },
    { .command = "why", .operands = "REQUEST_ID", .min = 1, .max = 1, .group = CLI_EVIDENCE, .ja = "要求がどの規則で決まったかを説明する", .en = "explain which rule decided about a request",
      .more_ja = "規則が問われた順と法的根拠を、監査記録だけから示します。個人の情報は使いません。",
      .more_en = "In which order rules were asked, and on which legal basis; from the audit log, without data of a person.", .one_ja = "その要求の記録がない", .one_en = "there is no entry of that request",
      .opts = OPTS(REGISTER, STATE, JSON) },
    { .command = "basis", .operands = "", .group = CLI_EVIDENCE, .ja = "法的根拠の台帳を見る・確かめる", .en = "list and check the register of legal bases", .opts = OPTS() },
    { .command = "basis list", .operands = "", .group = CLI_EVIDENCE, .ja = "台帳", .en = "the register", .opts = OPTS(REGISTER, STATE, JSON) },
    { .command = "basis check", .operands = "", .group = CLI_EVIDENCE, .ja = "すべての経路に根拠があり、操作に経路があるか", .en = "every route has a basis, and every operation a route", .one_ja = "合わないものがある",
      .one_en = "something does not agree", .opts = OPTS(REGISTER, STATE, JSON) },
    { .command = NULL },
};

const struct cli_row CLI_SHELL_ROWS[] = {
    { .command = "help", .operands = "[COMMAND [WORD]]", .max = 2, .group = CLI_SHELL, .ja = "使い方", .en = "how to use it", .opts = OPTS() },
    { .command = "completion", .operands = "bash|zsh|fish", .min = 1, .max = 1, .fill = FILL_WORDS, .words = "bash zsh fish", .group = CLI_SHELL, .ja = "シェルの補完", .en = "completion for a shell",
      .more_ja = "例: source <(pmhgw completion bash)", .more_en = "For example: source <(pmhgw completion bash)", .opts = OPTS() },
    { .command = "man", .operands = "", .group = CLI_SHELL, .ja = "マニュアルページを出力する(roff)", .en = "print the man page (roff)",
      .opts = OPTS(ONE_OF("--lang", "LANG", "ja en", "言語(LANG から)", "language (by LANG)"), FLAG("--markdown", "roff の代わりに Markdown", "Markdown instead of roff")) },
    { .command = "launch", .operands = "", .group = CLI_HIDDEN, .ja = "", .en = "", .opts = OPTS() },
    { .command = "complete", .operands = "", .group = CLI_HIDDEN, .ja = "", .en = "", .opts = OPTS() },
    { .command = NULL },
};
