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

ERR session_add_unseen(struct store *store, struct session *io_s, const struct consent_entry *e, uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b)
{
    struct store_name person;
    struct consent_use told;
    store_name_person(&io_s->person, &person);
    TRY(begin(store, io_s, now_ms, ret_t));
    struct err err = consent_use_seal(store, &person, e, &io_s->open, &io_s->held, &told);
    if (err_ok(err)) {
        REDIS_ADD(b, LIT("HSETNX"), store_name_slice(&person), store_name_slice(&told.given_field), buf_slice(&told.given));
        REDIS_ADD(b, LIT("HSET"), store_name_slice(&person), store_name_slice(&told.session_field), buf_slice(&told.session));
    }
    consent_use_done(&told);
    return err;
}

void session_write_id(struct jsonw *w, const struct consent_name *session)
{
    char hex[2 * STORE_HANDLE_BYTES];
    consent_name_hex(session, hex);
    jsonw_str(w, "session_id", ARR(hex));
}
