#ifndef KEYS_CTL_BACKUP_H
#define KEYS_CTL_BACKUP_H

/* What both `backup` and `restore` know. */

#include "keys/ctl/age.h"
#include "keys/ctl/archive.h"
#include "keys/ctl/state.h"

/* The one who may open, from one of two files; says what is wrong. to_open: a private key, else a public one. */
bool backup_who(const char *key_path, const char *passphrase_path, bool to_open, struct age_who *ret_w);

#endif
