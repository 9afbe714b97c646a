/* What a worker hears of its parent: files that have changed, and sockets of a worker that is away. */

#include <unistd.h>

#include "gateway/audit/note.h"
#include "gateway/base/file.h"
#include "gateway/front/worker_int.h"

static void on_news_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e))
        LOG(WARN, "keys_change_not_recorded", LF("worker", w->lines.number), LF("error", e));
}

/* count: the link keys that open now. */
static void record_keys(struct worker *w)
{
    struct audit_rec rec = { .event = AU_KEYS_CHANGED, .result = AR_OK, .count = (uint32_t)jwe_keys_count(w->env.link_keys) };
    audit_set_actor(&rec, LIT("front"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + WORKER_RECORD_MS, on_news_recorded, w);
}

/* Both or none: a ring that lacks something changes nothing. */
static ERR take_ring(struct worker *w, const struct news_message *m)
{
    struct keyring *ring = NULL;
    struct jwe_keys *fresh = NULL;
    TRY(keyring_load_fds(&ring, RING_LINK, m->fd[0], m->fd[1]));
    struct err e = jwe_keys_new(&fresh, ring, KEY_LINK_JWE);
    if (err_ok(e))
        e = store_renew(w->env.store, ring);
    if (err_ok(e))
        jwe_keys_exchange(w->env.link_keys, fresh);
    jwe_keys_free(fresh);
    keyring_free(ring);
    return e;
}

/* The key in use: one line, without its end. */
struct err worker__set_log_key(struct worker *w, struct slice text)
{
    struct note_keys keys;
    if (!note_keys_read(text, &keys))
        return FAIL(E_CONFIG);
    keys.key[0].older = NULL;
    buf_reset(&w->log_key);
    note_keys_write(&keys.key[0], &w->log_key);
    TRY(buf_check(&w->log_key));
    w->env.log_key = slice_of(w->log_key.p, w->log_key.n - 1);
    return OK;
}

static ERR take_log_key(struct worker *w, int fd)
{
    struct buf text;
    buf_init(&text, NOTE_KEYS_TEXT_MAX);
    struct err e = fd_read_all(fd, &text);
    close(fd);
    if (err_ok(e))
        e = worker__set_log_key(w, buf_slice(&text));
    buf_done(&text);
    return e;
}

static void on_revocations_recorded(void *arg, struct err e)
{
    struct worker *w = arg;
    w->env.in_work--;
    if (!err_ok(e))
        revocations_tell_again(w->revocations);
}

void worker__on_revocations(void *arg, uint64_t entries)
{
    struct worker *w = arg;
    struct audit_rec rec = { .event = AU_REVOCATIONS, .result = AR_OK, .count = entries < UINT32_MAX ? (uint32_t)entries : UINT32_MAX };
    audit_set_actor(&rec, LIT("front"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    w->env.in_work++;
    audit_append(w->env.audit, &rec, loop_now(w->loop) + WORKER_RECORD_MS, on_revocations_recorded, w);
}

/* One of each door, in their order. */
static void stand_in(struct worker *w, const struct news_message *m)
{
    struct door *const doors[DOORS_MAX] = { w->clinic, w->portal };
    for (size_t i = 0; i < m->n; i++) {
        struct err e = i < DOORS_MAX && doors[i] ? door_listen(doors[i], m->fd[i]) : FAIL(E_CANCELED);
        if (!err_ok(e))
            LOG(WARN, "socket_not_taken", LF("worker", w->lines.number), LF("error", e));
    }
}

void worker__on_news(uv_poll_t *p, int status, int events)
{
    (void)events;
    struct worker *w = p->data;
    struct news_message m;
    while (status == 0 && news_receive(w->lines.news, &m)) {
        if (m.group == NEWS_SOCKETS) {
            stand_in(w, &m);
            continue;
        }
        if (m.group == NEWS_CRL && m.n == 1 && w->revocations) {
            revocations_take_fd(w->revocations, m.fd[0]);
            continue;
        }
        struct err e = m.group == NEWS_RING && m.n == 2 ? take_ring(w, &m) : m.group == NEWS_LOG_KEY && m.n == 1 ? take_log_key(w, m.fd[0]) : FAIL(E_PROTOCOL);
        if (err_ok(e)) {
            if (m.group == NEWS_RING)
                record_keys(w);
            continue;
        }
        LOG(ERROR, "keys_refused", LF("worker", w->lines.number), LF("error", e));
        news_ask_again(w->lines.news, m.group);
    }
    if (status != 0)
        uv_poll_stop(p);
}
