#ifndef GW_FRONT_WORKER_H
#define GW_FRONT_WORKER_H

/* One process that answers: its own loop, keys, connections to Redis and to the audit, and both doors. */

#include "gateway/conf/conf.h"
#include "gateway/front/supervisor.h"
#include "gateway/serve/rates.h"
#include "gateway/tls/tls.h"

/* Groups of files that a worker takes up again when they change. */
enum worker_news { NEWS_RING /* link_ring, link_master */, NEWS_CRL /* door_crl */, NEWS_LOG_KEY /* audit_pub_file */, NEWS__MAX };

struct board;
/* By the workers; each may be NULL. */
struct worker_shared { struct tls_sessions *sessions; struct rates *rates; struct board *board; };
/* Returns the exit status; EXIT_SETTINGS when a file that the settings name cannot be used. */
int worker_run(const struct conf *conf, const struct worker_shared *shared, const struct worker_lines *lines);

#endif
