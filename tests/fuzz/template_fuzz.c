/* Reaches template_read, qt_index_decode and answers_read: what is accepted keeps its bounds, is written back as it was read, and its conditions end. */
#include "gateway/base/must.h"
#include "gateway/questionnaire/sheet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put(const struct qtemplate *t, struct buf *out)
{
    struct jsonw w;
    buf_init(out, 1 << 20);
    jsonw_init(&w, out);
    template_write(t, QT_VIEW_WHOLE, NULL, &w);
    MUST(err_ok(buf_check(out)));
}

/* Behind the first NUL stand answers. */
static void answer(struct slice json, const struct qtemplate *t, struct arena *a)
{
    json_t *array;
    struct answers got;
    struct qt_report report;
    if (!err_ok(json_in_array(&array, a, json)))
        return;
    for (int by = SHEET_BY_CITIZEN; by <= SHEET_BY_DOCTOR; by++) {
        if (!err_ok(answers_read(array, t, (enum sheet_by)by, false, NULL, &got, &report)))
            continue;
        MUST(got.n <= t->n_items);
        for (size_t i = 0; i < got.n; i++) {
            int at = template_item(t, got.a[i].item);
            MUST(at != QT_NO_ITEM && answers_show(t, &got, (size_t)at) && qt_value_judge(&t->items[at], got.a[i].value) == FR_NONE);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = slice_of(data, n), json = text, rest = SLICE_NONE;
    struct qt_report report;
    struct arena *a = arena_new(4 << 20);
    struct qtemplate *t = arena_get(a, sizeof *t), *again = arena_get(a, sizeof *again);
    struct qt_index *x = arena_get(a, sizeof *x);
    MUST(t && again && x);
    slice_cut(text, 0, &json, &rest);
    if (err_ok(template_read(json, a, t, &report))) {
        struct buf one, two;
        for (size_t i = 0; i < t->n_items; i++)
            MUST(t->items[i].show_item < (int)i && qt_id_ok(t->items[i].id) && template_item(t, t->items[i].id) == (int)i);
        put(t, &one);
        MUST(err_ok(template_read(buf_slice(&one), a, again, &report)) || one.n > QT_JSON_MAX);
        if (one.n <= QT_JSON_MAX) {
            put(again, &two);
            MUST(slice_eq(buf_slice(&one), buf_slice(&two)));
            buf_done(&two);
        }
        buf_done(&one);
        answer(rest, t, a);
    }
    if (err_ok(qt_index_decode(text, x))) {
        struct buf out;
        buf_init(&out, 1 << 20);
        MUST(err_ok(qt_index_encode(x, &out)) && slice_eq(buf_slice(&out), text));
        buf_done(&out);
    }
    arena_free(a);
    return 0;
}
