#ifndef GW_AUDIT_CLIENT_INT_H
#define GW_AUDIT_CLIENT_INT_H

/* Shared by client.c and client_read.c only. */

#include "gateway/audit/audit.h"
#include "gateway/metrics/metrics.h"

struct audit_places { metric *seconds, *failed, *waiting; };

struct audit {
    struct loop *loop;
    struct ipc_client *ipc;
    struct audit_places count;
};

#endif
