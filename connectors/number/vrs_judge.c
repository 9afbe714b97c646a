#include <stdlib.h>

#include "connectors/number/vrs.h"
#include "gateway/base/text.h"
#include "gateway/check/field.h"
#include "keys/registration/number_inside.h"
#include "keys/tag/tag.h"

enum { RECORDS_MAX = 100, TEXT_MAX = 500, ID_HEX = 32 };

/* The persons of the question, sorted by tag. */
struct slot {
    struct nz_tag tag;
    struct nz_vrs_person *person;
    bool seen;
};

struct judge {
    const struct nz_vrs_ask *ask;
    struct nz_pool *pool;
    struct nz_tagger *tagger;
    struct slot *slots;
    bool strange; /* somebody else's number, one that is none, or one twice */
};

static int by_tag(const void *a, const void *b) { return nz_tag_order(&((const struct slot *)a)->tag, &((const struct slot *)b)->tag); }

static struct slice text_of(json_t *obj, const char *name)
{
    json_t *v = json_object_get(obj, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static bool says(json_t *obj, const char *name, struct slice what) { return json_is_string(json_object_get(obj, name)) && slice_eq(text_of(obj, name), what); }

/* ---- one record ---- */

enum kind { K_TEXT = 1, K_FLAG = 2, K_NEEDED = 4 };

static const struct { const char *name; unsigned kind; } MEMBERS[] = {
    { "immunizationId", K_TEXT | K_NEEDED }, { "version", K_TEXT | K_NEEDED }, { "status", K_TEXT | K_NEEDED },
    { "municipalityCode", K_TEXT | K_NEEDED }, { "vaccinationProgramId", K_TEXT | K_NEEDED }, { "doseNumber", K_TEXT | K_NEEDED },
    { "vaccinationDate", K_TEXT | K_NEEDED }, { "ticketNumber", K_TEXT }, { "gtin", K_TEXT }, { "vaccineName", K_TEXT }, { "productName", K_TEXT },
    { "manufacturer", K_TEXT }, { "lotNumber", K_TEXT }, { "expirationDate", K_TEXT }, { "doseQuantity", K_TEXT }, { "doseUnit", K_TEXT },
    { "site", K_TEXT }, { "route", K_TEXT }, { "medicalInstitutionCode", K_TEXT }, { "doctorName", K_TEXT }, { "place", K_TEXT },
    { "implementationSegment", K_TEXT }, { "vaccinationSegment", K_TEXT }, { "isConsented", K_FLAG }, { "isOverseas", K_FLAG },
    { "isCautionRequired", K_FLAG }, { "specialCircumstances", K_TEXT }, { "recordedAt", K_TEXT }, { "updatedAt", K_TEXT }, { "reason", K_TEXT },
};
enum { N_MEMBERS = sizeof MEMBERS / sizeof MEMBERS[0] };

static bool value_ok(json_t *v, unsigned kind)
{
    if (json_is_string(v))
        return (kind & K_TEXT) && json_string_length(v) <= 4 * TEXT_MAX && field_text_ok(slice_of(json_string_value(v), json_string_length(v)));
    return json_is_boolean(v) && (kind & K_FLAG);
}

static bool members_ok(json_t *obj)
{
    size_t found = 0;
    for (size_t i = 0; i < N_MEMBERS; i++) {
        json_t *v = json_object_get(obj, MEMBERS[i].name);
        if (v ? !value_ok(v, MEMBERS[i].kind) : (MEMBERS[i].kind & K_NEEDED) != 0)
            return false;
        found += v != NULL;
    }
    return found == json_object_size(obj);
}

static bool record_ok(const struct judge *j, json_t *obj)
{
    uint8_t id[ID_HEX / 2];
    ymd_t day;
    return json_is_object(obj) && members_ok(obj) && says(obj, "municipalityCode", ARR(j->ask->provider)) &&
           hex_decode(text_of(obj, "immunizationId"), id, sizeof id) && ymd_parse(text_of(obj, "vaccinationDate"), &day) &&
           (says(obj, "status", LIT("completed")) || says(obj, "status", LIT("cancelled")));
}

static int dump_to(const char *bytes, size_t n, void *arg)
{
    buf_put(arg, slice_of(bytes, n));
    return 0;
}

/* The person's own number is looked for everywhere; any other beside the ids, which are random and have twelve digits in a row now and then.
 * Takes the ids out of the list. */
static ERR number_in(const struct judge *j, const struct nz_vrs_person *p, json_t *list, bool *ret)
{
    size_t i;
    json_t *obj;
    struct buf rest;
    TRY(nz_number_inside(buf_slice(&p->json), p->number, NZ_INSIDE_OWN, j->pool, ret));
    if (*ret)
        return OK;
    buf_init(&rest, NZ_VRS_JSON_MAX);
    json_array_foreach (list, i, obj)
        json_object_del(obj, "immunizationId");
    struct err e = json_dump_callback(list, dump_to, &rest, JSON_COMPACT) == 0 && !rest.failed ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_number_inside(buf_slice(&rest), p->number, NZ_INSIDE_ANY, j->pool, ret);
    buf_done(&rest);
    return e;
}

/* ---- one person ---- */

/* The list, as it will be kept: each record by its table, no individual number anywhere in it. */
static ERR take_records(const struct judge *j, struct nz_vrs_person *p, json_t *list)
{
    size_t i;
    json_t *obj;
    bool number = false, good = json_array_size(list) <= RECORDS_MAX;
    p->outcome = NZ_VRS_QUARANTINE;
    json_array_foreach (list, i, obj)
        good = good && record_ok(j, obj);
    if (!good)
        return OK;
    if (json_array_size(list) == 0) {
        p->outcome = NZ_VRS_NOTHING;
        return OK;
    }
    if (json_dump_callback(list, dump_to, &p->json, JSON_COMPACT) != 0 || p->json.failed) {
        buf_reset(&p->json);
        return p->json.full ? OK : FAIL(E_NOMEM);
    }
    TRY(number_in(j, p, list, &number));
    if (number) {
        buf_reset(&p->json);
        return OK;
    }
    p->records = (uint32_t)json_array_size(list);
    p->outcome = NZ_VRS_FOUND;
    return OK;
}

/* The first slot of a number; NULL when it was not asked for. */
static struct slot *find(const struct judge *j, const struct nz_tag *tag)
{
    struct slot key = { .tag = *tag };
    struct slot *s = bsearch(&key, j->slots, j->ask->n, sizeof *j->slots, by_tag);
    while (s && s > j->slots && by_tag(s - 1, &key) == 0)
        s--;
    return s;
}

/* A number that was asked for twice has one answer. */
static void copy_to_twins(const struct judge *j, const struct slot *first)
{
    for (const struct slot *s = first + 1; s < j->slots + j->ask->n && by_tag(s, first) == 0; s++) {
        s->person->outcome = first->person->outcome;
        s->person->records = first->person->records;
        buf_reset(&s->person->json);
        buf_put(&s->person->json, buf_slice(&first->person->json));
    }
}

static ERR take_person(struct judge *j, json_t *obj)
{
    struct slice number = text_of(obj, "myNumber");
    json_t *list = json_object_get(obj, "immunizations");
    struct nz_tag tag;
    if (number.n != NZ_MYNUM_DIGITS || !all_digits(number)) {
        j->strange = true;
        return OK;
    }
    TRY(nz_tag_digits(j->tagger, number, &tag));
    struct slot *s = find(j, &tag);
    if (!s || s->seen) {
        j->strange = true;
        return OK;
    }
    s->seen = true;
    s->person->outcome = NZ_VRS_QUARANTINE;
    if (json_object_size(obj) == 2 && json_is_array(list))
        TRY(take_records(j, s->person, list));
    copy_to_twins(j, s);
    return OK;
}

static ERR index_persons(struct judge *j)
{
    TRY(nz_tagger_new(&j->tagger));
    for (size_t i = 0; i < j->ask->n; i++) {
        j->slots[i].person = &j->ask->person[i];
        TRY(nz_tag_number(j->tagger, j->ask->person[i].number, &j->slots[i].tag));
    }
    qsort(j->slots, j->ask->n, sizeof *j->slots, by_tag);
    return OK;
}

static void all_are(const struct nz_vrs_ask *ask, enum nz_vrs_outcome o)
{
    for (size_t i = 0; i < ask->n; i++) {
        ask->person[i].outcome = o;
        ask->person[i].records = 0;
        buf_reset(&ask->person[i].json);
    }
}

static ERR judge_reply(struct judge *j, json_t *reply)
{
    json_t *persons = json_object_get(reply, "persons"), *obj;
    size_t i;
    if (json_object_size(reply) != 3 || !json_is_array(persons) || !says(reply, "requestId", ARR(j->ask->id)) ||
        !says(reply, "providerMunicipalityCode", ARR(j->ask->provider)))
        return FAIL(E_UPSTREAM_BAD);
    TRY(index_persons(j));
    json_array_foreach (persons, i, obj)
        TRY(take_person(j, obj));
    if (j->strange)
        all_are(j->ask, NZ_VRS_QUARANTINE);
    return OK;
}

static ERR judge_body(struct judge *j, struct arena *a, struct slice body)
{
    json_t *reply;
    struct err e = json_in_object(&reply, a, body);
    if (!err_ok(e))
        return err_is(e, E_NOMEM) ? e : FAIL(E_UPSTREAM_BAD);
    j->slots = calloc(j->ask->n, sizeof *j->slots);
    e = j->slots ? judge_reply(j, reply) : FAIL(E_NOMEM);
    nz_tagger_free(j->tagger);
    free(j->slots);
    return e;
}

struct err nz_vrs_judge(const struct nz_vrs_ask *ask, struct nz_pool *pool, struct slice body, bool *ret_strange)
{
    struct judge j = { .ask = ask, .pool = pool };
    all_are(ask, NZ_VRS_WAITS);
    struct arena *a = arena_new(4096); /* holds the hook that frees the JSON */
    struct err e = a ? judge_body(&j, a, body) : FAIL(E_NOMEM);
    arena_free(a);
    if (!err_ok(e))
        all_are(ask, NZ_VRS_WAITS);
    *ret_strange = err_ok(e) && j.strange;
    return e;
}

static int by_code(const void *a, const void *b) { return strncmp(a, b, 6); } /* digits */

static ERR munis_of(json_t *reply, char (*munis)[6], size_t max, size_t *ret_n)
{
    json_t *list = json_object_get(reply, "municipalities"), *v;
    size_t i, n = 0;
    if (json_object_size(reply) != 1 || !json_is_array(list) || json_array_size(list) > max)
        return FAIL(E_UPSTREAM_BAD);
    json_array_foreach (list, i, v) {
        struct slice code = json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
        if (code.n != 6 || !all_digits(code) || !check_muni(code))
            return FAIL(E_UPSTREAM_BAD);
        memcpy(munis[n++], code.p, 6);
    }
    qsort(munis, n, sizeof *munis, by_code);
    for (i = 1; i < n; i++) /* told twice, it would be asked twice */
        if (by_code(munis[i - 1], munis[i]) == 0)
            return FAIL(E_UPSTREAM_BAD);
    *ret_n = n;
    return OK;
}

struct err nz_vrs_judge_munis(struct slice body, char (*ret_munis)[6], size_t max, size_t *ret_n)
{
    json_t *reply;
    struct arena *a = arena_new(4096);
    struct err e = a ? json_in_object(&reply, a, body) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = munis_of(reply, ret_munis, max, ret_n);
    else if (!err_is(e, E_NOMEM))
        e = FAIL(E_UPSTREAM_BAD);
    arena_free(a);
    return e;
}
