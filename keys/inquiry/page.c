/* The results of an inquiry as they are told: in the order in which they came. */

#include "keys/inquiry/work.h"

enum { LOOKED_MAX = 4 << 20 /* bytes looked through for one page */ };

struct page { struct nz_inquiry_page *p; struct jsonw *w; uint64_t rows; size_t looked; struct buf statement; };

static bool is_failed(const struct nz_inq_result *r) { return r->outcome != NZ_INQ_FOUND && r->outcome != NZ_INQ_NOTHING; }

/* The records of one frame from the cursor on; false when the page is full within it. */
static ERR frame_tell(struct page *g, struct slice plain, bool *ret_all)
{
    struct nz_inquiry_page *p = g->p;
    struct slice in = plain, gone;
    struct nz_inq_result r;
    if (!slice_take(&in, (size_t)p->at.skip, &gone))
        return FAIL(E_BAD_URL);
    while (in.n && g->rows < p->limit) {
        TRY(nz_inq_result_decode(&in, &r));
        p->at.skip = plain.n - in.n;
        if (r.kind == NZ_INQ_STATEMENT) {
            buf_reset(&g->statement);
            buf_put(&g->statement, r.json);
        } else if (!p->only_failed || is_failed(&r)) {
            nz_inq_result_json(&r, g->w);
            g->rows++;
        }
    }
    *ret_all = in.n == 0;
    return OK;
}

static ERR frames_tell(struct page *g, struct nz_frames *f)
{
    struct nz_inquiry_page *p = g->p;
    struct buf plain;
    bool all = true;
    buf_init(&plain, 2 * NZ_FRAME_PLAIN);
    struct err e = OK;
    while (err_ok(e) && all && g->rows < p->limit && g->looked < LOOKED_MAX) {
        struct nz_frames_at next = p->at.frame;
        buf_reset(&plain);
        e = nz_frames_read(f, &next, &plain);
        if (err_ok(e))
            e = frame_tell(g, buf_slice(&plain), &all);
        g->looked += plain.n;
        if (err_ok(e) && all) {
            p->at.frame = next;
            p->at.skip = 0;
        }
    }
    p->at_end = err_is(e, E_NOTHING);
    buf_done(&plain);
    return p->at_end ? OK : e;
}

ERR nz_inquiry_page_write(struct nz_inquiry_page *p, struct buf *out, uint64_t *ret_rows)
{
    struct nz_frames *f = NULL;
    struct jsonw w;
    struct page g = { .p = p, .w = &w };
    p->at_end = true;
    buf_init(&g.statement, NZ_INQ_JSON_MAX);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "rows");
    struct err e = p->entry ? nz_spool_frames(p->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_READ, &f) : FAIL(E_NOTHING);
    if (err_ok(e))
        e = frames_tell(&g, f);
    nz_frames_close(f);
    jsonw_end_array(&w);
    if (g.statement.n)
        jsonw_raw(&w, "statement", buf_slice(&g.statement));
    buf_done(&g.statement);
    *ret_rows = g.rows;
    if (err_is(e, E_NOTHING))
        return p->t->state < NZ_FILE_ENDED ? OK /* nothing was answered yet */ : FAIL(E_RESULTS_GONE);
    return e;
}
