#include "connectors/number/pmh_plain.h"

#include "gateway/base/text.h"

static void skip_space(struct slice *s)
{
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\n' || s->p[0] == '\r' || s->p[0] == '\t'))
        *s = slice_of(s->p + 1, s->n - 1);
}

static bool take(struct slice *s, char c)
{
    skip_space(s);
    if (!s->n || s->p[0] != (uint8_t)c)
        return false;
    *s = slice_of(s->p + 1, s->n - 1);
    return true;
}

/* Up to the next quotation mark: an escape would be no character of a name, of a number or of a key. */
static bool take_text(struct slice *s, struct slice *ret)
{
    if (!take(s, '"'))
        return false;
    const uint8_t *end = s->n ? memchr(s->p, '"', s->n) : NULL;
    if (!end)
        return false;
    *ret = slice_of(s->p, (size_t)(end - s->p));
    *s = slice_of(end + 1, s->n - ret->n - 1);
    return true;
}

static bool take_member(struct slice *s, struct nz_pmh_element *x)
{
    struct slice name, text;
    if (!take_text(s, &name) || !take(s, ':') || !take_text(s, &text))
        return false;
    struct slice *to = slice_eq(name, LIT("myNumber")) ? &x->number : slice_eq(name, LIT("pmhKey")) ? &x->key : NULL;
    if (!to || to->p)
        return false;
    *to = text;
    return true;
}

static bool take_element(struct slice *s, struct nz_pmh_element *ret_x)
{
    struct nz_pmh_element x = { .number = SLICE_NONE };
    if (!take(s, '{') || !take_member(s, &x) || !take(s, ',') || !take_member(s, &x) || !take(s, '}'))
        return false;
    *ret_x = x;
    return x.number.n == NZ_MYNUM_DIGITS && all_digits(x.number) && nz_pmh__key_ok(x.key);
}

bool nz_pmh__plain(struct slice body, struct nz_pmh_element *ret_x, size_t max, size_t *ret_n)
{
    size_t n = 0;
    if (!take(&body, '['))
        return false;
    do {
        if (n == max || !take_element(&body, &ret_x[n]))
            return false;
        n++;
    } while (take(&body, ','));
    *ret_n = n;
    if (!take(&body, ']'))
        return false;
    skip_space(&body);
    return body.n == 0;
}
