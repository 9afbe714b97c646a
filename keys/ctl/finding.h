#ifndef KEYS_CTL_FINDING_H
#define KEYS_CTL_FINDING_H

/* What `pmhgw doctor` finds: a cause, and what to do next, in both languages. On standard error; with --json members of "findings". */

#include "keys/ctl/say.h"

/* A code of small letters that does not change; the cause; the next step. Texts are made with say_form(). */
void finding(const char *code, struct say_text ja, struct say_text en, struct say_text next_ja, struct say_text next_en);

#endif
