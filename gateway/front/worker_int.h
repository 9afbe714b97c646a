#ifndef GW_FRONT_WORKER_INT_H
#define GW_FRONT_WORKER_INT_H

/* Shared by worker.c and worker_news.c. */

#include "gateway/clinic/clinic.h"
#include "gateway/epoch/epoch.h"
#include "gateway/front/board.h"
#include "gateway/front/worker.h"
#include "gateway/lookup/access.h"

enum { WORKER_RECORD_MS = 2000 }; /* for a record of the worker's own */

struct worker {
    const struct conf *conf;
    struct tls_sessions *sessions;
    struct rates *rates;
    struct worker_lines lines;
    struct loop *loop;
    struct basis *basis;
    struct institutions *institutions;
    struct vaccine_table *vaccines;
    struct jws_signer *statements;
    struct buf log_key;
    struct keyring *ring; /* while starting only */
    struct lookup_env env;
    struct revocations *revocations; /* NULL: none are looked up */
    struct budget *budget; /* of both doors */
    struct door *clinic, *portal;
    struct epoch *epoch;
    struct timer *drain;
    bool others;        /* serve in the place of this one */
    uint64_t close_at;  /* loop_now(): the doors close, unless a request has begun */
    uint64_t cut_at;    /* they close, whoever is still there */
    struct board *board;
    struct timer *tell;        /* the board */
    struct timer *start_again; /* the record of the start could not be written yet */
    uv_pipe_t life;
    uv_poll_t news;
    char unused; /* where the line of life would be read to */
};

/* The key in use: one line, without its end. */
ERR worker__set_log_key(struct worker *w, struct slice text);
void worker__on_revocations(void *arg, uint64_t entries);
void worker__on_news(uv_poll_t *p, int status, int events);

#endif
