#include "gateway/crypto/keyring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/file.h"

static struct err folder_open(const char *path, int *ret_dir)
{
    char copy[PATH_MAX];
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return FAIL(E_CONFIG);
    int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return FAIL(E_IO);
    *ret_dir = dir;
    return OK;
}

struct err keyring_file_lock(const char *path, bool change, int *ret_lock)
{
    int dir = -1;
    TRY(folder_open(path, &dir));
    while (flock(dir, change ? LOCK_EX : LOCK_SH) != 0) {
        if (errno == EINTR)
            continue;
        close(dir);
        return FAIL(E_IO);
    }
    *ret_lock = dir;
    return OK;
}

void keyring_file_unlock(int lock) { close(lock); }

bool keyring_file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

struct err keyring_file_read(const char *path, struct buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 022) == 0 ? OK : FAIL(E_CONFIG);
    if (err_ok(e))
        e = fd_read_all(fd, out);
    close(fd);
    return err_is(e, E_FULL) ? FAIL(E_CONFIG) : e;
}

static struct err write_whole(int fd, struct slice s)
{
    TRY(fd_write_all(fd, s));
    return fsync(fd) == 0 ? OK : FAIL(E_IO);
}

/* Best effort: a journal or a flash disk may keep copies, which is why the keys in the file are wrapped. */
static void overwrite(int fd)
{
    static const uint8_t zeros[4096];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return;
    for (off_t at = 0; at < st.st_size;) {
        size_t n = st.st_size - at < (off_t)sizeof zeros ? (size_t)(st.st_size - at) : sizeof zeros;
        ssize_t k = pwrite(fd, zeros, n, at);
        if (k <= 0)
            return;
        at += k;
    }
    (void)fsync(fd);
}

static struct err folder_sync(const char *path)
{
    int dir = -1;
    TRY(folder_open(path, &dir));
    struct err e = fsync(dir) == 0 ? OK : FAIL(E_IO);
    close(dir);
    return e;
}

/* Makes temp with the content and puts it in the place of path. */
static struct err replace(const char *temp, const char *path, struct slice content)
{
    (void)unlink(temp); /* left by a crash; we hold the lock */
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = write_whole(fd, content);
    close(fd);
    if (err_ok(e) && rename(temp, path) != 0)
        e = FAIL(E_IO);
    if (!err_ok(e))
        (void)unlink(temp);
    TRY(e);
    return folder_sync(path);
}

struct err keyring_file_write(const char *path, struct slice content)
{
    char temp[PATH_MAX];
    if ((size_t)snprintf(temp, sizeof temp, "%s.new", path) >= sizeof temp)
        return FAIL(E_CONFIG);
    int old = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW); /* none for a first write */
    struct err e = replace(temp, path, content);
    if (err_ok(e) && old >= 0)
        overwrite(old);
    if (old >= 0)
        close(old);
    return e;
}
