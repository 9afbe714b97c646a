#ifndef GW_NOTICE_LANES_H
#define GW_NOTICE_LANES_H

/* The outbox as the courier sees it: takes what is due, and ends what it has taken. Builds commands and reads replies; sans I/O.
 *
 *   nx, nl:<lane>, no:<id>   see gateway/notice
 *   nh:<lane>  HASH  t: fence of who works on it; n, f: attempts of the oldest message and wall ms of the first; r: why the last one failed; p:<id>: it was a dead letter
 *   nd         HASH  dead letters: id -> "<wall ms> <reason> <owner> <attempts> <lane>"; the message stays in no:<id>
 *   nf         STRING  the last fence: a number that only grows
 *   nb         STRING  a courier works; expires soon
 *
 * Who takes a lane gets a lease on it: it is due again when that has run out. Whatever ends it looks first whether the fence is still its own, so a
 * courier that was away for longer changes nothing. */

#include "gateway/notice/notice.h"

enum { LANES_BATCH_MAX = 64 * 1024, LANES_CLAIM_MAX = 64, LANES_BEAT_MS = 1500, LANES_BEAT_LIFE_MS = 5000, LANE_FENCE_MAX = 20, LANE_WORD_MAX = 15 };
#define LANES_DEAD LIT("nd")

struct lane_item { /* the oldest message of a lane, taken */
    char lane[NOTICE_HEX];
    uint8_t id[NOTICE_ID_BYTES];
    char fence[LANE_FENCE_MAX]; /* decimal, NUL-padded */
    uint64_t attempts, first_ms;
    bool replayed;
    struct slice sealed;        /* borrowed from the reply; empty: the message is gone */
};
/* One command: takes at most n lanes that are due, with a lease until `until_ms`; also those that are due after `far_ms`, which nobody could have meant: a clock was
 * ahead when that was written. Its reply is an array; item i of it. False: it is none of ours. */
struct lanes_times { uint64_t now_ms, until_ms, far_ms; };
void lanes_claim(const struct lanes_times *t, size_t n, struct redis_batch *b);
bool lanes_item(const struct redis_reply *array, size_t i, struct lane_item *ret_i);
/* That a courier works; the second reply is the number of dead letters. */
enum { LANES_BEAT_REPLIES = 2 };
void lanes_beat(uint64_t now_ms, struct redis_batch *b);

enum lane_how {
    LANE_DONE,  /* the next one is due */
    LANE_BACK,  /* nothing was tried: again at due_ms */
    LANE_LATER, /* an attempt failed: the same at due_ms, and why */
    LANE_DEAD   /* a dead letter; the next one is due */
};
/* why, owner: words of the program text, [a-z_0-9]{1,LANE_WORD_MAX}; NULL where none is needed. owner: who has to do something about a dead letter. */
struct lane_end { enum lane_how how; uint64_t now_ms, due_ms; const char *why, *owner; uint64_t dead_max; /* DEAD: with so many the script has no room */ };
/* Expects the fence: for what is written while the lane is held. */
void lanes_hold(const struct lane_item *it, struct redis_swap *swap);
/* Expects the fence and adds the commands. */
void lanes_end(const struct lane_item *it, const struct lane_end *end, struct redis_swap *swap);

/* ---- how much waits: one question, for whoever shows or measures it ---- */

struct lanes_state { uint64_t lanes, dead, behind_ms; /* how long the lane that is most overdue has been due: nobody takes them, or too slowly */ };
enum { LANES_STATE_REPLIES = 3 };
void lanes_ask_state(struct redis_batch *b);
/* False: these are no such replies. */
bool lanes_state(const struct redis_reply *const *replies, size_t n, uint64_t now_ms, struct lanes_state *ret_s);

/* ---- dead letters, for the operator's command ---- */

struct lane_dead { uint8_t id[NOTICE_ID_BYTES]; uint64_t at_ms, attempts; char why[LANE_WORD_MAX + 1], owner[LANE_WORD_MAX + 1] /* NUL-padded */, lane[NOTICE_HEX]; };
bool lanes_dead_parse(struct slice id, struct slice value, struct lane_dead *ret_d);
/* Only while it is that dead letter still. Of several of one lane the newest first: each goes to the front. */
void lanes_replay(const struct lane_dead *d, struct slice value, uint64_t now_ms, struct redis_swap *swap);
void lanes_drop(const struct lane_dead *d, struct slice value, struct redis_swap *swap);

#endif
