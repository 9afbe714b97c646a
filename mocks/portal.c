/* マイナポータル: card login, pseudonyms, the citizen's question. Knows card serials and pseudonyms; a PMH key only from
 * its arrival until the gateway has confirmed the pair (204), then it is wiped. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/check/json_in.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { SENDING_MAX = 16, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, POST_TIMEOUT_MS = 10000, URL_MAX = 512, QUEUE_FIRST = 1024 };
enum { BODY_MAX = 512, POST_ANSWER_MAX = 16 * 1024, ASK_ANSWER_MAX = 1024 * 1024 };

/* What a citizen may ask for here, and where the gateway is asked. */
struct question {
    const char *path, *gateway;
    const char *members[2]; /* of the body, besides the card; handed on as they are */
};
static const struct question QUESTIONS[] = {
    { "/portal/v1/eligibility", "/v1/portal/eligibility", { NULL } },
    { "/portal/v1/consents", "/v1/portal/consents", { NULL } },
    { "/portal/v1/consents/withdraw", "/v1/portal/consents/withdraw", { "consent_id", "all" } },
    { "/portal/v1/sessions/end", "/v1/portal/sessions/end", { "session_id", "all" } },
    { "/portal/v1/access-log", "/v1/portal/access-log", { "cursor", "limit" } },
    { "/portal/v1/access-log/statement", "/v1/portal/access-log/statement", { "cursor", "limit" } },
    { "/portal/v1/immunizations", "/v1/portal/immunizations", { NULL } },
    { "/portal/v1/tickets", "/v1/portal/tickets", { "qr" } },
    { "/portal/v1/my-notices", "/v1/portal/notices", { NULL } },
};
enum { MEMBERS_MAX = sizeof QUESTIONS[0].members / sizeof QUESTIONS[0].members[0], MEMBER_CHARS_MAX = 64 };

struct login {
    struct nation *n;
    struct req *r;
    const struct question *q;
    json_t *asked; /* the body: lives as long as the request */
    struct fault fx;
    uint32_t at;
    struct login *next; /* in nation.portal.logins, while the link is not confirmed */
};

struct post { struct nation *n; uint32_t at; };

static void pump(struct nation *n);
static void ask(struct login *g);

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
            ask(g);
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

static void pair_post(struct nation *n, uint32_t at)
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
            pair_post(n, at);
    }
}

static void on_retry(void *arg) { pump(arg); }

/* Makes the pseudonym and remembers the key until both are posted. */
static bool account_open(struct nation *n, uint32_t at, const char *pmh_key)
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
    if (n->portal.stopping || !account_open(n, at, pmh_key) || people_at(&n->people, at)->portal.link != LINK_WAITING)
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

/* ---- the citizen's question ---- */

static void on_asked(void *arg, struct err e, int status, struct slice answer)
{
    struct login *g = arg;
    struct buf body;
    buf_init(&body, ASK_ANSWER_MAX);
    buf_put(&body, answer);
    if (err_ok(e))
        answer_send(g->n, g->r, &g->fx, status, &body);
    else
        answer_fail(g->n, g->r, &g->fx, e);
    buf_done(&body);
    free(g);
}

static void members_write(const struct login *g, struct jsonw *w)
{
    for (size_t i = 0; i < MEMBERS_MAX && g->q->members[i]; i++) {
        const json_t *v = json_object_get(g->asked, g->q->members[i]);
        if (json_is_string(v))
            jsonw_str(w, g->q->members[i], slice_of(json_string_value(v), json_string_length(v)));
        else if (v)
            jsonw_bool(w, g->q->members[i], json_is_true(v));
    }
}

static void ask(struct login *g)
{
    char url[URL_MAX];
    struct buf body;
    struct jsonw w;
    url_make(g->n, g->q->gateway, url);
    buf_init(&body, BODY_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "pseudonym", people_at(&g->n->people, g->at)->portal.pseudonym);
    members_write(g, &w);
    jsonw_end_object(&w);
    struct client_req q = { .method = "POST", .url = url, .content_type = "application/json", .answer_max = ASK_ANSWER_MAX, .timeout_ms = POST_TIMEOUT_MS };
    client_send(g->n->client, &q, &body, on_asked, g);
    buf_done(&body);
}

static const struct question *question_of(const struct req *r)
{
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++)
        if (slice_eq(slice_str(QUESTIONS[i].path), slice_str(req_route(r)->path)))
            return &QUESTIONS[i];
    return NULL;
}

static bool asked_well(json_t *obj, const struct question *q, struct slice *ret_serial)
{
    size_t members = 1;
    struct slice text;
    for (size_t i = 0; i < MEMBERS_MAX && q->members[i]; i++) {
        const json_t *v = json_object_get(obj, q->members[i]);
        members += v != NULL;
        if (v && !json_is_boolean(v) && !member_text(obj, q->members[i], MEMBER_CHARS_MAX, &text))
            return false;
    }
    return json_object_size(obj) == members && member_text(obj, "card_serial", SERIAL_MAX, ret_serial);
}

/* Both published orders meet here: pushed after numbering, the account is open; at first use, the portal asks for the key. */
static struct err login_start(struct nation *n, struct req *r, const struct fault *fx)
{
    json_t *obj;
    struct slice serial;
    const struct question *q = question_of(r);
    if (!q)
        return FAIL(E_NO_ROUTE);
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (!asked_well(obj, q, &serial))
        return FAIL(E_FIELD);
    uint32_t at = people_by_serial(&n->people, serial);
    const char *pmh_key = at == TABLE_NONE ? NULL : onshi_key_of(n, at);
    if (!pmh_key)
        return FAIL(E_NOTHING);
    if (!account_open(n, at, pmh_key))
        return FAIL(E_INTERNAL);
    struct login *g = malloc(sizeof *g);
    if (!g)
        return FAIL(E_NOMEM);
    *g = (struct login){ .n = n, .r = r, .q = q, .asked = obj, .fx = *fx, .at = at };
    if (people_at(&n->people, at)->portal.link == LINK_DONE) {
        ask(g);
        return OK;
    }
    g->next = n->portal.logins;
    n->portal.logins = g;
    if (!people_at(&n->people, at)->portal.sending)
        pair_post(n, at); /* a citizen waits: not behind everybody else's */
    return OK;
}

static void question_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct fault fx = faults_take(&n->faults, SYSTEM_PORTAL);
    struct err e = n->portal.stopping ? FAIL(E_CANCELED) : login_start(n, r, &fx);
    if (err_ok(e)) {
        n->count.logins++;
        return;
    }
    n->count.logins_refused++;
    answer_fail(n, r, &fx, e);
}

const struct route PORTAL_ROUTES[] = {
    { M_POST, "/portal/v1/eligibility", { "askMyEligibility" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/consents", { "askMyConsents" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/consents/withdraw", { "withdrawMyConsents" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/sessions/end", { "endMySessions" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/access-log", { "askWhoAsked" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/access-log/statement", { "askStatement" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/immunizations", { "askMyImmunizations" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/tickets", { "askMyTickets" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/my-notices", { "askMyNotices" }, 0, false, 4096, "application/json", 130000, question_post },
    { M_POST, "/portal/v1/notices", { "takeNotice" }, CALLER_BIT(CALLER_GATEWAY), false, 4096, "application/json", 130000, portal_notice_post },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t PORTAL_ROUTES_N = sizeof PORTAL_ROUTES / sizeof *PORTAL_ROUTES;
