#include "keys/ctl/replay_rows.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/text.h"
#include "keys/ctl/replay.h"
#include "keys/intake/erased.h"
#include "keys/person/rows.h"

enum { TASKS = 64, ROWS = 100, ARENA = 32 << 20, BATCH = 64 * 1024, FIRST = 64, NAMES_MAX = 1 + NZ_CH_ALIASES_MAX };

struct erased { /* one resident key and one subject of an erased resident */
    char muni[6];
    bool has_rk;
    char rk[NZ_CH_HEX];
    uint8_t sid[SUBJECT_BYTES];
    uint64_t wall_ms;
};

struct replay_rows {
    struct link_line *line;
    struct store *store;
    struct arena *a;
    size_t n, cap;
    struct erased *e;
    /* of the municipality that is gone through: those erased after the task was received */
    struct nz_row_owner who;
    char (*rk)[NZ_CH_HEX];
    uint8_t (*sid)[SUBJECT_BYTES];
    /* what is being asked about */
    const struct audit_rec *rec;
    struct store_name subject;
    bool tied;
    size_t n_tasks, at;
    char task[TASKS][NZ_CH_HEX];
    uint64_t received[TASKS];
    struct nz_task_id id;
    struct store_name o, tr;
    uint64_t cursor, now_ms, dropped;
    size_t n_rows;
    struct nz_owned_row *row;
    struct slice stored;
};

ERR replay_rows_new(struct replay_rows **ret_x, struct link_line *line, struct store *store)
{
    struct replay_rows *x = calloc(1, sizeof *x);
    if (!x || !(x->a = arena_new(ARENA))) {
        free(x);
        return FAIL(E_NOMEM);
    }
    x->line = line;
    x->store = store;
    *ret_x = x;
    return OK;
}

void replay_rows_free(struct replay_rows *x)
{
    if (!x)
        return;
    arena_free(x->a);
    free(x->e);
    free(x->rk);
    free(x->sid);
    free(x);
}

static ERR ask(struct replay_rows *x, struct redis_batch *b, enum link_user user, link_line_fn *heard)
{
    return b ? link_line_ask(x->line, user, b, heard, x) : FAIL(E_NOMEM);
}

/* ---- who was erased ---- */

static ERR add(struct replay_rows *x, const uint8_t *sid, struct slice rk)
{
    if (x->n == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : FIRST;
        struct erased *more = reallocarray(x->e, cap, sizeof *more);
        if (!more)
            return FAIL(E_NOMEM);
        x->e = more;
        x->cap = cap;
    }
    struct erased *e = &x->e[x->n++];
    *e = (struct erased){ .wall_ms = x->rec->wall_ms, .has_rk = rk.n == sizeof e->rk };
    memcpy(e->muni, x->rec->muni, sizeof e->muni);
    memcpy(e->sid, sid, sizeof e->sid);
    if (e->has_rk)
        memcpy(e->rk, rk.p, sizeof e->rk);
    return OK;
}

static struct err person_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct replay_rows *x = arg;
    if (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY)
        return FAIL(E_STORE_REFUSED);
    x->tied = replay_tie(x->store, x->rec, replies[0], &x->subject);
    return OK;
}

/* The subject that has the PMH key, and those that were merged into it. */
static struct err subject_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    static const char NONE[NZ_CH_HEX + 1] = "00000000000000000000000000000000";
    struct replay_rows *x = arg;
    uint8_t sid[SUBJECT_BYTES];
    struct slice hex, rk;
    if (n != 1 || redis_reply_len(replies[0]) != 2 || !hex_decode(slice_of(x->subject.c + 2, NZ_CH_HEX), sid, sizeof sid))
        return FAIL(E_STORE_REFUSED);
    TRY(add(x, sid, redis_reply_str(redis_reply_at(replies[0], 0))));
    struct slice al = redis_reply_str(redis_reply_at(replies[0], 1));
    while (slice_take(&al, NZ_CH_HEX, &hex) && slice_take(&al, NZ_CH_HEX, &rk)) {
        if (!hex_decode(hex, sid, sizeof sid))
            return FAIL(E_SEAL);
        TRY(add(x, sid, slice_eq(rk, slice_str(NONE)) ? SLICE_NONE : rk));
    }
    return OK;
}

static ERR find_names(struct replay_rows *x, const struct person *p)
{
    struct store_name person;
    struct redis_batch *b = redis_batch_new(512);
    store_name_person(p, &person);
    x->tied = false;
    if (b)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&person));
    TRY(ask(x, b, LINK_FRONT, person_heard));
    if (!x->tied)
        return OK;
    b = redis_batch_new(512);
    if (b)
        REDIS_ADD(b, LIT("HMGET"), store_name_slice(&x->subject), LIT("rk"), LIT("al"));
    return ask(x, b, LINK_INTAKE, subject_heard);
}

/* What the store lost of keys/intake/erased.h: a file goes on where the store knows it to be, and may be about the resident only from there on. */
static ERR tell_erased(struct replay_rows *x, const struct person *p, size_t from)
{
    struct slice hex[1 + NAMES_MAX];
    size_t n = 0;
    struct redis_batch *b = redis_batch_new(BATCH);
    hex[n++] = ARR(p->h);
    for (size_t i = from; i < x->n && n <= NAMES_MAX; i++)
        if (x->e[i].has_rk)
            hex[n++] = ARR(x->e[i].rk);
    if (b)
        nz_erased_note(b, x->rec->muni, x->rec->wall_ms, hex, n);
    return ask(x, b, LINK_INTAKE, NULL);
}

ERR replay_rows_note(struct replay_rows *x, const struct audit_rec *rec, bool dry)
{
    struct person p;
    const size_t from = x->n;
    TRY(replay_person(x->store, rec, &p));
    x->rec = rec;
    TRY(find_names(x, &p));
    return dry ? OK : tell_erased(x, &p, from);
}

/* ---- one row ---- */

static struct err stored_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct replay_rows *x = arg;
    if (n != 1)
        return FAIL(E_STORE_REFUSED);
    x->stored = arena_dup(x->a, redis_reply_str(replies[0]));
    return arena_check(x->a);
}

static struct err gone_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct replay_rows *x = arg;
    if (n != 1 || redis_reply_int(replies[0]) != 1)
        return FAIL(E_BUSY); /* somebody changed it: the command is run again */
    x->dropped++;
    return OK;
}

static ERR drop_row(struct replay_rows *x, const struct nz_owned_row *row, bool dry)
{
    struct nz_cas *c = nz_cas_new(x->a);
    struct redis_batch *b = redis_batch_new(512);
    bool gone;
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->tr), row->field);
    TRY(ask(x, b, LINK_INTAKE, stored_heard));
    TRY(c ? nz_row_drop(x->who.muni, &x->id, row, x->stored, x->now_ms, x->a, c, &gone) : FAIL(E_FULL));
    if (!gone)
        return OK;
    if (dry) {
        x->dropped++;
        return OK;
    }
    TRY(nz_cas_batch(c, &b));
    return ask(x, b, LINK_INTAKE, gone_heard);
}

/* ---- the rows of a task ---- */

static struct err rows_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct replay_rows *x = arg;
    if (n != 1 || redis_reply_len(replies[0]) != 2 || !u64_parse(redis_reply_str(redis_reply_at(replies[0], 0)), &x->cursor))
        return FAIL(E_STORE_REFUSED);
    const struct redis_reply *fields = redis_reply_at(replies[0], 1);
    const size_t most = redis_reply_len(fields) / 2;
    x->row = arena_get(x->a, (most + 1) * sizeof *x->row);
    if (!x->row)
        return FAIL(E_FULL);
    for (size_t i = 0; i < most; i++) {
        bool is;
        struct err e = nz_row_owned(x->store, &x->who, &x->o, redis_reply_str(redis_reply_at(fields, 2 * i)), redis_reply_str(redis_reply_at(fields, 2 * i + 1)),
                                    x->a, &x->row[x->n_rows], &is);
        if (err_is(e, E_FORBIDDEN))
            return OK; /* the municipality has no key any more: nobody can read its rows, the outbox neither */
        TRY(e);
        x->n_rows += is;
    }
    return OK;
}

static ERR scan(struct replay_rows *x, bool dry)
{
    do {
        struct redis_batch *b = redis_batch_new(512);
        arena_reset(x->a);
        x->n_rows = 0;
        if (b) {
            redis_begin(b, 5);
            redis_arg(b, LIT("HSCAN"));
            redis_arg(b, store_name_slice(&x->o));
            redis_arg_u64(b, x->cursor);
            redis_arg(b, LIT("COUNT"));
            redis_arg_u64(b, ROWS);
        }
        TRY(ask(x, b, LINK_INTAKE, rows_heard));
        for (size_t i = 0; i < x->n_rows; i++)
            TRY(drop_row(x, &x->row[i], dry));
    } while (x->cursor);
    return OK;
}

/* What was received after an erasure registers the resident anew, and stays. */
static bool owner_at(struct replay_rows *x, uint64_t received_ms)
{
    x->who.n_rks = x->who.n_sids = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct erased *e = &x->e[i];
        if (!slice_eq(ARR(e->muni), ARR(x->who.muni)) || e->wall_ms < received_ms)
            continue;
        memcpy(x->sid[x->who.n_sids++], e->sid, SUBJECT_BYTES);
        if (e->has_rk)
            memcpy(x->rk[x->who.n_rks++], e->rk, NZ_CH_HEX);
    }
    return x->who.n_sids > 0;
}

static ERR one_task(struct replay_rows *x, bool dry)
{
    if (!nz_task_id_parse(ARR(x->task[x->at]), &x->id) || !owner_at(x, x->received[x->at]))
        return OK;
    nz_name_task("o", x->who.muni, &x->id, &x->o);
    nz_name_task("tr", x->who.muni, &x->id, &x->tr);
    x->cursor = 0;
    return scan(x, dry);
}

/* ---- the tasks of a municipality ---- */

static struct err tasks_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct replay_rows *x = arg;
    x->n_tasks = 0;
    if (n != 1 || redis_reply_len(replies[0]) > 2 * TASKS)
        return FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i + 1 < redis_reply_len(replies[0]); i += 2) {
        const struct slice hex = redis_reply_str(redis_reply_at(replies[0], i));
        uint64_t ms;
        memset(x->task[x->n_tasks], 0, NZ_CH_HEX);
        if (hex.n == NZ_CH_HEX)
            memcpy(x->task[x->n_tasks], hex.p, NZ_CH_HEX);
        x->received[x->n_tasks++] = u64_parse(redis_reply_str(redis_reply_at(replies[0], i + 1)), &ms) ? ms : 0;
    }
    return OK;
}

static ERR one_muni(struct replay_rows *x, const char muni[static 6], bool dry)
{
    struct store_name tl;
    memcpy(x->who.muni, muni, sizeof x->who.muni);
    nz_name_task_list(muni, &tl);
    for (uint64_t at = 0;; at += TASKS) {
        struct redis_batch *b = redis_batch_new(BATCH);
        if (b) {
            redis_begin(b, 5);
            redis_arg(b, LIT("ZRANGE"));
            redis_arg(b, store_name_slice(&tl));
            redis_arg_u64(b, at);
            redis_arg_u64(b, at + TASKS - 1);
            redis_arg(b, LIT("WITHSCORES"));
        }
        TRY(ask(x, b, LINK_INTAKE, tasks_heard));
        for (x->at = 0; x->at < x->n_tasks; x->at++)
            TRY(one_task(x, dry));
        if (x->n_tasks < TASKS)
            return OK;
    }
}

static bool is_first(const struct replay_rows *x, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (slice_eq(ARR(x->e[k].muni), ARR(x->e[i].muni)))
            return false;
    return true;
}

ERR replay_rows_drop(struct replay_rows *x, uint64_t now_ms, bool dry, uint64_t *ret_n)
{
    *ret_n = 0;
    if (!x->n)
        return OK;
    free(x->rk);
    free(x->sid);
    x->rk = calloc(x->n, sizeof *x->rk);
    x->sid = calloc(x->n, sizeof *x->sid);
    if (!x->rk || !x->sid)
        return FAIL(E_NOMEM);
    x->who = (struct nz_row_owner){ .rk = (const char (*)[NZ_CH_HEX])x->rk, .sid = (const uint8_t (*)[SUBJECT_BYTES])x->sid };
    x->now_ms = now_ms;
    x->dropped = 0;
    for (size_t i = 0; i < x->n; i++)
        if (is_first(x, i))
            TRY(one_muni(x, x->e[i].muni, dry));
    *ret_n = x->dropped;
    return OK;
}
