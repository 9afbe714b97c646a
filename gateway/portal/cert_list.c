/* A citizen's certificates: what was issued, whether it still holds, and taking one back. */
#include "gateway/base/text.h"
#include "gateway/cert/stored.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"
#include "gateway/vaccine/book.h"

enum { BATCH_MAX = 64 * 1024, ROUNDS_MAX = 12 };

struct list_form { struct field_value pseudonym, certificate_id; };
static const struct field LIST_FORM[] = { CITIZEN_FIELD(list_form) };
static const struct field REVOKE_FORM[] = {
    CITIZEN_FIELD(list_form),
    { .name = "certificate_id", .offset = offsetof(struct list_form, certificate_id), .cls = FC_ALNUM, .min = 2 * CERT_NAME_BYTES, .max = 2 * CERT_NAME_BYTES, .required = true },
};

struct list {
    struct citizen c;
    struct list_form form;
    uint8_t name[CERT_NAME_BYTES];
    struct cert_book *book;
    unsigned rounds;
};

static void write_hex(struct jsonw *w, const char *name, struct slice bytes)
{
    struct buf hex;
    buf_init(&hex, 2 * CERT_NAME_BYTES);
    buf_hex(&hex, bytes);
    jsonw_str(w, name, buf_slice(&hex));
    buf_done(&hex);
}

static void write_time(struct jsonw *w, const char *name, uint64_t ms)
{
    char at[24];
    clock_format_utc(ms, at);
    jsonw_str(w, name, ARR(at));
}

static void write_one(struct jsonw *w, const struct cert_stored *c)
{
    jsonw_object(w, NULL);
    write_hex(w, "certificate_id", ARR(c->name));
    jsonw_cstr(w, "kind", cert_kind_name(c->kind));
    jsonw_cstr(w, "state", cert_state_name(c->state));
    write_time(w, "issued_at", c->issued_ms);
    if (c->ended_ms)
        write_time(w, "ended_at", c->ended_ms);
    jsonw_array(w, "doses");
    for (size_t i = 0; i < c->n_records; i++) {
        jsonw_object(w, NULL);
        write_hex(w, "immunizationId", ARR(c->records[i].id));
        jsonw_u64(w, "version", c->records[i].version);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static ERR write_all(struct list *l)
{
    struct jsonw w;
    l->c.a.rec.count = (uint32_t)l->book->n;
    jsonw_init(&w, req_out(l->c.a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "certificates");
    for (size_t i = 0; i < l->book->n; i++)
        write_one(&w, &l->book->certs[i]);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return buf_check(req_out(l->c.a.r));
}

static ERR read_book(struct list *l, const struct redis_reply *hash)
{
    TRY(citizen_heard(&l->c, hash));
    return cert_read(l->c.a.env->store, &l->c.ps.person, hash, l->book);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct list *l = (struct list *)c;
    if (err_ok(e))
        e = read_book(l, hash);
    if (err_ok(e))
        e = write_all(l);
    access_end(&c->a, e);
}

static struct list *begin(struct req *r, const struct field *form, size_t n)
{
    const struct lookup_env *env = req_ctx(r);
    struct list *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, form, n, &l->form))
        return NULL;
    l->book = access_new(r, sizeof *l->book);
    if (l->book && env->certificates)
        return l;
    if (l->book)
        req_fail(r, FAIL(E_NO_ROUTE));
    return NULL;
}

void portal_list_certificates(struct req *r)
{
    struct list *l = begin(r, LIST_FORM, sizeof LIST_FORM / sizeof LIST_FORM[0]);
    if (l)
        citizen_find(&l->c, r, AU_CERTIFICATES_READ, l->form.pseudonym.text, on_person);
}

/* ---- taken back ---- */

static void on_revoking(struct citizen *c, struct err e, const struct redis_reply *hash);

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    const struct redis_reply *exec = err_ok(e) && n ? replies[n - 1] : NULL;
    if (err_ok(e) && (!exec || redis_reply_len(exec) != 2))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(redis_reply_at(exec, 0)) != 1) {
        if (++l->rounds < ROUNDS_MAX) {
            citizen_again(&l->c, on_revoking);
            return;
        }
        e = FAIL(E_BUSY);
    }
    if (err_ok(e))
        l->c.a.rec.epoch = (uint64_t)redis_reply_int(redis_reply_at(exec, 1));
    if (err_ok(e))
        e = write_all(l);
    l->c.a.rec.count = 1;
    access_end(&l->c.a, e);
}

/* Only while the person's vaccination data are what they were read as, and for whoever is writing meanwhile they are not any more: who supersedes a
 * certificate writes its field as he has read it, and must not write over this. */
static ERR send_end(struct list *l, struct cert_stored *c, const struct redis_reply *hash)
{
    const struct slice person = store_name_slice(&l->c.ps.person);
    struct redis_swap *swap = redis_swap_new(BATCH_MAX);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct err e = swap && b ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        redis_swap_expect(swap, person, VACCINE_TURN_FIELD, hash_find(hash, VACCINE_TURN_FIELD));
        REDIS_SWAP(swap, LIT("HINCRBY"), person, VACCINE_TURN_FIELD, LIT("1"));
        e = cert_end_add(l->c.a.env->store, &l->c.ps.person, c, CERT_REVOKED, citizen_now_ms(&l->c), swap);
    }
    if (err_ok(e)) {
        REDIS_ADD(b, LIT("MULTI"));
        e = redis_swap_put(swap, b);
    }
    redis_swap_free(swap);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    access_send(&l->c.a, b, on_written, l);
    return OK;
}

static struct cert_stored *find(struct cert_book *b, const uint8_t name[static CERT_NAME_BYTES])
{
    for (size_t i = 0; i < b->n; i++)
        if (slice_eq(ARR(b->certs[i].name), slice_of(name, CERT_NAME_BYTES)))
            return &b->certs[i];
    return NULL;
}

static void on_revoking(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct list *l = (struct list *)c;
    if (err_ok(e))
        e = read_book(l, hash);
    struct cert_stored *cert = err_ok(e) ? find(l->book, l->name) : NULL;
    if (err_ok(e) && !cert)
        e = FAIL(E_NOTHING);
    memcpy(c->a.rec.ref, l->name, sizeof c->a.rec.ref);
    if (err_ok(e) && cert->state != CERT_REVOKED) {
        e = send_end(l, cert, hash);
        if (err_ok(e))
            return;
    } else if (err_ok(e)) { /* it was taken back before: the same answer */
        e = write_all(l);
    }
    access_end(&c->a, e);
}

void portal_revoke_certificate(struct req *r)
{
    struct list *l = begin(r, REVOKE_FORM, sizeof REVOKE_FORM / sizeof REVOKE_FORM[0]);
    if (!l)
        return;
    if (hex_decode(l->form.certificate_id.text, l->name, sizeof l->name))
        citizen_find(&l->c, r, AU_CERTIFICATE_ENDED, l->form.pseudonym.text, on_revoking);
    else
        access_refuse_field(r, "certificate_id", FR_CLASS);
}
