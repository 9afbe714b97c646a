/* The set of uses against a plain table: whatever comes and goes, and whatever the clocks do, a living use is found with its time, and what never was is not. */
#include <string.h>

#include "gateway/audit/uses.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { REFS = 256, MOST = 150, START_MS = 1000000 };

struct model {
    struct uses *u;
    struct uses_now now;
    struct { bool there; struct use use; } use[REFS];
    uint8_t room[REFS]; /* reserved, not yet added */
    size_t n_room;
};

/* Two shards, few homes: everything meets everything. */
static void ref_of(uint8_t i, uint8_t out[static AUDIT_HANDLE_BYTES])
{
    memset(out, 0, AUDIT_HANDLE_BYTES);
    out[0] = i & 1;
    out[4] = i & 0xf0;
    out[15] = i;
    out[14] = 1;
}

static bool over(const struct model *m, const struct use *use)
{
    return (uint64_t)use->until_s * 1000 <= m->now.wall_ms && (use->held_ms / 1000 + 1) * 1000 <= m->now.mono_ms;
}

/* What may have been forgotten is believed, and nothing else. */
static bool look(struct model *m, uint8_t i)
{
    uint8_t ref[AUDIT_HANDLE_BYTES];
    uint64_t used = 0;
    ref_of(i, ref);
    bool found = uses_find(m->u, ref, &used);
    if (!m->use[i].there)
        MUST(!found);
    else if (found)
        MUST(used == m->use[i].use.used_ms);
    else
        MUST(over(m, &m->use[i].use));
    return found;
}

static size_t look_at_all(struct model *m)
{
    size_t n = 0;
    for (int i = 0; i < REFS; i++)
        n += look(m, (uint8_t)i);
    return n;
}

/* The clocks only go on in here, so that what is over stays over; gone is gone. */
static void sync_gone(struct model *m)
{
    for (int i = 0; i < REFS; i++)
        if (m->use[i].there && !look(m, (uint8_t)i))
            m->use[i].there = false;
}

static void reserve(struct model *m, uint8_t i)
{
    uint8_t ref[AUDIT_HANDLE_BYTES];
    ref_of(i, ref);
    struct err e = m->n_room < REFS ? uses_reserve(m->u, ref, m->now) : OK;
    sync_gone(m);
    if (!err_ok(e))
        MUST(uses_count(m->u) + m->n_room >= MOST);
    else if (m->n_room < REFS)
        m->room[m->n_room++] = i;
    MUST(uses_count(m->u) + m->n_room <= MOST || !err_ok(e));
}

static void add(struct model *m, uint8_t life)
{
    uint8_t ref[AUDIT_HANDLE_BYTES], i = m->room[--m->n_room];
    struct use use = { .used_ms = m->now.mono_ms + life, .until_s = (uint32_t)(m->now.wall_ms / 1000 + life), .held_ms = m->now.mono_ms + life * 500u }, *old = &m->use[i].use;
    ref_of(i, ref);
    uses_add(m->u, ref, &use);
    if (m->use[i].there) {
        use.used_ms = old->used_ms < use.used_ms ? old->used_ms : use.used_ms;
        use.until_s = old->until_s > use.until_s ? old->until_s : use.until_s;
        use.held_ms = old->held_ms > use.held_ms ? old->held_ms : use.held_ms;
    }
    m->use[i].there = true;
    *old = use;
    MUST(look(m, i));
}

static void release(struct model *m)
{
    uint8_t ref[AUDIT_HANDLE_BYTES];
    ref_of(m->room[--m->n_room], ref);
    uses_release(m->u, ref);
}

static void step(struct model *m, uint8_t op, uint8_t b)
{
    switch (op % 8) {
    case 0: case 1: reserve(m, b); break;
    case 2: case 3: if (m->n_room) add(m, b); break;
    case 4: if (m->n_room) release(m); break;
    case 5: m->now.wall_ms += b * 1000u; break;
    case 6: m->now.mono_ms += b * 500u; break;
    default: uses_forget(m->u, m->now, b ? b : USES_SHARDS); sync_gone(m); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct model m;
    m = (struct model){ .now = { START_MS, START_MS } };
    MUST(err_ok(uses_new(&m.u, MOST)));
    for (size_t i = 0; i + 1 < n && i < 1024; i += 2)
        step(&m, data[i], data[i + 1]);
    MUST(look_at_all(&m) == uses_count(m.u));
    uses_forget(m.u, (struct uses_now){ UINT64_MAX / 2, UINT64_MAX / 2 }, USES_SHARDS);
    MUST(uses_count(m.u) == 0);
    uses_free(m.u);
    return 0;
}
