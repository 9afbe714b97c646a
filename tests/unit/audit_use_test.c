/* Uses of link keys over the socket of pmhgw-audit: who may send them, what they may say, and that no kill lets a key work twice. */
#include "tests/unit/audit_bench.h"

#include "gateway/audit/wire_num.h"

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
    struct audit_daemon_conf conf = { .socket_path = b->sock, .dir = b->log, .disk = &FAULTY, .keep_days = 3 };
    conf.caps[IPC_FRONT] = cap_new();
    conf.caps[IPC_INTAKE] = cap_new();
    assert_true(err_ok(audit_daemon_new(&d, l, conf)));
    return d;
}

static struct audit *front_new(struct bench *b)
{
    struct audit *a = NULL;
    assert_true(err_ok(audit_new(&a, b->loop, b->sock, IPC_FRONT, cap_new())));
    return a;
}

static struct audit_rec use_of(uint32_t key)
{
    struct clock c = clock_system();
    struct audit_rec r = record(key);
    r.result = key % 2 ? AR_OK : AR_NOTHING;
    r.reason = E_OK;
    r.until_s = (uint32_t)(clock_wall(&c) / 1000) + 3600;
    be_put(r.ref, key * 0x9e3779b97f4a7c15u, 8);
    be_put(r.ref + 8, key + 1, 8);
    return r;
}

struct heard { unsigned n, ok, used, down; uint64_t used_ms; };

static void on_use(void *arg, struct err e, uint64_t used_ms)
{
    struct heard *h = arg;
    h->n++;
    h->ok += err_ok(e);
    h->used += err_is(e, E_USED);
    h->down += err_is(e, E_AUDIT_DOWN);
    assert_int_equal(h->n, h->ok + h->used + h->down);
    if (!err_is(e, E_AUDIT_DOWN)) {
        assert_true(used_ms > 1700000000000u);
        assert_true(h->used_ms == 0 || h->used_ms == used_ms);
        h->used_ms = used_ms;
    }
}

static void use(struct bench *b, struct audit *a, const struct audit_rec *r, struct heard *h) { audit_use(a, r, loop_now(b->loop) + 5000, on_use, h); }

static bool count_events(void *arg, const struct audit_entry *e)
{
    unsigned *n = arg;
    n[e->rec.event]++;
    return true;
}

static void some_turns(struct bench *b)
{
    for (int i = 0; i < 200; i++)
        turn(b);
}

static void one_of_two_fronts_wins_and_both_hear_when(void **state)
{
    struct bench *b = *state;
    struct heard h[20] = { { 0 } };
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit *one = front_new(b), *two = front_new(b);
    for (uint32_t i = 0; i < 20; i++) {
        struct audit_rec r = use_of(i);
        use(b, i % 2 ? one : two, &r, &h[i]);
        use(b, i % 2 ? two : one, &r, &h[i]);
        use(b, one, &r, &h[i]);
    }
    for (uint32_t i = 0; i < 20; i++)
        UNTIL(b, h[i].n == 3);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(h[i].ok == 1 && h[i].used == 2);
    audit_daemon_close(d);
    audit_close(one);
    audit_close(two);
    some_turns(b);
    unsigned n[256] = { 0 };
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, count_events, n, &v)));
    assert_true(v.good && n[AU_CLINIC_LOOKUP] == 20 && n[AU_IPC_BREACH] == 0);
}

/* ---- what is no use ---- */

struct raw { unsigned n; struct err e; };

static void on_raw(void *arg, struct err e, struct slice body)
{
    struct raw *r = arg;
    (void)body;
    r->n++;
    r->e = e;
}

/* A connection of its own: a breach ends it. */
static struct err send_raw(struct bench *b, enum ipc_role role, uint8_t message, const struct audit_rec *rec)
{
    struct ipc_client *c = NULL;
    struct ipc_client_conf conf = { .path = b->sock, .role = role, .cap = cap_new(), .down = E_AUDIT_DOWN };
    uint8_t wire[AUDIT_REC_BYTES];
    struct raw r = { 0 };
    audit_encode(rec, wire);
    assert_true(err_ok(ipc_client_new(&c, b->loop, conf)));
    UNTIL(b, ipc_client_up(c));
    ipc_call(c, message, ARR(wire), loop_now(b->loop) + 5000, on_raw, &r);
    UNTIL(b, r.n == 1);
    ipc_client_close(c);
    return r.e;
}

static void what_is_no_use_is_a_breach(void **state)
{
    struct bench *b = *state;
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit_rec good = use_of(1), r;
    assert_true(err_ok(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &good)));
    r = use_of(2), r.until_s = 0;
    assert_true(err_is(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &r), E_AUDIT_DOWN));
    r = use_of(2), memset(r.ref, 0, sizeof r.ref);
    assert_true(err_is(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &r), E_AUDIT_DOWN));
    r = use_of(2), r.event = AU_SESSION_READ;
    assert_true(err_is(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &r), E_AUDIT_DOWN));
    for (int result = 0; result < AR__MAX; result++) {
        r = use_of(3 + (uint32_t)result), r.result = (enum audit_result)result;
        assert_true(err_ok(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &r)) == (result == AR_OK || result == AR_NOTHING));
        r = use_of(40 + (uint32_t)result), r.result = (enum audit_result)result; /* and there is no way round */
        assert_true(err_ok(send_raw(b, IPC_FRONT, AUDIT_MSG_APPEND, &r)) == (result != AR_OK && result != AR_NOTHING));
    }
    r = use_of(20);
    assert_true(err_is(send_raw(b, IPC_INTAKE, AUDIT_MSG_USE, &r), E_AUDIT_DOWN)); /* the intake has no clinics */
    assert_true(err_ok(send_raw(b, IPC_FRONT, AUDIT_MSG_USE, &r)));
    audit_daemon_close(d);
    some_turns(b);
    unsigned n[256] = { 0 };
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, count_events, n, &v)));
    assert_true(v.good && n[AU_CLINIC_LOOKUP] == 4 + AR__MAX - 2 && n[AU_SESSION_READ] == 0 && n[AU_IPC_BREACH] > 0);
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

static pid_t daemon_fork(struct bench *b)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            daemon_run(b);
        _exit(1);
    }
    return pid;
}

enum { ROUNDS = 6, KEYS = 60000, WINDOW = 300 };

struct race { struct heard key[KEYS]; unsigned logged[KEYS], sent; };

static bool mark(void *arg, const struct audit_entry *e)
{
    struct race *r = arg;
    if (audit_is_use(&e->rec)) {
        assert_true(e->rec.count < r->sent);
        r->logged[e->rec.count]++;
    }
    return true;
}

static bool answered(const struct race *r, unsigned from, unsigned times)
{
    for (unsigned i = from; i < r->sent; i++)
        if (r->key[i].n < times)
            return false;
    return true;
}

/* Both fronts at once, until the daemon is gone. What has no answer ends as down. */
static void race_round(struct bench *b, struct race *r, struct audit *one, struct audit *two, uint64_t ms)
{
    unsigned oldest = r->sent;
    for (uint64_t end = loop_now(b->loop) + ms; loop_now(b->loop) < end;) {
        while (oldest < r->sent && r->key[oldest].n == 2)
            oldest++;
        for (; r->sent < KEYS && r->sent - oldest < WINDOW; r->sent++) {
            struct audit_rec rec = use_of(r->sent);
            use(b, one, &rec, &r->key[r->sent]);
            use(b, two, &rec, &r->key[r->sent]);
        }
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    }
}

static void killed_at_any_moment_no_key_works_twice(void **state)
{
    struct bench *b = *state;
    struct race *r = calloc(1, sizeof *r);
    struct audit *one = front_new(b), *two = front_new(b);
    unsigned won = 0, unknown = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = daemon_fork(b);
        unsigned from = r->sent;
        UNTIL(b, audit_up(one) && audit_up(two));
        race_round(b, r, one, two, 40 + (uint64_t)round * 29);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        UNTIL(b, !audit_up(one) && !audit_up(two));
        UNTIL(b, answered(r, from, 2));
    }
    pid_t pid = daemon_fork(b);
    for (uint32_t i = 0; i < r->sent; i++) {
        struct audit_rec rec = use_of(i);
        use(b, i % 2 ? one : two, &rec, &r->key[i]);
        if (i % WINDOW == 0)
            UNTIL(b, r->key[i].n == 3);
    }
    UNTIL(b, answered(r, 0, 3));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, mark, r, &v)) && v.good);
    for (uint32_t i = 0; i < r->sent; i++) {
        const struct heard *h = &r->key[i];
        if (h->ok > 1 || r->logged[i] != 1)
            fail_msg("key %u: %u winners, %u entries", i, h->ok, r->logged[i]);
        won += h->ok;
        unknown += h->ok == 0;
        assert_true(h->ok == 1 || h->down > 0); /* nobody wins only where an answer was lost */
    }
    assert_true(won > 500);
    print_message("%u keys, %u with a winner, %u whose winner's answer was lost\n", r->sent, won, unknown);
    audit_close(one);
    audit_close(two);
    some_turns(b);
    free(r);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_of_two_fronts_wins_and_both_hear_when),
        T(what_is_no_use_is_a_breach),
        T(killed_at_any_moment_no_key_works_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
