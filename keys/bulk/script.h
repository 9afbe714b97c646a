#ifndef GW_ZONE_NUMBER
#error "script.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_SCRIPT_H
#define KEYS_BULK_SCRIPT_H

/* Commands on behalf of a file: all of them, or none when the fence of the task was raised, or when one of the guards finds something.
 *
 * A batch whose answer did not come may still be carried out later. Whoever takes its rows up again raises the fence first, so that the late
 * one does nothing. */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { NZ_SCRIPT_FENCED = 0, NZ_SCRIPT_DONE = 1, NZ_SCRIPT_GUARDED = -1 };

/* The arguments behind the fence: number of keys that must not exist, these keys, number of hashes, the field that none of them may have, these
 * hashes; number n of new residents (below); then commands, each as its number of words and its words. Without `out` they are only counted.
 *
 * A new resident is a subject with its PMH key and its resident key, and a person with one record. With n of them the first keys are n subjects
 * ("s:<sid>") and n resident keys ("rk:<muni>:<hex>") in the same order, the first n hashes are their persons; behind n stand n sealed PMH keys, n
 * fields, n sealed records. The script ties them to each other. */
struct nz_args { struct redis_batch *out; size_t n; };
void nz_args_put(struct nz_args *a, struct slice word);
void nz_args_u64(struct nz_args *a, uint64_t v);
static inline void nz_args_begin(struct nz_args *a, size_t n) { nz_args_u64(a, n); } /* a command of n words */
#define NZ_ARGS(a, ...) \
    nz_args_cmd((a), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
void nz_args_cmd(struct nz_args *a, size_t n, const struct slice *words);
/* No guards and no new residents. */
void nz_args_unguarded(struct nz_args *a);

/* Begins the command; n arguments follow by nz_args_put() and so on. */
void nz_script_begin(struct redis_batch *out, const struct store_name *task, uint64_t fence, size_t n);

#endif
