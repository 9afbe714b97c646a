#ifndef GW_BASE_MUST_H
#define GW_BASE_MUST_H

/* For our own bugs only; stays on in production. Input from network, disk, Redis, an upstream or another
 * process can never trip it. Prints file and line, nothing else, and aborts; the supervisor restarts. */

#define MUST(x) ((x) ? (void)0 : must_failed(__FILE_NAME__, __LINE__))

__attribute__((noreturn, cold)) void must_failed(const char *file, int line);

#endif
