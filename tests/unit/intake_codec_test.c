/* Codecs of pmhgw-intake: row results, payloads, names, the token form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/intake/names.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"
#include "keys/intake/token_form.h"

/* ---- row results ---- */

static struct nz_row_result sample_result(void)
{
    struct nz_row_result r = { .result = NZ_REFUSED, .code = NZ_CODE_FIELD, .with_row = 70000, .n_faults = 2, .n_warnings = 1 };
    r.faults[0] = (struct nz_fault){ LIT("myNumber"), FR_LENGTH };
    r.faults[1] = (struct nz_fault){ LIT(""), FR_UNKNOWN };
    r.warnings[0] = (struct nz_fault){ LIT("medicalSubsidyInsurerNumber"), FR_CHECK_DIGIT };
    return r;
}

static void result_roundtrip(void **state)
{
    (void)state;
    struct nz_row_result in = sample_result(), out;
    struct buf b;
    buf_init(&b, NZ_ROW_RESULT_MAX);
    nz_row_result_encode(&in, &b);
    assert_true(err_ok(buf_check(&b)));
    assert_true(err_ok(nz_row_result_decode(buf_slice(&b), &out)));
    assert_int_equal(out.result, NZ_REFUSED);
    assert_int_equal(out.code, NZ_CODE_FIELD);
    assert_int_equal(out.with_row, 70000);
    assert_int_equal(out.n_faults, 2);
    assert_true(slice_eq(out.faults[0].field, LIT("myNumber")));
    assert_int_equal(out.faults[1].rule, FR_UNKNOWN);
    assert_int_equal(out.warnings[0].rule, FR_CHECK_DIGIT);
    buf_done(&b);
}

static void result_refuses_damage(void **state)
{
    (void)state;
    struct nz_row_result in = sample_result(), out;
    struct buf b;
    buf_init(&b, NZ_ROW_RESULT_MAX);
    nz_row_result_encode(&in, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(nz_row_result_decode(slice_of(b.p, n), &out).code, E_SEAL);
    static const struct { size_t at; uint8_t to; } DAMAGE[] = {
        { 0, 9 }, { 1, NZ_RESULT__MAX }, { 2, NZ_CODE__MAX }, { 7, FIELD_FAULTS_MAX + 1 }, { 8, FIELD_FAULTS_MAX + 1 }, { 9 + 1 + 8 + 1, 'X' },
    };
    for (size_t i = 0; i < sizeof DAMAGE / sizeof DAMAGE[0]; i++) {
        uint8_t old = b.p[DAMAGE[i].at];
        b.p[DAMAGE[i].at] = DAMAGE[i].to;
        assert_int_equal(nz_row_result_decode(buf_slice(&b), &out).code, E_SEAL);
        b.p[DAMAGE[i].at] = old;
    }
    buf_putc(&b, 0);
    assert_int_equal(nz_row_result_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_done(&b);
}

static void result_of_every_verdict(void **state)
{
    (void)state;
    for (int v = 0; v < NZ_ROW__MAX; v++) {
        struct nz_row row = { .row = 1, .verdict = (enum nz_row_verdict)v, .with_row = 3 };
        struct nz_row_result r;
        nz_row_result_of(&row, &r);
        assert_int_equal(r.with_row, 3);
        if (v == NZ_ROW_OK)
            assert_int_equal(r.result, NZ_WAITING);
        else
            assert_string_equal(nz_code_slug(r.code), nz_row_slug((enum nz_row_verdict)v));
    }
}

static void result_as_json(void **state)
{
    (void)state;
    struct nz_row_result r = sample_result();
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_init(&w, &b);
    r.n_faults = 1;
    nz_row_result_json(&r, 2, &w);
    buf_putc(&b, 0);
    assert_non_null(strstr((char *)b.p, "{\"row\":2,\"result\":\"refused\",\"code\":\"field_invalid\""));
    assert_non_null(strstr((char *)b.p, "\"with_rows\":[70000]"));
    assert_non_null(strstr((char *)b.p, "\"errors\":[{\"field\":\"myNumber\",\"rule\":\"length\",\"message_ja\":\""));
    assert_non_null(strstr((char *)b.p, "\"warnings\":[{\"field\":\"medicalSubsidyInsurerNumber\""));
    buf_done(&b);
}

static void every_code_has_texts(void **state)
{
    (void)state;
    for (int c = NZ_CODE_NONE + 1; c < NZ_CODE__MAX; c++) {
        assert_true(strlen(nz_code_slug((enum nz_code)c)) > 0);
        assert_true(strlen(nz_code_ja((enum nz_code)c)) > 0);
        assert_true(strlen(nz_code_en((enum nz_code)c)) > 0);
    }
    assert_string_equal(nz_code_slug(NZ_CODE__MAX), "");
    assert_string_equal(nz_result_name(NZ_RESULT__MAX), "");
}

/* ---- payloads ---- */

static struct nz_payload sample_payload(void)
{
    struct nz_payload p = { .has_ticket = true, .has_rk = true, .field = LIT("r:331007:00"), .record = LIT("record"), .result = LIT("res") };
    memset(p.sid, 1, sizeof p.sid);
    memset(p.ticket, 2, sizeof p.ticket);
    memset(p.rk, 'a', sizeof p.rk);
    return p;
}

static void payload_roundtrip(void **state)
{
    (void)state;
    struct nz_payload in = sample_payload(), out;
    struct buf b;
    buf_init(&b, NZ_PAYLOAD_MAX);
    nz_payload_encode(&in, &b);
    assert_true(err_ok(nz_payload_decode(buf_slice(&b), &out)));
    assert_true(out.has_ticket && out.has_rk && !out.has_next);
    assert_memory_equal(out.ticket, in.ticket, sizeof in.ticket);
    assert_memory_equal(out.rk, in.rk, sizeof in.rk);
    assert_true(slice_eq(out.field, in.field) && slice_eq(out.record, in.record) && slice_eq(out.result, in.result));
    buf_done(&b);
}

static void payload_of_a_released_row(void **state)
{
    (void)state;
    struct nz_payload in = sample_payload(), out;
    struct buf b, old;
    buf_init(&b, NZ_PAYLOAD_MAX);
    buf_init(&old, NZ_PAYLOAD_MAX);
    nz_payload_encode(&in, &old);
    assert_true(err_ok(nz_payload_decode(buf_slice(&old), &out)));
    assert_false(out.released || out.of_file);
    assert_int_equal(out.since_ms, 0);
    in.released = in.of_file = true;
    in.since_ms = 1795231270438;
    nz_payload_encode(&in, &b);
    assert_int_equal(b.n, old.n + 8); /* without the two, the form is what it always was */
    assert_true(err_ok(nz_payload_decode(buf_slice(&b), &out)));
    assert_true(out.released && out.of_file && out.has_ticket);
    assert_int_equal(out.since_ms, 1795231270438);
    assert_true(slice_eq(out.field, in.field) && slice_eq(out.record, in.record) && slice_eq(out.result, in.result));
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(nz_payload_decode(slice_of(b.p, n), &out).code, E_SEAL);
    buf_done(&b);
    buf_done(&old);
}

static void payload_of_a_row_held_for_its_ties(void **state)
{
    (void)state;
    struct nz_payload in = sample_payload(), out;
    struct buf b, old;
    buf_init(&b, NZ_PAYLOAD_MAX);
    buf_init(&old, NZ_PAYLOAD_MAX);
    nz_payload_encode(&in, &old);
    assert_true(err_ok(nz_payload_decode(buf_slice(&old), &out)));
    assert_false(out.has_seen || out.retie);
    in.has_seen = true;
    memset(in.seen.owner, 5, sizeof in.seen.owner);
    memset(in.seen.rk, 6, sizeof in.seen.rk);
    for (int retie = 0; retie <= 1; retie++) {
        in.retie = retie;
        in.since_ms = 7;
        buf_reset(&b);
        nz_payload_encode(&in, &b);
        assert_int_equal(b.n, old.n + 8 + 33);
        assert_true(err_ok(nz_payload_decode(buf_slice(&b), &out)));
        assert_true(out.has_seen && out.retie == in.retie && out.since_ms == 7 && !out.released);
        assert_memory_equal(&out.seen, &in.seen, sizeof in.seen);
        assert_true(slice_eq(out.field, in.field) && slice_eq(out.record, in.record) && slice_eq(out.result, in.result));
        for (size_t n = 0; n < b.n; n++)
            assert_int_equal(nz_payload_decode(slice_of(b.p, n), &out).code, E_SEAL);
    }
    b.p[2 + SUBJECT_BYTES + 2 * NZ_TICKET_BYTES + NZ_RK_HEX + 8 + 32] = 2; /* neither said nor not said */
    assert_int_equal(nz_payload_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_done(&b);
    buf_done(&old);
}

static void payload_refuses_damage(void **state)
{
    (void)state;
    struct nz_payload in = sample_payload(), out;
    struct buf b;
    buf_init(&b, NZ_PAYLOAD_MAX);
    nz_payload_encode(&in, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(nz_payload_decode(slice_of(b.p, n), &out).code, E_SEAL);
    b.p[0] = 2;
    assert_int_equal(nz_payload_decode(buf_slice(&b), &out).code, E_SEAL);
    b.p[0] = 1;
    b.p[1] = 128;
    assert_int_equal(nz_payload_decode(buf_slice(&b), &out).code, E_SEAL);
    b.p[1] = 0;
    buf_putc(&b, 0);
    assert_int_equal(nz_payload_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_done(&b);
}

/* ---- names ---- */

static void member_roundtrip(void **state)
{
    (void)state;
    static const uint32_t ROWS[] = { 1, 9, 10, 10000, UINT32_MAX };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct nz_row_ref in = { .row = ROWS[i] }, out;
        struct nz_member m;
        memcpy(in.muni, "331007", 6);
        memset(in.task.b, 0xa5, sizeof in.task.b);
        nz_member_write(&in, &m);
        assert_true(nz_member_parse(nz_member_slice(&m), &out));
        assert_int_equal(out.row, ROWS[i]);
        assert_memory_equal(out.muni, in.muni, 6);
        assert_memory_equal(out.task.b, in.task.b, sizeof in.task.b);
    }
}

static void member_refuses(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "", "331007", "33100:00000000000000000000000000000000:1", "33100x:00000000000000000000000000000000:1",
        "331007:0000000000000000000000000000000:1", "331007:0000000000000000000000000000000G:1", "331007:00000000000000000000000000000000:",
        "331007:00000000000000000000000000000000:0", "331007:00000000000000000000000000000000:01",
        "331007:00000000000000000000000000000000:4294967296", "331007 00000000000000000000000000000000:1",
        "331007:00000000000000000000000000000000:1x", "331007:0000000000000000000000000000000A:1",
    };
    struct nz_row_ref ref;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(nz_member_parse(slice_str(BAD[i]), &ref));
}

static void names_of_a_task(void **state)
{
    (void)state;
    struct nz_task_id id = { { 0x01, 0xab } };
    struct store_name k;
    nz_name_task("tr", "331007", &id, &k);
    assert_true(slice_eq(store_name_slice(&k), LIT("tr:331007:01ab0000000000000000000000000000")));
    nz_name_task_list("331007", &k);
    assert_true(slice_eq(store_name_slice(&k), LIT("tl:331007")));
}

/* ---- the token form ---- */

static void token_forms(void **state)
{
    (void)state;
    static const struct { const char *body; enum err_code want; } CASES[] = {
        { "grant_type=client_credentials", E_OK },
        { "client_id=muni&grant_type=client_credentials&scope=a%20b", E_OK },
        { "", E_GRANT },
        { "&", E_GRANT },
        { "grant_type", E_GRANT },
        { "grant_type=", E_GRANT },
        { "grant_type=password", E_GRANT },
        { "grant_type=client%5Fcredentials", E_GRANT },
        { "grant_type=client_credentials&", E_GRANT },
        { "grant_type=client_credentials&grant_type=client_credentials", E_GRANT },
        { "client_id=a&client_id=b&grant_type=client_credentials", E_GRANT },
        { "client_secret=x&grant_type=client_credentials", E_GRANT },
        { "grant_type=client_credentials&scope=a=b", E_GRANT },
        { "grant_type=client_credentials\n", E_GRANT },
        { "client_id=a", E_GRANT },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(nz_token_form_parse(slice_str(CASES[i].body)).code, CASES[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_roundtrip),    cmocka_unit_test(result_refuses_damage),  cmocka_unit_test(result_of_every_verdict),
        cmocka_unit_test(result_as_json),      cmocka_unit_test(every_code_has_texts),   cmocka_unit_test(payload_roundtrip),
        cmocka_unit_test(payload_of_a_released_row), cmocka_unit_test(payload_of_a_row_held_for_its_ties), cmocka_unit_test(payload_refuses_damage), cmocka_unit_test(member_roundtrip),    cmocka_unit_test(member_refuses),
        cmocka_unit_test(names_of_a_task),     cmocka_unit_test(token_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
