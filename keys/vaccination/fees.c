#include "keys/vaccination/fees.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/field.h"
#include "gateway/conf/ytree.h"
#include "gateway/vaccine/table.h"

enum { ARENA_BYTES = 4 << 20, WORD_MAX = 16, MUNI_CHARS = 6, SEGMENT_MAX = 3 * 100 };

/* muni "": of every municipality that has no row of its own. */
struct price { char muni[MUNI_CHARS + 1]; const char *program; ymd_t from; uint32_t yen, share; };
struct reduction { char muni[MUNI_CHARS + 1]; const char *segment, *program /* NULL: every one */; uint32_t share; };

struct nz_fees {
    struct arena *texts;
    size_t n_prices, n_reductions;
    struct price price[NZ_PRICES_MAX];
    struct reduction reduction[NZ_REDUCTIONS_MAX];
};

void nz_fees_free(struct nz_fees *f)
{
    if (!f)
        return;
    arena_free(f->texts);
    free(f);
}

static bool same(const char *a, const char *b) { return slice_eq(slice_str(a), slice_str(b)); }

/* ---- cells ---- */

static ERR muni_read(struct ytree *t, yaml_node_t *v, char muni[static MUNI_CHARS + 1])
{
    const char *text;
    TRY(ytree_text(t, v, WORD_MAX, &text));
    const struct slice s = slice_str(text);
    if (slice_eq(s, LIT("all")))
        return OK;
    if (s.n != MUNI_CHARS || !all_digits(s) || !check_muni(s))
        return ytree_bad(t, &v->start_mark, "自治体コード(6 桁)か all です", "a municipality code of 6 digits, or all");
    memcpy(muni, text, MUNI_CHARS);
    return OK;
}

static ERR program_read(struct ytree *t, yaml_node_t *v, const char **ret)
{
    TRY(ytree_text(t, v, VACCINE_ID_MAX, ret));
    for (const char *c = *ret; *c; c++)
        if (!(*c >= '0' && *c <= '9') && !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') && *c != '-' && *c != '_')
            return ytree_bad(t, &v->start_mark, "半角英数と「-」「_」です", "half-width letters and digits, \"-\" and \"_\"");
    return OK;
}

static ERR yen_read(struct ytree *t, yaml_node_t *v, uint32_t *ret)
{
    uint64_t yen;
    TRY(ytree_num(t, v, 0, NZ_YEN_MAX, &yen));
    *ret = (uint32_t)yen;
    return OK;
}

/* ---- prices ---- */

static struct err price_muni(struct ytree *t, yaml_node_t *v, void *to) { return muni_read(t, v, ((struct price *)to)->muni); }
static struct err price_program(struct ytree *t, yaml_node_t *v, void *to) { return program_read(t, v, &((struct price *)to)->program); }
static struct err price_yen(struct ytree *t, yaml_node_t *v, void *to) { return yen_read(t, v, &((struct price *)to)->yen); }
static struct err price_share(struct ytree *t, yaml_node_t *v, void *to) { return yen_read(t, v, &((struct price *)to)->share); }

static struct err price_from(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *text;
    TRY(ytree_text(t, v, WORD_MAX, &text));
    return ymd_parse(slice_str(text), &((struct price *)to)->from) ? OK : ytree_bad(t, &v->start_mark, "YYYY-MM-DD の日付です", "a day, YYYY-MM-DD");
}

static struct err price_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "municipality", price_muni, true }, { "program", price_program, true }, { "from", price_from, true }, { "price", price_yen, true }, { "own_share", price_share, true },
    };
    struct nz_fees *f = to;
    struct price *p = &f->price[f->n_prices];
    TRY(ytree_mapping(t, v, KEYS, sizeof KEYS / sizeof *KEYS, p));
    if (p->share > p->yen)
        return ytree_bad(t, &v->start_mark, "自己負担が単価を超えています", "the own share is more than the price");
    for (size_t i = 0; i < f->n_prices; i++)
        if (f->price[i].from == p->from && same(f->price[i].muni, p->muni) && same(f->price[i].program, p->program))
            return ytree_bad(t, &v->start_mark, "同じ単価が二回あります", "this price is given twice");
    f->n_prices++;
    return OK;
}

static struct err prices_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, NZ_PRICES_MAX, price_read, to); }

/* ---- reductions ---- */

static struct err reduction_muni(struct ytree *t, yaml_node_t *v, void *to) { return muni_read(t, v, ((struct reduction *)to)->muni); }
static struct err reduction_program(struct ytree *t, yaml_node_t *v, void *to) { return program_read(t, v, &((struct reduction *)to)->program); }
static struct err reduction_segment(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, SEGMENT_MAX, &((struct reduction *)to)->segment); }
static struct err reduction_share(struct ytree *t, yaml_node_t *v, void *to) { return yen_read(t, v, &((struct reduction *)to)->share); }

static struct err reduction_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "municipality", reduction_muni, true }, { "segment", reduction_segment, true }, { "program", reduction_program, false }, { "own_share", reduction_share, true },
    };
    struct nz_fees *f = to;
    struct reduction *r = &f->reduction[f->n_reductions];
    TRY(ytree_mapping(t, v, KEYS, sizeof KEYS / sizeof *KEYS, r));
    for (size_t i = 0; i < f->n_reductions; i++) {
        const struct reduction *o = &f->reduction[i];
        if (same(o->muni, r->muni) && same(o->segment, r->segment) && !o->program == !r->program && same(o->program, r->program))
            return ytree_bad(t, &v->start_mark, "同じ減免が二回あります", "this reduction is given twice");
    }
    f->n_reductions++;
    return OK;
}

static struct err reductions_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, NZ_REDUCTIONS_MAX, reduction_read, to); }

/* ---- the document ---- */

static struct err document_read(struct ytree *t, yaml_node_t *root, void *to)
{
    static const struct ytree_key KEYS[] = { { "prices", prices_read, true }, { "reductions", reductions_read, false } };
    return ytree_mapping(t, root, KEYS, sizeof KEYS / sizeof *KEYS, to);
}

ERR nz_fees_parse(struct nz_fees **ret_f, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct nz_fees *f = calloc(1, sizeof *f);
    if (f)
        f->texts = arena_new(ARENA_BYTES);
    struct err e = f && f->texts ? ytree_parse(file, yaml, NZ_FEES_FILE_MAX, f->texts, bad_line, document_read, f) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_fees_free(f);
        return e;
    }
    *ret_f = f;
    return OK;
}

static struct err parse(void *to, const char *file, struct slice yaml, struct buf *bad_line) { return nz_fees_parse(to, file, yaml, bad_line); }

ERR nz_fees_load(struct nz_fees **ret_f, const char *path) { return ytree_load(path, NZ_FEES_FILE_MAX, parse, ret_f); }

/* ---- what a dose costs ---- */

static bool is_of(const char row[static MUNI_CHARS + 1], const char muni[static 6]) { return !row[0] || slice_eq(slice_str(row), slice_of(muni, MUNI_CHARS)); }

static const struct price *price_of(const struct nz_fees *f, const char muni[static 6], struct slice program, ymd_t day)
{
    const struct price *best = NULL;
    for (size_t i = 0; i < f->n_prices; i++) {
        const struct price *p = &f->price[i];
        if (p->from > day || !is_of(p->muni, muni) || !slice_eq(slice_str(p->program), program))
            continue;
        const bool nearer = best && p->muni[0] && !best->muni[0], same_place = best && !p->muni[0] == !best->muni[0];
        if (!best || nearer || (same_place && p->from > best->from))
            best = p;
    }
    return best;
}

/* A row of the municipality goes before one of all, one of the program before one of every program. */
static const struct reduction *reduction_of(const struct nz_fees *f, const char muni[static 6], struct slice program, struct slice segment)
{
    const struct reduction *best = NULL;
    int best_rank = -1;
    for (size_t i = 0; i < f->n_reductions; i++) {
        const struct reduction *r = &f->reduction[i];
        const int rank = 2 * (r->muni[0] != '\0') + (r->program != NULL);
        if (!is_of(r->muni, muni) || (r->program && !slice_eq(slice_str(r->program), program)) || !slice_eq(slice_str(r->segment), segment) || rank <= best_rank)
            continue;
        best = r;
        best_rank = rank;
    }
    return best;
}

struct nz_fee nz_fee_of(const struct nz_fees *f, const char muni[static 6], struct slice program, ymd_t day, struct slice reduction)
{
    const struct price *p = price_of(f, muni, program, day);
    if (!p)
        return (struct nz_fee){ 0, 0, NZ_FEE_NO_PRICE };
    struct nz_fee fee = { p->yen, p->share, NZ_FEE_PLAIN };
    if (!reduction.n)
        return fee;
    const struct reduction *r = reduction_of(f, muni, program, reduction);
    if (!r)
        fee.note = NZ_FEE_UNKNOWN_REDUCTION;
    else if (r->share < fee.share)
        fee.share = r->share;
    return fee;
}
