#ifndef TESTS_UNIT_VAULT_ASK_H
#define TESTS_UNIT_VAULT_ASK_H

/* Questions to the vault of a town, and what they ended with. Include after cmocka.h. */

#include "tests/unit/vault_town.h"

enum { WAIT_MS = 4000 };

struct linked {
    struct err e;
    struct nz_subject subject;
    bool known;
    int done;
};

static inline void on_linked(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    struct linked *r = arg;
    r->e = e;
    r->known = known;
    if (subject)
        r->subject = *subject;
    r->done++;
}

static inline void link_start(struct town *t, struct linked *r, const char *muni, const char *digits, const struct nz_ticket *ticket)
{
    struct nz_mynum *m = NULL;
    assert_true(err_ok(nz_mynum_new(&m, t->pool, slice_str(digits))));
    nz_vault_link(t->client, muni, m, ticket, loop_now(t->loop) + WAIT_MS, on_linked, r);
    assert_int_equal(r->done, 0); /* never before the call has returned */
    nz_mynum_free(m);
}

static inline struct linked link_number(struct town *t, const char *muni, const char *digits, const struct nz_ticket *ticket)
{
    struct linked r = { 0 };
    link_start(t, &r, muni, digits, ticket);
    town_wait(t, &r.done, 1);
    return r;
}

struct revealed {
    struct err e;
    char digits[13];
    int done;
};

static inline struct err copy_digits(struct slice digits, void *arg)
{
    memcpy(arg, digits.p, 12);
    return OK;
}

static inline void on_revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct revealed *r = arg;
    r->e = e;
    if (number)
        assert_true(err_ok(nz_mynum_use(number, copy_digits, r->digits)));
    nz_mynum_free(number);
    r->done++;
}

static inline struct revealed reveal(struct town *t, const char *muni, const struct nz_subject *subject, const struct nz_ticket *ticket,
                              const struct nz_ticket *next)
{
    struct revealed r = { 0 };
    nz_vault_reveal(t->client, t->pool, muni, subject, ticket, next, NZ_PURPOSE_NUMBERING, (struct req_id){ { 1 } },
                    loop_now(t->loop) + WAIT_MS, on_revealed, &r);
    assert_int_equal(r.done, 0);
    town_wait(t, &r.done, 1);
    return r;
}

static inline struct nz_ticket ticket_new(void)
{
    struct nz_ticket k;
    rnd_bytes(k.b, sizeof k.b);
    return k;
}

#define REVEAL_CODE(...) reveal(__VA_ARGS__).e.code

static inline struct linked link_until_up(struct town *t, const char *digits)
{
    struct linked r;
    for (int i = 0; i < 100; i++) {
        r = link_number(t, "331007", digits, NULL);
        if (err_ok(r.e))
            break;
        usleep(50000);
    }
    return r;
}

#endif
