/* Reaches ticket_line_parse(): what is taken is what was sent. */
#include "gateway/check/field.h"
#include "gateway/vaccine/ticket_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ticket_line t;
    if (ticket_line_parse(slice_of(data, n), &t) != TICKET_LINE_OK)
        return 0;
    if (n != TICKET_LINE_CHARS || !check_muni(ARR(t.muni)) || memcmp(t.number, data + 8, sizeof t.number) != 0 || memcmp(t.muni, data + 2, sizeof t.muni) != 0)
        __builtin_trap();
    return 0;
}
