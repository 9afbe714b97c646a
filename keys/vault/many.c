/* LINK_MANY: the subjects of up to 128 numbers, in two questions to the store: what stands under the indexes, then at once the numbers
 * under the subjects that were found (opened and compared, as LINK does) and the making of the new ones.
 *
 * New ones are made by one MSETNX over all their indexes and numbers: Redis runs it whole or not at all, and writes it as one entry of
 * its append-only file, which is cut at an entry that is not whole. So no crash leaves an index without its number, and of two callers
 * who come with the same new number (LINK_MANY, LINK in its script, or a vault that was replaced while its last words were on their way)
 * one is first: the other's MSETNX changes nothing and he asks again. He does so at most once for each of his numbers, because an index
 * that was found does not go away but by ERASE, which is rare and has an end.
 *
 * Until it is known which numbers have to be sealed, the digits wait in locked memory (keys/number). */

#include "gateway/base/must.h"
#include "gateway/base/wipe.h"
#include "keys/vault/vault_int.h"

enum { SEALED_BYTES = NZ_DIGITS_BYTES + AEAD_OVERHEAD, BATCH_BYTES = 64 * 1024 };

enum item_state {
    ITEM_OPEN,  /* nothing is known of it yet */
    ITEM_FOUND, /* its index leads to a subject */
    ITEM_NEW,   /* on its way to be made */
    ITEM_KNOWN, ITEM_MADE, ITEM_UNKNOWN, ITEM_FOREIGN /* what the store has is not this number's */, ITEM_TWIN /* done; as an earlier one of the message */
};

struct item {
    enum item_state state;
    uint8_t twin;
    struct nz_mynum *number;
    uint8_t index[MAC_BYTES];
    uint8_t sid[NZ_SID_BYTES], proof[NZ_PROOF_BYTES];
};

struct many {
    struct nz_op op; /* first */
    uint8_t muni[NZ_MUNI_BYTES];
    bool create;
    size_t n;
    struct item items[];
};

static void many_end(struct many *m, struct err e, struct slice body)
{
    struct nz_vaultd *v = m->op.v;
    for (size_t i = 0; i < m->n; i++)
        nz_mynum_free(m->items[i].number);
    v->many--;
    nz_op__end(&m->op, e, body);
}

static void many_fail(struct many *m, struct err e) { many_end(m, e, SLICE_NONE); }

static void ask(struct many *m, struct redis_batch *b, redis_done_fn *done)
{
    struct err e = b ? OK : FAIL(E_NOMEM);
    if (m->op.v->closing)
        e = FAIL(E_CANCELED);
    if (err_ok(e)) {
        redis_send(m->op.v->redis, b, m->op.deadline, done, m);
        return;
    }
    redis_batch_free(b);
    many_fail(m, e);
}

static size_t count(const struct many *m, enum item_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->items[i].state == state;
    return n;
}

/* ---- the answer ---- */

/* Of a number that comes twice the later one is known: the earlier one has made it. */
static void put_item(const struct many *m, const struct item *it, struct buf *out)
{
    const struct item *who = it->state == ITEM_TWIN ? &m->items[it->twin] : it;
    enum { MADE_NOW, KNOWN, UNKNOWN, FOREIGN } known = it->state == ITEM_MADE ? MADE_NOW : KNOWN;
    if (who->state == ITEM_UNKNOWN || who->state == ITEM_FOREIGN)
        known = who->state == ITEM_UNKNOWN ? UNKNOWN : FOREIGN;
    buf_put(out, ARR(who->sid));
    buf_putc(out, (uint8_t)known);
}

/* The store was changed by somebody else, or is damaged there: the others of the message do not suffer for it. */
static void foreign(struct item *it)
{
    LOG(ERROR, "index_of_another_subject");
    it->state = ITEM_FOREIGN;
    memset(it->sid, 0, sizeof it->sid);
}

static void answer(struct many *m)
{
    struct buf out;
    if (m->n == 1 && m->items[0].state == ITEM_FOREIGN) {
        many_fail(m, FAIL(E_SEAL));
        return;
    }
    buf_init(&out, NZ_MANY_MAX * NZ_LINK_REPLY_BYTES);
    for (size_t i = 0; i < m->n; i++)
        put_item(m, &m->items[i], &out);
    many_end(m, buf_check(&out), buf_slice(&out));
    buf_done(&out);
}

/* ---- second question: the numbers that are known, and the making of the others ---- */

static void look(struct many *m);

static bool proven(struct many *m, const struct item *it)
{
    uint8_t proof[NZ_PROOF_BYTES];
    return err_ok(nz_sealer_prove(m->op.v->sealer, it->index, ARR(it->sid), proof)) && secret_equal(ARR(proof), ARR(it->proof));
}

static struct err seal_digits(struct slice digits, void *arg)
{
    void **a = arg; /* many, item, out */
    const struct many *m = a[0];
    const struct item *it = a[1];
    struct nz_place place = nz_place_of(ARR(it->sid));
    return nz_sealer_seal(m->op.v->sealer, ARR(m->muni), ARR(place.b), digits, a[2]);
}

static struct err seal(struct many *m, struct item *it, struct buf *out) { return nz_mynum_use(it->number, seal_digits, (void *[]){ m, it, out }); }

static bool same_number(struct many *m, const struct item *it, struct slice digits)
{
    struct nz_mynum *kept = NULL;
    bool same = err_ok(nz_mynum_new(&kept, m->op.v->numbers, digits)) && nz_mynum_equal(kept, it->number);
    nz_mynum_free(kept);
    return same;
}

/* Judges what is kept under the subject; a number of a destroyed key is put into `again`, to be sealed anew. */
static struct err judge(struct many *m, struct item *it, const struct redis_reply *r, struct buf *scratch, struct redis_batch *again)
{
    struct slice sealed = redis_reply_str(r);
    struct nz_place place = nz_place_of(ARR(it->sid));
    struct err e = nz_sealer_open(m->op.v->sealer, ARR(m->muni), ARR(place.b), sealed, scratch);
    bool same = err_ok(e) && same_number(m, it, buf_slice(scratch));
    buf_reset(scratch);
    it->state = ITEM_KNOWN;
    if (same)
        return OK;
    if (err_ok(e) || !proven(m, it)) {
        foreign(it);
        return OK;
    }
    if (!m->create)
        return OK;
    LOG(WARN, "number_sealed_anew");
    TRY(seal(m, it, scratch));
    struct nz_index_name index = nz_index_name_of(it->index);
    nz_shelf_add_replace(again, &index, ARR(it->sid), &place, sealed, buf_slice(scratch));
    buf_reset(scratch);
    return OK;
}

static struct err judge_all(struct many *m, const struct redis_reply *numbers, struct redis_batch *again)
{
    size_t at = 0;
    struct buf scratch;
    struct err e = OK;
    buf_init(&scratch, SEALED_BYTES);
    for (size_t i = 0; i < m->n && err_ok(e); i++)
        if (m->items[i].state == ITEM_FOUND)
            e = judge(m, &m->items[i], redis_reply_at(numbers, at++), &scratch, again);
    buf_done(&scratch);
    return e;
}

/* All were made, or somebody was first with one of them. */
static void made(struct many *m, bool all)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].state == ITEM_NEW)
            m->items[i].state = all ? ITEM_MADE : ITEM_OPEN;
}

static void go_on(struct many *m)
{
    if (count(m, ITEM_OPEN))
        look(m);
    else
        answer(m);
}

static void on_replaced(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n; /* 0: somebody else has done it */
    if (err_ok(e))
        go_on(arg);
    else
        many_fail(arg, e);
}

static struct err settle(struct many *m, const struct redis_reply *const *replies, size_t n, struct redis_batch *again)
{
    size_t found = count(m, ITEM_FOUND), fresh = count(m, ITEM_NEW), at = 0;
    if (n != (found > 0) + (size_t)(fresh > 0))
        return FAIL(E_STORE_REFUSED);
    if (found) {
        if (redis_reply_len(replies[at]) != found)
            return FAIL(E_STORE_REFUSED);
        TRY(judge_all(m, replies[at++], again));
    }
    if (fresh) {
        if (redis_reply_type(replies[at]) != REDIS_INT)
            return FAIL(E_STORE_REFUSED);
        made(m, redis_reply_int(replies[at]) == 1);
    }
    return OK;
}

static void on_settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct many *m = arg;
    struct redis_batch *again = redis_batch_new(BATCH_BYTES);
    if (err_ok(e))
        e = again ? settle(m, replies, n, again) : FAIL(E_NOMEM);
    if (err_ok(e) && redis_batch_count(again)) {
        ask(m, again, on_replaced);
        return;
    }
    redis_batch_free(again);
    if (err_ok(e))
        go_on(m);
    else
        many_fail(m, e);
}

static void add_found(struct many *m, struct redis_batch *b, size_t n)
{
    redis_begin(b, 1 + n);
    redis_arg(b, LIT("MGET"));
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].state != ITEM_FOUND)
            continue;
        struct nz_place place = nz_place_of(ARR(m->items[i].sid));
        redis_arg(b, ARR(place.b));
    }
}

static struct err make(struct many *m, struct item *it, const uint8_t sid[static NZ_SID_BYTES], struct buf *sealed)
{
    memcpy(it->sid, sid, sizeof it->sid);
    TRY(nz_sealer_prove(m->op.v->sealer, it->index, ARR(it->sid), it->proof));
    return seal(m, it, sealed);
}

static void add_pair(const struct item *it, struct slice sealed, struct redis_batch *b)
{
    struct nz_index_name name = nz_index_name_of(it->index);
    struct nz_place place = nz_place_of(ARR(it->sid));
    struct nz_index_entry entry = nz_index_entry_of(ARR(it->sid), ARR(it->proof));
    redis_arg(b, ARR(place.b));
    redis_arg(b, sealed);
    redis_arg(b, ARR(name.b));
    redis_arg(b, ARR(entry.b));
}

/* A command that was begun is filled to its end, also when something fails: the batch is not sent then. */
static struct err add_new(struct many *m, struct redis_batch *b, size_t n)
{
    uint8_t sids[NZ_MANY_MAX][NZ_SID_BYTES];
    struct buf sealed;
    struct err e = OK;
    rnd_bytes(sids, n * NZ_SID_BYTES);
    buf_init(&sealed, SEALED_BYTES);
    redis_begin(b, 1 + 4 * n);
    redis_arg(b, LIT("MSETNX"));
    for (size_t i = 0; i < m->n; i++) {
        struct item *it = &m->items[i];
        if (it->state != ITEM_NEW)
            continue;
        if (err_ok(e))
            e = make(m, it, sids[--n], &sealed);
        add_pair(it, buf_slice(&sealed), b);
        buf_reset(&sealed);
    }
    buf_done(&sealed);
    return e;
}

static void second(struct many *m)
{
    size_t found = count(m, ITEM_FOUND), fresh = count(m, ITEM_NEW);
    if (!found && !fresh) {
        answer(m);
        return;
    }
    struct redis_batch *b = redis_batch_new(BATCH_BYTES);
    struct err e = b ? OK : FAIL(E_NOMEM);
    if (b && found)
        add_found(m, b, found);
    if (b && fresh)
        e = add_new(m, b, fresh);
    if (err_ok(e)) {
        ask(m, b, on_settled);
        return;
    }
    redis_batch_free(b);
    many_fail(m, e);
}

/* ---- first question: the indexes ---- */

static void take_entry(struct many *m, struct item *it, const struct redis_reply *r)
{
    struct slice entry = redis_reply_str(r), sid;
    if (redis_reply_type(r) == REDIS_NIL) {
        it->state = m->create ? ITEM_NEW : ITEM_UNKNOWN;
        return;
    }
    if (!slice_take(&entry, NZ_SID_BYTES, &sid)) {
        foreign(it);
        return;
    }
    memcpy(it->sid, sid.p, sid.n);
    memset(it->proof, 0, sizeof it->proof); /* an entry without a proof proves nothing */
    if (entry.n == sizeof it->proof)
        memcpy(it->proof, entry.p, entry.n);
    it->state = ITEM_FOUND;
}

static struct err take_entries(struct many *m, const struct redis_reply *const *replies, size_t n)
{
    size_t at = 0;
    if (n != 1 || redis_reply_len(replies[0]) != count(m, ITEM_OPEN))
        return FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].state == ITEM_OPEN)
            take_entry(m, &m->items[i], redis_reply_at(replies[0], at++));
    return OK;
}

static void on_looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (err_ok(e))
        e = take_entries(arg, replies, n);
    if (err_ok(e))
        second(arg);
    else
        many_fail(arg, e);
}

static void look(struct many *m)
{
    struct redis_batch *b = redis_batch_new(BATCH_BYTES);
    if (b) {
        redis_begin(b, 1 + count(m, ITEM_OPEN));
        redis_arg(b, LIT("MGET"));
    }
    for (size_t i = 0; b && i < m->n; i++) {
        if (m->items[i].state != ITEM_OPEN)
            continue;
        struct nz_index_name name = nz_index_name_of(m->items[i].index);
        redis_arg(b, ARR(name.b));
    }
    ask(m, b, on_looked);
}

/* ---- the message ---- */

static void find_twin(struct many *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (m->items[k].state != ITEM_TWIN && slice_eq(ARR(m->items[k].index), ARR(m->items[i].index))) {
            m->items[i].state = ITEM_TWIN;
            m->items[i].twin = (uint8_t)k;
            return;
        }
}

static struct err fill(struct many *m, const struct nz_many_msg *msg)
{
    memcpy(m->muni, msg->muni.p, sizeof m->muni);
    m->create = msg->create;
    m->n = msg->n;
    for (size_t i = 0; i < m->n; i++) {
        struct slice digits = slice_of(msg->digits.p + i * NZ_DIGITS_BYTES, NZ_DIGITS_BYTES);
        TRY(nz_sealer_index(m->op.v->sealer, msg->muni, digits, m->items[i].index));
        TRY(nz_mynum_new(&m->items[i].number, m->op.v->numbers, digits));
        find_twin(m, i);
    }
    return OK;
}

static struct err check(struct nz_vaultd *v, struct slice body, struct nz_many_msg *ret_m)
{
    TRY(nz_many_decode(body, ret_m));
    TRY(nz_sealer_knows(v->sealer, ret_m->muni));
    return v->many < NZ_MANY_AT_ONCE ? OK : FAIL(E_BUSY);
}

void nz_vault__on_link_many(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_many_msg msg;
    struct many *m = NULL;
    (void)from;
    struct err e = check(v, body, &msg);
    if (err_ok(e) && !(m = (struct many *)nz_op__new(v, call, sizeof *m + msg.n * sizeof m->items[0])))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        return;
    }
    v->many++;
    e = fill(m, &msg);
    if (err_ok(e))
        look(m);
    else
        many_fail(m, e);
}
