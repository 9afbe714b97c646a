#include "keys/number/mynum.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

struct nz_mynum {
    struct nz_pool *pool;
    union {
        struct nz_mynum *next; /* while free */
        uint8_t digits[NZ_MYNUM_DIGITS];
    } u;
};

/* The slots are on pages of their own; nothing else is. */
struct nz_pool {
    struct nz_mynum *slots, *free;
    size_t n, made, used, map; /* made: slots that have been used at least once */
};

struct err nz_pool_new(struct nz_pool **ret_p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (n == 0 || n > SIZE_MAX / sizeof(struct nz_mynum) - page)
        return FAIL(E_FULL);
    struct nz_pool *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    p->n = n;
    p->map = (n * sizeof(struct nz_mynum) + page - 1) / page * page;
    void *slots = mmap(NULL, p->map, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) {
        free(p);
        return FAIL(E_NOMEM);
    }
    /* Best effort where the limit on locked memory is small; `doctor` tells. */
    if (mlock2(slots, p->map, MLOCK_ONFAULT) != 0) /* what is never used takes no memory */
        (void)mlock(slots, p->map);
    (void)madvise(slots, p->map, MADV_DONTDUMP);
    (void)madvise(slots, p->map, MADV_WIPEONFORK);
    p->slots = slots;
    *ret_p = p;
    return OK;
}

void nz_pool_free(struct nz_pool *p)
{
    if (!p)
        return;
    MUST(p->used == 0);
    munmap(p->slots, p->map);
    free(p);
}

size_t nz_pool_used(const struct nz_pool *p) { return p->used; }

struct err nz_mynum_new(struct nz_mynum **ret_m, struct nz_pool *p, struct slice text)
{
    if (text.n != NZ_MYNUM_DIGITS || !all_digits(text))
        return FAIL(E_FIELD);
    struct nz_mynum *m = p->free;
    if (m)
        p->free = m->u.next;
    else if (p->made < p->n)
        m = &p->slots[p->made++];
    else
        return FAIL(E_FULL);
    p->used++;
    m->pool = p;
    memcpy(m->u.digits, text.p, NZ_MYNUM_DIGITS);
    *ret_m = m;
    return OK;
}

void nz_mynum_free(struct nz_mynum *m)
{
    if (!m)
        return;
    struct nz_pool *p = m->pool;
    MUST(p && p->used > 0); /* freed twice otherwise */
    explicit_bzero(m, sizeof *m);
    m->u.next = p->free;
    p->free = m;
    p->used--;
}

bool nz_mynum_check_digit(const struct nz_mynum *m)
{
    static const unsigned WEIGHTS[NZ_MYNUM_DIGITS - 1] = { 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2 };
    unsigned sum = 0;
    for (size_t i = 0; i < NZ_MYNUM_DIGITS - 1; i++)
        sum += WEIGHTS[i] * (unsigned)(m->u.digits[i] - '0');
    unsigned r = sum % 11;
    return (unsigned)(m->u.digits[NZ_MYNUM_DIGITS - 1] - '0') == (r <= 1 ? 0 : 11 - r);
}

bool nz_mynum_equal(const struct nz_mynum *a, const struct nz_mynum *b) { return secret_equal(ARR(a->u.digits), ARR(b->u.digits)); }

struct err nz_mynum_use(const struct nz_mynum *m, struct err (*fn)(struct slice digits, void *arg), void *arg)
{
    return fn(ARR(m->u.digits), arg);
}
