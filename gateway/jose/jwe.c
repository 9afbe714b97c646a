#include "gateway/jose/jwe.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_flat.h"

enum { PARTS = 5, IV_CHARS = 16, TAG_CHARS = 22, HEADER_MAX = 256 /* decoded bytes */, ARENA_MAX = 16384 };

struct jwe_key {
    char kid[KEY_ID_MAX];
    size_t kid_n;
    struct aead *aead;
    struct buf header; /* what we write as the first part: base64url of our own header */
};

struct jwe_keys {
    struct jwe_key *keys;
    size_t n;
    struct aead *dummy;   /* random; does the work for a kid that is not in the table */
    struct arena *arena;  /* of one header */
    struct buf scratch;   /* decoded parts of one token */
};

static struct slice key_kid(const struct jwe_key *k) { return slice_of(k->kid, k->kid_n); }

/* ---- the table ---- */

static struct err key_init(struct jwe_key *k, struct slice kid, const struct secret *key)
{
    struct buf json;
    memcpy(k->kid, kid.p, kid.n);
    k->kid_n = kid.n;
    buf_init(&k->header, JWE_MAX);
    buf_init(&json, HEADER_MAX);
    buf_puts(&json, "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"");
    buf_put(&json, kid); /* letters, digits, "-", "_", ".": the keyring sees to it */
    buf_puts(&json, "\"}");
    b64url_encode(buf_slice(&json), &k->header);
    struct err e = buf_check(&json);
    buf_done(&json);
    TRY(e);
    TRY(buf_check(&k->header));
    return aead_new(&k->aead, key);
}

static struct err dummy_new(struct aead **ret_a)
{
    struct secret *s = NULL;
    TRY(secret_random(&s, AEAD_KEY));
    struct err e = aead_new(ret_a, s);
    secret_free(s);
    return e;
}

/* Room for n keys and what every table has besides. */
static struct err keys_room(struct jwe_keys *k, size_t n)
{
    buf_init(&k->scratch, JWE_MAX);
    k->keys = calloc(n, sizeof *k->keys);
    k->arena = arena_new(ARENA_MAX);
    if (!k->keys || !k->arena)
        return FAIL(E_NOMEM);
    return dummy_new(&k->dummy);
}

static struct err keys_fill(struct jwe_keys *k, const struct keyring *ring, enum key_kind kind)
{
    size_t at = 0, total = 0;
    struct slice kid;
    const struct secret *key;
    while (keyring_each(ring, kind, &at, &kid, &key))
        total++;
    if (total == 0)
        return FAIL(E_CONFIG);
    TRY(keys_room(k, total));
    for (at = 0; k->n < total && keyring_each(ring, kind, &at, &kid, &key);) {
        struct jwe_key *slot = &k->keys[k->n++]; /* counted first: jwe_keys_free() takes half-built ones */
        TRY(key_init(slot, kid, key));
    }
    return OK;
}

static struct err keys_fill_one(struct jwe_keys *k, struct slice kid, const struct secret *key)
{
    if (kid.n == 0 || kid.n > KEY_ID_MAX)
        return FAIL(E_CONFIG);
    TRY(keys_room(k, 1));
    k->n = 1;
    return key_init(&k->keys[0], kid, key);
}

static struct err keep_or_free(struct jwe_keys *k, struct err e, struct jwe_keys **ret_k)
{
    if (err_ok(e))
        *ret_k = k;
    else
        jwe_keys_free(k);
    return e;
}

struct err jwe_keys_new(struct jwe_keys **ret_k, const struct keyring *ring, enum key_kind kind)
{
    struct jwe_keys *k = calloc(1, sizeof *k);
    return k ? keep_or_free(k, keys_fill(k, ring, kind), ret_k) : FAIL(E_NOMEM);
}

struct err jwe_keys_one(struct jwe_keys **ret_k, struct slice kid, const struct secret *key)
{
    struct jwe_keys *k = calloc(1, sizeof *k);
    return k ? keep_or_free(k, keys_fill_one(k, kid, key), ret_k) : FAIL(E_NOMEM);
}

struct err jwe_keys_renew(struct jwe_keys *k, const struct keyring *ring, enum key_kind kind)
{
    struct jwe_keys *fresh = NULL;
    TRY(jwe_keys_new(&fresh, ring, kind));
    jwe_keys_exchange(k, fresh);
    jwe_keys_free(fresh);
    return OK;
}

void jwe_keys_exchange(struct jwe_keys *a, struct jwe_keys *b)
{
    struct jwe_keys old = *a;
    *a = *b;
    *b = old;
}

size_t jwe_keys_count(const struct jwe_keys *k) { return k->n; }

void jwe_keys_free(struct jwe_keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++) {
        aead_free(k->keys[i].aead);
        buf_done(&k->keys[i].header);
    }
    free(k->keys);
    aead_free(k->dummy);
    arena_free(k->arena);
    buf_done(&k->scratch);
    free(k);
}

static struct jwe_key *key_by_kid(const struct jwe_keys *k, struct slice kid)
{
    for (size_t i = 0; i < k->n; i++)
        if (slice_eq(key_kid(&k->keys[i]), kid))
            return &k->keys[i];
    return NULL;
}

/* ---- the header ---- */

static struct slice text_of(const struct json_flat *obj, struct slice name)
{
    const struct json_flat_member *m = json_flat_find(obj, name);
    return m && m->kind == JF_TEXT ? m->text : SLICE_NONE;
}

/* = RFC 7516 §4, RFC 7518 §4.5 §5.3; only these members, so that nothing in a header can choose an algorithm or a place. */
static bool header_fits(const struct json_flat *obj)
{
    const struct json_flat_member *typ = json_flat_find(obj, LIT("typ"));
    size_t members = 3 + (typ != NULL);
    return obj->n == members && (!typ || typ->kind == JF_TEXT) && slice_eq(text_of(obj, LIT("alg")), LIT("dir")) &&
           slice_eq(text_of(obj, LIT("enc")), LIT("A256GCM")) && text_of(obj, LIT("kid")).n > 0;
}

static struct err header_read(struct jwe_keys *k, struct slice part, struct aead **ret_a)
{
    struct json_flat obj;
    buf_reset(&k->scratch);
    if (!b64url_decode(part, &k->scratch) || k->scratch.n > HEADER_MAX)
        return FAIL(E_NOTHING);
    TRY(json_flat_of(&obj, k->arena, buf_slice(&k->scratch)));
    if (!header_fits(&obj))
        return FAIL(E_NOTHING);
    struct jwe_key *key = key_by_kid(k, text_of(&obj, LIT("kid")));
    *ret_a = key ? key->aead : k->dummy;
    return OK;
}

static struct err header_open(struct jwe_keys *k, struct slice part, struct aead **ret_a)
{
    for (size_t i = 0; i < k->n; i++)
        if (slice_eq(buf_slice(&k->keys[i].header), part)) { /* byte for byte what we write ourselves */
            *ret_a = k->keys[i].aead;
            return OK;
        }
    struct err e = header_read(k, part, ret_a);
    arena_reset(k->arena);
    return e;
}

/* ---- tokens ---- */

/* Exactly five parts: four dots. */
static bool split(struct slice token, struct slice part[static PARTS])
{
    for (int i = 0; i < PARTS - 1; i++)
        if (!slice_cut(token, '.', &part[i], &token))
            return false;
    part[PARTS - 1] = token;
    return token.n == 0 || !memchr(token.p, '.', token.n);
}

static struct err open_parts(struct jwe_keys *k, struct slice token, struct buf *out)
{
    struct slice part[PARTS], iv, tag;
    struct aead *a;
    if (token.n > JWE_MAX || !split(token, part) || part[1].n != 0 || part[2].n != IV_CHARS || part[4].n != TAG_CHARS)
        return FAIL(E_NOTHING);
    TRY(header_open(k, part[0], &a));
    buf_reset(&k->scratch);
    if (!b64url_decode(part[2], &k->scratch) || !b64url_decode(part[4], &k->scratch) || !b64url_decode(part[3], &k->scratch))
        return FAIL(E_NOTHING);
    struct slice text = buf_slice(&k->scratch);
    if (!slice_take(&text, AEAD_NONCE, &iv) || !slice_take(&text, AEAD_TAG, &tag))
        return FAIL(E_NOTHING);
    uint8_t *at = text.n ? buf_room(out, text.n) : NULL;
    if (!at && text.n)
        return buf_check(out);
    TRY(aead_open_raw(a, iv, part[0], text, tag, at));
    buf_grew(out, text.n);
    return OK;
}

struct err jwe_open(struct jwe_keys *k, struct slice token, struct buf *out)
{
    struct err e = open_parts(k, token, out);
    buf_reset(&k->scratch);
    if (err_ok(e) || err_is(e, E_NOMEM) || err_is(e, E_FULL))
        return e;
    return FAIL(E_NOTHING);
}

static struct err seal_parts(struct jwe_key *key, struct slice plain, struct buf *cipher, struct buf *out)
{
    uint8_t iv[AEAD_NONCE], tag[AEAD_TAG];
    struct slice header = buf_slice(&key->header);
    uint8_t *at = plain.n ? buf_room(cipher, plain.n) : NULL;
    if (!at && plain.n)
        return buf_check(cipher);
    rnd_bytes(iv, sizeof iv);
    TRY(aead_seal_raw(key->aead, ARR(iv), header, plain, at, tag));
    buf_grew(cipher, plain.n);
    buf_put(out, header);
    buf_puts(out, "..");
    b64url_encode(ARR(iv), out);
    buf_putc(out, '.');
    b64url_encode(buf_slice(cipher), out);
    buf_putc(out, '.');
    b64url_encode(ARR(tag), out);
    return buf_check(out);
}

struct err jwe_seal(struct jwe_keys *k, struct slice kid, struct slice plain, struct buf *out)
{
    struct jwe_key *key = key_by_kid(k, kid);
    if (!key)
        return FAIL(E_CONFIG);
    buf_reset(&k->scratch);
    size_t chars = key->header.n + 2 + IV_CHARS + 1 + (plain.n * 4 + 2) / 3 + 1 + TAG_CHARS;
    if (plain.n > JWE_MAX || chars > JWE_MAX)
        return FAIL(E_FULL);
    struct err e = seal_parts(key, plain, &k->scratch, out);
    buf_reset(&k->scratch);
    return e;
}
