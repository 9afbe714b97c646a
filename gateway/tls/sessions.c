#include "gateway/tls/sessions.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/crypto/crypto.h"

/* name: eight bytes of the id, 0 for none. rank: the smallest goes first. */
enum { SLOT_WORDS = 64, SLOT_HEAD = 2, NEAR = 8, SEALED_MAX = (SLOT_WORDS - SLOT_HEAD) * 8, UNUSED_SHIFT = 40, SLOTS_MOST = 1 << 24, PLACE = 4 };

struct slot { _Atomic uint64_t name, rank, sealed[SLOT_WORDS - SLOT_HEAD]; };

/* Shared; what is read there may be anything. */
struct table {
    _Atomic uint64_t next; /* place where the next session goes, and on; modulo n */
    uint64_t unused[7];    /* slots lie on lines of the cache */
    struct slot slots[];   /* n of sessions, then n_certs of certificates */
};

struct tls_sessions {
    struct table *table;
    size_t n, n_certs;     /* powers of two */
    size_t bytes;
    int fd;                /* the same memory, to be handed on; below 0: it cannot be */
    struct secret *key, *name_key;
    struct aead *seal;
    struct prp *names;
    struct tls_lib *lib;
};

/* Sealed as it lies in memory: only processes of one program, forked from each other, share a table, or programs of one layout, one after the other. */
enum { LAYOUT = 1 };
static const uint64_t LAYOUT_WHOLE = (uint64_t)LAYOUT << 48 | (uint64_t)sizeof(struct tls_session) << 32 | (uint64_t)SLOT_WORDS << 16 | (uint64_t)CALLER__MAX << 8 | CALLER_CERTS_MAX;
static_assert(sizeof(struct tls_session) + AEAD_OVERHEAD <= SEALED_MAX, "a session fits into a slot");
static_assert(sizeof(struct slot) == SLOT_WORDS * 8, "slots have no padding");

static uint64_t word_of(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t name_of(const uint8_t id[static SESSION_ID]) { return word_of(id) | 1; }

static uint64_t rank_of(int64_t until, bool unused) { return (uint64_t)unused << UNUSED_SHIFT | ((uint64_t)until & ((1ULL << UNUSED_SHIFT) - 1)); }

/* What the seal is bound to: what it is, the door and the whole id. A certificate is never taken for a session. */
enum kept { KEPT_SESSION = 1, KEPT_CERTIFICATE };
struct bond { uint8_t bytes[1 + SESSION_DOOR_MAX + SESSION_ID]; };
static struct bond bond_of(enum kept what, struct slice door, const uint8_t id[static SESSION_ID])
{
    struct bond b = { { (uint8_t)what } };
    MUST(door.n <= SESSION_DOOR_MAX);
    memcpy(b.bytes + 1, door.p, door.n);
    memcpy(b.bytes + 1 + SESSION_DOOR_MAX, id, SESSION_ID);
    return b;
}

static size_t power_of_two(size_t n)
{
    size_t p = NEAR;
    while (p < n && p < SLOTS_MOST)
        p *= 2;
    return p;
}

static ERR make_keys(struct tls_sessions *t)
{
    TRY(secret_random(&t->key, AEAD_KEY));
    return secret_random(&t->name_key, PRP_KEY);
}

static ERR use_keys(struct tls_sessions *t)
{
    TRY(aead_new(&t->seal, t->key));
    return prp_new(&t->names, t->name_key);
}

static struct tls_sessions *sized(size_t n)
{
    struct tls_sessions *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->fd = -1;
    t->n = power_of_two(n);
    t->n_certs = t->n < CERTIFICATES ? t->n : CERTIFICATES;
    t->bytes = sizeof *t->table + (t->n + t->n_certs) * sizeof(struct slot);
    return t;
}

/* Of a size that nobody can change any more. Without descriptors it is memory all the same. */
static void open_memory(struct tls_sessions *t)
{
    t->fd = memfd_create("pmhgw-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (t->fd >= 0 && (ftruncate(t->fd, (off_t)t->bytes) != 0 || fcntl(t->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0))
        tls_sessions_stay(t);
}

static ERR map_memory(struct tls_sessions *t)
{
    void *p = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, t->fd < 0 ? MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, t->fd, 0);
    if (p == MAP_FAILED)
        return FAIL(E_NOMEM);
    t->table = p;
    (void)madvise(t->table, t->bytes, MADV_DONTDUMP);
    return OK;
}

/* t: given. */
static ERR ready(struct tls_sessions **ret_t, struct tls_sessions *t, struct err e)
{
    if (err_ok(e))
        e = map_memory(t);
    if (err_ok(e))
        e = use_keys(t);
    if (!err_ok(e)) {
        tls_sessions_free(t);
        return e;
    }
    if (!err_ok(tls_lib_new(&t->lib))) /* slower without, not wrong */
        LOG(WARN, "tls_library_whole");
    *ret_t = t;
    return OK;
}

struct err tls_sessions_new(struct tls_sessions **ret_t, size_t n)
{
    struct tls_sessions *t = sized(n);
    if (!t)
        return FAIL(E_NOMEM);
    open_memory(t);
    return ready(ret_t, t, make_keys(t));
}

void tls_sessions_stay(struct tls_sessions *t)
{
    if (t && t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

void tls_sessions_free(struct tls_sessions *t)
{
    if (!t)
        return;
    tls_lib_free(t->lib);
    aead_free(t->seal);
    prp_free(t->names);
    secret_free(t->key);
    secret_free(t->name_key);
    if (t->table)
        munmap(t->table, t->bytes);
    tls_sessions_stay(t);
    free(t);
}

/* ---- handing it on ---- */

struct handed_keys { uint64_t layout, n; uint8_t key[AEAD_KEY], name_key[PRP_KEY]; };
static_assert(sizeof(struct handed_keys) == 16 + AEAD_KEY + PRP_KEY, "no padding");

struct copy { uint8_t *to; size_t n; };
static struct err copy_key(struct slice bytes, void *arg)
{
    const struct copy *c = arg;
    MUST(bytes.n == c->n);
    memcpy(c->to, bytes.p, bytes.n);
    return OK;
}

static ERR put_keys(const struct tls_sessions *t, int to)
{
    struct handed_keys k = { .layout = LAYOUT_WHOLE, .n = t->n };
    struct err e = secret_use(t->key, copy_key, &(struct copy){ k.key, sizeof k.key });
    if (err_ok(e))
        e = secret_use(t->name_key, copy_key, &(struct copy){ k.name_key, sizeof k.name_key });
    if (err_ok(e) && write(to, &k, sizeof k) != (ssize_t)sizeof k)
        e = FAIL(E_IO);
    explicit_bzero(&k, sizeof k);
    return e;
}

struct err tls_sessions_hand(const struct tls_sessions *t, struct tls_handed *ret_h)
{
    int line[2] = { -1, -1 };
    if (t->fd < 0 || pipe2(line, O_CLOEXEC | O_NONBLOCK) != 0)
        return FAIL(E_IO);
    struct err e = put_keys(t, line[1]);
    close(line[1]);
    const int table = err_ok(e) ? fcntl(t->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (table < 0) {
        close(line[0]);
        return FAIL(E_IO);
    }
    *ret_h = (struct tls_handed){ table, line[0] };
    return OK;
}

/* false: not the memory of such a table, or of a size that somebody may change under us. */
static bool fits(const struct tls_sessions *t, int fd)
{
    struct stat st;
    const int seals = fcntl(fd, F_GET_SEALS);
    return fstat(fd, &st) == 0 && st.st_size == (off_t)t->bytes && seals >= 0 && (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW);
}

static ERR take_keys(struct tls_sessions *t, const struct handed_keys *k)
{
    TRY(secret_new(&t->key, ARR(k->key)));
    return secret_new(&t->name_key, ARR(k->name_key));
}

struct err tls_sessions_take(struct tls_sessions **ret_t, const struct tls_handed *h)
{
    struct handed_keys k;
    const bool read_all = read(h->keys, &k, sizeof k) == (ssize_t)sizeof k;
    struct tls_sessions *t = read_all && k.layout == LAYOUT_WHOLE && k.n <= SLOTS_MOST && power_of_two(k.n) == k.n ? sized(k.n) : NULL;
    close(h->keys);
    if (!t || !fits(t, h->table)) {
        explicit_bzero(&k, sizeof k);
        close(h->table);
        free(t);
        return FAIL(E_CONFIG);
    }
    t->fd = h->table; /* given */
    struct err e = take_keys(t, &k);
    explicit_bzero(&k, sizeof k);
    TRY(ready(ret_t, t, e));
    for (size_t i = t->n; i < t->n + t->n_certs; i++)
        atomic_store_explicit(&t->table->slots[i].name, 0, memory_order_relaxed);
    return OK;
}

/* ---- places ---- */

static uint64_t rank_in(const struct slot *s)
{
    return atomic_load_explicit(&s->name, memory_order_relaxed) ? atomic_load_explicit(&s->rank, memory_order_relaxed) : 0;
}

/* Of the NEAR slots from `at` on: a free one, else the one of the smallest rank. */
static size_t place_near(const struct slot *slots, size_t n, size_t at)
{
    size_t least = at;
    for (size_t i = 1; i < NEAR && rank_in(&slots[least]); i++)
        if (rank_in(&slots[(at + i) % n]) < rank_in(&slots[least]))
            least = (at + i) % n;
    return least;
}

/* id: a block that tells the place under our key, then random bytes. */
void tls_sessions_name(struct tls_sessions *t, uint8_t ret_id[static SESSION_ID])
{
    uint8_t block[PRP_BLOCK];
    size_t at = atomic_fetch_add_explicit(&t->table->next, 1, memory_order_relaxed) % t->n;
    uint32_t place = (uint32_t)place_near(t->table->slots, t->n, at);
    rnd_bytes(ret_id, SESSION_ID);
    memcpy(block, ret_id, sizeof block);
    memcpy(block, &place, PLACE);
    if (!err_ok(prp_there(t->names, block, ret_id)))
        rnd_bytes(ret_id, SESSION_ID); /* leads nowhere, or to a slot where it is not found */
}

static struct slot *session_slot(struct tls_sessions *t, const uint8_t id[static SESSION_ID])
{
    uint8_t block[PRP_BLOCK];
    uint32_t place;
    if (!err_ok(prp_back(t->names, id, block)))
        return NULL;
    memcpy(&place, block, PLACE);
    return place < t->n ? &t->table->slots[place] : NULL;
}

/* Where a certificate is, or would be. */
static struct slot *certificate_slot(struct tls_sessions *t, const uint8_t sha256[static SESSION_ID])
{
    struct slot *slots = t->table->slots + t->n;
    size_t at = word_of(sha256 + 8) % t->n_certs;
    uint64_t name = name_of(sha256);
    for (size_t i = 0; i < NEAR; i++)
        if (atomic_load_explicit(&slots[(at + i) % t->n_certs].name, memory_order_relaxed) == name)
            return &slots[(at + i) % t->n_certs];
    return &slots[place_near(slots, t->n_certs, at)];
}

static struct slot *slot_of(struct tls_sessions *t, enum kept what, const uint8_t id[static SESSION_ID])
{
    return what == KEPT_SESSION ? session_slot(t, id) : certificate_slot(t, id);
}

/* ---- slots ---- */

static void write_slot(struct slot *s, const uint8_t *sealed, size_t n)
{
    for (size_t i = 0; i * 8 < n; i++) {
        uint64_t w = 0;
        memcpy(&w, sealed + i * 8, n - i * 8 < 8 ? n - i * 8 : 8);
        atomic_store_explicit(&s->sealed[i], w, memory_order_relaxed);
    }
}

static void read_slot(const struct slot *s, uint8_t *sealed, size_t n)
{
    for (size_t i = 0; i * 8 < n; i++) {
        uint64_t w = atomic_load_explicit(&s->sealed[i], memory_order_relaxed);
        memcpy(sealed + i * 8, &w, n - i * 8 < 8 ? n - i * 8 : 8);
    }
}

enum { SEALED_BYTES = AEAD_OVERHEAD + sizeof(struct tls_session) };

static void put(struct tls_sessions *t, enum kept what, struct slice door, const uint8_t id[static SESSION_ID], const struct tls_session *s)
{
    struct bond bond = bond_of(what, door, id);
    struct slot *to = slot_of(t, what, id);
    struct buf sealed;
    buf_init(&sealed, SEALED_BYTES);
    if (to && err_ok(aead_seal(t->seal, ARR(bond.bytes), slice_of(s, sizeof *s), &sealed))) {
        atomic_store_explicit(&to->name, 0, memory_order_relaxed);
        write_slot(to, sealed.p, sealed.n);
        atomic_store_explicit(&to->rank, rank_of(s->until, true), memory_order_relaxed);
        atomic_store_explicit(&to->name, name_of(id), memory_order_release);
    }
    buf_done(&sealed);
}

static bool open_slot(struct tls_sessions *t, const struct bond *bond, const struct slot *s, struct tls_session *ret_s)
{
    uint8_t sealed[SEALED_BYTES];
    struct buf plain;
    read_slot(s, sealed, sizeof sealed);
    buf_init(&plain, sizeof *ret_s);
    bool good = err_ok(aead_open(t->seal, ARR(bond->bytes), ARR(sealed), &plain)) && plain.n == sizeof *ret_s;
    if (good)
        memcpy(ret_s, plain.p, sizeof *ret_s);
    buf_done(&plain);
    return good;
}

static bool find(struct tls_sessions *t, enum kept what, struct slice door, const uint8_t id[static SESSION_ID], int64_t now, struct tls_session *ret_s)
{
    struct bond bond = bond_of(what, door, id);
    struct slot *s = slot_of(t, what, id);
    if (!s || atomic_load_explicit(&s->name, memory_order_acquire) != name_of(id) || !open_slot(t, &bond, s, ret_s))
        return false;
    if (now > ret_s->until || now < ret_s->born) {
        atomic_store_explicit(&s->name, 0, memory_order_relaxed);
        explicit_bzero(ret_s, sizeof *ret_s);
        return false;
    }
    if (what == KEPT_SESSION)
        atomic_store_explicit(&s->rank, rank_of(ret_s->until, false), memory_order_relaxed);
    return true;
}

void tls_sessions_put(struct tls_sessions *t, struct slice door, const uint8_t id[static SESSION_ID], const struct tls_session *s)
{
    put(t, KEPT_SESSION, door, id, s);
}

bool tls_sessions_find(struct tls_sessions *t, struct slice door, const uint8_t id[static SESSION_ID], int64_t now, struct tls_session *ret_s)
{
    return find(t, KEPT_SESSION, door, id, now, ret_s);
}

void tls_sessions_put_certificate(struct tls_sessions *t, struct slice door, const struct caller *who, int64_t until)
{
    struct tls_session s = { .caller = *who, .until = until };
    put(t, KEPT_CERTIFICATE, door, who->cert_sha256, &s);
}

bool tls_sessions_find_certificate(struct tls_sessions *t, struct slice door, const uint8_t sha256[static SESSION_ID], int64_t now, struct caller *ret_who)
{
    struct tls_session s;
    if (!find(t, KEPT_CERTIFICATE, door, sha256, now, &s))
        return false;
    *ret_who = s.caller;
    return true;
}

OSSL_LIB_CTX *tls_sessions_library(const struct tls_sessions *t) { return tls_lib_context(t->lib); }

struct slice tls_sessions_memory(const struct tls_sessions *t) { return slice_of(t->table->slots, (t->n + t->n_certs) * sizeof(struct slot)); }

void tls_sessions_clear(struct tls_sessions *t)
{
    for (size_t i = 0; i < t->n + t->n_certs; i++)
        if (atomic_load_explicit(&t->table->slots[i].name, memory_order_relaxed))
            atomic_store_explicit(&t->table->slots[i].name, 0, memory_order_relaxed);
}
