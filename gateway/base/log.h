#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

/* JSON lines on standard error. The values are a closed set of types: a slice, a char pointer, a secret or a
 * number of a resident does not compile, and event and field names must be literals.
 *
 *   LOG(WARN, "redis_lost", LF("attempt", n), LF("error", e));
 */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_NOTE /* what an order came to: always written */, LOG__MAX };

/* Random, so it says nothing about the request. */
struct req_id { uint8_t b[8]; };
/* Of a trace that somebody else began (gateway/serve/trace.h); all zero: of none. */
struct trace_id { uint8_t b[16]; };
/* A string literal of the program text: names of tables (operations, states, daemons). */
struct lit { const char *s; };
#define LITERAL(s) ((struct lit){ "" s })

struct lf {
    const char *key;
    enum { LF_U64, LF_I64, LF_BOOL, LF_ERR, LF_RID, LF_TRACE, LF_LIT } kind;
    union { uint64_t u; int64_t i; bool b; struct err e; struct req_id rid; struct trace_id trace; struct lit lit; } v;
};

struct lf lf_u64(const char *k, uint64_t v);
struct lf lf_u32(const char *k, unsigned v);
struct lf lf_int(const char *k, int v);
struct lf lf_bool(const char *k, bool v);
struct lf lf_err(const char *k, struct err v);
struct lf lf_rid(const char *k, struct req_id v);
struct lf lf_trace(const char *k, struct trace_id v);
struct lf lf_lit(const char *k, struct lit v);

#define LF(k, v)                                                                                       \
    _Generic((v), uint64_t: lf_u64, unsigned: lf_u32, int: lf_int, bool: lf_bool, struct err: lf_err, \
             struct req_id: lf_rid, struct trace_id: lf_trace, struct lit: lf_lit)("" k, v)

#define LOG(level, event, ...) \
    log_emit(LOG_##level, "" event, sizeof((struct lf[]){ __VA_ARGS__ }) / sizeof(struct lf), (struct lf[]){ __VA_ARGS__ })

void log_emit(enum log_level level, const char *event, size_t n, const struct lf *fields);

/* At the start of main; the last call counts: the daemon's name (literal) and the lowest level that is written. */
void log_open(struct lit daemon, enum log_level lowest);

#endif
