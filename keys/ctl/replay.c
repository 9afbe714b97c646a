#include "keys/ctl/replay.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/cert/stored.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/vaccine/book.h"
#include "gateway/vaccine/immun.h"
#include "keys/person/let_go.h"

enum { CERT_SCRIPT_MAX = 16 * 1024 };

static bool is_zero(const uint8_t b[static AUDIT_HANDLE_BYTES])
{
    static const uint8_t NONE[AUDIT_HANDLE_BYTES];
    return slice_eq(slice_of(b, AUDIT_HANDLE_BYTES), ARR(NONE));
}

static bool by_vault(const struct audit_rec *rec)
{
    return slice_eq(slice_of(rec->actor, strnlen(rec->actor, sizeof rec->actor)), LIT("vault"));
}

static enum replay_kind person_kind(const struct audit_rec *rec)
{
    switch (rec->event) {
    case AU_CONSENT_WITHDRAWN: return rec->until_s ? REPLAY_WITHDRAWAL : REPLAY_NONE; /* without: there was none of that name */
    case AU_SESSION_ENDED: return is_zero(rec->ref) ? REPLAY_NONE : REPLAY_SESSION;
    case AU_FLAGS_SET: return rec->result == AR_OK ? REPLAY_FLAGS : REPLAY_NONE;
    case AU_CERTIFICATE_ENDED: return rec->result == AR_OK && !is_zero(rec->ref) ? REPLAY_CERTIFICATE : REPLAY_NONE;
    case AU_CERTIFICATE_ISSUED: return rec->result == AR_OK && rec->epoch ? REPLAY_ISSUED : REPLAY_NONE;
    case AU_PERSON_ERASED: return rec->result == AR_OK ? REPLAY_ERASURE : REPLAY_NONE;
    default: return REPLAY_NONE;
    }
}

static bool is_over(const struct audit_rec *rec, uint64_t now_ms) { return rec->until_s && (uint64_t)rec->until_s * 1000 <= now_ms; }

enum replay_kind replay_kind_of(const struct audit_rec *rec, uint64_t now_ms)
{
    if (rec->event == AU_STORE_MARK)
        return REPLAY_STORED;
    if (rec->event == AU_STAFF_CHANGED)
        return rec->epoch && rec->result == AR_OK && !is_zero(rec->ref) ? REPLAY_STAFF : REPLAY_NONE;
    if (rec->event == AU_PSEUDONYM_LINKED)
        return rec->epoch && rec->result == AR_OK ? REPLAY_LINKED : REPLAY_NONE;
    if (rec->event == AU_PERSON_ERASED && by_vault(rec))
        return rec->result == AR_OK && !is_zero(rec->ref) ? REPLAY_NUMBER : REPLAY_NONE;
    if (is_zero(rec->subject))
        return REPLAY_NONE;
    enum replay_kind k = person_kind(rec);
    return is_over(rec, now_ms) && k != REPLAY_WITHDRAWAL ? REPLAY_NONE : k;
}

bool replay_reads(enum replay_kind k) { return k == REPLAY_WITHDRAWAL || k == REPLAY_FLAGS || k == REPLAY_CERTIFICATE || k == REPLAY_ERASURE; }

ERR replay_person(struct store *s, const struct audit_rec *rec, struct person *ret_p) { return store_handle_person(s, rec->subject, ret_p); }

static struct slice field_at(const struct redis_reply *hash, size_t i) { return redis_reply_str(redis_reply_at(hash, i)); }

bool replay_staff(const struct audit_rec *rec, struct nz_user *io_u)
{
    if (io_u->version >= rec->count || io_u->made_ms > rec->wall_ms)
        return false;
    io_u->withdrawn = true;
    io_u->version = (uint64_t)rec->count + 1; /* ends every session of the user */
    return true;
}

/* ---- withdrawals, ends of sessions ---- */

/* One that is past its time, by a clock that may be wrong, is told as one of everything until then, as pruning does (gateway/consent). */
static ERR add_withdrawal(struct store *s, const struct store_name *person, const struct audit_rec *rec, const struct redis_reply *hash, uint64_t now_ms,
                          struct redis_batch *b)
{
    struct consent_replay w = { .version = rec->count, .wall_ms = rec->wall_ms, .until_ms = (uint64_t)rec->until_s * 1000 };
    if (!is_over(rec, now_ms))
        memcpy(w.ref.b, rec->ref, sizeof w.ref.b);
    return consent_add_replayed_withdrawal(s, person, hash, &w, b);
}

static ERR add_session_end(const struct store_name *person, const struct audit_rec *rec, struct redis_batch *b)
{
    struct consent_name n;
    memcpy(n.b, rec->ref, sizeof n.b);
    return session_add_end(person, &n, b);
}

/* ---- flags ---- */

/* The reason is not in the log. Flags that stand there already keep theirs. */
static ERR add_flags(struct store *s, const struct store_name *person, const struct audit_rec *rec, const struct redis_reply *hash, struct redis_batch *b)
{
    struct store_name field;
    struct control_flags there, f = { .bits = (uint8_t)(rec->count & FLAGS_ALL), .set_ms = rec->wall_ms, .reason = "replayed" };
    flags_field(rec->muni, &field);
    struct slice sealed = hash_find(hash, store_name_slice(&field));
    if (sealed.n) {
        TRY(flags_open(s, person, store_name_slice(&field), sealed, &there));
        if (there.set_ms > rec->wall_ms || there.bits == f.bits)
            return OK;
    } else if (!f.bits) {
        return OK;
    }
    return flags_add(s, person, rec->muni, &f, b);
}

/* ---- a certificate ---- */

/* Only while it is what was read: with reconcile --all the daemons serve meanwhile. */
static ERR add_certificate_end(struct store *s, const struct store_name *person, const struct audit_rec *rec, const struct redis_reply *hash, struct redis_batch *b)
{
    struct store_name field;
    struct cert_stored c;
    cert_field(rec->ref, &field);
    const struct slice sealed = hash_find(hash, store_name_slice(&field));
    if (!sealed.n)
        return FAIL(E_NOTHING);
    TRY(cert_open(s, person, store_name_slice(&field), sealed, &c));
    if (c.state == CERT_REVOKED)
        return OK;
    struct redis_swap *swap = redis_swap_new(CERT_SCRIPT_MAX);
    if (!swap)
        return FAIL(E_NOMEM);
    redis_swap_expect(swap, store_name_slice(person), store_name_slice(&field), sealed);
    struct err e = cert_end_add(s, person, &c, CERT_REVOKED, rec->wall_ms, swap);
    if (err_ok(e))
        e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    return e;
}

/* ---- an erasure ---- */

static bool is_record(struct slice field, struct slice *ret_muni)
{
    enum store_kind kind;
    return store_field_kind(field, &kind, ret_muni);
}

static ERR record_ms(struct slice plain, uint64_t *ret_ms)
{
    struct record rec;
    TRY(record_decode(plain, &rec));
    *ret_ms = rec.stored_ms;
    return OK;
}

static ERR end_ms(struct slice plain, uint64_t *ret_ms)
{
    struct store_end end;
    TRY(store_end_decode(plain, &end));
    *ret_ms = end.stored_ms;
    return OK;
}

static bool is_dose(struct slice field, struct slice *ret_muni)
{
    uint8_t id[IMMUN_ID_BYTES];
    return immun_field_is(field, ret_muni, id);
}

static ERR dose_ms(struct slice plain, uint64_t *ret_ms)
{
    struct immun_record *rec = calloc(1, sizeof *rec);
    struct err e = rec ? immun_decode(plain, rec) : FAIL(E_NOMEM);
    if (err_ok(e))
        *ret_ms = rec->versions[0].recorded_ms;
    free(rec);
    return e;
}

static bool is_sheet(struct slice field, struct slice *ret_muni)
{
    uint8_t id[SHEET_ID_BYTES];
    return sheet_field_is(field, ret_muni, id);
}

static ERR sheet_ms(struct slice plain, uint64_t *ret_ms)
{
    struct sheet *sheet = calloc(1, sizeof *sheet);
    struct err e = sheet ? sheet_decode(plain, sheet) : FAIL(E_NOMEM);
    if (err_ok(e))
        *ret_ms = sheet->created_ms;
    free(sheet);
    return e;
}

/* What a municipality has of a person, and since when. */
static const struct stored { bool (*is)(struct slice field, struct slice *ret_muni); ERR (*ms)(struct slice plain, uint64_t *ret_ms); } STORED[] = {
    { is_record, record_ms }, { store_field_is_end, end_ms }, { is_dose, dose_ms }, { is_sheet, sheet_ms },
};

static const struct stored *stored_of(struct slice field, struct slice *ret_muni)
{
    for (size_t i = 0; i < sizeof STORED / sizeof *STORED; i++)
        if (STORED[i].is(field, ret_muni))
            return &STORED[i];
    return NULL;
}

static ERR stored_ms(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, uint64_t *ret_ms)
{
    struct slice muni;
    const struct stored *stored = stored_of(field, &muni);
    struct buf plain;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    struct err e = stored ? store_open(s, muni, person, field, sealed, &plain) : FAIL(E_SEAL);
    if (err_ok(e))
        e = stored->ms(buf_slice(&plain), ret_ms);
    buf_done(&plain);
    return e;
}

/* Whose field of a municipality it is; false for those of the person alone. */
static bool field_muni(struct slice field, struct slice *ret_muni)
{
    struct slice rest = field, head;
    if (stored_of(field, ret_muni) || flags_field_is(field, ret_muni))
        return true;
    if (!slice_take(&rest, 2, &head) || !slice_eq(head, LIT("s:")) || rest.n != 6)
        return false;
    *ret_muni = rest;
    return true;
}

bool replay_erases(struct store *s, const struct audit_rec *rec, const struct store_name *person, struct slice field, struct slice sealed)
{
    struct slice muni;
    struct control_flags f;
    uint64_t ms = 0;
    if (!field_muni(field, &muni) || !slice_eq(muni, ARR(rec->muni)) || field.p[0] == 's')
        return false;
    if (flags_field_is(field, &muni))
        return !err_ok(flags_open(s, person, field, sealed, &f)) || f.set_ms <= rec->wall_ms;
    return !err_ok(stored_ms(s, person, field, sealed, &ms)) || ms <= rec->wall_ms;
}

struct left { bool own, others; };

static struct left what_stays(struct store *s, const struct audit_rec *rec, const struct store_name *person, const struct redis_reply *hash)
{
    struct left l = { false, false };
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = field_at(hash, i), muni;
        if (!field_muni(field, &muni))
            continue;
        if (!slice_eq(muni, ARR(rec->muni)))
            l.others = true;
        else if (field.p[0] != 's' && !replay_erases(s, rec, person, field, field_at(hash, i + 1)))
            l.own = true;
    }
    return l;
}

static ERR add_erasure(struct store *s, const struct store_name *person, const struct audit_rec *rec, const struct redis_reply *hash, struct redis_batch *b)
{
    const struct left l = what_stays(s, rec, person, hash);
    const bool alone = !l.own && !l.others;
    const struct nz_let_go go = { .person = person, .muni = rec->muni, .alone = alone, .until_ms = rec->wall_ms, .now_ms = rec->wall_ms };
    size_t unreadable;
    char tie[8] = "s:";
    memcpy(tie + 2, rec->muni, sizeof rec->muni);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (replay_erases(s, rec, person, field_at(hash, i), field_at(hash, i + 1)))
            REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), field_at(hash, i));
    if (!l.own && hash_find(hash, ARR(tie)).n)
        REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), ARR(tie));
    if (alone && hash_find(hash, VACCINE_TURN_FIELD).n)
        REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), VACCINE_TURN_FIELD);
    return nz_let_go_add(s, &go, hash, b, &unreadable);
}

bool replay_subject(const struct audit_rec *rec, const struct redis_reply *hash, struct store_name *ret_subject)
{
    uint8_t sid[SUBJECT_BYTES];
    char tie[8] = "s:";
    memcpy(tie + 2, rec->muni, sizeof rec->muni);
    if (!hex_decode(hash_find(hash, ARR(tie)), sid, sizeof sid))
        return false;
    store_name_subject(sid, ret_subject);
    return true;
}

bool replay_tie(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, struct store_name *ret_subject)
{
    struct person p;
    struct store_name person;
    if (!err_ok(replay_person(s, rec, &p)))
        return false;
    store_name_person(&p, &person);
    return !what_stays(s, rec, &person, hash).own && replay_subject(rec, hash, ret_subject);
}

ERR replay_add(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, uint64_t now_ms, struct redis_batch *b)
{
    struct person p;
    struct store_name person;
    TRY(replay_person(s, rec, &p));
    store_name_person(&p, &person);
    switch (replay_kind_of(rec, now_ms)) {
    case REPLAY_WITHDRAWAL: return add_withdrawal(s, &person, rec, hash, now_ms, b);
    case REPLAY_SESSION: return add_session_end(&person, rec, b);
    case REPLAY_FLAGS: return add_flags(s, &person, rec, hash, b);
    case REPLAY_CERTIFICATE: return add_certificate_end(s, &person, rec, hash, b);
    case REPLAY_ERASURE: return add_erasure(s, &person, rec, hash, b);
    default: return OK;
    }
}
