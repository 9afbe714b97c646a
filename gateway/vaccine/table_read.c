/* config/vaccines.yaml, as gateway/basis/register.c reads its own. */
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/field.h"
#include "gateway/conf/ytree.h"
#include "gateway/vaccine/table_int.h"

enum { ARENA_BYTES = 2 << 20, SPAN_CHARS = 8, WORD_MAX = 32, AMOUNT_MAX_UL = 100000, GTINS_MAX = 4 };

/* What is being read, in the table that it goes into. */
struct part {
    struct vaccine_table *t;
    struct vaccine_program *program;
    struct vaccine_product *product;
    enum vaccine_level *level;
    struct vaccine_dose *dose;
    const char **ja, **en;
};
#define PART(field) (((struct part *)to)->field)
#define MAPPING(t, v, keys, p) ytree_mapping(t, v, keys, sizeof(keys) / sizeof *(keys), p)

static struct err ja_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, 3 * VACCINE_NAME_MAX, PART(ja)); }
static struct err en_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, 3 * VACCINE_NAME_MAX, PART(en)); }

static ERR names_read(struct ytree *t, yaml_node_t *v, const char **ja, const char **en)
{
    static const struct ytree_key KEYS[] = { { "ja", ja_read, true }, { "en", en_read, true } };
    return MAPPING(t, v, KEYS, (&(struct part){ .ja = ja, .en = en }));
}

static ERR code_read(struct ytree *t, yaml_node_t *v, const char **ret)
{
    TRY(ytree_text(t, v, VACCINE_CODE_MAX, ret));
    for (const char *c = *ret; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
            return ytree_bad(t, &v->start_mark, "コードに使えない文字があります", "a character that no code has");
    return OK;
}

/* ---- levels ---- */

static ERR level_read(struct ytree *t, yaml_node_t *v, enum vaccine_level *ret_l)
{
    static const char *const LEVELS[] = { [VL_OFF] = "off", [VL_WARN] = "warn", [VL_REJECT] = "reject" };
    const char *word;
    TRY(ytree_word(t, v, WORD_MAX, &word));
    for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
        if (slice_eq(slice_str(LEVELS[i]), slice_str(word))) {
            *ret_l = (enum vaccine_level)i;
            return OK;
        }
    return ytree_bad(t, &v->start_mark, "reject、warn、off のどれかです", "one of reject, warn, off");
}

/* One function for each rule, because a reader is told nothing but where to put it. */
#define X(sym, slug, field, lvl, ja, en) \
    static struct err level_##sym(struct ytree *t, yaml_node_t *v, void *to) { return level_read(t, v, &PART(level)[sym]); }
VACCINE_RULES(X)
#undef X

static struct err levels_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
#define X(sym, slug, field, lvl, ja, en) { slug, level_##sym, false },
        VACCINE_RULES(X)
#undef X
    };
    return MAPPING(t, v, KEYS, to);
}

static struct err defaults_read(struct ytree *t, yaml_node_t *v, void *to) { return levels_read(t, v, &(struct part){ .level = ((struct vaccine_table *)to)->level }); }

/* ---- doses ---- */

static ERR span_read(struct ytree *t, yaml_node_t *v, struct span *ret_s)
{
    const char *text;
    TRY(ytree_text(t, v, SPAN_CHARS, &text));
    return span_parse(slice_str(text), ret_s) ? OK : ytree_bad(t, &v->start_mark, "27d、6w、2m、5y のように書いてください", "written as 27d, 6w, 2m or 5y");
}

static struct err dose_from(struct ytree *t, yaml_node_t *v, void *to) { return span_read(t, v, &PART(dose)->from); }
static struct err dose_to(struct ytree *t, yaml_node_t *v, void *to) { return span_read(t, v, &PART(dose)->to); }
static struct err dose_after(struct ytree *t, yaml_node_t *v, void *to) { return span_read(t, v, &PART(dose)->after); }

static bool is_empty(const struct vaccine_dose *d)
{
    enum { SOME_DAY = 20000301 };
    return (d->from.months || d->from.days) && (d->to.months || d->to.days) && age_reached(SOME_DAY, d->to) < age_reached(SOME_DAY, d->from);
}

static struct err dose_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "from", dose_from, false }, { "to", dose_to, false }, { "after", dose_after, false } };
    struct vaccine_program *p = PART(program);
    struct vaccine_dose *d = &p->dose[p->n_doses];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .dose = d })));
    if (is_empty(d))
        return ytree_bad(t, &v->start_mark, "to が from より前です", "to is before from");
    if (p->n_doses == 0 && (d->after.months || d->after.days))
        return ytree_bad(t, &v->start_mark, "一回目に after は書けません", "the first dose follows none");
    p->n_doses++;
    return OK;
}

/* ---- programs ---- */

static struct err program_id(struct ytree *t, yaml_node_t *v, void *to)
{
    struct vaccine_program *p = PART(program);
    TRY(ytree_text(t, v, VACCINE_ID_MAX, &p->id));
    if (!*p->id || !all_url_safe(slice_str(p->id)))
        return ytree_bad(t, &v->start_mark, "半角英数と「-」「_」です", "half-width letters and digits, \"-\" and \"_\"");
    return vaccine_program(PART(t), slice_str(p->id)) ? ytree_bad(t, &v->start_mark, "同じプログラムが二回あります", "the program is given twice") : OK;
}

static struct err program_name(struct ytree *t, yaml_node_t *v, void *to) { return names_read(t, v, &PART(program)->ja, &PART(program)->en); }
static struct err program_fhir(struct ytree *t, yaml_node_t *v, void *to) { return code_read(t, v, &PART(program)->disease_fhir); }
static struct err program_icd(struct ytree *t, yaml_node_t *v, void *to) { return code_read(t, v, &PART(program)->disease_icd); }
static struct err program_yearly(struct ytree *t, yaml_node_t *v, void *to) { return ytree_bool(t, v, &PART(program)->yearly); }
static struct err program_doses(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, VACCINE_DOSES_MAX, dose_read, to); }
static struct err program_rules(struct ytree *t, yaml_node_t *v, void *to) { return levels_read(t, v, &(struct part){ .level = PART(program)->level }); }

static struct err program_live(struct ytree *t, yaml_node_t *v, void *to)
{
    static const char *const LIVE[] = { [VACCINE_INACTIVATED] = "inactivated", [VACCINE_LIVE_INJECTED] = "live_injected", [VACCINE_LIVE_ORAL] = "live_oral" };
    const char *word;
    TRY(ytree_word(t, v, WORD_MAX, &word));
    for (size_t i = 0; i < sizeof LIVE / sizeof LIVE[0]; i++)
        if (slice_eq(slice_str(LIVE[i]), slice_str(word))) {
            PART(program)->live = (enum vaccine_live)i;
            return OK;
        }
    return ytree_bad(t, &v->start_mark, "inactivated、live_injected、live_oral のどれかです", "one of inactivated, live_injected, live_oral");
}

static struct err program_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "id", program_id, true }, { "name", program_name, true }, { "kind", program_live, true }, { "disease_fhir", program_fhir, false },
        { "disease_icd11", program_icd, false }, { "yearly", program_yearly, false }, { "doses", program_doses, true }, { "rules", program_rules, false },
    };
    struct vaccine_table *table = to;
    struct vaccine_program *p = &table->program[table->n_programs];
    memcpy(p->level, table->level, sizeof p->level);
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .t = table, .program = p })));
    if (!p->n_doses)
        return ytree_bad(t, &v->start_mark, "doses は空にできません", "doses cannot be empty");
    table->n_programs++;
    return OK;
}

static struct err programs_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, VACCINE_PROGRAMS_MAX, program_read, to); }

/* ---- products ---- */

static struct err product_program(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *id;
    TRY(ytree_text(t, v, VACCINE_ID_MAX, &id));
    const struct vaccine_program *p = vaccine_program(PART(t), slice_str(id));
    if (!p)
        return ytree_bad(t, &v->start_mark, "そのプログラム(programs)はありません", "there is no such program above");
    struct vaccine_product *product = PART(product);
    for (size_t i = 0; i < product->n_programs; i++)
        if (product->program[i] == p)
            return ytree_bad(t, &v->start_mark, "同じプログラムが二回あります", "the program is given twice");
    product->program[product->n_programs++] = p;
    return OK;
}

static struct err product_programs(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, VACCINE_OF_MAX, product_program, to); }

static struct err product_gtin(struct ytree *t, yaml_node_t *v, void *to)
{
    struct vaccine_product *p = PART(product);
    const char *text;
    TRY(ytree_text(t, v, GS1_GTIN, &text));
    char *gtin = p->gtin[p->n_gtins];
    if (!check_gtin(slice_str(text)) || !gtin_14(slice_str(text), gtin))
        return ytree_bad(t, &v->start_mark, "検査数字の合う GTIN ではありません", "this is no GTIN, or its check digit is wrong");
    bool there = vaccine_product(PART(t), slice_of(gtin, GS1_GTIN)) != NULL;
    for (size_t i = 0; i < p->n_gtins; i++)
        there = there || slice_eq(ARR(p->gtin[i]), slice_of(gtin, GS1_GTIN));
    if (there)
        return ytree_bad(t, &v->start_mark, "この GTIN はもうあります", "this GTIN is there already");
    p->n_gtins++;
    return OK;
}

static struct err product_gtins(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, GTINS_MAX, product_gtin, to); }
static struct err product_name(struct ytree *t, yaml_node_t *v, void *to) { return names_read(t, v, &PART(product)->product_ja, &PART(product)->product_en); }
static struct err product_vaccine(struct ytree *t, yaml_node_t *v, void *to) { return names_read(t, v, &PART(product)->vaccine_ja, &PART(product)->vaccine_en); }
static struct err product_maker(struct ytree *t, yaml_node_t *v, void *to) { return names_read(t, v, &PART(product)->maker_ja, &PART(product)->maker_en); }
static struct err product_cvx(struct ytree *t, yaml_node_t *v, void *to) { return code_read(t, v, &PART(product)->cvx); }
static struct err product_hot(struct ytree *t, yaml_node_t *v, void *to) { return code_read(t, v, &PART(product)->hot); }
static struct err product_icd(struct ytree *t, yaml_node_t *v, void *to) { return code_read(t, v, &PART(product)->icd); }

static struct err product_amount(struct ytree *t, yaml_node_t *v, void *to)
{
    uint64_t ul;
    TRY(ytree_num(t, v, 1, AMOUNT_MAX_UL, &ul));
    PART(product)->amount_ul = (uint32_t)ul;
    return OK;
}

static struct err product_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "programs", product_programs, true }, { "gtins", product_gtins, true }, { "product", product_name, true }, { "vaccine", product_vaccine, true },
        { "maker", product_maker, true }, { "amount_ul", product_amount, false }, { "cvx", product_cvx, false }, { "hot9", product_hot, false },
        { "icd11", product_icd, false },
    };
    struct vaccine_table *table = to;
    struct vaccine_product *p = &table->product[table->n_products];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .t = table, .product = p })));
    if (!p->n_programs)
        return ytree_bad(t, &v->start_mark, "programs は空にできません", "programs cannot be empty");
    table->n_products++;
    return OK;
}

static struct err products_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, VACCINE_PRODUCTS_MAX, product_read, to); }

/* ---- the document ---- */

static struct err document_read(struct ytree *t, yaml_node_t *root, void *to)
{
    static const struct ytree_key KEYS[] = { { "rules", defaults_read, false }, { "programs", programs_read, true }, { "products", products_read, true } };
    TRY(MAPPING(t, root, KEYS, to));
    return ((struct vaccine_table *)to)->n_programs ? OK : ytree_bad(t, &root->start_mark, "programs は空にできません", "programs cannot be empty");
}

ERR vaccine_table_parse(struct vaccine_table **ret_t, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct vaccine_table *t = calloc(1, sizeof *t);
    if (t)
        t->texts = arena_new(ARENA_BYTES);
    struct err e = t && t->texts ? OK : FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < VR__MAX; i++)
        t->level[i] = vaccine_rule_info((enum vaccine_rule)i)->level;
    if (err_ok(e))
        e = ytree_parse(file, yaml, VACCINES_FILE_MAX, t->texts, bad_line, document_read, t);
    if (!err_ok(e)) {
        vaccine_table_free(t);
        return e;
    }
    *ret_t = t;
    return OK;
}

static struct err parse(void *to, const char *file, struct slice yaml, struct buf *bad_line) { return vaccine_table_parse(to, file, yaml, bad_line); }

ERR vaccine_table_load(struct vaccine_table **ret_t, const char *path) { return ytree_load(path, VACCINES_FILE_MAX, parse, ret_t); }
