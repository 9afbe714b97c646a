#ifndef GW_CONF_YTREE_H
#define GW_CONF_YTREE_H

/* YAML files of a fixed shape (layouts of linkage files, register of legal bases, names of institutions): strict, with the place of every fault.
 * Every fault is one line "FILE:LINE:COLUMN: what (ja) / (en)", without newline, appended to bad_line. */

#include <yaml.h>

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"

struct ytree {
    yaml_document_t doc;
    const char *file;
    struct buf *bad_line;
    struct arena *texts; /* where texts are kept */
};
typedef struct err ytree_read_fn(struct ytree *t, yaml_node_t *v, void *to);

/* One document, not longer than max; root reads it. CONFIG with its line, NOMEM. file: its name, for that line only. */
ERR ytree_parse(const char *file, struct slice yaml, size_t max, struct arena *texts, struct buf *bad_line, ytree_read_fn *root, void *to);
/* A file, given to parse; a fault's line goes to standard error. */
ERR ytree_load(const char *path, size_t max, struct err (*parse)(void *to, const char *file, struct slice yaml, struct buf *bad_line), void *to);

/* CONFIG */
ERR ytree_bad(struct ytree *t, const yaml_mark_t *at, const char *ja, const char *en);

/* A scalar of 1 to max bytes, without NUL. */
ERR ytree_text(struct ytree *t, yaml_node_t *v, size_t max, const char **ret_text);
/* The same, of a-z, 0-9 and "_" only, beginning with a letter. */
ERR ytree_word(struct ytree *t, yaml_node_t *v, size_t max, const char **ret_word);
ERR ytree_num(struct ytree *t, yaml_node_t *v, uint64_t min, uint64_t max, uint64_t *ret_n);
ERR ytree_bool(struct ytree *t, yaml_node_t *v, bool *ret_b);

/* A mapping with these names only, each once; at most 32 of them. */
struct ytree_key { const char *name; ytree_read_fn *read; bool needed; };
ERR ytree_mapping(struct ytree *t, yaml_node_t *v, const struct ytree_key *keys, size_t n, void *to);
/* A list of at most max members. */
ERR ytree_list(struct ytree *t, yaml_node_t *v, size_t max, ytree_read_fn *each, void *to);
/* Members of a list or of a mapping; 0 for a scalar. */
size_t ytree_size(const yaml_node_t *v);

#endif
