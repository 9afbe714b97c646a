/* pmhgw audit export: the operation log of a municipality out of the folder, as its door gives it out. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/audit_log.h"
#include "gateway/base/text.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/register.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/oplog/ask.h"
#include "keys/oplog/line.h"

enum { EXPORT_LINE_MAX = 64 * 1024, QUERY_MAX = 64 };

struct found {
    struct audit_key key;
    struct nz_oplog_range range;
    uint64_t size;      /* signed entries */
    uint64_t *seq;
    size_t n, cap;
    bool failed;
};

static bool collect(void *arg, const struct audit_entry *e)
{
    struct found *f = arg;
    if (e->seq > f->size || e->rec.wall_ms < f->range.from_ms || e->rec.wall_ms > f->range.to_ms || !audit_is_about(&e->rec, &f->key))
        return true;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 1024;
        uint64_t *more = realloc(f->seq, cap * sizeof *more);
        if (!more) {
            f->failed = true;
            return false;
        }
        f->seq = more;
        f->cap = cap;
    }
    f->seq[f->n++] = e->seq;
    return true;
}

struct export {
    struct state s;
    struct note_keys keys;
    struct tree_head head;
    struct buf note, line;
    struct basis *basis;
    struct keyring *ring;
    struct store *store;
    FILE *out;
    uint64_t written;
};

static ERR put_line(struct export *x)
{
    buf_putc(&x->line, '\n');
    TRY(buf_check(&x->line));
    return fwrite(x->line.p, 1, x->line.n, x->out) == x->line.n ? OK : FAIL(E_IO);
}

/* Newest first, as at the door. */
static ERR write_all(struct export *x, const struct found *f)
{
    const struct nz_oplog_reader who = { x->store, x->basis, (const char *)f->key.b };
    struct state_path dir = state_at(&x->s, "audit");
    struct jsonw w;
    for (size_t i = f->n; i > 0; i--) {
        struct audit_proof p;
        struct err e = audit_proof_of(dir.c, f->seq[i - 1], &x->head, &p);
        if (err_is(e, E_NOTHING))
            continue; /* removed meanwhile */
        TRY(e);
        buf_reset(&x->line);
        jsonw_init(&w, &x->line);
        TRY(nz_oplog_entry_write(&who, &p, &w));
        TRY(put_line(x));
        x->written++;
    }
    buf_reset(&x->line);
    jsonw_init(&w, &x->line);
    nz_oplog_last_write(buf_slice(&x->note), x->written, &w);
    TRY(put_line(x));
    return fflush(x->out) == 0 && (x->out == stdout || fsync(fileno(x->out)) == 0) ? OK : FAIL(E_IO);
}

static int scan_and_write(struct export *x, struct found *f)
{
    struct audit_verdict v;
    struct err e = audit_log_verify(state_at(&x->s, "audit").c, collect, f, &v);
    if (err_ok(e) && f->failed)
        e = FAIL(E_NOMEM);
    if (err_ok(e) && !v.good) {
        say_error("監査記録は %llu 番で正しくありません。pmhgw audit verify を実行してください", "the audit log is not good at entry %llu; run pmhgw audit verify", (unsigned long long)v.bad_seq);
        return 1;
    }
    if (err_ok(e))
        e = write_all(x, f);
    if (err_ok(e))
        return 0;
    say_err("書き出せません", "the export cannot be written", e);
    return 2;
}

static bool open_parts(struct export *x)
{
    if (!audit_checkpoint_read(state_at(&x->s, "audit/checkpoint").c, &x->keys.key[0], &x->head, &x->note) || !ctl_register(&x->s, NULL, &x->basis))
        return false;
    struct err e = keyring_load(&x->ring, RING_LINK, state_at(&x->s, "keys/link.ring").c, state_at(&x->s, "keys/link.master").c);
    if (err_ok(e))
        e = store_new(&x->store, x->ring);
    if (!err_ok(e))
        say_err("鍵を読めません", "the keys cannot be read", e);
    return err_ok(e);
}

static int export_to(struct export *x, struct found *f, const char *path)
{
    out_written();
    struct state_path tmp = { "" };
    if (path && snprintf(tmp.c, sizeof tmp.c, "%s.part", path) >= (int)sizeof tmp.c)
        return 2;
    umask(077);
    const int fd = path ? file_new(tmp.c) : -1;
    x->out = !path ? stdout : fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!x->out) {
        say_error("書き出せません: %s", "cannot be written: %s", tmp.c);
        return 2;
    }
    f->size = x->head.size;
    int status = scan_and_write(x, f);
    if (path && (fclose(x->out) != 0 || (status == 0 && rename(tmp.c, path) != 0)))
        status = 2;
    if (path && status != 0)
        unlink(tmp.c);
    if (path && status == 0)
        say_ok("%llu 件の記録: %s", "%llu entries: %s", (unsigned long long)x->written, path);
    return status;
}

/* The same days as at the door, in the same form. */
static bool range_read(const char *from, const char *to, struct nz_oplog_range *ret_r)
{
    struct buf q;
    buf_init(&q, QUERY_MAX);
    if (from) {
        buf_puts(&q, "from=");
        buf_puts(&q, from);
    }
    if (to) {
        buf_puts(&q, from ? "&to=" : "to=");
        buf_puts(&q, to);
    }
    bool good = err_ok(buf_check(&q)) && err_ok(nz_oplog_range_read(buf_slice(&q), ret_r));
    buf_done(&q);
    if (!good)
        say_error("--from と --to は YYYY-MM-DD(日本の日付)です", "--from and --to are YYYY-MM-DD, days in Japan");
    return good;
}

static int export_muni(struct export *x, const char *muni, const struct nz_oplog_range *range, const char *path)
{
    struct found f = { .key = audit_key_muni(muni), .range = *range };
    buf_init(&x->note, NOTE_MAX);
    buf_init(&x->line, EXPORT_LINE_MAX);
    int status = open_parts(x) ? export_to(x, &f, path) : 2;
    free(f.seq);
    buf_done(&x->note);
    buf_done(&x->line);
    store_free(x->store);
    keyring_free(x->ring);
    basis_free(x->basis);
    return status;
}

int audit_sub_export(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct export x = { 0 };
    struct nz_oplog_range range;
    const char *muni = NULL, *from = NULL, *to = NULL, *path = NULL, *key_path = NULL;
    enum opts_end end = CLI_PARSE(argc, argv, "audit export", &operands, { "--json", &(bool){ false } }, { "--muni", &muni }, { "--from", &from }, { "--to", &to }, { "--out", &path }, { "--key", &key_path }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!muni || strlen(muni) != 6 || !all_digits(slice_str(muni))) {
        say_error("--muni に自治体コード(6 桁)を指定してください", "--muni needs the code of a municipality, 6 digits");
        return 2;
    }
    if (!range_read(from, to, &range) || !state_open(&x.s, &dirs, false) || !audit_keys_read(&x.s, key_path, &x.keys))
        return 2;
    return export_muni(&x, muni, &range, path);
}
