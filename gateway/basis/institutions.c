#include "gateway/basis/institutions.h"

#include <stdlib.h>

#include "gateway/conf/ytree.h"

enum { ARENA_BYTES = 2 * INSTITUTIONS_FILE_MAX };

struct institution { const char *code, *name[2]; };

struct institutions {
    struct arena *texts;
    struct institution *sorted;
    size_t n;
};

static int compare(struct slice a, struct slice b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    return (i < a.n ? a.p[i] : -1) - (i < b.n ? b.p[i] : -1);
}

static int by_code(const void *a, const void *b)
{
    return compare(slice_str(((const struct institution *)a)->code), slice_str(((const struct institution *)b)->code));
}

static bool code_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '-')
            return false;
    return s.n > 0;
}

static struct err code_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct institution *one = to;
    TRY(ytree_text(t, v, INSTITUTION_CODE_MAX, &one->code));
    return code_ok(slice_str(one->code)) ? OK : ytree_bad(t, &v->start_mark, "コードは a-z、0-9、「-」です", "a code is a-z, 0-9 and \"-\"");
}

/* Names are shown and printed: nothing that moves a cursor. */
static ERR name_read(struct ytree *t, yaml_node_t *v, const char **ret_name)
{
    TRY(ytree_text(t, v, INSTITUTION_NAME_MAX, ret_name));
    for (const char *c = *ret_name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || ((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0))
            return ytree_bad(t, &v->start_mark, "名前に制御文字は使えません", "a name holds no control characters");
    return OK;
}

static struct err ja_read(struct ytree *t, yaml_node_t *v, void *to) { return name_read(t, v, &((struct institution *)to)->name[INSTITUTION_JA]); }
static struct err en_read(struct ytree *t, yaml_node_t *v, void *to) { return name_read(t, v, &((struct institution *)to)->name[INSTITUTION_EN]); }

static struct err institution_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const struct ytree_key KEYS[] = { { "code", code_read, true }, { "ja", ja_read, true }, { "en", en_read, true } };
    struct institutions *i = to;
    TRY(ytree_mapping(t, v, KEYS, sizeof KEYS / sizeof *KEYS, &i->sorted[i->n]));
    i->n++;
    return OK;
}

static struct err all_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct institutions *i = to;
    i->sorted = calloc(ytree_size(v) + 1, sizeof *i->sorted);
    return i->sorted ? ytree_list(t, v, INSTITUTIONS_MAX, institution_read, to) : FAIL(E_NOMEM);
}

static struct err document_read(struct ytree *t, yaml_node_t *root, void *to)
{
    static const struct ytree_key KEYS[] = { { "institutions", all_read, true } };
    struct institutions *i = to;
    TRY(ytree_mapping(t, root, KEYS, sizeof KEYS / sizeof *KEYS, to));
    qsort(i->sorted, i->n, sizeof *i->sorted, by_code);
    for (size_t k = 1; k < i->n; k++)
        if (by_code(&i->sorted[k - 1], &i->sorted[k]) == 0)
            return ytree_bad(t, &root->start_mark, "同じコードが二回あります", "a code is given twice");
    return OK;
}

ERR institutions_parse(struct institutions **ret_i, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct institutions *i = calloc(1, sizeof *i);
    if (i)
        i->texts = arena_new(ARENA_BYTES);
    struct err e = i && i->texts ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = ytree_parse(file, yaml, INSTITUTIONS_FILE_MAX, i->texts, bad_line, document_read, i);
    if (!err_ok(e)) {
        institutions_free(i);
        return e;
    }
    *ret_i = i;
    return OK;
}

static struct err parse(void *to, const char *file, struct slice yaml, struct buf *bad_line) { return institutions_parse(to, file, yaml, bad_line); }

ERR institutions_load(struct institutions **ret_i, const char *path) { return ytree_load(path, INSTITUTIONS_FILE_MAX, parse, ret_i); }

void institutions_free(struct institutions *i)
{
    if (!i)
        return;
    arena_free(i->texts);
    free(i->sorted);
    free(i);
}

struct slice institution_name(const struct institutions *i, struct slice code, enum institution_lang lang)
{
    size_t low = 0, high = i ? i->n : 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = compare(slice_str(i->sorted[mid].code), code);
        if (c == 0)
            return slice_str(i->sorted[mid].name[lang]);
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return code;
}

size_t institutions_count(const struct institutions *i) { return i ? i->n : 0; }
