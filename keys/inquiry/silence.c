#include "keys/inquiry/silence.h"

#include <stdlib.h>

#include "gateway/consent/consent.h"
#include "gateway/vaccine/immun.h"

enum { ENDS_MAX = 64 };

struct give {
    struct store *store;
    const struct store_name *person;
    struct slice muni;
    ymd_t today;
    bool silent, locked, over;
    size_t n_ends;
    char ended[ENDS_MAX][6];
    struct immun_record *rec;
    struct jsonw w;
    uint32_t records;
};

/* *ret_there false: the key of its municipality is missing, and nobody may be told anything. */
static ERR value_open(struct give *g, struct slice muni, struct slice field, struct slice sealed, struct buf *plain, bool *ret_there)
{
    buf_reset(plain);
    struct err e = store_open(g->store, muni, g->person, field, sealed, plain);
    *ret_there = err_ok(e);
    if (!err_is(e, E_FORBIDDEN))
        return e;
    g->locked = true;
    return OK;
}

static ERR take_end(struct give *g, struct slice field, struct slice sealed, struct buf *plain)
{
    struct slice muni;
    struct store_end end;
    bool there;
    if (!store_field_is_end(field, &muni))
        return OK;
    TRY(value_open(g, muni, field, sealed, plain, &there));
    if (!there)
        return OK;
    TRY(store_end_decode(buf_slice(plain), &end));
    if (g->today < end.from)
        return OK;
    if (slice_eq(muni, g->muni))
        g->over = end.why != STORE_END_MOVED;
    else if (g->n_ends == ENDS_MAX)
        g->locked = true;
    else
        memcpy(g->ended[g->n_ends++], muni.p, sizeof g->ended[0]);
    return OK;
}

static bool has_left(const struct give *g, struct slice muni)
{
    for (size_t i = 0; i < g->n_ends; i++)
        if (slice_eq(ARR(g->ended[i]), muni))
            return true;
    return false;
}

static ERR take_flags(struct give *g, struct slice field, struct slice sealed, struct buf *plain)
{
    struct slice muni;
    struct control_flags f;
    struct record rec;
    enum store_kind kind;
    bool there;
    if (flags_field_is(field, &muni)) {
        if (has_left(g, muni))
            return OK;
        struct err e = flags_open(g->store, g->person, field, sealed, &f);
        g->silent |= err_ok(e) && f.bits;
        g->locked |= err_is(e, E_FORBIDDEN);
        return err_is(e, E_FORBIDDEN) ? OK : e;
    }
    if (!store_field_kind(field, &kind, &muni) || has_left(g, muni))
        return OK;
    TRY(value_open(g, muni, field, sealed, plain, &there));
    if (there)
        TRY(record_decode(buf_slice(plain), &rec));
    g->silent |= there && record_silences(&rec);
    return OK;
}

static ERR take_dose(struct give *g, struct slice field, struct slice sealed, struct buf *plain)
{
    struct slice muni;
    uint8_t id[IMMUN_ID_BYTES];
    bool there;
    if (!immun_field_is(field, &muni, id) || !slice_eq(muni, g->muni))
        return OK;
    TRY(value_open(g, muni, field, sealed, plain, &there));
    if (!there)
        return OK;
    TRY(immun_decode(buf_slice(plain), g->rec));
    if (!g->rec->n_versions || g->rec->versions[g->rec->n_versions - 1].status != IMMUN_COMPLETED)
        return OK;
    immun_write(g->rec, g->rec->n_versions, IMMUN_VIEW_MUNICIPALITY, &g->w);
    g->records++;
    return OK;
}

static ERR walk(struct give *g, const struct redis_reply *hash)
{
    static struct err (*const PASSES[])(struct give *, struct slice, struct slice, struct buf *) = { take_end, take_flags, take_dose };
    struct buf plain;
    struct err e = OK;
    buf_init(&plain, STORE_RECORD_MAX);
    for (size_t pass = 0; pass < sizeof PASSES / sizeof PASSES[0]; pass++)
        for (size_t i = 0; err_ok(e) && i + 1 < redis_reply_len(hash); i += 2)
            e = PASSES[pass](g, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1)), &plain);
    buf_done(&plain);
    return e;
}

static ERR verdict(const struct give *g)
{
    if (g->silent)
        return FAIL(E_NOT_DISCLOSED);
    if (g->locked)
        return FAIL(E_FORBIDDEN);
    return g->over || !g->records ? FAIL(E_NOTHING) : OK;
}

ERR nz_give(struct store *s, const struct store_name *person, const char muni[static 6], ymd_t today, const struct redis_reply *hash, struct buf *out,
            uint32_t *ret_records)
{
    struct give g = { .store = s, .person = person, .muni = slice_of(muni, 6), .today = today, .rec = calloc(1, sizeof *g.rec) };
    const size_t before = out->n;
    if (!g.rec)
        return FAIL(E_NOMEM);
    jsonw_init(&g.w, out);
    jsonw_array(&g.w, NULL);
    struct err e = walk(&g, hash);
    jsonw_end_array(&g.w);
    if (err_ok(e))
        e = verdict(&g);
    if (err_ok(e))
        e = buf_check(out);
    explicit_bzero(g.rec, sizeof *g.rec);
    free(g.rec);
    if (err_ok(e)) {
        *ret_records = g.records;
        return OK;
    }
    if (!out->failed) { /* a failed one is thrown away as a whole by the caller */
        explicit_bzero(out->p + before, out->n - before);
        out->n = before;
        buf_puts(out, "[]");
    }
    *ret_records = 0;
    return e;
}
