#include "keys/ctl/split.h"

static bool blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static void skip_blanks(struct slice *s)
{
    while (s->n && blank(s->p[0]))
        *s = slice_of(s->p + 1, s->n - 1);
}

static bool skip(struct slice *s, uint8_t c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = slice_of(s->p + 1, s->n - 1);
    return true;
}

/* Length of a string literal that starts at s, with its quotes; 0 when it does not end. */
static size_t string_length(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Length up to the comma or bracket that ends the element; 0 when there is none. */
static size_t element_length(struct slice s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"') {
            size_t k = string_length(slice_of(s.p + i, s.n - i));
            if (!k)
                return 0;
            i += k - 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == ',' || c == ']' || c == '}') && depth == 0) {
            return i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return 0;
}

static enum nz_split_step bad(struct nz_split *r)
{
    r->rest = slice_of("!", 1);
    r->opened = false;
    return NZ_SPLIT_BAD;
}

static enum nz_split_step finish(struct nz_split *r)
{
    skip_blanks(&r->rest);
    if (r->rest.n)
        return bad(r);
    r->opened = true;
    return NZ_SPLIT_END;
}

enum nz_split_step nz_split_next(struct nz_split *r, struct slice *ret_row)
{
    struct slice *s = &r->rest;
    skip_blanks(s);
    if (r->opened && !s->n)
        return NZ_SPLIT_END; /* the end was reached before */
    if (!r->opened) {
        if (!skip(s, '['))
            return bad(r);
        r->opened = true;
        skip_blanks(s);
        if (skip(s, ']'))
            return finish(r);
    }
    size_t n = element_length(*s);
    if (!n || !slice_take(s, n, ret_row))
        return bad(r);
    while (ret_row->n && blank(ret_row->p[ret_row->n - 1]))
        ret_row->n--;
    if (skip(s, ']')) {
        struct slice row = *ret_row;
        enum nz_split_step end = finish(r);
        *ret_row = row;
        /* The last row is given out first; the next call finds nothing left. */
        return end == NZ_SPLIT_END ? NZ_SPLIT_ROW : NZ_SPLIT_BAD;
    }
    if (!skip(s, ','))
        return bad(r);
    skip_blanks(s);
    if (!s->n || s->p[0] == ']')
        return bad(r);
    return NZ_SPLIT_ROW;
}
