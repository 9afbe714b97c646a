#ifndef GW_ZONE_NUMBER
#error "file_at.h belongs to the number zone"
#endif
#ifndef KEYS_SPOOL_FILE_AT_H
#define KEYS_SPOOL_FILE_AT_H

/* Bytes at a place of a file, whatever signals come in between. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

/* What an errno means: DISK_FULL, FULL (descriptors), NOMEM: passing troubles; IO: everything else. */
ERR nz_at_error(int e);
ERR nz_at_write(int fd, struct slice s, uint64_t at);
/* Reads n bytes at `at`, fewer at the end of the file. */
ERR nz_at_read(int fd, uint8_t *to, size_t n, uint64_t at, size_t *ret_got);

#endif
