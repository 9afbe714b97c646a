#ifndef GW_BASE_ERR_H
#define GW_BASE_ERR_H

/* One error value, returned by value, that must be used.
 * Both members are static, so an error can never carry personal data. */

#include <stdbool.h>

enum err_code {
    E_OK,
#define X(sym, ...) E_##sym,
#include "gateway/base/errors.def"
#undef X
    E__MAX
};

enum err_retry { RETRY_NEVER, RETRY_FIX, RETRY_LATER };
enum err_who { WHO_ACTS_CALLER, WHO_ACTS_OPERATOR, WHO_ACTS_UPSTREAM };

struct err {
    enum err_code code;
    const char *site; /* "file.c:123", a literal; NULL when OK */
};

/* One row of errors.def. */
struct err_info {
    int status;
    enum err_retry retry;
    enum err_who who;
    const char *slug;
    const char *title_ja, *title_en; /* what happened */
    const char *todo_ja, *todo_en;   /* what to do, and by whom */
};

#define GW_STR2(x) #x
#define GW_STR1(x) GW_STR2(x)

#define ERR __attribute__((warn_unused_result)) struct err
#define OK ((struct err){ E_OK, 0 })
#define FAIL(c) ((struct err){ (c), __FILE_NAME__ ":" GW_STR1(__LINE__) })

/* The only macro that changes control flow: leaves the function with the error of x. */
#define TRY(x)                      \
    do {                            \
        struct err try_ = (x);      \
        if (try_.code != E_OK)      \
            return try_;            \
    } while (0)

/* The row of a code. Never NULL; an unknown code gives the row of INTERNAL. */
const struct err_info *err_info(enum err_code code);

/* The stable slug, e.g. "body_too_large"; "ok" for E_OK. */
const char *err_slug(enum err_code code);

/* How the retry rule and the acting party are written in a problem document. */
const char *err_retry_name(enum err_retry r); /* "never" "after_fix" "later" */
const char *err_who_name(enum err_who w);     /* "caller" "operator" "upstream" */

static inline bool err_is(struct err e, enum err_code c) { return e.code == c; }
static inline bool err_ok(struct err e) { return e.code == E_OK; }

#endif
