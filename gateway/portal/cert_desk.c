#include "gateway/portal/cert_desk.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/cert/vds.h"

enum { ASK_MS = 2000, ASK_AGAIN_MS = 1000, ASK_LATER_MS = 30000, COUNTRY_CHARS = 3, AUTHORITY_MAX = 20 };

/* ---- keys ---- */

static ERR publish(struct cert_desk *d, const struct signer_keys *keys)
{
    struct publish_key k[PUBLISH_KEYS_MAX] = { 0 };
    uint8_t numbers[PUBLISH_KEYS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < keys->n && n < PUBLISH_KEYS_MAX; i++) {
        if (keys->key[i].use != SIGNER_SHC)
            continue;
        memcpy(k[n].key.x, keys->key[i].x, sizeof k[n].key.x);
        memcpy(k[n].key.y, keys->key[i].y, sizeof k[n].key.y);
        TRY(es256_thumbprint(&k[n].key, k[n].kid));
        numbers[n++] = keys->key[i].number;
    }
    memcpy(d->published, k, sizeof k);
    memcpy(d->numbers, numbers, sizeof numbers);
    d->n_published = n;
    d->keys = *keys;
    return OK;
}

static void on_keys(void *arg, struct err e, const struct signer_keys *keys)
{
    struct cert_desk *d = arg;
    if (err_ok(e))
        e = publish(d, keys);
    if (!d->closed)
        timer_start(d->again, err_ok(e) ? ASK_LATER_MS : ASK_AGAIN_MS);
}

static void ask(void *arg)
{
    struct cert_desk *d = arg;
    if (!d->closed)
        signer_ask_keys(d->signer, loop_now(d->loop) + ASK_MS, on_keys, d);
}

void cert_desk_ask(struct cert_desk *d)
{
    if (!d->closed)
        timer_start(d->again, 0);
}

ERR cert_desk_card_key(const struct cert_desk *d, size_t *ret_place)
{
    const struct signer_key *newest = signer_newest(&d->keys, SIGNER_SHC);
    for (size_t i = 0; newest && i < d->n_published; i++)
        if (d->numbers[i] == newest->number) {
            *ret_place = i;
            return OK;
        }
    return FAIL(E_SIGNER_DOWN);
}

ERR cert_desk_seal_key(const struct cert_desk *d, uint8_t *ret_number)
{
    for (size_t i = 0; i < d->keys.n; i++) {
        const struct signer_key *k = &d->keys.key[i];
        if (k->use == SIGNER_VDS && slice_eq(ARR(k->x), ARR(d->seal_key.x)) && slice_eq(ARR(k->y), ARR(d->seal_key.y))) {
            *ret_number = k->number;
            return OK;
        }
    }
    return FAIL(E_SIGNER_DOWN);
}

/* ---- lists ---- */

static bool has_list(const struct cert_desk *d, struct slice kid)
{
    bool found = d->seal_cert.n && slice_eq(ARR(d->seal_kid), kid);
    for (size_t i = 0; !found && i < d->keys.n; i++) {
        struct es256_key k;
        char name[ES256_KID];
        memcpy(k.x, d->keys.key[i].x, sizeof k.x);
        memcpy(k.y, d->keys.key[i].y, sizeof k.y);
        found = d->keys.key[i].use != SIGNER_WEBHOOK && err_ok(es256_thumbprint(&k, name)) && slice_eq(ARR(name), kid);
    }
    return found;
}

ERR cert_desk_list(struct cert_desk *d, struct slice kid, struct cert_list **ret_l)
{
    if (!has_list(d, kid))
        return d->keys.n ? FAIL(E_NOTHING) : FAIL(E_SIGNER_DOWN);
    for (size_t i = 0; i < d->n_lists; i++)
        if (slice_eq(ARR(d->lists[i].kid), kid)) {
            *ret_l = &d->lists[i];
            return OK;
        }
    struct cert_list *l = &d->lists[d->n_lists < CERT_LISTS_MAX ? d->n_lists++ : 0]; /* of a key that has gone */
    buf_done(&l->body);
    *l = (struct cert_list){ .n = 0 };
    buf_init(&l->body, PUBLISH_BYTES_MAX);
    memcpy(l->kid, kid.p, sizeof l->kid);
    *ret_l = l;
    return OK;
}

/* ---- life ---- */

static ERR read_seal(struct cert_desk *d, const char *path)
{
    unsigned char *der = NULL;
    FILE *f = fopen(path, "rbe");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    int n = cert ? i2d_X509(cert, &der) : 0;
    if (n > 0)
        buf_put(&d->seal_cert, slice_of(der, (size_t)n));
    OPENSSL_free(der);
    X509_free(cert);
    if (f)
        fclose(f);
    if (n <= 0 || d->seal_cert.failed)
        return FAIL(E_CONFIG);
    TRY(es256_key_of_der(buf_slice(&d->seal_cert), &d->seal_key));
    return es256_thumbprint(&d->seal_key, d->seal_kid);
}

static ERR read_files(struct cert_desk *d, const struct conf *c)
{
    struct es256_key k;
    TRY(es256_key_of_pem(c->attributes_cert, &k));
    TRY(es256_verifier_new(&d->attributes, &k));
    TRY(shc_packer_new(&d->packer));
    d->issuer = slice_str(c->certificate_issuer);
    d->authority = slice_str(c->certificate_authority);
    d->country = slice_str(c->certificate_country);
    d->audience = slice_str(c->attributes_audience);
    if (!slice_starts(d->issuer, LIT("https://")) || d->issuer.p[d->issuer.n - 1] == '/' || d->country.n != COUNTRY_CHARS || d->authority.n > AUTHORITY_MAX)
        return FAIL(E_CONFIG);
    return c->vds_signer_cert[0] ? read_seal(d, c->vds_signer_cert) : OK;
}

static ERR open_signer(struct cert_desk *d, const struct conf *c)
{
    struct secret *cap;
    TRY(timer_new(&d->again, d->loop, ask, d));
    TRY(secret_read_file(&cap, c->certificate_signer_cap_file, IPC_CAP_BYTES));
    TRY(signer_new(&d->signer, d->loop, c->certificate_signer, IPC_FRONT, cap /* given to signer */));
    ask(d);
    return OK;
}

ERR cert_desk_new(struct cert_desk **ret_d, struct loop *l, const struct conf *conf)
{
    *ret_d = NULL;
    if (!conf->certificate_signer[0] || !conf->certificate_signer_cap_file[0] || !conf->certificate_issuer[0] || !conf->attributes_cert[0])
        return OK;
    struct cert_desk *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL(E_NOMEM);
    d->loop = l;
    buf_init(&d->seal_cert, VDS_CERT_MAX);
    struct err e = read_files(d, conf);
    if (err_ok(e))
        e = open_signer(d, conf);
    *ret_d = d; /* also a broken one: it is closed and freed with the worker */
    return e;
}

void cert_desk_close(struct cert_desk *d)
{
    if (!d || d->closed)
        return;
    d->closed = true;
    signer_close(d->signer);
    timer_free(d->again);
}

void cert_desk_free(struct cert_desk *d)
{
    if (!d)
        return;
    es256_verifier_free(d->attributes);
    shc_packer_free(d->packer);
    buf_done(&d->seal_cert);
    for (size_t i = 0; i < d->n_lists; i++)
        buf_done(&d->lists[i].body);
    free(d);
}
