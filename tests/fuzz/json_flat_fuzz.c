/* What json_flat() takes, json_in() takes too, and both read the same. */
#include "gateway/base/must.h"
#include "gateway/check/json_flat.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    json_in_setup();
    return 0;
}

static void same(const struct json_flat *f, json_t *obj)
{
    MUST(json_object_size(obj) == f->n);
    for (size_t i = 0; i < f->n; i++) {
        const struct json_flat_member *m = &f->at[i];
        json_t *v = json_object_getn(obj, (const char *)m->name.p, m->name.n);
        MUST(v && m->kind != JF_OTHER);
        if (m->kind == JF_NUMBER)
            MUST(json_is_integer(v) && json_integer_value(v) == m->number);
        else
            MUST(json_is_string(v) && slice_eq(m->text, slice_of(json_string_value(v), json_string_length(v))));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct json_flat f, any;
    json_t *obj;
    struct arena *a = arena_new(1 << 24);
    const struct slice text = slice_of(data, n);
    if (!a)
        return 0;
    const bool flat = json_flat(text, &f);
    const struct err e = json_in_object(&obj, a, text);
    if (flat) {
        MUST(err_ok(e));
        same(&f, obj);
    }
    MUST(err_ok(json_flat_of(&any, a, text)) == (err_ok(e) && (flat || json_object_size(obj) <= JSON_FLAT_MAX)));
    arena_free(a);
    return 0;
}
