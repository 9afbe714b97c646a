#ifndef GW_ZONE_NUMBER
#error "ask.h belongs to the number zone"
#endif
#ifndef KEYS_OPLOG_ASK_H
#define KEYS_OPLOG_ASK_H

/* Queries of the operation log. Sans I/O. */

#include "gateway/base/clock.h"
#include "gateway/base/err.h"

enum { NZ_OPLOG_PAGE_MAX = 64, NZ_OPLOG_PAGE_DEFAULT = 50 };

struct nz_oplog_query { uint64_t before; /* 0: the newest */ unsigned limit; };
/* ?cursor=&limit= BAD_URL for anything that is not documented. */
ERR nz_oplog_query_read(struct slice query, struct nz_oplog_query *ret_q);

struct nz_oplog_range { uint64_t from_ms, to_ms; };
/* ?from=YYYY-MM-DD&to=YYYY-MM-DD: days in Japan, both included. BAD_URL; also when from is behind to. */
ERR nz_oplog_range_read(struct slice query, struct nz_oplog_range *ret_r);

#endif
