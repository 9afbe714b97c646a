#include "gateway/base/inherited.h"
#include "gateway/pages/pages.h"
#include "gateway/questionnaire/template.h"
#include "keys/change/change.h"
#include "keys/console/console.h"
#include "keys/files/files.h"
#include "keys/held/ask.h"
#include "keys/held/held.h"
#include "keys/inquiry/inquiry.h"
#include "keys/console/watch.h"
#include "keys/intake/intake.h"
#include "keys/intake/meter.h"
#include "keys/intake/order.h"
#include "keys/intake/work.h"
#include "keys/oplog/oplog.h"
#include "keys/person/person.h"
#include "keys/staff/staff.h"
#include "keys/vaccination/vaccination.h"

enum { REGISTRATION_MS = 30000, CHANGES_MS = 120000, READ_MS = 10000, TOKEN_MS = 5000, TOKEN_BODY_MAX = 2048, SMALL_BODY_MAX = 4096, PROVISION_BODY_MAX = 16384, PART_MS = 60000, RECEIPT_MS = 120000,
       ARENA_PER_BODY = 12 };
#define BODY_OF_CONF SIZE_MAX /* body_max_bytes of the settings */
#define MUNI CALLER_BIT(CALLER_MUNICIPALITY)
#define VRS CALLER_BIT(CALLER_VRS)
#define OPERATOR CALLER_BIT(CALLER_OPERATOR)
#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"
#define BYTES "application/octet-stream"

static const struct route ROUTES[NZ_ROUTES] = {
    /* method  path                                            operation                          who  token  body          media  ms               handler */
    { M_POST, "/oauth2/token",                                { "issueToken" },                  MUNI, false, TOKEN_BODY_MAX, FORM, TOKEN_MS,        nz_token_issue },
    { M_POST, "/v1/medical-subsidy/registration-tasks",       { "postRegistrationTasks" },       MUNI, true,  BODY_OF_CONF,  JSON, REGISTRATION_MS, nz_register },
    { M_POST, "/v1/medical-subsidy/history-registration-tasks", { "postHistoryRegistrationTasks" }, MUNI, true, BODY_OF_CONF, JSON, REGISTRATION_MS, nz_register },
    { M_POST, "/v1/municipal-checkup/registration-tasks",     { "postMunicipalCheckupRegistrationTasks" }, MUNI, true, BODY_OF_CONF, JSON, REGISTRATION_MS, nz_register },
    { M_POST, "/v1/vaccination/subject-registration-tasks",   { "postVaccinationSubjectRegistrationTasks" }, MUNI, true, BODY_OF_CONF, JSON, REGISTRATION_MS, nz_register },
    { M_POST, "/v1/vaccination/ticket-registration-tasks",    { "postVaccinationTicketRegistrationTasks" }, MUNI, true, BODY_OF_CONF, JSON, REGISTRATION_MS, nz_register },
    { M_POST, "/v1/files",                                    { "createFile" },                  MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_files_create },
    { M_PUT,  "/v1/files/{id}",                               { "putFilePart" },                 MUNI, true,  BODY_OF_CONF,  BYTES, PART_MS,        nz_files_put },
    { M_GET,  "/v1/files/{id}",                               { "getFile" },                     MUNI, true,  0,             NULL, READ_MS,         nz_files_get },
    { M_DELETE, "/v1/files/{id}",                             { "deleteFile" },                  MUNI, true,  0,             NULL, READ_MS,         nz_files_delete },
    { M_GET,  "/v1/tasks",                                    { "listTasks" },                   MUNI, true,  0,             NULL, READ_MS,         nz_tasks_list },
    { M_GET,  "/v1/tasks/{id}",                               { "getTask" },                     MUNI, true,  0,             NULL, READ_MS,         nz_tasks_get },
    { M_GET,  "/v1/tasks/{id}/results",                       { "getTaskResults" },              MUNI, true,  0,             NULL, READ_MS,         nz_tasks_results },
    { M_GET,  "/v1/tasks/{id}/events",                        { "followTask" },                  MUNI, true,  0,             NULL, READ_MS,         nz_tasks_events },
    { M_GET,  "/v1/tasks/{id}/receipt",                       { "getTaskReceipt" },              MUNI, true,  0,             NULL, RECEIPT_MS,      nz_tasks_receipt },
    { M_POST, "/v1/tasks/{id}/undo",                          { "undoTask" },                    MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_tasks_undo },
    { M_POST, "/v1/tasks/{id}/release",                       { "releaseRows" },                 MUNI, true,  NZ_HELD_BODY_MAX, JSON, REGISTRATION_MS, nz_held_release },
    { M_POST, "/v1/tasks/{id}/discard",                       { "discardRows" },                 MUNI, true,  NZ_HELD_BODY_MAX, JSON, REGISTRATION_MS, nz_held_discard },
    { M_POST, "/v1/tasks/{id}/replay",                        { "replayRows" },                  MUNI, true,  NZ_HELD_BODY_MAX, JSON, REGISTRATION_MS, nz_held_replay },
    { M_POST, "/v1/residents/change-tasks",                   { "postResidentChangeTasks" },     MUNI, true,  BODY_OF_CONF,  JSON, CHANGES_MS,      nz_change_post },
    { M_GET,  "/v1/audit/entries",                            { "readOperationLog" },            MUNI, true,  0,             NULL, READ_MS,         nz_oplog_entries },
    { M_GET,  "/v1/audit/export",                             { "exportOperationLog" },          MUNI, true,  0,             NULL, READ_MS,         nz_oplog_export },
    { M_POST, "/v1/staff/login",                              { "loginStaff" },                  MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_login },
    { M_POST, "/v1/staff/logout",                             { "logoutStaff" },                 MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_logout },
    { M_POST, "/v1/staff/password",                           { "changePassword" },              MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_password },
    { M_POST, "/v1/staff/totp",                               { "enrolTotp" },                   MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_totp },
    { M_GET,  "/v1/staff/users",                              { "listUsers" },                   MUNI, true,  0,             NULL, READ_MS,         nz_staff_list },
    { M_PUT,  "/v1/staff/users/{id}",                         { "putUser" },                     MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_put },
    { M_POST, "/v1/residents/reveal",                         { "revealNumber" },                MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_staff_reveal },
    { M_PUT,  "/v1/residents/flags",                          { "setControlFlags" },             MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_flags_put },
    { M_POST, "/v1/residents/flags",                          { "readControlFlags" },            MUNI, true,  SMALL_BODY_MAX, JSON, READ_MS,        nz_flags_read },
    { M_POST, "/v1/residents/erase",                          { "eraseResident" },               MUNI, true,  SMALL_BODY_MAX, JSON, CHANGES_MS,     nz_resident_erase },
    { M_POST, "/v1/vaccination/inquiries",                    { "postInquiries" },               MUNI, true,  BODY_OF_CONF,  JSON, REGISTRATION_MS, nz_inquiry_post },
    { M_POST, "/v1/vaccination/provisions",                   { "provideImmunizations" },        VRS,  false, PROVISION_BODY_MAX, JSON, READ_MS,   nz_provision_post },
    { M_PUT,  "/v1/vaccination/questionnaire-templates/{id}", { "putQuestionnaireTemplate" },    MUNI, true,  QT_JSON_MAX,   JSON, READ_MS,         nz_template_put },
    { M_GET,  "/v1/vaccination/questionnaire-templates/{id}", { "getQuestionnaireTemplate" },    MUNI, true,  0,             NULL, READ_MS,         nz_template_get },
    { M_GET,  "/v1/vaccination/questionnaire-templates",      { "listQuestionnaireTemplates" },  MUNI, true,  0,             NULL, READ_MS,         nz_templates_list },
    { M_GET,  "/v1/vaccination/ledger",                       { "exportLedger" },                MUNI, true,  0,             NULL, READ_MS,         nz_export_ledger },
    { M_GET,  "/v1/vaccination/statistics",                   { "exportStatistics" },            MUNI, true,  0,             NULL, READ_MS,         nz_export_statistics },
    { M_GET,  "/v1/vaccination/due",                          { "exportDue" },                   MUNI, true,  0,             NULL, READ_MS,         nz_export_due },
    { M_GET,  "/v1/vaccination/claims",                       { "exportClaims" },                MUNI, true,  0,             NULL, READ_MS,         nz_export_claims },
    { M_GET,  "/v1/vaccination/recalls",                      { "readRecalls" },                 MUNI, true,  0,             NULL, READ_MS,         nz_export_recalls },
    { M_GET,  "/v1/console/overview",                         { "readOverview" },                MUNI, true,  0,             NULL, READ_MS,         nz_console_overview },
    { M_GET,  "/v1/console/series",                           { "readSeries" },                  MUNI, true,  0,             NULL, READ_MS,         nz_console_series },
    { M_GET,  "/v1/console/certificates",                     { "readCertificates" },            MUNI, true,  0,             NULL, READ_MS,         nz_console_certificates },
    { M_GET,  "/metrics",                                     { "readMetrics" },                 OPERATOR, false, 0,         NULL, READ_MS,         nz_metrics },
    { M_GET,  "/health",                                      { "health" },                      0,    false, 0,             NULL, READ_MS,         nz_health },
};

/* Every request passes the gate of keys/staff first. */
static void enter(struct req *r)
{
    const struct nz_intake *in = req_ctx(r);
    nz_staff_enter(r, ROUTES[req_route(r) - in->routes].handler);
}

/* The console's files: the same for every municipality, without a token and without a member of staff, who logs in by them. */
static size_t console_fill(struct route to[static NZ_CONSOLE_MAX])
{
    return pages_count(&nz_console) <= NZ_CONSOLE_MAX ? pages_routes(&nz_console, to, MUNI) : 0;
}

static void routes_fill(const struct conf *conf, struct route to[static NZ_ROUTES])
{
    memcpy(to, ROUTES, sizeof ROUTES);
    for (size_t i = 0; i < NZ_ROUTES; i++) {
        if (to[i].body_max == BODY_OF_CONF)
            to[i].body_max = conf->body_max_bytes;
        to[i].handler = enter;
    }
}

static void on_revocations_recorded(void *arg, struct err e)
{
    struct nz_intake *in = arg;
    if (!err_ok(e))
        revocations_tell_again(in->revocations);
}

static void on_revocations(void *arg, uint64_t entries)
{
    struct nz_intake *in = arg;
    struct audit_rec rec = nz_outbox_audit(in, AU_REVOCATIONS, "000000", 0);
    rec.count = entries < UINT32_MAX ? (uint32_t)entries : UINT32_MAX;
    audit_append(in->audit, &rec, loop_now(in->loop) + NZ_READ_MS, on_revocations_recorded, in);
}

static ERR open_revocations(struct nz_intake *in)
{
    if (!in->conf.door_crl[0])
        return OK;
    return revocations_new(&in->revocations, in->loop, &(struct revocations_conf){
        .ca_path = in->conf.door_ca, .crl_path = in->conf.door_crl, .look = true, .on_taken = on_revocations, .arg = in });
}

static void on_shed_recorded(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(WARN, "shed_not_recorded", LF("error", e));
}

/* One record for all that a caller was refused in that second. */
static void on_shed(void *arg, struct slice identity, enum err_code why, uint32_t count)
{
    struct nz_intake *in = arg;
    struct audit_rec rec = nz_outbox_audit(in, AU_REFUSED, "000000", 0);
    rec.result = AR_REFUSED;
    rec.reason = why;
    rec.count = count;
    audit_set_actor(&rec, identity);
    LOG(WARN, "requests_shed", LF("error", (struct err){ .code = why }), LF("requests", count));
    audit_append(in->audit, &rec, loop_now(in->loop) + NZ_READ_MS, on_shed_recorded, in);
}

static size_t redis_length(const void *redis) { return redis_waiting(redis); }
static size_t audit_length(const void *audit) { return audit_waiting(audit); }

static ERR open_budget(struct nz_intake *in)
{
    struct budget_conf c = budget_conf_of(&in->conf);
    c.queues[BUDGET_REDIS].length = redis_length;
    c.queues[BUDGET_REDIS].ctx = in->redis;
    c.queues[BUDGET_AUDIT].length = audit_length;
    c.queues[BUDGET_AUDIT].ctx = in->audit;
    c.on_shed = on_shed;
    c.ctx = in;
    return budget_new(&in->budget, in->loop, &c);
}

ERR nz_doors_open(struct nz_intake *in)
{
    TRY(open_revocations(in));
    TRY(open_budget(in));
    routes_fill(&in->conf, in->routes);
    in->n_routes = NZ_ROUTES + console_fill(in->routes + NZ_ROUTES);
    const int fd = inherited_tcp(in->conf.door_host, (unsigned)in->conf.municipal_port);
    struct door_conf conf = {
        .name = LITERAL("municipal"),
        .sockets = &fd,
        .n_sockets = fd >= 0 ? 1 : 0,
        .host = in->conf.door_host,
        .port = (unsigned)in->conf.municipal_port,
        .tls = { .cert_path = in->conf.door_cert, .key_path = in->conf.door_key, .ca_path = in->conf.door_ca, .session_context = "municipal",
                 .tls12 = in->conf.door_tls12 == 1 },
        .revocations = in->revocations,
        .routes = in->routes,
        .n_routes = in->n_routes,
        .allow = nz_doors_allow,
        .authorize = nz_token_authorize,
        .on_refused = nz_doors_refused,
        .limits = door_limits_of(&in->conf),
        .budget = in->budget,
        .ctx = in,
    };
    conf.limits.arena_max = in->conf.body_max_bytes * ARENA_PER_BODY;
    return door_new(&in->door, in->loop, &conf);
}

uint64_t nz_req_step(const struct req *r, uint64_t ms, bool up)
{
    uint64_t at = loop_now(req_loop(r)) + (up || ms < NZ_DOWN_MS ? ms : NZ_DOWN_MS);
    return at < req_deadline(r) ? at : req_deadline(r);
}

void nz_req_accepted(struct req *r, const struct nz_task_id *task)
{
    char location[] = "/v1/tasks/00000000000000000000000000000000", hex[32];
    struct err e = buf_check(req_out(r));
    nz_task_id_format(task, hex);
    memcpy(location + sizeof location - 1 - sizeof hex, hex, sizeof hex);
    if (err_ok(e))
        req_created(r, 202, location, buf_slice(req_out(r)));
    else
        req_fail(r, e);
}

/* ---- legal bases ---- */

static struct slice operation_of(const struct req *r) { return slice_str(req_route(r)->operation.s); }

static struct basis_fit fit_of(const struct nz_intake *in, const struct req *r, struct slice operation)
{
    const struct caller *who = req_caller(r);
    return basis_judge(in->basis, who->role, slice_str(who->system), operation, SLICE_NONE, 0);
}

struct err nz_doors_allow(void *ctx, struct req *r) { return fit_of(ctx, r, operation_of(r)).id ? OK : FAIL(E_BASIS); }

static struct basis_fit fit_of_rows(const struct req *r, enum nz_form form) { return fit_of(req_ctx(r), r, slice_str(nz_form_info(form)->operation)); }

/* A task of a program that a member of staff is not in charge of is as if it did not exist. */
ERR nz_doors_allow_rows(const struct req *r, enum nz_form form)
{
    if (!nz_staff_sees(r, form))
        return req_param(r).n ? FAIL(E_NO_ROUTE) : FAIL(E_FORBIDDEN);
    return fit_of_rows(r, form).id ? OK : FAIL(E_BASIS);
}

void nz_doors_print(void)
{
    struct route console[NZ_CONSOLE_MAX];
    routes_print(stdout, "municipal", ROUTES, NZ_ROUTES);
    routes_print(stdout, "municipal", console, console_fill(console));
}

/* ---- audit ---- */

struct audit_rec nz_audit_of(const struct req *r, enum audit_event event, enum audit_result result, uint64_t count)
{
    struct audit_rec rec = {
        .event = event, .result = result, .request = req_id(r), .count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX };
    const struct caller *who = req_caller(r);
    audit_set_actor(&rec, slice_str(who->identity));
    memcpy(rec.muni, who->role == CALLER_MUNICIPALITY ? who->code : "000000", sizeof rec.muni);
    basis_note(&rec, fit_of(req_ctx(r), r, operation_of(r)));
    nz_staff_note(&rec, r);
    return rec;
}

struct audit_rec nz_audit_stored(const struct req *r, const struct nz_task_id *task, uint64_t rows, const struct redis_reply *exec)
{
    struct audit_rec rec = nz_audit_of(r, AU_STORE_MARK, AR_OK, rows);
    size_t n = redis_reply_len(exec);
    rec.behalf = AB_OWN;
    memcpy(rec.ref, task->b, sizeof rec.ref);
    rec.epoch = n ? (uint64_t)redis_reply_int(redis_reply_at(exec, n - 1)) : 0;
    return rec;
}

void nz_audit_rows(struct audit_rec *rec, const struct req *r, enum nz_form form)
{
    basis_note(rec, fit_of_rows(r, form));
    nz_staff_note(rec, r);
}

struct refusal {
    struct req *r;
    struct err why;
    void (*done)(struct req *r, struct err e);
};

static void refusal_audited(void *arg, struct err e)
{
    struct refusal f = *(struct refusal *)arg; /* lives in the request's arena, which done() ends */
    f.done(f.r, err_ok(e) ? f.why : e);
}

void nz_doors_refused(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e))
{
    struct nz_intake *in = ctx;
    struct refusal *f = arena_get(req_arena(r), sizeof *f);
    if (!f) {
        done(r, FAIL(E_NOMEM));
        return;
    }
    *f = (struct refusal){ r, why, done };
    struct audit_rec rec = nz_audit_of(r, AU_REFUSED, AR_REFUSED, 1);
    rec.reason = why.code;
    rec.count = req_refusals(r);
    if (req_caller(r)->role == CALLER_MUNICIPALITY)
        nz_meter_refused(in, req_caller(r)->code, rec.count);
    audit_append(in->audit, &rec, nz_req_step(r, NZ_READ_MS, audit_up(in->audit)), refusal_audited, f);
}

/* ---- health ---- */

/* GET /health: the first part that is down gives the answer its name. */
void nz_health(struct req *r)
{
    const struct nz_intake *in = req_ctx(r);
    if (!err_ok(redis_health(in->redis)))
        req_fail(r, redis_health(in->redis));
    else if (!nz_order_known(in->order))
        req_fail(r, FAIL(E_STORE_DOWN));
    else if (!nz_vault_up(in->vault))
        req_fail(r, FAIL(E_VAULT_DOWN));
    else if (!audit_up(in->audit))
        req_fail(r, FAIL(E_AUDIT_DOWN));
    else if (!err_ok(req_revocations(r)))
        req_fail(r, req_revocations(r));
    else
        req_json(r, 200, LIT("{\"status\":\"ok\"}"));
}
