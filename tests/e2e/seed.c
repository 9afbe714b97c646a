/* pmhgw-test-seed: what the tests need of the sealed store, made by the same code that reads it.
 *
 *   pmhgw-test-seed ring RING MASTER KID JWE_KEY_FILE MUNI...    makes both files
 *   pmhgw-test-seed record RING MASTER PMH_KEY MUNI TYPE HISTORY FROM TO FLAGS ELIGIBILITY_JSON
 *       prints "<redis key> <field> <value in hex>"; FROM, TO: yyyymmdd or 0; FLAGS: letters n (not disclosed), d (deleted), or "-"
 *   pmhgw-test-seed handle RING MASTER PMH_KEY                   prints the person's handle in the audit log, in hex */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/store/store.h"

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

static ERR run(int argc, char **argv)
{
    struct slice what = slice_str(argc > 1 ? argv[1] : NULL);
    struct store *s;
    if (slice_eq(what, LIT("ring")))
        return make_ring(argc, argv);
    bool record = slice_eq(what, LIT("record")) && argc == 12;
    if (!record && !(slice_eq(what, LIT("handle")) && argc == 5))
        return FAIL(E_CONFIG);
    TRY(open_store(&s, argv));
    struct err e = record ? print_record(s, argv) : print_handle(s, argv);
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
