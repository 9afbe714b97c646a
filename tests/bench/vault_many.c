/* How many numbers a second LINK_MANY gives through a real redis-vault (appendfsync always): pmhgw-vault-many [MESSAGES] [IN_FLIGHT]
 * Starts its own redis-server, pmhgw-audit and pmhgw-vault. First all numbers are new, then all are known. */

#include <assert.h>
#define assert_true(x) assert(x)
#define assert_non_null(x) assert(x)
#define assert_int_equal(a, b) assert((long)(a) == (long)(b))

#include "tests/unit/vault_town.h"

#undef NDEBUG

struct bench {
    struct town town;
    struct nz_mynum *numbers[NZ_MANY_MAX];
    unsigned messages, sent, done, failed;
    unsigned long long base;
};

static void send_one(struct bench *b);

static void on_many(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct bench *b = arg;
    (void)linked, (void)n;
    b->done++;
    b->failed += !err_ok(e);
    if (b->sent < b->messages)
        send_one(b);
}

static void send_one(struct bench *b)
{
    const struct nz_mynum *numbers[NZ_MANY_MAX];
    for (size_t i = 0; i < NZ_MANY_MAX; i++) {
        char digits[13];
        snprintf(digits, sizeof digits, "%012llu", b->base + b->sent * NZ_MANY_MAX + i);
        struct err e = nz_mynum_new(&b->numbers[i], b->town.pool, slice_of(digits, 12));
        assert_true(err_ok(e));
        numbers[i] = b->numbers[i];
    }
    b->sent++;
    nz_vault_link_many(b->town.client, "331007", true, numbers, NZ_MANY_MAX, loop_now(b->town.loop) + 30000, on_many, b);
    for (size_t i = 0; i < NZ_MANY_MAX; i++)
        nz_mynum_free(b->numbers[i]);
}

static void run(struct bench *b, unsigned messages, unsigned in_flight, const char *what)
{
    b->messages = messages;
    b->sent = b->done = b->failed = 0;
    uint64_t from = uv_hrtime();
    for (unsigned i = 0; i < in_flight && b->sent < messages; i++)
        send_one(b);
    while (b->done < messages)
        uv_run(loop_uv(b->town.loop), UV_RUN_ONCE);
    double s = (double)(uv_hrtime() - from) / 1e9;
    printf("%-6s %u numbers, %u messages in flight: %.2f s, %.0f numbers/s, %u failed\n", what, messages * NZ_MANY_MAX, in_flight, s,
           messages * NZ_MANY_MAX / s, b->failed);
}

int main(int argc, char **argv)
{
    static struct bench b;
    unsigned messages = argc > 1 ? (unsigned)atoi(argv[1]) : 4000, in_flight = argc > 2 ? (unsigned)atoi(argv[2]) : 16;
    town_open(&b.town);
    b.base = 600000000000;
    usleep(500000);
    run(&b, in_flight, in_flight, "warm");
    b.base += 1000000000;
    run(&b, messages, in_flight, "new");
    run(&b, messages, in_flight, "known");
    town_close(&b.town);
    return 0;
}
