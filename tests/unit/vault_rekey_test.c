/* What becomes of numbers when the data key of a municipality is destroyed and made anew, or when somebody changes the store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>
#undef REDIS_ERR /* a status of hiredis; in gateway/redis a type of reply */

#include "gateway/store/store.h"
#include "keys/vault/shelf.h"
#include "tests/unit/vault_ask.h"

/* Published samples and made-up bodies; of nobody. */
#define N1 "983205673214"
#define N2 "123456789018"
#define N3 "420000000017"
#define N4 "530000000025"
#define CLOSED "331007"
#define OTHER "131016"

static void ring_change(const struct town *t, bool destroy)
{
    struct town_path ring = town_path(t, "v.ring"), master = town_path(t, "v.master");
    if (destroy)
        assert_true(err_ok(keyring_destroy(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT(CLOSED))));
    else
        assert_true(err_ok(keyring_add(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT(CLOSED), NULL)));
}

static void vault_again(struct town *t)
{
    assert_int_equal(town_stop(t, T_VAULT, SIGTERM), 0);
    town_start(t, T_VAULT);
    for (int i = 0; i < 100 && !err_ok(link_number(t, OTHER, N1, NULL).e); i++)
        usleep(50000);
}

static struct revealed reveal_surely(struct town *t, const char *muni, const struct nz_subject *subject, const struct nz_ticket *ticket)
{
    struct nz_ticket none = { { 0 } };
    struct revealed r = { 0 };
    for (int i = 0; i < 20; i++) {
        r = reveal(t, muni, subject, ticket, &none);
        if (!err_is(r.e, E_AUDIT_DOWN)) /* the connection to the log comes up later */
            break;
    }
    return r;
}

static void test_key_made_anew(void **state)
{
    struct town *t = *state;
    struct nz_ticket before = ticket_new(), other = ticket_new(), after = ticket_new(), none = { { 0 } };
    assert_true(err_ok(link_until_up(t, N2).e));
    struct linked a = link_number(t, CLOSED, N1, &before), b = link_number(t, OTHER, N1, &other);
    ring_change(t, true);
    vault_again(t);
    assert_int_equal(link_number(t, CLOSED, N1, NULL).e.code, E_FORBIDDEN);
    assert_int_equal(REVEAL_CODE(t, CLOSED, &a.subject, &before, &none), E_FORBIDDEN);
    assert_string_equal(reveal_surely(t, OTHER, &b.subject, &other).digits, N1); /* nobody else lost anything */
    ring_change(t, false);
    vault_again(t);
    assert_int_equal(reveal_surely(t, CLOSED, &a.subject, &before).e.code, E_SEAL); /* gone for good */
    struct linked again = link_number(t, CLOSED, N1, &after);
    assert_int_equal(again.e.code, E_OK);
    assert_true(again.known);
    assert_memory_equal(again.subject.sid, a.subject.sid, 16);
    assert_string_equal(reveal_surely(t, CLOSED, &a.subject, &after).digits, N1);
}

/* Many rows of one person at once, all of which find the number sealed under the old key. */
static void test_sealed_anew_once(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new();
    static struct linked r[64];
    struct linked first = link_number(t, CLOSED, N2, NULL);
    ring_change(t, true);
    ring_change(t, false);
    vault_again(t);
    for (size_t i = 0; i < 64; i++)
        link_start(t, &r[i], CLOSED, N2, i == 63 ? &k : NULL);
    for (size_t i = 0; i < 64; i++) {
        town_wait(t, &r[i].done, 1);
        assert_int_equal(r[i].e.code, E_OK);
        assert_memory_equal(r[i].subject.sid, first.subject.sid, 16);
    }
    assert_string_equal(reveal_surely(t, CLOSED, &first.subject, &k).digits, N2);
}

/* ---- somebody writes into the store ---- */

struct store_hand {
    redisContext *c;
    struct nz_sealer *sealer;
};

static struct store_hand hand_open(const struct town *t)
{
    struct store_hand h = { 0 };
    struct keyring *ring = NULL;
    assert_true(err_ok(keyring_load(&ring, RING_VAULT, town_path(t, "v.ring").s, town_path(t, "v.master").s)));
    assert_true(err_ok(nz_sealer_new(&h.sealer, ring)));
    keyring_free(ring);
    h.c = redisConnectUnix(town_path(t, "redis.sock").s);
    assert_true(h.c && h.c->err == 0);
    freeReplyObject(redisCommand(h.c, "AUTH vault secretsecret"));
    return h;
}

static void hand_close(struct store_hand *h)
{
    redisFree(h->c);
    nz_sealer_free(h->sealer);
}

struct text {
    char s[80];
};
static struct text hex_name(const char *prefix, struct slice id)
{
    struct text t;
    struct buf b;
    buf_init(&b, sizeof t.s);
    buf_puts(&b, prefix);
    buf_hex(&b, id);
    memcpy(t.s, buf_cstr(&b), b.n + 1);
    buf_done(&b);
    return t;
}

static struct text index_name(struct store_hand *h, const char *muni, const char *digits)
{
    uint8_t index[MAC_BYTES];
    assert_true(err_ok(nz_sealer_index(h->sealer, slice_str(muni), slice_str(digits), index)));
    return hex_name("i:1:", ARR(index));
}

static struct text number_name(const struct linked *r) { return hex_name("n:", ARR(r->subject.sid)); }

static struct buf hand_get(struct store_hand *h, struct text key)
{
    struct buf b;
    buf_init(&b, 256);
    redisReply *r = redisCommand(h->c, "GET %s", key.s);
    assert_true(r && r->type == REDIS_REPLY_STRING);
    buf_put(&b, slice_of(r->str, (size_t)r->len));
    freeReplyObject(r);
    return b;
}

static void hand_set(struct store_hand *h, struct text key, struct slice value)
{
    redisReply *r = redisCommand(h->c, "SET %s %b", key.s, value.p, value.n);
    assert_true(r && r->type == REDIS_REPLY_STATUS);
    freeReplyObject(r);
}

struct many {
    struct err e;
    struct nz_linked first, second;
    int done;
};

static void on_many(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct many *r = arg;
    r->e = e;
    if (n == 2) {
        r->first = linked[0];
        r->second = linked[1];
    }
    r->done++;
}

/* LINK_MANY of this number and another one. */
static struct many link_many(struct town *t, const char *muni, const char *digits)
{
    struct nz_mynum *a = NULL, *b = NULL;
    struct many r = { 0 };
    assert_true(err_ok(nz_mynum_new(&a, t->pool, slice_str(digits))) && err_ok(nz_mynum_new(&b, t->pool, LIT(N2))));
    nz_vault_link_many(t->client, muni, true, (const struct nz_mynum *[]){ a, b }, 2, loop_now(t->loop) + WAIT_MS, on_many, &r);
    town_wait(t, &r.done, 1);
    nz_mynum_free(a);
    nz_mynum_free(b);
    return r;
}

/* The other number of the message is linked: a batch of a file must not wait for ever for one bad entry. */
static void assert_one_refused(struct many r)
{
    static const uint8_t NONE[16];
    assert_int_equal(r.e.code, E_OK);
    assert_int_equal(r.first.known, NZ_KNOWN_REFUSED);
    assert_memory_equal(r.first.subject.sid, NONE, 16);
    assert_true(r.second.known == NZ_KNOWN_NEW || r.second.known == NZ_KNOWN);
}

static void test_index_moved_to_another(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), good = ticket_new(), none = { { 0 } };
    struct linked a = link_number(t, OTHER, N3, NULL), b = link_number(t, OTHER, N4, NULL);
    assert_true(err_ok(a.e) && err_ok(b.e));
    struct store_hand h = hand_open(t);
    struct buf of_a = hand_get(&h, index_name(&h, OTHER, N3)), of_b = hand_get(&h, index_name(&h, OTHER, N4));
    hand_set(&h, index_name(&h, OTHER, N3), buf_slice(&of_b));
    struct linked moved = link_number(t, OTHER, N3, &k);
    assert_int_equal(moved.e.code, E_SEAL);
    assert_one_refused(link_many(t, OTHER, N3));
    assert_int_equal(REVEAL_CODE(t, OTHER, &b.subject, &k, &none), E_NOTHING); /* and no ticket was left for the other one's number */
    /* With the number made unreadable it would look like a destroyed key; only the proof tells. */
    hand_set(&h, number_name(&b), LIT("unreadable"));
    assert_int_equal(link_number(t, OTHER, N3, NULL).e.code, E_SEAL);
    assert_one_refused(link_many(t, OTHER, N3));
    struct linked healed = link_number(t, OTHER, N4, &good);
    assert_int_equal(healed.e.code, E_OK);
    assert_memory_equal(healed.subject.sid, b.subject.sid, 16);
    assert_string_equal(reveal_surely(t, OTHER, &b.subject, &good).digits, N4);
    hand_set(&h, index_name(&h, OTHER, N3), buf_slice(&of_a));
    assert_int_equal(link_number(t, OTHER, N3, NULL).e.code, E_OK);
    buf_done(&of_a);
    buf_done(&of_b);
    hand_close(&h);
}

/* An entry that names a subject and proves nothing: good as long as the number under it is the number. */
static void test_entry_without_proof(void **state)
{
    struct town *t = *state;
    struct linked a = link_number(t, OTHER, N3, NULL);
    struct store_hand h = hand_open(t);
    hand_set(&h, index_name(&h, OTHER, N3), ARR(a.subject.sid));
    struct linked same = link_number(t, OTHER, N3, NULL);
    assert_int_equal(same.e.code, E_OK);
    assert_memory_equal(same.subject.sid, a.subject.sid, 16);
    struct many many = link_many(t, OTHER, N3);
    assert_int_equal(many.e.code, E_OK);
    assert_memory_equal(many.first.subject.sid, a.subject.sid, 16);
    hand_set(&h, number_name(&a), LIT("unreadable"));
    assert_int_equal(link_number(t, OTHER, N3, NULL).e.code, E_SEAL);
    assert_one_refused(link_many(t, OTHER, N3));
    hand_set(&h, index_name(&h, OTHER, N3), LIT("short"));
    assert_int_equal(link_number(t, OTHER, N3, NULL).e.code, E_STORE_REFUSED);
    assert_one_refused(link_many(t, OTHER, N3));
    hand_close(&h);
}

/* ---- both zones ---- */

static void rings_fill(const struct town *t)
{
    struct town_path ring = town_path(t, "l.ring"), master = town_path(t, "l.master");
    assert_true(err_ok(keyring_create(RING_LINK, ring.s, master.s)));
    static const enum key_kind ONCE[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    for (size_t i = 0; i < sizeof ONCE / sizeof ONCE[0]; i++)
        assert_true(err_ok(keyring_add(RING_LINK, ring.s, master.s, ONCE[i], LIT("1"), NULL)));
    assert_true(err_ok(keyring_add(RING_LINK, ring.s, master.s, KEY_LINK_DATA, LIT(CLOSED), NULL)));
    assert_true(err_ok(keyring_add(RING_LINK, ring.s, master.s, KEY_LINK_DATA, LIT(OTHER), NULL)));
}

/* A number and a record of one municipality, sealed. */
struct sealed {
    struct buf number, record;
};

struct zones {
    struct nz_sealer *sealer;
    struct store *store;
    struct store_name person;
};

static struct zones zones_open(const struct town *t)
{
    struct zones z = { 0 };
    struct keyring *v = NULL, *l = NULL;
    struct person p;
    assert_true(err_ok(keyring_load(&v, RING_VAULT, town_path(t, "v.ring").s, town_path(t, "v.master").s)));
    assert_true(err_ok(keyring_load(&l, RING_LINK, town_path(t, "l.ring").s, town_path(t, "l.master").s)));
    assert_true(err_ok(nz_sealer_new(&z.sealer, v)));
    assert_true(err_ok(store_new(&z.store, l)));
    assert_true(err_ok(store_person(z.store, LIT("PMH-1"), &p)));
    store_name_person(&p, &z.person);
    keyring_free(v);
    keyring_free(l);
    return z;
}

static void zones_close(struct zones *z)
{
    nz_sealer_free(z->sealer);
    store_free(z->store);
}

static struct sealed seal_both(struct zones *z, const char *muni)
{
    struct sealed s;
    buf_init(&s.number, 256);
    buf_init(&s.record, 256);
    assert_true(err_ok(nz_sealer_seal(z->sealer, slice_str(muni), LIT("n:1"), LIT(N1), &s.number)));
    assert_true(err_ok(store_seal(z->store, slice_str(muni), &z->person, LIT("r"), LIT("{}"), &s.record)));
    return s;
}

static void expect_both(struct zones *z, const char *muni, const struct sealed *s, enum err_code code)
{
    struct buf out;
    buf_init(&out, 256);
    assert_int_equal(nz_sealer_open(z->sealer, slice_str(muni), LIT("n:1"), buf_slice(&s->number), &out).code, code);
    assert_true(slice_eq(buf_slice(&out), code == E_OK ? LIT(N1) : SLICE_NONE));
    buf_reset(&out);
    assert_int_equal(store_open(z->store, slice_str(muni), &z->person, LIT("r"), buf_slice(&s->record), &out).code, code);
    assert_true(slice_eq(buf_slice(&out), code == E_OK ? LIT("{}") : SLICE_NONE));
    buf_done(&out);
}

static void test_destroyed_in_both_zones(void **state)
{
    struct town *t = *state;
    rings_fill(t);
    struct town_path ring = town_path(t, "l.ring"), master = town_path(t, "l.master");
    struct zones z = zones_open(t);
    struct sealed closed = seal_both(&z, CLOSED), other = seal_both(&z, OTHER);
    expect_both(&z, CLOSED, &closed, E_OK);
    zones_close(&z);

    ring_change(t, true);
    assert_true(err_ok(keyring_destroy(RING_LINK, ring.s, master.s, KEY_LINK_DATA, LIT(CLOSED))));
    z = zones_open(t);
    expect_both(&z, CLOSED, &closed, E_FORBIDDEN);
    expect_both(&z, OTHER, &closed, E_SEAL); /* nor under the key of another */
    expect_both(&z, OTHER, &other, E_OK);
    zones_close(&z);

    ring_change(t, false);
    assert_true(err_ok(keyring_add(RING_LINK, ring.s, master.s, KEY_LINK_DATA, LIT(CLOSED), NULL)));
    z = zones_open(t);
    expect_both(&z, CLOSED, &closed, E_SEAL);
    expect_both(&z, OTHER, &other, E_OK);
    zones_close(&z);
    struct buf *all[] = { &closed.number, &closed.record, &other.number, &other.record };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_done(all[i]);
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
        cmocka_unit_test(test_key_made_anew),          cmocka_unit_test(test_sealed_anew_once),
        cmocka_unit_test(test_index_moved_to_another), cmocka_unit_test(test_entry_without_proof),
        cmocka_unit_test(test_destroyed_in_both_zones),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
