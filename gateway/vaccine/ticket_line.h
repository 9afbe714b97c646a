#ifndef GW_VACCINE_TICKET_LINE_H
#define GW_VACCINE_TICKET_LINE_H

/* The OCR line of a 接種券, and its QR code: 18 digits = 券種 1 + 回数 1 + 市町村コード 6 + 券番号 10 (docs/interfaces.md). Sans I/O. */

#include "gateway/base/slice.h"

enum { TICKET_LINE_CHARS = 18, TICKET_NUMBER_CHARS = 10 };

struct ticket_line {
    char kind, dose;                     /* one digit each; the values of 券種 are not published */
    char muni[6], number[TICKET_NUMBER_CHARS];
};

enum ticket_line_fault { TICKET_LINE_OK, TICKET_LINE_LENGTH, TICKET_LINE_CHARACTER /* also full-width digits */, TICKET_LINE_MUNI /* its check digit */,
                         TICKET_LINE_FAULT__MAX };
enum ticket_line_fault ticket_line_parse(struct slice text, struct ticket_line *ret_t);

#endif
