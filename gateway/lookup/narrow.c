/* Cuts members out of the wire-ready JSON of a record, without a tree: it is our own, so only its outline is followed. */
#include "gateway/lookup/judge.h"

static bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static void skip_space(struct slice *in)
{
    while (in->n && is_space(*in->p))
        in->p++, in->n--;
}

static bool take_char(struct slice *in, char c)
{
    skip_space(in);
    if (!in->n || *in->p != (uint8_t)c)
        return false;
    in->p++, in->n--;
    return true;
}

/* Length of the string at p, with its quotes; 0 when it has no end. */
static size_t string_length(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        i += s.p[i] == '\\';
    }
    return 0;
}

static bool take_string(struct slice *in, struct slice *ret_inner)
{
    skip_space(in);
    size_t n = in->n && *in->p == '"' ? string_length(*in) : 0;
    struct slice whole;
    if (n < 2 || !slice_take(in, n, &whole))
        return false;
    *ret_inner = slice_of(whole.p + 1, n - 2);
    return true;
}

/* Up to the comma or bracket that ends it. */
static bool take_value(struct slice *in, struct slice *ret_value)
{
    size_t depth = 0, i = 0, n;
    skip_space(in);
    while (i < in->n) {
        uint8_t c = in->p[i];
        if (c == '"') {
            if (!(n = string_length(slice_of(in->p + i, in->n - i))))
                return false;
            i += n;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}'))
            break;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth-- == 0)
            return false;
        i++;
    }
    if (!i || depth || !slice_take(in, i, ret_value))
        return false;
    while (ret_value->n && is_space(ret_value->p[ret_value->n - 1]))
        ret_value->n--;
    return true;
}

static const char *allowed(struct slice name, uint16_t fields)
{
    for (unsigned i = 0; i < LINK_FIELDS; i++)
        if ((fields & 1u << i) && slice_eq(name, slice_str(link_field_name(i))))
            return link_field_name(i);
    return NULL;
}

static bool take_member(struct slice *in, uint16_t fields, struct jsonw *out)
{
    struct slice name, value;
    if (!take_string(in, &name) || !take_char(in, ':') || !take_value(in, &value))
        return false;
    const char *known = allowed(name, fields);
    if (known)
        jsonw_raw(out, known, value);
    return true;
}

struct err narrow_object(struct slice json, uint16_t fields, struct jsonw *out)
{
    if (!take_char(&json, '{'))
        return FAIL(E_SEAL);
    jsonw_object(out, NULL);
    if (!take_char(&json, '}')) {
        do {
            if (!take_member(&json, fields, out))
                return FAIL(E_SEAL);
        } while (take_char(&json, ','));
        if (!take_char(&json, '}'))
            return FAIL(E_SEAL);
    }
    skip_space(&json);
    jsonw_end_object(out);
    return json.n ? FAIL(E_SEAL) : OK;
}
