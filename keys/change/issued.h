#ifndef GW_ZONE_NUMBER
#error "issued.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_ISSUED_H
#define KEYS_CHANGE_ISSUED_H

/* What was issued and told about the records that a change moves: certificates (ct:, gateway/cert/stored.h) and the citizen's notices (nt:). They are no items of
 * the journal: where they belong follows from the records. One certificate can be about records of several municipalities, of which only one moves: then both
 * persons have it, each with the records that are its own, so that the correction of any of them finds it. Sans I/O but for the seals.
 *
 *   THERE   from gone to kept: whatever is about a record of the municipality
 *   BACK    from kept to gone: whatever is about a record that goes back. A certificate that was issued while both were one, and has such a record, is false:
 *           it says of one human what another was given. It is revoked and goes nowhere. */

#include "gateway/redis/redis.h"
#include "keys/change/plan.h"

enum nz_ch_way { NZ_CH_THERE, NZ_CH_BACK };

/* Fills the certificates and notices of the side from the reply to HGETALL p:{h}, in the arena. SEAL, FULL. */
ERR nz_ch_issued_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct arena *a, struct nz_ch_side *side);

/* Something has to be written to whom it goes to; something is left at whom it comes from. */
bool nz_ch_issued_copies(const struct nz_ch_view *v, enum nz_ch_way way);
bool nz_ch_issued_left(const struct nz_ch_view *v, enum nz_ch_way way);

/* The details of the steps, for whoever writes the scripts. */
static inline const struct nz_ch_side *nz_ch_issued_from(const struct nz_ch_view *v, enum nz_ch_way way) { return way == NZ_CH_BACK ? &v->kept : &v->gone; }
static inline const struct nz_ch_side *nz_ch_issued_to(const struct nz_ch_view *v, enum nz_ch_way way) { return way == NZ_CH_BACK ? &v->gone : &v->kept; }
const struct nz_ch_cert *nz_ch_cert_find(const struct nz_ch_side *s, struct slice field); /* NULL: none */
/* The certificate has to be written to whom it goes to, as *ret: with what is there already. */
bool nz_ch_cert_copy(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_cert *c, struct cert_stored *ret);
/* It has records that go; *ret_rest: with those that stay, maybe none. */
bool nz_ch_cert_leaves(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_cert *c, struct cert_stored *ret_rest);
bool nz_ch_cert_is_false(const struct nz_ch_view *v, enum nz_ch_way way, const struct cert_stored *c);
/* The notice is about a record that goes; it has to be written; the receiver's own has to leave for those that come (VACCINE_NOTICES_MAX, oldest first). */
bool nz_ch_told_leaves(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t);
bool nz_ch_told_copy(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t);
bool nz_ch_told_is_too_old(const struct nz_ch_view *v, enum nz_ch_way way, const struct nz_ch_told *t);
/* Those of a person that are about records of the municipality, as THERE: for who takes the records away. *ret_rest as above. */
bool nz_ch_cert_of_muni(const struct nz_ch_view *v, const struct nz_ch_cert *c, struct cert_stored *ret_rest);

#endif
