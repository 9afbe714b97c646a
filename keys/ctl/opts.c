#include "keys/ctl/opts.h"

#include <stdio.h>

#include "gateway/base/text.h"
#include "keys/ctl/say.h"

static void help_print(const struct usage *u, const struct opt *table, size_t n)
{
    printf("usage: pmhgw %s%s%s%s\n\n%s\n", u->command, n ? " [options]" : "", u->operands[0] ? " " : "", u->operands, u->about);
    if (n)
        printf("\noptions:\n");
    for (size_t i = 0; i < n; i++) {
        char left[48];
        snprintf(left, sizeof left, "%s%s%s", table[i].name, table[i].arg ? " " : "", table[i].arg ? table[i].arg : "");
        printf("  %-26s %s%s\n", left, table[i].help, table[i].kind == OPT_LIST ? " (may be repeated)" : "");
    }
    printf("  %-26s %s\n", "--help", "this text");
}

static const struct opt *opt_find(const struct opt *table, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(slice_str(table[i].name), name))
            return &table[i];
    return NULL;
}

static bool list_add(struct opt_list *l, const char *v)
{
    if (l->n == OPT_LIST_MAX)
        return false;
    l->v[l->n++] = v;
    return true;
}

static enum opts_end opt_set(const struct opt *o, const char *value)
{
    uint64_t num;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        return OPTS_GO;
    case OPT_TEXT:
        *(const char **)o->to = value;
        return OPTS_GO;
    case OPT_LIST:
        if (list_add(o->to, value))
            return OPTS_GO;
        say_error("%s は多すぎます", "%s is given too often", o->name);
        return OPTS_BAD;
    case OPT_NUM:
        if (u64_parse(slice_str(value), &num) && num >= o->min && num <= o->max) {
            *(uint64_t *)o->to = num;
            return OPTS_GO;
        }
        say_error("%s は %llu から %llu までの数です", "%s takes a number from %llu to %llu", o->name, (unsigned long long)o->min,
                  (unsigned long long)o->max);
        return OPTS_BAD;
    }
    return OPTS_BAD;
}

/* One option at argv[*at]; moves *at to the last word that was used. */
static enum opts_end opt_take(int argc, char **argv, int *at, const struct usage *u, const struct opt *table, size_t n)
{
    struct slice name = slice_str(argv[*at]), value = SLICE_NONE;
    bool joined = slice_cut(name, '=', &name, &value);
    if (slice_eq(name, LIT("--help")) || slice_eq(name, LIT("-h"))) {
        help_print(u, table, n);
        return OPTS_HELP;
    }
    const struct opt *o = opt_find(table, n, name);
    if (!o) {
        /* The word is not repeated: somebody may have typed a number where an option belongs. */
        say_error("その指定はありません。pmhgw %s --help を見てください", "unknown option; see pmhgw %s --help", u->command);
        return OPTS_BAD;
    }
    if (o->kind == OPT_FLAG && !joined)
        return opt_set(o, NULL);
    if (o->kind == OPT_FLAG || (!joined && *at + 1 >= argc)) {
        say_error("%s の値の有無が違います", o->kind == OPT_FLAG ? "%s takes no value" : "%s needs a value", o->name);
        return OPTS_BAD;
    }
    return opt_set(o, joined ? (const char *)value.p : argv[++*at]);
}

enum opts_end opts_parse(int argc, char **argv, const struct usage *u, const struct opt *table, size_t n, struct opt_list *ret_operands)
{
    bool only_operands = false;
    ret_operands->n = 0;
    for (int i = 1; i < argc; i++) {
        if (!only_operands && slice_eq(slice_str(argv[i]), LIT("--"))) {
            only_operands = true;
            continue;
        }
        if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            enum opts_end end = opt_take(argc, argv, &i, u, table, n);
            if (end != OPTS_GO)
                return end;
            continue;
        }
        if (!list_add(ret_operands, argv[i])) {
            say_error("引数が多すぎます", "too many arguments");
            return OPTS_BAD;
        }
    }
    if (ret_operands->n < u->operands_min || ret_operands->n > u->operands_max) {
        say_error("使い方: pmhgw %s %s(詳しくは --help)", "usage: pmhgw %s %s (more with --help)", u->command, u->operands);
        return OPTS_BAD;
    }
    return OPTS_GO;
}
