/* pmhgw audit: which subcommand; the list of entries; what they share. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/audit/entry_json.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { LIST_MAX = 10000 };

static const struct { const char *word; int (*run)(int argc, char **argv); } WORDS[] = {
    { "verify", audit_sub_verify }, { "list", audit_sub_list }, { "checkpoint", audit_sub_checkpoint }, { "prove", audit_sub_prove },
    { "check", audit_sub_check }, { "rotate-key", audit_sub_rotate }, { "export", audit_sub_export },
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

static json_t *entry_json(uint64_t seq, const struct audit_rec *rec)
{
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    audit_entry_json(&w, seq, rec, (struct audit_words){ SLICE_NONE, SLICE_NONE });
    audit_entry_json_who(&w, rec);
    jsonw_end_object(&w);
    json_t *v = json_loadb((const char *)b.p, b.n, 0, NULL);
    buf_done(&b);
    return v;
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
    json_t *entries = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct audit_entry *x = &t.e[(t.seen - n + i) % t.cap];
        audit_print(x->seq, &x->rec);
        if (out_collects())
            json_array_append_new(entries, entry_json(x->seq, &x->rec));
    }
    out_put("entries", entries);
    out_put_bool("good", v.good);
    free(t.e);
    if (v.good)
        return 0;
    say_error("監査記録は %llu 番で正しくありません(%s)", "the audit log is not good at entry %llu (%s)", (unsigned long long)v.bad_seq, v.what);
    return 1;
}

int audit_sub_list(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    uint64_t last = 20;
    enum opts_end end = CLI_PARSE(argc, argv, "audit list", &operands, { "--state", &dirs.state }, { "--last", &last });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    return state_open(&s, &dirs, false) ? list_run(&s, last) : 2;
}

/* ---- which ---- */

int cmd_audit(int argc, char **argv)
{
    struct opt_list words;
    for (size_t i = 0; argc > 1 && i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcmp(WORDS[i].word, argv[1]) == 0)
            return WORDS[i].run(argc - 1, argv + 1);
    enum opts_end end = cli_parse(argc < 2 || argv[1][0] == '-' ? argc : 2, argv, "audit", NULL, 0, &words);
    return end == OPTS_HELP ? 0 : 2;
}
