#include "gateway/tls/look.h"

#include <fcntl.h>
#include <sys/stat.h>

int file_open(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); }

struct file_sign file_look(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct file_sign){ 0 };
    return (struct file_sign){ st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b) { return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec; }

bool file_same(const struct file_sign *a, const struct file_sign *b)
{
    return a->file == b->file && a->size == b->size && same_time(&a->written, &b->written) && same_time(&a->changed, &b->changed);
}
