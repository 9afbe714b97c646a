#include "gateway/courier/sweep.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/courier/courier_in.h"

enum { PAGE = 64, BATCH_MAX = 64 * 1024, SWAP_MAX = 4096, VALUE_MAX = 128, CURSOR_MAX = 24, TIE_CHARS = 8, MARKS = 2 /* of each: tie, subject */ };

struct found { struct lane_dead d; char value[VALUE_MAX]; size_t n_value; struct notice n; bool gone; };

struct sweep {
    struct courier *c;
    bool busy;
    char cursor[CURSOR_MAX];
    uint64_t turn; /* a small hash comes whole, however long: each time another part of it is looked at */
    size_t n, at;
    struct found page[PAGE];
};

struct sweep *sweep_new(struct courier *c)
{
    struct sweep *s = calloc(1, sizeof *s);
    if (s) {
        s->c = c;
        s->cursor[0] = '0';
    }
    return s;
}

void sweep_free(struct sweep *s) { free(s); }

static void end(struct sweep *s, struct err e)
{
    if (!err_ok(e))
        LOG(WARN, "dead_letters_not_swept", LF("error", e));
    s->busy = false;
    explicit_bzero(s->page, sizeof s->page);
}

static void ask(struct sweep *s, struct redis_batch *b, redis_done_fn *fn)
{
    s->c->questions++;
    redis_send(s->c->p.redis, b, courier_now(s->c) + ASK_MS, fn, s);
}

/* ---- one that goes ---- */

static void next_gone(struct sweep *s);

static void on_dropped(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    (void)replies, (void)n;
    s->c->questions--;
    s->at++;
    if (err_ok(e))
        next_gone(s);
    else
        end(s, e);
}

static ERR drop(struct sweep *s)
{
    const struct found *f = &s->page[s->at];
    struct redis_swap *swap = redis_swap_new(SWAP_MAX);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct err e = swap && b ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        lanes_drop(&f->d, slice_of(f->value, f->n_value), swap);
        e = redis_swap_put(swap, b);
    }
    redis_swap_free(swap);
    if (err_ok(e))
        ask(s, b, on_dropped);
    else
        redis_batch_free(b);
    return e;
}

static void on_recorded(void *arg, struct err e)
{
    struct sweep *s = arg;
    s->c->questions--;
    if (err_ok(e))
        e = drop(s);
    if (!err_ok(e))
        end(s, e);
}

static void next_gone(struct sweep *s)
{
    struct audit_rec rec;
    while (s->at < s->n && !s->page[s->at].gone)
        s->at++;
    if (s->at == s->n || s->c->closing) {
        end(s, OK);
        return;
    }
    const struct attempt as = { .c = s->c, .n = s->page[s->at].n, .k = open_connector_of(s->page[s->at].n.kind) };
    const struct err why = FAIL(E_NOTHING);
    attempt_audit(&as, AU_NOTICE_DROPPED, &why, &rec);
    s->c->questions++;
    audit_append(s->c->p.audit, &rec, courier_now(s->c) + ASK_MS, on_recorded, s);
}

/* ---- whom it is about ---- */

static bool has_subject(const struct notice *n)
{
    static const uint8_t NOT_KNOWN[SUBJECT_BYTES];
    const bool of_record = n->kind == NOTICE_RECORD || n->kind == NOTICE_CITIZEN || n->kind == NOTICE_PROVISION;
    return of_record && !slice_eq(ARR(n->subject), ARR(NOT_KNOWN));
}

static void on_marks(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    s->c->questions--;
    if (err_ok(e) && n != MARKS * s->n)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        end(s, e);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        const bool tied = redis_reply_type(replies[MARKS * i]) == REDIS_STR, known = redis_reply_type(replies[MARKS * i + 1]) == REDIS_STR;
        s->page[i].gone = !tied && !(has_subject(&s->page[i].n) && known);
    }
    s->at = 0;
    next_gone(s);
}

static void add_marks(const struct notice *n, struct redis_batch *b)
{
    char tie[TIE_CHARS] = "s:";
    struct store_name person, subject;
    memcpy(tie + 2, n->muni, sizeof n->muni);
    store_name_person(&n->person, &person);
    store_name_subject(n->subject, &subject); /* of a session: none of that name */
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&person), ARR(tie));
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&subject), LIT("k"));
}

static void on_messages(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    size_t kept = 0;
    s->c->questions--;
    if (err_ok(e) && (n != s->n || !b))
        e = b ? FAIL(E_STORE_REFUSED) : FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < n; i++) {
        struct found *f = &s->page[i];
        if (!err_ok(notice_open(s->c->p.store, f->d.id, redis_reply_str(replies[i]), &f->n)))
            continue; /* the operator sees it */
        s->page[kept] = *f;
        add_marks(&s->page[kept++].n, b);
    }
    s->n = kept;
    if (err_ok(e) && kept) {
        ask(s, b, on_marks);
        return;
    }
    redis_batch_free(b);
    end(s, e);
}

/* ---- a page ---- */

static void take(struct sweep *s, const struct redis_reply *pairs)
{
    const size_t all = redis_reply_len(pairs) / 2, first = all > PAGE ? (size_t)(s->turn * PAGE % all) : 0;
    s->turn++;
    s->n = 0;
    for (size_t i = 0; i < all && s->n < PAGE; i++) {
        const size_t at = 2 * ((first + i) % all);
        struct found *f = &s->page[s->n];
        const struct slice id = redis_reply_str(redis_reply_at(pairs, at)), value = redis_reply_str(redis_reply_at(pairs, at + 1));
        if (value.n > VALUE_MAX || !lanes_dead_parse(id, value, &f->d))
            continue;
        memcpy(f->value, value.p, value.n);
        f->n_value = value.n;
        s->n++;
    }
}

static void on_page(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    const struct redis_reply *pairs = err_ok(e) && n == 1 && redis_reply_len(replies[0]) == 2 ? redis_reply_at(replies[0], 1) : NULL;
    const struct slice cursor = pairs ? redis_reply_str(redis_reply_at(replies[0], 0)) : SLICE_NONE;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    s->c->questions--;
    if (err_ok(e) && (!b || !cursor.n || cursor.n >= sizeof s->cursor))
        e = b ? FAIL(E_STORE_REFUSED) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        memset(s->cursor, 0, sizeof s->cursor);
        memcpy(s->cursor, cursor.p, cursor.n);
        take(s, pairs);
    }
    if (!err_ok(e) || !s->n) {
        redis_batch_free(b);
        end(s, e);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct store_name name;
        notice_name(s->page[i].d.id, &name);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&name));
    }
    ask(s, b, on_messages);
}

void sweep_page(struct sweep *s)
{
    struct redis_batch *b = s->busy || s->c->closing ? NULL : redis_batch_new(BATCH_MAX);
    if (!b)
        return;
    s->busy = true;
    REDIS_ADD(b, LIT("HSCAN"), LANES_DEAD, slice_str(s->cursor), LIT("COUNT"), LIT("64"));
    ask(s, b, on_page);
}
