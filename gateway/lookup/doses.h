#ifndef GW_LOOKUP_DOSES_H
#define GW_LOOKUP_DOSES_H

/* A person's vaccination records as they are told, and that they were told. */

#include "gateway/lookup/judge.h"
#include "gateway/vaccine/book.h"

/* {"immunizations":[...]}, the newest first, of municipalities that the person has not left; only: leaves out others, may be NULL. *ret_n: how many. */
typedef bool doses_only_fn(void *arg, const struct immun *i);
struct doses_view { enum immun_view view; doses_only_fn *only; void *arg; };
void doses_write(struct immun_book *b, const struct judge *j, const struct doses_view *v, struct jsonw *w, size_t *ret_n);

/* The same records, for other writers; at most IMMUN_BOOK_MAX. */
size_t doses_pick(struct immun_book *b, const struct judge *j, const struct doses_view *v, struct immun_place *ret[static IMMUN_BOOK_MAX]);

/* Notes in each record that doses_write() tells that `who` was told its present version. NULL: that is known of all of them. NOMEM, FULL. */
struct doses_told { enum immun_audience audience; struct slice who; uint64_t now_ms; };
ERR doses_note(struct store *s, struct immun_book *b, const struct judge *j, const struct doses_view *v, const struct doses_told *t, struct redis_batch **ret_b);
/* The reply to that batch: false when something has changed meanwhile. */
bool doses_noted(const struct redis_reply *const *replies, size_t n);

#endif
