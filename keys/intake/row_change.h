#ifndef GW_ZONE_NUMBER
#error "row_change.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_ROW_CHANGE_H
#define KEYS_INTAKE_ROW_CHANGE_H

/* What is changed in redis-link on behalf of a row that waits: all of it, or nothing when the row has left its queue.
 *
 * A batch whose answer did not come in time may still be carried out later, when the row has long been taken up again
 * and finished by another batch. The script looks into the queue first, so that the late one does nothing: no count is
 * raised twice, no newer record is replaced. */

#include "gateway/redis/redis.h"
#include "keys/intake/names.h"

enum { NZ_CHANGE_ARGS = 8, NZ_CHANGES_MAX = 24 };

struct nz_changes {
    size_t n;
    struct {
        size_t n;
        struct slice arg[NZ_CHANGE_ARGS];
    } cmd[NZ_CHANGES_MAX];
};

/* One command: its name and arguments, borrowed until nz_changes_send(). */
#define NZ_CHANGE(c, ...) \
    nz_changes_add((c), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
void nz_changes_add(struct nz_changes *c, size_t n, const struct slice *args);

/* Appends one command to the batch. Its reply: 1 done, 0 the row is not in its queue any more. */
void nz_changes_send(const struct nz_changes *c, enum nz_queue queue, const struct nz_member *row, struct redis_batch *b);

#endif
