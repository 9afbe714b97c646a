#ifndef TESTS_AUDIT_SEALED_H
#define TESTS_AUDIT_SEALED_H

/* Logs that are signed, and what the verifier says of them. For the tests of the tree only. */

#include "tests/unit/audit_bench.h"

#include "gateway/audit/keeper.h"
#include "gateway/audit/verify.h"
#include "tests/unit/audit_make.h"

#define ORIGIN "pmhgw.example/audit"
enum { SEG = AUDIT_SEGMENT_ENTRIES };

static const uint8_t OURS[NOTE_KEY] = { 1 }, OTHERS[NOTE_KEY] = { 2 };

static inline struct note_key key_of(const uint8_t seed_bytes[static NOTE_KEY])
{
    struct secret *seed = NULL;
    struct note_signer *s = NULL;
    assert_true(err_ok(secret_new(&seed, slice_of(seed_bytes, NOTE_KEY))) && err_ok(note_signer_new(&s, ORIGIN, seed)));
    struct note_key k = *note_signer_key(s);
    note_signer_free(s);
    secret_free(seed);
    return k;
}

static inline struct err keeper_try(struct bench *b, const char *dir, const uint8_t seed_bytes[static NOTE_KEY], uint64_t seq, struct audit_keeper **ret_k)
{
    struct secret *seed;
    assert_true(err_ok(secret_new(&seed, slice_of(seed_bytes, NOTE_KEY))));
    struct audit_keeper_conf conf = { .dir = dir, .origin = ORIGIN, .seed = seed };
    struct err e = audit_keeper_new(ret_k, b->loop, conf, seq);
    secret_free(seed);
    return e;
}

static inline struct audit_keeper *keeper_open(struct bench *b, const char *dir, uint64_t seq)
{
    struct audit_keeper *k;
    struct err e = keeper_try(b, dir, OURS, seq, &k);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
    return k;
}

static inline void keeper_close(struct bench *b, struct audit_keeper *k)
{
    b->closed = false;
    audit_keeper_close(k, on_closed, b);
    assert_false(b->closed);
    UNTIL(b, b->closed);
}

/* Signs what is in the folder. */
static inline void sign(struct bench *b, const char *dir, uint64_t seq) { keeper_close(b, keeper_open(b, dir, seq)); }

static inline struct audit_verdict look(const char *dir, const uint8_t seed_bytes[static NOTE_KEY], const struct tree_head *since)
{
    struct note_key key = key_of(seed_bytes);
    struct audit_verdict v;
    const struct audit_verify_ask ask = { .dir = dir, .key = &key, .since = since };
    assert_true(err_ok(audit_verify(&ask, &v)));
    return v;
}

static inline void assert_whole(const char *dir, uint64_t entries)
{
    struct audit_verdict v = look(dir, OURS, NULL);
    if (!v.good || v.entries != entries || v.covered != entries)
        fail_msg("%s at %llu; %llu entries, %llu signed", v.what ? v.what : "good", (unsigned long long)v.bad_seq, (unsigned long long)v.entries,
                 (unsigned long long)v.covered);
}

static inline void assert_refused(struct bench *b, const char *dir, uint64_t seq, const char *name)
{
    struct audit_keeper *k;
    struct err e = keeper_try(b, dir, OURS, seq, &k);
    if (!err_is(e, E_SEAL))
        fail_msg("%s: %s %s", name, err_slug(e.code), e.site);
}

struct path { char c[512]; };

static inline struct path at(const char *dir, const char *name)
{
    struct path p;
    snprintf(p.c, sizeof p.c, "%s/%s", dir, name);
    return p;
}

/* ---- logs ---- */

struct recipe { uint64_t altered; /* entry whose record has another byte; UINT64_MAX: none */ size_t byte; };
static const struct recipe TRUE_LOG = { UINT64_MAX, 0 };

static inline void make_rec(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct recipe *r = arg;
    struct audit_rec x = record((uint32_t)i);
    x.epoch = i;
    audit_encode(&x, rec);
    if (i == r->altered)
        rec[r->byte] ^= 1;
}

static inline void make(const char *dir, uint64_t n, struct recipe r) { make_log(dir, n, make_rec, &r); }

static inline struct tree_head head_in(const char *dir)
{
    struct note_key key = key_of(OURS);
    struct tree_head h;
    struct buf note;
    buf_init(&note, NOTE_MAX);
    int fd = open(at(dir, "checkpoint").c, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(buf_room(&note, NOTE_MAX) != NULL);
    buf_grew(&note, (size_t)read(fd, note.p, NOTE_MAX));
    close(fd);
    assert_int_equal(checkpoint_open(buf_slice(&note), &key, &h), NOTE_GOOD);
    buf_done(&note);
    return h;
}

static inline void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

#endif
