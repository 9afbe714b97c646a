/* What a row would change: the names of the fields that differ. */

#include "keys/bulk/work.h"

#include <jansson.h>

static void add(struct buf *names, const char *name)
{
    if (names->n)
        buf_putc(names, ',');
    buf_puts(names, name);
}

static json_t *load(struct slice s) { return s.n ? json_loadb((const char *)s.p, s.n, 0, NULL) : NULL; }

/* Members of a that b has not, or has with another value; with both, members of b that a has not. */
static void differences(struct slice a, struct slice b, struct buf *names)
{
    if (slice_eq(a, b))
        return;
    json_t *x = load(a), *y = load(b), *value;
    const char *name;
    json_object_foreach(x, name, value) {
        if (!json_equal(value, json_object_get(y, name)))
            add(names, name);
    }
    json_object_foreach(y, name, value) {
        if (!json_object_get(x, name))
            add(names, name);
    }
    json_decref(x);
    json_decref(y);
}

static bool has_name(struct slice names, struct slice want)
{
    struct slice name;
    while (slice_cut(names, ',', &name, &names)) {
        if (slice_eq(name, want))
            return true;
    }
    return slice_eq(names, want);
}

static void flags(const struct record *a, const struct record *b, struct buf *names)
{
    if (a->not_disclosed != b->not_disclosed)
        add(names, "isNotDisclosed");
    if (a->viewing_stopped != b->viewing_stopped)
        add(names, "isViewingStopped");
    if (a->ended != b->ended)
        add(names, "ended");
    if (a->deleted != b->deleted)
        add(names, "isDeleted");
}

void bulk__compare(struct nz_batch *b, struct nz_brow *x, const struct record *stored)
{
    struct record after;
    struct buf names;
    if (stored && x->verdict.write && nz_judge_after(&x->verdict, &x->row.record, stored, &after)) {
        buf_init(&names, NZ_ENTRY_CHANGED_MAX);
        differences(stored->basic, after.basic, &names);
        differences(stored->eligibility, after.eligibility, &names);
        flags(stored, &after, &names);
        if (!names.failed)
            x->changed = arena_dup(b->arena, buf_slice(&names));
        buf_done(&names);
    }
    if (b->run->t.mode == NZ_MODE_DRY_RUN)
        x->suspicious = has_name(x->changed, LIT("name")) || has_name(x->changed, LIT("dateOfBirth"));
    x->verdict.write = x->verdict.touch = b->run->t.mode == NZ_MODE_APPLY && x->verdict.write;
}
