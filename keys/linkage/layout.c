#include "keys/linkage/layout.h"

#include <stdlib.h>

#include "gateway/base/arena.h"
#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/conf/ytree.h"

enum { ARENA_BYTES = 512 * 1024 };

struct nz_layout {
    struct arena *texts;
    struct nz_column columns[NZ_LAYOUT_COLUMNS_MAX];
    size_t n;
    const char *operation;
};

/* The column that is being read. */
struct reading {
    struct nz_layout *layout;
    struct nz_column *column;
};

static struct err text_read(struct ytree *t, yaml_node_t *v, const char **ret_text) { return ytree_text(t, v, NZ_LAYOUT_TEXT_MAX, ret_text); }

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
            return false;
    return s.n > 0;
}

/* "name" or "group.name" */
static struct err field_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct nz_column *c = ((struct reading *)to)->column;
    struct slice group = SLICE_NONE, field;
    TRY(text_read(t, v, &c->path));
    field = slice_str(c->path);
    bool grouped = slice_cut(field, '.', &group, &field);
    if (!name_ok(field) || (grouped && !name_ok(group)))
        return ytree_bad(t, &v->start_mark, "項目名は英数字で、「.」は一つまでです", "a field is letters and digits with at most one dot");
    c->field = arena_cstr(t->texts, field);
    c->group = grouped ? arena_cstr(t->texts, group) : NULL;
    return arena_check(t->texts);
}

static struct err header_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct reading *r = to;
    const char *text;
    TRY(text_read(t, v, &text));
    if (nz_layout_find(r->layout, slice_str(text)) < r->layout->n)
        return ytree_bad(t, &v->start_mark, "この見出しは別の項目にあります", "another field has this header");
    r->column->headers[r->column->n_headers++] = text;
    return OK;
}

static struct err headers_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, NZ_LAYOUT_HEADERS_MAX, header_read, to); }

static struct err otherwise_read(struct ytree *t, yaml_node_t *v, void *to) { return text_read(t, v, &((struct reading *)to)->column->otherwise); }

static struct err as_read(struct ytree *t, yaml_node_t *v, void *to)
{
    static const char *const NAMES[] = {
        [NZ_AS_TEXT] = "text", [NZ_AS_KANA] = "kana", [NZ_AS_DATE] = "date", [NZ_AS_BOOLEAN] = "boolean", [NZ_AS_FLAG] = "flag",
        [NZ_AS_DIGITS] = "digits", [NZ_AS_SEX] = "sex",
    };
    const char *text;
    TRY(text_read(t, v, &text));
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (slice_eq(slice_str(text), slice_str(NAMES[i]))) {
            ((struct reading *)to)->column->as = (enum nz_as)i;
            return OK;
        }
    return ytree_bad(t, &v->start_mark, "text、kana、date、boolean、flag、digits、sex のどれかです", "one of text, kana, date, boolean, flag, digits, sex");
}

static struct err needed_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_bool(t, v, &((struct reading *)to)->column->needed); }

static struct err word_read(struct ytree *t, yaml_node_pair_t *p, const struct nz_word *first, struct nz_word *ret_w)
{
    const char *text, *value;
    TRY(text_read(t, yaml_document_get_node(&t->doc, p->key), &text));
    TRY(text_read(t, yaml_document_get_node(&t->doc, p->value), &value));
    *ret_w = (struct nz_word){ slice_str(text), slice_str(value) };
    for (const struct nz_word *w = first; w < ret_w; w++)
        if (slice_eq(w->text, ret_w->text))
            return ytree_bad(t, &yaml_document_get_node(&t->doc, p->key)->start_mark, "同じ語が二回あります", "the word is given twice");
    return OK;
}

static struct err words_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct nz_column *c = ((struct reading *)to)->column;
    size_t n = ytree_size(v);
    if (v->type != YAML_MAPPING_NODE)
        return ytree_bad(t, &v->start_mark, "{ 語: 値 } の並びにしてください", "a list { word: value } belongs here");
    if (n > NZ_LAYOUT_WORDS_MAX)
        return ytree_bad(t, &v->start_mark, "語が多すぎます", "too many words");
    struct nz_word *words = arena_get(t->texts, n * sizeof *words);
    if (!words)
        return FAIL(E_NOMEM);
    for (c->words = words; c->n_words < n; c->n_words++)
        TRY(word_read(t, &v->data.mapping.pairs.start[c->n_words], words, &words[c->n_words]));
    return OK;
}

/* ---- mappings ---- */

/* What one column cannot tell by itself. */
static struct err column_judge(struct ytree *t, const yaml_mark_t *at, const struct nz_layout *l, const struct nz_column *c)
{
    if (!c->path || (!c->n_headers && !c->otherwise))
        return ytree_bad(t, at, "field と、headers か default が要ります", "field is needed, and headers or default");
    if (c->needed && !c->n_headers)
        return ytree_bad(t, at, "needed には headers が要ります", "needed takes headers");
    for (size_t i = 0; i < l->n; i++) {
        const struct nz_column *other = &l->columns[i];
        bool same = c->group && other->group && slice_eq(slice_str(c->group), slice_str(other->group));
        if (slice_eq(slice_str(c->path), slice_str(other->path)))
            return ytree_bad(t, at, "同じ項目が二回あります", "the field is given twice");
        /* A name that is a field in one place and a group in another could not be written. */
        if ((c->group && slice_eq(slice_str(c->group), slice_str(other->path))) || (other->group && slice_eq(slice_str(other->group), slice_str(c->path))))
            return ytree_bad(t, at, "項目とまとまりの名前が同じです", "a field and a group have the same name");
        if (same && i + 1 < l->n && (!l->columns[i + 1].group || !slice_eq(slice_str(c->group), slice_str(l->columns[i + 1].group))))
            return ytree_bad(t, at, "同じまとまりの項目は続けて書いてください", "fields of one group stand together");
    }
    return OK;
}

static struct err column_read(struct ytree *t, yaml_node_t *node, void *to)
{
    static const struct ytree_key KEYS[] = {
        { "field", field_read, false }, { "headers", headers_read, false }, { "default", otherwise_read, false }, { "as", as_read, false },
        { "needed", needed_read, false }, { "words", words_read, false },
    };
    struct nz_layout *l = to;
    struct reading r = { l, &l->columns[l->n] };
    TRY(ytree_mapping(t, node, KEYS, sizeof KEYS / sizeof *KEYS, &r));
    TRY(column_judge(t, &node->start_mark, l, r.column));
    l->n++;
    return OK;
}

static struct err columns_read(struct ytree *t, yaml_node_t *v, void *to) { return ytree_list(t, v, NZ_LAYOUT_COLUMNS_MAX, column_read, to); }

static struct err operation_read(struct ytree *t, yaml_node_t *v, void *to)
{
    struct nz_layout *l = to;
    TRY(text_read(t, v, &l->operation));
    return name_ok(slice_str(l->operation)) ? OK : ytree_bad(t, &v->start_mark, "操作の名前は英数字です", "the name of an operation is letters and digits");
}

static struct err document_read(struct ytree *t, yaml_node_t *root, void *to)
{
    static const struct ytree_key KEYS[] = { { "operation", operation_read, false }, { "columns", columns_read, false } };
    TRY(ytree_mapping(t, root, KEYS, sizeof KEYS / sizeof *KEYS, to));
    return ((struct nz_layout *)to)->n ? OK : ytree_bad(t, &root->start_mark, "列がありません", "there are no columns");
}

ERR nz_layout_parse(struct nz_layout **ret_l, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct nz_layout *l = calloc(1, sizeof *l);
    if (l)
        l->texts = arena_new(ARENA_BYTES);
    struct err e = l && l->texts ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = ytree_parse(file, yaml, NZ_LAYOUT_FILE_MAX, l->texts, bad_line, document_read, l);
    if (!err_ok(e)) {
        nz_layout_free(l);
        return e;
    }
    *ret_l = l;
    return OK;
}

void nz_layout_free(struct nz_layout *l)
{
    if (!l)
        return;
    arena_free(l->texts);
    free(l);
}

const char *nz_layout_operation(const struct nz_layout *l) { return l->operation; }

size_t nz_layout_count(const struct nz_layout *l) { return l->n; }

const struct nz_column *nz_layout_column(const struct nz_layout *l, size_t i)
{
    MUST(i < l->n);
    return &l->columns[i];
}

size_t nz_layout_find(const struct nz_layout *l, struct slice header)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->columns[i].n_headers; k++)
            if (slice_eq(header, slice_str(l->columns[i].headers[k])))
                return i;
    return l->n;
}
