#ifndef GW_PORTAL_PSEUDONYM_H
#define GW_PORTAL_PSEUDONYM_H

/* How a pseudonym and a PMH key point to each other in redis-link: ps:<name> holds the sealed key, and the field ps:<portal> of
 * p:{h} holds the sealed pseudonym. A mapping counts only when neither side says otherwise. */

#include "gateway/store/store.h"

enum { PSEUDONYM_MIN = 8, PSEUDONYM_SEALED_MAX = PSEUDONYM_MAX + AEAD_OVERHEAD, PMH_KEY_SEALED_MAX = PMH_KEY_MAX + AEAD_OVERHEAD };

struct pseudonym {
    struct slice portal, text, pmh_key; /* borrowed; pmh_key may come from pseudonym_open_key() */
    struct store_name name;             /* ps:<hex> */
    struct store_name person;           /* p:{h} */
    struct store_name field;            /* ps:<portal>, in that hash */
};

/* Letters, digits, ".", "_", "~", "-": of pseudonyms and of PMH keys. */
bool pseudonym_chars_ok(struct slice s);

/* portal and text are set: fills name and field. */
ERR pseudonym_name(struct store *s, struct pseudonym *p);
/* pmh_key is set: fills person. */
ERR pseudonym_person(struct store *s, struct pseudonym *p);

ERR pseudonym_seal_key(struct store *s, const struct pseudonym *p, struct buf *out);
ERR pseudonym_seal_text(struct store *s, const struct pseudonym *p, struct buf *out);
/* Appends the PMH key that ps:<name> holds. SEAL. */
ERR pseudonym_open_key(struct store *s, const struct pseudonym *p, struct slice sealed, struct buf *out);
/* The two sides as they are stored: OK when they say what p says, CONFLICT when not, SEAL when they do not open. */
ERR pseudonym_match_key(struct store *s, const struct pseudonym *p, struct slice sealed);
ERR pseudonym_match_text(struct store *s, const struct pseudonym *p, struct slice sealed);

#endif
