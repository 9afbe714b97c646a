#include "keys/ctl/web.h"

#include <curl/curl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/base/wipe.h"
#include "gateway/check/json_in.h"

enum { CONNECT_MS = 10000, ANSWER_MAX = 32 * 1024 * 1024 };

struct web { CURL *curl; };

ERR web_setup(void)
{
    json_in_setup();
    CURLcode c = curl_global_init_mem(CURL_GLOBAL_DEFAULT, wipe_malloc, wipe_free, wipe_realloc, wipe_strdup, wipe_calloc);
    return c == CURLE_OK ? OK : FAIL(E_NOMEM);
}

/* ---- Ctrl-C: held back and looked at, so that nothing has to be shared with a handler ---- */

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void web_hold_stop(void)
{
    sigset_t set = stop_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool web_stop_asked(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1);
}

void web_wait(uint64_t ms)
{
    enum { STEP_MS = 50 };
    for (; ms && !web_stop_asked(); ms -= ms < STEP_MS ? ms : STEP_MS)
        usleep((useconds_t)(ms < STEP_MS ? ms : STEP_MS) * 1000);
}

static int on_tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)arg, (void)a, (void)b, (void)c, (void)d;
    return web_stop_asked();
}

/* ---- one call ---- */

struct take { const struct web *web; const struct web_call *call; struct web_answer *answer; bool ended; };

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct take *t = arg;
    long status = 0;
    struct slice bytes = slice_of(p, size * n);
    if (t->call->on_data && curl_easy_getinfo(t->web->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200) {
        t->ended = !t->call->on_data(t->call->ctx, bytes);
        return t->ended ? 0 : bytes.n;
    }
    buf_put(&t->answer->body, bytes);
    return t->answer->body.failed ? 0 : bytes.n;
}

/* A header line without its name, or false. Names are compared in lower case, as our doors write them any way they like. */
static bool header_is(struct slice line, const char *name, struct slice *ret_value)
{
    size_t k = strlen(name);
    if (line.n <= k || strncasecmp((const char *)line.p, name, k) != 0 || line.p[k] != ':')
        return false;
    struct slice v = slice_of(line.p + k + 1, line.n - k - 1);
    while (v.n && v.p[0] == ' ')
        v = slice_of(v.p + 1, v.n - 1);
    while (v.n && (v.p[v.n - 1] == '\r' || v.p[v.n - 1] == '\n' || v.p[v.n - 1] == ' '))
        v.n--;
    *ret_value = v;
    return true;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct web_answer *a = arg;
    struct slice v;
    uint64_t s;
    if (header_is(slice_of(p, size * n), "retry-after", &v) && u64_parse(v, &s))
        a->retry_after_s = s < 3600 ? (unsigned)s : 3600;
    if (header_is(slice_of(p, size * n), "location", &v) && v.n < sizeof a->location) {
        memcpy(a->location, v.p, v.n);
        a->location[v.n] = '\0';
    }
    return size * n;
}

ERR web_new(struct web **ret_w, const struct state *s, const char *cert)
{
    struct web *w = calloc(1, sizeof *w);
    CURL *c = w ? curl_easy_init() : NULL;
    if (!c) {
        free(w);
        return FAIL(E_NOMEM);
    }
    w->curl = c;
    curl_easy_setopt(c, CURLOPT_CAINFO, state_at(s, "certs/ca.pem").c);
    if (cert) {
        curl_easy_setopt(c, CURLOPT_SSLCERT, state_at(s, "certs/%s.pem", cert).c);
        curl_easy_setopt(c, CURLOPT_SSLKEY, state_at(s, "certs/%s.key", cert).c);
    }
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    *ret_w = w;
    return OK;
}

void web_free(struct web *w)
{
    if (!w)
        return;
    curl_easy_cleanup(w->curl);
    free(w);
}

static struct curl_slist *headers_of(const struct web_call *c)
{
    char line[4200];
    struct curl_slist *l = curl_slist_append(NULL, "Expect:");
    if (c->content_type && snprintf(line, sizeof line, "Content-Type: %s", c->content_type) < (int)sizeof line)
        l = curl_slist_append(l, line);
    if (c->range && snprintf(line, sizeof line, "Content-Range: %s", c->range) < (int)sizeof line)
        l = curl_slist_append(l, line);
    if (c->bearer && snprintf(line, sizeof line, "Authorization: Bearer %s", c->bearer) < (int)sizeof line)
        l = curl_slist_append(l, line);
    explicit_bzero(line, sizeof line);
    return l;
}

ERR web_send(struct web *w, const struct web_call *c, struct web_answer *ret_a)
{
    char url[512];
    *ret_a = (struct web_answer){ 0 };
    buf_init(&ret_a->body, ANSWER_MAX);
    if (snprintf(url, sizeof url, "https://127.0.0.1:%u%s", c->port, c->path) >= (int)sizeof url)
        return FAIL(E_BAD_URL);
    struct curl_slist *headers = headers_of(c);
    curl_easy_setopt(w->curl, CURLOPT_URL, url);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    struct take t = { w, c, ret_a, false };
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(w->curl, CURLOPT_HEADERDATA, ret_a);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(w->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(w->curl, CURLOPT_LOW_SPEED_LIMIT, c->stall_s ? 1L : 0L);
    curl_easy_setopt(w->curl, CURLOPT_LOW_SPEED_TIME, (long)c->stall_s);
    if (c->content_type) {
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n);
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, (const char *)c->body.p);
    } else {
        curl_easy_setopt(w->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, c->method);
    CURLcode rc = curl_easy_perform(w->curl);
    curl_slist_free_all(headers);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, NULL);
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return FAIL(E_CANCELED);
    if (rc != CURLE_OK && !t.ended)
        return FAIL(E_UPSTREAM_DOWN);
    long status = 0;
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    ret_a->status = (int)status;
    return OK;
}

void web_answer_done(struct web_answer *a) { buf_done(&a->body); }

enum err_code web_problem_code(const struct web_answer *a)
{
    json_t *v = json_loadb((const char *)a->body.p, a->body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *slug = json_string_value(json_object_get(v, "code"));
    enum err_code code = E_INTERNAL;
    for (int i = E_OK + 1; slug && i < E__MAX; i++)
        if (slice_eq(slice_str(slug), slice_str(err_slug((enum err_code)i))))
            code = (enum err_code)i;
    json_decref(v);
    return code;
}
