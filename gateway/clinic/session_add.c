#include "gateway/clinic/session.h"

static ERR begin(struct store *store, struct session *io_s, uint64_t now_ms, struct session_token *ret_t)
{
    TRY(session_token_new(store, &io_s->person, ret_t));
    io_s->open.name = ret_t->name;
    io_s->open.opened_ms = now_ms;
    return OK;
}

ERR session_add(struct store *store, const struct redis_reply *hash, struct session *io_s, const struct consent_entry *e, uint64_t now_ms, struct session_token *ret_t,
                struct redis_batch *b)
{
    struct store_name person;
    store_name_person(&io_s->person, &person);
    TRY(begin(store, io_s, now_ms, ret_t));
    return consent_add_use(store, &person, hash, e, &io_s->open, &io_s->held, now_ms, b);
}

/* = SET, as it was, and what a first use leaves: nobody else's use gets there. */
#define USE_SCRIPT                                                                                                                                   \
    "local u=redis.call('SET',KEYS[1],ARGV[1],'NX','GET','PX',ARGV[2]) "                                                                             \
    "if not u then redis.call('HSETNX',KEYS[2],ARGV[3],ARGV[4]) redis.call('HSET',KEYS[2],ARGV[5],ARGV[6]) end return u"

static void add_script(const struct session_use *u, const struct session *s, const struct store_name *person, const struct consent_use *told, struct redis_batch *b)
{
    redis_begin(b, 11);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(USE_SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(u->key));
    redis_arg(b, store_name_slice(person));
    redis_arg_u64(b, s->open.opened_ms);
    redis_arg_u64(b, u->life_ms);
    redis_arg(b, store_name_slice(&told->given_field));
    redis_arg(b, buf_slice(&told->given));
    redis_arg(b, store_name_slice(&told->session_field));
    redis_arg(b, buf_slice(&told->session));
}

ERR session_use_add(struct store *store, struct session *io_s, const struct session_use *u, uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b)
{
    struct store_name person;
    struct consent_use told;
    store_name_person(&io_s->person, &person);
    TRY(begin(store, io_s, now_ms, ret_t));
    struct err e = consent_use_seal(store, &person, &u->consent, &io_s->open, &io_s->held, &told);
    if (err_ok(e))
        add_script(u, io_s, &person, &told, b);
    consent_use_done(&told);
    return e;
}

void session_write_id(struct jsonw *w, const struct consent_name *session)
{
    char hex[2 * STORE_HANDLE_BYTES];
    consent_name_hex(session, hex);
    jsonw_str(w, "session_id", ARR(hex));
}
