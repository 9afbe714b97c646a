#ifndef MOCKS_ROUTES_H
#define MOCKS_ROUTES_H

/* The table of routes of every system's door. */

#include "mocks/nation.h"

extern const struct route PMH_ROUTES[], INTERMEDIARY_ROUTES[], ONSHI_ROUTES[], PORTAL_ROUTES[], VRS_ROUTES[], CLINIC_APP_ROUTES[], CONTROL_ROUTES[];
extern const size_t PMH_ROUTES_N, INTERMEDIARY_ROUTES_N, ONSHI_ROUTES_N, PORTAL_ROUTES_N, VRS_ROUTES_N, CLINIC_APP_ROUTES_N, CONTROL_ROUTES_N;

#endif
