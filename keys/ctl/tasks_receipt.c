/* pmhgw tasks receipt: the signed receipt of a file, and whether it is good and of this very file. */

#include <stdio.h>

#include "gateway/crypto/crypto.h"
#include "keys/ctl/receipt.h"
#include "keys/ctl/results_sum.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/tasks.h"
#include "keys/ctl/upload.h"

static bool receipt_get(struct muni_door *d, const char *task, struct buf *out)
{
    char path[128];
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/tasks/%s/receipt", task);
    struct web_call c = { .method = "GET", .path = path, .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(d, &c, &a);
    bool good = err_ok(e) && a.status == 200 && a.body.n && a.body.n <= RECEIPT_MAX;
    if (good)
        buf_put(out, buf_slice(&a.body));
    else
        muni_door_problem("受領証がありません", "there is no receipt", e, &a);
    web_answer_done(&a);
    return good && !out->failed;
}

static bool same_file(const json_t *claims, const char *path)
{
    struct nz_upload_file f;
    bool good = nz_upload_open(&f, path) && nz_upload_sum(&f);
    bool same = good && member_u64(claims, "bytes") == f.bytes && slice_eq(slice_str(member_text(claims, "sha256")), slice_str(f.sha256));
    nz_upload_close(&f);
    if (good && !same)
        say_error("受領証は別の内容のファイルのものです(sha256 が合いません)", "the receipt is of a file with another content: sha256 does not fit");
    return same;
}

/* Exit status: 0 they are, 1 they are not, 2 nobody knows. */
static int same_results(struct muni_door *d, const char *task, const json_t *claims)
{
    char hex[RESULTS_SUM_TEXT];
    enum results_sum how = results_sum(d, task, hex);
    if (how == RESULTS_SUM_GONE) { /* a receipt is kept longer than what it was made of */
        say_warn("結果はもう保存されていないため、results_sha256 は確かめていません", "the results are not kept any more: results_sha256 was not checked");
        return 0;
    }
    if (how != RESULTS_SUM_MADE)
        return 2;
    if (slice_eq(slice_str(member_text(claims, "results_sha256")), slice_str(hex)))
        return 0;
    say_error("今の結果は受領証のものと違います(results_sha256 が合いません)。保留の行がその後に進んだときは、受領証を取り直してください",
              "the results are not those of the receipt: results_sha256 does not fit. When held rows went on since, ask for a new receipt");
    return 1;
}

static int verify(struct muni_door *d, const struct tasks_opts *o, struct slice jws)
{
    json_t *claims = NULL;
    enum receipt_verdict v = receipt_verify(jws, state_at(&d->state, "certs/ca.pem").c, &claims);
    if (v != RECEIPT_GOOD) {
        say_wrong(say_form("受領証は正しくありません: %s", receipt_verdict_ja(v)).c, say_form("the receipt is not good: %s", receipt_verdict_en(v)).c);
        return 1;
    }
    bool ours = strcmp(member_text(claims, "task_id"), o->task) == 0 && strcmp(member_text(claims, "municipality"), d->muni) == 0;
    if (!ours)
        say_error("受領証は別の受付番号か別の自治体のものです", "the receipt is of another task or another municipality");
    int status = ours && same_file(claims, o->verify) ? same_results(d, o->task, claims) : 1;
    if (!status)
        say_done(say_form("受領証は正しく、このファイルのものです(終了 %s)", member_text(claims, "ended_at")).c,
                 say_form("the receipt is good and of this file (ended %s)", member_text(claims, "ended_at")).c);
    json_decref(claims);
    return status;
}

int tasks_receipt(struct muni_door *d, const struct tasks_opts *o)
{
    struct buf jws;
    int status = 2;
    buf_init(&jws, RECEIPT_MAX);
    bool good;
    if (o->receipt) {
        good = err_ok(file_read(o->receipt, &jws));
        if (!good)
            say_error("受領証のファイルを読めません", "the file with the receipt cannot be read");
    } else {
        good = receipt_get(d, o->task, &jws);
    }
    if (good && o->out) {
        struct err e = file_write(o->out, buf_slice(&jws));
        good = err_ok(e);
        if (!good)
            say_err("受領証を書けません", "the receipt cannot be written", e);
    }
    if (good && o->verify)
        status = verify(d, o, buf_slice(&jws));
    else if (good)
        status = 0;
    if (good)
        out_put("receipt", json_stringn((const char *)jws.p, jws.n));
    if (good && !o->verify && !o->out)
        printf("%.*s\n", (int)jws.n, (const char *)jws.p);
    buf_done(&jws);
    return status;
}
