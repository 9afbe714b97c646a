#include "keys/inquiry/entry.h"

#include "gateway/base/text.h"

enum { EVERYWHERE = 1, REFUSED = 2, PERSON_FIXED = 4 + 1 + NZ_MYNUM_DIGITS + 6 + 2 + 2, RESULT_FIXED = 1 + 4 + 6 + 1 + 1 + 8 + 2 };

static const char *const OUTCOMES[NZ_INQ__MAX] = { "waiting", "found", "nothing", "failed", "quarantined", "refused" };
static const struct { const char *slug, *ja, *en; } REASONS[NZ_INQ_REASON__MAX] = {
#define X(sym, number, slug, ja, en) [number] = { slug, ja, en },
    NZ_INQ_REASONS(X)
#undef X
};

const char *nz_inq_outcome_name(enum nz_inq_outcome o) { return (unsigned)o < NZ_INQ__MAX ? OUTCOMES[o] : "?"; }
const char *nz_inq_reason_slug(enum nz_inq_reason r) { return (unsigned)r < NZ_INQ_REASON__MAX ? REASONS[r].slug : "?"; }

/* ---- numbers, big endian ---- */

static bool take(struct slice *in, size_t bytes, uint64_t *ret)
{
    struct slice s;
    uint64_t v = 0;
    if (!slice_take(in, bytes, &s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    *ret = v;
    return true;
}

/* The record behind its length. */
static ERR take_record(struct slice *in, struct slice *ret_rec)
{
    uint64_t n;
    if (in->n == 0)
        return FAIL(E_NOTHING);
    return take(in, 2, &n) && slice_take(in, n, ret_rec) ? OK : FAIL(E_SEAL);
}

/* ---- persons ---- */

static struct err put_digits(struct slice digits, void *arg)
{
    buf_put(arg, digits);
    return OK;
}

ERR nz_inq_person_encode(const struct nz_inq_person *p, struct buf *out)
{
    static const uint8_t NO_DIGITS[NZ_MYNUM_DIGITS];
    buf_be16(out, (uint16_t)(PERSON_FIXED + p->key.n + p->errors.n));
    buf_be32(out, p->row);
    buf_putc(out, (uint8_t)((p->everywhere ? EVERYWHERE : 0) | (p->refused ? REFUSED : 0)));
    if (p->refused)
        buf_put(out, ARR(NO_DIGITS));
    else
        TRY(nz_mynum_use(p->number, put_digits, out));
    buf_put(out, ARR(p->peer));
    buf_be16(out, p->basis);
    buf_be16(out, (uint16_t)p->key.n);
    buf_put(out, p->key);
    buf_put(out, p->errors);
    return buf_check(out);
}

ERR nz_inq_person_decode(struct slice *in, struct nz_pool *pool, struct nz_inq_person *ret_p)
{
    struct nz_inq_person p = { .row = 0 };
    struct slice rec, digits, peer;
    uint64_t row, flags, basis, key;
    TRY(take_record(in, &rec));
    if (!take(&rec, 4, &row) || !take(&rec, 1, &flags) || !slice_take(&rec, NZ_MYNUM_DIGITS, &digits) || !slice_take(&rec, sizeof p.peer, &peer) ||
        !take(&rec, 2, &basis) || !take(&rec, 2, &key) || !slice_take(&rec, key, &p.key))
        return FAIL(E_SEAL);
    p.everywhere = flags & EVERYWHERE;
    p.refused = flags & REFUSED;
    if (row == 0 || flags > (EVERYWHERE | REFUSED) || key > NZ_INQ_KEY_MAX || (!p.refused && !p.everywhere && !all_digits(peer)))
        return FAIL(E_SEAL);
    p.row = (uint32_t)row;
    p.basis = (uint16_t)basis;
    p.errors = rec;
    memcpy(p.peer, peer.p, sizeof p.peer);
    if (!p.refused) {
        struct err e = nz_mynum_new(&p.number, pool, digits);
        TRY(err_is(e, E_FIELD) ? FAIL(E_SEAL) : e);
    }
    *ret_p = p;
    return OK;
}

/* ---- results ---- */

void nz_inq_result_encode(const struct nz_inq_result *r, struct buf *out)
{
    buf_be16(out, (uint16_t)(RESULT_FIXED + r->key.n + r->json.n));
    buf_putc(out, (uint8_t)r->kind);
    buf_be32(out, r->row);
    buf_put(out, ARR(r->peer));
    buf_putc(out, (uint8_t)r->outcome);
    buf_putc(out, (uint8_t)r->reason);
    buf_be64(out, r->at_ms);
    buf_be16(out, (uint16_t)r->key.n);
    buf_put(out, r->key);
    buf_put(out, r->json);
}

ERR nz_inq_result_decode(struct slice *in, struct nz_inq_result *ret_r)
{
    struct nz_inq_result r = { .row = 0 };
    struct slice rec, peer;
    uint64_t kind, row, outcome, reason, key;
    TRY(take_record(in, &rec));
    if (!take(&rec, 1, &kind) || !take(&rec, 4, &row) || !slice_take(&rec, sizeof r.peer, &peer) || !take(&rec, 1, &outcome) || !take(&rec, 1, &reason) ||
        !take(&rec, 8, &r.at_ms) || !take(&rec, 2, &key) || key > NZ_INQ_KEY_MAX || !slice_take(&rec, key, &r.key))
        return FAIL(E_SEAL);
    if ((kind != NZ_INQ_ANSWER && kind != NZ_INQ_STATEMENT) || (kind == NZ_INQ_ANSWER && (row == 0 || outcome == NZ_INQ_WAITS)) || outcome >= NZ_INQ__MAX ||
        reason >= NZ_INQ_REASON__MAX)
        return FAIL(E_SEAL);
    r.kind = (enum nz_inq_kind)kind;
    r.row = (uint32_t)row;
    r.outcome = (enum nz_inq_outcome)outcome;
    r.reason = (enum nz_inq_reason)reason;
    r.json = rec;
    memcpy(r.peer, peer.p, sizeof r.peer);
    *ret_r = r;
    return OK;
}

void nz_inq_result_json(const struct nz_inq_result *r, struct jsonw *w)
{
    char at[24];
    clock_format_utc(r->at_ms, at);
    jsonw_object(w, NULL);
    jsonw_u64(w, "row", r->row);
    if (r->key.n)
        jsonw_str(w, "resident_key", r->key);
    if (r->outcome != NZ_INQ_REFUSED)
        jsonw_str(w, "municipalityCode", ARR(r->peer));
    jsonw_cstr(w, "result", OUTCOMES[r->outcome]);
    if (r->reason) {
        jsonw_cstr(w, "code", REASONS[r->reason].slug);
        jsonw_cstr(w, "message_ja", REASONS[r->reason].ja);
        jsonw_cstr(w, "message_en", REASONS[r->reason].en);
    }
    jsonw_str(w, "answered_at", ARR(at));
    if (r->outcome == NZ_INQ_FOUND)
        jsonw_raw(w, "immunizations", r->json);
    if (r->outcome == NZ_INQ_REFUSED)
        jsonw_raw(w, "errors", r->json);
    jsonw_end_object(w);
}
