#include "keys/bulk/work.h"

#include <stdlib.h>

ERR bulk__undo_begin(struct nz_run *r) { (void)r; return FAIL(E_INTERNAL); }
void bulk__undo_free(struct nz_run *r) { free(r->undoing); r->undoing = NULL; }
ERR bulk__failed_of_begin(struct nz_run *r) { (void)r; return OK; }
