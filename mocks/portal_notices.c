/* マイナポータル: what citizens are told, by pseudonym. */
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/partners.h"

enum { WORD_MAX = 128, KEPT_LINE = 2048 };

static ERR notice_read(struct req *r, json_t **ret_obj, struct slice *ret_id, struct slice *ret_pseudonym)
{
    static const char *const MEMBERS[] = { "event", "municipalityCode", "occurredAt", "immunizationId" };
    struct slice text;
    TRY(json_in_object(ret_obj, req_arena(r), req_body(r)));
    if (json_object_size(*ret_obj) != 6 || !member_text(*ret_obj, "messageId", MESSAGE_ID, ret_id) || !is_message_id(*ret_id) ||
        !member_text(*ret_obj, "pseudonym", WORD_MAX, ret_pseudonym))
        return FAIL(E_FIELD);
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++)
        if (!member_text(*ret_obj, MEMBERS[i], WORD_MAX, &text))
            return FAIL(E_FIELD);
    return OK;
}

static bool is_here(struct nation *n, struct slice pseudonym)
{
    for (uint32_t at = 0; at < n->people.n; at++)
        if (slice_eq(pseudonym, slice_str(people_at(&n->people, at)->portal.pseudonym)))
            return true;
    return false;
}

static bool is_known(const struct partners *p, struct slice body)
{
    for (size_t i = 0; i < p->portal.notices.n; i++)
        if (memmem(p->portal.notices.line[i], strlen(p->portal.notices.line[i]), body.p, body.n))
            return true;
    return false;
}

/* Taken for any pseudonym: a citizen who has withdrawn it does not learn that from us. `known` tells whether somebody has it. */
static ERR keep(struct nation *n, struct slice pseudonym, struct slice body)
{
    struct buf line;
    struct jsonw w;
    if (is_known(n->partners, body)) {
        n->partners->portal.repeated++;
        return OK;
    }
    buf_init(&line, KEPT_LINE);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "known", is_here(n, pseudonym));
    jsonw_raw(&w, "notice", body);
    jsonw_end_object(&w);
    struct err e = buf_check(&line);
    if (err_ok(e))
        e = kept_add(&n->partners->portal.notices, buf_slice(&line));
    buf_done(&line);
    return e;
}

void portal_notice_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    json_t *obj;
    struct slice id, pseudonym;
    const struct fault fx = faults_take(&n->faults, SYSTEM_PORTAL);
    n->partners->portal.requests++;
    if (partner_stopped(n, r, &fx))
        return;
    struct err e = notice_read(r, &obj, &id, &pseudonym);
    if (err_ok(e))
        e = keep(n, pseudonym, req_body(r));
    if (err_ok(e))
        partner_answer(n, r, &fx, "messageId", id, NULL);
    else
        answer_fail(n, r, &fx, e);
}
