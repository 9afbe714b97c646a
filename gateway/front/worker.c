#include "gateway/front/worker_int.h"

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
#include "gateway/tls/ends.h"
#include "gateway/vaccine/vrs_mark.h"

/* Every access ends within its deadline of 2 s, a refusal within 5 s; clients have the rest to read their answers. */
enum { START_AGAIN_MS = 1000 };
/* A connection that is kept and has no request within RETIRE_MS is ended when others serve in the place of this worker; within LEAVE_MS when nobody does. Requests that
 * have begun have until CUT_MS before the worker's end. */
enum { CUT_MS = 1000, RETIRE_MS = 3000, LEAVE_MS = 300, DRAIN_LOOK_MS = 20, QUEUE_MAX = 8192, CONNECT_MS = 1000, CONNECT_LOOK_MS = 1 };

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
    budget_stop(w->budget);
    revocations_close(w->revocations);
    rhythm_free(w->env.rhythm);
    w->env.rhythm = NULL;
    timer_free(w->drain);
    timer_free(w->start_again);
    timer_free(w->tell);
    w->drain = w->start_again = w->tell = NULL;
}

static void close_doors(struct worker *w)
{
    struct door **const doors[] = { &w->clinic, &w->portal };
    unsigned conns = 0, busy = 0;
    uint64_t now = loop_now(w->loop);
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        conns += *doors[i] ? door_conns(*doors[i]) : 0;
        busy += *doors[i] ? door_busy(*doors[i]) : 0;
    }
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        if (!*doors[i] || (conns > 0 && now < w->close_at) || (busy > 0 && now < w->cut_at))
            continue;
        door_close(*doors[i]);
        *doors[i] = NULL; /* given to the loop */
    }
}

static void on_drain(void *arg)
{
    struct worker *w = arg;
    close_doors(w);
    if (w->clinic || w->portal || w->env.in_work > 0 || (w->budget && budget_state(w->budget).waiting > 0))
        timer_start(w->drain, DRAIN_LOOK_MS);
    else
        close_rest(w);
}

static void on_stop(void *arg)
{
    struct worker *w = arg;
    LOG(INFO, "stopping", LF("worker", w->lines.number), LF("in_work", w->env.in_work));
    w->close_at = loop_now(w->loop) + (w->others ? RETIRE_MS : LEAVE_MS);
    w->cut_at = loop_now(w->loop) + w->conf->stop_ms - CUT_MS;
    if (w->clinic)
        door_drain(w->clinic);
    if (w->portal)
        door_drain(w->portal);
    uv_handle_t *const lines[] = { (uv_handle_t *)&w->life, (uv_handle_t *)&w->news };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(lines[i]))
            uv_close(lines[i], NULL);
    on_drain(w);
}

static void on_retire(void *arg)
{
    struct worker *w = arg;
    w->others = true;
    loop_stop(w->loop);
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
    audit_append(w->env.audit, &rec, loop_now(w->loop) + WORKER_RECORD_MS, on_start_recorded, w);
}

/* ---- starting, in this order ---- */

/* ---- what the others of the front are told ---- */

static uint64_t steady_ms(const struct worker *w) { return clock_mono(loop_clock(w->loop)); }

static void tell_board(void *arg)
{
    struct worker *w = arg;
    struct err e = access_able(&w->env);
    if (err_ok(e) && w->revocations)
        e = revocations_state(w->revocations);
    board_tell(w->board, w->lines.name, e, steady_ms(w));
    timer_start(w->tell, BOARD_TELL_MS);
}

static ERR ask_board(void *arg, unsigned *ret_worker)
{
    const struct worker *w = arg;
    return board_state(w->board, steady_ms(w), ret_worker);
}

static ERR start_loop(struct worker *w)
{
    TRY(loop_new(&w->loop, clock_system()));
    TRY(loop_count(w->loop, w->conf->metrics_dir, LITERAL("front")));
    TRY(timer_new(&w->drain, w->loop, on_drain, w));
    TRY(timer_new(&w->start_again, w->loop, record_start, w));
    TRY(timer_new(&w->tell, w->loop, tell_board, w));
    w->env.group = ask_board;
    w->env.group_arg = w;
    TRY(rhythm_new(&w->env.rhythm, w->loop));
    uv_pipe_init(loop_uv(w->loop), &w->life, 0);
    w->life.data = w;
    loop_on_stop(w->loop, on_stop, w);
    loop_on_hup(w->loop, on_retire, w);
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
        e = worker__set_log_key(w, buf_slice(&text));
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
        .replicas = (unsigned)w->conf->redis_wait_replicas,
        .wait_ms = (unsigned)w->conf->redis_wait_ms,
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
        .ca_path = c->door_ca, .crl_path = c->door_crl, .on_taken = worker__on_revocations, .arg = w });
}

static void on_shed_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e))
        LOG(WARN, "shed_not_recorded", LF("worker", w->lines.number), LF("error", e));
}

/* One record for all that a caller was refused in that second. */
static void on_shed(void *arg, struct slice identity, enum err_code why, uint32_t count)
{
    struct worker *w = arg;
    struct audit_rec rec = { .event = AU_REFUSED, .result = AR_REFUSED, .reason = why, .count = count };
    if (w->env.stopped)
        return;
    LOG(WARN, "requests_shed", LF("worker", w->lines.number), LF("error", (struct err){ .code = why }), LF("requests", count));
    audit_set_actor(&rec, identity);
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + WORKER_RECORD_MS, on_shed_recorded, w);
}

static size_t redis_length(const void *redis) { return redis_waiting(redis); }
static size_t audit_length(const void *audit) { return audit_waiting(audit); }

static ERR open_budget(struct worker *w)
{
    struct budget_conf c = budget_conf_of(w->conf);
    c.rates = w->rates;
    c.queues[BUDGET_REDIS].length = redis_length;
    c.queues[BUDGET_REDIS].ctx = w->env.redis;
    c.queues[BUDGET_AUDIT].length = audit_length;
    c.queues[BUDGET_AUDIT].ctx = w->env.audit;
    c.on_shed = on_shed;
    c.ctx = w;
    return budget_new(&w->budget, w->loop, &c);
}

enum { DOOR_CLINIC, DOOR_PORTAL };

static ERR open_door(struct worker *w, struct door **ret_d, struct lit name, unsigned at, enum budget_class class, const struct route *routes, size_t n_routes)
{
    const struct conf *c = w->conf;
    return door_new(ret_d, w->loop, &(struct door_conf){
        .name = name,
        .sockets = w->lines.socket[at],
        .n_sockets = w->lines.n_sockets[at],
        .tls = { .cert_path = c->door_cert, .key_path = c->door_key, .ca_path = c->door_ca, .session_context = name.s, .tls12 = c->door_tls12 == 1, .sessions = w->sessions },
        .revocations = w->revocations,
        .routes = routes,
        .n_routes = n_routes,
        .dialect = &FHIR_DIALECT,
        .allow = access_allow,
        .on_refused = access_on_refused,
        .limits = door_limits_of(c),
        .budget = w->budget,
        .class = class,
        .ctx = &w->env,
    });
}

static ERR open_clinic(struct worker *w)
{
    return open_door(w, &w->clinic, LITERAL("clinic"), DOOR_CLINIC, BUDGET_CLINIC, CLINIC_ROUTES, CLINIC_ROUTES_N);
}

static ERR open_portal(struct worker *w)
{
    return open_door(w, &w->portal, LITERAL("portal"), DOOR_PORTAL, BUDGET_CITIZEN, PORTAL_ROUTES, PORTAL_ROUTES_N);
}

static ERR give_up_privileges(struct worker *w)
{
    keyring_free(w->ring);
    w->ring = NULL;
    return box_enter(BOX_FRONT, (uint32_t)w->conf->uid);
}

/* One worker says it for all. */
static ERR watch_certificates(struct worker *w)
{
    const struct conf *c = w->conf;
    const struct ends_file files[] = { { LITERAL("door_cert"), c->door_cert }, { LITERAL("door_ca"), c->door_ca }, { LITERAL("statement_cert"), c->statement_cert },
                                       { LITERAL("vds_signer_cert"), c->vds_signer_cert }, { LITERAL("attributes_cert"), c->attributes_cert } };
    return w->lines.number == 0 ? ends_watch(w->loop, files, sizeof files / sizeof files[0]) : OK;
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
    { { "door_conns, work_max" }, open_budget },
    { { "clinic_port, door_cert, door_key, door_ca" }, open_clinic },
    { { "portal_port, door_cert, door_key, door_ca" }, open_portal },
    { { "door_cert, door_ca, statement_cert, vds_signer_cert, attributes_cert" }, watch_certificates },
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
    if (w->env.stopped || uv_poll_start(&w->news, UV_READABLE, worker__on_news) != 0)
        LOG(WARN, "no_news", LF("worker", w->lines.number));
    LOG(INFO, "ready", LF("worker", w->lines.number), LF("clinic_port", w->conf->clinic_port), LF("portal_port", w->conf->portal_port));
    record_start(w);
    if (!w->env.stopped)
        tell_board(w);
    if (write(w->lines.ready, &w->lines.name, 1) != 1)
        LOG(WARN, "parent_not_told", LF("worker", w->lines.number));
}

int worker_run(const struct conf *conf, const struct worker_shared *shared, const struct worker_lines *lines)
{
    struct worker w = { .conf = conf, .sessions = shared->sessions, .rates = shared->rates, .board = shared->board, .lines = *lines };
    log_open(LITERAL("front"), (enum log_level)conf->log_level);
    w.env.to_vrs = strcmp(w.conf->vrs_report, VRS_MARK_SETTING) == 0;
    w.env.outbox_max = w.conf->outbox_max;
    w.env.session_life_ms = w.conf->session_life_s * 1000;
    w.env.link_key_issuer = slice_str(w.conf->link_key_issuer);
    struct err e = start(&w);
    if (err_ok(e))
        e = loop_defer(w.loop, on_serving, &w);
    if (err_ok(e))
        loop_run(w.loop, w.conf->stop_ms);
    else if (w.loop)
        loop_stop(w.loop);
    loop_free(w.loop);
    budget_free(w.budget);
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
