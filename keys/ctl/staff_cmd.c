/* pmhgw staff: the register of a municipality's staff, for the operator: the first user has nobody who could make it at the door. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/link_once.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/out.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/register.h"
#include "keys/ctl/say.h"
#include "keys/staff/kept.h"
#include "keys/staff/password.h"

enum { MUNI = 6, BATCH_MAX = 64 * 1024, SEALED_MAX = NZ_USER_MAX + 64 };

struct staff {
    struct state s;
    struct keyring *ring;
    struct store *store;
    struct basis *basis;
    char muni[MUNI + 1];
    struct nz_user_name name;
    struct nz_user user;
    bool there;
    uint8_t sealed[SEALED_MAX];
    size_t n_sealed;
    struct nz_user *users; /* list */
    size_t n_users;
};

struct rights { const char *role, *programs, *shown, *from, *until; bool reveal; };

static uint64_t wall_ms(void)
{
    struct clock c = clock_system();
    return clock_wall(&c);
}

/* ---- parts ---- */

static void staff_done(struct staff *t)
{
    free(t->users);
    basis_free(t->basis);
    store_free(t->store);
    keyring_free(t->ring);
    explicit_bzero(t, sizeof *t);
}

static bool staff_open(struct staff *t, const struct state_dirs *dirs, const char *muni)
{
    if (!state_open(&t->s, dirs, false))
        return false;
    struct err e = link_store(&t->s, &t->ring, &t->store);
    if (!err_ok(e)) {
        say_err("鍵を読めません", "the keys cannot be read", e);
        return false;
    }
    if (strlen(muni) != MUNI || !store_knows_muni(t->store, slice_str(muni))) {
        say_error("この自治体の鍵がありません", "there are no keys of this municipality");
        return false;
    }
    memcpy(t->muni, muni, sizeof t->muni);
    return ctl_register(&t->s, NULL, &t->basis);
}

static struct err user_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct staff *t = arg;
    struct slice sealed = n == 1 ? redis_reply_str(replies[0]) : SLICE_NONE;
    if (n != 1 || sealed.n > sizeof t->sealed)
        return FAIL(E_STORE_REFUSED);
    t->there = sealed.n > 0;
    t->n_sealed = sealed.n;
    if (!t->there)
        return OK;
    memcpy(t->sealed, sealed.p, sealed.n);
    return nz_user_open(t->store, t->muni, &t->name, sealed, &t->user);
}

static ERR user_read(struct staff *t, struct slice id)
{
    TRY(nz_user_name_of(t->store, t->muni, id, &t->name));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&t->name.us), ARR(t->name.hex));
    return link_once(&t->s, b, user_heard, t);
}

static struct err change_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    return nz_change_heard(replies, n, arg);
}

static ERR change_send(struct staff *t, struct arena *a, bool forget, uint64_t *ret_epoch)
{
    struct nz_user_change c = { .name = &t->name, .old = slice_of(t->sealed, t->n_sealed), .forget = forget };
    TRY(nz_user_seal(t->store, t->muni, &t->name, &t->user, a, &c.now));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        nz_change_ask(&c, b);
    return link_once(&t->s, b, change_heard, ret_epoch);
}

/* Changed, then recorded with the version and the epoch. The version ends the sessions of the user. */
static ERR user_write(struct staff *t, bool forget)
{
    struct audit_rec rec = { .event = AU_STAFF_CHANGED, .result = AR_OK };
    struct arena *a = arena_new(BATCH_MAX);
    if (!a)
        return FAIL(E_NOMEM);
    audit_set_actor(&rec, LIT("ctl"));
    memcpy(rec.muni, t->muni, sizeof rec.muni);
    memcpy(rec.ref, t->name.handle, sizeof rec.ref);
    basis_note(&rec, basis_judge(t->basis, CALLER_MUNICIPALITY, SLICE_NONE, LIT("putUser"), SLICE_NONE, 0));
    rec.count = (uint32_t)++t->user.version;
    uint64_t last;
    struct err e = probe_audit(&t->s, &last); /* nothing is changed that could not be told */
    if (err_ok(e))
        e = change_send(t, a, forget, &rec.epoch);
    if (err_ok(e))
        e = audit_append_once(&t->s, &rec);
    arena_free(a);
    return e;
}

static ERR password_give(struct staff *t, char one_time[static NZ_ONE_TIME_CHARS + 1])
{
    struct nz_password p;
    nz_password_one_time(one_time);
    one_time[NZ_ONE_TIME_CHARS] = 0;
    rnd_bytes(p.salt, sizeof p.salt);
    TRY(nz_password_hash(slice_of(one_time, NZ_ONE_TIME_CHARS), p.salt, p.hash));
    nz_user_password_put(&t->user, &p, wall_ms());
    t->user.must_change = true;
    explicit_bzero(t->user.giver, sizeof t->user.giver);
    return OK;
}

static int failed(struct err e)
{
    say_err("利用者を変更できません", "the user cannot be changed", e);
    return 2;
}

static int password_told(struct staff *t, const char *one_time)
{
    struct err e = user_write(t, true);
    if (!err_ok(e))
        return failed(e);
    say_ok("%s の一度限りのパスワード(最初のログインで変更します):", "one-time password of %s, to be changed at the first login:", t->user.id);
    puts(one_time);
    out_put_text("user", t->user.id);
    out_put_text("one_time_password", one_time);
    return 0;
}

/* ---- add ---- */

static bool rights_programs(struct staff *t, const char *list)
{
    struct slice rest = slice_str(list), word;
    bool more = rest.n > 0;
    while (more) {
        word = rest;
        more = slice_cut(rest, ',', &word, &rest);
        if (t->user.n_programs == NZ_USER_PROGRAMS_MAX || word.n > NZ_PROGRAM_MAX || (!slice_eq(word, LIT("*")) && !basis_has_program(t->basis, word))) {
            say_error("その業務は台帳にありません。pmhgw basis list を見てください", "no such program in the register; see pmhgw basis list");
            return false;
        }
        memcpy(t->user.program[t->user.n_programs], word.p, word.n);
        t->user.program[t->user.n_programs++][word.n] = 0;
    }
    return true;
}

static bool day_ok(const char *text, ymd_t *to)
{
    if (!text || ymd_parse(slice_str(text), to))
        return true;
    say_error("日付は YYYY-MM-DD で指定してください", "a day is written YYYY-MM-DD");
    return false;
}

static bool rights_take(struct staff *t, const struct rights *r)
{
    if (!r->role || !nz_role_parse(slice_str(r->role), &t->user.role)) {
        say_error("--role は viewer、officer、admin のどれかです", "--role is viewer, officer or admin");
        return false;
    }
    const char *shown = r->shown ? r->shown : t->user.id;
    if (!nz_user_shown_ok(slice_str(shown))) {
        say_error("その表示名は使えません", "this name cannot be shown");
        return false;
    }
    snprintf(t->user.shown, sizeof t->user.shown, "%s", shown);
    t->user.reveal = r->reveal;
    return rights_programs(t, r->programs ? r->programs : "") && day_ok(r->from, &t->user.from) && day_ok(r->until, &t->user.until);
}

static int cmd_add(struct staff *t, const char *id, const struct rights *r)
{
    char one_time[NZ_ONE_TIME_CHARS + 1];
    struct err e = user_read(t, slice_str(id));
    if (!err_ok(e))
        return failed(e);
    if (t->there) {
        say_error("その利用者はすでにあります", "there is such a user already");
        return 2;
    }
    t->user = (struct nz_user){ .made_ms = wall_ms() };
    snprintf(t->user.id, sizeof t->user.id, "%s", id);
    if (!rights_take(t, r))
        return 2;
    e = password_give(t, one_time);
    int status = err_ok(e) ? password_told(t, one_time) : failed(e);
    explicit_bzero(one_time, sizeof one_time);
    return status;
}

/* ---- withdraw, reset-password ---- */

static bool known(struct staff *t, const char *id, struct err *ret_e)
{
    *ret_e = user_read(t, slice_str(id));
    if (!err_ok(*ret_e))
        failed(*ret_e);
    else if (!t->there)
        say_error("その利用者はありません", "there is no such user");
    return err_ok(*ret_e) && t->there;
}

static int cmd_withdraw(struct staff *t, const char *id, const struct rights *r)
{
    struct err e;
    (void)r;
    if (!known(t, id, &e))
        return 2;
    t->user.withdrawn = true;
    e = user_write(t, false);
    if (!err_ok(e))
        return failed(e);
    say_ok("%s を停止しました。ログイン中のセッションも終わりました", "%s is withdrawn; its sessions have ended", t->user.id);
    return 0;
}

static int reset(struct staff *t, const char *id, bool comes_back)
{
    char one_time[NZ_ONE_TIME_CHARS + 1];
    struct err e;
    if (!known(t, id, &e))
        return 2;
    t->user.totp = NZ_TOTP_NONE;
    t->user.withdrawn = t->user.withdrawn && !comes_back;
    e = password_give(t, one_time);
    int status = err_ok(e) ? password_told(t, one_time) : failed(e);
    explicit_bzero(one_time, sizeof one_time);
    return status;
}

static int cmd_reset(struct staff *t, const char *id, const struct rights *r)
{
    (void)r;
    return reset(t, id, false);
}

/* Who was withdrawn comes back with a new password only. */
static int cmd_comeback(struct staff *t, const char *id, const struct rights *r)
{
    (void)r;
    return reset(t, id, true);
}

/* ---- list ---- */

static int by_id(const void *a, const void *b)
{
    const struct nz_user *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static struct err list_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct staff *t = arg;
    size_t users = n == 1 ? redis_reply_len(replies[0]) / 2 : 0;
    uint8_t handle[STORE_HANDLE_BYTES];
    t->users = calloc(users + 1, sizeof *t->users);
    if (!t->users)
        return FAIL(E_NOMEM);
    for (; t->n_users < users; t->n_users++) {
        if (!hex_decode(redis_reply_str(redis_reply_at(replies[0], 2 * t->n_users)), handle, sizeof handle))
            return FAIL(E_SEAL);
        nz_user_name_from(t->muni, handle, &t->name);
        TRY(nz_user_open(t->store, t->muni, &t->name, redis_reply_str(redis_reply_at(replies[0], 2 * t->n_users + 1)), &t->users[t->n_users]));
    }
    qsort(t->users, t->n_users, sizeof *t->users, by_id);
    return OK;
}

static const struct grid_col COLS[] = {
    { "user", "利用者", "user", GRID_TEXT, false }, { "role", "役割", "role", GRID_TEXT, false }, { "state", "状態", "state", GRID_TEXT, false },
    { "reveal", "番号閲覧", "numbers", GRID_FLAG, false }, { "two_factors", "二要素", "2 factors", GRID_FLAG, false }, { "until", "期限", "until", GRID_TEXT, false },
    { "programs", "業務", "programs", GRID_TEXT, true }, { "name", "名前", "name", GRID_TEXT, true },
};

static void add_user(struct grid *g, const struct nz_user *u)
{
    char day[11] = "", programs[512] = "";
    if (u->until)
        ymd_format(u->until, day);
    for (unsigned i = 0; i < u->n_programs; i++)
        snprintf(programs + strlen(programs), sizeof programs - strlen(programs), "%s%s", i ? "," : "", u->program[i]);
    GRID_ADD(g, u->id, nz_role_word(u->role), u->withdrawn ? say_pick("停止\twithdrawn", "withdrawn\twithdrawn") : say_pick("有効\tactive", "active\tactive"),
             u->reveal ? say_pick("番号閲覧可", "may see numbers") : "", u->totp == NZ_TOTP_ACTIVE ? say_pick("二要素", "two factors") : "", day, programs, u->shown);
}

static int cmd_list(struct staff *t)
{
    static const uint8_t NOBODY[STORE_HANDLE_BYTES];
    nz_user_name_from(t->muni, NOBODY, &t->name);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t->name.us));
    struct err e = link_once(&t->s, b, list_heard, t);
    if (!err_ok(e)) {
        say_err("利用者を読めません", "the users cannot be read", e);
        return 2;
    }
    struct grid *g = grid_new(COLS, sizeof COLS / sizeof *COLS);
    for (size_t i = 0; g && i < t->n_users; i++)
        add_user(g, &t->users[i]);
    return grid_show(g, "users") ? 0 : 2;
}

/* ---- the command ---- */

static const struct { const char *word; int (*run)(struct staff *t, const char *id, const struct rights *r); } VERBS[] = {
    { "add", cmd_add }, { "withdraw", cmd_withdraw }, { "reset-password", cmd_reset }, { "restore", cmd_comeback },
};

static int run(struct staff *t, const struct opt_list *words, const struct rights *r)
{
    if (words->n == 2 && strcmp(words->v[0], "list") == 0)
        return cmd_list(t);
    for (size_t i = 0; words->n == 3 && i < sizeof VERBS / sizeof *VERBS; i++) {
        if (strcmp(words->v[0], VERBS[i].word) != 0)
            continue;
        if (nz_user_id_ok(slice_str(words->v[2])))
            return VERBS[i].run(t, words->v[2], r);
        say_error("利用者 ID は英小文字・数字・_・- で 3 から 32 文字です(数字は 11 個まで)", "a user id is 3 to 32 of a-z, 0-9, _ and -, with 11 digits at most");
        return 2;
    }
    say_error("使い方: pmhgw staff add|withdraw|restore|reset-password MUNI USER | list MUNI", "usage: pmhgw staff add|withdraw|restore|reset-password MUNI USER | list MUNI");
    return 2;
}

int cmd_staff(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct rights r = { 0 };
    struct opt_list words;
    enum opts_end end = CLI_PARSE(argc, argv, "staff", &words, { "--role", &r.role }, { "--programs", &r.programs }, { "--name", &r.shown }, { "--reveal", &r.reveal }, { "--from", &r.from }, { "--until", &r.until }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct staff *t = calloc(1, sizeof *t);
    if (!t)
        return 2;
    int status = staff_open(t, &dirs, words.v[1]) ? run(t, &words, &r) : 2;
    staff_done(t);
    free(t);
    return status;
}
