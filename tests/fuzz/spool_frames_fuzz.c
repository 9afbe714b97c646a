/* Reaches nz_frames_open, nz_frames_open_read, nz_frames_read, nz_frames_truncate and nz_frames_append over a file of any content. A good
 * file of three frames lies before the input and is changed by it, so that the frames are met, too. */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "keys/spool/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 20 };
static const uint8_t ID[NZ_FRAME_ID] = { 5 };

static struct secret *key(void)
{
    static const uint8_t BYTES[32] = { 9 };
    struct secret *k = NULL;
    MUST(err_ok(secret_new(&k, ARR(BYTES))));
    return k;
}

static size_t read_all(struct nz_frames *f)
{
    struct nz_frames_at at = { 0 };
    struct buf out;
    buf_init(&out, MAX);
    while (err_ok(nz_frames_read(f, &at, &out)))
        ;
    size_t n = out.n;
    buf_done(&out);
    return n;
}

/* The first byte says how much of the good file stays; then pairs of place and mask change it; the rest is put behind it. */
static void file_make(int dir, struct slice in, const struct secret *k)
{
    struct nz_frames *f = NULL;
    uint8_t text[40] = { 1, 2, 3 }, raw[8 + 3 * (4 + AEAD_OVERHEAD + 40)];
    (void)unlinkat(dir, "upload", 0);
    MUST(err_ok(nz_frames_create(&f, dir, "upload", k, ID)));
    for (int i = 0; i < 3; i++)
        MUST(err_ok(nz_frames_append(f, ARR(text))) && err_ok(nz_frames_flush(f)));
    nz_frames_close(f);
    int fd = openat(dir, "upload", O_RDWR);
    MUST(fd >= 0 && read(fd, raw, sizeof raw) == (ssize_t)sizeof raw);
    struct slice keep, change;
    size_t n = slice_take(&in, 1, &keep) ? keep.p[0] % (sizeof raw + 1) : 0;
    for (int i = 0; i < 4 && slice_take(&in, 2, &change); i++)
        raw[change.p[0] % sizeof raw] ^= change.p[1];
    MUST(ftruncate(fd, 0) == 0 && pwrite(fd, raw, n, 0) == (ssize_t)n && pwrite(fd, in.p, in.n, (off_t)n) == (ssize_t)in.n);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/dev/shm/pmhgw-frames-XXXXXX";
    struct nz_frames *f = NULL;
    struct secret *k = key();
    MUST(mkdtemp(path));
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    file_make(dir, slice_of(data, size), k);
    if (err_ok(nz_frames_open_read(&f, dir, "upload", k, ID))) {
        MUST(read_all(f) <= nz_frames_bytes(f));
        nz_frames_close(f);
    }
    if (err_ok(nz_frames_open(&f, dir, "upload", k, ID))) {
        uint64_t bytes = nz_frames_bytes(f);
        (void)read_all(f);
        MUST(err_ok(nz_frames_append(f, LIT("more"))) && err_ok(nz_frames_flush(f)) && nz_frames_bytes(f) == bytes + 4);
        MUST(err_ok(nz_frames_truncate(f, bytes)) && nz_frames_bytes(f) == bytes);
        nz_frames_close(f);
        MUST(err_ok(nz_frames_open(&f, dir, "upload", k, ID)) && nz_frames_bytes(f) == bytes);
        nz_frames_close(f);
    }
    secret_free(k);
    (void)unlinkat(dir, "upload", 0);
    close(dir);
    rmdir(path);
    return 0;
}
