#include "gateway/base/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *wipe_malloc(size_t n) { return malloc(n); }
void *wipe_calloc(size_t count, size_t n) { return calloc(count, n); }

void wipe_free(void *p)
{
    if (!p)
        return;
    explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

void *wipe_realloc(void *p, size_t n)
{
    if (!p)
        return malloc(n);
    size_t old = malloc_usable_size(p);
    if (n <= old && n >= old / 2)
        return p;
    void *q = malloc(n);
    if (!q)
        return NULL;
    memcpy(q, p, old < n ? old : n);
    wipe_free(p);
    return q;
}

char *wipe_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = malloc(n);
    if (p)
        memcpy(p, s, n);
    return p;
}
