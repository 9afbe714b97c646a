#ifndef GW_ZONE_NUMBER
#error "console.h belongs to the number zone"
#endif
#ifndef KEYS_CONSOLE_CONSOLE_H
#define KEYS_CONSOLE_CONSOLE_H

/* The console of a municipality: the files of this folder, as routes of the municipal door. */

#include "gateway/pages/pages.h"

extern const struct page_set nz_console;

#endif
