#include "keys/ctl/results_sum.h"

#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"
#include "keys/ctl/results.h"

enum { PAGE = 1000 };

/* ---- lines ---- */

/* The object that *in begins with, with what is nested in it. */
static bool object_take(struct slice *in, struct slice *ret_object)
{
    bool text = false;
    size_t depth = 0;
    for (size_t i = 0; i < in->n; i++) {
        const uint8_t c = in->p[i];
        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        else if (!text && (c == '{' || c == '['))
            depth++;
        else if (!text && (c == '}' || c == ']') && --depth == 0)
            return slice_take(in, i + 1, ret_object);
        if (!depth)
            return false;
    }
    return false;
}

static bool byte_take(struct slice *in, char c)
{
    struct slice one;
    return in->n && in->p[0] == (uint8_t)c && slice_take(in, 1, &one);
}

bool results_lines(struct slice body, bool (*fn)(void *ctx, struct slice line), void *ctx)
{
    static const char HEAD[] = "{\"rows\":[";
    struct slice head, line;
    if (!slice_take(&body, strlen(HEAD), &head) || !slice_eq(head, slice_str(HEAD)))
        return false;
    if (byte_take(&body, ']'))
        return true;
    do {
        if (!body.n || body.p[0] != '{' || !object_take(&body, &line) || !fn(ctx, line))
            return false;
    } while (byte_take(&body, ','));
    return byte_take(&body, ']');
}

/* ---- the sum ---- */

static bool on_line(void *ctx, struct slice line) { return err_ok(sha256_put(ctx, line)) && err_ok(sha256_put(ctx, LIT("\n"))); }

static enum results_sum page_sum(struct muni_door *d, const char *task, struct sha256 *sum, char cursor[static RESULTS_CURSOR_MAX])
{
    char path[512];
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/tasks/%s/results?limit=%d%s%s", task, PAGE, *cursor ? "&cursor=" : "", cursor);
    struct web_call c = { .method = "GET", .path = path, .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(d, &c, &a);
    json_t *v = err_ok(e) && a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    enum results_sum how = err_ok(e) && a.status == 404 ? RESULTS_SUM_GONE : RESULTS_SUM_NOT;
    if (v && results_lines(buf_slice(&a.body), on_line, sum)) {
        how = RESULTS_SUM_MADE;
        results_next(v, cursor);
    } else if (how != RESULTS_SUM_GONE) {
        muni_door_problem("結果を読めません", "the results cannot be read", e, &a);
    }
    json_decref(v);
    web_answer_done(&a);
    return how;
}

enum results_sum results_sum(struct muni_door *d, const char *task, char ret_hex[static RESULTS_SUM_TEXT])
{
    char cursor[RESULTS_CURSOR_MAX] = "";
    uint8_t bytes[SHA256_BYTES];
    struct sha256 *sum = NULL;
    struct buf hex;
    enum results_sum how = err_ok(sha256_new(&sum)) ? RESULTS_SUM_MADE : RESULTS_SUM_NOT;
    do
        how = how == RESULTS_SUM_MADE && !web_stop_asked() ? page_sum(d, task, sum, cursor) : RESULTS_SUM_NOT;
    while (how == RESULTS_SUM_MADE && *cursor);
    buf_init(&hex, RESULTS_SUM_TEXT);
    if (how == RESULTS_SUM_MADE && err_ok(sha256_done(sum, bytes)))
        buf_hex(&hex, ARR(bytes));
    snprintf(ret_hex, RESULTS_SUM_TEXT, "%.*s", (int)hex.n, hex.n ? (const char *)hex.p : "");
    how = how == RESULTS_SUM_MADE && !hex.n ? RESULTS_SUM_NOT : how;
    buf_done(&hex);
    sha256_free(sum);
    return how;
}
