/* pmhgw-synth: writes rows of a registration (DIR/<muni>.json, .csv or .jsonl) and DIR/<muni>.cards.jsonl (cards for the mock nation). */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/base/text.h"
#include "mocks/synth/cp932.h"
#include "mocks/synth/sink.h"
#include "mocks/synth/table.h"

enum { EXIT_USAGE = 64, EXIT_CANNOT = 74, ROW_MAX = 64 * 1024, TIMES_MAX = 1000 };
/* Births and validities are counted from here, so that a seed gives the same rows on every day. */
enum { DEFAULT_DAY = 20260401, FIRST_DAY = 19800101 };

static const char HELP[] =
    "usage: pmhgw-synth --muni CODE --count N --out DIR [--form F] [--csv [--encoding E] | --jsonl] [--distinct] [--times T] [--no-cards] [--seed S] [--on DAY]\n"
    "Writes a synthetic municipality: DIR/CODE.json (rows of a registration) and DIR/CODE.cards.jsonl (cards).\n"
    "  --muni CODE   municipality, 6 digits: 331007, 271403 and 222127 have their city's names, others a generic city\n"
    "  --count N     residents, 1..100000000; a few hold two certificates, so there are more rows than residents\n"
    "  --form F      subsidy (default), history, checkup, vaccination, ticket; the last four write DIR/CODE.F.json\n"
    "  --csv         a linkage file for the shipped layout instead: DIR/CODE.csv\n"
    "  --encoding E  of the CSV file: utf-8 (default) or cp932, where names that CP932 cannot hold become everyday names\n"
    "  --jsonl       JSON Lines instead of one JSON array: DIR/CODE.jsonl\n"
    "  --distinct    one certificate each: as many rows as residents\n"
    "  --times T     all rows T times over, 1..1000, each time from another room of the same house: T - 1 updates of each\n"
    "  --no-cards    rows only\n"
    "  --seed S      the same seed gives the same residents (default 1)\n"
    "  --on DAY      the day on which ages and validities are judged (default 2026-04-01)\n"
    "  --out DIR     made when missing\n";

enum format { JSON, CSV, JSONL, N_FORMATS };

struct args { struct synth_conf synth; uint64_t times; const char *out; enum synth_form form; enum format format; bool cp932, no_cards; };

enum args_end { ARGS_GO, ARGS_HELP, ARGS_BAD };

static bool encoding_read(struct args *a, struct slice value)
{
    a->cp932 = slice_eq(value, LIT("cp932"));
    return a->cp932 || slice_eq(value, LIT("utf-8"));
}

static bool arg_read(struct args *a, int c, const char *arg)
{
    struct slice value = slice_str(arg);
    switch (c) {
    case 'm': a->synth.muni = value; return true;
    case 'o': a->out = arg; return true;
    case 'n': return u64_parse(value, &a->synth.count);
    case 's': return u64_parse(value, &a->synth.seed);
    case 't': return u64_parse(value, &a->times) && a->times >= 1 && a->times <= TIMES_MAX;
    case 'd': return ymd_parse(value, &a->synth.on) && a->synth.on >= FIRST_DAY;
    case 'f': return synth_form_find(value, &a->form);
    case 'e': return encoding_read(a, value);
    case 'c': case 'l': a->format = c == 'c' ? CSV : JSONL; return true;
    case 'u': a->synth.distinct = true; return true;
    case 'r': a->no_cards = true; return true;
    default: return false;
    }
}

static enum args_end args_read(int argc, char **argv, struct args *ret_a)
{
    static const struct option OPTIONS[] = {
        { "muni", required_argument, NULL, 'm' }, { "count", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
        { "on", required_argument, NULL, 'd' },   { "out", required_argument, NULL, 'o' },   { "help", no_argument, NULL, 'h' },
        { "form", required_argument, NULL, 'f' }, { "csv", no_argument, NULL, 'c' },         { "jsonl", no_argument, NULL, 'l' },
        { "encoding", required_argument, NULL, 'e' }, { "distinct", no_argument, NULL, 'u' }, { "no-cards", no_argument, NULL, 'r' },
        { "times", required_argument, NULL, 't' }, { 0 },
    };
    *ret_a = (struct args){ .times = 1, .synth = { .seed = 1, .on = DEFAULT_DAY } };
    for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (c == 'h')
            return ARGS_HELP;
        if (!arg_read(ret_a, c, optarg))
            return ARGS_BAD;
    }
    bool good = optind == argc && ret_a->out && ret_a->synth.muni.n && ret_a->synth.count && (!ret_a->cp932 || ret_a->format == CSV);
    return good ? ARGS_GO : ARGS_BAD;
}

/* ---- rows ---- */

struct work {
    const struct args *a;
    struct synth *synth;
    struct sink rows, cards;
    struct cp932 *cp932; /* NULL: UTF-8 */
    struct buf text;     /* of one row */
    uint64_t residents, n_rows;
};

static bool held_by_cp932(void *ctx, const char *utf8) { return cp932_holds(ctx, utf8); }

/* From the first resident on, the same as the last time. */
static struct err synth_begin(struct work *w)
{
    struct synth_conf conf = w->a->synth;
    if (w->cp932) {
        conf.name_ok = held_by_cp932;
        conf.ctx = w->cp932;
    }
    synth_free(w->synth);
    w->synth = NULL;
    return synth_new(&w->synth, &conf);
}

static struct err text_put(struct work *w)
{
    struct err e = OK;
    if (w->cp932)
        e = cp932_put(w->cp932, buf_slice(&w->text), &w->rows.out);
    else
        buf_put(&w->rows.out, buf_slice(&w->text));
    w->text.n = 0; /* synthetic: not worth wiping */
    return e;
}

static struct err row_put(struct work *w, const struct synth_resident *r, unsigned i)
{
    const struct args *a = w->a;
    if (a->format == CSV)
        synth_row_csv(a->form, r, i, a->synth.on, &w->text);
    if (a->format == JSON)
        buf_puts(&w->text, w->n_rows ? ",\n" : "\n");
    if (a->format != CSV)
        synth_row_json(a->form, r, i, a->synth.on, &w->text);
    if (a->format == JSONL)
        buf_putc(&w->text, '\n');
    w->n_rows++;
    TRY(buf_check(&w->text));
    return text_put(w);
}

/* The residents once more, who have moved within their houses since the last time. */
static struct err pass(struct work *w, uint64_t time)
{
    struct synth_resident r;
    while (synth_next(w->synth, &r)) {
        const size_t n = strlen(r.address);
        if (time)
            snprintf(r.address + n, sizeof r.address - n, "　%llu号室", (unsigned long long)time);
        for (unsigned i = 0; i < synth_form_rows(w->a->form, &r); i++)
            TRY(row_put(w, &r, i));
        TRY(sink_flow(&w->rows));
        if (time)
            continue;
        w->residents++;
        if (w->a->no_cards)
            continue;
        synth_write_card(&r, &w->cards.out);
        TRY(sink_flow(&w->cards));
    }
    return OK;
}

static struct err fill(struct work *w)
{
    if (w->a->format == JSON)
        buf_putc(&w->text, '[');
    if (w->a->format == CSV)
        synth_head_csv(w->a->form, &w->text);
    TRY(text_put(w));
    for (uint64_t time = 0; time < w->a->times; time++) {
        if (time)
            TRY(synth_begin(w));
        TRY(pass(w, time));
    }
    if (w->a->format == JSON)
        buf_puts(&w->rows.out, "\n]\n");
    if (!w->a->no_cards)
        TRY(sink_commit(&w->cards));
    return sink_commit(&w->rows);
}

static struct err sink_named(struct sink *s, const struct args *a, const char *middle, const char *ending)
{
    struct buf name;
    buf_init(&name, 64);
    buf_put(&name, a->synth.muni);
    if (middle)
        buf_putc(&name, '.');
    buf_puts(&name, middle);
    buf_puts(&name, ending);
    struct err e = sink_open(s, a->out, buf_slice(&name));
    buf_done(&name);
    return e;
}

static struct err files_open(struct work *w)
{
    static const char *const ENDINGS[N_FORMATS] = { [JSON] = ".json", [CSV] = ".csv", [JSONL] = ".jsonl" };
    const struct args *a = w->a;
    if (mkdir(a->out, 0700) != 0 && errno != EEXIST)
        return FAIL(E_IO);
    if (!a->no_cards)
        TRY(sink_named(&w->cards, a, NULL, ".cards.jsonl"));
    return sink_named(&w->rows, a, a->form == SYNTH_SUBSIDY ? NULL : synth_form_name(a->form), ENDINGS[a->format]);
}

static struct err work_start(struct work *w)
{
    buf_init(&w->text, ROW_MAX);
    if (w->a->cp932)
        TRY(cp932_new(&w->cp932));
    TRY(synth_begin(w));
    return files_open(w);
}

static struct err run(struct work *w)
{
    struct err e = work_start(w);
    if (err_ok(e))
        e = fill(w);
    sink_done(&w->rows);
    sink_done(&w->cards);
    cp932_free(w->cp932);
    buf_done(&w->text);
    synth_free(w->synth);
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
    struct work w = { .a = &a, .rows = { .fd = -1 }, .cards = { .fd = -1 } };
    struct err e = run(&w);
    if (!err_ok(e)) {
        bool usage = err_is(e, E_FIELD) || err_is(e, E_CONFIG);
        fprintf(stderr, "pmhgw-synth: %s\n", usage ? "--muni takes 6 digits and --count 1..100000000" : "the files cannot be written: check --out and the free space");
        return usage ? EXIT_USAGE : EXIT_CANNOT;
    }
    printf("pmhgw-synth: %llu residents, %llu rows\n", (unsigned long long)w.residents, (unsigned long long)w.n_rows);
    return 0;
}
