#include "keys/intake/apply_row.h"

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/notice/notice.h"
#include "gateway/vaccine/ticket_index.h"
#include "keys/bulk/undo_entry.h"
#include "keys/intake/apply_tie.h"
#include "keys/intake/erased.h"

enum { TOLD_ROOM = 1024, SID_HEX = 2 * SUBJECT_BYTES, SIBLING_NAME_MAX = STORE_NAME_MAX };

/* ---- names ---- */

static void sid_hex(const struct nz_job *j, char out[static SID_HEX])
{
    struct store_name name;
    store_name_subject(j->p.sid, &name);
    memcpy(out, name.c + name.n - SID_HEX, SID_HEX);
}

static void name_of_rk(const struct nz_job *j, struct store_name *ret_k)
{
    memcpy(ret_k->c, "rk:", 3);
    memcpy(ret_k->c + 3, j->ref.muni, 6);
    ret_k->c[9] = ':';
    memcpy(ret_k->c + 10, j->p.rk, NZ_RK_HEX);
    ret_k->n = 10 + NZ_RK_HEX;
}

static struct slice field_of_person(const struct nz_job *j, char out[static 8])
{
    memcpy(out, "s:", 2);
    memcpy(out + 2, j->ref.muni, 6);
    return slice_of(out, 8);
}

/* The number of a ticket is one person's in its municipality. */
static ERR name_of_ticket(struct nz_outbox *o, struct nz_apply_row *r)
{
    const struct nz_job *j = r->job;
    enum store_kind kind;
    struct slice muni;
    struct record rec;
    r->ticket.n = 0;
    if (!store_field_kind(j->p.field, &kind, &muni) || kind != STORE_TICKET)
        return OK;
    TRY(record_decode(j->p.record, &rec));
    const struct slice number = ticket_number_of(rec.eligibility);
    if (!number.n || rec.removal)
        return OK;
    TRY(store_name_ticket(o->in->store, muni, number, &r->ticket));
    if (hex_decode(slice_of(r->ticket.c + r->ticket.n - 2 * NZ_LOCK_BYTES, 2 * NZ_LOCK_BYTES), r->lock[r->n_locks], NZ_LOCK_BYTES))
        r->n_locks++;
    return OK;
}

/* ---- begin and end ---- */

ERR nz_apply_row_begin(struct nz_outbox *o, struct nz_apply_row *r, struct nz_job *j)
{
    *r = (struct nz_apply_row){ .job = j };
    if (!j->has_person)
        TRY(store_person(o->in->store, slice_str(j->subj->key), &j->person));
    j->has_person = true;
    if (!hex_decode(ARR(j->person.h), r->lock[r->n_locks++], NZ_LOCK_BYTES))
        return FAIL(E_INTERNAL);
    memcpy(r->lock[r->n_locks++], j->p.sid, NZ_LOCK_BYTES);
    if (j->p.has_rk && hex_decode(ARR(j->p.rk), r->lock[r->n_locks], NZ_LOCK_BYTES))
        r->n_locks++;
    TRY(name_of_ticket(o, r));
    nz_apply_tie_locks(r);
    nz_name_task("o", j->ref.muni, &j->ref.task, &r->outbox);
    buf_init(&r->payload, NZ_PAYLOAD_MAX + AEAD_OVERHEAD);
    buf_init(&r->sealed, STORE_RECORD_MAX + AEAD_OVERHEAD);
    buf_init(&r->sealed_key, PMH_KEY_MAX + AEAD_OVERHEAD);
    buf_init(&r->undo, NZ_UNDO_ENTRY_MAX + AEAD_OVERHEAD);
    return OK;
}

void nz_apply_row_done(struct nz_apply_row *r)
{
    buf_done(&r->sealed);
    buf_done(&r->sealed_key);
    buf_done(&r->payload);
    buf_done(&r->undo);
}

/* ---- read ---- */

static size_t names_of(const struct nz_job *j, struct slice ret_hex[static 2])
{
    ret_hex[0] = ARR(j->person.h);
    ret_hex[1] = j->p.has_rk ? ARR(j->p.rk) : SLICE_NONE;
    return 1 + (size_t)j->p.has_rk;
}

static void ask_erased(const struct nz_job *j, struct redis_batch *b)
{
    struct slice hex[2];
    size_t n = names_of(j, hex);
    nz_erased_ask(b, j->ref.muni, hex, n);
}

void nz_apply_row_read(const struct nz_apply_row *r, struct redis_batch *b)
{
    struct store_name name;
    store_name_person(&r->job->person, &name);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&name));
    store_name_subject(r->job->p.sid, &name);
    REDIS_ADD(b, LIT("HMGET"), store_name_slice(&name), LIT("k"), LIT("rk"), LIT("to"));
    if (r->job->p.has_rk) {
        name_of_rk(r->job, &name);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&name));
        nz_apply_tie_read(r, b);
    }
    if (r->ticket.n)
        ticket_index_ask(&r->ticket, b);
    ask_erased(r->job, b);
}

static size_t own_replies(const struct nz_apply_row *r) { return r->job->p.has_rk ? 3 : 2; }

size_t nz_apply_row_replies(const struct nz_apply_row *r) { return own_replies(r) + nz_apply_tie_replies(r) + (r->ticket.n > 0) + 1; }

/* ---- judge ---- */

struct found { /* of p:{h} */
    struct slice record, sibling, sibling_field, subject;
};

/* Another record of the same municipality; a ticket need not say whose it is. */
static bool may_tell_mix_up(struct slice field, struct slice own_muni)
{
    enum store_kind kind;
    struct slice muni;
    return store_field_kind(field, &kind, &muni) && kind != STORE_TICKET && slice_eq(muni, own_muni);
}

static void person_scan(const struct nz_job *j, const struct redis_reply *hash, struct found *f)
{
    char text[8];
    const struct slice subject = field_of_person(j, text);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        const struct slice value = redis_reply_str(redis_reply_at(hash, i + 1));
        if (slice_eq(field, j->p.field))
            f->record = value;
        else if (slice_eq(field, subject))
            f->subject = value;
        else if (may_tell_mix_up(field, slice_of(j->ref.muni, 6))) {
            f->sibling = value;
            f->sibling_field = field;
        }
    }
}

struct opened { /* one stored record, or none */
    struct buf plain;
    struct record rec;
    bool there;
};

static ERR record_open(struct nz_outbox *o, const struct nz_job *j, struct slice field, struct slice sealed, struct opened *ret)
{
    struct store_name name;
    if (!sealed.n)
        return OK;
    store_name_person(&j->person, &name);
    TRY(store_open(o->in->store, slice_of(j->ref.muni, 6), &name, field, sealed, &ret->plain));
    TRY(record_decode(buf_slice(&ret->plain), &ret->rec));
    ret->there = true;
    return OK;
}

static ERR key_open(struct nz_outbox *o, const struct nz_job *j, struct slice sealed, struct buf *ret_key)
{
    struct store_name name;
    if (!sealed.n)
        return OK;
    store_name_subject(j->p.sid, &name);
    return store_open(o->in->store, slice_of(j->ref.muni, 6), &name, LIT("k"), sealed, ret_key);
}

static ERR row_seal(struct nz_outbox *o, struct nz_apply_row *r, const struct record *rec)
{
    const struct nz_job *j = r->job;
    const struct slice muni = slice_of(j->ref.muni, 6);
    struct store_name name;
    struct buf plain;
    store_name_person(&j->person, &name);
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = rec ? record_encode(rec, &plain) : OK;
    if (err_ok(e) && rec)
        e = store_seal(o->in->store, muni, &name, j->p.field, buf_slice(&plain), &r->sealed);
    store_name_subject(j->p.sid, &name);
    if (err_ok(e) && r->tie_key)
        e = store_seal(o->in->store, muni, &name, LIT("k"), slice_str(j->subj->key), &r->sealed_key);
    buf_done(&plain);
    return e;
}

/* The undo of the file finds it under tu: from the moment the record is there: one script writes both. */
static ERR undo_seal(struct nz_outbox *o, struct nz_apply_row *r, struct slice before)
{
    const struct nz_job *j = r->job;
    const struct nz_undo_entry entry = { .row = j->ref.row, .there = before.n > 0, .person = j->person, .field = j->p.field, .before = before };
    struct store_name name;
    struct buf plain;
    char digits[10];
    nz_name_task("tu", j->ref.muni, &j->ref.task, &name);
    buf_init(&plain, NZ_UNDO_ENTRY_MAX);
    nz_undo_encode(&entry, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(o->in->store, slice_of(j->ref.muni, 6), &name, slice_of(digits, nz_row_format(j->ref.row, digits)), buf_slice(&plain), &r->undo);
    buf_done(&plain);
    return e;
}

/* Somebody else has a ticket of that number: an officer decides. */
static void judge_ticket(struct nz_apply_row *r, const struct redis_reply *const *replies)
{
    struct store_name person;
    if (!r->ticket.n || r->job->p.released || !r->verdict.write)
        return;
    const struct slice owner = redis_reply_str(replies[nz_apply_row_replies(r) - 2]);
    store_name_person(&r->job->person, &person);
    if (owner.n && !slice_eq(owner, store_name_slice(&person)))
        r->verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_TICKET_OTHER };
}

struct scratch { /* what is opened for one decision */
    struct opened record, sibling;
    struct buf key;
};

static ERR scratch_open(struct nz_outbox *o, const struct nz_job *j, const struct found *f, struct slice sealed_key, struct scratch *s)
{
    TRY(record_open(o, j, j->p.field, f->record, &s->record));
    if (!s->record.there)
        TRY(record_open(o, j, f->sibling_field, f->sibling, &s->sibling));
    return key_open(o, j, sealed_key, &s->key);
}

static ERR decide(struct nz_outbox *o, struct nz_apply_row *r, const struct redis_reply *const *replies, struct scratch *s)
{
    const struct nz_job *j = r->job;
    struct found f = { 0 };
    struct record incoming;
    char sid[SID_HEX];
    const struct slice sealed_key = redis_reply_str(redis_reply_at(replies[1], 0));
    const struct slice rk_of_sid = redis_reply_str(redis_reply_at(replies[1], 1));
    const struct slice sid_of_rk = j->p.has_rk ? redis_reply_str(replies[2]) : SLICE_NONE;
    sid_hex(j, sid);
    person_scan(j, replies[0], &f);
    TRY(scratch_open(o, j, &f, sealed_key, s));
    TRY(record_decode(j->p.record, &incoming));
    struct nz_apply_view view = {
        .ties = { .sid = ARR(sid), .rk = j->p.has_rk ? ARR(j->p.rk) : SLICE_NONE, .rk_of_sid = rk_of_sid, .sid_of_rk = sid_of_rk,
                  .to = redis_reply_str(redis_reply_at(replies[1], 2)) },
        .pmh_key = slice_str(j->subj->key),
        .key_of_sid = buf_slice(&s->key),
        .sid_of_person = f.subject,
        .incoming = &incoming,
        .released = j->p.released,
        .stored = s->record.there ? &s->record.rec : NULL,
        .sibling = s->sibling.there ? &s->sibling.rec : NULL,
    };
    bool from_store = view.ties.to.n || !j->p.has_ticket || j->subj->stored_key;
    bool gone = j->subj->stored_key && !view.key_of_sid.n;
    if (gone || (from_store && view.key_of_sid.n && !slice_eq(view.key_of_sid, view.pmh_key))) {
        r->stale = true;
        return OK;
    }
    nz_apply_tie_heard(r, replies + own_replies(r), &view);
    r->verdict = nz_judge_apply(&view);
    judge_ticket(r, replies);
    bool applied = r->verdict.result == NZ_REGISTERED || r->verdict.result == NZ_UPDATED || r->verdict.result == NZ_UNCHANGED;
    r->tie_person = applied && !f.subject.n && !view.ties.to.n;
    r->tie_key = applied && !sealed_key.n;
    TRY(nz_apply_tie_decide(o, r, replies + own_replies(r), &view));
    struct record after;
    r->tell = r->verdict.write && store_field_is_record(j->p.field, &(struct slice){ 0 }) && notice_has_sessions(replies[0]);
    if (j->p.of_file && r->verdict.write)
        TRY(undo_seal(o, r, f.record));
    return row_seal(o, r, nz_judge_after(&r->verdict, &incoming, view.stored, &after) ? &after : NULL);
}

/* Nobody wrote it to the store before its erasure, and nobody does after it. */
static ERR was_erased(const struct nz_apply_row *r, const struct redis_reply *scores, bool *ret_was)
{
    struct slice hex[2];
    struct record incoming;
    const size_t n = names_of(r->job, hex);
    TRY(nz_erased_check(scores, n));
    TRY(record_decode(r->job->p.record, &incoming));
    *ret_was = false;
    for (size_t i = 0; i < n; i++)
        *ret_was |= nz_erased_since(scores, i, incoming.stored_ms);
    return OK;
}

ERR nz_apply_row_judge(struct nz_outbox *o, struct nz_apply_row *r, const struct redis_reply *const *replies)
{
    struct scratch s = { 0 };
    bool gone;
    TRY(was_erased(r, replies[nz_apply_row_replies(r) - 1], &gone));
    if (gone) {
        r->verdict = (struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_ERASED_SINCE };
        return OK;
    }
    buf_init(&s.record.plain, STORE_RECORD_MAX);
    buf_init(&s.sibling.plain, STORE_RECORD_MAX);
    buf_init(&s.key, PMH_KEY_MAX);
    struct err e = decide(o, r, replies, &s);
    buf_done(&s.record.plain);
    buf_done(&s.sibling.plain);
    buf_done(&s.key);
    if (!err_is(e, E_SEAL) && !err_is(e, E_FORBIDDEN))
        return e;
    LOG(ERROR, "stored_value_unreadable", LF("error", e));
    r->verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_UNREADABLE };
    r->tie_person = r->tie_key = false;
    nz_apply_tie_nothing(r);
    return OK;
}

/* ---- write ---- */

struct written_names { /* borrowed by the changes */
    struct store_name person, subject, rk, undo;
    char sid[SID_HEX], field[8], row[10];
    struct store_name vaccinated, vrs_mark, vrs_due;
    size_t n_told;
    uint8_t told[TOLD_ROOM];  /* the words of a message to clinics */
};

struct telling { struct nz_changes *c; struct written_names *k; };

static void put_told(void *to, size_t n, const struct slice *args)
{
    struct telling *t = to;
    struct slice kept[NZ_CHANGE_ARGS];
    for (size_t i = 0; i < n; i++) {
        MUST(n <= NZ_CHANGE_ARGS && args[i].n <= sizeof t->k->told - t->k->n_told);
        memcpy(t->k->told + t->k->n_told, args[i].p, args[i].n);
        kept[i] = slice_of(t->k->told + t->k->n_told, args[i].n);
        t->k->n_told += args[i].n;
    }
    nz_changes_add(t->c, n, kept);
}

/* Clinics that have the person open hear that there is something new; what, they read. */
static void change_told(struct store *s, const struct nz_apply_row *r, struct written_names *k, struct nz_changes *c, uint64_t now_ms)
{
    struct telling t = { c, k };
    struct notice n;
    if (!r->tell)
        return;
    notice_eligibility(&n, &k->person, r->job->ref.muni, NOTICE_CHANGED, now_ms);
    struct err e = notice_add_by(s, &n, SLICE_NONE, put_told, &t);
    if (!err_ok(e))
        LOG(ERROR, "clinics_not_told", LF("error", e));
}

static void mark_for_vrs(const struct nz_outbox *o, const struct nz_apply_row *r, struct written_names *k, struct nz_changes *c, uint64_t now_ms)
{
    if (!r->verdict.write || !nz_reports_to_vrs(o->in))
        return;
    vrs_mark_name(&r->job->person, r->job->p.field, &k->vrs_mark);
    vrs_mark_score(now_ms, &k->vrs_due);
    NZ_CHANGE(c, LIT("ZADD"), VRS_MARK_QUEUE, store_name_slice(&k->vrs_due), store_name_slice(&k->vrs_mark));
}

/* What is about vaccinations is found by its municipality; a ticket also by its number. */
static void change_indexes(const struct nz_outbox *o, const struct nz_apply_row *r, struct written_names *k, struct nz_changes *c, uint64_t now_ms)
{
    const struct nz_job *j = r->job;
    enum store_kind kind;
    struct slice muni, words[TICKET_INDEX_WORDS];
    if (!r->sealed.n || !store_field_kind(j->p.field, &kind, &muni) || (kind != STORE_TICKET && kind != STORE_VACCINATION))
        return;
    store_name_vaccinated(j->ref.muni, &k->vaccinated);
    NZ_CHANGE(c, LIT("ZADD"), store_name_slice(&k->vaccinated), LIT("0"), ARR(j->person.h));
    mark_for_vrs(o, r, k, c, now_ms);
    if (!r->ticket.n)
        return;
    ticket_index_words(&r->ticket, store_name_slice(&k->person), j->p.field, ARR(k->sid), words);
    nz_changes_add(c, TICKET_INDEX_WORDS, words);
}

static void change_subject(const struct nz_apply_row *r, const struct written_names *k, struct nz_changes *c)
{
    if (r->tie_key)
        NZ_CHANGE(c, LIT("HSET"), store_name_slice(&k->subject), LIT("k"), buf_slice(&r->sealed_key));
    if (!r->tie_rk)
        return;
    NZ_CHANGE(c, LIT("HSET"), store_name_slice(&k->subject), LIT("rk"), ARR(r->job->p.rk));
    NZ_CHANGE(c, LIT("SET"), store_name_slice(&k->rk), ARR(k->sid));
}

void nz_apply_row_write(struct nz_outbox *o, const struct nz_apply_row *r, struct redis_batch *b, uint64_t now_ms)
{
    const struct nz_job *j = r->job;
    struct written_names k;
    struct nz_changes c = { 0 };
    sid_hex(j, k.sid);
    store_name_person(&j->person, &k.person);
    store_name_subject(j->p.sid, &k.subject);
    name_of_rk(j, &k.rk);
    if (r->sealed.n)
        NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&k.person), j->p.field, buf_slice(&r->sealed));
    if (r->tie_person)
        NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&k.person), field_of_person(j, k.field), ARR(k.sid));
    change_indexes(o, r, &k, &c, now_ms);
    change_subject(r, &k, &c);
    k.n_told = 0;
    change_told(o->in->store, r, &k, &c, now_ms);
    nz_apply_tie_write(r, slice_of(k.row, nz_row_format(j->ref.row, k.row)), &c);
    nz_name_task("tu", j->ref.muni, &j->ref.task, &k.undo);
    if (r->undo.n)
        NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&k.undo), slice_of(k.row, nz_row_format(j->ref.row, k.row)), buf_slice(&r->undo));
    nz_finish_row(b, j, &r->verdict, &c, r->verdict.result != NZ_QUARANTINED, now_ms);
}
