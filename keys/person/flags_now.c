#include "keys/person/flags_now.h"

#include "keys/person/form.h"

static ERR take_record(struct nz_flags_now *now, struct slice plain)
{
    struct record rec;
    TRY(record_decode(plain, &rec));
    now->in_records |= (uint8_t)((rec.not_disclosed ? FLAG_NOT_DISCLOSED : 0) | (rec.viewing_stopped ? FLAG_VIEWING_STOPPED : 0) | (rec.recovery ? FLAG_RECOVERY : 0));
    return OK;
}

static ERR take_end(struct nz_flags_now *now, struct slice plain)
{
    struct store_end end;
    TRY(store_end_decode(plain, &end));
    now->has_left = now->today >= end.from;
    return OK;
}

static ERR take_own(struct nz_flags_now *now, struct slice plain) { return flags_decode(plain, &now->own) ? OK : FAIL(E_SEAL); }

struct err nz_flags_now_take(struct nz_flags_now *now, struct slice field, struct slice sealed)
{
    struct slice muni;
    enum store_kind kind;
    struct buf plain;
    struct err (*const take)(struct nz_flags_now *, struct slice) = flags_field_is(field, &muni)          ? take_own
                                                                   : store_field_is_end(field, &muni)     ? take_end
                                                                   : store_field_kind(field, &kind, &muni) ? take_record
                                                                                                           : NULL;
    if (!take || !slice_eq(muni, now->muni))
        return OK;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(now->store, muni, now->person, field, sealed, &plain);
    if (err_ok(e))
        e = take(now, buf_slice(&plain));
    buf_done(&plain);
    return e;
}

void nz_flags_now_json(const struct nz_flags_now *now, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    nz_flag_bits_write(&w, now->own.bits);
    if (now->own.bits)
        nz_flags_why_write(&w, &now->own);
    jsonw_object(&w, "in_records");
    nz_flag_bits_write(&w, now->in_records);
    jsonw_end_object(&w);
    jsonw_bool(&w, "has_left", now->has_left);
    jsonw_end_object(&w);
}
