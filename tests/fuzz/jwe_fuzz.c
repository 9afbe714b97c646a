/* Reaches jwe_open: the input as a token, and as the header of a token that is authentic under a known key. Only the one
 * header form may open. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/jose/jwe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    struct jwe_keys *keys;
    struct aead *k1;
};

static void need(bool good)
{
    if (!good)
        abort();
}

static struct target target_new(void)
{
    static const uint8_t KEY[AEAD_KEY] = { 7 };
    char dir[] = "/tmp/pmhgw-fuzz-XXXXXX", ring_path[64], master_path[64];
    struct target t = { 0 };
    struct secret *s = NULL;
    struct keyring *ring = NULL;
    json_in_setup();
    need(mkdtemp(dir) != NULL);
    snprintf(ring_path, sizeof ring_path, "%s/ring", dir);
    snprintf(master_path, sizeof master_path, "%s/master", dir);
    need(err_ok(secret_new(&s, ARR(KEY))));
    need(err_ok(keyring_create(RING_LINK, ring_path, master_path)));
    need(err_ok(keyring_add(RING_LINK, ring_path, master_path, KEY_LINK_JWE, LIT("k1"), s)));
    need(err_ok(keyring_load(&ring, RING_LINK, ring_path, master_path)));
    need(err_ok(jwe_keys_new(&t.keys, ring, KEY_LINK_JWE)));
    need(err_ok(aead_new(&t.k1, s)));
    keyring_free(ring);
    secret_free(s);
    need(unlink(ring_path) == 0 && unlink(master_path) == 0 && rmdir(dir) == 0);
    return t;
}

static bool header_says(struct slice header, const char *word) { return memmem(header.p, header.n, word, strlen(word)) != NULL; }

/* An authentic token under any header: it opens only when the header names the one algorithm. */
static void with_header(struct target *t, struct slice header)
{
    static const uint8_t IV[AEAD_NONCE] = { 1 };
    uint8_t cipher[4], tag[AEAD_TAG];
    struct buf token, out;
    buf_init(&token, 65536);
    buf_init(&out, JWE_MAX);
    b64url_encode(header, &token);
    need(err_ok(aead_seal_raw(t->k1, ARR(IV), buf_slice(&token), LIT("text"), cipher, tag)));
    buf_puts(&token, "..");
    b64url_encode(ARR(IV), &token);
    buf_putc(&token, '.');
    b64url_encode(ARR(cipher), &token);
    buf_putc(&token, '.');
    b64url_encode(ARR(tag), &token);
    struct err e = token.failed ? FAIL(E_NOTHING) : jwe_open(t->keys, buf_slice(&token), &out);
    need(err_ok(e) || err_is(e, E_NOTHING));
    /* Escapes may spell the words differently; then there is a backslash. */
    need(!err_ok(e) || header_says(header, "\\") || (header_says(header, "dir") && header_says(header, "A256GCM")));
    need(!err_ok(e) || (!header_says(header, "\"zip\"") && !header_says(header, "\"crit\"")));
    buf_done(&token);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct target t;
    struct buf out;
    if (!t.keys)
        t = target_new();
    buf_init(&out, JWE_MAX);
    struct err e = jwe_open(t.keys, slice_of(data, size), &out);
    need(err_ok(e) ? out.n <= JWE_MAX : err_is(e, E_NOTHING) && out.n == 0);
    buf_done(&out);
    with_header(&t, slice_of(data, size));
    return 0;
}
