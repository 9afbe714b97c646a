#ifndef GW_ZONE_NUMBER
#error "report.h belongs to the number zone"
#endif
#ifndef KEYS_REPORT_REPORT_H
#define KEYS_REPORT_REPORT_H

/* What VRS is told of a municipality's subjects, tickets and vaccination records (decision 45), and what it is to take back (decision 47). Marks (gateway/vaccine/vrs_mark.h) say what was written; each is taken
 * when it is due, and what stands there now is told, with the number that the vault gives for it. All that must not be forgotten is in redis-link: a crash
 * tells a row once more, under the same request id, and VRS takes the same row twice as one.
 *
 *   due marks of one municipality and kind ── read ──▶ nothing there, or what is to be taken back stands there again: dropped
 *                                                  ├─▶ that version was confirmed: dropped
 *                                                  └─▶ number from the vault ─▶ in the log ─▶ VRS ─▶ accepted: noted in the record, mark dropped
 *                                                                                                ├─▶ refused, or an answer that breaks the agreement: vd
 *                                                                                                └─▶ later, or no answer: the mark stays
 * A mark is only dropped while what was told still stands. */

#include "keys/intake/intake.h"

struct nz_report;
/* NULL in *ret_r when vrs_report is not "yes". CONFIG: it is, and there is no vrs_url. */
ERR nz_report_new(struct nz_report **ret_r, struct nz_intake *in);
void nz_report_close(struct nz_report *r); /* starts nothing new; NULL is fine, as below */
bool nz_report_idle(const struct nz_report *r);
void nz_report_stop(struct nz_report *r);  /* after the drain: what is under way ends */
void nz_report_free(struct nz_report *r);  /* after the loop */

#endif
