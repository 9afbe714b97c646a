#include "keys/person/rows.h"

#include "gateway/base/text.h"
#include "keys/intake/payload.h"
#include "keys/intake/task.h"

enum { U64_DIGITS = 20 };

/* ---- is it about the resident? ---- */

static bool has_rk(const struct nz_row_owner *who, struct slice hex)
{
    for (size_t i = 0; i < who->n_rks; i++)
        if (slice_eq(ARR(who->rk[i]), hex))
            return true;
    return false;
}

static bool names_rk(const struct nz_row_owner *who, const uint8_t rk[static 16])
{
    char hex[32];
    struct nz_task_id id;
    memcpy(id.b, rk, sizeof id.b);
    nz_task_id_format(&id, hex);
    return has_rk(who, ARR(hex));
}

static bool has_sid(const struct nz_row_owner *who, const uint8_t sid[static SUBJECT_BYTES])
{
    for (size_t i = 0; i < who->n_sids; i++)
        if (slice_eq(ARR(who->sid[i]), slice_of(sid, SUBJECT_BYTES)))
            return true;
    return false;
}

static void keep_ticket(struct nz_owned_row *row, const uint8_t ticket[static NZ_TICKET_BYTES]) { memcpy(row->ticket[row->n_tickets++].b, ticket, NZ_TICKET_BYTES); }

static ERR look_registration(const struct nz_row_owner *who, struct slice plain, struct nz_owned_row *row, bool *ret_is)
{
    struct nz_payload p;
    TRY(nz_payload_decode(plain, &p));
    *ret_is = (p.has_rk && has_rk(who, ARR(p.rk))) || has_sid(who, p.sid);
    row->has_sid = true;
    memcpy(row->sid, p.sid, sizeof row->sid);
    if (!err_ok(nz_row_result_decode(p.result, &row->result)))
        row->result = (struct nz_row_result){ 0 };
    if (p.has_ticket)
        keep_ticket(row, p.ticket);
    if (p.has_ticket && p.has_next)
        keep_ticket(row, p.next);
    return OK;
}

static ERR look_change(const struct nz_row_owner *who, struct slice plain, struct nz_owned_row *row, bool *ret_is)
{
    const struct nz_waiting *w = &row->waiting;
    TRY(nz_waiting_decode(plain, &row->waiting));
    row->has_sid = nz_waiting_has_ticket(w);
    memcpy(row->sid, w->new_sid, sizeof row->sid);
    *ret_is = names_rk(who, w->rk) || (nz_waiting_has_other(w) && names_rk(who, w->other_rk)) || (row->has_sid && has_sid(who, w->new_sid));
    if (row->has_sid)
        keep_ticket(row, w->ticket);
    if (row->has_sid && w->asked)
        keep_ticket(row, w->next);
    return OK;
}

static void keep_fields(struct nz_fault *f, unsigned n, struct arena *a)
{
    for (unsigned i = 0; i < n; i++)
        f[i].field = arena_dup(a, f[i].field);
}

ERR nz_row_owned(struct store *s, const struct nz_row_owner *who, const struct store_name *o, struct slice field, struct slice sealed, struct arena *a,
                 struct nz_owned_row *ret_row, bool *ret_is)
{
    struct buf plain;
    *ret_row = (struct nz_owned_row){ .is_change = false };
    *ret_is = false;
    buf_init(&plain, NZ_PAYLOAD_MAX);
    struct err e = store_open(s, slice_of(who->muni, 6), o, field, sealed, &plain);
    if (err_ok(e)) {
        ret_row->is_change = nz_waiting_is(buf_slice(&plain));
        e = (ret_row->is_change ? look_change : look_registration)(who, buf_slice(&plain), ret_row, ret_is);
    }
    keep_fields(ret_row->result.faults, ret_row->result.n_faults, a); /* they were read where they stand in plain */
    keep_fields(ret_row->result.warnings, ret_row->result.n_warnings, a);
    buf_done(&plain);
    *ret_is = *ret_is && err_ok(e);
    if (err_is(e, E_SEAL) || (err_ok(e) && !*ret_is))
        return OK;
    TRY(e);
    ret_row->field = arena_dup(a, field);
    ret_row->sealed = arena_dup(a, sealed);
    return arena_check(a);
}

/* ---- it goes ---- */

static struct slice digits(struct arena *a, uint64_t v)
{
    struct buf b;
    buf_init(&b, U64_DIGITS);
    buf_u64(&b, v);
    const struct slice s = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    return s;
}

static ERR result_bytes(struct arena *a, const struct nz_row_result *r, struct slice *ret)
{
    struct buf b;
    buf_init(&b, NZ_ROW_RESULT_MAX);
    nz_row_result_encode(r, &b);
    struct err e = buf_check(&b);
    *ret = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    TRY(e);
    return arena_check(a);
}

static ERR leave_queues(const char muni[static 6], const struct nz_owned_row *row, struct slice member, struct arena *a, struct nz_cas *c)
{
    struct store_name line[2];
    if (!row->is_change) {
        NZ_CAS(c, LIT("ZREM"), nz_queue_name(NZ_QUEUE_NUMBERING), member);
        NZ_CAS(c, LIT("ZREM"), nz_queue_name(NZ_QUEUE_READY), member);
        return OK;
    }
    NZ_CAS(c, LIT("ZREM"), nz_waiting_queue(), member);
    size_t n = nz_waiting_lines(muni, &row->waiting, line);
    for (size_t i = 0; i < n; i++)
        NZ_CAS(c, LIT("ZREM"), arena_dup(a, store_name_slice(&line[i])), member);
    return arena_check(a);
}

ERR nz_row_drop(const char muni[static 6], const struct nz_task_id *task, const struct nz_owned_row *row, struct slice stored, uint64_t now_ms, struct arena *a,
                struct nz_cas *c, bool *ret_gone)
{
    struct nz_row_ref ref = { .task = *task };
    struct nz_row_result r = row->result;
    struct store_name t, tr, o;
    struct nz_member member;
    struct slice result;
    uint64_t n;
    *ret_gone = false;
    if (!u64_parse(row->field, &n) || n == 0 || n > UINT32_MAX)
        return FAIL(E_SEAL);
    if (stored.n)
        TRY(nz_row_result_decode(stored, &r));
    const bool held = r.result == NZ_QUARANTINED;
    if (stored.n && r.result != NZ_WAITING && !held)
        return OK;
    memcpy(ref.muni, muni, sizeof ref.muni);
    ref.row = (uint32_t)n;
    nz_member_write(&ref, &member);
    nz_name_task("t", ref.muni, task, &t);
    nz_name_task("tr", ref.muni, task, &tr);
    nz_name_task("o", ref.muni, task, &o);
    const struct slice t_s = arena_dup(a, store_name_slice(&t)), tr_s = arena_dup(a, store_name_slice(&tr)), o_s = arena_dup(a, store_name_slice(&o));
    r.result = NZ_REFUSED;
    r.code = NZ_CODE_ERASED;
    r.with_row = 0;
    TRY(result_bytes(a, &r, &result));
    nz_cas_expect(c, tr_s, row->field, arena_dup(a, stored));
    nz_cas_expect(c, o_s, row->field, row->sealed);
    NZ_CAS(c, LIT("HSET"), tr_s, row->field, result);
    if (held)
        NZ_CAS(c, LIT("HINCRBY"), t_s, slice_str(nz_result_name(NZ_QUARANTINED)), LIT("-1"));
    NZ_CAS(c, LIT("HINCRBY"), t_s, slice_str(nz_result_name(NZ_REFUSED)), LIT("1"));
    NZ_CAS(c, LIT("HSET"), t_s, LIT(NZ_TASK_MOVED), digits(a, now_ms));
    NZ_CAS(c, LIT("HDEL"), o_s, row->field);
    TRY(leave_queues(muni, row, arena_dup(a, nz_member_slice(&member)), a, c));
    *ret_gone = true;
    return arena_check(a);
}
