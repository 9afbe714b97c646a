#include "gateway/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/must.h"

/* Header and bytes share the protected pages. */
struct secret {
    size_t map, n;
    uint8_t bytes[];
};

static struct secret *pages(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t map = (sizeof(struct secret) + n + page - 1) / page * page;
    struct secret *s = mmap(NULL, map, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return NULL;
    /* Best effort where the limit on locked memory is small; `doctor` tells. */
    (void)mlock(s, map);
    (void)madvise(s, map, MADV_DONTDUMP);
    s->map = map;
    s->n = n;
    return s;
}

struct err secret_new(struct secret **ret_s, struct slice bytes)
{
    if (bytes.n == 0 || bytes.n > SECRET_MAX)
        return FAIL(E_FULL);
    struct secret *s = pages(bytes.n);
    if (!s)
        return FAIL(E_NOMEM);
    memcpy(s->bytes, bytes.p, bytes.n);
    *ret_s = s;
    return OK;
}

struct err secret_random(struct secret **ret_s, size_t n)
{
    uint8_t b[SECRET_MAX];
    if (n == 0 || n > sizeof b)
        return FAIL(E_FULL);
    rnd_bytes(b, n);
    struct err e = secret_new(ret_s, slice_of(b, n));
    explicit_bzero(b, n);
    return e;
}

/* What systemd hands over is readable for the unit's user by an access list, whose mask looks like the rights of a group. */
static mode_t closed_to(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t n = dir ? strlen(dir) : 0;
    return n && strncmp(path, dir, n) == 0 && path[n] == '/' ? 037 : 077;
}

struct err secret_read_file(struct secret **ret_s, const char *path, size_t n)
{
    uint8_t b[SECRET_MAX + 1];
    struct stat st;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fstat(fd, &st) == 0 && (st.st_mode & closed_to(path)) == 0 ? OK : FAIL(E_CONFIG);
    if (err_ok(e))
        e = fd_read_up_to(fd, b, sizeof b, &got);
    close(fd);
    if (err_ok(e) && n == 0 && got > 0 && b[got - 1] == '\n')
        got--;
    if (err_ok(e) && (got == 0 || got > SECRET_MAX || (n != 0 && got != n)))
        e = FAIL(E_CONFIG);
    if (err_ok(e))
        e = secret_new(ret_s, slice_of(b, got));
    explicit_bzero(b, sizeof b);
    return e;
}

struct err secret_use(const struct secret *s, secret_use_fn *fn, void *arg) { return fn(slice_of(s->bytes, s->n), arg); }

void secret_free(struct secret *s)
{
    if (!s)
        return;
    size_t map = s->map;
    explicit_bzero(s->bytes, s->n);
    munmap(s, map);
}

bool secret_equal(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    volatile uint8_t diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
    return diff == 0;
}

void rnd_bytes(void *p, size_t n)
{
    uint8_t *b = p;
    while (n) {
        ssize_t k = getrandom(b, n, 0);
        if (k < 0 && errno == EINTR)
            continue;
        MUST(k > 0);
        b += k;
        n -= (size_t)k;
    }
}
