#include "connectors/core/client.h"

#include <stdlib.h>

#include "connectors/core/client_in.h"
#include "gateway/base/file.h"
#include "gateway/base/must.h"
#include "gateway/base/wipe.h"

enum { PEM_MAX = 256 * 1024 };

struct err client_setup(void)
{
    /* libcurl would write the keys of every connection to the file that this names */
    unsetenv("SSLKEYLOGFILE");
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wipe_malloc, wipe_free, wipe_realloc, wipe_strdup, wipe_calloc) != CURLE_OK)
        return FAIL(E_INTERNAL);
    return OK;
}

static void calls_init(struct calls *q) { *q = (struct calls){ NULL, &q->first }; }

static void calls_put(struct calls *q, struct call *k)
{
    k->next = NULL;
    *q->last = k;
    q->last = &k->next;
}

static ERR pem_read(struct buf *b, const char *path)
{
    buf_init(b, PEM_MAX);
    return err_ok(file_read(path, b)) && b->n ? OK : FAIL(E_CONFIG);
}

static void destroy(struct client *c)
{
    buf_done(&c->ca);
    buf_done(&c->cert);
    secret_free(c->key);
    free(c->slots);
    free(c);
}

void client__maybe_free(struct client *c)
{
    if (c->torn && c->polls == 0)
        destroy(c);
}

/* curl closes its idle connections here and asks for their watchers' removal, so the timers must still be there. */
static void tear_down(struct client *c)
{
    if (c->multi)
        curl_multi_cleanup(c->multi);
    c->multi = NULL;
    timer_free(c->curl_timer);
    timer_free(c->end_timer);
    c->torn = true;
    client__maybe_free(c);
}

static void call_release(struct call *k)
{
    struct client *c = k->client;
    buf_done(&k->body);
    buf_done(&k->answer);
    if (k->extra) {
        free(k);
        return;
    }
    *k = (struct call){ .next = c->free, .client = c, .state = CALL_FREE };
    c->free = k;
}

/* done() may send, refuse and close: what it ends is delivered a turn later. */
static void deliver(struct client *c)
{
    struct call *k = c->ended.first;
    calls_init(&c->ended);
    while (k) {
        struct call *next = k->next;
        struct slice body = err_ok(k->e) ? buf_slice(&k->answer) : SLICE_NONE;
        k->done(k->arg, k->e, err_ok(k->e) ? k->status : 0, body);
        call_release(k);
        k = next;
    }
    if (c->ended.first || c->closing)
        timer_start(c->end_timer, 0);
}

static void on_end_timer(void *arg)
{
    struct client *c = arg;
    if (c->ended.first)
        deliver(c);
    else if (c->closing)
        tear_down(c);
}

/* Takes the call from curl; its done() comes from the loop. */
static void end(struct call *k, struct err e)
{
    struct client *c = k->client;
    if (k->state == CALL_LIVE)
        curl_multi_remove_handle(c->multi, k->easy);
    client__easy_free(k);
    k->state = CALL_ENDED;
    k->e = e;
    calls_put(&c->ended, k);
}

void client__pump(struct client *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        char *p = NULL;
        CURLcode code = m->data.result; /* m is gone once the handle is removed */
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p) != CURLE_OK || !p)
            continue;
        struct call *k = (struct call *)p;
        end(k, client__judge(k, code));
    }
    if (c->ended.first)
        deliver(c);
}

static struct call *call_take(struct client *c, client_done_fn *done, void *arg)
{
    struct call *k = c->free;
    if (!k)
        return NULL;
    c->free = k->next;
    *k = (struct call){ .client = c, .done = done, .arg = arg };
    buf_init(&k->body, 1);
    buf_init(&k->answer, 1);
    return k;
}

void client_refuse(struct client *c, struct err e, client_done_fn *done, void *arg)
{
    struct call *k = calloc(1, sizeof *k);
    /* Without memory for this the promise to call done() can only be kept by a new process. */
    MUST(k);
    *k = (struct call){ .client = c, .extra = true, .done = done, .arg = arg };
    end(k, e);
    timer_start(c->end_timer, 0);
}

void client_send(struct client *c, const struct client_req *req, struct buf *body, client_done_fn *done, void *arg)
{
    struct call *k = c->closing ? NULL : call_take(c, done, arg);
    if (!k) {
        if (body)
            buf_done(body);
        client_refuse(c, c->closing ? FAIL(E_CANCELED) : FAIL(E_BUSY), done, arg);
        return;
    }
    if (body) {
        struct buf taken = *body;
        buf_init(body, taken.max);
        k->body = taken; /* body was given to k */
    }
    buf_init(&k->answer, req->answer_max ? req->answer_max : 1);
    struct err e = client__easy_new(k, req);
    if (err_ok(e) && curl_multi_add_handle(c->multi, k->easy) != CURLM_OK)
        e = FAIL(E_INTERNAL);
    if (err_ok(e)) {
        k->state = CALL_LIVE;
        return;
    }
    end(k, e);
    timer_start(c->end_timer, 0);
}

static ERR slots_new(struct client *c, unsigned n)
{
    c->slots = calloc(n, sizeof *c->slots);
    if (!c->slots)
        return FAIL(E_NOMEM);
    c->n_slots = n;
    for (size_t i = n; i-- > 0;) {
        c->slots[i] = (struct call){ .client = c, .next = c->free };
        c->free = &c->slots[i];
    }
    return OK;
}

static ERR build(struct client *c, const struct client_conf *conf)
{
    TRY(pem_read(&c->ca, conf->ca_path));
    TRY(pem_read(&c->cert, conf->cert_path));
    TRY(secret_read_file(&c->key, conf->key_path, 0));
    TRY(slots_new(c, conf->queue_max ? conf->queue_max : 1));
    TRY(timer_new(&c->curl_timer, c->loop, client__on_curl_timer, c));
    TRY(timer_new(&c->end_timer, c->loop, on_end_timer, c));
    c->multi = curl_multi_init();
    if (!c->multi)
        return FAIL(E_NOMEM);
    long conns = conf->conns_max ? (long)conf->conns_max : 1;
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, conns);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, conns);
    return client__poll_setup(c);
}

struct err client_new(struct client **ret_c, struct loop *l, const struct client_conf *conf)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->loop = l;
    c->outside_only = conf->outside_only;
    calls_init(&c->ended);
    struct err e = build(c, conf);
    if (!err_ok(e)) {
        tear_down(c);
        return err_is(e, E_IO) ? FAIL(E_CONFIG) : e;
    }
    *ret_c = c;
    return OK;
}

void client_close(struct client *c)
{
    if (!c || c->closing)
        return;
    c->closing = true;
    for (size_t i = 0; i < c->n_slots; i++)
        if (c->slots[i].state == CALL_LIVE)
            end(&c->slots[i], FAIL(E_CANCELED));
    timer_start(c->end_timer, 0);
}
