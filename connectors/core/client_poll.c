#include <stdlib.h>

#include "connectors/core/client_in.h"

/* A socket of curl's, watched. Freed in the close callback only. */
struct sock {
    uv_poll_t poll;
    struct client *client;
    curl_socket_t fd;
};

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct sock *s = h->data;
    struct client *c = s->client;
    int what = 0, running;
    if (status < 0)
        what = CURL_CSELECT_ERR; /* libuv has stopped the watcher: without this curl would wait for ever */
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    curl_multi_socket_action(c->multi, s->fd, what, &running);
    client__pump(c);
}

static void on_closed(uv_handle_t *h)
{
    struct sock *s = h->data;
    struct client *c = s->client;
    free(s);
    c->polls--;
    client__maybe_free(c);
}

static struct sock *sock_new(struct client *c, curl_socket_t fd)
{
    struct sock *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    if (uv_poll_init_socket(loop_uv(c->loop), &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }
    s->poll.data = s;
    s->client = c;
    s->fd = fd;
    c->polls++;
    return s;
}

/* 0 in every case: -1 would end all requests of the multi handle, whereas a socket without a watcher ends in its own deadline. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *sock)
{
    struct client *c = client;
    struct sock *s = sock;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(c->multi, fd, NULL);
        if (s)
            uv_close((uv_handle_t *)&s->poll, on_closed);
        return 0;
    }
    if (!s) {
        s = sock_new(c, fd);
        if (!s)
            return 0;
        curl_multi_assign(c->multi, fd, s);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&s->poll, events, on_poll);
    return 0;
}

/* curl must not be called from here: it only says when to. 0 goes through the loop's next turn, which costs no millisecond. */
static int on_timer_wish(CURLM *multi, long ms, void *client)
{
    struct client *c = client;
    (void)multi;
    if (ms < 0)
        timer_stop(c->curl_timer);
    else
        timer_start(c->curl_timer, (uint64_t)ms);
    return 0;
}

void client__on_curl_timer(void *arg)
{
    struct client *c = arg;
    int running;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    client__pump(c);
}

struct err client__poll_setup(struct client *c)
{
    if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK
        || curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK
        || curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish) != CURLM_OK
        || curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK)
        return FAIL(E_INTERNAL);
    return OK;
}
