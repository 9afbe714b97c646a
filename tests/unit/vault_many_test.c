/* LINK_MANY and the keys of files, over a real redis-server, pmhgw-audit and pmhgw-vault. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/audit/audit_log.h"
#include "gateway/redis/redis.h"
#include "tests/unit/vault_ask.h"

/* Made up, of nobody. */
#define N1 "540000000016"
#define N2 "540000000024"
#define MUNI "331007"

struct many {
    struct err e;
    size_t n;
    struct nz_linked linked[NZ_MANY_MAX];
    int done;
};

static void on_many(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct many *r = arg;
    r->e = e;
    r->n = n;
    for (size_t i = 0; i < n; i++)
        r->linked[i] = linked[i];
    r->done++;
}

static void many_start(struct town *t, struct many *r, const char *muni, bool create, size_t n, const char (*digits)[13])
{
    const struct nz_mynum *numbers[NZ_MANY_MAX];
    struct nz_mynum *made[NZ_MANY_MAX];
    for (size_t i = 0; i < n; i++) {
        assert_true(err_ok(nz_mynum_new(&made[i], t->pool, slice_str(digits[i]))));
        numbers[i] = made[i];
    }
    *r = (struct many){ 0 };
    nz_vault_link_many(t->client, muni, create, numbers, n, loop_now(t->loop) + WAIT_MS, on_many, r);
    assert_int_equal(r->done, 0);
    for (size_t i = 0; i < n; i++)
        nz_mynum_free(made[i]);
}

static struct many link_many(struct town *t, const char *muni, bool create, size_t n, const char (*digits)[13])
{
    struct many r;
    many_start(t, &r, muni, create, n, digits);
    town_wait(t, &r.done, 1);
    return r;
}

static void fresh_numbers(char (*digits)[13], size_t n, unsigned base)
{
    for (size_t i = 0; i < n; i++)
        snprintf(digits[i], 13, "55%010zu", base * 1000u + i);
}

static bool same_sid(const struct nz_linked *a, const uint8_t *sid) { return memcmp(a->subject.sid, sid, 16) == 0; }

static void new_known_mixed_and_twice(void **state)
{
    struct town *t = *state;
    static const uint8_t NONE[16];
    char d[64][13];
    assert_int_equal(link_until_up(t, N1).e.code, E_OK);
    fresh_numbers(d, 64, 1);
    struct many look = link_many(t, MUNI, false, 64, d);
    assert_int_equal(look.e.code, E_OK);
    assert_int_equal(look.n, 64);
    for (size_t i = 0; i < 64; i++)
        assert_true(look.linked[i].known == NZ_KNOWN_NOT && same_sid(&look.linked[i], NONE));
    struct many half = link_many(t, MUNI, true, 32, d), all = link_many(t, MUNI, true, 64, d), again = link_many(t, MUNI, false, 64, d);
    assert_true(err_ok(half.e) && err_ok(all.e) && err_ok(again.e)); /* looking has made nothing: half of them are new */
    for (size_t i = 0; i < 64; i++) {
        assert_true(i >= 32 || half.linked[i].known == NZ_KNOWN_NEW);
        assert_int_equal(all.linked[i].known, i < 32 ? NZ_KNOWN : NZ_KNOWN_NEW);
        assert_int_equal(again.linked[i].known, NZ_KNOWN);
        assert_true(i >= 32 || same_sid(&all.linked[i], half.linked[i].subject.sid));
        assert_true(same_sid(&again.linked[i], all.linked[i].subject.sid));
        for (size_t k = 0; k < i; k++)
            assert_false(same_sid(&all.linked[i], all.linked[k].subject.sid));
    }
    struct linked one = link_number(t, MUNI, d[40], NULL); /* LINK finds what LINK_MANY has made */
    assert_true(one.known && same_sid(&all.linked[40], one.subject.sid));
    struct linked elsewhere = link_number(t, "131016", d[40], NULL);
    assert_false(elsewhere.known);
    fresh_numbers(d, 4, 2);
    memcpy(d[2], d[0], 13);
    memcpy(d[3], N1, 13);
    struct many twice = link_many(t, MUNI, true, 4, d);
    assert_int_equal(twice.linked[0].known, NZ_KNOWN_NEW);
    assert_int_equal(twice.linked[2].known, NZ_KNOWN); /* made by the first */
    assert_int_equal(twice.linked[3].known, NZ_KNOWN);
    assert_true(same_sid(&twice.linked[2], twice.linked[0].subject.sid));
    memcpy(d[1], d[0], 13);
    fresh_numbers(d, 1, 3);
    memcpy(d[1], d[0], 13);
    look = link_many(t, MUNI, false, 2, d);
    assert_true(look.linked[0].known == NZ_KNOWN_NOT && look.linked[1].known == NZ_KNOWN_NOT);
    assert_int_equal(link_many(t, "271004", true, 2, d).e.code, E_FORBIDDEN);
    assert_int_equal(nz_pool_used(t->pool), 0);
}

/* Many callers with the same new numbers in other orders, and LINK between them: each number gets one subject, made once. */
static void racing_for_the_same_new_numbers(void **state)
{
    struct town *t = *state;
    enum { CALLERS = 24, LINKS = 32 };
    static struct many r[CALLERS];
    static struct linked one[LINKS];
    char d[64][13], turned[64][13];
    int made[64] = { 0 };
    fresh_numbers(d, 64, 4);
    for (size_t c = 0; c < CALLERS; c++) {
        for (size_t i = 0; i < 64; i++)
            memcpy(turned[i], d[(i + c * 5) % 64], 13);
        if (c < LINKS / 2)
            link_start(t, &one[2 * c], MUNI, d[2 * c], NULL);
        many_start(t, &r[c], MUNI, true, 64, turned);
        if (c < LINKS / 2)
            link_start(t, &one[2 * c + 1], MUNI, d[2 * c + 1], NULL);
    }
    for (size_t c = 0; c < CALLERS; c++) {
        town_wait(t, &r[c].done, 1);
        assert_int_equal(r[c].e.code, E_OK);
        for (size_t i = 0; i < 64; i++) {
            size_t number = (i + c * 5) % 64;
            made[number] += r[c].linked[i].known == NZ_KNOWN_NEW;
            assert_true(same_sid(&r[c].linked[i], r[0].linked[number].subject.sid));
        }
    }
    for (size_t i = 0; i < LINKS; i++) {
        town_wait(t, &one[i].done, 1);
        assert_int_equal(one[i].e.code, E_OK);
        assert_true(same_sid(&r[0].linked[i], one[i].subject.sid));
        made[i] += !one[i].known;
    }
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(made[i], 1);
}

/* ---- straight frames ---- */

static enum err_code once(struct town *t, enum ipc_role role, const char *cap_name, uint8_t type, struct slice body)
{
    uint8_t reply[1280];
    size_t n = 0;
    struct secret *cap = town_cap(t, cap_name);
    struct err e = ipc_call_once(town_path(t, "vault.sock").s, role, cap, type, body, WAIT_MS, reply, sizeof reply, &n);
    secret_free(cap);
    return e.code;
}

static void wrong_sizes_and_roles(void **state)
{
    struct town *t = *state;
    uint8_t b[NZ_MANY_HEAD_BYTES + (NZ_MANY_MAX + 1) * 12] = MUNI "\1\2" N1 N2;
    struct slice two = slice_of(b, NZ_MANY_HEAD_BYTES + 24);
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, two), E_OK);
    assert_int_not_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_LINK_MANY, two), E_OK);
    assert_int_not_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_KEY_NEW, slice_of(b, NZ_KEY_NEW_BYTES)), E_OK);
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, slice_of(b, two.n - 1)), E_PROTOCOL);
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, slice_of(b, two.n + 12)), E_PROTOCOL);
    b[6] = 2;
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, two), E_PROTOCOL);
    b[6] = 1;
    b[8] = 'x';
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, two), E_FIELD);
    b[7] = 0;
    assert_int_not_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, slice_of(b, NZ_MANY_HEAD_BYTES)), E_OK);
    memset(b + 8, '1', sizeof b - 8);
    b[7] = NZ_MANY_MAX + 1;
    assert_int_not_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK_MANY, ARR(b)), E_OK);
}

/* ---- the keys of files ---- */

struct keyed {
    struct err e;
    uint8_t key[NZ_FILE_KEY_BYTES], wrapped[NZ_WRAPPED_KEY_BYTES];
    int done;
};

static struct err copy_key(struct slice bytes, void *arg)
{
    assert_int_equal(bytes.n, NZ_FILE_KEY_BYTES);
    memcpy(arg, bytes.p, bytes.n);
    return OK;
}

static void on_key(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct keyed *k = arg;
    k->e = e;
    assert_int_equal(err_ok(e), key != NULL);
    if (key)
        assert_true(err_ok(secret_use(key, copy_key, k->key)));
    if (wrapped)
        memcpy(k->wrapped, wrapped, sizeof k->wrapped);
    secret_free(key);
    k->done++;
}

static const uint8_t FILE1[16] = "file of a city 1", FILE2[16] = "file of a city 2";

static struct keyed key_new(struct town *t, const char *muni, const uint8_t *file)
{
    struct keyed k = { 0 };
    nz_vault_key_new(t->client, muni, file, loop_now(t->loop) + WAIT_MS, on_key, &k);
    assert_int_equal(k.done, 0);
    town_wait(t, &k.done, 1);
    return k;
}

static struct keyed key_open(struct town *t, const char *muni, const uint8_t *file, const uint8_t *wrapped)
{
    struct keyed k = { 0 };
    nz_vault_key_open(t->client, muni, file, slice_of(wrapped, NZ_WRAPPED_KEY_BYTES), loop_now(t->loop) + WAIT_MS, on_key, &k);
    town_wait(t, &k.done, 1);
    return k;
}

static void a_key_opens_for_its_file_only(void **state)
{
    struct town *t = *state;
    struct keyed a = key_new(t, MUNI, FILE1), b = key_new(t, MUNI, FILE1), c = key_open(t, MUNI, FILE1, a.wrapped);
    assert_int_equal(a.e.code, E_OK);
    assert_memory_not_equal(a.key, b.key, sizeof a.key);
    assert_int_equal(c.e.code, E_OK);
    assert_memory_equal(a.key, c.key, sizeof a.key);
    assert_int_equal(key_open(t, MUNI, FILE2, a.wrapped).e.code, E_SEAL);
    assert_int_equal(key_open(t, "131016", FILE1, a.wrapped).e.code, E_SEAL);
    assert_int_equal(key_open(t, "271004", FILE1, a.wrapped).e.code, E_FORBIDDEN);
    assert_int_equal(key_new(t, "271004", FILE1).e.code, E_FORBIDDEN);
    for (size_t i = 0; i < NZ_WRAPPED_KEY_BYTES; i++) {
        a.wrapped[i] ^= 4;
        assert_int_equal(key_open(t, MUNI, FILE1, a.wrapped).e.code, E_SEAL);
        a.wrapped[i] ^= 4;
    }
}

static void restart(struct town *t)
{
    town_stop(t, T_VAULT, SIGTERM);
    town_start(t, T_VAULT);
    for (int i = 0; i < 100 && !err_ok(link_number(t, "131016", N2, NULL).e); i++)
        usleep(50000);
}

/* The key is destroyed, and then made anew: neither opens what was sealed before; numbers are sealed anew under their subjects. */
static void a_destroyed_key(void **state)
{
    struct town *t = *state;
    struct town_path ring = town_path(t, "v.ring"), master = town_path(t, "v.master");
    char d[3][13];
    fresh_numbers(d, 3, 5);
    struct keyed a = key_new(t, MUNI, FILE1);
    struct many before = link_many(t, MUNI, true, 2, d);
    assert_true(err_ok(keyring_destroy(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT(MUNI))));
    restart(t);
    assert_int_equal(link_many(t, MUNI, true, 3, d).e.code, E_FORBIDDEN);
    struct keyed k = key_open(t, MUNI, FILE1, a.wrapped);
    for (int i = 0; i < 50 && k.e.code == E_AUDIT_DOWN; i++, usleep(50000)) /* the way to the log comes up later */
        k = key_open(t, MUNI, FILE1, a.wrapped);
    assert_int_equal(k.e.code, E_FORBIDDEN);
    assert_true(err_ok(keyring_add(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT(MUNI), NULL)));
    restart(t);
    struct many look = link_many(t, MUNI, false, 2, d), after = link_many(t, MUNI, true, 3, d), again = link_many(t, MUNI, true, 3, d);
    assert_int_equal(after.e.code, E_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_true(look.linked[i].known == NZ_KNOWN && after.linked[i].known == NZ_KNOWN);
        assert_true(same_sid(&after.linked[i], before.linked[i].subject.sid));
    }
    assert_int_equal(after.linked[2].known, NZ_KNOWN_NEW);
    assert_int_equal(again.linked[2].known, NZ_KNOWN);
    k = key_open(t, MUNI, FILE1, a.wrapped);
    for (int i = 0; i < 50 && k.e.code == E_AUDIT_DOWN; i++, usleep(50000))
        k = key_open(t, MUNI, FILE1, a.wrapped);
    assert_int_equal(k.e.code, E_SEAL);
    struct nz_ticket ticket = ticket_new(), next = ticket_new();
    struct linked one = link_number(t, MUNI, d[0], &ticket); /* what was sealed anew can be revealed */
    struct revealed r = reveal(t, MUNI, &one.subject, &ticket, &next);
    assert_int_equal(r.e.code, E_OK);
    assert_string_equal(r.digits, d[0]);
}

/* ---- somebody changed the store ---- */

struct replied {
    int done;
    struct buf value;
};

static void on_reply(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct replied *r = arg;
    assert_true(err_ok(e) && n == 1);
    buf_put(&r->value, redis_reply_str(replies[0]));
    r->done++;
}

static struct buf store_ask(struct town *t, struct redis *redis, size_t n, const struct slice *args)
{
    struct replied r = { 0 };
    struct redis_batch *b = redis_batch_new(4096);
    buf_init(&r.value, 4096);
    redis_add(b, n, args);
    redis_send(redis, b, loop_now(t->loop) + WAIT_MS, on_reply, &r);
    town_wait(t, &r.done, 1);
    return r.value;
}

static void place_of(const struct nz_linked *l, char out[35])
{
    memcpy(out, "n:", 2);
    for (size_t i = 0; i < 16; i++)
        snprintf(out + 2 + 2 * i, 3, "%02x", l->subject.sid[i]);
}

static void a_number_moved_in_the_store_is_refused(void **state)
{
    struct town *t = *state;
    struct redis *redis = NULL;
    struct secret *pass = NULL;
    char d[3][13], a[35], b[35];
    fresh_numbers(d, 3, 6);
    struct many r = link_many(t, MUNI, true, 2, d);
    assert_true(err_ok(secret_new(&pass, LIT("secretsecret"))));
    struct town_path sock = town_path(t, "redis.sock");
    assert_true(err_ok(redis_new(&redis, t->loop, (struct redis_conf){ .path = sock.s, .user = "vault", .password = pass, .conns = 1, .queue_max = 16 })));
    for (int i = 0; i < 1000 && !redis_up(redis); i++, usleep(1000))
        uv_run(loop_uv(t->loop), UV_RUN_NOWAIT);
    place_of(&r.linked[0], a);
    place_of(&r.linked[1], b);
    /* the sealed number of the other one: does not open in that place, but the index is proven: it is sealed anew */
    struct buf other = store_ask(t, redis, 2, (struct slice[]){ LIT("GET"), slice_of(b, 34) }), own = store_ask(t, redis, 2, (struct slice[]){ LIT("GET"), slice_of(a, 34) });
    struct buf ok = store_ask(t, redis, 3, (struct slice[]){ LIT("SET"), slice_of(a, 34), buf_slice(&other) });
    buf_done(&ok);
    struct many look = link_many(t, MUNI, false, 3, d);
    assert_true(err_ok(look.e) && look.linked[0].known == NZ_KNOWN);
    struct buf still = store_ask(t, redis, 2, (struct slice[]){ LIT("GET"), slice_of(a, 34) });
    assert_true(slice_eq(buf_slice(&still), buf_slice(&other))); /* looking wrote nothing */
    struct many mended = link_many(t, MUNI, true, 2, d);
    assert_true(err_ok(mended.e) && same_sid(&mended.linked[0], r.linked[0].subject.sid));
    buf_done(&still);
    still = store_ask(t, redis, 2, (struct slice[]){ LIT("GET"), slice_of(a, 34) });
    assert_false(slice_eq(buf_slice(&still), buf_slice(&other)));
    buf_done(&still);
    buf_done(&other);
    buf_done(&own);
    redis_close(redis);
}

struct tally {
    unsigned opened, refused;
};

static bool count_entry(void *arg, const struct audit_entry *e)
{
    struct tally *n = arg;
    bool key = e->rec.event == AU_FILE_KEY_OPENED;
    n->opened += key && e->rec.result == AR_OK;
    n->refused += key && e->rec.result == AR_REFUSED;
    if (key)
        assert_memory_equal(e->rec.request.b, FILE1, 7);
    return true;
}

static void every_opened_key_is_recorded(void **state)
{
    struct town *t = *state;
    struct tally n = { 0 };
    struct audit_verdict v;
    struct keyed a = key_new(t, MUNI, FILE1);
    town_stop(t, T_AUDIT, SIGTERM);
    struct keyed k = key_open(t, MUNI, FILE1, a.wrapped);
    assert_int_equal(k.e.code, E_AUDIT_DOWN); /* and no key without a record */
    assert_true(err_ok(audit_log_verify(town_path(t, "audit").s, count_entry, &n, &v)));
    assert_true(v.good);
    assert_int_equal(n.opened, 1);
    assert_in_range(n.refused, 3 + NZ_WRAPPED_KEY_BYTES + 2, 3 + NZ_WRAPPED_KEY_BYTES + 8);
}

static int setup(void **state)
{
    static struct town t;
    town_open(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    town_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_known_mixed_and_twice), cmocka_unit_test(racing_for_the_same_new_numbers), cmocka_unit_test(wrong_sizes_and_roles),
        cmocka_unit_test(a_key_opens_for_its_file_only), cmocka_unit_test(a_number_moved_in_the_store_is_refused), cmocka_unit_test(a_destroyed_key),
        cmocka_unit_test(every_opened_key_is_recorded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
