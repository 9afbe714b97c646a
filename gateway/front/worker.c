#include "gateway/front/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/audit/note.h"
#include "gateway/base/file.h"
#include "gateway/box/box.h"
#include "gateway/clinic/clinic.h"
#include "gateway/epoch/epoch.h"
#include "gateway/fhir/fhir.h"
#include "gateway/lookup/access.h"
#include "gateway/portal/cert_desk.h"
#include "gateway/portal/portal.h"
#include "gateway/vaccine/vrs_mark.h"

/* Every access ends within its deadline of 2 s, a refusal within 5 s; clients have the rest to read their answers. */
enum { START_RECORD_MS = 2000, START_AGAIN_MS = 1000 };
enum { GRACE_MS = 8000, DRAIN_LOOK_MS = 20, QUEUE_MAX = 8192, CONNECT_MS = 1000, CONNECT_LOOK_MS = 1 };

struct worker {
    const struct conf *conf;
    struct worker_lines lines;
    struct loop *loop;
    struct basis *basis;
    struct institutions *institutions;
    struct vaccine_table *vaccines;
    struct jws_signer *statements;
    struct buf log_key;
    struct keyring *ring; /* while starting only */
    struct lookup_env env;
    struct revocations *revocations; /* NULL: none are looked up */
    struct door *clinic, *portal;
    struct epoch *epoch;
    struct timer *drain;
    struct timer *start_again; /* the record of the start could not be written yet */
    uv_pipe_t life;
    uv_poll_t news;
    char unused; /* where the line of life would be read to */
};

/* ---- stopping: first the doors, then what they wait for ---- */

static void close_rest(struct worker *w)
{
    if (w->env.stopped)
        return;
    w->env.stopped = true;
    epoch_close(w->epoch);
    w->epoch = NULL; /* given to the loop */
    if (w->env.redis)
        redis_close(w->env.redis);
    if (w->env.audit)
        audit_close(w->env.audit);
    cert_desk_close(w->env.certificates);
    revocations_close(w->revocations);
    rhythm_free(w->env.rhythm);
    w->env.rhythm = NULL;
    timer_free(w->drain);
    timer_free(w->start_again);
    w->drain = w->start_again = NULL;
}

static void on_drain(void *arg)
{
    struct worker *w = arg;
    if (w->env.in_work > 0)
        timer_start(w->drain, DRAIN_LOOK_MS);
    else
        close_rest(w);
}

static void on_stop(void *arg)
{
    struct worker *w = arg;
    LOG(INFO, "stopping", LF("worker", w->lines.number), LF("in_work", w->env.in_work));
    if (w->clinic)
        door_close(w->clinic);
    if (w->portal)
        door_close(w->portal);
    w->clinic = w->portal = NULL; /* given to the loop */
    uv_handle_t *const lines[] = { (uv_handle_t *)&w->life, (uv_handle_t *)&w->news };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(lines[i]))
            uv_close(lines[i], NULL);
    on_drain(w);
}

static void on_life_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct worker *w = h->data;
    *buf = uv_buf_init(&w->unused, 1);
}

/* Nobody writes: what comes is the end of the parent. */
static void on_life(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct worker *w = s->data;
    if (n < 0)
        loop_stop(w->loop);
}

/* ---- changed files ---- */

static void on_news_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e))
        LOG(WARN, "keys_change_not_recorded", LF("worker", w->lines.number), LF("error", e));
}

/* count: the link keys that open now. */
static void record_keys(struct worker *w)
{
    struct audit_rec rec = { .event = AU_KEYS_CHANGED, .result = AR_OK, .count = (uint32_t)jwe_keys_count(w->env.link_keys) };
    audit_set_actor(&rec, LIT("front"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + START_RECORD_MS, on_news_recorded, w);
}

/* Both or none: a ring that lacks something changes nothing. */
static ERR take_ring(struct worker *w, const struct news_message *m)
{
    struct keyring *ring = NULL;
    struct jwe_keys *fresh = NULL;
    TRY(keyring_load_fds(&ring, RING_LINK, m->fd[0], m->fd[1]));
    struct err e = jwe_keys_new(&fresh, ring, KEY_LINK_JWE);
    if (err_ok(e))
        e = store_renew(w->env.store, ring);
    if (err_ok(e))
        jwe_keys_exchange(w->env.link_keys, fresh);
    jwe_keys_free(fresh);
    keyring_free(ring);
    return e;
}

/* The key in use: one line, without its end. */
static ERR set_log_key(struct worker *w, struct slice text)
{
    struct note_keys keys;
    if (!note_keys_read(text, &keys))
        return FAIL(E_CONFIG);
    keys.key[0].older = NULL;
    buf_reset(&w->log_key);
    note_keys_write(&keys.key[0], &w->log_key);
    TRY(buf_check(&w->log_key));
    w->env.log_key = slice_of(w->log_key.p, w->log_key.n - 1);
    return OK;
}

static ERR take_log_key(struct worker *w, int fd)
{
    struct buf text;
    buf_init(&text, NOTE_KEYS_TEXT_MAX);
    struct err e = fd_read_all(fd, &text);
    close(fd);
    if (err_ok(e))
        e = set_log_key(w, buf_slice(&text));
    buf_done(&text);
    return e;
}

static void on_revocations_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e))
        revocations_tell_again(w->revocations);
}

static void on_revocations(void *arg, uint64_t entries)
{
    struct worker *w = arg;
    struct audit_rec rec = { .event = AU_REVOCATIONS, .result = AR_OK, .count = entries < UINT32_MAX ? (uint32_t)entries : UINT32_MAX };
    audit_set_actor(&rec, LIT("front"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + START_RECORD_MS, on_revocations_recorded, w);
}

static void on_news(uv_poll_t *p, int status, int events)
{
    (void)events;
    struct worker *w = p->data;
    struct news_message m;
    while (status == 0 && news_receive(w->lines.news, &m)) {
        if (m.group == NEWS_CRL && m.n == 1 && w->revocations) {
            revocations_take_fd(w->revocations, m.fd[0]);
            continue;
        }
        struct err e = m.group == NEWS_RING && m.n == 2 ? take_ring(w, &m) : m.group == NEWS_LOG_KEY && m.n == 1 ? take_log_key(w, m.fd[0]) : FAIL(E_PROTOCOL);
        if (err_ok(e)) {
            if (m.group == NEWS_RING)
                record_keys(w);
            continue;
        }
        LOG(ERROR, "keys_refused", LF("worker", w->lines.number), LF("error", e));
        news_ask_again(w->lines.news, m.group);
    }
    if (status != 0)
        uv_poll_stop(p);
}

/* ---- the record of the start ---- */

static void on_start_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e) && !w->env.stopped)
        timer_start(w->start_again, START_AGAIN_MS);
}

/* count: the number of the worker. */
static void record_start(void *arg)
{
    struct worker *w = arg;
    struct audit_rec rec = { .event = AU_PROCESS_START, .result = AR_OK, .count = w->lines.number };
    if (w->env.stopped)
        return;
    audit_set_actor(&rec, LIT("front"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + START_RECORD_MS, on_start_recorded, w);
}

/* ---- starting, in this order ---- */

static ERR start_loop(struct worker *w)
{
    TRY(loop_new(&w->loop, clock_system()));
    TRY(timer_new(&w->drain, w->loop, on_drain, w));
    TRY(timer_new(&w->start_again, w->loop, record_start, w));
    TRY(rhythm_new(&w->env.rhythm, w->loop));
    uv_pipe_init(loop_uv(w->loop), &w->life, 0);
    w->life.data = w;
    loop_on_stop(w->loop, on_stop, w);
    if (uv_pipe_open(&w->life, w->lines.life) != 0 || uv_read_start((uv_stream_t *)&w->life, on_life_alloc, on_life) != 0)
        return FAIL(E_IO);
    if (uv_poll_init(loop_uv(w->loop), &w->news, w->lines.news) != 0)
        return FAIL(E_IO);
    w->news.data = w;
    return OK;
}

static ERR open_basis(struct worker *w)
{
    TRY(basis_load(&w->basis, w->conf->legal_basis_file));
    w->env.basis = w->basis;
    return OK;
}

static ERR open_institutions(struct worker *w)
{
    if (w->conf->institutions_file[0])
        TRY(institutions_load(&w->institutions, w->conf->institutions_file));
    w->env.institutions = w->institutions;
    return OK;
}

static ERR open_vaccines(struct worker *w)
{
    if (w->conf->vaccines_file[0])
        TRY(vaccine_table_load(&w->vaccines, w->conf->vaccines_file));
    w->env.vaccines = w->vaccines;
    return OK;
}

static ERR open_statements(struct worker *w)
{
    if (w->conf->statement_cert[0] && w->conf->statement_key[0])
        TRY(jws_signer_new(&w->statements, w->conf->statement_cert, w->conf->statement_key));
    w->env.statements = w->statements;
    return OK;
}

static ERR open_log_key(struct worker *w)
{
    struct buf text;
    buf_init(&w->log_key, NOTE_KEY_LINE_MAX);
    if (!w->conf->audit_pub_file[0])
        return OK;
    buf_init(&text, NOTE_KEYS_TEXT_MAX);
    struct err e = file_read(w->conf->audit_pub_file, &text);
    if (err_ok(e))
        e = set_log_key(w, buf_slice(&text));
    buf_done(&text);
    return e;
}

static ERR open_ring(struct worker *w) { return keyring_load(&w->ring, RING_LINK, w->conf->link_ring, w->conf->link_master); }
static ERR open_store(struct worker *w) { return store_new(&w->env.store, w->ring); }
static ERR open_link_keys(struct worker *w) { return jwe_keys_new(&w->env.link_keys, w->ring, KEY_LINK_JWE); }

static ERR open_redis(struct worker *w)
{
    struct secret *password;
    TRY(secret_read_file(&password, w->conf->redis_link_pass_file, 0));
    return redis_new(&w->env.redis, w->loop, (struct redis_conf){
        .path = w->conf->redis_link_socket,
        .user = w->conf->redis_link_user,
        .password = password, /* given to redis */
        .conns = (unsigned)w->conf->redis_conns,
        .queue_max = QUEUE_MAX,
    });
}

static ERR open_audit(struct worker *w)
{
    struct secret *cap;
    TRY(secret_read_file(&cap, w->conf->audit_cap_file, IPC_CAP_BYTES));
    return audit_new(&w->env.audit, w->loop, w->conf->audit_socket, IPC_FRONT, cap /* given to audit */);
}

static ERR open_certificates(struct worker *w) { return cert_desk_new(&w->env.certificates, w->loop, w->conf); }

static ERR open_epoch(struct worker *w)
{
    return epoch_new(&w->epoch, &(struct epoch_conf){ .loop = w->loop, .redis = w->env.redis, .audit = w->env.audit, .actor = LITERAL("front") });
}

/* A worker that joins others should not answer 503 while it connects; when there is nothing to connect to, it says so to callers
 * all the same. */
static ERR await_connections(struct worker *w)
{
    uint64_t until = loop_now(w->loop) + CONNECT_MS;
    while (!w->env.stopped && loop_now(w->loop) < until && !(redis_up(w->env.redis) && audit_up(w->env.audit))) {
        uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
        uv_sleep(CONNECT_LOOK_MS);
    }
    return w->env.stopped ? FAIL(E_CANCELED) : OK;
}

static ERR open_revocations(struct worker *w)
{
    const struct conf *c = w->conf;
    if (!c->door_crl[0])
        return OK;
    return revocations_new(&w->revocations, w->loop, &(struct revocations_conf){
        .ca_path = c->door_ca, .crl_path = c->door_crl, .on_taken = on_revocations, .arg = w });
}

static ERR open_door(struct worker *w, struct door **ret_d, struct lit name, uint64_t port, const struct route *routes, size_t n_routes)
{
    const struct conf *c = w->conf;
    return door_new(ret_d, w->loop, &(struct door_conf){
        .name = name,
        .host = c->door_host,
        .port = (unsigned)port,
        .reuse_port = true,
        .tls = { .cert_path = c->door_cert, .key_path = c->door_key, .ca_path = c->door_ca, .session_context = name.s },
        .revocations = w->revocations,
        .routes = routes,
        .n_routes = n_routes,
        .dialect = &FHIR_DIALECT,
        .allow = access_allow,
        .on_refused = access_on_refused,
        .limits = door_limits_default(),
        .ctx = &w->env,
    });
}

static ERR open_clinic(struct worker *w)
{
    return open_door(w, &w->clinic, LITERAL("clinic"), w->conf->clinic_port, CLINIC_ROUTES, CLINIC_ROUTES_N);
}

static ERR open_portal(struct worker *w)
{
    return open_door(w, &w->portal, LITERAL("portal"), w->conf->portal_port, PORTAL_ROUTES, PORTAL_ROUTES_N);
}

static ERR give_up_privileges(struct worker *w)
{
    keyring_free(w->ring);
    w->ring = NULL;
    return box_enter(BOX_FRONT, (uint32_t)w->conf->uid);
}

static const struct step {
    struct lit name; /* the settings that it uses, as the log shows them */
    ERR (*run)(struct worker *w);
} STEPS[] = {
    { { "loop" }, start_loop },
    { { "legal_basis_file" }, open_basis },
    { { "institutions_file" }, open_institutions },
    { { "vaccines_file" }, open_vaccines },
    { { "statement_cert, statement_key" }, open_statements },
    { { "audit_pub_file" }, open_log_key },
    { { "link_ring, link_master" }, open_ring },
    { { "link_ring" }, open_store },
    { { "link_ring (link keys)" }, open_link_keys },
    { { "redis_link_socket, redis_link_user, redis_link_pass_file" }, open_redis },
    { { "audit_socket, audit_cap_file" }, open_audit },
    { { "certificate_signer, certificate_issuer, attributes_cert, vds_signer_cert" }, open_certificates },
    { { "redis_link_socket, audit_socket" }, open_epoch },
    { { "redis_link_socket, audit_socket" }, await_connections },
    { { "door_ca, door_crl" }, open_revocations },
    { { "clinic_port, door_host, door_cert, door_key, door_ca" }, open_clinic },
    { { "portal_port, door_host, door_cert, door_key, door_ca" }, open_portal },
    { { "uid" }, give_up_privileges },
};

static ERR start(struct worker *w)
{
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        struct err e = STEPS[i].run(w);
        if (!err_ok(e)) {
            LOG(ERROR, "start_failed", LF("worker", w->lines.number), LF("settings", STEPS[i].name), LF("error", e));
            return e;
        }
    }
    return OK;
}

static void on_serving(void *arg)
{
    struct worker *w = arg;
    if (w->env.stopped || uv_poll_start(&w->news, UV_READABLE, on_news) != 0)
        LOG(WARN, "no_news", LF("worker", w->lines.number));
    uint8_t number = (uint8_t)w->lines.number;
    LOG(INFO, "ready", LF("worker", w->lines.number), LF("clinic_port", w->conf->clinic_port), LF("portal_port", w->conf->portal_port));
    record_start(w);
    if (write(w->lines.ready, &number, 1) != 1)
        LOG(WARN, "parent_not_told", LF("worker", w->lines.number));
}

int worker_run(void *arg, struct worker_lines lines)
{
    struct worker w = { .conf = arg, .lines = lines };
    w.env.to_vrs = strcmp(w.conf->vrs_report, VRS_MARK_SETTING) == 0;
    w.env.outbox_max = w.conf->outbox_max;
    w.env.session_life_ms = w.conf->session_life_s * 1000;
    w.env.link_key_issuer = slice_str(w.conf->link_key_issuer);
    struct err e = start(&w);
    if (err_ok(e))
        e = loop_defer(w.loop, on_serving, &w);
    if (err_ok(e))
        loop_run(w.loop, GRACE_MS);
    else if (w.loop)
        loop_stop(w.loop);
    loop_free(w.loop);
    revocations_free(w.revocations);
    jwe_keys_free(w.env.link_keys);
    store_free(w.env.store);
    cert_desk_free(w.env.certificates);
    jws_signer_free(w.statements);
    buf_done(&w.log_key);
    institutions_free(w.institutions);
    vaccine_table_free(w.vaccines);
    basis_free(w.basis);
    keyring_free(w.ring);
    return err_ok(e) ? 0 : e.code == E_CONFIG || e.code == E_SEAL ? EXIT_SETTINGS : 1;
}
