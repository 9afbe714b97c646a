#include "gateway/relay/place.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "gateway/base/text.h"

static const struct { const char *scheme; enum place_kind kind; bool tls; } SCHEMES[] = {
    { "tcp", PLACE_ONE, false }, { "tls", PLACE_ONE, true },
    { "sentinel", PLACE_SENTINEL, false }, { "sentinel+tls", PLACE_SENTINEL, true },
    { "cluster", PLACE_CLUSTER, false }, { "cluster+tls", PLACE_CLUSTER, true },
};

static bool scheme_of(struct slice text, struct place *p, struct slice *ret_rest)
{
    struct slice scheme;
    if (!slice_cut(text, ':', &scheme, ret_rest) || !slice_starts(*ret_rest, LIT("//")))
        return false;
    *ret_rest = slice_of(ret_rest->p + 2, ret_rest->n - 2);
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++)
        if (slice_eq(scheme, slice_str(SCHEMES[i].scheme))) {
            p->kind = SCHEMES[i].kind;
            p->tls = SCHEMES[i].tls;
            return true;
        }
    return false;
}

/* The addresses of both families in the form of the kernel: equal ones are equal bytes. */
static bool canonical(struct slice ip, char out[static PLACE_IP_MAX])
{
    char text[PLACE_IP_MAX] = "";
    struct in6_addr a;
    if (ip.n == 0 || ip.n >= sizeof text || memchr(ip.p, 0, ip.n))
        return false;
    memcpy(text, ip.p, ip.n);
    const int family = memchr(ip.p, ':', ip.n) ? AF_INET6 : AF_INET;
    return inet_pton(family, text, &a) == 1 && inet_ntop(family, &a, out, PLACE_IP_MAX);
}

bool place_at_parse(struct slice ip, struct slice port, struct place_at *ret_at)
{
    uint64_t n;
    struct place_at at = { 0 };
    if (!canonical(ip, at.ip) || !u64_parse(port, &n) || n == 0 || n > 65535)
        return false;
    at.port = (unsigned)n;
    *ret_at = at;
    return true;
}

bool place_at_same(const struct place_at *a, const struct place_at *b) { return a->port == b->port && strcmp(a->ip, b->ip) == 0; }

bool place_sockaddr(const struct place_at *at, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){ 0 };
    if (inet_pton(AF_INET, at->ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)at->port);
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)at->port);
    return inet_pton(AF_INET6, at->ip, &v6->sin6_addr) == 1;
}

bool place_is_loopback(const struct place_at *at) { return strncmp(at->ip, "127.", 4) == 0 || strcmp(at->ip, "::1") == 0; }

static bool one_of(struct slice text, struct place_at *ret_at)
{
    struct slice ip, port;
    if (text.n && text.p[0] == '[') {
        struct slice in = slice_of(text.p + 1, text.n - 1), rest;
        return slice_cut(in, ']', &ip, &rest) && memchr(ip.p, ':', ip.n) && rest.n > 1 && rest.p[0] == ':' &&
               place_at_parse(ip, slice_of(rest.p + 1, rest.n - 1), ret_at);
    }
    return slice_cut(text, ':', &ip, &port) && place_at_parse(ip, port, ret_at);
}

static bool list_of(struct slice text, struct place *p)
{
    for (bool more = true; more; p->n++) {
        struct slice head, tail = SLICE_NONE;
        more = slice_cut(text, ',', &head, &tail);
        if (p->n == PLACE_ASKED_MAX || !one_of(more ? head : text, &p->at[p->n]))
            return false;
        for (size_t i = 0; i < p->n; i++)
            if (place_at_same(&p->at[i], &p->at[p->n]))
                return false;
        text = tail;
    }
    return true;
}

static bool name_of(struct slice *io_rest, struct place *p)
{
    struct slice name;
    if (p->kind != PLACE_SENTINEL)
        return true;
    if (!slice_cut(*io_rest, '@', &name, io_rest) || name.n == 0 || name.n >= sizeof p->name || !all_url_safe(name))
        return false;
    memcpy(p->name, name.p, name.n);
    return true;
}

ERR place_parse(struct slice text, struct place *ret_p)
{
    struct place p = { 0 };
    struct slice rest = SLICE_NONE;
    if (!scheme_of(text, &p, &rest) || !name_of(&rest, &p) || !list_of(rest, &p) || (p.kind == PLACE_ONE && p.n != 1))
        return FAIL(E_CONFIG);
    *ret_p = p;
    return OK;
}
