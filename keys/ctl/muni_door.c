#include "keys/ctl/muni_door.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { WAIT_MIN_MS = 100, WAIT_MAX_MS = 3000, TOKENS_MAX = 3, FAULTS_MAX = 3 };

static uint64_t now_ms(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

bool muni_code_good(const char *s)
{
    bool good = s && strlen(s) == 6 && all_digits(slice_str(s));
    if (!good)
        say_error("--muni に 6 桁の自治体コードを指定してください", "--muni CODE of 6 digits is needed");
    return good;
}

bool task_id_good(const char *s)
{
    size_t n = strlen(s);
    bool good = n && n < 64 && s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == '\0';
    if (!good)
        say_error("受付番号の形が違います", "this is not the id of a task");
    return good;
}

bool muni_door_open(struct muni_door *d, const struct state_dirs *dirs, const char *muni, uint64_t patience_s)
{
    char cert[32];
    *d = (struct muni_door){ .patience_ms = patience_s * 1000 };
    if (!muni_code_good(muni) || !state_open(&d->state, dirs, false))
        return false;
    snprintf(d->muni, sizeof d->muni, "%s", muni);
    snprintf(cert, sizeof cert, "muni-%s", d->muni);
    d->port = state_base_port(&d->state) + PORT_MUNICIPAL;
    if (!file_exists(state_at(&d->state, "certs/%s.pem", cert).c)) {
        say_error("この自治体の証明書がありません", "there is no certificate for this municipality");
        return false;
    }
    struct err e = web_new(&d->web, &d->state, cert);
    if (!err_ok(e))
        say_err("開始できません", "cannot start", e);
    return err_ok(e);
}

void muni_door_close(struct muni_door *d)
{
    explicit_bzero(d->token, sizeof d->token);
    web_free(d->web);
    d->web = NULL;
}

/* No call outlasts the patience: `pmhgw up` keeps the port open also while nobody answers on it. */
static unsigned within(const struct muni_door *d, unsigned ms) { return d->patience_ms < ms ? (unsigned)d->patience_ms : ms; }

static ERR token_get(struct muni_door *d, struct web_answer *ret_a)
{
    struct web_call c = { .method = "POST", .port = d->port, .path = "/oauth2/token", .timeout_ms = within(d, MUNI_CALL_MS),
                          .content_type = "application/x-www-form-urlencoded", .body = LIT("grant_type=client_credentials") };
    TRY(web_send(d->web, &c, ret_a));
    if (ret_a->status != 200)
        return OK;
    json_t *v = json_loadb((const char *)ret_a->body.p, ret_a->body.n, 0, NULL);
    const char *t = json_string_value(json_object_get(v, "access_token"));
    bool good = t && strlen(t) < sizeof d->token;
    if (good)
        snprintf(d->token, sizeof d->token, "%s", t);
    json_decref(v);
    return good ? OK : FAIL(E_UPSTREAM_BAD);
}

ERR muni_door_try(struct muni_door *d, struct web_call *c, struct web_answer *ret_a)
{
    c->port = d->port;
    if (!c->stall_s)
        c->timeout_ms = within(d, c->timeout_ms);
    for (unsigned tokens = 0;; tokens++) {
        if (!d->token[0]) {
            struct err e = token_get(d, ret_a);
            if (!err_ok(e) || ret_a->status != 200)
                return e;
            web_answer_done(ret_a);
        }
        c->bearer = d->token;
        struct err e = web_send(d->web, c, ret_a);
        if (!err_ok(e) || ret_a->status != 401 || tokens == TOKENS_MAX)
            return e;
        d->token[0] = '\0';
        web_answer_done(ret_a);
    }
}

bool muni_door_later(struct err e, const struct web_answer *a)
{
    return err_is(e, E_UPSTREAM_DOWN) ||
           (err_ok(e) && (a->status == 408 || a->status == 429 || a->status == 500 || (a->status >= 502 && a->status <= 504)));
}

ERR muni_door_call(struct muni_door *d, struct web_call *c, struct web_answer *ret_a)
{
    uint64_t wait = WAIT_MIN_MS, from = now_ms();
    bool told = false;
    for (unsigned faults = 0;;) {
        struct err e = muni_door_try(d, c, ret_a);
        if (err_ok(e) && ret_a->status == 500)
            faults++;
        if (!muni_door_later(e, ret_a) || faults == FAULTS_MAX || now_ms() - from > d->patience_ms)
            return e;
        uint64_t ms = ret_a->retry_after_s ? (uint64_t)ret_a->retry_after_s * 1000 : wait;
        if (d->on_wait)
            d->on_wait(d->ctx);
        else if (!told)
            say_warn("ゲートウェイがまだ応答しません。繰り返し試します(Ctrl-C で中止)", "the gateway does not answer yet; trying again and again (Ctrl-C stops)");
        told = true;
        web_wait(ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS);
        if (web_stop_asked())
            return FAIL(E_CANCELED);
        web_answer_done(ret_a);
        wait = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
    }
}

uint64_t member_u64(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

/* What comes from the door goes to a terminal: nothing that steers one may be in it. */
const char *member_text(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    for (const char *c = s; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || ((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0))
            return "";
    return s ? s : "";
}

static void who_acts(const char *actor)
{
    static const struct { const char *name, *ja, *en; } WHO[] = {
        { "caller", "送った側(自治体システム)", "the sender" },
        { "operator", "ゲートウェイの運用者", "the operator of the gateway" },
        { "upstream", "接続先の機関", "the partner system" },
    };
    for (size_t i = 0; i < sizeof WHO / sizeof *WHO; i++)
        if (strcmp(WHO[i].name, actor) == 0)
            say_hint(say_form("対応する人: %s", WHO[i].ja).c, say_form("who must act: %s", WHO[i].en).c);
}

/* Names and rules, never values. */
static void fields_at_fault(const json_t *errors)
{
    enum { SHOWN = 16 };
    for (size_t i = 0; i < json_array_size(errors) && i < SHOWN; i++) {
        const json_t *e = json_array_get(errors, i);
        say_hint(say_form("%s  %s  %s", member_text(e, "field"), member_text(e, "rule"), member_text(e, "message_ja")).c,
                 say_form("%s  %s  %s", member_text(e, "field"), member_text(e, "rule"), member_text(e, "message_en")).c);
    }
}

void muni_door_problem(const char *what_ja, const char *what_en, struct err e, const struct web_answer *a)
{
    if (err_is(e, E_UPSTREAM_DOWN)) { /* to us the gateway is the other side */
        out_failed(E_UPSTREAM_DOWN);
        say_wrong(say_form("%s: ゲートウェイが応答しません", what_ja).c, say_form("%s: the gateway does not answer", what_en).c);
        say_hint("すること: pmhgw status で起動しているか確認し、もう一度実行してください", "what to do: see with pmhgw status whether it runs, and do it again");
        return;
    }
    if (!err_ok(e)) {
        say_err(what_ja, what_en, e);
        return;
    }
    json_t *v = json_loadb((const char *)a->body.p, a->body.n, JSON_REJECT_DUPLICATES, NULL);
    out_failed(web_problem_code(a));
    if (!member_text(v, "title")[0]) {
        say_wrong(say_form("%s(応答 %d)", what_ja, a->status).c, say_form("%s (the answer was %d)", what_en, a->status).c);
    } else {
        say_wrong(say_form("%s: %s [%s]", what_ja, member_text(v, "title"), member_text(v, "code")).c,
                  say_form("%s: %s [%s]", what_en, member_text(v, "title_en"), member_text(v, "code")).c);
        fields_at_fault(json_object_get(v, "errors"));
        who_acts(member_text(v, "actor"));
        say_hint(say_form("すること: %s", member_text(v, "detail")).c, say_form("what to do: %s", member_text(v, "detail_en")).c);
        if (member_text(v, "request_id")[0] && strcmp(member_text(v, "actor"), "caller") != 0)
            say_hint(say_form("要求番号: %s", member_text(v, "request_id")).c,
                     say_form("request id: %s", member_text(v, "request_id")).c);
    }
    json_decref(v);
}

json_t *muni_door_json(struct muni_door *d, const char *method, const char *path, struct slice body, int want, int *ret_status)
{
    struct web_answer a;
    bool post = strcmp(method, "POST") == 0;
    struct web_call c = { .method = method, .path = path, .timeout_ms = MUNI_CALL_MS, .content_type = post ? "application/json" : NULL,
                          .body = post && !body.n ? LIT("{}") : body };
    struct err e = muni_door_call(d, &c, &a);
    json_t *v = err_ok(e) && a.status == want ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    if (!v)
        muni_door_problem("できませんでした", "not done", e, &a);
    *ret_status = err_ok(e) ? a.status : 0;
    web_answer_done(&a);
    return v;
}
