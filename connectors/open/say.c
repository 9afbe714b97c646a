#include "connectors/open/say.h"

#include "gateway/check/json_in.h"

enum { DIGITS_MAX = 20 };

void open_say_head(struct jsonw *w, const struct open_case *c, const char *const words[static NOTICE_WHAT__MAX])
{
    char at[24];
    clock_format_utc(c->n->at_ms, at);
    jsonw_object(w, NULL);
    jsonw_cstr(w, "messageId", c->id);
    jsonw_cstr(w, "event", words[c->n->what]);
    jsonw_str(w, "municipalityCode", ARR(c->n->muni));
    jsonw_str(w, "occurredAt", ARR(at));
}

void open_say_number(struct jsonw *w, const char *name, uint64_t n)
{
    struct buf digits;
    buf_init(&digits, DIGITS_MAX);
    buf_u64(&digits, n);
    jsonw_str(w, name, buf_slice(&digits));
    buf_done(&digits);
}

ERR open_say_end(struct jsonw *w)
{
    jsonw_end_object(w);
    return buf_check(w->out);
}

static bool take_member(json_t *obj, struct arena *a, struct open_member *m)
{
    const json_t *v = json_object_get(obj, m->name);
    const size_t n = json_string_length(v); /* 0 for what is no string */
    if (!n || n > m->max)
        return false;
    m->text = arena_dup(a, slice_of(json_string_value(v), n));
    return m->text.n == n;
}

bool open_hear(struct slice answer, struct arena *a, struct open_member *members, size_t n)
{
    json_t *obj;
    if (answer.n > OPEN_ANSWER_MAX || !err_ok(json_in_object(&obj, a, answer)) || json_object_size(obj) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!take_member(obj, a, &members[i]))
            return false;
    return true;
}

enum open_verdict open_never(enum open_reason why, enum open_reason *ret_why)
{
    *ret_why = why;
    return OPEN_NEVER;
}

enum open_verdict open_judge_taken(struct open_case *c, int status, struct slice answer, struct arena *a, enum open_reason *ret_why)
{
    struct open_member said[] = { { "messageId", NOTICE_HEX, SLICE_NONE } };
    const enum open_verdict v = open_judge_status(status, ret_why);
    if (v != OPEN_DELIVERED || !answer.n)
        return v;
    if (!open_hear(answer, a, said, 1))
        return open_never(OPEN_R_SHAPE, ret_why);
    return slice_eq(said[0].text, slice_str(c->id)) ? OPEN_DELIVERED : open_never(OPEN_R_OTHER, ret_why);
}
