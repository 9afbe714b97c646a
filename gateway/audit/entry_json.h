#ifndef GW_AUDIT_ENTRY_JSON_H
#define GW_AUDIT_ENTRY_JSON_H

/* An entry of the log for people and programs: the citizen's access log, the operation log of a municipality, `pmhgw audit`.
 * Everything that is written is a word of a table, a number, or an actor in [a-z0-9/_-]: nothing of it can end a line or move a cursor. */

#include "gateway/audit/audit.h"
#include "gateway/base/json_write.h"

const char *audit_event_name(enum audit_event e);   /* "clinic_lookup"; "unknown" */
const char *audit_result_name(enum audit_result r); /* "ok" "nothing" "used" "refused" "failed" */
const char *audit_behalf_name(enum audit_behalf b); /* "own" "citizen" "staff" */
/* Bit i of items; NULL behind the last one. */
const char *audit_item_name(unsigned bit);

/* Words of the register of legal bases (a higher layer); SLICE_NONE: the number is written when there is one. */
struct audit_words { struct slice basis, purpose; };

/* Members into the open object: seq, at, event, result, reason (unless ok), items, count, basis, purpose, on_behalf, request. */
void audit_entry_json(struct jsonw *w, uint64_t seq, const struct audit_rec *rec, struct audit_words words);
/* actor and municipality, where there is one. */
void audit_entry_json_who(struct jsonw *w, const struct audit_rec *rec);
/* "proof":{"leaf":"<base64>","index":seq-1,"path":["<base64>",...]} */
void audit_entry_json_proof(struct jsonw *w, const struct audit_proof *p);

#endif
