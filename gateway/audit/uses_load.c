#include "gateway/audit/uses_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/audit/index.h"
#include "gateway/base/log.h"

struct seen { uint8_t ref[AUDIT_HANDLE_BYTES]; uint64_t wall_ms; uint32_t until_s; };

/* The uses of one segment. */
struct piece {
    uint64_t newest;    /* of the log: what is behind it is being written meanwhile */
    uint64_t wall_max;
    size_t n;
    struct seen seen[AUDIT_SEGMENT_ENTRIES];
};

static bool collect(void *arg, const struct audit_entry *e)
{
    struct piece *p = arg;
    p->wall_max = e->rec.wall_ms > p->wall_max ? e->rec.wall_ms : p->wall_max;
    if (audit_is_use(&e->rec)) {
        struct seen *s = &p->seen[p->n++];
        memcpy(s->ref, e->rec.ref, sizeof s->ref);
        s->wall_ms = e->rec.wall_ms;
        s->until_s = e->rec.until_s;
    }
    return e->seq < p->newest;
}

static ERR not_whole(uint64_t first)
{
    LOG(ERROR, "audit_segment_not_whole", LF("first", first), LF("hint", LITERAL("run pmhgw audit verify; no link key is taken meanwhile")));
    return FAIL(E_AUDIT_DOWN);
}

/* NOTHING: removed after its time. */
static ERR read_piece(const struct uses_load *l, uint64_t first, struct piece *p)
{
    char name[SEG_NAME_BYTES];
    uint8_t head[SEG_HEAD_BYTES];
    struct log_point at, pruned = { 0 };
    struct seg_scan scan;
    uint64_t last = first + AUDIT_SEGMENT_ENTRIES - 1;
    p->newest = l->newest;
    p->wall_max = p->n = 0;
    seg_name(first, name);
    int fd = openat(l->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && pruned_read(l->dir, &pruned) == HEAD_GOOD && first <= pruned.seq)
        return FAIL(E_NOTHING);
    if (fd < 0)
        return errno == ENOENT ? not_whole(first) : FAIL(E_IO);
    bool good = pread(fd, head, sizeof head, 0) == SEG_HEAD_BYTES && seg_head_read(head, &at) && at.seq + 1 == first;
    struct err e = good ? seg_scan(fd, 0, &at, collect, p, &scan) : OK;
    close(fd);
    TRY(e);
    return good && at.seq >= (last < l->newest ? last : l->newest) ? OK : not_whole(first);
}

static uint64_t back(uint64_t ms, uint64_t by_s) { return ms > by_s * 1000 ? ms - by_s * 1000 : 0; }

/* Held for what is left, by the clock that nobody sets. */
static uint64_t held_ms(const struct uses_load *l, uint64_t wall_ms)
{
    uint64_t since = l->since_ms > wall_ms ? l->since_ms - wall_ms : 0, back_ms = (uint64_t)USES_BACK_S * 1000, most = (uint64_t)AUDIT_USE_S * 1000;
    uint64_t left = since < back_ms ? back_ms - since : 0;
    return l->now.mono_ms + (left < most ? left : most);
}

static ERR take_piece(struct uses_load *l, const struct piece *p, uint64_t first)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct seen *s = &p->seen[i];
        if (s->wall_ms < back(l->since_ms, USES_BACK_S) && (uint64_t)s->until_s * 1000 <= l->since_ms)
            continue;
        struct use use = { .used_ms = s->wall_ms, .until_s = s->until_s, .held_ms = held_ms(l, s->wall_ms) };
        TRY(uses_reserve(l->uses, s->ref, l->now));
        uses_add(l->uses, s->ref, &use);
        l->from = first;
    }
    return OK;
}

struct walk {
    bool found;      /* the newest use of all: R is known */
    unsigned quiet;  /* segments one after the other that are too old */
    unsigned searched;
};

/* Whether the segment must be read: the index of a full one says when it was written, and whether anything in it can be a use, which is an act (audit_is_act). */
static bool to_read(const struct uses_load *l, struct walk *w, uint64_t first)
{
    struct index_stats s;
    if (first + AUDIT_SEGMENT_ENTRIES - 1 > l->newest || !err_ok(index_stats_read(l->dir, first, &s)))
        return true;
    bool old = w->found && s.wall_max < back(l->since_ms, USES_BACK_S);
    w->quiet = old ? w->quiet + 1 : 0;
    return !old && s.acts > 0;
}

static ERR step(struct uses_load *l, struct walk *w, struct piece *p, uint64_t first)
{
    if (!to_read(l, w, first))
        return OK;
    TRY(read_piece(l, first, p));
    if (p->n && !w->found) {
        uint64_t newest = p->seen[p->n - 1].wall_ms;
        l->since_ms = newest < l->now.wall_ms ? newest : l->now.wall_ms;
        w->found = true;
    }
    w->searched += !w->found;
    w->quiet = p->wall_max < back(l->since_ms, USES_BACK_S) ? w->quiet + 1 : 0;
    return take_piece(l, p, first);
}

struct err uses_load(struct uses_load *l)
{
    struct walk w = { 0 };
    struct err e = OK;
    if (l->newest < l->oldest)
        return OK;
    struct piece *p = malloc(sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    l->since_ms = l->now.wall_ms;
    uint64_t first = (l->newest - 1) / AUDIT_SEGMENT_ENTRIES * AUDIT_SEGMENT_ENTRIES + 1;
    for (bool more = true; more && err_ok(e); first -= AUDIT_SEGMENT_ENTRIES) {
        e = atomic_load(l->stop) ? FAIL(E_CANCELED) : step(l, &w, p, first);
        more = first > l->oldest && first > AUDIT_SEGMENT_ENTRIES && w.searched < USES_SEARCH && (!w.found || w.quiet < USES_QUIET);
    }
    free(p);
    return err_is(e, E_NOTHING) ? OK : e; /* removed meanwhile: so is everything before it */
}
