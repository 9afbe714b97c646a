#ifndef GW_AUDIT_CLIENT_INT_H
#define GW_AUDIT_CLIENT_INT_H

/* Shared by client.c, client_use.c and client_read.c only. */

#include "gateway/audit/audit.h"
#include "gateway/metrics/metrics.h"

struct audit_places { metric *seconds, *failed, *waiting; };

struct audit {
    struct loop *loop;
    struct ipc_client *ipc;
    struct audit_places count;
};

/* A record on its way, client.c. One that is none is not sent, and done hears that it is down. */
void audit_send(struct audit *a, uint8_t message, const struct audit_rec *rec, uint64_t deadline, ipc_done_fn *done, void *arg);

#endif
