#ifndef TESTS_AUDIT_RIG_H
#define TESTS_AUDIT_RIG_H

/* A log with a reader and a keeper behind it, and questions to them. For the tests of reader and retention only. */

#include "tests/unit/audit_bench.h"

#include "gateway/audit/keeper.h"
#include "gateway/audit/reader.h"
#include "gateway/audit/tiles.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/wire_num.h"

enum { SEGMENTS = 3, MORE = 500, RARE_EVERY = 9001, U64 = 8 };
#define ALL (SEGMENTS * AUDIT_SEGMENT_ENTRIES + MORE)

static const uint8_t SEED[32] = "a seed of the tests, 32 bytes...";

/* ---- a log with a reader and a keeper behind it ---- */

struct rig {
    struct bench *b;
    struct audit_reader *reader;
    struct audit_keeper *keeper;
    bool closed;
    /* the last answer */
    bool answered;
    struct err e;
    uint8_t reply[IPC_BODY_MAX];
    size_t n;
};

static inline void on_commit(void *arg, const uint8_t *entries, size_t n, uint64_t seq)
{
    struct rig *r = arg;
    audit_reader_grew(r->reader, entries, n);
    audit_keeper_grew(r->keeper, seq);
}

static inline void rig_open(struct rig *r, struct bench *b)
{
    struct secret *seed = NULL;
    *r = (struct rig){ .b = b };
    writer_open(b, b->log);
    b->last_seq = b->found.seq;
    assert_true(err_ok(secret_new(&seed, ARR(SEED))));
    assert_true(err_ok(audit_reader_new(&r->reader, b->loop, b->log, b->found.seq, b->found.pruned)));
    assert_true(err_ok(audit_keeper_new(&r->keeper, b->loop, (struct audit_keeper_conf){ .dir = b->log, .origin = "test.example/log", .seed = seed }, b->found.seq)));
    secret_free(seed);
    audit_writer_on_commit(b->writer, on_commit, r);
}

static inline void on_rig_closed(void *arg) { ((struct rig *)arg)->closed = true; }

static inline void rig_close(struct rig *r)
{
    writer_close(r->b);
    audit_keeper_close(r->keeper, on_rig_closed, r);
    UNTIL(r->b, r->closed);
    r->closed = false;
    audit_reader_close(r->reader, on_rig_closed, r);
    UNTIL(r->b, r->closed);
}

/* Entry seq is about person seq % 1000, and every RARE_EVERYth about one who is rarely seen. */
static inline struct audit_rec rec_of(uint64_t seq)
{
    struct audit_rec r = record((uint32_t)seq);
    memset(r.subject, 0, sizeof r.subject);
    be_put(r.subject, seq % RARE_EVERY == 0 ? 0xffff : 1 + seq % 1000, 2);
    r.subject[2] = 9;
    r.wall_ms = 1700000000000u + seq * 1000;
    r.epoch = seq % 5000 == 0 ? seq / 5000 : 0;
    r.ref[0] = seq % 20011 == 0;
    return r;
}

static inline void grow(struct rig *r, uint64_t n)
{
    struct bench *b = r->b;
    uint64_t goal = b->last_seq + n, sent = b->last_seq;
    while (b->last_seq < goal) {
        while (sent < goal && sent - b->last_seq < 8192) {
            struct audit_rec rec = rec_of(++sent);
            uint8_t bytes[AUDIT_REC_BYTES];
            audit_encode(&rec, bytes);
            audit_writer_append(b->writer, bytes, IPC_FRONT, on_written, b);
        }
        turn(b);
        assert_int_equal(b->refused, 0);
    }
}

/* ---- questions ---- */

static inline void on_reply(void *arg, struct err e, struct slice reply)
{
    struct rig *r = arg;
    assert_false(r->answered);
    r->answered = true;
    r->e = e;
    r->n = reply.n;
    if (reply.n)
        memcpy(r->reply, reply.p, reply.n);
}

static inline void ask(struct rig *r, uint8_t message, struct slice body)
{
    r->answered = false;
    audit_reader_ask(r->reader, message, body, on_reply, r);
    UNTIL(r->b, r->answered);
}

static inline void key_put(uint8_t *out, const struct audit_key *k)
{
    out[0] = (uint8_t)k->kind;
    memcpy(out + 1, k->b, sizeof k->b);
}

static inline void find(struct rig *r, const struct audit_key *k, uint64_t before, uint64_t from_ms, uint64_t to_ms, struct audit_hits *h)
{
    uint8_t body[AUDIT_FIND_BYTES];
    key_put(body, k);
    be_put(body + AUDIT_KEY_BYTES, before, U64);
    be_put(body + AUDIT_KEY_BYTES + 8, from_ms, U64);
    be_put(body + AUDIT_KEY_BYTES + 16, to_ms, U64);
    ask(r, AUDIT_MSG_FIND, ARR(body));
    assert_true(err_ok(r->e));
    h->next = be_get(r->reply, U64);
    h->n = r->n / U64 - 1;
    for (size_t i = 0; i < h->n; i++)
        h->seq[i] = be_get(r->reply + U64 * (i + 1), U64);
}

static inline struct audit_key person_of(uint64_t seq)
{
    struct audit_rec rec = rec_of(seq);
    return audit_key_person(rec.subject);
}

/* All pages; every hit is about the key, in order, and none is missing. */
static inline void assert_finds_all(struct rig *r, const struct audit_key *k, uint64_t oldest, uint64_t newest)
{
    struct audit_hits h = { 0 };
    uint64_t want = newest, before = 0;
    do {
        find(r, k, before, 0, UINT64_MAX, &h);
        for (size_t i = 0; i < h.n; i++, want--) {
            for (struct audit_rec rec = rec_of(want); !audit_is_about(&rec, k); rec = rec_of(--want))
                assert_true(want > h.seq[i]);
            assert_true(h.seq[i] == want);
        }
        before = h.next;
    } while (h.next);
    for (; want >= oldest; want--) {
        struct audit_rec rec = rec_of(want);
        assert_false(audit_is_about(&rec, k));
    }
}

static inline void checkpoint_here(void *arg, struct err e, const struct tree_head *head, struct slice note)
{
    assert_true(err_ok(e) && note.n > 0);
    *(struct tree_head *)arg = *head;
}

static inline struct err prove(struct rig *r, const struct audit_key *k, uint64_t seq, uint64_t size)
{
    uint8_t body[AUDIT_PROVE_BYTES];
    key_put(body, k);
    be_put(body + AUDIT_KEY_BYTES, seq, U64);
    be_put(body + AUDIT_KEY_BYTES + 8, size, U64);
    ask(r, AUDIT_MSG_PROVE, ARR(body));
    return r->e;
}

#endif
