/* pmhgw audit: the log as a reader sees it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/audit/audit_log.h"
#include "gateway/base/json_write.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/opts.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

enum { LIST_MAX = 10000 };

static const char *event_name(enum audit_event e)
{
    switch (e) {
#define X(sym, number, name) case AU_##sym: return name;
#include "gateway/audit/events.def"
#undef X
    }
    return "?";
}

static const char *result_name(enum audit_result r)
{
    static const char *const NAMES[AR__MAX] = { "ok", "nothing", "used", "refused", "failed" };
    return r < AR__MAX ? NAMES[r] : "?";
}

/* The last entries, in a ring. */
struct tail { struct audit_entry *e; size_t cap, seen; };

static bool tail_add(void *arg, const struct audit_entry *e)
{
    struct tail *t = arg;
    if (t->cap)
        t->e[t->seen++ % t->cap] = *e;
    return true;
}

static void print_entry(const struct audit_entry *e)
{
    char when[25] = { 0 }, actor[AUDIT_ACTOR_MAX + 1] = { 0 };
    clock_format_utc(e->rec.wall_ms, when);
    memcpy(actor, e->rec.actor, AUDIT_ACTOR_MAX);
    printf("%8llu  %s  %-22s %-8s %-22s %.6s %5u  %s\n", (unsigned long long)e->seq, when, event_name(e->rec.event), result_name(e->rec.result),
           actor, e->rec.muni, e->rec.count, err_slug(e->rec.reason));
}

static int print_verdict(const struct audit_verdict *v, bool json)
{
    if (json) {
        printf("{\"good\":%s,\"entries\":%llu,\"bad_seq\":%llu,\"what\":\"%s\"}\n", v->good ? "true" : "false", (unsigned long long)v->entries,
               (unsigned long long)v->bad_seq, v->good ? "" : v->what);
        return v->good ? 0 : 1;
    }
    if (v->good)
        say_ok("監査記録 %llu 件、連鎖は正しい", "audit log: %llu entries, the chain holds", (unsigned long long)v->entries);
    else
        say_error("監査記録は %llu 番で正しくありません(%s)", "the audit log is not good at entry %llu (%s)", (unsigned long long)v->bad_seq,
                  v->what);
    return v->good ? 0 : 1;
}

static int audit_run(const struct state *s, bool list, bool json, uint64_t last)
{
    struct audit_verdict v;
    struct tail t = { .cap = list ? (size_t)last : 0 };
    t.e = calloc(t.cap + 1, sizeof *t.e);
    struct err e = t.e ? audit_log_verify(state_at(s, "audit").c, tail_add, &t, &v) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        say_err("監査記録を読めません", "the audit log cannot be read", e);
        free(t.e);
        return 2;
    }
    size_t n = t.seen < t.cap ? t.seen : t.cap;
    for (size_t i = 0; i < n; i++)
        print_entry(&t.e[(t.seen - n + i) % t.cap]);
    free(t.e);
    if (list && v.good)
        return 0;
    return print_verdict(&v, json);
}

int cmd_audit(int argc, char **argv)
{
    static const struct usage USAGE = { "audit", "verify|list",
        "verify: reads the whole log and checks the chain; names the first entry that does not fit.\nlist: the newest entries.", 1, 1 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    bool json = false;
    uint64_t last = 20;
    const struct opt table[] = {
        { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 },
        { "--json", OPT_FLAG, &json, NULL, "verdict for programs (verify)", 0, 0 },
        { "--last", OPT_NUM, &last, "N", "entries that are listed (20)", 1, LIST_MAX },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &operands);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    bool list = strcmp(operands.v[0], "list") == 0;
    if (!list && strcmp(operands.v[0], "verify") != 0) {
        say_error("使い方: pmhgw audit verify|list", "usage: pmhgw audit verify|list");
        return 2;
    }
    if (!state_open(&s, &dirs, false))
        return 2;
    return audit_run(&s, list, json, last);
}
