#ifndef GW_ZONE_NUMBER
#error "plain_json.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_PLAIN_JSON_H
#define KEYS_REGISTRATION_PLAIN_JSON_H

/* The JSON that senders of rows write: one object of texts without escapes, booleans, empty lists, and objects of texts and booleans. Read in
 * place, without a tree. Whatever else there is, or might be wrong, is NOT plain: then the JSON library reads the text from its beginning. */

#include "gateway/base/slice.h"

struct nz_plain {
    struct slice rest;
    struct slice group; /* the object inside of which we are; p NULL: none */
    bool begun;
};

enum nz_plain_kind { NZ_PLAIN_TEXT, NZ_PLAIN_FLAG, NZ_PLAIN_EMPTY_LIST };
struct nz_plain_member {
    struct slice group, name; /* group.p NULL: of the row itself. All borrow from the text */
    enum nz_plain_kind kind;
    bool flag;
    struct slice text;
};

enum nz_plain_ev { NZ_PLAIN_MEMBER, NZ_PLAIN_END, NZ_PLAIN_NOT };

/* text: well-formed UTF-8. Names may repeat: that is the caller's to see. */
void nz_plain_init(struct nz_plain *p, struct slice text);
enum nz_plain_ev nz_plain_next(struct nz_plain *p, struct nz_plain_member *ret_m);

#endif
