#include "keys/ctl/replay_member.h"

#include <string.h>

#include "keys/ctl/replay.h"
#include "keys/staff/kept.h"

enum { ROOM = 64 * 1024 };

struct member {
    struct store *store;
    struct nz_user_name name;
    struct nz_user user;
    bool there;
    uint8_t sealed[NZ_USER_MAX + AEAD_OVERHEAD];
    size_t n_sealed;
};

static ERR member_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct member *m = arg;
    const struct slice sealed = n == 1 ? redis_reply_str(replies[0]) : SLICE_NONE;
    m->there = sealed.n > 0;
    m->n_sealed = sealed.n;
    if (sealed.n > sizeof m->sealed)
        return FAIL(E_SEAL);
    if (!m->there)
        return OK;
    memcpy(m->sealed, sealed.p, sealed.n);
    return nz_user_open(m->store, m->name.us.c + 3, &m->name, sealed, &m->user);
}

static ERR member_changed(void *arg, const struct redis_reply *const *replies, size_t n)
{
    uint64_t epoch;
    (void)arg;
    return nz_change_heard(replies, n, &epoch);
}

static ERR member_write(struct link_line *line, struct member *m)
{
    struct nz_user_change c = { .name = &m->name, .old = slice_of(m->sealed, m->n_sealed) };
    struct arena *a = arena_new(ROOM);
    struct redis_batch *b = redis_batch_new(ROOM);
    struct err e = a && b ? nz_user_seal(m->store, m->name.us.c + 3, &m->name, &m->user, a, &c.now) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        nz_change_ask(&c, b);
        e = link_line_ask(line, LINK_INTAKE, b, member_changed, NULL);
    } else {
        redis_batch_free(b);
    }
    arena_free(a);
    return e;
}

ERR replay_member(struct link_line *line, struct store *store, const struct audit_rec *rec, bool dry, bool *ret_lost)
{
    struct member m = { .store = store };
    struct redis_batch *b = redis_batch_new(512);
    nz_user_name_from(rec->muni, rec->ref, &m.name);
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&m.name.us), ARR(m.name.hex));
    struct err e = link_line_ask(line, LINK_INTAKE, b, member_heard, &m);
    *ret_lost = err_ok(e) && m.there && replay_staff(rec, &m.user);
    if (*ret_lost && !dry)
        e = member_write(line, &m);
    explicit_bzero(&m.user, sizeof m.user);
    return e;
}

ERR replay_sessions_end(struct link_line *line, uint64_t now_ms)
{
    struct redis_batch *b = redis_batch_new(256);
    if (b) {
        redis_begin(b, 3);
        redis_arg(b, LIT("SET"));
        redis_arg(b, NZ_SESSIONS_SINCE);
        redis_arg_u64(b, now_ms);
    }
    return link_line_ask(line, LINK_INTAKE, b, NULL, NULL);
}
