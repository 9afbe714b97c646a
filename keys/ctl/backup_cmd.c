/* pmhgw backup, pmhgw backup-key: a sealed copy of a state while it works (docs/operations.md, docs/decisions/0064-sealed-backups.md). */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/wipe.h"
#include "keys/ctl/backup.h"
#include "keys/ctl/backup_files.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/out.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"

enum { KEY_FILE_MAX = 64 * 1024, CHUNK = 256 * 1024, OUT_MAX = 64 << 20 };

/* ---- who ---- */

bool backup_who(const char *key_path, const char *passphrase_path, bool to_open, struct age_who *ret_w)
{
    struct buf b;
    const char *path = key_path ? key_path : passphrase_path;
    if ((key_path != NULL) == (passphrase_path != NULL)) {
        say_error("%s か --passphrase-file のどちらかを指定してください", "%s or --passphrase-file is needed", to_open ? "--key" : "--to");
        return false;
    }
    buf_init(&b, KEY_FILE_MAX);
    struct err e = file_read(path, &b);
    bool good = err_ok(e) && (passphrase_path ? age_passphrase_read : to_open ? age_identity_read : age_recipient_read)(buf_slice(&b), ret_w);
    buf_done(&b);
    if (!err_ok(e))
        say_error("%s を読めません", "%s cannot be read", path);
    else if (!good && passphrase_path)
        say_error("%s の 1 行目に %d 文字以上のパスフレーズがありません", "the first line of %s is no passphrase of %d characters or more", path, AGE_PASSPHRASE_MIN);
    else if (!good)
        say_error("%s は鍵のファイルではありません(pmhgw backup-key が作ります)", "%s is no file with such a key (pmhgw backup-key makes them)", path);
    return good;
}

/* ---- writing ---- */

struct writer {
    struct age_out *out;
    struct archive_out archive;
    struct buf blocks;
    struct progress bar;
    struct progress_at at;
    uint64_t now_s;
};

static ERR flush(struct writer *w)
{
    TRY(buf_check(&w->blocks));
    TRY(age_put(w->out, buf_slice(&w->blocks)));
    buf_reset(&w->blocks);
    return OK;
}

/* Exactly the length that was noted: what was appended since belongs to the next backup. */
static ERR file_copy(struct writer *w, const struct backup_file *f, struct sha256 *sum)
{
    uint8_t piece[CHUNK];
    for (uint64_t at = 0; at < f->size;) {
        size_t want = f->size - at < CHUNK ? (size_t)(f->size - at) : CHUNK;
        ssize_t n = pread(f->fd, piece, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FAIL(E_IO); /* it became shorter */
        TRY(sha256_put(sum, slice_of(piece, (size_t)n)));
        TRY(age_put(w->out, slice_of(piece, (size_t)n)));
        at += (uint64_t)n;
        w->at.done += (uint64_t)n;
        progress_show(&w->bar, &w->at);
    }
    explicit_bzero(piece, sizeof piece);
    return OK;
}

static ERR file_put(struct writer *w, const struct backup_file *f)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 *sum;
    archive_header(f->name, f->size, f->mtime_s, &w->blocks);
    TRY(flush(w));
    TRY(sha256_new(&sum));
    struct err e = file_copy(w, f, sum);
    if (err_ok(e))
        e = sha256_done(sum, digest);
    sha256_free(sum);
    TRY(e);
    archive_pad(f->size, &w->blocks);
    return archive_sum(&w->archive, f->name, digest);
}

static ERR archive_put(struct writer *w, const struct backup_files *files, enum archive_kind kind)
{
    char made[25] = { 0 };
    clock_format_utc(w->now_s * 1000, made);
    TRY(archive_about(&w->archive, kind, made, &w->blocks));
    for (size_t i = 0; i < files->n; i++)
        TRY(file_put(w, &files->at[i]));
    TRY(archive_end(&w->archive, w->now_s, &w->blocks));
    TRY(flush(w));
    return age_out_end(w->out);
}

static ERR seal_to(int fd, const struct age_who *who, const struct backup_files *files, enum archive_kind kind)
{
    struct clock c = clock_system();
    struct writer w = { .now_s = clock_wall(&c) / 1000, .at.total = files->bytes };
    archive_out_init(&w.archive);
    buf_init(&w.blocks, OUT_MAX);
    progress_start(&w.bar, kind == ARCHIVE_KEYS ? "鍵" : "封かん", kind == ARCHIVE_KEYS ? "keys" : "sealing", PROGRESS_BYTES, 0);
    struct err e = age_out_new(&w.out, fd, who);
    if (err_ok(e))
        e = archive_put(&w, files, kind);
    age_out_free(w.out);
    if (err_ok(e) && fsync(fd) != 0)
        e = FAIL(E_IO);
    if (err_ok(e))
        progress_end(&w.bar, &w.at);
    else
        progress_break(&w.bar);
    buf_done(&w.blocks);
    archive_out_done(&w.archive);
    return e;
}

/* Beside its place first, and a file that is there already stays. */
static bool write_sealed(const char *path, const struct age_who *who, const struct backup_files *files, enum archive_kind kind)
{
    struct state_path part;
    struct stat st;
    if (stat(path, &st) == 0 || snprintf(part.c, sizeof part.c, "%s.part", path) >= (int)sizeof part.c) {
        say_error("%s は既にあります", "%s is there already", path);
        return false;
    }
    int fd = file_new(part.c);
    struct err e = fd >= 0 ? seal_to(fd, who, files, kind) : FAIL(E_IO);
    if (fd >= 0 && fstat(fd, &st) != 0)
        e = FAIL(E_IO);
    if (fd >= 0 && close(fd) != 0)
        e = FAIL(E_IO);
    if (err_ok(e) && rename(part.c, path) != 0)
        e = FAIL(E_IO);
    if (fd >= 0 && !err_ok(e))
        unlink(part.c);
    if (!err_ok(e)) {
        say_err("バックアップを作れません", "the backup cannot be made", e);
        return false;
    }
    char size[16];
    progress_bytes((uint64_t)st.st_size, size);
    out_append("files", json_pack("{s:s, s:s, s:I, s:I}", "file", path, "kind", kind == ARCHIVE_KEYS ? "keys" : "data", "members", (json_int_t)files->n, "bytes", (json_int_t)st.st_size));
    say_ok("%s: %zu ファイル、%s", "%s: %zu files, %s", path, files->n, size);
    return true;
}

static bool backup_kind(const struct state *s, const char *path, const struct age_who *who, enum archive_kind kind)
{
    struct backup_files files;
    struct err e = backup_files_open(&files, s, kind);
    bool good = err_ok(e);
    if (!good)
        say_err("状態のファイルを開けません", "the files of the state cannot be opened", e);
    good = good && write_sealed(path, who, &files, kind);
    if (good && files.left_out)
        say_warn("名前が長すぎるか、英数字と . _ - 以外の文字を含む %zu ファイルは入っていません", "%zu files were left out: their names are too long, or have other characters than A-Z a-z 0-9 . _ -", files.left_out);
    backup_files_done(&files);
    return good;
}

/* A set is copied at its own nodes; what is read here is only what lies here. */
static void tell_elsewhere(const struct state *s)
{
    out_put("stores_elsewhere", json_array());
    for (size_t i = 0; i < BACKUP_STORES_N; i++) {
        const char *store = BACKUP_STORES[i];
        if (!conf_file_relay(s, store))
            continue;
        out_append("stores_elsewhere", json_string(store));
        say_warn("%s は別の場所にあり(中継)、このバックアップに入っていません", "%s is elsewhere (behind a relay) and not in this backup", store);
        say_hint("毎回、pmhgw backup の直前に、そのサーバーの一台の dir を写してください(docs/redis.md「Backups」)", "copy the dir of one of its servers each time, right before pmhgw backup (docs/redis.md, Backups)");
    }
}

int cmd_backup(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    struct state s;
    struct age_who who;
    const char *to = NULL, *passphrase = NULL, *keys = NULL;
    enum opts_end end = CLI_PARSE(argc, argv, "backup", &words, { "--to", &to }, { "--passphrase-file", &passphrase }, { "--with-keys", &keys }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!backup_who(to, passphrase, false, &who) || !state_open(&s, &dirs, false))
        return 2;
    bool good = backup_kind(&s, words.v[0], &who, ARCHIVE_DATA) && (!keys || backup_kind(&s, keys, &who, ARCHIVE_KEYS));
    age_who_wipe(&who);
    if (good)
        tell_elsewhere(&s);
    if (good && keys)
        say_hint("鍵のファイルは、データのファイルとは別の場所に保管してください", "keep the file with the keys elsewhere than that with the data");
    else if (good)
        say_hint("鍵は入っていません(--with-keys)。鍵がなければ、戻しても何も読めません", "the keys are not in it (--with-keys); without them nothing that is put back can be read");
    return good ? 0 : 2;
}

/* ---- keys of a recipient ---- */

static bool new_file(const char *name, const char *end, mode_t mode, const char *text)
{
    struct state_path p;
    if (snprintf(p.c, sizeof p.c, "%s.%s", name, end) >= (int)sizeof p.c)
        return false;
    int fd = open(p.c, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    bool good = fd >= 0 && err_ok(fd_write_all(fd, slice_str(text))) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!good)
        say_error("%s を新しく作れません(%s)", "%s cannot be made as a new file (%s)", p.c, strerror(errno));
    return good;
}

int cmd_backup_key(int argc, char **argv)
{
    struct opt_list words;
    char private[AGE_TEXT_MAX], public[AGE_TEXT_MAX];
    enum opts_end end = cli_parse(argc, argv, "backup-key", NULL, 0, &words);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct err e = age_key_new(private, public);
    if (!err_ok(e)) {
        say_err("鍵を作れません", "the keys cannot be made", e);
        return 2;
    }
    struct say_text file = say_form("# pmhgw backup-key\n# %s\n%s\n", public, private), shared = say_form("%s\n", public);
    bool good = new_file(words.v[0], "key", 0600, file.c) && new_file(words.v[0], "pub", 0644, shared.c);
    explicit_bzero(private, sizeof private);
    explicit_bzero(&file, sizeof file);
    if (!good)
        return 2;
    out_put_text("recipient", public);
    say_ok("%s.key(秘密。ゲートウェイの外に保管)と %s.pub(backup --to に指定)を作りました", "made %s.key (private: keep it away from the gateway) and %s.pub (for backup --to)", words.v[0], words.v[0]);
    return 0;
}
