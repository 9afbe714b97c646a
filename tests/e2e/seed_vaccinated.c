/* pmhgw-test-vaccinated RING MASTER MUNI PROGRAM COUNT [NAME]: writes RESP commands to standard output that make COUNT residents of a municipality who have one or two
 * doses, as the gateway would have stored them. Person i is born on 2020-01-(1 + i % 28); every third has no second dose, every tenth is silent. NAME: of the first. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/vaccine/immun.h"

static void need(struct err e)
{
    if (err_ok(e))
        return;
    fprintf(stderr, "%s %s\n", err_slug(e.code), e.site);
    exit(1);
}

static void arg(struct slice s)
{
    printf("$%zu\r\n", s.n);
    fwrite(s.p, 1, s.n, stdout);
    printf("\r\n");
}

static void put(const struct store_name *key, struct slice field, struct slice value)
{
    printf("*4\r\n");
    arg(LIT("HSET")), arg(store_name_slice(key)), arg(field), arg(value);
}

struct town { struct store *s; struct slice muni, program; };

static void subject(const struct town *t, const struct store_name *key, unsigned i, const char *name)
{
    char eligibility[256], basic[512], number[32];
    struct store_name field;
    struct buf plain, sealed;
    snprintf(number, sizeof number, "V-%u", i);
    snprintf(eligibility, sizeof eligibility, "{\"municipalityCode\":\"%.6s\",\"guardianName\":\"保護者\",\"vaccinationSubjectNumber\":\"%s\",\"reductionSegment\":\"%s\"}",
             (const char *)t->muni.p, number, i % 4 ? "" : "生活保護");
    snprintf(basic, sizeof basic, "{\"name\":\"%s\",\"nameKana\":\"シケン\",\"address\":\"試験町\",\"dateOfBirth\":\"2020-01-%02u\",\"sex\":\"1\"}", name, 1 + i % 28);
    struct record rec = { .not_disclosed = i % 10 == 9, .stored_ms = 1, .row = i, .eligibility = slice_str(eligibility), .basic = slice_str(basic) };
    buf_init(&plain, STORE_RECORD_MAX), buf_init(&sealed, 2 * STORE_RECORD_MAX);
    need(store_field(t->s, STORE_VACCINATION, t->muni, SLICE_NONE, SLICE_NONE, &field));
    need(record_encode(&rec, &plain));
    need(store_seal(t->s, t->muni, key, store_name_slice(&field), buf_slice(&plain), &sealed));
    put(key, store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain), buf_done(&sealed);
}

static void dose(const struct town *t, const struct store_name *key, unsigned i, unsigned n)
{
    static struct immun_record rec;
    struct store_name field;
    struct buf plain, sealed;
    char ticket[16];
    snprintf(ticket, sizeof ticket, "%010u", 10 * i + n);
    rec = (struct immun_record){ .id = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, (uint8_t)n }, .n_versions = 1 };
    rec.versions[0] = (struct immun){ .status = IMMUN_COMPLETED, .program = t->program, .dose = n, .date = 20210200 + 100 * n + 1 + i % 28, .ticket = slice_str(ticket),
                                      .vaccine = LIT("ワクチン"), .product = LIT("製品"), .maker = LIT("ファイザー"), .lot = i % 2 ? LIT("12345") : LIT("FC9880"),
                                      .clinic = LIT("3319900019"), .writer = LIT("3319900019"), .doctor = i % 5 ? LIT("岡山 太郎") : LIT("=cmd|' /C calc'!A0"), .place = LIT("市民会館\"大\"ホール"),
                                      .consented = true, .recorded_ms = UINT64_C(1617235199000) + i };
    memcpy(rec.versions[0].muni, t->muni.p, 6);
    immun_field((const char *)t->muni.p, rec.id, &field);
    buf_init(&plain, IMMUN_PLAIN_MAX), buf_init(&sealed, 2 * IMMUN_PLAIN_MAX);
    need(immun_encode(&rec, &plain));
    need(store_seal(t->s, t->muni, key, store_name_slice(&field), buf_slice(&plain), &sealed));
    put(key, store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain), buf_done(&sealed);
}

static void resident(const struct town *t, unsigned i, const char *name)
{
    char pmh_key[32];
    struct person p;
    struct store_name key, index;
    snprintf(pmh_key, sizeof pmh_key, "TEST-%u", i);
    need(store_person(t->s, slice_str(pmh_key), &p));
    store_name_person(&p, &key);
    subject(t, &key, i, name);
    dose(t, &key, i, 1);
    if (i % 3)
        dose(t, &key, i, 2);
    store_name_vaccinated((const char *)t->muni.p, &index);
    printf("*4\r\n");
    arg(LIT("ZADD")), arg(store_name_slice(&index)), arg(LIT("0")), arg(ARR(p.h));
}

int main(int argc, char **argv)
{
    struct keyring *ring;
    struct town t;
    if (argc < 6 || strlen(argv[3]) != 6)
        return 2;
    need(keyring_load(&ring, RING_LINK, argv[1], argv[2]));
    need(store_new(&t.s, ring));
    keyring_free(ring);
    t.muni = slice_str(argv[3]);
    t.program = slice_str(argv[4]);
    for (unsigned i = 0, n = (unsigned)atoi(argv[5]); i < n; i++)
        resident(&t, i, i == 0 && argc > 6 ? argv[6] : "試験 花子");
    store_free(t.s);
    return fflush(stdout) == 0 ? 0 : 1;
}
