/* GET /v1/tasks/{id}/receipt: what became of a file, signed. Every result is read for it, a thousand rows at a time. */

#include <openssl/evp.h>

#include "keys/files/work.h"

enum { ARENA_BYTES = 8 << 20, LINE_MAX_BYTES = 64 * 1024, PAYLOAD_MAX = 8192, JWS_TEXT_MAX = 64 * 1024 };

struct receipt {
    struct req *r;
    struct nz_read *rd;
    struct nz_open *o;
    struct nz_wait wait;
    struct nz_page page;
    struct arena *arena;        /* of one page */
    EVP_MD_CTX *sum;
    struct buf line;
    uint64_t rows;
};

/* With the request, whatever becomes of it. */
static void receipt_done(void *arg)
{
    struct receipt *c = arg;
    arena_free(c->arena);
    EVP_MD_CTX_free(c->sum);
    buf_done(&c->line);
}

static void receipt_fail(struct receipt *c, struct err e)
{
    nz_open_drop(c->o, false);
    req_fail(c->r, nz_results_error(e));
}

/* ---- what is signed ---- */

static void write_when(struct jsonw *w, const char *name, uint64_t ms)
{
    char when[24];
    clock_format_utc(ms, when);
    jsonw_str(w, name, ARR(when));
}

static void write_hex(struct jsonw *w, const char *name, struct slice sum)
{
    struct buf hex;
    buf_init(&hex, 2 * SHA256_BYTES);
    buf_hex(&hex, sum);
    jsonw_str(w, name, buf_slice(&hex));
    buf_done(&hex);
}

static ERR payload(struct receipt *c, struct buf *out)
{
    const struct nz_file_task *t = &c->rd->t;
    const struct nz_spool_meta *meta = nz_spool_meta_of(c->o->entry);
    uint8_t results[SHA256_BYTES];
    char hex[32];
    struct jsonw w;
    if (EVP_DigestFinal_ex(c->sum, results, NULL) != 1)
        return FAIL(E_CRYPTO);
    nz_task_id_format(&t->task.id, hex);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "task_id", ARR(hex));
    jsonw_str(&w, "municipality", ARR(c->rd->muni));
    jsonw_cstr(&w, "operation", nz_form_info(t->task.form)->operation);
    jsonw_cstr(&w, "state", nz_file_task_state(t, clock_wall(loop_clock(c->rd->in->loop))));
    jsonw_cstr(&w, "mode", nz_file_mode_name(t->mode));
    write_when(&w, "received_at", t->task.received_ms);
    write_when(&w, "ended_at", t->ended_ms);
    if (t->mode != NZ_MODE_UNDO)
        jsonw_u64(&w, "bytes", meta->bytes);
    if (meta->has_sha256)
        write_hex(&w, "sha256", ARR(meta->sha256));
    jsonw_object(&w, "counts");
    jsonw_u64(&w, "rows", t->task.rows);
    for (int i = NZ_REGISTERED; i < NZ_RESULT__MAX; i++)
        jsonw_u64(&w, nz_result_name((enum nz_result)i), t->task.count[i]);
    jsonw_end_object(&w);
    write_hex(&w, "results_sha256", ARR(results));
    jsonw_end_object(&w);
    return buf_check(out);
}

static void receipt_answer(void *arg, struct err e)
{
    struct receipt *c = arg;
    struct buf text;
    buf_init(&text, PAYLOAD_MAX);
    if (err_ok(e))
        e = c->o->entry ? payload(c, &text) : FAIL(E_NOTHING);
    if (err_ok(e))
        e = jws_sign(c->rd->in->receipts, buf_slice(&text), req_out(c->r));
    buf_done(&text);
    if (!err_ok(e)) {
        receipt_fail(c, e);
        return;
    }
    nz_open_drop(c->o, false);
    req_answer(c->r, 200, "application/jose", buf_slice(req_out(c->r)));
}

/* ---- the results ---- */

static ERR page_sum(struct receipt *c)
{
    for (size_t i = 0; i < c->page.n; i++) {
        struct jsonw w;
        buf_reset(&c->line);
        jsonw_init(&w, &c->line);
        nz_entry_json(&c->page.row[i], &w);
        buf_putc(&c->line, '\n');
        TRY(buf_check(&c->line));
        if (EVP_DigestUpdate(c->sum, c->line.p, c->line.n) != 1)
            return FAIL(E_CRYPTO);
    }
    c->rows += c->page.n;
    return OK;
}

static void receipt_page(void *arg, struct err e)
{
    struct receipt *c = arg;
    if (err_ok(e))
        e = page_sum(c);
    if (err_ok(e) && loop_now(c->rd->in->loop) > req_deadline(c->r))
        e = FAIL(E_DEADLINE);
    if (!err_ok(e)) {
        receipt_fail(c, e);
        return;
    }
    arena_reset(c->arena);
    if (c->page.at_end)
        nz_audit_read(c->r, c->rows, receipt_answer, c);
    else
        nz_page_read(&c->page); /* comes back from the loop */
}

static void receipt_opened(void *arg, struct err e)
{
    struct receipt *c = arg;
    struct nz_read *rd = c->rd;
    if (!err_ok(e)) {
        receipt_fail(c, e);
        return;
    }
    c->page = (struct nz_page){
        .in = rd->in, .t = &rd->t, .entry = c->o->entry, .arena = c->arena, .limit = NZ_RESULTS_PAGE_MAX,
        .deadline = req_deadline(c->r), .fn = receipt_page, .arg = c,
    };
    memcpy(c->page.muni, rd->muni, sizeof rd->muni);
    nz_page_read(&c->page);
}

/* ---- the beginning ---- */

static ERR receipt_prepare(struct receipt *c)
{
    c->arena = arena_new(ARENA_BYTES);
    c->sum = EVP_MD_CTX_new();
    buf_init(&c->line, LINE_MAX_BYTES);
    if (!c->arena || !c->sum || EVP_DigestInit_ex(c->sum, EVP_sha256(), NULL) != 1 || !arena_on_reset(req_arena(c->r), receipt_done, c)) {
        receipt_done(c);
        return FAIL(E_NOMEM);
    }
    return nz_open_take(c->rd->in->files, c->rd->muni, &c->rd->t.task.id, false, &c->o);
}

static void receipt_read(struct nz_read *rd, struct err e)
{
    struct receipt *c = rd->more;
    c->rd = rd;
    if (err_ok(e) && (!rd->is_file || !rd->in->receipts || rd->t.task.form == NZ_FORM_INQUIRY))
        e = FAIL(E_NO_ROUTE);
    if (err_ok(e) && !nz_file_task_over(&rd->t))
        e = FAIL(E_NOT_COMPLETE);
    if (err_ok(e))
        e = receipt_prepare(c);
    if (err_ok(e))
        nz_open_key(c->o, &c->wait, nz_req_step(c->r, NZ_READ_MS, nz_vault_up(rd->in->vault)), receipt_opened, c);
    else
        req_fail(c->r, e);
}

void nz_tasks_receipt(struct req *r)
{
    struct receipt *c = arena_get(req_arena(r), sizeof *c);
    if (!c) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    c->r = r;
    nz_read_task(r, receipt_read, c);
}
