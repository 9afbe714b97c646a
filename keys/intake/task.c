#include "keys/intake/task.h"

#include "gateway/base/text.h"

bool nz_task_field(struct nz_task *t, struct slice name, struct slice value)
{
    const struct { struct slice name; uint64_t *to; } numbers[] = {
        { LIT(NZ_TASK_RECEIVED), &t->received_ms },
        { LIT(NZ_TASK_ROWS), &t->rows },
        { LIT(NZ_TASK_FAILED), &t->failed_ms },
        { LIT(NZ_TASK_MOVED), &t->moved_ms },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (slice_eq(name, numbers[i].name))
            return u64_parse(value, numbers[i].to);
    }
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        if (slice_eq(name, slice_str(nz_result_name((enum nz_result)r))))
            return u64_parse(value, &t->count[r]);
    }
    return slice_eq(name, LIT(NZ_TASK_OP)) ? nz_form_by_operation(value, &t->form) : true;
}

bool nz_task_complete(struct nz_task *t)
{
    uint64_t finished = 0;
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        if (t->count[r] > t->rows)
            return false;
        finished += t->count[r];
    }
    if (!t->rows || !t->received_ms || finished > t->rows)
        return false;
    t->count[NZ_WAITING] = t->rows - finished;
    return true;
}

const char *nz_task_state(const struct nz_task *t, bool fresh, uint64_t now_ms)
{
    if (!t->count[NZ_WAITING])
        return t->count[NZ_REFUSED] || t->count[NZ_QUARANTINED] ? "done_with_errors" : "done";
    if (fresh)
        return "accepted";
    /* Rows of a task wait from its beginning on, so its age is that of its oldest row. */
    bool old = now_ms > t->received_ms && now_ms - t->received_ms > NZ_STALLED_MS;
    return old && (t->upstream_down || t->failed_ms > t->moved_ms) ? "stalled" : "processing";
}

void nz_task_json_open(const struct nz_task *t, bool fresh, uint64_t now_ms, struct jsonw *w)
{
    char id[32], when[24];
    nz_task_id_format(&t->id, id);
    clock_format_utc(t->received_ms, when);
    jsonw_object(w, NULL);
    jsonw_str(w, "task_id", ARR(id));
    jsonw_cstr(w, "operation", nz_form_info(t->form)->operation);
    jsonw_cstr(w, "state", nz_task_state(t, fresh, now_ms));
    jsonw_str(w, "received_at", ARR(when));
    jsonw_object(w, "counts");
    jsonw_u64(w, "rows", t->rows);
    for (int r = NZ_REGISTERED; r < NZ_RESULT__MAX; r++)
        jsonw_u64(w, nz_result_name((enum nz_result)r), t->count[r]);
    jsonw_u64(w, nz_result_name(NZ_WAITING), t->count[NZ_WAITING]);
    jsonw_end_object(w);
}

ERR nz_task_json_rows(const struct slice *stored, size_t n, struct jsonw *w)
{
    jsonw_array(w, "rows");
    for (size_t i = 0; i < n; i++) {
        struct nz_row_result r = { .result = NZ_WAITING };
        if (stored[i].n)
            TRY(nz_row_result_decode(stored[i], &r));
        nz_row_result_json(&r, (uint32_t)(i + 1), w);
    }
    jsonw_end_array(w);
    return OK;
}
