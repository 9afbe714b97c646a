#include "keys/vault/shelf.h"

#include "gateway/base/text.h"

enum { BATCH_MAX = 4096, NAME_BYTES = 80 };

/* KEYS: index, number, ticket. ARGV: entry, sealed number, grant without the sid: head, tail ("" "": no ticket), life.
 * Of a known number the place is not among the KEYS: it is the sid of the entry, which nobody knows before. */
#define LINK_SCRIPT                                                                                                    \
    "local entry = redis.call('GET', KEYS[1]) "                                                                        \
    "local sealed = false "                                                                                            \
    "local known = 1 "                                                                                                 \
    "if entry then "                                                                                                   \
    "  local hex = string.gsub(string.sub(entry, 1, 16), '.', function(c) return string.format('%02x', string.byte(c)) end) " \
    "  sealed = redis.call('GET', 'n:' .. hex) "                                                                       \
    "else "                                                                                                            \
    "  entry = ARGV[1] known = 0 "                                                                                     \
    "  redis.call('SET', KEYS[2], ARGV[2]) "                                                                           \
    "  redis.call('SET', KEYS[1], entry) "                                                                             \
    "end "                                                                                                             \
    "if ARGV[3] ~= '' then "                                                                                           \
    "  redis.call('SET', KEYS[3], ARGV[3] .. string.sub(entry, 1, 16) .. ARGV[4], 'EX', ARGV[5]) "                     \
    "end "                                                                                                             \
    "return {entry, known, sealed or ''}"

/* KEYS: number, index. ARGV: stale ("": none), sealed, sid. */
#define REPLACE_SCRIPT                                                        \
    "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end "     \
    "if string.sub(redis.call('GET', KEYS[2]) or '', 1, 16) ~= ARGV[3] then return 0 end " \
    "redis.call('SET', KEYS[1], ARGV[2]) "                                    \
    "return 1"

/* KEYS: number, index. ARGV: sealed, sid. */
#define REMOVE_SCRIPT                                                         \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "             \
    "redis.call('DEL', KEYS[1]) "                                             \
    "if string.sub(redis.call('GET', KEYS[2]) or '', 1, 16) == ARGV[2] then " \
    "  redis.call('DEL', KEYS[2]) "                                           \
    "end "                                                                    \
    "return 1"

/* KEYS: ticket, next ticket, number. ARGV: grant, life ("": no next ticket). */
#define REDEEM_SCRIPT                                                         \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end "         \
    "local sealed = redis.call('GET', KEYS[3]) "                              \
    "if not sealed then return false end "                                    \
    "redis.call('DEL', KEYS[1]) "                                             \
    "if ARGV[2] ~= '' then "                                                  \
    "  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) "                   \
    "end "                                                                    \
    "return sealed"

/* KEYS: ticket, number. ARGV: grant, life. */
#define PART_SCRIPT                                                                        \
    "local sealed = redis.call('GET', KEYS[2]) "                                           \
    "if sealed then redis.call('SET', KEYS[1], ARGV[1] .. sealed, 'EX', ARGV[2]) return 1 end " \
    "if string.sub(redis.call('GET', KEYS[1]) or '', 1, #ARGV[1]) == ARGV[1] then return 1 end " \
    "return 0"

struct name {
    uint8_t b[NAME_BYTES];
    size_t n;
};

static struct slice name_slice(const struct name *n) { return slice_of(n->b, n->n); }

static struct name name_hex(struct slice prefix, struct slice id)
{
    static const char HEX[] = "0123456789abcdef";
    struct name n = { .n = prefix.n };
    memcpy(n.b, prefix.p, prefix.n);
    for (size_t i = 0; i < id.n; i++) {
        n.b[n.n++] = (uint8_t)HEX[id.p[i] >> 4];
        n.b[n.n++] = (uint8_t)HEX[id.p[i] & 15];
    }
    return n;
}

/* A ticket is random, so its plain hash tells nothing; whoever reads the store cannot redeem it. */
static bool ticket_name(struct slice ticket, struct name *ret_n)
{
    uint8_t sum[SHA256_BYTES];
    if (!err_ok(sha256(1, &ticket, sum)))
        return false;
    *ret_n = name_hex(LIT("t:"), ARR(sum));
    return true;
}

struct nz_place nz_place_of(struct slice sid)
{
    struct nz_place p;
    struct name n = name_hex(LIT("n:"), sid);
    memcpy(p.b, n.b, sizeof p.b);
    return p;
}

struct nz_index_name nz_index_name_of(const uint8_t index[static MAC_BYTES])
{
    struct nz_index_name i;
    struct name n = name_hex(LIT("i:1:"), slice_of(index, MAC_BYTES));
    memcpy(i.b, n.b, sizeof i.b);
    return i;
}

struct nz_grant nz_grant_of(struct slice muni, struct slice sid, enum nz_purpose purpose)
{
    struct nz_grant g;
    memcpy(g.b, muni.p, NZ_MUNI_BYTES);
    memcpy(g.b + NZ_MUNI_BYTES, sid.p, NZ_SID_BYTES);
    g.b[NZ_MUNI_BYTES + NZ_SID_BYTES] = (uint8_t)purpose;
    return g;
}

struct nz_index_entry nz_index_entry_of(struct slice sid, struct slice proof)
{
    struct nz_index_entry e;
    memcpy(e.b, sid.p, NZ_SID_BYTES);
    memcpy(e.b + NZ_SID_BYTES, proof.p, NZ_PROOF_BYTES);
    return e;
}

struct redis_batch *nz_shelf_link(const uint8_t index[static MAC_BYTES], const struct nz_index_entry *fresh, struct slice sealed, struct slice muni,
                                  struct slice ticket)
{
    uint8_t purpose = NZ_PURPOSE_NUMBERING;
    bool with = ticket.n > 0;
    struct nz_place place = nz_place_of(slice_of(fresh->b, NZ_SID_BYTES));
    struct name at = name_hex(LIT("i:1:"), slice_of(index, MAC_BYTES)), t = { .n = 0 };
    if (with && !ticket_name(ticket, &t))
        return NULL;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return NULL;
    redis_begin(b, 11);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(LINK_SCRIPT));
    redis_arg_u64(b, 3);
    redis_arg(b, name_slice(&at));
    redis_arg(b, ARR(place.b));
    redis_arg(b, with ? name_slice(&t) : LIT("t:"));
    redis_arg(b, ARR(fresh->b));
    redis_arg(b, sealed);
    redis_arg(b, with ? muni : LIT(""));
    redis_arg(b, with ? slice_of(&purpose, 1) : LIT(""));
    redis_arg_u64(b, NZ_TICKET_LIFE_S);
    return b;
}

struct err nz_shelf_linked(const struct redis_reply *r, struct nz_link_found *ret_f)
{
    const struct redis_reply *known = redis_reply_at(r, 1), *sealed = redis_reply_at(r, 2);
    struct nz_link_found f = { .known = redis_reply_int(known) != 0, .proof = redis_reply_str(redis_reply_at(r, 0)), .sealed = redis_reply_str(sealed) };
    if (redis_reply_len(r) != 3 || redis_reply_type(known) != REDIS_INT || redis_reply_type(sealed) != REDIS_STR)
        return FAIL(E_STORE_REFUSED);
    if (!slice_take(&f.proof, NZ_SID_BYTES, &f.sid))
        return FAIL(E_STORE_REFUSED);
    *ret_f = f;
    return OK;
}

void nz_shelf_add_replace(struct redis_batch *b, const struct nz_index_name *index, struct slice sid, const struct nz_place *place, struct slice stale,
                          struct slice sealed)
{
    REDIS_ADD(b, LIT("EVAL"), LIT(REPLACE_SCRIPT), LIT("2"), ARR(place->b), ARR(index->b), stale, sealed, sid);
}

struct redis_batch *nz_shelf_number(const struct nz_place *place)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("GET"), ARR(place->b));
    return b;
}

struct redis_batch *nz_shelf_remove(const struct nz_index_name *index, const struct nz_place *place, struct slice sid, struct slice sealed)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("EVAL"), LIT(REMOVE_SCRIPT), LIT("2"), ARR(place->b), ARR(index->b), sealed, sid);
    return b;
}

struct redis_batch *nz_shelf_replace(const struct nz_index_name *index, struct slice sid, const struct nz_place *place, struct slice stale, struct slice sealed)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        nz_shelf_add_replace(b, index, sid, place, stale, sealed);
    return b;
}

struct redis_batch *nz_shelf_peek(struct slice ticket)
{
    struct name t;
    struct redis_batch *b = ticket_name(ticket, &t) ? redis_batch_new(BATCH_MAX) : NULL;
    if (b)
        REDIS_ADD(b, LIT("GET"), name_slice(&t));
    return b;
}

bool nz_shelf_granted(const struct redis_reply *r, const struct nz_grant *grant)
{
    return secret_equal(redis_reply_str(r), ARR(grant->b));
}

struct redis_batch *nz_shelf_redeem(const struct nz_grant *grant, struct slice ticket, struct slice next, const struct nz_place *place)
{
    struct name t, t_next = { .n = 0 };
    if (!ticket_name(ticket, &t) || (next.n && !ticket_name(next, &t_next)))
        return NULL;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return NULL;
    redis_begin(b, 8);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(REDEEM_SCRIPT));
    redis_arg_u64(b, 3);
    redis_arg(b, name_slice(&t));
    redis_arg(b, next.n ? name_slice(&t_next) : LIT("t:"));
    redis_arg(b, ARR(place->b));
    redis_arg(b, ARR(grant->b));
    if (next.n)
        redis_arg_u64(b, NZ_TICKET_LIFE_S);
    else
        redis_arg(b, LIT(""));
    return b;
}

struct err nz_shelf_redeemed(const struct redis_reply *r, struct slice *ret_sealed)
{
    if (redis_reply_type(r) == REDIS_NIL)
        return FAIL(E_NOTHING);
    if (redis_reply_type(r) != REDIS_STR)
        return FAIL(E_STORE_REFUSED);
    *ret_sealed = redis_reply_str(r);
    return OK;
}

struct redis_batch *nz_shelf_part(const struct nz_grant *grant, struct slice ticket, const struct nz_place *place)
{
    struct name t;
    struct redis_batch *b = ticket_name(ticket, &t) ? redis_batch_new(BATCH_MAX) : NULL;
    if (!b)
        return NULL;
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(PART_SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, name_slice(&t));
    redis_arg(b, ARR(place->b));
    redis_arg(b, ARR(grant->b));
    redis_arg_u64(b, NZ_TICKET_LIFE_S);
    return b;
}

struct redis_batch *nz_shelf_either(struct slice ticket, const struct nz_place *place)
{
    struct name t = { .n = 0 };
    if (ticket.n && !ticket_name(ticket, &t))
        return NULL;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("MGET"), ARR(place->b), t.n ? name_slice(&t) : LIT("t:"));
    return b;
}

struct err nz_shelf_found(const struct redis_reply *r, const struct nz_grant *grant, struct slice *ret_sealed)
{
    struct slice kept = redis_reply_str(redis_reply_at(r, 1)), head;
    if (redis_reply_len(r) != 2)
        return FAIL(E_STORE_REFUSED);
    if (redis_reply_type(redis_reply_at(r, 0)) == REDIS_STR) {
        *ret_sealed = redis_reply_str(redis_reply_at(r, 0));
        return OK;
    }
    if (!slice_take(&kept, NZ_GRANT_BYTES, &head) || !secret_equal(head, ARR(grant->b)) || !kept.n)
        return FAIL(E_NOTHING);
    *ret_sealed = kept;
    return OK;
}

struct redis_batch *nz_shelf_drop(struct slice ticket)
{
    struct name t;
    struct redis_batch *b = ticket_name(ticket, &t) ? redis_batch_new(BATCH_MAX) : NULL;
    if (b)
        REDIS_ADD(b, LIT("DEL"), name_slice(&t));
    return b;
}

struct redis_batch *nz_shelf_ping(void)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (b)
        REDIS_ADD(b, LIT("PING"));
    return b;
}
