#include "gateway/conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yaml.h>

#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "gateway/conf/setting.h"

/* X(symbol, ja, en): what can be wrong with a file. Values are never repeated. */
#define CONF_FAULTS(X)                                                                                             \
    X(FILE,      "ファイルを読めません",                            "the file cannot be read")                      \
    X(TOO_BIG,   "ファイルが大きすぎます",                          "the file is too large")                        \
    X(SYNTAX,    "YAML の構文が正しくありません",                   "this is not valid YAML")                       \
    X(SHAPE,     "「項目: 値」を並べた形ではありません",            "the file has to be a flat list of \"setting: value\"") \
    X(NESTED,    "値は一つの文字列か数にしてください",              "the value has to be one text or number")       \
    X(FEATURE,   "アンカー、別名、タグは使えません",                "anchors, aliases and tags are not allowed")    \
    X(UNKNOWN,   "その名前の項目はありません",                      "there is no such setting")                     \
    X(FOREIGN,   "別のデーモンの項目です",                          "this setting belongs to another daemon")       \
    X(DUPLICATE, "同じ項目が二回あります",                          "the setting is given twice")                   \
    X(EMPTY,     "値が空です",                                      "the value is empty")                           \
    X(TEXT,      "値が長すぎるか、使えない文字があります",          "the value is too long or holds a character that is not allowed") \
    X(NUMBER,    "範囲内の整数にしてください",                      "the value has to be a whole number in range")  \
    X(INLINE,    "秘密は設定に書けません(pin-source でファイルを指定してください)", "a secret may not stand in the settings (name a file with pin-source)") \
    X(CREDENTIAL, "その名前の資格情報は渡されていません(CREDENTIALS_DIRECTORY)", "no credential of that name was handed over (CREDENTIALS_DIRECTORY)") \
    X(OPEN,      "このファイルは誰でも読めます(chmod o-rwx)",     "everybody may read this file (chmod o-rwx)") \
    X(MISSING,   "必須の項目がありません",                          "the setting is required and missing")

enum conf_fault {
#define X(sym, ja, en) CF_##sym,
    CONF_FAULTS(X)
#undef X
};

struct reader {
    struct conf *conf;
    enum conf_daemon who;
    const char *file;
    struct buf *bad_line;
    struct setting_at *at; /* SETTINGS_N */
    yaml_parser_t yaml;
};

static void put_range(struct buf *out, const struct setting *s)
{
    buf_puts(out, " [");
    buf_u64(out, s->min);
    buf_puts(out, "..");
    buf_u64(out, s->max);
    buf_putc(out, ' ');
    buf_puts(out, s->unit);
    buf_putc(out, ']');
}

/* One line: FILE:LINE:COL: setting: ja / en. name: the setting's name as far as it may be shown; s: may be NULL. */
static struct err bad(struct reader *r, const yaml_mark_t *at, struct slice name, const struct setting *s, enum conf_fault f)
{
    static const struct { const char *ja, *en; } TEXT[] = {
#define X(sym, ja, en) [CF_##sym] = { ja, en },
        CONF_FAULTS(X)
#undef X
    };
    struct buf *out = r->bad_line;
    buf_puts(out, r->file);
    buf_putc(out, ':');
    buf_u64(out, at ? at->line + 1 : 1);
    buf_putc(out, ':');
    buf_u64(out, at ? at->column + 1 : 1);
    buf_puts(out, ": ");
    buf_put(out, name.n ? name : LIT("-"));
    buf_puts(out, ": ");
    buf_puts(out, TEXT[f].ja);
    buf_puts(out, " / ");
    buf_puts(out, TEXT[f].en);
    if (f == CF_NUMBER && s)
        put_range(out, s);
    return FAIL(E_CONFIG);
}

/* A name is shown when it can only be a misspelt setting, so that a value that slipped into its place is not. */
static struct slice showable(struct slice name)
{
    if (name.n > 40)
        return SLICE_NONE;
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && name.p[i] != '_')
            return SLICE_NONE;
    return name;
}

static struct err next_event(struct reader *r, yaml_event_t *ret_ev)
{
    if (yaml_parser_parse(&r->yaml, ret_ev))
        return OK;
    if (r->yaml.error == YAML_MEMORY_ERROR)
        return FAIL(E_NOMEM);
    return bad(r, &r->yaml.problem_mark, SLICE_NONE, NULL, CF_SYNTAX);
}

/* Reads and drops one event of the given type. */
static struct err expect(struct reader *r, yaml_event_type_t type)
{
    yaml_event_t ev;
    TRY(next_event(r, &ev));
    struct err e = ev.type == type ? OK : bad(r, &ev.start_mark, SLICE_NONE, NULL, CF_SHAPE);
    yaml_event_delete(&ev);
    return e;
}

static bool text_ok(struct slice v)
{
    if (v.n > CONF_TEXT_MAX || !utf8_valid(v))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return false;
    return true;
}

/* "credential:NAME": the path of what systemd handed over. */
static struct err set_credential(struct reader *r, const struct setting *s, const yaml_mark_t *at, struct slice name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || !*dir || !name.n || name.p[0] == '.' || memchr(name.p, '/', name.n))
        return bad(r, at, slice_str(s->name), s, CF_CREDENTIAL);
    char *path = NULL;
    if (asprintf(&path, "%s/%.*s", dir, (int)name.n, (const char *)name.p) < 0)
        return FAIL(E_NOMEM);
    *setting_text(r->conf, s) = path;
    return OK;
}

static struct err set_text(struct reader *r, const struct setting *s, const yaml_mark_t *at, struct slice v)
{
    const struct slice scheme = LIT("credential:");
    if (!v.n)
        return bad(r, at, slice_str(s->name), s, CF_EMPTY);
    if (!text_ok(v))
        return bad(r, at, slice_str(s->name), s, CF_TEXT);
    if (memmem(v.p, v.n, "pin-value=", sizeof "pin-value=" - 1))
        return bad(r, at, slice_str(s->name), s, CF_INLINE);
    if (slice_starts(v, scheme))
        return set_credential(r, s, at, slice_of(v.p + scheme.n, v.n - scheme.n));
    char *copy = strndup((const char *)v.p, v.n);
    if (!copy)
        return FAIL(E_NOMEM);
    *setting_text(r->conf, s) = copy;
    return OK;
}

static struct err set_num(struct reader *r, const struct setting *s, const yaml_mark_t *at, struct slice v)
{
    uint64_t n;
    if (!u64_parse(v, &n) || n < s->min || n > s->max)
        return bad(r, at, slice_str(s->name), s, CF_NUMBER);
    *setting_num(r->conf, s) = n;
    return OK;
}

static struct err read_value(struct reader *r, const struct setting *s)
{
    yaml_event_t ev;
    TRY(next_event(r, &ev));
    struct err e;
    struct slice v = ev.type == YAML_SCALAR_EVENT ? slice_of(ev.data.scalar.value, ev.data.scalar.length) : SLICE_NONE;
    if (ev.type == YAML_ALIAS_EVENT || (ev.type == YAML_SCALAR_EVENT && (ev.data.scalar.anchor || ev.data.scalar.tag)))
        e = bad(r, &ev.start_mark, slice_str(s->name), s, CF_FEATURE);
    else if (ev.type != YAML_SCALAR_EVENT)
        e = bad(r, &ev.start_mark, slice_str(s->name), s, CF_NESTED);
    else if (s->kind == SETTING_NUM)
        e = set_num(r, s, &ev.start_mark, v);
    else
        e = set_text(r, s, &ev.start_mark, v);
    yaml_event_delete(&ev);
    return e;
}

static struct err find_setting(struct reader *r, const yaml_mark_t *at, struct slice name, const struct setting **ret_s)
{
    const struct setting *s = settings_find(name);
    if (!s)
        return bad(r, at, showable(name), NULL, CF_UNKNOWN);
    if (!(s->who & (unsigned)r->who))
        return bad(r, at, name, s, CF_FOREIGN);
    struct setting_at *seen = &r->at[s - settings_at(0)];
    if (seen->line)
        return bad(r, at, name, s, CF_DUPLICATE);
    *seen = (struct setting_at){ (unsigned)at->line + 1, (unsigned)at->column + 1 };
    *ret_s = s;
    return OK;
}

/* One "setting: value"; *ret_more false at the end of the mapping. */
static struct err read_pair(struct reader *r, bool *ret_more)
{
    yaml_event_t ev;
    const struct setting *s = NULL;
    TRY(next_event(r, &ev));
    struct err e = OK;
    *ret_more = ev.type != YAML_MAPPING_END_EVENT;
    if (ev.type == YAML_SCALAR_EVENT && (ev.data.scalar.anchor || ev.data.scalar.tag))
        e = bad(r, &ev.start_mark, SLICE_NONE, NULL, CF_FEATURE);
    else if (ev.type == YAML_SCALAR_EVENT)
        e = find_setting(r, &ev.start_mark, slice_of(ev.data.scalar.value, ev.data.scalar.length), &s);
    else if (*ret_more)
        e = bad(r, &ev.start_mark, SLICE_NONE, NULL, CF_SHAPE);
    yaml_event_delete(&ev);
    TRY(e);
    return s ? read_value(r, s) : OK;
}

static struct err read_document(struct reader *r)
{
    TRY(expect(r, YAML_STREAM_START_EVENT));
    TRY(expect(r, YAML_DOCUMENT_START_EVENT));
    TRY(expect(r, YAML_MAPPING_START_EVENT));
    for (bool more = true; more;)
        TRY(read_pair(r, &more));
    TRY(expect(r, YAML_DOCUMENT_END_EVENT));
    return expect(r, YAML_STREAM_END_EVENT);
}

static struct err set_defaults(struct reader *r)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!(s->who & (unsigned)r->who) || r->at[i].line)
            continue;
        if (setting_required(s))
            return bad(r, NULL, slice_str(s->name), s, CF_MISSING);
        if (s->kind == SETTING_NUM)
            *setting_num(r->conf, s) = s->num_def;
        else if (!(*setting_text(r->conf, s) = strdup(s->text_def)))
            return FAIL(E_NOMEM);
    }
    return OK;
}

struct err settings_parse(struct conf *ret_c, enum conf_daemon who, const char *file, struct slice yaml, struct buf *bad_line, struct setting_at at[static SETTINGS_N])
{
    struct conf c = { 0 };
    struct reader r = { .conf = &c, .who = who, .file = file, .bad_line = bad_line, .at = at };
    memset(at, 0, SETTINGS_N * sizeof *at);
    if (yaml.n > CONF_FILE_MAX)
        return bad(&r, NULL, SLICE_NONE, NULL, CF_TOO_BIG);
    if (!yaml_parser_initialize(&r.yaml))
        return FAIL(E_NOMEM);
    yaml_parser_set_input_string(&r.yaml, yaml.p ? yaml.p : (const unsigned char *)"", yaml.n);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    struct err e = read_document(&r);
    if (err_ok(e))
        e = set_defaults(&r);
    yaml_parser_delete(&r.yaml);
    if (!err_ok(e)) {
        conf_free(&c);
        return e;
    }
    *ret_c = c;
    return OK;
}

struct err conf_parse(struct conf *ret_c, enum conf_daemon who, const char *file, struct slice yaml, struct buf *bad_line)
{
    struct setting_at at[SETTINGS_N];
    return settings_parse(ret_c, who, file, yaml, bad_line, at);
}

/* What is not there, or where this user may not look, is told when it is used. */
static struct err secrets_closed(struct reader *r)
{
    struct stat st;
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!s->secret || !r->at[i].line || stat(*setting_text(r->conf, s), &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & S_IRWXO))
            continue;
        const yaml_mark_t at = { .line = r->at[i].line - 1, .column = r->at[i].column - 1 };
        return bad(r, &at, slice_str(s->name), s, CF_OPEN);
    }
    return OK;
}

struct err settings_read(struct conf *ret_c, enum conf_daemon who, const char *path, struct buf *bad_line, struct setting_at at[static SETTINGS_N])
{
    struct buf text;
    struct conf c = { 0 };
    buf_init(&text, CONF_FILE_MAX);
    struct reader r = { .conf = &c, .file = path, .bad_line = bad_line, .at = at };
    struct err e = file_read(path, &text);
    if (!err_ok(e)) {
        e = bad(&r, NULL, SLICE_NONE, NULL, e.code == E_FULL ? CF_TOO_BIG : CF_FILE);
    } else {
        e = settings_parse(&c, who, path, buf_slice(&text), bad_line, at);
        if (err_ok(e))
            e = secrets_closed(&r);
    }
    if (err_ok(e))
        *ret_c = c;
    else
        conf_free(&c);
    buf_done(&text);
    return e;
}

struct err settings_load(struct conf *ret_c, enum conf_daemon who, const char *path, struct setting_at at[static SETTINGS_N])
{
    struct buf line;
    buf_init(&line, CONF_LINE_MAX);
    struct err e = settings_read(ret_c, who, path, &line, at);
    if (line.n)
        fprintf(stderr, "%s\n", buf_cstr(&line) ? buf_cstr(&line) : path);
    buf_done(&line);
    return e;
}

struct err conf_read(struct conf *ret_c, enum conf_daemon who, const char *path, struct buf *bad_line)
{
    struct setting_at at[SETTINGS_N];
    return settings_read(ret_c, who, path, bad_line, at);
}

struct err conf_load(struct conf *ret_c, enum conf_daemon who, const char *path)
{
    struct setting_at at[SETTINGS_N];
    return settings_load(ret_c, who, path, at);
}

void conf_free(struct conf *c)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (s->kind == SETTING_TEXT)
            free(*setting_text(c, s));
    }
    *c = (struct conf){ 0 };
}
