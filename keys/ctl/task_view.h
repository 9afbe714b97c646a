#ifndef KEYS_CTL_TASK_VIEW_H
#define KEYS_CTL_TASK_VIEW_H

/* A task as the door tells it (docs/bulk.md), and how it is told to people. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum task_count { TASK_REGISTERED, TASK_UPDATED, TASK_UNCHANGED, TASK_WAITING, TASK_REFUSED, TASK_QUARANTINED, TASK__COUNTS };

struct task_view {
    char id[64], operation[64], state[24], mode[16], received_at[32];
    uint64_t rows, count[TASK__COUNTS], suspicious;
    uint64_t bytes, bytes_read, rows_done, rows_per_second, remaining_s;
    bool rejected;
    struct { char code[64], field[80], message_ja[256], message_en[256]; uint64_t line, column; } reject;
    struct { char code[64], message_ja[256], message_en[256]; } waits, stopped; /* code "": nothing keeps it up; it came to its end */
};

/* false when it is no task. */
bool task_view_read(struct task_view *ret_v, const json_t *task);
/* Nothing of it will change by itself any more. */
bool task_view_ended(const struct task_view *v);
static inline uint64_t task_view_errors(const struct task_view *v) { return v->count[TASK_REFUSED] + v->count[TASK_QUARANTINED]; }
/* 0 all taken, 1 some rows refused or held, 2 rejected or not ended. */
int task_view_exit(const struct task_view *v);

/* Into the result of --json. */
void task_view_put(const struct task_view *v);
/* Both of these put it too. A ticked line with the counts; seconds: how long it took, below 0 when not known. */
void task_view_summary(const struct task_view *v, double seconds);
/* The fault of the file, with its place. */
void task_view_reject(const struct task_view *v);
/* A state in the words of people. */
const char *task_state_ja(const char *state);
const char *task_state_en(const char *state);

#endif
