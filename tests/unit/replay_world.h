#ifndef TESTS_UNIT_REPLAY_WORLD_H
#define TESTS_UNIT_REPLAY_WORLD_H

/* One person in a redis-link that came back older, and what an act tells it, as lines of commands. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/cert/stored.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/redis/redis_int.h"
#include "gateway/vaccine/immun.h"
#include "keys/ctl/replay.h"
#include "tests/unit/ring_files.h"

#define NOW UINT64_C(1795000000000)
#define MUNI "331007"
#define OTHER "271403"
enum { FIELDS_MAX = 720, SAID_MAX = 4 << 20 };

struct world {
    struct ring_files files;
    struct store *store;
    struct person p;
    struct store_name person;
    uint8_t handle[16];
    size_t n;
    struct store_name field[FIELDS_MAX];
    struct buf value[FIELDS_MAX];
    struct redis_reply item[2 * FIELDS_MAX], *items[2 * FIELDS_MAX], hash;
    struct buf said; /* the commands of the last batch, a line each */
};

static inline int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct keyring *ring;
    w->files = ring_files_make(RING_LINK);
    ring_files_add(&w->files, RING_LINK, KEY_LINK_INDEX, "1", 1);
    ring_files_add(&w->files, RING_LINK, KEY_LINK_COMMON, "1", 2);
    ring_files_add(&w->files, RING_LINK, KEY_AUDIT_HANDLE, "1", 3);
    ring_files_add(&w->files, RING_LINK, KEY_LINK_DATA, MUNI, 4);
    ring_files_add(&w->files, RING_LINK, KEY_LINK_DATA, OTHER, 5);
    assert_true(err_ok(keyring_load(&ring, RING_LINK, w->files.ring, w->files.master)));
    assert_true(err_ok(store_new(&w->store, ring)));
    keyring_free(ring);
    assert_true(err_ok(store_person(w->store, LIT("PMH-1"), &w->p)));
    assert_true(err_ok(store_audit_handle(w->store, LIT("PMH-1"), w->handle)));
    store_name_person(&w->p, &w->person);
    buf_init(&w->said, SAID_MAX);
    *state = w;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < w->n; i++)
        buf_done(&w->value[i]);
    buf_done(&w->said);
    store_free(w->store);
    ring_files_remove(&w->files);
    free(w);
    return 0;
}

static inline const struct redis_reply *hash(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        w->item[2 * i] = (struct redis_reply){ .type = REDIS_STR, .n = w->field[i].n, .bytes = (const uint8_t *)w->field[i].c };
        w->item[2 * i + 1] = (struct redis_reply){ .type = REDIS_STR, .n = w->value[i].n, .bytes = w->value[i].p };
        w->items[2 * i] = &w->item[2 * i];
        w->items[2 * i + 1] = &w->item[2 * i + 1];
    }
    w->hash = (struct redis_reply){ .type = REDIS_ARRAY, .n = 2 * w->n, .items = w->items };
    return &w->hash;
}

static inline struct store_name name_of(const char *text)
{
    struct store_name k = { .n = strlen(text) };
    memcpy(k.c, text, k.n);
    return k;
}

static inline struct store_name put(struct world *w, struct store_name field, const char *muni, struct slice plain, bool sealed)
{
    struct buf *v = &w->value[w->n];
    w->field[w->n] = field;
    buf_init(v, 4096);
    if (sealed)
        assert_true(err_ok(store_seal(w->store, muni ? slice_str(muni) : SLICE_NONE, &w->person, store_name_slice(&field), plain, v)));
    else
        buf_put(v, plain);
    w->n++;
    return field;
}

static inline struct store_name put_record(struct world *w, const char *muni, const char *id, uint64_t stored_ms)
{
    struct store_name field;
    struct buf plain;
    struct record r = { .stored_ms = stored_ms, .eligibility = LIT("{}"), .basic = LIT("{}") };
    buf_init(&plain, 4096);
    assert_true(err_ok(store_field_record(w->store, slice_str(muni), LIT("t"), slice_str(id), &field)));
    assert_true(err_ok(record_encode(&r, &plain)));
    put(w, field, muni, buf_slice(&plain), true);
    buf_done(&plain);
    return field;
}

static inline struct store_name put_dose(struct world *w, const char *muni, uint8_t id, uint64_t recorded_ms, size_t versions)
{
    struct immun_record *rec = calloc(1, sizeof *rec);
    struct store_name field;
    struct buf plain;
    rec->id[0] = id;
    rec->n_versions = versions;
    for (size_t i = 0; i < versions; i++) {
        rec->versions[i] = (struct immun){ .status = IMMUN_COMPLETED, .program = LIT("mr-1"), .dose = 1, .date = 20260401, .lot = LIT("A1"), .recorded_ms = recorded_ms + i, .writer = slice_str(muni) };
        memcpy(rec->versions[i].muni, muni, 6);
    }
    buf_init(&plain, IMMUN_PLAIN_MAX);
    assert_true(err_ok(immun_encode(rec, &plain)));
    immun_field(muni, rec->id, &field);
    put(w, field, muni, buf_slice(&plain), true);
    buf_done(&plain);
    free(rec);
    return field;
}

static inline struct store_name put_sheet(struct world *w, const char *muni, uint8_t id, uint64_t created_ms)
{
    struct sheet s = { .id = { id }, .program = LIT("mr-1"), .ticket = LIT("0000000012"), .dose = 1, .template_id = LIT("flu"), .template_version = 1 };
    static const uint8_t ASKED[SHEET_REQUEST_BYTES] = { 1 };
    struct store_name field;
    struct buf plain;
    memcpy(s.muni, muni, 6);
    sheet_step(&s, SHEET_SUBMITTED, ASKED, created_ms);
    buf_init(&plain, SHEET_PLAIN_MAX);
    assert_true(err_ok(sheet_encode(&s, &plain)));
    sheet_field(muni, s.id, &field);
    put(w, field, muni, buf_slice(&plain), true);
    buf_done(&plain);
    return field;
}

static inline struct store_name put_ticket(struct world *w, const char *number, uint64_t stored_ms)
{
    char json[96];
    struct store_name field;
    struct buf plain;
    snprintf(json, sizeof json, "{\"vaccinationProgramId\":\"mr-1\",\"ticketNumber\":\"%s\"}", number);
    struct record r = { .stored_ms = stored_ms, .eligibility = slice_str(json), .basic = LIT("{}") };
    buf_init(&plain, 4096);
    assert_true(err_ok(store_field(w->store, STORE_TICKET, LIT(MUNI), LIT("mr-1"), slice_str(number), &field)));
    assert_true(err_ok(record_encode(&r, &plain)));
    put(w, field, MUNI, buf_slice(&plain), true);
    buf_done(&plain);
    return field;
}

static inline struct store_name put_flags(struct world *w, const char *muni, uint8_t bits, uint64_t set_ms)
{
    struct store_name field;
    struct buf plain;
    buf_init(&plain, 64);
    flags_field(muni, &field);
    assert_true(err_ok(flags_encode(&(struct control_flags){ .bits = bits, .set_ms = set_ms, .reason = "why" }, &plain)));
    put(w, field, muni, buf_slice(&plain), true);
    buf_done(&plain);
    return field;
}

static inline struct store_name put_cert(struct world *w, char n, const char *muni, const char *also, uint64_t issued_ms)
{
    struct cert_stored c = { .name = { (uint8_t)n }, .kind = CERT_SHC, .issued_ms = issued_ms, .rid = { 'r', n }, .n_records = also ? 2 : 1 };
    struct store_name field;
    struct buf plain;
    memset(c.kid, 'k', sizeof c.kid);
    memcpy(c.records[0].muni, muni, 6);
    memcpy(c.records[1].muni, also ? also : muni, 6);
    buf_init(&plain, 4096);
    assert_true(err_ok(cert_encode(&c, &plain)));
    cert_field(c.name, &field);
    put(w, field, NULL, buf_slice(&plain), true);
    buf_done(&plain);
    return field;
}

/* The i-th field, a certificate, as one that was revoked. */
static inline void end_cert(struct world *w, size_t i)
{
    struct cert_stored c;
    assert_true(err_ok(cert_open(w->store, &w->person, store_name_slice(&w->field[i]), buf_slice(&w->value[i]), &c)));
    c.state = CERT_REVOKED;
    c.ended_ms = NOW - 500;
    buf_reset(&w->value[i]);
    assert_true(err_ok(cert_seal(w->store, &w->person, &c, &w->value[i])));
}

static inline struct store_name put_notice(struct world *w, const char *field, const char *muni, uint64_t at_ms)
{
    struct buf plain;
    buf_init(&plain, 64);
    buf_put(&plain, LIT("\1\1"));
    buf_be64(&plain, at_ms);
    buf_put(&plain, slice_str(muni));
    buf_put(&plain, LIT("0123456789abcdef\0\1"));
    put(w, name_of(field), NULL, buf_slice(&plain), true);
    buf_done(&plain);
    return name_of(field);
}

static inline struct audit_rec act(struct world *w, enum audit_event event)
{
    struct audit_rec rec = { .event = event, .result = AR_OK, .wall_ms = NOW - 1000, .until_s = (uint32_t)(NOW / 1000 + 60), .muni = MUNI };
    memcpy(rec.subject, w->handle, sizeof rec.subject);
    memset(rec.ref, 0xab, sizeof rec.ref);
    return rec;
}

/* The commands as lines "HDEL <key> <field>"; values are cut. */
static inline const char *say(struct world *w, const struct audit_rec *rec)
{
    struct redis_batch *b = redis_batch_new(1 << 20);
    assert_true(err_ok(replay_add(w->store, rec, hash(w), NOW, b)) && err_ok(buf_check(&b->cmds)));
    struct slice in = buf_slice(&b->cmds), head = SLICE_NONE, arg = SLICE_NONE, end;
    buf_reset(&w->said);
    while (in.n && slice_cut(in, '\n', &head, &in)) {
        for (size_t n = strtoul((const char *)head.p + 1, NULL, 10), i = 0; i < n; i++) {
            assert_true(slice_cut(in, '\n', &head, &in));
            assert_true(slice_take(&in, strtoul((const char *)head.p + 1, NULL, 10), &arg) && slice_take(&in, 2, &end));
            buf_put(&w->said, i == 3 && n == 4 ? LIT("V") : arg);
            buf_putc(&w->said, i + 1 < n ? ' ' : '\n');
        }
    }
    redis_batch_free(b);
    buf_putc(&w->said, 0);
    return (const char *)w->said.p;
}

static inline bool says(const char *said, const char *command, const struct store_name *field)
{
    char line[256];
    snprintf(line, sizeof line, "%s %.*s", command, (int)field->n, field->c);
    return strstr(said, line) != NULL;
}

static inline bool drops(struct world *w, const char *said, const struct store_name *field)
{
    char line[256];
    snprintf(line, sizeof line, "HDEL %.*s %.*s\n", (int)w->person.n, w->person.c, (int)field->n, field->c);
    return strstr(said, line) != NULL;
}

static inline bool mentions(const char *said, const struct store_name *name)
{
    return memmem(said, strlen(said), name->c, name->n) != NULL;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
