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
