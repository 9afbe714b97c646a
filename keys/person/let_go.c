#include "keys/person/let_go.h"

#include "gateway/cert/stored.h"
#include "gateway/consent/consent.h"
#include "gateway/vaccine/consequences.h"

enum { NOTICE_BYTES_MAX = 256, CERT_ROOM = 4096 };

static struct slice field_at(const struct redis_reply *hash, size_t i) { return redis_reply_str(redis_reply_at(hash, i)); }

static void drop(const struct nz_let_go *g, struct slice field, struct redis_batch *b) { REDIS_ADD(b, LIT("HDEL"), store_name_slice(g->person), field); }

/* ---- certificates ---- */

static bool is_of_muni(const void *arg, const struct cert_record *r) { return slice_eq(ARR(r->muni), slice_of(arg, 6)); }

static ERR put_rest(struct store *s, const struct nz_let_go *g, struct slice field, const struct cert_stored *rest, struct redis_batch *b)
{
    struct buf sealed;
    buf_init(&sealed, CERT_ROOM);
    struct err e = cert_seal(s, g->person, rest, &sealed);
    if (err_ok(e))
        REDIS_ADD(b, LIT("HSET"), store_name_slice(g->person), field, buf_slice(&sealed));
    buf_done(&sealed);
    return e;
}

/* Nobody could correct it any more, or take it back. */
static ERR take_back(struct store *s, const struct nz_let_go *g, struct slice field, const struct cert_stored *c, struct redis_batch *b)
{
    struct cert_stored those, rest;
    struct store_name list;
    if (c->issued_ms > g->until_ms || !cert_split(c, is_of_muni, g->muni, &those, &rest))
        return OK;
    if (c->state == CERT_GOOD) {
        cert_list_name(c->kid, &list);
        REDIS_ADD(b, LIT("ZADD"), store_name_slice(&list), LIT("GT"), LIT("2"), slice_of(c->rid, strnlen(c->rid, sizeof c->rid)));
        rest.state = CERT_REVOKED;
        rest.ended_ms = g->now_ms;
    }
    if (rest.n_records)
        return put_rest(s, g, field, &rest, b);
    drop(g, field, b);
    return OK;
}

static ERR take_all_back(struct store *s, const struct nz_let_go *g, const struct redis_reply *hash, struct redis_batch *b, size_t *ret_unreadable)
{
    uint8_t name[CERT_NAME_BYTES];
    struct cert_stored c;
    *ret_unreadable = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = field_at(hash, i);
        if (!cert_field_is(field, name))
            continue;
        const struct err e = cert_open(s, g->person, field, field_at(hash, i + 1), &c);
        if (err_is(e, E_SEAL)) {
            drop(g, field, b);
            ++*ret_unreadable;
            continue;
        }
        TRY(e);
        TRY(take_back(s, g, field, &c, b));
    }
    return OK;
}

/* ---- somebody else has the person: only what it was told about records of this municipality goes ---- */

static ERR drop_notices(struct store *s, const struct nz_let_go *g, const struct redis_reply *hash, struct redis_batch *b)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = field_at(hash, i);
        struct vaccine_notice notice;
        struct buf plain;
        if (!vaccine_notice_field_is(field))
            continue;
        buf_init(&plain, NOTICE_BYTES_MAX);
        struct err e = store_open(s, SLICE_NONE, g->person, field, field_at(hash, i + 1), &plain);
        if (err_ok(e))
            e = vaccine_notice_decode(buf_slice(&plain), &notice);
        buf_done(&plain);
        const bool unreadable = err_is(e, E_SEAL);
        if (!unreadable)
            TRY(e);
        if (unreadable || (slice_eq(ARR(notice.muni), slice_of(g->muni, 6)) && notice.at_ms <= g->until_ms))
            drop(g, field, b);
    }
    return OK;
}

/* ---- nobody else has ---- */

static ERR drop_pseudonym(struct store *s, const struct nz_let_go *g, struct slice field, struct slice sealed, struct redis_batch *b)
{
    struct store_name name;
    struct buf text;
    buf_init(&text, PSEUDONYM_MAX);
    struct err e = store_open(s, SLICE_NONE, g->person, field, sealed, &text);
    if (err_ok(e))
        e = store_name_pseudonym(s, slice_of(field.p + 3, field.n - 3), buf_slice(&text), &name);
    buf_done(&text);
    TRY(e);
    REDIS_ADD(b, LIT("DEL"), store_name_slice(&name));
    drop(g, field, b);
    return OK;
}

static ERR close_person(struct store *s, const struct nz_let_go *g, const struct redis_reply *hash, struct redis_batch *b)
{
    TRY(session_add_end_of_all(g->person, hash, b));
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = field_at(hash, i);
        if (slice_starts(field, LIT("ps:")))
            TRY(drop_pseudonym(s, g, field, field_at(hash, i + 1), b));
        else if (slice_starts(field, LIT("co:")) || slice_starts(field, LIT("nt:")) || slice_starts(field, LIT("ct:")))
            drop(g, field, b);
    }
    return OK;
}

ERR nz_let_go_add(struct store *s, const struct nz_let_go *g, const struct redis_reply *hash, struct redis_batch *b, size_t *ret_unreadable)
{
    TRY(take_all_back(s, g, hash, b, ret_unreadable));
    return g->alone ? close_person(s, g, hash, b) : drop_notices(s, g, hash, b);
}
