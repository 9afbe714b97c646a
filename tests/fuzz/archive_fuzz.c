/* What is in a backup, read from a file that anybody may have made. */
#include "keys/ctl/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct err on_begin(void *arg, const char *name, uint64_t size)
{
    (void)size;
    if (!archive_name_ok(*(enum archive_kind *)arg, slice_str(name)))
        __builtin_trap();
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    enum archive_kind kind = n && p[0] & 1 ? ARCHIVE_KEYS : ARCHIVE_DATA;
    struct archive_in *a;
    struct err e = archive_in_new(&a, kind, &(struct archive_sink){ on_begin, NULL, NULL, &kind });
    for (size_t at = n ? 1 : 0; err_ok(e) && at < n; at += 700)
        e = archive_in_feed(a, slice_of(p + at, n - at < 700 ? n - at : 700));
    if (err_ok(e))
        e = archive_in_end(a);
    archive_in_free(a);
    return 0;
}
