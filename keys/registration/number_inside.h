#ifndef GW_ZONE_NUMBER
#error "number_inside.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_NUMBER_INSIDE_H
#define KEYS_REGISTRATION_NUMBER_INSIDE_H

/* Finds an individual number in text that goes downstream. Half-width, full-width and kanji digits count alike, characters without width count
 * for nothing. In JSON text this also finds a number that is spread over neighbouring names and values. */

#include "keys/number/mynum.h"

enum nz_inside {
    NZ_INSIDE_OWN, /* the given number, its digits with at most five blanks or marks between each two */
    NZ_INSIDE_ANY  /* besides: 12 digits standing alone, also as 4-4-4 with a blank or hyphen each, whose check digit is that of a number */
};

/* pool: one free place. *ret: found. */
ERR nz_number_inside(struct slice utf8, const struct nz_mynum *own, enum nz_inside how, struct nz_pool *pool, bool *ret);

/* May a resident key stand in the results of a file? Not when a number may be in it: ANY, and, when the row's own number could not be read (it may be
 * the key, mistyped), a key with nearly as many digits. own: NULL when there is none. pool: one free place, two without own. */
ERR nz_key_tellable(struct slice key, const struct nz_mynum *own, bool own_unread, struct nz_pool *pool, bool *ret);

#endif
