#include "gateway/courier/targets.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/conf/ytree.h"

enum { ARENA_BYTES = 32 << 20, PATH_CHARS = 512, CLINIC_CHARS = 10 };

struct targets {
    struct arena *texts;
    size_t n;
    struct target *at; /* TARGETS_MAX, sorted by kind and who */
    bool no_database;
};

/* ---- what one says ---- */

static ERR code_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct target *x = to;
    TRY(ytree_text(t, v, CLINIC_CHARS, &x->who));
    const struct slice s = slice_str(x->who);
    return s.n == CLINIC_CHARS && all_digits(s) ? OK : ytree_bad(t, &v->start_mark, "医療機関コードは数字 10 桁です", "a clinic has a code of ten digits");
}

static ERR name_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_word(t, v, NOTICE_WHO_MAX, &((struct target *)to)->who); }

/* No user, no query, nothing that a path could be hidden in. */
static bool url_ok(struct slice s)
{
    static const char CHARS[] = "-._~/:[]";
    if (!slice_starts(s, LIT("https://")) || s.n <= sizeof "https://" - 1 || s.p[s.n - 1] == '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i], low = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && !memchr(CHARS, c, sizeof CHARS - 1))
            return false;
    }
    return true;
}

static ERR url_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct target *x = to;
    TRY(ytree_text(t, v, TARGET_URL_MAX, &x->url));
    return url_ok(slice_str(x->url)) ? OK : ytree_bad(t, &v->start_mark, "https:// で始まり、利用者・問い合わせ・末尾の / のない URL にしてください", "an https:// URL without user, query or a slash at its end");
}

static ERR ca_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_text(t, v, PATH_CHARS, &((struct target *)to)->ca); }
static ERR private_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_bool(t, v, &((struct target *)to)->is_private); }

#define COMMON_KEYS { "url", url_read, true }, { "ca", ca_read, true }, { "private", private_read, false }

static ERR add(struct ytree *t, yaml_node_t *v, struct targets *all, const struct ytree_key *keys, size_t n, enum open_target kind)
{
    if (all->n == TARGETS_MAX)
        return ytree_bad(t, &v->start_mark, "相手先が多すぎます", "too many partners");
    struct target *x = &all->at[all->n];
    *x = (struct target){ .kind = kind, .who = "" };
    TRY(ytree_mapping(t, v, keys, n, x));
    all->n++;
    return OK;
}

static struct err clinic_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "code", code_read, true }, COMMON_KEYS };
    return add(t, v, to, KEYS, sizeof KEYS / sizeof KEYS[0], OPEN_CLINIC);
}

static struct err portal_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "name", name_read, true }, COMMON_KEYS };
    return add(t, v, to, KEYS, sizeof KEYS / sizeof KEYS[0], OPEN_PORTAL);
}

static const struct ytree_key ALONE[] = { COMMON_KEYS };
static struct err id5_read(struct ytree *t, yaml_node_t *v, void *to) { return add(t, v, to, ALONE, sizeof ALONE / sizeof ALONE[0], OPEN_ID5); }

static struct err database_read(struct ytree *t, yaml_node_t *v, void *to)
{
    const char *word;
    if (v->type != YAML_SCALAR_NODE)
        return add(t, v, to, ALONE, sizeof ALONE / sizeof ALONE[0], OPEN_DATABASE);
    TRY(ytree_text(t, v, PATH_CHARS, &word));
    ((struct targets *)to)->no_database = slice_eq(slice_str(word), LIT("none"));
    return ((struct targets *)to)->no_database ? OK : ytree_bad(t, &v->start_mark, "url と ca を持つ組か none です", "a mapping with url and ca, or none");
}

static struct err clinics_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, TARGETS_MAX, clinic_read, to); }
static struct err portals_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, TARGETS_MAX, portal_read, to); }

static int by_name(const void *a, const void *b)
{
    const struct target *x = a, *y = b;
    return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->who, y->who);
}

static struct err root_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "clinics", clinics_read, false }, { "portals", portals_read, false }, { "id5", id5_read, false },
                                             { "database", database_read, false } };
    struct targets *all = to;
    TRY(ytree_mapping(t, v, KEYS, sizeof KEYS / sizeof KEYS[0], all));
    qsort(all->at, all->n, sizeof all->at[0], by_name);
    for (size_t i = 1; i < all->n; i++)
        if (by_name(&all->at[i - 1], &all->at[i]) == 0)
            return ytree_bad(t, &v->start_mark, "同じ相手先が二回あります", "one partner is named twice");
    return OK;
}

/* ---- all of them ---- */

ERR targets_parse(struct targets **ret_t, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct targets *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    t->texts = arena_new(ARENA_BYTES);
    t->at = calloc(TARGETS_MAX, sizeof *t->at);
    struct err e = t->texts && t->at ? ytree_parse(file, yaml, TARGET_FILE_MAX, t->texts, bad_line, root_read, t) : FAIL(E_NOMEM);
    if (err_ok(e))
        *ret_t = t;
    else
        targets_free(t);
    return e;
}

static struct err parse(void *to, const char *file, struct slice yaml, struct buf *bad_line) { return targets_parse(to, file, yaml, bad_line); }

ERR targets_load(struct targets **ret_t, const char *path) { return ytree_load(path, TARGET_FILE_MAX, parse, ret_t); }

void targets_free(struct targets *t)
{
    if (!t)
        return;
    arena_free(t->texts);
    free(t->at);
    free(t);
}

struct target *targets_find(struct targets *t, enum open_target kind, struct slice who)
{
    size_t from = 0, to = t->n;
    char name[NOTICE_WHO_MAX + 1] = "";
    if (who.n > NOTICE_WHO_MAX)
        return NULL;
    if (who.n)
        memcpy(name, who.p, who.n);
    const struct target key = { .kind = kind, .who = name };
    while (from < to) {
        const size_t at = from + (to - from) / 2;
        const int d = by_name(&t->at[at], &key);
        if (d == 0)
            return &t->at[at];
        if (d < 0)
            from = at + 1;
        else
            to = at;
    }
    return NULL;
}

bool targets_no_database(const struct targets *t) { return t->no_database; }
size_t targets_n(const struct targets *t) { return t->n; }
struct target *targets_at(struct targets *t, size_t i) { return &t->at[i]; }
