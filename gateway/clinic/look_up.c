#include "gateway/clinic/clinic.h"
#include "gateway/clinic/look_up.h"

struct form {
    struct field_value link_key;
};

static const struct field FORM[] = {
    { .name = "link_key", .offset = offsetof(struct form, link_key), .cls = FC_TEXT, .min = 1, .max = JWE_MAX, .required = true },
};

static void on_left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (err_ok(e) && n != LOOK_UP_REPLIES + 1)
        e = FAIL(E_STORE_REFUSED);
    look_up_heard(arg, e, replies, err_ok(e) ? (uint64_t)redis_reply_int(replies[LOOK_UP_REPLIES]) : 0);
}

static ERR ask(struct look_up *l)
{
    TRY(look_up_begin(l));
    struct redis_batch *b = redis_batch_new(LOOK_UP_BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    redis_batch_expect(b, LOOK_UP_BATCH_SIZE);
    struct err e = look_up_ask(l, b);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    redis_raise(b, STORE_EPOCH);
    access_send(&l->a, b, on_left, l);
    return OK;
}

void clinic_look_up(struct req *r)
{
    struct form form;
    struct look_up *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &form) || !access_open(&l->a, r, AU_CLINIC_LOOKUP))
        return;
    l->link_key = form.link_key.text;
    struct err e = ask(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}
