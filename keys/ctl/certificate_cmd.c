/* pmhgw certificate verify: is a certificate of vaccination good, and does it still hold? The words about keys are in certificate_keys.c. */

#include <stdio.h>
#include <string.h>

#include "keys/ctl/certificate.h"
#include "keys/ctl/certificate_keys.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"
#include "keys/ctl/web.h"

enum { CALL_MS = 5000, LIST_MAX = 16 << 20 };

static const struct { const char *ja, *en; } WORDS[CERTIFICATE__MAX] = {
    [CERTIFICATE_GOOD] = { "正しい証明書です", "the certificate is good" },
    [CERTIFICATE_SUPERSEDED] = { "古い証明書です(新しいものが発行されたか、記録が訂正されました)", "superseded: there is a newer one, or a record in it was corrected" },
    [CERTIFICATE_REVOKED] = { "失効した証明書です", "revoked" },
    [CERTIFICATE_UNKNOWN_KEY] = { "署名した鍵を確認できません", "signed with a key that is not known" },
    [CERTIFICATE_SIGNATURE] = { "署名が合いません", "the signature does not fit" },
    [CERTIFICATE_SHAPE] = { "証明書の形ではありません", "this is no certificate" },
};

struct verify {
    struct state state;
    const char *jwks, *crl, *csca; /* files; NULL: what the gateway of this state publishes */
    bool json;
};

static json_t *parse(struct slice text)
{
    json_t *v = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(v))
        return v;
    json_decref(v);
    return NULL;
}

static json_t *from_file(const char *path)
{
    struct buf b;
    buf_init(&b, LIST_MAX);
    json_t *v = err_ok(file_read(path, &b)) ? parse(buf_slice(&b)) : NULL;
    buf_done(&b);
    return v;
}

static json_t *from_door(const struct state *s, const char *path)
{
    struct web *w;
    struct web_answer a;
    json_t *v = NULL;
    if (!err_ok(web_new(&w, s, NULL)))
        return NULL;
    struct web_call c = { .method = "GET", .port = state_base_port(s) + PORT_PORTAL, .path = path, .timeout_ms = CALL_MS };
    if (err_ok(web_send(w, &c, &a)) && a.status == 200)
        v = parse(buf_slice(&a.body));
    web_answer_done(&a);
    web_free(w);
    return v;
}

/* Names in it are whatever its maker wrote, also when nobody we know has signed them. */
static void print_json(const struct certificate *c, enum certificate_verdict v)
{
    const bool read = v != CERTIFICATE_SHAPE;
    json_t *told = json_pack("{s:s, s:s, s:s, s:s}", "verdict", certificate_verdict_word(v), "kind", c->seal ? "vds-nc" : "shc", "kid", read ? c->kid : "", "id", read ? c->name : "");
    out_written();
    if (told && json_dumpf(told, stdout, JSON_COMPACT) == 0)
        putchar('\n');
    json_decref(told);
}

static int tell(const struct verify *o, const struct certificate *c, enum certificate_verdict v)
{
    if (o->json)
        print_json(c, v);
    else if (v == CERTIFICATE_GOOD)
        say_done(WORDS[v].ja, WORDS[v].en);
    else
        say_wrong(WORDS[v].ja, WORDS[v].en);
    return v == CERTIFICATE_GOOD ? 0 : 1;
}

static bool list_of(const struct verify *o, const struct certificate *c, json_t **ret_crl)
{
    char path[96];
    snprintf(path, sizeof path, "/.well-known/crl/%s.json", c->kid);
    *ret_crl = o->crl ? from_file(o->crl) : from_door(&o->state, path);
    if (*ret_crl && certificate_is_list_of(c, *ret_crl))
        return true;
    json_decref(*ret_crl);
    say_error("この鍵の失効の一覧を読めません", "the list of revoked certificates of this key cannot be read");
    return false;
}

static int verify(const struct verify *o, struct slice text)
{
    struct certificate c;
    json_t *crl = NULL, *jwks = o->jwks ? from_file(o->jwks) : from_door(&o->state, "/.well-known/jwks.json");
    if (!jwks) {
        say_error("公開鍵(jwks.json)を読めません", "the published keys (jwks.json) cannot be read");
        return 2;
    }
    enum certificate_verdict v = certificate_read(text, jwks, o->csca ? o->csca : state_at(&o->state, "certs/csca.pem").c, &c);
    json_decref(jwks);
    int status = 2;
    if (v != CERTIFICATE_GOOD) {
        status = tell(o, &c, v);
    } else if (list_of(o, &c, &crl)) {
        status = tell(o, &c, certificate_listed(&c, crl));
        json_decref(crl);
    }
    certificate_done(&c);
    return status;
}

static int verify_file(const struct verify *o, const char *path)
{
    struct buf text;
    buf_init(&text, CERTIFICATE_FILE_MAX);
    struct err e = file_read(path, &text);
    int status = err_ok(e) ? verify(o, buf_slice(&text)) : 2;
    if (!err_ok(e))
        say_err("ファイルを読めません", "the file cannot be read", e);
    buf_done(&text);
    return status;
}

int cmd_certificate(int argc, char **argv)
{
    struct verify o = { 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "certificate", &operands, { "--state", &dirs.state }, { "--jwks", &o.jwks }, { "--crl", &o.crl }, { "--csca", &o.csca }, { "--json", &o.json }, { "--bin", &dirs.bin }, { "--share", &dirs.share });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (o.json && strcmp(operands.v[0], "verify") != 0)
        out_begin();
    if (!err_ok(web_setup()) || !state_open(&o.state, &dirs, false))
        return 2;
    if (operands.n == 2 && strcmp(operands.v[0], "verify") == 0)
        return verify_file(&o, operands.v[1]);
    if (operands.n == 1 && strcmp(operands.v[0], "keys") == 0)
        return certificate_keys(&o.state);
    if (operands.n == 2 && strcmp(operands.v[0], "rotate-key") == 0)
        return certificate_rotate_key(&o.state, operands.v[1]);
    if (operands.n == 3 && strcmp(operands.v[0], "retire-key") == 0)
        return certificate_retire_key(&o.state, operands.v[1], operands.v[2]);
    say_error("使い方: pmhgw certificate verify FILE | keys | rotate-key USE | retire-key USE NUMBER", "usage: pmhgw certificate verify FILE | keys | rotate-key USE | retire-key USE NUMBER");
    return 2;
}
