#ifndef KEYS_CTL_BACKUP_FILES_H
#define KEYS_CTL_BACKUP_FILES_H

/* The files of a state at one moment: opened, and their lengths noted, in the order in which they may differ in age (docs/operations.md). What grows or goes
 * away afterwards does not matter: an open file that was removed is still there, and of one that grew the old length is read. */

#include <dirent.h>

#include "keys/ctl/archive.h"
#include "keys/ctl/state.h"

struct backup_file { char name[ARCHIVE_NAME_MAX + 1]; int fd; uint64_t size, mtime_s; };
struct backup_files { struct backup_file *at; size_t n, cap, left_out /* whose names a backup cannot have */; uint64_t bytes; };

/* In the order in which they are copied. */
enum { BACKUP_STORES_N = 2 };
extern const char *const BACKUP_STORES[BACKUP_STORES_N];

/* Without a store that is elsewhere, behind a relay. IO, NOMEM, FULL (more files than may be open), BUSY: Redis rewrote its files again and again. */
ERR backup_files_open(struct backup_files *f, const struct state *s, enum archive_kind kind);
void backup_files_done(struct backup_files *f);

enum backup_entry { BACKUP_OTHER, BACKUP_FILE, BACKUP_FOLDER };
/* What an entry of a folder is; of file systems that do not tell it with the name, asked of its path. */
enum backup_entry backup_entry(const char *path, const struct dirent *x);

#endif
