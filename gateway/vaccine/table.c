#include "gateway/vaccine/table_int.h"

#include <stdlib.h>

static const struct vaccine_rule_info RULES[VR__MAX] = {
#define X(sym, slug, field, level, ja, en) [sym] = { slug, field, ja, en, level },
    VACCINE_RULES(X)
#undef X
};
_Static_assert(VR__MAX <= 32, "the rules of a dose are bits of a number");

const struct vaccine_rule_info *vaccine_rule_info(enum vaccine_rule r) { return &RULES[(unsigned)r < VR__MAX ? r : VR_GTIN_CHECK_DIGIT]; }

const struct vaccine_program *vaccine_program(const struct vaccine_table *t, struct slice id)
{
    for (size_t i = 0; i < t->n_programs; i++)
        if (slice_eq(slice_str(t->program[i].id), id))
            return &t->program[i];
    return NULL;
}

const struct vaccine_product *vaccine_product(const struct vaccine_table *t, struct slice gtin)
{
    for (size_t i = 0; i < t->n_products; i++)
        for (size_t k = 0; k < t->product[i].n_gtins; k++)
            if (slice_eq(ARR(t->product[i].gtin[k]), gtin))
                return &t->product[i];
    return NULL;
}

size_t vaccine_programs(const struct vaccine_table *t) { return t->n_programs; }
const struct vaccine_program *vaccine_program_at(const struct vaccine_table *t, size_t i) { return &t->program[i]; }
size_t vaccine_products(const struct vaccine_table *t) { return t->n_products; }
const struct vaccine_product *vaccine_product_at(const struct vaccine_table *t, size_t i) { return &t->product[i]; }

void vaccine_table_free(struct vaccine_table *t)
{
    if (!t)
        return;
    arena_free(t->texts);
    free(t);
}
