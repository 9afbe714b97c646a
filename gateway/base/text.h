#ifndef GW_BASE_TEXT_H
#define GW_BASE_TEXT_H

/* Strict text codecs. None of them normalises: what is not in canonical form is refused. */

#include "gateway/base/buf.h"
#include "gateway/base/slice.h"

/* Well-formed UTF-8: no overlong forms, no surrogates, at most U+10FFFF. An empty slice is well-formed. */
bool utf8_valid(struct slice s);
/* Code points of well-formed UTF-8. */
size_t utf8_count(struct slice s);

/* Lower-case hex of exactly 2*n characters into n bytes; false otherwise. */
bool hex_decode(struct slice s, uint8_t *out, size_t n);

/* RFC 4648 base64url without padding; refuses padding, white space and non-zero tail bits.
 * Appends to *out. false on bad input or when *out is full. */
bool b64url_decode(struct slice s, struct buf *out);
void b64url_encode(struct slice s, struct buf *out);
/* The same into a place for (4 * s.n + 2) / 3 characters: needs no memory. */
void b64url_chars(struct slice s, char *out);
/* RFC 4648 base64 with padding, as strict. */
bool b64_decode(struct slice s, struct buf *out);
void b64_encode(struct slice s, struct buf *out);

/* 1..20 decimal digits without leading zeros into *ret; false on anything else and on overflow. */
bool u64_parse(struct slice s, uint64_t *ret);

/* name=value, joined by "&", nothing decoded: one at a time into fn. BAD_URL when one has no "=", or fn says false. */
typedef bool query_fn(void *to, struct slice name, struct slice value);
ERR query_each(struct slice query, query_fn *fn, void *to);

/* Every byte is '0'..'9' (true for an empty slice). */
bool all_digits(struct slice s);
/* Every byte is a letter or digit of ASCII, '-' or '_': what an identifier may have, and base64url (true for an empty slice). */
bool all_url_safe(struct slice s);

#endif
