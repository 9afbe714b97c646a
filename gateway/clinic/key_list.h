#ifndef GW_CLINIC_KEY_LIST_H
#define GW_CLINIC_KEY_LIST_H

/* The form of a day list: {"link_keys":["…", …]}. */

#include "gateway/check/field.h"
#include "gateway/lookup/access_list.h"

struct key_list {
    size_t n; /* 1 .. ACCESS_LIST_MAX */
    struct slice key[ACCESS_LIST_MAX]; /* of text, or in the arena; 1 .. JWE_MAX characters each */
};

/* FIELD: with *ret_report, which names link_keys; else what json_in_object() says of the text. */
ERR key_list_read(struct key_list *ret_k, struct arena *a, struct slice text, struct field_report *ret_report);
/* The plain case without a tree: keys of printable ASCII without escapes. false: not of this form, or a fault; json_in_object() decides. For key_list_read() and tests. */
bool key_list_plain(struct key_list *ret_k, struct slice text);

#endif
