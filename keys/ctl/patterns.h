#ifndef GW_ZONE_NUMBER
#error "patterns.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_PATTERNS_H
#define KEYS_CTL_PATTERNS_H

/* Every form in which an individual number could have been written down, and a search for all of them at once. */

#include "gateway/base/buf.h"

enum { NZ_DIGITS = 12, NZ_KINDS_MAX = 80, NZ_PATTERN_MAX = 160 };

/* The forms. munis: for hashes over municipality and number. */
size_t nz_kinds(void);
const char *nz_kind_name(size_t kind);
/* Appends the form of one number; false when this kind has no further variant. variant counts from 0: one per municipality. */
bool nz_kind_write(size_t kind, const char digits[static NZ_DIGITS], size_t variant, const char *const *munis, size_t n_munis,
                   struct buf *out);

struct nz_search;
/* numbers: n times NZ_DIGITS characters; only used until the call returns, but the patterns are in memory (not dumped). */
ERR nz_search_new(struct nz_search **ret_s, const char *numbers, size_t n, const char *const *munis, size_t n_munis);
void nz_search_free(struct nz_search *s); /* wipes; NULL is fine */

/* on_hit: `at` is the offset in text. Never given the number, only its place in the list. */
typedef void nz_hit_fn(void *arg, size_t at, size_t kind, size_t number);
/* Reports every pattern that starts in text[0..own). own <= text.n; the rest is look-ahead. */
void nz_search_run(const struct nz_search *s, struct slice text, size_t own, nz_hit_fn *on_hit, void *arg);

#endif
