#ifndef GW_ZONE_NUMBER
#error "json_cut.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_JSON_CUT_H
#define KEYS_LINKAGE_JSON_CUT_H

/* Cuts a JSON array, or JSON Lines, into the texts of its elements without reading what is in them. Takes valid UTF-8 without NUL, in
 * pieces of any size; what comes out does not depend on how they are cut. At most one element is held. Whether an element is good JSON
 * is for its reader to say. */

#include "gateway/base/buf.h"
#include "keys/linkage/place.h"
#include "keys/linkage/rules.h"

enum { NZ_CUT_ELEMENT_MAX = 1024 * 1024, NZ_CUT_DEPTH_MAX = 16 };

struct nz_cut_element {
    struct slice text;  /* begins with '{'; borrowed during the call, then wiped. Empty with a rule */
    struct nz_place at;
    enum nz_rule rule;  /* NOT_OBJECT, JSON_DEPTH, in JSON Lines LINE_LONG: a fault of the row */
};

typedef void nz_cut_fn(void *ctx, const struct nz_cut_element *e);

struct nz_cut;
ERR nz_cut_new(struct nz_cut **ret_c, bool lines, nz_cut_fn *on_element, void *ctx);
void nz_cut_free(struct nz_cut *c);
/* Wipes what it has read of utf8. On a rule: *ret_at says where; then only free is left. NOMEM is told by nz_cut_check. */
enum nz_rule nz_cut_feed(struct nz_cut *c, uint8_t *utf8, size_t n, struct nz_place *ret_at);
enum nz_rule nz_cut_end(struct nz_cut *c, struct nz_place *ret_at);
/* Where the next byte stands. */
struct nz_place nz_cut_place(const struct nz_cut *c);
bool nz_cut_blank(const struct nz_cut *c); /* nothing but blanks came so far */
ERR nz_cut_check(const struct nz_cut *c);

#endif
