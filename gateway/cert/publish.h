#ifndef GW_CERT_PUBLISH_H
#define GW_CERT_PUBLISH_H

/* What anyone may read: the public keys of SMART Health Cards, and which certificates of a key do not hold any more. */

#include "gateway/base/buf.h"
#include "gateway/jose/es256.h"

enum { PUBLISH_KEYS_MAX = 16 };

struct publish_key { char kid[ES256_KID]; struct es256_key key; uint64_t ctr; /* certificates in its list; 0: there is no list */ };
/* {"keys":[{"kty","kid","use","alg","crv","x","y","crlVersion"?}]} */
void publish_jwks(const struct publish_key *keys, size_t n, struct buf *out);

/* {"kid","method":"rid","ctr","rids":[...],"superseded":[...]}: ctr is how many there are: none ever leaves. superseded (ours): those of rids in whose place there
 * is a newer certificate, or whose record was corrected. Begin, put each, end. */
struct publish_list { struct buf *out; size_t n; struct buf superseded; };
enum { PUBLISH_LIST_MAX = 200000, PUBLISH_LONG = PUBLISH_LIST_MAX / 10 * 7 /* time for another key */, PUBLISH_BYTES_MAX = PUBLISH_LIST_MAX * 64 };
void publish_list_begin(struct publish_list *l, const char kid[static ES256_KID], struct buf *out);
void publish_list_put(struct publish_list *l, struct slice rid, bool superseded); /* rid: base64url characters */
ERR publish_list_end(struct publish_list *l); /* FULL, NOMEM; frees what it holds in any case */

#endif
