#ifndef KEYS_CTL_LETTERS_H
#define KEYS_CTL_LETTERS_H

/* Dead letters, read in pages: an entry that nobody can read is one of them, and hides no other. */

#include "gateway/notice/lanes.h"
#include "keys/ctl/state.h"

enum { LETTERS_MAX = 1000000 };
struct letter {
    char *name, *value; /* as they stand in nd, NUL-terminated */
    size_t n_name, n_value;
    bool good;          /* d was read */
    bool opened;        /* notice was */
    struct lane_dead d;
    struct notice notice;
};
struct letters { size_t n, cap; struct letter *at; /* newest first, what cannot be read last */ };
/* store NULL: messages are not opened. FULL: more than LETTERS_MAX. */
ERR letters_read(const struct state *s, struct store *store, struct letters *ret_l);
void letters_done(struct letters *l);
const char *letter_kind(const struct letter *l); /* "record" ...; "?" when it was not opened */

/* How much waits, and how old the oldest dead letter is. */
struct letters_state { struct lanes_state lanes; uint64_t oldest_dead_ms; /* age; 0: none */ };
ERR letters_state_read(const struct state *s, struct letters_state *ret_s);

#endif
