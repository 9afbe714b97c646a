/* What key_list_plain() takes json_in() takes too, and both find the same keys; what is taken is within its bounds. */
#include "gateway/base/must.h"
#include "gateway/clinic/key_list.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    json_in_setup();
    return 0;
}

static void same(const struct key_list *k, const json_t *obj)
{
    const json_t *list = json_object_get(obj, "link_keys");
    MUST(json_object_size(obj) == 1 && json_array_size(list) == k->n);
    for (size_t i = 0; i < k->n; i++) {
        const json_t *v = json_array_get(list, i);
        MUST(slice_eq(k->key[i], slice_of(json_string_value(v), json_string_length(v))));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct key_list plain, any;
    struct field_report report;
    json_t *obj;
    struct arena *a = arena_new(1 << 24);
    const struct slice text = slice_of(data, n);
    if (!a)
        return 0;
    const bool is_plain = key_list_plain(&plain, text);
    const struct err tree = json_in_object(&obj, a, text), e = key_list_read(&any, a, text, &report);
    MUST(!is_plain || (err_ok(tree) && err_ok(e)));
    MUST(err_is(e, E_FIELD) == (report.n_faults > 0));
    if (err_ok(e)) {
        MUST(any.n > 0 && any.n <= ACCESS_LIST_MAX);
        same(&any, obj);
    }
    if (is_plain)
        same(&plain, obj);
    arena_free(a);
    return 0;
}
