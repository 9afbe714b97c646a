#include "gateway/notice/notice.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { FORM = 1, HANDLE_CHARS = 32, MUNI_CHARS = 6 };

enum who { WHO_NEEDED, WHO_NONE, WHO_EITHER };
struct form { enum who who; enum notice_what last; };
/* Whether somebody has to be named, and what can be told. */
static const struct form FORMS[NOTICE_KIND__MAX] = {
    [NOTICE_QUESTIONNAIRE] = { WHO_NEEDED, NOTICE_NEW }, [NOTICE_ELIGIBILITY] = { WHO_EITHER, NOTICE_ENDED }, [NOTICE_RECORD] = { WHO_NEEDED, NOTICE_ENDED },
    [NOTICE_CITIZEN] = { WHO_NEEDED, NOTICE_ENDED },     [NOTICE_PROVISION] = { WHO_NONE, NOTICE_ENDED },
};

static bool is_lower_hex(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
            return false;
    return true;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return true;
}

static bool good(const struct notice *n)
{
    const struct slice who = notice_who(n);
    if (n->kind < NOTICE_QUESTIONNAIRE || n->kind >= NOTICE_KIND__MAX || n->what < NOTICE_NEW || n->what > FORMS[n->kind].last)
        return false;
    for (size_t i = who.n; i < sizeof n->who; i++)
        if (n->who[i])
            return false;
    const enum who wanted = FORMS[n->kind].who;
    return (wanted == WHO_EITHER || !who.n == (wanted == WHO_NONE)) && is_name(who) && is_lower_hex(n->person.h, sizeof n->person.h) && all_digits(ARR(n->muni));
}

/* version u8 (1) | kind u8 | what u8 | at_ms u64 | h[32] | muni[6] | ref[16] | session[16] | version u16 | recipient */
ERR notice_encode(const struct notice *n, struct buf *out)
{
    if (!good(n))
        return FAIL(E_FIELD);
    buf_putc(out, FORM);
    buf_putc(out, (uint8_t)n->kind);
    buf_putc(out, (uint8_t)n->what);
    buf_be64(out, n->at_ms);
    buf_put(out, ARR(n->person.h));
    buf_put(out, ARR(n->muni));
    buf_put(out, ARR(n->ref));
    buf_put(out, ARR(n->session));
    buf_be16(out, n->version);
    buf_put(out, notice_who(n));
    return buf_check(out);
}

ERR notice_decode(struct slice plain, struct notice *ret_n)
{
    struct slice form, kind, what, at, h, muni, ref, session, version;
    struct notice n = { 0 };
    if (!slice_take(&plain, 1, &form) || form.p[0] != FORM || !slice_take(&plain, 1, &kind) || !slice_take(&plain, 1, &what) || !slice_take(&plain, 8, &at) ||
        !slice_take(&plain, HANDLE_CHARS, &h) || !slice_take(&plain, MUNI_CHARS, &muni) || !slice_take(&plain, NOTICE_ID_BYTES, &ref) ||
        !slice_take(&plain, NOTICE_ID_BYTES, &session) || !slice_take(&plain, 2, &version) || plain.n > sizeof n.who)
        return FAIL(E_SEAL);
    n.kind = (enum notice_kind)kind.p[0];
    n.what = (enum notice_what)what.p[0];
    for (size_t i = 0; i < at.n; i++)
        n.at_ms = n.at_ms << 8 | at.p[i];
    memcpy(n.person.h, h.p, sizeof n.person.h);
    memcpy(n.muni, muni.p, sizeof n.muni);
    memcpy(n.ref, ref.p, sizeof n.ref);
    memcpy(n.session, session.p, sizeof n.session);
    n.version = (uint16_t)(version.p[0] << 8 | version.p[1]);
    memcpy(n.who, plain.p, plain.n);
    if (!good(&n) || notice_who(&n).n != plain.n)
        return FAIL(E_SEAL);
    *ret_n = n;
    return OK;
}

/* ---- in redis-link ---- */

static void name_of(const char *head, const uint8_t id[static NOTICE_ID_BYTES], struct store_name *ret_k)
{
    static const char HEX[] = "0123456789abcdef";
    size_t n = strlen(head);
    memcpy(ret_k->c, head, n);
    for (size_t i = 0; i < NOTICE_ID_BYTES; i++) {
        ret_k->c[n++] = HEX[id[i] >> 4];
        ret_k->c[n++] = HEX[id[i] & 15];
    }
    ret_k->n = n;
}

void notice_name(const uint8_t id[static NOTICE_ID_BYTES], struct store_name *ret_k) { name_of("no:", id, ret_k); }

static ERR seal(struct store *s, const struct notice *n, const struct store_name *name, struct buf *sealed)
{
    struct buf plain;
    buf_init(&plain, NOTICE_PLAIN_MAX);
    struct err e = notice_encode(n, &plain);
    if (err_ok(e))
        e = store_seal(s, SLICE_NONE, name, SLICE_NONE, buf_slice(&plain), sealed);
    buf_done(&plain);
    return e;
}

ERR notice_open(struct store *s, const uint8_t id[static NOTICE_ID_BYTES], struct slice sealed, struct notice *ret_n)
{
    struct store_name name;
    struct buf plain;
    notice_name(id, &name);
    buf_init(&plain, NOTICE_PLAIN_MAX);
    struct err e = store_open(s, SLICE_NONE, &name, SLICE_NONE, sealed, &plain);
    if (err_ok(e))
        e = notice_decode(buf_slice(&plain), ret_n);
    buf_done(&plain);
    TRY(e);
    memcpy(ret_n->id, id, NOTICE_ID_BYTES);
    return OK;
}

/* The three commands, for a script or for a batch. */
#define PUT(...) put(to, sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })

static ERR add(struct store *s, struct notice *n, struct slice who, notice_put_fn *put, void *to, struct redis_swap *bounded)
{
    uint8_t lane[STORE_HANDLE_BYTES];
    const uint8_t kind = (uint8_t)n->kind;
    struct store_name name, queue;
    struct buf sealed, due;
    if (who.n > sizeof n->who)
        return FAIL(E_FIELD);
    memset(n->who, 0, sizeof n->who);
    if (who.n)
        memcpy(n->who, who.p, who.n);
    rnd_bytes(n->id, sizeof n->id);
    TRY(store_handle_lane(s, who, slice_of(&kind, 1), ARR(n->ref), lane));
    notice_name(n->id, &name);
    name_of("nl:", lane, &queue);
    buf_init(&sealed, NOTICE_PLAIN_MAX + AEAD_OVERHEAD);
    buf_init(&due, 32);
    struct err e = seal(s, n, &name, &sealed);
    buf_u64(&due, n->at_ms);
    if (err_ok(e)) {
        const struct slice hex = slice_of(name.c + 3, NOTICE_HEX), lane_hex = slice_of(queue.c + 3, NOTICE_HEX);
        if (bounded)
            redis_swap_room(bounded, REDIS_COUNT_LIST, store_name_slice(&queue), NOTICE_LANE_MAX);
        PUT(LIT("SET"), store_name_slice(&name), buf_slice(&sealed));
        PUT(LIT("RPUSH"), store_name_slice(&queue), hex);
        PUT(LIT("ZADD"), NOTICE_DUE, LIT("NX"), buf_slice(&due), lane_hex);
    }
    buf_done(&sealed);
    buf_done(&due);
    return e;
}

static void put_swap(void *to, size_t n, const struct slice *args) { redis_swap_add(to, n, args); }
static void put_batch(void *to, size_t n, const struct slice *args) { redis_add(to, n, args); }

ERR notice_add(struct store *s, struct notice *n, struct slice who, struct redis_swap *swap) { return add(s, n, who, put_swap, swap, swap); }
ERR notice_add_to_batch(struct store *s, struct notice *n, struct slice who, struct redis_batch *b) { return add(s, n, who, put_batch, b, NULL); }
ERR notice_add_by(struct store *s, struct notice *n, struct slice who, notice_put_fn *put, void *to) { return add(s, n, who, put, to, NULL); }

void notice_room(struct redis_swap *swap, uint64_t max) { redis_swap_room(swap, REDIS_COUNT_ZSET, NOTICE_DUE, max); }

/* ---- eligibility ---- */

bool notice_has_sessions(const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (slice_starts(redis_reply_str(redis_reply_at(hash, i)), LIT("sn:")))
            return true;
    return false;
}

void notice_eligibility(struct notice *ret_n, const struct store_name *person, const char muni[static 6], enum notice_what what, uint64_t now_ms)
{
    enum { HANDLE_AT = 3 /* p:{ */ };
    *ret_n = (struct notice){ .kind = NOTICE_ELIGIBILITY, .what = what, .at_ms = now_ms };
    memcpy(ret_n->person.h, person->c + HANDLE_AT, sizeof ret_n->person.h);
    memcpy(ret_n->muni, muni, sizeof ret_n->muni);
    if (!hex_decode(ARR(ret_n->person.h), ret_n->ref, sizeof ret_n->ref))
        memset(ret_n->ref, 0, sizeof ret_n->ref);
}
