#include "keys/console/gauges.h"

#include <string.h>

#include "gateway/base/text.h"

static const char *const DAEMONS[NZ_DAEMON__MAX] = {
    [NZ_DAEMON_VAULT] = "vault", [NZ_DAEMON_AUDIT] = "audit", [NZ_DAEMON_SIGNER] = "signer",
    [NZ_DAEMON_INTAKE] = "intake", [NZ_DAEMON_FRONT] = "front", [NZ_DAEMON_COURIER] = "courier",
};
const char *nz_daemon_name(enum nz_daemon d) { return DAEMONS[d]; }

/* The value of a label: key="value". */
static struct slice label(struct slice text, const char *key)
{
    char word[NZ_GAUGE_WORD];
    const int n = snprintf(word, sizeof word, "%s=\"", key);
    for (const uint8_t *at = text.p, *end = text.p + text.n; (at = memmem(at, (size_t)(end - at), word, (size_t)n)); at++) {
        const uint8_t *from = at + n, *quote = memchr(from, '"', (size_t)(end - from));
        if (quote && (at[-1] == '{' || at[-1] == ',')) /* a name stands before */
            return slice_of(from, (size_t)(quote - from));
    }
    return SLICE_NONE;
}

static bool keep(char to[static NZ_GAUGE_WORD], struct slice word)
{
    if (word.n == 0 || word.n >= NZ_GAUGE_WORD)
        return false;
    memcpy(to, word.p, word.n);
    to[word.n] = '\0';
    return true;
}

/* ---- one family each ---- */

struct taking { struct nz_gauges *g; struct slice text; uint64_t v; };

static enum nz_daemon daemon_of(const struct taking *t)
{
    const struct slice name = label(t->text, "daemon");
    int d = 0;
    while (d < NZ_DAEMON__MAX && !slice_eq(name, slice_str(DAEMONS[d])))
        d++;
    return (enum nz_daemon)d;
}

static struct nz_gauge_muni *muni_of(const struct taking *t)
{
    const struct slice code = label(t->text, "municipality");
    if (code.n != 6 || !all_digits(code))
        return NULL;
    for (size_t i = 0; i < t->g->n_munis; i++)
        if (slice_eq(ARR(t->g->munis[i].code), code))
            return &t->g->munis[i];
    if (t->g->n_munis == NZ_GAUGE_MUNIS)
        return NULL;
    struct nz_gauge_muni *m = &t->g->munis[t->g->n_munis++];
    memcpy(m->code, code.p, sizeof m->code);
    return m;
}

static void take_up(const struct taking *t)
{
    const enum nz_daemon d = daemon_of(t);
    if (d < NZ_DAEMON__MAX)
        t->g->up[d] = t->v;
}

static void take_started(const struct taking *t)
{
    const enum nz_daemon d = daemon_of(t);
    if (d < NZ_DAEMON__MAX)
        t->g->started_s[d] = t->v;
}

static void take_end(const struct taking *t)
{
    struct nz_gauge_end *e = t->g->n_ends < NZ_GAUGE_ENDS ? &t->g->ends[t->g->n_ends] : NULL;
    if (e && t->v && keep(e->daemon, label(t->text, "daemon")) && keep(e->setting, label(t->text, "setting"))) {
        e->end_s = t->v;
        t->g->n_ends++;
    }
}

static void take_rows(const struct taking *t)
{
    struct nz_gauge_muni *m = muni_of(t);
    const struct slice result = label(t->text, "result");
    for (int c = NZ_HOUR_REGISTERED; m && c <= NZ_HOUR_QUARANTINED; c++)
        if (slice_eq(result, slice_str(nz_hour_name((enum nz_hour_count)c))))
            m->totals.n[c] += t->v;
}

static void take_told(const struct taking *t)
{
    struct nz_gauge_muni *m = muni_of(t);
    if (m)
        m->totals.n[slice_eq(label(t->text, "caller"), LIT("clinic")) ? NZ_HOUR_TOLD_CLINIC : NZ_HOUR_TOLD_CITIZEN] += t->v;
}

static void take_refused(const struct taking *t)
{
    struct nz_gauge_muni *m = muni_of(t);
    if (m)
        m->totals.n[NZ_HOUR_TURNED_AWAY] += t->v;
}

static void take_since(const struct taking *t)
{
    struct nz_gauge_muni *m = muni_of(t);
    if (m)
        m->since_s = t->v;
}

/* Of several daemons: the first end, the oldest list, the most that are missing. */
static void first_of(uint64_t *at, uint64_t v) { *at = v && (!*at || v < *at) ? v : *at; }
static void take_lists_end(const struct taking *t) { first_of(&t->g->lists_end_s, t->v); }
static void take_lists_made(const struct taking *t) { first_of(&t->g->lists_made_s, t->v); }
static void take_lists_missing(const struct taking *t) { t->g->lists_missing = t->v > t->g->lists_missing ? t->v : t->g->lists_missing; }

static void take_disk(const struct taking *t)
{
    t->g->disk_hours = t->v;
    t->g->has_disk = true;
}

static void take_waiting(const struct taking *t) { t->g->notices_waiting = t->v; }
static void take_behind(const struct taking *t) { t->g->notices_behind_s = t->v; }
static void take_dead(const struct taking *t) { t->g->notices_dead = t->v; }
static void take_vrs(const struct taking *t) { t->g->vrs_waiting = t->v; }
static void take_vrs_dead(const struct taking *t) { t->g->vrs_not_taken = t->v; }

static const struct { const char *family; void (*take)(const struct taking *t); } FAMILIES[] = {
    { "pmhgw_up", take_up }, { "pmhgw_start_time_seconds", take_started }, { "pmhgw_certificate_end_time_seconds", take_end },
    { "pmhgw_rows_total", take_rows }, { "pmhgw_told_total", take_told }, { "pmhgw_municipal_refused_total", take_refused },
    { "pmhgw_waiting_since_seconds", take_since }, { "pmhgw_revocation_list_end_time_seconds", take_lists_end },
    { "pmhgw_revocation_list_made_time_seconds", take_lists_made }, { "pmhgw_revocation_lists_missing", take_lists_missing },
    { "pmhgw_audit_disk_hours", take_disk }, { "pmhgw_notices_waiting", take_waiting }, { "pmhgw_notices_behind_seconds", take_behind },
    { "pmhgw_notices_dead", take_dead }, { "pmhgw_vrs_waiting", take_vrs }, { "pmhgw_vrs_not_taken", take_vrs_dead },
};

void nz_gauges_take(void *g, const struct metrics_series *s)
{
    const uint8_t *brace = s->text.n ? memchr(s->text.p, '{', s->text.n) : NULL;
    const struct slice family = slice_of(s->text.p, brace ? (size_t)(brace - s->text.p) : 0);
    const struct taking t = { g, s->text, s->values[0] };
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        if (slice_eq(family, slice_str(FAMILIES[i].family)))
            FAMILIES[i].take(&t);
}

const struct nz_gauge_muni *nz_gauges_muni(const struct nz_gauges *g, const char muni[static 6])
{
    for (size_t i = 0; i < g->n_munis; i++)
        if (slice_eq(ARR(g->munis[i].code), slice_of(muni, 6)))
            return &g->munis[i];
    return NULL;
}
