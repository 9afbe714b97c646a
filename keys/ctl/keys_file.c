#include "keys/ctl/keys_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/text.h"

enum { SMALL_FILE_MAX = 64 * 1024 };

bool keys_file_kid_ok(struct slice name) { return name.n >= 1 && name.n <= KEY_ID_MAX && all_url_safe(name); }

struct state_path keys_file_of(const struct state *s, const struct kid *k) { return state_at(s, "keys/link-jwe-%s.key", k->c); }

struct err keys_file_kid(const struct state *s, struct kid *ret_k)
{
    struct state_path path = state_at(s, "keys/link-jwe.kid");
    struct buf b;
    if (!file_exists(path.c)) {
        *ret_k = (struct kid){ "k1" };
        return OK;
    }
    buf_init(&b, SMALL_FILE_MAX);
    struct err e = file_read(path.c, &b);
    struct slice name = buf_slice(&b), rest;
    (void)slice_cut(name, '\n', &name, &rest);
    if (err_ok(e) && !keys_file_kid_ok(name))
        e = FAIL(E_CONFIG);
    if (err_ok(e)) {
        *ret_k = (struct kid){ "" };
        memcpy(ret_k->c, name.p, name.n);
    }
    buf_done(&b);
    return e;
}

struct err keys_file_random(const char *path)
{
    uint8_t raw[AEAD_KEY];
    rnd_bytes(raw, sizeof raw);
    struct err e = file_write(path, ARR(raw));
    explicit_bzero(raw, sizeof raw);
    return e;
}

struct err keys_file_use(const struct state *s, const struct kid *k)
{
    struct buf name, key;
    buf_init(&name, KEY_ID_MAX + 1);
    buf_init(&key, AEAD_KEY);
    buf_puts(&name, k->c);
    buf_putc(&name, '\n');
    struct err e = buf_check(&name);
    if (err_ok(e))
        e = file_read(keys_file_of(s, k).c, &key);
    if (err_ok(e))
        e = file_write(state_at(s, "keys/link-jwe.kid").c, buf_slice(&name));
    if (err_ok(e))
        e = file_write(state_at(s, "keys/link-jwe.key").c, buf_slice(&key));
    buf_done(&name);
    buf_done(&key);
    return e;
}

static ERR ended_read(const struct state *s, struct buf *b)
{
    struct state_path path = state_at(s, "keys/link-jwe.ended");
    return file_exists(path.c) ? file_read(path.c, b) : OK;
}

struct err keys_file_ended_add(const struct state *s, const struct kid *k, uint64_t at_ms)
{
    struct buf b;
    buf_init(&b, SMALL_FILE_MAX);
    struct err e = ended_read(s, &b);
    buf_puts(&b, k->c);
    buf_putc(&b, ' ');
    buf_u64(&b, at_ms);
    buf_putc(&b, '\n');
    if (err_ok(e))
        e = buf_check(&b);
    if (err_ok(e))
        e = file_write(state_at(s, "keys/link-jwe.ended").c, buf_slice(&b));
    buf_done(&b);
    return e;
}

/* The last line counts: a key may have been replaced, and its rotation repeated after a crash. */
bool keys_file_ended(const struct state *s, const struct kid *k, uint64_t *ret_ms)
{
    struct buf b;
    struct slice line, rest, name, at;
    bool found = false;
    uint64_t ms;
    buf_init(&b, SMALL_FILE_MAX);
    if (err_ok(ended_read(s, &b)))
        for (rest = buf_slice(&b); slice_cut(rest, '\n', &line, &rest);)
            if (slice_cut(line, ' ', &name, &at) && slice_eq(name, slice_str(k->c)) && u64_parse(at, &ms)) {
                *ret_ms = ms;
                found = true;
            }
    buf_done(&b);
    return found;
}

struct err keys_file_remove(const struct state *s, const struct kid *k)
{
    static const uint8_t ZEROS[AEAD_KEY];
    struct state_path path = keys_file_of(s, k);
    int fd = open(path.c, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : FAIL(E_IO);
    bool good = pwrite(fd, ZEROS, sizeof ZEROS, 0) == (ssize_t)sizeof ZEROS && fsync(fd) == 0;
    close(fd);
    return unlink(path.c) == 0 && good ? OK : FAIL(E_IO);
}
