#ifndef MOCKS_SYNTH_HOUSEHOLD_H
#define MOCKS_SYNTH_HOUSEHOLD_H

/* Who lives together. Only members who hold a certificate become residents of the files. */

#include "gateway/base/clock.h"
#include "mocks/synth/city.h"
#include "mocks/synth/names.h"
#include "mocks/synth/prng.h"

enum member_role { ROLE_CHILD, ROLE_SINGLE_PARENT, ROLE_SINGLE_CHILD, ROLE_DISABLED, ROLE__MAX };
enum { HOUSEHOLD_MAX = 5 };

struct member {
    enum member_role role;
    ymd_t birth;
    char sex;
    const struct name *given;
};

struct household {
    const struct name *family;
    char address[256];
    bool not_disclosed;
    unsigned n, next; /* members, and the next one to be handed out */
    struct member members[HOUSEHOLD_MAX];
};

void household_fill(struct household *h, struct prng *p, const struct city *city, ymd_t on);

#endif
