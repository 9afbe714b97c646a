#include "gateway/base/err.h"

static const struct err_info INFO[E__MAX] = {
    [E_OK] = { 200, RETRY_NEVER, WHO_ACTS_CALLER, "ok", "正常", "ok", "", "" },
#define X(sym, status, retry, who, slug, tja, ten, dja, den) \
    [E_##sym] = { status, RETRY_##retry, WHO_ACTS_##who, slug, tja, ten, dja, den },
#include "gateway/base/errors.def"
#undef X
};

const struct err_info *err_info(enum err_code code)
{
    if ((unsigned)code >= E__MAX)
        return &INFO[E_INTERNAL];
    return &INFO[code];
}

const char *err_slug(enum err_code code) { return err_info(code)->slug; }

const char *err_retry_name(enum err_retry r)
{
    static const char *const NAMES[] = { "never", "after_fix", "later" };
    return NAMES[r];
}

const char *err_who_name(enum err_who w)
{
    static const char *const NAMES[] = { "caller", "operator", "upstream" };
    return NAMES[w];
}
