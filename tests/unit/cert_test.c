/* Names, cards, seals and codes: what is in them and what cannot get in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/cert/names.h"
#include "gateway/cert/page.h"
#include "gateway/cert/publish.h"
#include "gateway/cert/shc.h"
#include "gateway/cert/vds.h"

/* ---- names ---- */

static void names_become_latin_by_the_passport_rules(void **state)
{
    (void)state;
    static const struct { const char *name, *want; } CASES[] = {
        { "YAMADA HANAKO", "YAMADA HANAKO" },       { "yamada hanako", "YAMADA HANAKO" },       { "ＹＡＭＡＤＡ　ＨＡＮＡＫＯ", "YAMADA HANAKO" },
        { "O'NEIL-SATO ANNA", "O'NEIL-SATO ANNA" }, { "YAMADA (SATO) HANAKO", "YAMADA (SATO) HANAKO" },
        { "YAMADA HANAKO (SATO HANAKO)", "YAMADA HANAKO (SATO HANAKO)" },
        { "Müller Åsa", "MUELLER AASA" },           { "Đặng", NULL },                           { "Ðorđe Łukasz", "DORDE LUKASZ" },
        { "Щербаков Юрий", "SHCHERBAKOV IURII" },
        { "サトウ ジュンイチ", "SATO JUNICHI" },     { "オオノ", "ONO" },                        { "ヨコオ", "YOKOO" },
        { "ヒュウガ", "HYUGA" },                    { "ニイガタ", "NIIGATA" },                  { "ナンバ", "NAMBA" },
        { "ホンマ サンペイ", "HOMMA SAMPEI" },      { "シンイチ", "SHINICHI" },                 { "ハットリ", "HATTORI" },
        { "ハッチョウ", "HATCHO" },                 { "キッカワ", "KIKKAWA" },                  { "チヅル", "CHIZURU" },
        { "おおたに しょうへい", "OTANI SHOHEI" },  { "ジョージ", "JOJI" },                     { "ヴィクトル", "BUIKUTORU" },
        { "タカハシ　（スズキ）　ユウコ", "TAKAHASHI (SUZUKI) YUKO" },
        /* scripts that no table has */
        { "山田花子", NULL }, { "홍길동", NULL }, { "محمد", NULL }, { "สมชาย", NULL }, { "Γιώργος", NULL }, { "שרה", NULL }, { "葛\xF3\xA0\x84\x80飾", NULL },
        { "\xEE\x80\x80", NULL }, { "ﾔﾏﾀﾞ", NULL },
        /* what is no name */
        { "", NULL }, { " YAMADA", NULL }, { "YAMADA ", NULL }, { "YAMADA  HANAKO", NULL }, { "YAMADA2", NULL }, { "YAMADA()", NULL }, { "YAMADA (SATO", NULL },
        { "(SATO) YAMADA", NULL }, { "YAMADA ((SATO)) A", NULL }, { "YAMADA-", NULL }, { "'ALI", NULL }, { "YAMADA,HANAKO", NULL }, { "A<B", NULL }, { "A\nB", NULL },
        { "\xFF\xFE", NULL },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLM", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLM" }, { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN", NULL },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf out;
        buf_init(&out, 256);
        struct err e = name_latin(slice_str(CASES[i].name), &out);
        if (CASES[i].want ? !err_ok(e) || !slice_eq(buf_slice(&out), slice_str(CASES[i].want)) : !err_is(e, E_FIELD) || out.n)
            fail_msg("%s: %.*s", CASES[i].name, (int)out.n, out.p ? (const char *)out.p : "");
        buf_done(&out);
    }
}

static void names_of_the_card_keep_their_script(void **state)
{
    (void)state;
    struct slice family, given;
    assert_true(err_ok(name_own(LIT("試験　花子"), 100, &family, &given)));
    assert_true(slice_eq(family, LIT("試験")) && slice_eq(given, LIT("花子")));
    assert_true(err_ok(name_own(LIT("葛\xF3\xA0\x84\x80飾 太郎"), 100, &family, &given)));
    assert_true(slice_eq(given, LIT("太郎")));
    assert_true(err_ok(name_own(LIT("シン"), 100, &family, &given)));
    assert_true(slice_eq(family, LIT("シン")) && given.n == 0);
    const char *const BAD[] = { "", "花子1", "花子１", "花子①", "花\x01子", "\xFF", "\xE2\x80\xA8",
                                "१२३", "๑๒๓", "১২৩", "𝟙𝟚", "¹²³", "₁₂", "❶❷", "㉑", "🄁", /* digits of other scripts, numbers in circles */
                                "\u202E子花", "花\u200B子", "花\u2066子", "\uFEFF花子", "花\u2060子", "花\U000E0041子", "A\u00ADB" /* not seen, or turning the direction */ };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_true(err_is(name_own(slice_str(BAD[i]), 100, &family, &given), E_FIELD));
    assert_true(err_is(name_own(LIT("あいう"), 2, &family, &given), E_FIELD));
    static const char *const GOOD[] = { "一二三 四五郎", "𠮷野 家", "\uE000崎 外字", "Nguyễn Văn", "محمد علی", "क्\u200Dष अ", "O’Brien Seán", "太郎Ⅱ", "홍 길동" };
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
        assert_true(err_ok(name_own(slice_str(GOOD[i]), 100, &family, &given)));
}

/* ---- cards ---- */

static const struct shc_dose DOSES[] = {
    { 20210301, LIT("207"), LIT("3001234") }, { 20210329, LIT("207"), LIT("3001235") }, { 20211201, LIT("208"), SLICE_NONE },
    { 20220701, LIT("208"), LIT("FP8795") },  { 20221101, LIT("300"), LIT("GJ1857") },  { 20230801, LIT("300"), LIT("GJ7139") },
    { 20231101, LIT("309"), LIT("HD9867") },  { 20190506, LIT("110"), LIT("AB0001") },  { 20190606, LIT("110"), LIT("AB0002") },
    { 20190706, LIT("110"), LIT("AB0003") },  { 20200506, LIT("94"), LIT("MR0001") },   { 20240506, LIT("94"), LIT("MR0002") },
    { 20220506, LIT("39"), LIT("JE0001") },   { 20220606, LIT("39"), LIT("JE0002") },   { 20230606, LIT("39"), LIT("JE0003") }, { 20200201, LIT("21"), LIT("VA0001") },
};

static struct shc_card card(size_t n)
{
    return (struct shc_card){ .issuer = LIT("https://vc.example.jp/issuer"), .nbf_s = 1732150000, .rid = LIT("MKyCxh7p6uQ"), .family = LIT("試験"), .given = LIT("花子"),
                              .birth = 20190506, .authority = LIT("PMHGW_TEST"), .n = n, .doses = DOSES };
}

static const char KID[SHC_KID + 1] = "3Kfdg-XwP-7gXyywtUfUADwBumDOPKMQx-iELL11W9s";

static void a_card_says_what_was_given_and_no_more(void **state)
{
    (void)state;
    struct shc_card c = card(2);
    struct buf out;
    c.given = LIT("花子　マリア");
    buf_init(&out, 8192);
    assert_true(err_ok(shc_payload(&c, &out)));
    const struct slice want = LIT(
        "{\"iss\":\"https://vc.example.jp/issuer\",\"nbf\":1732150000,\"vc\":{\"type\":[\"https://smarthealth.cards#health-card\","
        "\"https://smarthealth.cards#immunization\"],\"credentialSubject\":{\"fhirVersion\":\"4.0.1\",\"fhirBundle\":{\"resourceType\":\"Bundle\","
        "\"type\":\"collection\",\"entry\":[{\"fullUrl\":\"resource:0\",\"resource\":{\"resourceType\":\"Patient\",\"name\":[{\"use\":\"usual\",\"family\":\"試験\","
        "\"given\":[\"花子\",\"マリア\"]}],\"birthDate\":\"2019-05-06\"}},{\"fullUrl\":\"resource:1\",\"resource\":{\"resourceType\":\"Immunization\","
        "\"status\":\"completed\",\"vaccineCode\":{\"coding\":[{\"system\":\"http://hl7.org/fhir/sid/cvx\",\"code\":\"207\"}]},\"patient\":{\"reference\":\"resource:0\"},"
        "\"occurrenceDateTime\":\"2021-03-01\",\"lotNumber\":\"3001234\",\"performer\":[{\"actor\":{\"display\":\"PMHGW_TEST\"}}]}},{\"fullUrl\":\"resource:2\","
        "\"resource\":{\"resourceType\":\"Immunization\",\"status\":\"completed\",\"vaccineCode\":{\"coding\":[{\"system\":\"http://hl7.org/fhir/sid/cvx\","
        "\"code\":\"207\"}]},\"patient\":{\"reference\":\"resource:0\"},\"occurrenceDateTime\":\"2021-03-29\",\"lotNumber\":\"3001235\","
        "\"performer\":[{\"actor\":{\"display\":\"PMHGW_TEST\"}}]}}]}},\"rid\":\"MKyCxh7p6uQ\"}}");
    assert_int_equal(out.n, want.n);
    assert_memory_equal(out.p, want.p, want.n);
    buf_done(&out);
}

static void what_is_packed_can_be_unpacked(void **state)
{
    (void)state;
    struct shc_packer *p;
    struct shc_card c = card(4);
    struct buf text, payload, raw, deflated, digits, back;
    struct slice head, body;
    uint8_t digest[32], again[32], signature[64] = { 7 };
    struct buf *const ALL[] = { &text, &payload, &raw, &deflated, &digits, &back };
    for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++)
        buf_init(ALL[i], 16384);
    assert_true(err_ok(shc_packer_new(&p)));
    assert_true(err_ok(shc_payload(&c, &payload)));
    for (unsigned round = 0; round < 2; round++) { /* the packer is used again and again */
        buf_reset(&text), buf_reset(&raw), buf_reset(&deflated);
        assert_true(err_ok(shc_text(p, &c, KID, &text, round ? again : digest)));
        assert_true(slice_cut(buf_slice(&text), '.', &head, &body));
        assert_true(b64url_decode(body, &deflated));
        assert_true(err_ok(shc_inflate(buf_slice(&deflated), &raw)));
        assert_true(slice_eq(buf_slice(&raw), buf_slice(&payload)));
    }
    assert_memory_equal(digest, again, 32);
    shc_sign(&text, signature);
    assert_true(text.n <= SHC_JWS_MAX);
    assert_true(err_ok(shc_numeric(buf_slice(&text), &digits)) && digits.n == 2 * text.n);
    assert_true(err_ok(shc_of_numeric(buf_slice(&digits), &back)));
    assert_true(slice_eq(buf_slice(&back), buf_slice(&text)));
    shc_packer_free(p);
    for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++)
        buf_done(ALL[i]);
}

static void a_card_that_would_be_too_long_is_told(void **state)
{
    (void)state;
    struct shc_packer *p;
    struct buf text;
    uint8_t digest[32];
    size_t fits = 0;
    char lots[SHC_DOSES_MAX][20];
    struct shc_dose doses[SHC_DOSES_MAX];
    assert_true(err_ok(shc_packer_new(&p)));
    buf_init(&text, 65536);
    for (unsigned i = 0, seed = 7; i < SHC_DOSES_MAX; i++) { /* lots that no packing makes shorter */
        for (size_t k = 0; k < sizeof lots[i]; k++)
            lots[i][k] = (char)('A' + ((seed = seed * 1103515245 + 12345) >> 16) % 26);
        doses[i] = (struct shc_dose){ DOSES[i].date, DOSES[i].cvx, ARR(lots[i]) };
    }
    for (size_t n = 1; n <= SHC_DOSES_MAX; n++) {
        struct shc_card c = card(n);
        c.doses = doses;
        struct err e = shc_text(p, &c, KID, &text, digest);
        if (!err_ok(e)) {
            assert_true(err_is(e, E_FULL));
            break;
        }
        fits = n;
    }
    assert_true(fits >= 6 && fits < SHC_DOSES_MAX);
    shc_packer_free(p);
    buf_done(&text);
}

static void nothing_with_a_number_is_packed(void **state)
{
    (void)state;
    static const struct shc_dose LOT = { 20210301, LIT("207"), LIT("123456789012") }, LONG_LOT = { 20210301, LIT("207"), LIT("123456789012345678901") },
                                 NO_CVX = { 20210301, SLICE_NONE, LIT("A") }, BAD_CVX = { 20210301, LIT("2\"7"), LIT("A") }, NO_DATE = { 0, LIT("207"), LIT("A") };
    const struct shc_dose *const BAD[] = { &LOT, &LONG_LOT, &NO_CVX, &BAD_CVX, &NO_DATE };
    struct buf out;
    buf_init(&out, 8192);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct shc_card c = card(1);
        c.doses = BAD[i];
        assert_true(err_is(shc_payload(&c, &out), E_FIELD));
    }
    struct shc_card c = card(1);
    c.family = LIT("123456789012");
    assert_true(err_is(shc_payload(&c, &out), E_FIELD));
    c = card(1);
    c.rid = LIT("with space");
    assert_true(err_is(shc_payload(&c, &out), E_FIELD));
    c = card(1);
    c.issuer = LIT("http://vc.example.jp");
    assert_true(err_is(shc_payload(&c, &out), E_FIELD));
    c = card(0);
    assert_true(err_is(shc_payload(&c, &out), E_FIELD));
    assert_true(cert_has_twelve_digits(LIT("a1234567890123b")));
    assert_false(cert_has_twelve_digits(LIT("12345678901-2345678901")));
    buf_done(&out);
}

static void inflating_ends_at_the_limit(void **state)
{
    (void)state;
    /* 64 KiB of one letter */
    static const uint8_t BOMB[] = { 0xED, 0xC1, 0x81, 0x00, 0x00, 0x00, 0x00, 0x80, 0x20, 0xD6, 0xFD, 0x25, 0x16, 0xA9, 0x0A, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6A };
    struct buf out;
    buf_init(&out, 1024);
    assert_true(err_is(shc_inflate(ARR(BOMB), &out), E_FIELD));
    assert_true(err_is(shc_inflate(slice_of(BOMB, 3), &out), E_FIELD));
    assert_true(err_is(shc_inflate(SLICE_NONE, &out), E_FIELD));
    assert_true(out.n <= 1024);
    buf_done(&out);
}

/* ---- seals ---- */

static const struct vds_dose SEALED[] = { { 20210301, 1, LIT("XM0GQ8"), LIT("RA01.0"), LIT("COMIRNATY"), LIT("FC9880") },
                                          { 20211201, 2, LIT("XM0GQ8"), LIT("RA01.0"), LIT("COMIRNATY"), LIT("FE9787") },
                                          { 20220801, 3, LIT("XM0GQ8"), LIT("RA01.0"), LIT("SPIKEVAX"), LIT("000199A") } };

static struct vds_seal seal(size_t n)
{
    return (struct vds_seal){ .country = LIT("JPN"), .uvci = LIT("ABCDEF234567"), .name = LIT("SHIKEN HANAKO"), .passport = LIT("TK0000000"), .birth = 19860504,
                              .authority = LIT("PMHGW_TEST"), .n = n, .doses = SEALED };
}

static void a_seal_is_canonical(void **state)
{
    (void)state;
    struct vds_seal s = seal(3);
    struct buf out;
    uint8_t digest[32];
    buf_init(&out, 4096);
    assert_true(err_ok(vds_data(&s, &out, digest)));
    const struct slice want = LIT(
        "{\"hdr\":{\"is\":\"JPN\",\"t\":\"icao.vacc\",\"v\":1},\"msg\":{\"pid\":{\"dob\":\"1986-05-04\",\"i\":\"TK0000000\",\"n\":\"SHIKEN HANAKO\"},"
        "\"uvci\":\"ABCDEF234567\",\"ve\":[{\"des\":\"XM0GQ8\",\"dis\":\"RA01.0\",\"nam\":\"COMIRNATY\",\"vd\":["
        "{\"adm\":\"PMHGW_TEST\",\"ctr\":\"JPN\",\"dvc\":\"2021-03-01\",\"lot\":\"FC9880\",\"seq\":1},"
        "{\"adm\":\"PMHGW_TEST\",\"ctr\":\"JPN\",\"dvc\":\"2021-12-01\",\"lot\":\"FE9787\",\"seq\":2}]},"
        "{\"des\":\"XM0GQ8\",\"dis\":\"RA01.0\",\"nam\":\"SPIKEVAX\",\"vd\":["
        "{\"adm\":\"PMHGW_TEST\",\"ctr\":\"JPN\",\"dvc\":\"2022-08-01\",\"lot\":\"000199A\",\"seq\":3}]}]}}");
    assert_int_equal(out.n, want.n);
    assert_memory_equal(out.p, want.p, want.n);
    buf_done(&out);
}

static void what_cannot_be_in_a_seal_is_refused(void **state)
{
    (void)state;
    struct buf out;
    uint8_t digest[32];
    buf_init(&out, 4096);
    struct vds_seal s;
#define REFUSED(member, value) \
    do { \
        s = seal(1); \
        s.member = value; \
        assert_true(err_is(vds_data(&s, &out, digest), E_FIELD)); \
    } while (0)
    REFUSED(name, LIT("山田"));
    REFUSED(name, SLICE_NONE);
    REFUSED(name, LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN"));
    REFUSED(passport, LIT("tk0000000"));
    REFUSED(passport, LIT("123456789012"));
    REFUSED(country, LIT("JP"));
    REFUSED(authority, LIT("an \"authority\""));
    REFUSED(authority, LIT("厚生労働省"));
    REFUSED(uvci, LIT("123456789012"));
    REFUSED(uvci, LIT("ABCDEFGHIJKLM"));
    REFUSED(birth, 0);
    REFUSED(n, VDS_DOSES_MAX + 1);
    const struct vds_dose LOT = { 20210301, 1, LIT("XM0GQ8"), LIT("RA01.0"), LIT("COMIRNATY"), LIT("123456789012") },
                          CODE = { 20210301, 1, LIT("XM0GQ89"), LIT("RA01.0"), LIT("COMIRNATY"), LIT("A") },
                          NO_LOT = { 20210301, 1, LIT("XM0GQ8"), LIT("RA01.0"), LIT("COMIRNATY"), SLICE_NONE };
    REFUSED(doses, &LOT);
    REFUSED(doses, &CODE);
    REFUSED(doses, &NO_LOT);
    buf_done(&out);
    for (int i = 0; i < 1000; i++) {
        char uvci[VDS_UVCI_MAX];
        vds_uvci(uvci);
        assert_false(all_digits(ARR(uvci)));
    }
}

/* ---- codes, pages, lists ---- */

static void codes_are_drawn(void **state)
{
    (void)state;
    struct qr *q = NULL;
    struct buf png, svg;
    char digits[2 * SHC_JWS_MAX + 2];
    buf_init(&png, QR_PNG_MAX);
    buf_init(&svg, QR_SVG_MAX);
    memset(digits, '5', sizeof digits);
    assert_true(err_ok(qr_of_shc(&q, slice_of(digits, 2 * SHC_JWS_MAX))));
    assert_int_equal(qr_version(q), SHC_QR_VERSION_MAX);
    assert_int_equal(qr_width(q), 105);
    assert_true(qr_dark(q, 0, 0) && !qr_dark(q, 7, 0));
    assert_true(err_ok(qr_png(q, 4, &png)) && png.n < 16384 && slice_starts(buf_slice(&png), LIT("\x89PNG\r\n\x1a\n")));
    assert_true(err_ok(qr_svg(q, &svg)) && slice_starts(buf_slice(&svg), LIT("<svg ")));
    qr_free(q);
    assert_true(err_is(qr_of_shc(&q, ARR(digits)), E_FULL));
    assert_true(err_is(qr_of_bytes(&q, SLICE_NONE), E_FULL));
    static const struct { size_t bytes; unsigned version; } SIZES[] = { { 1003, 22 }, { 1004, 24 }, { 1091, 24 }, { 1171, 24 }, { 1172, 25 } };
    static const uint8_t TEXT[1172] = { '{' };
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        assert_true(err_ok(qr_of_bytes(&q, slice_of(TEXT, SIZES[i].bytes))));
        assert_int_equal(qr_version(q), SIZES[i].version);
        qr_free(q);
    }
    buf_done(&png);
    buf_done(&svg);
}

static void a_page_escapes_what_it_shows(void **state)
{
    (void)state;
    struct buf out;
    const struct page_dose DOSE = { 20210301, 1, LIT("ワクチン"), LIT("vaccine"), LIT("P & Q"), LIT("<b>"), LIT("\"L\"") };
    const struct page p = { .name = LIT("<script>"), .authority = LIT("PMHGW_TEST"), .birth = 19860504, .issued = 20261121, .n_doses = 1, .doses = &DOSE };
    buf_init(&out, 65536);
    assert_true(err_ok(page_write(&p, &out)));
    const char *html = buf_cstr(&out);
    assert_non_null(strstr(html, "&lt;script&gt;"));
    assert_non_null(strstr(html, "P &amp; Q"));
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "<b>"));
    buf_done(&out);
}

static void lists_and_keys_are_published(void **state)
{
    (void)state;
    struct publish_list l;
    struct publish_key k = { .ctr = 2 };
    struct buf out;
    memcpy(k.kid, KID, sizeof k.kid);
    buf_init(&out, 4096);
    publish_list_begin(&l, k.kid, &out);
    publish_list_put(&l, LIT("aaa"), false);
    publish_list_put(&l, LIT("bbb"), true);
    assert_true(err_ok(publish_list_end(&l)));
    assert_string_equal(buf_cstr(&out), "{\"kid\":\"3Kfdg-XwP-7gXyywtUfUADwBumDOPKMQx-iELL11W9s\",\"method\":\"rid\",\"rids\":[\"aaa\",\"bbb\"],\"superseded\":[\"bbb\"],\"ctr\":2}");
    buf_reset(&out);
    publish_jwks(&k, 1, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"crlVersion\":2"));
    buf_done(&out);
}

/* = RFC 7638 has an RSA example only; this key and its thumbprint are those of the SMART Health Cards specification's example */
static void a_key_has_its_thumbprint(void **state)
{
    (void)state;
    struct es256_key k;
    struct buf x, y;
    char kid[ES256_KID];
    buf_init(&x, 32);
    buf_init(&y, 32);
    assert_true(b64url_decode(LIT("11XvRWy1I2S0EyJlyf_bWfw_TQ5CJJNLw78bHXNxcgw"), &x) && b64url_decode(LIT("eZXwxvO1hvCY0KucrPfKo7yAyMT6Ajc3N7OkAB6VYy8"), &y));
    memcpy(k.x, x.p, 32);
    memcpy(k.y, y.p, 32);
    assert_true(err_ok(es256_thumbprint(&k, kid)));
    assert_memory_equal(kid, KID, sizeof kid);
    buf_done(&x);
    buf_done(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_latin_by_the_passport_rules), cmocka_unit_test(names_of_the_card_keep_their_script),
        cmocka_unit_test(a_card_says_what_was_given_and_no_more),   cmocka_unit_test(what_is_packed_can_be_unpacked),
        cmocka_unit_test(a_card_that_would_be_too_long_is_told),    cmocka_unit_test(nothing_with_a_number_is_packed),
        cmocka_unit_test(inflating_ends_at_the_limit),              cmocka_unit_test(a_seal_is_canonical),
        cmocka_unit_test(what_cannot_be_in_a_seal_is_refused),      cmocka_unit_test(codes_are_drawn),
        cmocka_unit_test(a_page_escapes_what_it_shows),             cmocka_unit_test(lists_and_keys_are_published),
        cmocka_unit_test(a_key_has_its_thumbprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
