#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/crypto/keyring.h"
#include "mocks/nation.h"

enum { KEY_BYTES = 32, ID_BYTES = 16, PATH_BYTES_MAX = 4096 };

/* Made under another name and renamed: after a crash there is a whole key or none. */
static struct err key_make(const char *path)
{
    struct buf part;
    uint8_t key[KEY_BYTES];
    buf_init(&part, PATH_BYTES_MAX);
    buf_puts(&part, path);
    buf_puts(&part, ".new");
    const char *name = buf_cstr(&part);
    struct err e = name ? OK : FAIL(E_FULL);
    rnd_bytes(key, sizeof key);
    if (err_ok(e)) {
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        bool good = fd >= 0 && write(fd, key, sizeof key) == KEY_BYTES && fsync(fd) == 0;
        if (fd >= 0 && close(fd) != 0)
            good = false;
        if (!good || rename(name, path) != 0)
            e = FAIL(E_IO);
    }
    explicit_bzero(key, sizeof key);
    buf_done(&part);
    return e;
}

ERR ids_open(struct nation *n, const char *key_path)
{
    struct secret *key = NULL;
    if (access(key_path, F_OK) != 0)
        TRY(key_make(key_path));
    TRY(secret_read_file(&key, key_path, KEY_BYTES));
    struct err e = mac_new(&n->ids, key);
    secret_free(key);
    return e;
}

ERR ids_make(struct nation *n, const char *kind, struct slice of, char out[static ID_CHARS + 1])
{
    uint8_t sum[MAC_BYTES];
    struct buf text;
    TRY(MAC_SUM(n->ids, sum, slice_str(kind), of));
    buf_init(&text, ID_CHARS);
    b64url_encode(slice_of(sum, ID_BYTES), &text);
    struct err e = buf_check(&text);
    if (err_ok(e)) {
        memcpy(out, text.p, ID_CHARS);
        out[ID_CHARS] = '\0';
    }
    buf_done(&text);
    return e;
}

static struct err ring_make(struct nation *n, const char *key_path, const char *ring, const char *master)
{
    struct secret *key = NULL;
    struct keyring *k = NULL;
    /* made anew at every start: the key file decides, not what an earlier start has kept */
    if ((unlink(ring) != 0 && errno != ENOENT) || (unlink(master) != 0 && errno != ENOENT))
        return FAIL(E_IO);
    TRY(secret_read_file(&key, key_path, KEY_BYTES));
    struct err e = keyring_create(RING_LINK, ring, master);
    if (err_ok(e))
        e = keyring_add(RING_LINK, ring, master, KEY_LINK_JWE, slice_str(n->kid), key);
    if (err_ok(e))
        e = keyring_load(&k, RING_LINK, ring, master);
    if (err_ok(e))
        e = jwe_keys_new(&n->link_keys, k, KEY_LINK_JWE);
    keyring_free(k);
    secret_free(key);
    return e;
}

ERR ids_open_link_keys(struct nation *n, const char *key_path, const char *dir)
{
    struct buf ring, master;
    buf_init(&ring, PATH_BYTES_MAX);
    buf_init(&master, PATH_BYTES_MAX);
    buf_puts(&ring, dir);
    buf_puts(&ring, "/onshi.ring");
    buf_puts(&master, dir);
    buf_puts(&master, "/onshi.master");
    bool named = buf_cstr(&ring) && buf_cstr(&master);
    struct err e = named ? ring_make(n, key_path, buf_cstr(&ring), buf_cstr(&master)) : FAIL(E_FULL);
    buf_done(&ring);
    buf_done(&master);
    return e;
}
