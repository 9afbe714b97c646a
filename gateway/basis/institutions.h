#ifndef GW_BASIS_INSTITUTIONS_H
#define GW_BASIS_INSTITUTIONS_H

/* Names of institutions, for the citizen's access log: whose certificate it was, never which person (docs/legal-basis.md).
 * One YAML file, read once when a daemon starts. */

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

enum { INSTITUTIONS_FILE_MAX = 4 << 20, INSTITUTIONS_MAX = 20000, INSTITUTION_CODE_MAX = 32, INSTITUTION_NAME_MAX = 200 };
enum institution_lang { INSTITUTION_JA, INSTITUTION_EN };

struct institutions;

/* A fault of the file goes to standard error: file, line, column, what. CONFIG. */
ERR institutions_load(struct institutions **ret_i, const char *path);
/* From memory: the line is appended to *bad_line, without newline. CONFIG, NOMEM. */
ERR institutions_parse(struct institutions **ret_i, const char *file, struct slice yaml, struct buf *bad_line);
void institutions_free(struct institutions *i);

/* code: 医療機関コード (10 digits), 自治体コード (6 digits), or the name of a portal. A code that is not registered is its own name.
 * i may be NULL: nothing is registered. */
struct slice institution_name(const struct institutions *i, struct slice code, enum institution_lang lang);
size_t institutions_count(const struct institutions *i);

#endif
