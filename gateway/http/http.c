#include "gateway/http/http.h"

/* its enum of methods has a name of ours */
#define HTTP_HEAD LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_HEAD
#include <stdlib.h>
#include <strings.h>

#include "gateway/base/must.h"
#include "gateway/http/guard.h"

/* The header section is collected whole, guarded byte by byte, and then read by llhttp in one go: its spans arrive
 * unbroken, and how the network cut the bytes cannot matter. The body is read by llhttp as it comes. */

enum { KEEP_MAX = 2048 /* a bigger head buffer is given back between requests */ };
static const uint64_t LENGTH_MAX = UINT64_C(1) << 53;

enum field { F_HOST, F_LENGTH, F_ENCODING, F_CONNECTION, F_TYPE, F_AUTH, F_LANGUAGE, F_ORIGIN, F_EXPECT, F_RANGE, F_KNOWN, F__MAX = F_KNOWN + HTTP_KNOWN__MAX, F_NONE = F__MAX };

static const struct {
    struct slice name;
    bool many; /* a list: may come twice; the first is kept */
} FIELDS[F__MAX] = {
    [F_HOST] = { LIT("host"), false },          [F_LENGTH] = { LIT("content-length"), false },
    [F_ENCODING] = { LIT("transfer-encoding"), false }, [F_CONNECTION] = { LIT("connection"), false },
    [F_TYPE] = { LIT("content-type"), false },
    [F_AUTH] = { LIT("authorization"), false }, [F_LANGUAGE] = { LIT("accept-language"), true },
    [F_ORIGIN] = { LIT("origin"), false },      [F_EXPECT] = { LIT("expect"), false },
    [F_RANGE] = { LIT("content-range"), false },
#define X(sym, name) [F_KNOWN + HTTP_KNOWN_##sym] = { LIT(name), false },
    HTTP_KNOWN_HEADERS(X)
#undef X
};

enum state { S_HEAD, S_BODY, S_TAKEN /* HTTP_DONE was said */, S_BAD };

struct http_parser {
    llhttp_t ll;
    struct http_limits limits;
    enum state state;
    struct guard guard;
    struct buf raw; /* the header section */
    struct slice target, values[F__MAX];
    unsigned counts[F__MAX];
    enum field field; /* whose value comes next */
    struct http_head head;
    struct slice piece;      /* of the body, found by the last llhttp_execute */
    uint64_t body, overhead; /* bytes of the body, and of chunk headers and trailers around it */
    bool look_alike; /* a name that others take for one that frames */
    bool in_body, in_trailers, complete;
    struct err why;
};

static struct http_parser *of(llhttp_t *ll) { return ll->data; }
static struct slice span(const char *at, size_t n) { return slice_of(at, n); }

static int on_url(llhttp_t *ll, const char *at, size_t n)
{
    of(ll)->target = span(at, n);
    return 0;
}

/* What hands requests on as environment variables, and some who read them, make no difference between _ and -. */
static bool looks_alike(struct slice name)
{
    static const struct slice FRAMES[] = { LIT("content_length"), LIT("transfer_encoding") };
    for (size_t i = 0; i < sizeof FRAMES / sizeof FRAMES[0]; i++)
        if (name.n == FRAMES[i].n && strncasecmp((const char *)name.p, (const char *)FRAMES[i].p, name.n) == 0)
            return true;
    return false;
}

static int on_field(llhttp_t *ll, const char *at, size_t n)
{
    struct http_parser *p = of(ll);
    p->field = F_NONE;
    if (p->in_body) /* trailers are ignored */
        return 0;
    for (enum field f = 0; f < F__MAX; f++)
        if (FIELDS[f].name.n == n && strncasecmp((const char *)FIELDS[f].name.p, at, n) == 0) {
            p->counts[f]++;
            p->field = f;
        }
    p->look_alike = p->look_alike || looks_alike(span(at, n));
    return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct http_parser *p = of(ll);
    if (p->field == F_NONE || p->counts[p->field] > 1)
        return 0;
    struct slice *v = &p->values[p->field];
    *v = v->p ? slice_of(v->p, (size_t)((const uint8_t *)at + n - v->p)) : span(at, n);
    while (v->n > 0 && (v->p[v->n - 1] == ' ' || v->p[v->n - 1] == '\t'))
        v->n--;
    return 0;
}

static bool is_word(struct slice v, struct slice word)
{
    return v.n == word.n && strncasecmp((const char *)v.p, (const char *)word.p, v.n) == 0;
}

/* Fields that a Connection field may not name: who removed them would read another request. */
static bool hops_well(struct slice list)
{
    static const struct slice STAY[] = { LIT("content-length"), LIT("transfer-encoding"), LIT("host"), LIT("authorization"), LIT("expect") };
    struct slice word, rest;
    for (bool more = true; more; list = rest) {
        more = slice_cut(list, ',', &word, &rest);
        if (!more)
            word = list;
        while (word.n > 0 && (word.p[0] == ' ' || word.p[0] == '\t'))
            word = slice_of(word.p + 1, word.n - 1);
        while (word.n > 0 && (word.p[word.n - 1] == ' ' || word.p[word.n - 1] == '\t'))
            word.n--;
        for (size_t i = 0; i < sizeof STAY / sizeof STAY[0]; i++)
            if (is_word(word, STAY[i]))
                return false;
        if (!more)
            rest = SLICE_NONE;
    }
    return true;
}

static ERR framing_check(const struct http_parser *p)
{
    if (p->look_alike || !hops_well(p->values[F_CONNECTION]))
        return FAIL(E_BAD_REQUEST);
    for (enum field f = 0; f < F__MAX; f++)
        if (p->counts[f] > 1 && !FIELDS[f].many)
            return FAIL(E_BAD_REQUEST);
    if (p->ll.http_major != 1 || p->ll.http_minor > 1 || p->ll.method == HTTP_CONNECT)
        return FAIL(E_BAD_REQUEST);
    if (p->ll.http_minor == 1 && p->counts[F_HOST] != 1)
        return FAIL(E_BAD_REQUEST);
    bool te = p->counts[F_ENCODING] > 0, cl = p->counts[F_LENGTH] > 0;
    /* = RFC 9112 §6.1: refused here although a proxy might mend it */
    if (te && (cl || p->ll.http_minor == 0 || !is_word(p->values[F_ENCODING], LIT("chunked"))))
        return FAIL(E_BAD_REQUEST);
    if (cl && (p->values[F_LENGTH].n > 16 || p->ll.content_length > LENGTH_MAX))
        return FAIL(E_BAD_REQUEST);
    if (p->counts[F_EXPECT] && !is_word(p->values[F_EXPECT], LIT("100-continue")))
        return FAIL(E_BAD_REQUEST);
    return OK;
}

static enum http_method method_of(uint8_t m)
{
    switch (m) {
    case HTTP_GET: return M_GET;
    case HTTP_POST: return M_POST;
    case HTTP_PUT: return M_PUT;
    case HTTP_DELETE: return M_DELETE;
    default: return M_OTHER;
    }
}

static ERR head_read(struct http_parser *p)
{
    TRY(framing_check(p));
    bool chunked = p->counts[F_ENCODING] > 0;
    uint64_t length = p->counts[F_LENGTH] ? p->ll.content_length : 0;
    p->head = (struct http_head){
        .method = method_of(p->ll.method),
        .content_type = p->values[F_TYPE], .authorization = p->values[F_AUTH],
        .accept_language = p->values[F_LANGUAGE], .origin = p->values[F_ORIGIN],
        .has_content_range = p->counts[F_RANGE] > 0, .content_range = p->values[F_RANGE],
        .has_body = chunked || length > 0,
        .length_known = !chunked,
        .content_length = length,
        .keep_alive = llhttp_should_keep_alive(&p->ll) != 0,
        .version_minor = p->ll.http_minor,
        .head_method = p->ll.method == LLHTTP_METHOD_HEAD,
    };
    for (int i = 0; i < HTTP_KNOWN__MAX; i++)
        p->head.known[i] = p->values[F_KNOWN + i];
    /* = RFC 9110 §10.1.1: 1.0 has no 100 */
    p->head.expect_continue = p->counts[F_EXPECT] > 0 && p->head.has_body && p->head.version_minor > 0;
    if (!guard_target(p->target, &p->head.path, &p->head.query))
        return FAIL(E_BAD_URL);
    return OK;
}

static int on_headers_complete(llhttp_t *ll)
{
    struct http_parser *p = of(ll);
    ll->upgrade = 0; /* an Upgrade header is a wish, and never granted */
    p->why = head_read(p);
    p->in_body = true;
    return err_ok(p->why) ? 0 : -1;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    of(ll)->piece = span(at, n);
    return 0;
}

/* Chunk extensions mean nothing to us and are a classic of request smuggling. */
static int on_extension(llhttp_t *ll, const char *at, size_t n)
{
    (void)ll, (void)at, (void)n;
    return -1;
}

/* The last chunk: what follows are trailers, a header section again, and guarded as one. */
static int on_chunk_header(llhttp_t *ll)
{
    struct http_parser *p = of(ll);
    if (ll->content_length > 0)
        return 0;
    p->in_trailers = true;
    guard_init(&p->guard);
    p->guard.first = false;
    return HPE_PAUSED;
}

/* One chunk a turn, so that on_body has at most one piece. The last one runs on into on_message_complete. */
static int on_chunk_complete(llhttp_t *ll) { return of(ll)->in_trailers ? 0 : HPE_PAUSED; }

static int on_message_complete(llhttp_t *ll)
{
    of(ll)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_chunk_header = on_chunk_header,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

static void begin(struct http_parser *p)
{
    if (p->raw.cap > KEEP_MAX)
        buf_done(&p->raw);
    else
        buf_reset(&p->raw);
    llhttp_init(&p->ll, HTTP_REQUEST, &SETTINGS);
    p->ll.data = p;
    guard_init(&p->guard);
    p->state = S_HEAD;
    p->target = p->piece = SLICE_NONE;
    memset(p->values, 0, sizeof p->values);
    memset(p->counts, 0, sizeof p->counts);
    p->field = F_NONE;
    p->body = p->overhead = 0;
    p->look_alike = p->in_body = p->in_trailers = p->complete = false;
    p->why = OK;
}

struct http_parser *http_parser_new(struct http_limits limits)
{
    struct http_parser *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->limits = limits;
    buf_init(&p->raw, limits.header_max);
    begin(p);
    return p;
}

void http_parser_free(struct http_parser *p)
{
    if (!p)
        return;
    buf_done(&p->raw);
    free(p);
}

bool http_idle(const struct http_parser *p)
{
    return p->state == S_TAKEN || (p->state == S_HEAD && p->raw.n == 0);
}

void http_forget(struct http_parser *p)
{
    if (p->state == S_TAKEN && p->head.keep_alive)
        begin(p);
}

static enum http_ev bad(struct http_parser *p, struct err why, struct err *ret_err)
{
    p->state = S_BAD;
    p->why = why;
    *ret_err = why;
    return HTTP_BAD;
}

/* = RFC 9110 §9.1: a token that is no method we know of. The guard has seen two spaces in the first line. */
static bool method_unknown(const struct http_parser *p)
{
#define X(num, name, string) LIT(#string),
    static const struct slice KNOWN[] = { HTTP_METHOD_MAP(X) };
#undef X
    static const char TOKEN[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct slice method, rest;
    if (!slice_cut(buf_slice(&p->raw), ' ', &method, &rest))
        return false;
    for (size_t i = 0; i < method.n; i++)
        if (!memchr(TOKEN, method.p[i], sizeof TOKEN - 1))
            return false;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (slice_eq(KNOWN[i], method))
            return false;
    return true;
}

/* The version by its bytes: the parser knows protocols beside HTTP. */
static bool version_known(const struct http_parser *p)
{
    struct slice line, rest;
    if (!slice_cut(buf_slice(&p->raw), '\r', &line, &rest) || line.n < 9)
        return false;
    struct slice end = slice_of(line.p + line.n - 9, 9);
    return slice_eq(end, LIT(" HTTP/1.1")) || slice_eq(end, LIT(" HTTP/1.0"));
}

static enum http_ev head_parse(struct http_parser *p, const struct http_head **ret_head, struct err *ret_err)
{
    const char *raw = (const char *)p->raw.p;
    llhttp_errno_t e = llhttp_execute(&p->ll, raw, p->raw.n);
    if (!err_ok(p->why))
        return bad(p, p->why, ret_err);
    if (e == HPE_INVALID_URL)
        return bad(p, FAIL(E_BAD_URL), ret_err);
    if (e == HPE_INVALID_METHOD && method_unknown(p))
        return bad(p, FAIL(E_METHOD_UNKNOWN), ret_err);
    if (!p->in_body || !version_known(p) || (e != HPE_OK && !(e == HPE_PAUSED && p->complete)))
        return bad(p, FAIL(E_BAD_REQUEST), ret_err);
    p->state = S_BODY;
    *ret_head = &p->head;
    return HTTP_HEAD;
}

static enum http_ev head_next(struct http_parser *p, struct slice *in, const struct http_head **ret_head, struct err *ret_err)
{
    size_t room = p->limits.header_max - p->raw.n, seen = 0;
    struct slice part = slice_of(in->p, in->n < room ? in->n : room);
    enum guard_ev ev = guard_see(&p->guard, part, &seen);
    if (ev == GUARD_BAD)
        return bad(p, FAIL(E_BAD_REQUEST), ret_err);
    struct slice taken;
    MUST(slice_take(in, seen, &taken));
    buf_put(&p->raw, taken);
    if (p->raw.failed)
        return bad(p, FAIL(E_NOMEM), ret_err);
    if (ev == GUARD_END)
        return head_parse(p, ret_head, ret_err);
    return in->n ? bad(p, FAIL(E_HEADERS_TOO_LARGE), ret_err) : HTTP_NEED;
}

/* Chunk headers and trailers may not outweigh what they carry. Weighed before and after the piece, where the
 * balance is worst: so the verdict does not depend on how the bytes were cut. */
static bool weigh(struct http_parser *p, struct slice taken, struct slice piece)
{
    size_t before = piece.n ? (size_t)(piece.p - taken.p) : taken.n;
    p->overhead += before;
    if (p->overhead > p->limits.header_max + 8 * p->body)
        return false;
    p->body += piece.n;
    p->overhead += taken.n - before - piece.n;
    return p->overhead <= p->limits.header_max + 8 * p->body;
}

static enum http_ev body_next(struct http_parser *p, struct slice *in, struct slice *ret_data, struct err *ret_err)
{
    while (!p->complete && in->n > 0) {
        const char *at = (const char *)in->p;
        size_t n = in->n;
        if (p->in_trailers && guard_see(&p->guard, *in, &n) == GUARD_BAD)
            return bad(p, FAIL(E_BAD_REQUEST), ret_err);
        llhttp_errno_t e = llhttp_execute(&p->ll, at, n);
        if (e != HPE_OK && e != HPE_PAUSED)
            return bad(p, FAIL(E_BAD_REQUEST), ret_err);
        size_t used = e == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&p->ll) - at);
        struct slice taken, piece = p->piece;
        MUST(slice_take(in, used, &taken));
        p->piece = SLICE_NONE;
        if (!weigh(p, taken, piece))
            return bad(p, FAIL(E_BAD_REQUEST), ret_err);
        if (e == HPE_PAUSED && !p->complete)
            llhttp_resume(&p->ll);
        if (piece.n) {
            *ret_data = piece;
            return HTTP_BODY;
        }
    }
    if (!p->complete)
        return HTTP_NEED;
    p->state = S_TAKEN;
    return HTTP_DONE;
}

enum http_ev http_next(struct http_parser *p, struct slice *in, const struct http_head **ret_head, struct slice *ret_data,
                       struct err *ret_err)
{
    if (p->state == S_TAKEN && in->n > 0) {
        if (!p->head.keep_alive)
            return bad(p, FAIL(E_BAD_REQUEST), ret_err);
        begin(p);
    }
    switch (p->state) {
    case S_HEAD: return in->n ? head_next(p, in, ret_head, ret_err) : HTTP_NEED;
    case S_BODY: return body_next(p, in, ret_data, ret_err);
    case S_TAKEN: return HTTP_NEED;
    default: *ret_err = p->why; return HTTP_BAD;
    }
}
