#ifndef GW_QUESTIONNAIRE_TEMPLATE_INT_H
#define GW_QUESTIONNAIRE_TEMPLATE_INT_H

/* Between the files of this folder. */

#include "gateway/questionnaire/template.h"

/* "36.5" in thousandths, at most six digits before the point and three behind it; false for any other form ("+1", "01", "1.", "-0"). */
bool qt__decimal(struct slice s, int64_t *ret_thousandths);

#endif
