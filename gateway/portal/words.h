#ifndef GW_PORTAL_WORDS_H
#define GW_PORTAL_WORDS_H

/* What an entry of the audit log says to the person whom it is about. */

#include "gateway/audit/audit.h"

struct words { const char *ja, *en; };

struct words words_event(enum audit_event e);
struct words words_result(enum audit_result r);
struct words words_behalf(enum audit_behalf b);
struct words words_item(unsigned bit); /* bit of items; NULL behind the last one */

/* False for entries that are kept from the access log: protection by control flags, whose mere mention would tell somebody who holds the person's
 * telephone that there is one, and which municipality set it. */
bool words_visible(const struct audit_rec *rec);

/* Whose act it was: 医療機関コード, 自治体コード, a portal's name, or "pmhgw" for the gateway itself. Borrows from rec. */
struct slice words_institution(const struct audit_rec *rec);

#endif
