#include "gateway/tls/freshness.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, WEEK_S = 7 * DAY_S };

int64_t crl_soon(const struct crl *c, int64_t now)
{
    static const int64_t BOUNDS[] = { HOUR_S, DAY_S, WEEK_S };
    const int64_t left = c->next_update - now, period = c->next_update - c->this_update;
    if (left < 0)
        return 0;
    if (period < (int64_t)2 * HOUR_S)
        return left < period / 2 ? period / 2 : 0;
    for (size_t i = 0; i < sizeof BOUNDS / sizeof BOUNDS[0]; i++)
        if (left < BOUNDS[i] && period >= 2 * BOUNDS[i])
            return BOUNDS[i];
    return 0;
}

bool freshness_look(struct freshness *f, unsigned place, const struct crl *held, int64_t now)
{
    const bool ended = held && now > held->next_update, turned = ended != f->ended;
    const int64_t soon = held ? crl_soon(held, now) : 0;
    const uint64_t left = soon ? (uint64_t)(held->next_update - now) : 0;
    f->ended = ended;
    if (ended && turned)
        LOG(ERROR, "revocation_list_ended", LF("issuer", place));
    if (soon && soon != f->said && soon <= HOUR_S)
        LOG(ERROR, "revocation_list_ends_soon", LF("issuer", place), LF("seconds", left), LF("within", (uint64_t)soon));
    else if (soon && soon != f->said)
        LOG(WARN, "revocation_list_ends_soon", LF("issuer", place), LF("seconds", left), LF("within", (uint64_t)soon));
    f->said = soon;
    return turned;
}

void freshness_numbers(struct freshness_numbers *ret_n, struct metrics *m)
{
    *ret_n = (struct freshness_numbers){ metrics_of(m, MF_LISTS_END, 0, NULL), metrics_of(m, MF_LISTS_MADE, 0, NULL), metrics_of(m, MF_LISTS_MISSING, 0, NULL) };
}

void freshness_tell(const struct freshness_numbers *to, const struct crl *const *held, size_t n, int64_t now)
{
    int64_t ends = INT64_MAX, made = INT64_MAX;
    uint64_t missing = 0;
    for (size_t i = 0; i < n; i++) {
        missing += !held[i] || now > held[i]->next_update;
        ends = held[i] && held[i]->next_update < ends ? held[i]->next_update : ends;
        made = held[i] && held[i]->this_update < made ? held[i]->this_update : made;
    }
    metric_set(to->ends, ends > 0 && ends != INT64_MAX ? (uint64_t)ends : 0);
    metric_set(to->made, made > 0 && made != INT64_MAX ? (uint64_t)made : 0);
    metric_set(to->missing, missing);
}
