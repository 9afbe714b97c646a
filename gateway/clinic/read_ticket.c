/* POST /v1/clinic/tickets/read: from the line of a ticket and the date of birth to a session, without a card and without the number.
 *
 *   a try of tf:<clinic>, HGET tk:<name> s -> HGET s:<sid> k -> HGETALL p:{h} -> the session, and the try is given back
 *
 * A line that leads nowhere goes the same way, over names that nobody has. */
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/session.h"
#include "gateway/lookup/access.h"
#include "gateway/lookup/birth.h"
#include "gateway/lookup/tickets.h"
#include "gateway/vaccine/ticket_index.h"
#include "gateway/vaccine/ticket_line.h"

enum { BATCH_MAX = 1024, SESSION_BATCH_MAX = 256 * 1024, TRIES_MAX = 20, TRIES_MS = 10 * 60 * 1000, LINE_CHARS_MAX = 64, FIRST_REPLIES = 2 };

struct form {
    struct field_value line, birth;
};

static const struct field FORM[] = {
    { .name = "ticketLine", .offset = offsetof(struct form, line), .cls = FC_TEXT, .min = 1, .max = LINE_CHARS_MAX, .required = true },
    { .name = "dateOfBirth", .offset = offsetof(struct form, birth), .cls = FC_DATE, .required = true },
};

struct read_ticket {
    struct access a;
    struct form form;
    struct ticket_line line;
    struct store_name tries, index, subject, person;
    bool known;               /* all that was found leads on */
    struct session session;
    struct session_token token;
    struct judge judge;
    struct tickets tickets;
    const struct ticket *ticket;
};

static uint64_t wall_ms(const struct read_ticket *t) { return clock_wall(loop_clock(req_loop(t->a.r))); }
static struct slice muni_of(const struct read_ticket *t) { return ARR(t->line.muni); }

static void nobody(struct read_ticket *t)
{
    uint8_t rnd[SUBJECT_BYTES];
    struct person p;
    static const char HEX[] = "0123456789abcdef";
    t->known = false;
    rnd_bytes(rnd, sizeof rnd);
    store_name_subject(rnd, &t->subject);
    for (size_t i = 0; i < sizeof rnd; i++) {
        p.h[2 * i] = HEX[rnd[i] >> 4];
        p.h[2 * i + 1] = HEX[rnd[i] & 15];
    }
    store_name_person(&p, &t->person);
}

static ERR ask(struct read_ticket *t, redis_done_fn *done, size_t n, const struct slice *args)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    redis_add(b, n, args);
    access_send(&t->a, b, done, t);
    return OK;
}

/* ---- tries ---- */

/* A try is taken before anything is looked at, and given back when the ticket was good: so many at once are no more guesses than so many one after another.
 * The count ends TRIES_MS after the first one. */
#define TAKE_SCRIPT                                                                                   \
    "local n=tonumber(redis.call('GET',KEYS[1]) or '0') if n>=tonumber(ARGV[1]) then return 0 end "   \
    "redis.call('INCR',KEYS[1]) if n==0 then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end return 1"
#define GIVE_BACK_SCRIPT                                                                              \
    "local n=tonumber(redis.call('GET',KEYS[1]) or '0') "                                             \
    "if n>0 then redis.call('SET',KEYS[1],n-1,'KEEPTTL') end return 1"

static void take_try(const struct read_ticket *t, struct redis_batch *b)
{
    redis_begin(b, 6);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(TAKE_SCRIPT));
    redis_arg(b, LIT("1"));
    redis_arg(b, store_name_slice(&t->tries));
    redis_arg_u64(b, TRIES_MAX);
    redis_arg_u64(b, TRIES_MS);
}

/* ---- the session ---- */

static void write_answer(struct read_ticket *t)
{
    const struct ticket *k = t->ticket;
    struct jsonw w;
    char until[24], dose[12], day[10];
    clock_format_utc(t->session.open.until_ms, until);
    jsonw_init(&w, req_out(t->a.r));
    jsonw_object(&w, NULL);
    jsonw_object(&w, "ticket");
    jsonw_str(&w, "municipalityCode", ARR(k->muni));
    jsonw_str(&w, "vaccinationProgramId", k->program);
    if (k->label.n)
        jsonw_str(&w, "vaccineName", k->label);
    jsonw_str(&w, "doseNumber", slice_of(dose, (size_t)snprintf(dose, sizeof dose, "%u", k->dose)));
    if (k->from) {
        ymd_format(k->from, day);
        jsonw_str(&w, "validFrom", ARR(day));
    }
    if (k->to) {
        ymd_format(k->to, day);
        jsonw_str(&w, "validTo", ARR(day));
    }
    jsonw_end_object(&w);
    jsonw_str(&w, "session", ARR(t->token.text));
    session_write_id(&w, &t->token.name);
    jsonw_str(&w, "session_expires_at", ARR(until));
    jsonw_end_object(&w);
}

static void on_opened(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_ticket *t = arg;
    (void)replies, (void)n;
    if (err_ok(e))
        write_answer(t);
    access_end(&t->a, e);
}

/* What stands for the consent: an id that no link key can name. */
static ERR name_opening(const struct read_ticket *t, struct consent_name *ret_n)
{
    char id[1 + sizeof t->line.muni + sizeof t->line.number] = " ";
    memcpy(id + 1, t->line.muni, sizeof t->line.muni);
    memcpy(id + 1 + sizeof t->line.muni, t->line.number, sizeof t->line.number);
    return consent_name_of(t->a.env->store, &t->session.person, ARR(id), ret_n);
}

static ERR fill_session(struct read_ticket *t)
{
    static const char PURPOSE[] = "immunization";
    struct session_entry *n = &t->session.open;
    struct session_held *h = &t->session.held;
    const struct caller *c = req_caller(t->a.r);
    const uint64_t now = wall_ms(t);
    TRY(name_opening(t, &n->consent.name));
    n->consent.version = 1;
    n->consent.given_s = now / 1000;
    n->until_ms = session_expiry(now, t->a.env->session_life_ms, now / 1000);
    n->kinds = 1u << LINK_IMMUNIZATIONS | 1u << LINK_QUESTIONNAIRE;
    memcpy(n->clinic, c->code, sizeof n->clinic);
    memcpy(h->cert, c->cert_sha256, sizeof h->cert);
    memcpy(h->purpose, PURPOSE, sizeof PURPOSE - 1);
    memcpy(h->muni, t->ticket->muni, sizeof h->muni);
    if (t->ticket->program.n > sizeof h->program)
        return FAIL(E_SEAL);
    memcpy(h->program, t->ticket->program.p, t->ticket->program.n);
    return OK;
}

static ERR open_session(struct read_ticket *t, const struct redis_reply *hash)
{
    TRY(fill_session(t));
    struct redis_batch *b = redis_batch_new(SESSION_BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = session_add(t->a.env->store, hash, &t->session, NULL, wall_ms(t), &t->token, b);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    REDIS_ADD(b, LIT("EVAL"), LIT(GIVE_BACK_SCRIPT), LIT("1"), store_name_slice(&t->tries));
    memcpy(t->a.rec.ref, t->token.name.b, sizeof t->a.rec.ref);
    t->a.rec.until_s = (uint32_t)(t->session.open.until_ms / 1000 + 1);
    access_send(&t->a, b, on_opened, t);
    return OK;
}

/* ---- the person ---- */

static ERR judge_ticket(struct read_ticket *t, const struct redis_reply *hash)
{
    ymd_t birth;
    TRY(judge_heard(&t->judge, t->a.env->store, &t->person, clock_date_jst(wall_ms(t)), hash));
    TRY(tickets_valid(&t->judge, hash, req_arena(t->a.r), &t->tickets));
    TRY(birth_of(&t->judge, hash, muni_of(t), &birth));
    t->ticket = tickets_find(&t->tickets, muni_of(t), ARR(t->line.number));
    if (!t->ticket || birth != t->form.birth.date || t->ticket->dose != (unsigned)(t->line.dose - '0'))
        return FAIL(E_NOTHING);
    return OK;
}

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct read_ticket *t = arg;
    struct err e = session_judge(t->a.env->store, &t->person, hash, &t->token.name, &t->session.open.consent, wall_ms(t));
    if (err_is(e, E_SESSION))
        return (struct err){ E_CONSENT, e.site }; /* ended before its clinic heard of it */
    TRY(e);
    return judge_heard(&t->judge, t->a.env->store, &t->person, clock_date_jst(wall_ms(t)), hash);
}

static void on_person(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_ticket *t = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        e = t->known ? judge_ticket(t, replies[0]) : FAIL(E_NOTHING);
        if (err_ok(e))
            e = open_session(t, replies[0]);
    }
    if (!err_ok(e))
        access_end(&t->a, e);
}

static ERR name_person(struct read_ticket *t, struct slice sealed)
{
    struct store *s = t->a.env->store;
    struct buf key;
    buf_init(&key, PMH_KEY_MAX);
    struct err e = store_open(s, muni_of(t), &t->subject, LIT("k"), sealed, &key);
    if (err_ok(e))
        e = store_person(s, buf_slice(&key), &t->session.person);
    if (err_ok(e))
        e = access_subject(&t->a, buf_slice(&key)); /* also a try in vain is for the person to see */
    buf_done(&key);
    if (err_ok(e))
        store_name_person(&t->session.person, &t->person);
    return e;
}

static void on_subject(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_ticket *t = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && t->known && redis_reply_type(replies[0]) == REDIS_STR)
        e = name_person(t, redis_reply_str(replies[0]));
    else if (err_ok(e))
        nobody(t);
    if (err_ok(e)) {
        fresh_watch(&t->a, &t->person, still_good, t);
        e = ask(t, on_person, 2, (struct slice[]){ LIT("HGETALL"), store_name_slice(&t->person) });
    }
    if (!err_ok(e))
        access_end(&t->a, e);
}

/* ---- the ticket ---- */

/* A municipality without a key has no tickets. */
static void name_subject(struct read_ticket *t, const struct redis_reply *sid)
{
    uint8_t bytes[SUBJECT_BYTES];
    nobody(t);
    if (!hex_decode(redis_reply_str(sid), bytes, sizeof bytes) || !store_knows_muni(t->a.env->store, muni_of(t)))
        return;
    t->known = true;
    memcpy(t->a.rec.muni, t->line.muni, sizeof t->a.rec.muni);
    store_name_subject(bytes, &t->subject);
}

static void on_index(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_ticket *t = arg;
    if (err_ok(e) && n != FIRST_REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1)
        e = FAIL(E_TRIES);
    if (err_ok(e))
        name_subject(t, replies[1]);
    if (err_ok(e))
        e = ask(t, on_subject, 3, (struct slice[]){ LIT("HGET"), store_name_slice(&t->subject), LIT("k") });
    if (!err_ok(e))
        access_end(&t->a, e);
}

/* A municipality that is not ours has no tickets: a name that nobody has. */
static ERR ask_index(struct read_ticket *t)
{
    struct store *s = t->a.env->store;
    TRY(store_name_ticket(s, muni_of(t), ARR(t->line.number), &t->index));
    TRY(store_name_ticket_tries(s, slice_str(req_caller(t->a.r)->code), &t->tries));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    take_try(t, b);
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&t->index), TICKET_INDEX_SUBJECT);
    access_send(&t->a, b, on_index, t);
    return OK;
}

static bool read_line(struct read_ticket *t, struct req *r)
{
    static const enum field_rule RULES[TICKET_LINE_FAULT__MAX] = {
        [TICKET_LINE_LENGTH] = FR_LENGTH, [TICKET_LINE_CHARACTER] = FR_CLASS, [TICKET_LINE_MUNI] = FR_CHECK_DIGIT };
    const enum ticket_line_fault f = ticket_line_parse(t->form.line.text, &t->line);
    if (f == TICKET_LINE_OK)
        return true;
    access_refuse_field(r, "ticketLine", RULES[f]);
    return false;
}

void clinic_read_ticket(struct req *r)
{
    struct read_ticket *t = access_new(r, sizeof *t);
    if (!t || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &t->form) || !read_line(t, r) || !access_open(&t->a, r, AU_TICKET_READ))
        return;
    struct err e = ask_index(t);
    if (!err_ok(e))
        access_end(&t->a, e);
}
