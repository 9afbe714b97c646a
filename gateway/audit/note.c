#include "gateway/audit/note.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

enum { ED25519 = 1, ID_BYTES = 4, ID_HEX = 8, SIGNED_BYTES = ID_BYTES + NOTE_SIGNATURE, SIGNATURES_MAX = 64 };

static const char DASH[] = "\xE2\x80\x94 ";

bool note_name_good(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '+')
            return false;
    return name.n > 0 && name.n <= NOTE_NAME_MAX;
}

/* ---- keys ---- */

static ERR key_id(const char *name, const uint8_t pub[static NOTE_KEY], uint32_t *ret_id)
{
    static const uint8_t KIND[2] = { '\n', ED25519 };
    const struct slice parts[] = { slice_str(name), ARR(KIND), slice_of(pub, NOTE_KEY) };
    uint8_t sum[SHA256_BYTES];
    TRY(sha256(3, parts, sum));
    *ret_id = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
    return OK;
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* Base64 of exactly n bytes. */
static bool base64_exact(struct slice s, uint8_t *out, size_t n)
{
    struct buf b;
    if (s.n != (n + 2) / 3 * 4)
        return false;
    buf_init(&b, n + 4);
    bool good = b64_decode(s, &b) && b.n == n;
    if (good)
        memcpy(out, b.p, n);
    buf_done(&b);
    return good;
}

bool note_key_read(struct slice line, struct note_key *ret_k)
{
    struct slice name, rest, hex, b64;
    uint8_t id[ID_BYTES], key[1 + NOTE_KEY];
    struct note_key k = { .name = { 0 } };
    uint32_t want;
    if (line.n && line.p[line.n - 1] == '\n')
        line.n--;
    if (!slice_cut(line, '+', &name, &rest) || !slice_cut(rest, '+', &hex, &b64) || !note_name_good(name) || !hex_decode(hex, id, sizeof id))
        return false;
    if (!base64_exact(b64, key, sizeof key) || key[0] != ED25519)
        return false;
    memcpy(k.name, name.p, name.n);
    memcpy(k.pub, key + 1, NOTE_KEY);
    k.id = be32(id);
    if (!err_ok(key_id(k.name, k.pub, &want)) || want != k.id)
        return false;
    *ret_k = k;
    return true;
}

static void put_id(uint32_t id, uint8_t out[static ID_BYTES])
{
    for (int i = 0; i < ID_BYTES; i++)
        out[i] = (uint8_t)(id >> (24 - 8 * i));
}

void note_key_write(const struct note_key *k, struct buf *out)
{
    uint8_t id[ID_BYTES], key[1 + NOTE_KEY] = { ED25519 };
    put_id(k->id, id);
    memcpy(key + 1, k->pub, NOTE_KEY);
    buf_puts(out, k->name);
    buf_putc(out, '+');
    buf_hex(out, ARR(id));
    buf_putc(out, '+');
    b64_encode(ARR(key), out);
    buf_putc(out, '\n');
}

/* ---- signing ---- */

struct note_signer {
    struct note_key key;
    EVP_PKEY *pair;
    EVP_MD_CTX *ctx;
};

static struct err take_seed(struct slice seed, void *arg)
{
    struct note_signer *s = arg;
    size_t n = NOTE_KEY;
    if (seed.n != NOTE_KEY)
        return FAIL(E_CONFIG);
    s->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.p, seed.n);
    if (!s->pair || EVP_PKEY_get_raw_public_key(s->pair, s->key.pub, &n) != 1 || n != NOTE_KEY)
        return FAIL(E_CRYPTO);
    return key_id(s->key.name, s->key.pub, &s->key.id);
}

struct err note_signer_new(struct note_signer **ret_s, const char *name, const struct secret *seed)
{
    struct slice n = slice_str(name);
    if (!note_name_good(n))
        return FAIL(E_CONFIG);
    struct note_signer *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    memcpy(s->key.name, n.p, n.n);
    s->ctx = EVP_MD_CTX_new();
    struct err e = s->ctx ? secret_use(seed, take_seed, s) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        note_signer_free(s);
        return e;
    }
    *ret_s = s;
    return OK;
}

void note_signer_free(struct note_signer *s)
{
    if (!s)
        return;
    EVP_PKEY_free(s->pair);
    EVP_MD_CTX_free(s->ctx);
    free(s);
}

const struct note_key *note_signer_key(const struct note_signer *s) { return &s->key; }

static ERR put_signature(struct note_signer *s, struct slice text, struct buf *out)
{
    uint8_t b[SIGNED_BYTES];
    size_t n = NOTE_SIGNATURE;
    put_id(s->key.id, b);
    bool good = EVP_MD_CTX_reset(s->ctx) == 1 && EVP_DigestSignInit(s->ctx, NULL, NULL, NULL, s->pair) == 1 &&
                EVP_DigestSign(s->ctx, b + ID_BYTES, &n, text.p, text.n) == 1;
    if (!good || n != NOTE_SIGNATURE)
        return FAIL(E_CRYPTO);
    buf_puts(out, DASH);
    buf_puts(out, s->key.name);
    buf_putc(out, ' ');
    b64_encode(ARR(b), out);
    buf_putc(out, '\n');
    return buf_check(out);
}

struct err note_sign(struct note_signer *s, struct slice text, struct buf *out)
{
    buf_put(out, text);
    buf_putc(out, '\n');
    return put_signature(s, text, out);
}

/* ---- reading ---- */

static bool clean(struct slice note)
{
    for (size_t i = 0; i < note.n; i++)
        if (note.p[i] < ' ' && note.p[i] != '\n')
            return false;
    return utf8_valid(note);
}

/* At the last blank line. */
static bool halves(struct slice note, struct slice *text, struct slice *signatures)
{
    for (size_t i = note.n; i >= 2; i--) {
        if (note.p[i - 1] != '\n' || note.p[i - 2] != '\n')
            continue;
        *text = slice_of(note.p, i - 1);
        *signatures = slice_of(note.p + i, note.n - i);
        return text->n > 1;
    }
    return false;
}

struct err note_sign_too(struct note_signer *s, struct slice note, struct buf *out)
{
    struct slice text, lines;
    if (!clean(note) || !halves(note, &text, &lines) || lines.n == 0 || lines.p[lines.n - 1] != '\n')
        return FAIL(E_PROTOCOL);
    buf_put(out, note);
    return put_signature(s, text, out);
}

static bool signature_good(const struct note_key *k, struct slice text, const uint8_t signature[static NOTE_SIGNATURE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->pub, NOTE_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, signature, NOTE_SIGNATURE, text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

/* One line without its newline. STRANGER: somebody else's. */
static enum note_verdict signature_line(struct slice line, const struct note_key *k, struct slice text)
{
    struct slice name, b64;
    uint8_t b[SIGNED_BYTES];
    if (!slice_starts(line, LIT("\xE2\x80\x94 ")))
        return NOTE_SHAPE;
    line = slice_of(line.p + sizeof DASH - 1, line.n - (sizeof DASH - 1));
    if (!slice_cut(line, ' ', &name, &b64) || name.n == 0 || b64.n == 0 || memchr(name.p, '+', name.n))
        return NOTE_SHAPE;
    if (!slice_eq(name, slice_str(k->name)))
        return NOTE_STRANGER;
    if (!base64_exact(b64, b, sizeof b) || be32(b) != k->id)
        return NOTE_STRANGER; /* another key or another kind of signature under the same name */
    return signature_good(k, text, b + ID_BYTES) ? NOTE_GOOD : NOTE_FORGED;
}

enum note_verdict note_open(struct slice note, const struct note_key *k, struct slice *ret_text)
{
    struct slice text, lines, line;
    enum note_verdict v = NOTE_STRANGER;
    if (note.n > NOTE_MAX || !clean(note) || !halves(note, &text, &lines) || lines.n == 0 || lines.p[lines.n - 1] != '\n')
        return NOTE_SHAPE;
    for (unsigned i = 0; slice_cut(lines, '\n', &line, &lines); i++) {
        enum note_verdict one = i < SIGNATURES_MAX ? signature_line(line, k, text) : NOTE_SHAPE;
        if (one == NOTE_SHAPE || one == NOTE_FORGED)
            return one;
        if (one == NOTE_GOOD)
            v = NOTE_GOOD;
    }
    if (v == NOTE_GOOD)
        *ret_text = text;
    return v;
}

/* ---- checkpoints ---- */

bool checkpoint_read(struct slice text, const char *origin, struct tree_head *ret_c)
{
    struct slice first, size, root, rest;
    struct tree_head c;
    if (!slice_cut(text, '\n', &first, &rest) || !slice_cut(rest, '\n', &size, &rest) || !slice_cut(rest, '\n', &root, &rest))
        return false;
    if (!slice_eq(first, slice_str(origin)) || !u64_parse(size, &c.size) || !base64_exact(root, c.root, sizeof c.root))
        return false;
    for (struct slice line; rest.n;)
        if (!slice_cut(rest, '\n', &line, &rest) || line.n == 0)
            return false;
    *ret_c = c;
    return true;
}

void checkpoint_write(const struct tree_head *c, const char *origin, struct buf *out)
{
    buf_puts(out, origin);
    buf_putc(out, '\n');
    buf_u64(out, c->size);
    buf_putc(out, '\n');
    b64_encode(ARR(c->root), out);
    buf_putc(out, '\n');
}

static enum note_verdict open_by(struct slice note, const struct note_key *k, struct tree_head *ret_c)
{
    struct slice text;
    struct tree_head c;
    enum note_verdict v = note_open(note, k, &text);
    if (v != NOTE_GOOD)
        return v;
    if (!checkpoint_read(text, k->name, &c))
        return NOTE_SHAPE;
    if (k->until && c.size > k->until)
        return NOTE_RETIRED;
    *ret_c = c;
    return NOTE_GOOD;
}

/* Signatures of several keys may stand in one note: one that is good suffices, one that is forged spoils it. */
enum note_verdict checkpoint_open(struct slice note, const struct note_key *k, struct tree_head *ret_c)
{
    enum note_verdict v = NOTE_STRANGER;
    for (; k; k = k->older) {
        enum note_verdict one = open_by(note, k, ret_c);
        if (one == NOTE_GOOD || one == NOTE_FORGED || one == NOTE_SHAPE)
            return one;
        v = one == NOTE_RETIRED ? one : v;
    }
    return v;
}

struct err checkpoint_sign(struct note_signer *s, const struct tree_head *c, struct buf *out)
{
    struct buf text;
    buf_init(&text, NOTE_MAX);
    checkpoint_write(c, s->key.name, &text);
    struct err e = buf_check(&text);
    if (err_ok(e))
        e = note_sign(s, buf_slice(&text), out);
    buf_done(&text);
    return e;
}
