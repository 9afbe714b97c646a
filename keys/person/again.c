#include "keys/person/again.h"

enum { TRIES_MAX = 12, FIRST_MS = 20, LONGEST_MS = 500, DOUBLINGS = 5 };

ERR nz_again(struct nz_again *a, struct req *r, loop_fn *fn, void *arg)
{
    const uint64_t grown = (uint64_t)FIRST_MS << (a->tries < DOUBLINGS ? a->tries : DOUBLINGS), ms = grown < LONGEST_MS ? grown : LONGEST_MS;
    if (a->tries == TRIES_MAX || loop_now(req_loop(r)) + ms >= req_deadline(r))
        return FAIL(E_BUSY);
    if (!a->timer)
        TRY(timer_new(&a->timer, req_loop(r), fn, arg));
    a->tries++;
    timer_start(a->timer, ms);
    return OK;
}

void nz_again_done(struct nz_again *a)
{
    timer_free(a->timer);
    a->timer = NULL;
}
