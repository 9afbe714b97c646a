#ifndef GW_PORTAL_LOG_PAGE_H
#define GW_PORTAL_LOG_PAGE_H

/* A page of a citizen's access log with its proofs: all under one checkpoint, newest first.
 *
 *   person -> checkpoint -> sequence numbers -> proofs, together -> is the person still to be told? -> fn
 *
 * Memory is bounded by the page, time by the number of rounds: who has a long log goes on behind `next`. Entries that are kept from the citizen leave no
 * gap in a page and no sign at its end (words_visible). */

#include "gateway/portal/citizen.h"

enum { LOG_LIMIT_MAX = 50, LOG_LIMIT_DEFAULT = 20, LOG_NOTE_MAX = 1280 };

struct log_form {
    struct field_value pseudonym, cursor, limit;
};
extern const struct field LOG_FORM[];
extern const size_t LOG_FORM_N;

struct log_page;
struct log_slot { struct log_page *page; bool there; struct audit_proof proof; };
/* fn: OK, and the page is whole; or why there is none. */
typedef void log_page_fn(struct log_page *p, struct err e);

struct log_page {
    struct citizen c;
    struct log_form form;
    log_page_fn *fn;
    /* wanted */
    uint64_t before;
    unsigned limit;
    /* found */
    uint64_t size;
    char note[LOG_NOTE_MAX];
    size_t note_n;
    size_t n;
    struct audit_proof entry[LOG_LIMIT_MAX + 1]; /* one more than is told: whether anything comes behind */
    uint64_t next;                               /* the cursor of the next page; 0: this is the last one */
    /* on the way */
    unsigned rounds, waiting;
    size_t asked;
    struct log_slot slot[LOG_LIMIT_MAX + 1];
    struct err failed;
};

/* cursor and limit as they were sent: decimal digits. NULL: fine; else the field that is out of range. */
const char *log_form_read(const struct log_form *f, uint64_t *ret_before, unsigned *ret_limit);

/* p: zeroed memory of the request, as access_new() gives it. Reads the form and begins; answers what is wrong itself. */
void log_page_begin(struct log_page *p, struct req *r, enum audit_event event, log_page_fn *fn);

/* The same without the form: before, limit are set. */
void log_page_find(struct log_page *p, struct req *r, enum audit_event event, struct slice pseudonym, log_page_fn *fn);

/* Members into the open object: checkpoint, entries, and next unless it is 0. */
void log_page_write(const struct log_page *p, struct jsonw *w);

#endif
