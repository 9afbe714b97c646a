/* What is to be told, as it is now: nothing of a message is told by what was so when it was written. */
#include "gateway/courier/courier_in.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/consent/tell.h"

enum { BATCH_MAX = 1024, TIE_CHARS = 8 };

struct reading { struct attempt *a; attempt_read_fn *done; };

static void hex_of(const uint8_t bytes[static NOTICE_ID_BYTES], char out[static NOTICE_HEX + 1])
{
    struct buf b;
    buf_init(&b, NOTICE_HEX);
    buf_hex(&b, slice_of(bytes, NOTICE_ID_BYTES));
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
    buf_done(&b);
}

static void name_tie(const struct attempt *a, char out[static TIE_CHARS])
{
    memcpy(out, "s:", 2);
    memcpy(out + 2, a->n.muni, sizeof a->n.muni);
}

/* ---- the parts of a case ---- */

static ERR open_in(struct attempt *a, struct slice muni, struct slice field, struct slice sealed, size_t max, struct slice *ret_plain)
{
    struct buf plain;
    buf_init(&plain, max);
    struct err e = store_open(a->c->p.store, muni, &a->person, field, sealed, &plain);
    *ret_plain = err_ok(e) ? arena_dup(a->arena, buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    TRY(e);
    return arena_check(a->arena);
}

static ERR take_record(struct attempt *a, const struct redis_reply *hash)
{
    char tie[TIE_CHARS];
    struct store_name field;
    struct slice plain;
    immun_field(a->n.muni, a->n.ref, &field);
    const struct slice sealed = hash_find(hash, store_name_slice(&field));
    if (!sealed.n)
        return FAIL(E_NOTHING);
    TRY(open_in(a, ARR(a->n.muni), store_name_slice(&field), sealed, IMMUN_PLAIN_MAX, &plain));
    struct immun_record *rec = arena_get(a->arena, sizeof *rec);
    if (!rec)
        return FAIL(E_NOMEM);
    TRY(immun_decode(plain, rec));
    a->turn = arena_dup(a->arena, hash_find(hash, VACCINE_TURN_FIELD));
    name_tie(a, tie);
    a->tie = arena_dup(a->arena, hash_find(hash, ARR(tie)));
    a->rec = rec;
    if (!a->n.version || a->n.version > rec->n_versions)
        return FAIL(E_SEAL);
    return a->it.replayed && a->n.version < rec->n_versions ? FAIL(E_VERSION) : OK; /* its place in the order has gone by */
}

static ERR take_pseudonym(struct attempt *a, const struct redis_reply *hash)
{
    struct store_name field = { .c = "ps:", .n = 3 };
    const struct slice who = notice_who(&a->n);
    memcpy(field.c + field.n, who.p, who.n);
    field.n += who.n;
    const struct slice sealed = hash_find(hash, store_name_slice(&field));
    return sealed.n ? open_in(a, SLICE_NONE, store_name_slice(&field), sealed, PSEUDONYM_MAX, &a->cs.pseudonym) : FAIL(E_NOTHING);
}

static ERR take_session(struct attempt *a, const struct redis_reply *hash)
{
    struct consent_name session;
    memcpy(session.b, a->n.session, sizeof session.b);
    hex_of(a->n.session, a->cs.session);
    return consent_clinic_has_open(a->c->p.store, &a->person, hash, &session, notice_who(&a->n), courier_wall(a->c));
}

/* A message that is late, or sent again, tells what is so no more: that somebody is gone who has come back, or has changed who is gone. */
static ERR take_eligibility(struct attempt *a, const struct redis_reply *hash)
{
    const bool says_gone = a->n.what == NOTICE_ENDED;
    TRY(take_session(a, hash));
    return says_gone == judge_has_ended(&a->judge, ARR(a->n.muni)) ? OK : FAIL(E_VERSION);
}

static ERR take_provision(struct attempt *a)
{
    uint8_t name[STORE_HANDLE_BYTES];
    const struct immun_recipient *r = immun_recipient_of(a->rec, IMMUN_TO_DATABASE, SLICE_NONE);
    struct store *s = a->c->p.store;
    TRY(store_handle_provision(s, ARR(a->n.ref), a->n.version, name));
    hex_of(name, a->cs.provision);
    a->replaced = r ? immun_told_before(r, a->n.version) : 0;
    if ((r && r->version >= a->n.version) || (!a->replaced && a->rec->versions[a->n.version - 1].status == IMMUN_CANCELLED))
        return FAIL(E_NOTHING); /* it knows already, or cannot have what would be taken back */
    if (a->replaced) {
        TRY(store_handle_provision(s, ARR(a->n.ref), a->replaced, name));
        hex_of(name, a->cs.replaces);
    }
    return OK;
}

static ERR take(struct attempt *a, const struct redis_reply *hash)
{
    const enum notice_kind kind = a->n.kind;
    if (!a->told)
        TRY(judge_heard(&a->judge, a->c->p.store, &a->person, clock_date_jst(courier_wall(a->c)), hash));
    if (kind == NOTICE_ELIGIBILITY)
        return take_eligibility(a, hash);
    if (kind == NOTICE_QUESTIONNAIRE)
        return take_session(a, hash);
    TRY(take_record(a, hash));
    if (kind == NOTICE_CITIZEN)
        return a->told ? OK : !judge_has_ended(&a->judge, ARR(a->n.muni)) ? take_pseudonym(a, hash) : FAIL(E_NOTHING); /* as what the portal can read */
    if (kind != NOTICE_PROVISION)
        return OK;
    a->cs.rec = a->rec;
    return take_provision(a);
}

/* ---- the PMH key, by way of the subject: only for who is asked about the person ---- */

static ERR open_key(const struct attempt *a, const uint8_t sid[static SUBJECT_BYTES], const struct redis_reply *sealed, struct buf *plain)
{
    struct store_name subject;
    if (redis_reply_type(sealed) != REDIS_STR)
        return FAIL(E_NOTHING);
    store_name_subject(sid, &subject);
    return store_open(a->c->p.store, ARR(a->n.muni), &subject, LIT("k"), redis_reply_str(sealed), plain);
}

static ERR send_for_key(struct reading *r, const uint8_t sid[static SUBJECT_BYTES], redis_done_fn *fn)
{
    struct store_name subject;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    store_name_subject(sid, &subject);
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&subject), LIT("k"));
    redis_send(r->a->c->p.redis, b, courier_now(r->a->c) + ASK_MS, fn, r);
    return OK;
}

static void on_key(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reading *r = arg;
    struct attempt *a = r->a;
    attempt_read_fn *done = r->done;
    struct buf plain;
    uint8_t sid[SUBJECT_BYTES];
    free(r);
    buf_init(&plain, PMH_KEY_MAX);
    if (err_ok(e) && n != 1)
        e = FAIL(E_NOTHING);
    if (err_ok(e) && !hex_decode(a->cs.pmh_key, sid, sizeof sid))
        e = FAIL(E_SEAL);
    if (err_ok(e))
        e = open_key(a, sid, replies[0], &plain);
    a->cs.pmh_key = err_ok(e) ? arena_dup(a->arena, buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    done(a, err_ok(e) ? arena_check(a->arena) : e);
}

static ERR ask_key(struct reading *r, struct slice sid_hex)
{
    uint8_t sid[SUBJECT_BYTES];
    if (!hex_decode(sid_hex, sid, sizeof sid))
        return FAIL(E_NOTHING);
    r->a->cs.pmh_key = arena_dup(r->a->arena, sid_hex); /* until the key itself is here */
    return send_for_key(r, sid, on_key);
}

static bool wants_key(const struct attempt *a) { return a->k->step[a->step].target == OPEN_ID5; }

/* ---- a record that is somebody else's now: a change of number and a merge move it, and the subject leads there ---- */

static void on_person(void *arg, struct err e, const struct redis_reply *const *replies, size_t n);

static bool may_have_moved(const struct attempt *a, struct err e)
{
    static const uint8_t NOT_KNOWN[SUBJECT_BYTES];
    const bool of_record = a->n.kind == NOTICE_RECORD || a->n.kind == NOTICE_CITIZEN || a->n.kind == NOTICE_PROVISION;
    return of_record && err_is(e, E_NOTHING) && !a->rec && !a->followed && !slice_eq(ARR(a->n.subject), ARR(NOT_KNOWN));
}

static ERR read_person(struct reading *r)
{
    struct attempt *a = r->a;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    a->read_at = courier_now(a->c);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&a->person));
    redis_send(a->c->p.redis, b, courier_now(a->c) + ASK_MS, on_person, r);
    return OK;
}

static ERR follow(struct attempt *a, const struct redis_reply *sealed)
{
    struct buf key;
    struct person now;
    buf_init(&key, PMH_KEY_MAX);
    struct err e = open_key(a, a->n.subject, sealed, &key);
    if (err_ok(e))
        e = store_person(a->c->p.store, buf_slice(&key), &now);
    buf_done(&key);
    TRY(e);
    if (slice_eq(ARR(now.h), ARR(a->n.person.h)))
        return FAIL(E_NOTHING);
    a->n.person = now;
    store_name_person(&now, &a->person);
    return OK;
}

static void end_reading(struct reading *r, struct err e)
{
    struct attempt *a = r->a;
    attempt_read_fn *done = r->done;
    free(r);
    done(a, e);
}

static void on_subject(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reading *r = arg;
    if (err_ok(e))
        e = n == 1 ? follow(r->a, replies[0]) : FAIL(E_STORE_REFUSED);
    r->a->followed = err_ok(e) || err_is(e, E_NOTHING);
    if (err_ok(e))
        e = read_person(r);
    if (!err_ok(e))
        end_reading(r, e);
}

/* ---- the person ---- */

static void on_person(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reading *r = arg;
    struct attempt *a = r->a;
    char field[TIE_CHARS];
    name_tie(a, field);
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = take(a, replies[0]);
    if (err_ok(e) && wants_key(a)) {
        e = ask_key(r, hash_find(replies[0], ARR(field)));
        if (err_ok(e))
            return;
    } else if (may_have_moved(a, e)) {
        e = send_for_key(r, a->n.subject, on_subject);
        if (err_ok(e))
            return;
    }
    end_reading(r, e);
}

void attempt_read(struct attempt *a, attempt_read_fn *done)
{
    struct reading *r = malloc(sizeof *r);
    if (!r) {
        done(a, FAIL(E_NOMEM));
        return;
    }
    *r = (struct reading){ a, done };
    a->rec = NULL;
    a->cs.n = &a->n;
    a->cs.now_ms = courier_wall(a->c);
    a->cs.replaces[0] = 0;
    hex_of(a->n.id, a->cs.id);
    hex_of(a->n.ref, a->cs.ref);
    struct err e = read_person(r);
    if (!err_ok(e))
        end_reading(r, e);
}
