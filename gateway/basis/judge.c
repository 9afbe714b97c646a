#include "gateway/base/must.h"
#include "gateway/basis/register.h"

_Static_assert((SLOTS & (SLOTS - 1)) == 0 && BASIS_OPERATIONS_MAX < UINT8_MAX, "slots hold operations");

/* ---- operations by name ---- */

static size_t slot_of(struct slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ name.p[i]) * 16777619u;
    return h & (SLOTS - 1);
}

void basis__slot_add(struct basis *b, size_t operation)
{
    size_t at = slot_of(slice_str(b->operations[operation].name));
    while (b->slots[at])
        at = (at + 1) & (SLOTS - 1);
    b->slots[at] = (uint8_t)(operation + 1);
}

/* n_operations when there is none. */
static size_t find(const struct basis *b, struct slice name)
{
    for (size_t at = slot_of(name); b->slots[at]; at = (at + 1) & (SLOTS - 1))
        if (slice_eq(slice_str(b->operations[b->slots[at] - 1u].name), name))
            return b->slots[at] - 1u;
    return b->n_operations;
}

const struct basis_operation *basis_operation_of(const struct basis *b, struct slice name)
{
    size_t i = find(b, name);
    return i < b->n_operations ? &b->operations[i] : NULL;
}

/* ---- cells ---- */

static bool names(const struct basis_row *row, const struct basis_operation *op)
{
    for (size_t i = 0; i < row->n_operations; i++)
        if (row->operations[i] == op)
            return true;
    return false;
}

static ERR cells_of(struct basis *b, size_t operation)
{
    const struct basis_operation *op = &b->operations[operation];
    size_t n = 0;
    for (size_t i = 0; i < b->n_rows; i++)
        n += names(&b->rows[i], op) ? b->rows[i].n_callers : 0;
    struct cell *c = arena_get(b->texts, (n + 1) * sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    b->of[operation].cells = c;
    b->of[operation].n = n;
    for (size_t i = 0; i < b->n_rows; i++)
        for (size_t k = 0; names(&b->rows[i], op) && k < b->rows[i].n_callers; k++)
            *c++ = (struct cell){ slice_str(b->rows[i].callers[k].system), b->rows[i].callers[k].role, b->rows[i].items, &b->rows[i] };
    return OK;
}

ERR basis__index(struct basis *b)
{
    for (size_t i = 0; i < b->n_operations; i++)
        TRY(cells_of(b, i));
    return OK;
}

static bool is_caller(const struct cell *c, enum caller_role role, struct slice system)
{
    return c->role == role && (!c->system.n || !system.n || slice_eq(c->system, system));
}

/* ---- the verdict ---- */

struct basis_fit basis_judge(const struct basis *b, enum caller_role role, struct slice system, struct slice operation, struct slice purpose, unsigned items)
{
    size_t at = find(b, operation);
    if (at == b->n_operations)
        return (struct basis_fit){ 0 };
    const struct basis_operation *op = &b->operations[at];
    const struct basis_purpose *want = purpose.n ? basis_purpose_named(b, purpose) : op->purpose;
    unsigned asked = items ? items : op->items;
    for (size_t i = 0; want && i < b->of[at].n; i++) {
        const struct cell *c = &b->of[at].cells[i];
        if (is_caller(c, role, system) && c->row->purpose == want && (asked & ~(unsigned)c->items) == 0)
            return (struct basis_fit){ c->row->id, want->id, (uint16_t)asked, op->behalf };
    }
    return (struct basis_fit){ 0 };
}

bool basis_may(const struct basis *b, enum caller_role role, struct slice system, struct slice operation)
{
    size_t at = find(b, operation);
    for (size_t i = 0; at < b->n_operations && i < b->of[at].n; i++)
        if (is_caller(&b->of[at].cells[i], role, system))
            return true;
    return false;
}

const struct basis_row *basis_named(const struct basis *b, unsigned id, enum caller_role role, struct slice system, struct slice operation)
{
    size_t at = find(b, operation);
    for (size_t i = 0; at < b->n_operations && i < b->of[at].n; i++)
        if (b->of[at].cells[i].row->id == id && is_caller(&b->of[at].cells[i], role, system))
            return b->of[at].cells[i].row;
    return NULL;
}

void basis_note(struct audit_rec *rec, struct basis_fit fit)
{
    rec->basis = fit.id;
    rec->purpose = fit.purpose;
    rec->items = fit.items;
    rec->behalf = fit.behalf;
}

const char *basis_program(const struct basis *b, struct slice operation)
{
    const struct basis_operation *op = basis_operation_of(b, operation);
    return op && op->program ? op->program->word : NULL;
}

bool basis_has_program(const struct basis *b, struct slice word)
{
    for (size_t i = 0; i < b->n_programs; i++)
        if (slice_eq(slice_str(b->programs[i].word), word))
            return true;
    return false;
}

/* ---- for people and for walks ---- */

size_t basis_rows(const struct basis *b) { return b->n_rows; }
size_t basis_operations(const struct basis *b) { return b->n_operations; }
size_t basis_purposes(const struct basis *b) { return b->n_purposes; }
size_t basis_programs(const struct basis *b) { return b->n_programs; }

const struct basis_row *basis_row_at(const struct basis *b, size_t i)
{
    MUST(i < b->n_rows);
    return &b->rows[i];
}

const struct basis_operation *basis_operation_at(const struct basis *b, size_t i)
{
    MUST(i < b->n_operations);
    return &b->operations[i];
}

const struct basis_purpose *basis_purpose_at(const struct basis *b, size_t i)
{
    MUST(i < b->n_purposes);
    return &b->purposes[i];
}

const struct basis_program *basis_program_at(const struct basis *b, size_t i)
{
    MUST(i < b->n_programs);
    return &b->programs[i];
}

const struct basis_row *basis_row_of(const struct basis *b, unsigned id)
{
    for (size_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].id == id)
            return &b->rows[i];
    return NULL;
}

const struct basis_purpose *basis_purpose_of(const struct basis *b, unsigned id)
{
    for (size_t i = 0; i < b->n_purposes; i++)
        if (b->purposes[i].id == id)
            return &b->purposes[i];
    return NULL;
}

const struct basis_purpose *basis_purpose_named(const struct basis *b, struct slice word)
{
    for (size_t i = 0; i < b->n_purposes; i++)
        if (slice_eq(slice_str(b->purposes[i].word), word))
            return &b->purposes[i];
    return NULL;
}
