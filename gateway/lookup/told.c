#include "gateway/lookup/told.h"

#include <string.h>

#include "gateway/base/slice.h"

static const struct lit WHOM[TOLD__MAX] = { [TOLD_CLINIC] = { "clinic" }, [TOLD_CITIZEN] = { "citizen" } };

static void name(struct told *t, struct metrics *m, const char muni[static 6])
{
    struct metric_label labels[] = { { .key = "municipality", .kind = MV_MUNI }, { .key = "caller", .kind = MV_LIT } };
    memcpy(t->of[t->n].code, muni, sizeof t->of[t->n].code);
    memcpy(labels[0].v.muni, muni, sizeof labels[0].v.muni);
    for (int w = 0; w < TOLD__MAX; w++) {
        labels[1].v.lit = WHOM[w];
        t->of[t->n].to[w] = metrics_of(m, MF_TOLD, 2, labels);
    }
    t->n++;
}

void told_count(struct told *t, struct metrics *m, enum caller_role who, const char muni[static 6])
{
    size_t i = 0;
    const struct slice code = slice_of(muni, 6);
    if (slice_eq(code, LIT("000000")))
        return;
    while (i < t->n && !slice_eq(ARR(t->of[i].code), code))
        i++;
    if (i == TOLD_MUNIS)
        return;
    if (i == t->n)
        name(t, m, muni);
    metric_add(t->of[i].to[who == CALLER_CLINIC ? TOLD_CLINIC : TOLD_CITIZEN], 1);
}
