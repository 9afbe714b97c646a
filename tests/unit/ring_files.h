#ifndef TESTS_UNIT_RING_FILES_H
#define TESTS_UNIT_RING_FILES_H

/* A folder of its own with the files of a keyring, for tests. Include after cmocka.h. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/crypto/keyring.h"

struct ring_files {
    char dir[64], ring[96], master[96];
};

static inline struct ring_files ring_files_make(enum keyring_zone zone)
{
    struct ring_files f = { .dir = "/tmp/pmhgw-ring-XXXXXX" };
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.ring, sizeof f.ring, "%s/a.ring", f.dir);
    snprintf(f.master, sizeof f.master, "%s/a.master", f.dir);
    assert_true(err_ok(keyring_create(zone, f.ring, f.master)));
    return f;
}

static inline void ring_files_remove(const struct ring_files *f)
{
    unlink(f->ring);
    unlink(f->master);
    assert_int_equal(rmdir(f->dir), 0); /* no temporary file is left behind */
}

/* A key of the bytes first, first + 1, ... */
static inline struct secret *counting_key(uint8_t first)
{
    uint8_t b[32];
    struct secret *s = NULL;
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(first + i);
    assert_true(err_ok(secret_new(&s, ARR(b))));
    return s;
}

static inline void ring_files_add(const struct ring_files *f, enum keyring_zone zone, enum key_kind kind, const char *id, uint8_t first)
{
    struct secret *key = counting_key(first);
    assert_true(err_ok(keyring_add(zone, f->ring, f->master, kind, slice_str(id), key)));
    secret_free(key);
}

#endif
