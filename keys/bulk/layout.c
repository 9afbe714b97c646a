/* The layout of a file: one of those that the gateway has, for the operation of the file. */

#include "keys/bulk/bulk.h"

#include <stdio.h>

#include "gateway/base/file.h"
#include "keys/linkage/layout.h"

enum { PATH_BYTES = 4096, BAD_LINE_MAX = 1024 };

static ERR layout_read(const struct nz_intake *in, const char *name, struct nz_layout **ret_l)
{
    char path[PATH_BYTES];
    struct buf yaml, bad;
    int n = snprintf(path, sizeof path, "%s/%s.yaml", in->conf.layouts_dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return FAIL(E_CONFIG);
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX);
    buf_init(&bad, BAD_LINE_MAX);
    struct err e = file_read(path, &yaml);
    if (err_ok(e))
        e = nz_layout_parse(ret_l, name, buf_slice(&yaml), &bad);
    buf_done(&yaml);
    buf_done(&bad);
    return e;
}

/* Its columns are fields of the form. */
static ERR layout_fits(const struct nz_intake *in, enum nz_form form, const struct nz_layout *l)
{
    static const char NO_MUNI[6] = "000000";
    struct nz_row_reader *reader = NULL;
    const char *operation = nz_layout_operation(l);
    if (operation && strcmp(operation, nz_form_info(form)->operation) != 0)
        return FAIL(E_CONFIG);
    if (form == NZ_FORM_CHANGE)
        return OK;
    struct err e = nz_row_reader_new(&reader, form, l, NO_MUNI, &in->levels, in->pool);
    nz_row_reader_free(reader);
    return e;
}

ERR nz_bulk_layout(const struct nz_intake *in, enum nz_form form, const char *name, struct nz_layout **ret_l)
{
    struct nz_layout *l = NULL;
    struct err e = layout_read(in, name, &l);
    if (err_ok(e))
        e = layout_fits(in, form, l);
    if (err_ok(e)) {
        *ret_l = l;
        return OK;
    }
    nz_layout_free(l);
    return err_is(e, E_NOMEM) ? e : FAIL(E_CONFIG);
}
