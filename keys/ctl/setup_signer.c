/* Keys of certificates: made in the signer's ring, never in a file of their own. */
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/signer/box_of_keys.h"
#include "keys/ctl/setup.h"

enum { PEM_LINE = 64, PEM_MAX = 512 };

/* SubjectPublicKeyInfo of an uncompressed point of P-256 (RFC 5480), as PEM. */
static void put_pem(const struct signer_key *k, struct buf *out)
{
    static const uint8_t HEAD[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
                                    0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
    struct buf der, text;
    struct slice line, rest;
    buf_init(&der, PEM_MAX);
    buf_init(&text, PEM_MAX);
    buf_put(&der, ARR(HEAD));
    buf_put(&der, ARR(k->x));
    buf_put(&der, ARR(k->y));
    b64_encode(buf_slice(&der), &text);
    buf_puts(out, "-----BEGIN PUBLIC KEY-----\n");
    for (rest = buf_slice(&text); rest.n;) {
        if (!slice_take(&rest, rest.n < PEM_LINE ? rest.n : PEM_LINE, &line))
            break;
        buf_put(out, line);
        buf_putc(out, '\n');
    }
    buf_puts(out, "-----END PUBLIC KEY-----\n");
    buf_done(&der);
    buf_done(&text);
}

static ERR write_public(const struct state *s, const struct key_box *box)
{
    const struct signer_key *newest = signer_newest(key_box_public(box), SIGNER_VDS);
    struct buf pem;
    if (!newest)
        return FAIL(E_CONFIG);
    buf_init(&pem, PEM_MAX);
    put_pem(newest, &pem);
    struct err e = buf_check(&pem);
    if (err_ok(e))
        e = file_write(state_at(s, "certs/vds-signer.pub").c, buf_slice(&pem));
    buf_done(&pem);
    return e;
}

ERR setup_signer_public(const struct state *s)
{
    struct keyring *ring;
    struct key_box *box = NULL;
    TRY(keyring_load(&ring, RING_SIGNER, state_at(s, "keys/signer.ring").c, state_at(s, "keys/signer.master").c));
    struct err e = key_box_new(&box, ring);
    keyring_free(ring);
    if (err_ok(e))
        e = write_public(s, box);
    key_box_free(box);
    return e;
}

static ERR certify(const struct state *s)
{
    if (file_exists(state_at(s, "certs/vds-signer.pem").c))
        return OK;
    TRY(setup_signer_public(s));
    if (file_exists(state_at(s, SETUP_OWN_MARK).c) && !file_exists(state_at(s, "certs/ca.key").c))
        return OK; /* the country's CA certifies it */
    return setup_dev_ca(s, "vds-signer", NULL);
}

/* A key that was retired does not come back as another one of its number. */
static ERR add_first(const char *ring_path, const char *master_path, enum key_kind kind)
{
    struct keyring *ring;
    size_t at = 0;
    struct slice id;
    const struct secret *key;
    TRY(keyring_load(&ring, RING_SIGNER, ring_path, master_path));
    bool any = keyring_each(ring, kind, &at, &id, &key);
    keyring_free(ring);
    return any ? OK : keyring_add(RING_SIGNER, ring_path, master_path, kind, LIT("1"), NULL);
}

ERR setup_signer(const struct state *s)
{
    struct state_path ring = state_at(s, "keys/signer.ring"), master = state_at(s, "keys/signer.master");
    TRY(keyring_create(RING_SIGNER, ring.c, master.c));
    TRY(add_first(ring.c, master.c, KEY_SIGN_SHC));
    TRY(add_first(ring.c, master.c, KEY_SIGN_VDS));
    TRY(add_first(ring.c, master.c, KEY_SIGN_WEBHOOK));
    return certify(s);
}
