#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/index_int.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/must.h"

enum { CHUNK = 64, AT_KIND = 0, AT_KEY = 1, AT_PLACE = AT_KEY + AUDIT_HANDLE_BYTES };

struct err index_table_new(struct index_table **ret_t, uint64_t first)
{
    struct index_table *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    t->stats = (struct index_stats){ .first = first, .wall_min = UINT64_MAX };
    *ret_t = t;
    return OK;
}

void index_table_free(struct index_table *t) { free(t); }

const struct index_stats *index_table_stats(const struct index_table *t) { return &t->stats; }

/* Handles are random, codes are few: either spreads as well as it can. */
static uint32_t slot_of(const struct audit_key *k)
{
    uint32_t v = (uint32_t)k->kind;
    for (size_t i = 0; i < sizeof k->b; i++)
        v = v * 31 + k->b[i];
    return v % INDEX_SLOTS;
}

void index_pair_put(uint8_t out[static INDEX_PAIR_BYTES], const struct audit_key *k, uint16_t place)
{
    out[AT_KIND] = (uint8_t)k->kind;
    memcpy(out + AT_KEY, k->b, sizeof k->b);
    be_put(out + AT_PLACE, place, 2);
}

void index_table_add(struct index_table *t, const struct audit_rec *rec)
{
    struct audit_key keys[AUDIT_KEYS_MAX];
    struct index_stats *s = &t->stats;
    MUST(s->entries < AUDIT_SEGMENT_ENTRIES);
    size_t n = audit_keys_of(rec, keys);
    for (size_t i = 0; i < n; i++) {
        uint32_t *slot = &t->slot[slot_of(&keys[i])];
        index_pair_put(t->pair[t->n], &keys[i], (uint16_t)s->entries);
        t->older[t->n] = *slot;
        *slot = ++t->n;
    }
    s->entries++;
    s->epoch = rec->epoch > s->epoch ? rec->epoch : s->epoch;
    s->wall_min = rec->wall_ms < s->wall_min ? rec->wall_ms : s->wall_min;
    s->wall_max = rec->wall_ms > s->wall_max ? rec->wall_ms : s->wall_max;
    s->acts += audit_is_act(rec);
    s->plain_acts += audit_is_act(rec) && !rec->epoch;
}

size_t index_table_find(const struct index_table *t, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max)
{
    uint8_t want[INDEX_PAIR_BYTES];
    size_t n = 0;
    index_pair_put(want, key, 0);
    for (uint32_t at = t->slot[slot_of(key)]; at && n < max; at = t->older[at - 1]) {
        const uint8_t *pair = t->pair[at - 1];
        uint64_t seq = t->stats.first + be_get(pair + AT_PLACE, 2);
        if (slice_eq(slice_of(pair, AT_PLACE), slice_of(want, AT_PLACE)) && seq < before)
            out[n++] = seq;
    }
    return n;
}

/* ---- from the segment ---- */

/* False at the end, or at what is no entry. */
static bool add_stored(struct index_table *t, const uint8_t *stored)
{
    struct audit_rec rec;
    enum ipc_role from;
    uint64_t seq;
    if (!audit_leaf_decode(stored, &seq, &from, &rec) || seq != t->stats.first + t->stats.entries)
        return false;
    index_table_add(t, &rec);
    return true;
}

static ERR scan(struct index_table *t, int fd)
{
    uint8_t b[CHUNK * AUDIT_ENTRY_BYTES];
    struct log_point before;
    if (pread(fd, b, SEG_HEAD_BYTES, 0) != SEG_HEAD_BYTES || !seg_head_read(b, &before) || before.seq + 1 != t->stats.first)
        return FAIL(E_NOTHING);
    for (uint32_t i = 0; i < AUDIT_SEGMENT_ENTRIES; i += CHUNK) {
        ssize_t n = pread(fd, b, sizeof b, SEG_HEAD_BYTES + (off_t)i * AUDIT_ENTRY_BYTES);
        if (n < 0)
            return FAIL(E_IO);
        for (size_t k = 0; k < (size_t)n / AUDIT_ENTRY_BYTES; k++)
            if (!add_stored(t, b + k * AUDIT_ENTRY_BYTES))
                return OK;
        if (n != sizeof b)
            return OK;
    }
    return OK;
}

struct err index_table_scan(struct index_table **ret_t, int dir, uint64_t first)
{
    char name[SEG_NAME_BYTES];
    struct index_table *t = NULL;
    seg_name(first, name);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(errno == ENOENT ? E_NOTHING : E_IO);
    struct err e = index_table_new(&t, first);
    if (err_ok(e))
        e = scan(t, fd);
    close(fd);
    if (err_ok(e))
        *ret_t = t;
    else
        index_table_free(t);
    return e;
}
