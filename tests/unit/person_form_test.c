/* Bodies of the routes about one resident: what is documented is read, anything else is refused with its field. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/person/form.h"

#define KEY "\"municipalityIdentityKey\":\"K-1\""
#define NONE ",\"isNotDisclosed\":false,\"isViewingStopped\":false,\"isRecovery\":false"

static void flags_are_read(void **state)
{
    (void)state;
    static const struct { const char *body; uint8_t bits; const char *fault; } CASES[] = {
        { "{" KEY NONE ",\"reason\":\"dv_support\"}", 0, NULL },
        { "{" KEY ",\"isNotDisclosed\":true,\"isViewingStopped\":false,\"isRecovery\":true,\"reason\":\"x\"}", FLAG_NOT_DISCLOSED | FLAG_RECOVERY, NULL },
        { "{" KEY ",\"isNotDisclosed\":false,\"isViewingStopped\":true,\"isRecovery\":false,\"reason\":\"x\"}", FLAG_VIEWING_STOPPED, NULL },
        { "{" KEY ",\"isNotDisclosed\":true,\"isViewingStopped\":false,\"reason\":\"x\"}", 0, "isRecovery" }, /* all three: what is not said is not kept as it was */
        { "{" KEY ",\"isNotDisclosed\":1,\"isViewingStopped\":false,\"isRecovery\":false,\"reason\":\"x\"}", 0, "isNotDisclosed" },
        { "{" KEY NONE "}", 0, "reason" },
        { "{" KEY NONE ",\"reason\":\"\"}", 0, "reason" },
        { "{" KEY NONE ",\"reason\":\"DV\"}", 0, "reason" },
        { "{" KEY NONE ",\"reason\":\"a b\"}", 0, "reason" },
        { "{" KEY NONE ",\"reason\":\"abcdefghijklmnopqrstuvwxyzabcdefg\"}", 0, "reason" },
        { "{\"municipalityIdentityKey\":\"\"" NONE ",\"reason\":\"x\"}", 0, "municipalityIdentityKey" },
        { "{" KEY NONE ",\"reason\":\"x\",\"myNumber\":\"123456789018\"}", 0, "" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct arena *a = arena_new(1 << 20);
        struct field_report report = { 0 };
        struct nz_flags_ask f;
        struct err e = nz_flags_ask_read(slice_str(CASES[i].body), a, &f, &report);
        bool good = CASES[i].fault ? err_is(e, E_FIELD) && report.n_faults == 1 && strcmp(report.faults[0].field, CASES[i].fault) == 0
                                   : err_ok(e) && f.flags.bits == CASES[i].bits && slice_eq(f.resident_key, LIT("K-1"));
        if (!good)
            fail_msg("%s", CASES[i].body);
        arena_free(a);
    }
}

static void who_is_asked_about_is_read_alone(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct field_report report = { 0 };
    struct slice key;
    assert_true(err_ok(nz_resident_ask_read(LIT("{" KEY "}"), a, &key, &report)) && slice_eq(key, LIT("K-1")));
    static const char *const BAD[] = { "{}", "{\"municipalityIdentityKey\":\"\"}", "{" KEY ",\"reason\":\"x\"}", "{" KEY NONE ",\"reason\":\"x\"}" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_true(err_is(nz_resident_ask_read(slice_str(BAD[i]), a, &key, &report), E_FIELD)); /* a change by mistake is none */
    arena_free(a);
}

static void erasures_are_read(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct field_report report = { 0 };
    struct nz_erase_ask x;
    assert_true(err_ok(nz_erase_ask_read(LIT("{" KEY ",\"reason\":\"moved\"}"), a, &x, &report)));
    assert_true(slice_eq(x.resident_key, LIT("K-1")) && slice_eq(x.reason, LIT("moved")));
    assert_true(err_is(nz_erase_ask_read(LIT("{" KEY "}"), a, &x, &report), E_FIELD));
    assert_true(err_is(nz_erase_ask_read(LIT("[]"), a, &x, &report), E_JSON_SHAPE));
    assert_true(err_is(nz_erase_ask_read(LIT("{"), a, &x, &report), E_BAD_JSON));
    arena_free(a);
}

static void a_note_is_read_as_written(void **state)
{
    (void)state;
    struct nz_erase_note n = { .handle = { 1, 2, 3 }, .count = 0x01020304 }, got;
    struct buf b;
    buf_init(&b, 64);
    nz_erase_note_encode(&n, &b);
    assert_true(b.n == NZ_ERASE_NOTE_BYTES && nz_erase_note_decode(buf_slice(&b), &got) && got.count == n.count);
    assert_memory_equal(got.handle, n.handle, sizeof n.handle);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(nz_erase_note_decode(slice_of(b.p, cut), &got));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(flags_are_read), cmocka_unit_test(who_is_asked_about_is_read_alone), cmocka_unit_test(erasures_are_read), cmocka_unit_test(a_note_is_read_as_written) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
