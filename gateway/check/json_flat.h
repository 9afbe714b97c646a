#ifndef GW_CHECK_JSON_FLAT_H
#define GW_CHECK_JSON_FLAT_H

/* The plain case without a tree: one object of texts in printable ASCII without escapes, and of whole numbers. What is not of this form may be good JSON all
 * the same: json_in() decides. What is of this form json_in() takes too, and reads in the same way (tests/fuzz). */

#include "gateway/check/json_in.h"

enum { JSON_FLAT_MAX = 16 };

enum json_flat_kind { JF_TEXT, JF_NUMBER, JF_OTHER /* json_flat_of() only: anything else */ };
struct json_flat_member {
    struct slice name;
    enum json_flat_kind kind;
    struct slice text;  /* TEXT */
    int64_t number;     /* NUMBER */
    json_t *other;      /* OTHER; borrowed */
};
struct json_flat {
    size_t n;           /* all of the object, each once */
    struct json_flat_member at[JSON_FLAT_MAX];
};

/* false: not of this form; *ret_f is of no use. Slices borrow from text. */
bool json_flat(struct slice text, struct json_flat *ret_f);
/* Of any object with at most JSON_FLAT_MAX members, by json_in() where it must be; slices borrow from text or live in the arena. What json_in() says; JSON_SHAPE
 * for more members and for what is no object. */
ERR json_flat_of(struct json_flat *ret_f, struct arena *a, struct slice text);
/* NULL: there is none of that name. */
const struct json_flat_member *json_flat_find(const struct json_flat *f, struct slice name);

#endif
