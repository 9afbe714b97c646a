/* What a row changes: the names of the fields that differ; and what a dry run makes of it. */

#include "keys/bulk/changed.h"
#include "keys/bulk/work.h"

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
        nz_changed_add(names, LIT("isNotDisclosed"));
    if (a->viewing_stopped != b->viewing_stopped)
        nz_changed_add(names, LIT("isViewingStopped"));
    if (a->recovery != b->recovery && !has_name(buf_slice(names), LIT("isRecovery"))) /* in some forms it is a member as well */
        nz_changed_add(names, LIT("isRecovery"));
    if (a->ended != b->ended)
        nz_changed_add(names, LIT("ended"));
    if (a->deleted != b->deleted)
        nz_changed_add(names, LIT("isDeleted"));
}

void bulk__changed(struct nz_batch *b, struct nz_brow *x, const struct record *stored)
{
    struct record after;
    struct buf names;
    x->changed = SLICE_NONE;
    if (!stored || !x->verdict.write || !nz_judge_after(&x->verdict, &x->row.record, stored, &after))
        return;
    buf_init(&names, NZ_ENTRY_CHANGED_MAX);
    nz_changed_members(stored->basic, after.basic, &names);
    nz_changed_members(stored->eligibility, after.eligibility, &names);
    flags(stored, &after, &names);
    if (!names.failed)
        x->changed = arena_dup(b->arena, buf_slice(&names));
    buf_done(&names);
}

void bulk__dry(struct nz_batch *b, struct nz_brow *x)
{
    if (b->run->t.mode == NZ_MODE_DRY_RUN)
        x->suspicious = has_name(x->changed, LIT("name")) || has_name(x->changed, LIT("dateOfBirth"));
    x->verdict.write = x->verdict.touch = false;
}
