#ifndef GW_CRYPTO_KEYRING_FILE_H
#define GW_CRYPTO_KEYRING_FILE_H

/* The files under a keyring: read whole, replaced whole. Private to gateway/crypto. */

#include "gateway/base/buf.h"

/* A lock on the folder of path, so that two changes of one ring cannot lose each other's and a reader never meets the
 * overwriting of an old file. Waits. IO, CONFIG (path too long). */
ERR keyring_file_lock(const char *path, bool change, int *ret_lock);
void keyring_file_unlock(int lock);

/* Appends the whole file, at most out->max. IO when it cannot be read, CONFIG when others may write it or it is too long. */
ERR keyring_file_read(const char *path, struct buf *out);
bool keyring_file_exists(const char *path);
/* New content by way of a new file in the same folder, synced, renamed, folder synced; mode 0600. The bytes of the file
 * that was there before are overwritten as far as the file system lets us. The caller holds the lock of the ring. IO, CONFIG. */
ERR keyring_file_write(const char *path, struct slice content);

#endif
