#ifndef GW_ZONE_NUMBER
#error "rules.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_RULES_H
#define KEYS_LINKAGE_RULES_H

/* Everything that can be wrong with a linkage file, with its texts. A text never holds a value of the file. */

enum nz_rule {
    NZ_RULE_NONE,
#define X(sym, ...) NZ_RULE_##sym,
#include "keys/linkage/rules.def"
#undef X
    NZ_RULE__MAX
};

struct nz_rule_info { const char *name, *ja, *en; };

/* Never NULL; r is not NONE. */
const struct nz_rule_info *nz_rule_info(enum nz_rule r);

#endif
