#ifndef KEYS_CTL_MUNI_FILE_H
#define KEYS_CTL_MUNI_FILE_H

/* A file out of the municipal door: made whole or not at all. */

#include "keys/ctl/muni_door.h"

/* GET of the path into the file, by way of <out>.part; says how many lines came, and their hash. Exit status: 0, or 2 when what happened was said. */
int muni_file_save(struct muni_door *d, const char *path, const char *out);

#endif
