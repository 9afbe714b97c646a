/* pmhgw audit verify: everything that the folder can be asked, and whether a checkpoint that was kept elsewhere is still in it. */

#include <stdio.h>
#include <string.h>

#include "gateway/audit/verify.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/say.h"

static const struct { const char *what, *ja, *en; } WORDS[] = {
    { "chain", "記録が書き換えられています", "an entry was altered" },
    { "sequence", "記録の順序が正しくありません", "entries are missing or out of order" },
    { "record", "記録の形が正しくありません", "an entry does not have its form" },
    { "truncated", "記録の終わりが切り取られています", "the end of the log was cut off" },
    { "head", "最後の記録の控え(head)と合いません", "the log does not fit its head file" },
    { "segment", "記録のファイルが足りない、または入れ替わっています", "a file of the log is missing or in the wrong place" },
    { "pruned", "記録のない期間について、消去の記録がありません", "entries are gone without an entry that says so" },
    { "tiles", "木のタイルが記録と合わない、またはありません", "a tile of the tree is missing or not what the entries make" },
    { "signature", "チェックポイントがこのログの鍵で署名されていません", "the checkpoint is not signed with the key of this log" },
    { "checkpoint", "署名されたチェックポイントと記録が合いません", "the entries are not those that were signed" },
    { "history", "過去のチェックポイント(checkpoints)と記録が合いません", "the entries are not those that were signed earlier (checkpoints)" },
    { "since", "手元に保存されたチェックポイントを、このログは含んでいません", "this log does not contain the checkpoint that was kept" },
};

static size_t word_of(const char *what)
{
    size_t i = 0;
    while (i + 1 < sizeof WORDS / sizeof *WORDS && strcmp(WORDS[i].what, what) != 0)
        i++;
    return i;
}

static int print_json(const struct audit_verdict *v)
{
    printf("{\"good\":%s,\"entries\":%llu,\"signed\":%llu,\"pruned\":%llu,\"bad_seq\":%llu,\"what\":\"%s\"}\n", v->good ? "true" : "false",
           (unsigned long long)v->entries, (unsigned long long)v->covered, (unsigned long long)v->pruned, (unsigned long long)v->bad_seq, v->good ? "" : v->what);
    return v->good ? 0 : 1;
}

static int print_verdict(const struct audit_verdict *v, const struct tree_head *since)
{
    if (!v->good) {
        size_t w = word_of(v->what);
        say_error("監査記録は %llu 番で正しくありません(%s)", "the audit log is not good at entry %llu (%s)", (unsigned long long)v->bad_seq, v->what);
        say_hint(WORDS[w].ja, WORDS[w].en);
        return 1;
    }
    say_ok("監査記録 %llu 件、連鎖・木・署名は正しい(署名済み %llu 件)", "audit log: %llu entries, chain, tree and signature hold (%llu signed)",
           (unsigned long long)v->entries, (unsigned long long)v->covered);
    if (v->pruned)
        say_ok("保存期間を過ぎて消去された %llu 件も、木の中に残っています", "%llu entries were removed after their time; their places in the tree are kept",
               (unsigned long long)v->pruned);
    if (since)
        say_ok("保存されたチェックポイント(%llu 件)を含んでいます", "the checkpoint that was kept (%llu entries) is contained", (unsigned long long)since->size);
    return 0;
}

int audit_sub_verify(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    const char *since_path = NULL, *key_path = NULL;
    struct note_keys keys;
    struct tree_head since;
    struct audit_verdict v;
    bool json = false;
    enum opts_end end = CLI_PARSE(argc, argv, "audit verify", &operands, { "--since", &since_path }, { "--key", &key_path }, { "--json", &json }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false) || !audit_keys_read(&s, key_path, &keys) || (since_path && !audit_checkpoint_read(since_path, &keys.key[0], &since, NULL)))
        return 2;
    struct state_path dir = state_at(&s, "audit");
    const struct audit_verify_ask ask = { .dir = dir.c, .key = &keys.key[0], .since = since_path ? &since : NULL };
    struct err e = audit_verify(&ask, &v);
    if (!err_ok(e)) {
        say_err("監査記録を読めません", "the audit log cannot be read", e);
        return 2;
    }
    return json ? print_json(&v) : print_verdict(&v, ask.since);
}
