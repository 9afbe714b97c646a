#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_HELD_WORK_H
#define KEYS_HELD_WORK_H

/* One order about held rows on its way; everything lives in the request's arena. */

#include "keys/held/ask.h"
#include "keys/held/rules.h"
#include "keys/intake/intake.h"
#include "keys/intake/names.h"

enum { NZ_HELD_CHUNK = 64 /* rows whose payloads are in memory at a time */ };

struct nz_held_row {
    uint32_t row;
    enum nz_held_may may;    /* GO: not yet carried out, or carried out */
    enum nz_code code;       /* why it is held; of CANNOT: why it stays so */
    struct slice stored;     /* its entry in tr: as it was read */
    bool done;
    bool has_ticket, has_next;
    struct nz_ticket ticket, next; /* DISCARD: to be dropped at the vault afterwards */
};

struct nz_held {
    struct req *r;
    struct nz_intake *in;
    enum nz_held_action action;
    struct nz_held_ask ask;
    char muni[6];
    struct nz_task_id task;
    struct store_name t, tr, o;
    uint64_t held;           /* rows of the task that were held when it was read */
    size_t n, cap;
    struct nz_held_row *row; /* ascending */
    uint64_t cursor;         /* all: where the walk through tr: stands */
    size_t at, to;           /* the chunk that is worked on */
    uint64_t store_turn;     /* redis_turn() when the order began to be carried out */
    uint64_t epoch;          /* what it raised the epoch to; 0: it changed nothing */
};

/* change.c: carries the order out for every row that may GO, then nz_held_answer(). Its audit record is on disk. */
void nz_held_change(struct nz_held *h);
/* held.c: ends the request. */
void nz_held_answer(struct nz_held *h, struct err e);

#endif
