/* Certificates and notices in the scripts of the steps. */

#include "gateway/vaccine/book.h"
#include "keys/change/step_int.h"

enum { SEALED_ROOM = 4096 };

static const struct store_name *name_of(const struct nz_ch_step *s, const struct nz_ch_side *side) { return side == &s->view->kept ? &s->names->kept_p : &s->names->gone_p; }

static ERR put_cert(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, struct slice field, const struct cert_stored *cert)
{
    struct buf sealed;
    buf_init(&sealed, SEALED_ROOM);
    struct err e = cert_seal(s->store, person, cert, &sealed);
    if (err_ok(e))
        NZ_CAS(c, LIT("HSET"), store_name_slice(person), field, arena_dup(s->arena, buf_slice(&sealed)));
    buf_done(&sealed);
    TRY(e);
    return arena_check(s->arena);
}

static ERR put_told(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_told *t)
{
    struct buf sealed;
    buf_init(&sealed, SEALED_ROOM);
    struct err e = store_seal(s->store, SLICE_NONE, person, t->field, t->plain, &sealed);
    if (err_ok(e))
        NZ_CAS(c, LIT("HSET"), store_name_slice(person), t->field, arena_dup(s->arena, buf_slice(&sealed)));
    buf_done(&sealed);
    TRY(e);
    return arena_check(s->arena);
}

ERR nz_ch__issued_copy(struct nz_ch_step *s, struct nz_cas *c, enum nz_ch_way way)
{
    const struct nz_ch_side *from = nz_ch_issued_from(s->view, way), *to = nz_ch_issued_to(s->view, way);
    const struct store_name *person = name_of(s, to);
    struct cert_stored cert;
    if (!nz_ch_issued_copies(s->view, way))
        return OK;
    for (size_t i = 0; i < from->n_certs; i++) {
        if (!nz_ch_cert_copy(s->view, way, &from->cert[i], &cert))
            continue;
        const struct nz_ch_cert *there = nz_ch_cert_find(to, from->cert[i].field);
        nz_cas_expect(c, store_name_slice(person), from->cert[i].field, there ? there->sealed : SLICE_NONE);
        TRY(put_cert(s, c, person, from->cert[i].field, &cert));
    }
    for (size_t i = 0; i < from->n_told; i++)
        if (nz_ch_told_copy(s->view, way, &from->told[i]))
            TRY(put_told(s, c, person, &from->told[i]));
    for (size_t i = 0; i < to->n_told; i++)
        if (nz_ch_told_is_too_old(s->view, way, &to->told[i]))
            NZ_CAS(c, LIT("HDEL"), store_name_slice(person), to->told[i].field);
    NZ_CAS(c, LIT("HINCRBY"), store_name_slice(person), VACCINE_TURN_FIELD, LIT("1")); /* also of somebody who had nothing before */
    return OK;
}

/* What is left of it, or nothing. */
static ERR put_rest(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_cert *cert, const struct cert_stored *rest)
{
    nz_cas_expect(c, store_name_slice(person), cert->field, cert->sealed);
    if (rest->n_records)
        return put_cert(s, c, person, cert->field, rest);
    NZ_CAS(c, LIT("HDEL"), store_name_slice(person), cert->field);
    return OK;
}

/* What has ended already stays what it is. GT: nothing leaves the list, and what was revoked stays so. */
static ERR take_back(struct nz_ch_step *s, struct nz_cas *c, const struct nz_ch_cert *cert, struct cert_stored *rest)
{
    struct store_name list;
    if (cert->c.state != CERT_GOOD)
        return OK;
    cert_list_name(cert->c.kid, &list);
    NZ_CAS(c, LIT("ZADD"), arena_dup(s->arena, store_name_slice(&list)), LIT("GT"), LIT("2"), slice_of(cert->c.rid, strnlen(cert->c.rid, sizeof cert->c.rid)));
    rest->ended_ms = s->view->now_ms;
    rest->state = CERT_REVOKED;
    return arena_check(s->arena);
}

ERR nz_ch__issued_remove(struct nz_ch_step *s, struct nz_cas *c, enum nz_ch_way way)
{
    const struct nz_ch_side *from = nz_ch_issued_from(s->view, way);
    const struct store_name *person = name_of(s, from);
    struct cert_stored rest;
    nz_ch__expect_turn(c, person, from); /* nothing was issued meanwhile of what goes */
    for (size_t i = 0; i < from->n_certs; i++) {
        if (!nz_ch_cert_leaves(s->view, way, &from->cert[i], &rest))
            continue;
        if (nz_ch_cert_is_false(s->view, way, &from->cert[i].c))
            TRY(take_back(s, c, &from->cert[i], &rest));
        TRY(put_rest(s, c, person, &from->cert[i], &rest));
    }
    for (size_t i = 0; i < from->n_told; i++)
        if (nz_ch_told_leaves(s->view, way, &from->told[i]))
            NZ_CAS(c, LIT("HDEL"), store_name_slice(person), from->told[i].field);
    return OK;
}

ERR nz_ch__issued_wipe(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_side *side = &s->view->kept;
    const struct store_name *person = &s->names->kept_p;
    struct cert_stored rest;
    nz_ch__expect_turn(c, person, side);
    for (size_t i = 0; i < side->n_certs; i++) {
        if (!nz_ch_cert_of_muni(s->view, &side->cert[i], &rest))
            continue;
        TRY(take_back(s, c, &side->cert[i], &rest));
        TRY(put_rest(s, c, person, &side->cert[i], &rest));
    }
    for (size_t i = 0; i < side->n_told; i++)
        if (nz_ch_told_leaves(s->view, NZ_CH_THERE, &side->told[i]))
            NZ_CAS(c, LIT("HDEL"), store_name_slice(person), side->told[i].field);
    return OK;
}
