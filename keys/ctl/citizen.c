/* pmhgw citizen: what a citizen sees and does at the portal, with the mock portal as the place where one logs in by card. */

#include <stdio.h>
#include <string.h>

#include "gateway/base/json_write.h"
#include "keys/ctl/answer.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/say.h"

struct citizen {
    struct state_dirs dirs;
    const char *card, *consent, *session, *cursor, *save, *html;
    bool json;
    struct state s;
};

struct act {
    const char *word, *path;
    answer_print_fn *print;
};

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* ---- what is shown ---- */

static void print_log(const void *arg, json_t *answer)
{
    size_t i;
    json_t *e;
    const char *next = text_of(answer, "next");
    json_array_foreach (json_object_get(answer, "entries"), i, e) {
        printf("    %6lld  %.19sZ  ", (long long)json_integer_value(json_object_get(e, "seq")), text_of(e, "at"));
        say_cell(say_pick(text_of(e, "institution"), text_of(e, "institution_en")), 26);
        printf(" %s\n", say_pick(text_of(e, "event_ja"), text_of(e, "event_en")));
        printf("%38s%s", "", say_pick(text_of(e, "result_ja"), text_of(e, "result_en")));
        printf("%s%s\n", *text_of(e, "purpose") ? " / " : "", say_pick(text_of(e, "purpose_ja"), text_of(e, "purpose_en")));
    }
    if (*next)
        say("    続き: --cursor %s", "    more: --cursor %s", next);
    (void)arg;
}

static void print_items(const json_t *items)
{
    size_t i;
    json_t *word;
    json_array_foreach (items, i, word)
        printf("%s%s", i ? ", " : " ", json_string_value(word));
    printf("\n");
}

static void print_row(const json_t *row, const char *id, const char *since, const char *state)
{
    printf("    %s  %.19sZ  ", text_of(row, id), text_of(row, since));
    say_cell(say_pick(text_of(row, "institution"), text_of(row, "institution_en")), 26);
    printf(" %s", state);
    print_items(json_object_get(row, "items"));
}

static void print_list(const void *arg, json_t *answer)
{
    size_t i;
    json_t *row;
    const json_t *consents = json_object_get(answer, "consents"), *sessions = json_object_get(answer, "sessions");
    say("    同意 %zu 件、開いているセッション %zu 件", "    %zu consents, %zu open sessions", json_array_size(consents), json_array_size(sessions));
    json_array_foreach (consents, i, row)
        print_row(row, "consent_id", "given_at", *text_of(row, "withdrawn_at") ? say_pick("取消済み", "withdrawn") : say_pick("有効", "holds"));
    json_array_foreach (sessions, i, row)
        print_row(row, "session_id", "opened_at", say_pick("セッション", "session"));
    (void)arg;
}

static bool keep(const char *path, struct slice text)
{
    if (err_ok(file_write(path, text)))
        return true;
    say_error("ファイルに書けません", "the file cannot be written");
    return false;
}

static void print_statement(const void *arg, json_t *answer)
{
    const struct citizen *c = arg;
    print_log(c, answer);
    if (c->html && keep(c->html, slice_str(text_of(answer, "html"))))
        say_ok("印刷用: %s", "to print: %s", c->html);
}

static void print_doses(const void *arg, json_t *answer)
{
    size_t i;
    json_t *d;
    json_array_foreach (json_object_get(answer, "immunizations"), i, d)
        printf("    %s  %s  %s  %s %s  v%s %s\n", text_of(d, "vaccinationDate"), text_of(d, "municipalityCode"), text_of(d, "vaccinationProgramId"),
               text_of(d, "doseNumber"), text_of(d, "lotNumber"), text_of(d, "version"), text_of(d, "status"));
    (void)arg;
}

static void print_tickets(const void *arg, json_t *answer)
{
    size_t i;
    json_t *t;
    json_array_foreach (json_object_get(answer, "tickets"), i, t)
        printf("    %s  %s  %s %s  %s .. %s\n", *text_of(t, "ticketLine") ? text_of(t, "ticketLine") : text_of(t, "ticketNumber"), text_of(t, "municipalityCode"),
               text_of(t, "vaccinationProgramId"), text_of(t, "doseNumber"), text_of(t, "validFrom"), text_of(t, "validTo"));
    (void)arg;
}

static void print_notices(const void *arg, json_t *answer)
{
    size_t i;
    json_t *n;
    json_array_foreach (json_object_get(answer, "notices"), i, n)
        printf("    %.19sZ  %s  %s v%s\n", text_of(n, "occurredAt"), text_of(n, "municipalityCode"), text_of(n, "event"), text_of(n, "version"));
    (void)arg;
}

static const struct act ACTS[] = {
    { "log", "/portal/v1/access-log", print_log },
    { "consents", "/portal/v1/consents", print_list },
    { "withdraw", "/portal/v1/consents/withdraw", print_list },
    { "end", "/portal/v1/sessions/end", print_list },
    { "statement", "/portal/v1/access-log/statement", print_statement },
    { "doses", "/portal/v1/immunizations", print_doses },
    { "tickets", "/portal/v1/tickets", print_tickets },
    { "notices", "/portal/v1/my-notices", print_notices },
};
#define WORDS "log|consents|withdraw|end|statement|doses|tickets|notices"

static const struct act *act_of(const char *word)
{
    for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS; i++)
        if (slice_eq(slice_str(ACTS[i].word), slice_str(word)))
            return &ACTS[i];
    return NULL;
}

/* ---- the call ---- */

static void body_write(const struct citizen *c, const struct act *act, struct buf *b)
{
    struct jsonw w;
    bool withdraw = slice_eq(slice_str(act->word), LIT("withdraw")), end = slice_eq(slice_str(act->word), LIT("end"));
    jsonw_init(&w, b);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "card_serial", c->card);
    if (withdraw && c->consent)
        jsonw_cstr(&w, "consent_id", c->consent);
    else if (end && c->session)
        jsonw_cstr(&w, "session_id", c->session);
    else if (withdraw || end)
        jsonw_bool(&w, "all", true);
    else if (c->cursor)
        jsonw_cstr(&w, "cursor", c->cursor);
    jsonw_end_object(&w);
}

static int show(const struct citizen *c, const struct act *act, const struct web_answer *a)
{
    int status = answer_show(a, c->json, act->print, c);
    if (status == 0 && c->save && !keep(c->save, buf_slice(&a->body)))
        return 2;
    return status;
}

static int run(struct citizen *c, const struct act *act)
{
    struct web *web = NULL;
    struct web_answer a;
    struct buf body;
    int status = 2;
    buf_init(&body, 1024);
    body_write(c, act, &body);
    struct err e = web_new(&web, &c->s, NULL);
    if (!err_ok(e)) {
        say_err("開始できません", "cannot start", e);
    } else if (answer_get(web, state_base_port(&c->s) + PORT_MOCK_PORTAL, act->path, &body, &a)) {
        status = show(c, act, &a);
        web_answer_done(&a);
    }
    web_free(web);
    buf_done(&body);
    return status;
}

int cmd_citizen(int argc, char **argv)
{
    struct citizen c = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "citizen", &operands, { "--card", &c.card }, { "--consent", &c.consent }, { "--session", &c.session }, { "--cursor", &c.cursor }, { "--save", &c.save }, { "--html", &c.html }, { "--json", &c.json }, { "--state", &c.dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    const struct act *act = act_of(operands.v[0]);
    if (!c.card || !act) {
        say_error("使い方: pmhgw citizen " WORDS " --card SERIAL", "usage: pmhgw citizen " WORDS " --card SERIAL");
        return 2;
    }
    struct err e = web_setup();
    if (!err_ok(e) || !state_open(&c.s, &c.dirs, false))
        return 2;
    return run(&c, act);
}
