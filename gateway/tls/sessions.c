#include "gateway/tls/sessions.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/crypto/crypto.h"

/* name: eight bytes of the session's id, 0 for none. rank: the smallest of a bucket goes first. */
enum { SLOT_WORDS = 64, SLOT_HEAD = 2, BUCKET = 8, SEALED_MAX = (SLOT_WORDS - SLOT_HEAD) * 8, UNUSED_SHIFT = 40, SLOTS_MOST = 1 << 24 };

struct slot { _Atomic uint64_t name, rank, sealed[SLOT_WORDS - SLOT_HEAD]; };

struct tls_sessions {
    struct slot *slots; /* shared; what is read there may be anything */
    size_t n;           /* a power of two */
    struct secret *key;
    struct aead *seal;
    struct tls_lib *lib;
};

/* Sealed as it lies in memory: only processes of one program, forked from each other, share a table. */
static_assert(sizeof(struct tls_session) + AEAD_OVERHEAD <= SEALED_MAX, "a session fits into a slot");
static_assert(sizeof(struct slot) == SLOT_WORDS * 8, "slots have no padding");

static uint64_t word_of(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t name_of(const uint8_t id[static SESSION_ID]) { return word_of(id) | 1; }

static struct slot *bucket_of(const struct tls_sessions *t, const uint8_t id[static SESSION_ID])
{
    return t->slots + (word_of(id + 8) & (t->n / BUCKET - 1)) * BUCKET;
}

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

struct err tls_sessions_new(struct tls_sessions **ret_t, size_t n)
{
    size_t slots = BUCKET;
    while (slots < n && slots < SLOTS_MOST)
        slots *= 2;
    struct tls_sessions *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    t->n = slots;
    void *p = mmap(NULL, slots * sizeof *t->slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    t->slots = p == MAP_FAILED ? NULL : p;
    struct err e = t->slots ? secret_random(&t->key, AEAD_KEY) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = aead_new(&t->seal, t->key);
    if (!err_ok(e)) {
        tls_sessions_free(t);
        return e;
    }
    if (!err_ok(tls_lib_new(&t->lib))) /* slower without, not wrong */
        LOG(WARN, "tls_library_whole");
    (void)madvise(t->slots, slots * sizeof *t->slots, MADV_DONTDUMP);
    *ret_t = t;
    return OK;
}

void tls_sessions_free(struct tls_sessions *t)
{
    if (!t)
        return;
    tls_lib_free(t->lib);
    aead_free(t->seal);
    secret_free(t->key);
    if (t->slots)
        munmap(t->slots, t->n * sizeof *t->slots);
    free(t);
}

/* The one that goes: of the same name, else free, else of the smallest rank. */
static struct slot *place_for(struct slot *bucket, uint64_t name)
{
    struct slot *least = bucket;
    uint64_t least_rank = UINT64_MAX;
    for (struct slot *s = bucket; s < bucket + BUCKET; s++) {
        uint64_t is = atomic_load_explicit(&s->name, memory_order_relaxed);
        uint64_t rank = is ? atomic_load_explicit(&s->rank, memory_order_relaxed) : 0;
        if (is == name)
            return s;
        if (rank < least_rank) {
            least = s;
            least_rank = rank;
        }
    }
    return least;
}

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
    struct buf sealed;
    buf_init(&sealed, SEALED_BYTES);
    if (err_ok(aead_seal(t->seal, ARR(bond.bytes), slice_of(s, sizeof *s), &sealed))) {
        uint64_t name = name_of(id);
        struct slot *to = place_for(bucket_of(t, id), name);
        atomic_store_explicit(&to->name, 0, memory_order_relaxed);
        write_slot(to, sealed.p, sealed.n);
        atomic_store_explicit(&to->rank, rank_of(s->until, true), memory_order_relaxed);
        atomic_store_explicit(&to->name, name, memory_order_release);
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
    struct slot *bucket = bucket_of(t, id);
    uint64_t name = name_of(id);
    for (struct slot *s = bucket; s < bucket + BUCKET; s++) {
        if (atomic_load_explicit(&s->name, memory_order_acquire) != name || !open_slot(t, &bond, s, ret_s))
            continue;
        if (what == KEPT_SESSION)
            atomic_store_explicit(&s->rank, rank_of(ret_s->until, false), memory_order_relaxed);
        if (now <= ret_s->until && now >= ret_s->born)
            return true;
        atomic_store_explicit(&s->name, 0, memory_order_relaxed);
        explicit_bzero(ret_s, sizeof *ret_s);
        return false;
    }
    return false;
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

struct slice tls_sessions_memory(const struct tls_sessions *t) { return slice_of(t->slots, t->n * sizeof *t->slots); }

void tls_sessions_clear(struct tls_sessions *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (atomic_load_explicit(&t->slots[i].name, memory_order_relaxed))
            atomic_store_explicit(&t->slots[i].name, 0, memory_order_relaxed);
}
