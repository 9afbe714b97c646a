/* Reaches json_depth_ok, json_in, fields_read. */
#include "gateway/base/must.h"
#include "gateway/check/field.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct target { struct field_value a, b, c, d; };
static const struct field TABLE[] = {
    { "a", offsetof(struct target, a), FC_TEXT, 0, 10, true, CK_NONE, NULL, NULL, 0 },
    { "b", offsetof(struct target, b), FC_DIGITS, 0, 10, false, CK_PAYER, NULL, NULL, 0 },
    { "c", offsetof(struct target, c), FC_DATE, 0, 10, false, CK_NONE, NULL, NULL, 0 },
    { "d", offsetof(struct target, d), FC_CODE, 0, 10, false, CK_NONE, "0|1", NULL, 0 },
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena *a = arena_new(4096);
    json_t *v = NULL;
    struct target t;
    struct field_report r;
    if (err_ok(json_in(&v, a, slice_of(p, n)))) {
        MUST(json_is_array(v) || json_is_object(v));
        MUST(json_depth_ok(slice_of(p, n)));
        bool good = fields_read(v, TABLE, 4, NULL, &t, &r);
        MUST(!good || t.a.present);
    }
    arena_free(a);
    return 0;
}
