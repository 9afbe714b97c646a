#include "gateway/front/brood.h"

static void forget(struct supervisor *s, struct reading *r)
{
    if (r->settings)
        s->what->forget(r->settings);
    *r = (struct reading){ 0 };
}

static void refused(struct supervisor *s)
{
    if (s->new_program)
        LOG(NOTE, "upgrade_refused");
    else
        LOG(NOTE, "reload_refused");
}

void change_begin(struct supervisor *s)
{
    if ((!s->reload && !s->upgrade) || s->stopping || s->trying || s->check || child_count(s, PART_LEAVES) > 0)
        return;
    if (s->upgrade) {
        s->upgrade = false;
        take_over_check(s);
        return;
    }
    struct reading r = { 0 };
    s->reload = false;
    if (err_ok(s->what->read(s->what->ctx, s->now.settings, &r)))
        change_try(s, &r);
    else
        refused(s);
}

void change_try(struct supervisor *s, const struct reading *r)
{
    s->tried = *r;
    s->trying = true;
    s->try_by = sup_now(s) + TRY_MS;
    struct err e = sockets_grow(&s->sockets, s->what->doors, r->workers);
    if (!err_ok(e)) {
        LOG(ERROR, "sockets_not_opened", LF("error", e));
        change_failed(s);
        return;
    }
    news_begin(&s->tried_news, r->groups, r->n_groups); /* before they read: what changes meanwhile, they hear of */
    for (unsigned i = 0; i < r->workers; i++) {
        struct child *c = child_add(s, PART_TRIED, i);
        if (c)
            child_start(s, c);
        if (!c || !c->pid) {
            change_failed(s);
            return;
        }
    }
}

static void replace(struct supervisor *s, enum part part, enum part by, int signum)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (c->part == part && by == PART_LEAVES)
            child_leave(s, c, signum);
        else if (c->part == part)
            c->part = by;
    }
}

void change_ready(struct supervisor *s)
{
    if (!s->trying || s->stopping)
        return;
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].part == PART_TRIED && !s->children[i].ready)
            return;
    s->trying = false;
    replace(s, PART_SERVES, PART_LEAVES, SIGHUP);
    replace(s, PART_TRIED, PART_SERVES, 0);
    forget(s, &s->now);
    s->now = s->tried;
    s->news = s->tried_news;
    s->tried = (struct reading){ 0 };
    s->what->adopted(s->now.settings);
    if (s->new_program)
        LOG(NOTE, "upgraded", LF("workers", s->now.workers));
    else
        LOG(NOTE, "reloaded", LF("workers", s->now.workers));
    s->new_program = false;
}

void change_failed(struct supervisor *s)
{
    if (!s->trying)
        return;
    s->trying = false;
    replace(s, PART_TRIED, PART_LEAVES, SIGTERM);
    forget(s, &s->tried);
    refused(s);
    if (s->new_program)
        take_over_go_back(s);
    s->new_program = false;
}
