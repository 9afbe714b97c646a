/* pmhgw basis: the register of legal bases, and whether it covers every route of every door. */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/register.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { ROUTES_MAX = 64 * 1024, COLUMNS = 6 };

extern char **environ;

/* ---- list ---- */

static void print_items(unsigned items)
{
    for (unsigned i = 0; basis_item_name(i); i++)
        if (items & 1u << i)
            printf(" %s", basis_item_name(i));
    putchar('\n');
}

static void print_row(const struct basis_row *r)
{
    printf("%4u  %s%s\n", r->id, say_text(r->law_ja, r->law_en).c, r->cited ? "" : say_text("(仮定)", " (assumed)").c);
    printf("      %s: %s\n", say_text("出典", "source").c, r->source);
    printf("      %s: %s  %s\n", say_text("目的", "purpose").c, r->purpose->word, say_text(r->purpose->ja, r->purpose->en).c);
    if (r->program)
        printf("      %s: %s  %s\n", say_text("業務", "program").c, r->program->word, say_text(r->program->ja, r->program->en).c);
    printf("      %s:", say_text("相手", "callers").c);
    for (size_t i = 0; i < r->n_callers; i++)
        printf(" %s/%s", basis_role_name(r->callers[i].role), r->callers[i].system ? r->callers[i].system : "*");
    printf("\n      %s:", say_text("操作", "operations").c);
    for (size_t i = 0; i < r->n_operations; i++)
        printf(" %s", r->operations[i]->name);
    printf("\n      %s:", say_text("データの種類", "kinds of data").c);
    print_items(r->items);
    printf("      %s: %u %s\n", say_text("保存期間", "retention").c, (unsigned)r->retention_days, say_text("日", "days").c);
}

static json_t *words_json(const struct basis_row *r, bool callers)
{
    json_t *list = json_array();
    for (size_t i = 0; callers && i < r->n_callers; i++)
        json_array_append_new(list, json_string(say_form("%s/%s", basis_role_name(r->callers[i].role), r->callers[i].system ? r->callers[i].system : "*").c));
    for (size_t i = 0; !callers && i < r->n_operations; i++)
        json_array_append_new(list, json_string(r->operations[i]->name));
    return list;
}

static json_t *row_json(const struct basis_row *r)
{
    json_t *items = json_array();
    for (unsigned i = 0; basis_item_name(i); i++)
        if (r->items & 1u << i)
            json_array_append_new(items, json_string(basis_item_name(i)));
    return json_pack("{s:i, s:s, s:s, s:b, s:s, s:s, s:s?, s:o, s:o, s:o, s:i}", "id", (int)r->id, "law_ja", r->law_ja, "law_en", r->law_en, "cited", r->cited, "source", r->source, "purpose",
                     r->purpose->word, "program", r->program ? r->program->word : NULL, "callers", words_json(r, true), "operations", words_json(r, false), "items", items,
                     "retention_days", (int)r->retention_days);
}

static int list(const struct basis *b)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < basis_rows(b); i++) {
        print_row(basis_row_at(b, i));
        json_array_append_new(rows, row_json(basis_row_at(b, i)));
    }
    out_put("bases", rows);
    return 0;
}

/* ---- check ---- */

/* What a daemon prints with --routes. */
static ERR routes_of(const struct state *s, const char *daemon, struct buf *out)
{
    struct state_path path = state_bin(s, daemon);
    char *argv[] = { path.c, (char[]){ "--routes" }, NULL };
    posix_spawn_file_actions_t acts;
    int up[2], status = -1;
    pid_t pid;
    if (pipe2(up, O_CLOEXEC) != 0)
        return FAIL(E_IO);
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, up[1], STDOUT_FILENO);
    bool started = posix_spawn(&pid, path.c, &acts, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&acts);
    close(up[1]);
    uint8_t piece[4096];
    for (ssize_t n = 1; started && n > 0;) {
        n = read(up[0], piece, sizeof piece);
        if (n > 0)
            buf_put(out, slice_of(piece, (size_t)n));
    }
    close(up[0]);
    if (!started || waitpid(pid, &status, 0) != pid || status != 0)
        return FAIL(E_IO);
    return buf_check(out);
}

static unsigned roles_of(struct slice words)
{
    unsigned roles = 0;
    for (bool more = true; more;) {
        struct slice word = words;
        more = slice_cut(words, ',', &word, &words);
        for (unsigned i = 0; i < CALLER__MAX; i++)
            if (slice_eq(word, slice_str(basis_role_name((enum caller_role)i))))
                roles |= CALLER_BIT(i);
    }
    return roles;
}

struct check {
    const struct basis *b;
    bool has_route[BASIS_OPERATIONS_MAX];
    unsigned routes, faults;
};

static void route_check(struct check *c, const struct slice column[static COLUMNS])
{
    unsigned roles = roles_of(column[4]);
    for (size_t i = 0; i < basis_operations(c->b); i++)
        c->has_route[i] = c->has_route[i] || slice_eq(slice_str(basis_operation_at(c->b, i)->name), column[3]);
    c->routes++;
    for (unsigned i = 0; i < CALLER__MAX; i++) {
        if (!(roles & CALLER_BIT(i)) || basis_may(c->b, (enum caller_role)i, SLICE_NONE, column[3]))
            continue;
        c->faults++;
        say_error("根拠のない経路: %.*s %.*s(%.*s)", "a route without a basis: %.*s %.*s (%.*s)", (int)column[1].n, (const char *)column[1].p, (int)column[2].n,
                  (const char *)column[2].p, (int)column[3].n, (const char *)column[3].p);
    }
}

static bool columns_of(struct slice line, struct slice column[static COLUMNS])
{
    size_t n = 0;
    for (bool more = true; more && n < COLUMNS; n++) {
        column[n] = line;
        more = slice_cut(line, '\t', &column[n], &line);
    }
    return n == COLUMNS;
}

static ERR daemon_check(struct check *c, const struct state *s, const char *daemon)
{
    struct buf out;
    struct slice column[COLUMNS], line;
    buf_init(&out, ROUTES_MAX);
    struct err e = routes_of(s, daemon, &out);
    struct slice rest = buf_slice(&out);
    while (err_ok(e) && slice_cut(rest, '\n', &line, &rest)) {
        if (columns_of(line, column))
            route_check(c, column);
        else
            e = FAIL(E_PROTOCOL);
    }
    buf_done(&out);
    return e;
}

static int check(const struct state *s, const struct basis *b)
{
    static const char *const DAEMONS[] = { "pmhgw-front", "pmhgw-intake" };
    struct check c = { .b = b };
    for (size_t i = 0; i < sizeof DAEMONS / sizeof *DAEMONS; i++) {
        struct err e = daemon_check(&c, s, DAEMONS[i]);
        if (!err_ok(e)) {
            say_err("経路の一覧を得られません", "the list of routes cannot be had", e);
            return 2;
        }
    }
    for (size_t i = 0; i < basis_operations(b); i++) {
        const struct basis_operation *op = basis_operation_at(b, i);
        if (op->inside == c.has_route[i]) {
            c.faults++;
            say_error("経路と合わない操作: %s", "an operation that does not agree with the routes: %s", op->name);
        }
    }
    out_put_u64("routes", c.routes);
    out_put_u64("faults", c.faults);
    if (!c.faults)
        say_ok("経路 %u 本すべてに根拠があります(根拠 %zu 件)", "all %u routes have a basis (%zu bases)", c.routes, basis_rows(b));
    return c.faults ? 1 : 0;
}

/* ---- the command ---- */

int cmd_basis(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    struct basis *b = NULL;
    const char *file = NULL;
    enum opts_end end = CLI_PARSE(argc, argv, "basis", &operands, { "--state", &dirs.state }, { "--register", &file });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    bool is_list = slice_eq(slice_str(operands.v[0]), LIT("list"));
    if (!is_list && !slice_eq(slice_str(operands.v[0]), LIT("check"))) {
        say_error("使い方: pmhgw basis list|check", "usage: pmhgw basis list|check");
        return 2;
    }
    if (!state_open(&s, &dirs, false) || !ctl_register(&s, file, &b))
        return 2;
    int status = is_list ? list(b) : check(&s, b);
    basis_free(b);
    return status;
}
