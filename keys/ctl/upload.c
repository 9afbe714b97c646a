#include "keys/ctl/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"

enum { SUM_CHUNK = 1024 * 1024, DIGITS_OF_NUMBER = 12, TRIES_MAX = 50 };

/* ---- the file ---- */

static bool digits_run(const char *s, size_t n)
{
    size_t run = 0;
    for (; *s && run < n; s++)
        run = *s >= '0' && *s <= '9' ? run + 1 : 0;
    return run >= n;
}

bool nz_upload_open(struct nz_upload_file *ret_f, const char *path)
{
    struct stat st;
    *ret_f = (struct nz_upload_file){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
    if (ret_f->fd < 0 || fstat(ret_f->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        say_error("ファイルを開けません: %s", "cannot open the file: %s", strerror(ret_f->fd < 0 ? errno : EINVAL));
        return false;
    }
    ret_f->bytes = (uint64_t)st.st_size;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strlen(name) < sizeof ret_f->name && utf8_valid(slice_str(name)) && !digits_run(name, DIGITS_OF_NUMBER))
        snprintf(ret_f->name, sizeof ret_f->name, "%s", name);
    if (ret_f->bytes == 0)
        say_error("ファイルが空です(1 行 1 文字目 file_empty)", "the file is empty (line 1 column 1 file_empty)");
    return ret_f->bytes != 0;
}

void nz_upload_close(struct nz_upload_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* Exactly n bytes from `at`: a file that became shorter meanwhile is not the one that was announced. */
static bool part_read(const struct nz_upload_file *f, uint64_t at, size_t n, struct buf *out)
{
    buf_reset(out);
    while (out->n < n) {
        uint8_t *to = buf_room(out, n - out->n);
        ssize_t got = to ? pread(f->fd, to, n - out->n, (off_t)(at + out->n)) : -1;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            say_error("ファイルを読めません。送信中に書き換えられた可能性があります", "the file cannot be read; it may have been changed meanwhile");
            return false;
        }
        buf_grew(out, (size_t)got);
    }
    return true;
}

bool nz_upload_sum(struct nz_upload_file *f)
{
    struct buf b;
    struct progress bar;
    uint8_t sum[32];
    uint64_t at = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    buf_init(&b, SUM_CHUNK);
    progress_start(&bar, "ハッシュの計算", "checksum", PROGRESS_BYTES, 0);
    while (good && at < f->bytes) {
        size_t n = f->bytes - at < SUM_CHUNK ? (size_t)(f->bytes - at) : SUM_CHUNK;
        good = part_read(f, at, n, &b) && EVP_DigestUpdate(md, b.p, n) == 1 && !web_stop_asked();
        at += n;
        progress_show(&bar, &(struct progress_at){ .done = at, .total = f->bytes });
    }
    progress_break(&bar);
    good = good && EVP_DigestFinal_ex(md, sum, NULL) == 1;
    EVP_MD_CTX_free(md);
    buf_reset(&b);
    if (good) {
        buf_hex(&b, ARR(sum));
        snprintf(f->sha256, sizeof f->sha256, "%s", buf_cstr(&b));
    }
    explicit_bzero(sum, sizeof sum);
    buf_done(&b);
    return good;
}

/* ---- announced ---- */

static void member(struct jsonw *w, const char *name, const char *value)
{
    if (value && *value)
        jsonw_cstr(w, name, value);
}

bool nz_upload_create(struct muni_door *d, const struct nz_upload_file *f, const struct nz_upload_how *how, char ret_id[static 64])
{
    struct buf body;
    struct jsonw w;
    struct web_answer a;
    buf_init(&body, 8192);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    member(&w, "operation", how->operation);
    jsonw_u64(&w, "bytes", f->bytes);
    member(&w, "sha256", f->sha256);
    member(&w, "name", f->name);
    member(&w, "source", how->source);
    member(&w, "layout", how->layout);
    member(&w, "encoding", how->encoding);
    member(&w, "mode", how->mode);
    member(&w, "only_failed_of", how->only_failed_of);
    jsonw_end_object(&w);
    struct web_call c = { .method = "POST", .path = "/v1/files", .content_type = "application/json", .body = buf_slice(&body), .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(d, &c, &a);
    json_t *v = err_ok(e) && a.status == 201 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    const char *id = member_text(v, "file_id");
    bool good = *id && task_id_good(id);
    if (good)
        snprintf(ret_id, 64, "%s", id);
    else
        muni_door_problem("ファイルを受け付けてもらえません", "the file was not taken", e, &a);
    json_decref(v);
    web_answer_done(&a);
    buf_done(&body);
    return good;
}

/* ---- sent ---- */

struct sending {
    struct muni_door *door;
    const struct nz_upload_file *file;
    const char *id;
    uint64_t received;
    struct progress bar;
    bool waiting;
};

static void draw(struct sending *s)
{
    struct progress_at at = { .done = s->received, .total = s->file->bytes };
    at.note_ja = s->waiting ? "(再接続中)" : NULL;
    at.note_en = s->waiting ? "(reconnecting)" : NULL;
    progress_show(&s->bar, &at);
}

static void on_wait(void *ctx)
{
    struct sending *s = ctx;
    s->waiting = true;
    draw(s);
}

enum step { STEP_ON, STEP_DONE, STEP_STOPPED, STEP_REFUSED };

static enum step told(struct sending *s, struct err e, const struct web_answer *a)
{
    progress_break(&s->bar);
    if (err_is(e, E_CANCELED))
        return STEP_STOPPED;
    muni_door_problem("送信できません", "the upload does not go on", e, a);
    return muni_door_later(e, a) || a->status == 507 ? STEP_STOPPED : STEP_REFUSED;
}

/* Where to go on: what the gateway has on its disk. */
static enum step ask(struct sending *s)
{
    char path[128];
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/files/%s", s->id);
    struct web_call c = { .method = "GET", .path = path, .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(s->door, &c, &a);
    json_t *v = err_ok(e) && a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    enum step step = STEP_ON;
    if (!v) {
        step = told(s, e, &a);
    } else if (strcmp(member_text(v, "state"), "uploading") != 0) {
        step = STEP_DONE;
    } else if (member_u64(v, "bytes") != s->file->bytes || member_u64(v, "received") > s->file->bytes) {
        say_error("受付番号のファイルとこのファイルは大きさが違います", "this is not the file of that id: its size is another one");
        step = STEP_REFUSED;
    } else {
        s->received = member_u64(v, "received");
    }
    json_decref(v);
    web_answer_done(&a);
    return step;
}

static enum step answer_judge(struct sending *s, struct err e, const struct web_answer *a, uint64_t n, bool *ret_ask)
{
    if (err_ok(e) && a->status == 202) {
        s->received = s->file->bytes;
        return STEP_DONE;
    }
    if (err_ok(e) && a->status == 200) {
        json_t *v = json_loadb((const char *)a->body.p, a->body.n, 0, NULL);
        uint64_t received = member_u64(v, "received");
        *ret_ask = received != s->received + n;
        s->received = *ret_ask ? s->received : received;
        json_decref(v);
        return STEP_ON;
    }
    /* A part that is out of place, or any doubt: the gateway says where it is. */
    if (muni_door_later(e, a) || (err_ok(e) && web_problem_code(a) == E_OFFSET)) {
        *ret_ask = true;
        return STEP_ON;
    }
    return told(s, e, a);
}

static enum step part_send(struct sending *s, uint64_t part_bytes, struct buf *part, bool *ret_ask)
{
    char path[128], range[80];
    struct web_answer a;
    uint64_t left = s->file->bytes - s->received;
    size_t n = left < part_bytes ? (size_t)left : (size_t)part_bytes;
    if (!part_read(s->file, s->received, n, part))
        return STEP_REFUSED;
    snprintf(path, sizeof path, "/v1/files/%s", s->id);
    snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)s->received, (unsigned long long)(s->received + n - 1),
             (unsigned long long)s->file->bytes);
    struct web_call c = { .method = "PUT", .path = path, .content_type = "application/octet-stream", .body = slice_of(part->p, n), .range = range,
                          .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_try(s->door, &c, &a);
    enum step step = answer_judge(s, e, &a, n, ret_ask);
    web_answer_done(&a);
    return step;
}

/* Asks first, and again after every doubt; gives up when the doubts do not end although the gateway answers. */
static enum step send_all(struct sending *s, uint64_t part_bytes, struct buf *part)
{
    bool doubt = true;
    unsigned doubts = 0;
    for (enum step step = STEP_ON;;) {
        uint64_t before = s->received;
        if (web_stop_asked())
            return STEP_STOPPED;
        if (doubt) {
            if (doubts++ > 1)
                web_wait(200);
            step = ask(s);
            s->waiting = false;
            doubt = false;
        }
        if (step == STEP_ON && doubts > TRIES_MAX)
            return STEP_STOPPED;
        if (step == STEP_ON)
            step = part_send(s, part_bytes, part, &doubt);
        if (step != STEP_ON)
            return step;
        if (s->received > before)
            doubts = 0;
        draw(s);
    }
}

enum nz_upload_end nz_upload_send(struct muni_door *d, const struct nz_upload_file *f, const char *id, uint64_t part_bytes)
{
    static const enum nz_upload_end ENDS[] = { [STEP_DONE] = NZ_UPLOAD_DONE, [STEP_STOPPED] = NZ_UPLOAD_STOPPED, [STEP_REFUSED] = NZ_UPLOAD_REFUSED };
    struct sending s = { .door = d, .file = f, .id = id };
    struct buf part;
    buf_init(&part, NZ_PART_MAX + 1);
    d->on_wait = on_wait;
    d->ctx = &s;
    progress_start(&s.bar, "送信", "upload", PROGRESS_BYTES, 0);
    enum step step = send_all(&s, part_bytes, &part);
    d->on_wait = NULL;
    if (step == STEP_DONE)
        progress_end(&s.bar, &(struct progress_at){ .done = f->bytes, .total = f->bytes });
    progress_break(&s.bar);
    buf_done(&part);
    return ENDS[step];
}
