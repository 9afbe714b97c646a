#ifndef GW_CHECK_JSON_IN_H
#define GW_CHECK_JSON_IN_H

/* JSON from outside: UTF-8, depth and duplicates are checked before and while jansson reads. */

#include <jansson.h>

#include "gateway/base/arena.h"

enum {
    JSON_DEPTH_LIMIT = 16,
    JSON_MEMBERS_LIMIT = 4096 /* of one object or array; not of an array of rows, the outermost: one object with half a million takes a third of a second */
};

/* Makes jansson wipe what it frees; once, at the start of every main that links this. */
void json_in_setup(void);

/* Nesting of brackets outside strings never exceeds JSON_DEPTH_LIMIT. Reads no further than needed. */
bool json_depth_ok(struct slice text);

/* The value; freed when the arena is reset. BAD_UTF8, JSON_DEPTH, JSON_SHAPE (an object or an inner array of more than JSON_MEMBERS_LIMIT,
 * or far more brackets or commas than content: it would take many times its size in memory), JSON_DUPLICATE, BAD_JSON, NOMEM. */
ERR json_in(json_t **ret_v, struct arena *a, struct slice text);
/* The same, and the value must be an array / an object, else JSON_SHAPE. */
ERR json_in_array(json_t **ret_v, struct arena *a, struct slice text);
ERR json_in_object(json_t **ret_v, struct arena *a, struct slice text);

#endif
