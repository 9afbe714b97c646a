/* pmhgw lookup: what a clinic or a citizen sees, with the mock nation as the card reader and the portal. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/json_write.h"
#include "keys/ctl/answer.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/say.h"

#define CLINIC_DEFAULT "3319900019"

struct lookup {
    struct state_dirs dirs;
    const char *card, *institution, *shown_by;
    bool reuse, json;
    struct state s;
};

/* What is shown of a certificate, in this order. */
static const struct { const char *member, *ja, *en; } SHOWN[] = {
    { "certificationName", "受給者証", "certificate" },
    { "municipalityCode", "自治体コード", "municipality" },
    { "medicalSubsidyInsurerNumber", "公費負担者番号", "payer number" },
    { "medicalSubsidyRecipientNumber", "受給者番号", "recipient number" },
    { "segment", "区分", "segment" },
    { "incomeSegment", "所得区分", "income segment" },
    { "maxCopaymentAmount", "自己負担上限", "co-payment limit" },
    { "isAlwaysReimbursement", "償還払い", "reimbursement only" },
    { "validFrom", "有効期間(開始)", "valid from" },
    { "validTo", "有効期間(終了)", "valid to" },
};

static void print_line(const char *label, const char *text)
{
    enum { LABEL_COLUMNS = 26 };
    fputs("    │ ", stdout);
    say_cell(label, LABEL_COLUMNS);
    printf(" %s\n", text);
}

/* An object, whose inner names are the sender's, becomes a line a member. */
static void print_member(const char *label, json_t *v)
{
    const char *name;
    json_t *inner;
    char indented[64];
    char *text = json_is_string(v) || json_is_object(v) ? NULL : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    print_line(label, json_is_string(v) ? json_string_value(v) : text ? text : "");
    free(text);
    if (!json_is_object(v))
        return;
    json_object_foreach(v, name, inner) {
        snprintf(indented, sizeof indented, "  %s", name);
        if (!json_is_object(inner))
            print_member(indented, inner);
    }
}

static void print_certificates(const void *arg, json_t *answer)
{
    (void)arg;
    json_t *list = json_object_get(answer, "eligibility");
    for (size_t i = 0; i < json_array_size(list); i++) {
        printf("    ┌─────────────────────────────────────────────\n");
        for (size_t k = 0; k < sizeof SHOWN / sizeof *SHOWN; k++) {
            json_t *v = json_object_get(json_array_get(list, i), SHOWN[k].member);
            if (v)
                print_member(say_pick(SHOWN[k].ja, SHOWN[k].en), v);
        }
        printf("    └─────────────────────────────────────────────\n");
    }
    const char *until = json_string_value(json_object_get(answer, "session_expires_at"));
    if (until)
        say("    セッション %s まで", "    session until %s", until);
}

static bool card_body(struct buf *b, const char *card, bool items)
{
    struct jsonw w;
    jsonw_init(&w, b);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "card_serial", card);
    if (items) {
        jsonw_array(&w, "items");
        jsonw_cstr(&w, NULL, "eligibility");
        jsonw_end_array(&w);
    }
    jsonw_end_object(&w);
    return !b->failed;
}

/* Card authentication and consent at the mock online qualification; the body for the clinic door comes out. */
static bool consent(struct lookup *k, struct web *web, struct buf *out)
{
    struct web_answer a;
    struct buf body;
    buf_init(&body, 1024);
    bool good = card_body(&body, k->card, true) && answer_get(web, state_base_port(&k->s) + PORT_ONSHI, "/onshi/v1/consents", &body, &a);
    buf_done(&body);
    if (!good)
        return false;
    json_t *v = a.status == 201 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    const char *key = json_string_value(json_object_get(v, "link_key"));
    if (key) {
        struct jsonw w;
        jsonw_init(&w, out);
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "link_key", key);
        jsonw_end_object(&w);
        say("    カード認証と同意 → 連携キー(%zu 文字、この医療機関だけのもの)",
            "    card authentication and consent: a link key of %zu characters, for this clinic only", strlen(key));
    } else {
        say_error("カード認証または同意ができません(模擬オンライン資格確認の応答 %d)",
                  "no card authentication or consent (mock online qualification answered %d)", a.status);
    }
    json_decref(v);
    web_answer_done(&a);
    return key && !out->failed;
}

/* A clinic's connections: its own name in certs/, or NULL after a line of explanation. */
static struct web *clinic_open(const struct lookup *k, const char *code)
{
    char cert[32];
    struct web *web = NULL;
    snprintf(cert, sizeof cert, "clinic-%.10s", code);
    if (!file_exists(state_at(&k->s, "certs/%s.pem", cert).c))
        say_error("この医療機関の証明書がありません", "there is no certificate for this clinic");
    else if (!err_ok(web_new(&web, &k->s, cert)))
        say_error("メモリーが足りません", "out of memory");
    return web;
}

static int ask_clinic(struct lookup *k, struct web *web, const struct buf *body)
{
    struct web_answer a;
    if (!answer_get(web, state_base_port(&k->s) + PORT_CLINIC, "/v1/clinic/eligibility", body, &a))
        return 2;
    int status = answer_show(&a, k->json, print_certificates, NULL);
    web_answer_done(&a);
    return status;
}

static int lookup_clinic(struct lookup *k)
{
    struct buf body;
    buf_init(&body, 8192);
    const char *code = k->institution ? k->institution : CLINIC_DEFAULT;
    struct web *reader = clinic_open(k, code), *asks = reader ? clinic_open(k, k->shown_by ? k->shown_by : code) : NULL;
    int status = 2;
    if (asks && consent(k, reader, &body)) {
        status = ask_clinic(k, asks, &body);
        if (k->reuse && status == 0) {
            say("    同じ連携キーをもう一度使う:", "    the same link key once more:");
            status = ask_clinic(k, asks, &body) == 1 ? 0 : 2;
        }
    }
    web_free(asks);
    web_free(reader);
    buf_done(&body);
    return status;
}

static int lookup_citizen(struct lookup *k)
{
    struct web *web = NULL;
    struct web_answer a;
    struct buf body;
    buf_init(&body, 1024);
    int status = 2;
    if (err_ok(web_new(&web, &k->s, NULL)) && card_body(&body, k->card, false) &&
        answer_get(web, state_base_port(&k->s) + PORT_MOCK_PORTAL, "/portal/v1/eligibility", &body, &a)) {
        status = answer_show(&a, k->json, print_certificates, NULL);
        web_answer_done(&a);
    }
    web_free(web);
    buf_done(&body);
    return status;
}

int cmd_lookup(int argc, char **argv)
{
    struct lookup k = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "lookup", &operands, { "--card", &k.card }, { "--institution", &k.institution }, { "--shown-by", &k.shown_by }, { "--reuse", &k.reuse }, { "--json", &k.json }, { "--state", &k.dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    bool clinic = strcmp(operands.v[0], "clinic") == 0;
    if (!k.card || (!clinic && strcmp(operands.v[0], "citizen") != 0)) {
        say_error("使い方: pmhgw lookup clinic|citizen --card SERIAL", "usage: pmhgw lookup clinic|citizen --card SERIAL");
        return 2;
    }
    struct err e = web_setup();
    if (!err_ok(e) || !state_open(&k.s, &k.dirs, false))
        return 2;
    return clinic ? lookup_clinic(&k) : lookup_citizen(&k);
}
