#ifndef KEYS_CTL_MUNI_DOOR_H
#define KEYS_CTL_MUNI_DOOR_H

/* The municipal door as a municipality's system uses it: its certificate, a token, patience, and problem documents told to people. */

#include <jansson.h>

#include "keys/ctl/web.h"

enum { MUNI_CALL_MS = 60000, MUNI_PATIENCE_S = 300 };

struct muni_door {
    struct state state;
    struct web *web;
    unsigned port;
    char muni[7];
    char token[2048];      /* "" when none */
    uint64_t patience_ms;  /* a call is repeated for so long */
    void (*on_wait)(void *ctx); /* told while a call is repeated; NULL: nobody */
    void *ctx;
};

/* Says what is wrong and returns false. patience_s: 0 for no repetition. muni_door_close() in every case. */
bool muni_door_open(struct muni_door *d, const struct state_dirs *dirs, const char *muni, uint64_t patience_s);
void muni_door_close(struct muni_door *d);

/* One call with a token (a new one when the old is refused). OK for every status. *ret_a is always initialised. */
ERR muni_door_try(struct muni_door *d, struct web_call *c, struct web_answer *ret_a);
/* The same again and again while the answer asks for patience (connection lost, 408, 429, 502..504, a few times 500). CANCELED. */
ERR muni_door_call(struct muni_door *d, struct web_call *c, struct web_answer *ret_a);
/* The answer asks for patience. */
bool muni_door_later(struct err e, const struct web_answer *a);

/* method "GET" or "POST" (body may be empty: then an empty object is sent). The parsed answer when its status is `want`; otherwise what happened is said and
 * NULL returned. *ret_status: 0 when nothing was heard. */
json_t *muni_door_json(struct muni_door *d, const char *method, const char *path, struct slice body, int want, int *ret_status);

/* Tells what happened, who must act and what to do: of a problem document, or of e when there was no answer. */
void muni_door_problem(const char *what_ja, const char *what_en, struct err e, const struct web_answer *a);

/* What the options --muni and TASK take. */
bool muni_code_good(const char *s);  /* says so when not */
bool task_id_good(const char *s);    /* the same */

/* Members of answers; 0, "" when absent or of another type. Text is "" too when it has control characters. */
uint64_t member_u64(const json_t *o, const char *name);
const char *member_text(const json_t *o, const char *name);

#endif
