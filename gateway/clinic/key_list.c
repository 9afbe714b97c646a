#include "gateway/clinic/key_list.h"

static const char FIELD[] = "link_keys";

/* ---- without a tree ---- */

static struct slice from(struct slice s, size_t n) { return slice_of(s.p + n, s.n - n); }

static void skip_space(struct slice *in)
{
    while (in->n && (in->p[0] == ' ' || in->p[0] == '\t' || in->p[0] == '\n' || in->p[0] == '\r'))
        *in = from(*in, 1);
}

static bool takes(struct slice *in, struct slice token)
{
    skip_space(in);
    if (!slice_starts(*in, token))
        return false;
    *in = from(*in, token.n);
    return true;
}

static bool take_key(struct slice *in, struct slice *ret_key)
{
    if (!takes(in, LIT("\"")))
        return false;
    const uint8_t *end = memchr(in->p, '"', in->n < JWE_MAX + 1 ? in->n : JWE_MAX + 1);
    if (!end || end == in->p)
        return false;
    *ret_key = slice_of(in->p, (size_t)(end - in->p));
    for (size_t i = 0; i < ret_key->n; i++)
        if (ret_key->p[i] < 0x20 || ret_key->p[i] > 0x7E || ret_key->p[i] == '\\')
            return false;
    *in = from(*in, ret_key->n + 1);
    return true;
}

bool key_list_plain(struct key_list *ret_k, struct slice text)
{
    struct slice in = text;
    ret_k->n = 0;
    if (!takes(&in, LIT("{")) || !takes(&in, LIT("\"link_keys\"")) || !takes(&in, LIT(":")) || !takes(&in, LIT("[")))
        return false;
    do
        if (ret_k->n == ACCESS_LIST_MAX || !take_key(&in, &ret_k->key[ret_k->n++]))
            return false;
    while (takes(&in, LIT(",")));
    if (!takes(&in, LIT("]")) || !takes(&in, LIT("}")))
        return false;
    skip_space(&in);
    return in.n == 0;
}

/* ---- any JSON ---- */

static enum field_rule take_text(const json_t *v, struct slice *ret_key)
{
    if (!json_is_string(v))
        return FR_TYPE;
    *ret_key = slice_of(json_string_value(v), json_string_length(v));
    if (!field_text_ok(*ret_key))
        return FR_CLASS;
    size_t chars = 0;
    for (size_t i = 0; i < ret_key->n; i++)
        chars += (ret_key->p[i] & 0xC0) != 0x80;
    return chars > 0 && chars <= JWE_MAX ? FR_NONE : FR_LENGTH;
}

static enum field_rule take_list(const json_t *v, struct key_list *ret_k)
{
    if (!v)
        return FR_MISSING;
    if (!json_is_array(v))
        return FR_TYPE;
    ret_k->n = json_array_size(v);
    if (ret_k->n == 0 || ret_k->n > ACCESS_LIST_MAX)
        return FR_LENGTH;
    enum field_rule rule = FR_NONE;
    for (size_t i = 0; i < ret_k->n && rule == FR_NONE; i++)
        rule = take_text(json_array_get(v, i), &ret_k->key[i]);
    return rule;
}

struct err key_list_read(struct key_list *ret_k, struct arena *a, struct slice text, struct field_report *ret_report)
{
    json_t *obj;
    *ret_report = (struct field_report){ 0 };
    if (key_list_plain(ret_k, text))
        return OK;
    TRY(json_in_object(&obj, a, text));
    const json_t *v = json_object_get(obj, FIELD);
    const enum field_rule rule = take_list(v, ret_k);
    if (rule != FR_NONE)
        field_fault_add(ret_report, FIELD, rule);
    if (json_object_size(obj) > (v ? 1 : 0))
        field_fault_add(ret_report, "", FR_UNKNOWN);
    return ret_report->n_faults ? FAIL(E_FIELD) : OK;
}
