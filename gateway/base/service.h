#ifndef GW_BASE_SERVICE_H
#define GW_BASE_SERVICE_H

/* What the service manager hears of this process (systemd: NOTIFY_SOCKET, WATCHDOG_USEC). Without one nothing happens. Not synced: it never waits. */

#include <stdint.h>

/* Lines of "NAME=value", as of sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1". */
void service_tell(const char *lines);
/* It wants to hear "WATCHDOG=1" at least this often, in milliseconds; 0: never. A child of the process that it started is not meant. */
uint64_t service_watchdog_ms(void);

#endif
