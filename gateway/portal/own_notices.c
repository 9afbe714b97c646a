/* POST /v1/portal/notices: what happened to the person's vaccination records, the newest first. */
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"
#include "gateway/vaccine/consequences.h"

enum { PLAIN_MAX = 64, ID_AT = 3 /* nt: */ };

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct shown { struct slice field; struct vaccine_notice n; };

struct own {
    struct citizen c;
    struct form form;
    struct judge judge;
    size_t n;
    struct shown list[VACCINE_NOTICES_MAX];
};

static ERR open_notice(const struct own *o, struct slice field, struct slice sealed, struct vaccine_notice *ret_n)
{
    struct buf plain;
    buf_init(&plain, PLAIN_MAX);
    struct err e = store_open(o->c.a.env->store, SLICE_NONE, &o->c.ps.person, field, sealed, &plain);
    if (err_ok(e))
        e = vaccine_notice_decode(buf_slice(&plain), ret_n);
    buf_done(&plain);
    return e;
}

static ERR take(struct own *o, const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash) && o->n < VACCINE_NOTICES_MAX; i += 2) {
        struct shown *s = &o->list[o->n];
        s->field = redis_reply_str(redis_reply_at(hash, i));
        if (!vaccine_notice_field_is(s->field))
            continue;
        TRY(open_notice(o, s->field, redis_reply_str(redis_reply_at(hash, i + 1)), &s->n));
        o->n += !judge_has_ended(&o->judge, ARR(s->n.muni));
    }
    return OK;
}

static int newest(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return x->n.at_ms < y->n.at_ms ? 1 : x->n.at_ms > y->n.at_ms ? -1 : 0;
}

static void write_notice(struct jsonw *w, const struct shown *s)
{
    static const char *const EVENTS[] = { [VACCINE_RECORDED] = "immunization_recorded", [VACCINE_CORRECTED] = "immunization_corrected",
                                          [VACCINE_CANCELLED] = "immunization_cancelled" };
    char at[24];
    struct buf text;
    buf_init(&text, 2 * IMMUN_ID_BYTES + 8);
    clock_format_utc(s->n.at_ms, at);
    jsonw_object(w, NULL);
    jsonw_str(w, "noticeId", slice_of(s->field.p + ID_AT, s->field.n - ID_AT));
    jsonw_cstr(w, "event", EVENTS[s->n.what]);
    jsonw_str(w, "occurredAt", ARR(at));
    jsonw_str(w, "municipalityCode", ARR(s->n.muni));
    buf_hex(&text, ARR(s->n.id));
    jsonw_str(w, "immunizationId", buf_slice(&text));
    buf_reset(&text);
    buf_u64(&text, s->n.version);
    jsonw_str(w, "version", buf_slice(&text));
    jsonw_end_object(w);
    buf_done(&text);
}

static ERR give(struct own *o, const struct redis_reply *hash)
{
    struct citizen *c = &o->c;
    struct jsonw w;
    TRY(judge_heard(&o->judge, c->a.env->store, &c->ps.person, clock_date_jst(citizen_now_ms(c)), hash));
    if (!judge_lives(&o->judge, hash))
        return FAIL(E_NOTHING);
    TRY(take(o, hash));
    qsort(o->list, o->n, sizeof o->list[0], newest);
    jsonw_init(&w, req_out(c->a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "notices");
    for (size_t i = 0; i < o->n; i++)
        write_notice(&w, &o->list[i]);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    c->a.rec.count = (uint32_t)o->n;
    return buf_check(req_out(c->a.r));
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? give((struct own *)c, hash) : e);
}

void portal_own_notices(struct req *r)
{
    struct own *o = access_new(r, sizeof *o);
    if (o && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &o->form))
        citizen_find(&o->c, r, AU_OWN_NOTICES_READ, o->form.pseudonym.text, on_person);
}
