/* pmhgw restore: a sealed copy back into an empty state. Everything is opened and compared with its sums before the first byte is written, then written
 * beside the state and put in its place at once. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/ctl/backup.h"
#include "keys/ctl/backup_files.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/out.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"

enum { COPY_DEPTH_MAX = 8, COPY_PIECE = 256 * 1024 };

struct restore {
    struct state_dirs dirs;
    const char *key, *passphrase, *keys, *audit;
    bool check;
    struct age_who who;
    struct state s;           /* where it shall be */
    struct state_path beside; /* where it is written */
    int fd;                   /* the file that is being written, else -1 */
    bool skips;
    bool has[BACKUP_STORES_N]; /* members of these */
};

/* ---- writing ---- */

static ERR folders_of(const struct restore *r, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct state_path p;
        if (snprintf(p.c, sizeof p.c, "%s/%.*s", r->beside.c, (int)(slash - name), name) >= (int)sizeof p.c || (mkdir(p.c, 0700) != 0 && errno != EEXIST))
            return FAIL(E_IO);
    }
    return OK;
}

static ERR on_begin(void *arg, const char *name, uint64_t size)
{
    struct restore *r = arg;
    struct state_path p;
    (void)size;
    r->skips = r->audit && strncmp(name, "audit/", 6) == 0;
    if (r->skips)
        return OK;
    TRY(folders_of(r, name));
    if (snprintf(p.c, sizeof p.c, "%s/%s", r->beside.c, name) >= (int)sizeof p.c)
        return FAIL(E_IO);
    r->fd = open(p.c, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return r->fd >= 0 ? OK : FAIL(E_IO);
}

static ERR on_data(void *arg, struct slice bytes)
{
    struct restore *r = arg;
    return r->skips ? OK : fd_write_all(r->fd, bytes);
}

static ERR on_end(void *arg)
{
    struct restore *r = arg;
    if (r->skips)
        return OK;
    bool good = fsync(r->fd) == 0;
    good = close(r->fd) == 0 && good;
    r->fd = -1;
    return good ? OK : FAIL(E_IO);
}

/* ---- reading ---- */

static ERR on_look(void *arg, const char *name, uint64_t size)
{
    struct restore *r = arg;
    (void)size;
    for (size_t i = 0; i < BACKUP_STORES_N; i++)
        r->has[i] |= slice_starts(slice_str(name), slice_str(BACKUP_STORES[i])); /* none of them begins as another folder */
    return OK;
}

/* Of a set elsewhere, which is copied and put back at its own servers. */
static void tell_missing(const struct restore *r)
{
    out_put("stores_missing", json_array());
    for (size_t i = 0; i < BACKUP_STORES_N; i++) {
        if (r->has[i])
            continue;
        out_append("stores_missing", json_string(BACKUP_STORES[i]));
        say_warn("%s のデータは入っていません", "there is no data of %s in it", BACKUP_STORES[i]);
        say_hint("別の場所にあるもの(中継)なら、起動する前に、そのサーバーの写しを戻してください(docs/redis.md「Backups」)", "when that is elsewhere (behind a relay), put the copy of its server back there before the start (docs/redis.md, Backups)");
    }
}

static ERR pass(int fd, struct age_who *who, struct archive_in *a, struct progress *bar, uint64_t total)
{
    struct age_in *in;
    struct progress_at at = { .total = total };
    bool over = false;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return FAIL(E_IO);
    TRY(age_in_new(&in, fd, who));
    struct err e = OK;
    while (err_ok(e) && !over) {
        struct slice plain;
        e = age_get(in, &plain, &over);
        if (err_ok(e))
            e = archive_in_feed(a, plain);
        at.done += plain.n;
        at.done = at.done < total ? at.done : total;
        progress_show(bar, &at);
    }
    age_in_free(in);
    if (err_ok(e))
        e = archive_in_end(a);
    at.done = err_ok(e) ? total : at.done;
    if (err_ok(e))
        progress_end(bar, &at);
    else
        progress_break(bar);
    return e;
}

/* write false: only looked at. */
static bool read_archive(struct restore *r, const char *path, enum archive_kind kind, bool write)
{
    const struct archive_sink sink = { on_begin, on_data, on_end, r }, look = { .begin = on_look, .arg = r };
    struct archive_in *a = NULL;
    struct progress bar;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err e = fd >= 0 && fstat(fd, &st) == 0 ? archive_in_new(&a, kind, write ? &sink : &look) : FAIL(E_IO);
    progress_start(&bar, write ? "書き戻し" : "検査", write ? "writing" : "checking", PROGRESS_BYTES, 0);
    if (err_ok(e))
        e = pass(fd, &r->who, a, &bar, (uint64_t)st.st_size);
    if (fd >= 0)
        close(fd);
    if (err_ok(e) && !write) {
        out_append("files", json_pack("{s:s, s:s, s:s, s:I, s:I}", "file", path, "kind", kind == ARCHIVE_KEYS ? "keys" : "data", "made_at", archive_in_made_at(a), "members",
                                      (json_int_t)archive_in_members(a), "bytes", (json_int_t)archive_in_bytes(a)));
        say_ok("%s: %s の %llu ファイル、要約値はすべて合っています", "%s: of %s, %llu files, every sum fits", path, archive_in_made_at(a), (unsigned long long)archive_in_members(a));
    } else if (err_is(e, E_SEAL)) {
        say_error("%s を開けません: この鍵のものでないか、途中で切れたか、変えられています", "%s does not open: it is not for this key, is cut short, or was altered", path);
    } else if (err_is(e, E_PROTOCOL)) {
        say_error("%s は %s のバックアップではありません", "%s is no backup of the kind \"%s\"", path, kind == ARCHIVE_KEYS ? "keys" : "data");
    } else if (!err_ok(e)) {
        say_err("バックアップを読めないか、書けません", "the backup cannot be read, or not written", e);
    }
    archive_in_free(a);
    return err_ok(e);
}

/* ---- the audit log that survived ---- */

static ERR file_copy(const char *from, const char *to)
{
    uint8_t piece[COPY_PIECE];
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct err e = in >= 0 && out >= 0 ? OK : FAIL(E_IO);
    for (ssize_t n = 1; err_ok(e) && n;) {
        n = read(in, piece, sizeof piece);
        e = n < 0 ? FAIL(E_IO) : fd_write_all(out, slice_of(piece, (size_t)n));
    }
    if (err_ok(e) && fsync(out) != 0)
        e = FAIL(E_IO);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return e;
}

static ERR tree_copy(const char *from, const char *to, unsigned depth)
{
    DIR *d = opendir(from);
    struct err e = d && depth < COPY_DEPTH_MAX && (mkdir(to, 0700) == 0 || errno == EEXIST) ? OK : FAIL(E_IO);
    for (struct dirent *x; err_ok(e) && (x = readdir(d));) {
        struct state_path a, b;
        if (x->d_name[0] == '.')
            continue;
        if (snprintf(a.c, sizeof a.c, "%s/%s", from, x->d_name) >= (int)sizeof a.c || snprintf(b.c, sizeof b.c, "%s/%s", to, x->d_name) >= (int)sizeof b.c)
            e = FAIL(E_IO);
        else if (backup_entry(a.c, x) == BACKUP_FOLDER)
            e = tree_copy(a.c, b.c, depth + 1);
        else if (backup_entry(a.c, x) == BACKUP_FILE)
            e = file_copy(a.c, b.c);
    }
    if (d)
        closedir(d);
    return e;
}

/* ---- in its place ---- */

static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    bool empty = d != NULL;
    for (struct dirent *x; d && (x = readdir(d));)
        empty = empty && (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0);
    if (d)
        closedir(d);
    return empty;
}

static bool place_found(struct restore *r)
{
    if (!state_open(&r->s, &r->dirs, true))
        return false;
    if (!is_empty(r->s.dir)) {
        say_error("%s は空ではありません。空のフォルダーにだけ戻せます", "%s is not empty; a backup is only put back into an empty folder", r->s.dir);
        return false;
    }
    if (snprintf(r->beside.c, sizeof r->beside.c, "%s.restoring", r->s.dir) < (int)sizeof r->beside.c && mkdir(r->beside.c, 0700) == 0)
        return true;
    say_error("%s を作れません(前の実行が残したものなら消してください)", "%s cannot be made (remove it when an earlier run left it)", r->beside.c);
    return false;
}

static void say_next(const struct restore *r)
{
    if (!r->keys)
        say_warn("鍵は戻していません。keys/ と certs/*.key を戻すまで何も読めません", "no keys were put back: nothing can be read before keys/ and certs/*.key are there");
    say_command("起動する", "to start", say_form("up --state %s", r->s.dir));
    if (r->audit) {
        say_command("新しい監査記録にあることを反映する", "to replay what the newer audit log knows", say_form("reconcile --all --state %s", r->s.dir));
        return;
    }
    say_warn("監査記録も同じ時点のものです。その後に使われた連携キーは記録にないため、25 時間は医療機関を接続しないでください",
             "the audit log is as old as the stores: link keys that were used since are not in it; let no clinic in for 25 hours");
    say_command("別に保存したチェックポイントと比べる", "to compare with a checkpoint that was kept", say_form("audit verify --since FILE --state %s", r->s.dir));
}

static int restore(struct restore *r, const char *path)
{
    if (!read_archive(r, path, ARCHIVE_DATA, false) || (r->keys && !read_archive(r, r->keys, ARCHIVE_KEYS, false)))
        return r->check ? 1 : 2;
    tell_missing(r);
    if (r->check)
        return 0;
    if (!place_found(r))
        return 2;
    struct state made = r->s;
    snprintf(made.dir, sizeof made.dir, "%s", r->beside.c);
    bool good = read_archive(r, path, ARCHIVE_DATA, true) && (!r->keys || read_archive(r, r->keys, ARCHIVE_KEYS, true)) && state_make_dirs(&made);
    if (good && r->audit && !err_ok(tree_copy(r->audit, state_at(&made, "audit").c, 0))) {
        say_error("監査記録 %s を写せません", "the audit log %s cannot be copied", r->audit);
        good = false;
    }
    if (good && (rmdir(r->s.dir) != 0 || rename(r->beside.c, r->s.dir) != 0)) {
        say_error("%s に置けません(%s)", "it cannot be put at %s (%s)", r->s.dir, strerror(errno));
        good = false;
    }
    if (!good) {
        say_hint(say_form("途中のものが %s にあります。消してからやり直せます", r->beside.c).c, say_form("what was begun is in %s: remove it and try again", r->beside.c).c);
        return 2;
    }
    say_ok("%s に戻しました", "put back into %s", r->s.dir);
    say_next(r);
    return 0;
}

int cmd_restore(int argc, char **argv)
{
    struct restore r = { .fd = -1 };
    struct opt_list words;
    struct stat st;
    enum opts_end end = CLI_PARSE(argc, argv, "restore", &words, { "--key", &r.key }, { "--passphrase-file", &r.passphrase }, { "--keys", &r.keys }, { "--audit", &r.audit },
                                  { "--check", &r.check }, { "--state", &r.dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (r.audit && (stat(r.audit, &st) != 0 || !S_ISDIR(st.st_mode))) {
        say_error("%s は監査記録のフォルダーではありません", "%s is no folder with an audit log", r.audit);
        return 2;
    }
    if (!backup_who(r.key, r.passphrase, true, &r.who))
        return 2;
    int status = restore(&r, words.v[0]);
    age_who_wipe(&r.who);
    return status;
}
