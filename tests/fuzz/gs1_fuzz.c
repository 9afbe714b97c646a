/* Reaches gs1_parse(): what it gives stays in its bounds, and reading it twice gives the same. */
#include "gateway/check/field.h"
#include "gateway/vaccine/gs1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct gs1 g, again;
    const struct slice text = slice_of(data, n);
    const enum gs1_fault f = gs1_parse(text, 20261121, &g);
    if (f >= GS1_FAULT__MAX || gs1_parse(text, 20261121, &again) != f)
        __builtin_trap();
    if (f != GS1_OK)
        return 0;
    if (!check_gtin(ARR(g.gtin)) || g.lot.n > GS1_VALUE_MAX || g.serial.n > GS1_VALUE_MAX || n > GS1_TEXT_MAX)
        __builtin_trap();
    const ymd_t days[] = { g.made, g.expiry };
    for (size_t i = 0; i < 2; i++) {
        char day[10];
        ymd_t same;
        ymd_format(days[i], day);
        if (days[i] && (!ymd_parse(ARR(day), &same) || same != days[i] || days[i] < 19700101 || days[i] > 20771231))
            __builtin_trap();
    }
    return 0;
}
