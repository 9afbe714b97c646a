/* usage: pmhgw-uses-load DIR USES: writes a log of so many uses of link keys, over the last 24 hours, into DIR; reads them back as pmhgw-audit does at its start,
 * and tells how much processor time that took and what they cost: memory, a look, a step of growing, a step of forgetting. */

#include <sys/resource.h>
#include <time.h>

#include "gateway/audit/uses_load.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"
#include "tests/unit/audit_make.h"

enum { DAY_MS = 24 * 3600 * 1000, SHARDS_A_SECOND = 8 };

struct plan { uint64_t n, start_ms; };

static void ref_of(uint64_t i, uint8_t out[static AUDIT_HANDLE_BYTES])
{
    uint8_t sum[SHA256_BYTES], b[8];
    struct slice s = ARR(b);
    be_put(b, i, sizeof b);
    MUST(err_ok(sha256(1, &s, sum)));
    memcpy(out, sum, AUDIT_HANDLE_BYTES);
}

static void make_use(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct plan *p = arg;
    struct audit_rec r = { .event = AU_CLINIC_LOOKUP, .result = AR_OK, .count = 1, .wall_ms = p->start_ms + i * DAY_MS / p->n, .items = AUDIT_ITEM_ELIGIBILITY };
    audit_set_actor(&r, LIT("clinic/3310010012"));
    memcpy(r.muni, "331007", 6);
    ref_of(i, r.ref);
    r.until_s = (uint32_t)(r.wall_ms / 1000) + 3600;
    audit_encode(&r, rec);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* not what others on the machine take */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t resident_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss;
}

static void tell_looks(const struct uses *u, uint64_t n)
{
    uint64_t used, found = 0, from = now_ns();
    uint8_t ref[AUDIT_HANDLE_BYTES];
    for (uint64_t i = 0; i < n; i++) {
        ref_of(i, ref);
        found += uses_find(u, ref, &used);
    }
    uint64_t both = now_ns() - from;
    from = now_ns();
    for (uint64_t i = 0; i < n; i++)
        ref_of(i, ref);
    printf("%llu of %llu found, %.0f ns a look\n", (unsigned long long)found, (unsigned long long)n, (double)(both - (now_ns() - from)) / (double)n);
}

static void tell_steps(struct uses *u, uint64_t n, struct uses_now now)
{
    uint64_t most_add = 0, most_forget = 0;
    uint8_t ref[AUDIT_HANDLE_BYTES];
    struct use use = { .used_ms = 1, .until_s = UINT32_MAX, .held_ms = now.mono_ms + 3 * (uint64_t)DAY_MS };
    for (uint64_t i = n; i < 2 * n; i++) {
        ref_of(i, ref);
        uint64_t from = now_ns();
        MUST(err_ok(uses_reserve(u, ref, now)));
        uses_add(u, ref, &use);
        uint64_t took = now_ns() - from;
        most_add = took > most_add ? took : most_add;
    }
    now.wall_ms += 3 * (uint64_t)DAY_MS;
    now.mono_ms += 2 * (uint64_t)DAY_MS;
    for (unsigned i = 0; i < USES_SHARDS / SHARDS_A_SECOND; i++) {
        uint64_t from = now_ns();
        uses_forget(u, now, SHARDS_A_SECOND);
        uint64_t took = now_ns() - from;
        most_forget = took > most_forget ? took : most_forget;
    }
    printf("while it grew to twice as many: longest step %.0f us; longest step of forgetting %.0f us, %llu left\n", (double)most_add / 1e3, (double)most_forget / 1e3,
           (unsigned long long)uses_count(u));
}

int main(int argc, char **argv)
{
    struct plan p;
    struct timespec t;
    atomic_bool stop = false;
    struct uses_load l = { .oldest = 1, .stop = &stop };
    if (argc != 3 || !u64_parse(slice_str(argv[2]), &p.n) || p.n == 0) {
        fprintf(stderr, "usage: pmhgw-uses-load DIR USES\n");
        return 2;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    l.now.wall_ms = (uint64_t)t.tv_sec * 1000;
    p.start_ms = l.now.wall_ms - DAY_MS;
    make_log(argv[1], p.n, make_use, &p);
    MUST(err_ok(uses_new(&l.uses, 4 * p.n)));
    l.dir = open(argv[1], O_RDONLY | O_DIRECTORY);
    l.newest = p.n;
    uint64_t before = resident_kib(), from = now_ns();
    MUST(err_ok(uses_load(&l)));
    printf("%llu uses loaded in %.0f ms of a processor; %.1f bytes each, %llu KiB more resident at most\n", (unsigned long long)uses_count(l.uses), (double)(now_ns() - from) / 1e6,
           (double)uses_bytes(l.uses) / (double)uses_count(l.uses), (unsigned long long)(resident_kib() - before));
    tell_looks(l.uses, p.n);
    tell_steps(l.uses, p.n, l.now);
    uses_free(l.uses);
    return 0;
}
