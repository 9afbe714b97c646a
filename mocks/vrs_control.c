/* What of VRS is switched and asked on the control door. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/vrs.h"

enum { NUMBER_DIGITS = 12, STATE_MAX = 1 << 20, DOSES_JSON_MAX = 200 * 1024 };

static struct vrs *vrs_of(struct req *r) { return ((struct nation *)req_ctx(r))->vrs; }

static struct err number_of(json_t *obj, struct slice *ret)
{
    return member_text(obj, "myNumber", NUMBER_DIGITS, ret) && ret->n == NUMBER_DIGITS && all_digits(*ret) ? OK : FAIL(E_FIELD);
}

static struct err plant_one(struct vrs *v, json_t *obj)
{
    struct slice number, code;
    json_t *doses = json_object_get(obj, "immunizations");
    TRY(number_of(obj, &number));
    if (!member_text(obj, "municipalityCode", 6, &code) || !vrs_muni_add(v, code) || (doses && !json_is_array(doses)))
        return FAIL(E_FIELD);
    char *json = doses ? json_dumps(doses, JSON_COMPACT) : NULL;
    struct err e = doses && (!json || strlen(json) > DOSES_JSON_MAX) ? FAIL(E_FULL) : vrs_plant(v, number, code, json ? slice_str(json) : SLICE_NONE);
    free(json);
    return e;
}

/* [{"myNumber","municipalityCode","immunizations":[…] or absent}] */
void vrs_plant_post(struct req *r)
{
    json_t *rows, *row;
    size_t i;
    struct err e = json_in_array(&rows, req_arena(r), req_body(r));
    if (err_ok(e)) {
        json_array_foreach (rows, i, row)
            if (err_ok(e))
                e = plant_one(vrs_of(r), row);
    }
    control_end(r, e);
}

/* {"myNumber"} → {"municipalityCode"}: where everybody who was not planted comes from. */
void vrs_home_post(struct req *r)
{
    json_t *obj;
    struct slice number;
    struct err e = json_in_object(&obj, req_arena(r), req_body(r));
    if (err_ok(e))
        e = number_of(obj, &number);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct jsonw w;
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "municipalityCode", vrs_home(vrs_of(r), number)->code);
    jsonw_end_object(&w);
    req_json(r, 200, buf_slice(req_out(r)));
}

/* {"latency":"realistic" or "none"} */
void vrs_settings_put(struct req *r)
{
    json_t *obj;
    struct slice latency = SLICE_NONE;
    struct err e = json_in_object(&obj, req_arena(r), req_body(r));
    if (err_ok(e) && !member_text(obj, "latency", 16, &latency))
        e = FAIL(E_FIELD);
    if (err_ok(e))
        vrs_of(r)->realistic = slice_eq(latency, LIT("realistic"));
    control_end(r, e);
}

/* {"municipalityCode","latency_ms","dead","maintenance"}: of this one, whatever the settings are; what is left out is none. */
void vrs_behaviour_put(struct req *r)
{
    json_t *obj, *ms;
    struct slice code = SLICE_NONE;
    struct vrs_muni *m = NULL;
    struct err e = json_in_object(&obj, req_arena(r), req_body(r));
    if (err_ok(e) && (!member_text(obj, "municipalityCode", 6, &code) || !(m = vrs_muni_add(vrs_of(r), code))))
        e = FAIL(E_FIELD);
    if (err_ok(e)) {
        ms = json_object_get(obj, "latency_ms");
        m->set_latency_ms = json_is_integer(ms) && json_integer_value(ms) >= 0 && json_integer_value(ms) <= 120000 ? (uint32_t)json_integer_value(ms) : 0;
        m->set_dead = json_is_true(json_object_get(obj, "dead"));
        m->set_maintenance = json_is_true(json_object_get(obj, "maintenance"));
    }
    control_end(r, e);
}

/* {"municipalityCode","door":"https://…"}: that gateway answers for this municipality. */
void vrs_gateway_post(struct req *r)
{
    json_t *obj;
    struct slice code = SLICE_NONE, door = SLICE_NONE;
    struct vrs_muni *m = NULL;
    struct err e = json_in_object(&obj, req_arena(r), req_body(r));
    if (err_ok(e) && (!member_text(obj, "municipalityCode", 6, &code) || !member_text(obj, "door", VRS_DOOR_MAX, &door) || !(m = vrs_muni_add(vrs_of(r), code))))
        e = FAIL(E_FIELD);
    char *copy = err_ok(e) ? strndup((const char *)door.p, door.n) : NULL;
    if (err_ok(e) && !copy)
        e = FAIL(E_NOMEM);
    if (err_ok(e)) {
        free(m->door);
        m->door = copy;
    }
    control_end(r, e);
}

/* Who was asked, and how many persons each municipality was told of. */
void vrs_state_get(struct req *r)
{
    const struct vrs *v = vrs_of(r);
    struct buf body;
    struct jsonw w;
    buf_init(&body, STATE_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "municipalities", v->n_munis);
    jsonw_u64(&w, "requests", v->requests);
    jsonw_u64(&w, "persons", v->persons);
    jsonw_object(&w, "asked");
    for (size_t i = 0; i < v->n_munis; i++) {
        if (!v->muni[i].requests)
            continue;
        jsonw_object(&w, v->muni[i].code);
        jsonw_u64(&w, "requests", v->muni[i].requests);
        jsonw_u64(&w, "persons", v->muni[i].persons);
        jsonw_u64(&w, "learned", v->muni[i].learned);
        jsonw_end_object(&w);
    }
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    control_answer(r, &body);
}
