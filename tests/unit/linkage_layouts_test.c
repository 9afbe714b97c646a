/* Every shipped layout reads rows of its form: what a municipal system writes becomes what the form takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/base/file.h"
#include "keys/change/form.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/registration.h"
#include "mocks/synth/cp932.h"
#include "mocks/synth/table.h"

enum { ARENA = 256 * 1024, NUMBERS = 8, MUNI_DIGITS = 6, RESIDENTS = 300, TEXT_MAX = 4 * 1024 * 1024, DAY = 20260401 };

static const char MUNI[MUNI_DIGITS] = { '3', '3', '1', '0', '0', '7' };

struct sample { const char *csv; unsigned rows; };

#define BASIC_HEADS "氏名,氏名カナ,住所,生年月日,性別"
#define BASIC "見本　花子,ﾐﾎﾝ ﾊﾅｺ,岡山県岡山市北区本町1-1-1,令和元年5月1日,女"

static const struct sample SAMPLES[NZ_FORM__MAX] = {
    [NZ_FORM_SUBJECT] = { "証明書種別ID,個人番号," BASIC_HEADS ",不開示,公費負担者番号,公費受給者番号,宛名番号,自己負担上限額,自己負担上限回数,資格取得日,有効期限\n"
                          "KODOMO-01,９９０００００００００７," BASIC ",0,88330001,1234567,0000000001,500,2,R6.4.1,R7.3.31\n", 1 },
    [NZ_FORM_HISTORY] = { "証明書種別ID,個人番号," BASIC_HEADS ",不開示,履歴キー,削除フラグ,償還払い,有効期間開始日,有効期間終了日\n"
                          "KODOMO-01,990000000007," BASIC ",有,H1,0,無,2024/4/1,20250331\n", 1 },
    [NZ_FORM_CHECKUP] = { "変更区分,個人番号,宛名番号," BASIC_HEADS ",不開示,閲覧停止,検診種別ID,年度,検診名,受診券番号,自己負担区分,受診日,異動日\n"
                          "登録,990000000007,1," BASIC ",0,0,GAN-01,２０２４,胃がん検診,A-1,1,R6.6.1,\n"
                          "削除,990000000007,1,,,,,,,,GAN-01,2024,,,,,R6.7.1\n", 2 },
    [NZ_FORM_VACCINATION] = { "変更区分,個人番号,宛名番号," BASIC_HEADS ",保護者氏名,リカバリー,不開示,閲覧停止,接種対象者番号,対象者区分,減免区分,消除の異動日\n"
                              "1,990000000007,1," BASIC ",見本　太郎,0,0,0,V1,A,B,\n"
                              "2,990000000007,1,,,,,,,,,,,,,2024-04-01\n", 2 },
    [NZ_FORM_TICKET] = { "変更区分,個人番号,宛名番号,予防接種事業ID,接種券番号,ワクチン名,接種回数,有効期間開始日,有効期間終了日,強制失効日,消除の異動日\n"
                         "登録,990000000007,1,MR-01,1234567890,麻しん風しん,１,R6.4.1,R7.3.31,,\n"
                         "消除,990000000007,1,MR-01,1234567890,,,,,,R6.4.2\n", 2 },
    [NZ_FORM_CHANGE] = { "異動区分,宛名番号,個人番号,新個人番号,統合先宛名番号,異動日,処理番号\n"
                         "転出,1,990000000007,,,R6.4.1,a\n死亡,1,,,,R6.4.1,b\n強制失効,1,,,,R6.4.1,c\n回復,1,,,,R6.4.1,d\n誤登録,1,,,,R6.4.1,e\n"
                         "個人番号変更,1,990000000007,990000000015,,R6.4.1,f\n統合,1,,,2,R6.4.1,g\n分離,1,,,2,R6.4.1,h\nmoved_out,1,,,,R6.4.1,i\n", 9 },
};

static bool has_files(const struct nz_form_info *f) { return f->layout[0]; }

static struct nz_layout *layout_load(const char *name)
{
    struct nz_layout *l = NULL;
    struct buf path, yaml, bad;
    buf_init(&path, 4096);
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX + 1);
    buf_init(&bad, 4096);
    buf_puts(&path, LAYOUTS);
    buf_putc(&path, '/');
    buf_puts(&path, name);
    buf_puts(&path, ".yaml");
    assert_true(err_ok(file_read(buf_cstr(&path), &yaml)));
    if (!err_ok(nz_layout_parse(&l, name, buf_slice(&yaml), &bad)))
        fail_msg("%s", buf_cstr(&bad));
    buf_done(&path);
    buf_done(&yaml);
    buf_done(&bad);
    return l;
}

struct reading {
    enum nz_form form;
    const struct nz_layout *layout;
    struct nz_row_reader *reader; /* NULL: a change */
    struct nz_pool *pool;
    struct arena *arena;
    unsigned good;
};

static void change_row(struct reading *r, const struct nz_linkage_row *in)
{
    struct nz_change c;
    struct field_report report = { 0 };
    struct buf text;
    buf_init(&text, ARENA);
    nz_linkage_row_json(r->layout, in, &text);
    json_t *obj = json_loadb((const char *)text.p, text.n, 0, NULL);
    assert_non_null(obj);
    assert_true(err_ok(nz_change_read(obj, &(struct check_levels){ 0 }, r->pool, r->arena, &c, &report)));
    if (report.n_faults)
        fail_msg("row %u: %s", (unsigned)in->row, report.faults[0].field);
    r->good += c.type != NZ_CH_NONE;
    nz_change_done(&c);
    json_decref(obj);
    buf_done(&text);
}

static void on_row(void *ctx, const struct nz_linkage_row *in)
{
    struct reading *r = ctx;
    struct nz_row row = { 0 };
    if (!r->reader) {
        change_row(r, in);
        return;
    }
    assert_true(err_ok(nz_row_read(r->reader, in, r->arena, &row)));
    if (row.verdict != NZ_ROW_OK)
        fail_msg("%s, row %u: %s", nz_form_info(r->form)->layout, (unsigned)in->row, row.report.n_faults ? row.report.faults[0].field : "");
    r->good++;
    nz_mynum_free(row.number);
    arena_reset(r->arena);
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    struct reading *r = ctx;
    fail_msg("%s, line %u column %u: %s", nz_form_info(r->form)->layout, (unsigned)f->line, (unsigned)f->column, nz_rule_info(f->rule)->name);
}

static void file_read_all(struct reading *r, enum nz_source source, enum nz_encoding encoding, struct slice text, unsigned rows)
{
    struct nz_linkage *l;
    struct nz_linkage_conf conf = { .source = source, .layout = r->layout, .encoding = encoding, .on_row = on_row, .on_fault = on_fault, .ctx = r };
    assert_true(err_ok(nz_linkage_new(&l, &conf)));
    assert_true(err_ok(nz_linkage_feed(l, text)));
    assert_true(err_ok(nz_linkage_end(l)));
    nz_linkage_free(l);
    assert_int_equal(r->good, rows);
    r->good = 0;
}

static const struct check_levels REJECT = { { [CK_MYNUMBER] = CHECK_REJECT, [CK_PAYER] = CHECK_REJECT } };

static void reader_open(struct reading *r, const struct nz_layout *layout, const struct check_levels *levels)
{
    r->layout = layout;
    if (r->form != NZ_FORM_CHANGE)
        assert_true(err_ok(nz_row_reader_new(&r->reader, r->form, layout, MUNI, levels, r->pool)));
}

static void reader_close(struct reading *r)
{
    nz_row_reader_free(r->reader);
    r->reader = NULL;
    arena_reset(r->arena);
}

static void test_every_layout_reads_rows_of_its_form(void **state)
{
    struct reading r = { .arena = arena_new(ARENA) };
    (void)state;
    assert_true(err_ok(nz_pool_new(&r.pool, NUMBERS)));
    for (r.form = 0; r.form < NZ_FORM__MAX; r.form++) {
        const struct nz_form_info *info = nz_form_info(r.form);
        if (!has_files(info))
            continue;
        struct nz_layout *layout = layout_load(info->layout);
        assert_string_equal(nz_layout_operation(layout), info->operation);
        reader_open(&r, layout, &(struct check_levels){ 0 });
        file_read_all(&r, NZ_SOURCE_CSV, NZ_ENC_UTF8, slice_str(SAMPLES[r.form].csv), SAMPLES[r.form].rows);
        reader_close(&r);
        nz_layout_free(layout);
    }
    arena_free(r.arena);
    nz_pool_free(r.pool);
}

/* ---- what pmhgw-synth writes ---- */

static bool held(void *ctx, const char *utf8) { return cp932_holds(ctx, utf8); }

static unsigned synth_write(enum synth_form form, enum nz_source source, struct cp932 *cp932, struct buf *out)
{
    struct synth *s;
    struct synth_resident r;
    struct buf utf8;
    unsigned rows = 0;
    struct synth_conf conf = { .muni = ARR(MUNI), .count = RESIDENTS, .seed = 1, .on = DAY, .name_ok = cp932 ? held : NULL, .ctx = cp932 };
    buf_init(&utf8, TEXT_MAX);
    assert_true(err_ok(synth_new(&s, &conf)));
    if (source == NZ_SOURCE_CSV)
        synth_head_csv(form, &utf8);
    while (synth_next(s, &r))
        for (unsigned i = 0; i < synth_form_rows(form, &r); i++, rows++) {
            if (source == NZ_SOURCE_CSV) {
                synth_row_csv(form, &r, i, DAY, &utf8);
                continue;
            }
            synth_row_json(form, &r, i, DAY, &utf8);
            buf_putc(&utf8, '\n');
        }
    synth_free(s);
    if (cp932)
        assert_true(err_ok(cp932_put(cp932, buf_slice(&utf8), out)));
    else
        buf_put(out, buf_slice(&utf8));
    buf_done(&utf8);
    return rows;
}

static void test_synthetic_files_are_good(void **state)
{
    static const struct { enum synth_form form; enum nz_form as; } FORMS[] = {
        { SYNTH_SUBSIDY, NZ_FORM_SUBJECT }, { SYNTH_HISTORY, NZ_FORM_HISTORY }, { SYNTH_CHECKUP, NZ_FORM_CHECKUP },
        { SYNTH_VACCINATION, NZ_FORM_VACCINATION }, { SYNTH_TICKET, NZ_FORM_TICKET },
    };
    static const struct { enum nz_source source; bool cp932; } WAYS[] = { { NZ_SOURCE_CSV, false }, { NZ_SOURCE_CSV, true }, { NZ_SOURCE_JSON_LINES, false } };
    struct reading r = { .arena = arena_new(ARENA) };
    struct cp932 *cp932;
    (void)state;
    assert_true(err_ok(nz_pool_new(&r.pool, NUMBERS)));
    assert_true(err_ok(cp932_new(&cp932)));
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++)
        for (size_t k = 0; k < sizeof WAYS / sizeof *WAYS; k++) {
            struct buf text;
            buf_init(&text, TEXT_MAX);
            r.form = FORMS[i].as;
            struct nz_layout *layout = layout_load(nz_form_info(r.form)->layout);
            bool csv = WAYS[k].source == NZ_SOURCE_CSV;
            reader_open(&r, csv ? layout : NULL, &REJECT);
            unsigned rows = synth_write(FORMS[i].form, WAYS[k].source, WAYS[k].cp932 ? cp932 : NULL, &text);
            assert_true(rows >= RESIDENTS);
            file_read_all(&r, WAYS[k].source, WAYS[k].cp932 ? NZ_ENC_CP932 : NZ_ENC_UTF8, buf_slice(&text), rows);
            reader_close(&r);
            nz_layout_free(layout);
            buf_done(&text);
        }
    cp932_free(cp932);
    arena_free(r.arena);
    nz_pool_free(r.pool);
}

/* ---- headers ---- */

/* A published name is a header of its own, so that files with published names need no layout of their own. */
static void test_published_names_are_headers(void **state)
{
    (void)state;
    for (enum nz_form form = 0; form < NZ_FORM__MAX; form++) {
        if (!has_files(nz_form_info(form)))
            continue;
        struct nz_layout *layout = layout_load(nz_form_info(form)->layout);
        for (size_t i = 0; i < nz_layout_count(layout); i++)
            assert_int_equal(nz_layout_find(layout, slice_str(nz_layout_column(layout, i)->path)), i);
        nz_layout_free(layout);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { 
        cmocka_unit_test(test_every_layout_reads_rows_of_its_form), cmocka_unit_test(test_synthetic_files_are_good), cmocka_unit_test(test_published_names_are_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
