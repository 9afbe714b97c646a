#ifndef GW_ZONE_NUMBER
#error "import_file.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_IMPORT_FILE_H
#define KEYS_CTL_IMPORT_FILE_H

/* The file of an import: one JSON array, or CSV when its name ends in .csv. It is read twice: once to see that it is whole and to count,
 * then to send; of a file with a fault of the file nothing is sent. Rows of a CSV file with a fault of their own are not sent, but
 * reported and counted as refused. */

#include "keys/ctl/import.h"
#include "keys/ctl/state.h"

struct nz_import_file;

/* layout, encoding: of the command line, NULL when not given. Says what is wrong and returns false. */
bool nz_import_file_open(struct nz_import_file **ret_f, const struct state *s, const char *path, const char *layout, const char *encoding);
void nz_import_file_close(struct nz_import_file *f); /* NULL is fine */
/* Rows, with the faulty ones; -1 when the file cannot be taken, after saying why. */
int64_t nz_import_file_count(struct nz_import_file *f);
/* Sends the rows and follows them to their end. */
bool nz_import_file_send(struct nz_import_file *f, struct nz_import *im, uint64_t rows_a_piece);

#endif
