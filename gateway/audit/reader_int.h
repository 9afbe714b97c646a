#ifndef GW_AUDIT_READER_INT_H
#define GW_AUDIT_READER_INT_H

/* Shared by reader.c (on the loop) and reader_work.c (on a worker) only. */

#include <sys/queue.h>

#include "gateway/audit/reader.h"

enum reader_piece { RP_FIND, RP_PROVE, RP_ACTS, RP_INDEX, RP_CATCH_UP };

struct reader_job {
    TAILQ_ENTRY(reader_job) at;
    enum reader_piece piece;
    const char *dir_path;
    int dir;
    uint64_t oldest, newest;         /* entries that are there, as of when it was asked */
    union {
        struct { struct audit_find q; uint64_t below; struct audit_hits hits; } find;  /* below: first seq of the segment that is being written */
        struct { struct audit_key key; uint64_t seq, size; } prove;
        struct { uint64_t since, after; } acts;
        struct index_table *table;       /* RP_INDEX: a full segment, owned */
        struct {
            uint64_t first;              /* the segment where it goes on, downward; 0: the end */
            uint64_t epoch, day_ago_ms;
            bool last_day;               /* growth is still told */
            struct forecast growth;
        } catch_up;
    } u;
    struct err result;
    uint8_t reply[IPC_BODY_MAX];
    size_t n;
    reader_done_fn *done;
    void *arg;
};

/* Blocking. Sets result and reply. */
void reader_work(struct reader_job *j);
/* next | seq ... */
void reader_put_hits(struct reader_job *j, const struct audit_hits *h);

#endif
