#ifndef GW_TLS_SESSIONS_H
#define GW_TLS_SESSIONS_H

/* What the processes of a daemon know together of those who come back: sessions that can be resumed, and certificates that have been verified. Inside
 * gateway/tls, and for who makes one before fork().
 *
 * A table in memory that the processes share, of slots of one size. A slot holds the key of a session and who the caller is, sealed (AES-256-GCM) under a
 * key that lives in locked memory of these processes only: never on a disk, never in a dump. There is no lock that somebody could die with: a slot that
 * was torn by two writers, or read half written, does not open, and its caller makes a full handshake.
 *
 * Slots are taken in turn, so that no more memory is touched than there are sessions; the name of a session tells its place to who has the key. When all are
 * taken, of the next few those that were resumed go first (their callers have newer ones), then the oldest. */

#include "gateway/tls/lib.h"
#include "gateway/tls/tls.h"

struct tls_sessions;

enum { TLS_SESSIONS_DEFAULT = 32768, CERTIFICATES = 4096, SESSION_ID = 32, SESSION_KEY_MAX = 48, SESSION_DOOR_MAX = 32 };

/* n: sessions, rounded up to a power of two, at least 8; a table of CERTIFICATES, or n when that is less, lies beside. NOMEM, CRYPTO. */
ERR tls_sessions_new(struct tls_sessions **ret_t, size_t n);
/* In the last of the processes the sessions are gone with it. NULL is fine. */
void tls_sessions_free(struct tls_sessions *t);

/* For another program that takes this process over by exec(): the table, and its keys in a pipe, which is memory of the kernel. */
struct tls_handed { int table, keys; };
/* Both descriptors are the caller's, and closed by exec(). IO: it cannot be handed on. */
ERR tls_sessions_hand(const struct tls_sessions *t, struct tls_handed *ret_h);
/* In that program; the descriptors are given. CONFIG: made by a program with other sessions, or nothing of ours. Certificates are forgotten: this program verifies them itself.
 * Whoever changes how certificates are judged, or what a session means, makes LAYOUT (sessions.c) another one, so that nobody returns by an older judgement. */
ERR tls_sessions_take(struct tls_sessions **ret_t, const struct tls_handed *h);
/* This process will not hand it on. */
void tls_sessions_stay(struct tls_sessions *t);

/* In which the doors work; made with the table, so that processes share that as well. NULL: OpenSSL's default. */
OSSL_LIB_CTX *tls_sessions_library(const struct tls_sessions *t);

struct tls_session {
    uint8_t key[SESSION_KEY_MAX];
    uint8_t n_key;
    uint8_t cipher[2];    /* as on the wire */
    int64_t born;         /* full handshake that it goes back to; seconds since 1970 */
    int64_t until;        /* not resumed after */
    struct caller caller;
};
/* A name for a session that is going to be put. Nobody else can tell one from random bytes. */
void tls_sessions_name(struct tls_sessions *t, uint8_t ret_id[static SESSION_ID]);
/* id: of tls_sessions_name(). door: name of the door, at most SESSION_DOOR_MAX; a session is found under the same one only. Errors are a session less: nobody
 * need know. */
void tls_sessions_put(struct tls_sessions *t, struct slice door, const uint8_t id[static SESSION_ID], const struct tls_session *s);
/* false: none of that name that opens, or its time is over. It stays, but is the next to go. The caller wipes *ret_s. */
bool tls_sessions_find(struct tls_sessions *t, struct slice door, const uint8_t id[static SESSION_ID], int64_t now, struct tls_session *ret_s);
/* The same for certificates, by their SHA-256: the chain of one that was verified a short while ago is not verified again. What may change meanwhile
 * (issuers of the door, revocation, the end of its time) is for who asks. */
void tls_sessions_put_certificate(struct tls_sessions *t, struct slice door, const struct caller *who, int64_t until);
bool tls_sessions_find_certificate(struct tls_sessions *t, struct slice door, const uint8_t sha256[static SESSION_ID], int64_t now, struct caller *ret_who);
/* Everybody's are forgotten. */
void tls_sessions_clear(struct tls_sessions *t);
/* The shared memory, sessions first, for tests that spoil it. */
struct slice tls_sessions_memory(const struct tls_sessions *t);

#endif
