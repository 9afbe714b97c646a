/* Reaches nz_gauges_take: any text of a series is read within its bounds, and nothing that is not one of ours becomes a municipality. */

#include "gateway/base/must.h"
#include "gateway/metrics/metrics.h"
#include "keys/console/gauges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const FAMILIES[] = { "pmhgw_rows_total{", "pmhgw_up{", "pmhgw_certificate_end_time_seconds{", "pmhgw_told_total{", "pmhgw_waiting_since_seconds{" };
    static struct nz_gauges g;
    struct buf text;
    const uint64_t v = size;
    if (size == 0)
        return 0;
    buf_init(&text, 4096);
    buf_puts(&text, data[0] < 200 ? FAMILIES[data[0] % 5] : "");
    buf_put(&text, slice_of(data + 1, size - 1));
    memset(&g, 0, sizeof g);
    const struct metrics_series s = { buf_slice(&text), METRIC_COUNTER, &v };
    nz_gauges_take(&g, &s);
    for (size_t i = 0; i < g.n_munis; i++)
        for (size_t c = 0; c < sizeof g.munis[i].code; c++)
            MUST(g.munis[i].code[c] >= '0' && g.munis[i].code[c] <= '9');
    MUST(g.n_munis <= 1 && g.n_ends <= 1);
    buf_done(&text);
    return 0;
}
