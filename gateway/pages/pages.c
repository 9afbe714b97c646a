#include "gateway/pages/pages.h"

enum { PAGE_MS = 20000 };

_Static_assert(offsetof(struct page, path) == 0, "a route's path is the address of its page");

size_t pages_routes(const struct page_set *s, struct route *to, unsigned callers)
{
    for (size_t i = 0; i < s->n; i++)
        to[i] = (struct route){ .method = M_GET, .path = s->pages[i].path, .operation = s->operation, .callers = callers, .deadline_ms = PAGE_MS, .handler = pages_get };
    return s->n;
}

static struct slice trimmed(struct slice s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static bool same_tag(struct slice one, const char *etag)
{
    if (slice_starts(one, LIT("W/")))
        one = slice_of(one.p + 2, one.n - 2);
    return slice_eq(one, slice_str(etag));
}

bool pages_known(struct slice if_none_match, const char *etag)
{
    struct slice rest = trimmed(if_none_match), one = rest, tail;
    if (slice_eq(rest, LIT("*")))
        return true;
    while (slice_cut(rest, ',', &one, &tail)) { /* no tag of ours has a comma */
        if (same_tag(trimmed(one), etag))
            return true;
        rest = tail;
    }
    return same_tag(trimmed(rest), etag);
}

void pages_get(struct req *r)
{
    const struct page *p = (const struct page *)(const void *)req_route(r)->path;
    bool known = pages_known(req_header(r, HTTP_KNOWN_IF_NONE_MATCH), p->etag);
    req_file(r, known ? 304 : 200, p->type, p->headers, known ? SLICE_NONE : slice_of(p->packed, p->n));
}
