#include "keys/ctl/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/ctl/split.h"
#include "keys/linkage/linkage.h"

enum { PIECE_MAX = 3 * 1024 * 1024, PIECE_ROWS_MAX = NZ_IMPORT_ROWS_MAX, CHUNK = 64 * 1024, BAD_LINE_MAX = 1024 };

struct nz_import_file {
    struct slice text;
    struct nz_layout *layout; /* NULL: JSON */
    enum nz_encoding encoding;
    uint64_t counted;
    struct nz_import *im;     /* NULL while counting */
    uint64_t rows_a_piece, n;
    struct buf piece, json;
    struct nz_row_place *places; /* of PIECE_ROWS_MAX */
    bool good;
};

/* Mapped, not read: of a file of any size only the piece on its way is copied, and that copy is wiped. */
static bool text_open(struct slice *ret_text, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        say_error("ファイルを開けません: %s", "cannot open the file: %s", strerror(fd < 0 ? errno : EINVAL));
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *p = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    if (p == MAP_FAILED) {
        say_error("ファイルを読めません: %s", "cannot read the file: %s", strerror(errno));
        return false;
    }
    if (p)
        madvise(p, (size_t)st.st_size, MADV_DONTDUMP);
    *ret_text = slice_of(p, (size_t)st.st_size);
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* ---- options of CSV ---- */

static bool encoding_find(const char *name, enum nz_encoding *ret_e)
{
    static const char *const NAMES[] = { [NZ_ENC_AUTO] = "auto", [NZ_ENC_UTF8] = "utf-8", [NZ_ENC_CP932] = "cp932" };
    *ret_e = NZ_ENC_AUTO;
    for (size_t i = 0; name && i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i]) == 0) {
            *ret_e = (enum nz_encoding)i;
            return true;
        }
    if (name)
        say_error("--encoding は auto、utf-8、cp932 のどれかです", "--encoding is auto, utf-8 or cp932");
    return !name;
}

static bool layout_open(struct nz_layout **ret_l, const struct state *s, const char *name)
{
    struct state_path path;
    struct buf yaml, bad;
    bool given = name && ends_with(name, ".yaml");
    int n = given ? snprintf(path.c, sizeof path.c, "%s", name)
                  : snprintf(path.c, sizeof path.c, "%s/layouts/%s.yaml", s->share, name ? name : "child-medical-subsidy");
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX + 1);
    buf_init(&bad, sizeof path.c + BAD_LINE_MAX);
    struct err e = n > 0 && n < (int)sizeof path.c ? file_read(path.c, &yaml) : FAIL(E_IO);
    if (!err_ok(e))
        say_error("レイアウトを読めません。--layout を確かめてください", "the layout cannot be read; check --layout");
    else
        e = nz_layout_parse(ret_l, path.c, buf_slice(&yaml), &bad);
    if (bad.n && buf_cstr(&bad))
        say_error("%s", "%s", buf_cstr(&bad));
    buf_done(&yaml);
    buf_done(&bad);
    return err_ok(e);
}

bool nz_import_file_open(struct nz_import_file **ret_f, const struct state *s, const char *path, const char *layout, const char *encoding)
{
    struct nz_import_file *f = calloc(1, sizeof *f);
    bool good = f && encoding_find(encoding, &f->encoding) && text_open(&f->text, path);
    bool csv = ends_with(path, ".csv") || ends_with(path, ".CSV");
    if (good && csv)
        good = layout_open(&f->layout, s, layout);
    if (good && !csv && (layout || encoding)) {
        say_error("--layout と --encoding は .csv のファイルのためのものです", "--layout and --encoding are for .csv files");
        good = false;
    }
    if (good)
        *ret_f = f;
    else
        nz_import_file_close(f);
    return good;
}

void nz_import_file_close(struct nz_import_file *f)
{
    if (!f)
        return;
    if (f->text.p)
        munmap((void *)(uintptr_t)f->text.p, f->text.n);
    nz_layout_free(f->layout);
    free(f);
}

/* ---- pieces ---- */

static void piece_send(struct nz_import_file *f)
{
    if (!f->n || !f->good)
        return;
    buf_putc(&f->piece, ']');
    f->good = !f->piece.failed && nz_import_send(f->im, buf_slice(&f->piece), f->places, f->n);
    f->n = 0;
    buf_reset(&f->piece);
}

static void piece_add(struct nz_import_file *f, uint64_t row, uint64_t line, struct slice json)
{
    if (f->n && f->piece.n + json.n + 2 >= PIECE_MAX)
        piece_send(f);
    if (!f->good)
        return;
    buf_putc(&f->piece, f->n ? ',' : '[');
    buf_put(&f->piece, json);
    f->places[f->n++] = (struct nz_row_place){ row, line };
    if (f->n == f->rows_a_piece)
        piece_send(f);
}

/* ---- CSV ---- */

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct nz_import_file *f = ctx;
    f->counted = row->row;
    if (!f->im)
        return;
    nz_linkage_row_json(f->layout, row, &f->json);
    f->good = f->good && !f->json.failed;
    if (f->good)
        piece_add(f, row->row, row->line, buf_slice(&f->json));
    buf_reset(&f->json);
}

static void say_file_fault(const struct nz_linkage_fault *t)
{
    const struct nz_rule_info *rule = nz_rule_info(t->rule);
    char column[160] = "";
    if (t->cell)
        snprintf(column, sizeof column, " [%zu]", t->cell);
    say_error("%llu 行 %llu 文字目%s %s %s: %s", "line %llu column %llu%s %s %s: %s", (unsigned long long)t->line, (unsigned long long)t->column,
              column, t->field, rule->name, say_pick(rule->ja, rule->en));
}

static void on_fault(void *ctx, const struct nz_linkage_fault *t)
{
    struct nz_import_file *f = ctx;
    bool new_row = t->row > f->counted;
    if (!t->row) {
        say_file_fault(t);
        return;
    }
    f->counted = t->row;
    if (!f->im)
        return;
    f->im->done[NZ_REFUSED] += new_row;
    f->im->rows_done += new_row;
    if (f->im->n_faults == IMPORT_FAULTS_MAX)
        return;
    struct nz_fault *to = &f->im->faults[f->im->n_faults++];
    *to = (struct nz_fault){ .row = t->row, .line = t->line, .column = t->column };
    snprintf(to->code, sizeof to->code, "row_unreadable");
    snprintf(to->field, sizeof to->field, "%s", t->field);
    snprintf(to->rule, sizeof to->rule, "%s", nz_rule_info(t->rule)->name);
}

static bool csv_walk(struct nz_import_file *f)
{
    struct nz_linkage *l;
    struct nz_linkage_conf conf = { .layout = f->layout, .encoding = f->encoding, .on_row = on_row, .on_fault = on_fault, .ctx = f };
    struct slice rest = f->text, chunk;
    f->counted = 0;
    struct err e = nz_linkage_new(&l, &conf);
    if (!err_ok(e)) {
        say_err("ファイルを読めません", "cannot read the file", e);
        return false;
    }
    while (err_ok(e) && f->good && rest.n && slice_take(&rest, rest.n < CHUNK ? rest.n : CHUNK, &chunk))
        e = nz_linkage_feed(l, chunk);
    if (err_ok(e) && f->good)
        e = nz_linkage_end(l);
    nz_linkage_free(l);
    if (!err_ok(e) && !err_is(e, E_FIELD))
        say_err("ファイルを読めません", "cannot read the file", e);
    return err_ok(e) && f->good;
}

/* ---- JSON ---- */

static bool json_walk(struct nz_import_file *f)
{
    struct nz_split r = nz_split_of(f->text);
    struct slice row;
    enum nz_split_step step = NZ_SPLIT_END;
    f->counted = 0;
    while (f->good && (step = nz_split_next(&r, &row)) == NZ_SPLIT_ROW) {
        f->counted++;
        if (f->im)
            piece_add(f, f->counted, 0, row);
    }
    if (f->good && step == NZ_SPLIT_BAD)
        say_error("ファイルは一つの JSON 配列ではありません", "the file is not one JSON array");
    return f->good && step == NZ_SPLIT_END;
}

/* ---- both ---- */

static bool walk(struct nz_import_file *f)
{
    f->good = true;
    return f->layout ? csv_walk(f) : json_walk(f);
}

int64_t nz_import_file_count(struct nz_import_file *f)
{
    f->im = NULL;
    return walk(f) ? (int64_t)f->counted : -1;
}

bool nz_import_file_send(struct nz_import_file *f, struct nz_import *im, uint64_t rows_a_piece)
{
    f->im = im;
    f->rows_a_piece = rows_a_piece < PIECE_ROWS_MAX ? rows_a_piece : PIECE_ROWS_MAX;
    f->n = 0;
    f->places = calloc(PIECE_ROWS_MAX, sizeof *f->places);
    buf_init(&f->piece, PIECE_MAX);
    buf_init(&f->json, PIECE_MAX);
    bool good = f->places && walk(f);
    if (good)
        piece_send(f);
    /* What was sent is followed to its end, also when the rest of the file turned out to be bad meanwhile. */
    good = nz_import_follow(im, 0) && good && f->good;
    buf_done(&f->piece);
    buf_done(&f->json);
    free(f->places);
    return good;
}
