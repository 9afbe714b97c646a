#include "keys/spool/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/base/wipe.h"
#include "keys/spool/file_at.h"

enum { MAGIC = 8, HEAD = 4, TAG = 16, NAME_MAX_BYTES = 15, TORN_MAX = 128, SEALED_MAX = NZ_FRAME_PLAIN + AEAD_OVERHEAD, AD_BYTES = NZ_FRAME_ID + NAME_MAX_BYTES + 1 + 8 };
static const uint8_t MAGIC_BYTES[MAGIC] = { 'P', 'M', 'H', 'G', 'W', 'F', 'R', '1' };

/*   0 ........ MAGIC ........ written ........ (nothing: what could not be written whole was cut off)
 *                             | next frame goes here                                    wait: plain text that has no frame yet */
struct nz_frames {
    int fd;
    bool reads;
    struct aead *aead;
    uint8_t id[NZ_FRAME_ID];
    char name[NAME_MAX_BYTES + 1];
    uint64_t written, frame, plain; /* bytes of the file, its frames, their plain text; of a writer */
    uint64_t synced_to, sync_to;    /* bytes of the file that were synced, or are being */
    struct buf wait;
    struct buf sealed; /* one frame at a time */
    bool broken;       /* a write failed and could not be undone: nothing may follow it */
    bool syncing, sync_started, closed;
    struct err sync_result;
    uv_work_t work;
    nz_frames_synced_fn *synced_fn;
    void *arg;
};

/* ---- one frame ---- */

/* The length less one, and its complement: a length that was damaged is seen, where it would look like a torn end otherwise. */
static void head_put(struct buf *out, size_t plain)
{
    buf_be16(out, (uint16_t)(plain - 1));
    buf_be16(out, (uint16_t)~(plain - 1));
}

static struct err head_take(const uint8_t head[static HEAD], size_t *ret_plain)
{
    unsigned n = (unsigned)head[0] << 8 | head[1], check = (unsigned)head[2] << 8 | head[3];
    if ((n ^ check) != 0xffff)
        return FAIL(E_SEAL);
    *ret_plain = n + 1;
    return OK;
}

/* The name ends with a NUL that no name contains, so that the parts cannot shift. */
static size_t binding(const struct nz_frames *f, uint64_t frame, uint8_t ad[static AD_BYTES])
{
    size_t n = NZ_FRAME_ID, name = strlen(f->name) + 1;
    memcpy(ad, f->id, NZ_FRAME_ID);
    memcpy(ad + n, f->name, name);
    n += name;
    for (unsigned shift = 64; shift > 0; shift -= 8)
        ad[n++] = (uint8_t)(frame >> (shift - 8));
    return n;
}

static struct err frame_seal(struct nz_frames *f, struct slice plain)
{
    uint8_t ad[AD_BYTES];
    size_t ad_n = binding(f, f->frame, ad);
    buf_reset(&f->sealed);
    head_put(&f->sealed, plain.n);
    TRY(aead_seal(f->aead, slice_of(ad, ad_n), plain, &f->sealed));
    return buf_check(&f->sealed);
}

/* What was written of a frame that did not fit is taken back, so that the next one stands right behind the last whole one. */
static struct err frame_write(struct nz_frames *f, struct slice plain)
{
    if (f->broken)
        return FAIL(E_IO);
    TRY(frame_seal(f, plain));
    struct err e = nz_at_write(f->fd, buf_slice(&f->sealed), f->written);
    if (!err_ok(e)) {
        f->broken = ftruncate(f->fd, (off_t)f->written) != 0;
        return e;
    }
    f->written += f->sealed.n;
    f->plain += plain.n;
    f->frame++;
    return OK;
}

/* The frame at `at`, opened behind what *out holds. NOTHING: not whole; SEAL. */
static struct err frame_read(struct nz_frames *f, struct nz_frames_at at, struct buf *out, size_t *ret_bytes)
{
    uint8_t head[HEAD], ad[AD_BYTES];
    size_t got = 0, plain = 0;
    TRY(nz_at_read(f->fd, head, HEAD, at.offset, &got));
    if (got < HEAD)
        return FAIL(E_NOTHING);
    TRY(head_take(head, &plain));
    buf_reset(&f->sealed);
    uint8_t *room = buf_room(&f->sealed, plain + AEAD_OVERHEAD);
    if (!room)
        return buf_check(&f->sealed);
    TRY(nz_at_read(f->fd, room, plain + AEAD_OVERHEAD, at.offset + HEAD, &got));
    if (got < plain + AEAD_OVERHEAD)
        return FAIL(E_NOTHING);
    buf_grew(&f->sealed, got);
    TRY(aead_open(f->aead, slice_of(ad, binding(f, at.frame, ad)), buf_slice(&f->sealed), out));
    *ret_bytes = HEAD + got;
    return OK;
}

/* ---- open and close ---- */

static void destroy(struct nz_frames *f)
{
    if (f->fd >= 0)
        close(f->fd);
    aead_free(f->aead);
    buf_done(&f->wait);
    buf_done(&f->sealed);
    wipe_free(f);
}

static struct err start(struct nz_frames **ret_f, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID])
{
    MUST(strlen(name) <= NAME_MAX_BYTES);
    struct nz_frames *f = wipe_calloc(1, sizeof *f);
    if (!f)
        return FAIL(E_NOMEM);
    f->fd = -1;
    f->written = f->synced_to = MAGIC;
    memcpy(f->id, id, sizeof f->id);
    memcpy(f->name, name, strlen(name));
    buf_init(&f->wait, NZ_FRAME_PLAIN);
    buf_init(&f->sealed, HEAD + SEALED_MAX);
    struct err e = aead_new(&f->aead, key);
    if (err_ok(e))
        *ret_f = f;
    else
        destroy(f);
    return e;
}

static struct err folder_sync(int dir) { return fsync(dir) == 0 ? OK : FAIL(E_IO); }

static struct err create_at(struct nz_frames *f, int dir)
{
    f->fd = openat(dir, f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0)
        return nz_at_error(errno);
    struct err e = nz_at_write(f->fd, ARR(MAGIC_BYTES), 0);
    if (err_ok(e) && fdatasync(f->fd) != 0)
        e = nz_at_error(errno);
    if (err_ok(e))
        e = folder_sync(dir);
    if (!err_ok(e))
        (void)unlinkat(dir, f->name, 0);
    return e;
}

struct err nz_frames_create(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID])
{
    struct nz_frames *f = NULL;
    TRY(start(&f, name, key, id));
    struct err e = create_at(f, dir);
    if (err_ok(e))
        *ret_f = f;
    else
        destroy(f);
    return e;
}

static struct err open_at(struct nz_frames *f, int dir)
{
    struct stat st;
    f->fd = openat(dir, f->name, (f->reads ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (f->fd < 0)
        return errno == ENOENT ? FAIL(E_NOTHING) : nz_at_error(errno);
    return fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) ? OK : FAIL(E_IO);
}

/* A file that was torn before its first words were whole, or were there at all, holds nothing. */
static struct err magic_check(struct nz_frames *f, bool *ret_torn)
{
    static const uint8_t NONE[MAGIC];
    uint8_t magic[MAGIC + 1];
    size_t got = 0;
    TRY(nz_at_read(f->fd, magic, sizeof magic, 0, &got));
    size_t n = got < MAGIC ? got : MAGIC;
    bool good = slice_eq(slice_of(magic, n), slice_of(MAGIC_BYTES, n)), none = got <= MAGIC && slice_eq(slice_of(magic, n), slice_of(NONE, n));
    *ret_torn = got < MAGIC || none;
    return good || none ? OK : FAIL(E_SEAL);
}

/* Some file systems grow a file before its bytes are there: zeros up to the end are a torn end, too. */
static bool zeros_to(const struct nz_frames *f, uint64_t at, uint64_t size)
{
    uint8_t piece[512];
    for (size_t got = 0; at < size; at += got) {
        size_t want = size - at < sizeof piece ? size - at : sizeof piece;
        if (!err_ok(nz_at_read(f->fd, piece, want, at, &got)) || got == 0)
            return false;
        for (size_t i = 0; i < got; i++)
            if (piece[i])
                return false;
    }
    return true;
}

struct walk {
    uint64_t size; /* of the file */
    struct nz_frames_at at, last;
    uint64_t plain, before; /* of all frames; of all but the last */
};

/* One head on. NOTHING: here the file ends, or is torn. */
static struct err walk_step(const struct nz_frames *f, struct walk *w)
{
    uint8_t head[HEAD];
    size_t got = 0, plain = 0;
    TRY(nz_at_read(f->fd, head, HEAD, w->at.offset, &got));
    if (got < HEAD)
        return FAIL(E_NOTHING);
    struct err e = head_take(head, &plain);
    if (!err_ok(e))
        return zeros_to(f, w->at.offset, w->size) ? FAIL(E_NOTHING) : e;
    if (w->size - w->at.offset < HEAD + plain + AEAD_OVERHEAD)
        return FAIL(E_NOTHING);
    w->last = w->at;
    w->before = w->plain;
    w->at.offset += HEAD + plain + AEAD_OVERHEAD;
    w->at.frame++;
    w->plain += plain;
    return OK;
}

/* Over the heads up to the end or to `until` bytes of plain text. */
static struct err walk(const struct nz_frames *f, uint64_t until, struct walk *ret_w)
{
    struct stat st;
    struct walk w = { .at = { MAGIC, 0 } };
    struct err e = fstat(f->fd, &st) == 0 ? OK : FAIL(E_IO);
    w.size = err_ok(e) ? (uint64_t)st.st_size : 0;
    while (err_ok(e) && w.plain < until)
        e = walk_step(f, &w);
    *ret_w = w; /* as far as it went */
    return err_is(e, E_NOTHING) ? OK : e;
}

static struct err cut_to(struct nz_frames *f, const struct walk *w)
{
    if (w->size > w->at.offset && ftruncate(f->fd, (off_t)w->at.offset) != 0)
        return FAIL(E_IO);
    f->written = w->at.offset;
    f->synced_to = f->synced_to < f->written ? f->synced_to : f->written;
    f->frame = w->at.frame;
    f->plain = w->plain;
    return OK;
}

/* The last frame is opened: it tells whether key and id are right. Damage further in shows when it is read. */
static struct err last_check(struct nz_frames *f, const struct walk *w)
{
    struct buf plain;
    size_t bytes;
    if (w->at.frame == 0)
        return OK;
    buf_init(&plain, NZ_FRAME_PLAIN);
    struct err e = frame_read(f, w->last, &plain, &bytes);
    buf_done(&plain);
    return e;
}

/* A writer goes on behind the last frame that opens. One that does not, and ends with zeros where its tag should be, was torn as well: no
 * damage makes that of a frame that was whole. */
static struct err resume_at_end(struct nz_frames *f)
{
    struct walk w;
    TRY(walk(f, UINT64_MAX, &w));
    struct err e = last_check(f, &w);
    for (size_t torn = 0; err_is(e, E_SEAL) && torn < TORN_MAX && zeros_to(f, w.at.offset - TAG, w.at.offset); torn++) {
        TRY(walk(f, w.before, &w));
        e = last_check(f, &w);
    }
    TRY(e);
    TRY(cut_to(f, &w));
    f->synced_to = f->written;
    return OK;
}

/* A reader looks at the first frame only: he opens a file for every page of it. */
static struct err resume(struct nz_frames *f)
{
    struct walk w;
    bool torn = false;
    TRY(magic_check(f, &torn));
    if (torn)
        return f->reads ? OK : nz_at_write(f->fd, ARR(MAGIC_BYTES), 0);
    if (!f->reads)
        return resume_at_end(f);
    TRY(walk(f, 1, &w));
    return last_check(f, &w);
}

static struct err open_as(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t *id, bool reads)
{
    struct nz_frames *f = NULL;
    TRY(start(&f, name, key, id));
    f->reads = reads;
    struct err e = open_at(f, dir);
    if (err_ok(e))
        e = resume(f);
    if (err_ok(e))
        *ret_f = f;
    else
        destroy(f);
    return e;
}

struct err nz_frames_open(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID])
{
    return open_as(ret_f, dir, name, key, id, false);
}

struct err nz_frames_open_read(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID])
{
    return open_as(ret_f, dir, name, key, id, true);
}

void nz_frames_close(struct nz_frames *f)
{
    if (!f)
        return;
    f->closed = true;
    if (!f->syncing)
        destroy(f);
}

/* ---- appending ---- */

uint64_t nz_frames_bytes(const struct nz_frames *f)
{
    struct walk w;
    if (!f->reads)
        return f->plain + f->wait.n;
    struct err e = walk(f, UINT64_MAX, &w);
    return err_ok(e) || err_is(e, E_SEAL) ? w.plain : 0;
}

struct mark {
    uint64_t written, frame, plain;
    size_t wait;
};

static void back_to(struct nz_frames *f, const struct mark *m)
{
    if (f->written != m->written && ftruncate(f->fd, (off_t)m->written) != 0)
        f->broken = true;
    f->written = m->written;
    f->frame = m->frame;
    f->plain = m->plain;
    explicit_bzero(f->wait.p + m->wait, f->wait.n - m->wait);
    f->wait.n = m->wait;
}

/* Fills what waits up to a frame, writes it, and then every whole frame. What waited stays until all of it has been written. */
static struct err write_full(struct nz_frames *f, struct slice *plain)
{
    struct slice head;
    MUST(slice_take(plain, NZ_FRAME_PLAIN - f->wait.n, &head));
    buf_put(&f->wait, head);
    TRY(buf_check(&f->wait));
    TRY(frame_write(f, buf_slice(&f->wait)));
    while (slice_take(plain, NZ_FRAME_PLAIN, &head))
        TRY(frame_write(f, head));
    return OK;
}

struct err nz_frames_append(struct nz_frames *f, struct slice plain)
{
    struct mark m = { f->written, f->frame, f->plain, f->wait.n };
    MUST(!f->reads);
    if (f->broken)
        return FAIL(E_IO);
    if (plain.n && !buf_room(&f->wait, NZ_FRAME_PLAIN - f->wait.n)) /* at once, so that nothing is left to fail behind a frame */
        return FAIL(E_NOMEM);
    if (plain.n >= NZ_FRAME_PLAIN - f->wait.n) {
        struct err e = write_full(f, &plain);
        if (!err_ok(e)) {
            back_to(f, &m);
            return e;
        }
        buf_reset(&f->wait);
    }
    buf_put(&f->wait, plain);
    return buf_check(&f->wait);
}

struct err nz_frames_flush(struct nz_frames *f)
{
    if (f->broken)
        return FAIL(E_IO);
    if (f->wait.n == 0)
        return OK;
    TRY(frame_write(f, buf_slice(&f->wait)));
    buf_reset(&f->wait);
    return OK;
}

struct err nz_frames_truncate(struct nz_frames *f, uint64_t bytes)
{
    struct walk w;
    MUST(!f->reads);
    if (f->broken)
        return FAIL(E_IO);
    TRY(walk(f, bytes, &w));
    if (w.plain != bytes)
        return FAIL(E_SEAL);
    TRY(cut_to(f, &w));
    buf_reset(&f->wait);
    return OK;
}

/* ---- syncing ---- */

static void sync_work(uv_work_t *work)
{
    struct nz_frames *f = work->data;
    if (err_ok(f->sync_result) && fdatasync(f->fd) != 0)
        f->sync_result = nz_at_error(errno);
}

/* After a failed sync nobody knows what the disk has: what the kernel could not write it has forgotten, and still shows it. It is cut off, so
 * that whoever opens the file again does not count it, and writes it again. */
static void sync_failed(struct nz_frames *f)
{
    f->broken = true;
    (void)!ftruncate(f->fd, (off_t)f->synced_to);
}

static void after_sync(uv_work_t *work, int status)
{
    struct nz_frames *f = work->data;
    struct err e = status == 0 ? f->sync_result : FAIL(E_CANCELED);
    nz_frames_synced_fn *synced = f->synced_fn;
    void *arg = f->arg;
    f->syncing = false;
    if (err_ok(e))
        f->synced_to = f->sync_to;
    else if (f->sync_started)
        sync_failed(f);
    if (f->closed)
        destroy(f);
    synced(arg, e);
}

void nz_frames_sync(struct nz_frames *f, struct loop *l, nz_frames_synced_fn *done, void *arg)
{
    MUST(!f->syncing && !f->reads);
    f->sync_result = nz_frames_flush(f);
    f->sync_started = err_ok(f->sync_result);
    f->syncing = true;
    f->synced_fn = done;
    f->sync_to = f->written;
    f->arg = arg;
    f->work.data = f;
    MUST(uv_queue_work(loop_uv(l), &f->work, sync_work, after_sync) == 0);
}

/* ---- reading ---- */

struct err nz_frames_read(struct nz_frames *f, struct nz_frames_at *at, struct buf *out)
{
    struct nz_frames_at here = at->offset ? *at : (struct nz_frames_at){ MAGIC, 0 };
    size_t bytes = 0;
    TRY(frame_read(f, here, out, &bytes));
    *at = (struct nz_frames_at){ here.offset + bytes, here.frame + 1 };
    return OK;
}
