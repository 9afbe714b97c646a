/* 履歴照会回答システム: an ID5 of a person for one provision. As published: a hash of the oldest 個人単位被保険者番号, hashed anew at every provision, so that no two are
 * the same. What is asked with (the PMH key) and the HTTP form are ours. Asks the intermediary server, inside the process, whose key it is; keeps only what it gave. */
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { KEY_MAX = 128, PURPOSE_MAX = 64, KEPT_LINE = 256, ANSWER_MAX = 1024 };

static uint32_t holder_of(struct nation *n, struct slice pmh_key)
{
    for (uint32_t at = 0; at < n->people.n; at++)
        if (slice_eq(pmh_key, slice_str(people_at(&n->people, at)->intermediary.pmh_key)))
            return at;
    return TABLE_NONE;
}

/* The number of the insured is derived, as all identifiers of the nation are; it never leaves this function. */
static ERR id5_make(struct nation *n, uint32_t at, struct slice request, struct buf *out)
{
    char insured[ID_CHARS + 1];
    uint8_t sum[MAC_BYTES];
    TRY(ids_make(n, "insured", slice_of(people_at(&n->people, at)->number, 12), insured));
    TRY(MAC_SUM(n->ids, sum, LIT("id5"), slice_of(insured, ID_CHARS), request));
    buf_hex(out, ARR(sum));
    explicit_bzero(insured, sizeof insured);
    return buf_check(out);
}

static ERR keep(struct nation *n, struct slice request, struct slice id5)
{
    struct buf line;
    struct jsonw w;
    buf_init(&line, KEPT_LINE);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", request);
    jsonw_str(&w, "id5", id5);
    jsonw_end_object(&w);
    struct err e = buf_check(&line);
    if (err_ok(e))
        e = kept_add(&n->partners->id5.given, buf_slice(&line));
    buf_done(&line);
    return e;
}

static ERR question_read(struct req *r, struct slice *ret_request, struct slice *ret_key)
{
    json_t *obj;
    struct slice purpose;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (json_object_size(obj) != 3 || !member_text(obj, "requestId", MESSAGE_ID, ret_request) || !is_message_id(*ret_request) ||
        !member_text(obj, "pmhKey", KEY_MAX, ret_key) || !member_text(obj, "purpose", PURPOSE_MAX, &purpose) || !slice_eq(purpose, LIT("vaccination_database")))
        return FAIL(E_FIELD);
    return OK;
}

static void answer(struct nation *n, struct req *r, const struct fault *fx, struct slice request, struct slice id5)
{
    struct buf body;
    struct jsonw w;
    buf_init(&body, ANSWER_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", fx->other_person ? LIT("00000000000000000000000000000000") : request);
    jsonw_str(&w, "id5", id5);
    jsonw_end_object(&w);
    answer_send(n, r, fx, 200, &body);
    buf_done(&body);
}

static void id5_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct slice request, key;
    struct buf id5;
    const struct fault fx = faults_take(&n->faults, SYSTEM_ID5);
    n->partners->id5.requests++;
    if (partner_stopped(n, r, &fx))
        return;
    buf_init(&id5, ID5_CHARS);
    struct err e = question_read(r, &request, &key);
    const uint32_t at = err_ok(e) ? holder_of(n, key) : TABLE_NONE;
    if (err_ok(e) && at == TABLE_NONE) {
        n->partners->id5.unknown++;
        e = FAIL(E_NOTHING);
    }
    if (err_ok(e))
        e = id5_make(n, at, request, &id5);
    if (err_ok(e))
        e = keep(n, request, buf_slice(&id5));
    if (err_ok(e))
        answer(n, r, &fx, request, buf_slice(&id5));
    else
        answer_fail(n, r, &fx, e);
    buf_done(&id5);
}

const struct route ID5_ROUTES[] = {
    { M_POST, "/id5/v1/id5", { "giveId5" }, CALLER_BIT(CALLER_GATEWAY), false, 4096, "application/json", 130000, id5_post },
    { M_POST, "/redirected", { "redirected" }, 0, false, 65536, "application/json", 1000, redirected },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t ID5_ROUTES_N = sizeof ID5_ROUTES / sizeof *ID5_ROUTES;
