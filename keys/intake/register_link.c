/* The vault's part of a registration: subjects, then tickets. A bounded number of calls is under way at a time. */

#include "keys/intake/register.h"

enum { CALLS_UNDER_WAY = 512 };

struct call { /* one row at the vault */
    struct nz_reg *g;
    size_t i;
};

struct pass {
    bool (*wants)(const struct nz_reg_row *x);
    void (*then)(struct nz_reg *g);
    bool tickets;
};

static bool wants_subject(const struct nz_reg_row *x) { return x->linked; }
static bool wants_ticket(const struct nz_reg_row *x) { return x->linked && !x->has_key; }

static const struct pass SUBJECTS = { wants_subject, nz_reg_judge, false };
static const struct pass TICKETS = { wants_ticket, nz_reg_commit, true };

static void pump(struct nz_reg *g, const struct pass *p);

static void linked(struct call *c, struct err e, const struct nz_subject *subject, const struct pass *p)
{
    struct nz_reg *g = c->g;
    g->under_way--;
    if (err_ok(e))
        g->x[c->i].subject = *subject;
    else if (err_ok(g->failed))
        g->failed = e;
    pump(g, p);
}

static void subject_linked(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    (void)known;
    linked(arg, e, subject, &SUBJECTS);
}

static void ticket_linked(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    (void)known;
    linked(arg, e, subject, &TICKETS);
}

static void ask(struct nz_reg *g, size_t i, const struct pass *p)
{
    struct nz_reg_row *x = &g->x[i];
    struct call *c = arena_get(req_arena(g->r), sizeof *c);
    if (!c) {
        g->failed = FAIL(E_FULL);
        return;
    }
    *c = (struct call){ g, i };
    x->has_ticket = p->tickets;
    if (p->tickets)
        rnd_bytes(x->ticket.b, sizeof x->ticket.b);
    g->under_way++;
    nz_vault_link(g->in->vault, g->muni, g->rows->row[i].number, p->tickets ? &x->ticket : NULL,
                  nz_req_step(g->r, NZ_READ_MS, nz_vault_up(g->in->vault)), p->tickets ? ticket_linked : subject_linked, c);
}

static void pump(struct nz_reg *g, const struct pass *p)
{
    while (err_ok(g->failed) && g->next < g->rows->n && g->under_way < CALLS_UNDER_WAY) {
        size_t i = g->next++;
        if (p->wants(&g->x[i]))
            ask(g, i, p);
    }
    if (g->under_way)
        return;
    if (!err_ok(g->failed))
        nz_reg_give_up(g, g->failed);
    else
        p->then(g);
}

static void start(struct nz_reg *g, const struct pass *p)
{
    g->next = 0;
    pump(g, p);
}

void nz_reg_link(struct nz_reg *g) { start(g, &SUBJECTS); }
void nz_reg_tickets(struct nz_reg *g) { start(g, &TICKETS); }
