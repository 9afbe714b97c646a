/* pmhgw notices: messages to partners that were not delivered, and what becomes of them (docs/vaccination.md). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/letters.h"
#include "keys/ctl/link_once.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { BATCH_MAX = 8 << 20, SWAP_MAX = 4096, PART = 1000, NAME_SHOWN = 64 };

struct notices {
    struct state s;
    struct keyring *ring;
    struct store *store;
    struct letters l;
    uint64_t waiting;
    const char *kind, *who; /* NULL: every one */
    size_t done;
};

/* ---- which ---- */

static bool passes(const struct notices *t, const struct letter *l)
{
    if (t->kind && (!l->opened || strcmp(letter_kind(l), t->kind) != 0))
        return false;
    return !t->who || (l->opened && slice_eq(notice_who(&l->notice), slice_str(t->who)));
}

static bool is_kind(const char *word)
{
    for (int k = NOTICE_QUESTIONNAIRE; k < NOTICE_KIND__MAX; k++)
        if (strcmp(letter_kind(&(struct letter){ .opened = true, .notice = { .kind = (enum notice_kind)k } }), word) == 0)
            return true;
    return false;
}

static bool is_meant(const struct notices *t, const struct letter *l, const struct opt_list *ids, bool all)
{
    bool named = all;
    for (size_t i = 1; i < ids->n; i++)
        named = named || slice_eq(slice_str(ids->v[i]), slice_of(l->name, l->n_name));
    return named && passes(t, l);
}

/* ---- list ---- */

/* It is ours to say what stands there, and whoever wrote it is not to be trusted with a screen. */
static void add_unreadable(struct grid *g, const struct letter *l)
{
    char shown[NAME_SHOWN + 1];
    size_t n = l->n_name < NAME_SHOWN ? l->n_name : NAME_SHOWN;
    for (size_t i = 0; i < n; i++)
        shown[i] = l->name[i] > ' ' && l->name[i] < 0x7f ? l->name[i] : '.';
    shown[n] = '\0';
    GRID_ADD(g, shown, say_form("%s\t", say_text("読めない項目です", "cannot be read").c).c, "", "", "", "", "");
}

static const struct grid_col COLS[] = {
    { "id", "番号", "id", GRID_TEXT, false }, { "at", "時刻", "time", GRID_TEXT, false }, { "kind", "種類", "kind", GRID_TEXT, false }, { "recipient", "宛先", "recipient", GRID_TEXT, true },
    { "why", "理由", "reason", GRID_TEXT, true }, { "attempts", "回数", "attempts", GRID_NUMBER, false }, { "who_acts", "対応する人", "who acts", GRID_TEXT, false },
};

static void add_letter(struct grid *g, const struct letter *l)
{
    char at[24];
    clock_format_utc(l->d.at_ms, at);
    GRID_ADD(g, l->name, say_form("%.24s", at).c, letter_kind(l), say_form("%.*s", (int)sizeof l->notice.who, l->opened && l->notice.who[0] ? l->notice.who : "-\t").c, l->d.why,
             say_form("%llu", (unsigned long long)l->d.attempts).c, l->d.owner);
}

static int list(const struct notices *t)
{
    size_t shown = 0;
    struct grid *g = grid_new(COLS, sizeof COLS / sizeof *COLS);
    out_put_u64("waiting", t->waiting);
    say("送信待ちの宛先 %llu、届かなかったもの %zu", "lanes that wait: %llu, dead letters: %zu", (unsigned long long)t->waiting, t->l.n);
    for (size_t i = 0; g && i < t->l.n; i++) {
        const struct letter *l = &t->l.at[i];
        if (!passes(t, l))
            continue;
        shown++;
        if (l->good)
            add_letter(g, l);
        else
            add_unreadable(g, l);
    }
    if (!grid_show(g, "not_delivered"))
        return 2;
    if (shown)
        say_plain("列: 番号、時刻、種類、宛先、理由、回数、対応する人", "columns: id, time, kind, recipient, reason, attempts, who has to act");
    return shown ? 1 : 0;
}

/* ---- replay, drop ---- */

static struct err changed_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct notices *t = arg;
    for (size_t i = 0; i < n; i++)
        t->done += redis_reply_int(replies[i]) == 1;
    return OK;
}

/* What cannot be read cannot be sent; it can be done away with, and its message with it when its name is one of a message. */
static void drop_unreadable(const struct letter *l, struct redis_swap *swap)
{
    uint8_t id[NOTICE_ID_BYTES];
    struct store_name message;
    const struct slice name = slice_of(l->name, l->n_name);
    redis_swap_expect(swap, LANES_DEAD, name, slice_of(l->value, l->n_value));
    REDIS_SWAP(swap, LIT("HDEL"), LANES_DEAD, name);
    if (!hex_decode(name, id, sizeof id))
        return;
    notice_name(id, &message);
    REDIS_SWAP(swap, LIT("DEL"), store_name_slice(&message));
}

static ERR add_change(const struct letter *l, bool replay, struct redis_batch *b)
{
    struct clock c = clock_system();
    const struct slice value = slice_of(l->value, l->n_value);
    struct redis_swap *swap = redis_swap_new(SWAP_MAX + 2 * (l->n_name + l->n_value));
    if (!swap)
        return FAIL(E_NOMEM);
    if (!l->good)
        drop_unreadable(l, swap);
    else if (replay)
        lanes_replay(&l->d, value, clock_wall(&c), swap);
    else
        lanes_drop(&l->d, value, swap);
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

static ERR send_part(struct notices *t, struct redis_batch **b)
{
    struct redis_batch *part = *b;
    *b = NULL; /* given to link_once() */
    if (part && redis_batch_count(part))
        return link_once(&t->s, part, changed_heard, t);
    redis_batch_free(part);
    return OK;
}

/* Newest first: each goes before the others of its lane. */
static ERR change_all(struct notices *t, const bool *meant, bool replay)
{
    struct redis_batch *b = NULL;
    struct err e = OK;
    for (size_t i = 0; err_ok(e) && i < t->l.n; i++) {
        if (!meant[i])
            continue;
        b = b ? b : redis_batch_new(BATCH_MAX);
        e = b ? add_change(&t->l.at[i], replay, b) : FAIL(E_NOMEM);
        if (err_ok(e) && redis_batch_count(b) >= PART)
            e = send_part(t, &b);
    }
    if (err_ok(e))
        e = send_part(t, &b);
    redis_batch_free(b);
    return e;
}

static int change(struct notices *t, const struct opt_list *ids, bool all, bool replay)
{
    size_t n = 0;
    bool *meant = calloc(t->l.n + 1, sizeof *meant);
    for (size_t i = 0; meant && i < t->l.n; i++) {
        meant[i] = is_meant(t, &t->l.at[i], ids, all) && (t->l.at[i].good || !replay);
        n += meant[i];
    }
    if (!n) {
        free(meant);
        say_error("その番号の届かなかった知らせはありません", "there is no such dead letter");
        return 2;
    }
    struct err e = note(t, replay, n); /* what cannot be told is not done */
    if (err_ok(e))
        e = change_all(t, meant, replay);
    free(meant);
    if (!err_ok(e)) {
        say_err("変更できません", "this cannot be changed", e);
        return 2;
    }
    out_put_u64("changed", t->done);
    if (replay)
        say_ok("%zu 件をもう一度送ります", "%zu are sent again", t->done);
    else
        say_ok("%zu 件を取りやめました", "%zu are dropped", t->done);
    return t->done == n ? 0 : 1;
}

/* ---- */

static struct err waiting_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct notices *t = arg;
    struct lanes_state seen;
    if (!lanes_state(replies, n, 0, &seen))
        return FAIL(E_STORE_REFUSED);
    t->waiting = seen.lanes;
    return OK;
}

static ERR read_all(struct notices *t)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        lanes_ask_state(b);
    TRY(link_once(&t->s, b, waiting_heard, t));
    TRY(link_store(&t->s, &t->ring, &t->store));
    return letters_read(&t->s, t->store, &t->l);
}

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
    if (t->kind && !is_kind(t->kind)) {
        say_error("種類は questionnaire、eligibility、record、citizen、provision のどれかです", "a kind is questionnaire, eligibility, record, citizen or provision");
        return 2;
    }
    struct err e = read_all(t);
    if (!err_ok(e)) {
        say_err("知らせを読めません", "the messages cannot be read", e);
        return 2;
    }
    return replay || drop ? change(t, words, all, replay) : list(t);
}

int cmd_notices(int argc, char **argv)
{
    struct notices t = { .done = 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    bool all = false;
    enum opts_end end = CLI_PARSE(argc, argv, "notices", &words, { "--all", &all }, { "--kind", &t.kind }, { "--who", &t.who }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&t.s, &dirs, false))
        return 2;
    int status = run(&t, &words, all);
    letters_done(&t.l);
    store_free(t.store);
    keyring_free(t.ring);
    return status;
}
