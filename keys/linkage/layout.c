#include "keys/linkage/layout.h"

#include <stdlib.h>
#include <yaml.h>

#include "gateway/base/arena.h"
#include "gateway/base/must.h"
#include "gateway/base/text.h"

enum { ARENA_BYTES = 512 * 1024 };

struct nz_layout {
    struct arena *texts;
    struct nz_column columns[NZ_LAYOUT_COLUMNS_MAX];
    size_t n;
    const char *operation;
};

struct reader {
    yaml_document_t doc;
    const char *file;
    struct buf *bad_line;
    struct nz_layout *layout;
};

/* ---- faults ---- */

static struct err bad(struct reader *r, const yaml_mark_t *at, const char *ja, const char *en)
{
    struct buf *out = r->bad_line;
    buf_puts(out, r->file);
    buf_putc(out, ':');
    buf_u64(out, at->line + 1);
    buf_putc(out, ':');
    buf_u64(out, at->column + 1);
    buf_puts(out, ": ");
    buf_puts(out, ja);
    buf_puts(out, " / ");
    buf_puts(out, en);
    return FAIL(E_CONFIG);
}

/* ---- scalars ---- */

static struct err text_read(struct reader *r, yaml_node_t *v, const char **ret_text)
{
    struct slice s = v->type == YAML_SCALAR_NODE ? slice_of(v->data.scalar.value, v->data.scalar.length) : SLICE_NONE;
    if (!s.n || s.n > NZ_LAYOUT_TEXT_MAX || memchr(s.p, 0, s.n))
        return bad(r, &v->start_mark, "空でない短い文字列にしてください", "a short text that is not empty belongs here");
    *ret_text = arena_cstr(r->layout->texts, s);
    return *ret_text ? OK : FAIL(E_NOMEM);
}

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
            return false;
    return s.n > 0;
}

/* "name" or "group.name" */
static struct err field_read(struct reader *r, yaml_node_t *v, struct nz_column *c)
{
    struct slice group = SLICE_NONE, field;
    TRY(text_read(r, v, &c->path));
    field = slice_str(c->path);
    bool grouped = slice_cut(field, '.', &group, &field);
    if (!name_ok(field) || (grouped && !name_ok(group)))
        return bad(r, &v->start_mark, "項目名は英数字で、「.」は一つまでです", "a field is letters and digits with at most one dot");
    c->field = arena_cstr(r->layout->texts, field);
    c->group = grouped ? arena_cstr(r->layout->texts, group) : NULL;
    return arena_check(r->layout->texts);
}

static struct err headers_read(struct reader *r, yaml_node_t *v, struct nz_column *c)
{
    if (v->type != YAML_SEQUENCE_NODE)
        return bad(r, &v->start_mark, "見出しの一覧 [ ] にしてください", "a list of headers belongs here");
    for (yaml_node_item_t *i = v->data.sequence.items.start; i < v->data.sequence.items.top; i++) {
        yaml_node_t *item = yaml_document_get_node(&r->doc, *i);
        if (c->n_headers == NZ_LAYOUT_HEADERS_MAX)
            return bad(r, &item->start_mark, "見出しが多すぎます", "too many headers");
        const char *text;
        TRY(text_read(r, item, &text));
        if (nz_layout_find(r->layout, slice_str(text)) < r->layout->n)
            return bad(r, &item->start_mark, "この見出しは別の項目にあります", "another field has this header");
        c->headers[c->n_headers++] = text;
    }
    return OK;
}

static struct err otherwise_read(struct reader *r, yaml_node_t *v, struct nz_column *c) { return text_read(r, v, &c->otherwise); }

static struct err as_read(struct reader *r, yaml_node_t *v, struct nz_column *c)
{
    static const char *const NAMES[] = {
        [NZ_AS_TEXT] = "text", [NZ_AS_KANA] = "kana", [NZ_AS_DATE] = "date", [NZ_AS_BOOLEAN] = "boolean", [NZ_AS_FLAG] = "flag",
        [NZ_AS_DIGITS] = "digits", [NZ_AS_SEX] = "sex",
    };
    const char *text;
    TRY(text_read(r, v, &text));
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (slice_eq(slice_str(text), slice_str(NAMES[i]))) {
            c->as = (enum nz_as)i;
            return OK;
        }
    return bad(r, &v->start_mark, "text、kana、date、boolean、flag、digits、sex のどれかです", "one of text, kana, date, boolean, flag, digits, sex");
}

static struct err needed_read(struct reader *r, yaml_node_t *v, struct nz_column *c)
{
    const char *text;
    TRY(text_read(r, v, &text));
    c->needed = slice_eq(slice_str(text), LIT("true"));
    return c->needed || slice_eq(slice_str(text), LIT("false")) ? OK : bad(r, &v->start_mark, "true か false です", "true or false");
}

static struct err word_read(struct reader *r, yaml_node_pair_t *p, const struct nz_word *first, struct nz_word *ret_w)
{
    const char *text, *value;
    TRY(text_read(r, yaml_document_get_node(&r->doc, p->key), &text));
    TRY(text_read(r, yaml_document_get_node(&r->doc, p->value), &value));
    *ret_w = (struct nz_word){ slice_str(text), slice_str(value) };
    for (const struct nz_word *w = first; w < ret_w; w++)
        if (slice_eq(w->text, ret_w->text))
            return bad(r, &yaml_document_get_node(&r->doc, p->key)->start_mark, "同じ語が二回あります", "the word is given twice");
    return OK;
}

static struct err words_read(struct reader *r, yaml_node_t *v, struct nz_column *c)
{
    if (v->type != YAML_MAPPING_NODE)
        return bad(r, &v->start_mark, "{ 語: 値 } の並びにしてください", "a list { word: value } belongs here");
    size_t n = (size_t)(v->data.mapping.pairs.top - v->data.mapping.pairs.start);
    if (n > NZ_LAYOUT_WORDS_MAX)
        return bad(r, &v->start_mark, "語が多すぎます", "too many words");
    struct nz_word *words = arena_get(r->layout->texts, n * sizeof *words);
    if (!words)
        return FAIL(E_NOMEM);
    for (c->words = words; c->n_words < n; c->n_words++)
        TRY(word_read(r, &v->data.mapping.pairs.start[c->n_words], words, &words[c->n_words]));
    return OK;
}

/* ---- mappings ---- */

struct key { const char *name; struct err (*read)(struct reader *r, yaml_node_t *v, struct nz_column *c); };

static struct err mapping_read(struct reader *r, yaml_node_t *node, const struct key *keys, size_t n_keys, struct nz_column *c)
{
    unsigned seen = 0;
    if (!node || node->type != YAML_MAPPING_NODE)
        return bad(r, node ? &node->start_mark : &(yaml_mark_t){ 0 }, "「名前: 値」の並びにしてください", "a list of \"name: value\" belongs here");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *k = yaml_document_get_node(&r->doc, p->key), *v = yaml_document_get_node(&r->doc, p->value);
        struct slice name = k->type == YAML_SCALAR_NODE ? slice_of(k->data.scalar.value, k->data.scalar.length) : SLICE_NONE;
        size_t i = 0;
        while (i < n_keys && !slice_eq(name, slice_str(keys[i].name)))
            i++;
        if (i == n_keys)
            return bad(r, &k->start_mark, "その名前はありません", "there is no such name");
        if (seen & 1u << i)
            return bad(r, &k->start_mark, "同じ名前が二回あります", "the name is given twice");
        seen |= 1u << i;
        TRY(keys[i].read(r, v, c));
    }
    return OK;
}

/* What one column cannot tell by itself. */
static struct err column_judge(struct reader *r, const yaml_mark_t *at, const struct nz_column *c)
{
    struct nz_layout *l = r->layout;
    if (!c->path || (!c->n_headers && !c->otherwise))
        return bad(r, at, "field と、headers か default が要ります", "field is needed, and headers or default");
    if (c->needed && !c->n_headers)
        return bad(r, at, "needed には headers が要ります", "needed takes headers");
    for (size_t i = 0; i < l->n; i++) {
        const struct nz_column *other = &l->columns[i];
        bool same = c->group && other->group && slice_eq(slice_str(c->group), slice_str(other->group));
        if (slice_eq(slice_str(c->path), slice_str(other->path)))
            return bad(r, at, "同じ項目が二回あります", "the field is given twice");
        /* A name that is a field in one place and a group in another could not be written. */
        if ((c->group && slice_eq(slice_str(c->group), slice_str(other->path))) || (other->group && slice_eq(slice_str(other->group), slice_str(c->path))))
            return bad(r, at, "項目とまとまりの名前が同じです", "a field and a group have the same name");
        if (same && i + 1 < l->n && (!l->columns[i + 1].group || !slice_eq(slice_str(c->group), slice_str(l->columns[i + 1].group))))
            return bad(r, at, "同じまとまりの項目は続けて書いてください", "fields of one group stand together");
    }
    return OK;
}

static struct err column_read(struct reader *r, yaml_node_t *node)
{
    static const struct key KEYS[] = {
        { "field", field_read }, { "headers", headers_read }, { "default", otherwise_read }, { "as", as_read }, { "needed", needed_read },
        { "words", words_read },
    };
    struct nz_layout *l = r->layout;
    if (l->n == NZ_LAYOUT_COLUMNS_MAX)
        return bad(r, &node->start_mark, "列が多すぎます", "too many columns");
    struct nz_column *c = &l->columns[l->n];
    TRY(mapping_read(r, node, KEYS, sizeof KEYS / sizeof *KEYS, c));
    TRY(column_judge(r, &node->start_mark, c));
    l->n++;
    return OK;
}

static struct err columns_read(struct reader *r, yaml_node_t *v, struct nz_column *none)
{
    (void)none;
    if (v->type != YAML_SEQUENCE_NODE)
        return bad(r, &v->start_mark, "列の一覧にしてください", "a list of columns belongs here");
    for (yaml_node_item_t *i = v->data.sequence.items.start; i < v->data.sequence.items.top; i++)
        TRY(column_read(r, yaml_document_get_node(&r->doc, *i)));
    return OK;
}

static struct err operation_read(struct reader *r, yaml_node_t *v, struct nz_column *none)
{
    (void)none;
    TRY(text_read(r, v, &r->layout->operation));
    return name_ok(slice_str(r->layout->operation)) ? OK : bad(r, &v->start_mark, "操作の名前は英数字です", "the name of an operation is letters and digits");
}

static struct err document_read(struct reader *r)
{
    static const struct key KEYS[] = { { "operation", operation_read }, { "columns", columns_read } };
    yaml_node_t *root = yaml_document_get_root_node(&r->doc);
    TRY(mapping_read(r, root, KEYS, sizeof KEYS / sizeof *KEYS, NULL));
    return r->layout->n ? OK : bad(r, &root->start_mark, "列がありません", "there are no columns");
}

ERR nz_layout_parse(struct nz_layout **ret_l, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct reader r = { .file = file, .bad_line = bad_line };
    yaml_parser_t p;
    if (yaml.n > NZ_LAYOUT_FILE_MAX)
        return bad(&r, &(yaml_mark_t){ 0 }, "ファイルが大きすぎます", "the file is too large");
    if (!yaml_parser_initialize(&p))
        return FAIL(E_NOMEM);
    yaml_parser_set_input_string(&p, yaml.p ? yaml.p : (const unsigned char *)"", yaml.n);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    r.layout = calloc(1, sizeof *r.layout);
    if (r.layout)
        r.layout->texts = arena_new(ARENA_BYTES);
    struct err e = r.layout && r.layout->texts ? OK : FAIL(E_NOMEM);
    if (err_ok(e) && !yaml_parser_load(&p, &r.doc))
        e = bad(&r, &p.problem_mark, "YAML の構文が正しくありません", "this is not valid YAML");
    else if (err_ok(e)) {
        e = document_read(&r);
        yaml_document_delete(&r.doc);
    }
    yaml_parser_delete(&p);
    if (!err_ok(e)) {
        nz_layout_free(r.layout);
        return e;
    }
    *ret_l = r.layout;
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
