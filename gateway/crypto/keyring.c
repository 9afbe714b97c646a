#include "gateway/crypto/keyring.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/crypto/keyring_file.h"

#define MAGIC LIT("PMHGWKR1")

enum { MASTER = 32, DATA_KEY = 32, WRAPPED = DATA_KEY + AEAD_OVERHEAD, NAME = 1 + KEY_ID_MAX, ENTRY = NAME + WRAPPED,
       FILE_MAX = 8 + KEYRING_MAX * ENTRY };

struct entry {
    uint8_t name[NAME]; /* kind | id, as in the file: also the associated data */
    struct secret *key;
};

struct keyring {
    size_t n;
    struct entry entries[KEYRING_MAX];
};

static bool kind_ok(enum keyring_zone zone, uint8_t kind)
{
    if (zone == RING_VAULT)
        return kind == KEY_NUM_INDEX || kind == KEY_NUM_DATA;
    if (zone == RING_SIGNER)
        return kind == KEY_SIGN_SHC || kind == KEY_SIGN_VDS || kind == KEY_SIGN_WEBHOOK;
    return kind >= KEY_LINK_INDEX && kind <= KEY_AUDIT_HANDLE;
}

static bool id_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
}

static struct slice entry_id(const struct entry *t)
{
    size_t n = 0;
    while (n < KEY_ID_MAX && t->name[1 + n])
        n++;
    return slice_of(t->name + 1, n);
}

static bool name_make(uint8_t name[static NAME], enum keyring_zone zone, enum key_kind kind, struct slice id)
{
    if (!kind_ok(zone, (uint8_t)kind) || id.n == 0 || id.n > KEY_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!id_char(id.p[i]))
            return false;
    memset(name, 0, NAME);
    name[0] = (uint8_t)kind;
    memcpy(name + 1, id.p, id.n);
    return true;
}

/* A name as name_make() makes it, nothing behind the padding. */
static bool name_ok(enum keyring_zone zone, struct slice name)
{
    uint8_t again[NAME];
    size_t n = 0;
    while (n < KEY_ID_MAX && name.p[1 + n])
        n++;
    return name_make(again, zone, name.p[0], slice_of(name.p + 1, n)) && slice_eq(name, ARR(again));
}

static struct entry *find(const struct keyring *r, struct slice name)
{
    for (size_t i = 0; i < r->n; i++)
        if (slice_eq(ARR(r->entries[i].name), name))
            return (struct entry *)&r->entries[i];
    return NULL;
}

static struct err entry_open(struct keyring *r, struct aead *master, struct slice name, struct slice wrapped)
{
    struct buf key;
    struct entry *t = &r->entries[r->n];
    buf_init(&key, DATA_KEY);
    struct err e = aead_open(master, name, wrapped, &key);
    if (err_ok(e))
        e = secret_new(&t->key, buf_slice(&key));
    buf_done(&key);
    TRY(e);
    memcpy(t->name, name.p, NAME);
    r->n++;
    return OK;
}

static struct err parse(struct keyring *r, enum keyring_zone zone, struct aead *master, struct slice in)
{
    struct slice magic, name, wrapped;
    if (!slice_take(&in, MAGIC.n, &magic) || !slice_eq(magic, MAGIC) || in.n % ENTRY != 0 || in.n / ENTRY > KEYRING_MAX)
        return FAIL(E_CONFIG);
    while (slice_take(&in, NAME, &name) && slice_take(&in, WRAPPED, &wrapped)) {
        if (!name_ok(zone, name) || find(r, name))
            return FAIL(E_CONFIG);
        TRY(entry_open(r, master, name, wrapped));
    }
    return OK;
}

struct err keyring_parse(struct keyring **ret_r, enum keyring_zone zone, struct slice file, struct aead *master)
{
    struct keyring *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    struct err e = parse(r, zone, master, file);
    if (!err_ok(e)) {
        keyring_free(r);
        return e;
    }
    *ret_r = r;
    return OK;
}

static struct err master_open(struct aead **ret_a, const char *path)
{
    struct secret *master = NULL;
    struct err e = secret_read_file(&master, path, MASTER);
    if (!err_ok(e))
        return err_is(e, E_IO) ? FAIL(E_CONFIG) : e;
    e = aead_new(ret_a, master);
    secret_free(master);
    return e;
}

static struct err load(struct keyring **ret_r, enum keyring_zone zone, const char *ring_path, struct aead *master)
{
    struct buf file;
    buf_init(&file, FILE_MAX);
    struct err e = keyring_file_read(ring_path, &file);
    if (err_is(e, E_IO))
        e = FAIL(E_CONFIG);
    if (err_ok(e))
        e = keyring_parse(ret_r, zone, buf_slice(&file), master);
    buf_done(&file);
    return e;
}

struct err keyring_load(struct keyring **ret_r, enum keyring_zone zone, const char *ring_path, const char *master_path)
{
    int lock = -1;
    struct aead *master = NULL;
    TRY(master_open(&master, master_path));
    struct err e = keyring_file_lock(ring_path, false, &lock);
    if (err_ok(e))
        e = load(ret_r, zone, ring_path, master);
    if (lock >= 0)
        keyring_file_unlock(lock);
    aead_free(master);
    return err_is(e, E_IO) ? FAIL(E_CONFIG) : e;
}

static struct err master_from(struct aead **ret_a, int fd)
{
    struct secret *master = NULL;
    struct buf raw;
    buf_init(&raw, MASTER + 1); /* one more would be seen */
    struct err e = fd_read_all(fd, &raw);
    if (err_ok(e) && raw.n != MASTER)
        e = FAIL(E_CONFIG);
    if (err_ok(e))
        e = secret_new(&master, buf_slice(&raw));
    buf_done(&raw);
    TRY(e);
    e = aead_new(ret_a, master);
    secret_free(master);
    return e;
}

struct err keyring_load_fds(struct keyring **ret_r, enum keyring_zone zone, int ring, int master)
{
    struct aead *opened = NULL;
    struct buf file;
    buf_init(&file, FILE_MAX);
    struct err e = master_from(&opened, master);
    if (err_ok(e))
        e = fd_read_all(ring, &file);
    if (err_ok(e))
        e = keyring_parse(ret_r, zone, buf_slice(&file), opened);
    buf_done(&file);
    aead_free(opened);
    close(ring);
    close(master);
    return err_is(e, E_IO) || err_is(e, E_FULL) ? FAIL(E_CONFIG) : e;
}

void keyring_free(struct keyring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        secret_free(r->entries[i].key);
    free(r);
}

const struct secret *keyring_find(const struct keyring *r, enum key_kind kind, struct slice id)
{
    size_t at = 0;
    struct slice have;
    const struct secret *key;
    while (keyring_each(r, kind, &at, &have, &key))
        if (slice_eq(have, id))
            return key;
    return NULL;
}

bool keyring_each(const struct keyring *r, enum key_kind kind, size_t *at, struct slice *ret_id, const struct secret **ret_key)
{
    while (*at < r->n) {
        const struct entry *t = &r->entries[(*at)++];
        if (t->name[0] != kind)
            continue;
        *ret_id = entry_id(t);
        *ret_key = t->key;
        return true;
    }
    return false;
}

/* ---- changes ---- */

struct change {
    int lock; /* -1: none */
    const char *ring_path;
    struct aead *master;
    struct keyring *ring;
    struct buf file; /* the new content */
};

static struct err change_begin(struct change *c, enum keyring_zone zone, const char *ring_path, const char *master_path)
{
    *c = (struct change){ .lock = -1, .ring_path = ring_path };
    buf_init(&c->file, FILE_MAX);
    TRY(keyring_file_lock(ring_path, true, &c->lock));
    TRY(master_open(&c->master, master_path));
    return load(&c->ring, zone, ring_path, c->master);
}

static void change_done(struct change *c)
{
    buf_done(&c->file);
    keyring_free(c->ring);
    aead_free(c->master);
    if (c->lock >= 0)
        keyring_file_unlock(c->lock);
}

struct wrap {
    struct change *c;
    struct slice name;
};

static struct err wrap_key(struct slice key, void *arg)
{
    struct wrap *w = arg;
    if (key.n != DATA_KEY)
        return FAIL(E_CONFIG);
    return aead_seal(w->c->master, w->name, key, &w->c->file);
}

static struct err put_entry(struct change *c, struct slice name, const struct secret *key)
{
    buf_put(&c->file, name);
    return secret_use(key, wrap_key, &(struct wrap){ c, name });
}

/* Every entry but the one of this name (SLICE_NONE: all). */
static struct err put_all_but(struct change *c, struct slice name)
{
    buf_put(&c->file, MAGIC);
    for (size_t i = 0; i < c->ring->n; i++)
        if (!slice_eq(ARR(c->ring->entries[i].name), name))
            TRY(put_entry(c, ARR(c->ring->entries[i].name), c->ring->entries[i].key));
    return OK;
}

static struct err change_commit(struct change *c)
{
    TRY(buf_check(&c->file));
    return keyring_file_write(c->ring_path, buf_slice(&c->file));
}

static struct err write_secret(struct slice bytes, void *arg) { return keyring_file_write(arg, bytes); }

static struct err create_master(const char *path)
{
    char *arg = (char *)path;
    struct secret *s = NULL;
    TRY(secret_random(&s, MASTER));
    struct err e = secret_use(s, write_secret, arg);
    secret_free(s);
    return e;
}

static struct err create(const char *ring_path, const char *master_path)
{
    bool have_ring = keyring_file_exists(ring_path), have_master = keyring_file_exists(master_path);
    if (have_ring && !have_master)
        return FAIL(E_CONFIG); /* a new master key could never open it */
    if (!have_master)
        TRY(create_master(master_path));
    return have_ring ? OK : keyring_file_write(ring_path, MAGIC);
}

struct err keyring_create(enum keyring_zone zone, const char *ring_path, const char *master_path)
{
    int lock = -1;
    (void)zone; /* an empty ring is of no zone yet */
    TRY(keyring_file_lock(ring_path, true, &lock));
    struct err e = create(ring_path, master_path);
    keyring_file_unlock(lock);
    return e;
}

static struct err add(struct change *c, struct slice name, const struct secret *key)
{
    struct secret *fresh = NULL;
    if (find(c->ring, name))
        return OK;
    if (c->ring->n == KEYRING_MAX)
        return FAIL(E_FULL);
    if (!key)
        TRY(secret_random(&fresh, DATA_KEY));
    struct err e = put_all_but(c, SLICE_NONE);
    if (err_ok(e))
        e = put_entry(c, name, key ? key : fresh);
    secret_free(fresh);
    TRY(e);
    return change_commit(c);
}

struct err keyring_add(enum keyring_zone zone, const char *ring_path, const char *master_path, enum key_kind kind, struct slice id,
                       const struct secret *key)
{
    struct change c;
    uint8_t name[NAME];
    if (!name_make(name, zone, kind, id))
        return FAIL(E_CONFIG);
    struct err e = change_begin(&c, zone, ring_path, master_path);
    if (err_ok(e))
        e = add(&c, ARR(name), key);
    change_done(&c);
    return e;
}

static struct err destroy(struct change *c, struct slice name)
{
    if (!find(c->ring, name))
        return FAIL(E_NOTHING);
    TRY(put_all_but(c, name));
    return change_commit(c);
}

struct err keyring_destroy(enum keyring_zone zone, const char *ring_path, const char *master_path, enum key_kind kind, struct slice id)
{
    struct change c;
    uint8_t name[NAME];
    if (!name_make(name, zone, kind, id))
        return FAIL(E_CONFIG);
    struct err e = change_begin(&c, zone, ring_path, master_path);
    if (err_ok(e))
        e = destroy(&c, ARR(name));
    change_done(&c);
    return e;
}
