/* pmhgw-test-seed: what the tests need of the sealed store, made by the same code that reads it.
 *
 *   pmhgw-test-seed ring RING MASTER KID JWE_KEY_FILE MUNI...    makes both files
 *   pmhgw-test-seed record RING MASTER PMH_KEY MUNI TYPE HISTORY FROM TO FLAGS ELIGIBILITY_JSON
 *       prints "<redis key> <field> <value in hex>"; FROM, TO: yyyymmdd or 0; FLAGS: letters n (not disclosed), d (deleted), or "-"
 *   pmhgw-test-seed withdraw RING MASTER PMH_KEY CONSENT_ID VERSION    a withdrawal of now, as bytes for Redis, in hex
 *   pmhgw-test-seed withdraw-all RING MASTER PMH_KEY AT_MS
 *   pmhgw-test-seed flags RING MASTER PMH_KEY MUNI BITS
 *   pmhgw-test-seed used RING MASTER PMH_KEY JTI                 prints the name of the use
 *   pmhgw-test-seed seal KEY_FILE KID TEXT                       prints a JWE of our making
 *   pmhgw-test-seed handle RING MASTER PMH_KEY                   prints the person's handle in the audit log, in hex */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/consent/consent_int.h"
#include "gateway/jose/jwe.h"
#include "gateway/redis/redis_int.h"

static ERR put_key(char **argv, enum key_kind kind, struct slice id, const struct secret *key)
{
    return keyring_add(RING_LINK, argv[2], argv[3], kind, id, key);
}

static ERR make_ring(int argc, char **argv)
{
    struct secret *jwe;
    if (argc < 7)
        return FAIL(E_CONFIG);
    TRY(keyring_create(RING_LINK, argv[2], argv[3]));
    TRY(put_key(argv, KEY_LINK_INDEX, LIT("1"), NULL));
    TRY(put_key(argv, KEY_LINK_COMMON, LIT("1"), NULL));
    TRY(put_key(argv, KEY_AUDIT_HANDLE, LIT("1"), NULL));
    TRY(secret_read_file(&jwe, argv[5], AEAD_KEY));
    struct err e = put_key(argv, KEY_LINK_JWE, slice_str(argv[4]), jwe);
    for (int i = 6; err_ok(e) && i < argc; i++)
        e = put_key(argv, KEY_LINK_DATA, slice_str(argv[i]), NULL);
    secret_free(jwe);
    return e;
}

static ERR open_store(struct store **ret_s, char **argv)
{
    struct keyring *ring;
    TRY(keyring_load(&ring, RING_LINK, argv[2], argv[3]));
    struct err e = store_new(ret_s, ring);
    keyring_free(ring);
    return e;
}

static void print(struct slice s) { printf("%.*s", (int)s.n, (const char *)s.p); }

static ERR print_record(struct store *s, char **argv)
{
    struct slice muni = slice_str(argv[5]);
    uint64_t from, to;
    struct person person;
    struct store_name key, field;
    struct buf plain, sealed, hex;
    if (!u64_parse(slice_str(argv[8]), &from) || !u64_parse(slice_str(argv[9]), &to))
        return FAIL(E_CONFIG);
    struct record rec = { .not_disclosed = strchr(argv[10], 'n'), .deleted = strchr(argv[10], 'd'), .from = (ymd_t)from, .to = (ymd_t)to,
                          .stored_ms = 1, .eligibility = slice_str(argv[11]), .basic = LIT("{}") };
    buf_init(&plain, STORE_RECORD_MAX);
    buf_init(&sealed, 2 * STORE_RECORD_MAX);
    buf_init(&hex, 4 * STORE_RECORD_MAX);
    struct err e = store_person(s, slice_str(argv[4]), &person);
    if (err_ok(e))
        e = store_field_record(s, muni, slice_str(argv[6]), slice_str(argv[7]), &field);
    if (err_ok(e))
        e = record_encode(&rec, &plain);
    store_name_person(&person, &key);
    if (err_ok(e))
        e = store_seal(s, muni, &key, store_name_slice(&field), buf_slice(&plain), &sealed);
    buf_hex(&hex, buf_slice(&sealed));
    if (err_ok(e)) {
        print(store_name_slice(&key));
        printf(" ");
        print(store_name_slice(&field));
        printf(" ");
        print(buf_slice(&hex));
        printf("\n");
    }
    buf_done(&plain);
    buf_done(&sealed);
    buf_done(&hex);
    return e;
}

static ERR print_handle(struct store *s, char **argv)
{
    uint8_t handle[16];
    struct buf hex;
    TRY(store_audit_handle(s, slice_str(argv[4]), handle));
    buf_init(&hex, 64);
    buf_hex(&hex, ARR(handle));
    print(buf_slice(&hex));
    printf("\n");
    buf_done(&hex);
    return OK;
}

/* ---- changes of a person's hash, as a daemon would send them ---- */

static ERR print_batch(struct err e, struct redis_batch *b)
{
    struct buf hex;
    buf_init(&hex, 1 << 20);
    buf_hex(&hex, buf_slice(&b->cmds));
    if (err_ok(e))
        print(buf_slice(&hex));
    buf_done(&hex);
    redis_batch_free(b);
    return e;
}

static ERR person_of(struct store *s, char **argv, struct person *ret_p, struct store_name *ret_k)
{
    TRY(store_person(s, slice_str(argv[4]), ret_p));
    store_name_person(ret_p, ret_k);
    return OK;
}

static ERR print_withdrawal(struct store *s, char **argv)
{
    struct person p;
    struct store_name key;
    struct consent_name name;
    struct clock clock = clock_system();
    uint64_t now = clock_wall(&clock);
    TRY(person_of(s, argv, &p, &key));
    TRY(consent_name_of(s, &p, slice_str(argv[5]), &name));
    struct consent_withdrawn w = { { consent_withdrawal_until_ms(now), now }, (uint32_t)strtoul(argv[6], NULL, 10) };
    struct consent_place at = consent__place(s, &key, CF_WITHDRAWN, &name);
    struct redis_batch *b = redis_batch_new(1 << 16);
    return b ? print_batch(consent__put_withdrawn(&at, &w, b), b) : FAIL(E_NOMEM);
}

static ERR print_withdrawal_of_all(struct store *s, char **argv)
{
    struct person p;
    struct store_name key;
    TRY(person_of(s, argv, &p, &key));
    struct redis_batch *b = redis_batch_new(1 << 16);
    return b ? print_batch(consent__put_all(s, &key, strtoull(argv[5], NULL, 10), b), b) : FAIL(E_NOMEM);
}

static ERR print_flags(struct store *s, char **argv)
{
    struct person p;
    struct store_name key;
    struct control_flags f = { .bits = (uint8_t)strtoul(argv[6], NULL, 10), .set_ms = 1, .reason = "test" };
    TRY(person_of(s, argv, &p, &key));
    struct redis_batch *b = redis_batch_new(1 << 16);
    return b ? print_batch(flags_add(s, &key, argv[5], &f, b), b) : FAIL(E_NOMEM);
}

static ERR print_used(struct store *s, char **argv)
{
    struct person p;
    struct store_name key, used;
    TRY(person_of(s, argv, &p, &key));
    TRY(store_name_used(s, &p, slice_str(argv[5]), &used));
    print(store_name_slice(&used));
    return OK;
}

static ERR print_sealed(char **argv)
{
    struct secret *key;
    struct jwe_keys *keys;
    struct buf token;
    TRY(secret_read_file(&key, argv[2], AEAD_KEY));
    TRY(jwe_keys_one(&keys, slice_str(argv[3]), key));
    buf_init(&token, JWE_MAX);
    struct err e = jwe_seal(keys, slice_str(argv[3]), slice_str(argv[4]), &token);
    print(buf_slice(&token));
    buf_done(&token);
    jwe_keys_free(keys);
    secret_free(key);
    return e;
}

static const struct command {
    const char *name;
    int argc;
    ERR (*print)(struct store *s, char **argv);
} COMMANDS[] = {
    { "record", 12, print_record },     { "handle", 5, print_handle }, { "withdraw", 7, print_withdrawal },
    { "withdraw-all", 6, print_withdrawal_of_all }, { "flags", 7, print_flags }, { "used", 6, print_used },
};

static ERR run(int argc, char **argv)
{
    struct slice what = slice_str(argc > 1 ? argv[1] : NULL);
    struct store *s;
    if (slice_eq(what, LIT("ring")))
        return make_ring(argc, argv);
    if (slice_eq(what, LIT("seal")) && argc == 5)
        return print_sealed(argv);
    const struct command *c = NULL;
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (slice_eq(what, slice_str(COMMANDS[i].name)) && argc == COMMANDS[i].argc)
            c = &COMMANDS[i];
    if (!c)
        return FAIL(E_CONFIG);
    TRY(open_store(&s, argv));
    struct err e = c->print(s, argv);
    store_free(s);
    return e;
}

int main(int argc, char **argv)
{
    struct err e = run(argc, argv);
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-test-seed: %s at %s\n", err_slug(e.code), e.site);
    return err_ok(e) ? 0 : 1;
}
