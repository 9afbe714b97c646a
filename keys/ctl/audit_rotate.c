/* pmhgw audit rotate-key: another signing key for the checkpoints of the log, while its daemon is stopped (decision 37).
 *
 * The newest checkpoint is signed with the new key too, and a line of the history with it, so that the daemon begins with what its own key has signed. keys/audit.pub
 * then begins with the new key; the old one stays behind it with the range of what it may have signed. The private key is exchanged last: a run that was
 * broken off is repeated, and goes on with the key that it had made. */

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/keys_file.h"
#include "keys/ctl/say.h"

enum { HISTORY_MAX = 64 << 20, HISTORY_LINE_MAX = 512 };

struct rotation {
    const struct state *s;
    struct note_keys known;     /* keys/audit.pub as it is */
    const struct note_key *old; /* of those, the one that is replaced */
    struct note_signer *signer; /* with the new key */
    bool signed_before;         /* there is a checkpoint */
    struct tree_head head;
    struct buf note;
};

/* Written whole by its new name, for those who could read the old one. */
static ERR replace(const char *path, const char *like, struct slice content)
{
    struct stat st;
    bool there = stat(like, &st) == 0;
    TRY(file_write(path, content));
    if (!there)
        return OK;
    return chown(path, st.st_uid, st.st_gid) == 0 && chmod(path, st.st_mode & 07777) == 0 ? OK : FAIL(E_IO);
}

/* ---- before ---- */

static bool daemon_runs(const struct state *s)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct state_path path = state_at(s, "run/audit.sock");
    size_t n = strlen(path.c);
    if (n >= sizeof un.sun_path)
        return true; /* state_open() does not let it come to this */
    memcpy(un.sun_path, path.c, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool runs = fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) == 0;
    if (fd >= 0)
        close(fd);
    return runs;
}

static bool alone(const struct state *s)
{
    int fd = open(state_at(s, "keys/audit-sign.lock").c, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true; /* given back when the command ends */
    say_error("別の pmhgw audit rotate-key が実行中か、keys に書けません", "another pmhgw audit rotate-key is running, or the folder keys cannot be written");
    return false;
}

static struct state_path next_path(const struct state *s) { return state_at(s, "keys/audit-sign.key.next"); }

static ERR open_signer(struct rotation *r)
{
    struct state_path next = next_path(r->s);
    struct secret *seed;
    if (!file_exists(next.c))
        TRY(keys_file_random(next.c));
    TRY(secret_read_file(&seed, next.c, NOTE_KEY));
    struct err e = note_signer_new(&r->signer, r->known.key[0].name, seed);
    secret_free(seed);
    TRY(e);
    bool listed = slice_eq(ARR(note_signer_key(r->signer)->pub), ARR(r->known.key[0].pub)); /* by a run that was broken off */
    size_t old = listed ? 1 : 0;
    if (old == r->known.n)
        return OK;
    r->known.key[old].until = 0; /* it is in use still, and may have signed more since */
    r->old = &r->known.key[old];
    return OK;
}

/* ---- the steps ---- */

static ERR write_keys(struct rotation *r)
{
    struct state_path pub = state_at(r->s, "keys/audit.pub");
    struct note_key old = { .name = "" }, fresh = *note_signer_key(r->signer);
    struct buf text;
    buf_init(&text, NOTE_KEYS_TEXT_MAX);
    if (r->old && r->signed_before && r->head.size) { /* else it has signed nothing that anybody could have */
        old = *r->old;
        old.until = r->head.size;
        fresh.older = &old;
    } else if (r->old) {
        fresh.older = r->old->older;
    }
    note_keys_write(&fresh, &text);
    struct note_keys check;
    struct err e = buf_check(&text);
    if (err_ok(e) && !note_keys_read(buf_slice(&text), &check))
        e = FAIL(E_FULL);
    if (err_ok(e))
        e = replace(pub.c, pub.c, buf_slice(&text));
    buf_done(&text);
    return e;
}

static ERR sign_checkpoint(struct rotation *r)
{
    struct state_path path = state_at(r->s, "audit/checkpoint");
    struct slice text;
    struct buf both;
    if (note_open(buf_slice(&r->note), note_signer_key(r->signer), &text) == NOTE_GOOD)
        return OK;
    buf_init(&both, NOTE_MAX);
    struct err e = note_sign_too(r->signer, buf_slice(&r->note), &both);
    if (err_ok(e))
        e = replace(path.c, state_at(r->s, "audit").c, buf_slice(&both));
    if (err_ok(e) && chmod(path.c, 0600) != 0)
        e = FAIL(E_IO);
    if (err_ok(e)) {
        buf_reset(&r->note);
        buf_put(&r->note, buf_slice(&both));
        e = buf_check(&r->note);
    }
    buf_done(&both);
    return e;
}

/* Half a line at the end is nothing: the daemon cuts it off, too. */
static ERR put_line(int fd, struct rotation *r)
{
    struct buf history, line;
    struct clock c = clock_system();
    buf_init(&history, HISTORY_MAX);
    buf_init(&line, HISTORY_LINE_MAX);
    struct err e = fd_read_all(fd, &history);
    size_t whole = history.n;
    while (whole > 0 && history.p[whole - 1] != '\n')
        whole--;
    history_line_write(&r->head, buf_slice(&r->note), clock_wall(&c), &line);
    if (err_ok(e))
        e = buf_check(&line);
    if (err_ok(e) && (ftruncate(fd, (off_t)whole) != 0 || lseek(fd, (off_t)whole, SEEK_SET) < 0))
        e = FAIL(E_IO);
    if (err_ok(e))
        e = fd_write_all(fd, buf_slice(&line));
    if (err_ok(e) && fsync(fd) != 0)
        e = FAIL(E_IO);
    buf_done(&history);
    buf_done(&line);
    return e;
}

/* Twice is no harm: lines of one size say the same. */
static ERR sign_history(struct rotation *r)
{
    int fd = open(state_at(r->s, "audit/checkpoints").c, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = put_line(fd, r);
    close(fd);
    return e;
}

static ERR exchange(struct rotation *r)
{
    struct state_path key = state_at(r->s, "keys/audit-sign.key"), next = next_path(r->s);
    struct stat st;
    if (stat(key.c, &st) == 0 && chown(next.c, st.st_uid, st.st_gid) != 0)
        return FAIL(E_IO);
    if (rename(next.c, key.c) != 0)
        return FAIL(E_IO);
    int dir = open(state_at(r->s, "keys").c, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = dir >= 0 && fsync(dir) == 0;
    if (dir >= 0)
        close(dir);
    return synced ? OK : FAIL(E_IO);
}

static ERR rotate(struct rotation *r)
{
    TRY(write_keys(r));
    if (r->signed_before) {
        TRY(sign_checkpoint(r));
        TRY(sign_history(r));
    }
    return exchange(r);
}

/* ---- the command ---- */

static int run(struct rotation *r)
{
    struct state_path checkpoint = state_at(r->s, "audit/checkpoint");
    if (!audit_keys_read(r->s, NULL, &r->known))
        return 2;
    struct err e = open_signer(r);
    r->signed_before = file_exists(checkpoint.c);
    if (err_ok(e) && r->signed_before && !audit_checkpoint_read(checkpoint.c, &r->known.key[0], &r->head, &r->note))
        return 2;
    if (err_ok(e))
        e = rotate(r);
    if (!err_ok(e)) {
        say_err("署名鍵を替えられません。もう一度実行してください", "the signing key could not be replaced; run it again", e);
        return 2;
    }
    say_ok("チェックポイントの署名鍵を替えました(%llu 件までは以前の鍵)", "checkpoints are signed with a new key (up to %llu entries with the one before)",
           (unsigned long long)r->head.size);
    say_hint("pmhgw-audit を起動し、keys/audit.pub を検証する人に配り直してください", "start pmhgw-audit, and hand keys/audit.pub out again to those who verify");
    return 0;
}

int audit_sub_rotate(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    struct rotation r = { .s = &s };
    enum opts_end end = CLI_PARSE(argc, argv, "audit rotate-key", &operands, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false) || !alone(&s))
        return 2;
    if (daemon_runs(&s)) {
        say_error("pmhgw-audit が動いています。止めてから実行してください", "pmhgw-audit is running; stop it first");
        return 2;
    }
    buf_init(&r.note, NOTE_MAX);
    int status = run(&r);
    buf_done(&r.note);
    note_signer_free(r.signer);
    return status;
}
