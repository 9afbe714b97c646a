#include "keys/linkage/rules.h"

#include "gateway/base/must.h"

const struct nz_rule_info *nz_rule_info(enum nz_rule r)
{
    static const struct nz_rule_info INFO[NZ_RULE__MAX] = {
#define X(sym, name, ja, en) [NZ_RULE_##sym] = { name, ja, en },
#include "keys/linkage/rules.def"
#undef X
    };
    MUST(r > NZ_RULE_NONE && r < NZ_RULE__MAX);
    return &INFO[r];
}
