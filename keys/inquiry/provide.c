/* POST /v1/vaccination/provisions: what another municipality asks of one of ours, by VRS. A person is found without being made; unknown, silenced, ended and
 * without a record are one answer, an empty list. Each person's entry is in the log before the answer leaves, and it leaves on a beat, so that the work before
 * it does not show. */

#include "gateway/loop/alarm.h"
#include "keys/inquiry/form.h"
#include "keys/inquiry/silence.h"
#include "keys/inquiry/work.h"

enum { FRESH_MAX_MS = 800 /* from the reading of flags to the answer */, ROUNDS_MAX = 12, NOTES_MAX = 64 << 20 };
#define BEAT_NS (UINT64_C(100) * 1000000)

struct given {
    struct buf json;        /* the list */
    uint32_t records;
    enum err_code why;      /* E_OK: there are records */
    uint8_t subject[AUDIT_HANDLE_BYTES];
    struct store_name person; /* n 0: not known here */
};

struct provide {
    struct due_item due;    /* first: the beat */
    struct req *r;
    struct nz_intake *in;
    struct nz_provide_ask ask;
    struct given *given;
    size_t from, n;         /* the numbers that are being looked for */
    struct nz_linked linked[NZ_MANY_MAX];
    size_t under_way;
    uint64_t began_ns, read_ms;
    unsigned rounds;        /* readings of records that somebody changed before it was noted who was told them */
    struct err failed;
};

static void provide_end(void *arg)
{
    struct provide *x = arg;
    for (size_t i = 0; x->given && i < x->ask.n; i++)
        buf_done(&x->given[i].json);
    nz_provide_free(&x->ask);
    x->in->inquiry->under_way--;
}

/* ---- the answer ---- */

static struct err write_number(struct slice digits, void *arg)
{
    jsonw_str(arg, "myNumber", digits);
    return OK;
}

static ERR write_answer(struct provide *x, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", ARR(x->ask.id));
    jsonw_str(&w, "providerMunicipalityCode", ARR(x->ask.provider));
    jsonw_array(&w, "persons");
    for (size_t i = 0; i < x->ask.n; i++) {
        jsonw_object(&w, NULL);
        TRY(nz_mynum_use(x->ask.number[i], write_number, &w));
        jsonw_raw(&w, "immunizations", buf_slice(&x->given[i].json));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return buf_check(out);
}

void nz_provide_on_beat(void *ctx, struct due_item *it)
{
    struct provide *x = (struct provide *)it;
    (void)ctx;
    struct buf *out = req_out(x->r);
    struct err e = loop_now(x->in->loop) - x->read_ms <= FRESH_MAX_MS ? OK : FAIL(E_DEADLINE); /* a flag may have been set meanwhile */
    if (err_ok(e))
        e = write_answer(x, out);
    if (err_ok(e))
        req_json(x->r, 200, buf_slice(out));
    else
        req_fail(x->r, e);
}

/* The next beat that is not over: 100 ms after the arrival, 200, 400 … by the kernel's clock, whatever the loop did meanwhile. */
static void answer(struct provide *x)
{
    const uint64_t now = alarm_now();
    uint64_t beat = BEAT_NS;
    while (x->began_ns + beat <= now)
        beat *= 2;
    due_add(x->in->inquiry->beats, &x->due, x->began_ns + beat);
}

/* ---- the log ---- */

static void recorded(void *arg, struct err e)
{
    struct provide *x = arg;
    if (!err_ok(e))
        x->failed = e;
    if (--x->under_way)
        return;
    if (err_ok(x->failed))
        answer(x);
    else
        req_fail(x->r, x->failed);
}

static void record(struct provide *x)
{
    x->under_way = x->ask.n;
    for (size_t i = 0; i < x->ask.n; i++) {
        const struct given *g = &x->given[i];
        struct audit_rec rec = nz_audit_of(x->r, AU_IMMUNIZATIONS_PROVIDED, g->why == E_OK ? AR_OK : AR_NOTHING, g->records);
        rec.reason = g->why;
        memcpy(rec.muni, x->ask.provider, sizeof rec.muni);
        memcpy(rec.subject, g->subject, sizeof rec.subject);
        memcpy(rec.ref, x->ask.inquirer, sizeof x->ask.inquirer);
        audit_append(x->in->audit, &rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), recorded, x);
    }
}

/* ---- who is it, and what is there ---- */

static void nothing(struct given *g, enum err_code why)
{
    buf_reset(&g->json);
    buf_puts(&g->json, "[]");
    g->records = 0;
    g->why = why;
}

static ERR note(struct provide *x, const struct given *g, const struct redis_reply *hash, struct redis_batch *notes, size_t *noted)
{
    struct nz_given_to to = { .now_ms = clock_wall(loop_clock(x->in->loop)) };
    bool changed = false;
    memcpy(to.provider, x->ask.provider, sizeof to.provider);
    memcpy(to.inquirer, x->ask.inquirer, sizeof to.inquirer);
    TRY(nz_note_given(x->in->store, &g->person, &to, hash, notes, &changed));
    *noted += changed;
    return OK;
}

/* What is given, and that it is: nobody is given what cannot be noted. */
static ERR take_hash(struct provide *x, struct given *g, const struct redis_reply *hash, struct redis_batch *notes, size_t *noted)
{
    const ymd_t today = clock_date_jst(clock_wall(loop_clock(x->in->loop)));
    buf_reset(&g->json);
    struct err e = nz_give(x->in->store, &g->person, x->ask.provider, today, hash, &g->json, &g->records);
    g->why = e.code;
    if (!err_ok(e))
        nothing(g, e.code);
    if (err_is(e, E_SEAL))
        LOG(ERROR, "record_not_readable", LF("error", e));
    return err_ok(e) ? note(x, g, hash, notes, noted) : OK;
}

static void read_hashes(struct provide *x);

/* Of those whose records changed in between nothing was noted: all are read again, and who is noted already stays so. */
static void told(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct provide *x = arg;
    bool all = true;
    for (size_t i = 0; err_ok(e) && i < n; i++) {
        if (redis_reply_type(replies[i]) != REDIS_INT)
            e = FAIL(E_STORE_REFUSED);
        all = all && redis_reply_int(replies[i]) == 1;
    }
    if (err_ok(e) && !all && ++x->rounds >= ROUNDS_MAX)
        e = FAIL(E_BUSY);
    if (!err_ok(e))
        req_fail(x->r, e);
    else if (all)
        record(x);
    else
        read_hashes(x);
}

static void hashes_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct provide *x = arg;
    size_t at = 0;
    if (!err_ok(e)) {
        req_fail(x->r, e);
        return;
    }
    struct redis_batch *notes = redis_batch_new(NOTES_MAX);
    size_t noted = 0;
    e = notes ? OK : FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < x->ask.n && at < n; i++)
        if (x->given[i].person.n)
            e = take_hash(x, &x->given[i], replies[at++], notes, &noted);
    if (err_ok(e) && noted) {
        redis_send(x->in->redis, notes, nz_req_step(x->r, NZ_WRITE_MS, true), told, x);
        return;
    }
    redis_batch_free(notes);
    if (err_ok(e))
        record(x);
    else
        req_fail(x->r, e);
}

static void read_hashes(struct provide *x)
{
    size_t known = 0;
    for (size_t i = 0; i < x->ask.n; i++)
        known += x->given[i].person.n > 0;
    x->read_ms = loop_now(x->in->loop);
    if (!known) {
        record(x);
        return;
    }
    struct redis_batch *b = redis_batch_new(known * 128 + 64);
    if (!b) {
        req_fail(x->r, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < x->ask.n; i++)
        if (x->given[i].person.n)
            REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&x->given[i].person));
    redis_send(x->in->redis, b, nz_req_step(x->r, NZ_READ_MS, true), hashes_read, x);
}

static void look_on(struct provide *x);

static void next_numbers(struct provide *x)
{
    x->from += x->n;
    if (x->from < x->ask.n)
        look_on(x);
    else
        read_hashes(x);
}

static ERR take_subject(struct provide *x, size_t i, const struct redis_reply *reply)
{
    struct given *g = &x->given[x->from + i];
    struct store_name name;
    struct person p;
    struct buf key;
    const struct slice sealed = redis_reply_str(reply);
    if (!sealed.n)
        return OK; /* its first row is still on its way to PMH */
    store_name_subject(x->linked[i].subject.sid, &name);
    buf_init(&key, PMH_KEY_MAX);
    struct err e = store_open(x->in->store, ARR(x->ask.provider), &name, LIT("k"), sealed, &key);
    if (err_ok(e))
        e = store_audit_handle(x->in->store, buf_slice(&key), g->subject);
    if (err_ok(e))
        e = store_person(x->in->store, buf_slice(&key), &p);
    if (err_ok(e))
        store_name_person(&p, &g->person);
    buf_done(&key);
    if (!err_is(e, E_SEAL))
        return e;
    LOG(ERROR, "record_not_readable", LF("error", e)); /* one who cannot be read holds none of the others */
    g->person.n = 0;
    return OK;
}

static void subjects_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct provide *x = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < x->n && at < n; i++)
        if (x->linked[i].known == NZ_KNOWN)
            e = take_subject(x, i, replies[at++]);
    if (err_ok(e))
        next_numbers(x);
    else
        req_fail(x->r, e);
}

static void numbers_found(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct provide *x = arg;
    size_t known = 0;
    for (size_t i = 0; err_ok(e) && i < n; i++)
        known += linked[i].known == NZ_KNOWN;
    struct redis_batch *b = known ? redis_batch_new(known * 128 + 64) : NULL;
    if (err_ok(e) && known && !b)
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        req_fail(x->r, e);
        return;
    }
    memcpy(x->linked, linked, n * sizeof *linked);
    for (size_t i = 0; i < n; i++) {
        struct store_name name;
        store_name_subject(linked[i].subject.sid, &name);
        if (linked[i].known == NZ_KNOWN)
            REDIS_ADD(b, LIT("HGET"), store_name_slice(&name), LIT("k"));
    }
    if (known)
        redis_send(x->in->redis, b, nz_req_step(x->r, NZ_READ_MS, true), subjects_read, x);
    else
        next_numbers(x);
}

static void look_on(struct provide *x)
{
    const struct nz_mynum *numbers[NZ_MANY_MAX];
    x->n = x->ask.n - x->from < NZ_MANY_MAX ? x->ask.n - x->from : NZ_MANY_MAX;
    for (size_t i = 0; i < x->n; i++)
        numbers[i] = x->ask.number[x->from + i];
    nz_vault_link_many(x->in->vault, x->ask.provider, false, numbers, x->n, nz_req_step(x->r, NZ_READ_MS, nz_vault_up(x->in->vault)), numbers_found, x);
}

static ERR begin(struct provide *x, struct field_report *report)
{
    TRY(nz_provide_parse(req_body(x->r), req_arena(x->r), x->in->pool, &x->ask, report));
    x->given = arena_get(req_arena(x->r), x->ask.n * sizeof *x->given);
    if (!x->given)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < x->ask.n; i++) {
        buf_init(&x->given[i].json, NZ_INQ_JSON_MAX);
        nothing(&x->given[i], E_NOTHING);
    }
    if (!audit_up(x->in->audit))
        return FAIL(E_AUDIT_DOWN);
    if (store_knows_muni(x->in->store, ARR(x->ask.provider)))
        look_on(x);
    else
        read_hashes(x); /* nobody of it is here: nothing, as of everybody who is not known */
    return OK;
}

void nz_provision_post(struct req *r)
{
    struct field_report report = { 0 };
    struct nz_intake *in = req_ctx(r);
    struct provide *x = arena_get(req_arena(r), sizeof *x);
    struct err e = x ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        x->r = r;
        x->in = in;
        x->began_ns = alarm_now();
        e = arena_on_reset(req_arena(r), provide_end, x) ? OK : FAIL(E_NOMEM);
        in->inquiry->under_way += err_ok(e);
    }
    if (err_ok(e))
        e = begin(x, &report);
    if (err_is(e, E_FIELD))
        req_problem(r, e, field_report_write, &report);
    else if (!err_ok(e))
        req_fail(r, e);
}
