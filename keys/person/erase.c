#include "gateway/vaccine/book.h"
#include "keys/person/erasure.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "keys/change/step.h"
#include "keys/change/vrs_gone.h"
#include "keys/intake/erased.h"
#include "keys/intake/order.h"
#include "keys/person/person.h"

enum { CHUNK = 400 /* of fields in one script, each with up to four commands */ };

static struct slice muni_of(const struct nz_erasure *x) { return slice_of(x->who.muni, 6); }

/* ---- ends ---- */

static void answer(struct nz_erasure *x)
{
    struct buf *out = req_out(x->r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "erased", x->note.count);
    jsonw_end_object(&w);
    struct err e = buf_check(out);
    if (err_ok(e))
        req_json(x->r, 200, buf_slice(out));
    else
        req_fail(x->r, e);
}

void nz_erasure_end(struct nz_erasure *x, struct err e)
{
    nz_found_end(&x->who);
    nz_again_done(&x->again);
    if (err_ok(e))
        answer(x);
    else
        req_fail(x->r, e);
}

void nz_erasure_send(struct nz_erasure *x, struct redis_batch *b, redis_done_fn *done)
{
    if (b)
        redis_send(x->in->redis, b, nz_req_step(x->r, NZ_WRITE_MS, redis_up(x->in->redis)), done, x);
    else
        nz_erasure_end(x, FAIL(E_NOMEM));
}

static void note_gone(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)e, (void)replies, (void)n; /* one that stays ends by itself */
    nz_erasure_end(arg, OK);
}

static void audited(void *arg, struct err e)
{
    struct nz_erasure *x = arg;
    if (err_ok(e))
        e = redis_unbroken(x->in->redis, x->store_turn);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    struct redis_batch *b = redis_batch_new(256);
    if (b)
        REDIS_ADD(b, LIT("DEL"), store_name_slice(&x->note_name));
    nz_erasure_send(x, b, note_gone);
}

void nz_erasure_audit(struct nz_erasure *x)
{
    memcpy(x->rec.subject, x->note.handle, sizeof x->rec.subject);
    x->rec.count = x->note.count;
    audit_append(x->in->audit, &x->rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), audited, x);
}

/* ---- names ---- */

bool nz_erasure_has_sid(const struct nz_erasure *x, const uint8_t sid[static SUBJECT_BYTES], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(ARR(x->sid[i]), slice_of(sid, SUBJECT_BYTES)))
            return true;
    return false;
}

bool nz_erasure_has_rk(const struct nz_erasure *x, struct slice hex)
{
    for (size_t i = 0; i < x->n_rks; i++)
        if (slice_eq(ARR(x->rk[i]), hex))
            return true;
    return false;
}

ERR nz_erasure_add_sid(struct nz_erasure *x, const uint8_t sid[static SUBJECT_BYTES])
{
    static const uint8_t NONE[SUBJECT_BYTES];
    if (slice_eq(slice_of(sid, SUBJECT_BYTES), ARR(NONE)) || nz_erasure_has_sid(x, sid, x->n_sids))
        return OK;
    if (x->n_sids == NZ_ERASE_SIDS)
        return FAIL(E_FULL);
    memcpy(x->sid[x->n_sids++], sid, SUBJECT_BYTES);
    return OK;
}

/* ---- records, end, flags ---- */

static void removed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (redis_reply_int(replies[0]) != 1)
        nz_erasure_again(x);
    else
        nz_erasure_records(x); /* until nothing is there */
}

/* Records go first, then what silences. */
int nz_erasure_rank(const struct nz_erasure *x, struct slice field)
{
    enum store_kind kind;
    struct slice muni;
    int r = store_field_kind(field, &kind, &muni) ? 1 : store_field_is_end(field, &muni) ? 2 : flags_field_is(field, &muni) ? 3 : store_field_is_made(field, &muni) ? 1 : 0;
    return r && slice_eq(muni, muni_of(x)) ? r : 0;
}

static ERR add_note(struct nz_erasure *x, struct arena *a, struct nz_cas *c)
{
    struct buf plain, sealed;
    buf_init(&plain, NZ_ERASE_NOTE_BYTES);
    buf_init(&sealed, NZ_ERASE_NOTE_BYTES + AEAD_OVERHEAD);
    nz_erase_note_encode(&x->note, &plain);
    struct err e = store_seal(x->in->store, muni_of(x), &x->note_name, SLICE_NONE, buf_slice(&plain), &sealed);
    if (err_ok(e))
        NZ_CAS(c, LIT("SET"), store_name_slice(&x->note_name), arena_dup(a, buf_slice(&sealed)));
    buf_done(&plain);
    buf_done(&sealed);
    TRY(e);
    return arena_check(a);
}

static ERR let_go(const struct nz_erasure *x, struct arena *a, struct slice field, struct slice sealed, struct nz_cas *c)
{
    struct nz_vrs_gone gone = { .person = &x->who.person, .sid = ARR(x->who.id[0].sid), .field = field, .now_ms = clock_wall(loop_clock(x->in->loop)) };
    return nz_vrs_let_go(c, a, x->in->store, &gone, sealed, nz_reports_to_vrs(x->in));
}

static ERR remove_some(struct nz_erasure *x, const struct redis_reply *hash, size_t *ret_n)
{
    struct arena *a = req_arena(x->r);
    struct nz_cas *c = nz_cas_new(a);
    struct redis_batch *b;
    size_t n = 0;
    bool turns = hash_find(hash, VACCINE_TURN_FIELD).n > 0;
    *ret_n = 0;
    if (!c)
        return FAIL(E_FULL);
    for (int want = 1; want <= 3; want++)
        for (size_t i = 0; i + 1 < redis_reply_len(hash) && n < CHUNK; i += 2) {
            const struct slice field = redis_reply_str(redis_reply_at(hash, i));
            if (nz_erasure_rank(x, field) != want)
                continue;
            NZ_CAS(c, LIT("HDEL"), store_name_slice(&x->who.person), arena_dup(a, field));
            TRY(let_go(x, a, field, redis_reply_str(redis_reply_at(hash, i + 1)), c));
            turns |= nz_ch_about_vaccination(field);
            x->note.count += want == 1;
            n++;
        }
    if (!n)
        return OK;
    *ret_n = n;
    nz_cas_expect(c, store_name_slice(&x->who.subject), LIT("k"), slice_of(x->who.sealed, x->who.n_sealed));
    if (turns)
        NZ_CAS(c, LIT("HINCRBY"), store_name_slice(&x->who.person), VACCINE_TURN_FIELD, LIT("1")); /* nobody writes back what was read before */
    TRY(add_note(x, a, c));
    TRY(nz_cas_batch(c, &b));
    nz_erasure_send(x, b, removed);
    return OK;
}

static void all_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    size_t removing = 0;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = remove_some(x, replies[0], &removing);
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (!removing)
        nz_erasure_rows(x);
}

void nz_erasure_records(struct nz_erasure *x)
{
    struct redis_batch *b = redis_batch_new(512);
    if (b)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&x->who.person));
    nz_erasure_send(x, b, all_read);
}

/* ---- what is known of it ---- */

static ERR take_note(struct nz_erasure *x, struct slice sealed)
{
    struct buf plain;
    if (x->who.known)
        TRY(store_audit_handle(x->in->store, slice_str(x->who.key), x->note.handle));
    if (!sealed.n)
        return OK;
    struct nz_erase_note note;
    buf_init(&plain, NZ_ERASE_NOTE_BYTES);
    struct err e = store_open(x->in->store, muni_of(x), &x->note_name, SLICE_NONE, sealed, &plain);
    if (err_ok(e) && !nz_erase_note_decode(buf_slice(&plain), &note))
        e = FAIL(E_SEAL);
    buf_done(&plain);
    TRY(e);
    if (!x->who.known || slice_eq(ARR(note.handle), ARR(x->note.handle)))
        x->note = note;
    return OK;
}

static ERR take_journals(struct nz_erasure *x, const struct redis_reply *members)
{
    for (size_t i = 0; i < redis_reply_len(members); i++) {
        const struct slice m = redis_reply_str(redis_reply_at(members, i));
        if (m.n != 6 + 1 + NZ_CH_HEX)
            return FAIL(E_SEAL);
        if (x->n_journals == NZ_ERASE_JOURNALS)
            return FAIL(E_FULL);
        x->journal[x->n_journals++] = arena_dup(req_arena(x->r), m);
    }
    return arena_check(req_arena(x->r));
}

/* A change that a crash left open ends first: half of it would stay. */
static void none_open(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    bool open = false;
    for (size_t i = 0; err_ok(e) && i < n; i++)
        open |= redis_reply_type(replies[i]) == REDIS_STR;
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (open)
        nz_erasure_again(x);
    else if (x->who.known)
        nz_erasure_records(x);
    else
        nz_erasure_rows(x);
}

static void look_open(struct nz_erasure *x)
{
    if (!x->n_journals) {
        none_open(x, OK, NULL, 0);
        return;
    }
    struct redis_batch *b = redis_batch_new(x->n_journals * 128 + 256);
    for (size_t i = 0; b && i < x->n_journals; i++)
        REDIS_ADD(b, LIT("ZSCORE"), nz_ch_todo_name(), x->journal[i]);
    nz_erasure_send(x, b, none_open);
}

static void journals_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    enum { NOTED, KEY, NOTE, JOURNALS };
    if (err_ok(e) && n != JOURNALS + x->n_rks)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = take_note(x, redis_reply_str(replies[NOTE]));
    for (size_t i = JOURNALS; err_ok(e) && i < n; i++)
        e = take_journals(x, replies[i]);
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (!x->who.subject.n && redis_reply_str(replies[KEY]).n) /* written before it was noted, by an intake that is not there any more */
        nz_erasure_again(x);
    else
        look_open(x);
}

static ERR name_all(struct nz_erasure *x)
{
    memcpy(x->rk[x->n_rks++], x->who.asked, NZ_CH_HEX);
    for (size_t i = 0; i < x->who.n_ids; i++) {
        const struct nz_found_id *id = &x->who.id[i];
        if (id->has_rk && !nz_erasure_has_rk(x, ARR(id->rk)))
            memcpy(x->rk[x->n_rks++], id->rk, NZ_CH_HEX);
        if (!hex_decode(ARR(id->sid), x->sid[x->n_sids++], SUBJECT_BYTES))
            return FAIL(E_SEAL);
    }
    x->n_own = x->n_sids;
    x->journal = arena_get(req_arena(x->r), NZ_ERASE_JOURNALS * sizeof *x->journal);
    return x->journal ? OK : FAIL(E_FULL);
}

void nz_erasure_note(const struct nz_erasure *x, struct redis_batch *b)
{
    struct slice hex[NZ_FOUND_IDS + 2];
    size_t n = 0;
    for (size_t i = 0; i < x->n_rks; i++)
        hex[n++] = ARR(x->rk[i]);
    if (x->who.known)
        hex[n++] = slice_of(x->who.person.c + 3, sizeof(struct person));
    nz_erased_note(b, x->who.muni, nz_received_ms(x->in), hex, n);
}

static void found(void *arg, struct err e)
{
    struct nz_erasure *x = arg;
    if (err_ok(e))
        e = name_all(x);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    struct redis_batch *b = redis_batch_new(8192);
    struct store_name rk;
    nz_ch_rk_name(x->who.muni, ARR(x->who.asked), &rk);
    if (b) {
        nz_erasure_note(x, b);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&rk));
        REDIS_ADD(b, LIT("GET"), store_name_slice(&x->note_name));
    }
    for (size_t i = 0; b && i < x->n_rks; i++) {
        struct store_name of;
        nz_ch_of_name(x->who.muni, ARR(x->rk[i]), &of);
        REDIS_ADD(b, LIT("ZRANGE"), store_name_slice(&of), LIT("0"), LIT("-1"));
    }
    nz_erasure_send(x, b, journals_read);
}

/* ---- the door ---- */

static ERR begin(struct nz_erasure *x)
{
    struct store_name rk;
    const char *muni = nz_req_muni(x->r);
    if (!audit_up(x->in->audit))
        return FAIL(E_AUDIT_DOWN);
    if (!nz_vault_up(x->in->vault))
        return FAIL(E_VAULT_DOWN);
    x->rec = nz_audit_of(x->r, AU_PERSON_ERASED, AR_OK, 0);
    TRY(store_name_resident(x->in->store, slice_of(muni, 6), x->ask.resident_key, &rk));
    memcpy(x->note_name.c, "ch:er:", 6);
    memcpy(x->note_name.c + 6, rk.c + 3, rk.n - 3);
    x->note_name.n = rk.n + 3;
    nz_found_start(&x->who, x->in, muni, &rk, nz_req_step(x->r, NZ_WRITE_MS, redis_up(x->in->redis)), found, x);
    return OK;
}

static void begin_anew(void *arg)
{
    struct nz_erasure *x = arg;
    *x = (struct nz_erasure){ .r = x->r, .in = x->in, .ask = x->ask, .again = x->again };
    struct err e = begin(x);
    if (!err_ok(e))
        nz_erasure_end(x, e);
}

void nz_erasure_again(struct nz_erasure *x)
{
    nz_found_end(&x->who);
    LOG(INFO, "erasure_begins_anew", LF("request", req_id(x->r)));
    struct err e = nz_again(&x->again, x->r, begin_anew, x);
    if (!err_ok(e))
        nz_erasure_end(x, e);
}

void nz_resident_erase(struct req *r)
{
    struct field_report report = { 0 };
    struct nz_erasure *x = arena_get(req_arena(r), sizeof *x);
    struct err e = x ? nz_erase_ask_read(req_body(r), req_arena(r), &x->ask, &report) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        x->r = r;
        x->in = req_ctx(r);
        e = begin(x);
    }
    if (!err_ok(e))
        nz_person_refuse(r, e, &report);
}
