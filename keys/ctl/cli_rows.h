#ifndef KEYS_CTL_CLI_ROWS_H
#define KEYS_CTL_CLI_ROWS_H

/* How rows of the table are written. */

#include "keys/ctl/cli.h"

#define OPTS(...) ((const struct cli_opt[]){ __VA_ARGS__ __VA_OPT__(,) { .name = NULL } })
#define FLAG(name, ja, en) { name, CLI_FLAG, NULL, ja, en, 0, 0, FILL_NONE, NULL }
#define TEXT(name, arg, fill, ja, en) { name, CLI_TEXT, arg, ja, en, 0, 0, fill, NULL }
#define ONE_OF(name, arg, words, ja, en) { name, CLI_TEXT, arg, ja, en, 0, 0, FILL_WORDS, words }
#define NUM(name, arg, min, max, ja, en) { name, CLI_NUM, arg, ja, en, min, max, FILL_NONE, NULL }
#define LIST(name, arg, fill, ja, en) { name, CLI_LIST, arg, ja, en, 0, 0, fill, NULL }

#define STATE TEXT("--state", "DIR", FILL_DIR, "状態フォルダー(PMHGW_STATE、なければ .state)", "state directory (PMHGW_STATE, else .state)")
#define BIN TEXT("--bin", "DIR", FILL_DIR, "デーモンのある場所(このプログラムと同じ場所)", "where the daemons are (beside this program)")
#define SHARE TEXT("--share", "DIR", FILL_DIR, "dev-ca とひな形のある場所(PMHGW_SHARE)", "where dev-ca and the templates are (PMHGW_SHARE)")
#define MUNI TEXT("--muni", "CODE", FILL_MUNI, "自治体コード(6 桁)", "municipality code, 6 digits")
#define JSON FLAG("--json", "プログラム向けに JSON で出力", "for programs: JSON")
#define PATIENCE NUM("--timeout", "SECONDS", 1, 86400, "この秒数だけ進まなければやめる(300)", "give up after so long without progress (300)")

extern const struct cli_row CLI_START_ROWS[], CLI_MUNICIPAL_ROWS[], CLI_PEOPLE_ROWS[], CLI_OPERATE_ROWS[], CLI_SECURE_ROWS[], CLI_EVIDENCE_ROWS[], CLI_SHELL_ROWS[];

#endif
