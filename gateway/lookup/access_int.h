#ifndef GW_LOOKUP_ACCESS_INT_H
#define GW_LOOKUP_ACCESS_INT_H

/* Shared by access.c and access_list.c only. */

#include "gateway/lookup/access_list.h"

/* All but what counts it and sets its beat. */
void access__begin(struct access *a, struct req *r, enum audit_event event);
ERR access__can_work(const struct lookup_env *env);
/* Right before the answer leaves. */
void access__look_at_store(struct access *a);
typedef void access_extra_fn(struct jsonw *w, void *arg);
/* Further members of the problem that is heard, or NULL. */
access_extra_fn *access__extra(struct access *a, void **ret_arg);
/* One has ended. */
void access__part_left(struct access_list *s);

#endif
