/* Order of the writes: first the person's own claim (HSETNX of the field in p:{h}), then the name (SET NX of ps:<hex>), each
 * only when nothing is there, and each is read back. Whoever finds something else there has lost and takes his claim back.
 * A crash in between leaves a claim without a name; the same post again completes it. A name whose person claims another
 * pseudonym is void for readers (look_up.c). */
#include "gateway/lookup/access.h"
#include "gateway/portal/portal.h"
#include "gateway/portal/pseudonym.h"
#include "gateway/redis/swap.h"

enum { BATCH_MAX = 2048 };

struct form {
    struct field_value pmh_key, pseudonym;
};

static const struct field FORM[] = {
    { .name = "pmh_key", .offset = offsetof(struct form, pmh_key), .cls = FC_TEXT, .min = 1, .max = PMH_KEY_MAX, .required = true },
    { .name = "pseudonym", .offset = offsetof(struct form, pseudonym), .cls = FC_TEXT, .min = PSEUDONYM_MIN, .max = PSEUDONYM_MAX,
      .required = true },
};

struct link {
    struct access a;
    struct form form;
    struct pseudonym ps;
    struct err lost; /* why the claim is taken back */
    uint8_t claim[PSEUDONYM_SEALED_MAX]; /* as it stood there */
    size_t claim_n;
};

static void on_taken_back(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct link *l = arg;
    access_end(&l->a, err_ok(e) ? l->lost : e);
}

/* The one that was read: another post may have taken it back already, and a further one claimed anew. */
static ERR take_back(struct link *l)
{
    struct slice person = store_name_slice(&l->ps.person), field = store_name_slice(&l->ps.field);
    struct redis_swap *s = redis_swap_new(BATCH_MAX);
    struct redis_batch *b = redis_batch_new(2 * BATCH_MAX);
    struct err e = s && b ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        redis_swap_expect(s, person, field, slice_of(l->claim, l->claim_n));
        REDIS_SWAP(s, LIT("HDEL"), person, field);
        e = redis_swap_put(s, b);
    }
    redis_swap_free(s);
    if (err_ok(e))
        access_send(&l->a, b, on_taken_back, l);
    else
        redis_batch_free(b);
    return e;
}

static void on_named(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct link *l = arg;
    if (err_ok(e) && (n != 3 || redis_reply_type(replies[1]) != REDIS_STR))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        l->a.rec.epoch = (uint64_t)redis_reply_int(replies[2]);
    if (err_ok(e))
        e = pseudonym_match_key(l->a.env->store, &l->ps, redis_reply_str(replies[1]));
    if (e.code == E_CONFLICT) {
        l->lost = e;
        e = take_back(l);
        if (err_ok(e))
            return;
    }
    access_end(&l->a, e);
}

static ERR name_it(struct link *l)
{
    struct buf sealed;
    struct slice name = store_name_slice(&l->ps.name);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    buf_init(&sealed, PMH_KEY_SEALED_MAX);
    struct err e = b ? pseudonym_seal_key(l->a.env->store, &l->ps, &sealed) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        REDIS_ADD(b, LIT("SET"), name, buf_slice(&sealed), LIT("NX"));
        REDIS_ADD(b, LIT("GET"), name);
        redis_raise(b, STORE_EPOCH); /* a store that comes back without it is known */
        access_send(&l->a, b, on_named, l);
    } else {
        redis_batch_free(b);
    }
    buf_done(&sealed);
    return e;
}

/* It has opened, so it is no longer than what we seal. */
static void keep_claim(struct link *l, struct slice sealed)
{
    l->claim_n = sealed.n <= sizeof l->claim ? sealed.n : 0;
    memcpy(l->claim, sealed.p, l->claim_n);
}

static void on_claimed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct link *l = arg;
    if (err_ok(e) && (n != 2 || redis_reply_type(replies[1]) != REDIS_STR))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = pseudonym_match_text(l->a.env->store, &l->ps, redis_reply_str(replies[1]));
    if (err_ok(e))
        keep_claim(l, redis_reply_str(replies[1]));
    if (err_ok(e))
        e = name_it(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}

static ERR claim(struct link *l)
{
    struct buf sealed;
    struct slice person = store_name_slice(&l->ps.person), field = store_name_slice(&l->ps.field);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    buf_init(&sealed, PSEUDONYM_SEALED_MAX);
    struct err e = b ? pseudonym_seal_text(l->a.env->store, &l->ps, &sealed) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        REDIS_ADD(b, LIT("HSETNX"), person, field, buf_slice(&sealed));
        REDIS_ADD(b, LIT("HGET"), person, field);
        access_send(&l->a, b, on_claimed, l);
    } else {
        redis_batch_free(b);
    }
    buf_done(&sealed);
    return e;
}

static ERR begin(struct link *l)
{
    struct access *a = &l->a;
    l->ps = (struct pseudonym){ .portal = slice_str(req_caller(a->r)->system), .text = l->form.pseudonym.text,
                                .pmh_key = l->form.pmh_key.text };
    TRY(access_subject(a, l->ps.pmh_key));
    TRY(pseudonym_name(a->env->store, &l->ps));
    TRY(pseudonym_person(a->env->store, &l->ps));
    a->rec.count = 1;
    return claim(l);
}

void portal_link_pseudonym(struct req *r)
{
    struct link *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        return;
    const char *bad = !pseudonym_chars_ok(l->form.pmh_key.text) ? "pmh_key" : !pseudonym_chars_ok(l->form.pseudonym.text) ? "pseudonym" : NULL;
    if (bad) {
        access_refuse_field(r, bad, FR_CLASS);
        return;
    }
    if (!access_open(&l->a, r, AU_PSEUDONYM_LINKED))
        return;
    l->a.always_on_the_beat = true; /* 204 also for a key that nobody has */
    struct err e = begin(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}
