#include "gateway/lookup/access.h"
#include "gateway/portal/portal.h"

enum { BODY_MAX = 2 * 1024, DEADLINE_MS = 2000 };

const struct route PORTAL_ROUTES[] = {
    { .method = M_POST, .path = "/v1/portal/pseudonyms", .operation = { "linkPseudonym" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_link_pseudonym },
    { .method = M_POST, .path = "/v1/portal/eligibility", .operation = { "lookUpByPseudonym" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_look_up },
    { .method = M_GET, .path = "/health", .operation = { "health" }, .deadline_ms = DEADLINE_MS, .handler = access_health },
};
const size_t PORTAL_ROUTES_N = sizeof PORTAL_ROUTES / sizeof PORTAL_ROUTES[0];
