/* 医療保険者等向け中間サーバー: issues the PMH key of a number. Knows numbers, PMH keys and binding numbers. */

#include "mocks/routes.h"

static struct err person_for(struct nation *n, struct slice number, uint32_t *ret_at)
{
    *ret_at = people_by_number(&n->people, number);
    if (*ret_at != TABLE_NONE)
        return OK;
    TRY(people_add(&n->people, number, SLICE_NONE, ret_at));
    return record_person(n, *ret_at);
}

ERR intermediary_issue(struct nation *n, struct slice number, uint32_t *ret_at, bool *ret_fresh)
{
    uint32_t at;
    TRY(person_for(n, number, &at));
    struct person *p = people_at(&n->people, at);
    *ret_at = at;
    *ret_fresh = !p->intermediary.pmh_key[0];
    if (!*ret_fresh) {
        n->count.keys_reused++;
        return OK;
    }
    TRY(record_key(n, at));
    TRY(ids_make(n, "binding", number, p->intermediary.binding));
    TRY(ids_make(n, "pmh_key", number, p->intermediary.pmh_key));
    n->count.keys_new++;
    return OK;
}

void intermediary_hand_over(struct nation *n, uint32_t at)
{
    struct person *p = people_at(&n->people, at);
    onshi_receive(n, at, p->intermediary.pmh_key, p->intermediary.binding);
    if (n->order == ORDER_PUSH)
        portal_receive(n, at, onshi_key_of(n, at));
}

/* PMH asks inside the process; the door tells that the system is there. */
const struct route INTERMEDIARY_ROUTES[] = {
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t INTERMEDIARY_ROUTES_N = sizeof INTERMEDIARY_ROUTES / sizeof *INTERMEDIARY_ROUTES;
