#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "gateway/crypto/keyring.h"
#include "mocks/nation.h"

struct mint_path { char c[4096]; };

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

/* ---- the key that mints link keys: the operator of the gateway replaces it while we run ---- */

enum { KID_FILE_MAX = 64 };

static struct mint_path mint_path(const struct nation *n, const char *name)
{
    struct mint_path p = { "" };
    const char *slash = strrchr(n->mint.key_path, '/');
    int folder = slash ? (int)(slash + 1 - n->mint.key_path) : 0;
    if (snprintf(p.c, sizeof p.c, "%.*s%s", folder, n->mint.key_path, name) >= (int)sizeof p.c)
        p.c[0] = '\0';
    return p;
}

/* What link-jwe.kid beside the key file says; the --kid of the command line when there is no such file. */
static struct err kid_read(const struct nation *n, char out[static KEY_ID_MAX + 1])
{
    struct mint_path path = mint_path(n, "link-jwe.kid");
    struct buf b;
    if (access(path.c, F_OK) != 0) {
        snprintf(out, KEY_ID_MAX + 1, "%s", n->mint.kid_default);
        return OK;
    }
    buf_init(&b, KID_FILE_MAX);
    struct err e = file_read(path.c, &b);
    struct slice name = buf_slice(&b), rest;
    (void)slice_cut(name, '\n', &name, &rest);
    if (err_ok(e) && (name.n < 1 || name.n > KEY_ID_MAX || memchr(name.p, '/', name.n)))
        e = FAIL(E_CONFIG);
    if (err_ok(e))
        snprintf(out, KEY_ID_MAX + 1, "%.*s", (int)name.n, (const char *)name.p);
    buf_done(&b);
    return e;
}

static struct err mint_load(struct nation *n, const char *kid)
{
    char name[KEY_ID_MAX + 32];
    struct secret *key = NULL;
    struct jwe_keys *keys = NULL;
    snprintf(name, sizeof name, "link-jwe-%s.key", kid);
    struct mint_path own = mint_path(n, name);
    TRY(secret_read_file(&key, access(own.c, F_OK) == 0 ? own.c : n->mint.key_path, KEY_BYTES));
    struct err e = jwe_keys_one(&keys, slice_str(kid), key);
    secret_free(key);
    TRY(e);
    jwe_keys_free(n->link_keys);
    n->link_keys = keys;
    snprintf(n->mint.kid, sizeof n->mint.kid, "%s", kid);
    return OK;
}

ERR ids_fresh_link_key(struct nation *n)
{
    char kid[KEY_ID_MAX + 1];
    TRY(kid_read(n, kid));
    return n->link_keys && strcmp(kid, n->mint.kid) == 0 ? OK : mint_load(n, kid);
}

ERR ids_open_link_keys(struct nation *n, const char *key_path, const char *kid)
{
    n->mint.key_path = key_path;
    n->mint.kid_default = kid;
    return ids_fresh_link_key(n);
}
