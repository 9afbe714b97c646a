/* LINK: the subject of a number, made when it is new.
 *
 * What is kept under a known subject is opened and compared: an index that was moved to another subject in the store is refused.
 * A number that does not open any more was sealed under a data key that has been destroyed; when the index is proven to belong
 * to the subject, the number at hand is sealed in its place, so that a municipality whose key was made anew works again. */

#include "gateway/base/secret.h"
#include "keys/vault/vault_int.h"

enum { SEALED_BYTES = NZ_DIGITS_BYTES + AEAD_OVERHEAD };

struct link {
    struct nz_op op; /* first */
    uint8_t muni[NZ_MUNI_BYTES], index[MAC_BYTES], ticket[NZ_TICKET_BYTES];
    struct nz_index_entry fresh;  /* what the number gets when it is new: a subject */
    uint8_t sealed[SEALED_BYTES]; /* and the number sealed under it; the digits themselves do not wait here */
    uint8_t reply[NZ_LINK_REPLY_BYTES];
};

static struct slice fresh_sid(const struct link *l) { return slice_of(l->fresh.b, NZ_SID_BYTES); }

static ERR seal_under(const struct link *l, struct slice sid, struct slice digits, struct buf *out)
{
    struct nz_place place = nz_place_of(sid);
    return nz_sealer_seal(l->op.v->sealer, ARR(l->muni), ARR(place.b), digits, out);
}

static ERR open_under(const struct link *l, struct slice sid, struct slice sealed, struct buf *digits)
{
    struct nz_place place = nz_place_of(sid);
    return nz_sealer_open(l->op.v->sealer, ARR(l->muni), ARR(place.b), sealed, digits);
}

static void link_end(struct link *l, struct slice sid, bool known)
{
    memcpy(l->reply, sid.p, NZ_SID_BYTES);
    l->reply[NZ_SID_BYTES] = known;
    nz_op__end(&l->op, OK, ARR(l->reply));
}

/* ---- a number that is known already ---- */

static bool same_number(struct link *l, struct slice digits)
{
    uint8_t index[MAC_BYTES];
    return err_ok(nz_sealer_index(l->op.v->sealer, ARR(l->muni), digits, index)) && secret_equal(ARR(index), ARR(l->index));
}

static bool proven(struct link *l, const struct nz_link_found *f)
{
    uint8_t proof[NZ_PROOF_BYTES];
    return err_ok(nz_sealer_prove(l->op.v->sealer, l->index, f->sid, proof)) && secret_equal(ARR(proof), f->proof);
}

enum kept { KEPT_GOOD, KEPT_STALE, KEPT_FOREIGN };

static enum kept look(struct link *l, const struct nz_link_found *f)
{
    struct buf digits;
    buf_init(&digits, NZ_DIGITS_BYTES);
    bool opens = err_ok(open_under(l, f->sid, f->sealed, &digits)), same = opens && same_number(l, buf_slice(&digits));
    buf_done(&digits);
    if (same)
        return KEPT_GOOD;
    return !opens && proven(l, f) ? KEPT_STALE : KEPT_FOREIGN;
}

static void on_replaced(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct link *l = arg;
    (void)replies, (void)n; /* 0: another LINK of the same number has done it */
    if (err_ok(e))
        nz_op__end(&l->op, OK, ARR(l->reply));
    else
        nz_op__fail(&l->op, e);
}

static ERR seal_again(struct link *l, struct slice sid, struct buf *out)
{
    struct buf digits;
    buf_init(&digits, NZ_DIGITS_BYTES);
    struct err e = open_under(l, fresh_sid(l), ARR(l->sealed), &digits);
    if (err_ok(e))
        e = seal_under(l, sid, buf_slice(&digits), out);
    buf_done(&digits);
    return e;
}

static void replace(struct link *l, const struct nz_link_found *f)
{
    struct nz_place place = nz_place_of(f->sid);
    struct nz_index_name index = nz_index_name_of(l->index);
    struct buf sealed;
    LOG(WARN, "number_sealed_anew");
    memcpy(l->reply, f->sid.p, NZ_SID_BYTES);
    l->reply[NZ_SID_BYTES] = true;
    buf_init(&sealed, SEALED_BYTES);
    struct err e = seal_again(l, f->sid, &sealed);
    if (err_ok(e))
        nz_op__ask(&l->op, nz_shelf_replace(&index, f->sid, &place, f->sealed, buf_slice(&sealed)), on_replaced);
    else
        nz_op__fail(&l->op, e);
    buf_done(&sealed);
}

static void on_dropped(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)arg, (void)e, (void)replies, (void)n;
}

/* The store was changed by somebody else. The ticket stands for a subject that is not the number's. */
static void refuse(struct link *l)
{
    struct redis_batch *drop = nz_ticket_none(ARR(l->ticket)) ? NULL : nz_shelf_drop(ARR(l->ticket));
    LOG(ERROR, "index_of_another_subject");
    if (drop)
        redis_send(l->op.v->redis, drop, l->op.deadline, on_dropped, NULL);
    nz_op__fail(&l->op, FAIL(E_SEAL));
}

static void on_linked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct link *l = arg;
    struct nz_link_found f = { 0 };
    if (err_ok(e))
        e = n == 1 ? nz_shelf_linked(replies[0], &f) : FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_op__fail(&l->op, e);
        return;
    }
    enum kept kept = f.known ? look(l, &f) : KEPT_GOOD;
    if (kept == KEPT_GOOD)
        link_end(l, f.sid, f.known);
    else if (kept == KEPT_STALE)
        replace(l, &f);
    else
        refuse(l);
}

/* ---- the message ---- */

static ERR fill(struct link *l, const struct nz_link_msg *m)
{
    struct nz_sealer *s = l->op.v->sealer;
    uint8_t sid[NZ_SID_BYTES], proof[NZ_PROOF_BYTES];
    struct buf sealed;
    memcpy(l->muni, m->muni.p, sizeof l->muni);
    memcpy(l->ticket, m->ticket.p, sizeof l->ticket);
    rnd_bytes(sid, sizeof sid);
    TRY(nz_sealer_index(s, m->muni, m->digits, l->index));
    TRY(nz_sealer_prove(s, l->index, ARR(sid), proof));
    l->fresh = nz_index_entry_of(ARR(sid), ARR(proof));
    buf_init(&sealed, SEALED_BYTES);
    struct err e = seal_under(l, ARR(sid), m->digits, &sealed);
    if (err_ok(e))
        memcpy(l->sealed, sealed.p, SEALED_BYTES);
    buf_done(&sealed);
    return e;
}

void nz_vault__on_link(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_link_msg m;
    (void)from;
    struct err e = nz_link_decode(body, &m);
    struct link *l = err_ok(e) ? (struct link *)nz_op__new(v, call, sizeof *l) : NULL;
    if (!l) {
        nz_vault__reply_error(call, err_ok(e) ? FAIL(E_NOMEM) : e);
        return;
    }
    e = fill(l, &m);
    if (!err_ok(e)) {
        nz_op__fail(&l->op, e);
        return;
    }
    struct slice ticket = nz_ticket_none(ARR(l->ticket)) ? SLICE_NONE : ARR(l->ticket);
    nz_op__ask(&l->op, nz_shelf_link(l->index, &l->fresh, ARR(l->sealed), ARR(l->muni), ticket), on_linked);
}
