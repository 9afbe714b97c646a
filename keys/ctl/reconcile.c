/* pmhgw reconcile: tells a redis-link that came back older what the audit log knows (docs/operations.md).
 *
 * Everything is replayed before the store's number is set, so that no daemon serves before all of it is there; what is replayed twice changes nothing, so
 * a run that was killed is repeated. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "gateway/base/text.h"
#include "gateway/epoch/epoch.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/link_once.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/reconcile_int.h"
#include "keys/ctl/replay_member.h"
#include "keys/ctl/replay_vrs.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/vault/vault_msg.h"

enum { ASK_MS = 20000, BUSY_TRIES = 100, BUSY_WAIT_MS = 100, BATCH_MAX = 4 << 20, ACTS_AT_ONCE = 512, TELL_EVERY = 100000, LOST_SHOWN = 200 };

/* ---- questions ---- */

static ERR read_epoch(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct reconcile *r = arg;
    if (n != 1 || (redis_reply_type(replies[0]) != REDIS_NIL && !u64_parse(redis_reply_str(replies[0]), &r->epoch)))
        r->epoch = 0; /* what is no number is none */
    return OK;
}

static ERR ask_epochs(struct reconcile *r)
{
    uint8_t b[8];
    size_t n = 0;
    struct err e = FAIL(E_BUSY);
    struct redis_batch *ask = redis_batch_new(256);
    if (ask)
        REDIS_ADD(ask, LIT("GET"), STORE_EPOCH);
    for (int i = 0; i < BUSY_TRIES && err_is(e, E_BUSY); i++) { /* its index is being made */
        if (i)
            uv_sleep(BUSY_WAIT_MS);
        e = ipc_call_once(state_at(r->s, "run/audit.sock").c, IPC_CTL, r->audit_cap, AUDIT_MSG_EPOCH, SLICE_NONE, ASK_MS, b, sizeof b, &n);
    }
    if (!err_ok(e) || n != sizeof b) {
        redis_batch_free(ask);
        return err_ok(e) ? FAIL(E_AUDIT_DOWN) : e;
    }
    for (size_t i = 0; i < sizeof b; i++)
        r->log = r->log << 8 | b[i];
    TRY(probe_audit(r->s, &r->last));
    return link_line_ask(r->line, LINK_FRONT, ask, read_epoch, r);
}

/* ---- one act ---- */

static ERR flush_acts(struct reconcile *r)
{
    struct redis_batch *b = r->acts;
    r->acts = NULL; /* given to the line */
    return b ? link_line_ask(r->line, LINK_FRONT, b, NULL, NULL) : OK;
}

static ERR add_act(struct reconcile *r, const struct audit_rec *rec)
{
    if (!r->acts)
        r->acts = redis_batch_new(BATCH_MAX);
    if (!r->acts)
        return FAIL(E_NOMEM);
    TRY(replay_add(r->store, rec, NULL, r->now_ms, r->acts));
    return redis_batch_count(r->acts) >= ACTS_AT_ONCE ? flush_acts(r) : OK;
}

struct one {
    struct reconcile *r;
    const struct audit_rec *rec;
    struct redis_batch *b;
    bool tied;
    struct store_name person, subject;
    struct redis_batch *ties;
};

static ERR hash_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct one *x = arg;
    if (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY)
        return FAIL(E_STORE_REFUSED);
    TRY(replay_add(x->r->store, x->rec, replies[0], x->r->now_ms, x->b));
    if (x->rec->event == AU_PERSON_ERASED)
        x->tied = replay_tie(x->r->store, x->rec, replies[0], &x->subject);
    return OK;
}

static void drop_key(struct one *x, struct slice rk)
{
    char name[3 + 6 + 1 + 32] = "rk:";
    if (rk.n != 32)
        return;
    memcpy(name + 3, x->rec->muni, 6);
    name[9] = ':';
    memcpy(name + 10, rk.p, rk.n);
    REDIS_ADD(x->ties, LIT("DEL"), ARR(name));
}

/* Its own key, and the subjects and keys that were merged into it: rk, al as keys/change has them. */
static ERR ties_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct one *x = arg;
    char name[2 + 32] = "s:";
    struct slice sid, rk;
    if (n != 1 || redis_reply_len(replies[0]) != 2)
        return FAIL(E_STORE_REFUSED);
    drop_key(x, redis_reply_str(redis_reply_at(replies[0], 0)));
    struct slice al = redis_reply_str(redis_reply_at(replies[0], 1));
    while (slice_take(&al, 32, &sid) && slice_take(&al, 32, &rk)) {
        drop_key(x, rk);
        memcpy(name + 2, sid.p, sid.n);
        REDIS_ADD(x->ties, LIT("DEL"), ARR(name));
    }
    REDIS_ADD(x->ties, LIT("DEL"), store_name_slice(&x->subject));
    return OK;
}

/* The subject's own keys, and the place in the index of the vaccinated, before the field that leads to them. */
static ERR drop_tie(struct one *x)
{
    struct redis_batch *ask = redis_batch_new(512);
    struct store_name vaccinated;
    store_name_vaccinated(x->rec->muni, &vaccinated);
    x->ties = redis_batch_new(BATCH_MAX);
    if (x->ties)
        REDIS_ADD(x->ties, LIT("ZREM"), store_name_slice(&vaccinated), slice_of(x->person.c + 3, sizeof(struct person)));
    if (ask)
        REDIS_ADD(ask, LIT("HMGET"), store_name_slice(&x->subject), LIT("rk"), LIT("al"));
    struct err e = x->ties ? link_line_ask(x->r->line, LINK_INTAKE, ask, ties_heard, x) : FAIL(E_NOMEM);
    if (!x->ties)
        redis_batch_free(ask);
    if (err_ok(e))
        return link_line_ask(x->r->line, LINK_INTAKE, x->ties, NULL, NULL);
    redis_batch_free(x->ties);
    return e;
}

/* BUSY: what it was decided by has changed (replay_add). */
static ERR script_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    (void)arg;
    if (n != 1 || redis_reply_type(replies[0]) != REDIS_INT)
        return FAIL(E_STORE_REFUSED);
    return redis_reply_int(replies[0]) == 1 ? OK : FAIL(E_BUSY);
}

static ERR read_and_tell(struct reconcile *r, const struct audit_rec *rec)
{
    struct person p;
    struct one x = { .r = r, .rec = rec, .b = redis_batch_new(BATCH_MAX) };
    struct redis_batch *ask = redis_batch_new(512);
    struct err e = ask && x.b ? replay_person(r->store, rec, &p) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        store_name_person(&p, &x.person);
        REDIS_ADD(ask, LIT("HGETALL"), store_name_slice(&x.person));
        e = link_line_ask(r->line, LINK_FRONT, ask, hash_heard, &x);
        ask = NULL; /* given to the line */
    }
    redis_batch_free(ask);
    if (err_ok(e) && x.tied && !r->dry)
        e = drop_tie(&x);
    if (err_ok(e) && redis_batch_count(x.b) && !r->dry)
        return link_line_ask(r->line, LINK_FRONT, x.b, rec->event == AU_CERTIFICATE_ENDED ? script_heard : NULL, NULL);
    redis_batch_free(x.b);
    return e;
}

static ERR replay_read(struct reconcile *r, const struct audit_rec *rec)
{
    struct err e = FAIL(E_BUSY);
    for (int i = 0; i < BUSY_TRIES && err_is(e, E_BUSY); i++)
        e = read_and_tell(r, rec);
    /* in a store that was newer: its person is erased, or it went as the oldest */
    return err_is(e, E_NOTHING) && rec->epoch <= r->epoch ? OK : e;
}

/* The vault records it again, as of nothing when the number was not there. */
static ERR replay_number(struct reconcile *r, const struct audit_rec *rec)
{
    uint8_t ask[NZ_ERASE_BYTES], reply[8];
    size_t n;
    memcpy(ask, rec->muni, 6);
    memcpy(ask + 6, rec->ref, 16);
    memcpy(ask + 22, rec->request.b, 8);
    return ipc_call_once(state_at(r->s, "run/vault.sock").c, IPC_CTL, r->vault_cap, NZ_VAULT_ERASE, ARR(ask), ASK_MS, reply, sizeof reply, &n);
}

static void note_lost(struct reconcile *r, const struct audit_rec *rec)
{
    static const uint8_t NONE[AUDIT_HANDLE_BYTES];
    char at[24];
    struct buf id;
    if (rec->epoch <= r->epoch)
        return;
    if (!r->lost_from_ms)
        r->lost_from_ms = rec->wall_ms;
    if (slice_eq(ARR(rec->ref), ARR(NONE))) {
        r->lost_marks++;
        return;
    }
    r->lost_rows += rec->count;
    if (r->lost_tasks++ >= LOST_SHOWN)
        return;
    buf_init(&id, 2 * AUDIT_HANDLE_BYTES + 1);
    buf_hex(&id, ARR(rec->ref));
    buf_putc(&id, 0);
    clock_format_utc(rec->wall_ms, at);
    say("  失われた受付: 自治体 %.6s、受付番号 %.32s、%u 行、%.24s", "  lost: municipality %.6s, task %.32s, %u rows, %.24s", rec->muni,
        (const char *)id.p, (unsigned)rec->count, at);
    buf_done(&id);
}

static ERR replay_act(struct reconcile *r, enum replay_kind k, const struct audit_rec *rec)
{
    if (k == REPLAY_NUMBER)
        return r->dry ? OK : replay_number(r, rec);
    if (replay_reads(k)) {
        TRY(flush_acts(r));
        if (k == REPLAY_ERASURE) /* first: what leads to tickets, and what VRS is to take back, is known by what the store still has */
            TRY(replay_vrs(r->line, r->store, rec, r->to_vrs, r->dry, &r->vrs_marks));
        return replay_read(r, rec);
    }
    return r->dry ? OK : add_act(r, rec);
}

static ERR replay_one(struct reconcile *r, const struct audit_rec *rec)
{
    enum replay_kind k = replay_kind_of(rec, r->now_ms);
    if (k == REPLAY_STORED)
        note_lost(r, rec);
    if (k == REPLAY_LINKED)
        r->lost_links += rec->epoch > r->epoch;
    if (k == REPLAY_ISSUED && rec->epoch > r->epoch)
        r->lost_certificates += rec->count;
    if (k == REPLAY_NONE || k >= REPLAY_LINKED) /* from there on it can only be told */
        return OK;
    if (k == REPLAY_STAFF) {
        bool lost;
        TRY(replay_member(r->line, r->store, rec, r->dry, &lost));
        r->count[k] += lost;
        return OK;
    }
    TRY(replay_act(r, k, rec));
    r->count[k]++;
    return OK;
}

static void tell(struct reconcile *r, uint64_t seq)
{
    if (seq < r->told_at + TELL_EVERY)
        return;
    r->told_at = seq;
    say("監査記録 %" PRIu64 " / %" PRIu64 "", "audit entry %" PRIu64 " of %" PRIu64 "", seq, r->last);
    fflush(stdout);
}

/* One value that does not open must not keep the nation waiting: nobody can read it either, so nothing is told from it. */
static ERR replay_or_note(struct reconcile *r, uint64_t seq, const struct audit_rec *rec)
{
    struct err e = replay_one(r, rec);
    tell(r, seq);
    if (!err_is(e, E_SEAL) && !err_is(e, E_FORBIDDEN) && !err_is(e, E_FIELD) && !err_is(e, E_NOTHING))
        return e;
    r->failed++;
    if (err_is(e, E_NOTHING)) {
        say_warn("監査記録 %" PRIu64 " で失効した証明書は保存先にありません(発行が失われました)", "the certificate that audit entry %" PRIu64 " revoked is not in the store: that it was issued is lost", seq);
        return OK;
    }
    say_warn("監査記録 %" PRIu64 " の行為は反映できません(値が開けないか、自治体の鍵がありません)",
             "the act of audit entry %" PRIu64 " cannot be replayed (a value does not open, or the municipality has no key)", seq);
    return OK;
}

/* ---- all of them ---- */

typedef struct err act_fn(struct reconcile *r, uint64_t seq, const struct audit_rec *rec);

static ERR acts_from(struct reconcile *r, uint64_t since, uint64_t after, struct audit_acts *ret_a)
{
    struct err e = FAIL(E_BUSY);
    for (int i = 0; i < BUSY_TRIES && err_is(e, E_BUSY); i++) {
        if (i)
            uv_sleep(BUSY_WAIT_MS);
        e = audit_acts_once(state_at(r->s, "run/audit.sock").c, r->audit_cap, since, after, ASK_MS, ret_a);
    }
    return e;
}

static ERR each_act(struct reconcile *r, act_fn *fn)
{
    uint64_t since = r->all ? 0 : epoch_since(r->epoch);
    struct audit_acts a = { .next = 0 };
    do {
        TRY(acts_from(r, since, a.next, &a));
        for (size_t i = 0; i < a.n; i++)
            if (a.act[i].seq <= r->last)
                TRY(fn(r, a.act[i].seq, &a.act[i].rec));
    } while (a.next && a.next < r->last);
    return OK;
}

/* What cannot be known is said when the erasure itself is replayed. */
static ERR note_erasure(struct reconcile *r, uint64_t seq, const struct audit_rec *rec)
{
    (void)seq;
    if (replay_kind_of(rec, r->now_ms) != REPLAY_ERASURE)
        return OK;
    struct err e = replay_rows_note(r->rows, rec, r->dry);
    return err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN) || err_is(e, E_FIELD) ? OK : e;
}

/* Rows of erased residents first: what leads to them goes with the erasure. */
static ERR replay_all(struct reconcile *r)
{
    TRY(replay_rows_new(&r->rows, r->line, r->store));
    TRY(each_act(r, note_erasure));
    TRY(replay_rows_drop(r->rows, r->now_ms, r->dry, &r->dropped_rows));
    TRY(each_act(r, replay_or_note));
    TRY(flush_acts(r));
    return r->dry ? OK : replay_sessions_end(r->line, r->now_ms);
}

/* The record first: a store that says the number has its record in the log. */
static ERR set_epoch(struct reconcile *r)
{
    uint64_t n = reconcile__replayed(r), next = r->epoch < r->log ? epoch_after(r->epoch, r->log) : 0;
    struct audit_rec rec = { .event = AU_RECONCILED, .result = AR_OK, .count = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, .epoch = next };
    memset(rec.muni, '0', sizeof rec.muni);
    audit_set_actor(&rec, LIT("operator"));
    TRY(audit_append_once(r->s, &rec));
    if (!next)
        return OK;
    struct redis_batch *b = redis_batch_new(256);
    if (b) {
        redis_begin(b, 3);
        redis_arg(b, LIT("SET"));
        redis_arg(b, STORE_EPOCH);
        redis_arg_u64(b, next);
    }
    return link_line_ask(r->line, LINK_FRONT, b, NULL, NULL);
}

/* ---- the command ---- */

static bool alone(const struct state *s)
{
    int fd = open(state_at(s, "run/reconcile.lock").c, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true; /* given back when the command ends */
    say_error("別の pmhgw reconcile が実行中か、run に書けません", "another pmhgw reconcile is running, or the folder run cannot be written");
    return false;
}

static ERR open_all(struct reconcile *r)
{
    struct clock c = clock_system();
    r->now_ms = clock_wall(&c);
    TRY(link_store(r->s, &r->ring, &r->store));
    TRY(secret_read_file(&r->audit_cap, state_at(r->s, "keys/cap-ctl-audit").c, IPC_CAP_BYTES));
    TRY(secret_read_file(&r->vault_cap, state_at(r->s, "keys/cap-ctl-vault").c, IPC_CAP_BYTES));
    TRY(replay_vrs_asked(r->s, &r->to_vrs));
    return link_line_new(&r->line, r->s);
}

static ERR work(struct reconcile *r)
{
    TRY(ask_epochs(r));
    if (r->epoch >= r->log && !r->all)
        return OK;
    TRY(replay_all(r));
    return r->dry ? OK : set_epoch(r);
}

static int reconcile(struct reconcile *r)
{
    struct err e = open_all(r);
    if (err_ok(e))
        e = work(r);
    link_line_free(r->line);
    redis_batch_free(r->acts);
    replay_rows_free(r->rows);
    secret_free(r->audit_cap);
    secret_free(r->vault_cap);
    store_free(r->store);
    keyring_free(r->ring);
    if (!err_ok(e)) {
        say_err("反映できませんでした。もう一度実行できます", "it could not be completed; it can be run again", e);
        return 2;
    }
    bool older = r->epoch < r->log;
    out_put_bool("older", older);
    out_put_u64("store_epoch", r->epoch);
    out_put_u64("log_epoch", r->log);
    if (!older && !r->all) {
        say_ok("保存先は監査記録より古くありません。することはありません", "the store is not older than the audit log; there is nothing to do");
        return 0;
    }
    reconcile__tell(r);
    return reconcile__verdict(r, older);
}

int cmd_reconcile(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    struct reconcile r = { .s = &s };
    enum opts_end end = CLI_PARSE(argc, argv, "reconcile", &operands, { "--state", &dirs.state }, { "--dry-run", &r.dry }, { "--all", &r.all });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false) || !alone(&s))
        return 2;
    return reconcile(&r);
}
