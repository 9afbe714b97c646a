#include "keys/bulk/changed.h"

#include <jansson.h>
#include <stddef.h>

void nz_changed_add(struct buf *names, struct slice name)
{
    if (names->n)
        buf_putc(names, ',');
    buf_put(names, name);
}

/* ---- members, one after the other ---- */

struct member { struct slice name, value; };

/* from: the opening quotation mark. Behind the closing one; 0: there is none. */
static size_t text_end(struct slice s, size_t from)
{
    for (size_t i = from + 1; i < s.n;) {
        const uint8_t *quote = memchr(s.p + i, '"', s.n - i);
        if (!quote)
            return 0;
        const size_t at = (size_t)(quote - s.p);
        size_t back = 0;
        while (at - back > i && quote[-1 - (ptrdiff_t)back] == '\\')
            back++;
        i = at + 1;
        if (back % 2 == 0)
            return i;
    }
    return 0;
}

/* The comma or bracket behind the value; 0: there is none. */
static size_t value_end(struct slice s, size_t i)
{
    for (size_t depth = 0; i && i < s.n;) {
        const uint8_t c = s.p[i];
        const bool closes = c == '}' || c == ']';
        if (!depth && (closes || c == ','))
            return i;
        depth += c == '{' || c == '[';
        depth -= closes;
        i = c == '"' ? text_end(s, i) : i + 1;
    }
    return 0;
}

/* *at: 0 at first. */
static bool member_next(struct slice s, size_t *at, struct member *ret_m)
{
    const size_t from = *at + 1; /* behind the bracket or the comma */
    if (from >= s.n || s.p[*at] != (*at ? ',' : '{') || s.p[from] != '"')
        return false;
    const size_t colon = text_end(s, from);
    if (!colon || colon >= s.n || s.p[colon] != ':')
        return false;
    const size_t end = value_end(s, colon + 1);
    if (!end)
        return false;
    *ret_m = (struct member){ slice_of(s.p + from + 1, colon - from - 2), slice_of(s.p + colon + 1, end - colon - 1) };
    *at = end;
    return true;
}

/* The member of a between from and to stands in b as well, at the hint. */
static bool stands_there(struct slice a, size_t from, size_t to, struct slice b, size_t *hint)
{
    const size_t n = to - from, end = *hint + n;
    if (end >= b.n || b.p[*hint] != (*hint ? ',' : '{') || (b.p[end] != ',' && b.p[end] != '}'))
        return false;
    if (!slice_eq(slice_of(a.p + from + 1, n - 1), slice_of(b.p + *hint + 1, n - 1)))
        return false;
    *hint = end;
    return true;
}

/* *hint: where it stands when both objects have the same members, as a rule. */
static bool member_find(struct slice s, struct slice name, size_t *hint, struct member *ret_m)
{
    size_t at = *hint;
    if (member_next(s, &at, ret_m) && slice_eq(ret_m->name, name)) {
        *hint = at;
        return true;
    }
    for (at = 0; member_next(s, &at, ret_m);) {
        if (slice_eq(ret_m->name, name)) {
            *hint = at;
            return true;
        }
    }
    return false;
}

/* ---- compared ---- */

/* Lists and objects came from the sender, who may write the same in another order. */
static bool same_tree(struct slice a, struct slice b)
{
    json_t *x = json_loadb((const char *)a.p, a.n, 0, NULL), *y = json_loadb((const char *)b.p, b.n, 0, NULL);
    const bool same = x && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static bool same_value(struct slice a, struct slice b)
{
    const bool tree = a.n && b.n && (a.p[0] == '{' || a.p[0] == '[');
    return slice_eq(a, b) || (tree && a.p[0] == b.p[0] && same_tree(a, b));
}

void nz_changed_members(struct slice a, struct slice b, struct buf *names)
{
    struct member x, y;
    size_t at = 0, hint = 0, from = 0;
    if (slice_eq(a, b))
        return;
    for (; member_next(a, &at, &x); from = at) {
        if (!stands_there(a, from, at, b, &hint) && (!member_find(b, x.name, &hint, &y) || !same_value(x.value, y.value)))
            nz_changed_add(names, x.name);
    }
    for (at = hint = from = 0; member_next(b, &at, &y); from = at) {
        if (!stands_there(b, from, at, a, &hint) && !member_find(a, y.name, &hint, &x))
            nz_changed_add(names, y.name);
    }
}
