#ifndef GW_ZONE_NUMBER
#error "vaccination.h belongs to the number zone"
#endif
#ifndef KEYS_VACCINATION_VACCINATION_H
#define KEYS_VACCINATION_VACCINATION_H

/* The municipal door for vaccinations (docs/vaccination.md): templates of questionnaires, and exports. Nothing here needs or sees an individual number; it is in
 * the intake because that is the municipality's door.
 *
 *   templates.c   PUT, GET, list            template -> expected index -> one script -> audited -> answer
 *   export.c      ledger, due, statistics, claims   second officer -> audited -> pages of vi:<muni> -> rows -> audited with digest and rows -> the end
 *   sans I/O: ask.c (queries) person.c (what the municipality has of one) ledger.c due.c statistics.c
 *   fees.c claims.c recalls.c (rows) */

#include "keys/intake/intake.h"

handler_fn nz_template_put, nz_template_get, nz_templates_list;
handler_fn nz_export_ledger, nz_export_due, nz_export_statistics, nz_export_claims, nz_export_recalls;

#endif
