/* The pages of the nation: clinic, portal, map. Files of www/, in the program. */
#include <stdlib.h>

#include "gateway/pages/pages.h"
#include "mocks/routes.h"

extern const struct page_set clinic_pages, portal_pages, map_pages;

ERR control_routes(struct route **ret_routes, size_t *ret_n)
{
    static const struct page_set *const SETS[] = { &clinic_pages, &portal_pages, &map_pages };
    size_t n = CONTROL_ROUTES_N, all = n;
    for (size_t i = 0; i < sizeof SETS / sizeof SETS[0]; i++)
        all += pages_count(SETS[i]);
    struct route *routes = calloc(all, sizeof *routes);
    if (!routes)
        return FAIL(E_NOMEM);
    memcpy(routes, CONTROL_ROUTES, n * sizeof *routes);
    for (size_t i = 0; i < sizeof SETS / sizeof SETS[0]; i++)
        n += pages_routes(SETS[i], routes + n, 0);
    *ret_routes = routes;
    *ret_n = n;
    return OK;
}
