#include <stdio.h>

#include "gateway/serve/inside.h"

const char *route__method_name(enum http_method m)
{
    static const char *const NAMES[] = { [M_GET] = "GET", [M_POST] = "POST", [M_PUT] = "PUT", [M_DELETE] = "DELETE" };
    return m < M_OTHER ? NAMES[m] : "?";
}

static void print_callers(FILE *to, unsigned callers)
{
    const char *sep = "";
    for (unsigned i = 0; i < CALLER__MAX; i++) {
        if (!(callers & CALLER_BIT(i)))
            continue;
        fprintf(to, "%s%s", sep, caller_role_name((enum caller_role)i));
        sep = ",";
    }
    if (!callers)
        fputs("anyone", to);
}

void routes_print(FILE *to, const char *door, const struct route *routes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct route *r = &routes[i];
        fprintf(to, "%s\t%s\t%s\t%s\t", door, route__method_name(r->method), r->path, r->operation.s);
        print_callers(to, r->callers);
        fprintf(to, "\t%s\n", r->token ? "token" : "-");
    }
}
