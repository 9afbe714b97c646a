#include "gateway/clinic/clinic.h"
#include "gateway/clinic/key_list.h"
#include "gateway/clinic/look_up.h"

/* A clinic's day list: each key as by itself, what they ask of Redis and of the audit log in one piece. */

enum { NO_COMMANDS = -1 };

struct day_list {
    struct access_list list;
    struct key_list keys;
    struct look_up *each;
    int first[ACCESS_LIST_MAX]; /* of its commands in the batch; NO_COMMANDS: it ended before */
    size_t n_commands;
};

static void on_left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct day_list *d = arg;
    const size_t n_keys = d->keys.n; /* when the last of them has ended, d is gone; none does before the loop's next turn */
    if (err_ok(e) && n != d->n_commands + 1)
        e = FAIL(E_STORE_REFUSED);
    const uint64_t epoch = err_ok(e) ? (uint64_t)redis_reply_int(replies[d->n_commands]) : 0;
    for (size_t i = 0; i < n_keys; i++)
        if (d->first[i] != NO_COMMANDS)
            look_up_heard(&d->each[i], e, err_ok(e) ? replies + d->first[i] : NULL, epoch);
}

static ERR ask_for(struct look_up *l, struct redis_batch *b)
{
    TRY(look_up_begin(l));
    return look_up_ask(l, b);
}

static void ask_for_all(struct day_list *d, struct redis_batch *b)
{
    bool any = false;
    redis_batch_expect(b, d->keys.n * LOOK_UP_BATCH_SIZE);
    for (size_t i = 0; i < d->keys.n; i++) {
        struct look_up *l = &d->each[i];
        d->first[i] = (int)redis_batch_count(b);
        struct err e = ask_for(l, b);
        any |= err_ok(e);
        if (!err_ok(e)) {
            d->first[i] = NO_COMMANDS;
            access_end(&l->a, e);
        }
    }
    d->n_commands = redis_batch_count(b);
    if (!any) {
        redis_batch_free(b);
        return;
    }
    redis_raise(b, STORE_EPOCH);
    access_send(&d->each[0].a, b, on_left, d);
}

static ERR read_form(struct day_list *d, struct req *r)
{
    struct field_report report;
    struct err e = key_list_read(&d->keys, req_arena(r), req_body(r), &report);
    if (err_is(e, E_FIELD))
        req_problem(r, e, field_report_write, &report);
    else if (!err_ok(e))
        req_fail(r, e);
    return e;
}

void clinic_look_up_list(struct req *r)
{
    struct day_list *d = access_new(r, sizeof *d);
    if (!d || !err_ok(read_form(d, r)))
        return;
    d->each = access_new(r, d->keys.n * sizeof *d->each);
    if (!d->each || !access_list_open(&d->list, r, d->keys.n, sizeof *d->each + LOOK_UP_BATCH_SIZE))
        return;
    for (size_t i = 0; i < d->keys.n; i++) {
        access_list_part(&d->list, &d->each[i].a, AU_CLINIC_LOOKUP);
        d->each[i].link_key = d->keys.key[i];
    }
    struct redis_batch *b = redis_batch_new(d->keys.n * LOOK_UP_BATCH_MAX);
    if (b)
        ask_for_all(d, b);
    for (size_t i = 0; i < d->keys.n && !b; i++)
        access_end(&d->each[i].a, FAIL(E_NOMEM));
}
