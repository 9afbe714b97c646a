/* The pieces of work of the reader, on a worker thread: each looks through a bounded part of the log. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/audit/leaf.h"
#include "gateway/audit/reader_int.h"
#include "gateway/audit/tiles.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/log.h"

enum { CATCH_UP_AT_ONCE = 256, ACT_BYTES = 8 + AUDIT_REC_BYTES, ACTS_CHUNK = 64, ACTS_SCANS = 4, U64 = 8 };

static uint64_t segment_of(uint64_t seq) { return (seq - 1) / AUDIT_SEGMENT_ENTRIES * AUDIT_SEGMENT_ENTRIES + 1; }

/* ---- the index of a segment, made when it is not there ---- */

/* NOTHING: the segment was removed after its time. AUDIT_DOWN: it is not there or not whole, and what it says of whom nobody knows. */
static ERR make_index(const struct reader_job *j, uint64_t first, struct index_table **ret_t)
{
    struct index_table *t = NULL;
    struct log_point pruned = { 0 };
    struct err e = index_table_scan(&t, j->dir, first);
    if (err_ok(e) && index_table_stats(t)->entries == AUDIT_SEGMENT_ENTRIES) {
        e = index_write(j->dir, t);
        (void)e; /* a full disk: the table answers all the same, and the next one tries again */
        *ret_t = t;
        return OK;
    }
    index_table_free(t);
    TRY(err_is(e, E_NOTHING) ? OK : e);
    if (pruned_read(j->dir, &pruned) == HEAD_GOOD && first <= pruned.seq)
        return FAIL(E_NOTHING);
    LOG(ERROR, "audit_segment_not_whole", LF("first", first), LF("hint", LITERAL("run pmhgw audit verify")));
    return FAIL(E_AUDIT_DOWN);
}

/* ---- FIND ---- */

static bool outside(const struct index_stats *s, const struct audit_find *q) { return s->wall_max < q->from_ms || s->wall_min > q->to_ms; }

static ERR find_in(struct reader_job *j, uint64_t first, unsigned *scans)
{
    struct audit_hits *h = &j->u.find.hits;
    const struct audit_find *q = &j->u.find.q;
    struct index_table *t = NULL;
    struct index_stats s;
    uint64_t found[AUDIT_FIND_MAX];
    size_t n = 0;
    struct err e = index_find(j->dir, first, &q->key, q->before, found, AUDIT_FIND_MAX - h->n, &n, &s);
    if (err_is(e, E_NOTHING)) {
        ++*scans;
        TRY(make_index(j, first, &t));
        s = *index_table_stats(t);
        n = index_table_find(t, &q->key, q->before, found, AUDIT_FIND_MAX - h->n);
        index_table_free(t);
        e = OK;
    }
    TRY(e);
    if (outside(&s, q))
        return OK;
    memcpy(h->seq + h->n, found, n * sizeof *found);
    h->n += n;
    return OK;
}

static void work_find(struct reader_job *j)
{
    struct audit_hits *h = &j->u.find.hits;
    uint64_t first = j->u.find.below, from = j->u.find.q.before - 1;
    unsigned scans = 0, looked = 0;
    if (from < j->oldest)
        first = j->oldest;
    else if (from < first - 1)
        first = segment_of(from) + AUDIT_SEGMENT_ENTRIES;
    while (first > j->oldest && h->n < AUDIT_FIND_MAX && looked < READER_FIND_SEGMENTS && scans < READER_SCANS && err_ok(j->result)) {
        first -= AUDIT_SEGMENT_ENTRIES;
        looked++;
        j->result = find_in(j, first, &scans);
        if (err_is(j->result, E_NOTHING)) { /* removed meanwhile: so is everything before it */
            j->result = OK;
            first = j->oldest;
        }
    }
    if (!err_ok(j->result) && h->n) { /* what is newer is told; who goes on from there hears of it */
        j->result = OK;
        first += AUDIT_SEGMENT_ENTRIES;
    }
    if (h->n == AUDIT_FIND_MAX)
        h->next = h->seq[h->n - 1];
    else
        h->next = first > j->oldest ? first : 0;
    if (h->next <= j->oldest)
        h->next = 0;
    reader_put_hits(j, h);
}

/* ---- PROVE ---- */

static ERR read_stored(const struct reader_job *j, uint64_t seq, uint32_t n, uint8_t *out)
{
    char name[SEG_NAME_BYTES];
    uint64_t first = segment_of(seq);
    ssize_t bytes = (ssize_t)n * AUDIT_ENTRY_BYTES;
    seg_name(first, name);
    int fd = openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(errno == ENOENT ? E_NOTHING : E_AUDIT_DOWN);
    ssize_t got = pread(fd, out, (size_t)bytes, SEG_HEAD_BYTES + (off_t)(seq - first) * AUDIT_ENTRY_BYTES);
    close(fd);
    return got == bytes ? OK : FAIL(E_AUDIT_DOWN);
}

static ERR prove(struct reader_job *j)
{
    uint8_t stored[AUDIT_ENTRY_BYTES];
    struct audit_rec rec;
    enum ipc_role from;
    uint64_t seq, want = j->u.prove.seq, size = j->u.prove.size;
    struct tree_path path;
    if (want < j->oldest || want > size || size > j->newest)
        return FAIL(E_NOTHING);
    TRY(read_stored(j, want, 1, stored));
    if (!audit_leaf_decode(stored, &seq, &from, &rec) || seq != want)
        return FAIL(E_AUDIT_DOWN);
    if (!audit_is_about(&rec, &j->u.prove.key))
        return FAIL(E_NOTHING);
    if (!err_ok(audit_tree_path(j->dir_path, want - 1, size, &path)) || path.n > AUDIT_PATH_MAX)
        return FAIL(E_AUDIT_DOWN);
    memcpy(j->reply, stored, AUDIT_LEAF_BYTES);
    memcpy(j->reply + AUDIT_LEAF_BYTES, path.hash, path.n * AUDIT_HASH_BYTES);
    j->n = AUDIT_LEAF_BYTES + path.n * AUDIT_HASH_BYTES;
    return OK;
}

/* ---- ACTS ---- */

/* Entries from seq up to `to` of one segment. *ret_next: the entry where to go on. */
static ERR acts_in(struct reader_job *j, uint64_t seq, uint64_t to, unsigned *n, uint64_t *ret_next)
{
    uint8_t b[ACTS_CHUNK * AUDIT_ENTRY_BYTES];
    while (seq <= to && *n < AUDIT_ACTS_MAX) {
        uint32_t k = to - seq + 1 < ACTS_CHUNK ? (uint32_t)(to - seq + 1) : ACTS_CHUNK;
        TRY(read_stored(j, seq, k, b));
        for (uint32_t i = 0; i < k && *n < AUDIT_ACTS_MAX; i++, seq++) {
            const uint8_t *stored = b + (size_t)i * AUDIT_ENTRY_BYTES;
            struct audit_rec rec;
            if (!audit_decode(stored, &rec))
                return FAIL(E_AUDIT_DOWN);
            if (!audit_is_act(&rec) || (rec.epoch && rec.epoch <= j->u.acts.since))
                continue;
            uint8_t *out = j->reply + U64 + (size_t)(*n)++ * ACT_BYTES;
            be_put(out, seq, U64);
            memcpy(out + U64, stored, AUDIT_REC_BYTES);
        }
    }
    *ret_next = seq;
    return OK;
}

static ERR acts(struct reader_job *j)
{
    uint64_t seq = j->u.acts.after + 1 > j->oldest ? j->u.acts.after + 1 : j->oldest;
    unsigned n = 0, looked = 0, scans = 0;
    while (seq <= j->newest && n < AUDIT_ACTS_MAX && looked++ < READER_FIND_SEGMENTS && scans < ACTS_SCANS) {
        uint64_t first = segment_of(seq), last = first + AUDIT_SEGMENT_ENTRIES - 1;
        struct index_stats s;
        if (last <= j->newest && err_ok(index_stats_read(j->dir, first, &s)) && s.plain_acts == 0 && s.epoch <= j->u.acts.since) {
            seq = last + 1;
            continue;
        }
        scans++;
        TRY(acts_in(j, seq, last < j->newest ? last : j->newest, &n, &seq));
    }
    be_put(j->reply, seq <= j->newest ? seq - 1 : 0, U64);
    j->n = U64 + (size_t)n * ACT_BYTES;
    return OK;
}

/* ---- what is known of full segments after a start ---- */

static void catch_up_one(struct reader_job *j, const struct index_stats *s)
{
    j->u.catch_up.epoch = s->epoch > j->u.catch_up.epoch ? s->epoch : j->u.catch_up.epoch;
    if (s->wall_max < j->u.catch_up.day_ago_ms)
        j->u.catch_up.last_day = false;
    if (j->u.catch_up.last_day) {
        forecast_grew(&j->u.catch_up.growth, s->wall_max, s->entries);
        forecast_grew(&j->u.catch_up.growth, s->wall_min, 0);
    }
}

static ERR catch_up(struct reader_job *j)
{
    uint64_t *first = &j->u.catch_up.first;
    for (unsigned n = 0; n < CATCH_UP_AT_ONCE && *first; n++) {
        struct index_stats s;
        struct index_table *t = NULL;
        if (err_ok(index_stats_read(j->dir, *first, &s))) {
            catch_up_one(j, &s);
        } else {
            struct err e = make_index(j, *first, &t);
            TRY(err_is(e, E_AUDIT_DOWN) ? OK : e); /* not whole: it was told, and later entries name greater epochs */
            if (t)
                catch_up_one(j, index_table_stats(t));
            index_table_free(t);
            n += CATCH_UP_AT_ONCE / 4; /* others wait */
        }
        *first = *first > j->oldest && *first > AUDIT_SEGMENT_ENTRIES ? *first - AUDIT_SEGMENT_ENTRIES : 0;
    }
    return OK;
}

static void work_catch_up(struct reader_job *j)
{
    j->result = catch_up(j);
    if (err_is(j->result, E_NOTHING)) { /* removed meanwhile */
        j->u.catch_up.first = 0;
        j->result = OK;
    }
}

/* ---- */

static void work_prove(struct reader_job *j) { j->result = prove(j); }

static void work_acts(struct reader_job *j)
{
    j->result = acts(j);
    if (err_is(j->result, E_NOTHING)) /* removed meanwhile: asked again from what is there */
        j->result = FAIL(E_BUSY);
}

static void work_index(struct reader_job *j) { j->result = index_write(j->dir, j->u.table); }

void reader_put_hits(struct reader_job *j, const struct audit_hits *h)
{
    be_put(j->reply, h->next, U64);
    for (size_t i = 0; i < h->n; i++)
        be_put(j->reply + U64 * (i + 1), h->seq[i], U64);
    j->n = U64 * (h->n + 1);
}

void reader_work(struct reader_job *j)
{
    static void (*const WORK[])(struct reader_job *) = {
        [RP_FIND] = work_find, [RP_PROVE] = work_prove, [RP_ACTS] = work_acts, [RP_INDEX] = work_index, [RP_CATCH_UP] = work_catch_up,
    };
    j->result = OK;
    WORK[j->piece](j);
}
