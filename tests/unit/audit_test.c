#include "tests/unit/audit_bench.h"

/* ---- the record ---- */

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    struct audit_rec in = record(42), out;
    uint8_t b[AUDIT_REC_BYTES], again[AUDIT_REC_BYTES];
    audit_encode(&in, b);
    assert_true(audit_decode(b, &out));
    audit_encode(&out, again);
    assert_memory_equal(b, again, sizeof b);
    assert_true(out.event == AU_CLINIC_LOOKUP && out.result == AR_NOTHING && out.reason == E_USED && out.count == 42);
    assert_true(out.wall_ms == 1234567890123 && memcmp(out.muni, "331007", 6) == 0 && strcmp(out.actor, "clinic/3310010012") == 0);
}

static void a_record_says_why_and_for_whom(void **state)
{
    (void)state;
    struct audit_rec in = record(1), out;
    uint8_t b[AUDIT_REC_BYTES];
    in.basis = 513;
    in.purpose = 7;
    in.behalf = AB_CITIZEN;
    in.items = AUDIT_ITEM_ELIGIBILITY | AUDIT_ITEM_NUMBER;
    in.until_s = 4000000000u;
    in.epoch = UINT64_C(1) << 40;
    memset(in.ref, 0xab, sizeof in.ref);
    audit_encode(&in, b);
    assert_true(audit_decode(b, &out));
    assert_true(out.basis == 513 && out.purpose == 7 && out.behalf == AB_CITIZEN && out.items == in.items);
    assert_true(out.until_s == in.until_s && out.epoch == in.epoch && memcmp(out.ref, in.ref, sizeof in.ref) == 0);
}

/* Logs begun by an earlier version go on. */
static void a_record_of_the_first_form_is_read(void **state)
{
    (void)state;
    struct audit_rec in = record(1), out;
    uint8_t b[AUDIT_REC_BYTES];
    audit_encode(&in, b);
    b[0] = 1;
    assert_true(audit_decode(b, &out) && out.basis == 0 && out.epoch == 0);
    b[150] = 1;
    assert_false(audit_decode(b, &out));
}

static void a_malformed_record_is_refused(void **state)
{
    (void)state;
    static const struct { const char *name; unsigned at; uint8_t value; } CASES[] = {
        { "form", 0, 3 },           { "no form", 0, 0 },         { "result", 1, AR__MAX },     { "event high byte", 2, 1 },
        { "event unknown", 3, 99 }, { "reason", 4, 255 },        { "gap", 6, 1 },              { "gap", 7, 1 },
        { "muni", 28, 'x' },        { "muni NUL", 33, 0 },       { "gap 2", 34, 1 },           { "gap 2", 39, 1 },
        { "no actor", 56, 0 },      { "actor capital", 57, 'L' }, { "actor space", 57, ' ' },  { "actor quote", 57, '"' },
        { "actor after its end", 119, 'a' }, { "gap 3", 154, 1 }, { "gap 3", 159, 1 },         { "items", 150, 8 },       { "behalf", 153, AB__MAX },         { "actor high byte", 56, 0xe3 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec in = record(1), out;
        uint8_t b[AUDIT_REC_BYTES];
        audit_encode(&in, b);
        b[CASES[i].at] = CASES[i].value;
        if (audit_decode(b, &out))
            fail_msg("%s", CASES[i].name);
    }
}

/* The number of a reason is stored: what is in a log already must not change its meaning. */
static void a_reason_keeps_its_number(void **state)
{
    (void)state;
    static const char *const SLUGS[] = {
        "ok", "malformed_request", "malformed_url", "invalid_utf8", "invalid_json", "json_too_deep", "json_duplicate_key",
        "json_wrong_shape", "too_many_rows", "body_too_large", "unsupported_media_type", "headers_too_large",
        "request_timeout", "not_found", "method_not_allowed", "field_invalid", "certificate_required", "certificate_refused",
        "forbidden", "invalid_token", "unsupported_grant", "nothing", "used", "no_session", "conflict", "store_unavailable",
        "store_refused", "audit_unavailable", "vault_unavailable", "overloaded", "deadline_exceeded", "upstream_unavailable",
        "upstream_answer_refused", "stub", "internal_error", "out_of_memory", "limit_reached", "io_error", "crypto_error",
        "seal_broken", "bad_configuration", "protocol_breach", "canceled", "not_disclosed", "method_unknown",
        "disk_full", "wrong_offset", "not_complete", "too_late", "no_undo", "too_many_uploads", "consent_withdrawn",
        "store_older_than_log", "no_legal_basis", "login_failed", "no_staff_session", "password_not_acceptable",
        "password_change_required", "second_factor_required", "reveal_limit_reached", "second_officer_required", "revocation_unknown", "unknown_resident",
        "results_not_readable", "version_conflict", "consent_required", "signer_unavailable", "attributes_refused", "nothing_to_certify",
        "rules_broken", "too_many_tries", "results_removed", "outbox_full", "too_many_requests", "store_silent", "store_loading", "store_read_only",
        "store_out_of_memory", "store_disk_failed", "worker_unavailable", "store_replicas_missing"
    };
    int known = sizeof SLUGS / sizeof SLUGS[0];
    assert_int_equal(E__MAX, known); /* a new one at the end of errors.def and of this list */
    for (int i = 0; i < known; i++)
        assert_string_equal(err_slug((enum err_code)i), SLUGS[i]);
}

static void actors_are_made_harmless(void **state)
{
    (void)state;
    static const struct { struct slice in; const char *out; } CASES[] = {
        { LIT("muni/331007_kodomo-1"), "muni/331007_kodomo-1" },
        { LIT("Clinic 1\n\"x\""), "_linic_1__x_" },
        { LIT("\xe5\xb2\xa1"), "___" },
        { LIT(""), "_" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec r;
        audit_set_actor(&r, CASES[i].in);
        assert_string_equal(r.actor, CASES[i].out);
    }
    struct audit_rec r = record(1), back;
    char longer[100];
    uint8_t b[AUDIT_REC_BYTES];
    memset(longer, 'a', sizeof longer);
    audit_set_actor(&r, ARR(longer));
    audit_encode(&r, b);
    assert_true(audit_decode(b, &back));
}

/* Numbers are stored for good: one that stands twice in the list does not compile here. */
static bool is_event(unsigned number)
{
    switch (number) {
#define X(sym, number, name) case number:
#include "gateway/audit/events.def"
#undef X
        return true;
    default: return false;
    }
}

static void every_event_has_somebody_who_may_report_it(void **state)
{
    (void)state;
    assert_true(is_event(AU_REFUSED) && !is_event(0));
#define X(sym, number, name)                                                           \
    {                                                                                  \
        bool any = false;                                                              \
        for (int role = 0; role < IPC__ROLES; role++)                                  \
            any = any || audit_event_plausible((enum ipc_role)role, AU_##sym);         \
        if (!any)                                                                      \
            fail_msg("nobody may report %s: add it to the table in daemon.c", name);   \
    }
#include "gateway/audit/events.def"
#undef X
    /* the operator's command may tell of its own acts only */
    assert_true(audit_event_plausible(IPC_CTL, AU_RECONCILED));
    assert_false(audit_event_plausible(IPC_CTL, AU_CLINIC_LOOKUP));
    assert_false(audit_event_plausible(IPC_FRONT, AU_RECONCILED));
    assert_false(audit_event_plausible(IPC_FRONT, AU_NUMBER_REVEALED));
    assert_false(audit_event_plausible(IPC_VAULT, AU_CLINIC_LOOKUP));
    assert_false(audit_event_plausible(IPC_INTAKE, AU_AUDIT_START));
}

/* ---- the daemon ---- */

static const uint8_t CAP[IPC_CAP_BYTES] = "the capability of the tests, 32b";

static struct secret *cap_new(void)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, ARR(CAP))));
    return s;
}

static struct audit_daemon *daemon_new(struct bench *b, struct loop *l)
{
    struct audit_daemon *d = NULL;
    struct audit_daemon_conf conf = { .socket_path = b->sock, .dir = b->log, .disk = &FAULTY };
    conf.caps[IPC_FRONT] = cap_new();
    conf.caps[IPC_VAULT] = cap_new();
    conf.caps[IPC_CTL] = cap_new();
    struct err e = audit_daemon_new(&d, l, conf);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
    return d;
}

struct answer {
    unsigned ok, down;
};

static void on_answer(void *arg, struct err e)
{
    struct answer *a = arg;
    assert_true(err_ok(e) || err_is(e, E_AUDIT_DOWN));
    if (err_ok(e))
        a->ok++;
    else
        a->down++;
}

static void append_by_client(struct bench *b, struct audit *a, const struct audit_rec *r, struct answer *ans)
{
    audit_append(a, r, loop_now(b->loop) + 3000, on_answer, ans);
}

static struct audit *audit_client(struct bench *b, enum ipc_role role)
{
    struct audit *a = NULL;
    assert_true(err_ok(audit_new(&a, b->loop, b->sock, role, cap_new())));
    return a;
}

static bool tally(void *arg, const struct audit_entry *e)
{
    unsigned *n = arg;
    n[e->rec.event]++;
    if (e->rec.event == AU_CLINIC_LOOKUP)
        assert_true(e->rec.wall_ms > 1700000000000u); /* stamped with our clock */
    return true;
}

static void the_daemon_takes_records_and_notes_breaches(void **state)
{
    struct bench *b = *state;
    struct answer good = { 0 }, bad = { 0 }, own_fault = { 0 };
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit *front = audit_client(b, IPC_FRONT), *vault = audit_client(b, IPC_VAULT);
    struct audit_rec r = record(1), wrong = record(1);
    for (int i = 0; i < 1000; i++)
        append_by_client(b, front, &r, &good);
    UNTIL(b, good.ok == 1000);
    assert_true(audit_up(front));
    append_by_client(b, vault, &r, &bad); /* a vault sees no clinic */
    UNTIL(b, bad.down == 1);
    memcpy(wrong.muni, "33 007", 6);
    append_by_client(b, front, &wrong, &own_fault);
    UNTIL(b, own_fault.down == 1);
    append_by_client(b, front, &r, &good);
    UNTIL(b, good.ok == 1001);
    audit_daemon_close(d);
    audit_close(front);
    audit_close(vault);
    for (int i = 0; i < 200; i++)
        turn(b);
    unsigned n[256] = { 0 };
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, tally, n, &v)));
    assert_true(v.good && n[AU_CLINIC_LOOKUP] == 1001 && n[AU_AUDIT_START] == 1 && n[AU_IPC_BREACH] == 1);
}

static void a_full_disk_is_heard_at_the_client_and_by_ping(void **state)
{
    struct bench *b = *state;
    struct answer a = { 0 };
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit *front = audit_client(b, IPC_FRONT);
    struct audit_rec r = record(1);
    append_by_client(b, front, &r, &a);
    UNTIL(b, a.ok == 1);
    fault.full = true;
    append_by_client(b, front, &r, &a);
    UNTIL(b, a.down == 1);
    assert_true(audit_up(front));
    fault.full = false;
    for (int i = 0; i < 100 && a.ok == 1; i++) {
        unsigned before = a.ok + a.down;
        append_by_client(b, front, &r, &a);
        UNTIL(b, a.ok + a.down == before + 1);
        usleep(10000);
    }
    assert_int_equal(a.ok, 2);
    audit_daemon_close(d);
    append_by_client(b, front, &r, &a); /* comes while it stops: written or refused, but answered */
    unsigned before = a.ok + a.down;
    UNTIL(b, a.ok + a.down == before + 1);
    audit_close(front);
    for (int i = 0; i < 100; i++)
        turn(b);
}

/* ---- questions while it stops ---- */

static void on_number(void *arg, struct err e, uint64_t v)
{
    (void)v;
    on_answer(arg, e);
}

static void on_checkpoint(void *arg, struct err e, uint64_t size, struct slice note)
{
    (void)size, (void)note;
    on_answer(arg, e);
}

static void on_found(void *arg, struct err e, const struct audit_hits *h)
{
    (void)h;
    on_answer(arg, e);
}

static void questions_that_come_while_it_stops_are_answered_or_refused(void **state)
{
    struct bench *b = *state;
    struct answer a = { 0 };
    struct secret *seed = cap_new();
    struct audit_daemon *d = NULL;
    struct audit_daemon_conf conf = { .socket_path = b->sock, .dir = b->log, .disk = &AUDIT_DISK, .origin = "test.example/log", .sign_seed = seed };
    conf.caps[IPC_FRONT] = cap_new();
    conf.caps[IPC_CTL] = cap_new();
    assert_true(err_ok(audit_daemon_new(&d, b->loop, conf)));
    secret_free(seed);
    struct audit *front = audit_client(b, IPC_FRONT);
    struct audit_rec r = record(1);
    struct audit_find who = { .key = audit_key_person(r.subject), .to_ms = UINT64_MAX };
    unsigned asked = 1;
    append_by_client(b, front, &r, &a);
    UNTIL(b, a.ok == 1);
    audit_daemon_close(d);
    for (int i = 0; i < 200; i++) { /* writer, reader and tree end one after the other */
        uint64_t deadline = loop_now(b->loop) + 300;
        audit_find(front, &who, deadline, on_found, &a);
        audit_checkpoint(front, deadline, on_checkpoint, &a);
        audit_epoch(front, deadline, on_number, &a);
        audit_append(front, &r, deadline, on_answer, &a);
        asked += 4;
        turn(b);
    }
    UNTIL(b, a.ok + a.down == asked);
    audit_close(front);
    turn(b);
    assert_good(b->log, verify(b->log).entries);
}

/* ---- a disk that has room again ---- */

static void a_disk_with_room_again_is_seen_without_an_append(void **state)
{
    struct bench *b = *state;
    uint64_t seq;
    for (unsigned n = 10; n <= AUDIT_SEGMENT_ENTRIES; n += AUDIT_SEGMENT_ENTRIES - 10) { /* inside a segment, and where a new one begins */
        writer_open(b, b->log);
        b->last_seq = b->found.seq;
        append_many(b, n - (unsigned)b->found.seq);
        fault.full = true;
        unsigned refused = b->refused;
        append_one(b, 1);
        UNTIL(b, b->refused > refused);
        assert_true(err_is(audit_writer_seq(b->writer, &seq), E_AUDIT_DOWN));
        int tried = fault.calls;
        UNTIL(b, n > 10 || fault.calls > tried); /* in vain */
        assert_true(err_is(audit_writer_seq(b->writer, &seq), E_AUDIT_DOWN));
        fault.full = false;
        UNTIL(b, err_ok(audit_writer_seq(b->writer, &seq)));
        assert_true(seq == n);
        writer_close(b);
        assert_good(b->log, n);
    }
}

/* ---- kill -9 ---- */

static void daemon_run(struct bench *b)
{
    struct loop *l = NULL;
    if (!err_ok(loop_new(&l, clock_system())))
        _exit(1);
    (void)daemon_new(b, l);
    loop_run(l, 1000);
    _exit(0);
}

enum { ROUNDS = 6, WINDOW = 400, SENT_MAX = 200000 };

struct flood {
    uint32_t sent, open;
    uint8_t acked[SENT_MAX], found[SENT_MAX];
};
struct one {
    struct flood *f;
    uint32_t number;
};

static void on_flood(void *arg, struct err e)
{
    struct one *o = arg;
    o->f->open--;
    if (err_ok(e))
        o->f->acked[o->number] = 1;
    free(o);
}

static bool mark_found(void *arg, const struct audit_entry *e)
{
    struct flood *f = arg;
    if (e->rec.event == AU_CLINIC_LOOKUP) {
        assert_true(e->rec.count < f->sent && !f->found[e->rec.count]);
        f->found[e->rec.count] = 1;
    }
    return true;
}

static void killed_at_any_moment_nothing_acknowledged_is_lost(void **state)
{
    struct bench *b = *state;
    struct flood *f = calloc(1, sizeof *f);
    struct audit *a = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                daemon_run(b);
            _exit(1);
        }
        if (!a)
            a = audit_client(b, IPC_FRONT);
        UNTIL(b, audit_up(a));
        uint64_t end = loop_now(b->loop) + 60 + (uint64_t)round * 37;
        while (loop_now(b->loop) < end) {
            while (f->open < WINDOW && f->sent < SENT_MAX) {
                struct one *o = malloc(sizeof *o);
                struct audit_rec r = record(f->sent);
                *o = (struct one){ f, f->sent++ };
                f->open++;
                audit_append(a, &r, loop_now(b->loop) + 2000, on_flood, o);
            }
            uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        UNTIL(b, !audit_up(a));
        assert_true(verify(b->log).good);
    }
    UNTIL(b, f->open == 0);
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, mark_found, f, &v)));
    uint32_t acked = 0;
    for (uint32_t i = 0; i < f->sent; i++) {
        acked += f->acked[i];
        if (f->acked[i] && !f->found[i])
            fail_msg("record %u was acknowledged and is not in the log", i);
    }
    assert_true(v.good && acked > 1000);
    print_message("%u sent, %u acknowledged, %llu entries\n", f->sent, acked, (unsigned long long)v.entries);
    audit_close(a);
    for (int i = 0; i < 50; i++)
        turn(b);
    free(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_record_says_why_and_for_whom),
        cmocka_unit_test(a_record_of_the_first_form_is_read),
        cmocka_unit_test(a_malformed_record_is_refused),
        cmocka_unit_test(a_reason_keeps_its_number),
        cmocka_unit_test(actors_are_made_harmless),
        cmocka_unit_test(every_event_has_somebody_who_may_report_it),
        T(the_daemon_takes_records_and_notes_breaches),
        T(a_full_disk_is_heard_at_the_client_and_by_ping),
        T(questions_that_come_while_it_stops_are_answered_or_refused),
        T(a_disk_with_room_again_is_seen_without_an_append),
        T(killed_at_any_moment_nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
