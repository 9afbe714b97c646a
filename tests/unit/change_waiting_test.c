/* What is kept of a resident change that waits or is held, and the lines that it stands in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/change/waiting.h"

#define MUNI "331007"

static void waiting(void **state)
{
    (void)state;
    struct nz_waiting w = { .type = NZ_CH_NUMBER, .effective = 20260401, .since_ms = 77, .received_ms = 66, .asked = true, .has_number = true,
                            .has_from = true, .released = true, .held = true, .ch = { 1 }, .rk = { 2 }, .number_sid = { 3 }, .from = { 4 },
                            .new_sid = { 5 }, .ticket = { 6 }, .next = { 9 } }, back;
    struct buf out;
    buf_init(&out, NZ_WAITING_BYTES);
    nz_waiting_encode(&w, &out);
    assert_int_equal(out.n, NZ_WAITING_BYTES);
    assert_true(nz_waiting_is(buf_slice(&out)));
    assert_int_equal(nz_waiting_decode(buf_slice(&out), &back).code, E_OK);
    assert_memory_equal(&back, &w, sizeof w);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(nz_waiting_decode(slice_of(out.p, n), &back).code, E_SEAL);
    static const struct { size_t at; uint8_t value; } BAD[] = { { 0, 1 }, { 1, 0xff }, { 2, NZ_CH_NONE }, { 2, NZ_CH__MAX }, { 2, NZ_CH_DIED }, { 3, 1 } };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        const uint8_t was = out.p[BAD[i].at];
        out.p[BAD[i].at] = BAD[i].value;
        assert_int_equal(nz_waiting_decode(buf_slice(&out), &back).code, E_SEAL);
        out.p[BAD[i].at] = was;
    }
    buf_done(&out);
}

/* What was stored while only changes of number could wait. */
static void waiting_of_the_first_form(void **state)
{
    (void)state;
    uint8_t first[1 + 1 + 4 + 8 + 16 * 5] = { 0x43, 1, 0x01, 0x35, 0x27, 0x31, 0, 0, 0, 0, 0, 0, 0, 77 };
    struct nz_waiting w;
    for (uint8_t i = 0; i < 5; i++)
        first[14 + 16 * i] = (uint8_t)(i + 1);
    assert_true(nz_waiting_is(ARR(first)));
    assert_int_equal(nz_waiting_decode(ARR(first), &w).code, E_OK);
    assert_true(w.type == NZ_CH_NUMBER && w.effective == 20260657 && w.since_ms == 77 && w.asked && !w.released && !w.has_from);
    assert_true(w.ch[0] == 1 && w.rk[0] == 2 && w.new_sid[0] == 3 && w.ticket[0] == 4 && w.next[0] == 5);
    assert_int_equal(nz_waiting_decode(slice_of(first, sizeof first - 1), &w).code, E_SEAL);
    const uint8_t registration[2] = { 1, 0 };
    assert_false(nz_waiting_is(ARR(registration)) || nz_waiting_is(SLICE_NONE));
}

static void lines_of_a_waiting_row(void **state)
{
    (void)state;
    struct nz_waiting w = { .type = NZ_CH_NUMBER, .rk = { 0x1f } };
    struct store_name line[2];
    assert_int_equal(nz_waiting_lines(MUNI, &w, line), 1);
    assert_true(slice_eq(store_name_slice(&line[0]), LIT("ch:q:" MUNI ":1f000000000000000000000000000000")));
    w.type = NZ_CH_MERGED;
    w.other_rk[15] = 2;
    assert_int_equal(nz_waiting_lines(MUNI, &w, line), 2);
    assert_true(slice_eq(store_name_slice(&line[1]), LIT("ch:q:" MUNI ":00000000000000000000000000000002")));
    memcpy(w.other_rk, w.rk, sizeof w.rk);
    assert_int_equal(nz_waiting_lines(MUNI, &w, line), 1);
    assert_true(nz_waiting_keeps(NZ_CODE_MISMATCH) && nz_waiting_keeps(NZ_CODE_DEAD));
    assert_false(nz_waiting_keeps(NZ_CODE_TOO_MUCH) || nz_waiting_keeps(NZ_CODE_TICKET_LOST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting), cmocka_unit_test(waiting_of_the_first_form), cmocka_unit_test(lines_of_a_waiting_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
