#ifndef MOCKS_SYNTH_CITY_H
#define MOCKS_SYNTH_CITY_H

/* What differs between municipalities. Names of cities and wards are public; towns, block numbers and buildings are made up. */

#include "gateway/base/slice.h"

enum { CITY_WARDS_MAX = 8 };

struct city {
    char code[7];       /* 自治体コード */
    unsigned slot;      /* 0..9: the range of numbers, card serials that this municipality draws from */
    const char *prefix; /* prefecture and city */
    const char *wards[CITY_WARDS_MAX + 1]; /* NULL-terminated; empty when there are none */
    const char *child;  /* what the child subsidy's certificate is called there */
};

/* The row of the code; an unknown code gets a generic city in *generic, and generic is returned.
 * The cities of the table have slots of their own; the others share the rest by their code. */
const struct city *city_of(struct slice code, struct city *generic);

extern const char *const CITY_TOWNS[];
extern const unsigned CITY_TOWNS_N;
extern const char *const CITY_BUILDINGS[];
extern const unsigned CITY_BUILDINGS_N;

#endif
