#include "gateway/basis/register.h"

#include <stdlib.h>

#include "gateway/conf/ytree.h"

enum { ARENA_BYTES = 4 << 20 };

static const char *const ROLES[CALLER__MAX] = {
    [CALLER_MUNICIPALITY] = "municipality", [CALLER_CLINIC] = "clinic", [CALLER_PORTAL] = "portal", [CALLER_OPERATOR] = "operator",
    [CALLER_GATEWAY] = "gateway", [CALLER_VRS] = "vrs", [CALLER_KIOSK] = "kiosk",
};
/* In the order of AUDIT_ITEM_*. */
static const char *const ITEMS[] = { "eligibility", "checkup", "vaccination", "ticket", "questionnaire", "consent", "session", "access_log", "flags",
                                     "number", "resident" };
_Static_assert((1u << (sizeof ITEMS / sizeof *ITEMS)) - 1 == AUDIT_ITEMS_ALL, "every kind of data has a name");

const char *basis_role_name(enum caller_role role) { return role < CALLER__MAX && ROLES[role] ? ROLES[role] : "?"; }
const char *basis_item_name(unsigned i) { return i < sizeof ITEMS / sizeof *ITEMS ? ITEMS[i] : NULL; }

/* What is being read, in the register that it goes into. */
struct part {
    struct basis *b;
    struct basis_purpose *purpose;
    struct basis_program *program;
    struct basis_operation *operation;
    struct basis_row *row;
    struct basis_caller caller;
    bool systems;               /* of the caller, were named */
    struct basis_caller *callers;
    const char **ja, **en;      /* where the texts go */
    uint16_t *items;
};
#define PART(field) (((struct part *)to)->field)
#define MAPPING(t, v, keys, p) ytree_mapping(t, v, keys, sizeof(keys) / sizeof *(keys), p)

static struct err ja_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, BASIS_TEXT_MAX, PART(ja)); }
static struct err en_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, BASIS_TEXT_MAX, PART(en)); }

/* ---- words that are defined elsewhere ---- */

static ERR purpose_find(struct ytree *t, yaml_node_t *v, const struct basis *b, const struct basis_purpose **ret_p)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    *ret_p = basis_purpose_named(b, slice_str(word));
    return *ret_p ? OK : ytree_bad(t, &v->start_mark, "その目的(purposes)はありません", "there is no such purpose above");
}

static ERR program_find(struct ytree *t, yaml_node_t *v, const struct basis *b, const struct basis_program **ret_p)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    for (size_t i = 0; i < b->n_programs; i++)
        if (slice_eq(slice_str(b->programs[i].word), slice_str(word))) {
            *ret_p = &b->programs[i];
            return OK;
        }
    return ytree_bad(t, &v->start_mark, "その業務(programs)はありません", "there is no such program above");
}

static struct err item_read(struct ytree *t, yaml_node_t *v, void *to)
{
    uint16_t *items = PART(items);
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    for (size_t i = 0; i < sizeof ITEMS / sizeof *ITEMS; i++) {
        if (!slice_eq(slice_str(ITEMS[i]), slice_str(word)))
            continue;
        if (*items & 1u << i)
            return ytree_bad(t, &v->start_mark, "同じ種類が二回あります", "the kind of data is given twice");
        *items = (uint16_t)(*items | 1u << i);
        return OK;
    }
    return ytree_bad(t, &v->start_mark, "そのデータの種類はありません", "there is no such kind of data");
}

static struct err items_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, sizeof ITEMS / sizeof *ITEMS, item_read, to); }

/* ---- purposes ---- */

static struct err purpose_id(struct ytree *t, yaml_node_t *v, void *to)
{
    uint64_t id;
    TRY(ytree_num(t, v, 1, UINT8_MAX, &id));
    if (basis_purpose_of(PART(b), (unsigned)id))
        return ytree_bad(t, &v->start_mark, "この番号は別の目的にあります", "another purpose has this number");
    PART(purpose)->id = (uint8_t)id;
    return OK;
}

static struct err purpose_name(struct ytree *t, yaml_node_t *v, void *to)
{
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &PART(purpose)->word));
    struct slice word = slice_str(PART(purpose)->word);
    if (slice_eq(word, LIT("link_key")))
        return ytree_bad(t, &v->start_mark, "link_key は目的の名前にできません", "link_key cannot be the name of a purpose");
    return basis_purpose_named(PART(b), word) ? ytree_bad(t, &v->start_mark, "この名前は別の目的にあります", "another purpose has this name") : OK;
}

static struct err purpose_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "id", purpose_id, true }, { "name", purpose_name, true }, { "ja", ja_read, true }, { "en", en_read, true } };
    struct basis *b = to;
    struct basis_purpose *one = &b->purposes[b->n_purposes];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .b = b, .purpose = one, .ja = &one->ja, .en = &one->en })));
    b->n_purposes++;
    return OK;
}

static struct err purposes_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, BASIS_PURPOSES_MAX, purpose_read, to); }

/* ---- programs ---- */

static struct err program_name(struct ytree *t, yaml_node_t *v, void *to)
{
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &PART(program)->word));
    return basis_has_program(PART(b), slice_str(PART(program)->word)) ? ytree_bad(t, &v->start_mark, "この名前は別の業務にあります", "another program has this name")
                                                                     : OK;
}

static struct err program_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "name", program_name, true }, { "ja", ja_read, true }, { "en", en_read, true } };
    struct basis *b = to;
    struct basis_program *one = &b->programs[b->n_programs];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .b = b, .program = one, .ja = &one->ja, .en = &one->en })));
    b->n_programs++;
    return OK;
}

static struct err programs_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, BASIS_PROGRAMS_MAX, program_read, to); }

/* ---- operations ---- */

static bool operation_name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') && !(i && s.p[i] >= '0' && s.p[i] <= '9'))
            return false;
    return s.n > 0;
}

static struct err operation_name(struct ytree *t, yaml_node_t *v, void *to)
{
    struct basis_operation *op = PART(operation);
    TRY(ytree_text(t, v, 2 * BASIS_WORD_MAX, &op->name));
    if (!operation_name_ok(slice_str(op->name)))
        return ytree_bad(t, &v->start_mark, "操作の名前は英数字です", "the name of an operation is letters and digits");
    return basis_operation_of(PART(b), slice_str(op->name)) ? ytree_bad(t, &v->start_mark, "同じ操作が二回あります", "the operation is given twice") : OK;
}

static struct err operation_program(struct ytree *t, yaml_node_t *v, void *to) { return program_find(t, v, PART(b), &PART(operation)->program); }

static struct err operation_purpose(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    return slice_eq(slice_str(word), LIT("link_key")) ? OK : purpose_find(t, v, PART(b), &PART(operation)->purpose);
}

static struct err operation_behalf(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    bool citizen = slice_eq(slice_str(word), LIT("citizen"));
    if (!citizen && !slice_eq(slice_str(word), LIT("own")))
        return ytree_bad(t, &v->start_mark, "own か citizen です", "own or citizen");
    PART(operation)->behalf = citizen ? AB_CITIZEN : AB_OWN;
    return OK;
}

static struct err operation_inside(struct ytree *t, yaml_node_t *v, void *to) { return ytree_bool(t, v, &PART(operation)->inside); }

static struct err operation_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "name", operation_name, true }, { "program", operation_program, false }, { "purpose", operation_purpose, true }, { "items", items_read, true },
        { "behalf", operation_behalf, false }, { "inside", operation_inside, false },
    };
    struct basis *b = to;
    struct basis_operation *one = &b->operations[b->n_operations];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .b = b, .operation = one, .items = &one->items })));
    b->at[b->n_operations].line = (uint32_t)v->start_mark.line;
    b->at[b->n_operations].column = (uint32_t)v->start_mark.column;
    basis__slot_add(b, b->n_operations++);
    return OK;
}

static struct err operations_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, BASIS_OPERATIONS_MAX, operation_read, to); }

/* ---- bases ---- */

static struct err row_id(struct ytree *t, yaml_node_t *v, void *to)
{
    uint64_t id;
    TRY(ytree_num(t, v, 1, BASIS_ID_MAX, &id));
    if (basis_row_of(PART(b), (unsigned)id))
        return ytree_bad(t, &v->start_mark, "この番号は別の根拠にあります", "another basis has this number");
    PART(row)->id = (uint16_t)id;
    return OK;
}

static struct err row_law(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "ja", ja_read, true }, { "en", en_read, true } };
    return MAPPING(t, v, KEYS, to);
}

static struct err row_standing(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    PART(row)->cited = slice_eq(slice_str(word), LIT("cited"));
    return PART(row)->cited || slice_eq(slice_str(word), LIT("assumed")) ? OK : ytree_bad(t, &v->start_mark, "cited か assumed です", "cited or assumed");
}

static struct err row_source(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, BASIS_TEXT_MAX, &PART(row)->source); }
static struct err row_program(struct ytree *t, yaml_node_t *v, void *to) { return program_find(t, v, PART(b), &PART(row)->program); }
static struct err row_purpose(struct ytree *t, yaml_node_t *v, void *to) { return purpose_find(t, v, PART(b), &PART(row)->purpose); }

static struct err row_consent(struct ytree *t, yaml_node_t *v, void *to) { return ytree_bool(t, v, &PART(row)->consent); }

static struct err row_retention(struct ytree *t, yaml_node_t *v, void *to)
{
    uint64_t days;
    TRY(ytree_num(t, v, 1, 36525, &days));
    PART(row)->retention_days = (uint32_t)days;
    return OK;
}

static struct err caller_add(struct ytree *t, yaml_node_t *v, struct part *p, const char *system)
{
    struct basis_row *row = p->row;
    for (size_t i = 0; i < row->n_callers; i++) {
        const struct basis_caller *c = &row->callers[i];
        if (c->role == p->caller.role && (!system || !c->system || slice_eq(slice_str(system), slice_str(c->system))))
            return ytree_bad(t, &v->start_mark, "この相手はもうあります", "this caller is there already");
    }
    if (row->n_callers == BASIS_CALLERS_MAX)
        return ytree_bad(t, &v->start_mark, "一覧が長すぎます", "the list is too long");
    p->callers[row->n_callers++] = (struct basis_caller){ p->caller.role, system };
    return OK;
}

static bool system_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '-')
            return false;
    return s.n > 0;
}

static struct err caller_role_read(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *word;
    TRY(ytree_word(t, v, BASIS_WORD_MAX, &word));
    for (size_t i = 0; i < CALLER__MAX; i++)
        if (ROLES[i] && slice_eq(slice_str(ROLES[i]), slice_str(word))) {
            PART(caller).role = (enum caller_role)i;
            return OK;
        }
    return ytree_bad(t, &v->start_mark, "municipality、clinic、portal、operator、gateway、vrs、kiosk のどれかです", "one of municipality, clinic, portal, operator, gateway, vrs, kiosk");
}

static struct err system_read(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *name;
    if (PART(caller).role == CALLER_NONE)
        return ytree_bad(t, &v->start_mark, "先に role を書いてください", "role comes first");
    TRY(ytree_text(t, v, BASIS_WORD_MAX, &name));
    PART(systems) = true;
    if (slice_eq(slice_str(name), LIT("*")))
        return caller_add(t, v, to, NULL);
    return system_ok(slice_str(name)) ? caller_add(t, v, to, name) : ytree_bad(t, &v->start_mark, "システム名は a-z、0-9、「-」、または * です", "a system is a-z, 0-9, \"-\", or *");
}

static struct err systems_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, BASIS_SYSTEMS_MAX, system_read, to); }

static struct err caller_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "role", caller_role_read, true }, { "systems", systems_read, false } };
    struct part *p = to;
    p->caller = (struct basis_caller){ CALLER_NONE, NULL };
    p->systems = false;
    TRY(MAPPING(t, v, KEYS, p));
    return p->systems ? OK : caller_add(t, v, p, NULL);
}

static struct err callers_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct part *p = to;
    p->row->callers = p->callers = arena_get(t->texts, BASIS_CALLERS_MAX * sizeof *p->callers);
    return p->callers ? ytree_list(t, v, BASIS_CALLERS_MAX, caller_read, p) : FAIL(E_NOMEM);
}

static struct err row_operation(struct ytree *t, yaml_node_t *v, void *to)
{
    struct basis_row *row = PART(row);
    const char *name;
    TRY(ytree_text(t, v, 2 * BASIS_WORD_MAX, &name));
    const struct basis_operation *op = basis_operation_of(PART(b), slice_str(name));
    if (!op)
        return ytree_bad(t, &v->start_mark, "その操作(operations)はありません", "there is no such operation above");
    for (size_t i = 0; i < row->n_operations; i++)
        if (row->operations[i] == op)
            return ytree_bad(t, &v->start_mark, "同じ操作が二回あります", "the operation is given twice");
    /* A row that could never fit is a mistake, not a refusal. */
    if (op->purpose && op->purpose != row->purpose)
        return ytree_bad(t, &v->start_mark, "この操作の目的は別です", "this operation is for another purpose");
    if (op->program && op->program != row->program)
        return ytree_bad(t, &v->start_mark, "この操作の業務は別です", "this operation belongs to another program");
    row->operations[row->n_operations++] = op;
    return OK;
}

static struct err row_operations(struct ytree *t, yaml_node_t *v, void *to)
{
    struct basis_row *row = PART(row);
    if (!row->purpose)
        return ytree_bad(t, &v->start_mark, "先に purpose を書いてください", "purpose comes first");
    row->operations = arena_get(t->texts, (ytree_size(v) + 1) * sizeof *row->operations);
    return row->operations ? ytree_list(t, v, BASIS_OPERATIONS_MAX, row_operation, to) : FAIL(E_NOMEM);
}

/* What its own purpose takes, and the row does not give. */
static ERR row_judge(struct ytree *t, const yaml_mark_t *at, const struct basis_row *row)
{
    if (!row->n_callers || !row->n_operations)
        return ytree_bad(t, at, "callers と operations は空にできません", "callers and operations cannot be empty");
    for (size_t i = 0; i < row->n_operations; i++)
        if (row->operations[i]->purpose && row->operations[i]->items & ~(unsigned)row->items)
            return ytree_bad(t, at, "items が足りない操作があります", "there is an operation that needs more items");
    return OK;
}

static struct err row_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "id", row_id, true }, { "law", row_law, true }, { "standing", row_standing, true }, { "source", row_source, true }, { "program", row_program, false },
        { "purpose", row_purpose, true }, { "callers", callers_read, true }, { "operations", row_operations, true }, { "items", items_read, true },
        { "retention_days", row_retention, true }, { "consent", row_consent, false },
    };
    struct basis *b = to;
    struct basis_row *one = &b->rows[b->n_rows];
    TRY(MAPPING(t, v, KEYS, (&(struct part){ .b = b, .row = one, .ja = &one->law_ja, .en = &one->law_en, .items = &one->items })));
    TRY(row_judge(t, &v->start_mark, one));
    b->n_rows++;
    return OK;
}

static struct err rows_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, BASIS_ROWS_MAX, row_read, to); }

/* ---- the document ---- */

static struct err document_read(struct ytree *t, yaml_node_t *root, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "purposes", purposes_read, true }, { "programs", programs_read, true }, { "operations", operations_read, true }, { "bases", rows_read, true },
    };
    const struct basis *b = to;
    TRY(MAPPING(t, root, KEYS, to));
    TRY(basis__index(to));
    for (size_t i = 0; i < b->n_operations; i++)
        if (b->of[i].n == 0)
            return ytree_bad(t, &(yaml_mark_t){ .line = b->at[i].line, .column = b->at[i].column }, "この操作を認める根拠(bases)がありません",
                             "no basis names this operation");
    return OK;
}

ERR basis_parse(struct basis **ret_b, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct basis *b = calloc(1, sizeof *b);
    if (b)
        b->texts = arena_new(ARENA_BYTES);
    struct err e = b && b->texts ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = ytree_parse(file, yaml, BASIS_FILE_MAX, b->texts, bad_line, document_read, b);
    if (!err_ok(e)) {
        basis_free(b);
        return e;
    }
    *ret_b = b;
    return OK;
}

static struct err parse(void *to, const char *file, struct slice yaml, struct buf *bad_line) { return basis_parse(to, file, yaml, bad_line); }

ERR basis_load(struct basis **ret_b, const char *path) { return ytree_load(path, BASIS_FILE_MAX, parse, ret_b); }

void basis_free(struct basis *b)
{
    if (!b)
        return;
    arena_free(b->texts);
    free(b);
}
