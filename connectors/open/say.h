#ifndef CONNECTORS_OPEN_SAY_H
#define CONNECTORS_OPEN_SAY_H

/* Between the files of this folder: what bodies and answers have in common. */

#include "connectors/open/open.h"
#include "gateway/base/json_write.h"

/* Opens the object: messageId, event (of the three words, by notice.what), municipalityCode, occurredAt. */
void open_say_head(struct jsonw *w, const struct open_case *c, const char *const words[static NOTICE_WHAT__MAX]);
/* A number as a text, as records have them. */
void open_say_number(struct jsonw *w, const char *name, uint64_t n);
/* Closes it; FULL, NOMEM. */
ERR open_say_end(struct jsonw *w);

/* The answer is an object of these members and no others, each a text of 1 to max bytes. false: wrong shape. Texts live in the arena. */
struct open_member { const char *name; size_t max; struct slice text; };
bool open_hear(struct slice answer, struct arena *a, struct open_member *members, size_t n);

/* Of a message that only has to be taken: 2xx without a body, or with {"messageId"} of this one. */
enum open_verdict open_judge_taken(struct open_case *c, int status, struct slice answer, struct arena *a, enum open_reason *ret_why);
enum open_verdict open_never(enum open_reason why, enum open_reason *ret_why);

#endif
