#include "gateway/lookup/tickets.h"

/* ---- tickets ---- */

static ERR take(const struct judge *j, struct slice muni, struct slice field, struct slice sealed, struct arena *a, struct tickets *t)
{
    struct buf plain;
    struct record rec;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(j->store, muni, &j->person, field, sealed, &plain);
    if (err_ok(e))
        e = record_decode(buf_slice(&plain), &rec);
    if (err_ok(e) && record_valid_on(&rec, j->today)) {
        e = ticket_read(&rec, a, &t->t[t->n]);
        if (err_ok(e) && !slice_eq(ARR(t->t[t->n].muni), muni))
            e = FAIL(E_SEAL);
        t->n += err_ok(e);
    }
    buf_done(&plain);
    return e;
}

ERR tickets_valid(const struct judge *j, const struct redis_reply *hash, struct arena *a, struct tickets *ret_t)
{
    ret_t->n = 0;
    for (size_t i = 0; ret_t->n < TICKETS_MAX && i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = redis_reply_str(redis_reply_at(hash, i)), muni;
        enum store_kind kind;
        if (store_field_kind(field, &kind, &muni) && kind == STORE_TICKET && !judge_has_ended(j, muni))
            TRY(take(j, muni, field, redis_reply_str(redis_reply_at(hash, i + 1)), a, ret_t));
    }
    return OK;
}

const struct ticket *tickets_find(const struct tickets *t, struct slice muni, struct slice number)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq(ARR(t->t[i].muni), muni) && slice_eq(t->t[i].number, number))
            return &t->t[i];
    return NULL;
}

/* ---- templates ---- */

static struct template_want *find(const struct template_set *s, const char muni[static 6], struct slice id, unsigned version)
{
    for (size_t i = 0; i < s->n; i++)
        if (slice_eq(ARR(s->want[i].muni), slice_of(muni, 6)) && slice_eq(s->want[i].id, id) && s->want[i].version == version)
            return (struct template_want *)&s->want[i];
    return NULL;
}

ERR template_set_add(struct template_set *s, struct arena *a, const char muni[static 6], struct slice id, unsigned version)
{
    if (s->n == TEMPLATE_SET_MAX || find(s, muni, id, version))
        return OK;
    struct template_want *w = &s->want[s->n++];
    *w = (struct template_want){ .id = arena_dup(a, id), .version = version };
    memcpy(w->muni, muni, sizeof w->muni);
    return arena_check(a);
}

void template_set_ask(const struct template_set *s, struct redis_batch *b)
{
    struct store_name key, field;
    for (size_t i = 0; i < s->n; i++) {
        template_key(s->want[i].muni, &key);
        template_field(s->want[i].id, s->want[i].version, &field);
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&key), store_name_slice(&field));
    }
}

static ERR open_one(struct template_want *w, struct store *store, struct arena *a, struct slice sealed)
{
    struct store_name key, field;
    struct buf plain;
    struct qt_report report;
    struct qtemplate *t = arena_get(a, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    template_key(w->muni, &key);
    template_field(w->id, w->version, &field);
    buf_init(&plain, QT_JSON_MAX);
    struct err e = store_open(store, ARR(w->muni), &key, store_name_slice(&field), sealed, &plain);
    if (err_ok(e))
        e = template_read(buf_slice(&plain), a, t, &report);
    buf_done(&plain);
    if (err_ok(e))
        w->t = t;
    return err_ok(e) || err_is(e, E_NOMEM) || err_is(e, E_FORBIDDEN) ? e : FAIL(E_SEAL);
}

ERR template_set_take(struct template_set *s, struct store *store, struct arena *a, const struct redis_reply *const *replies, size_t n)
{
    if (n != s->n)
        return FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i < n; i++)
        if (redis_reply_type(replies[i]) == REDIS_STR)
            TRY(open_one(&s->want[i], store, a, redis_reply_str(replies[i])));
    return OK;
}

const struct qtemplate *template_set_find(const struct template_set *s, const char muni[static 6], struct slice id, unsigned version)
{
    const struct template_want *w = find(s, muni, id, version);
    return w ? w->t : NULL;
}

/* ---- the index ---- */

ERR template_index_open(struct store *store, const char muni[static 6], const struct redis_reply *sealed, struct arena *a, struct qt_index *ret_x)
{
    struct store_name key;
    struct buf plain;
    ret_x->n = 0;
    if (redis_reply_type(sealed) != REDIS_STR)
        return OK;
    template_key(muni, &key);
    buf_init(&plain, QT_INDEX_MAX);
    struct err e = store_open(store, slice_of(muni, 6), &key, QT_INDEX, redis_reply_str(sealed), &plain);
    struct slice kept = err_ok(e) ? arena_dup(a, buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    TRY(e);
    TRY(arena_check(a));
    return qt_index_decode(kept, ret_x);
}

const struct qt_entry *template_for(const struct qt_index *x, struct slice program, ymd_t day)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct qt_entry *e = &x->entries[i];
        if ((e->from && day < e->from) || (e->to && e->to < day))
            continue;
        for (size_t k = 0; k < e->n_programs; k++)
            if (slice_eq(e->programs[k], program))
                return e;
    }
    return NULL;
}
