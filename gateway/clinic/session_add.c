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

ERR session_add(struct store *store, const struct redis_reply *hash, const struct session *s, const struct consent_entry *e, const char clinic[static CONSENT_CLINIC_CHARS],
                uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b)
{
    struct store_name person;
    struct session_entry n = { .consent = s->consent, .opened_ms = now_ms, .until_ms = s->expires_ms, .kinds = s->scope.kinds };
    memcpy(n.clinic, clinic, sizeof n.clinic);
    store_name_person(&s->person, &person);
    session_token(ret_t->text);
    TRY(session_name_of(store, ARR(ret_t->text), &ret_t->name));
    n.name = ret_t->name;
    TRY(seal(store, s, ret_t, b));
    return consent_add_use(store, &person, hash, e, &n, now_ms, b);
}

void session_write_id(struct jsonw *w, const struct consent_name *session)
{
    char hex[2 * STORE_HANDLE_BYTES];
    consent_name_hex(session, hex);
    jsonw_str(w, "session_id", ARR(hex));
}
