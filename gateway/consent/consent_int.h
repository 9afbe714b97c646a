#ifndef GW_CONSENT_CONSENT_INT_H
#define GW_CONSENT_CONSENT_INT_H

/* Between the files of this folder: fields and their plain forms. */

#include "gateway/consent/consent.h"

enum { CONSENT_PLAIN_MAX = 256, CONSENT_SEALED_MAX = CONSENT_PLAIN_MAX + AEAD_OVERHEAD, CONSENT_FIELD_HEAD = 3, CONSENT_HEX = 2 * STORE_HANDLE_BYTES,
       CONSENT_VALUE_MAX = CONSENT_SEALED_MAX + 16 /* stamp */ };

enum consent_field { CF_WITHDRAWN, CF_GIVEN, CF_SESSION, CF__MAX };
#define CONSENT_ALL_FIELD LIT("ce")

/* In the open before a sealed value, and once more under the seal. */
struct consent_stamp { uint64_t until_ms, at_ms; };

struct consent_withdrawn { struct consent_stamp stamp; uint32_t version; };

void consent__field(enum consent_field kind, const struct consent_name *n, struct store_name *ret_f);
bool consent__field_is(struct slice field, enum consent_field *ret_kind, struct consent_name *ret_n);
bool consent__stamp(struct slice value, struct consent_stamp *ret_s);
/* The value of a field of the hash; SLICE_NONE when there is none. */
struct slice consent__find(const struct redis_reply *hash, struct slice field);

/* The place of a value: p:{h} and its field. */
struct consent_place { struct store *store; const struct store_name *person; struct store_name field; };

ERR consent__open_all(struct store *s, const struct store_name *person, struct slice value, uint64_t *ret_at_ms);
ERR consent__open_withdrawn(const struct consent_place *at, struct slice value, struct consent_withdrawn *ret_w);
ERR consent__open_given(const struct consent_place *at, struct slice value, struct consent_entry *ret_e);       /* all but name and withdrawn_ms */
ERR consent__open_session(const struct consent_place *at, struct slice value, struct session_entry *ret_n, struct session_held *ret_h); /* all but name; ret_h may be NULL */

/* HSET p:{h} <field> <value>. */
ERR consent__put_all(struct store *s, const struct store_name *person, uint64_t at_ms, struct redis_batch *b);
ERR consent__put_withdrawn(const struct consent_place *at, const struct consent_withdrawn *w, struct redis_batch *b);
ERR consent__put_given(const struct consent_place *at, const struct consent_entry *e, struct redis_batch *b);
ERR consent__put_session(const struct consent_place *at, const struct session_entry *n, const struct session_held *h, struct redis_batch *b);

/* The value alone, appended to *out. */
ERR consent__seal_given(const struct consent_place *at, const struct consent_entry *e, struct buf *out);
ERR consent__seal_session(const struct consent_place *at, const struct session_entry *n, const struct session_held *h, struct buf *out);

static inline struct consent_place consent__place(struct store *s, const struct store_name *person, enum consent_field kind, const struct consent_name *n)
{
    struct consent_place at = { .store = s, .person = person };
    consent__field(kind, n, &at.field);
    return at;
}

/* When everything given so far was withdrawn; 0: never. */
ERR consent__all_until(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t *ret_ms);

#endif
