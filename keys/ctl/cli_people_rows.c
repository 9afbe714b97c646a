#include "keys/ctl/cli_rows.h"

#define USER .operands = "MUNI USER", .min = 2, .max = 2, .fill = FILL_MUNI, .group = CLI_PEOPLE
#define CHANGED_LESS .one_ja = "一部は変わっていた", .one_en = "some had changed meanwhile"

const struct cli_row CLI_PEOPLE_ROWS[] = {
    { .command = "staff", .operands = "", .group = CLI_PEOPLE, .ja = "自治体の職員の利用者を登録・停止する", .en = "make, list and withdraw users of a municipality", .opts = OPTS() },
    { .command = "staff add", USER, .ja = "利用者を登録する", .en = "a new user",
      .more_ja = "無作為なパスワードを一度だけ表示します。最初のログインで変更します。", .more_en = "With a random password that is printed once and changed at the first login.",
      .opts = OPTS(ONE_OF("--role", "ROLE", "viewer officer admin", "viewer、officer、admin", "viewer, officer or admin"),
                   TEXT("--programs", "LIST", FILL_NONE, "担当する業務。カンマ区切り、* はすべて", "programs in its charge, with commas between them; * for all"),
                   TEXT("--name", "NAME", FILL_NONE, "表示する名前(なければ ID)", "name that is shown (default: the id)"),
                   FLAG("--reveal", "個人番号を表示できる", "may have individual numbers shown"),
                   TEXT("--from", "DATE", FILL_NONE, "最初の日 YYYY-MM-DD", "first day, YYYY-MM-DD"), TEXT("--until", "DATE", FILL_NONE, "最後の日", "last day"), STATE, JSON) },
    { .command = "staff list", .operands = "MUNI", .min = 1, .max = 1, .fill = FILL_MUNI, .group = CLI_PEOPLE, .ja = "利用者の一覧", .en = "the users", .opts = OPTS(STATE, JSON) },
    { .command = "staff withdraw", USER, .ja = "すぐに停止する。セッションも終わる", .en = "at once, with its sessions", .opts = OPTS(STATE, JSON) },
    { .command = "staff restore", USER, .ja = "停止した利用者を、新しいパスワードで戻す", .en = "a withdrawn user comes back, with a new password", .opts = OPTS(STATE, JSON) },
    { .command = "staff reset-password", USER, .ja = "新しいパスワードを出し、二要素も外す", .en = "a new password; also takes the second factor back", .opts = OPTS(STATE, JSON) },
    { .command = "erase", .operands = "MUNI", .min = 1, .max = 1, .fill = FILL_MUNI, .group = CLI_PEOPLE, .ja = "住民一人の情報を消去する", .en = "erase what a municipality holds of one resident",
      .more_ja = "記録、フラグ、結び付き、待っている行、個人番号を消去します。", .more_en = "Records, flags, ties, waiting rows, and the individual number.",
      .opts = OPTS(TEXT("--resident-key-file", "FILE", FILL_FILE, "自治体別本人キーだけを書いたファイル", "file with the resident key (municipalityIdentityKey) alone in it"),
                   FLAG("--stdin", "自治体別本人キーを標準入力から読む", "the resident key comes on standard input"),
                   TEXT("--reason", "WORD", FILL_NONE, "理由 [a-z_]{1,32}(no_longer_needed)", "why, [a-z_]{1,32}; no_longer_needed when not given"), STATE, JSON) },
    { .command = "vrs", .operands = "", .group = CLI_PEOPLE, .ja = "VRSへの登録で受け付けられなかったものを見る・送り直す", .en = "what VRS did not take, and telling it again", .opts = OPTS() },
    { .command = "vrs list", .operands = "", .group = CLI_PEOPLE, .ja = "受け付けられなかったもの", .en = "what was not taken", .one_ja = "ある", .one_en = "there is some", .opts = OPTS(STATE, JSON) },
    { .command = "vrs replay", .operands = "[ID...]", .max = OPT_LIST_MAX - 1, .group = CLI_PEOPLE, .ja = "もう一度送る(指定がなければすべて)", .en = "tell it again, all without an id", .opts = OPTS(STATE, JSON) },
    { .command = "vrs drop", .operands = "ID...", .min = 1, .max = OPT_LIST_MAX - 1, .group = CLI_PEOPLE, .ja = "あきらめる", .en = "give it up", .opts = OPTS(STATE, JSON) },
    { .command = "notices", .operands = "", .group = CLI_PEOPLE, .ja = "届かなかった知らせを見る・送り直す", .en = "messages to partners that were not delivered",
      .more_ja = "医療機関、ポータル、予防接種データベースへの知らせです。", .more_en = "To clinics, portals and the vaccination database.", .opts = OPTS() },
#define WHICH ONE_OF("--kind", "KIND", "questionnaire eligibility record citizen provision", "この種類だけ: questionnaire、eligibility、record、citizen、provision", \
                     "only these: questionnaire, eligibility, record, citizen, provision"), \
    TEXT("--who", "NAME", FILL_NONE, "この医療機関(コード)またはポータルへのものだけ", "only to this clinic (its code) or portal"), STATE, JSON
    { .command = "notices list", .operands = "", .group = CLI_PEOPLE, .ja = "届かなかった知らせ", .en = "what was not delivered", .one_ja = "ある", .one_en = "there is some", .opts = OPTS(WHICH) },
    { .command = "notices replay", .operands = "ID...", .max = OPT_LIST_MAX - 1, .group = CLI_PEOPLE, .ja = "もう一度送る", .en = "send them again", CHANGED_LESS,
      .opts = OPTS(FLAG("--all", "すべて", "every one of them"), WHICH) },
    { .command = "notices drop", .operands = "ID...", .max = OPT_LIST_MAX - 1, .group = CLI_PEOPLE, .ja = "取りやめる", .en = "give them up", CHANGED_LESS,
      .opts = OPTS(FLAG("--all", "すべて", "every one of them"), WHICH) },
    { .command = NULL },
};
