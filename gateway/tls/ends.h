#ifndef GW_TLS_ENDS_H
#define GW_TLS_ENDS_H

/* Certificates that a daemon uses and that will end. From 30 days before it is in the log once a day, as certificate_ends_soon with the days that are left;
 * in the last week as an error, and certificate_ended from then on. What was renewed on the disk and not taken up counts as what it was.
 * Their ends are numbers of the process too (loop_count()). */

#include "gateway/loop/loop.h"

enum { ENDS_FILES_MAX = 8 };
enum ends_stage { ENDS_LATER, ENDS_IN_30, ENDS_IN_14, ENDS_IN_7, ENDS_IN_1, ENDS_OVER, ENDS__MAX };

/* left_s: until the end; below 0: since. */
enum ends_stage ends_stage(int64_t left_s);
/* Days that it stands for: 30, 14, 7, 1, else 0. */
unsigned ends_stage_days(enum ends_stage s);
/* Of the certificates in a PEM file, whichever ends first; seconds since 1970. IO, CONFIG. */
ERR ends_read(const char *path, int64_t *ret_end);

/* setting: which one names the file. path: "" is no file. */
struct ends_file { struct lit setting; const char *path; };
/* Reads the files now, and says what there is to say, now and once a day until the loop stops. What cannot be read is somebody else's to refuse. NOMEM. */
ERR ends_watch(struct loop *l, const struct ends_file *files, size_t n);

#endif
