#ifndef GW_ZONE_NUMBER
#error "import.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_IMPORT_H
#define KEYS_CTL_IMPORT_H

/* The sending side of a registration: pieces of a file to the municipal door, and what became of their rows.
 * Repeating a request changes nothing, so every doubt (connection lost, 503) is answered by sending again. */

#include "keys/ctl/say.h"
#include "keys/ctl/web.h"

enum {
    IMPORT_OPEN_MAX = 8, /* tasks that are not done yet */
    IMPORT_FAULTS_MAX = 1000,
    NZ_IMPORT_ROWS_MAX = 5000 /* of one request: the door's default (rows_max) */
};

enum nz_result { NZ_REGISTERED, NZ_UPDATED, NZ_UNCHANGED, NZ_WAITING, NZ_REFUSED, NZ_QUARANTINED, NZ__RESULTS };

/* One row that was not taken. Texts hold names of our tables only. */
struct nz_fault { uint64_t row, line, column; char code[40], field[64], rule[24]; }; /* line, column: 0 where there are none */

/* Where a row of a piece stands in the file. */
struct nz_row_place { uint64_t row, line; /* line 0: none */ };

struct nz_task {
    char path[128];     /* /v1/tasks/<id> */
    struct nz_row_place *places; /* of its rows; owned while the task is open */
    uint64_t rows;
    uint64_t waiting;   /* as last heard */
    bool open;
};

struct nz_import {
    struct web *web;
    unsigned port;
    const char *path;        /* of the registration route */
    char token[2048];        /* "" when none */
    uint64_t timeout_ms;     /* without any progress */
    uint64_t progress_ms;    /* when there was some */
    struct nz_task tasks[IMPORT_OPEN_MAX];
    uint64_t done[NZ__RESULTS];
    uint64_t warnings, rows_done;
    struct nz_fault *faults; /* of IMPORT_FAULTS_MAX */
    size_t n_faults;
    struct say_bar bar;
};

/* Sends one JSON array of n rows; waits for room among the open tasks first. places: n, copied. Says why when it returns false. */
bool nz_import_send(struct nz_import *im, struct slice body, const struct nz_row_place *places, uint64_t n);
/* Follows the open tasks until at most `left` are open. */
bool nz_import_follow(struct nz_import *im, size_t left);

/* Frees what tasks still hold that were not followed to their end. */
void nz_import_drop(struct nz_import *im);

const char *nz_result_name(enum nz_result r);

#endif
