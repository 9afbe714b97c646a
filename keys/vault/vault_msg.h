#ifndef GW_ZONE_NUMBER
#error "vault_msg.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_VAULT_MSG_H
#define KEYS_VAULT_VAULT_MSG_H

/* What pmhgw-vault understands (gateway/ipc frames, exact sizes, big endian). Roles: PING intake and ctl, all others intake only.
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
 *   LINK_MANY muni[6] | create u8 | n u8 (1..128) | n digits[12]                     -> n (sid[16] | known u8: 0 made now, 1 known, 2 unknown, 3 refused)
 *           LINK without tickets for many numbers of one municipality, in two questions to the store and one sync. create 0: unknown
 *           numbers stay unknown (sid of zeros). The same number twice gives the same sid, the later one as known. Refused (sid of zeros): what LINK answers SEAL to, or an index that cannot
 *           be read; the others of the message are linked. Of a message of one number it is the error SEAL. Every other error is of the whole message;
 *           what it had made until then stays and is known the next time. BUSY when too many are under way.
 *   KEY_NEW   muni[6] | file[16]                                                    -> key[32] | wrapped[61]
 *           A fresh key for the file of this id, and the same sealed under the municipality's number key, bound to (muni, file).
 *   KEY_OPEN  muni[6] | file[16] | wrapped[61]                                      -> key[32]
 *           Audited (FILE_KEY_OPENED, refusals too; its request is the first half of the file's id) before the reply.
 *           SEAL when it does not open, FORBIDDEN when the municipality has no key.
 *   ERASE   muni[6] | sid[16] | request id[8]                                       -> erased u8: 0 there was no such number
 *           The number of a subject and the index that leads to it are removed; audited (PERSON_ERASED, its ref the sid) before. Idempotent; also by the
 *           operator's command, which replays erasures into a redis-vault that came back older. SEAL when the number does
 *           not open (its key was destroyed, or it is another municipality's): nothing is removed. BUSY when it was written meanwhile.
 *   DROP    ticket[16]                                                              -> (empty)
 *   SHOW    muni[6] | sid[16] | basis u16 | purpose u8 | user[16] | request id[8]     -> digits[12]
 *           The number of a resident for a member of staff, named by `user`; basis and purpose of the register of legal bases, none of them 0.
 *           Audited (NUMBER_REVEALED, on behalf of that user) before the number is read. NOTHING when there is no such number.
 *   TELL    muni[6] | sid[16] | ticket[16] | basis u16 | purpose u8 | request id[8]   -> digits[12]
 *           SHOW for what a municipality has the gateway itself tell (VRS): on nobody's behalf. When the subject has no number any more, the one that was
 *           kept under the ticket; zeros: no ticket. It stays good: DROP ends it.
 *   PART    muni[6] | sid[16] | ticket[16]                                          -> kept u8: 0 there is no such number, and the ticket is not this subject's
 *           Before ERASE: the sealed number of the subject stays under the ticket too, for a TELL that takes back what was told of it. It goes with DROP, and
 *           by itself after NZ_TICKET_LIFE_S (shelf.h). Idempotent; a ticket of zeros is PROTOCOL. Nothing is revealed, so the log hears of TELL only.
 *   PING    (empty)                                                                 -> (empty) when redis-vault answers, else STORE_DOWN
 */
enum nz_vault_msg { NZ_VAULT_LINK = 1, NZ_VAULT_REVEAL = 2, NZ_VAULT_DROP = 3, NZ_VAULT_PING = 4, NZ_VAULT_LINK_MANY = 5, NZ_VAULT_KEY_NEW = 6, NZ_VAULT_KEY_OPEN = 7, NZ_VAULT_ERASE = 8,
                    NZ_VAULT_SHOW = 9, NZ_VAULT_TELL = 10, NZ_VAULT_PART = 11 };
enum { NZ_LINK_BYTES = 34, NZ_LINK_REPLY_BYTES = 17, NZ_REVEAL_BYTES = 63, NZ_DROP_BYTES = 16, NZ_ERASE_BYTES = 30, NZ_SHOW_BYTES = 49, NZ_TELL_BYTES = 49, NZ_PART_BYTES = 38, NZ_USER_REF_BYTES = 16, NZ_TICKET_BYTES = 16 };
enum { NZ_MANY_MAX = 128, NZ_MANY_HEAD_BYTES = 8, NZ_FILE_ID_BYTES = 16, NZ_FILE_KEY_BYTES = 32, NZ_WRAPPED_KEY_BYTES = 61 };
enum { NZ_KEY_NEW_BYTES = 6 + NZ_FILE_ID_BYTES, NZ_KEY_OPEN_BYTES = NZ_KEY_NEW_BYTES + NZ_WRAPPED_KEY_BYTES };
enum nz_purpose { NZ_PURPOSE_NUMBERING = 1, NZ_PURPOSE_TAKING_BACK = 2 /* of PART; REVEAL has the first alone */ };

#endif
