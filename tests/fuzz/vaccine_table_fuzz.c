/* Reaches vaccine_table_parse(), and judges a dose by whatever table was read. */
#include "gateway/vaccine/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void judge(const struct vaccine_table *t, const struct vaccine_program *p)
{
    const struct immun other = { .status = IMMUN_COMPLETED, .program = slice_str(p->id), .dose = 1, .date = 20250228, .consented = true };
    const struct immun *const others[] = { &other };
    for (unsigned dose = 0; dose <= VACCINE_DOSES_MAX + 1; dose++) {
        const struct immun now = { .status = IMMUN_COMPLETED, .program = slice_str(p->id), .dose = dose, .date = 20260831, .gtin = LIT("04987035184614") };
        const struct vaccine_case c = { .table = t, .program = p, .dose = &now, .others = others, .n_others = 1, .today = 20261121, .birth = 20240229 };
        const struct vaccine_verdict v = vaccine_judge(&c);
        if (v.rejected & v.warned || (v.rejected | v.warned) >> VR__MAX)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct vaccine_table *t = NULL;
    struct buf line;
    buf_init(&line, 8192);
    struct err e = vaccine_table_parse(&t, "fuzz.yaml", slice_of(data, n), &line);
    if (!err_ok(e) && (e.code != E_CONFIG || !line.n || t))
        __builtin_trap();
    for (size_t i = 0; t && i < vaccine_programs(t); i++)
        judge(t, vaccine_program_at(t, i));
    vaccine_table_free(t);
    buf_done(&line);
    return 0;
}
