#ifndef GW_ZONE_NUMBER
#error "vault_client.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_VAULT_CLIENT_H
#define KEYS_INTAKE_VAULT_CLIENT_H

/* Typed calls to pmhgw-vault. Each ends with done() exactly once, from the loop; deadline in loop_now() terms. */

#include "gateway/ipc/ipc.h"
#include "gateway/base/log.h"
#include "keys/number/mynum.h"
#include "keys/vault/vault_msg.h"

struct nz_vault;
struct nz_subject { uint8_t sid[16]; };
struct nz_ticket { uint8_t b[NZ_TICKET_BYTES]; };

ERR nz_vault_new(struct nz_vault **ret_v, struct loop *l, const char *socket_path, struct secret *cap); /* cap moved in */
void nz_vault_close(struct nz_vault *v);
bool nz_vault_up(const struct nz_vault *v);

typedef void nz_linked_fn(void *arg, struct err e, const struct nz_subject *subject, bool known);
/* ticket: registered when not NULL (make it with rnd_bytes). VAULT_DOWN, STORE_DOWN, BUSY ... */
void nz_vault_link(struct nz_vault *v, const char muni[static 6], const struct nz_mynum *number, const struct nz_ticket *ticket,
                   uint64_t deadline, nz_linked_fn *done, void *arg);

typedef void nz_revealed_fn(void *arg, struct err e, struct nz_mynum *number); /* number: given to the callee */
void nz_vault_reveal(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_subject *subject,
                     const struct nz_ticket *ticket, const struct nz_ticket *next, enum nz_purpose purpose,
                     struct req_id request, uint64_t deadline, nz_revealed_fn *done, void *arg);

/* SHOW: the number of a resident for a member of staff. basis, purpose: of the register, not 0. user: its name in redis-link. NOTHING: no such number. */
struct nz_show { struct nz_subject subject; uint16_t basis; uint8_t purpose; uint8_t user[NZ_USER_REF_BYTES]; struct req_id request; };
void nz_vault_show(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_show *s, uint64_t deadline,
                   nz_revealed_fn *done, void *arg);
/* TELL: the same without a user; `user` is not looked at. ticket: NULL for none. */
void nz_vault_tell(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_show *s, const struct nz_ticket *ticket, uint64_t deadline,
                   nz_revealed_fn *done, void *arg);
/* PART: the number stays under the ticket. kept: false when there is none. */
typedef void nz_parted_fn(void *arg, struct err e, bool kept);
void nz_vault_part(struct nz_vault *v, const char muni[static 6], const struct nz_subject *subject, const struct nz_ticket *ticket, uint64_t deadline, nz_parted_fn *done, void *arg);

/* One number of a batch. */
enum nz_known { NZ_KNOWN_NEW, NZ_KNOWN, NZ_KNOWN_NOT, NZ_KNOWN_REFUSED /* what the vault has is not this number's; of one number alone: SEAL */ };
struct nz_linked { struct nz_subject subject; enum nz_known known; };
/* linked: n of them in the order of the numbers, borrowed during the call; NULL unless e is OK. */
typedef void nz_linked_many_fn(void *arg, struct err e, const struct nz_linked *linked, size_t n);
/* LINK_MANY: numbers are read before the return. n 1..NZ_MANY_MAX. create false: only looks. */
void nz_vault_link_many(struct nz_vault *v, const char muni[static 6], bool create, const struct nz_mynum *const *numbers, size_t n,
                        uint64_t deadline, nz_linked_many_fn *done, void *arg);

/* key: NZ_FILE_KEY_BYTES, given to the callee; wrapped: borrowed, NULL for an opened one. */
typedef void nz_file_key_fn(void *arg, struct err e, struct secret *key, const uint8_t *wrapped);
void nz_vault_key_new(struct nz_vault *v, const char muni[static 6], const uint8_t file[static NZ_FILE_ID_BYTES], uint64_t deadline,
                      nz_file_key_fn *done, void *arg);
void nz_vault_key_open(struct nz_vault *v, const char muni[static 6], const uint8_t file[static NZ_FILE_ID_BYTES], struct slice wrapped,
                       uint64_t deadline, nz_file_key_fn *done, void *arg);

/* The number of a subject is removed. there: false when there was none. SEAL, BUSY: vault_msg.h. */
typedef void nz_erased_fn(void *arg, struct err e, bool there);
void nz_vault_erase(struct nz_vault *v, const char muni[static 6], const struct nz_subject *subject, struct req_id request, uint64_t deadline,
                    nz_erased_fn *done, void *arg);

void nz_vault_drop(struct nz_vault *v, const struct nz_ticket *ticket, uint64_t deadline); /* nobody waits for it */

#endif
