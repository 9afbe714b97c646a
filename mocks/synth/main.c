/* pmhgw-synth: writes DIR/<muni>.json (rows of a registration) and DIR/<muni>.cards.jsonl (cards for the mock nation). */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "gateway/base/text.h"
#include "mocks/synth/sink.h"
#include "mocks/synth/synth.h"

enum { EXIT_USAGE = 64, EXIT_CANNOT = 74 };
/* Births and validities are counted from here, so that a seed gives the same rows on every day. */
enum { DEFAULT_DAY = 20260401, FIRST_DAY = 19800101 };

static const char HELP[] =
    "usage: pmhgw-synth --muni CODE --count N --out DIR [--seed S] [--on YYYY-MM-DD]\n"
    "Writes a synthetic municipality: DIR/CODE.json (rows of postRegistrationTasks) and DIR/CODE.cards.jsonl (cards).\n"
    "  --muni CODE   municipality, 6 digits: 331007, 271403 and 222127 have their city's names, others a generic city\n"
    "  --count N     residents, 1..100000000; a few hold two certificates, so there are more rows than residents\n"
    "  --seed S      the same seed gives the same residents (default 1)\n"
    "  --on DAY      the day on which ages and validities are judged (default 2026-04-01)\n"
    "  --out DIR     made when missing\n";

struct args { struct synth_conf synth; const char *out; };

enum args_end { ARGS_GO, ARGS_HELP, ARGS_BAD };

static enum args_end args_read(int argc, char **argv, struct args *ret_a)
{
    static const struct option OPTIONS[] = {
        { "muni", required_argument, NULL, 'm' }, { "count", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
        { "on", required_argument, NULL, 'd' },   { "out", required_argument, NULL, 'o' },   { "help", no_argument, NULL, 'h' }, { 0 },
    };
    *ret_a = (struct args){ .synth = { .seed = 1, .on = DEFAULT_DAY } };
    struct args *a = ret_a;
    for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        struct slice value = slice_str(optarg);
        bool good = true;
        if (c == 'm')
            a->synth.muni = value;
        else if (c == 'o')
            a->out = optarg;
        else if (c == 'n')
            good = u64_parse(value, &a->synth.count);
        else if (c == 's')
            good = u64_parse(value, &a->synth.seed);
        else if (c == 'd')
            good = ymd_parse(value, &a->synth.on) && a->synth.on >= FIRST_DAY;
        else if (c == 'h')
            return ARGS_HELP;
        else
            good = false;
        if (!good)
            return ARGS_BAD;
    }
    return optind == argc && a->out && a->synth.muni.n && a->synth.count ? ARGS_GO : ARGS_BAD;
}

struct counts { uint64_t residents, rows; };

static struct err fill(struct synth *s, struct sink *rows, struct sink *cards, struct counts *c)
{
    struct synth_resident r;
    bool first = true;
    buf_putc(&rows->out, '[');
    while (synth_next(s, &r)) {
        synth_write_rows(&r, &first, &rows->out);
        synth_write_card(&r, &cards->out);
        TRY(sink_flow(rows));
        TRY(sink_flow(cards));
        c->residents++;
        c->rows += r.n_certs;
    }
    buf_puts(&rows->out, "\n]\n");
    TRY(sink_commit(cards));
    return sink_commit(rows);
}

static struct err sink_named(struct sink *s, const struct args *a, const char *ending)
{
    struct buf name;
    buf_init(&name, 64);
    buf_put(&name, a->synth.muni);
    buf_puts(&name, ending);
    struct err e = sink_open(s, a->out, buf_slice(&name));
    buf_done(&name);
    return e;
}

static struct err run(const struct args *a, struct counts *c)
{
    struct synth *s = NULL;
    struct sink rows = { .fd = -1 }, cards = { .fd = -1 };
    TRY(synth_new(&s, &a->synth));
    struct err e = mkdir(a->out, 0700) != 0 && errno != EEXIST ? FAIL(E_IO) : OK;
    if (err_ok(e))
        e = sink_named(&rows, a, ".json");
    if (err_ok(e))
        e = sink_named(&cards, a, ".cards.jsonl");
    if (err_ok(e))
        e = fill(s, &rows, &cards, c);
    sink_done(&rows);
    sink_done(&cards);
    synth_free(s);
    return e;
}

int main(int argc, char **argv)
{
    struct args a;
    enum args_end end = args_read(argc, argv, &a);
    if (end != ARGS_GO) {
        fputs(HELP, end == ARGS_HELP ? stdout : stderr);
        return end == ARGS_HELP ? 0 : EXIT_USAGE;
    }
    struct counts c = { 0, 0 };
    struct err e = run(&a, &c);
    if (!err_ok(e)) {
        bool usage = err_is(e, E_FIELD) || err_is(e, E_CONFIG);
        fprintf(stderr, "pmhgw-synth: %s\n", usage ? "--muni takes 6 digits and --count 1..100000000" : "the files cannot be written: check --out and the free space");
        return usage ? EXIT_USAGE : EXIT_CANNOT;
    }
    printf("pmhgw-synth: %llu residents, %llu rows\n", (unsigned long long)c.residents, (unsigned long long)c.rows);
    return 0;
}
