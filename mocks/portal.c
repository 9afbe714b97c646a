/* マイナポータル: accounts and pseudonyms. Knows card serials and pseudonyms; a PMH key only from
 * its arrival until the gateway has confirmed the pair (204), then it is wiped. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/check/json_in.h"
#include "mocks/portal.h"

enum { SENDING_MAX = 16, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, POST_TIMEOUT_MS = 10000, URL_MAX = 512, QUEUE_FIRST = 1024 };
enum { BODY_MAX = 512, POST_ANSWER_MAX = 16 * 1024 };

struct post { struct nation *n; uint32_t at; };

static void pump(struct nation *n);

/* ---- the queue of pairs to post ---- */

static struct err queue_put(struct nation *n, uint32_t at)
{
    if (people_at(&n->people, at)->portal.queued)
        return OK;
    if (n->portal.n == n->portal.cap) {
        size_t cap = n->portal.cap ? n->portal.cap * 2 : QUEUE_FIRST;
        uint32_t *queue = malloc(cap * sizeof *queue);
        if (!queue)
            return FAIL(E_NOMEM);
        for (size_t i = 0; i < n->portal.n; i++)
            queue[i] = n->portal.queue[(n->portal.head + i) % n->portal.cap];
        free(n->portal.queue);
        n->portal.queue = queue;
        n->portal.head = 0;
        n->portal.cap = cap;
    }
    n->portal.queue[(n->portal.head + n->portal.n++) % n->portal.cap] = at;
    people_at(&n->people, at)->portal.queued = true;
    return OK;
}

static uint32_t queue_take(struct nation *n)
{
    uint32_t at = n->portal.queue[n->portal.head];
    n->portal.head = (n->portal.head + 1) % n->portal.cap;
    n->portal.n--;
    people_at(&n->people, at)->portal.queued = false;
    return at;
}

/* ---- posting a pair ---- */

/* The citizens who wait for this person: they go on, or hear the error. */
static void logins_release(struct nation *n, uint32_t at, struct err e)
{
    struct login **slot = &n->portal.logins, *mine = NULL;
    while (*slot) {
        struct login *g = *slot;
        if (g->at != at) {
            slot = &g->next;
            continue;
        }
        *slot = g->next;
        g->next = mine;
        mine = g;
    }
    while (mine) {
        struct login *g = mine;
        mine = g->next;
        if (err_ok(e)) {
            portal_ask(g);
            continue;
        }
        answer_fail(n, g->r, &g->fx, e);
        free(g);
    }
}

static void linked(struct nation *n, uint32_t at)
{
    struct person *p = people_at(&n->people, at);
    p->portal.link = LINK_DONE;
    explicit_bzero(p->portal.pmh_key, sizeof p->portal.pmh_key);
    n->count.posts_ok++;
    n->portal.backoff_ms = 0;
    struct err e = record_linked(n, at);
    if (!err_ok(e)) /* the pair is posted once more after the next start, which changes nothing */
        LOG(WARN, "link_not_recorded", LF("error", e));
    logins_release(n, at, OK);
}

static void not_linked(struct nation *n, uint32_t at, int status)
{
    n->count.posts_failed++;
    LOG(INFO, "link_not_taken", LF("status", (uint64_t)status));
    struct err e = queue_put(n, at);
    if (!err_ok(e))
        LOG(WARN, "link_not_queued", LF("error", e));
    n->portal.backoff_ms = n->portal.backoff_ms ? n->portal.backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (n->portal.backoff_ms > BACKOFF_MAX_MS)
        n->portal.backoff_ms = BACKOFF_MAX_MS;
    if (!timer_active(n->portal.retry))
        timer_start(n->portal.retry, n->portal.backoff_ms);
    logins_release(n, at, FAIL(E_UPSTREAM_DOWN));
}

static void on_posted(void *arg, struct err e, int status, struct slice body)
{
    struct post *post = arg;
    struct nation *n = post->n;
    uint32_t at = post->at;
    (void)body;
    free(post);
    n->portal.sending--;
    people_at(&n->people, at)->portal.sending = false;
    if (n->portal.stopping)
        return;
    if (err_ok(e) && status == 204)
        linked(n, at);
    else
        not_linked(n, at, status);
    pump(n);
}

static void url_make(const struct nation *n, const char *path, char out[static URL_MAX]) { snprintf(out, URL_MAX, "%s%s", n->portal_door, path); }

void portal_pair_post(struct nation *n, uint32_t at)
{
    struct person *p = people_at(&n->people, at);
    struct post *post = malloc(sizeof *post);
    if (!post) {
        not_linked(n, at, 0);
        return;
    }
    *post = (struct post){ n, at };
    char url[URL_MAX];
    struct buf body;
    struct jsonw w;
    url_make(n, "/v1/portal/pseudonyms", url);
    buf_init(&body, BODY_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "pmh_key", p->portal.pmh_key);
    jsonw_cstr(&w, "pseudonym", p->portal.pseudonym);
    jsonw_end_object(&w);
    p->portal.sending = true;
    n->portal.sending++;
    struct client_req q = { .method = "POST", .url = url, .content_type = "application/json", .answer_max = POST_ANSWER_MAX, .timeout_ms = POST_TIMEOUT_MS };
    client_send(n->client, &q, &body, on_posted, post);
    buf_done(&body);
}

static void pump(struct nation *n)
{
    while (!n->portal.stopping && n->portal.n > 0 && n->portal.sending < SENDING_MAX && !timer_active(n->portal.retry)) {
        uint32_t at = queue_take(n);
        const struct person *p = people_at(&n->people, at);
        if (p->portal.link == LINK_WAITING && !p->portal.sending)
            portal_pair_post(n, at);
    }
}

static void on_retry(void *arg) { pump(arg); }

bool portal_account(struct nation *n, uint32_t at, const char *pmh_key)
{
    struct person *p = people_at(&n->people, at);
    if (p->portal.link != LINK_NONE)
        return true;
    struct err e = ids_make(n, "pseudonym", slice_str(p->onshi.binding), p->portal.pseudonym);
    if (!err_ok(e)) {
        LOG(WARN, "pseudonym_not_made", LF("error", e));
        return false;
    }
    snprintf(p->portal.pmh_key, sizeof p->portal.pmh_key, "%s", pmh_key);
    p->portal.link = LINK_WAITING;
    return true;
}

void portal_receive(struct nation *n, uint32_t at, const char *pmh_key)
{
    if (n->portal.stopping || !portal_account(n, at, pmh_key) || people_at(&n->people, at)->portal.link != LINK_WAITING)
        return;
    struct err e = people_at(&n->people, at)->portal.sending ? OK : queue_put(n, at);
    if (!err_ok(e))
        LOG(WARN, "link_not_queued", LF("error", e));
    pump(n);
}

void portal_catch_up(struct nation *n)
{
    for (uint32_t at = 0; n->order == ORDER_PUSH && at < n->people.n; at++)
        if (onshi_key_of(n, at) && people_at(&n->people, at)->portal.link == LINK_NONE)
            portal_receive(n, at, onshi_key_of(n, at));
}

ERR portal_start(struct nation *n) { return timer_new(&n->portal.retry, n->l, on_retry, n); }

void portal_stop(struct nation *n)
{
    n->portal.stopping = true;
    timer_free(n->portal.retry);
    n->portal.retry = NULL;
    while (n->portal.logins) {
        struct login *g = n->portal.logins;
        n->portal.logins = g->next;
        req_abort(g->r);
        free(g);
    }
    free(n->portal.queue);
    n->portal.queue = NULL;
    n->portal.n = n->portal.cap = 0;
}
