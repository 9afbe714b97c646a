#ifndef TESTS_CONSENT_WORLD_H
#define TESTS_CONSENT_WORLD_H

/* A person's hash as Redis would hold it, on which the commands of a batch are carried out, and what a clinic does to it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/consent/consent_int.h"
#include "gateway/redis/redis_int.h"

#define NOW UINT64_C(1795000000000)
#define DAY UINT64_C(86400000)
#define MUNI "331007"

/* A hash as Redis would hold it; batches are carried out on it. */
enum { FIELDS_MAX = 512 };
struct world {
    char dir[32], ring[64], master[64];
    struct store *store;
    struct person p;
    struct store_name person;
    size_t n;
    char field[FIELDS_MAX][64];
    struct buf value[FIELDS_MAX];
    struct redis_reply *hash;
    bool halves; /* uses are written before the hash is known */
};

static void add_key(struct world *w, enum key_kind kind, const char *id)
{
    assert_int_equal(keyring_add(RING_LINK, w->ring, w->master, kind, slice_str(id), NULL).code, E_OK);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct keyring *ring;
    memcpy(w->dir, "/tmp/consent_test_XXXXXX", 25);
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->ring, sizeof w->ring, "%s/ring", w->dir);
    snprintf(w->master, sizeof w->master, "%s/master", w->dir);
    assert_int_equal(keyring_create(RING_LINK, w->ring, w->master).code, E_OK);
    add_key(w, KEY_LINK_INDEX, "1"), add_key(w, KEY_LINK_COMMON, "1"), add_key(w, KEY_AUDIT_HANDLE, "1"), add_key(w, KEY_LINK_DATA, MUNI);
    assert_int_equal(keyring_load(&ring, RING_LINK, w->ring, w->master).code, E_OK);
    assert_int_equal(store_new(&w->store, ring).code, E_OK);
    keyring_free(ring);
    assert_int_equal(store_person(w->store, LIT("PMH-1"), &w->p).code, E_OK);
    store_name_person(&w->p, &w->person);
    *state = w;
    return 0;
}

static void hash_free(struct world *w)
{
    for (size_t i = 0; w->hash && i < w->hash->n; i++)
        free(w->hash->items[i]);
    if (w->hash)
        free(w->hash->items);
    free(w->hash);
    w->hash = NULL;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    hash_free(w);
    for (size_t i = 0; i < w->n; i++)
        buf_done(&w->value[i]);
    store_free(w->store);
    unlink(w->ring), unlink(w->master), rmdir(w->dir);
    free(w);
    return 0;
}

static struct redis_reply *text(struct slice s)
{
    struct redis_reply *r = calloc(1, sizeof *r);
    *r = (struct redis_reply){ .type = REDIS_STR, .n = s.n, .bytes = s.p };
    return r;
}

/* The reply to HGETALL now. */
static const struct redis_reply *hash(struct world *w)
{
    hash_free(w);
    w->hash = calloc(1, sizeof *w->hash);
    *w->hash = (struct redis_reply){ .type = REDIS_ARRAY, .n = 2 * w->n, .items = calloc(2 * w->n + 1, sizeof(struct redis_reply *)) };
    for (size_t i = 0; i < w->n; i++) {
        w->hash->items[2 * i] = text(slice_str(w->field[i]));
        w->hash->items[2 * i + 1] = text(buf_slice(&w->value[i]));
    }
    return w->hash;
}

static size_t place(struct world *w, struct slice field)
{
    size_t i = 0;
    while (i < w->n && !slice_eq(slice_str(w->field[i]), field))
        i++;
    return i;
}

static void put(struct world *w, struct slice field, struct slice value)
{
    size_t i = place(w, field);
    assert_true(i < FIELDS_MAX && field.n < sizeof w->field[0]);
    if (i == w->n) {
        memcpy(w->field[w->n], field.p, field.n);
        w->field[w->n++][field.n] = 0;
        buf_init(&w->value[i], 4096);
    }
    buf_reset(&w->value[i]);
    buf_put(&w->value[i], value);
}

static void drop(struct world *w, struct slice field)
{
    size_t i = place(w, field);
    if (i == w->n)
        return;
    buf_done(&w->value[i]);
    w->n--;
    memmove(w->field[i], w->field[w->n], sizeof w->field[0]);
    w->value[i] = w->value[w->n];
}

static struct slice take_arg(struct slice *in)
{
    struct slice head = SLICE_NONE, arg = SLICE_NONE, crlf;
    assert_true(slice_cut(*in, '\n', &head, in) && head.p[0] == '$');
    assert_true(slice_take(in, strtoul((const char *)head.p + 1, NULL, 10), &arg) && slice_take(in, 2, &crlf));
    return arg;
}

/* Carries the batch out and frees it. */
static void run(struct world *w, struct err e, struct redis_batch *b)
{
    struct slice in = buf_slice(&b->cmds), head = SLICE_NONE;
    assert_int_equal(e.code, E_OK);
    assert_int_equal(buf_check(&b->cmds).code, E_OK);
    while (in.n && slice_cut(in, '\n', &head, &in)) {
        size_t n = strtoul((const char *)head.p + 1, NULL, 10);
        struct slice arg[4] = { 0 };
        assert_true(head.p[0] == '*' && n >= 3 && n <= 4);
        for (size_t i = 0; i < n; i++)
            arg[i] = take_arg(&in);
        if (slice_eq(arg[0], LIT("HSET")))
            put(w, arg[2], arg[3]);
        else if (slice_eq(arg[0], LIT("HDEL")))
            drop(w, arg[2]), drop(w, arg[3]);
        else
            fail();
    }
    redis_batch_free(b);
}

static struct redis_batch *batch(void) { return redis_batch_new(1 << 20); }

static struct consent_name name_of(struct world *w, const char *id)
{
    struct consent_name n;
    assert_int_equal(consent_name_of(w->store, &w->p, slice_str(id), &n).code, E_OK);
    return n;
}

static struct consent_claim claim(struct world *w, const char *id, uint32_t version, uint64_t given_ms)
{
    return (struct consent_claim){ name_of(w, id), version, given_ms / 1000 };
}

/* The session that a test calls so. */
static struct consent_name session_of(struct world *w, const char *what)
{
    (void)w;
    struct consent_name n = { { 0 } };
    memcpy(n.b, what, strnlen(what, sizeof n.b));
    return n;
}

static const struct session_held HELD = { .cert = { 9, 8, 7 }, .fields = 0x3001, .purpose = "treatment" };

/* b: for the second half. */
static void use_in_halves(struct world *w, const struct consent_entry *e, const struct session_entry *n, uint64_t now, struct redis_batch *b)
{
    bool matters;
    struct consent_use u;
    const struct redis_reply *before = hash(w);
    assert_int_equal(consent_use_seal(w->store, &w->person, e, n, &HELD, &u).code, E_OK);
    const bool noted = place(w, store_name_slice(&u.given_field)) == w->n;
    struct err err = consent_use_settle(w->store, &w->person, before, e, n, noted, now, b, &matters);
    if (noted) /* HSETNX */
        put(w, store_name_slice(&u.given_field), buf_slice(&u.given));
    put(w, store_name_slice(&u.session_field), buf_slice(&u.session));
    consent_use_done(&u);
    run(w, err, b);
}

/* The first use of a key under this consent, which opens this session. */
static void use_at(struct world *w, const char clinic[static 10], const char *id, uint32_t version, const char *session, uint64_t now)
{
    struct consent_claim c = claim(w, id, version, now);
    struct consent_entry e = { .name = c.name, .version = version, .given_s = c.given_s, .until_ms = now + DAY, .seen_ms = now, .kinds = 1,
                               .purpose = "treatment" };
    struct session_entry n = { .name = session_of(w, session), .consent = c, .opened_ms = now, .until_ms = now + DAY, .kinds = 1 };
    struct redis_batch *b = batch();
    memcpy(e.clinic, clinic, sizeof e.clinic);
    memcpy(n.clinic, clinic, sizeof n.clinic);
    if (w->halves)
        use_in_halves(w, &e, &n, now, b);
    else
        run(w, consent_add_use(w->store, &w->person, hash(w), &e, &n, &HELD, now, b), b);
}

static void use(struct world *w, const char *id, uint32_t version, const char *session, uint64_t now)
{
    use_at(w, "3310010012", id, version, session, now);
}

static enum err_code judged(struct world *w, const char *id, uint32_t version, uint64_t given_ms)
{
    struct consent_claim c = claim(w, id, version, given_ms);
    return consent_judge(w->store, &w->person, hash(w), &c).code;
}

static enum err_code open_at(struct world *w, const char *session, const char *id, uint64_t given_ms, uint64_t now)
{
    struct consent_claim c = claim(w, id, 1, given_ms);
    struct consent_name s = session_of(w, session);
    return session_judge(w->store, &w->person, hash(w), &s, &c, now).code;
}

static struct consent_book *book(struct world *w, uint64_t now)
{
    static struct consent_book b;
    assert_int_equal(consent_read(w->store, &w->person, hash(w), now, &b).code, E_OK);
    return &b;
}

static size_t count(const struct world *w, const char *head)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += strncmp(w->field[i], head, strlen(head)) == 0;
    return n;
}

#endif
