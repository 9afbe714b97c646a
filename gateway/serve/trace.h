#ifndef GW_SERVE_TRACE_H
#define GW_SERVE_TRACE_H

/* traceparent (W3C Trace Context, level 1): the trace that a request is part of, for the log. */

#include "gateway/base/log.h"

/* Version 00, or a later one whose beginning reads the same. Not taken: what is malformed, all zero, or has twelve decimal digits in a row: the caller chose it, and
 * what could be an individual number stays out of the log. One id in thirty, chosen at random, is lost to that. */
struct trace_id trace_of(struct slice header); /* all zero: none */

#endif
