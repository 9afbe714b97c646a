/* A release of many held rows: the first officer asks, another one asks for the same.
 *
 *   counted, what one officer releases alone on a day -> who has asked -> is that one still who he was, and somebody else -> used up, or asked for anew */

#include "gateway/base/text.h"
#include "keys/staff/work.h"

enum { ALONE, ASKED, PLAIN = STORE_HANDLE_BYTES + 8, WAIT_S = 3600, DAYS_KEPT_S = 2 * 86400 };

struct approve {
    struct req *r;
    struct nz_intake *in;
    const struct nz_who *who;
    struct store_name name;
    struct slice there;       /* what stands there, as it was read */
    struct nz_user_name first;
    uint64_t version;         /* of the first officer when he asked */
    nz_approved_fn *fn;
    void *arg;
};

static void end(struct approve *x, struct err e) { x->fn(x->arg, e); }

/* ---- who asks, sealed ---- */

static ERR ask_seal(struct approve *x, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, PLAIN);
    buf_put(&plain, ARR(x->who->name.handle));
    buf_be64(&plain, x->who->user.version);
    struct err e = store_seal(x->in->store, slice_of(x->who->muni, 6), &x->name, SLICE_NONE, buf_slice(&plain), out);
    buf_done(&plain);
    TRY(e);
    return buf_check(out);
}

static ERR ask_open(struct approve *x)
{
    struct buf plain;
    buf_init(&plain, PLAIN);
    struct err e = store_open(x->in->store, slice_of(x->who->muni, 6), &x->name, SLICE_NONE, x->there, &plain);
    if (err_ok(e) && plain.n != PLAIN)
        e = FAIL(E_SEAL);
    if (err_ok(e)) {
        nz_user_name_from(x->who->muni, plain.p, &x->first);
        x->version = 0;
        for (size_t i = STORE_HANDLE_BYTES; i < PLAIN; i++)
            x->version = x->version << 8 | plain.p[i];
    }
    buf_done(&plain);
    return e;
}

/* ---- the last step: nobody else was faster ---- */

/* KEYS order. ARGV: what was read, what becomes of it ("": used up), how long it waits. */
#define SETTLE                                                                        \
    "if (redis.call('GET',KEYS[1]) or '')~=ARGV[1] then return 0 end "                \
    "if ARGV[2]=='' then redis.call('DEL',KEYS[1]) else redis.call('SET',KEYS[1],ARGV[2],'EX',ARGV[3]) end return 1"

static void settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct approve *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_INT))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1)
        e = FAIL(E_APPROVAL);
    end(x, e);
}

static void asked_anew(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    end(arg, err_ok(e) ? FAIL(E_APPROVAL) : e);
}

static void settle(struct approve *x, struct slice becomes, redis_done_fn *done)
{
    struct redis_batch *b = redis_batch_new(2048);
    if (!b) {
        end(x, FAIL(E_NOMEM));
        return;
    }
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SETTLE));
    redis_arg_u64(b, 1);
    redis_arg(b, store_name_slice(&x->name));
    redis_arg(b, x->there);
    redis_arg(b, becomes);
    redis_arg_u64(b, WAIT_S);
    nz_staff_send(x->r, b, done, x);
}

static void ask_anew(struct approve *x)
{
    struct buf sealed;
    buf_init(&sealed, PLAIN + AEAD_OVERHEAD);
    struct err e = ask_seal(x, &sealed);
    if (err_ok(e))
        settle(x, buf_slice(&sealed), asked_anew);
    else
        end(x, e);
    buf_done(&sealed);
}

/* ---- the first officer, as he is now ---- */

/* Whoever gives somebody a password can log in as that one. */
static bool are_two(const struct approve *x, const struct nz_user *first)
{
    return !slice_eq(ARR(x->first.handle), ARR(x->who->name.handle)) && !slice_eq(ARR(first->giver), ARR(x->who->name.handle)) &&
           !slice_eq(ARR(x->who->user.giver), ARR(x->first.handle));
}

static void first_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct approve *x = arg;
    struct nz_user first;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        end(x, e);
        return;
    }
    const struct slice sealed = redis_reply_str(replies[0]);
    bool good = sealed.n && err_ok(nz_user_open(x->in->store, x->who->muni, &x->first, sealed, &first)) && first.version == x->version &&
                nz_user_on(&first, clock_date_jst(nz_staff_wall(x->in))) && are_two(x, &first);
    explicit_bzero(&first, sizeof first);
    if (good)
        settle(x, SLICE_NONE, settled);
    else
        ask_anew(x);
}

static void read_first(struct approve *x)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        end(x, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->first.us), ARR(x->first.hex));
    nz_staff_send(x->r, b, first_read, x);
}

/* ---- alone, or who has asked ---- */

/* KEYS count of the day, order. ARGV: greatest count, rows, how long the count is kept. */
#define LOOK                                                                                     \
    "local n=tonumber(redis.call('GET',KEYS[1]) or '0')+ARGV[2] "                                \
    "if n<=tonumber(ARGV[1]) then redis.call('SET',KEYS[1],string.format('%.0f',n),'EX',ARGV[3]) return {0} end " \
    "return {1,redis.call('GET',KEYS[2]) or ''}"

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct approve *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) < 1))
        e = FAIL(E_STORE_REFUSED);
    const bool alone = err_ok(e) && redis_reply_int(redis_reply_at(replies[0], 0)) == ALONE;
    if (err_ok(e) && !alone && !x->who)
        e = FAIL(E_STAFF);
    if (err_ok(e) && !alone) {
        x->there = arena_dup(req_arena(x->r), redis_reply_str(redis_reply_at(replies[0], 1)));
        e = arena_check(req_arena(x->r));
    }
    if (!err_ok(e) || alone)
        end(x, e);
    else if (x->there.n && err_ok(ask_open(x)))
        read_first(x);
    else
        ask_anew(x);
}

static void look(struct approve *x, uint64_t rows)
{
    static const uint8_t SYSTEM[STORE_HANDLE_BYTES];
    struct nz_user_name system;
    struct store_name day;
    struct redis_batch *b = redis_batch_new(1024);
    if (!b) {
        end(x, FAIL(E_NOMEM));
        return;
    }
    nz_user_name_from(nz_req_muni(x->r), SYSTEM, &system);
    nz_released_name(nz_req_muni(x->r), x->who ? &x->who->name : &system, clock_date_jst(nz_staff_wall(x->in)), &day);
    redis_begin(b, 8);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(LOOK));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(&day));
    redis_arg(b, store_name_slice(&x->name));
    redis_arg_u64(b, x->in->conf.release_two_officers);
    redis_arg_u64(b, rows);
    redis_arg_u64(b, DAYS_KEPT_S);
    nz_staff_send(x->r, b, looked, x);
}

void nz_staff_approve(struct req *r, struct slice order, uint64_t rows, nz_approved_fn *fn, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    struct approve *x;
    if (!in->conf.release_two_officers || !rows) {
        fn(arg, OK);
        return;
    }
    x = arena_get(req_arena(r), sizeof *x);
    struct err e = x ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        *x = (struct approve){ .r = r, .in = in, .who = nz_staff_of(r), .fn = fn, .arg = arg };
        e = nz_approval_name(in->store, nz_req_muni(r), order, &x->name);
    }
    if (err_ok(e))
        look(x, rows);
    else
        fn(arg, e);
}
