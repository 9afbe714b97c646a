/* How fast a linkage file becomes rows: pmhgw-linkage-read LAYOUT.yaml FILE.csv|.json|.jsonl
 * One core, without whatever is done with the rows. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/file.h"
#include "keys/linkage/linkage.h"

enum { PIECE = 256 * 1024, BAD_LINE_MAX = 1024 };

struct seen { uint64_t rows, values, faults; };

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct seen *s = ctx;
    s->rows++;
    s->values += row->n;
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    struct seen *s = ctx;
    if (!s->faults++)
        fprintf(stderr, "line %llu column %llu %s %s\n", (unsigned long long)f->line, (unsigned long long)f->column, f->field, nz_rule_info(f->rule)->name);
}

static enum nz_source source_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".json") == 0 ? NZ_SOURCE_JSON : dot && strcmp(dot, ".jsonl") == 0 ? NZ_SOURCE_JSON_LINES : NZ_SOURCE_CSV;
}

static struct err layout_read(const char *path, struct nz_layout **ret_l)
{
    struct buf yaml, bad;
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX + 1);
    buf_init(&bad, BAD_LINE_MAX);
    struct err e = file_read(path, &yaml);
    if (err_ok(e))
        e = nz_layout_parse(ret_l, path, buf_slice(&yaml), &bad);
    if (bad.n && buf_cstr(&bad))
        fprintf(stderr, "%s\n", buf_cstr(&bad));
    buf_done(&yaml);
    buf_done(&bad);
    return e;
}

static struct err read_all(FILE *f, struct nz_linkage *l)
{
    static uint8_t piece[PIECE];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        TRY(nz_linkage_feed(l, slice_of(piece, n)));
    return nz_linkage_end(l);
}

int main(int argc, char **argv)
{
    struct seen s = { 0 };
    struct nz_layout *layout = NULL;
    struct nz_linkage *l = NULL;
    struct timespec t;
    FILE *f = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!f || !err_ok(layout_read(argv[1], &layout))) {
        fprintf(stderr, "usage: pmhgw-linkage-read LAYOUT.yaml FILE.csv|.json|.jsonl\n");
        return 64;
    }
    struct nz_linkage_conf conf = { .source = source_of(argv[2]), .layout = layout, .on_row = on_row, .on_fault = on_fault, .ctx = &s };
    struct err e = nz_linkage_new(&l, &conf);
    if (err_ok(e))
        e = read_all(f, l);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    double cpu = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    printf("%llu rows, %llu values, %llu faults, %.2f s of CPU, %.0f rows/s\n", (unsigned long long)s.rows, (unsigned long long)s.values,
           (unsigned long long)s.faults, cpu, cpu > 0 ? (double)s.rows / cpu : 0.0);
    nz_linkage_free(l);
    nz_layout_free(layout);
    fclose(f);
    return err_ok(e) ? 0 : 1;
}
