/* What the audit log tells a redis-link that came back older: only what it must, nothing newer is undone, and twice is as good as once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/redis/redis_int.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/vaccine/immun.h"
#include "keys/ctl/replay.h"
#include "keys/ctl/replay_vrs.h"
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

static int set_up(void **state)
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

static int tear_down(void **state)
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

static const struct redis_reply *hash(struct world *w)
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

static struct store_name name_of(const char *text)
{
    struct store_name k = { .n = strlen(text) };
    memcpy(k.c, text, k.n);
    return k;
}

static struct store_name put(struct world *w, struct store_name field, const char *muni, struct slice plain, bool sealed)
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

static struct store_name put_record(struct world *w, const char *muni, const char *id, uint64_t stored_ms)
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

static struct store_name put_dose(struct world *w, const char *muni, uint8_t id, uint64_t recorded_ms, size_t versions)
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

static struct store_name put_sheet(struct world *w, const char *muni, uint8_t id, uint64_t created_ms)
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

static struct store_name put_ticket(struct world *w, const char *number, uint64_t stored_ms)
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

static struct store_name put_flags(struct world *w, const char *muni, uint8_t bits, uint64_t set_ms)
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

static struct audit_rec act(struct world *w, enum audit_event event)
{
    struct audit_rec rec = { .event = event, .result = AR_OK, .wall_ms = NOW - 1000, .until_s = (uint32_t)(NOW / 1000 + 60), .muni = MUNI };
    memcpy(rec.subject, w->handle, sizeof rec.subject);
    memset(rec.ref, 0xab, sizeof rec.ref);
    return rec;
}

/* The commands as lines "HDEL <key> <field>"; values are cut. */
static const char *say(struct world *w, const struct audit_rec *rec)
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

static bool says(const char *said, const char *command, const struct store_name *field)
{
    char line[256];
    snprintf(line, sizeof line, "%s %.*s", command, (int)field->n, field->c);
    return strstr(said, line) != NULL;
}

static bool drops(struct world *w, const char *said, const struct store_name *field)
{
    char line[256];
    snprintf(line, sizeof line, "HDEL %.*s %.*s\n", (int)w->person.n, w->person.c, (int)field->n, field->c);
    return strstr(said, line) != NULL;
}

/* ---- */

static void what_is_over_or_no_act_is_not_told(void **state)
{
    struct world *w = *state;
    static const struct { enum audit_event event; enum replay_kind kind; } KINDS[] = {
        { AU_CLINIC_LOOKUP, REPLAY_NONE }, { AU_CONSENT_WITHDRAWN, REPLAY_WITHDRAWAL }, { AU_SESSION_ENDED, REPLAY_SESSION }, { AU_FLAGS_SET, REPLAY_FLAGS },
        { AU_PERSON_ERASED, REPLAY_ERASURE }, { AU_STORE_MARK, REPLAY_STORED }, { AU_SESSION_READ, REPLAY_NONE }, { AU_RECONCILED, REPLAY_NONE } };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct audit_rec rec = act(w, KINDS[i].event);
        assert_int_equal(replay_kind_of(&rec, NOW), KINDS[i].kind);
        rec.until_s = (uint32_t)(NOW / 1000);
        bool stays = KINDS[i].kind == REPLAY_STORED || KINDS[i].kind == REPLAY_WITHDRAWAL;
        assert_int_equal(replay_kind_of(&rec, NOW), stays ? KINDS[i].kind : REPLAY_NONE);
        rec = act(w, KINDS[i].event);
        memset(rec.subject, 0, sizeof rec.subject);
        assert_int_equal(replay_kind_of(&rec, NOW), KINDS[i].kind == REPLAY_STORED ? REPLAY_STORED : REPLAY_NONE);
    }
    struct audit_rec failed = act(w, AU_FLAGS_SET), nobody = act(w, AU_CONSENT_WITHDRAWN), vault = act(w, AU_PERSON_ERASED);
    failed.result = AR_REFUSED;
    assert_int_equal(replay_kind_of(&failed, NOW), REPLAY_NONE);
    nobody.until_s = 0; /* there was none of that name: it must not become a withdrawal of all */
    memset(nobody.ref, 0, sizeof nobody.ref);
    assert_int_equal(replay_kind_of(&nobody, NOW), REPLAY_NONE);
    audit_set_actor(&vault, LIT("vault"));
    assert_int_equal(replay_kind_of(&vault, NOW), REPLAY_NUMBER);
    vault.result = AR_NOTHING;
    assert_int_equal(replay_kind_of(&vault, NOW), REPLAY_NONE);
}

static void an_ended_session_is_removed(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_SESSION_ENDED);
    const char *said = say(w, &rec);
    assert_non_null(strstr(said, " sn:abababababababababababababababab\n"));
}

static void flags_are_as_they_were_set_last(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_FLAGS_SET);
    rec.until_s = 0;
    rec.count = FLAG_VIEWING_STOPPED;
    struct store_name field;
    flags_field(MUNI, &field);
    assert_true(says(say(w, &rec), "HSET", &w->person));
    rec.count = 0;
    assert_string_equal(say(w, &rec), ""); /* none, and none there */
    put_flags(w, MUNI, FLAG_NOT_DISCLOSED, NOW - 5000);
    assert_true(drops(w, say(w, &rec), &field));
    rec.count = FLAG_VIEWING_STOPPED;
    assert_true(says(say(w, &rec), "HSET", &w->person));
    rec.count = FLAG_NOT_DISCLOSED;
    assert_string_equal(say(w, &rec), ""); /* as they are: with the reason that they have */
    rec.count = 0;
    rec.wall_ms = NOW - 6000;
    assert_string_equal(say(w, &rec), ""); /* set again after that */
}

static void a_withdrawal_past_its_time_withdraws_everything_until_then(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_CONSENT_WITHDRAWN);
    rec.count = 1;
    const char *said = say(w, &rec);
    assert_true(strstr(said, " cw:abab") && !strstr(said, " ce"));
    rec.until_s = (uint32_t)(NOW / 1000);
    said = say(w, &rec);
    assert_true(strstr(said, " ce") && !strstr(said, " cw:"));
}

static void an_erasure_removes_what_was_there_before_it(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name before = put_record(w, MUNI, "before", NOW - 2000), flags = put_flags(w, MUNI, FLAG_RECOVERY, NOW - 2000);
    struct store_name others = put_record(w, OTHER, "others", NOW - 2000);
    struct store_name tie = put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    struct store_name theirs = put(w, name_of("s:" OTHER), NULL, LIT("ff112233445566778899aabbccddeeff"), false), subject;
    struct store_name ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true), cw = put(w, name_of("ce"), NULL, LIT("x"), true);
    const char *said = say(w, &rec);
    assert_true(drops(w, said, &before) && drops(w, said, &flags) && drops(w, said, &tie));
    assert_false(drops(w, said, &others) || drops(w, said, &theirs) || drops(w, said, &ps) || drops(w, said, &cw));
    assert_true(replay_tie(w->store, &rec, hash(w), &subject) && says("x s:00112233445566778899aabbccddeeff", "x", &subject));
    rec.wall_ms = NOW - 3000; /* registered again after it */
    assert_string_equal(say(w, &rec), "");
    assert_false(replay_tie(w->store, &rec, hash(w), &subject));
}

static void the_last_one_takes_pseudonym_and_sessions_along(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name record = put_record(w, MUNI, "only", NOW - 2000), ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true), name;
    struct store_name sn = put(w, name_of("sn:abababababababababababababababab"), NULL, LIT("x"), true);
    struct store_name co = put(w, name_of("co:abababababababababababababababab"), NULL, LIT("x"), true);
    struct store_name cw = put(w, name_of("cw:abababababababababababababababab"), NULL, LIT("x"), true);
    const char *said = say(w, &rec);
    assert_true(err_ok(store_name_pseudonym(w->store, LIT("mynaportal"), LIT("pseudonym-1"), &name)));
    assert_true(drops(w, said, &record) && drops(w, said, &ps) && drops(w, said, &sn) && drops(w, said, &co) && says(said, "DEL", &name));
    assert_false(drops(w, said, &cw)); /* keeps link keys from working */
}

static void an_erasure_removes_doses_and_questionnaires_that_were_there_before_it(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name tie = put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false), subject;
    struct store_name dose = put_dose(w, MUNI, 1, NOW - 2000, 2), sheet = put_sheet(w, MUNI, 2, NOW - 2000);
    struct store_name theirs = put_dose(w, OTHER, 3, NOW - 2000, 1), ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true);
    const char *said = say(w, &rec);
    assert_true(drops(w, said, &dose) && drops(w, said, &sheet) && drops(w, said, &tie));
    assert_false(drops(w, said, &theirs) || drops(w, said, &ps));
    struct store_name later = put_dose(w, MUNI, 4, NOW, 1); /* of a resident who was registered again */
    said = say(w, &rec);
    assert_true(drops(w, said, &dose) && !drops(w, said, &later) && !drops(w, said, &tie));
    assert_false(replay_tie(w->store, &rec, hash(w), &subject));
}

/* The script that marks, as text; the counts of replay_vrs_marks() are added up in *ret_n. */
static const char *marks(struct world *w, const struct audit_rec *rec, size_t *ret_n)
{
    struct arena *a = arena_new(8 << 20);
    struct redis_batch *b = NULL;
    size_t at = 0, n;
    buf_reset(&w->said);
    *ret_n = 0;
    do {
        struct nz_cas *c = nz_cas_new(a);
        assert_true(err_ok(replay_vrs_marks(w->store, rec, hash(w), &at, a, c, &n)));
        assert_true(err_ok(nz_cas_batch(c, &b)));
        buf_put(&w->said, buf_slice(&b->cmds));
        redis_batch_free(b);
        arena_reset(a);
        *ret_n += n;
    } while (n);
    arena_free(a);
    buf_putc(&w->said, 0);
    return (const char *)w->said.p;
}

static bool is_marked(struct world *w, const char *said, const struct store_name *field, uint64_t version)
{
    char mark[256];
    snprintf(mark, sizeof mark, "\n-00112233445566778899aabbccddeeff:%.32s:%.*s:%llu\r", w->p.h, (int)field->n, field->c, (unsigned long long)version);
    return strstr(said, mark) != NULL;
}

static bool mentions(const char *said, const struct store_name *name)
{
    return memmem(said, strlen(said), name->c, name->n) != NULL;
}

static void what_vrs_has_of_an_erased_one_is_marked(void **state)
{
    struct world *w = *state;
    size_t n;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name ticket = put_ticket(w, "0123456789", NOW - 2000), dose = put_dose(w, MUNI, 1, NOW - 2000, 3), tk;
    struct store_name later = put_ticket(w, "1123456789", NOW), theirs = put_dose(w, OTHER, 2, NOW - 2000, 1), record = put_record(w, MUNI, "r", NOW - 2000);
    assert_null(strstr(marks(w, &rec, &n), "ZADD")); /* no tie: nobody knows the number */
    assert_int_equal(n, 0);
    put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    const char *said = marks(w, &rec, &n);
    assert_int_equal(n, 2);
    assert_true(is_marked(w, said, &ticket, rec.wall_ms) && is_marked(w, said, &dose, 3));
    assert_true(mentions(said, &ticket));
    assert_false(mentions(said, &later) || mentions(said, &theirs) || mentions(said, &record));
    assert_true(err_ok(store_name_ticket(w->store, LIT(MUNI), LIT("0123456789"), &tk)));
    assert_true(mentions(said, &tk)); /* unless an officer gave it to somebody else */
    rec.wall_ms = NOW - 3000; /* what was stored after it */
    assert_null(strstr(marks(w, &rec, &n), "ZADD"));
}

static void more_than_a_script_holds_is_marked_by_several(void **state)
{
    struct world *w = *state;
    size_t n;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    for (unsigned i = 0; i < 700; i++) {
        char number[16];
        snprintf(number, sizeof number, "%010u", i);
        put_ticket(w, number, NOW - 2000);
    }
    marks(w, &rec, &n);
    assert_int_equal(n, 700);
}

static void a_value_of_a_destroyed_key_goes_with_an_erasure(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name broken = put_record(w, MUNI, "broken", NOW);
    w->value[0].p[20] ^= 1;
    assert_true(drops(w, say(w, &rec), &broken));
}

static void a_member_of_staff_of_whom_a_change_is_lost_is_withdrawn(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = { .event = AU_STAFF_CHANGED, .result = AR_OK, .epoch = 9, .count = 5, .wall_ms = NOW };
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE); /* of nobody */
    memset(rec.ref, 7, sizeof rec.ref);
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_STAFF);
    (void)w;
    struct nz_user older = { .version = 4, .made_ms = NOW - 1 };
    assert_true(replay_staff(&rec, &older) && older.withdrawn && older.version == 6);
    assert_false(replay_staff(&rec, &older)); /* again */
    struct nz_user has_it = { .version = 5, .made_ms = NOW - 1 }, newer = { .version = 7, .made_ms = NOW - 1 }, made_later = { .version = 1, .made_ms = NOW + 1 };
    assert_false(replay_staff(&rec, &has_it) || has_it.withdrawn);
    assert_false(replay_staff(&rec, &newer) || newer.withdrawn);
    assert_false(replay_staff(&rec, &made_later) || made_later.withdrawn);
    rec.epoch = 0; /* of a log from before changes told what they raised */
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_over_or_no_act_is_not_told),
        T(a_withdrawal_past_its_time_withdraws_everything_until_then),
        T(an_ended_session_is_removed),
        T(flags_are_as_they_were_set_last),
        T(an_erasure_removes_what_was_there_before_it),
        T(the_last_one_takes_pseudonym_and_sessions_along),
        T(an_erasure_removes_doses_and_questionnaires_that_were_there_before_it),
        T(what_vrs_has_of_an_erased_one_is_marked),
        T(more_than_a_script_holds_is_marked_by_several),
        T(a_value_of_a_destroyed_key_goes_with_an_erasure),
        T(a_member_of_staff_of_whom_a_change_is_lost_is_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
