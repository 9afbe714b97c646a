#include "gateway/check/field.h"

#include "gateway/base/text.h"

#define EVERY(byte) (0x0101010101010101ull * (byte))

/* Some byte of w is zero. */
static bool has_zero(uint64_t w) { return ((w - EVERY(1)) & ~w & EVERY(0x80)) != 0; }
/* Some byte of w is below 0x20. */
static bool has_low(uint64_t w) { return ((w - EVERY(0x20)) & ~w & EVERY(0x80)) != 0; }

static bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }

/* C1: U+0080..U+009F, which is C2 80..C2 9F. */
static bool has_c1(struct slice s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == 0xC2 && s.p[i + 1] < 0xA0)
            return true;
    return false;
}

/* U+202A..U+202E, U+2066..U+2069 (E2 80 AA..AE, E2 81 A6..A9): they turn around what stands behind them on a screen, a name among it. */
static bool has_turn(struct slice s)
{
    for (size_t i = 0; i + 2 < s.n; i++) {
        const uint8_t b = s.p[i + 1], c = s.p[i + 2];
        if (s.p[i] == 0xE2 && ((b == 0x80 && c >= 0xAA && c <= 0xAE) || (b == 0x81 && c >= 0xA6 && c <= 0xA9)))
            return true;
    }
    return false;
}

/* Code points of s, and whether one is a control character: eight bytes at a time, because most of a file goes through here.
 * s: well-formed UTF-8. */
static size_t scan_text(struct slice s, bool *ret_control)
{
    size_t more = 0, i = 0; /* more: continuation bytes */
    bool control = false, c2 = false, e2 = false;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        uint64_t tail = w & ~(w << 1) & EVERY(0x80);
        more += (size_t)((tail >> 7) * EVERY(1) >> 56);
        control |= has_low(w) || has_zero(w ^ EVERY(0x7f));
        c2 |= has_zero(w ^ EVERY(0xC2)); /* its tail may lie in the next eight */
        e2 |= has_zero(w ^ EVERY(0xE2));
    }
    for (; i < s.n; i++) {
        more += (s.p[i] & 0xC0) == 0x80;
        control |= is_control(s.p[i]);
        c2 |= s.p[i] == 0xC2;
        e2 |= s.p[i] == 0xE2;
    }
    *ret_control = control || (c2 && has_c1(s)) || (e2 && has_turn(s));
    return s.n - more;
}

bool field_text_ok(struct slice s)
{
    bool control;
    scan_text(s, &control);
    return !control;
}

static bool code_known(struct slice s, const char *words)
{
    struct slice rest = slice_str(words), word;
    while (slice_cut(rest, '|', &word, &rest))
        if (slice_eq(word, s))
            return true;
    return slice_eq(rest, s);
}

typedef enum field_rule read_fn(const struct field_cell *v, const struct field *f, struct field_value *out);

static enum field_rule take_text(const struct field_cell *v, const struct field *f, struct field_value *out, bool *ret_control)
{
    if (v->kind != CELL_TEXT)
        return FR_TYPE;
    size_t n = scan_text(v->text, ret_control);
    if (n < f->min || n > f->max)
        return FR_LENGTH;
    out->text = v->text;
    return FR_NONE;
}

static enum field_rule read_text(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    bool control = false;
    enum field_rule r = take_text(v, f, out, &control);
    return r != FR_NONE || !control ? r : FR_CLASS;
}

static enum field_rule read_alnum(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    bool control;
    enum field_rule r = take_text(v, f, out, &control);
    return r != FR_NONE || all_url_safe(out->text) ? r : FR_CLASS;
}

static enum field_rule read_digits(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    bool control;
    enum field_rule r = take_text(v, f, out, &control);
    return r != FR_NONE || all_digits(out->text) ? r : FR_CLASS;
}

static enum field_rule read_date(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    (void)f;
    if (v->kind != CELL_TEXT)
        return FR_TYPE;
    out->text = v->text;
    return ymd_parse(out->text, &out->date) ? FR_NONE : FR_DATE;
}

static enum field_rule read_code(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    if (v->kind != CELL_TEXT)
        return FR_TYPE;
    out->text = v->text;
    return code_known(out->text, f->words) ? FR_NONE : FR_CODE;
}

static enum field_rule read_bool(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    (void)f;
    out->flag = v->flag;
    return v->kind == CELL_BOOL ? FR_NONE : FR_TYPE;
}

static enum field_rule take_json(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    if (v->items < f->min || v->items > f->max)
        return FR_LENGTH;
    out->text = v->text;
    out->json = v->json;
    return FR_NONE;
}

static enum field_rule read_array(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    enum field_rule r = v->kind == CELL_ARRAY ? take_json(v, f, out) : FR_TYPE;
    return r != FR_NONE || v->of_objects ? r : FR_TYPE;
}

static enum field_rule read_any_object(const struct field_cell *v, const struct field *f, struct field_value *out)
{
    return v->kind == CELL_OBJECT ? take_json(v, f, out) : FR_TYPE;
}

static read_fn *const READERS[] = {
    [FC_TEXT] = read_text, [FC_ALNUM] = read_alnum, [FC_DIGITS] = read_digits, [FC_DATE] = read_date,
    [FC_CODE] = read_code, [FC_BOOL] = read_bool,   [FC_ARRAY] = read_array,   [FC_ANY_OBJECT] = read_any_object,
};

/* CK_MYNUMBER is judged in the number zone. */
static bool (*const CHECKS[])(struct slice) = {
    [CK_NONE] = NULL, [CK_MYNUMBER] = NULL, [CK_PAYER] = check_payer, [CK_GTIN] = check_gtin, [CK_MUNI] = check_muni, [CK_INSTITUTION] = check_payer,
};

struct reader {
    const struct check_levels *levels;
    uint8_t *target;
    struct field_report *report;
};

static struct field_value *value_at(const struct reader *r, const struct field *f)
{
    return (struct field_value *)(r->target + f->offset);
}

static void clear_all(const struct reader *r, const struct field *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].cls == FC_OBJECT)
            clear_all(r, table[i].sub, table[i].n_sub);
        else
            *value_at(r, &table[i]) = (struct field_value){ 0 };
    }
}

static void read_one(const struct reader *r, const struct field *f, const struct field_cell *v)
{
    struct field_value got = { 0 };
    enum field_rule rule = READERS[f->cls](v, f, &got);
    if (rule != FR_NONE) {
        field_fault_add(r->report, f->name, rule);
        return;
    }
    if (CHECKS[f->check])
        field_check_judge(r->report, f->name, f->check, r->levels, CHECKS[f->check](got.text));
    got.present = true;
    *value_at(r, f) = got;
}

static bool all_objects(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!json_is_object(json_array_get(array, i)))
            return false;
    return true;
}

static struct field_cell cell_of(json_t *v)
{
    if (!v)
        return (struct field_cell){ .kind = CELL_ABSENT };
    if (json_is_string(v))
        return (struct field_cell){ .kind = CELL_TEXT, .text = slice_of(json_string_value(v), json_string_length(v)) };
    if (json_is_boolean(v))
        return (struct field_cell){ .kind = CELL_BOOL, .flag = json_is_true(v) };
    if (json_is_object(v))
        return (struct field_cell){ .kind = CELL_OBJECT, .items = json_object_size(v), .json = v };
    if (json_is_array(v))
        return (struct field_cell){ .kind = CELL_ARRAY, .items = json_array_size(v), .of_objects = all_objects(v), .json = v };
    return (struct field_cell){ .kind = CELL_OTHER };
}

/* Where the members of one object come from. */
struct members {
    json_t *obj;                    /* or */
    const struct field_cell *cells; /* the next one */
    size_t known;                   /* of obj */
};

static const struct field_cell *member_of(struct members *m, const struct field *f, struct field_cell *room)
{
    if (!m->obj)
        return m->cells++;
    json_t *v = json_object_get(m->obj, f->name);
    m->known += v != NULL;
    *room = cell_of(v);
    return room;
}

static void read_members(const struct reader *r, struct members *m, const struct field *table, size_t n);

static void read_object(const struct reader *r, struct members *m, const struct field *f, const struct field_cell *v)
{
    struct members inner = { v->json, m->cells, 0 };
    if (v->kind == CELL_OBJECT)
        read_members(r, &inner, f->sub, f->n_sub);
    else if (v->kind != CELL_ABSENT)
        field_fault_add(r->report, f->name, FR_TYPE);
    if (!m->obj)
        m->cells += fields_count(f->sub, f->n_sub);
}

/* The nesting is the table's, not the sender's. */
static void read_members(const struct reader *r, struct members *m, const struct field *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct field_cell room;
        const struct field_cell *v = member_of(m, &table[i], &room);
        if (v->kind == CELL_ABSENT && table[i].required)
            field_fault_add(r->report, table[i].name, FR_MISSING);
        if (table[i].cls == FC_OBJECT)
            read_object(r, m, &table[i], v);
        else if (v->kind != CELL_ABSENT)
            read_one(r, &table[i], v);
    }
    if (m->obj && json_object_size(m->obj) > m->known)
        field_fault_add(r->report, "", FR_UNKNOWN);
}

static bool read_all(struct members *m, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                     struct field_report *ret_report)
{
    struct reader r = { levels, target, ret_report };
    *ret_report = (struct field_report){ 0 };
    clear_all(&r, table, n);
    if (m->obj ? !json_is_object(m->obj) : !m->cells)
        field_fault_add(ret_report, "", FR_TYPE);
    else
        read_members(&r, m, table, n);
    return ret_report->n_faults == 0;
}

bool fields_read(json_t *obj, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                 struct field_report *ret_report)
{
    return read_all(&(struct members){ .obj = obj }, table, n, levels, target, ret_report);
}

bool fields_read_cells(const struct field_cell *cells, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                       struct field_report *ret_report)
{
    return read_all(&(struct members){ .cells = cells }, table, n, levels, target, ret_report);
}

/* A cell for each field. false: the tree decides, because of members that the table does not have, or of what cells do not tell apart. */
static bool cells_of(const struct json_flat *f, const struct field *table, size_t n, struct field_cell cells[static JSON_FLAT_MAX])
{
    size_t known = 0;
    if (n > JSON_FLAT_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json_flat_member *m = json_flat_find(f, slice_str(table[i].name));
        if (table[i].cls == FC_OBJECT)
            return false;
        cells[i] = (struct field_cell){ .kind = !m ? CELL_ABSENT : m->kind == JF_TEXT ? CELL_TEXT : CELL_OTHER };
        if (m)
            cells[i].text = m->text;
        known += m != NULL;
    }
    return known == f->n;
}

bool fields_read_text(struct err *ret_e, struct arena *a, struct slice text, const struct field *table, size_t n, void *target, struct field_report *ret_report)
{
    json_t *obj;
    struct json_flat flat;
    struct field_cell cells[JSON_FLAT_MAX];
    *ret_e = OK;
    if (json_flat(text, &flat) && cells_of(&flat, table, n, cells))
        return fields_read_cells(cells, table, n, NULL, target, ret_report);
    *ret_e = json_in_object(&obj, a, text);
    return err_ok(*ret_e) && fields_read(obj, table, n, NULL, target, ret_report);
}

size_t fields_count(const struct field *table, size_t n)
{
    size_t count = n;
    for (size_t i = 0; i < n; i++)
        count += table[i].cls == FC_OBJECT ? fields_count(table[i].sub, table[i].n_sub) : 0;
    return count;
}
