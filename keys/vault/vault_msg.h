#ifndef GW_ZONE_NUMBER
#error "vault_msg.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_VAULT_MSG_H
#define KEYS_VAULT_VAULT_MSG_H

/* What pmhgw-vault understands (gateway/ipc frames, exact sizes, big endian). Roles: LINK, REVEAL, DROP intake only; PING intake, ctl.
 *
 *   LINK    muni[6] | digits[12] | ticket[16]                                       -> sid[16] | known u8
 *           The subject id of (municipality, number), made when new; durable before the reply. Idempotent.
 *           A ticket other than zeros is registered: it allows one REVEAL of this number later.
 *           A number that was sealed under a destroyed data key is sealed anew under its old subject. SEAL when the store was
 *           changed by hand, so that the index leads to another's subject.
 *   REVEAL  muni[6] | sid[16] | ticket[16] | next[16] | purpose u8 | request id[8]  -> digits[12]
 *           Uses the ticket up and registers `next` in its place, in one step; audited (NUMBER_REVEALED) before the reply.
 *           NOTHING when the ticket is unknown, used, of another subject or purpose.
 *           The caller stores `next` durably before he asks; after a crash he asks the same again, and on NOTHING with `next`.
 *   DROP    ticket[16]                                                              -> (empty)
 *   PING    (empty)                                                                 -> (empty) when redis-vault answers, else STORE_DOWN
 */
enum nz_vault_msg { NZ_VAULT_LINK = 1, NZ_VAULT_REVEAL = 2, NZ_VAULT_DROP = 3, NZ_VAULT_PING = 4 };
enum { NZ_LINK_BYTES = 34, NZ_LINK_REPLY_BYTES = 17, NZ_REVEAL_BYTES = 63, NZ_DROP_BYTES = 16, NZ_TICKET_BYTES = 16 };
enum nz_purpose { NZ_PURPOSE_NUMBERING = 1 };

#endif
