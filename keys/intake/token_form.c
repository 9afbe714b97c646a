#include "keys/intake/token_form.h"

enum { P_GRANT, P_CLIENT, P_SCOPE, P__MAX };

static bool value_ok(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '=' || v.p[i] == '&')
            return false;
    }
    return true;
}

static bool read_pair(struct slice pair, bool seen[static P__MAX])
{
    const struct slice names[P__MAX] = { [P_GRANT] = LIT("grant_type"), [P_CLIENT] = LIT("client_id"), [P_SCOPE] = LIT("scope") };
    struct slice name, value;
    if (!slice_cut(pair, '=', &name, &value) || !value_ok(value))
        return false;
    for (int i = 0; i < P__MAX; i++) {
        if (!slice_eq(name, names[i]))
            continue;
        if (seen[i] || (i == P_GRANT && !slice_eq(value, LIT("client_credentials"))))
            return false;
        seen[i] = true;
        return true;
    }
    return false;
}

ERR nz_token_form_parse(struct slice body)
{
    bool seen[P__MAX] = { false };
    struct slice pair, rest = body;
    while (slice_cut(rest, '&', &pair, &rest)) {
        if (!read_pair(pair, seen))
            return FAIL(E_GRANT);
    }
    return read_pair(rest, seen) && seen[P_GRANT] ? OK : FAIL(E_GRANT);
}
