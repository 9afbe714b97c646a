/* What stands beside the records of a person and has to follow them: the index of ticket numbers, the index of who has anything about vaccinations, and the turn
 * of that data (gateway/vaccine/book.h), which whoever writes to the person at the same moment looks at. */

#include "gateway/vaccine/book.h"
#include "gateway/vaccine/ticket_index.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/change/step_int.h"
#include "keys/change/vrs_gone.h"

enum { HANDLE_AT = 3 /* p:{ */, MUNI_AT = 3 /* ch:<muni>:<hex> */ };

/* ---- the turn ---- */

bool nz_ch_about_vaccination(struct slice field)
{
    enum store_kind kind;
    struct slice muni;
    return store_field_is_made(field, &muni) || (store_field_kind(field, &kind, &muni) && (kind == STORE_VACCINATION || kind == STORE_TICKET));
}

void nz_ch__turn(struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side)
{
    bool any = side->turn.n > 0;
    for (size_t i = 0; i < side->n && !any; i++)
        any = nz_ch_about_vaccination(side->item[i].field);
    if (any)
        NZ_CAS(c, LIT("HINCRBY"), store_name_slice(person), VACCINE_TURN_FIELD, LIT("1"));
}

void nz_ch__expect_turn(struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side)
{
    nz_cas_expect(c, store_name_slice(person), VACCINE_TURN_FIELD, side->turn);
}

/* ---- who has anything ---- */

static ERR index_of(struct nz_ch_step *s, const char *command, const struct store_name *person, struct nz_cas *c)
{
    struct store_name k;
    store_name_vaccinated(s->names->ch.c + MUNI_AT, &k);
    const struct slice name = arena_dup(s->arena, store_name_slice(&k)), handle = slice_of(person->c + HANDLE_AT, sizeof(struct person));
    if (*command == '+')
        NZ_CAS(c, LIT("ZADD"), name, LIT("0"), handle);
    else
        NZ_CAS(c, LIT("ZREM"), name, handle);
    return arena_check(s->arena);
}

/* Who has nothing of it does no harm there. */
ERR nz_ch__indexed(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person) { return index_of(s, "+", person, c); }
ERR nz_ch__unindexed(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person) { return index_of(s, "-", person, c); }

/* ---- tickets ---- */

/* *ret n 0: no ticket, or one without a number. */
static ERR ticket_name(struct nz_ch_step *s, struct slice field, struct slice plain, struct slice *ret)
{
    enum store_kind kind;
    struct slice muni;
    struct store_name k;
    *ret = SLICE_NONE;
    if (!store_field_kind(field, &kind, &muni) || kind != STORE_TICKET)
        return OK;
    struct err e = ticket_index_name(s->store, muni, plain, &k);
    if (err_is(e, E_SEAL))
        return OK;
    TRY(e);
    *ret = arena_dup(s->arena, store_name_slice(&k));
    return arena_check(s->arena);
}

/* `from` last: it is what the others wait for. */
static void point(struct nz_cas *c, struct slice name, struct slice from, struct slice person, struct slice field, struct slice sid)
{
    NZ_CAS(c, LIT("HSET"), name, TICKET_INDEX_SUBJECT, sid);
    nz_cas_only_if(c, name, TICKET_INDEX_PERSON, from);
    NZ_CAS(c, LIT("HSET"), name, TICKET_INDEX_FIELD, field);
    nz_cas_only_if(c, name, TICKET_INDEX_PERSON, from);
    NZ_CAS(c, LIT("HSET"), name, TICKET_INDEX_PERSON, person);
    nz_cas_only_if(c, name, TICKET_INDEX_PERSON, from);
}

ERR nz_ch__ticket_leads(struct nz_ch_step *s, struct nz_cas *c, struct slice field, struct slice plain, const struct nz_ch_lead *l)
{
    struct slice name;
    TRY(ticket_name(s, field, plain, &name));
    if (name.n)
        point(c, name, l->from ? store_name_slice(l->from) : SLICE_NONE, store_name_slice(l->to), field, slice_of(l->sid, NZ_CH_HEX));
    return OK;
}

ERR nz_ch__ticket_gone(struct nz_ch_step *s, struct nz_cas *c, struct slice field, struct slice plain, const struct store_name *person)
{
    struct slice name;
    TRY(ticket_name(s, field, plain, &name));
    if (name.n) {
        NZ_CAS(c, LIT("DEL"), name);
        nz_cas_only_if(c, name, TICKET_INDEX_PERSON, store_name_slice(person));
    }
    return OK;
}

/* ---- VRS ---- */

ERR nz_ch__mark_for_vrs(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, struct slice field)
{
    enum vrs_mark_kind kind;
    struct slice muni;
    struct store_name mark, due;
    struct person p;
    if (!s->view->to_vrs || !vrs_mark_kind_of(field, &kind, &muni))
        return OK;
    memcpy(p.h, person->c + HANDLE_AT, sizeof p.h);
    vrs_mark_name_again(&p, field, &mark);
    vrs_mark_score(s->view->now_ms, &due);
    NZ_CAS(c, LIT("ZADD"), VRS_MARK_QUEUE, arena_dup(s->arena, store_name_slice(&due)), arena_dup(s->arena, store_name_slice(&mark)));
    return arena_check(s->arena);
}

ERR nz_ch__mark_registrations(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side)
{
    uint8_t id[IMMUN_ID_BYTES];
    struct slice muni;
    for (size_t i = 0; i < side->n; i++)
        if (!immun_field_is(side->item[i].field, &muni, id))
            TRY(nz_ch__mark_for_vrs(s, c, person, side->item[i].field));
    return OK;
}

ERR nz_ch__take_back(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side, const struct nz_ch_item *item)
{
    struct nz_vrs_gone g = { .person = person, .sid = side->subject.n == NZ_CH_HEX ? side->subject : ARR(side->sid), .field = item->field, .plain = item->plain,
                             .now_ms = s->view->now_ms };
    if (!s->view->to_vrs)
        return OK;
    TRY(ticket_name(s, item->field, item->plain, &g.tk));
    return nz_vrs_gone_add(c, s->arena, &g);
}

/* A record and a ticket are one row at VRS whoever has them, and are told again under the new number; a subject is one row for each number. */
ERR nz_ch__moves_at_vrs(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *from, const struct nz_ch_side *side, const struct nz_ch_item *item,
                        const struct store_name *to)
{
    enum vrs_mark_kind kind;
    struct slice muni;
    if (!vrs_mark_kind_of(item->field, &kind, &muni))
        return OK;
    return kind == VRS_MARK_SUBJECT ? nz_ch__take_back(s, c, from, side, item) : nz_ch__mark_for_vrs(s, c, to, item->field);
}
