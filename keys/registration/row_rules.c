#include "keys/registration/row_rules.h"

#include <stdlib.h>

static ERR tag_all(struct nz_entry *entries, size_t n)
{
    struct nz_tagger *t;
    struct err e = nz_tagger_new(&t);
    if (!err_ok(e))
        return e;
    for (size_t i = 0; i < n && err_ok(e); i++)
        e = nz_tag_number(t, entries[i].row->number, &entries[i].tag);
    nz_tagger_free(t);
    return e;
}

static int order(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int r = n ? memcmp(a.p, b.p, n) : 0;
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int order_rows(const struct nz_entry *a, const struct nz_entry *b) { return (a->row->row > b->row->row) - (a->row->row < b->row->row); }
static int order_tags(const struct nz_entry *a, const struct nz_entry *b) { return nz_tag_order(&a->tag, &b->tag); }

static int order_certificates(const struct nz_entry *a, const struct nz_entry *b)
{
    int r = order_tags(a, b);
    if (r == 0)
        r = order(a->row->type_id, b->row->type_id);
    return r ? r : order(a->row->history_key, b->row->history_key);
}

static int order_residents(const struct nz_entry *a, const struct nz_entry *b) { return order(a->row->resident_key, b->row->resident_key); }

static int by_number(const void *a, const void *b)
{
    int r = order_tags(a, b);
    return r ? r : order_rows(a, b);
}

static int by_certificate(const void *a, const void *b)
{
    int r = order_certificates(a, b);
    return r ? r : order_rows(a, b);
}

static int by_resident(const void *a, const void *b)
{
    int r = order_residents(a, b);
    return r ? r : order_rows(a, b);
}

static void judge(struct nz_row *row, enum nz_row_verdict v, unsigned with_row)
{
    if (row->verdict != NZ_ROW_OK)
        return;
    row->verdict = v;
    row->with_row = with_row;
}

/* with_row is the earliest row of the group, and the second one for that row itself. */
static void judge_group(struct nz_entry *g, size_t n, enum nz_row_verdict v)
{
    for (size_t i = 0; i < n; i++)
        judge(g[i].row, v, g[i ? 0 : 1].row->row);
}

static void rule_resident(struct nz_entry *g, size_t n)
{
    if (g[0].row->resident_key.n == 0)
        return;
    for (size_t i = 1; i < n; i++)
        if (order_tags(&g[0], &g[i]) != 0) {
            judge_group(g, n, NZ_RESIDENT_TWO_NUMBERS);
            return;
        }
}

/* Rows without a resident key join in: nobody can say which of the two they mean. */
static void rule_number(struct nz_entry *g, size_t n)
{
    const struct nz_entry *first = NULL;
    for (size_t i = 0; i < n; i++) {
        if (g[i].row->resident_key.n == 0)
            continue;
        if (first && order_residents(first, &g[i]) != 0) {
            judge_group(g, n, NZ_NUMBER_TWO_RESIDENTS);
            return;
        }
        first = &g[i];
    }
}

/* Two rows that differ in both exist exactly when neither the name nor the birth date is the same in all rows. Rows that do not say whose they
 * are (removals, tickets) say nothing else either. */
static void rule_person(struct nz_entry *g, size_t n)
{
    const struct nz_entry *first = NULL;
    bool names = false, births = false;
    for (size_t i = 0; i < n; i++) {
        if (!g[i].name.n)
            continue;
        names |= first && !slice_eq(first->name, g[i].name);
        births |= first && !slice_eq(first->birth, g[i].birth);
        first = first ? first : &g[i];
    }
    if (names && births)
        judge_group(g, n, NZ_PERSON_MISMATCH);
}

static void rules_of_number(struct nz_entry *g, size_t n)
{
    rule_number(g, n);
    rule_person(g, n);
}

static bool same_content(const struct nz_row *a, const struct nz_row *b)
{
    return record_same(&a->record, &b->record) && slice_eq(a->resident_key, b->resident_key);
}

static void rule_certificate(struct nz_entry *g, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (!same_content(g[0].row, g[i].row)) {
            judge_group(g, n, NZ_ROWS_CONTRADICT);
            return;
        }
    for (size_t i = 1; i < n; i++)
        judge(g[i].row, NZ_ROW_SAME_TWICE, g[0].row->row);
}

/* Sorted by row inside a group, so that g[0] is the earliest. */
static const struct {
    int (*sort)(const void *, const void *);
    int (*group)(const struct nz_entry *, const struct nz_entry *);
    void (*rule)(struct nz_entry *g, size_t n);
} RULES[] = {
    { by_resident, order_residents, rule_resident },
    { by_number, order_tags, rules_of_number },
    { by_certificate, order_certificates, rule_certificate },
};

struct err nz_rules_judge(struct nz_entry *entries, size_t n)
{
    if (n < 2)
        return OK;
    TRY(tag_all(entries, n));
    for (size_t k = 0; k < sizeof RULES / sizeof RULES[0]; k++) {
        qsort(entries, n, sizeof *entries, RULES[k].sort);
        for (size_t from = 0, to; from < n; from = to) {
            for (to = from + 1; to < n && RULES[k].group(&entries[from], &entries[to]) == 0;)
                to++;
            if (to - from > 1)
                RULES[k].rule(entries + from, to - from);
        }
    }
    return OK;
}
