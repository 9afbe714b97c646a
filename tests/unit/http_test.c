#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/http/guard.h"
#include "tests/unit/http_trace.h"

enum { HEADER_MAX = 512 };

struct stream {
    const char *name;
    struct slice bytes;
    const char *end; /* the last line of the trace */
};

#define HOST "Host: door\r\n"
#define POST "POST /v1/tasks HTTP/1.1\r\n" HOST
#define GET "GET /health HTTP/1.1\r\n" HOST "\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define BAD "BAD malformed_request"
#define METHOD "BAD method_unknown"
#define URL "BAD malformed_url"
#define BIG "BAD headers_too_large"
#define TEN "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct stream HOSTILE[] = {
    { "nul in the request line", LIT("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "nul in a value", LIT("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), BAD },
    { "nul in a name", LIT("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), BAD },
    { "escape in a value", LIT("GET / HTTP/1.1\r\n" HOST "X: \x1b[2J\r\n\r\n"), BAD },
    { "delete in a value", LIT("GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n"), BAD },
    { "vertical tab before the colon", LIT("GET / HTTP/1.1\r\n" HOST "X\x0b: a\r\n\r\n"), BAD },
    { "bare cr in a value", LIT("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"), BAD },
    { "bare cr ends a line", LIT("GET / HTTP/1.1\rHost: door\r\r"), BAD },
    { "bare lf in the request line", LIT("GET / HTTP/1.1\nHost: door\n\n"), BAD },
    { "bare lf in the fields", LIT("GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"), BAD },
    { "bare lf at the end", LIT("GET / HTTP/1.1\r\n" HOST "\n"), BAD },
    { "folded field", LIT("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), BAD },
    { "folded with a tab", LIT("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"), BAD },
    { "folded transfer-encoding", LIT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "empty first line", LIT("\r\n" GET), BAD },
    { "space first", LIT(" GET / HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "two spaces", LIT("GET  / HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "tab for a space", LIT("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "space in the target", LIT("GET /a b HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "space after the version", LIT("GET / HTTP/1.1 \r\n" HOST "\r\n"), BAD },
    { "no version", LIT("GET /\r\n" HOST "\r\n"), BAD },
    { "version 0.9", LIT("GET / HTTP/0.9\r\n" HOST "\r\n"), BAD },
    { "version 2.0", LIT("GET / HTTP/2.0\r\n" HOST "\r\n"), BAD },
    { "version 1.2", LIT("GET / HTTP/1.2\r\n" HOST "\r\n"), BAD },
    { "version in lower case", LIT("GET / http/1.1\r\n" HOST "\r\n"), BAD },
    { "http/2 preface", LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), BAD },
    { "unknown method", LIT("GRAB / HTTP/1.1\r\n" HOST "\r\n"), METHOD },
    { "method in lower case", LIT("get / HTTP/1.1\r\n" HOST "\r\n"), METHOD },
    { "method longer than one we know", LIT("GETS / HTTP/1.1\r\n" HOST "\r\n"), METHOD },
    { "method shorter than one we know", LIT("GE / HTTP/1.1\r\n" HOST "\r\n"), METHOD },
    { "method of all token characters", LIT("a!#$%&'*+-.^_`|~0Z / HTTP/1.1\r\n" HOST "\r\n"), METHOD },
    { "method that is no token", LIT("G(T / HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "method that is quoted", LIT("\"GET\" / HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "method with a high byte", LIT("G\xc3\x84T / HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "connect", LIT("CONNECT door:443 HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "no host", LIT("GET / HTTP/1.1\r\nX: a\r\n\r\n"), BAD },
    { "two hosts", LIT("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), BAD },
    { "empty name", LIT("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"), BAD },
    { "space before the colon", LIT(POST "Content-Length : 5\r\n\r\nhello"), BAD },
    { "line without a colon", LIT("GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n"), BAD },
    { "high byte in a name", LIT("GET / HTTP/1.1\r\n" HOST "X\xff: a\r\n\r\n"), BAD },
    { "length and encoding", LIT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding and length", LIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), BAD },
    { "two lengths", LIT(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), BAD },
    { "two equal lengths", LIT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), BAD },
    { "list of lengths", LIT(POST "Content-Length: 5, 5\r\n\r\nhello"), BAD },
    { "signed length", LIT(POST "Content-Length: +5\r\n\r\nhello"), BAD },
    { "negative length", LIT(POST "Content-Length: -5\r\n\r\nhello"), BAD },
    { "hex length", LIT(POST "Content-Length: 0x5\r\n\r\nhello"), BAD },
    { "empty length", LIT(POST "Content-Length:\r\n\r\n"), BAD },
    { "length with a space", LIT(POST "Content-Length: 5 0\r\n\r\nhello"), BAD },
    { "length over 64 bits", LIT(POST "Content-Length: 18446744073709551621\r\n\r\nhello"), BAD },
    { "length over 2^53", LIT(POST "Content-Length: 9007199254740993\r\n\r\nhello"), BAD },
    { "encoding in 1.0", LIT("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding twice", LIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding list", LIT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding identity", LIT(POST "Transfer-Encoding: identity\r\n\r\n"), BAD },
    { "encoding with a parameter", LIT(POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding misspelt", LIT(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), BAD },
    { "encoding with a comma", LIT(POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"), BAD },
    { "empty encoding", LIT(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), BAD },
    { "chunk overrun", LIT(CHUNKED "3\r\nhello\r\n0\r\n\r\n"), BAD },
    { "chunk ended by lf", LIT(CHUNKED "5\nhello\r\n0\r\n\r\n"), BAD },
    { "chunk data ended by lf", LIT(CHUNKED "5\r\nhello\n0\r\n\r\n"), BAD },
    { "chunk extension", LIT(CHUNKED "5;a=b\r\nhello\r\n0\r\n\r\n"), BAD },
    { "empty chunk extension", LIT(CHUNKED "5;\r\nhello\r\n0\r\n\r\n"), BAD },
    { "chunk size with a space", LIT(CHUNKED "5 \r\nhello\r\n0\r\n\r\n"), BAD },
    { "chunk size in 0x", LIT(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"), BAD },
    { "negative chunk size", LIT(CHUNKED "-5\r\nhello\r\n0\r\n\r\n"), BAD },
    { "chunk size over 64 bits", LIT(CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"), BAD },
    { "empty chunk size", LIT(CHUNKED "\r\nhello\r\n0\r\n\r\n"), BAD },
    { "folded trailer", LIT(CHUNKED "0\r\nX: a\r\n b\r\n\r\n"), BAD },
    { "trailer with bare lf", LIT(CHUNKED "0\r\nX: a\n\r\n"), BAD },
    { "trailer that frames", LIT(CHUNKED "0\r\nTransfer-Encoding: x\r\n\r\n"), BAD },
    { "endless trailers", LIT(CHUNKED "0\r\nX: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED), BAD },
    { "other expectation", LIT(POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"), BAD },
    { "two tokens", LIT("GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n"), BAD },
    { "two types", LIT(POST "Content-Type: a\r\nContent-Type: b\r\n\r\n"), BAD },
    { "bytes after close", LIT("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET), BAD },
    { "garbage after a request", LIT(GET "\x16\x03\x01"), BAD },
    { "tls on a plain line", LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), BAD },
    { "fields over the limit", LIT("GET / HTTP/1.1\r\n" HOST "X: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED), BIG },
    { "target over the limit", LIT("GET /" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED), BIG },
    { "absolute target", LIT("GET https://door/health HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "no slash", LIT("GET health HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "asterisk", LIT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "percent", LIT("GET /v1/%74asks HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "percent dots", LIT("GET /%2e%2e/etc HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "dot dot", LIT("GET /v1/../v2 HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "dot", LIT("GET /v1/./v2 HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "empty segment", LIT("GET //health HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "backslash", LIT("GET /v1\\health HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "fragment", LIT("GET /health#a HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "fragment in the query", LIT("GET /health?a#b HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "semicolon", LIT("GET /health;a=b HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "at", LIT("GET /a@b HTTP/1.1\r\n" HOST "\r\n"), URL },
    { "high byte in the target", LIT("GET /\xe3\x81\x82 HTTP/1.1\r\n" HOST "\r\n"), BAD },
    { "smuggled second request", LIT(POST "Content-Length: 3\r\n\r\nabcGET /x\r\n\r\n"), BAD },
};

static const struct stream GOOD[] = {
    { "get", LIT(GET), "IDLE" },
    { "root", LIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "IDLE" },
    { "query", LIT("GET /v1/tasks?a=%41&b=~ HTTP/1.1\r\n" HOST "\r\n"), "IDLE" },
    { "trailing slash", LIT("GET /v1/tasks/ HTTP/1.1\r\n" HOST "\r\n"), "IDLE" },
    { "1.0 closes", LIT("GET / HTTP/1.0\r\n\r\n"), "IDLE" },
    { "1.0 kept alive", LIT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET), "IDLE" },
    { "head is another method", LIT("HEAD / HTTP/1.1\r\n" HOST "\r\n"), "IDLE" },
    { "put and delete", LIT("PUT / HTTP/1.1\r\n" HOST "\r\nDELETE / HTTP/1.1\r\n" HOST "\r\n"), "IDLE" },
    { "body by length", LIT(POST "Content-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"), "IDLE" },
    { "empty body", LIT(POST "Content-Length: 0\r\n\r\n"), "IDLE" },
    { "chunked", LIT(CHUNKED "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n"), "IDLE" },
    { "chunked, upper case", LIT(POST "Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"), "IDLE" },
    { "chunks of one byte", LIT(CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"), "IDLE" },
    { "trailers", LIT(CHUNKED "5\r\nhello\r\n0\r\nX: y\r\nAuthorization: no\r\n\r\n" GET), "IDLE" },
    { "pipelined", LIT(GET POST "Content-Length: 3\r\n\r\nabc" CHUNKED "1\r\nz\r\n0\r\n\r\n" GET), "IDLE" },
    { "upgrade is ignored", LIT("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" GET), "IDLE" },
    { "close", LIT("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), "IDLE" },
    { "expect", LIT(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"), "IDLE" },
    { "white space around a value", LIT(POST "Content-Type: \t a/b \t \r\nContent-Length: 1 \r\n\r\nx"), "IDLE" },
    { "obs-text in a value", LIT("GET / HTTP/1.1\r\n" HOST "User-Agent: \xe3\x81\x82\r\n\r\n"), "IDLE" },
    { "half a head", LIT("GET / HTTP/1.1\r\nHo"), "WAITING" },
    { "half a body", LIT(POST "Content-Length: 5\r\n\r\nhel"), "WAITING" },
    { "half a chunk", LIT(CHUNKED "5\r\nhel"), "WAITING" },
};

/* The last line of a trace, without its newline. */
static struct slice last_line(const struct buf *b)
{
    size_t end = b->n - 1, from = end;
    while (from > 0 && b->p[from - 1] != '\n')
        from--;
    return slice_of(b->p + from, end - from);
}

static void same(const struct stream *s, const struct buf *whole, size_t first, size_t step)
{
    struct buf cut;
    buf_init(&cut, 1 << 16);
    trace_stream(s->bytes, HEADER_MAX, first, step, &cut);
    if (!slice_eq(buf_slice(whole), buf_slice(&cut)))
        fail_msg("%s: cut at %zu, steps of %zu: another reading", s->name, first, step);
    buf_done(&cut);
}

static void check(const struct stream *s)
{
    struct buf whole;
    buf_init(&whole, 1 << 16);
    trace_stream(s->bytes, HEADER_MAX, 0, s->bytes.n, &whole);
    struct slice end = last_line(&whole);
    if (!slice_eq(end, slice_str(s->end)))
        fail_msg("%s: ends with %.*s", s->name, (int)end.n, (const char *)end.p);
    same(s, &whole, 0, 1);
    same(s, &whole, 0, 7);
    for (size_t k = 1; k < s->bytes.n; k++)
        same(s, &whole, k, s->bytes.n);
    buf_done(&whole);
}

static void hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++)
        check(&HOSTILE[i]);
}

static void good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
        check(&GOOD[i]);
}

static void reads(void **state)
{
    (void)state;
    struct buf t;
    buf_init(&t, 4096);
    trace_stream(LIT("POST /v1/tasks?x=1 HTTP/1.1\r\nHOST: a\r\ncontent-type: a/b \r\nAuthorization:Bearer t\r\n"
                     "Accept-Language: ja\r\nAccept-Language: en\r\nOrigin: o\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello"
                     "DELETE / HTTP/1.0\r\n\r\n"),
                 HEADER_MAX, 0, 1000, &t);
    assert_string_equal(buf_cstr(&t), "HEAD 1|/v1/tasks|x=1|a/b|Bearer t|ja|o|5 body known keep expect 1.1\nDONE hello\n"
                                      "HEAD 3|/||||||0 known 1.0\nDONE \nIDLE\n");
    buf_reset(&t);
    trace_stream(LIT(CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\nContent-Type: x\r\n\r\n"), HEADER_MAX, 0, 3, &t);
    assert_string_equal(buf_cstr(&t), "HEAD 1|/v1/tasks||||||0 body keep 1.1\nDONE hello!\nIDLE\n");
    buf_done(&t);
}

/* Exactly the limit passes, one more byte does not. */
static void header_limit(void **state)
{
    (void)state;
    struct slice in = LIT(GET);
    struct buf t;
    buf_init(&t, 4096);
    trace_stream(in, in.n, 0, in.n, &t);
    assert_true(slice_eq(last_line(&t), LIT("IDLE")));
    buf_reset(&t);
    trace_stream(in, in.n - 1, 0, in.n, &t);
    assert_string_equal(buf_cstr(&t), BIG "\n");
    buf_done(&t);
}

static void after_bad(void **state)
{
    (void)state;
    struct http_parser *p = http_parser_new((struct http_limits){ .header_max = HEADER_MAX });
    struct slice in = LIT("\r\n"), again = LIT(GET), data;
    const struct http_head *head;
    struct err why;
    assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_BAD);
    assert_int_equal(http_next(p, &again, &head, &data, &why), HTTP_BAD);
    assert_int_equal(why.code, E_BAD_REQUEST);
    assert_false(http_idle(p));
    http_parser_free(p);
    http_parser_free(NULL);
}

static void big_body_streams(void **state)
{
    (void)state;
    struct http_parser *p = http_parser_new((struct http_limits){ .header_max = HEADER_MAX });
    static uint8_t block[100000];
    struct slice in = LIT(POST "Content-Length: 1000000\r\n\r\n"), data;
    const struct http_head *head;
    struct err why;
    assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_HEAD);
    assert_true(head->content_length == 1000000);
    for (int i = 0; i < 10; i++) {
        in = ARR(block);
        assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_BODY);
        assert_int_equal(data.n, sizeof block);
        assert_ptr_equal(data.p, block); /* borrowed, not copied */
        assert_int_equal(http_next(p, &in, &head, &data, &why), i < 9 ? HTTP_NEED : HTTP_DONE);
    }
    http_parser_free(p);
}

static void writes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct http_answer a = { .status = 200, .content_type = "application/json", .request_id = "00ff" };
    http_write(&out, &a, LIT("{}"));
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                                        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: 00ff\r\n\r\n{}");
    buf_reset(&out);
    a = (struct http_answer){ .status = 204 };
    http_write(&out, &a, LIT("dropped"));
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n"
                                        "X-Content-Type-Options: nosniff\r\n\r\n");
    buf_reset(&out);
    a = (struct http_answer){ .status = 599, .allow = "GET", .www_authenticate = "Bearer", .location = "/v1", .retry_after_s = 3,
                              .close = true };
    http_write(&out, &a, SLICE_NONE);
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 599 \r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
                                        "X-Content-Type-Options: nosniff\r\nAllow: GET\r\nWWW-Authenticate: Bearer\r\n"
                                        "Location: /v1\r\nRetry-After: 3\r\nConnection: close\r\n\r\n");
    buf_reset(&out);
    a = (struct http_answer){ .status = 501, .keep_alive = true, .date = "Thu, 01 Jan 1970 00:00:00 GMT" };
    http_write(&out, &a, SLICE_NONE);
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
                                        "X-Content-Type-Options: nosniff\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                        "Connection: keep-alive\r\n\r\n");
    buf_reset(&out);
    a = (struct http_answer){ .status = 405, .allow = "GET", .no_body = true };
    http_write(&out, &a, LIT("dropped"));
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 405 Method Not Allowed\r\nCache-Control: no-store\r\n"
                                        "X-Content-Type-Options: nosniff\r\nAllow: GET\r\n\r\n");
    buf_done(&out);
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        uint64_t wall_s;
        const char *text;
    } D[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },           { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 1709251199, "Thu, 29 Feb 2024 23:59:59 GMT" },  { 1709251200, "Fri, 01 Mar 2024 00:00:00 GMT" },
        { 1798761599, "Thu, 31 Dec 2026 23:59:59 GMT" },  { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
    };
    for (size_t i = 0; i < sizeof D / sizeof D[0]; i++) {
        char out[HTTP_DATE_CHARS + 1];
        http_date(D[i].wall_s * 1000 + 999, out);
        assert_string_equal(out, D[i].text);
    }
}

static void forgets(void **state)
{
    (void)state;
    struct http_parser *p = http_parser_new((struct http_limits){ .header_max = HEADER_MAX });
    struct slice in = LIT(GET "GET /he"), rest = LIT("alth HTTP/1.1\r\n" HOST "\r\n"), data;
    const struct http_head *head;
    struct err why;
    assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_HEAD);
    assert_false(head->head_method);
    http_forget(p); /* not yet */
    assert_true(slice_eq(head->path, LIT("/health")));
    assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_DONE);
    http_forget(p);
    assert_true(http_idle(p));
    assert_int_equal(http_next(p, &in, &head, &data, &why), HTTP_NEED);
    http_forget(p); /* half a head is kept */
    assert_int_equal(http_next(p, &rest, &head, &data, &why), HTTP_HEAD);
    assert_true(slice_eq(head->path, LIT("/health")));
    http_parser_free(p);
}

static void content_range_is_strict(void **state)
{
    (void)state;
    struct http_range r;
    assert_true(http_content_range(LIT("bytes 0-0/1"), &r));
    assert_true(http_content_range(LIT("bytes 10-18446744073709551614/18446744073709551615"), &r));
    assert_int_equal(r.first, 10);
    assert_int_equal(r.last, UINT64_MAX - 1);
    assert_int_equal(r.total, UINT64_MAX);
    static const struct slice NO_RANGE[] = {
        LIT(""), LIT("bytes"), LIT("bytes "), LIT("bytes 0-1"), LIT("bytes 1-0/2"), LIT("bytes 0-2/2"), LIT("bytes 0-1/*"), LIT("bytes */2"),
        LIT("bytes -1/2"), LIT("bytes 0-/2"), LIT("bytes 0-1/"), LIT("bytes 00-1/2"), LIT("bytes 0 - 1/2"), LIT("bytes  0-1/2"), LIT("Bytes 0-1/2"),
        LIT("bytes=0-1/2"), LIT("rows 0-1/2"), LIT("bytes 0-1/18446744073709551616"), LIT("bytes 0-1/2 "), LIT("bytes 0-1/2,3-4/5"),
        LIT("bytes +0-1/2"), LIT("bytes 0-0x1/2"),
    };
    for (size_t i = 0; i < sizeof NO_RANGE / sizeof NO_RANGE[0]; i++)
        assert_false(http_content_range(NO_RANGE[i], &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile),      cmocka_unit_test(good),      cmocka_unit_test(reads),
        cmocka_unit_test(header_limit), cmocka_unit_test(after_bad), cmocka_unit_test(big_body_streams),
        cmocka_unit_test(writes),       cmocka_unit_test(dates),     cmocka_unit_test(forgets),
        cmocka_unit_test(content_range_is_strict),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
