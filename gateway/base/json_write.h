#ifndef GW_BASE_JSON_WRITE_H
#define GW_BASE_JSON_WRITE_H

/* Writes JSON straight into a buf; commas are put by the writer. Errors are the buf's. */

#include "gateway/base/buf.h"

enum { JSONW_DEPTH_MAX = 16 };

struct jsonw {
    struct buf *out;
    unsigned depth;
    uint32_t comma; /* bit d: the level d has an item already */
};

void jsonw_init(struct jsonw *w, struct buf *out);
/* name: member name (literal, plain ASCII) or NULL inside an array and at the top. */
void jsonw_object(struct jsonw *w, const char *name);
void jsonw_array(struct jsonw *w, const char *name);
void jsonw_end_object(struct jsonw *w);
void jsonw_end_array(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *name, struct slice utf8); /* escapes as RFC 8259 §7 asks, control bytes as \u00xx */
void jsonw_cstr(struct jsonw *w, const char *name, const char *utf8);
void jsonw_u64(struct jsonw *w, const char *name, uint64_t v);
void jsonw_bool(struct jsonw *w, const char *name, bool v);
void jsonw_null(struct jsonw *w, const char *name);
/* One complete JSON value, put in as it is. */
void jsonw_raw(struct jsonw *w, const char *name, struct slice json);

#endif
