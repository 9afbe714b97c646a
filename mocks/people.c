#include "mocks/people.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { ROWS_FIRST = 1024, NUMBER_DIGITS = 12 };

static struct slice number_of(const void *rows, uint32_t at)
{
    const struct people *p = rows;
    return slice_of(p->rows[at].number, NUMBER_DIGITS);
}

static struct slice serial_of(const void *rows, uint32_t at)
{
    const struct people *p = rows;
    return slice_str(p->rows[at].serial);
}

void people_init(struct people *p)
{
    *p = (struct people){ .n = 0 };
    table_init(&p->by_number, number_of, p);
    table_init(&p->by_serial, serial_of, p);
}

void people_done(struct people *p)
{
    if (p->rows)
        explicit_bzero(p->rows, p->cap * sizeof *p->rows);
    free(p->rows);
    p->rows = NULL;
    p->n = p->cap = 0;
    table_done(&p->by_number);
    table_done(&p->by_serial);
}

uint32_t people_by_number(const struct people *p, struct slice number) { return table_find(&p->by_number, number); }
uint32_t people_by_serial(const struct people *p, struct slice serial) { return table_find(&p->by_serial, serial); }

static bool serial_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z')))
            return false;
    return s.n >= 1 && s.n <= SERIAL_MAX;
}

/* Serials of our making start with F; the generator's start with 1 to A. */
static void serial_make(const struct people *p, char out[static SERIAL_MAX + 1])
{
    uint32_t r;
    do {
        rnd_bytes(&r, sizeof r);
        snprintf(out, SERIAL_MAX + 1, "F%07X", (unsigned)(r >> 4));
    } while (people_by_serial(p, slice_str(out)) != TABLE_NONE);
}

/* Fills out with the given serial or one of our making. */
static struct err serial_take(const struct people *p, struct slice serial, char out[static SERIAL_MAX + 1])
{
    if (serial.n == 0) {
        serial_make(p, out);
        return OK;
    }
    if (!serial_ok(serial))
        return FAIL(E_FIELD);
    if (people_by_serial(p, serial) != TABLE_NONE)
        return FAIL(E_CONFLICT);
    memcpy(out, serial.p, serial.n);
    out[serial.n] = '\0';
    return OK;
}

/* The rows move into new memory and the old is wiped: realloc would leave numbers behind. */
static struct err room(struct people *p)
{
    if (p->n < p->cap)
        return OK;
    if (p->n >= PEOPLE_MAX)
        return FAIL(E_FULL);
    uint32_t cap = p->cap ? p->cap * 2 : ROWS_FIRST;
    struct person *rows = calloc(cap, sizeof *rows);
    if (!rows)
        return FAIL(E_NOMEM);
    if (p->n) {
        memcpy(rows, p->rows, p->n * sizeof *rows);
        explicit_bzero(p->rows, p->n * sizeof *p->rows);
    }
    free(p->rows);
    p->rows = rows;
    p->cap = cap;
    return OK;
}

ERR people_add(struct people *p, struct slice number, struct slice serial, uint32_t *ret_at)
{
    if (number.n != NUMBER_DIGITS || !all_digits(number))
        return FAIL(E_FIELD);
    if (people_by_number(p, number) != TABLE_NONE)
        return FAIL(E_CONFLICT);
    TRY(room(p));
    struct person *row = &p->rows[p->n];
    *row = (struct person){ .number = "" };
    memcpy(row->number, number.p, NUMBER_DIGITS);
    TRY(serial_take(p, serial, row->serial));
    TRY(table_put(&p->by_number, p->n));
    struct err e = table_put(&p->by_serial, p->n);
    if (!err_ok(e)) {
        table_remove(&p->by_number, p->n);
        return e;
    }
    *ret_at = p->n++;
    return OK;
}

ERR people_renew(struct people *p, uint32_t at, struct slice serial)
{
    char fresh[SERIAL_MAX + 1];
    TRY(serial_take(p, serial, fresh));
    table_remove(&p->by_serial, at);
    memcpy(p->rows[at].serial, fresh, sizeof fresh);
    return table_put(&p->by_serial, at);
}
