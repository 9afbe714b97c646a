/* What is kept of certificates: read back as written, ended by a correction, pruned. Commands are looked at as the text of the batch's script is not: by what they say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/cert/stored.h"

static struct cert_stored one(void)
{
    struct cert_stored c = { .kind = CERT_SHC, .issued_ms = 1700000000123, .n_records = 2 };
    memset(c.kid, 'k', sizeof c.kid);
    memcpy(c.rid, "abcDEF-_12345678", 16);
    for (size_t i = 0; i < 2; i++) {
        memcpy(c.records[i].muni, "331007", 6);
        memset(c.records[i].id, (int)(i + 1), sizeof c.records[i].id);
        c.records[i].version = (uint16_t)(i + 1);
    }
    return c;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct cert_stored c = one(), back;
    struct buf b;
    buf_init(&b, 4096);
    assert_true(err_ok(cert_encode(&c, &b)));
    assert_true(err_ok(cert_decode(buf_slice(&b), &back)));
    assert_memory_equal(&c, &back, sizeof c);
    buf_done(&b);
}

static void broken_forms_are_refused(void **state)
{
    (void)state;
    struct cert_stored c = one(), back;
    struct buf b;
    buf_init(&b, 4096);
    assert_true(err_ok(cert_encode(&c, &b)));
    const struct { size_t at; uint8_t v; } BAD[] = { { 0, 2 }, { 1, 0 }, { 1, 3 }, { 2, 3 }, { 3, '.' }, { 46, 0 }, { 48, '!' }, { 69, 'x' }, { 86, 9 }, { 87, 'x' } };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        uint8_t was = b.p[BAD[i].at];
        b.p[BAD[i].at] = BAD[i].v;
        assert_true(err_is(cert_decode(buf_slice(&b), &back), E_SEAL));
        b.p[BAD[i].at] = was;
    }
    assert_true(err_is(cert_decode(slice_of(b.p, b.n - 1), &back), E_SEAL));
    assert_true(err_is(cert_decode(SLICE_NONE, &back), E_SEAL));
    c.n_records = CERT_RECORDS_MAX + 1;
    assert_true(err_is(cert_encode(&c, &b), E_FULL));
    buf_done(&b);
}

static void fields_have_their_names(void **state)
{
    (void)state;
    struct cert_stored c = one();
    struct store_name f;
    uint8_t name[CERT_NAME_BYTES];
    memset(c.name, 0xAB, sizeof c.name);
    cert_field(c.name, &f);
    assert_int_equal(f.n, 3 + 32);
    assert_true(cert_field_is(store_name_slice(&f), name));
    assert_memory_equal(name, c.name, sizeof name);
    const char *const OTHERS[] = { "ct:", "ct:zz", "co:abababababababababababababababab", "ct:ABABABABABABABABABABABABABABABAB", "" };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(cert_field_is(slice_str(OTHERS[i]), name));
    cert_list_name(c.kid, &f);
    assert_true(slice_starts(store_name_slice(&f), LIT("cr:kkk")));
    assert_int_equal(f.n, 3 + CERT_KID_CHARS);
}

static bool is_first(const void *arg, const struct cert_record *r) { return r->version == *(const uint16_t *)arg; }

static void a_part_has_its_records_and_is_the_same_certificate(void **state)
{
    (void)state;
    struct cert_stored c = one(), those, others;
    const uint16_t first = 1, none = 9;
    assert_true(cert_split(&c, is_first, &first, &those, &others));
    assert_true(those.n_records == 1 && those.records[0].version == 1 && others.n_records == 1 && others.records[0].version == 2);
    assert_true(those.issued_ms == c.issued_ms && slice_eq(ARR(those.rid), ARR(c.rid)) && slice_eq(ARR(others.rid), ARR(c.rid)));
    assert_true(cert_split(&others, is_first, &(uint16_t){ 2 }, &those, &others)); /* in place */
    assert_true(those.n_records == 1 && others.n_records == 0);
    assert_false(cert_split(&c, is_first, &none, &those, &others));
    assert_true(those.n_records == 0 && others.n_records == 2);
}

/* The oldest that have ended go first; a good one goes only when there is no room otherwise, and then its rid is listed. */
static void old_ones_make_room(void **state)
{
    (void)state;
    struct cert_book book = { .n = CERT_KEEP_MAX };
    struct store_name person = { "p:{x}", 5 };
    for (size_t i = 0; i < book.n; i++) {
        book.certs[i] = one();
        book.certs[i].issued_ms -= i;
        book.certs[i].state = i == 3 || i == 9 ? CERT_SUPERSEDED : CERT_GOOD;
    }
    struct redis_swap *swap = redis_swap_new(1 << 16);
    assert_true(err_ok(cert_prune_add(NULL, &person, &book, 1, 5, swap)));
    assert_int_equal(book.n, CERT_KEEP_MAX - 1);
    assert_int_equal(book.certs[3].state, CERT_SUPERSEDED); /* the younger one is still there */
    uint64_t oldest = book.certs[book.n - 1].issued_ms;
    assert_true(err_ok(cert_prune_add(NULL, &person, &book, 3, 5, swap)));
    assert_int_equal(book.n, CERT_KEEP_MAX - 3);
    for (size_t i = 0; i < book.n; i++)
        assert_int_equal(book.certs[i].state, CERT_GOOD);
    assert_true(book.certs[book.n - 1].issued_ms > oldest);
    redis_swap_free(swap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(broken_forms_are_refused),
        cmocka_unit_test(fields_have_their_names),
        cmocka_unit_test(a_part_has_its_records_and_is_the_same_certificate),
        cmocka_unit_test(old_ones_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
