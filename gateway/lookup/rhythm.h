#ifndef GW_LOOKUP_RHYTHM_H
#define GW_LOOKUP_RHYTHM_H

/* When an answer leaves that must not tell whether there is somebody.
 *
 * "Nothing" is one answer for who was never registered and for who is silent, but the work before it is not the same: a person's records are opened,
 * a citizen's order is carried out. Such answers leave on a beat counted from the arrival of their request: 20 ms, 40, 80, and so on, doubled. Work
 * that ended before the beat does not show, however long it took. Doubled, because each beat is a moment at which two kinds of work can fall on
 * different sides: there are seven of them to the deadline, and of an answer that was late anyway no more is told than how late by powers of two.
 *
 * One request of a connection is in work at a time, so no more answers wait than there are connections; nothing runs while none waits. The beat is
 * the last thing before the answer: what was judged and recorded stays so, and that the caller's certificate is good is asked after it. */

#include "gateway/loop/due.h"

enum { RHYTHM_FIRST_MS = 20, RHYTHM_MARGIN_MS = 50 /* before the request's deadline: the last beat */ };

/* Sans I/O: the first beat that is not before now; at last_ns, whatever beat that is, and at once behind it. All in alarm_now() terms. */
uint64_t rhythm_beat(uint64_t arrived_ns, uint64_t now_ns, uint64_t last_ns);

struct rhythm_place { /* of an answer, in the memory of its request */
    struct due_item due;
    uint64_t arrived_ns, last_ns;
    void (*fn)(void *arg);
    void *arg;
};

/* The beat of a worker, and of all answers that wait in it. */
struct rhythm;
ERR rhythm_new(struct rhythm **ret_h, struct loop *l);
void rhythm_free(struct rhythm *h); /* nobody waits any more; NULL is fine */

/* The request is here: before anything is done that depends on a person. left_ms: to its deadline. */
void rhythm_arrived(struct rhythm_place *p, uint64_t left_ms);
/* fn from the loop, at the next beat. */
void rhythm_wait(struct rhythm *h, struct rhythm_place *p, void (*fn)(void *arg), void *arg);

#endif
