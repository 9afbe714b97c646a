/* Reaches session_token_read(): one text for each token. What has that form leads always to the same place; anything else to another one each time. */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/clinic/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct store *open_store(void)
{
    static struct store *s;
    static const enum key_kind KINDS[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    char dir[] = "/tmp/session_fuzz_XXXXXX";
    struct keyring *ring;
    if (s)
        return s;
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the fuzzer reads its corpus again by a relative path */
    MUST(here >= 0 && mkdtemp(dir) && chdir(dir) == 0 && err_ok(keyring_create(RING_LINK, "ring", "master")));
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        MUST(err_ok(keyring_add(RING_LINK, "ring", "master", KINDS[i], LIT("1"), NULL)));
    MUST(err_ok(keyring_load(&ring, RING_LINK, "ring", "master")) && err_ok(store_new(&s, ring)));
    keyring_free(ring);
    MUST(unlink("ring") == 0 && unlink("master") == 0 && fchdir(here) == 0 && rmdir(dir) == 0 && close(here) == 0);
    return s;
}

/* The text of 32 bytes as it has to be. */
static bool canonical(struct slice text)
{
    struct buf bytes, back;
    buf_init(&bytes, 2 * STORE_TOKEN_BYTES);
    buf_init(&back, 4 * STORE_TOKEN_BYTES);
    bool good = b64url_decode(text, &bytes) && bytes.n == STORE_TOKEN_BYTES;
    if (good) {
        b64url_encode(buf_slice(&bytes), &back);
        MUST(slice_eq(buf_slice(&back), text));
    }
    buf_done(&bytes);
    buf_done(&back);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct person a, b;
    struct consent_name x, y;
    const struct slice text = slice_of(data, n);
    MUST(err_ok(session_token_read(open_store(), text, &a, &x)) && err_ok(session_token_read(open_store(), text, &b, &y)));
    MUST(canonical(text) == (slice_eq(ARR(a.h), ARR(b.h)) && slice_eq(ARR(x.b), ARR(y.b))));
    return 0;
}
