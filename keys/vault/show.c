/* SHOW: the number of a resident for a member of staff. TELL: for what its municipality has us tell. The record is on disk before the number is even read.
 * PART: it stays for a TELL that comes when the subject is erased. */

#include "keys/vault/vault_int.h"

struct show {
    struct nz_op op; /* first */
    struct nz_place place;
    struct nz_grant grant;
    uint8_t muni[NZ_MUNI_BYTES], ticket[NZ_TICKET_BYTES]; /* ticket: zeros for none */
    struct audit_rec rec;
    struct err why; /* of a reading that failed */
};

static void on_failure_recorded(void *arg, struct err e)
{
    struct show *s = arg;
    nz_op__fail(&s->op, err_ok(e) ? s->why : e);
}

/* The record says "revealed" already; this one says that nothing left after all. */
static void failed(struct show *s, struct err e)
{
    s->why = e;
    s->rec.result = err_is(e, E_NOTHING) ? AR_NOTHING : AR_FAILED;
    s->rec.reason = e.code;
    if (s->op.v->closing)
        nz_op__fail(&s->op, e);
    else
        audit_append(s->op.v->audit, &s->rec, s->op.deadline, on_failure_recorded, s);
}

static void on_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct show *s = arg;
    struct buf digits;
    struct slice sealed = SLICE_NONE;
    buf_init(&digits, NZ_DIGITS_BYTES);
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = nz_shelf_found(replies[0], &s->grant, &sealed);
    if (err_ok(e))
        e = nz_sealer_open(s->op.v->sealer, ARR(s->muni), ARR(s->place.b), sealed, &digits);
    if (err_ok(e))
        nz_op__end(&s->op, OK, buf_slice(&digits));
    else
        failed(s, e);
    buf_done(&digits);
}

static void on_recorded(void *arg, struct err e)
{
    struct show *s = arg;
    if (err_ok(e))
        nz_op__ask(&s->op, nz_shelf_either(nz_ticket_none(ARR(s->ticket)) ? SLICE_NONE : ARR(s->ticket), &s->place), on_read);
    else
        nz_op__fail(&s->op, e);
}

static void begin(struct nz_vaultd *v, struct ipc_call *call, struct err e, struct nz_show_msg m)
{
    struct show *s = NULL;
    if (err_ok(e))
        e = nz_sealer_knows(v->sealer, m.muni);
    if (err_ok(e) && v->closing)
        e = FAIL(E_CANCELED);
    if (err_ok(e) && !(s = (struct show *)nz_op__new(v, call, sizeof *s)))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        return;
    }
    s->place = nz_place_of(m.sid);
    s->grant = nz_grant_of(m.muni, m.sid, NZ_PURPOSE_TAKING_BACK);
    memcpy(s->muni, m.muni.p, sizeof s->muni);
    if (m.ticket.n)
        memcpy(s->ticket, m.ticket.p, sizeof s->ticket);
    s->rec = (struct audit_rec){ .event = AU_NUMBER_REVEALED, .result = AR_OK, .request = m.request, .count = 1, .basis = m.basis, .purpose = m.purpose,
                                 .items = AUDIT_ITEM_NUMBER };
    memcpy(s->rec.muni, m.muni.p, sizeof s->rec.muni);
    if (m.user.n) {
        s->rec.behalf = AB_STAFF;
        memcpy(s->rec.ref, m.user.p, sizeof s->rec.ref);
    }
    audit_set_actor(&s->rec, LIT("vault"));
    audit_append(v->audit, &s->rec, s->op.deadline, on_recorded, s);
}

void nz_vault__on_show(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_show_msg m = { .basis = 0 };
    (void)from;
    struct err e = nz_show_decode(body, &m);
    begin(ctx, call, e, m);
}

void nz_vault__on_tell(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_show_msg m = { .basis = 0 };
    (void)from;
    struct err e = nz_tell_decode(body, &m);
    begin(ctx, call, e, m);
}

/* ---- PART ---- */

static void on_parted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_op *op = arg;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_INT))
        e = FAIL(E_STORE_REFUSED);
    const uint8_t kept = err_ok(e) && redis_reply_int(replies[0]) == 1;
    if (err_ok(e))
        nz_op__end(op, OK, slice_of(&kept, 1));
    else
        nz_op__fail(op, e);
}

void nz_vault__on_part(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_part_msg m;
    struct nz_op *op = NULL;
    (void)from;
    struct err e = nz_part_decode(body, &m);
    if (err_ok(e))
        e = nz_sealer_knows(v->sealer, m.muni);
    if (err_ok(e) && !(op = nz_op__new(v, call, sizeof *op)))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        return;
    }
    const struct nz_grant grant = nz_grant_of(m.muni, m.sid, NZ_PURPOSE_TAKING_BACK);
    const struct nz_place place = nz_place_of(m.sid);
    nz_op__ask(op, nz_shelf_part(&grant, m.ticket, &place), on_parted);
}
