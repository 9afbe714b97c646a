#include "keys/ctl/letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/ctl/link_once.h"

enum { PAGE = 500, BATCH_MAX = 256 * 1024, CAP_FIRST = 64, CURSOR_MAX = 24 };

struct reading { struct letters *l; struct store *store; char cursor[CURSOR_MAX]; size_t page_at; /* where this page begins */ };

/* ---- one entry ---- */

static char *text_of(struct slice s)
{
    char *copy = malloc(s.n + 1);
    if (!copy)
        return NULL;
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

static ERR add(struct letters *l, struct slice name, struct slice value)
{
    if (l->n == LETTERS_MAX)
        return FAIL(E_FULL);
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : CAP_FIRST;
        struct letter *at = realloc(l->at, cap * sizeof *at);
        if (!at)
            return FAIL(E_NOMEM);
        l->at = at;
        l->cap = cap;
    }
    struct letter *x = &l->at[l->n];
    *x = (struct letter){ .name = text_of(name), .value = text_of(value), .n_name = name.n, .n_value = value.n };
    l->n++;
    x->good = lanes_dead_parse(name, value, &x->d);
    return x->name && x->value ? OK : FAIL(E_NOMEM);
}

/* ---- a page ---- */

static struct err page_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct reading *r = arg;
    const struct redis_reply *pairs = n == 1 && redis_reply_len(replies[0]) == 2 ? redis_reply_at(replies[0], 1) : NULL;
    const struct slice cursor = pairs ? redis_reply_str(redis_reply_at(replies[0], 0)) : SLICE_NONE;
    if (!cursor.n || cursor.n >= sizeof r->cursor || !all_digits(cursor))
        return FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i + 1 < redis_reply_len(pairs); i += 2)
        TRY(add(r->l, redis_reply_str(redis_reply_at(pairs, i)), redis_reply_str(redis_reply_at(pairs, i + 1))));
    memcpy(r->cursor, cursor.p, cursor.n);
    r->cursor[cursor.n] = '\0';
    return OK;
}

static struct err messages_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct reading *r = arg;
    size_t k = 0;
    for (size_t i = r->page_at; i < r->l->n && k < n; i++) {
        struct letter *x = &r->l->at[i];
        if (x->good)
            x->opened = err_ok(notice_open(r->store, x->d.id, redis_reply_str(replies[k++]), &x->notice));
    }
    return OK;
}

static ERR open_page(const struct state *s, struct reading *r)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    size_t wanted = 0;
    for (size_t i = r->page_at; b && i < r->l->n; i++) {
        struct store_name name;
        if (!r->l->at[i].good)
            continue;
        notice_name(r->l->at[i].d.id, &name);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&name));
        wanted++;
    }
    if (b && !wanted) {
        redis_batch_free(b);
        return OK;
    }
    return link_once(s, b, messages_heard, r);
}

/* A page of a small hash is all of it, however long: its messages are asked for in parts. */
static ERR read_page(const struct state *s, struct reading *r)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    const size_t begin = r->l->n;
    if (b)
        REDIS_ADD(b, LIT("HSCAN"), LANES_DEAD, slice_str(r->cursor), LIT("COUNT"), LIT("500"));
    TRY(link_once(s, b, page_heard, r));
    const size_t end = r->l->n;
    struct err e = OK;
    for (r->page_at = begin; r->store && err_ok(e) && r->page_at < end; r->page_at += PAGE) {
        r->l->n = end - r->page_at < PAGE ? end : r->page_at + PAGE;
        e = open_page(s, r);
    }
    r->l->n = end;
    return e;
}

/* ---- all ---- */

/* The same entry may come on two pages. */
static int by_name(const void *a, const void *b)
{
    const struct letter *x = a, *y = b;
    size_t i = 0;
    if (x->n_name != y->n_name)
        return x->n_name < y->n_name ? -1 : 1;
    while (i < x->n_name && x->name[i] == y->name[i])
        i++;
    return i == x->n_name ? 0 : x->name[i] < y->name[i] ? -1 : 1;
}

static int newest(const void *a, const void *b)
{
    const struct letter *x = a, *y = b;
    if (x->good != y->good)
        return x->good ? -1 : 1;
    return x->d.at_ms < y->d.at_ms ? 1 : x->d.at_ms > y->d.at_ms ? -1 : 0;
}

static void letter_done(struct letter *x)
{
    free(x->name);
    free(x->value);
}

static void each_once(struct letters *l)
{
    size_t kept = 0;
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, by_name);
    for (size_t i = 0; i < l->n; i++) {
        if (kept && by_name(&l->at[kept - 1], &l->at[i]) == 0)
            letter_done(&l->at[i]);
        else
            l->at[kept++] = l->at[i];
    }
    l->n = kept;
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, newest);
}

ERR letters_read(const struct state *s, struct store *store, struct letters *ret_l)
{
    struct reading r = { .l = ret_l, .store = store, .cursor = "0" };
    *ret_l = (struct letters){ .n = 0 };
    do {
        struct err e = read_page(s, &r);
        if (!err_ok(e)) {
            letters_done(ret_l);
            return e;
        }
    } while (strcmp(r.cursor, "0") != 0);
    each_once(ret_l);
    return OK;
}

void letters_done(struct letters *l)
{
    for (size_t i = 0; i < l->n; i++)
        letter_done(&l->at[i]);
    free(l->at);
    *l = (struct letters){ .n = 0 };
}

const char *letter_kind(const struct letter *l)
{
    static const char *const KINDS[NOTICE_KIND__MAX] = { "?", "questionnaire", "eligibility", "record", "citizen", "provision" };
    return KINDS[l->opened ? l->notice.kind : 0];
}

/* ---- how much waits ---- */

struct counting { struct lanes_state lanes; uint64_t now_ms; };

static struct err counted(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct counting *c = arg;
    return lanes_state(replies, n, c->now_ms, &c->lanes) ? OK : FAIL(E_STORE_REFUSED);
}

ERR letters_state_read(const struct state *s, struct letters_state *ret_s)
{
    struct clock clock = clock_system();
    struct counting c = { .now_ms = clock_wall(&clock) };
    struct letters_state seen = { .oldest_dead_ms = 0 };
    struct letters l;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        lanes_ask_state(b);
    TRY(link_once(s, b, counted, &c));
    seen.lanes = c.lanes;
    if (c.lanes.dead) {
        TRY(letters_read(s, NULL, &l));
        for (size_t i = 0; i < l.n && l.at[i].good; i++) /* the last of these is the oldest */
            seen.oldest_dead_ms = l.at[i].d.at_ms < c.now_ms ? c.now_ms - l.at[i].d.at_ms : 0;
        letters_done(&l);
    }
    *ret_s = seen;
    return OK;
}
