/* Provision to the vaccination database, in two steps: the history service (履歴照会回答システム) is asked for an ID5 of the person, and the database is told the dose
 * under it. The two are told nothing in common but the ID5: the service hears the message's id, the database the provision's, and no other name of person,
 * record, ticket or questionnaire. Texts that people write freely (doctor, place, circumstances) are not told. */
#include "connectors/open/say.h"

#include "gateway/base/text.h"

enum { ID5_MIN = 16, ANSWER_MAX = 1024, STATUS_MAX = 16 };

/* ---- the history service ---- */

static ERR ask(const struct open_case *c, struct arena *a, struct buf *body)
{
    struct jsonw w;
    (void)a;
    if (!c->pmh_key.n)
        return FAIL(E_FIELD);
    jsonw_init(&w, body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "requestId", c->id);
    jsonw_str(&w, "pmhKey", c->pmh_key);
    jsonw_cstr(&w, "purpose", "vaccination_database");
    return open_say_end(&w);
}

static bool id5_ok(struct slice s, struct slice pmh_key)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '-' && c != '_')
            return false;
    }
    return s.n >= ID5_MIN && !all_digits(s) && !slice_eq(s, pmh_key); /* what names the person elsewhere is no ID5 */
}

static enum open_verdict hear_id5(struct open_case *c, int status, struct slice answer, struct arena *a, enum open_reason *ret_why)
{
    struct open_member said[] = { { "requestId", NOTICE_HEX, SLICE_NONE }, { "id5", OPEN_ID5_MAX, SLICE_NONE } };
    const enum open_verdict v = open_judge_status(status, ret_why);
    if (v != OPEN_DELIVERED)
        return v;
    if (!open_hear(answer, a, said, 2))
        return open_never(OPEN_R_SHAPE, ret_why);
    if (!slice_eq(said[0].text, slice_str(c->id)))
        return open_never(OPEN_R_OTHER, ret_why);
    if (!id5_ok(said[1].text, c->pmh_key))
        return open_never(OPEN_R_SHAPE, ret_why);
    c->id5 = said[1].text;
    return OPEN_DELIVERED;
}

/* ---- the database ---- */

static void put_text(struct jsonw *w, const char *name, struct slice s)
{
    if (s.n)
        jsonw_str(w, name, s);
}

static void put_day(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void put_dose(struct jsonw *w, const struct immun *i)
{
    jsonw_str(w, "municipalityCode", ARR(i->muni));
    put_text(w, "vaccinationProgramId", i->program);
    open_say_number(w, "doseNumber", i->dose);
    put_day(w, "vaccinationDate", i->date);
    put_text(w, "gtin", i->gtin);
    put_text(w, "lotNumber", i->lot);
    put_day(w, "expirationDate", i->expiry);
    if (i->amount_ul)
        open_say_number(w, "doseMicrolitres", i->amount_ul);
    jsonw_bool(w, "isOverseas", i->overseas);
}

static ERR tell(const struct open_case *c, struct arena *a, struct buf *body)
{
    struct jsonw w;
    (void)a;
    if (!c->id5.n || !c->provision[0] || !c->rec || !c->n->version || c->n->version > c->rec->n_versions)
        return FAIL(E_FIELD);
    const struct immun *i = &c->rec->versions[c->n->version - 1];
    if (i->status == IMMUN_CANCELLED && !c->replaces[0])
        return FAIL(E_FIELD); /* nothing was told that could be taken back */
    jsonw_init(&w, body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "provisionId", c->provision);
    if (c->replaces[0])
        jsonw_cstr(&w, "replaces", c->replaces);
    jsonw_str(&w, "id5", c->id5);
    jsonw_cstr(&w, "status", i->status == IMMUN_CANCELLED ? "cancelled" : "completed");
    if (i->status == IMMUN_COMPLETED) {
        jsonw_object(&w, "immunization");
        put_dose(&w, i);
        jsonw_end_object(&w);
    }
    return open_say_end(&w);
}

enum { STATUS_UNKNOWN = 404 };

/* Only in so many words, about this provision: a 404 of whatever stands in between says nothing about what the database has. */
static bool says_unknown(const struct open_case *c, int status, struct slice answer, struct arena *a)
{
    struct open_member said[] = { { "provisionId", NOTICE_HEX, SLICE_NONE }, { "status", STATUS_MAX, SLICE_NONE } };
    return status == STATUS_UNKNOWN && c->replaces[0] && open_hear(answer, a, said, 2) && slice_eq(said[0].text, slice_str(c->provision)) &&
           slice_eq(said[1].text, LIT("unknown"));
}

static enum open_verdict hear_taken(struct open_case *c, int status, struct slice answer, struct arena *a, enum open_reason *ret_why)
{
    struct open_member said[] = { { "provisionId", NOTICE_HEX, SLICE_NONE }, { "status", STATUS_MAX, SLICE_NONE } };
    const enum open_verdict v = open_judge_status(status, ret_why);
    if (v != OPEN_DELIVERED)
        return says_unknown(c, status, answer, a) ? OPEN_UNKNOWN : v;
    if (!open_hear(answer, a, said, 2))
        return open_never(OPEN_R_SHAPE, ret_why);
    if (!slice_eq(said[0].text, slice_str(c->provision)))
        return open_never(OPEN_R_OTHER, ret_why);
    return slice_eq(said[1].text, LIT("accepted")) ? OPEN_DELIVERED : open_never(OPEN_R_SHAPE, ret_why);
}

const struct open_connector open_provision = {
    .kind = NOTICE_PROVISION, .n_steps = 2,
    .step = { { OPEN_ID5, "/id5", false, ANSWER_MAX, ask, hear_id5 }, { OPEN_DATABASE, "/provisions", false, ANSWER_MAX, tell, hear_taken } },
};
