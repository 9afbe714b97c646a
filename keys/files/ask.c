#include "keys/files/ask.h"

#include <stdio.h>

#include "gateway/base/text.h"
#include "keys/registration/number_inside.h"

enum { SHA_HEX = 64, TASK_HEX = 32, OPERATION_MAX = 64 };
static const int64_t BYTES_MAX = INT64_C(1) << 40;

struct values { struct field_value operation, sha256, name, source, layout, encoding, mode, of; };

#define AT(member) offsetof(struct values, member)
static const struct field FIELDS[] = {
    { .name = "operation", .offset = AT(operation), .cls = FC_ALNUM, .min = 1, .max = OPERATION_MAX, .required = true },
    { .name = "sha256", .offset = AT(sha256), .cls = FC_ALNUM, .min = SHA_HEX, .max = SHA_HEX },
    { .name = "name", .offset = AT(name), .cls = FC_TEXT, .min = 0, .max = NZ_SPOOL_NAME_MAX },
    { .name = "source", .offset = AT(source), .cls = FC_CODE, .min = 1, .max = 16, .words = "csv|json|json_lines" },
    { .name = "layout", .offset = AT(layout), .cls = FC_ALNUM, .min = 1, .max = NZ_LAYOUT_NAME_MAX },
    { .name = "encoding", .offset = AT(encoding), .cls = FC_CODE, .min = 1, .max = 8, .words = "auto|utf-8|cp932" },
    { .name = "mode", .offset = AT(mode), .cls = FC_CODE, .min = 1, .max = 8, .words = "apply|dry_run" },
    { .name = "only_failed_of", .offset = AT(of), .cls = FC_ALNUM, .min = TASK_HEX, .max = TASK_HEX },
};

/* A JSON number, which no field class has. Taken out of obj. */
static void bytes_read(json_t *obj, uint64_t *ret_bytes, struct field_report *report)
{
    json_t *v = json_object_get(obj, "bytes");
    if (!v)
        field_fault_add(report, "bytes", FR_MISSING);
    else if (!json_is_integer(v))
        field_fault_add(report, "bytes", FR_TYPE);
    else if (json_integer_value(v) < 1 || json_integer_value(v) > BYTES_MAX)
        field_fault_add(report, "bytes", FR_LENGTH);
    else
        *ret_bytes = (uint64_t)json_integer_value(v);
    json_object_del(obj, "bytes");
}

static void copy(char *to, size_t cap, struct slice s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    memcpy(to, s.p, n);
    to[n] = 0;
}

/* The name that a file has at its sender is kept and shown: nobody's number may be in it. */
static ERR name_read(struct slice name, struct nz_pool *pool, struct nz_file_ask *ask, struct field_report *report)
{
    struct nz_mynum *nobody;
    bool inside = true;
    TRY(nz_mynum_new(&nobody, pool, LIT("000000000000")));
    struct err e = nz_number_inside(name, nobody, NZ_INSIDE_ANY, pool, &inside);
    nz_mynum_free(nobody);
    TRY(e);
    if (inside)
        field_fault_add(report, "name", FR_NUMBER_INSIDE);
    else if (name.n > NZ_SPOOL_NAME_MAX)
        field_fault_add(report, "name", FR_LENGTH);
    else
        copy(ask->meta.name, sizeof ask->meta.name, name);
    return OK;
}

static void kinds_read(const struct values *v, struct nz_file_ask *ask, struct field_report *report)
{
    struct slice source = v->source.present ? v->source.text : LIT("csv"), mode = v->mode.present ? v->mode.text : LIT("apply");
    if (!nz_form_by_operation(v->operation.text, &ask->form) || ask->form == NZ_FORM_INQUIRY)
        field_fault_add(report, "operation", FR_CODE);
    if (!nz_file_source_parse(source, &ask->source))
        field_fault_add(report, "source", FR_CODE);
    if (!nz_file_mode_parse(mode, &ask->mode))
        field_fault_add(report, "mode", FR_CODE);
    copy(ask->encoding, sizeof ask->encoding, v->encoding.present ? v->encoding.text : LIT("auto"));
    if (v->layout.present && (ask->source != NZ_SOURCE_CSV || !nz_file_layout_ok(v->layout.text)))
        field_fault_add(report, "layout", ask->source != NZ_SOURCE_CSV ? FR_RANGE : FR_CLASS);
    else if (ask->source == NZ_SOURCE_CSV)
        copy(ask->layout, sizeof ask->layout, v->layout.present ? v->layout.text : slice_str(nz_form_info(ask->form)->layout));
}

static void sums_read(const struct values *v, struct nz_file_ask *ask, struct field_report *report)
{
    ask->meta.has_sha256 = v->sha256.present;
    if (v->sha256.present && !hex_decode(v->sha256.text, ask->meta.sha256, sizeof ask->meta.sha256))
        field_fault_add(report, "sha256", FR_CLASS);
    ask->has_of = v->of.present;
    if (v->of.present && !nz_task_id_parse(v->of.text, &ask->of))
        field_fault_add(report, "only_failed_of", FR_CLASS);
}

ERR nz_file_ask_read(struct slice body, struct arena *a, struct nz_pool *pool, struct nz_file_ask *ret_ask, struct field_report *ret_report)
{
    json_t *obj;
    struct values v;
    struct nz_file_ask ask = { 0 };
    struct field_report of_bytes = { 0 };
    TRY(json_in_object(&obj, a, body));
    bytes_read(obj, &ask.meta.bytes, &of_bytes);
    bool good = fields_read(obj, FIELDS, sizeof FIELDS / sizeof FIELDS[0], NULL, &v, ret_report);
    if (of_bytes.n_faults)
        field_fault_add(ret_report, of_bytes.faults[0].field, of_bytes.faults[0].rule);
    if (good) {
        kinds_read(&v, &ask, ret_report);
        sums_read(&v, &ask, ret_report);
        if (v.name.present)
            TRY(name_read(v.name.text, pool, &ask, ret_report));
    }
    if (ret_report->n_faults)
        return FAIL(E_FIELD);
    *ret_ask = ask;
    return OK;
}

/* ---- cursors ---- */

size_t nz_results_at_format(const struct nz_results_at *at, char out[static 96])
{
    return (size_t)snprintf(out, 96, "%llu-%llu-%llu-%llu", (unsigned long long)at->frame.offset, (unsigned long long)at->frame.frame,
                            (unsigned long long)at->skip, (unsigned long long)at->rows);
}

bool nz_results_at_parse(struct slice s, struct nz_results_at *ret_at)
{
    struct slice part[4];
    struct nz_results_at at;
    uint64_t *const to[4] = { &at.frame.offset, &at.frame.frame, &at.skip, &at.rows };
    for (int i = 0; i < 3; i++) {
        if (!slice_cut(s, '-', &part[i], &s))
            return false;
    }
    part[3] = s;
    for (int i = 0; i < 4; i++) {
        if (!u64_parse(part[i], to[i]))
            return false;
    }
    if (at.skip > NZ_FRAME_PLAIN || at.rows > UINT32_MAX || at.frame.offset > (uint64_t)INT64_MAX / 2)
        return false;
    *ret_at = at;
    return true;
}

/* ---- queries: name=value, each name once ---- */

static bool results_param(void *to, struct slice name, struct slice value)
{
    struct nz_results_query *q = to;
    if (slice_eq(name, LIT("cursor")) && !q->has_cursor)
        return q->has_cursor = nz_results_at_parse(value, &q->at);
    if (slice_eq(name, LIT("limit")) && !q->limit)
        return u64_parse(value, &q->limit) && q->limit >= 1 && q->limit <= NZ_RESULTS_PAGE_MAX;
    if (slice_eq(name, LIT("only")) && !q->only_failed)
        return q->only_failed = slice_eq(value, LIT("failed"));
    return false;
}

ERR nz_results_query_read(struct slice query, struct nz_results_query *ret_q)
{
    *ret_q = (struct nz_results_query){ 0 };
    TRY(query_each(query, results_param, ret_q));
    if (!ret_q->limit)
        ret_q->limit = NZ_RESULTS_PAGE_MAX;
    return OK;
}

static bool list_param(void *to, struct slice name, struct slice value)
{
    uint64_t *before = to;
    return slice_eq(name, LIT("cursor")) && *before == UINT64_MAX && u64_parse(value, before) && *before < UINT64_MAX;
}

ERR nz_list_query_read(struct slice query, uint64_t *ret_before_ms)
{
    *ret_before_ms = UINT64_MAX;
    return query_each(query, list_param, ret_before_ms);
}
