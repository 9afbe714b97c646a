#ifndef GW_ZONE_NUMBER
#error "vault_decode.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_VAULT_DECODE_H
#define KEYS_VAULT_VAULT_DECODE_H

/* The bodies of vault_msg.h, taken apart. Slices borrow from the body. FIELD: a code or number that is not all digits,
 * PROTOCOL: any other size or value than the table of vault_msg.h allows. */

#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/slice.h"
#include "keys/vault/vault_msg.h"

enum { NZ_MUNI_BYTES = 6, NZ_SID_BYTES = 16, NZ_DIGITS_BYTES = 12 };

struct nz_link_msg {
    struct slice muni, digits, ticket;
};
struct nz_many_msg {
    struct slice muni;
    bool create;
    size_t n;
    struct slice digits; /* n times NZ_DIGITS_BYTES */
};
struct nz_key_msg {
    struct slice muni, file, wrapped; /* wrapped: empty for KEY_NEW */
};
struct nz_reveal_msg {
    struct slice muni, sid, ticket, next;
    enum nz_purpose purpose;
    struct req_id request;
};

struct nz_erase_msg {
    struct slice muni, sid;
    struct req_id request;
};

struct nz_part_msg {
    struct slice muni, sid, ticket;
};

struct nz_show_msg { /* of SHOW and TELL */
    struct slice muni, sid, user /* SLICE_NONE: TELL */, ticket /* of TELL */;
    uint16_t basis;
    uint8_t purpose;
    struct req_id request;
};

ERR nz_link_decode(struct slice body, struct nz_link_msg *ret_m);
ERR nz_reveal_decode(struct slice body, struct nz_reveal_msg *ret_m);
ERR nz_erase_decode(struct slice body, struct nz_erase_msg *ret_m);
ERR nz_many_decode(struct slice body, struct nz_many_msg *ret_m);
ERR nz_show_decode(struct slice body, struct nz_show_msg *ret_m);
ERR nz_tell_decode(struct slice body, struct nz_show_msg *ret_m);
ERR nz_part_decode(struct slice body, struct nz_part_msg *ret_m);
ERR nz_key_new_decode(struct slice body, struct nz_key_msg *ret_m);
ERR nz_key_open_decode(struct slice body, struct nz_key_msg *ret_m);

/* A ticket of zeros stands for "no ticket". */
bool nz_ticket_none(struct slice ticket);

#endif
