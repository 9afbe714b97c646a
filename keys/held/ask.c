#include "keys/held/ask.h"

#include <stdlib.h>

enum { OFFICER_DIGITS_MAX = 12 };

static ERR fault(struct field_fault *bad, const char *field, enum field_rule rule)
{
    *bad = (struct field_fault){ field, rule };
    return FAIL(E_FIELD);
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static ERR read_rows(json_t *v, struct arena *a, struct nz_held_ask *ask, struct field_fault *bad)
{
    if (!json_is_array(v))
        return fault(bad, "rows", FR_TYPE);
    size_t n = json_array_size(v);
    if (n > NZ_HELD_ROWS_MAX)
        return FAIL(E_TOO_MANY_ROWS);
    if (!n)
        return fault(bad, "rows", FR_LENGTH);
    ask->row = arena_get(a, n * sizeof *ask->row);
    if (!ask->row)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_array_get(v, i);
        if (!json_is_integer(one))
            return fault(bad, "rows", FR_TYPE);
        if (json_integer_value(one) < 1 || json_integer_value(one) > UINT32_MAX)
            return fault(bad, "rows", FR_RANGE);
        ask->row[i] = (uint32_t)json_integer_value(one);
    }
    qsort(ask->row, n, sizeof *ask->row, by_row);
    for (size_t i = 0; i < n; i++) {
        if (!i || ask->row[i] != ask->row[ask->n - 1])
            ask->row[ask->n++] = ask->row[i];
    }
    return OK;
}

/* The name goes into the audit log: with so many digits it could be a number. */
static bool could_be_number(struct slice s)
{
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++)
        digits += s.p[i] >= '0' && s.p[i] <= '9';
    return digits >= OFFICER_DIGITS_MAX;
}

static bool officer_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return true;
}

static ERR read_officer(json_t *v, struct arena *a, struct nz_held_ask *ask, struct field_fault *bad)
{
    if (!v)
        return fault(bad, "officer", FR_MISSING);
    if (!json_is_string(v))
        return fault(bad, "officer", FR_TYPE);
    struct slice s = slice_of(json_string_value(v), json_string_length(v));
    if (s.n < 1 || s.n > NZ_OFFICER_MAX)
        return fault(bad, "officer", FR_LENGTH);
    if (!officer_ok(s))
        return fault(bad, "officer", FR_CLASS);
    if (could_be_number(s))
        return fault(bad, "officer", FR_NUMBER_INSIDE);
    ask->officer = arena_dup(a, s);
    return ask->officer.n ? OK : FAIL(E_NOMEM);
}

ERR nz_held_ask_parse(struct slice body, struct slice logged_in, struct arena *a, struct nz_held_ask *ret_ask, struct field_fault *bad_fault)
{
    struct nz_held_ask ask = { 0 };
    json_t *v;
    TRY(json_in_object(&v, a, body));
    json_t *rows = json_object_get(v, "rows"), *all = json_object_get(v, "all"), *officer = json_object_get(v, "officer");
    if (json_object_size(v) > (size_t)(rows != NULL) + (all != NULL) + (officer != NULL))
        return fault(bad_fault, "", FR_UNKNOWN);
    if (!rows && !all)
        return fault(bad_fault, "rows", FR_MISSING);
    if (rows && all)
        return fault(bad_fault, "all", FR_RANGE);
    if (all && !json_is_boolean(all))
        return fault(bad_fault, "all", FR_TYPE);
    if (all && !json_is_true(all))
        return fault(bad_fault, "all", FR_CODE);
    ask.all = all != NULL;
    if (officer || !logged_in.n)
        TRY(read_officer(officer, a, &ask, bad_fault));
    if (logged_in.n)
        ask.officer = logged_in;
    if (rows)
        TRY(read_rows(rows, a, &ask, bad_fault));
    *ret_ask = ask;
    return OK;
}
