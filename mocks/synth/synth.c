#include "mocks/synth/synth.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "mocks/synth/digits.h"
#include "mocks/synth/household.h"
#include "mocks/synth/program.h"

enum { NUMBERS = 100 * 1000 * 1000, SERIALS = 1 << 28, RECIPIENTS = 1000 * 1000 };
/* A municipality of any size shows what the demonstration needs: the first residents hold valid certificates, one of them is not disclosed. */
enum { ALWAYS_VALID = 50, ALWAYS_SILENT = 7 };
/* Out of 1000 children or certificates. */
enum { SECOND_CERT = 40, ENDED = 10 };

struct synth {
    struct city generic;
    const struct city *city;
    struct prng prng;
    uint64_t count, at;
    uint64_t number_seed, serial_seed, recipient_seed;
    ymd_t on;
    bool distinct;
    bool (*name_ok)(void *ctx, const char *utf8);
    void *ctx;
    struct household home;
};

ERR synth_new(struct synth **ret_s, const struct synth_conf *conf)
{
    if (conf->muni.n != 6 || !all_digits(conf->muni))
        return FAIL(E_FIELD);
    if (conf->count < 1 || conf->count > SYNTH_COUNT_MAX)
        return FAIL(E_CONFIG);
    struct synth *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    s->city = city_of(conf->muni, &s->generic);
    s->count = conf->count;
    s->on = conf->on;
    s->distinct = conf->distinct;
    s->name_ok = conf->name_ok;
    s->ctx = conf->ctx;
    uint64_t code = strtoull(s->city->code, NULL, 10);
    prng_init(&s->prng, prng_mix(conf->seed) ^ code);
    s->number_seed = prng_mix(conf->seed ^ 1);
    s->serial_seed = prng_mix(conf->seed ^ 2);
    s->recipient_seed = prng_mix(conf->seed ^ 3) ^ code;
    *ret_s = s;
    return OK;
}

void synth_free(struct synth *s) { free(s); }

static void identifiers_fill(const struct synth *s, uint64_t i, struct synth_resident *r)
{
    r->number[0] = r->number[1] = '9';
    r->number[2] = (char)('0' + s->city->slot);
    digits_put(r->number + 3, 8, prng_scatter(s->number_seed, i, NUMBERS));
    r->number[11] = digits_check_mynumber(r->number);
    snprintf(r->serial, sizeof r->serial, "%X%07X", s->city->slot + 1, (unsigned)prng_scatter(s->serial_seed, i, SERIALS));
    digits_put(r->key, 10, 1000000 + i);
}

/* The same name is always replaced by the same one, so that a household keeps its own. */
static const struct name *writable(const struct synth *s, const struct name *wanted, const struct name *plain, unsigned n)
{
    size_t sum = 0;
    if (!s->name_ok || s->name_ok(s->ctx, wanted->text))
        return wanted;
    for (const char *c = wanted->text; *c; c++)
        sum = sum * 31 + (uint8_t)*c;
    for (size_t i = 0; i < n; i++)
        if (s->name_ok(s->ctx, plain[(sum + i) % n].text))
            return &plain[(sum + i) % n];
    return plain;
}

static void names_fill(const struct synth *s, const struct household *h, const struct member *m, struct synth_resident *r)
{
    bool boy = m->sex == '1';
    const struct name *family = writable(s, h->family, NAMES_FAMILY, NAMES_FAMILY_N);
    const struct name *given = writable(s, m->given, boy ? NAMES_BOY : NAMES_GIRL, boy ? NAMES_BOY_N : NAMES_GIRL_N);
    snprintf(r->name, sizeof r->name, "%s　%s", family->text, given->text);
    snprintf(r->kana, sizeof r->kana, "%s　%s", family->kana, given->kana);
    snprintf(r->address, sizeof r->address, "%s", h->address);
}

/* 法別2 + 都道府県2 + 実施機関3 + 検証1; the third part is the municipality's, 000 for schemes of the prefecture. */
static void payer_fill(const struct synth *s, const struct synth_program *p, char out[static 9])
{
    memcpy(out, p->law, 2);
    memcpy(out + 2, s->city->code, 2);
    memcpy(out + 4, p->national ? "000" : s->city->code + 2, 3);
    out[7] = digits_check_mod10(out, 7);
    out[8] = '\0';
}

static void cert_add(struct synth *s, enum program_id id, uint64_t i, struct synth_resident *r)
{
    const struct synth_program *p = &PROGRAMS[id];
    struct synth_cert *c = &r->certs[r->n_certs++];
    *c = (struct synth_cert){ .program = p, .name = p->name ? p->name : s->city->child };
    payer_fill(s, p, c->payer);
    digits_put(c->recipient, 6, prng_scatter(s->recipient_seed + (uint64_t)id, i % RECIPIENTS, RECIPIENTS));
    c->recipient[6] = digits_check_mod10(c->recipient, 6);
    ymd_t year_start = (s->on / 10000 - 1) * 10000 + 401;
    c->from = r->birth > year_start ? r->birth : year_start;
    bool child = ymd_school_year_end(r->birth, 18) >= s->on;
    c->to = child ? ymd_school_year_end(r->birth, 18) : (s->on / 10000 + 6) * 10000 + 731;
    ymd_t ended = ymd_from_days(ymd_to_days(s->on) - (int64_t)prng_between(&s->prng, 1, 300));
    if (prng_chance(&s->prng, ENDED) && i >= ALWAYS_VALID && ended >= c->from)
        c->to = ended;
}

static void certs_fill(struct synth *s, const struct member *m, uint64_t i, struct synth_resident *r)
{
    static const enum program_id FIRST[ROLE__MAX] = {
        [ROLE_CHILD] = PROG_CHILD, [ROLE_SINGLE_PARENT] = PROG_SINGLE_PARENT, [ROLE_SINGLE_CHILD] = PROG_SINGLE_PARENT, [ROLE_DISABLED] = PROG_DISABLED,
    };
    static const enum program_id SECOND[] = { PROG_IKUSEI, PROG_SHOMAN, PROG_SHOMAN };
    cert_add(s, FIRST[m->role], i, r);
    if (m->role == ROLE_SINGLE_PARENT || m->role == ROLE_DISABLED || !prng_chance(&s->prng, SECOND_CERT) || s->distinct)
        return;
    bool infant = ymd_to_days(s->on) - ymd_to_days(r->birth) < 365;
    cert_add(s, infant ? PROG_YOIKU : SECOND[prng_below(&s->prng, sizeof SECOND / sizeof *SECOND)], i, r);
}

bool synth_next(struct synth *s, struct synth_resident *ret_r)
{
    if (s->at == s->count)
        return false;
    while (s->home.next == s->home.n)
        household_fill(&s->home, &s->prng, s->city, s->on);
    uint64_t i = s->at++;
    const struct member *m = &s->home.members[s->home.next++];
    struct synth_resident *r = ret_r;
    *r = (struct synth_resident){ .birth = m->birth, .sex = m->sex, .not_disclosed = s->home.not_disclosed };
    if (i < ALWAYS_VALID)
        r->not_disclosed = i == ALWAYS_SILENT;
    identifiers_fill(s, i, r);
    names_fill(s, &s->home, m, r);
    certs_fill(s, m, i, r);
    return true;
}
