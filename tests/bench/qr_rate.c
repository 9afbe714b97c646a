/* pmhgw-qr-rate SIGNER_SOCKET CAP_FILE CARDS: builds, packs and has signed as many SMART Health Cards, and prints the digits of their QR codes into the void.
 * Prints "cards=N seconds=S cpu=S chars=N verified=N". One in a thousand is verified. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/cert/shc.h"
#include "gateway/jose/es256.h"
#include "gateway/signer/signer.h"

enum { WINDOW = 256, DOSES = 3, DEADLINE_MS = 10000, VERIFY_EVERY = 1000, TEXT_ROOM = 2 * SHC_JWS_MAX };

struct slot { struct run *run; struct buf text; uint64_t number; };

struct run {
    struct loop *loop;
    struct signer *signer;
    struct shc_packer *packer;
    struct es256_verifier *verifier;
    const struct signer_key *key;
    struct signer_keys keys;
    char kid[ES256_KID];
    uint64_t wanted, begun, done, chars, verified;
    struct buf digits;
    struct slot slots[WINDOW];
};

static void next(struct slot *s);

static void on_signed(void *arg, struct err e, const uint8_t *signature)
{
    struct slot *s = arg;
    struct run *r = s->run;
    MUST(err_ok(e));
    if (s->number % VERIFY_EVERY == 0) {
        MUST(es256_verify(r->verifier, buf_slice(&s->text), slice_of(signature, ES256_SIGNATURE)));
        r->verified++;
    }
    shc_sign(&s->text, signature);
    buf_reset(&r->digits);
    MUST(err_ok(shc_numeric(buf_slice(&s->text), &r->digits)));
    r->chars += r->digits.n;
    if (++r->done == r->wanted)
        loop_stop(r->loop);
    else if (r->begun < r->wanted)
        next(s);
}

/* No two are alike: name, day, lots and rid. */
static void next(struct slot *s)
{
    struct run *r = s->run;
    char family[24], rid[17], lots[DOSES][12];
    uint8_t digest[SIGNER_DIGEST];
    struct shc_dose doses[DOSES];
    s->number = r->begun++;
    snprintf(family, sizeof family, "SHIKEN %llX", (unsigned long long)s->number);
    for (unsigned i = 0; i < sizeof rid - 1; i++) /* letters: sixteen digits in a row would be refused */
        rid[i] = (char)('a' + (s->number * 0x9E3779B97F4A7C15u >> 4 * i & 15));
    rid[sizeof rid - 1] = 0;
    for (unsigned i = 0; i < DOSES; i++) {
        snprintf(lots[i], sizeof lots[i], "F%c%05llu", 'A' + (int)(s->number + i) % 26, (unsigned long long)(s->number * 31 + i * 7) % 100000);
        doses[i] = (struct shc_dose){ 20210301 + i * 100 + (ymd_t)(s->number % 28), i < 2 ? LIT("208") : LIT("300"), slice_str(lots[i]) };
    }
    const struct shc_card c = { .issuer = LIT("https://vc.example.jp/issuer"), .nbf_s = 1795265034, .rid = slice_str(rid), .family = slice_str(family), .given = LIT("HANAKO"),
                                .birth = 19860504, .authority = LIT("PMHGW_TEST"), .n = DOSES, .doses = doses };
    buf_reset(&s->text);
    MUST(err_ok(shc_text(r->packer, &c, r->kid, &s->text, digest)));
    signer_sign(r->signer, SIGNER_SHC, r->key->number, digest, loop_now(r->loop) + DEADLINE_MS, on_signed, s);
}

static void on_keys(void *arg, struct err e, const struct signer_keys *keys)
{
    struct run *r = arg;
    struct es256_key k;
    MUST(err_ok(e));
    r->keys = *keys;
    r->key = signer_newest(&r->keys, SIGNER_SHC);
    MUST(r->key);
    memcpy(k.x, r->key->x, sizeof k.x);
    memcpy(k.y, r->key->y, sizeof k.y);
    MUST(err_ok(es256_thumbprint(&k, r->kid)) && err_ok(es256_verifier_new(&r->verifier, &k)));
    for (size_t i = 0; i < WINDOW && r->begun < r->wanted; i++)
        next(&r->slots[i]);
}

static double seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static struct run r;
    struct secret *cap;
    if (argc != 4 || !u64_parse(slice_str(argv[3]), &r.wanted) || r.wanted == 0)
        return 2;
    MUST(err_ok(loop_new(&r.loop, clock_system())) && err_ok(shc_packer_new(&r.packer)));
    MUST(err_ok(secret_read_file(&cap, argv[2], IPC_CAP_BYTES)) && err_ok(signer_new(&r.signer, r.loop, argv[1], IPC_FRONT, cap)));
    buf_init(&r.digits, TEXT_ROOM);
    for (size_t i = 0; i < WINDOW; i++) {
        r.slots[i].run = &r;
        buf_init(&r.slots[i].text, TEXT_ROOM);
    }
    double from = seconds(CLOCK_MONOTONIC);
    signer_ask_keys(r.signer, loop_now(r.loop) + DEADLINE_MS, on_keys, &r);
    while (r.done < r.wanted)
        uv_run(loop_uv(r.loop), UV_RUN_ONCE);
    printf("cards=%llu seconds=%.3f cpu=%.3f chars=%.0f verified=%llu\n", (unsigned long long)r.done, seconds(CLOCK_MONOTONIC) - from,
           seconds(CLOCK_PROCESS_CPUTIME_ID), (double)r.chars / (double)r.done, (unsigned long long)r.verified);
    fflush(stdout);
    _Exit(0);
}
