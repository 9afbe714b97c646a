#include "connectors/number/vrs_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "connectors/number/vrs_status.h"
#include "gateway/base/json_write.h"
#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"

enum { URL_MAX = 1100, REQUEST_SLACK = 1024, REQUEST_PER_ROW = 256, ANSWER_SLACK = 4096, ANSWER_PER_ROW = 512, VERSION_MAX = 20, BASIS_ROOM = 8 };

static const struct kind { const char *path, *rows, *id, *content; } KINDS[NZ_VRS_KIND__MAX] = {
    [NZ_VRS_REGISTRATIONS] = { "registrations", "registrations", "registrationId", "registration" },
    [NZ_VRS_RECORDS] = { "records", "records", "immunizationId", "immunization" },
};

/* ---- the request ---- */

static struct err write_number(struct slice digits, void *arg)
{
    jsonw_str(arg, "myNumber", digits);
    return OK;
}

static void write_version(struct jsonw *w, uint64_t version)
{
    char text[VERSION_MAX + 1];
    jsonw_str(w, "version", slice_of(text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)version)));
}

static ERR write_row(const struct kind *k, const struct nz_vrs_row *row, struct jsonw *w)
{
    struct buf hex;
    buf_init(&hex, 2 * NZ_VRS_ROW_ID);
    buf_hex(&hex, ARR(row->id));
    jsonw_object(w, NULL);
    struct err e = nz_mynum_use(row->number, write_number, w);
    jsonw_str(w, k->id, buf_slice(&hex));
    write_version(w, row->version);
    jsonw_raw(w, k->content, row->json);
    jsonw_end_object(w);
    buf_done(&hex);
    return e;
}

ERR nz_vrs_report_write(const struct nz_vrs_report *r, struct buf *out)
{
    const struct kind *k = &KINDS[r->kind];
    struct jsonw w;
    char basis[BASIS_ROOM];
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", ARR(r->id));
    jsonw_str(&w, "municipalityCode", ARR(r->muni));
    jsonw_str(&w, "legalBasis", slice_of(basis, (size_t)snprintf(basis, sizeof basis, "%u", r->basis)));
    jsonw_array(&w, k->rows);
    for (size_t i = 0; i < r->n; i++)
        TRY(write_row(k, &r->row[i], &w));
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return buf_check(out);
}

/* ---- the reply ---- */

static bool text_is(json_t *obj, const char *name, struct slice *ret)
{
    json_t *v = json_object_get(obj, name);
    if (!json_is_string(v))
        return false;
    *ret = slice_of(json_string_value(v), json_string_length(v));
    return true;
}

static bool says(json_t *obj, const char *name, struct slice what)
{
    struct slice s;
    return text_is(obj, name, &s) && slice_eq(s, what);
}

static bool code_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_' && (s.p[i] < 'a' || s.p[i] > 'z'))
            return false;
    return s.n >= 1 && s.n <= NZ_VRS_CODE_MAX;
}

static bool version_is(json_t *obj, uint64_t want)
{
    struct slice s;
    uint64_t v;
    return text_is(obj, "version", &s) && s.n <= VERSION_MAX && u64_parse(s, &v) && v == want;
}

/* What is said about one row; anything that was not agreed is a breach. */
static void take_verdict(struct nz_vrs_row *row, json_t *obj)
{
    static const struct { const char *word; enum nz_vrs_said said; } RESULTS[] = {
        { "accepted", NZ_VRS_ACCEPTED }, { "refused", NZ_VRS_REFUSED }, { "later", NZ_VRS_LATER },
    };
    struct slice code = SLICE_NONE;
    const bool has_code = json_object_get(obj, "code") != NULL;
    row->said = NZ_VRS_BREACH;
    if (json_object_size(obj) != 3u + has_code || !version_is(obj, row->version) || (has_code && (!text_is(obj, "code", &code) || !code_ok(code))))
        return;
    for (size_t i = 0; i < sizeof RESULTS / sizeof RESULTS[0]; i++)
        if (says(obj, "result", slice_str(RESULTS[i].word)) && (RESULTS[i].said != NZ_VRS_ACCEPTED || !has_code))
            row->said = RESULTS[i].said;
    if (row->said == NZ_VRS_REFUSED && code.n)
        memcpy(row->code, code.p, code.n);
}

static struct nz_vrs_row *row_of(const struct nz_vrs_report *r, const uint8_t id[static NZ_VRS_ROW_ID])
{
    for (size_t i = 0; i < r->n; i++)
        if (slice_eq(ARR(r->row[i].id), slice_of(id, NZ_VRS_ROW_ID)))
            return &r->row[i];
    return NULL;
}

static ERR take_row(const struct nz_vrs_report *r, json_t *obj, bool *seen)
{
    struct slice hex;
    uint8_t id[NZ_VRS_ROW_ID];
    struct nz_vrs_row *row = NULL;
    if (json_is_object(obj) && text_is(obj, KINDS[r->kind].id, &hex) && hex_decode(hex, id, sizeof id))
        row = row_of(r, id);
    if (!row || seen[row - r->row])
        return FAIL(E_UPSTREAM_BAD);
    seen[row - r->row] = true;
    take_verdict(row, obj);
    return OK;
}

static void all_later(const struct nz_vrs_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        r->row[i].said = NZ_VRS_LATER;
        memset(r->row[i].code, 0, sizeof r->row[i].code);
    }
}

static ERR judge(const struct nz_vrs_report *r, json_t *reply)
{
    bool seen[NZ_VRS_ROWS_MAX] = { false };
    json_t *rows = json_object_get(reply, KINDS[r->kind].rows), *obj;
    size_t i;
    if (json_object_size(reply) != 3 || !json_is_array(rows) || !says(reply, "requestId", ARR(r->id)) || !says(reply, "municipalityCode", ARR(r->muni)))
        return FAIL(E_UPSTREAM_BAD);
    json_array_foreach (rows, i, obj)
        TRY(take_row(r, obj, seen));
    return OK;
}

ERR nz_vrs_report_judge(const struct nz_vrs_report *r, struct slice body)
{
    json_t *reply;
    struct arena *a = arena_new(4096); /* holds the hook that frees the JSON */
    all_later(r);
    struct err e = a ? json_in_object(&reply, a, body) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = judge(r, reply);
    else if (!err_is(e, E_NOMEM))
        e = FAIL(E_UPSTREAM_BAD);
    arena_free(a);
    if (!err_ok(e))
        all_later(r);
    return e;
}

/* ---- both ---- */

struct told { struct nz_vrs_report r; nz_vrs_reported_fn *done; void *arg; };

static void on_answer(void *arg, struct err e, int status, struct slice body)
{
    struct told t = *(struct told *)arg;
    free(arg);
    if (err_ok(e) && status != 200)
        e = nz_vrs_status(status);
    if (err_ok(e))
        e = nz_vrs_report_judge(&t.r, body);
    t.done(t.arg, e);
}

void nz_vrs_report(struct client *c, const char *url, unsigned timeout_ms, const struct nz_vrs_report *r, nz_vrs_reported_fn *done, void *arg)
{
    char full[URL_MAX];
    struct client_req req = { .method = "POST", .url = full, .content_type = "application/json", .timeout_ms = timeout_ms };
    struct told *t = malloc(sizeof *t);
    struct buf body;
    size_t room = REQUEST_SLACK;
    MUST(t && r->n >= 1 && r->n <= NZ_VRS_ROWS_MAX && r->kind < NZ_VRS_KIND__MAX); /* as in client_refuse() */
    *t = (struct told){ *r, done, arg };
    all_later(r);
    for (size_t i = 0; i < r->n; i++)
        room += REQUEST_PER_ROW + r->row[i].json.n;
    req.answer_max = ANSWER_SLACK + r->n * ANSWER_PER_ROW;
    buf_init(&body, room);
    struct err e = snprintf(full, sizeof full, "%s/%s", url, KINDS[r->kind].path) < URL_MAX ? nz_vrs_report_write(r, &body) : FAIL(E_CONFIG);
    if (err_ok(e))
        client_send(c, &req, &body, on_answer, t);
    else
        client_refuse(c, e, on_answer, t);
    buf_done(&body);
}
