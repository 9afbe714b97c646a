#include "gateway/cert/stored.h"

#include "gateway/base/text.h"

/* version u8 (1) | kind u8 | state u8 | kid[43] | rid[24] | issued_ms u64 | ended_ms u64 | n u8 | n times muni[6] | id[16] | version u16 */
enum { FORM = 1, HEAD = 3 + CERT_KID_CHARS + CERT_RID_MAX + 8 + 8 + 1, RECORD = 6 + CERT_RECORD_ID_BYTES + 2, PLAIN_MAX = HEAD + CERT_RECORDS_MAX * RECORD };

const char *cert_kind_name(enum cert_kind k)
{
    static const char *const NAMES[CERT_KIND__MAX] = { [CERT_SHC] = "shc", [CERT_VDS] = "vds-nc" };
    return k > 0 && k < CERT_KIND__MAX ? NAMES[k] : "?";
}

const char *cert_state_name(enum cert_state s)
{
    static const char *const NAMES[CERT_STATE__MAX] = { "good", "superseded", "revoked" };
    return s < CERT_STATE__MAX ? NAMES[s] : "?";
}

void cert_field(const uint8_t name[static CERT_NAME_BYTES], struct store_name *ret_f)
{
    struct buf b;
    buf_init(&b, sizeof ret_f->c);
    buf_puts(&b, "ct:");
    buf_hex(&b, slice_of(name, CERT_NAME_BYTES));
    memcpy(ret_f->c, b.p, b.n);
    ret_f->n = b.n;
    buf_done(&b);
}

bool cert_field_is(struct slice field, uint8_t ret_name[static CERT_NAME_BYTES])
{
    struct slice rest = field, head;
    return slice_take(&rest, 3, &head) && slice_eq(head, LIT("ct:")) && hex_decode(rest, ret_name, CERT_NAME_BYTES);
}

void cert_list_name(const char kid[static CERT_KID_CHARS], struct store_name *ret_k)
{
    memcpy(ret_k->c, "cr:", 3);
    memcpy(ret_k->c + 3, kid, CERT_KID_CHARS);
    ret_k->n = 3 + CERT_KID_CHARS;
}

/* ---- the plain form ---- */

struct err cert_encode(const struct cert_stored *c, struct buf *out)
{
    if (c->n_records > CERT_RECORDS_MAX)
        return FAIL(E_FULL);
    buf_putc(out, FORM);
    buf_putc(out, (uint8_t)c->kind);
    buf_putc(out, (uint8_t)c->state);
    buf_put(out, ARR(c->kid));
    buf_put(out, ARR(c->rid));
    buf_be64(out, c->issued_ms);
    buf_be64(out, c->ended_ms);
    buf_putc(out, (uint8_t)c->n_records);
    for (size_t i = 0; i < c->n_records; i++) {
        buf_put(out, ARR(c->records[i].muni));
        buf_put(out, ARR(c->records[i].id));
        buf_be16(out, c->records[i].version);
    }
    return buf_check(out);
}

static uint64_t be(struct slice s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return v;
}

static void take_bytes(struct slice *in, void *to, size_t n)
{
    struct slice s;
    if (slice_take(in, n, &s))
        memcpy(to, s.p, n);
}

static uint64_t take_be(struct slice *in, size_t n)
{
    struct slice s;
    return slice_take(in, n, &s) ? be(s) : 0;
}

/* With zeros behind them to the end when padded: at least one then. */
static bool chars_good(const char *p, size_t n, bool padded)
{
    const size_t chars = padded ? strnlen(p, n) : n;
    for (size_t i = chars; i < n; i++)
        if (p[i] != 0)
            return false;
    return (chars || !padded) && all_url_safe(slice_of(p, chars));
}

struct err cert_decode(struct slice plain, struct cert_stored *ret_c)
{
    struct cert_stored c = { 0 };
    struct slice in = plain;
    if (plain.n < HEAD || (plain.n - HEAD) % RECORD != 0 || plain.p[0] != FORM || plain.p[HEAD - 1] != (plain.n - HEAD) / RECORD)
        return FAIL(E_SEAL);
    if (plain.p[1] == 0 || plain.p[1] >= CERT_KIND__MAX || plain.p[2] >= CERT_STATE__MAX || plain.p[HEAD - 1] > CERT_RECORDS_MAX)
        return FAIL(E_SEAL);
    take_be(&in, 1);
    c.kind = (enum cert_kind)take_be(&in, 1);
    c.state = (enum cert_state)take_be(&in, 1);
    take_bytes(&in, c.kid, sizeof c.kid);
    take_bytes(&in, c.rid, sizeof c.rid);
    c.issued_ms = take_be(&in, 8);
    c.ended_ms = take_be(&in, 8);
    c.n_records = (size_t)take_be(&in, 1);
    for (size_t i = 0; i < c.n_records; i++) {
        take_bytes(&in, c.records[i].muni, sizeof c.records[i].muni);
        take_bytes(&in, c.records[i].id, sizeof c.records[i].id);
        c.records[i].version = (uint16_t)take_be(&in, 2);
        if (!all_digits(ARR(c.records[i].muni)))
            return FAIL(E_SEAL);
    }
    if (!chars_good(c.kid, sizeof c.kid, false) || !chars_good(c.rid, sizeof c.rid, true))
        return FAIL(E_SEAL);
    *ret_c = c;
    return OK;
}

struct err cert_open(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct cert_stored *ret_c)
{
    struct buf plain;
    uint8_t name[CERT_NAME_BYTES];
    if (!cert_field_is(field, name))
        return FAIL(E_SEAL);
    buf_init(&plain, PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = store_open(s, SLICE_NONE, person, field, sealed, &plain);
    if (err_ok(e))
        e = cert_decode(buf_slice(&plain), ret_c);
    buf_done(&plain);
    if (err_ok(e))
        memcpy(ret_c->name, name, sizeof name);
    return e;
}

bool cert_split(const struct cert_stored *c, bool (*is)(const void *arg, const struct cert_record *r), const void *arg, struct cert_stored *ret_those,
                struct cert_stored *ret_others)
{
    struct cert_stored those = *c, others = *c;
    those.n_records = others.n_records = 0;
    for (size_t i = 0; i < c->n_records; i++) {
        struct cert_stored *to = is(arg, &c->records[i]) ? &those : &others;
        to->records[to->n_records++] = c->records[i];
    }
    *ret_those = those;
    *ret_others = others;
    return those.n_records > 0;
}

/* ---- all of a person ---- */

/* Newest first; what does not fit is older than all that is there. */
static void insert(struct cert_book *b, const struct cert_stored *c)
{
    size_t at = b->n;
    while (at > 0 && b->certs[at - 1].issued_ms < c->issued_ms)
        at--;
    if (at == CERT_KEEP_MAX)
        return;
    size_t last = b->n < CERT_KEEP_MAX ? b->n : CERT_KEEP_MAX - 1;
    memmove(&b->certs[at + 1], &b->certs[at], (last - at) * sizeof *c);
    b->certs[at] = *c;
    b->n = last + 1;
}

struct err cert_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct cert_book *ret_b)
{
    uint8_t name[CERT_NAME_BYTES];
    struct cert_stored c;
    ret_b->n = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = redis_reply_str(redis_reply_at(hash, i));
        if (!cert_field_is(field, name))
            continue;
        TRY(cert_open(s, person, field, redis_reply_str(redis_reply_at(hash, i + 1)), &c));
        insert(ret_b, &c);
    }
    return OK;
}

/* ---- changes ---- */

struct err cert_seal(struct store *s, const struct store_name *person, const struct cert_stored *c, struct buf *out)
{
    struct store_name field;
    struct buf plain;
    cert_field(c->name, &field);
    buf_init(&plain, PLAIN_MAX);
    struct err e = cert_encode(c, &plain);
    if (err_ok(e))
        e = store_seal(s, SLICE_NONE, person, store_name_slice(&field), buf_slice(&plain), out);
    buf_done(&plain);
    return e;
}

struct err cert_add(struct store *s, const struct store_name *person, const struct cert_stored *c, struct redis_swap *swap)
{
    struct store_name field;
    struct buf sealed;
    cert_field(c->name, &field);
    buf_init(&sealed, PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = cert_seal(s, person, c, &sealed);
    if (err_ok(e))
        REDIS_SWAP(swap, LIT("HSET"), store_name_slice(person), store_name_slice(&field), buf_slice(&sealed));
    buf_done(&sealed);
    return e;
}

static void list_add(const struct cert_stored *c, struct redis_swap *swap)
{
    struct store_name list;
    cert_list_name(c->kid, &list);
    /* GT: what was revoked does not become superseded */
    REDIS_SWAP(swap, LIT("ZADD"), store_name_slice(&list), LIT("GT"), c->state == CERT_REVOKED ? LIT("2") : LIT("1"), slice_of(c->rid, strnlen(c->rid, sizeof c->rid)));
}

struct err cert_end_add(struct store *s, const struct store_name *person, struct cert_stored *c, enum cert_state state, uint64_t now_ms, struct redis_swap *swap)
{
    c->state = state;
    c->ended_ms = now_ms;
    list_add(c, swap);
    return cert_add(s, person, c, swap);
}

static void forget(const struct store_name *person, struct cert_book *book, size_t i, struct redis_swap *swap)
{
    struct store_name field;
    cert_field(book->certs[i].name, &field);
    REDIS_SWAP(swap, LIT("HDEL"), store_name_slice(person), store_name_slice(&field));
    memmove(&book->certs[i], &book->certs[i + 1], (book->n - i - 1) * sizeof book->certs[0]);
    book->n--;
}

struct err cert_prune_add(struct store *s, const struct store_name *person, struct cert_book *book, size_t room, uint64_t now_ms, struct redis_swap *swap)
{
    (void)s;
    for (size_t i = book->n; i > 0 && book->n + room > CERT_KEEP_MAX; i--)
        if (book->certs[i - 1].state != CERT_GOOD)
            forget(person, book, i - 1, swap);
    while (book->n > 0 && book->n + room > CERT_KEEP_MAX) {
        struct cert_stored *c = &book->certs[book->n - 1];
        c->state = CERT_SUPERSEDED;
        c->ended_ms = now_ms;
        list_add(c, swap);
        forget(person, book, book->n - 1, swap);
    }
    return OK;
}

static bool has_older(const struct cert_stored *c, const char muni[static 6], const uint8_t id[static CERT_RECORD_ID_BYTES], uint16_t version)
{
    for (size_t i = 0; i < c->n_records; i++)
        if (slice_eq(ARR(c->records[i].muni), slice_of(muni, 6)) && slice_eq(ARR(c->records[i].id), slice_of(id, CERT_RECORD_ID_BYTES)) &&
            c->records[i].version < version)
            return true;
    return false;
}

struct err cert_supersede_add(struct store *s, const struct store_name *person, const struct redis_reply *hash, const char muni[static 6],
                              const uint8_t id[static CERT_RECORD_ID_BYTES], uint16_t version, uint64_t now_ms, struct redis_swap *swap, size_t *ret_n)
{
    uint8_t name[CERT_NAME_BYTES];
    struct cert_stored c;
    size_t n = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = redis_reply_str(redis_reply_at(hash, i));
        if (!cert_field_is(field, name))
            continue;
        TRY(cert_open(s, person, field, redis_reply_str(redis_reply_at(hash, i + 1)), &c));
        if (c.state != CERT_GOOD || !has_older(&c, muni, id, version))
            continue;
        TRY(cert_end_add(s, person, &c, CERT_SUPERSEDED, now_ms, swap));
        n++;
    }
    *ret_n = n;
    return OK;
}
