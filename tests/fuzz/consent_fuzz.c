/* Reaches the readers of a person's hash behind the seal: the input is the plain form of a value, sealed into its place. What opens keeps its bounds. */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/consent/consent_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good)
{
    if (!good)
        abort();
}

static struct store *open_store(void)
{
    static struct store *s;
    char dir[] = "/tmp/consent_fuzz_XXXXXX";
    struct keyring *ring;
    static const struct { enum key_kind kind; const char *id; } KEYS[] = {
        { KEY_LINK_INDEX, "1" }, { KEY_LINK_COMMON, "1" }, { KEY_AUDIT_HANDLE, "1" }, { KEY_LINK_DATA, "331007" } };
    if (s)
        return s;
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the fuzzer reads its corpus again by a relative path */
    need(here >= 0 && mkdtemp(dir) && chdir(dir) == 0 && err_ok(keyring_create(RING_LINK, "ring", "master")));
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        need(err_ok(keyring_add(RING_LINK, "ring", "master", KEYS[i].kind, slice_str(KEYS[i].id), NULL)));
    need(err_ok(keyring_load(&ring, RING_LINK, "ring", "master")) && err_ok(store_new(&s, ring)));
    keyring_free(ring);
    need(unlink("ring") == 0 && unlink("master") == 0 && fchdir(here) == 0 && rmdir(dir) == 0 && close(here) == 0);
    return s;
}

static void sealed(const struct consent_place *at, struct slice stamp, struct slice plain, struct buf *out)
{
    buf_reset(out);
    buf_put(out, stamp);
    need(err_ok(store_seal(at->store, SLICE_NONE, at->person, store_name_slice(&at->field), plain, out)));
}

/* A value has one form: what was read is written the same. */
static bool same_plain(const struct consent_place *at, struct slice value, struct slice plain)
{
    struct buf b;
    buf_init(&b, CONSENT_PLAIN_MAX);
    need(err_ok(store_open(at->store, SLICE_NONE, at->person, store_name_slice(&at->field), slice_of(value.p + 16, value.n - 16), &b)));
    const bool same = slice_eq(buf_slice(&b), plain);
    buf_done(&b);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *s = open_store();
    struct person p;
    struct store_name person;
    struct consent_name name = { { 1, 2, 3 } };
    struct buf value;
    struct slice plain = slice_of(data, size < CONSENT_PLAIN_MAX ? size : CONSENT_PLAIN_MAX), stamp = slice_of(plain.p, plain.n < 16 ? plain.n : 16);
    need(err_ok(store_person(s, LIT("PMH-1"), &p)));
    store_name_person(&p, &person);
    buf_init(&value, 4096);
    for (int kind = 0; kind < CF__MAX; kind++) {
        struct consent_place at = consent__place(s, &person, (enum consent_field)kind, &name);
        struct consent_withdrawn w;
        struct consent_entry e;
        struct session_entry n;
        struct session_held h;
        sealed(&at, stamp, plain, &value);
        (void)!err_ok(consent__open_withdrawn(&at, buf_slice(&value), &w));
        if (err_ok(consent__open_given(&at, buf_slice(&value), &e)))
            need(e.kinds && e.kinds < 8 && strnlen(e.purpose, sizeof e.purpose) <= CLAIM_PURPOSE_MAX);
        if (err_ok(consent__open_session(&at, buf_slice(&value), &n, &h))) {
            need(n.kinds && n.kinds < 8);
            buf_reset(&value);
            need(err_ok(consent__seal_session(&at, &n, &h, &value)) && same_plain(&at, buf_slice(&value), plain));
        }
    }
    struct store_name field;
    struct control_flags f;
    flags_field("331007", &field);
    buf_reset(&value);
    need(err_ok(store_seal(s, LIT("331007"), &person, store_name_slice(&field), plain, &value)));
    if (err_ok(flags_open(s, &person, store_name_slice(&field), buf_slice(&value), &f)))
        need(f.bits <= FLAGS_ALL && f.reason[0]);
    buf_done(&value);
    return 0;
}
