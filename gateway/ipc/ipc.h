#ifndef GW_IPC_IPC_H
#define GW_IPC_IPC_H

/* Requests and replies between our daemons over a unix stream socket.
 *
 *   frame = type u8 | flags u8 | len u16 | id u32 | len bytes of body     (big endian)
 *   flags bit 0: reply; then type is the request's and the body is: code u16 (enum err_code) | rest
 *
 * The first frame of a connection is HELLO: role u8 | capability[32]. Any breach of the tables closes the
 * connection; a reply may come in any order. Bodies have the exact sizes of the tables: nothing is parsed. */

#include "gateway/base/secret.h"
#include "gateway/loop/loop.h"

enum ipc_role { IPC_INTAKE, IPC_FRONT, IPC_VAULT, IPC_CTL, IPC_AUDIT, IPC_COURIER, IPC__ROLES };
#define IPC_BIT(role) (1u << (role))

enum { IPC_CAP_BYTES = 32, IPC_BODY_MAX = 2304, IPC_INFLIGHT_MAX = 16384 };

/* ---- server ---- */

struct ipc_server;
struct ipc_call; /* one request being answered; ends with ipc_reply() exactly once, now or later */

typedef void ipc_handler_fn(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);

struct ipc_rule {
    uint8_t type;      /* 1..127 */
    unsigned roles;    /* IPC_BIT()s that may send it */
    uint16_t min, max; /* bounds of the body */
    ipc_handler_fn *handler;
};

struct ipc_server_conf {
    const char *path;                   /* unix socket; mode 0600; an old socket file is replaced. One that is there by inherited_unix() is used as it is: when its file is open to a group, whoever the file lets in may connect */
    const struct ipc_rule *rules;       /* borrowed for good */
    size_t n_rules;
    struct secret *caps[IPC__ROLES];    /* capability of each role that may connect, else NULL; moved in */
    unsigned conns_max;                 /* connections at a time */
    void (*on_breach)(void *ctx);       /* a peer broke the tables: an audit event, not a log line. May be NULL */
    void *ctx;                          /* handed to the handlers */
};

/* The peer's uid must be ours or 0 (SO_PEERCRED), but for a socket that is open to a group. IO when the socket cannot be bound. */
ERR ipc_server_new(struct ipc_server **ret_s, struct loop *l, struct ipc_server_conf conf);
/* Before the end: asks the clients to go. Each sends nothing more, hears what it has asked for, and connects again, to whoever listens then. Until the last
 * one has gone, or IPC_LEAVE_MS have passed, calls are served as ever; then done(arg), once, maybe before the return. */
enum { IPC_LEAVE_MS = 1500 };
void ipc_server_leave(struct ipc_server *s, loop_fn *done, void *arg);
/* Stops accepting and closes all connections; pending calls may still be replied to (ignored). */
void ipc_server_close(struct ipc_server *s);

/* body: at most IPC_BODY_MAX - 2 bytes; ignored unless e is OK. The call is gone afterwards. */
void ipc_reply(struct ipc_call *call, struct err e, struct slice body);
/* Instead of a reply, from inside the handler or later: the body had the right size but cannot be. Closes the peer's
 * connection and calls on_breach. */
void ipc_breach(struct ipc_call *call);

/* ---- client ---- */

struct ipc_client;

struct ipc_client_conf {
    const char *path;
    enum ipc_role role;     /* who we are */
    struct secret *cap;     /* moved in */
    enum err_code down;     /* the error for "not connected, lost, late": E_VAULT_DOWN or E_AUDIT_DOWN */
};

typedef void ipc_done_fn(void *arg, struct err e, struct slice body); /* body: borrowed for the call */

/* Connects from the loop and reconnects with back-off (20 ms doubling to 500 ms). */
ERR ipc_client_new(struct ipc_client **ret_c, struct loop *l, struct ipc_client_conf conf);
void ipc_client_close(struct ipc_client *c); /* pending calls end with CANCELED, from the loop */
uint64_t ipc_client_heard(const struct ipc_client *c); /* another number, from 1, for each piece of replies that came in together */
size_t ipc_client_waiting(const struct ipc_client *c); /* calls that are not finished */
bool ipc_client_up(const struct ipc_client *c); /* also for IPC_MOVE_MS after a server has left in order: calls wait for the next one */
enum { IPC_MOVE_MS = 1500 };

/* done runs exactly once, never before the return. deadline in loop_now() terms. While the connection is down, calls
 * wait for it until their deadline; when it breaks after sending, they end with conf.down (outcome unknown).
 * More than IPC_INFLIGHT_MAX at a time end with BUSY. All frames of one loop turn go out in one write. */
void ipc_call(struct ipc_client *c, uint8_t type, struct slice body, uint64_t deadline, ipc_done_fn *done, void *arg);

/* Blocking helper for the operator's command: connect, HELLO, one call, close. */
ERR ipc_call_once(const char *path, enum ipc_role role, const struct secret *cap, uint8_t type, struct slice body,
                  unsigned timeout_ms, uint8_t *ret_body, size_t cap_body, size_t *ret_n);

#endif
