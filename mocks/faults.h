#ifndef MOCKS_FAULTS_H
#define MOCKS_FAULTS_H

/* How a system of the nation misbehaves on request: switched by PUT /faults/{system}, taken by every answer of that system. */

#include "gateway/base/arena.h"
#include "gateway/base/json_write.h"
#include "mocks/systems.h"

/* X(member, largest value) and X(member): what a fault may hold. */
#define FAULT_NUMBERS(X)  \
    X(delay_ms, 120000)   \
    X(status, 599)        \
    X(count, 1000000000)
#define FAULT_FLAGS(X) \
    X(reset)           \
    X(garbage)         \
    X(wrong_number)    \
    X(extra_field)     \
    X(missing_field)   \
    X(swap)            \
    X(partial)         \
    X(other_person)  \
    X(redirect)

struct fault {
#define X(name, max) uint64_t name; /* 0: none; count 0: every answer is hit */
    FAULT_NUMBERS(X)
#undef X
#define X(name) bool name;
    FAULT_FLAGS(X)
#undef X
};

struct faults {
    struct fault of[SYSTEM__MAX];
    uint64_t hits[SYSTEM__MAX]; /* answers that a fault changed since the start */
};

/* {"delay_ms":…,"status":…,"reset":true,…}; {} is no fault. FIELD for a member that is unknown, of another type or out of range. */
ERR fault_parse(struct fault *ret_f, struct arena *a, struct slice json);
bool fault_any(const struct fault *f);
/* The fault of the next answer; one of a limited number is used up. */
struct fault faults_take(struct faults *f, enum system_id s);
/* Both at once: numbers take the larger, flags either. */
struct fault fault_join(struct fault a, struct fault b);
/* One member per system with a fault. */
void faults_write(const struct faults *f, struct jsonw *w, const char *name);
void fault_write(const struct fault *f, struct jsonw *w, const char *name);

#endif
