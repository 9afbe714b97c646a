/* Claims of link keys and access tokens: strict members, types, limits and times. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/check/json_in.h"
#include "gateway/jose/claims.h"

enum { NOW = 1795000000 };

#define KEY "\"pmh_key\":\"PMH-0001\""
#define AUD "\"aud\":\"3310010012\""
#define SCOPE "\"scope\":\"eligibility questionnaire\""
#define IAT "\"iat\":1795000000"
#define EXP "\"exp\":1795003600"
#define JTI "\"jti\":\"0123456789abcdef\""
#define CONSENT "\"consent_id\":\"consent-1\""
#define ISS "\"iss\":\"onshi.local\""
#define PURPOSE "\"purpose\":\"treatment\""
#define VERSION "\"consent_version\":3"
#define MORE ISS "," PURPOSE "," VERSION
#define REST "," SCOPE "," JTI "," CONSENT "," MORE
#define LINK(...) "{" __VA_ARGS__ "}"
#define TIMES(iat, exp) LINK(KEY "," AUD REST ",\"iat\":" iat ",\"exp\":" exp)
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define X128 X64 X64

static enum err_code link_code(const char *json, uint64_t now, struct link_claims *ret)
{
    struct arena *a = arena_new(65536);
    struct link_claims c = { 0 };
    struct err e = link_claims_parse(&c, a, slice_str(json), now);
    if (ret && err_ok(e)) {
        assert_true(slice_eq(c.pmh_key, LIT("PMH-0001")));
        assert_true(slice_eq(c.aud, LIT("3310010012")));
        assert_true(slice_eq(c.scope, LIT("eligibility questionnaire")));
        assert_true(slice_eq(c.jti, LIT("0123456789abcdef")));
        assert_true(slice_eq(c.consent_id, LIT("consent-1")));
        assert_true(slice_eq(c.iss, LIT("onshi.local")) && slice_eq(c.purpose, LIT("treatment")));
        assert_int_equal(c.consent_version, 3);
        assert_int_equal(c.allowed.kinds, 1 << LINK_ELIGIBILITY | 1 << LINK_QUESTIONNAIRE);
        assert_int_equal(c.allowed.fields, LINK_FIELDS_ALL);
        ret->iat = c.iat;
        ret->exp = c.exp;
    }
    arena_free(a);
    return e.code;
}

struct link_case {
    const char *name, *json;
    enum err_code want;
};

static const struct link_case LINKS[] = {
    { "good", LINK(KEY "," AUD "," IAT "," EXP REST), E_OK },
    { "good, with white space", "\n{ " KEY " , " AUD "," IAT "," EXP REST " } ", E_OK },
    { "longest texts", LINK("\"pmh_key\":\"" X128 "\"," AUD "," IAT "," EXP "," MORE "," SCOPE ",\"jti\":\"" X64
                            "\",\"consent_id\":\"" X128 "\""), E_OK },
    { "key too long", LINK("\"pmh_key\":\"" X128 "x\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key empty", LINK("\"pmh_key\":\"\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key with a space", LINK("\"pmh_key\":\"a b\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key with a brace", LINK("\"pmh_key\":\"a{b\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key with a NUL", LINK("\"pmh_key\":\"a\\u0000b\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key with a newline", LINK("\"pmh_key\":\"a\\nb\"," AUD "," IAT "," EXP REST), E_NOTHING },
    { "key a number", LINK("\"pmh_key\":12," AUD "," IAT "," EXP REST), E_NOTHING },
    { "aud of 9 digits", LINK(KEY ",\"aud\":\"331001001\"," IAT "," EXP REST), E_NOTHING },
    { "aud of 11 digits", LINK(KEY ",\"aud\":\"33100100123\"," IAT "," EXP REST), E_NOTHING },
    { "aud with a letter", LINK(KEY ",\"aud\":\"331001001a\"," IAT "," EXP REST), E_NOTHING },
    { "aud a list", LINK(KEY ",\"aud\":[\"3310010012\"]," IAT "," EXP REST), E_NOTHING },
    { "jti of 15", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," CONSENT ",\"jti\":\"0123456789abcde\"""," MORE), E_NOTHING },
    { "jti of 65", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," CONSENT ",\"jti\":\"" X64 "x\"""," MORE), E_NOTHING },
    { "jti with a dot", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," CONSENT ",\"jti\":\"0123456789abcde.\"""," MORE), E_NOTHING },
    { "scope with two spaces", LINK(KEY "," AUD "," IAT "," EXP "," JTI "," CONSENT ",\"scope\":\"a  b\"""," MORE), E_NOTHING },
    { "scope ends in a space", LINK(KEY "," AUD "," IAT "," EXP "," JTI "," CONSENT ",\"scope\":\"a \"""," MORE), E_NOTHING },
    { "scope with a quote", LINK(KEY "," AUD "," IAT "," EXP "," JTI "," CONSENT ",\"scope\":\"a\\\"\"""," MORE), E_NOTHING },
    { "consent too long", LINK(KEY "," AUD "," IAT "," EXP "," JTI "," SCOPE ",\"consent_id\":\"" X128 "x\"""," MORE), E_NOTHING },
    { "consent null", LINK(KEY "," AUD "," IAT "," EXP "," JTI "," SCOPE ",\"consent_id\":null""," MORE), E_NOTHING },
    { "a member missing", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI"," MORE), E_NOTHING },
    { "a member more", LINK(KEY "," AUD "," IAT "," EXP REST ",\"sub\":\"x\""), E_NOTHING },
    { "a member instead", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI ",\"sub\":\"x\"""," MORE), E_NOTHING },
    { "a member twice", LINK(KEY "," AUD "," IAT "," EXP REST "," AUD), E_NOTHING },
    { "iat a real", TIMES("1795000000.0", "1795003600"), E_NOTHING },
    { "iat a text", TIMES("\"1795000000\"", "1795003600"), E_NOTHING },
    { "iat negative", TIMES("-1", "1795003600"), E_NOTHING },
    { "iat zero", TIMES("0", "1795003600"), E_NOTHING },
    { "exp beyond 64 bits", TIMES("1795000000", "99999999999999999999"), E_NOTHING },
    { "exp the largest", TIMES("1795000000", "9223372036854775807"), E_NOTHING },
    { "both the largest", TIMES("9223372036854775806", "9223372036854775807"), E_NOTHING },
    { "exp before iat", TIMES("1795000010", "1795000009"), E_NOTHING },
    { "exp equals iat", TIMES("1795000010", "1795000010"), E_NOTHING },
    { "life of 24 h", TIMES("1795000000", "1795086400"), E_OK },
    { "life of 24 h and 1 s", TIMES("1795000000", "1795086401"), E_NOTHING },
    { "issued 30 s ahead", TIMES("1795000030", "1795000090"), E_OK },
    { "issued 31 s ahead", TIMES("1795000031", "1795000090"), E_NOTHING },
    { "ended 29 s ago", TIMES("1794999000", "1794999971"), E_OK },
    { "ended 30 s ago", TIMES("1794999000", "1794999970"), E_NOTHING },
    { "iss in capitals", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," PURPOSE "," VERSION ",\"iss\":\"Onshi\""), E_NOTHING },
    { "iss empty", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," PURPOSE "," VERSION ",\"iss\":\"\""), E_NOTHING },
    { "iss of 65", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," PURPOSE "," VERSION ",\"iss\":\"" X64 "x\""), E_NOTHING },
    { "iss missing", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," PURPOSE "," VERSION), E_NOTHING },
    { "purpose with a digit", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," VERSION ",\"purpose\":\"a1\""), E_NOTHING },
    { "purpose in capitals", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," VERSION ",\"purpose\":\"A\""), E_NOTHING },
    { "purpose of 33", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," VERSION ",\"purpose\":\"" X16 X16 "x\""), E_NOTHING },
    { "purpose missing", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," VERSION), E_NOTHING },
    { "version 0", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," PURPOSE ",\"consent_version\":0"), E_NOTHING },
    { "version a text", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," PURPOSE ",\"consent_version\":\"1\""), E_NOTHING },
    { "version beyond 32 bits", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," PURPOSE ",\"consent_version\":4294967296"), E_NOTHING },
    { "version missing", LINK(KEY "," AUD "," IAT "," EXP "," SCOPE "," JTI "," CONSENT "," ISS "," PURPOSE), E_NOTHING },
    { "an array", "[]", E_NOTHING },
    { "nothing", "", E_NOTHING },
    { "not UTF-8", LINK(KEY "," AUD "," IAT "," EXP REST ",\"\xff\":1"), E_NOTHING },
    { "too deep", LINK(KEY "," AUD "," IAT "," EXP REST ",\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"), E_NOTHING },
};

static void test_link_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof LINKS / sizeof LINKS[0]; i++) {
        print_message("%s\n", LINKS[i].name);
        assert_int_equal(link_code(LINKS[i].json, NOW, NULL), LINKS[i].want);
    }
}

static void test_link_values(void **state)
{
    (void)state;
    struct link_claims c = { 0 };
    assert_int_equal(link_code(LINKS[0].json, NOW, &c), E_OK);
    assert_int_equal(c.iat, NOW);
    assert_int_equal(c.exp, NOW + 3600);
}

static void test_scopes(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; unsigned kinds, fields; } CASES[] = {
        { "eligibility", true, 1, LINK_FIELDS_ALL },
        { "immunizations questionnaire", true, 6, 0 },
        { "questionnaire eligibility immunizations", true, 7, LINK_FIELDS_ALL },
        { "eligibility.municipalityCode", true, 1, 1 },
        { "eligibility.certificationName immunizations eligibility.certificationDetail", true, 3, 1 << 1 | 1 << 13 },
        { "", false, 0, 0 }, { " ", false, 0, 0 }, { "eligibility ", false, 0, 0 }, { " eligibility", false, 0, 0 },
        { "eligibility  immunizations", false, 0, 0 }, { "eligibility eligibility", false, 0, 0 },
        { "eligibility eligibility.municipalityCode", false, 0, 0 }, { "eligibility.municipalityCode eligibility", false, 0, 0 },
        { "eligibility.municipalityCode eligibility.municipalityCode", false, 0, 0 }, { "eligibility.", false, 0, 0 },
        { "eligibility.name", false, 0, 0 }, { ".municipalityCode", false, 0, 0 }, { "eligibility.municipalityCode.x", false, 0, 0 },
        { "immunizations.municipalityCode", false, 0, 0 }, { "Eligibility", false, 0, 0 }, { "eligibilit", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct link_scope s = { 0 };
        print_message("'%s'\n", CASES[i].text);
        assert_int_equal(link_scope_parse(slice_str(CASES[i].text), &s), CASES[i].good);
        assert_int_equal(s.kinds, CASES[i].kinds);
        assert_int_equal(s.fields, CASES[i].fields);
    }
}

static void test_link_write(void **state)
{
    (void)state;
    struct buf out;
    struct link_claims c = { .iss = LIT("onshi.local"), .pmh_key = LIT("PMH-0001"), .aud = LIT("3310010012"), .purpose = LIT("treatment"),
                             .scope = LIT("eligibility questionnaire"), .jti = LIT("0123456789abcdef"), .consent_id = LIT("consent-1"),
                             .consent_version = 3, .iat = NOW, .exp = NOW + 60 };
    struct link_claims back = { 0 };
    buf_init(&out, 1024);
    link_claims_write(&c, &out);
    assert_int_equal(link_code(buf_cstr(&out), NOW, &back), E_OK);
    assert_int_equal(back.exp, NOW + 60);
    buf_done(&out);
}

static void test_small_arena(void **state)
{
    (void)state;
    struct arena *a = arena_new(16);
    struct link_claims c = { 0 };
    assert_false(err_ok(link_claims_parse(&c, a, slice_str(LINKS[0].json), NOW)));
    assert_null(c.pmh_key.p);
    arena_free(a);
}

#define SUB "\"sub\":\"municipality/331007/kodomo\""
#define THUMB "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
#define CNF "\"cnf\":{\"x5t#S256\":\"" THUMB "\"}"

static const struct link_case TOKENS[] = {
    { "good", LINK(SUB "," IAT "," EXP "," CNF), E_OK },
    { "ended now", LINK(SUB ",\"iat\":1794999000,\"exp\":1795000000," CNF), E_TOKEN },
    { "ends in a second", LINK(SUB ",\"iat\":1794999000,\"exp\":1795000001," CNF), E_OK },
    { "issued 31 s ahead", LINK(SUB ",\"iat\":1795000031,\"exp\":1795003600," CNF), E_TOKEN },
    { "life of more than a day", LINK(SUB ",\"iat\":1795000000,\"exp\":1795086401," CNF), E_TOKEN },
    { "no binding", LINK(SUB "," IAT "," EXP), E_TOKEN },
    { "binding empty", LINK(SUB "," IAT "," EXP ",\"cnf\":{}"), E_TOKEN },
    { "binding with more", LINK(SUB "," IAT "," EXP ",\"cnf\":{\"x5t#S256\":\"" THUMB "\",\"jwk\":{}}"), E_TOKEN },
    { "binding short", LINK(SUB "," IAT "," EXP ",\"cnf\":{\"x5t#S256\":\"AAAA\"}"), E_TOKEN },
    { "binding not canonical", LINK(SUB "," IAT "," EXP ",\"cnf\":{\"x5t#S256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF\"}"), E_TOKEN },
    { "binding a text", LINK(SUB "," IAT "," EXP ",\"cnf\":\"" THUMB "\""), E_TOKEN },
    { "sub with a space", LINK("\"sub\":\"municipality 331007\"," IAT "," EXP "," CNF), E_TOKEN },
    { "sub empty", LINK("\"sub\":\"\"," IAT "," EXP "," CNF), E_TOKEN },
    { "a member more", LINK(SUB "," IAT "," EXP "," CNF ",\"scope\":\"all\""), E_TOKEN },
    { "not JSON", "Bearer", E_TOKEN },
};

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof TOKENS / sizeof TOKENS[0]; i++) {
        struct arena *a = arena_new(65536);
        struct token_claims c = { 0 };
        print_message("%s\n", TOKENS[i].name);
        assert_int_equal(token_claims_parse(&c, a, slice_str(TOKENS[i].json), NOW).code, TOKENS[i].want);
        arena_free(a);
    }
}

static void test_token_write(void **state)
{
    (void)state;
    struct buf out;
    struct arena *a = arena_new(65536);
    struct token_claims c = { .sub = LIT("municipality/331007/kodomo"), .iat = NOW, .exp = NOW + 60 }, back = { 0 };
    c.cert_sha256[0] = 0xfb;
    c.cert_sha256[31] = 1;
    buf_init(&out, 1024);
    token_claims_write(&c, &out);
    assert_true(err_ok(token_claims_parse(&back, a, buf_slice(&out), NOW)));
    assert_true(slice_eq(back.sub, c.sub));
    assert_memory_equal(back.cert_sha256, c.cert_sha256, 32);
    assert_int_equal(back.exp, NOW + 60);
    buf_done(&out);
    arena_free(a);
}

int main(void)
{
    json_in_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_cases),  cmocka_unit_test(test_link_values), cmocka_unit_test(test_link_write), cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_small_arena), cmocka_unit_test(test_tokens),      cmocka_unit_test(test_token_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
