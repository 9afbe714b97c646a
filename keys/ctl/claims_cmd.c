/* pmhgw claims: what a municipality owes its clinics for a month, into a file, and on to the claims system. */

#include <stdio.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/muni_file.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/say.h"

enum { PATH_BYTES = 128, MONTH_CHARS = 7, PATIENCE_S = 60, SEND_MS = 120 * 1000, CLAIMS_MAX = 16 << 20 };

struct wish { const char *muni, *month, *out; bool send; };

static bool month_good(const char *month)
{
    char day[MONTH_CHARS + sizeof "-01"];
    ymd_t d;
    const bool good = month && strlen(month) == MONTH_CHARS && snprintf(day, sizeof day, "%s-01", month) > 0 && ymd_parse(slice_str(day), &d);
    if (!good)
        say_error("--month に YYYY-MM を指定してください", "--month YYYY-MM is needed");
    return good;
}

/* The receipt is of these bytes, or it is none. */
static bool receipt_good(const struct web_answer *a, struct slice file)
{
    uint8_t sum[SHA256_BYTES];
    struct buf hex;
    json_t *v = json_loadb((const char *)a->body.p, a->body.n, JSON_REJECT_DUPLICATES, NULL);
    buf_init(&hex, 2 * SHA256_BYTES + 1);
    if (err_ok(sha256(1, &file, sum)))
        buf_hex(&hex, ARR(sum));
    const bool good = hex.n && slice_eq(slice_str(member_text(v, "sha256")), buf_slice(&hex));
    const long long amount = (long long)json_integer_value(json_object_get(v, "amount"));
    if (good)
        say_ok("請求支払システムが受け付けました: %llu 行、%lld 円", "the claims system has taken it: %llu lines, %lld yen", (unsigned long long)member_u64(v, "rows"), amount);
    else
        say_error("請求支払システムの受付が送ったファイルと一致しません", "the receipt of the claims system is of another file");
    buf_done(&hex);
    json_decref(v);
    return good;
}

static int deliver(struct muni_door *d, const struct wish *w)
{
    char path[PATH_BYTES];
    struct buf file;
    struct web_answer a;
    buf_init(&file, CLAIMS_MAX);
    struct err e = file_read(w->out, &file);
    if (!err_ok(e)) {
        say_err("ファイルを読めません", "the file cannot be read", e);
        buf_done(&file);
        return 2;
    }
    snprintf(path, sizeof path, "/claims/v1/claims/%s", w->month);
    const struct web_call c = { .method = "PUT", .port = state_base_port(&d->state) + PORT_CLAIMS, .path = path, .content_type = "text/csv", .body = buf_slice(&file),
                                .timeout_ms = SEND_MS };
    e = web_send(d->web, &c, &a);
    bool good = err_ok(e) && a.status == 200;
    if (err_is(e, E_UPSTREAM_DOWN))
        say_error("請求支払システムが応答しません。ファイルは残っています", "the claims system does not answer; the file is kept");
    else if (!good)
        muni_door_problem("請求支払システムが受け付けません", "the claims system did not take it", e, &a);
    else
        good = receipt_good(&a, buf_slice(&file));
    web_answer_done(&a);
    buf_done(&file);
    return good ? 0 : 2;
}

static int run(const struct wish *w, const struct state_dirs *dirs)
{
    char path[PATH_BYTES];
    struct muni_door d;
    snprintf(path, sizeof path, "/v1/vaccination/claims?month=%s", w->month);
    int status = muni_door_open(&d, dirs, w->muni, PATIENCE_S) ? muni_file_save(&d, path, w->out) : 2;
    if (status == 0 && w->send)
        status = deliver(&d, w);
    muni_door_close(&d);
    return status;
}

int cmd_claims(int argc, char **argv)
{
    struct wish w = { 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "claims", &operands, { "--muni", &w.muni }, { "--month", &w.month }, { "--out", &w.out }, { "--send", &w.send }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!muni_code_good(w.muni ? w.muni : "") || !month_good(w.month))
        return 2;
    if (!w.out) {
        say_error("--out にファイルを指定してください", "--out needs a file");
        return 2;
    }
    return run(&w, &dirs);
}
