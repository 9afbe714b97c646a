/* A file of numbers as another process could leave it: nothing outside it is read, and what is told are lines of a name, labels and a number. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/metrics/expose.h"
#include "gateway/metrics/families.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char dir[] = "/dev/shm/metrics_fuzz_XXXXXX", path[64];
static struct metrics_file file;

static void clean(void)
{
    unlink(path);
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    MUST(mkdtemp(dir) && snprintf(path, sizeof path, "%s/front-0.m", dir) > 0 && atexit(clean) == 0);
    return 0;
}

/* A quarter of the input each: counts, rows, values, texts. */
static void fill(const uint8_t *data, size_t n)
{
    const size_t q = n / 4;
    memset(&file, 0, sizeof file);
    file.magic = METRICS_MAGIC;
    memcpy(&file.n_rows, data, q < 12 ? q : 12);
    file.n_rows %= METRICS_ROWS + 2;
    memcpy(file.rows, data + q, q < sizeof file.rows ? q : sizeof file.rows);
    memcpy(file.values, data + 2 * q, q < sizeof file.values ? q : sizeof file.values);
    memcpy(file.texts, data + 3 * q, q < sizeof file.texts ? q : sizeof file.texts);
}

static void look(struct slice out)
{
    struct slice line;
    while (slice_cut(out, '\n', &line, &out))
        for (size_t i = 0; i < line.n; i++)
            MUST(line.p[i] >= ' ' && line.p[i] <= '~');
    MUST(out.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf out;
    fill(data, n);
    FILE *f = fopen(path, "wb");
    MUST(f && fwrite(&file, sizeof file, 1, f) == 1 && fclose(f) == 0);
    buf_init(&out, METRICS_EXPOSED_MAX);
    if (err_ok(metrics_expose(dir, 0, &out)))
        look(buf_slice(&out));
    buf_done(&out);
    return 0;
}
