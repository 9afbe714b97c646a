#ifndef KEYS_CTL_DOCTOR_FILES_H
#define KEYS_CTL_DOCTOR_FILES_H

/* Single files as `pmhgw doctor` judges them. What is wrong is told as a finding. */

#include "keys/ctl/say.h"

/* Nobody but its owner reads it. key: `up` could not make it anew; a folder may be passed through. false: it is open, or not there. */
bool doctor_closed(const char *path, bool key);
/* Of the certificates in it, whichever ends first; next_: what is to be done about it. false: it has ended, or cannot be read. */
bool doctor_certificate(const char *path, const struct say_text *next_ja, const struct say_text *next_en);

#endif
