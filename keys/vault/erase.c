/* ERASE: a number that is not needed any more, and the index that leads to it. Both go in one script, and only while what was read still stands. The index
 * is a keyed sum of the number, so the number is opened for it; it leaves this function neither in the answer nor in a log. */

#include "keys/vault/vault_int.h"

struct erase {
    struct nz_op op; /* first */
    struct nz_place place;
    struct nz_index_name index;
    uint8_t muni[NZ_MUNI_BYTES], sid[NZ_SID_BYTES];
    uint8_t sealed[NZ_DIGITS_BYTES + AEAD_OVERHEAD];
    size_t n_sealed; /* 0: there is no such number */
    struct req_id request;
    struct err refused;
};

static void end(struct erase *r, bool erased)
{
    uint8_t reply = erased;
    nz_op__end(&r->op, OK, slice_of(&reply, 1));
}

static void on_removed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct erase *r = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1)
        e = FAIL(E_BUSY); /* somebody wrote it meanwhile */
    if (err_ok(e))
        end(r, true);
    else
        nz_op__fail(&r->op, e);
}

static void on_recorded(void *arg, struct err e)
{
    struct erase *r = arg;
    if (err_ok(e))
        e = r->refused;
    if (!err_ok(e))
        nz_op__fail(&r->op, e);
    else if (!r->n_sealed)
        end(r, false);
    else
        nz_op__ask(&r->op, nz_shelf_remove(&r->index, &r->place, ARR(r->sid), slice_of(r->sealed, r->n_sealed)), on_removed);
}

static void record(struct erase *r)
{
    struct audit_rec rec = { .event = AU_PERSON_ERASED, .result = r->n_sealed ? AR_OK : AR_NOTHING, .reason = E_OK, .request = r->request,
                             .count = r->n_sealed ? 1 : 0, .items = AUDIT_ITEM_NUMBER };
    if (!err_ok(r->refused)) {
        rec.result = AR_FAILED;
        rec.reason = r->refused.code;
    }
    memcpy(rec.muni, r->muni, sizeof rec.muni);
    if (r->n_sealed)
        memcpy(rec.ref, r->sid, sizeof rec.ref); /* a redis-vault that comes back older can be told again: pmhgw reconcile */
    audit_set_actor(&rec, LIT("vault"));
    if (r->op.v->closing)
        nz_op__fail(&r->op, FAIL(E_CANCELED));
    else
        audit_append(r->op.v->audit, &rec, r->op.deadline, on_recorded, r);
}

static ERR take_number(struct erase *r, struct slice sealed)
{
    struct buf digits;
    uint8_t index[MAC_BYTES];
    if (sealed.n > sizeof r->sealed)
        return FAIL(E_SEAL);
    buf_init(&digits, NZ_DIGITS_BYTES);
    struct err e = nz_sealer_open(r->op.v->sealer, ARR(r->muni), ARR(r->place.b), sealed, &digits);
    if (err_ok(e))
        e = nz_sealer_index(r->op.v->sealer, ARR(r->muni), buf_slice(&digits), index);
    buf_done(&digits);
    TRY(e);
    r->index = nz_index_name_of(index);
    memcpy(r->sealed, sealed.p, sealed.n);
    r->n_sealed = sealed.n;
    return OK;
}

static void on_found(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct erase *r = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_op__fail(&r->op, e);
        return;
    }
    if (redis_reply_type(replies[0]) == REDIS_STR)
        r->refused = take_number(r, redis_reply_str(replies[0]));
    record(r);
}

void nz_vault__on_erase(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_erase_msg m;
    struct erase *r = NULL;
    (void)from;
    struct err e = nz_erase_decode(body, &m);
    if (err_ok(e))
        e = nz_sealer_knows(v->sealer, m.muni);
    if (err_ok(e) && !(r = (struct erase *)nz_op__new(v, call, sizeof *r)))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        return;
    }
    r->place = nz_place_of(m.sid);
    r->request = m.request;
    memcpy(r->muni, m.muni.p, sizeof r->muni);
    memcpy(r->sid, m.sid.p, sizeof r->sid);
    nz_op__ask(&r->op, nz_shelf_number(&r->place), on_found);
}
