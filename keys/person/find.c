#include "keys/person/find.h"

#include "gateway/base/text.h"
#include "keys/change/step.h"
#include "keys/intake/work.h"

enum { LOCK_WAIT_MS = 15, HOPS_MAX = 8, FIELDS = 4 };

static void round_begin(struct nz_found *f);
static void ask_subject(struct nz_found *f);

static void unlock(struct nz_found *f)
{
    if (f->n_locks)
        nz_locks_give(f->in->outbox->locks, (const uint8_t (*)[NZ_LOCK_BYTES])f->lock, f->n_locks);
    f->n_locks = 0;
}

static void end(struct nz_found *f, struct err e)
{
    if (!err_ok(e))
        unlock(f);
    timer_free(f->timer);
    f->timer = NULL;
    f->done(f->arg, e);
}

void nz_found_end(struct nz_found *f)
{
    unlock(f);
    explicit_bzero(f->key, sizeof f->key);
}

static void wait_over(void *arg) { round_begin(arg); }

/* Somebody works on it: again in a moment. */
static void later(struct nz_found *f)
{
    unlock(f);
    if (loop_now(f->in->loop) + LOCK_WAIT_MS >= f->deadline) {
        end(f, FAIL(E_BUSY));
        return;
    }
    struct err e = f->timer ? OK : timer_new(&f->timer, f->in->loop, wait_over, f);
    if (err_ok(e))
        timer_start(f->timer, LOCK_WAIT_MS);
    else
        end(f, e);
}

static void ask(struct nz_found *f, struct redis_batch *b, redis_done_fn *heard)
{
    if (b)
        redis_send(f->in->redis, b, f->deadline, heard, f);
    else
        end(f, FAIL(E_NOMEM));
}

/* ---- names ---- */

static void name_sid(const char sid[static NZ_CH_HEX], struct store_name *ret_k)
{
    memcpy(ret_k->c, "s:", 2);
    memcpy(ret_k->c + 2, sid, NZ_CH_HEX);
    ret_k->n = 2 + NZ_CH_HEX;
}

static bool take_hex(struct slice hex, char to[static NZ_CH_HEX])
{
    uint8_t bytes[NZ_CH_HEX / 2];
    if (hex.n != NZ_CH_HEX || !hex_decode(hex, bytes, sizeof bytes))
        return false;
    memcpy(to, hex.p, NZ_CH_HEX);
    return true;
}

/* ---- what is stored ---- */

static ERR take_ids(struct nz_found *f, struct slice rk, struct slice al)
{
    static const char NONE[NZ_CH_HEX + 1] = "00000000000000000000000000000000";
    struct slice sid, of;
    f->n_ids = 1;
    memcpy(f->id[0].sid, f->sid, NZ_CH_HEX);
    f->id[0].has_rk = take_hex(rk, f->id[0].rk);
    while (slice_take(&al, NZ_CH_HEX, &sid) && slice_take(&al, NZ_CH_HEX, &of)) {
        struct nz_found_id *id = &f->id[f->n_ids];
        if (f->n_ids == NZ_FOUND_IDS || !take_hex(sid, id->sid))
            return FAIL(E_SEAL);
        id->has_rk = !slice_eq(of, slice_str(NONE)) && take_hex(of, id->rk);
        f->n_ids++;
    }
    return OK;
}

static ERR take_key(struct nz_found *f, struct slice sealed)
{
    struct buf key;
    struct person p;
    if (sealed.n > sizeof f->sealed)
        return FAIL(E_SEAL);
    memcpy(f->sealed, sealed.p, sealed.n);
    f->n_sealed = sealed.n;
    buf_init(&key, PMH_KEY_MAX);
    struct err e = store_open(f->in->store, slice_of(f->muni, 6), &f->subject, LIT("k"), sealed, &key);
    if (err_ok(e)) {
        memset(f->key, 0, sizeof f->key);
        memcpy(f->key, key.p, key.n);
        e = store_person(f->in->store, buf_slice(&key), &p);
    }
    buf_done(&key);
    TRY(e);
    store_name_person(&p, &f->person);
    return OK;
}

/* A subject without a PMH key is one whose first row still waits. */
static ERR take_subject(struct nz_found *f, const struct redis_reply *r)
{
    const struct slice sealed = redis_reply_str(redis_reply_at(r, 0));
    f->known = sealed.n > 0;
    f->person.n = 0;
    f->n_ids = 0;
    if (!f->known)
        return OK;
    TRY(take_ids(f, redis_reply_str(redis_reply_at(r, 1)), redis_reply_str(redis_reply_at(r, 3))));
    return take_key(f, sealed);
}

/* ---- under the locks: does it still stand? ---- */

static void add_lock(struct nz_found *f, struct slice hex) { f->n_locks += hex_decode(hex, f->lock[f->n_locks], NZ_LOCK_BYTES); }

static bool lock(struct nz_found *f)
{
    f->n_locks = 0;
    add_lock(f, ARR(f->asked));
    if (f->known)
        add_lock(f, slice_of(f->person.c + 3, NZ_CH_HEX));
    for (size_t i = 0; i < f->n_ids; i++) {
        add_lock(f, ARR(f->id[i].sid));
        if (f->id[i].has_rk && !slice_eq(ARR(f->id[i].rk), ARR(f->asked)))
            add_lock(f, ARR(f->id[i].rk));
    }
    if (nz_locks_take(f->in->outbox->locks, (const uint8_t (*)[NZ_LOCK_BYTES])f->lock, f->n_locks))
        return true;
    f->n_locks = 0;
    return false;
}

static bool stands(const struct nz_found *f, const struct redis_reply *const *replies)
{
    struct nz_found now = { .in = f->in };
    const struct slice sid = redis_reply_str(replies[0]);
    memcpy(now.muni, f->muni, sizeof now.muni);
    memcpy(now.sid, f->sid, sizeof now.sid);
    now.subject = f->subject;
    bool same = !redis_reply_str(redis_reply_at(replies[1], 2)).n && err_ok(take_subject(&now, replies[1])) && now.known == f->known &&
                now.n_ids == f->n_ids && slice_eq(slice_of(now.sealed, now.n_sealed), slice_of(f->sealed, f->n_sealed));
    for (size_t i = 0; same && i < f->n_ids; i++)
        same = slice_eq(ARR(now.id[i].sid), ARR(f->id[i].sid)) && now.id[i].has_rk == f->id[i].has_rk && slice_eq(ARR(now.id[i].rk), ARR(f->id[i].rk));
    /* The key leads there directly, or over subjects whose leading is theirs to keep. */
    bool leads = slice_eq(sid, ARR(f->sid));
    for (size_t i = 0; !leads && i < f->n_ids; i++)
        leads = slice_eq(sid, ARR(f->id[i].sid));
    explicit_bzero(now.key, sizeof now.key);
    return same && leads;
}

static void locked_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_found *f = arg;
    if (err_ok(e) && n != (f->subject.n ? 2u : 1u))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e))
        end(f, e);
    else if (!f->subject.n ? !redis_reply_str(replies[0]).n : stands(f, replies))
        end(f, OK);
    else
        later(f);
}

static void lock_and_look(struct nz_found *f)
{
    struct store_name rk;
    if (!lock(f)) {
        later(f);
        return;
    }
    struct redis_batch *b = redis_batch_new(1024);
    nz_ch_rk_name(f->muni, ARR(f->asked), &rk);
    if (b)
        REDIS_ADD(b, LIT("GET"), store_name_slice(&rk));
    if (b && f->subject.n)
        REDIS_ADD(b, LIT("HMGET"), store_name_slice(&f->subject), LIT("k"), LIT("rk"), LIT("to"), LIT("al"));
    ask(f, b, locked_heard);
}

/* ---- who is it ---- */

static void subject_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_found *f = arg;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != FIELDS))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && take_hex(redis_reply_str(redis_reply_at(replies[0], 2)), f->sid)) {
        if (++f->hops > HOPS_MAX)
            end(f, FAIL(E_SEAL));
        else
            ask_subject(f);
        return;
    }
    if (err_ok(e))
        e = take_subject(f, replies[0]);
    if (err_ok(e))
        lock_and_look(f);
    else
        end(f, e);
}

static void ask_subject(struct nz_found *f)
{
    name_sid(f->sid, &f->subject);
    struct redis_batch *b = redis_batch_new(512);
    if (b)
        REDIS_ADD(b, LIT("HMGET"), store_name_slice(&f->subject), LIT("k"), LIT("rk"), LIT("to"), LIT("al"));
    ask(f, b, subject_heard);
}

static void key_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_found *f = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        end(f, e);
        return;
    }
    if (take_hex(redis_reply_str(replies[0]), f->sid))
        ask_subject(f);
    else
        lock_and_look(f);
}

static void round_begin(struct nz_found *f)
{
    struct store_name rk;
    f->known = false;
    f->hops = 0;
    f->n_ids = 0;
    f->subject.n = f->person.n = f->n_sealed = 0;
    struct redis_batch *b = redis_batch_new(512);
    nz_ch_rk_name(f->muni, ARR(f->asked), &rk);
    if (b)
        REDIS_ADD(b, LIT("GET"), store_name_slice(&rk));
    ask(f, b, key_heard);
}

static void begin_later(void *arg) { round_begin(arg); }

void nz_found_start(struct nz_found *f, struct nz_intake *in, const char muni[static 6], const struct store_name *rk, uint64_t deadline,
                    void (*done)(void *arg, struct err e), void *arg)
{
    *f = (struct nz_found){ .in = in, .deadline = deadline, .done = done, .arg = arg };
    memcpy(f->muni, muni, sizeof f->muni);
    memcpy(f->asked, rk->c + rk->n - NZ_CH_HEX, NZ_CH_HEX);
    if (!err_ok(loop_defer(in->loop, begin_later, f)))
        round_begin(f);
}
