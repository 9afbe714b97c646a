#include "gateway/audit/daemon_int.h"

#include <stdlib.h>

#include "gateway/audit/wire_num.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { CONNS_MAX = 128, SEQ_BYTES = 8, BREACH_EVERY_MS = 1000, START_AGAIN_MS = 1000, DAY_MS = 24 * 3600 * 1000, RETAIN_FIRST_MS = 2000,
       RETAIN_EVERY_MS = 3600 * 1000, USES_AGAIN_MS = 5000 };

#define INTAKE IPC_BIT(IPC_INTAKE)
#define FRONT IPC_BIT(IPC_FRONT)
#define VAULT IPC_BIT(IPC_VAULT)
#define CTL IPC_BIT(IPC_CTL)
#define COURIER IPC_BIT(IPC_COURIER)
#define SELF IPC_BIT(IPC_AUDIT)

/* Who may write which kind of record. */
static const struct { enum audit_event event; unsigned roles; } WHO[] = {
    { AU_AUDIT_START, SELF },
    { AU_TOKEN_ISSUED, INTAKE },
    { AU_REGISTRATION, INTAKE },
    { AU_TASK_READ, INTAKE },
    { AU_NUMBERING, INTAKE },
    { AU_RECORD_STORED, INTAKE },
    { AU_ROW_QUARANTINED, INTAKE },
    { AU_ROW_RELEASED, INTAKE },
    { AU_KEY_TIED, INTAKE },
    { AU_ROW_DISCARDED, INTAKE },
    { AU_ROW_REPLAYED, INTAKE },
    { AU_NUMBER_REVEALED, VAULT | INTAKE },
    { AU_FILE_KEY_OPENED, VAULT },
    { AU_FILE_ACCEPTED, INTAKE },
    { AU_FILE_ENDED, INTAKE },
    { AU_TASK_UNDONE, INTAKE },
    { AU_RESIDENT_CHANGED, INTAKE },
    { AU_CLINIC_LOOKUP, FRONT },
    { AU_QUESTIONNAIRES_LISTED, FRONT },
    { AU_QUESTIONNAIRE_ANSWERED, FRONT },
    { AU_QUESTIONNAIRES_READ, FRONT },
    { AU_QUESTIONNAIRE_COMPLETED, FRONT },
    { AU_TEMPLATE_STORED, INTAKE },
    { AU_TEMPLATES_READ, INTAKE },
    { AU_LEDGER_EXPORTED, INTAKE },
    { AU_STATISTICS_EXPORTED, INTAKE },
    { AU_DUE_EXPORTED, INTAKE },
    { AU_CLAIMS_EXPORTED, INTAKE },
    { AU_SESSION_READ, FRONT },
    { AU_CITIZEN_LOOKUP, FRONT },
    { AU_PSEUDONYM_LINKED, FRONT },
    { AU_SESSION_ENDED, FRONT },
    { AU_CONSENT_WITHDRAWN, FRONT },
    { AU_CONSENTS_READ, FRONT },
    { AU_ACCESS_LOG_READ, FRONT },
    { AU_STATEMENT_ISSUED, FRONT },
    { AU_CERTIFICATE_ISSUED, FRONT },
    { AU_CERTIFICATES_READ, FRONT },
    { AU_CERTIFICATE_ENDED, FRONT },
    { AU_IMMUNIZATIONS_READ, FRONT },
    { AU_IMMUNIZATION_RECORDED, FRONT },
    { AU_IMMUNIZATION_CORRECTED, FRONT },
    { AU_TICKET_READ, FRONT },
    { AU_OWN_IMMUNIZATIONS_READ, FRONT },
    { AU_OWN_TICKETS_READ, FRONT },
    { AU_FHIR_READ, FRONT },
    { AU_OWN_FHIR_READ, FRONT },
    { AU_NOTICE_SENT, COURIER },
    { AU_NOTICE_DROPPED, COURIER },
    { AU_NOTICE_DEAD, COURIER },
    { AU_NOTICE_REPLAYED, CTL },
    { AU_RECALLS_READ, INTAKE },
    { AU_OWN_NOTICES_READ, FRONT },
    { AU_FLAGS_SET, INTAKE },
    { AU_FLAGS_READ, INTAKE },
    { AU_PERSON_ERASED, INTAKE | VAULT },
    { AU_STAFF_LOGIN, INTAKE },
    { AU_STAFF_LOGOUT, INTAKE },
    { AU_STAFF_CHANGED, INTAKE | CTL },
    { AU_STAFF_READ, INTAKE },
    { AU_INQUIRY_ACCEPTED, INTAKE },
    { AU_INQUIRY_SENT, INTAKE },
    { AU_INQUIRY_ANSWERED, INTAKE },
    { AU_IMMUNIZATIONS_PROVIDED, INTAKE },
    { AU_INQUIRY_ENDED, INTAKE },
    { AU_INQUIRY_FORGOTTEN, INTAKE },
    { AU_VRS_TOLD, INTAKE },
    { AU_VRS_NOT_TOLD, INTAKE },
    { AU_VRS_REPLAYED, CTL },
    { AU_OPERATION_LOG_READ, INTAKE },
    { AU_REVOCATIONS, INTAKE | FRONT },
    { AU_KEYS_CHANGED, INTAKE | FRONT | COURIER },
    { AU_STORE_OLDER, INTAKE | FRONT | COURIER },
    { AU_RECONCILED, CTL },
    { AU_STORE_MARK, INTAKE },
    { AU_LOG_PRUNED, SELF },
    { AU_REFUSED, INTAKE | FRONT },
    { AU_IPC_BREACH, VAULT | SELF },
    { AU_PROCESS_START, INTAKE | FRONT | VAULT | COURIER },
};

bool audit_event_plausible(enum ipc_role from, enum audit_event event)
{
    for (size_t i = 0; i < sizeof WHO / sizeof WHO[0]; i++)
        if (WHO[i].event == event)
            return WHO[i].roles & IPC_BIT(from);
    return false;
}

static struct slice seq_bytes(uint64_t seq, uint8_t out[static SEQ_BYTES])
{
    for (int i = SEQ_BYTES - 1; i >= 0; i--, seq >>= 8)
        out[i] = (uint8_t)seq;
    return slice_of(out, SEQ_BYTES);
}

/* ---- messages ---- */

static void on_written(void *arg, struct err e, uint64_t seq)
{
    uint8_t b[SEQ_BYTES];
    ipc_reply(arg, e, seq_bytes(seq, b));
}

static void on_append(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct audit_daemon *d = ctx;
    struct audit_rec rec;
    if (d->closing) {
        ipc_reply(call, FAIL(E_AUDIT_DOWN), SLICE_NONE);
        return;
    }
    if (!audit_decode(body.p, &rec) || !audit_event_plausible(from, rec.event) || audit_is_use(&rec)) { /* no way round AUDIT_MSG_USE */
        ipc_breach(call);
        return;
    }
    uint8_t stamped[AUDIT_REC_BYTES];
    rec.wall_ms = clock_wall(loop_clock(d->loop)); /* ours: nobody dates an entry so that it goes before its time */
    audit_encode(&rec, stamped);
    audit_writer_append(d->writer, stamped, from, on_written, call);
}

static void on_use_decided(void *arg, struct err e, uint64_t seq, uint64_t used_ms)
{
    uint8_t b[2 * SEQ_BYTES];
    be_put(b, seq, SEQ_BYTES); /* 0: used before */
    be_put(b + SEQ_BYTES, used_ms, SEQ_BYTES);
    ipc_reply(arg, err_is(e, E_USED) ? OK : e, ARR(b));
}

static void on_use(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct audit_daemon *d = ctx;
    struct audit_rec rec;
    if (d->closing)
        ipc_reply(call, FAIL(E_AUDIT_DOWN), SLICE_NONE);
    else if (!audit_decode(body.p, &rec) || !audit_event_plausible(from, rec.event) || !audit_is_use(&rec) || !rec.until_s)
        ipc_breach(call);
    else
        use_desk_ask(d->uses, &rec, from, on_use_decided, call);
}

static void on_ping(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from, (void)body;
    const struct audit_daemon *d = ctx;
    uint64_t seq = 0;
    uint8_t b[SEQ_BYTES];
    struct err e = d->closing ? FAIL(E_AUDIT_DOWN) : audit_writer_seq(d->writer, &seq);
    ipc_reply(call, e, seq_bytes(seq, b));
}

static const struct ipc_rule RULES[] = {
    { AUDIT_MSG_APPEND, INTAKE | FRONT | VAULT | CTL | COURIER, AUDIT_REC_BYTES, AUDIT_REC_BYTES, on_append },
    { AUDIT_MSG_PING, INTAKE | FRONT | VAULT | CTL | COURIER, 0, 0, on_ping },
    { AUDIT_MSG_FIND, INTAKE | FRONT, AUDIT_FIND_BYTES, AUDIT_FIND_BYTES, audit_on_find },
    { AUDIT_MSG_PROVE, INTAKE | FRONT, AUDIT_PROVE_BYTES, AUDIT_PROVE_BYTES, audit_on_prove },
    { AUDIT_MSG_CHECKPOINT, INTAKE | FRONT | CTL, 0, 0, audit_on_checkpoint },
    { AUDIT_MSG_EPOCH, INTAKE | FRONT | CTL | COURIER, 0, 0, audit_on_epoch },
    { AUDIT_MSG_ACTS, CTL, AUDIT_ACTS_BYTES, AUDIT_ACTS_BYTES, audit_on_acts },
    { AUDIT_MSG_STATUS, CTL, 0, 0, audit_on_status },
    { AUDIT_MSG_USE, FRONT, AUDIT_REC_BYTES, AUDIT_REC_BYTES, on_use },
};

/* ---- records of our own ---- */

static void append_own(struct audit_daemon *d, enum audit_event event, enum audit_result result, enum err_code reason, uint32_t count,
                       audit_written_fn *done)
{
    struct audit_rec rec = { .event = event, .result = result, .reason = reason, .count = count };
    uint8_t wire[AUDIT_REC_BYTES];
    audit_set_actor(&rec, LIT("audit"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    rec.wall_ms = clock_wall(loop_clock(d->loop));
    audit_encode(&rec, wire);
    audit_writer_append(d->writer, wire, IPC_AUDIT, done, d);
}

static void on_start_written(void *arg, struct err e, uint64_t seq)
{
    struct audit_daemon *d = arg;
    if (err_ok(e))
        LOG(INFO, "audit_log_open", LF("seq", seq));
    else if (!d->closing)
        timer_start(d->start_again, START_AGAIN_MS);
}

static void append_start(void *arg)
{
    struct audit_daemon *d = arg;
    append_own(d, AU_AUDIT_START, AR_OK, E_OK, d->cut, on_start_written);
}

static void on_breach_written(void *arg, struct err e, uint64_t seq)
{
    (void)arg, (void)seq;
    if (!err_ok(e))
        LOG(ERROR, "breach_not_recorded", LF("error", e));
}

static void record_breaches(void *arg)
{
    struct audit_daemon *d = arg;
    if (d->breaches == 0 || d->closing)
        return;
    append_own(d, AU_IPC_BREACH, AR_REFUSED, E_PROTOCOL, d->breaches, on_breach_written);
    d->breaches = 0;
    timer_start(d->breach_later, BREACH_EVERY_MS);
}

static void on_breach(void *ctx)
{
    struct audit_daemon *d = ctx;
    d->breaches++;
    metric_add(d->count.breaches, 1);
    if (!d->closing && !timer_active(d->breach_later))
        record_breaches(d);
}

/* ---- what follows the log ---- */

static void on_commit(void *arg, const uint8_t *entries, size_t n, uint64_t seq)
{
    struct audit_daemon *d = arg;
    metric_set(d->count.entries, seq);
    metric_add(d->count.commits, 1);
    audit_reader_grew(d->reader, entries, n);
    if (d->keeper)
        audit_keeper_grew(d->keeper, seq);
}

static void on_pruning_written(void *arg, struct err e, uint64_t seq)
{
    struct audit_daemon *d = arg;
    (void)seq;
    audit_retain_told(d->retain, e);
}

static void tell_pruning(void *arg, uint32_t segments)
{
    struct audit_daemon *d = arg;
    if (d->closing)
        audit_retain_told(d->retain, FAIL(E_CANCELED));
    else
        append_own(d, AU_LOG_PRUNED, AR_OK, E_OK, segments, on_pruning_written);
}

static void on_pruned(void *arg, uint64_t seq)
{
    const struct audit_daemon *d = arg;
    audit_reader_pruned(d->reader, seq);
}

/* Entries that may be looked at for being past their time: none with a use that is alive. */
static uint64_t log_seq(void *arg)
{
    const struct audit_daemon *d = arg;
    uint64_t seq = 0;
    return err_ok(audit_writer_seq(d->writer, &seq)) ? use_desk_prunable(d->uses, seq) : 0;
}

static ERR followers_new(struct audit_daemon *d, const struct audit_daemon_conf *conf, const struct audit_found *found)
{
    struct audit_retain_conf retain = {
        .dir = conf->dir, .keep_ms = (uint64_t)conf->keep_days * DAY_MS, .first_ms = RETAIN_FIRST_MS, .every_ms = RETAIN_EVERY_MS,
        .tell = tell_pruning, .pruned = on_pruned, .seq = log_seq, .arg = d,
    };
    struct audit_keeper_conf keeper = { .dir = conf->dir, .origin = conf->origin, .seed = conf->sign_seed };
    struct use_desk_conf uses = { .dir = conf->dir, .writer = d->writer, .found = found, .uses_max = USES_MAX, .again_ms = USES_AGAIN_MS };
    if (conf->sign_seed)
        TRY(audit_keeper_new(&d->keeper, d->loop, keeper, found->seq));
    TRY(audit_reader_new(&d->reader, d->loop, conf->dir, found->seq, found->pruned));
    TRY(use_desk_new(&d->uses, d->loop, uses));
    if (conf->keep_days)
        TRY(audit_retain_new(&d->retain, d->loop, retain));
    TRY(timer_new(&d->disk_watch, d->loop, audit_disk_look, d));
    audit_writer_on_commit(d->writer, on_commit, d);
    audit_disk_look(d);
    return OK;
}

/* ---- life ---- */

static void destroy(struct audit_daemon *d)
{
    timer_free(d->start_again);
    timer_free(d->breach_later);
    timer_free(d->disk_watch);
    free(d);
}

static void on_keeper_closed(void *arg)
{
    struct audit_daemon *d = arg;
    ipc_server_close(d->server);
    destroy(d);
}

static void on_reader_closed(void *arg)
{
    struct audit_daemon *d = arg;
    if (d->keeper)
        audit_keeper_close(d->keeper, on_keeper_closed, d);
    else
        on_keeper_closed(d);
}

static void on_retain_closed(void *arg)
{
    struct audit_daemon *d = arg;
    if (d->reader)
        audit_reader_close(d->reader, on_reader_closed, d);
    else
        on_reader_closed(d);
}

static void on_uses_closed(void *arg)
{
    struct audit_daemon *d = arg;
    audit_retain_close(d->retain, on_retain_closed, d);
}

static void on_writer_closed(void *arg)
{
    struct audit_daemon *d = arg;
    use_desk_close(d->uses, on_uses_closed, d);
}

static void on_left(void *arg) { audit_daemon_close(arg); }

void audit_daemon_leave(struct audit_daemon *d) { ipc_server_leave(d->server, on_left, d); }

void audit_daemon_close(struct audit_daemon *d)
{
    if (!d || d->closing)
        return;
    d->closing = true;
    timer_stop(d->start_again);
    timer_stop(d->breach_later);
    if (d->disk_watch)
        timer_stop(d->disk_watch);
    use_desk_stop(d->uses);
    audit_writer_close(d->writer, on_writer_closed, d);
}

static void caps_free(struct audit_daemon_conf *conf)
{
    for (int i = 0; i < IPC__ROLES; i++)
        secret_free(conf->caps[i]);
}

struct err audit_daemon_new(struct audit_daemon **ret_d, struct loop *l, struct audit_daemon_conf conf)
{
    struct audit_found found;
    struct audit_daemon *d = calloc(1, sizeof *d);
    struct err e = d ? timer_new(&d->start_again, l, append_start, d) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = timer_new(&d->breach_later, l, record_breaches, d);
    if (err_ok(e))
        e = audit_writer_new(&d->writer, l, conf.dir, conf.disk, &found);
    if (!err_ok(e)) {
        caps_free(&conf);
        if (d)
            destroy(d);
        return e;
    }
    d->loop = l;
    d->count.entries = metrics_of(loop_metrics(l), MF_AUDIT_ENTRIES, 0, NULL);
    d->count.commits = metrics_of(loop_metrics(l), MF_AUDIT_COMMITS, 0, NULL);
    d->count.breaches = metrics_of(loop_metrics(l), MF_AUDIT_BREACHES, 0, NULL);
    d->cut = found.cut;
    d->dir = conf.dir;
    e = followers_new(d, &conf, &found);
    if (!err_ok(e)) {
        caps_free(&conf);
        audit_daemon_close(d);
        return e;
    }
    struct ipc_server_conf server = {
        .path = conf.socket_path, .rules = RULES, .n_rules = sizeof RULES / sizeof RULES[0],
        .conns_max = CONNS_MAX, .on_breach = on_breach, .ctx = d,
    };
    memcpy(server.caps, conf.caps, sizeof server.caps);
    e = ipc_server_new(&d->server, l, server);
    if (!err_ok(e)) {
        audit_daemon_close(d);
        return e;
    }
    append_start(d);
    *ret_d = d;
    return OK;
}
