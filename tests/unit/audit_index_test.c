/* The index of the log: whom an entry concerns, tables and files against a plain search, files that are not what they should be; entries as JSON. */

#include "tests/unit/audit_bench.h"

#include "gateway/audit/entry_json.h"
#include "gateway/audit/forecast.h"
#include "gateway/audit/index.h"
#include "gateway/audit/leaf.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

enum { PEOPLE = 300, MUNIS = 4, FIRST = 3 * AUDIT_SEGMENT_ENTRIES + 1 };

/* ---- whom an entry concerns ---- */

static void an_entry_concerns_person_owner_and_actor(void **state)
{
    (void)state;
    static const struct { const char *actor, *muni; unsigned subject; size_t n; const char *munis[2]; } CASES[] = {
        { "clinic/3310010012", "331007", 7, 2, { "331007" } },
        { "clinic/3310010012", "000000", 7, 1, { 0 } },
        { "municipality/271403/kodomo", "331007", 0, 2, { "331007", "271403" } },
        { "municipality/271403/kodomo", "271403", 7, 2, { "271403" } },
        { "municipality/271403/kodomo", "331007", 7, 3, { "331007", "271403" } },
        { "municipality/271403", "000000", 0, 0, { 0 } },          /* no system behind it: not one of ours */
        { "municipality/27140x/kodomo", "000000", 0, 0, { 0 } },
        { "clinic/municipality/271403/x", "000000", 0, 0, { 0 } },
        { "audit", "000000", 0, 0, { 0 } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec r = record(1);
        struct audit_key k[AUDIT_KEYS_MAX];
        audit_set_actor(&r, slice_str(CASES[i].actor));
        memcpy(r.muni, CASES[i].muni, 6);
        memset(r.subject, (int)CASES[i].subject, sizeof r.subject);
        assert_int_equal(audit_keys_of(&r, k), CASES[i].n);
        for (size_t m = 0; m < 2 && CASES[i].munis[m]; m++) {
            struct audit_key want = audit_key_muni(CASES[i].munis[m]);
            assert_true(audit_is_about(&r, &want));
        }
        struct audit_key other = audit_key_muni("222127");
        assert_false(audit_is_about(&r, &other));
    }
}

static void acts_are_what_a_restored_store_must_hear_of(void **state)
{
    (void)state;
    struct audit_rec r = record(1);
    assert_false(audit_is_act(&r)); /* a lookup that used nothing up */
    r.ref[3] = 1;
    assert_true(audit_is_act(&r));
    r.event = AU_SESSION_READ;
    assert_false(audit_is_act(&r));
    r.epoch = 9;
    assert_true(audit_is_act(&r));
    r = record(1);
    r.event = AU_CONSENT_WITHDRAWN; /* all of them: no ref */
    assert_true(audit_is_act(&r));
}

/* ---- tables and files against a plain search ---- */

struct plain { struct audit_rec rec[AUDIT_SEGMENT_ENTRIES]; };

static struct plain *plain_new(unsigned seed)
{
    struct plain *p = calloc(1, sizeof *p);
    assert_non_null(p);
    srand(seed);
    for (int i = 0; i < AUDIT_SEGMENT_ENTRIES; i++) {
        struct audit_rec *r = &p->rec[i];
        *r = record((uint32_t)i);
        r->wall_ms += (uint64_t)i;
        int person = rand() % (PEOPLE * 2);
        memset(r->subject, 0, sizeof r->subject);
        if (person < PEOPLE) { /* several share the first byte, one first byte has very many entries */
            r->subject[0] = (uint8_t)(person < PEOPLE / 2 ? 5 : person);
            r->subject[15] = (uint8_t)(person + 1);
            r->subject[14] = (uint8_t)(person >> 8);
        }
        r->muni[5] = (char)('0' + rand() % MUNIS);
        if (i % 7 == 0)
            audit_set_actor(r, LIT("municipality/331003/kodomo"));
        if (i % 100 == 0)
            r->epoch = (uint64_t)i;
    }
    return p;
}

static struct index_table *table_of(const struct plain *p)
{
    struct index_table *t = NULL;
    assert_true(err_ok(index_table_new(&t, FIRST)));
    for (int i = 0; i < AUDIT_SEGMENT_ENTRIES; i++)
        index_table_add(t, &p->rec[i]);
    return t;
}

static size_t plain_find(const struct plain *p, const struct audit_key *k, uint64_t before, uint64_t *out, size_t max)
{
    size_t n = 0;
    for (int i = AUDIT_SEGMENT_ENTRIES - 1; i >= 0 && n < max; i--)
        if (FIRST + (uint64_t)i < before && audit_is_about(&p->rec[i], k))
            out[n++] = FIRST + (uint64_t)i;
    return n;
}

static struct audit_key any_key(const struct plain *p)
{
    struct audit_key k[AUDIT_KEYS_MAX];
    size_t n = audit_keys_of(&p->rec[rand() % AUDIT_SEGMENT_ENTRIES], k);
    struct audit_key one = k[(size_t)rand() % n];
    if (rand() % 10 == 0)
        one.b[7] ^= 1; /* nobody */
    return one;
}

static void assert_same(const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    assert_int_equal(na, nb);
    for (size_t i = 0; i < na; i++)
        assert_true(a[i] == b[i]);
}

static void assert_same_stats(const struct index_stats *a, const struct index_stats *b)
{
    assert_true(a->first == b->first && a->entries == b->entries && a->acts == b->acts && a->plain_acts == b->plain_acts);
    assert_true(a->epoch == b->epoch && a->wall_min == b->wall_min && a->wall_max == b->wall_max);
}

static void table_and_file_find_what_a_plain_search_finds(void **state)
{
    struct bench *b = *state;
    struct plain *p = plain_new(1);
    struct index_table *t = table_of(p);
    struct index_stats s;
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    assert_true(err_ok(index_write(dir, t)));
    assert_true(err_ok(index_stats_read(dir, FIRST, &s)));
    assert_same_stats(&s, index_table_stats(t));
    assert_true(s.epoch == 16300 && s.acts > 100);
    for (int i = 0; i < 600; i++) {
        struct audit_key k = any_key(p);
        uint64_t before = i % 3 ? FIRST + (uint64_t)(rand() % (AUDIT_SEGMENT_ENTRIES + 2)) : UINT64_MAX, want[AUDIT_FIND_MAX], got[AUDIT_FIND_MAX];
        size_t max = 1 + (size_t)rand() % AUDIT_FIND_MAX, n = plain_find(p, &k, before, want, max), m = 99;
        assert_same(want, n, got, index_table_find(t, &k, before, got, max));
        assert_true(err_ok(index_find(dir, FIRST, &k, before, got, max, &m, &s)));
        assert_same(want, n, got, m);
    }
    close(dir);
    index_table_free(t);
    free(p);
}

static void a_segment_is_indexed_as_it_lies_on_the_disk(void **state)
{
    struct bench *b = *state;
    struct index_table *t = NULL;
    writer_open(b, b->log);
    append_many(b, AUDIT_SEGMENT_ENTRIES + 20);
    writer_close(b);
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    assert_true(err_ok(index_table_scan(&t, dir, 1)));
    assert_int_equal(index_table_stats(t)->entries, AUDIT_SEGMENT_ENTRIES);
    index_table_free(t);
    assert_true(err_ok(index_table_scan(&t, dir, AUDIT_SEGMENT_ENTRIES + 1)));
    assert_int_equal(index_table_stats(t)->entries, 20);
    assert_true(err_is(index_write(dir, t), E_NOTHING)); /* not full */
    index_table_free(t);
    assert_true(err_is(index_table_scan(&t, dir, 2 * AUDIT_SEGMENT_ENTRIES + 1), E_NOTHING));
    close(dir);
}

/* Every byte of the head matters, so does the length; what lies is as good as missing. */
static void a_file_that_is_not_whole_is_none(void **state)
{
    struct bench *b = *state;
    struct plain *p = plain_new(2);
    struct index_table *t = table_of(p);
    struct index_stats s;
    char name[INDEX_NAME_BYTES];
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    assert_true(err_ok(index_write(dir, t)));
    index_name(FIRST, name);
    int fd = openat(dir, name, O_RDWR);
    for (off_t at = 0; at < INDEX_HEAD_BYTES; at += at < 64 ? 1 : 13) {
        uint8_t c, bad;
        assert_int_equal(pread(fd, &c, 1, at), 1);
        bad = c ^ 0x40;
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        assert_true(err_is(index_stats_read(dir, FIRST, &s), E_NOTHING));
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
    }
    assert_true(err_ok(index_stats_read(dir, FIRST, &s)));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    static const off_t CUTS[] = { -1, -INDEX_PAIR_BYTES, 1 };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ftruncate(fd, st.st_size + CUTS[i]), 0);
        assert_true(err_is(index_stats_read(dir, FIRST, &s), E_NOTHING));
        assert_int_equal(ftruncate(fd, st.st_size), 0);
    }
    assert_int_equal(renameat(dir, name, dir, "index/0000000000000001"), 0);
    assert_true(err_is(index_stats_read(dir, 1, &s), E_NOTHING)); /* of another segment */
    assert_true(err_is(index_stats_read(dir, FIRST, &s), E_NOTHING));
    close(fd);
    close(dir);
    index_table_free(t);
    free(p);
}

/* ---- the leaf ---- */

static void a_leaf_hides_the_person_and_nothing_else(void **state)
{
    (void)state;
    uint8_t stored[AUDIT_ENTRY_BYTES], leaf[AUDIT_LEAF_BYTES], other[AUDIT_LEAF_BYTES];
    struct audit_rec r = record(1), back;
    struct log_point p = { 0 };
    uint8_t rec[AUDIT_REC_BYTES];
    uint64_t seq;
    enum ipc_role from;
    audit_encode(&r, rec);
    assert_true(err_ok(entry_put(stored, rec, IPC_FRONT, &p)));
    assert_true(err_ok(audit_leaf(stored, leaf)));
    assert_memory_equal(leaf, stored, 40);
    assert_memory_not_equal(leaf + 40, stored + 40, 16);
    assert_memory_equal(leaf + 56, stored + 56, AUDIT_LEAF_BYTES - 56);
    assert_true(audit_leaf_decode(leaf, &seq, &from, &back) && seq == 1 && from == IPC_FRONT && back.event == r.event);
    assert_true(err_ok(entry_put(stored, rec, IPC_FRONT, &p)));
    assert_true(err_ok(audit_leaf(stored, other)));
    assert_memory_not_equal(leaf + 40, other + 40, 16); /* the same person, another entry */
    memset(r.subject, 0, sizeof r.subject);
    audit_encode(&r, rec);
    assert_true(err_ok(entry_put(stored, rec, IPC_FRONT, &p)));
    assert_true(err_ok(audit_leaf(stored, leaf)));
    assert_memory_equal(leaf, stored, AUDIT_LEAF_BYTES);
    stored[AUDIT_REC_BYTES + 9] = 1;
    assert_false(audit_leaf_decode(stored, &seq, &from, &back));
}

/* ---- for people ---- */

static void nothing_of_an_entry_ends_a_line_or_moves_a_cursor(void **state)
{
    (void)state;
    srand(7);
    unsigned accepted = 0;
    for (int i = 0; i < 20000; i++) {
        struct audit_rec r = record((uint32_t)i), back;
        struct audit_proof p = { .seq = 5, .n = 2 };
        uint8_t b[AUDIT_REC_BYTES];
        struct buf out;
        struct jsonw w;
        audit_encode(&r, b);
        for (int k = 0; k < 3; k++) /* wherever an attacker could have put his text */
            b[rand() % AUDIT_REC_BYTES] = (uint8_t)"\n\x1b\r\x7f\"\\<A"[rand() % 8];
        if (!audit_decode(b, &back))
            continue;
        accepted++;
        memcpy(p.leaf, b, sizeof b);
        buf_init(&out, 8192);
        jsonw_init(&w, &out);
        jsonw_object(&w, NULL);
        audit_entry_json(&w, 5, &back, (struct audit_words){ SLICE_NONE, SLICE_NONE });
        audit_entry_json_who(&w, &back);
        audit_entry_json_proof(&w, &p);
        jsonw_end_object(&w);
        assert_true(err_ok(buf_check(&out)));
        for (size_t k = 0; k < out.n; k++)
            assert_true(out.p[k] >= 0x20 && out.p[k] < 0x7f);
        assert_null(memmem(out.p, out.n, "\\u00", 4));
        buf_done(&out);
    }
    assert_true(accepted > 500);
}

static void an_entry_is_told_with_words(void **state)
{
    (void)state;
    struct audit_rec r = record(3);
    struct buf out;
    struct jsonw w;
    r.items = AUDIT_ITEM_ELIGIBILITY | AUDIT_ITEM_VACCINATION;
    r.basis = 12;
    r.behalf = AB_CITIZEN;
    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    audit_entry_json(&w, 9, &r, (struct audit_words){ SLICE_NONE, LIT("treatment") });
    audit_entry_json_who(&w, &r);
    jsonw_end_object(&w);
    static const char WANT[] = "{\"seq\":9,\"at\":\"2009-02-13T23:31:30.123Z\",\"event\":\"clinic_lookup\",\"result\":\"nothing\",\"reason\":\"used\","
        "\"items\":[\"eligibility\",\"immunizations\"],\"count\":3,\"basis\":12,\"purpose\":\"treatment\",\"on_behalf\":\"citizen\",\"request\":\"0300000000000000\","
        "\"actor\":\"clinic/3310010012\",\"municipality\":\"331007\"}";
    assert_int_equal(out.n, sizeof WANT - 1);
    assert_memory_equal(out.p, WANT, out.n);
    buf_done(&out);
}

/* ---- how long the disk lasts ---- */

#define HOUR UINT64_C(3600000)

static void the_disk_lasts_as_the_last_day_says(void **state)
{
    (void)state;
    struct forecast f = { 0 };
    uint64_t t = 1000 * HOUR;
    assert_true(forecast_hours(&f, t, 1000) == UINT32_MAX);
    forecast_grew(&f, t, 1000);
    assert_true(forecast_hours(&f, t + 1000, 1000) == UINT32_MAX); /* one second says nothing */
    for (uint64_t h = 1; h < 100; h++)
        forecast_grew(&f, t + h * HOUR, 1000);
    uint64_t hourly = 1000 * FORECAST_ENTRY_BYTES;
    uint32_t hours = forecast_hours(&f, t + 99 * HOUR + HOUR - 1, 240 * hourly);
    assert_in_range(hours, 220, 260);
    /* nothing came for a day */
    assert_true(forecast_hours(&f, t + 130 * HOUR, hourly) == UINT32_MAX);
    /* and told late, it does not count */
    forecast_grew(&f, t, 1000000);
    assert_true(forecast_hours(&f, t + 130 * HOUR, hourly) == UINT32_MAX);
}

static void others_fill_the_disk_too(void **state)
{
    (void)state;
    struct forecast f = { 0 };
    uint64_t t = 1000 * HOUR, gib = UINT64_C(1) << 30;
    forecast_free(&f, t, 100 * gib);
    assert_true(forecast_hours(&f, t + HOUR / 10, 90 * gib) == UINT32_MAX); /* too soon to say */
    assert_int_equal(forecast_hours(&f, t + 10 * HOUR, 50 * gib), 10);
    assert_true(forecast_hours(&f, t + 10 * HOUR, 120 * gib) == UINT32_MAX);
    assert_int_equal(forecast_hours(&f, t + 10 * HOUR, 0), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_concerns_person_owner_and_actor),
        cmocka_unit_test(acts_are_what_a_restored_store_must_hear_of),
        T(table_and_file_find_what_a_plain_search_finds),
        T(a_segment_is_indexed_as_it_lies_on_the_disk),
        T(a_file_that_is_not_whole_is_none),
        cmocka_unit_test(a_leaf_hides_the_person_and_nothing_else),
        cmocka_unit_test(nothing_of_an_entry_ends_a_line_or_moves_a_cursor),
        cmocka_unit_test(an_entry_is_told_with_words),
        cmocka_unit_test(the_disk_lasts_as_the_last_day_says),
        cmocka_unit_test(others_fill_the_disk_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
