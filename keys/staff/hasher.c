#include "keys/staff/hasher.h"

#include <sys/queue.h>

#include "gateway/base/must.h"
#include "gateway/base/wipe.h"

struct item { uint8_t password[NZ_PASSWORD_BYTES_MAX]; size_t n; uint8_t salt[NZ_SALT_BYTES]; };

struct job {
    TAILQ_ENTRY(job) at;
    uv_work_t work;
    struct nz_hasher *h;
    char muni[6];
    nz_hashed_fn *fn;
    void *arg;
    size_t n;
    struct item item[NZ_HASH_ITEMS];
    uint8_t hash[NZ_HASH_ITEMS][NZ_HASH_BYTES];
    struct err e;
};

struct nz_hasher {
    struct loop *loop;
    TAILQ_HEAD(, job) waiting;
    unsigned running, n_waiting;
    bool closed;
};

ERR nz_hasher_new(struct nz_hasher **ret_h, struct loop *l)
{
    struct nz_hasher *h = wipe_calloc(1, sizeof *h);
    if (!h)
        return FAIL(E_NOMEM);
    h->loop = l;
    TAILQ_INIT(&h->waiting);
    *ret_h = h;
    return OK;
}

bool nz_hasher_idle(const struct nz_hasher *h) { return !h->running && !h->n_waiting; }

void nz_hasher_free(struct nz_hasher *h)
{
    if (!h)
        return;
    MUST(nz_hasher_idle(h));
    wipe_free(h);
}

static void job_end(struct job *j, struct err e)
{
    j->fn(j->arg, e, err_ok(e) ? (const uint8_t (*)[NZ_HASH_BYTES])j->hash : NULL);
    wipe_free(j);
}

static void work(uv_work_t *w)
{
    struct job *j = w->data;
    j->e = OK;
    for (size_t i = 0; i < j->n && err_ok(j->e); i++)
        j->e = nz_password_hash(slice_of(j->item[i].password, j->item[i].n), j->item[i].salt, j->hash[i]);
    explicit_bzero(j->item, sizeof j->item);
}

static void next(struct nz_hasher *h);

static void worked(uv_work_t *w, int status)
{
    struct job *j = w->data;
    struct nz_hasher *h = j->h;
    h->running--;
    next(h);
    job_end(j, status == 0 ? j->e : FAIL(E_CANCELED));
}

static void next(struct nz_hasher *h)
{
    struct job *j;
    while (h->running < NZ_HASH_AT_ONCE && (j = TAILQ_FIRST(&h->waiting))) {
        TAILQ_REMOVE(&h->waiting, j, at);
        h->n_waiting--;
        h->running++;
        MUST(uv_queue_work(loop_uv(h->loop), &j->work, work, worked) == 0);
    }
}

void nz_hasher_close(struct nz_hasher *h)
{
    struct job *j;
    h->closed = true;
    while ((j = TAILQ_FIRST(&h->waiting))) {
        TAILQ_REMOVE(&h->waiting, j, at);
        h->n_waiting--;
        job_end(j, FAIL(E_CANCELED));
    }
}

static bool has_its_share(const struct nz_hasher *h, const char muni[static 6])
{
    const struct job *j;
    unsigned n = 0;
    TAILQ_FOREACH(j, &h->waiting, at)
        n += slice_eq(ARR(j->muni), slice_of(muni, sizeof j->muni));
    return n >= NZ_HASH_SHARE_MAX;
}

ERR nz_hasher_run(struct nz_hasher *h, const char muni[static 6], size_t n, const struct nz_hash_item *item, nz_hashed_fn *fn, void *arg)
{
    MUST(n >= 1 && n <= NZ_HASH_ITEMS);
    if (h->closed || h->n_waiting >= NZ_HASH_QUEUE_MAX || has_its_share(h, muni))
        return FAIL(E_BUSY);
    struct job *j = wipe_calloc(1, sizeof *j);
    if (!j)
        return FAIL(E_NOMEM);
    *j = (struct job){ .h = h, .fn = fn, .arg = arg, .n = n };
    j->work.data = j;
    memcpy(j->muni, muni, sizeof j->muni);
    for (size_t i = 0; i < n; i++) {
        MUST(item[i].password.n <= NZ_PASSWORD_BYTES_MAX);
        memcpy(j->item[i].password, item[i].password.p, item[i].password.n);
        j->item[i].n = item[i].password.n;
        memcpy(j->item[i].salt, item[i].salt, NZ_SALT_BYTES);
    }
    TAILQ_INSERT_TAIL(&h->waiting, j, at);
    h->n_waiting++;
    next(h);
    return OK;
}
