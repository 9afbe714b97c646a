#include "gateway/conf/ytree.h"

#include <stdio.h>

#include "gateway/base/file.h"
#include "gateway/base/text.h"

struct err ytree_bad(struct ytree *t, const yaml_mark_t *at, const char *ja, const char *en)
{
    struct buf *out = t->bad_line;
    buf_puts(out, t->file);
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

static struct slice scalar(const yaml_node_t *v)
{
    return v->type == YAML_SCALAR_NODE ? slice_of(v->data.scalar.value, v->data.scalar.length) : SLICE_NONE;
}

struct err ytree_text(struct ytree *t, yaml_node_t *v, size_t max, const char **ret_text)
{
    struct slice s = scalar(v);
    if (!s.n || s.n > max || memchr(s.p, 0, s.n))
        return ytree_bad(t, &v->start_mark, "空でない短い文字列にしてください", "a short text that is not empty belongs here");
    *ret_text = arena_cstr(t->texts, s);
    return *ret_text ? OK : FAIL(E_NOMEM);
}

static bool word_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool letter = s.p[i] >= 'a' && s.p[i] <= 'z';
        if (!letter && (i == 0 || !((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_')))
            return false;
    }
    return s.n > 0;
}

struct err ytree_word(struct ytree *t, yaml_node_t *v, size_t max, const char **ret_word)
{
    struct slice s = scalar(v);
    if (!word_ok(s) || s.n > max)
        return ytree_bad(t, &v->start_mark, "小文字、数字、「_」からなる短い語にしてください", "a short word of lower-case letters, digits and \"_\" belongs here");
    *ret_word = arena_cstr(t->texts, s);
    return *ret_word ? OK : FAIL(E_NOMEM);
}

struct err ytree_num(struct ytree *t, yaml_node_t *v, uint64_t min, uint64_t max, uint64_t *ret_n)
{
    uint64_t n;
    if (!u64_parse(scalar(v), &n) || n < min || n > max)
        return ytree_bad(t, &v->start_mark, "範囲内の整数にしてください", "a whole number in range belongs here");
    *ret_n = n;
    return OK;
}

struct err ytree_bool(struct ytree *t, yaml_node_t *v, bool *ret_b)
{
    bool yes = slice_eq(scalar(v), LIT("true"));
    if (!yes && !slice_eq(scalar(v), LIT("false")))
        return ytree_bad(t, &v->start_mark, "true か false です", "true or false");
    *ret_b = yes;
    return OK;
}

/* ---- what has members ---- */

static struct err needed(struct ytree *t, const yaml_mark_t *at, const struct ytree_key *keys, size_t n, unsigned seen)
{
    char ja[96], en[96];
    for (size_t i = 0; i < n; i++) {
        if (!keys[i].needed || seen & 1u << i)
            continue;
        snprintf(ja, sizeof ja, "「%s」が要ります", keys[i].name);
        snprintf(en, sizeof en, "\"%s\" is needed", keys[i].name);
        return ytree_bad(t, at, ja, en);
    }
    return OK;
}

struct err ytree_mapping(struct ytree *t, yaml_node_t *v, const struct ytree_key *keys, size_t n, void *to)
{
    unsigned seen = 0;
    if (!v || v->type != YAML_MAPPING_NODE)
        return ytree_bad(t, v ? &v->start_mark : &(yaml_mark_t){ 0 }, "「名前: 値」の並びにしてください", "a list of \"name: value\" belongs here");
    for (yaml_node_pair_t *p = v->data.mapping.pairs.start; p < v->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_document_get_node(&t->doc, p->key);
        size_t i = 0;
        while (i < n && !slice_eq(scalar(key), slice_str(keys[i].name)))
            i++;
        if (i == n)
            return ytree_bad(t, &key->start_mark, "その名前はありません", "there is no such name");
        if (seen & 1u << i)
            return ytree_bad(t, &key->start_mark, "同じ名前が二回あります", "the name is given twice");
        seen |= 1u << i;
        TRY(keys[i].read(t, yaml_document_get_node(&t->doc, p->value), to));
    }
    return needed(t, &v->start_mark, keys, n, seen);
}

struct err ytree_list(struct ytree *t, yaml_node_t *v, size_t max, ytree_read_fn *each, void *to)
{
    if (v->type != YAML_SEQUENCE_NODE)
        return ytree_bad(t, &v->start_mark, "一覧 [ ] にしてください", "a list belongs here");
    if (ytree_size(v) > max)
        return ytree_bad(t, &v->start_mark, "一覧が長すぎます", "the list is too long");
    for (yaml_node_item_t *i = v->data.sequence.items.start; i < v->data.sequence.items.top; i++)
        TRY(each(t, yaml_document_get_node(&t->doc, *i), to));
    return OK;
}

size_t ytree_size(const yaml_node_t *v)
{
    if (v->type == YAML_SEQUENCE_NODE)
        return (size_t)(v->data.sequence.items.top - v->data.sequence.items.start);
    return v->type == YAML_MAPPING_NODE ? (size_t)(v->data.mapping.pairs.top - v->data.mapping.pairs.start) : 0;
}

/* ---- documents ---- */

static struct err load(struct ytree *t, yaml_parser_t *p, yaml_document_t *ret_doc)
{
    if (yaml_parser_load(p, ret_doc))
        return OK;
    if (p->error == YAML_MEMORY_ERROR)
        return FAIL(E_NOMEM);
    return ytree_bad(t, &p->problem_mark, "YAML の構文が正しくありません", "this is not valid YAML");
}

/* What follows the document would be read by nobody. */
static struct err alone(struct ytree *t, yaml_parser_t *p)
{
    yaml_document_t more;
    TRY(load(t, p, &more));
    yaml_node_t *root = yaml_document_get_root_node(&more);
    struct err e = root ? ytree_bad(t, &root->start_mark, "文書は一つだけです", "only one document belongs here") : OK;
    yaml_document_delete(&more);
    return e;
}

struct err ytree_parse(const char *file, struct slice yaml, size_t max, struct arena *texts, struct buf *bad_line, ytree_read_fn *root, void *to)
{
    struct ytree t = { .file = file, .bad_line = bad_line, .texts = texts };
    yaml_parser_t p;
    if (yaml.n > max)
        return ytree_bad(&t, &(yaml_mark_t){ 0 }, "ファイルが大きすぎます", "the file is too large");
    if (!yaml_parser_initialize(&p))
        return FAIL(E_NOMEM);
    yaml_parser_set_input_string(&p, yaml.p ? yaml.p : (const unsigned char *)"", yaml.n);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    struct err e = load(&t, &p, &t.doc);
    if (err_ok(e)) {
        e = root(&t, yaml_document_get_root_node(&t.doc), to);
        if (e.code == E_NOMEM && !err_ok(arena_check(texts)))
            e = ytree_bad(&t, &(yaml_mark_t){ 0 }, "内容が大きすぎます", "the content is too large");
        yaml_document_delete(&t.doc);
        if (err_ok(e))
            e = alone(&t, &p);
    }
    yaml_parser_delete(&p);
    return e;
}

struct err ytree_load(const char *path, size_t max, struct err (*parse)(void *to, const char *file, struct slice yaml, struct buf *bad_line), void *to)
{
    struct buf text, line;
    buf_init(&text, max);
    buf_init(&line, 8192);
    struct ytree t = { .file = path, .bad_line = &line };
    struct err e = file_read(path, &text);
    if (err_ok(e))
        e = parse(to, path, buf_slice(&text), &line);
    else if (e.code == E_FULL)
        e = ytree_bad(&t, &(yaml_mark_t){ 0 }, "ファイルが大きすぎます", "the file is too large");
    else
        e = ytree_bad(&t, &(yaml_mark_t){ 0 }, "ファイルを読めません", "the file cannot be read");
    if (line.n)
        fprintf(stderr, "%s\n", buf_cstr(&line) ? buf_cstr(&line) : path);
    buf_done(&text);
    buf_done(&line);
    return e;
}
