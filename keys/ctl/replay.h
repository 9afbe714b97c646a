#ifndef KEYS_CTL_REPLAY_H
#define KEYS_CTL_REPLAY_H

/* What an entry of the audit log tells a redis-link that came back older. Sans I/O: the person's hash in, commands out. Whatever is replayed twice, or was
 * never lost, changes nothing; what was stored or set after the act stays. */

#include "gateway/audit/audit.h"
#include "gateway/consent/consent.h"
#include "keys/staff/user.h"

enum replay_kind {
    REPLAY_NONE,       /* nothing to be told: no act, or one of which the store has nothing (the use of a link key), or its time is over (withdrawals are told all the same:
                          a clock that is ahead must not forget them) */
    REPLAY_WITHDRAWAL,
    REPLAY_SESSION,    /* its end */
    REPLAY_FLAGS,
    REPLAY_CERTIFICATE, /* revoked by its person */
    REPLAY_ERASURE,    /* of what a municipality had of a person */
    REPLAY_NUMBER,     /* of a number in the vault: not in redis-link */
    REPLAY_STAFF,      /* a change of a member of staff */
    REPLAY_LINKED,     /* a pseudonym: the log does not have it, it can only be told that it is lost */
    REPLAY_ISSUED,     /* certificates: the same */
    REPLAY_STORED,     /* what municipalities had stored: the log does not have it, it can only be told that it is lost */
    REPLAY__MAX
};
enum replay_kind replay_kind_of(const struct audit_rec *rec, uint64_t now_ms);
/* It asks for HGETALL p:{h} of the person. */
bool replay_reads(enum replay_kind k);

/* p:{h} of the person that the act is about. */
ERR replay_person(struct store *s, const struct audit_rec *rec, struct person *ret_p);
/* Commands for the keys of the front (p: ps: cr:). hash: NULL for kinds that do not read. FORBIDDEN: the municipality has no key any more, nobody can read
 * what it had; SEAL; NOTHING: the store does not have the certificate. One of a certificate is one script (gateway/redis/swap.h), whose 0 says that it has changed since
 * hash was read: read again. */
ERR replay_add(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, uint64_t now_ms, struct redis_batch *b);
/* Of a change of a member of staff (ref: the user, count: the version that it became): what the store has is older, so what was taken from the user would be
 * given back, or an old password would open: he is withdrawn until somebody says it anew. false: the store has the change, or the user was made later. */
bool replay_staff(const struct audit_rec *rec, struct nz_user *io_u);
/* Of an erasure: the field of the person is of the municipality that erased, and was there before it did. What does not open (its key was destroyed) is as good as gone and goes. */
bool replay_erases(struct store *s, const struct audit_rec *rec, const struct store_name *person, struct slice field, struct slice sealed);
/* Of an erasure: s:<sid> of the resident; false: the person is nobody there. */
bool replay_subject(const struct audit_rec *rec, const struct redis_reply *hash, struct store_name *ret_subject);
/* The same of one that has to go too: false also when something was stored after the erasure. */
bool replay_tie(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, struct store_name *ret_subject);

#endif
