#include "keys/intake/put_off.h"

static void fill(const struct nz_put_off *p, struct nz_payload *out)
{
    *out = (struct nz_payload){ .has_ticket = p->ticket != NULL, .has_rk = p->rk.n == NZ_RK_HEX, .of_file = p->of_file, .field = p->field };
    memcpy(out->sid, p->sid, sizeof out->sid);
    if (out->has_ticket)
        memcpy(out->ticket, p->ticket, sizeof out->ticket);
    if (out->has_rk)
        memcpy(out->rk, p->rk.p, sizeof out->rk);
    out->has_seen = p->seen != NULL;
    if (out->has_seen)
        out->seen = *p->seen;
}

static ERR encode_record(const struct nz_put_off *p, struct buf *out)
{
    struct record rec = *p->record;
    memcpy(rec.task, p->ref.task.b, sizeof rec.task);
    rec.row = p->ref.row;
    rec.updated = false;
    return record_encode(&rec, out);
}

ERR nz_put_off_seal(struct store *s, const struct nz_put_off *p, struct buf *work, struct buf *ret_sealed)
{
    struct nz_payload payload;
    struct store_name name;
    struct buf record, result;
    char digits[10];
    fill(p, &payload);
    buf_init(&record, STORE_RECORD_MAX);
    buf_init(&result, NZ_ROW_RESULT_MAX);
    struct err e = encode_record(p, &record);
    nz_row_result_encode(p->result, &result);
    payload.record = buf_slice(&record);
    payload.result = buf_slice(&result);
    buf_reset(work);
    nz_payload_encode(&payload, work);
    buf_done(&record);
    buf_done(&result);
    TRY(e);
    TRY(buf_check(work));
    nz_name_task("o", p->ref.muni, &p->ref.task, &name);
    return store_seal(s, slice_of(p->ref.muni, 6), &name, slice_of(digits, nz_row_format(p->ref.row, digits)), buf_slice(work), ret_sealed);
}
