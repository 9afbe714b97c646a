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

static uint8_t names[UINT8_MAX + 1][SESSION_ID];

static void find(uint8_t n)
{
    struct tls_session s;
    struct caller who;
    if (tls_sessions_find_certificate(table, LIT("clinic"), names[n], NOW, &who) && who.not_after != n)
        abort();
    if (!tls_sessions_find(table, LIT("clinic"), names[n], NOW, &s))
        return;
    for (size_t i = 0; i < s.n_key; i++)
        if (s.n_key != 32 || s.key[i] != n)
            abort();
    if (s.caller.not_after != n)
        abort();
}

static void put(uint8_t n, bool certificate)
{
    struct tls_session s = { .n_key = 32, .born = NOW, .until = NOW + n, .caller = { .not_after = n } };
    tls_sessions_name(table, names[n]);
    memset(s.key, n, s.n_key);
    memcpy(s.caller.cert_sha256, names[n], SESSION_ID);
    if (certificate)
        tls_sessions_put_certificate(table, LIT("clinic"), &s.caller, NOW + n);
    else
        tls_sessions_put(table, LIT("clinic"), names[n], &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice memory = tls_sessions_memory(table);
    uint8_t *at = (uint8_t *)memory.p;
    tls_sessions_clear(table);
    for (; n >= STEP; p += STEP, n -= STEP) {
        if (p[0] & 1)
            put(p[2], p[0] & 2);
        else
            at[((size_t)p[0] >> 1 << 8 | p[1]) % memory.n] = p[2];
        find(p[2]);
        find(p[1]);
    }
    return 0;
}
