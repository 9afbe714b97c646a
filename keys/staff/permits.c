#include "keys/staff/permits.h"

#define V (1u << NZ_ROLE_VIEWER)
#define O (1u << NZ_ROLE_OFFICER)
#define A (1u << NZ_ROLE_ADMIN)

static const struct nz_permit PERMITS[] = {
    /* operation                                  need            roles      unproven unchanged reveal all      */
    { "health",                                   NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "readMetrics",                              NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "getConsole",                               NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "issueToken",                               NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "loginStaff",                               NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "logoutStaff",                              NZ_NEED_STAFF,  V | O | A, true,    true,     false,  false },
    { "changePassword",                           NZ_NEED_STAFF,  V | O | A, true,    true,     false,  false },
    { "enrolTotp",                                NZ_NEED_STAFF,  V | O | A, true,    false,    false,  false },
    { "listUsers",                                NZ_NEED_STAFF,  A,         false,   false,    false,  false },
    { "putUser",                                  NZ_NEED_STAFF,  A,         false,   false,    false,  false },
    { "revealNumber",                             NZ_NEED_STAFF,  V | O | A, false,   false,    true,   false },
    { "postRegistrationTasks",                    NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postHistoryRegistrationTasks",             NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postMunicipalCheckupRegistrationTasks",    NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postVaccinationSubjectRegistrationTasks",  NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postVaccinationTicketRegistrationTasks",   NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postResidentChangeTasks",                  NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "postInquiries",                            NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "provideImmunizations",                     NZ_NEED_NONE,   0,         false,   false,    false,  false },
    { "createFile",                               NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "putFilePart",                              NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "getFile",                                  NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "deleteFile",                               NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "listTasks",                                NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "getTask",                                  NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "getTaskResults",                           NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "followTask",                               NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "getTaskReceipt",                           NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "undoTask",                                 NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "releaseRows",                              NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "discardRows",                              NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "replayRows",                               NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "setControlFlags",                          NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "readControlFlags",                         NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "eraseResident",                            NZ_NEED_ORDER,  O | A,     false,   false,    false,  true },
    { "readOperationLog",                         NZ_NEED_ORDER,  A,         false,   false,    false,  true },
    { "exportOperationLog",                       NZ_NEED_ORDER,  A,         false,   false,    false,  true },
    { "readOverview",                             NZ_NEED_STAFF,  V | O | A, false,   false,    false,  false },
    { "readSeries",                               NZ_NEED_STAFF,  V | O | A, false,   false,    false,  true },
    { "readCertificates",                         NZ_NEED_STAFF,  V | O | A, false,   false,    false,  false },
    { "putQuestionnaireTemplate",                 NZ_NEED_SYSTEM, O | A,     false,   false,    false,  false },
    { "getQuestionnaireTemplate",                 NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "listQuestionnaireTemplates",               NZ_NEED_SYSTEM, V | O | A, false,   false,    false,  false },
    { "exportLedger",                             NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "exportStatistics",                         NZ_NEED_ORDER,  V | O | A, false,   false,    false,  false },
    { "exportDue",                                NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
    { "readRecalls",                              NZ_NEED_ORDER,  V | O | A, false,   false,    false,  false },
    { "exportClaims",                             NZ_NEED_ORDER,  O | A,     false,   false,    false,  false },
};

size_t nz_permits(void) { return sizeof PERMITS / sizeof *PERMITS; }
const struct nz_permit *nz_permit_at(size_t i) { return i < nz_permits() ? &PERMITS[i] : NULL; }

const struct nz_permit *nz_permit_of(struct slice operation)
{
    for (size_t i = 0; i < nz_permits(); i++)
        if (slice_eq(slice_str(PERMITS[i].operation), operation))
            return &PERMITS[i];
    return NULL;
}

bool nz_password_due(const struct nz_user *u, const struct nz_demands *d)
{
    return u->must_change || (d->password_ms && d->now_ms > u->password_ms && d->now_ms - u->password_ms > d->password_ms);
}

ERR nz_permit_judge(const struct nz_permit *p, const struct nz_user *u, struct slice program, const struct nz_demands *d)
{
    if (!p || p->need == NZ_NEED_NONE || !(p->roles & 1u << u->role))
        return FAIL(E_FORBIDDEN);
    if (!p->unchanged && nz_password_due(u, d))
        return FAIL(E_PASSWORD_DUE);
    if (!p->unproven && d->totp_required && u->totp != NZ_TOTP_ACTIVE)
        return FAIL(E_TOTP_DUE);
    return (p->reveal && !u->reveal) || (p->all && !nz_user_all_programs(u)) || !nz_user_in_charge(u, program) ? FAIL(E_FORBIDDEN) : OK;
}
