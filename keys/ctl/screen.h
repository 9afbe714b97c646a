#ifndef KEYS_CTL_SCREEN_H
#define KEYS_CTL_SCREEN_H

/* Text on a screen of characters: wide characters take two columns, and none is cut in two. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The next character of a text that is not empty: its bytes, at least 1; its columns. What is no text of this locale counts a column a byte. */
size_t screen_next(const char *utf8, unsigned *ret_columns);
unsigned screen_width(const char *utf8);
/* How many bytes of the text fit into so many columns. */
size_t screen_fit(const char *utf8, unsigned columns);
/* Columns of the terminal at `to`; 0 when it is none. */
unsigned screen_columns(FILE *to);
/* Colour is meant: a terminal that is not dumb, and no NO_COLOR. */
bool screen_colour(FILE *to);
/* A line of Japanese may begin with this character: no full stop, no closing bracket. */
bool screen_may_begin(const char *utf8);
/* The bytes of the next line of a text when so many columns are there: broken at blanks, or before a wide character that may begin a line; a word that is
 * longer than all of them is cut. Passes over blanks and one line end behind it: *ret_rest. */
size_t screen_line(const char *utf8, unsigned columns, const char **ret_rest);

#endif
