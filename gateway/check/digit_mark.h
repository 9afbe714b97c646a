#ifndef GW_CHECK_DIGIT_MARK_H
#define GW_CHECK_DIGIT_MARK_H

/* What people write numbers with, for code that refuses texts which may hold an individual number and cannot tell it from other digits. Sans I/O. */

#include "gateway/base/slice.h"

/* Bytes of the mark that the text begins with; 0: it is none. Digits are half-width or full-width. */
size_t digit_mark(struct slice utf8);
/* A blank or a hyphen of any kind, or a mark without width. */
size_t gap_mark(struct slice utf8);

#endif
