#ifndef GW_VACCINE_RULES_H
#define GW_VACCINE_RULES_H

/* The rules of a dose (docs/vaccination.md): one dose against the table, all others of the person, and what is known of the person. Sans I/O.
 * Ages and intervals are counted as day.h says: an age is reached on the day before the birthday. */

#include "gateway/vaccine/immun.h"
#include "gateway/vaccine/table.h"

struct vaccine_case {
    const struct vaccine_table *table;
    const struct vaccine_program *program;
    const struct immun *dose;
    const struct immun *const *others;  /* every other completed dose of the person, of all municipalities; not what this one corrects */
    size_t n_others;
    ymd_t made;                         /* the day on which the lot was made, when the carton says it; 0: not known */
    ymd_t today;
    ymd_t birth;                        /* 0: not known, nothing is said about ages */
    ymd_t ended;                        /* from this day on no resident of the municipality any more; 0: a resident */
    bool unfit;                         /* the questionnaire of this dose says 接種不可 */
};
struct vaccine_verdict { uint32_t rejected, warned; /* 1 << enum vaccine_rule */ };

struct vaccine_verdict vaccine_judge(const struct vaccine_case *c);

/* {"rule","field","message_ja","message_en"} for each bit, into the open array. */
void vaccine_rules_write(struct jsonw *w, uint32_t bits);

#endif
