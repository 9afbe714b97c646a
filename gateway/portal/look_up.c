#include "gateway/lookup/access.h"
#include "gateway/portal/portal.h"
#include "gateway/portal/pseudonym.h"

enum { BATCH_MAX = 512 };

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = {
    { .name = "pseudonym", .offset = offsetof(struct form, pseudonym), .cls = FC_TEXT, .min = PSEUDONYM_MIN, .max = PSEUDONYM_MAX,
      .required = true },
};

struct look_up {
    struct access a;
    struct form form;
    struct pseudonym ps;
};

/* claim: the pseudonym that the person is known by at this portal, if any. */
static ERR give(struct look_up *l, const struct redis_reply *records, const struct redis_reply *claim)
{
    struct jsonw w;
    struct err e = OK;
    if (redis_reply_type(claim) == REDIS_STR)
        e = pseudonym_match_text(l->a.env->store, &l->ps, redis_reply_str(claim));
    if (e.code == E_CONFLICT)
        return FAIL(E_NOTHING);
    TRY(e);
    TRY(access_judge(&l->a, &w, &l->ps.person, records));
    jsonw_end_object(&w);
    return OK;
}

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct look_up *l = arg;
    return access_judge_again(&l->a, hash);
}

static void on_records(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look_up *l = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = give(l, replies[0], replies[1]);
    access_end(&l->a, e);
}

static ERR find_person(struct look_up *l, struct slice sealed)
{
    struct access *a = &l->a;
    struct buf key;
    buf_init(&key, PMH_KEY_SEALED_MAX);
    struct err e = pseudonym_open_key(a->env->store, &l->ps, sealed, &key);
    l->ps.pmh_key = buf_slice(&key);
    if (err_ok(e))
        e = pseudonym_person(a->env->store, &l->ps);
    if (err_ok(e))
        e = access_subject(a, l->ps.pmh_key);
    l->ps.pmh_key = SLICE_NONE;
    buf_done(&key);
    return e;
}

static ERR read_records(struct look_up *l, const struct redis_reply *sealed)
{
    if (redis_reply_type(sealed) != REDIS_STR)
        return FAIL(E_NOTHING);
    TRY(find_person(l, redis_reply_str(sealed)));
    struct slice person = store_name_slice(&l->ps.person);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("HGETALL"), person);
    REDIS_ADD(b, LIT("HGET"), person, store_name_slice(&l->ps.field));
    fresh_watch(&l->a, &l->ps.person, still_good, l);
    access_send(&l->a, b, on_records, l);
    return OK;
}

static void on_key(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look_up *l = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = read_records(l, replies[0]);
    if (!err_ok(e))
        access_end(&l->a, e);
}

static ERR begin(struct look_up *l)
{
    l->ps = (struct pseudonym){ .portal = slice_str(req_caller(l->a.r)->system), .text = l->form.pseudonym.text };
    TRY(pseudonym_name(l->a.env->store, &l->ps));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("GET"), store_name_slice(&l->ps.name));
    access_send(&l->a, b, on_key, l);
    return OK;
}

void portal_look_up(struct req *r)
{
    struct look_up *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        return;
    if (!pseudonym_chars_ok(l->form.pseudonym.text)) {
        access_refuse_field(r, "pseudonym", FR_CLASS);
        return;
    }
    if (!access_open(&l->a, r, AU_CITIZEN_LOOKUP))
        return;
    struct err e = begin(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}
