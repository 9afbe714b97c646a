#ifndef GW_BOX_FILTER_H
#define GW_BOX_FILTER_H

/* The system-call filters of the roles. Private to gateway/box. */

#include "gateway/box/box.h"

/* Puts the filter of the role on every thread of the process, for good. IO when the kernel does not take it. */
ERR filter_load(enum box_role role);

#endif
