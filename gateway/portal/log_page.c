#include "gateway/portal/log_page.h"

#include "gateway/base/text.h"
#include "gateway/portal/words.h"

enum { ROUNDS_MAX = 8, STEP_MARGIN_MS = 600 /* as much as the last reading and the record may take */ };

const struct field LOG_FORM[] = {
    CITIZEN_FIELD(log_form),
    { .name = "cursor", .offset = offsetof(struct log_form, cursor), .cls = FC_DIGITS, .min = 1, .max = 20 },
    { .name = "limit", .offset = offsetof(struct log_form, limit), .cls = FC_DIGITS, .min = 1, .max = 2 },
};
const size_t LOG_FORM_N = sizeof LOG_FORM / sizeof LOG_FORM[0];

const char *log_form_read(const struct log_form *f, uint64_t *ret_before, unsigned *ret_limit)
{
    uint64_t before = UINT64_MAX, limit = LOG_LIMIT_DEFAULT;
    if (f->cursor.present && (!u64_parse(f->cursor.text, &before) || before == 0))
        return "cursor";
    if (f->limit.present && (!u64_parse(f->limit.text, &limit) || limit == 0 || limit > LOG_LIMIT_MAX))
        return "limit";
    *ret_before = before;
    *ret_limit = (unsigned)limit;
    return NULL;
}

static void find(struct log_page *p);

static uint64_t deadline(const struct log_page *p)
{
    uint64_t at = req_deadline(p->c.a.r);
    return at > STEP_MARGIN_MS ? at - STEP_MARGIN_MS : 0;
}

/* ---- the end: whether the person may still be told is asked last ---- */

static void on_again(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct log_page *p = (struct log_page *)c;
    if (err_ok(e))
        e = citizen_heard(c, hash);
    c->a.rec.count = (uint32_t)p->n;
    p->fn(p, e);
}

static void page_end(struct log_page *p, uint64_t next)
{
    if (p->n > p->limit) {
        p->n = p->limit;
        next = p->entry[p->n - 1].seq;
    }
    p->next = next;
    citizen_again(&p->c, on_again);
}

/* ---- proofs ---- */

static void round_end(struct log_page *p)
{
    if (!err_ok(p->failed)) {
        p->fn(p, p->failed);
        return;
    }
    for (size_t i = 0; i < p->asked && p->n <= p->limit; i++)
        if (p->slot[i].there && words_visible(&p->slot[i].proof.rec))
            p->entry[p->n++] = p->slot[i].proof;
    if (p->n > p->limit || p->before == 0 || ++p->rounds == ROUNDS_MAX)
        page_end(p, p->before);
    else
        find(p);
}

static void on_proof(void *arg, struct err e, const struct audit_proof *proof)
{
    struct log_slot *s = arg;
    struct log_page *p = s->page;
    if (err_ok(e)) {
        s->proof = *proof;
        s->there = true;
    } else if (!err_is(e, E_NOTHING) && err_ok(p->failed)) { /* NOTHING: removed after its time since it was found */
        p->failed = e;
    }
    if (--p->waiting == 0)
        round_end(p);
}

static void on_found(void *arg, struct err e, const struct audit_hits *h)
{
    struct log_page *p = arg;
    if (!err_ok(e)) {
        p->fn(p, e);
        return;
    }
    struct audit_key key = audit_key_person(p->c.a.rec.subject);
    size_t wanted = p->limit + 1 - p->n;
    p->asked = h->n < wanted ? h->n : wanted;
    p->before = h->n > p->asked ? h->seq[p->asked - 1] : h->next;
    if (p->asked == 0) {
        round_end(p);
        return;
    }
    p->waiting = (unsigned)p->asked;
    for (size_t i = 0; i < p->asked; i++) {
        p->slot[i].page = p;
        p->slot[i].there = false;
        audit_prove(p->c.a.env->audit, &key, h->seq[i], p->size, deadline(p), on_proof, &p->slot[i]);
    }
}

static void find(struct log_page *p)
{
    struct audit_find q = { .key = audit_key_person(p->c.a.rec.subject), .before = p->before, .to_ms = UINT64_MAX };
    audit_find(p->c.a.env->audit, &q, deadline(p), on_found, p);
}

static void on_checkpoint(void *arg, struct err e, uint64_t size, struct slice note)
{
    struct log_page *p = arg;
    if (err_ok(e) && (note.n > sizeof p->note || size == 0))
        e = FAIL(E_AUDIT_DOWN);
    if (!err_ok(e)) {
        p->fn(p, e);
        return;
    }
    memcpy(p->note, note.p, note.n);
    p->note_n = note.n;
    p->size = size;
    if (p->before > size)
        p->before = size + 1;
    find(p);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct log_page *p = (struct log_page *)c;
    if (err_ok(e))
        e = citizen_heard(c, hash);
    if (err_ok(e))
        audit_checkpoint(c->a.env->audit, deadline(p), on_checkpoint, p);
    else
        p->fn(p, e);
}

void log_page_begin(struct log_page *p, struct req *r, enum audit_event event, log_page_fn *fn)
{
    if (!access_body(r, LOG_FORM, LOG_FORM_N, &p->form))
        return;
    const char *bad = log_form_read(&p->form, &p->before, &p->limit);
    if (bad) {
        access_refuse_field(r, bad, FR_RANGE);
        return;
    }
    log_page_find(p, r, event, p->form.pseudonym.text, fn);
}

void log_page_find(struct log_page *p, struct req *r, enum audit_event event, struct slice pseudonym, log_page_fn *fn)
{
    p->failed = OK;
    p->fn = fn;
    citizen_find(&p->c, r, event, pseudonym, on_person);
}
