#ifndef GW_BASE_WIPE_H
#define GW_BASE_WIPE_H

/* malloc family that zeroes on free, for libraries through which numbers pass (jansson, libcurl, OpenSSL). */

#include <stddef.h>

void *wipe_malloc(size_t n);
void *wipe_calloc(size_t count, size_t n);
void *wipe_realloc(void *p, size_t n); /* never leaves an unwiped old copy */
void wipe_free(void *p);               /* NULL is fine */
char *wipe_strdup(const char *s);

#endif
