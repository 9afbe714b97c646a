/* pmhgw audit check: for whoever has the public key and a file, and nothing else. */

#include <stdio.h>

#include "gateway/check/json_in.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/proof_doc.h"
#include "keys/ctl/say.h"

static void print_each(void *arg, const struct proof_entry *e)
{
    (void)arg;
    audit_print(e->seq, &e->rec);
}

static int print_result(const struct proof_result *r, bool json)
{
    if (json) {
        printf("{\"good\":%s,\"entries\":%llu,\"signed\":%llu,\"line\":%llu,\"what\":\"%s\"}\n", r->fault == PROOF_OK ? "true" : "false",
               (unsigned long long)r->entries, (unsigned long long)r->head.size, (unsigned long long)r->line, proof_fault_name(r->fault));
    } else if (r->fault == PROOF_OK) {
        say_ok("%llu 件の記録は、署名された監査記録(%llu 件)の中にあります", "%llu entries stand in the signed audit log (%llu entries)",
               (unsigned long long)r->entries, (unsigned long long)r->head.size);
    } else {
        say_wrong(proof_fault_ja(r->fault), proof_fault_en(r->fault));
        if (r->line)
            say_error("%llu 行目(それまでの %llu 件は正しい)", "line %llu (%llu entries before it are good)", (unsigned long long)r->line, (unsigned long long)r->entries);
    }
    return r->fault == PROOF_OK ? 0 : 1;
}

int audit_sub_check(int argc, char **argv)
{
    struct opt_list operands;
    const char *key_path = NULL, *state = NULL;
    struct note_keys keys;
    bool json = false, list = false;
    enum opts_end end = CLI_PARSE(argc, argv, "audit check", &operands, { "--key", &key_path }, { "--list", &list }, { "--json", &json }, { "--state", &state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct state s;
    const struct state_dirs dirs = { .state = state };
    if (!key_path && !state_open(&s, &dirs, false))
        return 2;
    if (!audit_keys_read(&s, key_path, &keys))
        return 2;
    struct buf text;
    buf_init(&text, PROOF_DOC_MAX);
    struct err e = file_read(operands.v[0], &text);
    if (!err_ok(e)) {
        buf_done(&text);
        say_err("ファイルを読めません", "the file cannot be read", e);
        return 2;
    }
    json_in_setup();
    struct proof_result r = proof_doc_check(buf_slice(&text), &keys.key[0], list && !json ? print_each : NULL, NULL);
    buf_done(&text);
    return print_result(&r, json);
}
