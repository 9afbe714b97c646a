/* What a file waits for: the last failure of its run, until it moves again. A run may go and come back in between. */

#include "keys/bulk/work.h"

static struct nz_trouble *trouble_of(struct nz_bulk *b, const char muni[static 6])
{
    for (size_t i = 0; i < NZ_BULK_TROUBLES; i++)
        if (slice_eq(ARR(b->trouble[i].muni), slice_of(muni, 6)))
            return &b->trouble[i];
    return NULL;
}

/* One a municipality: only its oldest file is worked on. */
void bulk__trouble(struct nz_run *r, struct err e)
{
    struct nz_trouble *t = trouble_of(r->b, r->muni);
    for (size_t i = 0; !t && i < NZ_BULK_TROUBLES; i++)
        t = r->b->trouble[i].muni[0] ? NULL : &r->b->trouble[i];
    if (!t)
        return;
    memcpy(t->muni, r->muni, sizeof t->muni);
    t->task = r->t.task.id;
    t->e = e;
}

void bulk__trouble_over(struct nz_run *r)
{
    struct nz_trouble *t = trouble_of(r->b, r->muni);
    if (t)
        *t = (struct nz_trouble){ .e = OK };
}

bool nz_bulk_trouble(struct nz_bulk *b, const char muni[static 6], const struct nz_task_id *task, struct err *ret_e)
{
    const struct nz_trouble *t = b ? trouble_of(b, muni) : NULL;
    if (!t || !slice_eq(ARR(t->task.b), ARR(task->b)))
        return false;
    *ret_e = t->e;
    return true;
}
