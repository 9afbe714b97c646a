#include "keys/change/vrs_gone.h"

#include "gateway/vaccine/immun.h"
#include "gateway/vaccine/ticket_index.h"
#include "gateway/vaccine/vrs_mark.h"

enum { HANDLE_AT = 3 /* p:{ */ };

static uint64_t version_of(const struct nz_vrs_gone *g, enum vrs_mark_kind kind)
{
    size_t versions, recipients;
    if (kind != VRS_MARK_RECORD)
        return g->now_ms ? g->now_ms : 1;
    return immun_counts(g->plain, &versions, &recipients) && versions ? versions : UINT16_MAX;
}

static void add(struct nz_cas *c, const struct nz_vrs_gone *g, struct slice zset, struct slice score, struct slice member)
{
    NZ_CAS(c, LIT("ZADD"), zset, score, member);
    if (g->tk.n)
        nz_cas_only_if(c, g->tk, TICKET_INDEX_PERSON, store_name_slice(g->person));
}

ERR nz_vrs_gone_add(struct nz_cas *c, struct arena *a, const struct nz_vrs_gone *g)
{
    enum vrs_mark_kind kind;
    struct vrs_mark_text mark;
    struct store_name due;
    struct slice muni;
    struct person p;
    if (!vrs_mark_kind_of(g->field, &kind, &muni))
        return OK;
    memcpy(p.h, g->person->c + HANDLE_AT, sizeof p.h);
    vrs_mark_gone_name(g->sid, &p, g->field, version_of(g, kind), &mark);
    vrs_mark_score(g->now_ms, &due);
    const struct slice member = arena_dup(a, vrs_mark_slice(&mark)), score = arena_dup(a, store_name_slice(&due));
    TRY(arena_check(a));
    add(c, g, VRS_MARK_GONE, LIT("0"), slice_of(member.p + 1, member.n - 1));
    add(c, g, VRS_MARK_QUEUE, score, member);
    return OK;
}

static void drop_index(struct nz_cas *c, const struct nz_vrs_gone *g)
{
    NZ_CAS(c, LIT("DEL"), g->tk);
    nz_cas_only_if(c, g->tk, TICKET_INDEX_PERSON, store_name_slice(g->person));
}

/* An officer may have given the number of a ticket to another resident since: then its index is not this one's. */
ERR nz_vrs_let_go(struct nz_cas *c, struct arena *a, struct store *s, const struct nz_vrs_gone *g, struct slice sealed, bool to_vrs)
{
    struct nz_vrs_gone gone = *g;
    struct store_name tk = { .n = 0 };
    enum vrs_mark_kind kind;
    struct slice muni;
    struct buf plain;
    struct err e = OK;
    if (!vrs_mark_kind_of(g->field, &kind, &muni))
        return OK;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    if (kind != VRS_MARK_SUBJECT)
        e = store_open(s, muni, g->person, g->field, sealed, &plain);
    if (err_ok(e) && kind == VRS_MARK_TICKET)
        e = ticket_index_name(s, muni, buf_slice(&plain), &tk);
    if (err_is(e, E_SEAL))
        e = OK;
    gone.plain = buf_slice(&plain);
    gone.tk = arena_dup(a, store_name_slice(&tk));
    if (err_ok(e))
        e = arena_check(a);
    if (err_ok(e) && to_vrs)
        e = nz_vrs_gone_add(c, a, &gone);
    if (err_ok(e) && tk.n)
        drop_index(c, &gone);
    buf_done(&plain);
    return e;
}
