/* Reaches the bodies of FIND, PROVE, ACTS and EPOCH as pmhgw-audit reads them: every question gets one answer, of a size that a reply may have. */
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#include "gateway/audit/reader.h"
#include "gateway/audit/writer.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ENTRIES = 200 };

static void on_written(void *arg, struct err e, uint64_t seq)
{
    MUST(err_ok(e));
    *(uint64_t *)arg = seq;
}

static void on_closed(void *arg) { *(bool *)arg = true; }

/* A log of some entries, and a reader on it. */
static struct audit_reader *reader(struct loop **ret_l)
{
    static struct audit_reader *r;
    static struct loop *l;
    static char dir[] = "/tmp/pmhgw-fuzz-XXXXXX";
    struct audit_writer *w = NULL;
    struct audit_found found;
    uint64_t seq = 0;
    bool closed = false;
    *ret_l = l;
    if (r)
        return r;
    MUST(mkdtemp(dir) && err_ok(loop_new(&l, clock_system())) && err_ok(audit_writer_new(&w, l, dir, &AUDIT_DISK, &found)));
    for (int i = 0; i < ENTRIES; i++) {
        struct audit_rec rec = { .event = AU_CLINIC_LOOKUP, .muni = { '3', '3', '1', '0', '0', '7' }, .subject = { (uint8_t)(i % 3 + 1) }, .epoch = (uint64_t)i % 5 };
        uint8_t b[AUDIT_REC_BYTES];
        audit_set_actor(&rec, LIT("municipality/271403/kodomo"));
        audit_encode(&rec, b);
        audit_writer_append(w, b, IPC_FRONT, on_written, &seq);
    }
    while (seq < ENTRIES)
        uv_run(loop_uv(l), UV_RUN_ONCE);
    audit_writer_close(w, on_closed, &closed);
    while (!closed)
        uv_run(loop_uv(l), UV_RUN_ONCE);
    MUST(err_ok(audit_reader_new(&r, l, dir, ENTRIES, 0)));
    *ret_l = l;
    return r;
}

static void on_answer(void *arg, struct err e, struct slice reply)
{
    MUST(reply.n <= IPC_BODY_MAX - 2 && (err_ok(e) || reply.n == 0));
    ++*(int *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct loop *l;
    struct audit_reader *r = reader(&l);
    int answers = 0;
    if (n < 1)
        return 0;
    audit_reader_ask(r, (uint8_t)(AUDIT_MSG_FIND + data[0] % 6), slice_of(data + 1, n - 1), on_answer, &answers);
    while (!answers)
        uv_run(loop_uv(l), UV_RUN_ONCE);
    MUST(answers == 1);
    return 0;
}
