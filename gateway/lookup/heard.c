#include "gateway/lookup/judge.h"

enum { SCRATCH_MAX = 8 << 20 };

static bool registered(const struct redis_reply *hash)
{
    enum store_kind kind;
    struct slice muni;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = redis_reply_str(redis_reply_at(hash, i));
        if (store_field_kind(field, &kind, &muni) || store_field_is_end(field, &muni))
            return true;
    }
    return false;
}

/* Whether there is something to tell today is another question. */
struct err judge_heard(struct judge *ret_j, struct store *s, const struct store_name *person, ymd_t today, const struct redis_reply *hash)
{
    struct jsonw w;
    struct buf scratch;
    if (!registered(hash))
        return FAIL(E_NOTHING);
    buf_init(&scratch, SCRATCH_MAX);
    jsonw_init(&w, &scratch);
    jsonw_array(&w, NULL);
    judge_begin(ret_j, s, person, today, &w);
    struct err e = judge_reply(ret_j, hash);
    ret_j->out = NULL;
    buf_done(&scratch);
    return err_is(e, E_NOTHING) ? OK : e;
}

bool judge_lives_in(const struct judge *j, const struct redis_reply *hash, struct slice muni)
{
    enum store_kind kind;
    struct slice of;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (store_field_kind(redis_reply_str(redis_reply_at(hash, i)), &kind, &of) && (!muni.n || slice_eq(of, muni)) && !judge_has_ended(j, of))
            return true;
    return false;
}
