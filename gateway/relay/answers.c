/* What Sentinels and nodes say, and how they are asked. */

#include "gateway/relay/seek.h"

enum { PORT_DIGITS = 8 };

bool seek_read_sentinel(const struct redis_reply *reply, struct place_at *ret_at)
{
    return redis_reply_len(reply) == 2 && place_at_parse(redis_reply_str(redis_reply_at(reply, 0)), redis_reply_str(redis_reply_at(reply, 1)), ret_at);
}

static bool node_at(const struct redis_reply *node, const struct place_at *from, struct place_at *ret_at)
{
    const struct redis_reply *ip = redis_reply_at(node, 0);
    struct slice address = redis_reply_str(ip);
    struct buf port;
    if (address.n == 0)
        address = slice_str(from->ip);
    buf_init(&port, PORT_DIGITS);
    buf_i64(&port, redis_reply_int(redis_reply_at(node, 1)));
    const bool good = err_ok(buf_check(&port)) && place_at_parse(address, buf_slice(&port), ret_at);
    buf_done(&port);
    return good;
}

/* [ first slot, last slot, master, replica.. ].. */
bool seek_read_slots(const struct redis_reply *reply, unsigned slot, const struct place_at *from, struct place_at *ret_at)
{
    for (size_t i = 0; i < redis_reply_len(reply); i++) {
        const struct redis_reply *range = redis_reply_at(reply, i);
        const int64_t first = redis_reply_int(redis_reply_at(range, 0)), last = redis_reply_int(redis_reply_at(range, 1));
        if (redis_reply_len(range) >= 3 && first <= (int64_t)slot && (int64_t)slot <= last)
            return node_at(redis_reply_at(range, 2), from, ret_at);
    }
    return false;
}

/* CRC-16/XMODEM */
unsigned seek_slot_of(struct slice tag)
{
    unsigned crc = 0;
    for (size_t i = 0; i < tag.n; i++) {
        crc ^= (unsigned)tag.p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return crc % SEEK_SLOTS;
}

static void put_head(struct buf *out, uint8_t mark, size_t n)
{
    buf_putc(out, mark);
    buf_u64(out, n);
    buf_puts(out, "\r\n");
}

void seek_put_command(struct buf *out, size_t n, const struct slice *args)
{
    put_head(out, '*', n);
    for (size_t i = 0; i < n; i++) {
        put_head(out, '$', args[i].n);
        buf_put(out, args[i]);
        buf_puts(out, "\r\n");
    }
}

static struct err put_password(struct slice password, void *arg)
{
    void **to = arg;
    SEEK_COMMAND(to[0], LIT("AUTH"), slice_str(to[1]), password);
    return buf_check(to[0]);
}

ERR seek_put_auth(struct buf *out, const char *user, const struct secret *password)
{
    return secret_use(password, put_password, (void *[]){ out, (void *)user });
}
