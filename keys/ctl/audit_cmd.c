/* pmhgw audit: which subcommand; the list of entries; what they share. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/audit/entry_json.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/say.h"

enum { LIST_MAX = 10000 };

static const struct sub {
    const char *word, *operands, *ja, *en;
    int (*run)(int argc, char **argv);
} SUBS[] = {
    { "verify", "", "記録のすべてを確かめる(連鎖、木、署名)", "check all of the log: chain, tree, tiles, signature", audit_sub_verify },
    { "list", "", "新しい記録を見る", "the newest entries", audit_sub_list },
    { "checkpoint", "", "最新の署名付きチェックポイント", "the newest signed checkpoint", audit_sub_checkpoint },
    { "prove", "SEQ", "一件の記録とその証明(JSON)", "one entry and its proof, as JSON", audit_sub_prove },
    { "check", "FILE", "証明・出力を公開鍵だけで確かめる", "check a proof or an export with the public key alone", audit_sub_check },
    { "rotate-key", "", "チェックポイントの署名鍵を替える(pmhgw-audit を止めて)", "a new key for checkpoints; pmhgw-audit must be stopped", audit_sub_rotate },
    { "export", "", "一つの自治体の操作記録を証明付きで書き出す", "the operation log of one municipality with proofs", audit_sub_export },
};

/* ---- shared ---- */

void audit_print(uint64_t seq, const struct audit_rec *rec)
{
    char when[25] = { 0 }, actor[AUDIT_ACTOR_MAX + 1] = { 0 };
    clock_format_utc(rec->wall_ms, when);
    memcpy(actor, rec->actor, AUDIT_ACTOR_MAX);
    printf("%8llu  %s  %-22s %-8s %-22s %.6s %5u  %s\n", (unsigned long long)seq, when, audit_event_name(rec->event), audit_result_name(rec->result), actor,
           rec->muni, rec->count, err_slug(rec->reason));
}

bool audit_keys_read(const struct state *s, const char *path, struct note_keys *ret_k)
{
    struct state_path own;
    struct buf b;
    if (!path) {
        own = state_at(s, "keys/audit.pub");
        path = own.c;
    }
    buf_init(&b, NOTE_KEYS_TEXT_MAX);
    struct err e = file_read(path, &b);
    bool good = err_ok(e) && note_keys_read(buf_slice(&b), ret_k);
    buf_done(&b);
    if (good)
        return true;
    say_error("公開鍵を読めません: %s", "the public key cannot be read: %s", path);
    if (!err_ok(e))
        say_hint("pmhgw up が keys/audit.pub を作ります。別の鍵は --key で指定します", "pmhgw up makes keys/audit.pub; name another key with --key");
    return false;
}

bool audit_checkpoint_read(const char *path, const struct note_key *k, struct tree_head *ret_h, struct buf *note)
{
    struct buf b;
    buf_init(&b, NOTE_MAX);
    struct err e = file_read(path, &b);
    enum note_verdict v = err_ok(e) ? checkpoint_open(buf_slice(&b), k, ret_h) : NOTE_SHAPE;
    if (v == NOTE_GOOD && note)
        buf_put(note, buf_slice(&b));
    buf_done(&b);
    if (v == NOTE_GOOD)
        return true;
    if (!err_ok(e))
        say_error("チェックポイントを読めません: %s", "the checkpoint cannot be read: %s", path);
    else
        say_error("このログの鍵で署名されたチェックポイントではありません: %s", "this is no checkpoint signed with the key of this log: %s", path);
    return false;
}

/* ---- list ---- */

/* The last entries, in a ring. */
struct tail { struct audit_entry *e; size_t cap, seen; };

static bool tail_add(void *arg, const struct audit_entry *e)
{
    struct tail *t = arg;
    t->e[t->seen++ % t->cap] = *e;
    return true;
}

static int list_run(const struct state *s, uint64_t last)
{
    struct audit_verdict v;
    struct tail t = { .cap = (size_t)last };
    t.e = calloc(t.cap, sizeof *t.e);
    struct err e = t.e ? audit_log_verify(state_at(s, "audit").c, tail_add, &t, &v) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        say_err("監査記録を読めません", "the audit log cannot be read", e);
        free(t.e);
        return 2;
    }
    size_t n = t.seen < t.cap ? t.seen : t.cap;
    for (size_t i = 0; i < n; i++) {
        const struct audit_entry *x = &t.e[(t.seen - n + i) % t.cap];
        audit_print(x->seq, &x->rec);
    }
    free(t.e);
    if (v.good)
        return 0;
    say_error("監査記録は %llu 番で正しくありません(%s)", "the audit log is not good at entry %llu (%s)", (unsigned long long)v.bad_seq, v.what);
    return 1;
}

int audit_sub_list(int argc, char **argv)
{
    static const struct usage USAGE = { "audit list", "", "The newest entries.", 0, 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    uint64_t last = 20;
    const struct opt table[] = {
        { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 },
        { "--last", OPT_NUM, &last, "N", "entries that are listed (20)", 1, LIST_MAX },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &operands);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    return state_open(&s, &dirs, false) ? list_run(&s, last) : 2;
}

/* ---- which ---- */

static void help(void)
{
    printf("usage: pmhgw audit COMMAND [options]      (pmhgw audit COMMAND --help)\n\n");
    for (size_t i = 0; i < sizeof SUBS / sizeof *SUBS; i++)
        printf("  %-10s %-5s %s / %s\n", SUBS[i].word, SUBS[i].operands, SUBS[i].en, SUBS[i].ja);
}

int cmd_audit(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help();
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof SUBS / sizeof *SUBS; i++)
        if (strcmp(SUBS[i].word, argv[1]) == 0)
            return SUBS[i].run(argc - 1, argv + 1);
    say_error("その命令はありません。pmhgw audit --help を見てください", "no such command; see pmhgw audit --help");
    return 2;
}
