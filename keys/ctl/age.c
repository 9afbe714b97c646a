#include "keys/ctl/age.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "gateway/base/wipe.h"

/* SCRYPT_LOG 17: 128 MiB and half a second here. What is opened may ask for more, up to a bound. */
enum { FILE_KEY = 16, TAG = 16, NONCE = 16, MAC = 32, SALT = 16, SCRYPT_LOG = 17, SCRYPT_LOG_MAX = 20, WRAPPED = FILE_KEY + TAG, COUNTER = 12, COLUMNS = 64 };

static const char VERSION[] = "age-encryption.org/v1\n";

/* ---- pieces ---- */

static ERR hkdf(struct slice key, struct slice salt, const char *info, uint8_t out[static 32])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM p[5], *at = p;
    *at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0);
    *at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.p, key.n);
    if (salt.n)
        *at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.p, salt.n);
    *at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info));
    *at = OSSL_PARAM_construct_end();
    bool good = c && EVP_KDF_derive(c, out, 32, p) == 1;
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
    return good ? OK : FAIL(E_CRYPTO);
}

static ERR header_mac(const uint8_t file_key[static FILE_KEY], struct slice header, uint8_t out[static MAC])
{
    uint8_t key[32];
    size_t n = 0;
    TRY(hkdf(slice_of(file_key, FILE_KEY), SLICE_NONE, "header", key));
    bool good = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, sizeof key, header.p, header.n, out, MAC, &n) != NULL && n == MAC;
    explicit_bzero(key, sizeof key);
    return good ? OK : FAIL(E_CRYPTO);
}

static ERR box_seal(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t *nonce, struct slice plain, uint8_t *out)
{
    int n = 0, more = 0;
    bool good = EVP_EncryptInit_ex(c, EVP_chacha20_poly1305(), NULL, key, nonce) == 1 && EVP_EncryptUpdate(c, out, &n, plain.p, (int)plain.n) == 1 &&
                EVP_EncryptFinal_ex(c, out + n, &more) == 1 && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, out + plain.n) == 1;
    return good ? OK : FAIL(E_CRYPTO);
}

static ERR box_open(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t *nonce, struct slice sealed, uint8_t *out)
{
    int n = 0, more = 0;
    uint8_t tag[TAG];
    if (sealed.n < TAG)
        return FAIL(E_SEAL);
    memcpy(tag, sealed.p + sealed.n - TAG, TAG);
    bool good = EVP_DecryptInit_ex(c, EVP_chacha20_poly1305(), NULL, key, nonce) == 1 && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
                EVP_DecryptUpdate(c, out, &n, sealed.p, (int)(sealed.n - TAG)) == 1 && EVP_DecryptFinal_ex(c, out + n, &more) == 1;
    return good ? OK : FAIL(E_SEAL);
}

static void base64(struct slice bytes, struct buf *out)
{
    size_t from = out->n;
    b64_encode(bytes, out);
    while (out->n > from && out->p[out->n - 1] == '=')
        out->n--;
}

/* Without padding, of exactly n bytes. */
static bool base64_read(struct slice text, uint8_t *out, size_t n)
{
    struct buf padded, plain;
    buf_init(&padded, 128);
    buf_init(&plain, 128);
    buf_put(&padded, text);
    while (!padded.failed && padded.n % 4)
        buf_putc(&padded, '=');
    bool good = text.n && text.p[text.n - 1] != '=' && !padded.failed && b64_decode(buf_slice(&padded), &plain) && plain.n == n;
    if (good)
        memcpy(out, plain.p, n);
    buf_done(&padded);
    buf_done(&plain);
    return good;
}

/* ---- who may open ---- */

static ERR x25519(const uint8_t *private, const uint8_t *public, uint8_t ret_shared[static 32], uint8_t *ret_public)
{
    static const uint8_t NONE[32];
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, AGE_KEY), *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, AGE_KEY);
    EVP_PKEY_CTX *c = mine && other ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    size_t n = 32, own = AGE_KEY;
    bool good = c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, other) == 1 && EVP_PKEY_derive(c, ret_shared, &n) == 1 && n == 32 &&
                EVP_PKEY_get_raw_public_key(mine, ret_public, &own) == 1 && !secret_equal(slice_of(ret_shared, 32), ARR(NONE));
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(other);
    return good ? OK : FAIL(E_CRYPTO);
}

static ERR wrap_key(const uint8_t shared[static 32], const uint8_t *share, const uint8_t *recipient, uint8_t out[static 32])
{
    uint8_t salt[2 * AGE_KEY];
    memcpy(salt, share, AGE_KEY);
    memcpy(salt + AGE_KEY, recipient, AGE_KEY);
    return hkdf(slice_of(shared, 32), ARR(salt), "age-encryption.org/v1/X25519", out);
}

static ERR scrypt_key(const char *passphrase, const uint8_t salt[static SALT], unsigned log, uint8_t out[static 32])
{
    static const char LABEL[] = "age-encryption.org/v1/scrypt";
    uint8_t all[sizeof LABEL - 1 + SALT];
    memcpy(all, LABEL, sizeof LABEL - 1);
    memcpy(all + sizeof LABEL - 1, salt, SALT);
    bool good = EVP_PBE_scrypt(passphrase, strlen(passphrase), all, sizeof all, 1ull << log, 8, 1, (1024ull << log) + (64 << 20), out, 32) == 1;
    return good ? OK : FAIL(E_CRYPTO);
}

/* The stanza of the header, and the key that the file key is wrapped with. */
static ERR stanza_write(const struct age_who *w, struct buf *out, uint8_t ret_wrap[static 32])
{
    uint8_t private[AGE_KEY], share[AGE_KEY], shared[32], salt[SALT];
    char number[8];
    if (w->by_passphrase) {
        rnd_bytes(salt, sizeof salt);
        buf_puts(out, "-> scrypt ");
        base64(ARR(salt), out);
        snprintf(number, sizeof number, " %d\n", SCRYPT_LOG);
        buf_puts(out, number);
        return scrypt_key(w->passphrase, salt, SCRYPT_LOG, ret_wrap);
    }
    rnd_bytes(private, sizeof private);
    struct err e = x25519(private, w->key, shared, share);
    if (err_ok(e)) {
        buf_puts(out, "-> X25519 ");
        base64(ARR(share), out);
        buf_putc(out, '\n');
        e = wrap_key(shared, share, w->key, ret_wrap);
    }
    explicit_bzero(private, sizeof private);
    explicit_bzero(shared, sizeof shared);
    return e;
}

static ERR stanza_read(struct slice line, struct age_who *w, uint8_t ret_wrap[static 32])
{
    static const uint8_t BASE[AGE_KEY] = { 9 };
    uint8_t share[AGE_KEY], shared[32], public[AGE_KEY], ignored[32], salt[SALT];
    struct slice kind, arg = SLICE_NONE, log = SLICE_NONE;
    uint64_t n = 0;
    if (!slice_starts(line, LIT("-> ")))
        return FAIL(E_PROTOCOL);
    line = slice_of(line.p + 3, line.n - 3);
    if (!slice_cut(line, ' ', &kind, &arg))
        return FAIL(E_PROTOCOL);
    if (w->by_passphrase) {
        if (!slice_eq(kind, LIT("scrypt")) || !slice_cut(arg, ' ', &arg, &log) || !base64_read(arg, salt, SALT) || !u64_parse(log, &n) || n < 1 || n > SCRYPT_LOG_MAX)
            return FAIL(E_SEAL);
        if (w->known.log != n || !slice_eq(ARR(w->known.salt), ARR(salt))) {
            TRY(scrypt_key(w->passphrase, salt, (unsigned)n, w->known.key));
            memcpy(w->known.salt, salt, sizeof salt);
            w->known.log = (unsigned)n;
        }
        memcpy(ret_wrap, w->known.key, sizeof w->known.key);
        return OK;
    }
    if (!slice_eq(kind, LIT("X25519")) || !base64_read(arg, share, AGE_KEY))
        return FAIL(E_SEAL);
    struct err e = x25519(w->key, BASE, ignored, public); /* our own public key */
    if (err_ok(e))
        e = x25519(w->key, share, shared, ignored);
    if (err_ok(e))
        e = wrap_key(shared, share, public, ret_wrap);
    explicit_bzero(shared, sizeof shared);
    return err_ok(e) ? OK : FAIL(E_SEAL);
}

/* ---- the header ---- */

static ERR header_write(const struct age_who *w, const uint8_t file_key[static FILE_KEY], struct buf *out)
{
    static const uint8_t ZERO[COUNTER];
    uint8_t wrap[32], body[WRAPPED], mac[MAC];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    buf_puts(out, VERSION);
    struct err e = c ? stanza_write(w, out, wrap) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = box_seal(c, wrap, ZERO, slice_of(file_key, FILE_KEY), body);
    EVP_CIPHER_CTX_free(c);
    explicit_bzero(wrap, sizeof wrap);
    TRY(e);
    base64(ARR(body), out); /* 43 characters: one short line ends it */
    buf_puts(out, "\n---");
    TRY(header_mac(file_key, buf_slice(out), mac));
    buf_putc(out, ' ');
    base64(ARR(mac), out);
    buf_putc(out, '\n');
    return buf_check(out);
}

ERR age_header_read(struct slice text, struct age_who *w, uint8_t ret_file_key[static 16], size_t *ret_n)
{
    static const uint8_t ZERO[COUNTER];
    uint8_t wrap[32], body[WRAPPED], mac[MAC], said[MAC];
    struct slice rest = text, version, stanza, line, last;
    if (!slice_cut(rest, '\n', &version, &rest) || !slice_eq(version, LIT("age-encryption.org/v1")) || !slice_cut(rest, '\n', &stanza, &rest) ||
        !slice_cut(rest, '\n', &line, &rest) || !slice_cut(rest, '\n', &last, &rest))
        return FAIL(E_PROTOCOL);
    if (line.n > COLUMNS || !base64_read(line, body, sizeof body) || !slice_starts(last, LIT("--- ")) || !base64_read(slice_of(last.p + 4, last.n - 4), said, MAC))
        return FAIL(E_PROTOCOL);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct err e = c ? stanza_read(stanza, w, wrap) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = box_open(c, wrap, ZERO, ARR(body), ret_file_key);
    EVP_CIPHER_CTX_free(c);
    explicit_bzero(wrap, sizeof wrap);
    TRY(e);
    TRY(header_mac(ret_file_key, slice_of(text.p, (size_t)(last.p + 3 - text.p)), mac));
    if (!secret_equal(ARR(mac), ARR(said)))
        return FAIL(E_SEAL);
    *ret_n = (size_t)(last.p + last.n + 1 - text.p);
    return OK;
}

/* ---- the stream ---- */

struct pieces { int fd; EVP_CIPHER_CTX *c; uint8_t key[32], counter[COUNTER]; };

static ERR pieces_init(struct pieces *p, int fd, const uint8_t file_key[static FILE_KEY], const uint8_t nonce[static NONCE])
{
    p->fd = fd;
    p->c = EVP_CIPHER_CTX_new();
    return p->c ? hkdf(slice_of(file_key, FILE_KEY), slice_of(nonce, NONCE), "payload", p->key) : FAIL(E_NOMEM);
}

static void pieces_done(struct pieces *p)
{
    EVP_CIPHER_CTX_free(p->c);
    explicit_bzero(p, sizeof *p);
}

/* Eleven bytes count, the twelfth says that it is the last. */
static void pieces_next(struct pieces *p)
{
    for (int i = COUNTER - 2; i >= 0 && ++p->counter[i] == 0; i--)
        ;
}

struct age_out { struct pieces p; size_t n; uint8_t plain[AGE_PIECE], sealed[AGE_PIECE + TAG]; };

ERR age_out_new(struct age_out **ret_o, int fd, const struct age_who *w)
{
    uint8_t file_key[FILE_KEY], nonce[NONCE];
    struct buf header;
    struct age_out *o = calloc(1, sizeof *o);
    if (!o)
        return FAIL(E_NOMEM);
    rnd_bytes(file_key, sizeof file_key);
    rnd_bytes(nonce, sizeof nonce);
    buf_init(&header, AGE_HEADER_MAX);
    struct err e = header_write(w, file_key, &header);
    buf_put(&header, ARR(nonce));
    if (err_ok(e))
        e = pieces_init(&o->p, fd, file_key, nonce);
    if (err_ok(e))
        e = fd_write_all(fd, buf_slice(&header));
    explicit_bzero(file_key, sizeof file_key);
    buf_done(&header);
    if (err_ok(e))
        *ret_o = o;
    else
        age_out_free(o);
    return e;
}

static ERR piece_write(struct age_out *o, bool last)
{
    o->p.counter[COUNTER - 1] = last;
    TRY(box_seal(o->p.c, o->p.key, o->p.counter, slice_of(o->plain, o->n), o->sealed));
    TRY(fd_write_all(o->p.fd, slice_of(o->sealed, o->n + TAG)));
    pieces_next(&o->p);
    o->n = 0;
    return OK;
}

ERR age_put(struct age_out *o, struct slice plain)
{
    while (plain.n) {
        if (o->n == AGE_PIECE)
            TRY(piece_write(o, false)); /* full, and something follows */
        size_t n = plain.n < AGE_PIECE - o->n ? plain.n : AGE_PIECE - o->n;
        memcpy(o->plain + o->n, plain.p, n);
        o->n += n;
        plain = slice_of(plain.p + n, plain.n - n);
    }
    return OK;
}

ERR age_out_end(struct age_out *o) { return piece_write(o, true); }

void age_out_free(struct age_out *o)
{
    if (!o)
        return;
    pieces_done(&o->p);
    explicit_bzero(o, sizeof *o);
    free(o);
}

struct age_in { struct pieces p; bool end, going; size_t n; uint8_t sealed[AGE_PIECE + TAG + 1], plain[AGE_PIECE]; };

ERR age_in_new(struct age_in **ret_i, int fd, struct age_who *w)
{
    uint8_t head[AGE_HEADER_MAX], file_key[FILE_KEY];
    size_t have = 0, header = 0;
    TRY(fd_read_up_to(fd, head, sizeof head, &have));
    TRY(age_header_read(slice_of(head, have), w, file_key, &header));
    struct age_in *i = have >= header + NONCE ? calloc(1, sizeof *i) : NULL;
    struct err e = i ? pieces_init(&i->p, fd, file_key, head + header) : FAIL(E_SEAL);
    explicit_bzero(file_key, sizeof file_key);
    if (err_ok(e)) { /* what was read beyond the header */
        i->n = have - header - NONCE;
        memcpy(i->sealed, head + header + NONCE, i->n);
        *ret_i = i;
    } else {
        age_in_free(i);
    }
    return e;
}

/* One byte more than a piece is read, so that the last one is known. */
ERR age_get(struct age_in *i, struct slice *ret_plain, bool *ret_end)
{
    size_t more;
    *ret_end = i->end;
    *ret_plain = SLICE_NONE;
    if (i->end)
        return OK;
    TRY(fd_read_up_to(i->p.fd, i->sealed + i->n, sizeof i->sealed - i->n, &more));
    i->n += more;
    bool last = i->n <= AGE_PIECE + TAG;
    size_t n = last ? i->n : AGE_PIECE + TAG;
    if (last && n == TAG && i->going)
        return FAIL(E_SEAL); /* an empty piece is the only one of an empty stream */
    i->going = true;
    i->p.counter[COUNTER - 1] = last;
    TRY(box_open(i->p.c, i->p.key, i->p.counter, slice_of(i->sealed, n), i->plain));
    pieces_next(&i->p);
    memmove(i->sealed, i->sealed + n, i->n - n);
    i->n -= n;
    i->end = last;
    *ret_plain = slice_of(i->plain, n - TAG);
    return OK;
}

void age_in_free(struct age_in *i)
{
    if (!i)
        return;
    pieces_done(&i->p);
    explicit_bzero(i, sizeof *i);
    free(i);
}
