/* Reaches conf_parse() and conf_free(): the YAML reader of all daemons. The first byte chooses the daemon. */

#include "gateway/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    enum conf_daemon who = (enum conf_daemon)(1u << (data[0] & 3));
    struct conf c;
    struct buf line;
    buf_init(&line, 8192);
    struct err e = conf_parse(&c, who, "fuzz.yaml", slice_of(data + 1, n - 1), &line);
    if (err_ok(e))
        conf_free(&c);
    else if (e.code != E_CONFIG || !line.n)
        __builtin_trap();
    buf_done(&line);
    return 0;
}
