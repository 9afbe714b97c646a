/* Templates of questionnaires: PUT (the next version), GET (one), list. A version is never changed, and never removed: answers name it. */

#include "gateway/questionnaire/template.h"
#include "gateway/redis/swap.h"
#include "keys/vaccination/vaccination.h"

#include "gateway/base/text.h"

enum { READ_MAX = 1024, WRITE_MAX = 1 << 20, REPLIES = 2 };

struct work {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct store_name key;
    struct slice id;
    unsigned version;          /* asked for; 0: the newest */
    struct qtemplate t;        /* PUT */
    struct qt_report report;
    struct buf json;           /* PUT: as it is kept */
    struct slice index_sealed; /* as read */
    struct qt_index index;
    bool again;                /* PUT: that version is there, and it is the same */
    uint64_t store_turn;
    struct audit_rec rec;
    int status;
};

/* ---- ends ---- */

static void refuse(struct work *x, struct err e)
{
    struct req *r = x->r;
    buf_done(&x->json);
    if (err_is(e, E_FIELD))
        req_problem(r, e, qt_report_write, &x->report);
    else
        req_fail(r, e);
}

static void audited(void *arg, struct err e)
{
    struct work *x = arg;
    if (err_ok(e) && x->rec.epoch)
        e = redis_unbroken(x->in->redis, x->store_turn);
    if (err_ok(e))
        e = buf_check(req_out(x->r));
    if (!err_ok(e)) {
        refuse(x, e);
        return;
    }
    buf_done(&x->json);
    req_json(x->r, x->status, buf_slice(req_out(x->r)));
}

static void audit(struct work *x, enum audit_event event, uint64_t count, uint64_t epoch, int status)
{
    x->rec = nz_audit_of(x->r, event, AR_OK, count);
    x->rec.epoch = epoch;
    x->status = status;
    audit_append(x->in->audit, &x->rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), audited, x);
}

static ERR hand_over(struct work *x, struct redis_batch *b, uint64_t ms, redis_done_fn *done)
{
    if (!b)
        return FAIL(E_NOMEM);
    redis_send(x->in->redis, b, nz_req_step(x->r, ms, redis_up(x->in->redis)), done, x);
    return OK;
}

static struct work *begin(struct req *r)
{
    struct work *x = arena_get(req_arena(r), sizeof *x);
    if (!x) {
        req_fail(r, FAIL(E_NOMEM));
        return NULL;
    }
    x->r = r;
    x->in = req_ctx(r);
    memcpy(x->muni, nz_req_muni(r), sizeof x->muni);
    template_key(x->muni, &x->key);
    buf_init(&x->json, QT_JSON_MAX);
    return x;
}

/* ---- what is stored ---- */

static ERR open_index(struct work *x, const struct redis_reply *sealed)
{
    struct buf plain;
    if (redis_reply_type(sealed) != REDIS_STR)
        return OK;
    x->index_sealed = arena_dup(req_arena(x->r), redis_reply_str(sealed));
    buf_init(&plain, QT_INDEX_MAX);
    struct err e = store_open(x->in->store, ARR(x->muni), &x->key, QT_INDEX, redis_reply_str(sealed), &plain);
    struct slice kept = err_ok(e) ? arena_dup(req_arena(x->r), buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    TRY(e);
    TRY(arena_check(req_arena(x->r)));
    return qt_index_decode(kept, &x->index);
}

static ERR open_template(struct work *x, const struct store_name *field, struct slice sealed, struct buf *out)
{
    return store_open(x->in->store, ARR(x->muni), &x->key, store_name_slice(field), sealed, out);
}

/* ---- GET, list ---- */

static void on_template(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct work *x = arg;
    struct store_name field;
    template_field(x->id, x->version, &field);
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_type(replies[0]) != REDIS_STR)
        e = FAIL(E_NO_ROUTE);
    if (err_ok(e))
        e = open_template(x, &field, redis_reply_str(replies[0]), req_out(x->r));
    if (err_ok(e))
        audit(x, AU_TEMPLATES_READ, 1, 0, 200);
    else
        refuse(x, e);
}

static ERR ask_template(struct work *x)
{
    struct store_name field;
    struct redis_batch *b = redis_batch_new(READ_MAX);
    template_field(x->id, x->version, &field);
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->key), store_name_slice(&field));
    return hand_over(x, b, NZ_READ_MS, on_template);
}

static void put_day(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void put_entry(struct jsonw *w, const struct qt_entry *e)
{
    struct buf version;
    jsonw_object(w, NULL);
    jsonw_str(w, "id", e->id);
    buf_init(&version, 16);
    buf_u64(&version, e->version);
    jsonw_str(w, "version", buf_slice(&version));
    buf_done(&version);
    jsonw_str(w, "title_ja", e->title_ja);
    if (e->title_en.n)
        jsonw_str(w, "title_en", e->title_en);
    put_day(w, "validFrom", e->from);
    put_day(w, "validTo", e->to);
    jsonw_array(w, "programs");
    for (size_t i = 0; i < e->n_programs; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "vaccinationProgramId", e->programs[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void list(struct work *x)
{
    struct jsonw w;
    jsonw_init(&w, req_out(x->r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "templates");
    for (size_t i = 0; i < x->index.n; i++)
        put_entry(&w, &x->index.entries[i]);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    audit(x, AU_TEMPLATES_READ, x->index.n, 0, 200);
}

static void on_index(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct work *x = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = open_index(x, replies[0]);
    if (err_ok(e) && !x->id.n) {
        list(x);
        return;
    }
    if (err_ok(e)) {
        const struct qt_entry *entry = qt_index_find(&x->index, x->id);
        x->version = entry ? entry->version : 0;
        e = entry ? ask_template(x) : FAIL(E_NO_ROUTE);
    }
    if (!err_ok(e))
        refuse(x, e);
}

static ERR ask_index(struct work *x)
{
    struct redis_batch *b = redis_batch_new(READ_MAX);
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->key), QT_INDEX);
    return hand_over(x, b, NZ_READ_MS, on_index);
}

static bool version_param(void *to, struct slice name, struct slice value)
{
    unsigned *version = to;
    uint64_t v;
    if (!slice_eq(name, LIT("version")) || *version || !u64_parse(value, &v) || v < 1 || v > QT_VERSION_MAX)
        return false;
    *version = (unsigned)v;
    return true;
}

void nz_template_get(struct req *r)
{
    struct work *x = begin(r);
    if (!x)
        return;
    x->id = req_param(r);
    struct err e = query_each(req_query(r), version_param, &x->version);
    if (err_ok(e) && !qt_id_ok(x->id))
        e = FAIL(E_NO_ROUTE);
    if (err_ok(e))
        e = x->version ? ask_template(x) : ask_index(x);
    if (!err_ok(e))
        refuse(x, e);
}

void nz_templates_list(struct req *r)
{
    struct work *x = begin(r);
    if (!x)
        return;
    struct err e = ask_index(x);
    if (!err_ok(e))
        refuse(x, e);
}

/* ---- PUT ---- */

static void stored(struct work *x, uint64_t epoch)
{
    buf_put(req_out(x->r), buf_slice(&x->json));
    audit(x, AU_TEMPLATE_STORED, x->t.version, epoch, x->again || x->t.version > 1 ? 200 : 201);
}

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct work *x = arg;
    if (err_ok(e) && n != REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1)
        e = FAIL(E_VERSION); /* somebody else was first */
    if (err_ok(e))
        stored(x, (uint64_t)redis_reply_int(replies[1]));
    else
        refuse(x, e);
}

static ERR seal(struct work *x, const struct store_name *field, struct buf *ret_template, struct buf *ret_index)
{
    struct buf plain;
    buf_init(&plain, QT_INDEX_MAX);
    struct err e = qt_index_encode(&x->index, &plain);
    if (err_ok(e))
        e = store_seal(x->in->store, ARR(x->muni), &x->key, QT_INDEX, buf_slice(&plain), ret_index);
    if (err_ok(e))
        e = store_seal(x->in->store, ARR(x->muni), &x->key, store_name_slice(field), buf_slice(&x->json), ret_template);
    buf_done(&plain);
    return e;
}

static ERR fill(struct work *x, const struct store_name *field, struct slice sealed, struct slice index, struct redis_batch *b)
{
    const struct slice key = store_name_slice(&x->key), at = store_name_slice(field);
    struct redis_swap *s = redis_swap_new(WRITE_MAX);
    if (!s)
        return FAIL(E_NOMEM);
    redis_swap_expect(s, key, QT_INDEX, x->index_sealed);
    redis_swap_expect(s, key, at, SLICE_NONE);
    REDIS_SWAP(s, LIT("HSET"), key, at, sealed);
    REDIS_SWAP(s, LIT("HSET"), key, QT_INDEX, index);
    struct err e = redis_swap_put(s, b);
    redis_swap_free(s);
    return e;
}

static ERR store_it(struct work *x)
{
    struct store_name field;
    struct buf sealed, index;
    struct redis_batch *b = redis_batch_new(WRITE_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_field(x->t.id, x->t.version, &field);
    buf_init(&sealed, QT_JSON_MAX + AEAD_OVERHEAD);
    buf_init(&index, QT_INDEX_MAX + AEAD_OVERHEAD);
    struct err e = seal(x, &field, &sealed, &index);
    if (err_ok(e))
        e = fill(x, &field, buf_slice(&sealed), buf_slice(&index), b);
    buf_done(&sealed);
    buf_done(&index);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    redis_raise(b, STORE_EPOCH);
    x->store_turn = redis_turn(x->in->redis);
    return hand_over(x, b, NZ_WRITE_MS, on_written);
}

/* The same version with the same content, sent once more. */
static ERR is_again(struct work *x, const struct redis_reply *sealed)
{
    struct store_name field;
    struct buf plain;
    if (redis_reply_type(sealed) != REDIS_STR)
        return OK;
    template_field(x->t.id, x->t.version, &field);
    buf_init(&plain, QT_JSON_MAX);
    struct err e = open_template(x, &field, redis_reply_str(sealed), &plain);
    x->again = err_ok(e) && slice_eq(buf_slice(&plain), buf_slice(&x->json));
    buf_done(&plain);
    return e;
}

static void on_old(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct work *x = arg;
    if (err_ok(e) && n != REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = open_index(x, replies[0]);
    if (err_ok(e))
        e = is_again(x, replies[1]);
    if (err_ok(e) && x->again) {
        stored(x, 0);
        return;
    }
    if (err_ok(e))
        e = qt_index_put(&x->index, &x->t);
    if (err_is(e, E_FULL))
        e = FAIL(E_CONFLICT); /* so many templates as one municipality may have */
    if (err_ok(e))
        e = store_it(x);
    if (!err_ok(e))
        refuse(x, e);
}

static ERR ask_old(struct work *x)
{
    struct jsonw w;
    struct store_name field;
    struct redis_batch *b = redis_batch_new(READ_MAX);
    jsonw_init(&w, &x->json);
    template_write(&x->t, QT_VIEW_WHOLE, NULL, &w);
    struct err e = buf_check(&x->json);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return err_is(e, E_FULL) ? FAIL(E_BODY_TOO_LARGE) : e;
    }
    template_field(x->t.id, x->t.version, &field);
    if (b) {
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->key), QT_INDEX);
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&x->key), store_name_slice(&field));
    }
    return hand_over(x, b, NZ_READ_MS, on_old);
}

void nz_template_put(struct req *r)
{
    struct work *x = begin(r);
    if (!x)
        return;
    struct err e = audit_up(x->in->audit) ? OK : FAIL(E_AUDIT_DOWN); /* nothing is stored that could not be told */
    if (err_ok(e))
        e = template_read(req_body(r), req_arena(r), &x->t, &x->report);
    if (err_ok(e) && !slice_eq(x->t.id, req_param(r))) {
        qt_fault_add(&x->report, QT_NO_ITEM, "id", FR_RANGE);
        e = FAIL(E_FIELD);
    }
    if (err_ok(e))
        e = ask_old(x);
    if (!err_ok(e))
        refuse(x, e);
}
