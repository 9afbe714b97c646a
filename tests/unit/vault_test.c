/* pmhgw-vault as it runs, over a real redis-server and pmhgw-audit: what it keeps, what it gives, when it refuses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/audit/audit_log.h"
#include "gateway/ipc/ipc.h"
#include "tests/unit/vault_ask.h"

/* Published samples and made-up bodies; of nobody. All of them are searched for at the end. */
#define N1 "983205673214"
#define N2 "123456789018"
#define N3 "420000000017"
#define N4 "530000000025"
#define N5 "530000000033"

static void test_link_is_idempotent(void **state)
{
    struct town *t = *state;
    struct linked a = link_until_up(t, N1), b = link_number(t, "331007", N1, NULL), c = link_number(t, "131016", N1, NULL),
                  d = link_number(t, "331007", N2, NULL);
    assert_int_equal(a.e.code, E_OK);
    assert_false(a.known);
    assert_true(b.known);
    assert_memory_equal(a.subject.sid, b.subject.sid, 16);
    assert_false(c.known); /* the same person is another subject elsewhere */
    assert_memory_not_equal(a.subject.sid, c.subject.sid, 16);
    assert_false(d.known);
    assert_memory_not_equal(a.subject.sid, d.subject.sid, 16);
}

static void test_64_links_at_once(void **state)
{
    struct town *t = *state;
    static struct linked r[64];
    int done = 0, made = 0;
    for (size_t i = 0; i < 64; i++)
        link_start(t, &r[i], "331007", N3, NULL);
    for (size_t i = 0; i < 64; i++) {
        town_wait(t, &r[i].done, 1);
        assert_int_equal(r[i].e.code, E_OK);
        assert_memory_equal(r[i].subject.sid, r[0].subject.sid, 16);
        made += !r[i].known;
        done++;
    }
    assert_int_equal(done, 64);
    assert_int_equal(made, 1);
}

static void test_ticket_is_good_once(void **state)
{
    struct town *t = *state;
    struct nz_ticket first = ticket_new(), second = ticket_new(), third = ticket_new(), none = { { 0 } };
    struct linked a = link_number(t, "331007", N1, &first);
    struct revealed r = reveal(t, "331007", &a.subject, &first, &second);
    assert_int_equal(r.e.code, E_OK);
    assert_string_equal(r.digits, N1);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &first, &third), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &third, &first), E_NOTHING); /* was not registered by the refusal */
    r = reveal(t, "331007", &a.subject, &second, &none);
    assert_int_equal(r.e.code, E_OK);
    assert_string_equal(r.digits, N1);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &second, &third), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &none, &third), E_NOTHING); /* zeros are no ticket */
    assert_int_equal(nz_pool_used(t->pool), 0);
}

struct erased {
    struct err e;
    bool there;
    int done;
};

static void on_erased(void *arg, struct err e, bool there)
{
    struct erased *r = arg;
    *r = (struct erased){ e, there, r->done + 1 };
}

static struct erased erase(struct town *t, const char *muni, const struct nz_subject *subject)
{
    struct erased r = { 0 };
    nz_vault_erase(t->client, muni, subject, (struct req_id){ { 7 } }, loop_now(t->loop) + WAIT_MS, on_erased, &r);
    assert_int_equal(r.done, 0);
    town_wait(t, &r.done, 1);
    return r;
}

static void test_erased_number_is_gone(void **state)
{
    struct town *t = *state;
    struct nz_ticket ticket = ticket_new(), next = ticket_new();
    struct linked a = link_number(t, "331007", N4, &ticket), elsewhere = link_number(t, "131016", N4, NULL), other = link_number(t, "331007", N1, NULL);
    assert_int_equal(erase(t, "131016", &a.subject).e.code, E_SEAL); /* another municipality's */
    assert_true(link_number(t, "331007", N4, NULL).known);
    struct erased r = erase(t, "331007", &a.subject);
    assert_int_equal(r.e.code, E_OK);
    assert_true(r.there);
    r = erase(t, "331007", &a.subject); /* again */
    assert_int_equal(r.e.code, E_OK);
    assert_false(r.there);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &ticket, &next), E_NOTHING);
    assert_true(link_number(t, "131016", N4, NULL).known);
    assert_true(link_number(t, "331007", N1, NULL).known);
    struct linked again = link_number(t, "331007", N4, NULL);
    assert_false(again.known);
    assert_memory_not_equal(again.subject.sid, a.subject.sid, 16);
    assert_memory_equal(link_number(t, "131016", N4, NULL).subject.sid, elsewhere.subject.sid, 16);
    assert_memory_equal(link_number(t, "331007", N1, NULL).subject.sid, other.subject.sid, 16);
}

static void test_ticket_of_another(void **state)
{
    struct town *t = *state;
    struct nz_ticket mine = ticket_new(), next = ticket_new(), unknown = ticket_new();
    struct linked a = link_number(t, "331007", N1, &mine), other = link_number(t, "331007", N2, NULL),
                  elsewhere = link_number(t, "131016", N1, NULL);
    assert_int_equal(REVEAL_CODE(t, "331007", &other.subject, &mine, &next), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "131016", &a.subject, &mine, &next), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "131016", &elsewhere.subject, &mine, &next), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &unknown, &next), E_NOTHING);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &mine, &mine), E_PROTOCOL);
    struct revealed r = reveal(t, "331007", &a.subject, &mine, &next); /* none of that used it up */
    assert_int_equal(r.e.code, E_OK);
    assert_string_equal(r.digits, N1);
}

static void test_drop(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), next = ticket_new();
    struct linked a = link_number(t, "331007", N2, &k);
    nz_vault_drop(t->client, &k, loop_now(t->loop) + WAIT_MS);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &k, &next), E_NOTHING);
}

static void test_municipality_without_key(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), next = ticket_new();
    struct linked a = link_number(t, "271004", N1, &k);
    assert_int_equal(a.e.code, E_FORBIDDEN);
    assert_int_equal(REVEAL_CODE(t, "271004", &a.subject, &k, &next), E_FORBIDDEN);
    assert_int_equal(link_number(t, "33100x", N1, NULL).e.code, E_FIELD);
}

static void on_many(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    (void)linked;
    *(int *)arg += err_ok(e) && n == 2;
}

/* So that the searches below look for what LINK_MANY might leave, too: a new number, and one that is known. */
static void test_two_in_one_message(void **state)
{
    struct town *t = *state;
    struct nz_mynum *a = NULL, *b = NULL;
    int done = 0;
    assert_true(err_ok(nz_mynum_new(&a, t->pool, LIT(N5))) && err_ok(nz_mynum_new(&b, t->pool, LIT(N1))));
    nz_vault_link_many(t->client, "331007", true, (const struct nz_mynum *[]){ a, b }, 2, loop_now(t->loop) + WAIT_MS, on_many, &done);
    nz_mynum_free(a);
    nz_mynum_free(b);
    town_wait(t, &done, 1);
}

/* ---- straight frames: what the client cannot say ---- */

static enum err_code once(struct town *t, enum ipc_role role, const char *cap_name, uint8_t type, struct slice body)
{
    uint8_t reply[64];
    size_t n = 0;
    struct secret *cap = town_cap(t, cap_name);
    struct err e = ipc_call_once(town_path(t, "vault.sock").s, role, cap, type, body, WAIT_MS, reply, sizeof reply, &n);
    secret_free(cap);
    return e.code;
}

static void test_roles_and_sizes(void **state)
{
    struct town *t = *state;
    uint8_t body[64] = "331007" N1, reveal_body[NZ_REVEAL_BYTES] = "331007";
    struct slice link_body = slice_of(body, NZ_LINK_BYTES);
    assert_int_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_PING, SLICE_NONE), E_OK);
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_PING, SLICE_NONE), E_OK);
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK, link_body), E_OK);
    assert_int_not_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_LINK, link_body), E_OK);
    assert_int_not_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_REVEAL, ARR(reveal_body)), E_OK);
    assert_int_not_equal(once(t, IPC_CTL, "cap-intake", NZ_VAULT_PING, SLICE_NONE), E_OK);
    assert_int_not_equal(once(t, IPC_FRONT, "cap-other", NZ_VAULT_PING, SLICE_NONE), E_OK);
    assert_int_not_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK, slice_of(body, NZ_LINK_BYTES - 1)), E_OK);
    assert_int_not_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK, slice_of(body, NZ_LINK_BYTES + 1)), E_OK);
    assert_int_not_equal(once(t, IPC_INTAKE, "cap-intake", 99, SLICE_NONE), E_OK);
    reveal_body[54] = 2; /* a purpose that there is not */
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_REVEAL, ARR(reveal_body)), E_PROTOCOL);
    body[7] = 'x';
    assert_int_equal(once(t, IPC_INTAKE, "cap-intake", NZ_VAULT_LINK, link_body), E_FIELD);
    assert_int_equal(link_number(t, "331007", N1, NULL).e.code, E_OK); /* the breaches of others are not ours */
}

/* ---- parts that are down ---- */

static void test_store_down_and_back(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), next = ticket_new();
    struct linked before = link_number(t, "331007", N4, &k);
    assert_int_equal(before.e.code, E_OK);
    town_stop(t, T_REDIS, SIGKILL);
    uint64_t start = loop_now(t->loop);
    assert_int_equal(link_number(t, "331007", N4, NULL).e.code, E_STORE_DOWN);
    assert_int_equal(REVEAL_CODE(t, "331007", &before.subject, &k, &next), E_STORE_DOWN);
    assert_int_equal(once(t, IPC_CTL, "cap-ctl", NZ_VAULT_PING, SLICE_NONE), E_STORE_DOWN);
    assert_in_range(loop_now(t->loop) - start, 0, 3 * 2500);
    town_start(t, T_REDIS);
    struct linked after = link_until_up(t, N4);
    assert_int_equal(after.e.code, E_OK);
    assert_true(after.known); /* what was acknowledged is there */
    assert_memory_equal(after.subject.sid, before.subject.sid, 16);
    assert_int_equal(REVEAL_CODE(t, "331007", &before.subject, &k, &next), E_OK);
}

/* A server that has stopped answering is as good as none: nothing hangs. */
static void test_store_silent(void **state)
{
    struct town *t = *state;
    kill(t->pid[T_REDIS], SIGSTOP);
    uint64_t start = loop_now(t->loop);
    assert_int_equal(link_number(t, "331007", N1, NULL).e.code, E_STORE_SILENT);
    assert_in_range(loop_now(t->loop) - start, 0, 3000);
    kill(t->pid[T_REDIS], SIGCONT);
    assert_int_equal(link_until_up(t, N1).e.code, E_OK);
}

static void test_no_reveal_without_audit(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), next = ticket_new(), later = ticket_new();
    struct linked a = link_number(t, "331007", N2, &k);
    town_stop(t, T_AUDIT, SIGKILL);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &k, &next), E_AUDIT_DOWN);
    assert_int_equal(link_number(t, "331007", N2, NULL).e.code, E_OK); /* what shows nothing goes on */
    town_start(t, T_AUDIT);
    struct revealed r = { 0 };
    for (int i = 0; i < 20 && r.digits[0] == 0; i++) {
        r = reveal(t, "331007", &a.subject, &k, &later);
        assert_true(err_ok(r.e) || err_is(r.e, E_AUDIT_DOWN)); /* and the ticket was not used up */
    }
    assert_string_equal(r.digits, N2);
}

/* The vault comes back with the same keys and the same store; the client finds it again. */
static void test_vault_restart(void **state)
{
    struct town *t = *state;
    struct nz_ticket k = ticket_new(), next = ticket_new();
    struct linked a = link_number(t, "331007", N1, &k);
    assert_int_equal(town_stop(t, T_VAULT, SIGTERM), 0); /* an orderly stop */
    struct linked lost = { 0 };
    link_start(t, &lost, "331007", N1, NULL); /* waits for the vault */
    town_start(t, T_VAULT);
    town_wait(t, &lost.done, 1);
    struct linked b = link_until_up(t, N1);
    assert_true(b.known);
    assert_memory_equal(a.subject.sid, b.subject.sid, 16);
    struct revealed r = reveal(t, "331007", &a.subject, &k, &next);
    if (err_is(r.e, E_AUDIT_DOWN)) /* the connection to the log comes up later */
        r = reveal(t, "331007", &a.subject, &k, &next);
    assert_string_equal(r.digits, N1);
}

/* ---- what is left behind ---- */

static const char *const NUMBERS[] = { N1, N2, N3, N4, N5 };

static size_t hits(struct slice hay)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++)
        for (const uint8_t *at = hay.p; (at = memmem(at, hay.n - (size_t)(at - hay.p), NUMBERS[i], 12)); at++)
            n++;
    return n;
}

static size_t file_hits(const char *path, size_t *bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *p = malloc((size_t)st.st_size + 1);
    assert_non_null(p);
    ssize_t n = read(fd, p, (size_t)st.st_size);
    assert_int_equal(n, st.st_size);
    size_t found = hits(slice_of(p, (size_t)n));
    *bytes += (size_t)n;
    free(p);
    close(fd);
    return found;
}

static size_t tree_hits(const char *dir, size_t *bytes)
{
    size_t found = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[512];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            found += tree_hits(path, bytes);
        else if (S_ISREG(st.st_mode))
            found += file_hits(path, bytes);
    }
    closedir(d);
    return found;
}

static void test_no_number_on_disk(void **state)
{
    struct town *t = *state;
    size_t bytes = 0;
    assert_int_equal(tree_hits(t->dir, &bytes), 0);
    assert_true(bytes > 4096); /* there was something to search */
}

/* Every page of the vault's process that can be read. */
static void test_no_number_in_memory(void **state)
{
    struct town *t = *state;
    char path[64], line[512];
#ifdef PMHGW_SANITIZED
    skip(); /* terabytes of shadow */
#endif
    snprintf(path, sizeof path, "/proc/%d/mem", (int)t->pid[T_VAULT]);
    int mem = open(path, O_RDONLY);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)t->pid[T_VAULT]);
    FILE *maps = fopen(path, "r");
    if (mem < 0 || !maps)
        skip(); /* not root */
    size_t found = 0, bytes = 0;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[1] != 'w')
            continue;
        uint8_t *p = malloc(to - from);
        assert_non_null(p);
        ssize_t n = pread(mem, p, to - from, (off_t)from);
        size_t here = n > 0 ? hits(slice_of(p, (size_t)n)) : 0;
        if (here)
            print_message("%zu in %s", here, line);
        found += here;
        bytes += n > 0 ? (size_t)n : 0;
        free(p);
    }
    fclose(maps);
    close(mem);
    assert_true(bytes > 65536);
    assert_int_equal(found, 0);
}

static void test_process_is_boxed(void **state)
{
    struct town *t = *state;
    char path[64], line[256];
    int seccomp = -1, no_new_privs = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)t->pid[T_VAULT]);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "Seccomp: %d", &seccomp);
        sscanf(line, "NoNewPrivs: %d", &no_new_privs);
    }
    fclose(f);
    assert_int_equal(no_new_privs, 1);
#ifndef PMHGW_SANITIZED
    assert_int_equal(seccomp, 2);
#endif
}

struct tally {
    unsigned ok, nothing, breaches, starts;
};

static bool count_entry(void *arg, const struct audit_entry *e)
{
    struct tally *n = arg;
    bool revealed = e->rec.event == AU_NUMBER_REVEALED;
    n->ok += revealed && e->rec.result == AR_OK;
    n->nothing += revealed && e->rec.result == AR_NOTHING;
    n->breaches += e->rec.event == AU_IPC_BREACH;
    n->starts += e->rec.event == AU_PROCESS_START;
    if (revealed)
        assert_memory_equal(e->rec.request.b, ((uint8_t[8]){ 1 }), 8);
    return true;
}

/* Six numbers have left in the tests above, and each refusal has its own record. */
static void test_every_reveal_is_recorded(void **state)
{
    struct town *t = *state;
    struct tally n = { 0 };
    struct audit_verdict v;
    town_stop(t, T_AUDIT, SIGTERM);
    assert_true(err_ok(audit_log_verify(town_path(t, "audit").s, count_entry, &n, &v)));
    assert_true(v.good);
    assert_in_range(n.ok, 6, 8);
    assert_in_range(n.nothing, 9, 12);
    assert_true(n.breaches >= 5);
    assert_true(n.starts >= 2);
}

static int setup(void **state)
{
    static struct town t;
    town_open(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    town_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_is_idempotent),    cmocka_unit_test(test_64_links_at_once),
        cmocka_unit_test(test_ticket_is_good_once),   cmocka_unit_test(test_ticket_of_another),
        cmocka_unit_test(test_drop),                  cmocka_unit_test(test_municipality_without_key),
        cmocka_unit_test(test_two_in_one_message),    cmocka_unit_test(test_erased_number_is_gone),
        cmocka_unit_test(test_roles_and_sizes),       cmocka_unit_test(test_process_is_boxed),
        cmocka_unit_test(test_store_down_and_back),   cmocka_unit_test(test_store_silent),
        cmocka_unit_test(test_no_reveal_without_audit), cmocka_unit_test(test_no_number_in_memory),
        cmocka_unit_test(test_vault_restart),         cmocka_unit_test(test_no_number_in_memory),
        cmocka_unit_test(test_every_reveal_is_recorded), cmocka_unit_test(test_no_number_on_disk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
