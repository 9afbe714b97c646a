#ifndef GW_ZONE_NUMBER
#error "mynum.h belongs to the number zone"
#endif
#ifndef KEYS_NUMBER_MYNUM_H
#define KEYS_NUMBER_MYNUM_H

/* The individual number (個人番号): opaque, made from 12 checked digits only, kept in locked pages that are never dumped,
 * wiped on free. There is no printer, no length, no encoder. Every symbol of the number zone starts with nz_, so that the
 * symbol table of a program proves its absence. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

enum { NZ_MYNUM_DIGITS = 12 };

struct nz_mynum;
struct nz_pool;

/* Locked memory for at most n numbers at a time. */
ERR nz_pool_new(struct nz_pool **ret_p, size_t n);
void nz_pool_free(struct nz_pool *p); /* all numbers are back, a bug otherwise */
size_t nz_pool_used(const struct nz_pool *p);

/* FIELD unless text is exactly 12 half-width digits; FULL when the pool is used up. The check digit is a rule of its own. */
ERR nz_mynum_new(struct nz_mynum **ret_m, struct nz_pool *p, struct slice text);
void nz_mynum_free(struct nz_mynum *m); /* wipes; NULL is fine */

/* = 行政手続における特定の個人を識別するための番号の利用等に関する法律…総務省令第85号 第5条 */
bool nz_mynum_check_digit(const struct nz_mynum *m);
bool nz_mynum_equal(const struct nz_mynum *a, const struct nz_mynum *b); /* constant time */

/* The 12 digits, valid inside fn only. For the vault message and the upstream body; nothing else may call it (lint counts). */
ERR nz_mynum_use(const struct nz_mynum *m, struct err (*fn)(struct slice digits, void *arg), void *arg);

#endif
