#include "gateway/base/json_write.h"
#include "keys/linkage/linkage.h"

static bool same_group(const char *a, const char *b) { return a == b || (a && b && slice_eq(slice_str(a), slice_str(b))); }

/* A group without a value is left out. */
void nz_linkage_row_json(const struct nz_layout *layout, const struct nz_linkage_row *row, struct buf *out)
{
    struct jsonw w;
    const char *open = NULL;
    if (row->json.n) {
        buf_put(out, row->json);
        return;
    }
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    for (size_t i = 0; i < row->n; i++) {
        const struct nz_value *v = &row->values[i];
        const struct nz_column *c = nz_layout_column(layout, v->column);
        if (open && !same_group(open, c->group))
            jsonw_end_object(&w);
        if (c->group && !same_group(open, c->group))
            jsonw_object(&w, c->group);
        open = c->group;
        if (v->is_flag)
            jsonw_bool(&w, c->field, v->flag);
        else
            jsonw_str(&w, c->field, v->text);
    }
    if (open)
        jsonw_end_object(&w);
    jsonw_end_object(&w);
}
