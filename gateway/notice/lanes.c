#include "gateway/notice/lanes.h"

#include "gateway/base/text.h"

#define CLAIM                                                                                                         \
    "local out,due={},redis.call('ZRANGEBYSCORE','nx','-inf',ARGV[1],'LIMIT',0,ARGV[3]) "                              \
    "for _,l in ipairs(redis.call('ZRANGEBYSCORE','nx','('..ARGV[4],'+inf','LIMIT',0,ARGV[3]-#due)) do due[#due+1]=l end " \
    "for _,l in ipairs(due) do "                                                                                      \
    "local id=redis.call('LINDEX','nl:'..l,0) "                                                                       \
    "if not id then redis.call('ZREM','nx',l) redis.call('DEL','nh:'..l) else "                                       \
    "local f=redis.call('INCR','nf') "                                                                                \
    "redis.call('ZADD','nx',ARGV[2],l) redis.call('HSET','nh:'..l,'t',f) "                                            \
    "local h=redis.call('HMGET','nh:'..l,'n','f','p:'..id) "                                                          \
    "out[#out+1]={l,id,tostring(f),h[1] or '0',h[2] or '0',h[3] or '',redis.call('GET','no:'..id) or ''} end end "    \
    "return out"

enum { ITEM_PARTS = 7, DECIMAL = 24, DEAD_MAX = 128 };

struct decimal { char c[DECIMAL]; size_t n; };

static struct slice decimal(struct decimal *d, uint64_t v)
{
    struct buf b;
    buf_init(&b, sizeof d->c);
    buf_u64(&b, v);
    memcpy(d->c, b.p, b.n);
    d->n = b.n;
    buf_done(&b);
    return slice_of(d->c, d->n);
}

struct key { char c[3 + NOTICE_HEX]; };

static struct slice key_of(struct key *k, const char *head, struct slice hex)
{
    memcpy(k->c, head, 3);
    memcpy(k->c + 3, hex.p, NOTICE_HEX);
    return ARR(k->c);
}

static void hex_of(const uint8_t id[static NOTICE_ID_BYTES], char out[static NOTICE_HEX])
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < NOTICE_ID_BYTES; i++) {
        out[2 * i] = HEX[id[i] >> 4];
        out[2 * i + 1] = HEX[id[i] & 15];
    }
}

/* ---- taking ---- */

void lanes_claim(const struct lanes_times *t, size_t n, struct redis_batch *b)
{
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(CLAIM));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, t->now_ms);
    redis_arg_u64(b, t->until_ms);
    redis_arg_u64(b, n < LANES_CLAIM_MAX ? n : LANES_CLAIM_MAX);
    redis_arg_u64(b, t->far_ms);
}

bool lanes_item(const struct redis_reply *array, size_t i, struct lane_item *ret_i)
{
    const struct redis_reply *r = redis_reply_at(array, i);
    struct lane_item it = { .replayed = false };
    struct slice part[ITEM_PARTS];
    uint8_t lane[NOTICE_ID_BYTES];
    if (redis_reply_len(r) != ITEM_PARTS)
        return false;
    for (size_t k = 0; k < ITEM_PARTS; k++)
        part[k] = redis_reply_str(redis_reply_at(r, k));
    if (!hex_decode(part[0], lane, sizeof lane) || !hex_decode(part[1], it.id, sizeof it.id) || !part[2].n || part[2].n >= sizeof it.fence ||
        !all_digits(part[2]) || !u64_parse(part[3], &it.attempts) || !u64_parse(part[4], &it.first_ms))
        return false;
    memcpy(it.lane, part[0].p, sizeof it.lane);
    memcpy(it.fence, part[2].p, part[2].n);
    it.replayed = part[5].n > 0;
    it.sealed = part[6];
    *ret_i = it;
    return true;
}

void lanes_beat(uint64_t now_ms, struct redis_batch *b)
{
    redis_begin(b, 5);
    redis_arg(b, LIT("SET"));
    redis_arg(b, LIT("nb"));
    redis_arg_u64(b, now_ms);
    redis_arg(b, LIT("PX"));
    redis_arg_u64(b, LANES_BEAT_LIFE_MS);
    REDIS_ADD(b, LIT("HLEN"), LANES_DEAD);
}

/* ---- ending ---- */

static void dead_value(const struct lane_item *it, const struct lane_end *end, struct buf *out)
{
    buf_u64(out, end->now_ms);
    buf_putc(out, ' ');
    buf_puts(out, end->why);
    buf_putc(out, ' ');
    buf_puts(out, end->owner);
    buf_putc(out, ' ');
    buf_u64(out, it->attempts + 1);
    buf_putc(out, ' ');
    buf_put(out, ARR(it->lane));
}

static void end_head(const struct lane_item *it, const struct lane_end *end, struct redis_swap *swap, struct slice hex)
{
    struct key queue, message, state;
    char was[2 + NOTICE_HEX] = "p:";
    struct buf value;
    memcpy(was + 2, hex.p, NOTICE_HEX);
    REDIS_SWAP(swap, LIT("LPOP"), key_of(&queue, "nl:", ARR(it->lane)));
    buf_init(&value, DEAD_MAX);
    if (end->how == LANE_DEAD) {
        redis_swap_room(swap, REDIS_COUNT_HASH, LANES_DEAD, end->dead_max);
        dead_value(it, end, &value);
        REDIS_SWAP(swap, LIT("HSET"), LANES_DEAD, hex, buf_slice(&value));
    } else {
        REDIS_SWAP(swap, LIT("DEL"), key_of(&message, "no:", hex));
    }
    buf_done(&value);
    REDIS_SWAP(swap, LIT("HDEL"), key_of(&state, "nh:", ARR(it->lane)), LIT("t"), LIT("n"), LIT("f"), LIT("r"), ARR(was));
}

void lanes_hold(const struct lane_item *it, struct redis_swap *swap)
{
    struct key key;
    redis_swap_expect(swap, key_of(&key, "nh:", ARR(it->lane)), LIT("t"), slice_of(it->fence, strnlen(it->fence, sizeof it->fence)));
}

void lanes_end(const struct lane_item *it, const struct lane_end *end, struct redis_swap *swap)
{
    struct key key;
    struct decimal due, n, first;
    char hex[NOTICE_HEX];
    const bool over = end->how == LANE_DONE || end->how == LANE_DEAD;
    const struct slice state = key_of(&key, "nh:", ARR(it->lane));
    hex_of(it->id, hex);
    lanes_hold(it, swap);
    if (over)
        end_head(it, end, swap, ARR(hex));
    else
        REDIS_SWAP(swap, LIT("HDEL"), state, LIT("t"));
    if (end->how == LANE_LATER)
        REDIS_SWAP(swap, LIT("HSET"), state, LIT("n"), decimal(&n, it->attempts + 1), LIT("f"), decimal(&first, it->first_ms ? it->first_ms : end->now_ms), LIT("r"),
                   slice_str(end->why));
    REDIS_SWAP(swap, LIT("ZADD"), NOTICE_DUE, decimal(&due, over ? end->now_ms : end->due_ms), ARR(it->lane));
}

/* ---- how much waits ---- */

void lanes_ask_state(struct redis_batch *b)
{
    REDIS_ADD(b, LIT("ZCARD"), NOTICE_DUE);
    REDIS_ADD(b, LIT("ZRANGE"), NOTICE_DUE, LIT("0"), LIT("0"), LIT("WITHSCORES"));
    REDIS_ADD(b, LIT("HLEN"), LANES_DEAD);
}

bool lanes_state(const struct redis_reply *const *replies, size_t n, uint64_t now_ms, struct lanes_state *ret_s)
{
    uint64_t due = now_ms;
    if (n != LANES_STATE_REPLIES || redis_reply_type(replies[0]) != REDIS_INT || redis_reply_type(replies[2]) != REDIS_INT)
        return false;
    if (redis_reply_len(replies[1]) == 2 && !u64_parse(redis_reply_str(redis_reply_at(replies[1], 1)), &due))
        return false;
    *ret_s = (struct lanes_state){ (uint64_t)redis_reply_int(replies[0]), (uint64_t)redis_reply_int(replies[2]), due < now_ms ? now_ms - due : 0 };
    return true;
}

/* ---- dead letters ---- */

static bool take_word(struct slice s, char out[static LANE_WORD_MAX + 1])
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_')
            return false;
    if (!s.n || s.n > LANE_WORD_MAX)
        return false;
    memcpy(out, s.p, s.n);
    return true;
}

bool lanes_dead_parse(struct slice id, struct slice value, struct lane_dead *ret_d)
{
    struct lane_dead d = { .at_ms = 0 };
    struct slice part[4];
    uint8_t bytes[NOTICE_ID_BYTES];
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        if (!slice_cut(value, ' ', &part[i], &value))
            return false;
    if (!hex_decode(id, d.id, sizeof d.id) || !u64_parse(part[0], &d.at_ms) || !take_word(part[1], d.why) || !take_word(part[2], d.owner) ||
        !u64_parse(part[3], &d.attempts) || !hex_decode(value, bytes, sizeof bytes))
        return false;
    memcpy(d.lane, value.p, sizeof d.lane);
    *ret_d = d;
    return true;
}

void lanes_replay(const struct lane_dead *d, struct slice value, uint64_t now_ms, struct redis_swap *swap)
{
    struct key queue, key;
    struct decimal now;
    char hex[NOTICE_HEX], was[2 + NOTICE_HEX] = "p:";
    hex_of(d->id, hex);
    memcpy(was + 2, hex, sizeof hex);
    const struct slice state = key_of(&key, "nh:", ARR(d->lane));
    redis_swap_expect(swap, LANES_DEAD, ARR(hex), value);
    REDIS_SWAP(swap, LIT("HDEL"), LANES_DEAD, ARR(hex));
    REDIS_SWAP(swap, LIT("LPUSH"), key_of(&queue, "nl:", ARR(d->lane)), ARR(hex));
    REDIS_SWAP(swap, LIT("HDEL"), state, LIT("t"), LIT("n"), LIT("f"), LIT("r")); /* who works on another one of the lane does it again behind this one */
    REDIS_SWAP(swap, LIT("HSET"), state, ARR(was), LIT("1"));
    REDIS_SWAP(swap, LIT("ZADD"), NOTICE_DUE, decimal(&now, now_ms), ARR(d->lane));
}

void lanes_drop(const struct lane_dead *d, struct slice value, struct redis_swap *swap)
{
    struct key message;
    char hex[NOTICE_HEX];
    hex_of(d->id, hex);
    redis_swap_expect(swap, LANES_DEAD, ARR(hex), value);
    REDIS_SWAP(swap, LIT("HDEL"), LANES_DEAD, ARR(hex));
    REDIS_SWAP(swap, LIT("DEL"), key_of(&message, "no:", ARR(hex)));
}
