/* Systems that are not built yet. Every answer of theirs says so: nobody may take one of them for a partner that works. */

#include "mocks/routes.h"

static void stub_answer(struct req *r, enum system_id s)
{
    struct nation *n = req_ctx(r);
    struct fault fx = faults_take(&n->faults, s);
    answer_fail(n, r, &fx, FAIL(E_STUB));
}

static void clinic_app_answer(struct req *r) { stub_answer(r, SYSTEM_CLINIC_APP); }
static void stub_health(struct req *r) { req_json(r, 200, LIT("{\"status\":\"ok\",\"stub\":true}")); }

const struct route CLINIC_APP_ROUTES[] = {
    { M_GET, "/", { "stub" }, 0, false, 0, NULL, 130000, clinic_app_answer },
    { M_POST, "/clinic-app/v1/notices", { "stub" }, 0, false, 65536, "application/json", 130000, clinic_app_answer },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, stub_health },
};
const size_t CLINIC_APP_ROUTES_N = sizeof CLINIC_APP_ROUTES / sizeof *CLINIC_APP_ROUTES;
