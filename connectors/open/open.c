#include "connectors/open/open.h"

static const struct open_connector *const TABLE[] = { &open_questionnaire, &open_eligibility, &open_record, &open_citizen, &open_provision };

const struct open_connector *open_connector_of(enum notice_kind kind)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++)
        if (TABLE[i]->kind == kind)
            return TABLE[i];
    return NULL;
}

const char *open_target_name(enum open_target t)
{
    static const char *const NAMES[OPEN_TARGET__MAX] = { "clinic", "portal", "id5", "database" };
    return NAMES[t];
}

static const char *const REASONS[OPEN_R__MAX] = {
    [OPEN_R_NONE] = "none",          [OPEN_R_DOWN] = "target_down",  [OPEN_R_SERVER] = "server_error", [OPEN_R_BUSY] = "busy",
    [OPEN_R_REFUSED] = "refused",    [OPEN_R_REDIRECT] = "redirect", [OPEN_R_STATUS] = "status",       [OPEN_R_SHAPE] = "wrong_shape",
    [OPEN_R_OTHER] = "other_id",     [OPEN_R_TARGET] = "no_target",  [OPEN_R_CONTENT] = "no_content",  [OPEN_R_EXPIRED] = "gave_up",
    [OPEN_R_BASIS] = "no_basis",
};

const char *open_reason_name(enum open_reason r) { return REASONS[r]; }

bool open_reason_parse(struct slice name, enum open_reason *ret_r)
{
    for (unsigned i = 0; i < OPEN_R__MAX; i++)
        if (slice_eq(name, slice_str(REASONS[i]))) {
            *ret_r = (enum open_reason)i;
            return true;
        }
    return false;
}

enum open_verdict open_judge_status(int status, enum open_reason *ret_why)
{
    static const struct { int from, to; enum open_verdict verdict; enum open_reason why; } RANGES[] = {
        { 200, 299, OPEN_DELIVERED, OPEN_R_NONE }, { 300, 399, OPEN_NEVER, OPEN_R_REDIRECT }, { 408, 408, OPEN_LATER, OPEN_R_BUSY },
        { 425, 425, OPEN_LATER, OPEN_R_BUSY },     { 429, 429, OPEN_LATER, OPEN_R_BUSY },     { 400, 499, OPEN_NEVER, OPEN_R_REFUSED },
        { 500, 599, OPEN_LATER, OPEN_R_SERVER },
    };
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        if (status >= RANGES[i].from && status <= RANGES[i].to) {
            *ret_why = RANGES[i].why;
            return RANGES[i].verdict;
        }
    *ret_why = OPEN_R_STATUS;
    return OPEN_NEVER;
}
