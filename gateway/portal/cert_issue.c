/* POST /v1/portal/certificates/issue: read, sign, write while what was read still stands, answer.
 *
 * The card's signed attributes are used up before anything is signed. What is signed is written (ct:) by one script that expects the turn of the person's
 * vaccination data: a correction that came meanwhile has it all done again, with the record as it is now. */
#include "gateway/lookup/birth.h"
#include "gateway/portal/certs.h"
#include "gateway/portal/portal.h"

enum { ROUNDS_MAX = 12 /* the courier notes in the same moments who was told the record */, BATCH_MAX = 1 << 18, SIGN_MARGIN_MS = 800, USED_KEPT_MS = 2 * ATTRIBUTES_LIFE_S * 1000, JTI_ROOM = 80, PASSPORT_TEXT_MAX = 120, DOSES_ASKED_MAX = 64 };

struct form { struct field_value pseudonym, kind, attributes, doses, number, nationality, name; };

static const struct field PASSPORT[] = {
    { .name = "number", .offset = offsetof(struct form, number), .cls = FC_ALNUM, .min = 1, .max = VDS_PASSPORT_MAX, .required = true },
    { .name = "nationality", .offset = offsetof(struct form, nationality), .cls = FC_ALNUM, .min = 1, .max = 3, .required = true },
    { .name = "name", .offset = offsetof(struct form, name), .cls = FC_TEXT, .min = 1, .max = PASSPORT_TEXT_MAX, .required = true },
};
static const struct field FORM[] = {
    CITIZEN_FIELD(form),
    { .name = "kind", .offset = offsetof(struct form, kind), .cls = FC_CODE, .min = 1, .max = 8, .required = true, .words = "shc|vds-nc" },
    { .name = "attributes", .offset = offsetof(struct form, attributes), .cls = FC_TEXT, .min = 1, .max = ATTRIBUTES_MAX, .required = true },
    { .name = "doses", .offset = offsetof(struct form, doses), .cls = FC_ARRAY, .min = 1, .max = DOSES_ASKED_MAX },
    { .name = "passport", .cls = FC_OBJECT, .sub = PASSPORT, .n_sub = sizeof PASSPORT / sizeof PASSPORT[0] },
};

static void end(struct cert_issue *x, struct err e) { access_end(&x->c.a, e); }

/* ---- the end ---- */

static void note_records(struct cert_issue *x)
{
    struct access *a = &x->c.a;
    a->rec.count = (uint32_t)x->n_cards;
    memcpy(a->rec.ref, x->cards[0].kept.name, sizeof a->rec.ref);
    memcpy(a->rec.muni, x->munis[0].code, sizeof a->rec.muni);
    a->others = x->munis + 1;
    a->n_others = x->n_munis - 1;
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash);

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct cert_issue *x = arg;
    const struct redis_reply *exec = err_ok(e) && n ? replies[n - 1] : NULL;
    if (err_ok(e) && (!exec || redis_reply_len(exec) != 2))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(redis_reply_at(exec, 0)) != 1) {
        if (++x->rounds < ROUNDS_MAX) {
            citizen_again(&x->c, on_person);
            return;
        }
        e = FAIL(E_BUSY);
    }
    if (err_ok(e)) {
        x->c.a.rec.epoch = (uint64_t)redis_reply_int(redis_reply_at(exec, 1));
        note_records(x);
        e = cert_answer(x);
    }
    end(x, e);
}

/* ---- written ---- */

static bool shares_record(const struct cert_issue *x, const struct cert_stored *old)
{
    for (size_t k = 0; k < x->n_cards; k++)
        for (size_t i = 0; i < x->cards[k].kept.n_records; i++)
            for (size_t j = 0; j < old->n_records; j++)
                if (slice_eq(ARR(x->cards[k].kept.records[i].id), ARR(old->records[j].id)))
                    return true;
    return false;
}

static ERR fill(struct cert_issue *x, struct redis_swap *swap)
{
    struct store *s = x->c.a.env->store;
    const struct store_name *person = &x->c.ps.person;
    immun_swap_turn(x->book, person, swap);
    for (size_t i = 0; i < x->certs->n; i++) {
        struct cert_stored *old = &x->certs->certs[i];
        if (old->state == CERT_GOOD && old->kind == x->kind && shares_record(x, old))
            TRY(cert_end_add(s, person, old, CERT_SUPERSEDED, x->now_ms, swap));
    }
    TRY(cert_prune_add(s, person, x->certs, x->n_cards, x->now_ms, swap));
    for (size_t k = 0; k < x->n_cards; k++)
        TRY(cert_add(s, person, &x->cards[k].kept, swap));
    return OK;
}

static void write_all(struct cert_issue *x)
{
    struct redis_swap *swap = redis_swap_new(BATCH_MAX);
    struct redis_batch *b = redis_batch_new(2 * BATCH_MAX);
    struct err e = swap && b ? fill(x, swap) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        REDIS_ADD(b, LIT("MULTI"));
        e = redis_swap_put(swap, b);
    }
    redis_swap_free(swap);
    if (!err_ok(e)) {
        redis_batch_free(b);
        end(x, e);
        return;
    }
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    access_send(&x->c.a, b, on_written, x);
}

/* ---- signed ---- */

struct signing { struct cert_issue *x; size_t card; };

static void on_signed(void *arg, struct err e, const uint8_t *signature)
{
    const struct signing *s = arg;
    struct cert_issue *x = s->x;
    if (err_ok(e))
        memcpy(x->cards[s->card].signature, signature, SIGNER_SIGNATURE);
    else
        x->unsigned_why = e;
    if (--x->waiting > 0)
        return;
    if (err_ok(x->unsigned_why)) {
        write_all(x);
        return;
    }
    bool lost = err_is(x->unsigned_why, E_NOTHING); /* the signer has other keys than it told */
    if (lost)
        cert_desk_ask(x->desk);
    end(x, lost ? FAIL(E_SIGNER_DOWN) : x->unsigned_why);
}

static void sign_all(struct cert_issue *x)
{
    struct signing *s = arena_get(req_arena(x->c.a.r), CERT_CARDS_MAX * sizeof *s);
    uint64_t at = req_deadline(x->c.a.r);
    if (!s) {
        end(x, FAIL(E_FULL));
        return;
    }
    x->waiting = (unsigned)x->n_cards;
    x->unsigned_why = OK;
    for (size_t k = 0; k < x->n_cards; k++) {
        s[k] = (struct signing){ x, k };
        signer_sign(x->desk->signer, x->kind == CERT_SHC ? SIGNER_SHC : SIGNER_VDS, x->key_number, x->cards[k].digest, at > SIGN_MARGIN_MS ? at - SIGN_MARGIN_MS : 0,
                    on_signed, &s[k]);
    }
}

/* ---- the card's attributes are used up ---- */

static void on_jti(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct cert_issue *x = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_type(replies[0]) == REDIS_NIL)
        e = FAIL(E_ATTRIBUTES);
    if (!err_ok(e)) {
        end(x, e);
        return;
    }
    x->jti_used = true;
    sign_all(x);
}

static ERR use_jti(struct cert_issue *x)
{
    char name[JTI_ROOM] = "card|"; /* none of a link key: those have no such mark */
    struct person p;
    struct store_name use;
    size_t n = 5 + x->person.jti.n;
    memcpy(name + 5, x->person.jti.p, x->person.jti.n);
    memcpy(p.h, x->c.ps.person.c + 3, sizeof p.h); /* p:{h} */
    TRY(store_name_used(x->c.a.env->store, &p, slice_of(name, n), &use));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    redis_begin(b, 6);
    redis_arg(b, LIT("SET"));
    redis_arg(b, store_name_slice(&use));
    redis_arg_u64(b, x->now_ms);
    redis_arg(b, LIT("NX"));
    redis_arg(b, LIT("PX"));
    redis_arg_u64(b, USED_KEPT_MS);
    access_send(&x->c.a, b, on_jti, x);
    return OK;
}

/* ---- the person ---- */

static ERR choose_key(struct cert_issue *x)
{
    size_t place;
    if (x->kind == CERT_VDS) {
        x->kid = x->desk->seal_kid;
        return cert_desk_seal_key(x->desk, &x->key_number);
    }
    TRY(cert_desk_card_key(x->desk, &place));
    x->kid = x->desk->published[place].kid;
    x->key_number = x->desk->numbers[place];
    return OK;
}

/* A card of somebody else than whom the municipality has registered: a wrong link shows here at the latest. */
static ERR same_person(const struct cert_issue *x, const struct redis_reply *hash)
{
    ymd_t registered;
    TRY(birth_of(&x->c.judge, hash, SLICE_NONE, &registered));
    return registered && registered != x->person.birth ? FAIL(E_ATTRIBUTES) : OK;
}

static ERR judge(struct cert_issue *x, const struct redis_reply *hash)
{
    struct store *s = x->c.a.env->store;
    TRY(citizen_heard(&x->c, hash));
    TRY(same_person(x, hash));
    TRY(choose_key(x));
    TRY(cert_pick(x, hash));
    x->book->turn = arena_dup(req_arena(x->c.a.r), x->book->turn); /* the reply goes, the question stays */
    TRY(cert_read(s, &x->c.ps.person, hash, x->certs));
    TRY(cert_cards_make(x));
    return arena_check(req_arena(x->c.a.r));
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct cert_issue *x = (struct cert_issue *)c;
    x->now_ms = citizen_now_ms(c);
    if (err_ok(e))
        e = judge(x, hash);
    if (err_ok(e) && x->jti_used)
        sign_all(x);
    else if (err_ok(e))
        e = use_jti(x);
    if (!err_ok(e))
        end(x, e);
}

/* ---- the request ---- */

static bool latin(struct slice s, size_t min, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n >= min && s.n <= max;
}

/* The name of the first field that cannot be; NULL. */
static const char *passport_read(struct cert_issue *x, const struct form *f)
{
    struct buf name;
    if (!f->number.present)
        return x->kind == CERT_VDS ? "passport" : NULL;
    if (!latin(f->number.text, 1, VDS_PASSPORT_MAX))
        return "number";
    if (!latin(f->nationality.text, 1, 3))
        return "nationality";
    buf_init(&name, NAME_LATIN_MAX);
    bool good = err_ok(name_latin(f->name.text, &name));
    if (good)
        memcpy(x->passport.name, name.p, name.n);
    x->passport.name_n = name.n;
    x->passport.number = f->number.text;
    x->passport.nationality = f->nationality.text;
    x->passport.there = true;
    buf_done(&name);
    return good ? NULL : "name";
}

static void free_cards(void *arg)
{
    struct cert_issue *x = arg;
    for (size_t k = 0; k < CERT_CARDS_MAX; k++) {
        buf_done(&x->cards[k].text);
        qr_free(x->cards[k].qr);
    }
}

static ERR prepare(struct cert_issue *x, struct req *r)
{
    x->book = arena_get(req_arena(r), sizeof *x->book);
    x->certs = arena_get(req_arena(r), sizeof *x->certs);
    for (size_t k = 0; k < CERT_CARDS_MAX; k++)
        buf_init(&x->cards[k].text, VDS_TEXT_MAX);
    return x->book && x->certs && arena_on_reset(req_arena(r), free_cards, x) ? OK : FAIL(E_NOMEM);
}

/* Whose pseudonym it is: a portal has its own; a terminal hands on what the card's attributes say. */
static ERR attributes_of(struct cert_issue *x, struct req *r, const struct form *f)
{
    const struct caller *who = req_caller(r);
    const struct attributes_want want = { x->desk->audience, f->pseudonym.text, slice_str(who->identity), clock_wall(loop_clock(req_loop(r))) / 1000 };
    TRY(attributes_read(x->desk->attributes, f->attributes.text, &want, req_arena(r), &x->person));
    bool own = slice_eq(x->person.portal, slice_str(who->system));
    return who->role == CALLER_PORTAL && !own ? FAIL(E_ATTRIBUTES) : OK;
}

void portal_issue_certificate(struct req *r)
{
    struct lookup_env *env = req_ctx(r);
    struct form *f = access_new(r, sizeof *f);
    struct cert_issue *x = f ? access_new(r, sizeof *x) : NULL;
    if (!x || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], f))
        return;
    x->desk = env->certificates;
    x->kind = slice_eq(f->kind.text, LIT("shc")) ? CERT_SHC : CERT_VDS;
    x->wanted = f->doses.present ? f->doses.json : NULL;
    if (!x->desk || (x->kind == CERT_VDS && !x->desk->seal_cert.n)) {
        req_fail(r, FAIL(E_NO_ROUTE));
        return;
    }
    const char *bad = passport_read(x, f);
    if (bad) {
        access_refuse_field(r, bad, x->passport.there || f->number.present ? FR_CLASS : FR_MISSING);
        return;
    }
    struct err e = prepare(x, r);
    if (err_ok(e))
        e = attributes_of(x, r, f);
    if (err_ok(e))
        citizen_find_at(&x->c, r, AU_CERTIFICATE_ISSUED, x->person.portal, f->pseudonym.text, on_person);
    else
        req_fail(r, e);
}
