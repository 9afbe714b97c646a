/* pmhgw why: which rule decided about a request, from the audit log alone, and without anything of a person. */

#include <stdio.h>

#include "gateway/audit/audit_log.h"
#include "gateway/audit/entry_json.h"
#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/explain.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/register.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { FOUND_MAX = 256 /* a day list has two for each key at most, as a rule */ };

struct found {
    struct req_id id;
    struct { uint64_t seq; struct audit_rec rec; } entry[FOUND_MAX];
    size_t n;
    bool more;
};

static bool look(void *arg, const struct audit_entry *e)
{
    struct found *f = arg;
    /* What a daemon does by itself belongs to no request. */
    static const struct req_id NONE;
    if (!slice_eq(ARR(e->rec.request.b), ARR(f->id.b)) || slice_eq(ARR(f->id.b), ARR(NONE.b)))
        return true;
    f->more = f->n == FOUND_MAX;
    if (f->more)
        return false;
    f->entry[f->n].seq = e->seq;
    f->entry[f->n++].rec = e->rec;
    return true;
}

static void print_basis(const struct basis *b, const struct audit_rec *rec)
{
    const struct basis_row *row = basis_row_of(b, rec->basis);
    const struct basis_purpose *p = basis_purpose_of(b, rec->purpose);
    if (!rec->basis)
        return;
    if (row)
        printf("        %s %u: %s%s\n", say_text("根拠", "basis").c, rec->basis, say_text(row->law_ja, row->law_en).c,
               row->cited ? "" : say_text("(仮定)", " (assumed)").c);
    else
        printf("        %s %u: %s\n", say_text("根拠", "basis").c, rec->basis, say_text("この台帳にはありません", "not in this register").c);
    if (p)
        printf("        %s %s: %s\n", say_text("目的", "purpose").c, p->word, say_text(p->ja, p->en).c);
    if (rec->items)
        printf("        %s:", say_text("データの種類", "kinds of data").c);
    for (unsigned i = 0; basis_item_name(i); i++)
        printf("%s%s", rec->items & 1u << i ? " " : "", rec->items & 1u << i ? basis_item_name(i) : "");
    printf("%s", rec->items ? "\n" : "");
    if (rec->behalf == AB_CITIZEN)
        printf("        %s\n", say_text("本人のために", "on behalf of the person").c);
}

static void print_entry(const struct basis *b, uint64_t seq, const struct audit_rec *rec)
{
    static const struct { const char *mark, *ja, *en; } OUTCOMES[] = {
        [EXPLAIN_PASSED] = { "✓", "通った", "passed" },
        [EXPLAIN_DECIDED] = { "✗", "", "" },
        [EXPLAIN_NOT_ASKED] = { "-", "問われていない", "not asked" },
    };
    char when[25] = { 0 };
    struct explain x;
    clock_format_utc(rec->wall_ms, when);
    explain(rec, &x);
    printf("%llu  %s  %s  %s  %s  %s\n", (unsigned long long)seq, when, audit_event_name(rec->event), explain_actor(rec), audit_result_name(rec->result),
           err_slug(rec->reason));
    for (size_t i = 0; i < x.n; i++) {
        enum explain_rule r = x.step[i].rule;
        enum explain_outcome o = x.step[i].outcome;
        bool decided = o == EXPLAIN_DECIDED;
        printf("  %s %-3s %s: %s\n", OUTCOMES[o].mark, explain_rule_id(r), say_text(explain_rule_ja(r), explain_rule_en(r)).c,
               say_text(decided ? x.ja : OUTCOMES[o].ja, decided ? x.en : OUTCOMES[o].en).c);
        if (r == RULE_BASIS && o == EXPLAIN_PASSED)
            print_basis(b, rec);
    }
}

/* The same for programs. */
static json_t *entry_json(uint64_t seq, const struct audit_rec *rec)
{
    static const char *const OUTCOMES[] = { [EXPLAIN_PASSED] = "passed", [EXPLAIN_DECIDED] = "decided", [EXPLAIN_NOT_ASKED] = "not_asked" };
    char when[25] = { 0 };
    struct explain x;
    json_t *rules = json_array();
    clock_format_utc(rec->wall_ms, when);
    explain(rec, &x);
    for (size_t i = 0; i < x.n; i++)
        json_array_append_new(rules, json_pack("{s:s, s:s, s:s, s:s}", "rule", explain_rule_id(x.step[i].rule), "name_ja", explain_rule_ja(x.step[i].rule), "name_en",
                                               explain_rule_en(x.step[i].rule), "outcome", OUTCOMES[x.step[i].outcome]));
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:i, s:o}", "seq", (json_int_t)seq, "at", when, "event", audit_event_name(rec->event), "side", explain_actor(rec), "result",
                     audit_result_name(rec->result), "reason", err_slug(rec->reason), "refused", x.refused, "because_ja", x.ja, "because_en", x.en, "basis", (int)rec->basis, "rules", rules);
}

static int why(const struct state *s, const char *file, struct found *f)
{
    struct basis *b = NULL;
    struct audit_verdict v;
    if (!ctl_register(s, file, &b))
        return 2;
    struct err e = audit_log_verify(state_at(s, "audit").c, look, f, &v);
    if (!err_ok(e)) {
        say_err("監査記録を読めません", "the audit log cannot be read", e);
        basis_free(b);
        return 2;
    }
    json_t *entries = json_array();
    for (size_t i = 0; i < f->n; i++) {
        print_entry(b, f->entry[i].seq, &f->entry[i].rec);
        json_array_append_new(entries, entry_json(f->entry[i].seq, &f->entry[i].rec));
    }
    out_put("entries", entries);
    if (f->more)
        say_warn("記録はさらにあります", "there are more entries");
    else if (!v.good)
        say_warn("監査記録が正しくありません(%s)。pmhgw audit verify を実行してください", "the audit log is not good (%s); run pmhgw audit verify", v.what);
    if (!f->n)
        say_error("その要求番号の記録はありません", "there is no entry of that request");
    basis_free(b);
    return f->n ? 0 : 1;
}

int cmd_why(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct found f = { 0 };
    struct state s;
    const char *file = NULL;
    enum opts_end end = CLI_PARSE(argc, argv, "why", &operands, { "--state", &dirs.state }, { "--register", &file });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!hex_decode(slice_str(operands.v[0]), f.id.b, sizeof f.id.b)) {
        say_error("要求番号は 16 桁の 16 進数です(request_id、X-Request-Id)", "a request id has 16 hex digits (request_id, X-Request-Id)");
        return 2;
    }
    if (!state_open(&s, &dirs, false))
        return 2;
    return why(&s, file, &f);
}
