#ifndef KEYS_CTL_ANSWER_H
#define KEYS_CTL_ANSWER_H

/* Questions of a person at the terminal (lookup, citizen): asked, shown, and turned into an exit status. */

#include <jansson.h>

#include "keys/ctl/web.h"

/* POST of a JSON body, answered within 15 s. False after a line of explanation; then there is nothing to free. */
bool answer_get(struct web *web, unsigned port, const char *path, const struct buf *body, struct web_answer *ret_a);
/* print(arg, answer) for data; the code and title of a problem document; with `json` all of it as it came. 0 for data, 1 for a problem document, 2 when it is
 * neither. */
typedef void answer_print_fn(const void *arg, json_t *answer);
int answer_show(const struct web_answer *a, bool json, answer_print_fn *print, const void *arg);

#endif
