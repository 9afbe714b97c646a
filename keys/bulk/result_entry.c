#include "keys/bulk/result_entry.h"

enum { HEAD_BYTES = 16, PLACE_BYTES = 12, FIELD_MAX = 128 };

/* ---- stored form ---- */

static void put_text(struct buf *out, struct slice s, size_t max)
{
    if (s.n > max)
        s = SLICE_NONE;
    buf_be16(out, (uint16_t)s.n);
    buf_put(out, s);
}

static void put_unread(struct buf *out, const struct nz_entry_fault *f)
{
    put_text(out, f->field, FIELD_MAX);
    put_text(out, slice_str(nz_rule_info(f->rule)->name), FIELD_MAX);
    buf_be64(out, f->line);
    buf_be32(out, f->column);
}

void nz_entry_encode(const struct nz_result_entry *e, struct buf *out)
{
    size_t at = out->n;
    buf_be16(out, 0);
    buf_be32(out, e->row);
    buf_be64(out, e->line);
    buf_be32(out, e->column);
    put_text(out, e->resident_key, NZ_ENTRY_KEY_MAX);
    put_text(out, e->changed, NZ_ENTRY_CHANGED_MAX);
    buf_putc(out, (uint8_t)e->n_unread);
    for (unsigned i = 0; i < e->n_unread; i++)
        put_unread(out, &e->unread[i]);
    nz_row_result_encode(&e->result, out);
    if (out->failed)
        return;
    size_t n = out->n - at - 2;
    out->p[at] = (uint8_t)(n >> 8);
    out->p[at + 1] = (uint8_t)n;
}

static uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool take_text(struct slice *in, size_t max, struct slice *ret)
{
    struct slice len;
    if (!slice_take(in, 2, &len))
        return false;
    size_t n = (size_t)be(len.p, 2);
    return n <= max && slice_take(in, n, ret);
}

static bool rule_of(struct slice name, enum nz_rule *ret)
{
    for (int r = NZ_RULE_NONE + 1; r < NZ_RULE__MAX; r++) {
        if (slice_eq(name, slice_str(nz_rule_info((enum nz_rule)r)->name))) {
            *ret = (enum nz_rule)r;
            return true;
        }
    }
    return false;
}

static bool take_unread(struct slice *in, struct nz_entry_fault *f)
{
    struct slice rule, place;
    if (!take_text(in, FIELD_MAX, &f->field) || !take_text(in, FIELD_MAX, &rule) || !rule_of(rule, &f->rule) ||
        !slice_take(in, PLACE_BYTES, &place))
        return false;
    f->line = be(place.p, 8);
    f->column = (uint32_t)be(place.p + 8, 4);
    return true;
}

static bool take_body(struct slice body, struct nz_result_entry *e)
{
    struct slice h, n;
    if (!slice_take(&body, HEAD_BYTES, &h))
        return false;
    e->row = (uint32_t)be(h.p, 4);
    e->line = be(h.p + 4, 8);
    e->column = (uint32_t)be(h.p + 12, 4);
    if (!e->row || !take_text(&body, NZ_ENTRY_KEY_MAX, &e->resident_key) || !take_text(&body, NZ_ENTRY_CHANGED_MAX, &e->changed) ||
        !slice_take(&body, 1, &n) || n.p[0] > NZ_ENTRY_UNREAD_MAX)
        return false;
    for (; e->n_unread < n.p[0]; e->n_unread++) {
        if (!take_unread(&body, &e->unread[e->n_unread]))
            return false;
    }
    return err_ok(nz_row_result_decode(body, &e->result));
}

ERR nz_entry_decode(struct slice *in, struct nz_result_entry *ret_e)
{
    struct nz_result_entry e = { 0 };
    struct slice rest = *in, len, body;
    if (!in->n)
        return FAIL(E_NOTHING);
    if (!slice_take(&rest, 2, &len) || !slice_take(&rest, (size_t)be(len.p, 2), &body) || !take_body(body, &e))
        return FAIL(E_SEAL);
    *ret_e = e;
    *in = rest;
    return OK;
}

/* ---- JSON ---- */

static const struct { enum err_who who; const char *retry; } ACTS[NZ_CODE__MAX] = {
    [NZ_CODE_FIELD] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_CONTRADICT] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_RESIDENT_TWO] = { WHO_ACTS_CALLER, "never" }, /* an officer releases or discards it */
    [NZ_CODE_NUMBER_TWO] = { WHO_ACTS_CALLER, "never" },   /* the same */
    [NZ_CODE_MISMATCH] = { WHO_ACTS_CALLER, "never" },     /* the same */
    [NZ_CODE_TICKET_OTHER] = { WHO_ACTS_CALLER, "never" }, /* the same */
    [NZ_CODE_RESIDENT_CHANGED] = { WHO_ACTS_CALLER, "never" }, /* the same, once the change was taken back */
    [NZ_CODE_UPSTREAM] = { WHO_ACTS_UPSTREAM, "later" },
    [NZ_CODE_MUNI_CLOSED] = { WHO_ACTS_OPERATOR, "never" },
    [NZ_CODE_TICKET_LOST] = { WHO_ACTS_CALLER, "later" },
    [NZ_CODE_UNREADABLE] = { WHO_ACTS_OPERATOR, "later" },
    [NZ_CODE_UNREADABLE_ROW] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_NOT_THERE] = { WHO_ACTS_CALLER, "never" },
    [NZ_CODE_DEAD] = { WHO_ACTS_UPSTREAM, "later" },
    [NZ_CODE_DISCARDED] = { WHO_ACTS_CALLER, "never" },
    [NZ_CODE_CHANGED_SINCE] = { WHO_ACTS_CALLER, "never" },
    [NZ_CODE_UNKNOWN_RESIDENT] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_NUMBER_NOT_KEYS] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_SAME_RESIDENT] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_NUMBER_OTHERS] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_OPERATION_REUSED] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_OPERATION_UNDONE] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_OPERATION_UNKNOWN] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_RESIDENT_MERGED] = { WHO_ACTS_CALLER, "after_fix" },
    [NZ_CODE_ROW_LOST] = { WHO_ACTS_OPERATOR, "later" },
    [NZ_CODE_TOO_MUCH] = { WHO_ACTS_OPERATOR, "never" },
    [NZ_CODE_ERASED] = { WHO_ACTS_CALLER, "never" },
    [NZ_CODE_ERASED_SINCE] = { WHO_ACTS_CALLER, "never" }, /* a person decides whether it is meant */
};

static bool not_applied(const struct nz_row_result *r) { return r->result == NZ_REFUSED || r->result == NZ_QUARANTINED; }

static void json_code(const struct nz_row_result *r, struct jsonw *w)
{
    if (r->code == NZ_CODE_NONE)
        return;
    jsonw_cstr(w, "code", nz_code_slug(r->code));
    jsonw_cstr(w, "message_ja", nz_code_ja(r->code));
    jsonw_cstr(w, "message_en", nz_code_en(r->code));
    if (!not_applied(r) || !ACTS[r->code].retry)
        return;
    jsonw_cstr(w, "who", err_who_name(ACTS[r->code].who));
    jsonw_cstr(w, "retry", ACTS[r->code].retry);
}

static void json_changed(struct slice names, struct jsonw *w)
{
    struct slice name;
    if (!names.n)
        return;
    jsonw_array(w, "changed");
    while (slice_cut(names, ',', &name, &names))
        jsonw_str(w, NULL, name);
    jsonw_str(w, NULL, names);
    jsonw_end_array(w);
}

static void json_unread(const struct nz_entry_fault *f, struct jsonw *w)
{
    const struct nz_rule_info *info = nz_rule_info(f->rule);
    jsonw_object(w, NULL);
    jsonw_str(w, "field", f->field);
    jsonw_cstr(w, "rule", info->name);
    jsonw_cstr(w, "message_ja", info->ja);
    jsonw_cstr(w, "message_en", info->en);
    jsonw_u64(w, "line", f->line);
    jsonw_u64(w, "column", f->column);
    jsonw_end_object(w);
}

void nz_entry_json(const struct nz_result_entry *e, struct jsonw *w)
{
    const struct nz_row_result *r = &e->result;
    jsonw_object(w, NULL);
    jsonw_u64(w, "row", e->row);
    if (e->line)
        jsonw_u64(w, "line", e->line);
    if (e->column)
        jsonw_u64(w, "column", e->column);
    if (e->resident_key.n)
        jsonw_str(w, "resident_key", e->resident_key);
    jsonw_cstr(w, "result", nz_result_name(r->result));
    json_code(r, w);
    if (r->with_row)
        jsonw_u64(w, "with_row", r->with_row);
    json_changed(e->changed, w);
    if (r->n_faults || e->n_unread) {
        jsonw_array(w, "errors");
        for (unsigned i = 0; i < r->n_faults; i++)
            field_fault_write(w, r->faults[i].field, r->faults[i].rule);
        for (unsigned i = 0; i < e->n_unread; i++)
            json_unread(&e->unread[i], w);
        jsonw_end_array(w);
    }
    if (r->n_warnings) {
        jsonw_array(w, "warnings");
        for (unsigned i = 0; i < r->n_warnings; i++)
            field_fault_write(w, r->warnings[i].field, r->warnings[i].rule);
        jsonw_end_array(w);
    }
    jsonw_end_object(w);
}
