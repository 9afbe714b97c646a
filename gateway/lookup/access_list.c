#include "gateway/base/must.h"
#include "gateway/lookup/access_int.h"

enum { NAME_BYTES = 256 /* of a command that reads a person */, PROBLEM_BYTES = 4096 /* room for each part in the answer beside what it tells */ };

/* ---- the beginning ---- */

static void wipe_parts(void *arg)
{
    struct access_list *s = arg;
    for (size_t i = 0; i < s->n; i++)
        buf_done(&s->out[i]);
}

static ERR begin(struct access_list *s)
{
    TRY(access__can_work(s->env));
    for (size_t i = 0; i < s->n; i++)
        buf_init(&s->out[i], ACCESS_LIST_TOLD_MAX);
    return arena_on_reset(req_arena(s->r), wipe_parts, s) ? OK : FAIL(E_NOMEM);
}

bool access_list_open(struct access_list *s, struct req *r, size_t n, size_t bytes)
{
    MUST(n > 0 && n <= ACCESS_LIST_MAX);
    *s = (struct access_list){ .r = r, .env = req_ctx(r), .n = n };
    struct err e = begin(s);
    if (!err_ok(e)) {
        req_fail(r, e);
        return false;
    }
    if (!req_is_list(r, (unsigned)n, n * bytes))
        return false;
    const uint64_t at = req_deadline(r), now = loop_now(req_loop(r));
    rhythm_arrived(&s->place, at > now ? at - now : 0);
    s->env->in_work++;
    return true;
}

void access_list_part(struct access_list *s, struct access *a, enum audit_event event)
{
    MUST(s->open < s->n);
    access__begin(a, s->r, event);
    a->list = s;
    a->out = &s->out[s->open];
    s->part[s->open++] = a;
}

struct err access_list_room(struct access *a)
{
    struct access_list *s = a->list;
    const size_t most = req_out(s->r)->max, ends = s->n * PROBLEM_BYTES, more = a->out->n;
    size_t room = most > ends ? most - ends : 0;
    if (room > ACCESS_LIST_TOLD_MAX)
        room = ACCESS_LIST_TOLD_MAX;
    if (s->told > room || more > room - s->told || !req_takes(s->r, 2 * more)) /* here and in the answer */
        return FAIL(E_BUSY);
    s->told += more;
    return OK;
}

/* ---- the answer ---- */

/* Nothing is known of any, and nothing was used up: they may all come again as they are. */
static bool whole_trouble(const struct access_list *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct access *a = s->part[i];
        if (err_ok(a->heard) || a->may_be_used || err_info(a->heard.code)->status < 500)
            return false;
    }
    return true;
}

static void tell_problem(struct access *a, struct jsonw *w, struct buf *doc)
{
    void *extra_arg;
    access_extra_fn *extra = access__extra(a, &extra_arg);
    buf_reset(doc);
    problem_write(doc, a->heard.code, req_id(a->r), extra, extra_arg);
    jsonw_object(w, NULL);
    jsonw_raw(w, "problem", buf_slice(doc));
    jsonw_end_object(w);
}

static void tell_all(struct access_list *s)
{
    struct jsonw w;
    struct buf doc, *out = req_out(s->r);
    buf_init(&doc, PROBLEM_BYTES);
    jsonw_init(&w, out);
    buf_room(out, s->told + 16 * s->n); /* at once, as a rule: what grows is copied and wiped */
    jsonw_object(&w, NULL);
    jsonw_array(&w, "results");
    for (size_t i = 0; i < s->n; i++)
        if (err_ok(s->part[i]->heard))
            jsonw_raw(&w, NULL, buf_slice(s->part[i]->out));
        else
            tell_problem(s->part[i], &w, &doc);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    struct err e = buf_check(&doc);
    if (err_ok(e))
        e = buf_check(out);
    buf_done(&doc);
    if (err_ok(e))
        req_json(s->r, 200, buf_slice(out));
    else
        req_fail(s->r, e);
}

static void answer(struct access_list *s)
{
    s->env->in_work--;
    for (size_t i = 0; i < s->n; i++)
        access__look_at_store(s->part[i]);
    req_recorded(s->r);
    if (whole_trouble(s))
        req_fail(s->r, s->part[0]->heard);
    else
        tell_all(s);
}

/* ---- when all have ended ---- */

static bool is_told(const struct access *a) { return err_ok(a->heard) && a->fresh.judge; }

static bool older(const struct access_list *s, uint64_t ms)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_told(s->part[i]) && fresh_older(s->part[i], ms))
            return true;
    return false;
}

/* Those that were told have stayed so since they were asked for: nothing of a part happens while it is read again. */
static void on_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct access_list *s = arg;
    const size_t asked = s->open;
    size_t at = 0;
    if (err_ok(e) && n != asked)
        e = FAIL(E_STORE_REFUSED);
    s->open++; /* the request is there until all have been looked at */
    for (size_t i = 0; i < s->n && at < asked; i++) {
        struct access *a = s->part[i];
        if (!is_told(a))
            continue;
        struct err verdict = err_ok(e) ? fresh_verdict(a, replies[at]) : e;
        at++;
        if (err_ok(verdict))
            s->open--;
        else
            fresh_silence(a, verdict);
    }
    access__part_left(s);
}

static void read_again(struct access_list *s)
{
    struct redis_batch *b = redis_batch_new(s->n * NAME_BYTES);
    struct access *any = NULL;
    s->open = 0;
    for (size_t i = 0; i < s->n; i++)
        if (is_told(s->part[i])) {
            any = s->part[i];
            s->open++;
            if (b)
                fresh_ask(any, b);
        }
    if (b)
        access_send(any, b, on_read, s);
    else
        on_read(s, FAIL(E_NOMEM), NULL, 0);
}

/* The beat may have taken as long again as the work before it. */
static void on_beat(void *arg)
{
    struct access_list *s = arg;
    if (older(s, FRESH_MAX_MS))
        read_again(s);
    else
        answer(s);
}

static void ended(struct access_list *s)
{
    bool on_the_beat = false;
    for (size_t i = 0; i < s->n; i++)
        on_the_beat |= s->part[i]->on_the_beat || s->part[i]->always_on_the_beat;
    if (older(s, FRESH_MS)) {
        read_again(s);
    } else if (on_the_beat) {
        if (!s->rests)
            req_rests(s->r);
        s->rests = true;
        rhythm_wait(s->env->rhythm, &s->place, on_beat, s);
    } else {
        answer(s);
    }
}

void access__part_left(struct access_list *s)
{
    if (--s->open == 0)
        ended(s);
}
