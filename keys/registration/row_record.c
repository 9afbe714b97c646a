#include "keys/registration/row_record.h"

/* Fifteen digits give a decimal fraction back as it was written. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

enum { OUT_MAX = 4 * STORE_RECORD_MAX }; /* room that is asked for before the escapes are known */

void nz_row_work_init(struct nz_row_work *w, enum nz_form form, const char muni[static 6], const struct check_levels *levels, struct nz_pool *pool)
{
    *w = (struct nz_row_work){ .table = nz_form_table(form), .muni = muni, .levels = levels, .pool = pool };
    buf_init(&w->scratch, STORE_RECORD_MAX);
    buf_init(&w->out, OUT_MAX);
}

void nz_row_work_done(struct nz_row_work *w)
{
    buf_done(&w->scratch);
    buf_done(&w->out);
}

static const struct field_value *value_at(const struct nz_values *v, size_t offset)
{
    return (const struct field_value *)((const uint8_t *)v + offset);
}

static int dump_put(const char *p, size_t n, void *arg)
{
    struct buf *b = arg;
    buf_put(b, slice_of(p, n));
    return b->failed ? -1 : 0;
}

/* The JSON of an object or an array, with its member names, which are the sender's too; borrowed from v or from scratch. */
static ERR json_of(const struct field_value *v, struct buf *scratch, struct slice *ret_s)
{
    *ret_s = v->text;
    if (!v->json)
        return OK;
    buf_reset(scratch);
    int r = json_dump_callback(v->json, dump_put, scratch, DUMP_FLAGS);
    TRY(buf_check(scratch));
    if (r != 0)
        return FAIL(E_NOMEM);
    *ret_s = buf_slice(scratch);
    return OK;
}

/* ---- the number ---- */

static ERR judge_inside(struct nz_row_work *w, const struct nz_values *v, struct nz_row *row)
{
    for (size_t i = 0; i < w->table->n_kept; i++) {
        const struct nz_kept *k = &w->table->kept[i];
        const struct field_value *f = value_at(v, k->offset);
        struct slice text;
        bool found;
        if (!f->present)
            continue;
        TRY(json_of(f, &w->scratch, &text));
        TRY(nz_number_inside(text, row->number, k->how, w->pool, &found));
        if (found)
            field_fault_add(&row->report, k->name, FR_NUMBER_INSIDE);
    }
    return OK;
}

static ERR judge_number(struct nz_row_work *w, const struct nz_values *v, struct nz_row *row)
{
    if (!v->number.present)
        return OK;
    TRY(nz_mynum_new(&row->number, w->pool, v->number.text));
    field_check_judge(&row->report, "myNumber", CK_MYNUMBER, w->levels, nz_mynum_check_digit(row->number));
    return judge_inside(w, v, row);
}

/* ---- the record ---- */

#define EVERY(byte) (0x0101010101010101ull * (byte))

static bool has_byte(uint64_t w, uint8_t byte)
{
    uint64_t x = w ^ EVERY(byte);
    return ((x - EVERY(1)) & ~x & EVERY(0x80)) != 0;
}

static uint8_t *put_bytes(uint8_t *at, struct slice s)
{
    memcpy(at, s.p, s.n);
    return at + s.n;
}

static uint8_t *put_escaped(uint8_t *at, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"' || p[i] == '\\')
            *at++ = '\\';
        *at++ = p[i];
    }
    return at;
}

/* A text without control characters, quoted. Eight bytes at a time: nearly none needs an escape. */
static uint8_t *put_text(uint8_t *at, struct slice s)
{
    size_t i = 0;
    *at++ = '"';
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        if (has_byte(w, '"') || has_byte(w, '\\')) {
            at = put_escaped(at, s.p + i, 8);
            continue;
        }
        memcpy(at, &w, 8);
        at += 8;
    }
    at = put_escaped(at, s.p + i, s.n - i);
    *at++ = '"';
    return at;
}

static ERR put_member(struct nz_row_work *w, const struct nz_member *m, const struct field_value *v)
{
    struct slice s = v->text;
    if (m->put == NZ_PUT_JSON)
        TRY(json_of(v, &w->scratch, &s));
    if (m->put == NZ_PUT_FLAG)
        s = v->flag ? LIT("true") : LIT("false");
    uint8_t *from = buf_room(&w->out, m->lead.n + 2 * s.n + 2), *at = from;
    if (!at)
        return buf_check(&w->out);
    at = put_bytes(at, m->lead);
    at = m->put == NZ_PUT_TEXT ? put_text(at, s) : put_bytes(at, s);
    buf_grew(&w->out, (size_t)(at - from));
    return OK;
}

static ERR write_eligibility(struct nz_row_work *w, const struct nz_values *v)
{
    buf_put(&w->out, LIT("{\"municipalityCode\":\""));
    buf_put(&w->out, slice_of(w->muni, 6));
    buf_put(&w->out, LIT("\""));
    for (size_t i = 0; i < w->table->n_members; i++) {
        const struct nz_member *m = &w->table->members[i];
        const struct field_value *f = value_at(v, m->offset);
        if (f->present)
            TRY(put_member(w, m, f));
    }
    buf_put(&w->out, LIT("}"));
    return buf_check(&w->out);
}

#define LITERAL_SLICE(s) { (const uint8_t *)("" s), sizeof("" s) - 1 }

static ERR write_basic(struct nz_row_work *w, const struct nz_values *v)
{
    static const struct nz_member MEMBERS[NZ_BASIC_FIELDS] = {
        { LITERAL_SLICE("{\"name\":"), offsetof(struct nz_values, name), NZ_PUT_TEXT },
        { LITERAL_SLICE(",\"nameKana\":"), offsetof(struct nz_values, kana), NZ_PUT_TEXT },
        { LITERAL_SLICE(",\"address\":"), offsetof(struct nz_values, address), NZ_PUT_TEXT },
        { LITERAL_SLICE(",\"dateOfBirth\":"), offsetof(struct nz_values, birth), NZ_PUT_TEXT },
        { LITERAL_SLICE(",\"sex\":"), offsetof(struct nz_values, sex), NZ_PUT_TEXT },
    };
    if (!v->name.present) /* the table wants all five or none */
        return OK;
    for (size_t i = 0; i < NZ_BASIC_FIELDS; i++)
        TRY(put_member(w, &MEMBERS[i], value_at(v, MEMBERS[i].offset)));
    buf_put(&w->out, LIT("}"));
    return buf_check(&w->out);
}

static struct slice take(struct slice *all, size_t n)
{
    struct slice s = SLICE_NONE;
    if (n)
        (void)slice_take(all, n, &s);
    return s;
}

static bool removes(const struct nz_values *v) { return v->modification.present && slice_eq(v->modification.text, LIT("2")); }

/* All texts of the row in one piece of the arena. */
static ERR fill(struct nz_row_work *w, const struct nz_values *v, struct arena *a, struct nz_row *row)
{
    const bool removal = removes(v);
    buf_reset(&w->out);
    if (!removal)
        TRY(write_eligibility(w, v));
    size_t n_eligibility = w->out.n;
    TRY(write_basic(w, v));
    size_t n_basic = w->out.n - n_eligibility;
    buf_put(&w->out, v->type_id.text);
    buf_put(&w->out, v->history_key.text);
    buf_put(&w->out, v->resident_key.text);
    TRY(buf_check(&w->out));
    struct slice all = arena_dup(a, buf_slice(&w->out));
    TRY(arena_check(a));
    row->record = (struct record){ .not_disclosed = v->not_disclosed.flag, .viewing_stopped = v->stopped.flag, .recovery = v->recovery.flag, .removal = removal,
                                   .deleted = v->deleted.flag, .ended = removal ? v->removed.date : v->forced.date };
    row->record.from = removal ? 0 : v->from.date;
    row->record.to = removal ? 0 : v->to.date;
    row->record.eligibility = take(&all, n_eligibility);
    row->record.basic = take(&all, n_basic);
    row->type_id = take(&all, v->type_id.text.n);
    row->history_key = take(&all, v->history_key.text.n);
    row->resident_key = take(&all, v->resident_key.text.n);
    row->has_resident_key = v->resident_key.present;
    return OK;
}

static bool is_bad(const struct nz_row *row, const char *field)
{
    for (unsigned i = 0; i < row->report.n_faults && i < FIELD_FAULTS_MAX; i++)
        if (strcmp(row->report.faults[i].field, field) == 0)
            return true;
    return row->report.n_faults >= FIELD_FAULTS_MAX;
}

/* Whose row it is that was refused. */
static ERR keep_key(struct nz_row_work *w, const struct nz_values *v, struct arena *a, struct nz_row *row)
{
    bool tell = false;
    if (!v->resident_key.present || is_bad(row, "municipalityIdentityKey"))
        return OK;
    TRY(nz_key_tellable(v->resident_key.text, row->number, !row->number || is_bad(row, "myNumber"), w->pool, &tell));
    if (!tell)
        return OK;
    row->resident_key = arena_dup(a, v->resident_key.text);
    row->has_resident_key = true;
    return arena_check(a);
}

struct err nz_row_make(struct nz_row_work *w, const struct nz_values *v, struct arena *a, struct nz_row *row)
{
    struct err e = judge_number(w, v, row);
    if (err_ok(e) && row->report.n_faults == 0) {
        row->verdict = NZ_ROW_OK;
        e = fill(w, v, a, row);
        if (err_ok(e))
            return OK;
    } else {
        row->verdict = NZ_ROW_FIELD;
        if (err_ok(e))
            e = keep_key(w, v, a, row);
    }
    nz_mynum_free(row->number);
    row->number = NULL;
    return e;
}
