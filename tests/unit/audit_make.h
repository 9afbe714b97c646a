#ifndef TESTS_AUDIT_MAKE_H
#define TESTS_AUDIT_MAKE_H

/* Writes a log's files straight into a folder, as whoever may write there can: chain, heads and all. For tests and figures only. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/audit/segment.h"
#include "gateway/base/must.h"

/* The record of entry i (from 0). */
typedef void make_fn(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES]);

static inline int make_open(const char *dir, const char *name)
{
    char path[1024];
    MUST(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    return fd;
}

/* n entries. Segments behind them stay as they are. */
static inline void make_log(const char *dir, uint64_t n, make_fn *fn, void *arg)
{
    uint8_t *b = calloc(1, SEG_BYTES), rec[AUDIT_REC_BYTES], head[HEAD_BYTES];
    struct log_point p = { 0 };
    char name[SEG_NAME_BYTES];
    MUST(b);
    while (p.seq < n) {
        uint64_t before = p.seq;
        memset(b, 0, SEG_BYTES);
        seg_head_put(b, &p);
        for (uint32_t i = 0; i < AUDIT_SEGMENT_ENTRIES && p.seq < n; i++) {
            fn(arg, p.seq, rec);
            MUST(err_ok(entry_put(b + SEG_HEAD_BYTES + (size_t)i * AUDIT_ENTRY_BYTES, rec, IPC_FRONT, &p)));
        }
        seg_name(before + 1, name);
        int fd = make_open(dir, name);
        MUST(write(fd, b, SEG_BYTES) == SEG_BYTES);
        close(fd);
    }
    head_put(head, &p);
    int fd = make_open(dir, "head");
    MUST(write(fd, head, sizeof head) == sizeof head);
    close(fd);
    free(b);
}

#endif
