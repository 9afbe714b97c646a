#ifndef GW_ZONE_NUMBER
#error "script.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_SCRIPT_H
#define KEYS_BULK_SCRIPT_H

/* Commands on behalf of a file: all of them, or none when the fence of the task was raised, or when one of the guards finds something.
 *
 * A batch whose answer did not come may still be carried out later. Whoever takes its rows up again raises the fence first, so that the late
 * one does nothing.
 *
 * Few commands go as one script. Those of a batch of rows do not: Lua hashes every byte that it is given, and Redis' own commands cost three
 * quarters of that. There WATCH stands first, then a script that looks at fence and guards and touches a watched key when something is wrong, then
 * the commands between MULTI and EXEC, all in one batch: EXEC does nothing once a watched key was touched. Raising the fence touches one, too, and so does an
 * erasure (keys/intake/erased.h). */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { NZ_SCRIPT_FENCED = 0, NZ_SCRIPT_DONE = 1 };

/* The arguments behind the fence: commands, each as its number of words and its words. Without `out` they are only counted. */
struct nz_args { struct redis_batch *out; size_t n; };
void nz_args_put(struct nz_args *a, struct slice word);
void nz_args_u64(struct nz_args *a, uint64_t v);
static inline void nz_args_begin(struct nz_args *a, size_t n) { nz_args_u64(a, n); } /* a command of n words */
#define NZ_ARGS(a, ...) \
    nz_args_cmd((a), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
void nz_args_cmd(struct nz_args *a, size_t n, const struct slice *words);
/* The next command alone is left out unless the field of the hash holds exactly this when its turn comes. Only in a script. */
void nz_args_next_if(struct nz_args *a, struct slice key, struct slice field, struct slice value);

/* Begins the command; n arguments follow by nz_args_put() and so on. */
void nz_script_begin(struct redis_batch *out, const struct store_name *task, uint64_t fence, size_t n);

/* The whole batch: after it, nothing that was sent under an older fence is carried out any more. The new fence; 0: an answer that makes no sense. */
void nz_fence_raise(struct redis_batch *out, const struct store_name *task);
uint64_t nz_fence_raised(const struct redis_reply *const *replies, size_t n);

/* Guards, by redis_arg() right behind nz_fenced_begin(): `absent` keys that must not exist, then `strangers`: hashes that may not have `field`.
 * Then nz_fenced_commands(), the commands, nz_fenced_end(); redis_raise() may follow. The first commands of their batch. */
struct nz_fenced {
    const struct store_name *task;
    uint64_t fence;
    uint64_t turn; /* another one for each batch of the task that may be under way */
    const char *muni;        /* 6 */
    uint64_t received_ms;    /* when the file was */
    uint64_t erased;         /* how many names were erased since, when it was looked who: nz_erased_count() */
    size_t absent, strangers;
    struct slice field;
};
void nz_fenced_begin(struct redis_batch *out, const struct nz_fenced *f);
void nz_fenced_commands(struct redis_batch *out);
void nz_fenced_end(struct redis_batch *out);

/* NOTHING: not carried out and never will be; a guard found something, or the fence was raised meanwhile. LOST: the fence is another one. */
enum nz_fenced_said { NZ_FENCED_DONE, NZ_FENCED_NOTHING, NZ_FENCED_LOST };
enum nz_fenced_said nz_fenced_heard(const struct redis_reply *const *replies, size_t n);

#endif
