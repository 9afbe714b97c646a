#ifndef GW_VACCINE_TABLE_INT_H
#define GW_VACCINE_TABLE_INT_H

/* Between the files of this folder. */

#include "gateway/vaccine/table.h"

struct vaccine_table {
    struct arena *texts;
    enum vaccine_level level[VR__MAX]; /* of programs that say nothing else */
    size_t n_programs, n_products;
    struct vaccine_program program[VACCINE_PROGRAMS_MAX];
    struct vaccine_product product[VACCINE_PRODUCTS_MAX];
};

#endif
