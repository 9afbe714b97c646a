#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/secret.h"
#include "gateway/serve/inside.h"

enum { BACKLOG = 1024, FDS_RESERVED = 128, COMPLAIN_MS = 1000, ACCEPTS = 64 /* in a turn of the loop */, SEND_BYTES = 128 * 1024, SEND_MS = 10000, PAUSE_MS = 100, EARLY_PAUSE_MS = 20 };

struct door_limits door_limits_default(void)
{
    return (struct door_limits){
        .conns_max = 10000,
        .header_ms = 10000, .body_ms = 20000, .body_look_ms = 5000, .body_rate = 1024, .idle_ms = 60000, .write_ms = 20000,
        .header_max = 16 * 1024,
        .arena_max = 8 << 20,
    };
}

struct req_id door__new_id(struct door *d)
{
    struct req_id id;
    if (d->ids_left < sizeof id.b) {
        rnd_bytes(d->ids, sizeof d->ids);
        d->ids_left = sizeof d->ids;
    }
    d->ids_left -= sizeof id.b;
    memcpy(id.b, d->ids + d->ids_left, sizeof id.b);
    return id;
}

const char *door__date(struct door *d)
{
    uint64_t now = clock_wall(loop_clock(d->loop));
    if (now / 1000 != d->date_s) {
        d->date_s = now / 1000;
        http_date(now, d->date);
    }
    return d->date;
}

/* ---- freeing: after the last connection and the listener ---- */

static void free_if_done(struct door *d)
{
    if (d->open > 0 || d->n_conns > 0)
        return;
    while (d->spare_reqs) {
        struct req *r = d->spare_reqs;
        d->spare_reqs = r->next;
        arena_free(r->arena);
        buf_done(&r->body);
        buf_done(&r->out);
        free(r);
    }
    buf_done(&d->spare_plain);
    buf_done(&d->spare_out);
    buf_done(&d->answer);
    tls_door_free(d->tls);
    free(d->meter);
    while (d->listeners) {
        struct listener *l = d->listeners;
        d->listeners = l->next;
        free(l);
    }
    free(d);
}

void door__conn_gone(struct door *d)
{
    d->n_conns--;
    meter__went(d->meter);
    free_if_done(d);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct door *d = h->data;
    d->open--;
    free_if_done(d);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    struct door *d = l->door;
    close(l->fd);
    d->open--;
    free_if_done(d);
}

/* ---- memory ---- */

static bool has_much_to_do(const struct door *d)
{
    struct budget_state s = d->conf.budget ? budget_state(d->conf.budget) : (struct budget_state){ .conns = 0 };
    for (unsigned i = 0; i < BUDGET__MAX; i++)
        if (s.level[i] != BUDGET_OK)
            return true;
    return false;
}

static void on_trim(uv_timer_t *t)
{
    struct door *d = t->data;
    uint64_t now = uv_now(t->loop);
    if (has_much_to_do(d) && now < d->trim.done_ms + TRIM_BUSY_MS) { /* what is given back is asked for again at once: both cost */
        uv_timer_start(t, on_trim, TRIM_MS, 0);
        return;
    }
    d->trim.rested = 0;
    d->trim.done_ms = now;
    malloc_trim(0);
}

/* What many connections have given back lies between what they keep: only this hands it to the system. */
void door__rested(struct door *d)
{
    if (++d->trim.rested == TRIM_CONNS && !d->closing)
        uv_timer_start(&d->trim.timer, on_trim, TRIM_MS, 0);
}

static void stop_listening(struct door *d)
{
    if (d->closing)
        return;
    d->closing = true;
    door__crowd_over(d);
    uv_close((uv_handle_t *)&d->pause, on_handle_closed);
    uv_close((uv_handle_t *)&d->trim.timer, on_handle_closed);
    for (struct listener *l = d->listeners; l; l = l->next)
        uv_close((uv_handle_t *)&l->poll, on_listener_closed);
}

void door_drain(struct door *d)
{
    stop_listening(d);
    for (struct conn *c = d->conns, *next; c; c = next) {
        next = c->next;
        if (c->state == CONN_STREAM && !c->req->stream.whole)
            stream__door_closes(c);
    }
}

/* What has come meanwhile is still read, and answered when it is a request. */
static void end_waiting(struct conn *c)
{
    int fd, unread;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, FIONREAD, &unread) != 0 || unread == 0)
        conn__bye(c);
    else
        conn__deadline(c, LINGER_MS);
}

void door_close(struct door *d)
{
    if (d->cut)
        return;
    stop_listening(d);
    d->cut = true;
    if (d->conf.revocations)
        revocations_unhook(d->conf.revocations, &d->hook);
    uv_close((uv_handle_t *)&d->crowd.timer, on_handle_closed);
    uv_close((uv_handle_t *)&d->early.turn, on_handle_closed);
    uv_close((uv_handle_t *)&d->early.later, on_handle_closed);
    for (struct conn *c = d->conns, *next; c; c = next) {
        next = c->next;
        if (c->state == CONN_IDLE || c->state == CONN_HANDSHAKE || c->state == CONN_HEAD)
            end_waiting(c);
        else if (c->state == CONN_STREAM)
            stream__door_closes(c);
    }
}

struct err door_renew_tls(struct door *d, const struct tls_pem *pem)
{
    TRY(tls_door_renew(d->tls, pem));
    door__judge_again(d);
    return OK;
}

unsigned door_conns(const struct door *d) { return d->n_conns; }
unsigned door_port(const struct door *d) { return d->port; }

unsigned door_busy(const struct door *d)
{
    unsigned n = 0;
    for (const struct conn *c = d->conns; c; c = c->next)
        n += c->state == CONN_BODY || c->state == CONN_WAIT || c->state == CONN_BUSY || c->state == CONN_WRITE;
    return n;
}

/* ---- listening ---- */

static void complain(struct door *d, struct err e)
{
    uint64_t now = uv_now(loop_uv(d->loop));
    if (err_ok(e))
        return;
    meter__turned_away(d->meter);
    if (now < d->quiet_until)
        return;
    d->quiet_until = now + COMPLAIN_MS;
    LOG(WARN, "connection_refused", LF("door", d->conf.name), LF("error", e), LF("connections", d->n_conns));
}

static void on_pause_over(uv_timer_t *t);

/* Without descriptors or memory a listener stays ready for ever: who asks at once again turns in a circle. The kernel keeps the callers meanwhile. */
static void pause_listening(struct door *d, uint64_t ms)
{
    for (struct listener *l = d->listeners; l; l = l->next)
        uv_poll_stop(&l->poll);
    uv_timer_start(&d->pause, on_pause_over, ms, 0);
}

/* false: there is nobody, or nobody can be let in now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage from = { 0 };
    socklen_t n = sizeof from;
    int fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        complain(l->door, conn__accept(l->door, fd, &from));
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
        return true; /* one who has left already, and the like: the next one */
    complain(l->door, FAIL(E_IO));
    pause_listening(l->door, PAUSE_MS);
    return false;
}

static void on_callers(uv_poll_t *p, int status, int events)
{
    struct listener *l = p->data;
    (void)events;
    if (status != 0)
        pause_listening(l->door, PAUSE_MS);
    else if (l->door->early.n >= EARLY_CONNS)
        pause_listening(l->door, EARLY_PAUSE_MS);
    else
        for (unsigned i = 0; i < ACCEPTS && accept_one(l); i++)
            ;
}

static ERR listen_again(struct door *d)
{
    for (struct listener *l = d->listeners; l; l = l->next)
        if (uv_poll_start(&l->poll, UV_READABLE, on_callers) != 0)
            return FAIL(E_IO);
    return OK;
}

static void on_pause_over(uv_timer_t *t)
{
    struct door *d = t->data;
    struct err e = listen_again(d);
    complain(d, e);
    if (!err_ok(e))
        pause_listening(d, PAUSE_MS);
}

static bool address(const struct door_conf *conf, struct sockaddr_storage *ret_a, socklen_t *ret_n)
{
    if (uv_ip4_addr(conf->host, (int)conf->port, (struct sockaddr_in *)ret_a) == 0) {
        *ret_n = sizeof(struct sockaddr_in);
        return true;
    }
    *ret_n = sizeof(struct sockaddr_in6);
    return uv_ip6_addr(conf->host, (int)conf->port, (struct sockaddr_in6 *)ret_a) == 0;
}

/* A bound socket, or -1 with errno. */
static int bound(const struct door_conf *conf)
{
    struct sockaddr_storage a = { 0 };
    socklen_t n;
    if (!address(conf, &a, &n)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!conf->reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, (struct sockaddr *)&a, n) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage a = { 0 };
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

/* Running out of descriptors in accept() is worse than refusing a connection: libuv would try again and again. */
static unsigned affordable(unsigned conns_max)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return conns_max;
    if (lim.rlim_cur < (rlim_t)conns_max + FDS_RESERVED && lim.rlim_cur < lim.rlim_max) {
        struct rlimit more = { .rlim_cur = lim.rlim_max, .rlim_max = lim.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            lim = more;
    }
    if (lim.rlim_cur >= (rlim_t)conns_max + FDS_RESERVED)
        return conns_max;
    return lim.rlim_cur > 2 * FDS_RESERVED ? (unsigned)lim.rlim_cur - FDS_RESERVED : FDS_RESERVED;
}

struct err door_listen(struct door *d, int fd)
{
    struct listener *l = d->closing ? NULL : calloc(1, sizeof *l);
    int send = SEND_BYTES; /* of every connection: what a client does not read lies in the kernel too, megabytes of it otherwise */
    unsigned wait_ms = d->conf.limits.write_ms + SEND_MS;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &wait_ms, sizeof wait_ms); /* also for what lies there after the end */
    int r = !l ? UV_ENOMEM : listen(fd, BACKLOG) == 0 ? uv_poll_init(loop_uv(d->loop), &l->poll, fd) : -errno;
    if (r != 0) {
        free(l);
        close(fd);
        errno = -r;
        return FAIL(E_IO);
    }
    l->poll.data = l;
    l->door = d;
    l->fd = fd;
    l->next = d->listeners;
    d->listeners = l;
    d->open++;
    d->port = port_of(fd);
    return uv_poll_start(&l->poll, UV_READABLE, on_callers) == 0 ? OK : FAIL(E_IO);
}

static ERR listen_all(struct door *d, const struct door_conf *conf)
{
    if (conf->n_sockets == 0) {
        int fd = bound(conf);
        return fd < 0 ? FAIL(E_IO) : door_listen(d, fd);
    }
    for (unsigned i = 0; i < conf->n_sockets; i++)
        TRY(door_listen(d, conf->sockets[i]));
    return OK;
}

struct err door_new(struct door **ret_d, struct loop *l, const struct door_conf *conf)
{
    struct door *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL(E_NOMEM);
    d->loop = l;
    d->conf = *conf;
    d->conf.limits.conns_max = affordable(conf->limits.conns_max);
    buf_init(&d->spare_plain, PLAIN_MAX);
    buf_init(&d->spare_out, OUT_MAX);
    buf_init(&d->answer, OUT_MAX);
    struct tls_door_conf tls = conf->tls;
    tls.revocations = conf->revocations;
    struct err e = meter__new(&d->meter, loop_metrics(l), conf);
    if (err_ok(e))
        e = tls_door_new(&d->tls, &tls);
    if (!err_ok(e)) {
        free(d->meter);
        free(d);
        return e;
    }
    uv_timer_init(loop_uv(l), &d->crowd.timer);
    uv_timer_init(loop_uv(l), &d->pause);
    uv_timer_init(loop_uv(l), &d->trim.timer);
    uv_timer_init(loop_uv(l), &d->early.later);
    uv_idle_init(loop_uv(l), &d->early.turn);
    d->crowd.timer.data = d->pause.data = d->early.turn.data = d->early.later.data = d->trim.timer.data = d;
    d->open = 5;
    e = listen_all(d, conf);
    if (!err_ok(e)) {
        int why = errno;
        door_close(d);
        errno = why;
        return e;
    }
    d->hook = (struct revoke_hook){ .fn = door__judge_again, .arg = d };
    if (d->conf.revocations)
        revocations_hook(d->conf.revocations, &d->hook);
    *ret_d = d;
    return OK;
}
