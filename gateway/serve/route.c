#include <stdio.h>
#include <strings.h>

#include "gateway/serve/inside.h"

enum { PARAM_MAX = 64 };

const struct route ROUTE_UNKNOWN = { .method = M_OTHER, .path = "", .operation = { "unknown" }, .deadline_ms = REFUSE_MS };

static bool param_ok(struct slice s)
{
    if (s.n == 0 || s.n > PARAM_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool path_match(const char *pattern, struct slice path, struct slice *ret_param)
{
    struct slice want = slice_str(pattern), before, after, name;
    if (!slice_cut(want, '{', &before, &after))
        return slice_eq(want, path);
    if (!slice_cut(after, '}', &name, &after) || !slice_starts(path, before) || path.n < before.n + after.n)
        return false;
    struct slice end = slice_of(path.p + (path.n - after.n), after.n);
    struct slice param = slice_of(path.p + before.n, path.n - before.n - after.n);
    if (!slice_eq(end, after) || !param_ok(param))
        return false;
    *ret_param = param;
    return true;
}

static void allow_add(char allow[static 32], enum http_method m)
{
    if (m >= M_OTHER)
        return;
    size_t n = strlen(allow);
    snprintf(allow + n, 32 - n, "%s%s", n ? ", " : "", route__method_name(m));
}

/* NO_ROUTE or METHOD; *ret_open: the path is there for anyone. */
static ERR find(struct req *r, const struct http_head *h, bool *ret_open)
{
    const struct door_conf *conf = &r->conn->door->conf;
    bool there = false;
    if (conf->dialect && slice_starts(h->path, slice_str(conf->dialect->prefix)))
        r->dialect = conf->dialect;
    for (size_t i = 0; i < conf->n_routes; i++) {
        const struct route *rt = &conf->routes[i];
        struct slice param = SLICE_NONE;
        if (!path_match(rt->path, h->path, &param))
            continue;
        if (rt->method == h->method) {
            r->route = rt;
            r->param = param;
            return OK;
        }
        there = true;
        *ret_open = *ret_open || rt->callers == 0;
        allow_add(r->allow, rt->method);
    }
    return there ? FAIL(E_METHOD) : FAIL(E_NO_ROUTE);
}

struct err route__check(struct req *r, const struct http_head *h)
{
    const struct door *d = r->conn->door;
    const struct caller *who = tls_caller(r->conn->tls);
    bool open = false;
    struct err e = find(r, h, &open);
    if (!err_ok(e)) {
        if (!open && d->conf.tls.ca_path)
            TRY(conn__certificate(r->conn)); /* routes are not to be explored by strangers */
        return e;
    }
    if (r->route->callers != 0) {
        TRY(conn__certificate(r->conn));
        if (!(r->route->callers & CALLER_BIT(who->role)))
            return FAIL(E_FORBIDDEN);
        if (d->conf.allow)
            TRY(d->conf.allow(d->conf.ctx, r));
    }
    if (!r->route->token)
        return OK;
    return d->conf.authorize ? d->conf.authorize(d->conf.ctx, r, h->authorization) : FAIL(E_TOKEN);
}

/* Parameters such as charset are ignored. */
static bool media_match(const char *want, struct slice have)
{
    struct slice type = have, rest;
    slice_cut(have, ';', &type, &rest);
    while (type.n > 0 && (type.p[type.n - 1] == ' ' || type.p[type.n - 1] == '\t'))
        type.n--;
    return type.n == strlen(want) && strncasecmp((const char *)type.p, want, type.n) == 0;
}

struct err route__check_body(const struct route *rt, const struct http_head *h)
{
    if (!h->has_body)
        return OK;
    if (rt->body_max == 0 || (h->length_known && h->content_length > rt->body_max))
        return FAIL(E_BODY_TOO_LARGE);
    if (rt->media && !media_match(rt->media, h->content_type))
        return FAIL(E_MEDIA_TYPE);
    return OK;
}
