#ifndef GW_ZONE_NUMBER
#error "intake.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_INTAKE_H
#define KEYS_INTAKE_INTAKE_H

/* pmhgw-intake: the one struct that main builds and passes down, and the handlers of the municipal door.
 *
 * One registration through the files:
 *   doors.c      the table of routes; the token is checked
 *   register.c   body -> rows with verdicts -> subjects of the vault -> ties judged -> tickets -> durable, audited, 202
 *   outbox.c     rows that are due -> window -> subjects.c: the PMH key is there, or
 *   numbering.c  number (from memory or revealed) -> PMH -> key
 *   apply.c      judge.c -> record into redis-link, result of the row, one transaction */

#include "connectors/core/client.h"
#include "gateway/audit/audit.h"
#include "gateway/basis/basis.h"
#include "gateway/basis/institutions.h"
#include "gateway/check/field.h"
#include "gateway/conf/hup.h"
#include "gateway/epoch/epoch.h"
#include "gateway/jose/jwe.h"
#include "gateway/redis/redis.h"
#include "gateway/serve/serve.h"
#include "gateway/store/store.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/intake/hot.h"
#include "keys/intake/names.h"
#include "keys/intake/vault_client.h"
#include "keys/registration/registration.h"

struct jws_signer;
struct vaccine_table;
struct nz_bulk;
struct nz_files;
struct nz_inquiry;
struct nz_report;
struct nz_changer;
struct nz_outbox;
struct nz_spool;
struct nz_retain;
struct nz_staff_zone;
struct nz_watch;
struct ring_watch;

enum {
    NZ_POOL_NUMBERS = 131072,  /* numbers in memory at a time: bodies being read, hot ones, those on their way to PMH */
    NZ_HOT_NUMBERS = 65536,
    NZ_BODIES_MAX = 32 << 20,  /* bytes of the registration bodies that are worked on at a time */
    NZ_TASKS_SHOWN = 100,
    NZ_READ_MS = 3000,   /* longest wait of a request for one read, one audit record, one call of the vault */
    NZ_WRITE_MS = 10000, /* longest wait of a request for its transaction */
    NZ_DOWN_MS = 800,    /* the same for a part that is down when it is asked: it may be restarting */
    NZ_ROUTES = 47,
    NZ_CONSOLE_MAX = 80, /* files of the console, behind those routes */
    NZ_EXPORTS_MAX = 4,  /* of operation logs at a time, one of a municipality */
    NZ_TASK_KID_MAX = 32
};

struct nz_intake {
    struct conf conf;
    struct loop *loop;
    struct basis *basis;               /* the register of legal bases */
    struct vaccine_table *vaccines;    /* NULL: there is none */
    struct nz_fees *fees;              /* what doses cost; NULL: nothing is known */
    struct institutions *institutions; /* NULL: none are registered */
    struct redis *redis;
    struct audit *audit;
    struct epoch *epoch;
    struct nz_vault *vault;
    struct client *client;
    struct keyring *ring;
    struct store *store;
    struct jwe_keys *tokens;
    char token_kid[NZ_TASK_KID_MAX]; /* the newest kid, NUL-terminated */
    struct nz_pool *pool;
    struct nz_hot *hot;
    struct check_levels levels;
    struct route routes[NZ_ROUTES + NZ_CONSOLE_MAX];
    size_t n_routes;
    struct revocations *revocations; /* NULL: none are looked up */
    struct budget *budget;     /* of the door */
    struct door *door;
    struct nz_order *order;    /* order.h */
    struct nz_outbox *outbox;
    struct nz_changer *changer;
    struct nz_spool *spool;
    struct nz_bulk *bulk;      /* files, keys/bulk */
    struct nz_files *files;    /* uploads and followers, keys/files */
    struct nz_inquiry *inquiry; /* keys/inquiry */
    struct nz_report *report;   /* keys/report; NULL: VRS is told nothing */
    struct jws_signer *receipts; /* NULL: none are given */
    struct nz_retain *retain;  /* forgets old tasks */
    struct nz_meter *meter;    /* meter.h; NULL: nothing is counted */
    struct nz_watch *watch;    /* keys/console: what the console is told of the gateway */
    struct nz_staff_zone *staff; /* keys/staff; what req_data() of a request is: who has logged in */
    struct ring_watch *ring_watch;
    struct timer *drain;       /* runs between the stop and the end */
    unsigned drain_steps;
    uint64_t cut_at;           /* loop_now(): what has begun is cut then */
    bool drained;              /* the door: nobody is left at it, or it has been closed */
    struct conf_hup hup;
    size_t body_bytes;         /* of the registrations under way */
    unsigned registrations;
    char exporting[NZ_EXPORTS_MAX][6]; /* municipalities whose operation log is being exported; NULs: free */
    char ledgers[NZ_EXPORTS_MAX][6];   /* the same of exports of vaccinations */
    uint64_t last_received_ms; /* of order.h: no two tasks have the same time */
};

/* ---- handlers and hooks of the municipal door ---- */

handler_fn nz_token_issue, nz_register, nz_health, nz_metrics;
struct err nz_token_authorize(void *ctx, struct req *r, struct slice authorization);
void nz_doors_refused(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e));

/* BASIS unless some basis names the caller's system and the operation: that of the route, and that which rows of a file are for. */
struct err nz_doors_allow(void *ctx, struct req *r);
ERR nz_doors_allow_rows(const struct req *r, enum nz_form form);
/* Of a record of a request: the basis of the rows that it is about. */
void nz_audit_rows(struct audit_rec *rec, const struct req *r, enum nz_form form);
/* `--routes`: the table of the door, one line a route. */
void nz_doors_print(void);

/* Opens the municipal door. */
ERR nz_doors_open(struct nz_intake *in);
/* SIGHUP: certificate, key and issuers of the door, and the log level, out of the file at `config`. */
void nz_doors_hup(struct nz_intake *in, const char *config);

/* An audit record of a request: event, result, caller, municipality, count, and the basis of its route. */
struct audit_rec nz_audit_of(const struct req *r, enum audit_event event, enum audit_result result, uint64_t count);

/* The record that a task which was accepted is in redis-link; exec: the reply to its transaction, whose last command raised the epoch. */
struct audit_rec nz_audit_stored(const struct req *r, const struct nz_task_id *task, uint64_t rows, const struct redis_reply *exec);

/* Answers 202 with the task that stands in req_out(), and says where it is. Ends the request. */
void nz_req_accepted(struct req *r, const struct nz_task_id *task);

/* The deadline of one step of a request: ms from now, NZ_DOWN_MS when the part that is asked is down, and never later
 * than the request's own. A part that is away is a 503 soon, not at the end of the request's time. */
uint64_t nz_req_step(const struct req *r, uint64_t ms, bool up);

/* What is written of vaccinations is marked for VRS (keys/report). */
static inline bool nz_reports_to_vrs(const struct nz_intake *in) { return strcmp(in->conf.vrs_report, VRS_MARK_SETTING) == 0; }

/* The municipality of the caller: 6 digits. Routes that ask for CALLER_MUNICIPALITY only. */
static inline const char *nz_req_muni(const struct req *r) { return req_caller(r)->code; }

#endif
