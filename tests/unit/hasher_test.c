/* Argon2id on threads: as many at a time as there may be, a share of the queue for each municipality, and an end for everybody who waits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/staff/hasher.h"

struct heard { unsigned done, canceled, other; uint8_t hash[NZ_HASH_BYTES]; };

static void on_hashed(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    struct heard *h = arg;
    h->done += err_ok(e);
    h->canceled += err_is(e, E_CANCELED);
    h->other += !err_ok(e) && !err_is(e, E_CANCELED);
    if (err_ok(e))
        memcpy(h->hash, hash[0], sizeof h->hash);
}

struct rig { struct loop *loop; struct nz_hasher *h; struct timer *look; struct heard heard; };

static void look(void *arg)
{
    struct rig *r = arg;
    if (!nz_hasher_idle(r->h)) {
        timer_start(r->look, 5);
        return;
    }
    timer_free(r->look);
    loop_stop(r->loop);
}

static void rig_begin(struct rig *r)
{
    *r = (struct rig){ .loop = NULL };
    assert_true(err_ok(loop_new(&r->loop, clock_system())));
    assert_true(err_ok(nz_hasher_new(&r->h, r->loop)));
    assert_true(err_ok(timer_new(&r->look, r->loop, look, r)));
}

static void rig_end(struct rig *r)
{
    timer_start(r->look, 1);
    loop_run(r->loop, 1000);
    nz_hasher_free(r->h);
    loop_free(r->loop);
}

static struct err ask(struct rig *r, const char *muni)
{
    struct nz_hash_item item = { .password = LIT("correct horse battery"), .salt = "0123456789abcde" };
    return nz_hasher_run(r->h, muni, 1, &item, on_hashed, &r->heard);
}

static void a_municipality_has_a_share_of_the_queue(void **state)
{
    (void)state;
    struct rig r;
    unsigned taken = 0;
    rig_begin(&r);
    while (taken < 100 && err_ok(ask(&r, "331007")))
        taken++;
    assert_int_equal(taken, NZ_HASH_AT_ONCE + NZ_HASH_SHARE_MAX);
    assert_int_equal(ask(&r, "331007").code, E_BUSY);
    assert_true(err_ok(ask(&r, "271403"))); /* others are not kept out */
    for (unsigned i = 0; taken < 100; i++, taken++) {
        char muni[7] = "100000";
        muni[5] = (char)('0' + i % 10);
        muni[4] = (char)('0' + i / 10);
        if (!err_ok(ask(&r, muni)))
            break;
    }
    assert_int_equal(taken + 1, NZ_HASH_AT_ONCE + NZ_HASH_QUEUE_MAX); /* and all of them have an end */
    nz_hasher_close(r.h);
    assert_int_equal(r.heard.canceled, NZ_HASH_QUEUE_MAX);
    assert_int_equal(ask(&r, "271403").code, E_BUSY);
    rig_end(&r);
    assert_true(r.heard.other == 0 && r.heard.done + r.heard.canceled == taken + 1);
}

static void what_comes_out_is_the_hash(void **state)
{
    (void)state;
    struct rig r;
    uint8_t want[NZ_HASH_BYTES];
    rig_begin(&r);
    assert_true(err_ok(ask(&r, "331007")));
    rig_end(&r);
    assert_int_equal(r.heard.done, 1);
    assert_true(err_ok(nz_password_hash(LIT("correct horse battery"), (const uint8_t *)"0123456789abcde", want)));
    assert_memory_equal(r.heard.hash, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_municipality_has_a_share_of_the_queue),
        cmocka_unit_test(what_comes_out_is_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
