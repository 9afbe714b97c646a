#ifndef GW_COURIER_TARGETS_H
#define GW_COURIER_TARGETS_H

/* The partners that messages may go to: from a file, never from a message or a request.
 *
 *   clinics:
 *     - { code: "3319900019", url: "https://app.example/webhooks", ca: /etc/pmhgw/app-ca.pem }
 *   portals:
 *     - { name: mynaportal, url: ..., ca: ... }
 *   id5: { url: ..., ca: ... }
 *   database: { url: ..., ca: ..., private: true }      or, where nothing is provided from here: none
 *
 * ca: PEM issuers of that partner's certificate, no others are taken. private: its address may be inside (connectors/core/address.h); without it a name
 * that leads inside is not followed. */

#include "connectors/open/open.h"
#include "gateway/courier/pace.h"

struct client;
enum { TARGETS_MAX = 20000, TARGET_URL_MAX = 512, TARGET_FILE_MAX = 8 << 20 };

struct target {
    enum open_target kind;
    const char *who, *url, *ca; /* who: "" for ID5 and the database */
    bool is_private;
    struct breaker breaker;
    unsigned in_flight;
    uint64_t crowd;             /* messages that found no place, of late */
    struct client *client;      /* shared by those with the same ca and private */
};
struct targets;
/* CONFIG with a line for people; NOMEM. */
ERR targets_load(struct targets **ret_t, const char *path);
ERR targets_parse(struct targets **ret_t, const char *file, struct slice yaml, struct buf *bad_line);
void targets_free(struct targets *t); /* NULL is fine */
struct target *targets_find(struct targets *t, enum open_target kind, struct slice who); /* NULL: not configured */
bool targets_no_database(const struct targets *t); /* it was said to be none; else a missing one is somebody's mistake */
size_t targets_n(const struct targets *t);
struct target *targets_at(struct targets *t, size_t i);

#endif
