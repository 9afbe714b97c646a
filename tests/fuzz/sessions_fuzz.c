/* Reaches tls_sessions_find and tls_sessions_put over a shared memory in which anything may stand: what is found is what was put, or nothing. The input: places and
 * bytes that are written there, between puts and finds. */

#include <stdlib.h>
#include <string.h>

#include "gateway/tls/sessions.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { NOW = 1800000000, SLOTS = 16, STEP = 3 };

static struct tls_sessions *table;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    if (!err_ok(tls_sessions_new(&table, SLOTS)))
        abort();
    return 0;
}

static void id_of(uint8_t n, uint8_t id[static SESSION_ID])
{
    memset(id, n, SESSION_ID);
    id[8] = n & 1; /* two buckets */
}

static void find(uint8_t n)
{
    uint8_t id[SESSION_ID];
    struct tls_session s;
    id_of(n, id);
    if (!tls_sessions_find(table, LIT("clinic"), id, NOW, &s))
        return;
    for (size_t i = 0; i < s.n_key; i++)
        if (s.n_key != 32 || s.key[i] != n)
            abort();
    if (s.caller.not_after != n)
        abort();
}

static void put(uint8_t n)
{
    uint8_t id[SESSION_ID];
    struct tls_session s = { .n_key = 32, .born = NOW, .until = NOW + n, .caller = { .not_after = n } };
    id_of(n, id);
    memset(s.key, n, s.n_key);
    tls_sessions_put(table, LIT("clinic"), id, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice memory = tls_sessions_memory(table);
    uint8_t *at = (uint8_t *)memory.p;
    tls_sessions_clear(table);
    for (; n >= STEP; p += STEP, n -= STEP) {
        if (p[0] & 1)
            put(p[2]);
        else
            at[((size_t)p[0] >> 1 << 8 | p[1]) % memory.n] = p[2];
        find(p[2]);
        find(p[1]);
    }
    return 0;
}
