#ifndef MOCKS_SYNTH_PROGRAM_H
#define MOCKS_SYNTH_PROGRAM_H

#include "mocks/synth/synth.h"

/* The programs of medical subsidy that every city runs. 法別番号 80-89 stand for local schemes, as is usual; which number
 * means what differs by prefecture, and this choice is made up. */
enum program_id { PROG_CHILD, PROG_SINGLE_PARENT, PROG_DISABLED, PROG_IKUSEI, PROG_SHOMAN, PROG_YOIKU, PROG__MAX };

extern const struct synth_program PROGRAMS[PROG__MAX];

#endif
