#include <openssl/ssl.h>

#include "connectors/core/address.h"
#include "connectors/core/client_in.h"
#include "gateway/base/log.h"

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
    struct call *k = arg;
    size_t got = one * n;
    if (got > k->answer.max - k->answer.n) {
        k->too_large = true;
        return 0;
    }
    buf_put(&k->answer, slice_of(p, got));
    return k->answer.failed ? 0 : got;
}

/* Answers hold numbers: OpenSSL's own buffer is wiped once it has been read. */
static CURLcode on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
    (void)easy;
    (void)arg;
    SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT);
    return CURLE_OK;
}

static ERR header_add(struct call *k, const char *line)
{
    struct curl_slist *more = curl_slist_append(k->headers, line);
    if (!more)
        return FAIL(E_NOMEM);
    k->headers = more;
    return OK;
}

static ERR header_pair(struct call *k, const char *name, const char *value)
{
    struct buf line;
    for (const char *p = value; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return FAIL(E_INTERNAL);
    buf_init(&line, BEARER_MAX);
    buf_puts(&line, name);
    buf_puts(&line, value);
    const char *s = buf_cstr(&line);
    struct err e = s ? header_add(k, s) : buf_check(&line);
    buf_done(&line);
    return e;
}

static ERR headers_make(struct call *k, const struct client_req *req)
{
    TRY(header_add(k, "Expect:")); /* a second round trip that no partner asks for */
    TRY(header_add(k, "Accept: application/json"));
    if (req->content_type)
        TRY(header_pair(k, "Content-Type: ", req->content_type));
    if (req->bearer)
        TRY(header_pair(k, "Authorization: Bearer ", req->bearer));
    if (req->header)
        TRY(header_pair(k, "", req->header));
    return OK;
}

#define SET(opt, v)                                           \
    do {                                                      \
        if (curl_easy_setopt(k->easy, (opt), (v)) != CURLE_OK) \
            return FAIL(E_INTERNAL);                          \
    } while (0)

static ERR set_limits(struct call *k, const struct client_req *req)
{
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a late request leaves its resolver thread to end by itself; the loop would wait for it otherwise */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)req->timeout_ms);
    return OK;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct call *k = arg;
    (void)purpose;
    if (address_is_inside(&to->addr)) {
        k->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A connection that is kept was looked at when it was made. */
static ERR set_address(struct call *k)
{
    if (!k->client->outside_only)
        return OK;
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, k);
    return OK;
}

static struct err set_key(struct slice pem, void *arg)
{
    struct call *k = arg;
    struct curl_blob blob = { (void *)pem.p, pem.n, CURL_BLOB_COPY };
    SET(CURLOPT_SSLKEY_BLOB, &blob);
    return OK;
}

static ERR set_tls(struct call *k)
{
    const struct client *c = k->client;
    struct curl_blob ca = { c->ca.p, c->ca.n, CURL_BLOB_NOCOPY }, cert = { c->cert.p, c->cert.n, CURL_BLOB_NOCOPY };
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, NULL); /* the machine's own list is a default */
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_CAINFO_BLOB, &ca);
    SET(CURLOPT_SSLCERT_BLOB, &cert);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    return secret_use(c->key, set_key, k);
}

static ERR set_request(struct call *k, const struct client_req *req)
{
    SET(CURLOPT_URL, req->url);
    SET(CURLOPT_HTTPHEADER, k->headers);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, k);
    SET(CURLOPT_PRIVATE, k);
    if (k->body.n == 0 && strcmp(req->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return OK;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_CUSTOMREQUEST, req->method);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)k->body.n);
    SET(CURLOPT_POSTFIELDS, k->body.n ? (const char *)k->body.p : "");
    return OK;
}

struct err client__easy_new(struct call *k, const struct client_req *req)
{
    if (!slice_starts(slice_str(req->url), LIT("https://")))
        return FAIL(E_CONFIG);
    k->easy = curl_easy_init();
    if (!k->easy)
        return FAIL(E_NOMEM);
    TRY(headers_make(k, req));
    TRY(set_limits(k, req));
    TRY(set_tls(k));
    TRY(set_address(k));
    return set_request(k, req);
}

void client__easy_free(struct call *k)
{
    curl_easy_cleanup(k->easy);
    curl_slist_free_all(k->headers);
    k->easy = NULL;
    k->headers = NULL;
}

/* libcurl's number of what went wrong, never its text: that may repeat what was sent. */
static void tell_failure(const struct call *k, CURLcode code)
{
    long os_errno = 0, connects = 0;
    curl_off_t us = 0;
    (void)curl_easy_getinfo(k->easy, CURLINFO_OS_ERRNO, &os_errno);
    (void)curl_easy_getinfo(k->easy, CURLINFO_NUM_CONNECTS, &connects);
    (void)curl_easy_getinfo(k->easy, CURLINFO_TOTAL_TIME_T, &us);
    LOG(INFO, "request_failed", LF("curl", (uint64_t)code), LF("os_errno", (uint64_t)os_errno), LF("new_connections", (uint64_t)connects),
        LF("us", (uint64_t)us));
}

struct err client__judge(struct call *k, CURLcode code)
{
    static const struct {
        CURLcode theirs;
        enum err_code ours;
    } CODES[] = {
        { CURLE_UNSUPPORTED_PROTOCOL, E_UPSTREAM_BAD }, /* an answer without a status line */
        { CURLE_WEIRD_SERVER_REPLY, E_UPSTREAM_BAD },
        { CURLE_URL_MALFORMAT, E_CONFIG },
        { CURLE_SSL_CERTPROBLEM, E_CONFIG },
        { CURLE_OUT_OF_MEMORY, E_NOMEM },
    };
    long status = 0;
    if (code != CURLE_OK)
        tell_failure(k, code);
    if (k->too_large)
        return FAIL(E_UPSTREAM_BAD);
    if (k->refused && code != CURLE_OK)
        return FAIL(E_CONFIG);
    if (k->answer.failed)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
        if (CODES[i].theirs == code)
            return FAIL(CODES[i].ours);
    if (code != CURLE_OK)
        return FAIL(E_UPSTREAM_DOWN);
    if (curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status < 100 || status > 599)
        return FAIL(E_UPSTREAM_BAD);
    k->status = (int)status;
    return OK;
}
