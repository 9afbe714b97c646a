/* Reaches basis_parse(), institutions_parse() and what is asked of a register that was read. The first byte chooses. */

#include "gateway/basis/basis.h"
#include "gateway/basis/institutions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void ask(const struct basis *b)
{
    for (size_t i = 0; i < basis_operations(b); i++) {
        const struct basis_operation *op = basis_operation_at(b, i);
        bool any = false;
        for (unsigned role = 0; role < CALLER__MAX; role++) {
            struct slice name = slice_str(op->name);
            struct basis_fit fit = basis_judge(b, (enum caller_role)role, SLICE_NONE, name, SLICE_NONE, 0);
            any = any || basis_may(b, (enum caller_role)role, SLICE_NONE, name);
            if (fit.id && (!op->purpose || fit.purpose != op->purpose->id || !basis_row_of(b, fit.id)))
                __builtin_trap();
        }
        if (!any) /* an operation that nobody may use is a fault of the file */
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct buf line;
    struct basis *b = NULL;
    struct institutions *i = NULL;
    struct slice text = slice_of(data + 1, n - 1);
    buf_init(&line, 8192);
    struct err e = data[0] & 1 ? institutions_parse(&i, "fuzz.yaml", text, &line) : basis_parse(&b, "fuzz.yaml", text, &line);
    if (!err_ok(e) && (e.code != E_CONFIG || !line.n))
        __builtin_trap();
    if (b)
        ask(b);
    if (i)
        institution_name(i, text, INSTITUTION_JA);
    basis_free(b);
    institutions_free(i);
    buf_done(&line);
    return 0;
}
