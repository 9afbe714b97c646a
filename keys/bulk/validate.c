/* The whole file, once, before any row of it is applied: is it what was announced, and can it be read. */

#include "keys/bulk/work.h"

#include <stdlib.h>

enum { FRAMES_A_TURN = 8 };

struct nz_bulk_sum {
    struct nz_run *run;
    struct sha256 *sha;
    struct nz_linkage *linkage;
    struct nz_frames *upload;
    struct nz_frames_at at;
    uint64_t bytes, rows;
    struct nz_file_reject reject;
    bool bad;
};

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct nz_bulk_sum *s = ctx;
    s->rows = row->row;
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    struct nz_bulk_sum *s = ctx;
    if (f->row) { /* of a row: told with its result */
        s->rows = f->row;
        return;
    }
    s->reject = bulk__reject_of(f);
    s->bad = true;
}

static ERR sum_new(struct nz_run *r)
{
    struct nz_bulk_sum *s = r->sum = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    s->run = r;
    const struct nz_linkage_conf conf = {
        .source = r->t.source, .layout = r->layout, .encoding = bulk__encoding(&r->t), .structure_only = true,
        .on_row = on_row, .on_fault = on_fault, .ctx = s,
    };
    TRY(sha256_new(&s->sha));
    TRY(nz_spool_frames(r->entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_READ, &s->upload));
    return nz_linkage_new(&s->linkage, &conf);
}

void bulk__sum_free(struct nz_bulk_sum *s)
{
    if (!s)
        return;
    nz_linkage_free(s->linkage);
    nz_frames_close(s->upload);
    sha256_free(s->sha);
    free(s);
}

/* What was announced stands before what the reader says: a torn upload looks like a malformed file. */
static const char *announced_fault(struct nz_bulk_sum *s)
{
    const struct nz_spool_meta *m = nz_spool_meta_of(s->run->entry);
    uint8_t sum[SHA256_BYTES];
    if (s->bytes != m->bytes)
        return "size_mismatch";
    if (m->has_sha256 && (!err_ok(sha256_done(s->sha, sum)) || !slice_eq(ARR(sum), ARR(m->sha256))))
        return "checksum_mismatch";
    return NULL;
}

static void sum_end(struct nz_run *r)
{
    struct nz_bulk_sum s = *r->sum;
    const char *rule = announced_fault(r->sum);
    bulk__sum_free(r->sum);
    r->sum = NULL;
    if (rule)
        bulk__reject_rule(r, rule);
    else if (s.bad)
        bulk__reject(r, &s.reject);
    else if (!s.rows || s.rows > UINT32_MAX)
        bulk__reject_rule(r, s.rows ? "too_many_rows" : nz_rule_info(NZ_RULE_NO_ROWS)->name);
    else
        bulk__validated(r, s.rows);
}

/* NOTHING at the end of the file. */
static ERR frame(struct nz_run *r, struct nz_bulk_sum *s)
{
    buf_reset(&r->frame);
    TRY(nz_frames_read(s->upload, &s->at, &r->frame));
    s->bytes += r->frame.n;
    r->bytes_read = s->bytes;
    TRY(sha256_put(s->sha, buf_slice(&r->frame)));
    if (s->bad)
        return OK; /* only the sum is of interest now */
    struct err e = nz_linkage_feed(s->linkage, buf_slice(&r->frame));
    return s->bad ? OK : e;
}

static void sum_failed(struct nz_run *r, struct err e)
{
    bulk__sum_free(r->sum);
    r->sum = NULL;
    if (err_is(e, E_SEAL) || (r->given_up && bulk__is_damage(e)))
        bulk__reject_rule(r, "stored_value_unreadable");
    else if (bulk__is_damage(e))
        bulk__run_hurt(r, e);
    else
        bulk__run_pause(r, e, "validate");
    bulk__run_soon(r);
}

void bulk__sum(struct nz_run *r)
{
    struct err e = r->sum ? OK : sum_new(r);
    if (r->b->closed) {
        bulk__run_leave(r);
        return;
    }
    if (!err_ok(e)) {
        sum_failed(r, e);
        return;
    }
    for (int i = 0; err_ok(e) && i < FRAMES_A_TURN; i++)
        e = frame(r, r->sum);
    if (err_ok(e)) {
        bulk__run_soon(r);
        return;
    }
    if (!err_is(e, E_NOTHING)) {
        sum_failed(r, e);
        return;
    }
    r->bytes_read = 0;
    e = r->sum->bad ? OK : nz_linkage_end(r->sum->linkage);
    if (err_ok(e) || r->sum->bad)
        sum_end(r);
    else
        sum_failed(r, e);
}
