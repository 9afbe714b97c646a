#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/tls/caller.h"
#include "tests/unit/tls_link.h"

/* ---- who calls ---- */

static void names(void **state)
{
    (void)state;
    static const struct {
        struct slice uri;
        enum caller_role role; /* NONE: refused */
        const char *code, *system;
    } CASES[] = {
        { LIT("pmhgw:municipality/331007/kodomo"), CALLER_MUNICIPALITY, "331007", "kodomo" },
        { LIT("pmhgw:clinic/3310010012"), CALLER_CLINIC, "3310010012", "" },
        { LIT("pmhgw:portal/mynaportal"), CALLER_PORTAL, "", "mynaportal" },
        { LIT("pmhgw:operator/local-1"), CALLER_OPERATOR, "", "local-1" },
        { LIT("pmhgw:gateway/intake"), CALLER_GATEWAY, "", "intake" },
        { LIT("pmhgw:portal/abcdefghijklmnopqrstuvwxyz012345"), CALLER_PORTAL, "", "abcdefghijklmnopqrstuvwxyz012345" },
        { LIT("pmhgw:portal/abcdefghijklmnopqrstuvwxyz0123456"), CALLER_NONE, "", "" },
        { LIT(""), CALLER_NONE, "", "" },
        { LIT("pmhgw:"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/331001001"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/33100100123"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/331001001a"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012/x"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012\0"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012\n"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/\0003310010012"), CALLER_NONE, "", "" },
        { LIT("PMHGW:clinic/3310010012"), CALLER_NONE, "", "" },
        { LIT(" pmhgw:clinic/3310010012"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/33100/kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/3310070/kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/Kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/ko/do"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/ko.do"), CALLER_NONE, "", "" },
        { LIT("pmhgw:portal/my naportal"), CALLER_NONE, "", "" },
        { LIT("pmhgw:portal/../x"), CALLER_NONE, "", "" },
        { LIT("pmhgw:king/x"), CALLER_NONE, "", "" },
        { LIT("https://clinic/3310010012"), CALLER_NONE, "", "" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct caller c = { 0 };
        assert_int_equal(caller_parse(&c, CASES[i].uri), CASES[i].role != CALLER_NONE);
        assert_int_equal(c.role, CASES[i].role);
        assert_string_equal(c.code, CASES[i].code);
        assert_string_equal(c.system, CASES[i].system);
        if (c.role != CALLER_NONE)
            assert_true(slice_eq(slice_str(c.identity), slice_of(CASES[i].uri.p + 6, CASES[i].uri.n - 6)));
        else
            assert_string_equal(c.identity, "");
    }
}

static void judged(struct world *w, const struct pair *id, enum err_code want)
{
    struct link l;
    link_begin(&l, w->door, id, NULL);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN); /* whatever the certificate: the refusal is a document */
    const struct caller *who = tls_caller(l.server);
    assert_int_equal(who->refusal, want);
    assert_int_equal(who->role, want == E_OK ? CALLER_CLINIC : CALLER_NONE);
    assert_string_equal(who->identity, want == E_OK ? "clinic/3310010012" : "");
    say(&l, "hello");
    assert_true(slice_eq(buf_slice(&l.plain), LIT("hello")));
    link_end(&l);
}

static void certificates(void **state)
{
    struct world *w = *state;
    static const char GOOD[] = "URI:pmhgw:clinic/3310010012";
    struct pair other = ca_new();
    struct pair signer = client_new(&w->pki.issuer, GOOD);
    const struct {
        const struct pair *by;
        struct wish wish;
        enum err_code want;
    } CASES[] = {
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth" }, E_OK },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth,serverAuth" }, E_OK },
        { &w->pki.issuer, { .san = "DNS:a.example,URI:pmhgw:clinic/3310010012", .eku = "clientAuth" }, E_OK },
        { &other, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { NULL, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { &signer, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .from_s = -7200, .to_s = -3600 }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .from_s = 3600, .to_s = 7200 }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "serverAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .ca = true }, E_CERT_REFUSED },
        { &w->pki.issuer, { .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "DNS:clinic.example", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:https://clinic/3310010012", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:pmhgw:clinic/3310010012,URI:pmhgw:clinic/3310010013", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:pmhgw:clinic/3310010012,URI:https://x", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "email:pmhgw@clinic.example", .eku = "clientAuth" }, E_CERT_REFUSED },
    };
    judged(w, NULL, E_CERT_MISSING);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct pair id = pair_new(CASES[i].by, CASES[i].wish);
        judged(w, &id, CASES[i].want);
        pair_free(&id);
    }
    pair_free(&signer);
    pair_free(&other);
}

static void fingerprint(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:municipality/331007/kodomo");
    uint8_t want[32];
    struct link l;
    assert_int_equal(X509_digest(id.cert, EVP_sha256(), want, NULL), 1);
    link_begin(&l, w->door, &id, NULL);
    link_shake(&l, 1); /* byte by byte */
    const struct caller *who = tls_caller(l.server);
    assert_int_equal(who->role, CALLER_MUNICIPALITY);
    assert_string_equal(who->code, "331007");
    assert_string_equal(who->system, "kodomo");
    assert_memory_equal(who->cert_sha256, want, sizeof want);
    link_end(&l);
    pair_free(&id);
}

static void door_that_does_not_ask(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    struct tls_door_conf conf = conf_of(&w->pki);
    struct world open = { .pki = w->pki };
    conf.ca_path = NULL;
    assert_int_equal(tls_door_new(&open.door, &conf).code, E_OK);
    judged(&open, &id, E_CERT_MISSING);
    tls_door_free(open.door);
    pair_free(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(certificates),
        cmocka_unit_test(fingerprint),
        cmocka_unit_test(door_that_does_not_ask),
    };
    return cmocka_run_group_tests_name("caller", tests, world_begin, world_end);
}
