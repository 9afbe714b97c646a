/* pmhgw keys: the sealing keys of PMH link keys, which rotate with overlap. Files in keys/ of the state directory:
 *   link.ring             every key that still opens (the front takes changes up by itself)
 *   link-jwe.kid          name of the key that online qualification is to use
 *   link-jwe-<kid>.key    that key (of the first one: link-jwe.key alone); link-jwe.key is always the one in use
 *   link-jwe.ended        a line for each older one: name, and when it was replaced (milliseconds since 1970) */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "gateway/crypto/keyring.h"
#include "gateway/jose/claims.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/keys_file.h"
#include "keys/ctl/out.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/say.h"

/* The fronts look five times a second; a link key under the new key must not come before they have it. */
enum { TAKEN_UP_MS = 1500, ALIVE_MS = (LINK_KEY_LIFE_S + CLOCK_SKEW_S + 60) * 1000 };

struct rings { struct state_path ring, master; };

static struct rings rings_of(const struct state *s) { return (struct rings){ state_at(s, "keys/link.ring"), state_at(s, "keys/link.master") }; }

static uint64_t wall_ms(void)
{
    struct clock c = clock_system();
    return clock_wall(&c);
}

static void wait_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    while (nanosleep(&t, &t) != 0)
        ;
}

/* ---- rotate ---- */

/* kN: the number after the highest on the ring. */
static ERR next_kid(const struct rings *r, struct kid *ret_k)
{
    struct keyring *ring;
    size_t at = 0;
    struct slice id;
    const struct secret *key;
    uint64_t highest = 0, n;
    TRY(keyring_load(&ring, RING_LINK, r->ring.c, r->master.c));
    while (keyring_each(ring, KEY_LINK_JWE, &at, &id, &key))
        if (id.n > 1 && id.p[0] == 'k' && u64_parse(slice_of(id.p + 1, id.n - 1), &n) && n > highest)
            highest = n;
    keyring_free(ring);
    snprintf(ret_k->c, sizeof ret_k->c, "k%llu", (unsigned long long)(highest + 1));
    return OK;
}

static ERR rotate(const struct state *s, struct kid *ret_old, struct kid *ret_new)
{
    struct rings r = rings_of(s);
    struct secret *key = NULL;
    TRY(next_kid(&r, ret_new));
    TRY(keys_file_kid(s, ret_old));
    struct state_path path = keys_file_of(s, ret_new);
    TRY(keys_file_random(path.c));
    TRY(secret_read_file(&key, path.c, AEAD_KEY));
    struct err e = keyring_add(RING_LINK, r.ring.c, r.master.c, KEY_LINK_JWE, slice_str(ret_new->c), key);
    secret_free(key);
    TRY(e);
    wait_ms(TAKEN_UP_MS);
    TRY(keys_file_ended_add(s, ret_old, wall_ms()));
    return keys_file_use(s, ret_new);
}

static int cmd_rotate(const struct state *s)
{
    struct kid old, fresh;
    struct err e = rotate(s, &old, &fresh);
    if (!err_ok(e)) {
        say_err("鍵を替えられません", "the key cannot be rotated", e);
        return 2;
    }
    out_put_text("kid", fresh.c);
    out_put_text("replaced", old.c);
    say_ok("連携キーの封かん鍵は %s になりました。%s の連携キーは引き続き使えます", "link keys are sealed with %s from now on; those under %s still open", fresh.c, old.c);
    return 0;
}

/* ---- list ---- */

static bool may_go(const struct state *s, const struct kid *k, uint64_t *ret_from_ms)
{
    uint64_t ended;
    if (!keys_file_ended(s, k, &ended))
        return false;
    *ret_from_ms = ended + ALIVE_MS;
    return true;
}

static const struct grid_col COLS[] = {
    { "kid", "鍵", "key", GRID_TEXT, false }, { "state", "状態", "state", GRID_TEXT, false }, { "retire_from", "廃止できる時刻", "can be retired from", GRID_TEXT, false },
};

static void add_key(struct grid *g, const struct state *s, struct slice id, const struct kid *current)
{
    struct kid k = { "" };
    uint64_t from;
    char when[25] = { 0 };
    memcpy(k.c, id.p, id.n);
    if (strcmp(k.c, current->c) == 0) {
        GRID_ADD(g, k.c, say_pick("使用中\tin_use", "in use\tin_use"), "");
    } else if (!may_go(s, &k, &from)) {
        GRID_ADD(g, k.c, say_pick("開くだけ\topens_only", "opens only\topens_only"), "");
    } else {
        clock_format_utc(from, when);
        GRID_ADD(g, k.c, from <= wall_ms() ? say_pick("廃止できます\tretirable", "can be retired since\tretirable") : say_pick("廃止できる時刻\topens_only", "can be retired from\topens_only"), when);
    }
}

static int cmd_list(const struct state *s)
{
    struct rings r = rings_of(s);
    struct keyring *ring = NULL;
    struct kid current;
    size_t at = 0;
    struct slice id;
    const struct secret *key;
    struct err e = keys_file_kid(s, &current);
    if (err_ok(e))
        e = keyring_load(&ring, RING_LINK, r.ring.c, r.master.c);
    if (!err_ok(e)) {
        say_err("鍵を読めません", "the keys cannot be read", e);
        return 2;
    }
    struct grid *g = grid_new(COLS, sizeof COLS / sizeof *COLS);
    while (g && keyring_each(ring, KEY_LINK_JWE, &at, &id, &key))
        add_key(g, s, id, &current);
    keyring_free(ring);
    return grid_show(g, "keys") ? 0 : 2;
}

/* ---- retire ---- */

static bool retire_allowed(const struct state *s, const struct kid *k, const struct kid *current, bool alive)
{
    uint64_t from;
    if (strcmp(k->c, current->c) == 0) {
        say_error("使用中の鍵です。先に pmhgw keys rotate link-jwe を実行してください", "this key is in use; first run pmhgw keys rotate link-jwe");
        return false;
    }
    if (alive || (may_go(s, k, &from) && from <= wall_ms()))
        return true;
    say_error("この鍵の連携キーがまだ有効かもしれません。pmhgw keys list で時刻を確認してください",
              "link keys under this key may still be alive; see pmhgw keys list for the time");
    say_hint("鍵が漏れたなど、すぐ廃止する場合は --even-if-alive(有効な連携キーは使えなくなります)",
             "to retire it now, for example because it leaked: --even-if-alive (link keys that are alive stop working)");
    return false;
}

static int cmd_retire(const struct state *s, const char *name, bool alive)
{
    struct rings r = rings_of(s);
    struct kid k, current;
    if (strlen(name) > KEY_ID_MAX || !keys_file_kid_ok(slice_str(name))) {
        say_error("鍵の名前ではありません", "this is no name of a key");
        return 2;
    }
    snprintf(k.c, sizeof k.c, "%s", name);
    struct err e = keys_file_kid(s, &current);
    if (err_ok(e) && !retire_allowed(s, &k, &current, alive))
        return 2;
    if (err_ok(e))
        e = keyring_destroy(RING_LINK, r.ring.c, r.master.c, KEY_LINK_JWE, slice_str(k.c));
    if (err_ok(e))
        e = keys_file_remove(s, &k);
    if (!err_ok(e)) {
        say_err("鍵を廃止できません", "the key cannot be retired", e);
        return 2;
    }
    say_ok("%s を廃止しました。この鍵の連携キーは開けません", "%s is retired: link keys under it do not open any more", k.c);
    return 0;
}

/* One change of the keys at a time; given back when the command ends. */
static bool alone(const struct state *s)
{
    int fd = open(state_at(s, "keys/link-jwe.lock").c, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    say_error("別の pmhgw keys が実行中か、keys に書けません", "another pmhgw keys is running, or the folder keys cannot be written");
    return false;
}

int cmd_keys(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    struct state s;
    bool alive = false;
    enum opts_end end = CLI_PARSE(argc, argv, "keys", &words, { "--state", &dirs.state }, { "--even-if-alive", &alive });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false))
        return 2;
    if (words.n == 2 && strcmp(words.v[0], "rotate") == 0 && strcmp(words.v[1], "link-jwe") == 0)
        return alone(&s) ? cmd_rotate(&s) : 2;
    if (words.n == 1 && strcmp(words.v[0], "list") == 0)
        return cmd_list(&s);
    if (words.n == 2 && strcmp(words.v[0], "retire") == 0)
        return alone(&s) ? cmd_retire(&s, words.v[1], alive) : 2;
    say_error("使い方: pmhgw keys rotate link-jwe | list | retire KID", "usage: pmhgw keys rotate link-jwe | list | retire KID");
    return 2;
}
