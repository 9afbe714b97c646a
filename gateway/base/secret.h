#ifndef GW_BASE_SECRET_H
#define GW_BASE_SECRET_H

/* Key bytes: opaque, on pages of their own, locked, not dumped, wiped on free.
 * No printer, no copy, no serialiser; equality in constant time only. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

struct secret;

enum { SECRET_MAX = 4096 };

typedef struct err secret_use_fn(struct slice bytes, void *arg);

/* A secret of the given bytes (1..SECRET_MAX); the caller wipes his own copy. NOMEM, FULL. */
ERR secret_new(struct secret **ret_s, struct slice bytes);
/* n random bytes from the operating system. */
ERR secret_random(struct secret **ret_s, size_t n);
/* The whole content of a file of exactly n bytes (n 0: any size up to SECRET_MAX, one trailing newline cut).
 * IO when it cannot be read, CONFIG when the size is wrong or others may read the file (of a credential of systemd: everybody may). */
ERR secret_read_file(struct secret **ret_s, const char *path, size_t n);
/* Runs fn over the bytes; what it returns is returned. The slice is valid inside fn only. */
ERR secret_use(const struct secret *s, secret_use_fn *fn, void *arg);
/* Wipes; NULL is fine. */
void secret_free(struct secret *s);

/* Constant time in the content; lengths are public. */
bool secret_equal(struct slice a, struct slice b);

/* n bytes of operating-system randomness; aborts when there is none. */
void rnd_bytes(void *p, size_t n);

#endif
