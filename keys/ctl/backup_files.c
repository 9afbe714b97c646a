#include "keys/ctl/backup_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/ctl/conf_files.h"

enum { DEPTH_MAX = 8, TRIES = 20, FILES_MAX = ARCHIVE_MEMBERS_MAX - 10 };

const char *const BACKUP_STORES[BACKUP_STORES_N] = { "redis-link", "redis-vault" };

/* Which files of a folder. */
typedef bool wanted_fn(const char *name);

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

static bool every(const char *name) { return !ends(name, ".lock") && !ends(name, ".tmp"); }
static bool is_key(const char *name) { return ends(name, ".key"); }
static bool no_key(const char *name) { return !is_key(name); }
static bool base_port(const char *name) { return strcmp(name, "base-port") == 0; }
static bool audit_first(const char *name) { return strcmp(name, "head") == 0 || strcmp(name, "checkpoint") == 0 || strcmp(name, "checkpoints") == 0; }
static bool audit_rest(const char *name) { return every(name) && !audit_first(name); }

static ERR add(struct backup_files *f, const char *path, const char *name)
{
    struct stat st;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 256;
        struct backup_file *more = cap <= FILES_MAX ? reallocarray(f->at, cap, sizeof *more) : NULL;
        if (!more)
            return FAIL(E_NOMEM);
        f->at = more;
        f->cap = cap;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : errno == EMFILE || errno == ENFILE ? FAIL(E_FULL) : FAIL(E_IO); /* it has gone since the folder was read */
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return S_ISREG(st.st_mode) ? FAIL(E_IO) : OK;
    }
    struct backup_file *x = &f->at[f->n++];
    *x = (struct backup_file){ .fd = fd, .size = (uint64_t)st.st_size, .mtime_s = (uint64_t)st.st_mtime };
    snprintf(x->name, sizeof x->name, "%s", name);
    f->bytes += x->size;
    return OK;
}

enum backup_entry backup_entry(const char *path, const struct dirent *x)
{
    struct stat st;
    if (x->d_type != DT_UNKNOWN)
        return x->d_type == DT_DIR ? BACKUP_FOLDER : x->d_type == DT_REG ? BACKUP_FILE : BACKUP_OTHER;
    if (lstat(path, &st) != 0)
        return BACKUP_OTHER;
    return S_ISDIR(st.st_mode) ? BACKUP_FOLDER : S_ISREG(st.st_mode) ? BACKUP_FILE : BACKUP_OTHER;
}

static ERR folder(struct backup_files *f, const struct state *s, enum archive_kind kind, const char *name, wanted_fn *wanted, unsigned depth)
{
    struct state_path path = state_at(s, "%s", name);
    DIR *d = opendir(path.c);
    struct err e = d || errno == ENOENT ? OK : FAIL(E_IO);
    for (struct dirent *x; d && err_ok(e) && (x = readdir(d));) {
        char inner[PATH_MAX];
        if (x->d_name[0] == '.' || snprintf(inner, sizeof inner, "%s/%s", name, x->d_name) >= (int)sizeof inner)
            continue;
        const struct state_path at = state_at(s, "%s", inner);
        const enum backup_entry is = backup_entry(at.c, x);
        if (is == BACKUP_FOLDER && depth < DEPTH_MAX)
            e = folder(f, s, kind, inner, wanted, depth + 1);
        else if (is != BACKUP_FILE || !wanted(x->d_name))
            continue;
        else if (archive_name_ok(kind, slice_str(inner)))
            e = add(f, at.c, inner);
        else
            f->left_out++;
    }
    if (d)
        closedir(d);
    return e;
}

static void drop_to(struct backup_files *f, size_t n)
{
    while (f->n > n) {
        f->n--;
        f->bytes -= f->at[f->n].size;
        close(f->at[f->n].fd);
    }
}

static void manifest_text(const struct state *s, const char *store, struct buf *out)
{
    buf_reset(out);
    (void)!err_ok(file_read(state_at(s, "%s/appendonlydir/appendonly.aof.manifest", store).c, out));
}

/* Redis names its files in a manifest, which it replaces when it rewrites them: all of them have to be of one manifest. */
static ERR store(struct backup_files *f, const struct state *s, const char *name)
{
    struct buf before, after;
    size_t from = f->n;
    struct err e = FAIL(E_BUSY);
    buf_init(&before, 64 * 1024);
    buf_init(&after, 64 * 1024);
    for (int i = 0; err_is(e, E_BUSY) && i < TRIES; i++) {
        drop_to(f, from);
        manifest_text(s, name, &before);
        e = folder(f, s, ARCHIVE_DATA, name, every, 0);
        manifest_text(s, name, &after);
        if (err_ok(e) && !slice_eq(buf_slice(&before), buf_slice(&after)))
            e = FAIL(E_BUSY);
    }
    buf_done(&before);
    buf_done(&after);
    return e;
}

/* As many files as the kernel lets us have. */
static void more_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

/* The vault after redis-link, the spool after what names its files; the audit log last, and of it what says how long it is before the entries. */
static ERR data_open(struct backup_files *f, const struct state *s)
{
    static const struct { const char *name; wanted_fn *wanted; } FOLDERS[] = {
        { "spool", every }, { "conf", every }, { "certs", no_key }, { "run", base_port }, { "audit", audit_first }, { "audit", audit_rest },
    };
    for (size_t i = 0; i < BACKUP_STORES_N; i++)
        if (!conf_file_relay(s, BACKUP_STORES[i])) /* what lies there is from before the relay, and would come back older */
            TRY(store(f, s, BACKUP_STORES[i]));
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
        TRY(folder(f, s, ARCHIVE_DATA, FOLDERS[i].name, FOLDERS[i].wanted, 0));
    return OK;
}

ERR backup_files_open(struct backup_files *f, const struct state *s, enum archive_kind kind)
{
    *f = (struct backup_files){ 0 };
    more_files();
    if (kind == ARCHIVE_DATA)
        return data_open(f, s);
    TRY(folder(f, s, kind, "keys", every, 0));
    return folder(f, s, kind, "certs", is_key, 0);
}

void backup_files_done(struct backup_files *f)
{
    drop_to(f, 0);
    free(f->at);
    *f = (struct backup_files){ 0 };
}
