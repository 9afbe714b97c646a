#ifndef KEYS_CTL_PROBE_H
#define KEYS_CTL_PROBE_H

/* Is it alive? Blocking questions with short time-outs; `up` asks them on libuv's threads. */

#include "gateway/audit/audit.h"
#include "gateway/signer/signer.h"
#include "keys/ctl/state.h"

/* PING over the unix socket. pass_file NULL: unauthenticated, then any answer but LOADING counts. STORE_DOWN. */
ERR probe_redis(const char *socket_path, const char *user, const char *pass_file);
/* The same, and what exactly is amiss: UPSTREAM_DOWN: nobody listens; STORE_DOWN: he closed the connection; STORE_SILENT, STORE_LOADING; FORBIDDEN: the login is not taken;
 * STORE_REFUSED. */
ERR probe_redis_said(const char *socket_path, const char *user, const char *pass_file);
/* PING with our capability. AUDIT_DOWN, STORE_DOWN (vault is there, its Redis is not), VAULT_DOWN. */
ERR probe_audit(const struct state *s, uint64_t *ret_last_seq);
/* How long the disk of the log lasts. AUDIT_DOWN. */
ERR probe_audit_disk(const struct state *s, struct audit_disk_status *ret_d);
ERR probe_vault(const struct state *s);
/* Asks for its public keys. SIGNER_DOWN. */
ERR probe_signer_keys(const struct state *s, struct signer_keys *ret_k);
ERR probe_signer(const struct state *s);
/* It says at redis-link every few seconds that it works. STORE_DOWN, BUSY: it does not. */
ERR probe_courier(const struct state *s);
/* GET /health of a door: OK for 200; what it says of itself for 503 (it runs, a part is down), BUSY when that is no word of ours; UPSTREAM_DOWN. */
ERR probe_door(const struct state *s, unsigned port);
/* GET `path` of a mock with the operator's certificate; any HTTP status counts. UPSTREAM_DOWN. */
ERR probe_mock(const struct state *s, unsigned port, const char *path);

/* The questions for each process of a state, in the order in which they are started. i < PROBE_PARTS. */
struct probe_part { const char *name; struct err (*ask)(const struct state *s); };
enum { PROBE_REDIS_VAULT, PROBE_REDIS_LINK, PROBE_AUDIT, PROBE_VAULT, PROBE_SIGNER, PROBE_INTAKE, PROBE_FRONT, PROBE_COURIER, PROBE_MOCKS, PROBE_PARTS };
const struct probe_part *probe_part(size_t i);
/* PROBE_REDIS_VAULT or PROBE_REDIS_LINK: as probe_redis_said(). */
ERR probe_store_said(const struct state *s, size_t part);

/* The port on 127.0.0.1 can be listened on. IO when it is taken (errno tells). */
ERR probe_port_free(unsigned port);

#endif
