/* The municipalities of VRS, who lived where, and how long an answer takes. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/field.h"
#include "mocks/vrs.h"

enum { PREFECTURES = 47, FIRST_OF_PREFECTURE = 100, DOSES_MAX = 4, PERMILLE = 1000 };

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t hash_of(uint64_t seed, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        seed = mix(seed ^ s.p[i]);
    return seed;
}

/* ---- municipalities ---- */

/* Codes as real ones are formed: prefecture, a running number, check digit. Which numbers are in use is not copied from any list. */
static void code_make(unsigned prefecture, unsigned running, char out[static 7])
{
    static const unsigned WEIGHTS[] = { 6, 5, 4, 3, 2 };
    unsigned sum = 0;
    snprintf(out, 7, "%02u%03u", prefecture % 100, running % 1000);
    for (unsigned i = 0; i < 5; i++)
        sum += WEIGHTS[i] * (unsigned)(out[i] - '0');
    out[5] = (char)('0' + (11 - sum % 11) % 10);
    out[6] = '\0';
}

/* A normal deviate of a seed: the sum of uniform ones. */
static double normal(uint64_t seed)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        seed = mix(seed);
        sum += (double)(seed >> 11) / (double)(UINT64_C(1) << 53);
    }
    return sum - 6;
}

/* A few are slow, very few are away or in their nightly maintenance. */
static void habits(struct vrs *v, struct vrs_muni *m)
{
    const uint64_t h = hash_of(v->seed ^ 0x6861626974ULL, slice_str(m->code)), draw = h % PERMILLE;
    m->latency_ms = (uint32_t)fmin(4000, fmax(30, 250 * exp(0.7 * normal(h))));
    if (draw < 15)
        m->latency_ms = 4000 + (uint32_t)(h >> 20) % 4000;
    m->dead = draw >= 15 && draw < 18;
    m->maintenance = draw >= 18 && draw < 20;
}

struct vrs_muni *vrs_muni_of(struct vrs *v, struct slice code)
{
    for (size_t i = 0; i < v->n_munis; i++)
        if (slice_eq(slice_of(v->muni[i].code, 6), code))
            return &v->muni[i];
    return NULL;
}

struct vrs_muni *vrs_muni_add(struct vrs *v, struct slice code)
{
    struct vrs_muni *m = vrs_muni_of(v, code);
    if (m || code.n != 6 || !all_digits(code) || !check_muni(code) || v->n_munis == VRS_MUNIS_MAX)
        return m;
    m = &v->muni[v->n_munis++];
    memcpy(m->code, code.p, 6);
    return m;
}

ERR vrs_new(struct vrs **ret_v)
{
    struct vrs *v = calloc(1, sizeof *v);
    if (!v)
        return FAIL(E_NOMEM);
    v->seed = 20211221;
    for (unsigned k = 0; v->n_munis < VRS_MUNIS; k++) {
        struct vrs_muni *m = &v->muni[v->n_munis];
        code_make(k % PREFECTURES + 1, FIRST_OF_PREFECTURE + k / PREFECTURES, m->code);
        if (!check_muni(slice_str(m->code)))
            continue;
        habits(v, m);
        v->n_munis++;
    }
    *ret_v = v;
    return OK;
}

void vrs_free(struct vrs *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n_munis; i++)
        free(v->muni[i].door);
    for (size_t i = 0; i < v->planted_cap; i++)
        free(v->planted[i].json);
    if (v->planted)
        explicit_bzero(v->planted, v->planted_cap * sizeof *v->planted);
    free(v->planted);
    vrs_told_free(v);
    free(v);
}

uint64_t vrs_latency(struct vrs *v, const struct vrs_muni *m)
{
    if (!v->realistic)
        return 0;
    const uint64_t h = hash_of(v->seed ^ ++v->draws, slice_str(m->code));
    return (uint64_t)fmin(30000, fmax(5, m->latency_ms * exp(0.4 * normal(h))));
}

/* ---- persons ---- */

const struct vrs_muni *vrs_home(const struct vrs *v, struct slice number) { return &v->muni[hash_of(v->seed, number) % VRS_MUNIS]; }

static void dose_write(struct jsonw *w, const char code[static 6], uint64_t h, unsigned dose)
{
    char text[40];
    jsonw_object(w, NULL);
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)mix(h), (unsigned long long)mix(h + dose));
    jsonw_cstr(w, "immunizationId", text);
    jsonw_cstr(w, "version", "1");
    jsonw_cstr(w, "status", "completed");
    jsonw_str(w, "municipalityCode", slice_of(code, 6));
    jsonw_cstr(w, "vaccinationProgramId", "covid19");
    snprintf(text, sizeof text, "%u", dose);
    jsonw_cstr(w, "doseNumber", text);
    snprintf(text, sizeof text, "2021-%02u-%02u", (unsigned)(h % 3) + 3 * dose - 2, (unsigned)((h >> 8) % 28) + 1);
    jsonw_cstr(w, "vaccinationDate", text);
    snprintf(text, sizeof text, "%010llu", (unsigned long long)(mix(h ^ dose) % UINT64_C(10000000000)));
    jsonw_cstr(w, "ticketNumber", text);
    snprintf(text, sizeof text, "EW%04u", (unsigned)(mix(h + 7 * dose) % 10000));
    jsonw_cstr(w, "lotNumber", text);
    jsonw_cstr(w, "manufacturer", h & 1 ? "ファイザー" : "武田/モデルナ");
    jsonw_cstr(w, "place", "集団接種会場");
    jsonw_bool(w, "isConsented", true);
    jsonw_bool(w, "isOverseas", false);
    jsonw_bool(w, "isCautionRequired", false);
    jsonw_cstr(w, "recordedAt", "2021-12-20T00:00:00.000Z");
    jsonw_end_object(w);
}

static void doses_derive(const struct vrs *v, struct slice number, const char code[static 6], struct buf *out)
{
    struct jsonw w;
    const uint64_t h = hash_of(v->seed ^ 0x646f736573ULL, number);
    jsonw_init(&w, out);
    jsonw_array(&w, NULL);
    for (unsigned dose = 1; dose <= h % DOSES_MAX + 1; dose++)
        dose_write(&w, code, h, dose);
    jsonw_end_array(&w);
}

static size_t place_of(const struct vrs *v, struct slice number, struct slice code)
{
    size_t at = hash_of(hash_of(1, number), code) & (v->planted_cap - 1);
    while (v->planted[at].json && !(slice_eq(ARR(v->planted[at].number), number) && slice_eq(ARR(v->planted[at].code), code)))
        at = (at + 1) & (v->planted_cap - 1);
    return at;
}

static ERR planted_grow(struct vrs *v)
{
    struct vrs bigger = { .planted_cap = v->planted_cap ? 2 * v->planted_cap : 1024 };
    if (2 * (v->n_planted + 1) <= v->planted_cap)
        return OK;
    if (v->n_planted >= VRS_PLANTED_MAX || !(bigger.planted = calloc(bigger.planted_cap, sizeof *bigger.planted)))
        return FAIL(v->n_planted >= VRS_PLANTED_MAX ? E_FULL : E_NOMEM);
    for (size_t i = 0; i < v->planted_cap; i++)
        if (v->planted[i].json)
            bigger.planted[place_of(&bigger, ARR(v->planted[i].number), ARR(v->planted[i].code))] = v->planted[i];
    if (v->planted)
        if (v->planted)
        explicit_bzero(v->planted, v->planted_cap * sizeof *v->planted);
    free(v->planted);
    v->planted = bigger.planted;
    v->planted_cap = bigger.planted_cap;
    return OK;
}

ERR vrs_plant(struct vrs *v, struct slice number, struct slice code, struct slice json)
{
    struct buf doses;
    TRY(planted_grow(v));
    buf_init(&doses, 256 * 1024);
    if (json.n)
        buf_put(&doses, json);
    else
        doses_derive(v, number, (const char *)code.p, &doses);
    struct vrs_planted *p = &v->planted[place_of(v, number, code)];
    char *text = doses.failed ? NULL : strndup((const char *)doses.p, doses.n);
    buf_done(&doses);
    if (!text)
        return FAIL(E_NOMEM);
    v->n_planted += !p->json;
    free(p->json);
    memcpy(p->number, number.p, sizeof p->number);
    memcpy(p->code, code.p, sizeof p->code);
    p->json = text;
    return OK;
}

bool vrs_records(struct vrs *v, struct slice number, const struct vrs_muni *m, struct buf *out)
{
    const struct vrs_planted *p = v->planted_cap ? &v->planted[place_of(v, number, slice_of(m->code, 6))] : NULL;
    if (p && p->json) {
        buf_puts(out, p->json);
        return true;
    }
    if (vrs_home(v, number) != m)
        return false;
    doses_derive(v, number, m->code, out);
    return true;
}
