#include "keys/spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/must.h"
#include "gateway/base/wipe.h"
#include "keys/spool/file_at.h"

enum {
    MUNI = 6, TASK = 16, FOLDER = MUNI + 1 + 2 * TASK, FOLDERS_MAX = 65536,
    META = 8 + 1 + 32 + 1 + NZ_SPOOL_NAME_MAX, META_SEALED = META + AEAD_OVERHEAD
};

/* muni-task as it is written, NUL-terminated */
struct folder {
    char s[FOLDER + 1];
};

struct nz_spool {
    int dir;
    struct folder *seen; /* by nz_spool_each() when it began */
    size_t n_seen;
};

struct nz_spool_entry {
    int dir;
    uint8_t task[TASK];
    struct secret *key;
    struct nz_spool_meta meta;
};

static const char *const PARTS[] = { [NZ_SPOOL_UPLOAD] = "upload", [NZ_SPOOL_RESULTS] = "results", [NZ_SPOOL_UNDO] = "undo" };

/* ---- names ---- */

static struct folder folder_of(const char muni[static MUNI], const uint8_t task[static TASK])
{
    static const char HEX[] = "0123456789abcdef";
    struct folder f = { .s = { 0 } };
    memcpy(f.s, muni, MUNI);
    f.s[MUNI] = '-';
    for (size_t i = 0; i < TASK; i++) {
        f.s[MUNI + 1 + 2 * i] = HEX[task[i] >> 4];
        f.s[MUNI + 2 + 2 * i] = HEX[task[i] & 15];
    }
    return f;
}

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool folder_take(const char *name, char ret_muni[static MUNI], uint8_t ret_task[static TASK])
{
    if (strlen(name) != FOLDER || name[MUNI] != '-')
        return false;
    for (size_t i = 0; i < MUNI; i++)
        if (name[i] < '0' || name[i] > '9')
            return false;
    for (size_t i = 0; i < TASK; i++) {
        int high = hex_value(name[MUNI + 1 + 2 * i]), low = hex_value(name[MUNI + 2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        ret_task[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_muni, name, MUNI);
    return true;
}

/* ---- the folder of all ---- */

static struct err dir_open(int at, const char *name, int *ret_fd)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? FAIL(E_NOTHING) : nz_at_error(errno);
    *ret_fd = fd;
    return OK;
}

struct err nz_spool_new(struct nz_spool **ret_s, const char *dir)
{
    struct stat st;
    int fd = -1;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? FAIL(E_CONFIG) : FAIL(E_IO);
    if (!err_ok(dir_open(AT_FDCWD, dir, &fd)))
        return FAIL(E_CONFIG);
    bool ours = fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
    struct nz_spool *s = ours ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        close(fd);
        return ours ? FAIL(E_NOMEM) : FAIL(E_CONFIG);
    }
    s->dir = fd;
    *ret_s = s;
    return OK;
}

void nz_spool_free(struct nz_spool *s)
{
    if (!s)
        return;
    close(s->dir);
    free(s->seen);
    free(s);
}

uint64_t nz_spool_room(const struct nz_spool *s)
{
    struct statvfs v;
    return fstatvfs(s->dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

static void remember(struct nz_spool *s, const char *name)
{
    char muni[MUNI];
    uint8_t task[TASK];
    struct folder *more;
    if (s->n_seen == FOLDERS_MAX || !folder_take(name, muni, task))
        return;
    if ((s->n_seen & (s->n_seen - 1)) == 0) { /* doubles at powers of two */
        more = reallocarray(s->seen, s->n_seen ? 2 * s->n_seen : 1, sizeof *more);
        if (!more)
            return;
        s->seen = more;
    }
    memcpy(s->seen[s->n_seen++].s, name, FOLDER + 1);
}

/* A stream of its own over an open folder, which stays open. NULL when it cannot be. */
static DIR *stream(int dir)
{
    int fd = -1;
    if (!err_ok(dir_open(dir, ".", &fd)))
        return NULL;
    DIR *d = fdopendir(fd);
    if (!d)
        close(fd);
    return d;
}

static void see(struct nz_spool *s)
{
    DIR *d = stream(s->dir);
    s->n_seen = 0;
    free(s->seen);
    s->seen = NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        remember(s, e->d_name);
    if (d)
        closedir(d);
}

bool nz_spool_each(struct nz_spool *s, size_t *at, char ret_muni[static 6], uint8_t ret_task[static 16])
{
    if (*at == 0)
        see(s);
    if (*at >= s->n_seen)
        return false;
    MUST(folder_take(s->seen[*at].s, ret_muni, ret_task));
    ++*at;
    return true;
}

/* The key is written once, when the folder is made. */
ERR nz_spool_made(const struct nz_spool *s, const char muni[static MUNI], const uint8_t task[static TASK], uint64_t *ret_ms)
{
    struct folder f = folder_of(muni, task);
    char path[sizeof f.s + sizeof "/key"];
    struct stat st;
    memcpy(path, f.s, FOLDER);
    memcpy(path + FOLDER, "/key", sizeof "/key");
    if (fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? FAIL(E_NOTHING) : nz_at_error(errno);
    *ret_ms = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    return OK;
}

/* ---- key and meta ---- */

static struct err small_write(int dir, const char *name, struct slice content)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return nz_at_error(errno);
    errno = 0;
    struct err e = fd_write_all(fd, content);
    if (!err_ok(e) || fdatasync(fd) != 0)
        e = nz_at_error(errno);
    close(fd);
    return e;
}

static struct err small_read(int dir, const char *name, size_t n, struct buf *out)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? FAIL(E_NOTHING) : nz_at_error(errno);
    buf_init(out, n);
    struct err e = fd_read_all(fd, out);
    close(fd);
    return err_is(e, E_FULL) || (err_ok(e) && out->n != n) ? FAIL(E_SEAL) : e;
}

/* bytes u64 | has sha256 u8 | sha256[32] | length of name u8 | name, filled up with zeros: the size tells nothing */
static struct err meta_put(const struct nz_spool_meta *m, struct buf *out)
{
    size_t n = strnlen(m->name, NZ_SPOOL_NAME_MAX);
    static const uint8_t ZEROS[NZ_SPOOL_NAME_MAX];
    buf_be64(out, m->bytes);
    buf_putc(out, m->has_sha256);
    buf_put(out, ARR(m->sha256));
    buf_putc(out, (uint8_t)n);
    buf_put(out, slice_of(m->name, n));
    buf_put(out, slice_of(ZEROS, NZ_SPOOL_NAME_MAX - n));
    return buf_check(out);
}

static struct err meta_take(struct slice in, struct nz_spool_meta *m)
{
    struct slice bytes, has, sum, n;
    if (in.n != META || !slice_take(&in, 8, &bytes) || !slice_take(&in, 1, &has) || !slice_take(&in, sizeof m->sha256, &sum) ||
        !slice_take(&in, 1, &n) || n.p[0] > NZ_SPOOL_NAME_MAX || has.p[0] > 1)
        return FAIL(E_SEAL);
    *m = (struct nz_spool_meta){ .has_sha256 = has.p[0] };
    for (size_t i = 0; i < bytes.n; i++)
        m->bytes = m->bytes << 8 | bytes.p[i];
    memcpy(m->sha256, sum.p, sum.n);
    memcpy(m->name, in.p, n.p[0]);
    return OK;
}

struct meta_binding {
    uint8_t b[TASK + 4];
};

static struct meta_binding meta_binding(const uint8_t task[static TASK])
{
    struct meta_binding b;
    memcpy(b.b, task, TASK);
    memcpy(b.b + TASK, "meta", 4);
    return b;
}

typedef struct err aead_fn(struct aead *a, struct slice ad, struct slice in, struct buf *out);

static struct err with_key(const struct nz_spool_entry *e, aead_fn *fn, struct slice in, struct buf *out)
{
    struct aead *a = NULL;
    struct meta_binding ad = meta_binding(e->task);
    TRY(aead_new(&a, e->key));
    struct err r = fn(a, ARR(ad.b), in, out);
    aead_free(a);
    return r;
}

static struct err meta_write(const struct nz_spool_entry *e)
{
    struct buf plain, sealed;
    buf_init(&plain, META);
    buf_init(&sealed, META_SEALED);
    struct err r = meta_put(&e->meta, &plain);
    if (err_ok(r))
        r = with_key(e, aead_seal, buf_slice(&plain), &sealed);
    if (err_ok(r))
        r = small_write(e->dir, "meta", buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return r;
}

static struct err meta_read(struct nz_spool_entry *e)
{
    struct buf plain, sealed = { 0 };
    buf_init(&plain, META);
    struct err r = small_read(e->dir, "meta", META_SEALED, &sealed);
    if (err_ok(r))
        r = with_key(e, aead_open, buf_slice(&sealed), &plain);
    if (err_ok(r))
        r = meta_take(buf_slice(&plain), &e->meta);
    buf_done(&plain);
    buf_done(&sealed);
    return r;
}

/* ---- one file's folder ---- */

void nz_spool_close(struct nz_spool_entry *e)
{
    if (!e)
        return;
    if (e->dir >= 0)
        close(e->dir);
    secret_free(e->key);
    wipe_free(e);
}

const struct nz_spool_meta *nz_spool_meta_of(const struct nz_spool_entry *e) { return &e->meta; }

/* key: moved in, also when it fails. */
static struct err entry_new(struct nz_spool_entry **ret_e, const uint8_t task[static TASK], struct secret *key)
{
    struct nz_spool_entry *e = wipe_calloc(1, sizeof *e);
    if (!e) {
        secret_free(key);
        return FAIL(E_NOMEM);
    }
    e->dir = -1;
    e->key = key;
    memcpy(e->task, task, TASK);
    *ret_e = e;
    return OK;
}

static struct err entry_fill(struct nz_spool *s, struct nz_spool_entry *e, const struct folder *f, struct slice wrapped)
{
    TRY(dir_open(s->dir, f->s, &e->dir));
    TRY(meta_write(e));
    TRY(small_write(e->dir, "key", wrapped));
    return fsync(e->dir) == 0 && fsync(s->dir) == 0 ? OK : FAIL(E_IO);
}

struct err nz_spool_create(struct nz_spool *s, struct nz_spool_entry **ret_e, const char muni[static 6], const uint8_t task[static 16],
                           struct secret *key, const uint8_t wrapped[static NZ_WRAPPED_BYTES], const struct nz_spool_meta *meta)
{
    struct folder f = folder_of(muni, task);
    struct nz_spool_entry *e = NULL;
    TRY(entry_new(&e, task, key));
    e->meta = *meta;
    if (mkdirat(s->dir, f.s, 0700) != 0) {
        struct err r = nz_at_error(errno);
        nz_spool_close(e);
        return r;
    }
    struct err r = entry_fill(s, e, &f, slice_of(wrapped, NZ_WRAPPED_BYTES));
    if (err_ok(r)) {
        *ret_e = e;
        return OK;
    }
    nz_spool_close(e);
    struct err gone = nz_spool_remove(s, muni, task);
    return err_ok(gone) || err_is(r, E_DISK_FULL) ? r : gone;
}

struct err nz_spool_wrapped(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16], uint8_t ret_wrapped[static NZ_WRAPPED_BYTES])
{
    struct folder f = folder_of(muni, task);
    struct buf b = { 0 };
    int dir = -1;
    TRY(dir_open(s->dir, f.s, &dir));
    struct err e = small_read(dir, "key", NZ_WRAPPED_BYTES, &b);
    if (err_ok(e))
        memcpy(ret_wrapped, b.p, NZ_WRAPPED_BYTES);
    buf_done(&b);
    close(dir);
    return e;
}

struct err nz_spool_open(struct nz_spool *s, struct nz_spool_entry **ret_e, const char muni[static 6], const uint8_t task[static 16], struct secret *key)
{
    struct folder f = folder_of(muni, task);
    struct nz_spool_entry *e = NULL;
    TRY(entry_new(&e, task, key));
    struct err r = dir_open(s->dir, f.s, &e->dir);
    if (err_ok(r))
        r = meta_read(e);
    if (err_ok(r))
        *ret_e = e;
    else
        nz_spool_close(e);
    return r;
}

struct err nz_spool_frames(struct nz_spool_entry *e, enum nz_spool_part part, enum nz_spool_how how, struct nz_frames **ret_f)
{
    const char *name = PARTS[part];
    if (how == NZ_SPOOL_READ)
        return nz_frames_open_read(ret_f, e->dir, name, e->key, e->task);
    struct err r = nz_frames_open(ret_f, e->dir, name, e->key, e->task);
    return err_is(r, E_NOTHING) ? nz_frames_create(ret_f, e->dir, name, e->key, e->task) : r;
}

struct opening {
    uv_work_t work;
    struct nz_spool_entry *e;
    enum nz_spool_part part;
    struct nz_frames *f;
    struct err result;
    nz_spool_opened_fn *fn;
    void *arg;
};

static void opening_work(uv_work_t *work)
{
    struct opening *o = work->data;
    o->result = nz_spool_frames(o->e, o->part, NZ_SPOOL_CREATE, &o->f);
}

static void opening_after(uv_work_t *work, int status)
{
    struct opening *o = work->data;
    struct opening is = *o;
    free(o);
    is.fn(is.arg, status == 0 ? is.result : FAIL(E_CANCELED), is.f);
}

ERR nz_spool_frames_later(struct nz_spool_entry *e, enum nz_spool_part part, struct loop *l, nz_spool_opened_fn *fn, void *arg)
{
    struct opening *o = calloc(1, sizeof *o);
    if (!o)
        return FAIL(E_NOMEM);
    *o = (struct opening){ .e = e, .part = part, .fn = fn, .arg = arg };
    o->work.data = o;
    MUST(uv_queue_work(loop_uv(l), &o->work, opening_work, opening_after) == 0);
    return OK;
}

/* ---- taking away ---- */

static struct err unlink_synced(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) != 0)
        return errno == ENOENT ? OK : FAIL(E_IO);
    return fsync(dir) == 0 ? OK : FAIL(E_IO);
}

struct err nz_spool_drop_part(struct nz_spool_entry *e, enum nz_spool_part part) { return unlink_synced(e->dir, PARTS[part]); }

struct err nz_spool_drop(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16], enum nz_spool_part part)
{
    struct folder f = folder_of(muni, task);
    int dir = -1;
    struct err e = dir_open(s->dir, f.s, &dir);
    if (err_is(e, E_NOTHING))
        return OK;
    TRY(e);
    e = unlink_synced(dir, PARTS[part]);
    close(dir);
    return e;
}

static struct err empty(int dir)
{
    TRY(unlink_synced(dir, "key"));
    DIR *d = stream(dir);
    if (!d)
        return FAIL(E_IO);
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlinkat(dir, e->d_name, 0);
    closedir(d);
    return OK;
}

struct err nz_spool_remove(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16])
{
    struct folder f = folder_of(muni, task);
    int dir = -1;
    struct err e = dir_open(s->dir, f.s, &dir);
    if (err_is(e, E_NOTHING))
        return OK;
    TRY(e);
    e = empty(dir);
    close(dir);
    TRY(e);
    if (unlinkat(s->dir, f.s, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return FAIL(E_IO);
    return fsync(s->dir) == 0 ? OK : FAIL(E_IO);
}
