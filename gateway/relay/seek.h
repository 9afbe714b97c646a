#ifndef GW_RELAY_SEEK_H
#define GW_RELAY_SEEK_H

/* Which server is it now? All Sentinels, or nodes of a Cluster, that the address names are asked all the time, and the one counts that more than half of them
 * have named within the last SEEK_FRESH_MS: a few that are cut off from the others and know nothing of a new master are outvoted. When there is no such majority there is no
 * server: who cannot hear of a new master must not go on with the old one. */

#include "gateway/base/secret.h"
#include "gateway/loop/loop.h"
#include "gateway/redis/reader.h"
#include "gateway/relay/place.h"
#include "gateway/relay/secure.h"

enum { SEEK_AGAIN_MS = 500, SEEK_FRESH_MS = 3000 };

struct seek;
struct seek_conf {
    struct loop *loop;
    const struct place *place;      /* borrowed for good */
    struct secure *secure;          /* NULL: plain; borrowed */
    const char *user;               /* who asks; "": nobody has to say */
    const struct secret *password;  /* borrowed */
    unsigned slot;                  /* ours, of a Cluster */
    bool here_only;                 /* who is elsewhere is nobody: nothing protects the way there */
    void (*changed)(void *ctx);     /* another one, or none */
    void *ctx;
};
/* A single server is found at once, and for good. */
ERR seek_new(struct seek **ret_s, const struct seek_conf *conf);
void seek_close(struct seek *s); /* NULL is fine */
const struct place_at *seek_found(const struct seek *s); /* NULL: nobody knows */

/* ---- parts of it, for tests ---- */

enum { SEEK_SLOTS = 16384 };
/* Whom the reply names. from: who replied; a node that does not know its own address means itself. */
bool seek_read_sentinel(const struct redis_reply *reply, struct place_at *ret_at);
bool seek_read_slots(const struct redis_reply *reply, unsigned slot, const struct place_at *from, struct place_at *ret_at);
unsigned seek_slot_of(struct slice tag); /* as Redis Cluster counts it */
/* One command as it is sent. */
void seek_put_command(struct buf *out, size_t n, const struct slice *args);
#define SEEK_COMMAND(out, ...) \
    seek_put_command((out), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
/* AUTH with what is in the secret. */
ERR seek_put_auth(struct buf *out, const char *user, const struct secret *password);

#endif
