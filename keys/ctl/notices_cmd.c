/* pmhgw notices: messages to partners that were not delivered, and what becomes of them (docs/vaccination.md). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/notice/lanes.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/link_once.h"
#include "keys/ctl/opts.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/say.h"

enum { BATCH_MAX = 64 << 20, SWAP_MAX = 4096, VALUE_MAX = 128 };

struct letter { struct lane_dead d; char value[VALUE_MAX]; size_t n_value; struct notice notice; bool opened; };

struct notices {
    struct state s;
    struct keyring *ring;
    struct store *store;
    size_t n, waiting;
    struct letter *at;
    size_t done;
};

/* ---- reading ---- */

static int newest(const void *a, const void *b)
{
    const struct letter *x = a, *y = b;
    return x->d.at_ms < y->d.at_ms ? 1 : x->d.at_ms > y->d.at_ms ? -1 : 0;
}

static struct err list_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct notices *t = arg;
    const size_t pairs = n == 2 ? redis_reply_len(replies[0]) / 2 : 0;
    if (n != 2)
        return FAIL(E_STORE_REFUSED);
    t->waiting = (size_t)redis_reply_int(replies[1]);
    t->at = calloc(pairs + 1, sizeof *t->at);
    if (!t->at)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < pairs; i++) {
        struct letter *l = &t->at[t->n];
        const struct slice value = redis_reply_str(redis_reply_at(replies[0], 2 * i + 1));
        if (value.n > sizeof l->value || !lanes_dead_parse(redis_reply_str(redis_reply_at(replies[0], 2 * i)), value, &l->d))
            return FAIL(E_SEAL);
        memcpy(l->value, value.p, value.n);
        l->n_value = value.n;
        t->n++;
    }
    qsort(t->at, t->n, sizeof *t->at, newest);
    return OK;
}

static struct err messages_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct notices *t = arg;
    for (size_t i = 0; i < n && i < t->n; i++)
        t->at[i].opened = err_ok(notice_open(t->store, t->at[i].d.id, redis_reply_str(replies[i]), &t->at[i].notice));
    return OK;
}

static ERR read_all(struct notices *t)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b) {
        REDIS_ADD(b, LIT("HGETALL"), LANES_DEAD);
        REDIS_ADD(b, LIT("ZCARD"), NOTICE_DUE);
    }
    TRY(link_once(&t->s, b, list_heard, t));
    b = t->n ? redis_batch_new(BATCH_MAX) : NULL;
    for (size_t i = 0; b && i < t->n; i++) {
        struct store_name name;
        notice_name(t->at[i].d.id, &name);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&name));
    }
    return t->n ? link_once(&t->s, b, messages_heard, t) : OK;
}

/* ---- list ---- */

static void print_letter(const struct letter *l)
{
    static const char *const KINDS[NOTICE_KIND__MAX] = { "?", "questionnaire", "eligibility", "record", "citizen", "provision" };
    char at[24];
    clock_format_utc(l->d.at_ms, at);
    for (size_t i = 0; i < sizeof l->d.id; i++)
        printf("%02x", l->d.id[i]);
    printf("  %.24s  %-13s  %-12.*s  %-12s  %3llu  %s\n", at, KINDS[l->opened ? l->notice.kind : 0], (int)sizeof l->notice.who,
           l->opened && l->notice.who[0] ? l->notice.who : "-", l->d.why, (unsigned long long)l->d.attempts, l->d.owner);
}

static int list(struct notices *t)
{
    say("送信待ちの宛先 %zu、届かなかったもの %zu", "lanes that wait: %zu, dead letters: %zu", t->waiting, t->n);
    for (size_t i = 0; i < t->n; i++)
        print_letter(&t->at[i]);
    if (t->n)
        say_plain("列: 番号、時刻、種類、宛先、理由、回数、対応する人", "columns: id, time, kind, recipient, reason, attempts, who has to act");
    return t->n ? 1 : 0;
}

/* ---- replay, drop ---- */

static struct err changed_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct notices *t = arg;
    for (size_t i = 0; i < n; i++)
        t->done += redis_reply_int(replies[i]) == 1;
    return OK;
}

static bool is_meant(const struct letter *l, const struct opt_list *ids)
{
    uint8_t id[NOTICE_ID_BYTES];
    for (size_t i = 1; i < ids->n; i++)
        if (hex_decode(slice_str(ids->v[i]), id, sizeof id) && slice_eq(ARR(id), ARR(l->d.id)))
            return true;
    return false;
}

static ERR add_change(const struct letter *l, bool replay, struct redis_batch *b)
{
    struct clock c = clock_system();
    struct redis_swap *swap = redis_swap_new(SWAP_MAX);
    if (!swap)
        return FAIL(E_NOMEM);
    if (replay)
        lanes_replay(&l->d, slice_of(l->value, l->n_value), clock_wall(&c), swap);
    else
        lanes_drop(&l->d, slice_of(l->value, l->n_value), swap);
    struct err e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    return e;
}

static ERR note(const struct notices *t, bool replay, size_t n)
{
    struct audit_rec rec = { .event = AU_NOTICE_REPLAYED, .result = replay ? AR_OK : AR_REFUSED, .count = (uint32_t)n };
    audit_set_actor(&rec, LIT("ctl"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    return audit_append_once(&t->s, &rec);
}

static int change(struct notices *t, const struct opt_list *ids, bool all, bool replay)
{
    size_t n = 0;
    struct err e = OK;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    for (size_t i = 0; b && err_ok(e) && i < t->n; i++) { /* newest first: each goes before the others of its lane */
        if (!all && !is_meant(&t->at[i], ids))
            continue;
        e = add_change(&t->at[i], replay, b);
        n++;
    }
    if (!n) {
        redis_batch_free(b);
        say_error("その番号の届かなかった知らせはありません", "there is no such dead letter");
        return 2;
    }
    if (err_ok(e))
        e = note(t, replay, n); /* what cannot be told is not done */
    if (err_ok(e))
        e = link_once(&t->s, b, changed_heard, t);
    else
        redis_batch_free(b);
    if (!err_ok(e)) {
        say_err("変更できません", "this cannot be changed", e);
        return 2;
    }
    if (replay)
        say_ok("%zu 件をもう一度送ります", "%zu are sent again", t->done);
    else
        say_ok("%zu 件を取りやめました", "%zu are dropped", t->done);
    return t->done == n ? 0 : 1;
}

/* ---- */

static int run(struct notices *t, const struct opt_list *words, bool all)
{
    const struct slice word = slice_str(words->v[0]);
    const bool replay = slice_eq(word, LIT("replay")), drop = slice_eq(word, LIT("drop"));
    if (!replay && !drop && !slice_eq(word, LIT("list"))) {
        say_error("list、replay、drop のどれかです", "list, replay or drop");
        return 2;
    }
    if ((replay || drop) && all == (words->n > 1)) {
        say_error("番号か --all のどちらかを指定してください", "give ids, or --all");
        return 2;
    }
    struct err e = link_store(&t->s, &t->ring, &t->store);
    if (err_ok(e))
        e = read_all(t);
    if (!err_ok(e)) {
        say_err("知らせを読めません", "the messages cannot be read", e);
        return 2;
    }
    return replay || drop ? change(t, words, all, replay) : list(t);
}

int cmd_notices(int argc, char **argv)
{
    static const struct usage USAGE = { "notices", "list | replay ID... | drop ID...",
        "Messages to clinics, portals and the vaccination database that were not delivered: shows them, sends them again, or gives them up.", 1, OPT_LIST_MAX };
    struct notices t = { .n = 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    bool all = false;
    const struct opt table[] = {
        { "--all", OPT_FLAG, &all, NULL, "every one of them", 0, 0 },
        { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory", 0, 0 },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &words);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&t.s, &dirs, false))
        return 2;
    log_open(LITERAL("notices"), LOG_ERROR); /* that it has connected is no news */
    int status = run(&t, &words, all);
    free(t.at);
    store_free(t.store);
    keyring_free(t.ring);
    return status;
}
