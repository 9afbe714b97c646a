#include "keys/registration/plain_json.h"

void nz_plain_init(struct nz_plain *p, struct slice text) { *p = (struct nz_plain){ .rest = text }; }

/* The next byte that is no white space; 0 at the end. */
static uint8_t peek(struct nz_plain *p)
{
    struct slice *s = &p->rest;
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\n' || s->p[0] == '\r' || s->p[0] == '\t'))
        *s = slice_of(s->p + 1, s->n - 1);
    return s->n ? s->p[0] : 0;
}

static bool take(struct nz_plain *p, uint8_t c)
{
    if (peek(p) != c || !c)
        return false;
    p->rest = slice_of(p->rest.p + 1, p->rest.n - 1);
    return true;
}

static bool take_word(struct nz_plain *p, struct slice word)
{
    if (!slice_starts(p->rest, word))
        return false;
    p->rest = slice_of(p->rest.p + word.n, p->rest.n - word.n);
    return true;
}

static bool take_text(struct nz_plain *p, struct slice *ret)
{
    if (!take(p, '"'))
        return false;
    const struct slice s = p->rest;
    size_t n = 0;
    while (n < s.n && s.p[n] != '"' && s.p[n] != '\\' && s.p[n] >= 0x20)
        n++;
    if (n == s.n || s.p[n] != '"')
        return false;
    *ret = slice_of(s.p, n);
    p->rest = slice_of(s.p + n + 1, s.n - n - 1);
    return true;
}

static bool take_value(struct nz_plain *p, struct nz_plain_member *m)
{
    switch (peek(p)) {
    case '"':
        m->kind = NZ_PLAIN_TEXT;
        return take_text(p, &m->text);
    case '[':
        m->kind = NZ_PLAIN_EMPTY_LIST;
        return take(p, '[') && take(p, ']');
    default:
        m->kind = NZ_PLAIN_FLAG;
        m->flag = take_word(p, LIT("true"));
        return m->flag || take_word(p, LIT("false"));
    }
}

/* The name of a member and its value; when the value is an object, its first member. */
static bool take_member(struct nz_plain *p, struct nz_plain_member *m)
{
    *m = (struct nz_plain_member){ .group = p->group };
    if (!take_text(p, &m->name) || !take(p, ':'))
        return false;
    if (peek(p) != '{')
        return take_value(p, m);
    if (p->group.p || !take(p, '{')) /* no deeper */
        return false;
    p->group = m->group = m->name;
    return take_text(p, &m->name) && take(p, ':') && take_value(p, m);
}

enum nz_plain_ev nz_plain_next(struct nz_plain *p, struct nz_plain_member *ret_m)
{
    if (!p->begun) {
        p->begun = true;
        return take(p, '{') && take_member(p, ret_m) ? NZ_PLAIN_MEMBER : NZ_PLAIN_NOT;
    }
    if (p->group.p && take(p, '}'))
        p->group = SLICE_NONE;
    if (take(p, ','))
        return take_member(p, ret_m) ? NZ_PLAIN_MEMBER : NZ_PLAIN_NOT;
    return !p->group.p && take(p, '}') && peek(p) == 0 && p->rest.n == 0 ? NZ_PLAIN_END : NZ_PLAIN_NOT;
}
