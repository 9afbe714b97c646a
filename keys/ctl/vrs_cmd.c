/* pmhgw vrs: what VRS is still to be told, and what it did not take (docs/vaccination.md). */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/redis/swap.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/link_once.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/out.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/say.h"
#include "keys/ctl/vrs_marks.h"

enum { BATCH_MAX = 64 << 20, SWAP_MAX = 4096, WHY_MAX = 64, ID_AT = 9 /* behind i:<muni>: */ };

struct dead { struct vrs_mark_text mark; char why[WHY_MAX + 1]; bool chosen; };
struct marks { struct state s; size_t waiting, n, done, chosen; struct dead *at; };

/* ---- reading ---- */

static struct err counted(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct vrs_marks *m = arg;
    if (n != 3)
        return FAIL(E_STORE_REFUSED);
    m->waiting = (uint64_t)redis_reply_int(replies[0]);
    m->not_taken = (uint64_t)redis_reply_int(replies[1]);
    m->taken_back = (uint64_t)redis_reply_int(replies[2]);
    return OK;
}

ERR vrs_marks_read(const struct state *s, struct vrs_marks *ret_m)
{
    struct redis_batch *b = redis_batch_new(SWAP_MAX);
    if (b) {
        REDIS_ADD(b, LIT("ZCARD"), VRS_MARK_QUEUE);
        REDIS_ADD(b, LIT("HLEN"), VRS_MARK_DEAD);
        REDIS_ADD(b, LIT("ZCARD"), VRS_MARK_GONE);
    }
    return link_once(s, b, counted, ret_m);
}

static struct err heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct marks *m = arg;
    const size_t pairs = n == 2 ? redis_reply_len(replies[1]) / 2 : 0;
    if (n != 2)
        return FAIL(E_STORE_REFUSED);
    m->waiting = (size_t)redis_reply_int(replies[0]);
    m->at = calloc(pairs + 1, sizeof *m->at);
    if (!m->at)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < pairs; i++) {
        const struct slice mark = redis_reply_str(redis_reply_at(replies[1], 2 * i)), why = redis_reply_str(redis_reply_at(replies[1], 2 * i + 1));
        struct vrs_mark parsed;
        if (mark.n > sizeof m->at->mark.c || why.n > WHY_MAX || !vrs_mark_parse(mark, &parsed))
            return FAIL(E_SEAL);
        struct dead *d = &m->at[m->n++];
        memcpy(d->mark.c, mark.p, mark.n);
        d->mark.n = mark.n;
        memcpy(d->why, why.p, why.n);
    }
    return OK;
}

static ERR read_all(struct marks *m)
{
    struct redis_batch *b = redis_batch_new(SWAP_MAX);
    if (b) {
        REDIS_ADD(b, LIT("ZCARD"), VRS_MARK_QUEUE);
        REDIS_ADD(b, LIT("HGETALL"), VRS_MARK_DEAD);
    }
    return link_once(&m->s, b, heard, m);
}

/* ---- list ---- */

static int list(const struct marks *m)
{
    static const char *const KINDS[] = { [VRS_MARK_RECORD] = "record", [VRS_MARK_TICKET] = "ticket", [VRS_MARK_SUBJECT] = "subject" };
    static const struct grid_col COLS[] = {
        { "municipality", "自治体", "municipality", GRID_TEXT, false }, { "kind", "種類", "kind", GRID_TEXT, false }, { "id", "番号", "id", GRID_TEXT, false },
        { "why", "理由", "reason", GRID_TEXT, true }, { "taken_back", "取消し", "taken back", GRID_FLAG, false },
    };
    struct grid *g = grid_new(COLS, sizeof COLS / sizeof *COLS);
    out_put_u64("waiting", m->waiting);
    say("VRSへ送信待ち %zu、受け付けられなかったもの %zu", "to be told to VRS: %zu, not taken: %zu", m->waiting, m->n);
    for (size_t i = 0; g && i < m->n; i++) {
        struct vrs_mark mark;
        struct slice muni;
        enum vrs_mark_kind kind;
        if (vrs_mark_parse(vrs_mark_slice(&m->at[i].mark), &mark) && vrs_mark_kind_of(mark.field, &kind, &muni))
            GRID_ADD(g, say_form("%.6s", (const char *)muni.p).c, KINDS[kind], say_form("%.*s", (int)(mark.field.n - ID_AT), (const char *)mark.field.p + ID_AT).c, m->at[i].why,
                     mark.gone ? "-" : "");
    }
    if (!grid_show(g, "not_taken"))
        return 2;
    if (m->n)
        say_plain("列: 市区町村、種類、番号、理由 (- は取消し)", "columns: municipality, kind, id, reason (-: to be taken back)");
    return m->n ? 1 : 0;
}

/* ---- replay, drop ---- */

static struct err changed(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct marks *m = arg;
    for (size_t i = 0; i < n; i++)
        m->done += redis_reply_int(replies[i]) == 1;
    return OK;
}

static ERR add_change(const struct dead *d, bool drop, struct redis_batch *b)
{
    struct clock c = clock_system();
    struct redis_swap *swap = redis_swap_new(SWAP_MAX);
    struct store_name due;
    if (!swap)
        return FAIL(E_NOMEM);
    vrs_mark_score(clock_wall(&c), &due);
    redis_swap_expect(swap, VRS_MARK_DEAD, vrs_mark_slice(&d->mark), slice_str(d->why));
    if (!drop)
        REDIS_SWAP(swap, LIT("ZADD"), VRS_MARK_QUEUE, store_name_slice(&due), vrs_mark_slice(&d->mark));
    else if (d->mark.c[0] == '-')
        REDIS_SWAP(swap, LIT("ZREM"), VRS_MARK_GONE, slice_of(d->mark.c + 1, d->mark.n - 1));
    REDIS_SWAP(swap, LIT("HDEL"), VRS_MARK_DEAD, vrs_mark_slice(&d->mark));
    struct err e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    return e;
}

static ERR note(const struct marks *m)
{
    struct audit_rec rec = { .event = AU_VRS_REPLAYED, .result = AR_OK, .count = (uint32_t)m->chosen };
    audit_set_actor(&rec, LIT("ctl"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    return audit_append_once(&m->s, &rec);
}

/* Without names all of them. */
static void choose(struct marks *m, const struct opt_list *words)
{
    for (size_t i = 0; i < m->n; i++) {
        struct vrs_mark mark;
        const bool is = vrs_mark_parse(vrs_mark_slice(&m->at[i].mark), &mark);
        m->at[i].chosen = words->n == 1;
        for (size_t k = 1; is && k < words->n; k++)
            m->at[i].chosen |= slice_eq(slice_of(mark.field.p + ID_AT, mark.field.n - ID_AT), slice_str(words->v[k]));
        m->chosen += m->at[i].chosen;
    }
}

static int change(struct marks *m, bool drop)
{
    struct redis_batch *b = m->chosen ? redis_batch_new(BATCH_MAX) : NULL;
    struct err e = !m->chosen || b ? OK : FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < m->n; i++)
        if (m->at[i].chosen)
            e = add_change(&m->at[i], drop, b);
    if (err_ok(e) && m->chosen)
        e = note(m); /* what cannot be told is not done */
    if (err_ok(e) && m->chosen)
        e = link_once(&m->s, b, changed, m);
    else
        redis_batch_free(b);
    if (!err_ok(e)) {
        say_err("変更できません", "this cannot be changed", e);
        return 2;
    }
    out_put_u64("changed", m->done);
    if (drop)
        say_ok("%zu 件をあきらめました", "%zu were given up", m->done);
    else
        say_ok("%zu 件をもう一度送ります", "%zu are told again", m->done);
    return 0;
}

/* ---- */

static int run(struct marks *m, const struct opt_list *words)
{
    const struct slice word = slice_str(words->v[0]);
    const bool lists = slice_eq(word, LIT("list")), drop = slice_eq(word, LIT("drop"));
    if ((!lists && !drop && !slice_eq(word, LIT("replay"))) || (lists && words->n > 1) || (drop && words->n == 1)) {
        say_error("list、replay [番号...]、drop 番号... のどれかです", "list, replay [ID...] or drop ID...");
        return 2;
    }
    struct err e = read_all(m);
    if (!err_ok(e)) {
        say_err("送信待ちを読めません", "what waits cannot be read", e);
        return 2;
    }
    choose(m, words);
    return lists ? list(m) : change(m, drop);
}

int cmd_vrs(int argc, char **argv)
{
    struct marks m = { .n = 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    enum opts_end end = CLI_PARSE(argc, argv, "vrs", &words, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&m.s, &dirs, false))
        return 2;
    int status = run(&m, &words);
    free(m.at);
    return status;
}
