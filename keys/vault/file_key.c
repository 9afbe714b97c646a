/* KEY_NEW, KEY_OPEN: the key of a file of the intake's spool. Nothing of it is kept here: what opens the file is the wrapped form that
 * lies beside it and the municipality's data key. */

#include "gateway/base/wipe.h"
#include "keys/vault/vault_int.h"

void nz_vault__on_key_new(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_key_msg m;
    uint8_t key[NZ_FILE_KEY_BYTES];
    struct buf out;
    (void)from;
    buf_init(&out, NZ_FILE_KEY_BYTES + NZ_WRAPPED_KEY_BYTES);
    rnd_bytes(key, sizeof key);
    buf_put(&out, ARR(key));
    struct err e = nz_key_new_decode(body, &m);
    if (err_ok(e))
        e = nz_sealer_wrap(v->sealer, m.muni, m.file, ARR(key), &out);
    if (err_ok(e))
        e = buf_check(&out);
    ipc_reply(call, e, buf_slice(&out));
    buf_done(&out);
    explicit_bzero(key, sizeof key);
}

/* ---- KEY_OPEN: open, write the record, open again and answer; the key does not wait here ---- */

struct key_open {
    struct nz_op op; /* first */
    uint8_t muni[NZ_MUNI_BYTES], file[NZ_FILE_ID_BYTES], wrapped[NZ_WRAPPED_KEY_BYTES];
    enum err_code verdict;
};

static struct err unwrap(const struct key_open *k, struct buf *key)
{
    return nz_sealer_unwrap(k->op.v->sealer, ARR(k->muni), ARR(k->file), ARR(k->wrapped), key);
}

static void on_recorded(void *arg, struct err e)
{
    struct key_open *k = arg;
    struct buf key;
    buf_init(&key, NZ_FILE_KEY_BYTES);
    if (err_ok(e) && k->verdict != E_OK)
        e = FAIL(k->verdict);
    if (err_ok(e))
        e = unwrap(k, &key);
    nz_op__end(&k->op, e, buf_slice(&key));
    buf_done(&key);
}

/* The record names the file by the first half of its id. */
static struct audit_rec record(const struct key_open *k)
{
    struct audit_rec rec = { .event = AU_FILE_KEY_OPENED, .result = k->verdict == E_OK ? AR_OK : AR_REFUSED, .reason = k->verdict, .count = 1, .items = AUDIT_ITEM_NUMBER };
    memcpy(rec.muni, k->muni, sizeof rec.muni);
    memcpy(rec.request.b, k->file, sizeof rec.request.b);
    audit_set_actor(&rec, LIT("vault"));
    return rec;
}

static enum err_code try_it(const struct key_open *k)
{
    struct buf key;
    buf_init(&key, NZ_FILE_KEY_BYTES);
    struct err e = unwrap(k, &key);
    bool whole = key.n == NZ_FILE_KEY_BYTES;
    buf_done(&key);
    return err_ok(e) && !whole ? E_SEAL : e.code;
}

void nz_vault__on_key_open(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_key_msg m;
    struct key_open *k = NULL;
    (void)from;
    struct err e = nz_key_open_decode(body, &m);
    if (err_ok(e) && !(k = (struct key_open *)nz_op__new(v, call, sizeof *k)))
        e = FAIL(E_NOMEM);
    if (err_ok(e) && v->closing)
        e = FAIL(E_CANCELED);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        wipe_free(k);
        return;
    }
    memcpy(k->muni, m.muni.p, sizeof k->muni);
    memcpy(k->file, m.file.p, sizeof k->file);
    memcpy(k->wrapped, m.wrapped.p, sizeof k->wrapped);
    k->verdict = try_it(k);
    struct audit_rec rec = record(k);
    audit_append(v->audit, &rec, k->op.deadline, on_recorded, k);
}
