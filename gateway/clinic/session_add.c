#include "gateway/clinic/session.h"

static ERR seal(struct store *store, const struct session *s, const struct session_token *t, struct redis_batch *b)
{
    struct store_name name;
    struct buf plain, sealed;
    store_name_of_session(t->name.b, &name);
    buf_init(&plain, SESSION_PLAIN_MAX);
    buf_init(&sealed, SESSION_PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = session_encode(s, &plain);
    if (err_ok(e))
        e = store_seal(store, SLICE_NONE, &name, SLICE_NONE, buf_slice(&plain), &sealed);
    if (err_ok(e)) {
        redis_begin(b, 5);
        redis_arg(b, LIT("SET"));
        redis_arg(b, store_name_slice(&name));
        redis_arg(b, buf_slice(&sealed));
        redis_arg(b, LIT("PXAT"));
        redis_arg_u64(b, s->expires_ms);
    }
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}

static struct session_entry entry_of(const struct session *s, const char clinic[static CONSENT_CLINIC_CHARS], uint64_t now_ms)
{
    struct session_entry n = { .consent = s->consent, .opened_ms = now_ms, .until_ms = s->expires_ms, .kinds = s->scope.kinds };
    memcpy(n.clinic, clinic, sizeof n.clinic);
    return n;
}

static ERR name_token(struct store *store, struct session_token *ret_t)
{
    session_token(ret_t->text);
    return session_name_of(store, ARR(ret_t->text), &ret_t->name);
}

ERR session_add(struct store *store, const struct redis_reply *hash, const struct session *s, const struct consent_entry *e, const char clinic[static CONSENT_CLINIC_CHARS],
                uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b)
{
    struct store_name person;
    struct session_entry n = entry_of(s, clinic, now_ms);
    store_name_person(&s->person, &person);
    TRY(name_token(store, ret_t));
    n.name = ret_t->name;
    TRY(seal(store, s, ret_t, b));
    return consent_add_use(store, &person, hash, e, &n, now_ms, b);
}

/* = SET, as it was, and what a first use leaves: nobody else's use gets there. */
#define USE_SCRIPT                                                                                                                                   \
    "local u=redis.call('SET',KEYS[1],ARGV[1],'NX','GET','PX',ARGV[2]) "                                                                             \
    "if not u then redis.call('HSETNX',KEYS[2],ARGV[3],ARGV[4]) redis.call('HSET',KEYS[2],ARGV[5],ARGV[6]) end return u"

static void add_script(const struct session_use *u, const struct store_name *person, const struct consent_use *told, struct redis_batch *b)
{
    redis_begin(b, 11);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(USE_SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(u->key));
    redis_arg(b, store_name_slice(person));
    redis_arg_u64(b, u->open.opened_ms);
    redis_arg_u64(b, u->life_ms);
    redis_arg(b, store_name_slice(&told->given_field));
    redis_arg(b, buf_slice(&told->given));
    redis_arg(b, store_name_slice(&told->session_field));
    redis_arg(b, buf_slice(&told->session));
}

ERR session_use_add(struct store *store, const struct session *s, struct session_use *u, uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b)
{
    struct store_name person;
    struct consent_use told;
    u->open = entry_of(s, u->consent.clinic, now_ms);
    store_name_person(&s->person, &person);
    TRY(name_token(store, ret_t));
    u->open.name = ret_t->name;
    struct err e = consent_use_seal(store, &person, &u->consent, &u->open, &told);
    if (err_ok(e))
        add_script(u, &person, &told, b);
    consent_use_done(&told);
    return err_ok(e) ? seal(store, s, ret_t, b) : e;
}

void session_write_id(struct jsonw *w, const struct consent_name *session)
{
    char hex[2 * STORE_HANDLE_BYTES];
    consent_name_hex(session, hex);
    jsonw_str(w, "session_id", ARR(hex));
}
