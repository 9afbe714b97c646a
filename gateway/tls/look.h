#ifndef GW_TLS_LOOK_H
#define GW_TLS_LOOK_H

/* A file that somebody replaces now and then. Inside gateway/tls. */

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct file_sign { ino_t file; off_t size; struct timespec written, changed; };

/* Zeros when there is none. */
struct file_sign file_look(const char *path);
bool file_same(const struct file_sign *a, const struct file_sign *b);
/* For reading, no link, without waiting for anybody at the other end. Below 0: errno. */
int file_open(const char *path);

#endif
