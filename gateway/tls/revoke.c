#include "gateway/tls/revoke.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/log.h"
#include "gateway/tls/freshness.h"
#include "gateway/tls/look.h"

/* Clocks of issuers may be ahead of ours by SKEW_S. Parsing a long list leaves much memory behind that is free and held: from TRIM_ENTRIES on
 * it is given back. */
enum { SKEW_S = 60, TRIM_ENTRIES = 20000, AGAIN_MS = 2000 };

struct issuer {
    uint8_t id[32];
    struct crl *held;
    struct crl *later; /* newer, and of a time to come */
    struct freshness fresh;
};

struct revocations {
    struct loop *loop;
    struct revocations_conf conf;
    STACK_OF(X509) *certs;
    struct issuer issuers[CRL_ISSUERS_MAX];
    size_t n;
    uint64_t turn;
    bool untold;             /* on_taken is owed */
    bool unknown;            /* the state that the log has */
    bool unread;             /* the log has it that the file cannot be opened */
    struct file_sign seen;
    struct timer *tick;
    struct freshness_numbers numbers;
    struct revoke_hook *hooks;
    uv_work_t work;
    struct { int fd; bool passing; struct crl_batch batch; STACK_OF(X509) *certs; } parse; /* of work */
    bool parsing, closed;
    int next_fd;             /* came while parsing; below 0: none */
    int again_fd;            /* could not be read for want of memory, or the disk's fault: once more, later; below 0: none */
    uint64_t again_at;       /* loop_now() */
};

static int64_t now_s(const struct revocations *rv) { return (int64_t)(clock_wall(loop_clock(rv->loop)) / 1000); }

/* ---- judging ---- */

static const struct issuer *issuer_of(const struct revocations *rv, const uint8_t id[static 32])
{
    for (size_t i = 0; i < rv->n; i++)
        if (slice_eq(ARR(rv->issuers[i].id), slice_of(id, 32)))
            return &rv->issuers[i];
    return NULL;
}

static bool known(const struct issuer *i, int64_t now) { return i && i->held && now <= i->held->next_update; }

struct err revocations_judge(const struct revocations *rv, const struct caller *who)
{
    int64_t now = now_s(rv);
    bool all_known = who->n_certs > 0;
    if (who->role == CALLER_NONE)
        return OK;
    for (unsigned k = 0; k < who->n_certs; k++) {
        const struct issuer *i = issuer_of(rv, who->certs[k].issuer);
        if (i && i->held && crl_has(i->held, &who->certs[k].serial))
            return FAIL(E_CERT_REFUSED);
        all_known = all_known && known(i, now);
    }
    return all_known ? OK : FAIL(E_REVOCATION);
}

uint64_t revocations_turn(const struct revocations *rv) { return rv->turn; }

/* Its place in the file of issuers, from 1; 0: none. */
static uint64_t first_unknown(const struct revocations *rv)
{
    int64_t now = now_s(rv);
    for (size_t i = 0; i < rv->n; i++)
        if (!known(&rv->issuers[i], now))
            return i + 1;
    return 0;
}

struct err revocations_state(const struct revocations *rv) { return first_unknown(rv) ? FAIL(E_REVOCATION) : OK; }

/* ---- turns ---- */

void revocations_hook(struct revocations *rv, struct revoke_hook *h)
{
    h->next = rv->hooks;
    rv->hooks = h;
}

void revocations_unhook(struct revocations *rv, struct revoke_hook *h)
{
    for (struct revoke_hook **at = &rv->hooks; *at; at = &(*at)->next)
        if (*at == h) {
            *at = h->next;
            return;
        }
}

static uint64_t entries(const struct revocations *rv)
{
    uint64_t n = 0;
    for (size_t i = 0; i < rv->n; i++)
        n += rv->issuers[i].held ? rv->issuers[i].held->n : 0;
    return n;
}

static void new_turn(struct revocations *rv)
{
    rv->turn++;
    for (struct revoke_hook *h = rv->hooks, *next; h; h = next) {
        next = h->next;
        h->fn(h->arg);
    }
}

/* Said once for each change. */
static void log_state(struct revocations *rv)
{
    bool unknown = !err_ok(revocations_state(rv));
    if (unknown && !rv->unknown)
        LOG(ERROR, "revocation_unknown", LF("issuer", first_unknown(rv)), LF("issuers", (uint64_t)rv->n));
    else if (!unknown && rv->unknown)
        LOG(INFO, "revocation_known", LF("entries", entries(rv)));
    rv->unknown = unknown;
}

/* ---- lists ---- */

static bool alike(const struct crl *a, const struct crl *b)
{
    return crl_serial_order(&a->number, &b->number) == 0 && a->this_update == b->this_update && a->next_update == b->next_update && a->n == b->n &&
           slice_eq(slice_of(a->serials, a->n * sizeof *a->serials), slice_of(b->serials, b->n * sizeof *b->serials));
}

/* Lists without numbers go by their time alone; who has begun to number them goes on. */
static bool older(const struct crl *a, const struct crl *b)
{
    return a->this_update < b->this_update || crl_serial_order(&a->number, &b->number) < 0;
}

/* What waits and is older now would only take entries back. */
static void hold(struct issuer *i, struct crl *c)
{
    crl_free(i->held);
    i->held = c;
    i->fresh = (struct freshness){ 0 };
    if (i->later && older(i->later, c)) {
        crl_free(i->later);
        i->later = NULL;
    }
}

static void keep_for_later(struct issuer *i, struct crl *c)
{
    bool newer = !i->later || !older(c, i->later);
    crl_free(newer ? i->later : c);
    i->later = newer ? c : i->later;
}

/* c: taken. true when it has become the one that is held. */
static bool offer(struct revocations *rv, struct crl *c, enum crl_fault *ret_fault)
{
    int64_t now = now_s(rv);
    struct issuer *i = NULL;
    for (size_t k = 0; k < rv->n; k++)
        if (slice_eq(ARR(rv->issuers[k].id), ARR(c->issuer)))
            i = &rv->issuers[k];
    enum crl_fault f = !i ? CRL_STRANGER : CRL_GOOD;
    if (i && i->held && alike(c, i->held)) {
        crl_free(c);
        return false;
    }
    if (i && i->held && older(c, i->held))
        f = CRL_OLDER;
    else if (i && c->next_update < now)
        f = CRL_ENDED;
    else if (i && c->this_update > now + SKEW_S)
        f = CRL_FUTURE;
    if (f != CRL_GOOD && *ret_fault == CRL_GOOD)
        *ret_fault = f;
    if (f == CRL_FUTURE)
        keep_for_later(i, c);
    else if (f == CRL_GOOD || (f == CRL_ENDED && !known(i, now))) /* what it revokes stays revoked */
        hold(i, c);
    else
        crl_free(c);
    return f == CRL_GOOD;
}

static void take(struct revocations *rv, struct crl_batch *b)
{
    bool taken = false;
    enum crl_fault fault = b->fault;
    for (size_t i = 0; i < b->n; i++)
        taken |= offer(rv, b->lists[i], &fault);
    b->n = 0;
    if (fault != CRL_GOOD)
        LOG(WARN, "revocation_list_refused", LF("why", crl_fault_name(fault)));
    rv->untold = rv->untold || taken;
    if (taken)
        LOG(INFO, "revocation_list_taken", LF("entries", entries(rv)));
    new_turn(rv);
    log_state(rv);
}

/* ---- reading, beside the loop ---- */

/* A long list is parsed into many small pieces, which are free again but stay with the process. ret_passing: time may heal what was wrong. */
static void parse_fd(int fd, STACK_OF(X509) *certs, struct crl_batch *ret_b, bool *ret_passing)
{
    struct buf text;
    struct stat st;
    bool file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    buf_init(&text, CRL_BYTES_MAX);
    struct err e = file && lseek(fd, 0, SEEK_SET) == 0 ? fd_read_all(fd, &text) : FAIL(E_IO);
    if (err_ok(e))
        crl_read(ret_b, buf_slice(&text), certs);
    else
        *ret_b = (struct crl_batch){ .fault = e.code == E_FULL ? CRL_BROKEN : e.code == E_NOMEM ? CRL_NOMEM : CRL_MISSING };
    buf_done(&text);
    size_t n = 0;
    for (size_t i = 0; i < ret_b->n; i++)
        n += ret_b->lists[i]->n;
    if (n >= TRIM_ENTRIES)
        malloc_trim(0);
    *ret_passing = file && (ret_b->fault == CRL_NOMEM || ret_b->fault == CRL_MISSING);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void on_work(uv_work_t *w)
{
    struct revocations *rv = w->data;
    parse_fd(rv->parse.fd, rv->parse.certs, &rv->parse.batch, &rv->parse.passing);
}

static void keep_for_again(struct revocations *rv, int fd)
{
    rv->again_fd = fd;
    rv->again_at = loop_now(rv->loop) + AGAIN_MS;
}

static void on_parsed(uv_work_t *w, int status)
{
    struct revocations *rv = w->data;
    int again = rv->next_fd;
    rv->parsing = false;
    rv->next_fd = -1;
    sk_X509_pop_free(rv->parse.certs, X509_free);
    if (status != 0 || rv->closed) {
        close_fd(&rv->parse.fd);
        crl_batch_done(&rv->parse.batch);
        close_fd(&again);
        return;
    }
    if (rv->parse.passing && again < 0)
        keep_for_again(rv, rv->parse.fd);
    else
        close_fd(&rv->parse.fd);
    take(rv, &rv->parse.batch);
    if (again >= 0)
        revocations_take_fd(rv, again);
}

void revocations_take_fd(struct revocations *rv, int fd)
{
    if (rv->closed) {
        close(fd);
        return;
    }
    if (rv->parsing) { /* only the newest counts */
        close_fd(&rv->next_fd);
        rv->next_fd = fd;
        return;
    }
    close_fd(&rv->again_fd);
    rv->parse.fd = fd;
    rv->parse.batch = (struct crl_batch){ .n = 0 };
    rv->parse.certs = X509_chain_up_ref(rv->certs); /* others may come meanwhile */
    rv->work.data = rv;
    rv->parsing = rv->parse.certs && uv_queue_work(loop_uv(rv->loop), &rv->work, on_work, on_parsed) == 0;
    if (rv->parsing)
        return;
    sk_X509_pop_free(rv->parse.certs, X509_free);
    close_fd(&rv->parse.fd);
}

static void read_again(struct revocations *rv)
{
    int fd = rv->again_fd;
    if (fd < 0 || rv->parsing || loop_now(rv->loop) < rv->again_at)
        return;
    rv->again_fd = -1; /* given on */
    revocations_take_fd(rv, fd);
}

/* ---- the file ---- */

static void look_at_file(struct revocations *rv)
{
    struct file_sign now = file_look(rv->conf.crl_path);
    if (file_same(&now, &rv->seen))
        return;
    rv->seen = now;
    int fd = file_open(rv->conf.crl_path);
    if (fd >= 0) {
        rv->unread = false;
        revocations_take_fd(rv, fd);
        return;
    }
    if (!rv->unread)
        LOG(WARN, "revocation_list_refused", LF("why", crl_fault_name(CRL_MISSING)), LF("errno", errno));
    rv->unread = true;
    rv->seen = (struct file_sign){ 0 }; /* tried again */
}

/* ---- time ---- */

/* The time of the list that waited has come: it is judged like one that has just been read. */
static bool take_later(struct revocations *rv, struct issuer *i)
{
    enum crl_fault fault = CRL_GOOD;
    struct crl *c = i->later;
    i->later = NULL; /* given to offer() */
    bool taken = offer(rv, c, &fault);
    rv->untold = rv->untold || taken;
    if (taken)
        LOG(INFO, "revocation_list_taken", LF("entries", entries(rv)));
    else
        LOG(WARN, "revocation_list_refused", LF("why", crl_fault_name(fault)));
    return taken;
}

/* true when somebody may be judged otherwise from now on. */
static bool pass_time(struct revocations *rv, int64_t now)
{
    const struct crl *held[CRL_ISSUERS_MAX];
    bool changed = false;
    for (size_t k = 0; k < rv->n; k++) {
        struct issuer *i = &rv->issuers[k];
        changed |= i->later && i->later->this_update <= now + SKEW_S && take_later(rv, i);
        changed |= freshness_look(&i->fresh, (unsigned)k + 1, i->held, now);
        held[k] = i->held;
    }
    freshness_tell(&rv->numbers, held, rv->n, now);
    return changed;
}

static void on_tick(void *arg)
{
    struct revocations *rv = arg;
    if (rv->closed)
        return;
    timer_start(rv->tick, REVOKE_TICK_MS);
    if (pass_time(rv, now_s(rv)))
        new_turn(rv);
    log_state(rv);
    if (rv->conf.look)
        look_at_file(rv);
    read_again(rv);
    if (rv->untold && rv->conf.on_taken) {
        rv->untold = false;
        rv->conf.on_taken(rv->conf.arg, entries(rv));
    }
}

void revocations_tell_again(struct revocations *rv) { rv->untold = true; }

/* ---- issuers ---- */

static ERR name_issuers(STACK_OF(X509) *certs, struct issuer *to, size_t *ret_n)
{
    size_t n = 0;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        bool known_one = false;
        if (!crl_issuer_id(sk_X509_value(certs, i), to[n].id))
            return FAIL(E_CRYPTO);
        for (size_t k = 0; k < n; k++) /* the same one, renewed */
            known_one = known_one || slice_eq(ARR(to[k].id), ARR(to[n].id));
        n += !known_one;
    }
    *ret_n = n;
    return OK;
}

static void free_lists(struct revocations *rv)
{
    for (size_t i = 0; i < rv->n; i++) {
        crl_free(rv->issuers[i].held);
        crl_free(rv->issuers[i].later);
    }
}

static void swap_lists(struct issuer *to, struct issuer *from)
{
    struct issuer was = *to;
    *to = *from;
    *from = was;
}

struct err revocations_may_renew(struct slice ca)
{
    STACK_OF(X509) *certs;
    TRY(crl_issuers_read(&certs, ca));
    sk_X509_pop_free(certs, X509_free);
    return OK;
}

struct err revocations_renew(struct revocations *rv, struct slice ca)
{
    STACK_OF(X509) *certs;
    struct issuer fresh[CRL_ISSUERS_MAX] = { 0 };
    size_t n;
    TRY(crl_issuers_read(&certs, ca));
    struct err e = name_issuers(certs, fresh, &n);
    if (!err_ok(e)) {
        sk_X509_pop_free(certs, X509_free);
        return e;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rv->n; k++)
            if (slice_eq(ARR(fresh[i].id), ARR(rv->issuers[k].id)))
                swap_lists(&fresh[i], &rv->issuers[k]);
    free_lists(rv);
    memcpy(rv->issuers, fresh, sizeof fresh);
    rv->n = n;
    sk_X509_pop_free(rv->certs, X509_free);
    rv->certs = certs;
    rv->seen = (struct file_sign){ 0 };
    new_turn(rv);
    log_state(rv);
    return OK;
}

/* ---- beginning and end ---- */

struct err revocations_new(struct revocations **ret_rv, struct loop *l, const struct revocations_conf *conf)
{
    struct revocations *rv = calloc(1, sizeof *rv);
    if (!rv)
        return FAIL(E_NOMEM);
    *rv = (struct revocations){ .loop = l, .conf = *conf, .turn = 1, .next_fd = -1, .again_fd = -1 };
    freshness_numbers(&rv->numbers, loop_metrics(l));
    struct err e = crl_issuers_load(&rv->certs, conf->ca_path);
    if (err_ok(e))
        e = name_issuers(rv->certs, rv->issuers, &rv->n);
    if (err_ok(e))
        e = timer_new(&rv->tick, l, on_tick, rv);
    if (!err_ok(e)) {
        revocations_close(rv);
        revocations_free(rv);
        return e;
    }
    struct crl_batch b;
    rv->seen = file_look(conf->crl_path); /* before it is read: what is written meanwhile is another one */
    bool passing;
    int fd = file_open(conf->crl_path);
    parse_fd(fd, rv->certs, &b, &passing);
    if (passing)
        keep_for_again(rv, fd);
    else
        close_fd(&fd);
    take(rv, &b);
    timer_start(rv->tick, 0);
    *ret_rv = rv;
    return OK;
}

void revocations_close(struct revocations *rv)
{
    if (!rv || rv->closed)
        return;
    rv->closed = true;
    timer_free(rv->tick); /* NULL is fine */
    rv->tick = NULL;
    close_fd(&rv->again_fd);
}

void revocations_free(struct revocations *rv)
{
    if (!rv || rv->parsing) /* the loop was forced to end: a thread still reads */
        return;
    free_lists(rv);
    sk_X509_pop_free(rv->certs, X509_free);
    free(rv);
}
