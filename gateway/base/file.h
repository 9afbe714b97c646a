#ifndef GW_BASE_FILE_H
#define GW_BASE_FILE_H

/* Whole files at start and in the operator's command. Blocking: never from a loop. */

#include "gateway/base/buf.h"

/* Appends everything up to the end. IO; FULL when it is longer than *out may become; NOMEM. */
ERR fd_read_all(int fd, struct buf *out);
/* The same of a path; IO also when it cannot be opened. */
ERR file_read(const char *path, struct buf *out);
/* As much as there is, up to n bytes; fewer only at the end. *ret_n is set when it succeeds. IO. */
ERR fd_read_up_to(int fd, uint8_t *to, size_t n, size_t *ret_n);
/* A new file to write to, of mode 0600 before a mask; a file of that name is removed first: who has it open, or made it, has nothing of this one. -1 and errno. */
int file_new(const char *path);
/* All of s, however many writes it takes. IO. */
ERR fd_write_all(int fd, struct slice s);

#endif
