#include "keys/bulk/work.h"

#include <stdlib.h>

struct nz_janitor { struct nz_bulk *b; };

ERR bulk__janitor_new(struct nz_janitor **ret_j, struct nz_bulk *b)
{
    struct nz_janitor *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL(E_NOMEM);
    j->b = b;
    *ret_j = j;
    return OK;
}
void bulk__janitor_close(struct nz_janitor *j) { (void)j; }
bool bulk__janitor_idle(const struct nz_janitor *j) { return j != NULL; }
void bulk__janitor_free(struct nz_janitor *j) { free(j); }
