/* What pmhgw-intake reads back and what its token endpoint reads. Reaches nz_payload_decode, nz_row_result_decode,
 * nz_member_parse, nz_task_field, nz_file_task_field, nz_token_form_parse. The first byte chooses. */

#include "keys/intake/file_task.h"
#include "keys/intake/names.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"
#include "keys/intake/task.h"
#include "keys/intake/token_form.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void payload(struct slice in)
{
    struct nz_payload p;
    if (!err_ok(nz_payload_decode(in, &p)))
        return;
    struct buf b;
    buf_init(&b, in.n + 1);
    nz_payload_encode(&p, &b);
    MUST(slice_eq(buf_slice(&b), in));
    buf_done(&b);
}

static void result(struct slice in)
{
    struct nz_row_result r;
    if (!err_ok(nz_row_result_decode(in, &r)))
        return;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 1 << 20);
    nz_row_result_encode(&r, &b);
    MUST(slice_eq(buf_slice(&b), in));
    buf_reset(&b);
    jsonw_init(&w, &b);
    nz_row_result_json(&r, 1, &w);
    buf_done(&b);
}

static void member(struct slice in)
{
    struct nz_row_ref ref;
    struct nz_member m;
    if (!nz_member_parse(in, &ref))
        return;
    nz_member_write(&ref, &m);
    MUST(slice_eq(nz_member_slice(&m), in));
}

static void task(struct slice in)
{
    struct nz_task t = { 0 };
    struct slice name, value;
    while (slice_cut(in, '=', &name, &in) && slice_cut(in, '\n', &value, &in)) {
        if (!nz_task_field(&t, name, value))
            return;
    }
    if (nz_task_complete(&t))
        MUST(t.count[NZ_WAITING] <= t.rows && nz_task_state(&t, false, 0));
}

static void file_task(struct slice in)
{
    struct nz_file_task t = { 0 };
    struct slice name, value;
    bool is_file;
    while (slice_cut(in, '=', &name, &in) && slice_cut(in, '\n', &value, &in)) {
        if (!nz_file_task_field(&t, name, value))
            return;
    }
    if (!nz_file_task_complete(&t, &is_file) || !is_file)
        return;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 8192);
    jsonw_init(&w, &b);
    nz_file_task_json_open(&t, UINT64_MAX, &w);
    jsonw_end_object(&w);
    MUST(err_ok(buf_check(&b)) && t.task.count[NZ_WAITING] <= t.task.rows);
    buf_done(&b);
}

static void form(struct slice in)
{
    if (err_ok(nz_token_form_parse(in)))
        MUST(in.n >= sizeof "grant_type=client_credentials" - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const WAYS[])(struct slice) = { payload, result, member, task, form, file_task };
    if (size)
        WAYS[data[0] % (sizeof WAYS / sizeof WAYS[0])](slice_of(data + 1, size - 1));
    return 0;
}
