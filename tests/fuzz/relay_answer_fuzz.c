/* Answers of Sentinels and of nodes of a Cluster, in two pieces: an address in its limits comes out, or none. */

#include <stdint.h>
#include <stdlib.h>

#include "gateway/relay/seek.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look(bool found, const struct place_at *at)
{
    if (found && (!at->ip[0] || at->port == 0 || at->port > 65535))
        abort();
}

static bool hear(void *arg, const struct redis_reply *reply)
{
    static const struct place_at FROM = { "10.0.0.1", 6379 };
    struct place_at at;
    (void)arg;
    look(seek_read_sentinel(reply, &at), &at);
    look(seek_read_slots(reply, 0, &FROM, &at), &at);
    look(seek_read_slots(reply, SEEK_SLOTS - 1, &FROM, &at), &at);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct redis_reader *r = redis_reader_new();
    if (r && redis_reader_feed(r, slice_of(data, n / 2), hear, NULL))
        (void)redis_reader_feed(r, slice_of(data + n / 2, n - n / 2), hear, NULL);
    redis_reader_free(r);
    return 0;
}
