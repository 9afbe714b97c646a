#include "keys/change/issued.h"

enum { NOTICE_ROOM = 256 };

/* ---- read ---- */

static ERR told_open(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct arena *a, struct nz_ch_told *ret)
{
    struct buf plain;
    buf_init(&plain, NOTICE_ROOM);
    struct err e = store_open(s, SLICE_NONE, person, field, sealed, &plain);
    if (err_ok(e))
        e = vaccine_notice_decode(buf_slice(&plain), &ret->n);
    ret->field = arena_dup(a, field);
    ret->plain = arena_dup(a, buf_slice(&plain));
    buf_done(&plain);
    return e;
}

static ERR cert_opened(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct arena *a, struct nz_ch_cert *ret)
{
    ret->field = arena_dup(a, field);
    ret->sealed = arena_dup(a, sealed);
    return cert_open(s, person, field, sealed, &ret->c);
}

ERR nz_ch_issued_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct arena *a, struct nz_ch_side *side)
{
    uint8_t name[CERT_NAME_BYTES];
    size_t certs = 0, told = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        certs += cert_field_is(field, name);
        told += vaccine_notice_field_is(field);
    }
    side->n_certs = side->n_told = 0;
    side->cert = arena_get(a, (certs + 1) * sizeof *side->cert);
    side->told = arena_get(a, (told + 1) * sizeof *side->told);
    if (!side->cert || !side->told)
        return FAIL(E_FULL);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i)), sealed = redis_reply_str(redis_reply_at(hash, i + 1));
        if (cert_field_is(field, name))
            TRY(cert_opened(s, person, field, sealed, a, &side->cert[side->n_certs++]));
        else if (vaccine_notice_field_is(field))
            TRY(told_open(s, person, field, sealed, a, &side->told[side->n_told++]));
    }
    return arena_check(a);
}

/* ---- which records ---- */

static bool is_of_muni(const void *arg, const struct cert_record *r)
{
    const struct nz_ch_view *v = arg;
    return slice_eq(ARR(r->muni), slice_of(v->muni, 6));
}

/* It went with the move and has not been changed since, or it has gone back already. */
static bool goes_back(const void *arg, const struct cert_record *r)
{
    const struct nz_ch_view *v = arg;
    struct store_name field;
    if (!is_of_muni(v, r))
        return false;
    immun_field(r->muni, r->id, &field);
    const struct nz_saved *s = nz_journal_find(v->j, store_name_slice(&field));
    return s && !s->clash && (nz_ch_is_copy(v, s) || nz_ch_item_find(&v->gone, s->field));
}

static bool split(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_cert *c, struct cert_stored *ret_goes, struct cert_stored *ret_rest)
{
    return cert_split(&c->c, way == NZ_CH_BACK ? goes_back : is_of_muni, v, ret_goes, ret_rest);
}

/* ---- certificates ---- */

const struct nz_ch_cert *nz_ch_cert_find(const struct nz_ch_side *s, struct slice field)
{
    for (size_t i = 0; i < s->n_certs; i++)
        if (slice_eq(s->cert[i].field, field))
            return &s->cert[i];
    return NULL;
}

bool nz_ch_cert_is_false(const struct nz_ch_view *v, enum nz_ch_way way, const struct cert_stored *c) { return way == NZ_CH_BACK && c->issued_ms >= v->j->ms; }

static bool has(const struct cert_stored *c, const struct cert_record *r)
{
    for (size_t i = 0; i < c->n_records; i++)
        if (slice_eq(ARR(c->records[i].muni), ARR(r->muni)) && slice_eq(ARR(c->records[i].id), ARR(r->id)))
            return true;
    return false;
}

/* What ended on one side has ended. *ret: whether there is anything new. */
static struct cert_stored together(const struct cert_stored *there, const struct cert_stored *comes, bool *ret)
{
    struct cert_stored c = *there;
    *ret = comes->state > c.state;
    if (*ret) {
        c.state = comes->state;
        c.ended_ms = comes->ended_ms;
    }
    for (size_t i = 0; i < comes->n_records && c.n_records < CERT_RECORDS_MAX; i++) {
        if (has(&c, &comes->records[i]))
            continue;
        c.records[c.n_records++] = comes->records[i];
        *ret = true;
    }
    return c;
}

bool nz_ch_cert_copy(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_cert *c, struct cert_stored *ret)
{
    struct cert_stored goes, rest;
    bool news = true;
    if (nz_ch_cert_is_false(v, way, &c->c) || !split(v, way, c, &goes, &rest))
        return false;
    const struct nz_ch_cert *there = nz_ch_cert_find(nz_ch_issued_to(v, way), c->field);
    *ret = there ? together(&there->c, &goes, &news) : goes;
    return news;
}

bool nz_ch_cert_leaves(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_cert *c, struct cert_stored *ret_rest)
{
    struct cert_stored goes;
    return split(v, way, c, &goes, ret_rest);
}

bool nz_ch_cert_of_muni(const struct nz_ch_view *v, const struct nz_ch_cert *c, struct cert_stored *ret_rest) { return nz_ch_cert_leaves(v, NZ_CH_THERE, c, ret_rest); }

/* ---- notices ---- */

bool nz_ch_told_leaves(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t)
{
    struct cert_record r;
    memcpy(r.muni, t->n.muni, sizeof r.muni);
    memcpy(r.id, t->n.id, sizeof r.id);
    r.version = t->n.version;
    return way == NZ_CH_BACK ? goes_back(v, &r) : is_of_muni(v, &r);
}

static bool is_told(const struct nz_ch_side *s, struct slice field)
{
    for (size_t i = 0; i < s->n_told; i++)
        if (slice_eq(s->told[i].field, field))
            return true;
    return false;
}

/* Names begin with the time and have one length. */
static bool is_younger(const struct nz_ch_told *a, const struct nz_ch_told *b)
{
    size_t i = 0;
    while (i < a->field.n && i < b->field.n && a->field.p[i] == b->field.p[i])
        i++;
    return i < a->field.n && i < b->field.n && a->field.p[i] > b->field.p[i];
}

/* How many the receiver has in the end that are younger. */
static size_t n_younger(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t)
{
    const struct nz_ch_side *from = nz_ch_issued_from(v, way), *to = nz_ch_issued_to(v, way);
    size_t n = 0;
    for (size_t i = 0; i < to->n_told; i++)
        n += is_younger(&to->told[i], t);
    for (size_t i = 0; i < from->n_told; i++)
        n += is_younger(&from->told[i], t) && nz_ch_told_leaves(v, way, &from->told[i]) && !is_told(to, from->told[i].field);
    return n;
}

bool nz_ch_told_is_too_old(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t) { return n_younger(v, way, t) >= VACCINE_NOTICES_MAX; }

bool nz_ch_told_copy(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t)
{
    return nz_ch_told_leaves(v, way, t) && !is_told(nz_ch_issued_to(v, way), t->field) && !nz_ch_told_is_too_old(v, way, t);
}

/* ---- the plan ---- */

bool nz_ch_issued_copies(const struct nz_ch_view *v, enum nz_ch_way way)
{
    const struct nz_ch_side *from = nz_ch_issued_from(v, way);
    struct cert_stored c;
    for (size_t i = 0; i < from->n_certs; i++)
        if (nz_ch_cert_copy(v, way, &from->cert[i], &c))
            return true;
    for (size_t i = 0; i < from->n_told; i++)
        if (nz_ch_told_copy(v, way, &from->told[i]))
            return true;
    return false;
}

bool nz_ch_issued_left(const struct nz_ch_view *v, enum nz_ch_way way)
{
    const struct nz_ch_side *from = nz_ch_issued_from(v, way);
    struct cert_stored rest;
    for (size_t i = 0; i < from->n_certs; i++)
        if (nz_ch_cert_leaves(v, way, &from->cert[i], &rest))
            return true;
    for (size_t i = 0; i < from->n_told; i++)
        if (nz_ch_told_leaves(v, way, &from->told[i]))
            return true;
    return false;
}
