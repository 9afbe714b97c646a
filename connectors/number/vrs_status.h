#ifndef GW_ZONE_NUMBER
#error "vrs_status.h belongs to the number zone"
#endif
#ifndef CONNECTORS_NUMBER_VRS_STATUS_H
#define CONNECTORS_NUMBER_VRS_STATUS_H

#include "gateway/base/err.h"

/* What a status other than 200 says; those below 500 that are not in its table break the agreement. */
struct err nz_vrs_status(int status);

#endif
