#include "gateway/vaccine/ticket_line.h"

#include "gateway/base/text.h"
#include "gateway/check/field.h"

enum { MUNI_AT = 2, NUMBER_AT = 8 };

enum ticket_line_fault ticket_line_parse(struct slice text, struct ticket_line *ret_t)
{
    if (!all_digits(text))
        return TICKET_LINE_CHARACTER;
    if (text.n != TICKET_LINE_CHARS)
        return TICKET_LINE_LENGTH;
    if (!check_muni(slice_of(text.p + MUNI_AT, sizeof ret_t->muni)))
        return TICKET_LINE_MUNI;
    ret_t->kind = (char)text.p[0];
    ret_t->dose = (char)text.p[1];
    memcpy(ret_t->muni, text.p + MUNI_AT, sizeof ret_t->muni);
    memcpy(ret_t->number, text.p + NUMBER_AT, sizeof ret_t->number);
    return TICKET_LINE_OK;
}
