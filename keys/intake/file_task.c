#include "keys/intake/file_task.h"

#include "gateway/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *const STATES[] = {
#define X(sym, word) [sym] = word,
    NZ_FILE_STATES(X)
#undef X
};
static const char *const MODES[] = { [NZ_MODE_APPLY] = "apply", [NZ_MODE_DRY_RUN] = "dry_run", [NZ_MODE_UNDO] = "undo" };
static const char *const SOURCES[] = { [NZ_SOURCE_CSV] = "csv", [NZ_SOURCE_JSON] = "json", [NZ_SOURCE_JSON_LINES] = "json_lines" };
static const char *const ENCODINGS[] = { "auto", "utf-8", "cp932" };

const char *nz_file_state_name(enum nz_file_state s) { return STATES[s]; }
const char *nz_file_mode_name(enum nz_file_mode m) { return MODES[m]; }
const char *nz_file_source_name(enum nz_source s) { return SOURCES[s]; }
struct slice nz_file_queue_name(void) { return LIT("fq"); }

void nz_file_queue_of(const char muni[static 6], struct store_name *ret_k) { nz_name_muni("fq", muni, ret_k); }

static bool word_of(const char *const *words, size_t n, struct slice value, size_t *ret_i)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(value, slice_str(words[i]))) {
            *ret_i = i;
            return true;
        }
    }
    return false;
}

bool nz_file_mode_parse(struct slice value, enum nz_file_mode *ret_m)
{
    size_t i;
    if (!word_of(MODES, COUNT(MODES), value, &i))
        return false;
    *ret_m = (enum nz_file_mode)i;
    return true;
}

bool nz_file_source_parse(struct slice value, enum nz_source *ret_s)
{
    size_t i;
    if (!word_of(SOURCES, COUNT(SOURCES), value, &i))
        return false;
    *ret_s = (enum nz_source)i;
    return true;
}

/* value: of the characters that pass, at most max, at least one. to has room for a NUL. */
static bool put_text(char *to, size_t max, struct slice value, bool (*passes)(uint8_t c))
{
    if (value.n == 0 || value.n > max)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        if (!passes(value.p[i]))
            return false;
    }
    memset(to, 0, max + 1);
    memcpy(to, value.p, value.n);
    return true;
}

static bool small(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool of_layout(uint8_t c) { return small(c) || c == '-'; }
static bool of_rule(uint8_t c) { return small(c) || c == '_'; }
static bool of_field(uint8_t c) { return small(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_'; }

bool nz_file_layout_ok(struct slice value)
{
    char ignored[NZ_LAYOUT_NAME_MAX + 1];
    return put_text(ignored, NZ_LAYOUT_NAME_MAX, value, of_layout);
}

bool nz_file_encoding_ok(struct slice value)
{
    size_t ignored;
    return word_of(ENCODINGS, COUNT(ENCODINGS), value, &ignored);
}

/* ---- the fields ---- */

static bool read_source(struct nz_file_task *t, struct slice v) { return t->has_source = nz_file_source_parse(v, &t->source); }
static bool read_mode(struct nz_file_task *t, struct slice v) { return nz_file_mode_parse(v, &t->mode); }
static bool read_of(struct nz_file_task *t, struct slice v) { return t->has_of = nz_task_id_parse(v, &t->of); }

static bool read_undone(struct nz_file_task *t, struct slice v) { return t->is_undone = nz_task_id_parse(v, &t->undone); }

static bool read_state(struct nz_file_task *t, struct slice v)
{
    size_t i;
    t->has_state = word_of(STATES, COUNT(STATES), v, &i);
    if (t->has_state)
        t->state = (enum nz_file_state)i;
    return t->has_state;
}

static bool read_layout(struct nz_file_task *t, struct slice v)
{
    return v.n == 0 || put_text(t->layout, NZ_LAYOUT_NAME_MAX, v, of_layout);
}

static bool read_encoding(struct nz_file_task *t, struct slice v)
{
    return nz_file_encoding_ok(v) && put_text(t->encoding, sizeof t->encoding - 1, v, of_layout);
}

static bool read_rule(struct nz_file_task *t, struct slice v)
{
    return v.n == 0 || put_text(t->reject.rule, NZ_REJECT_MAX - 1, v, of_rule);
}

static bool read_field(struct nz_file_task *t, struct slice v)
{
    return v.n == 0 || put_text(t->reject.field, sizeof t->reject.field - 1, v, of_field);
}

static const struct { struct slice name; bool (*read)(struct nz_file_task *t, struct slice v); } WORDS[] = {
    { LIT(NZ_TASK_SRC), read_source },        { LIT(NZ_TASK_STATE), read_state },
    { LIT(NZ_TASK_MODE), read_mode },         { LIT(NZ_TASK_LAYOUT), read_layout },
    { LIT(NZ_TASK_ENCODING), read_encoding }, { LIT(NZ_TASK_OF), read_of }, { LIT(NZ_TASK_UNDONE), read_undone },
    { LIT(NZ_TASK_REJECT_RULE), read_rule },  { LIT(NZ_TASK_REJECT_FIELD), read_field },
};

bool nz_file_task_field(struct nz_file_task *t, struct slice name, struct slice value)
{
    const struct { struct slice name; uint64_t *to; } numbers[] = {
        { LIT(NZ_TASK_ACCEPTED), &t->accepted_ms },
        { LIT(NZ_TASK_ENDED), &t->ended_ms },
        { LIT(NZ_TASK_CHECKPOINT), &t->checkpoint },
        { LIT(NZ_TASK_SUSPICIOUS), &t->suspicious },
        { LIT(NZ_TASK_FENCE), &t->fence },
        { LIT(NZ_TASK_UNTOLD), &t->untold },
        { LIT(NZ_TASK_REJECT_LINE), &t->reject.line },
        { LIT(NZ_TASK_REJECT_COLUMN), &t->reject.column },
        { LIT(NZ_TASK_PEERS), &t->peers },
        { LIT(NZ_TASK_THROWN_AWAY), &t->thrown_away },
        { LIT(NZ_TASK_PEERS_ANSWERED), &t->peers_answered },
    };
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (slice_eq(name, numbers[i].name))
            return u64_parse(value, numbers[i].to);
    }
    for (size_t i = 0; i < COUNT(WORDS); i++) {
        if (slice_eq(name, WORDS[i].name))
            return WORDS[i].read(t, value);
    }
    return nz_task_field(&t->task, name, value);
}

/* As nz_task_complete(), but the rows of a file are counted only when it was validated. */
static bool counts_fit(struct nz_task *t)
{
    uint64_t finished = 0;
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        if (t->count[r] > t->rows)
            return false;
        finished += t->count[r];
    }
    if (finished > t->rows)
        return false;
    t->count[NZ_WAITING] = t->rows - finished;
    return true;
}

bool nz_file_task_complete(struct nz_file_task *t, bool *ret_is_file)
{
    *ret_is_file = t->has_source;
    if (!t->has_source)
        return nz_task_complete(&t->task);
    bool over = t->state == NZ_FILE_ENDED || t->state == NZ_FILE_REJECTED;
    if (!t->has_state || !t->task.received_ms || !counts_fit(&t->task) || t->checkpoint > t->task.rows)
        return false;
    if ((t->state != NZ_FILE_UPLOADING && !t->accepted_ms) || (over && !t->ended_ms))
        return false;
    if (t->state == NZ_FILE_REJECTED && !t->reject.rule[0])
        return false;
    return t->mode != NZ_MODE_UNDO || t->has_of;
}

/* ---- as told ---- */

static const char *end_name(const struct nz_file_task *t)
{
    return t->task.count[NZ_REFUSED] || t->task.count[NZ_QUARANTINED] || t->reject.rule[0] ? "done_with_errors" : "done";
}

bool nz_file_task_over(const struct nz_file_task *t)
{
    return t->state == NZ_FILE_REJECTED || (t->state == NZ_FILE_ENDED && (t->mode == NZ_MODE_DRY_RUN || !t->task.count[NZ_WAITING]));
}

const char *nz_file_task_state(const struct nz_file_task *t, uint64_t now_ms)
{
    if (nz_file_task_over(t) && t->state == NZ_FILE_ENDED)
        return end_name(t);
    if (t->state != NZ_FILE_PROCESSING && t->state != NZ_FILE_ENDED)
        return STATES[t->state];
    /* What waits is in the outbox, or, while the file is still read, has no turn yet: only a failed attempt tells then. */
    bool old = now_ms > t->accepted_ms && now_ms - t->accepted_ms > NZ_STALLED_MS;
    bool away = t->task.failed_ms > t->task.moved_ms || (t->state == NZ_FILE_ENDED && t->task.upstream_down);
    return old && away ? "stalled" : STATES[NZ_FILE_PROCESSING];
}

static void json_when(struct jsonw *w, const char *name, uint64_t ms)
{
    char when[24];
    if (!ms)
        return;
    clock_format_utc(ms, when);
    jsonw_str(w, name, ARR(when));
}

static void json_counts(const struct nz_task *t, struct jsonw *w)
{
    jsonw_object(w, "counts");
    jsonw_u64(w, "rows", t->rows);
    for (int r = NZ_REGISTERED; r < NZ_RESULT__MAX; r++)
        jsonw_u64(w, nz_result_name((enum nz_result)r), t->count[r]);
    jsonw_u64(w, nz_result_name(NZ_WAITING), t->count[NZ_WAITING]);
    jsonw_end_object(w);
}

/* An inquiry counts questions; failed: also those that were refused here. */
static void json_inquiry(const struct nz_file_task *t, struct jsonw *w)
{
    const uint64_t failed = t->task.count[NZ_REFUSED], bad = t->thrown_away < failed ? t->thrown_away : failed;
    jsonw_object(w, "counts");
    jsonw_u64(w, "rows", t->task.rows);
    jsonw_u64(w, "found", t->task.count[NZ_REGISTERED]);
    jsonw_u64(w, "nothing", t->task.count[NZ_UNCHANGED]);
    jsonw_u64(w, "failed", failed - bad);
    jsonw_u64(w, "quarantined", bad);
    jsonw_u64(w, "waiting", t->task.count[NZ_WAITING]);
    jsonw_end_object(w);
    if (!t->peers)
        return;
    jsonw_u64(w, "askedMunicipalities", t->peers);
    jsonw_u64(w, "answeredMunicipalities", t->peers_answered);
}

/* Reasons that are not of a linkage file's own rules. */
static const struct nz_rule_info REASONS[] = {
    { "checksum_mismatch", "届いたファイルの SHA-256 が、申告された値と違います。送り直してください",
      "the SHA-256 of the file is not the one that was announced; send it again" },
    { "size_mismatch", "届いたファイルの大きさが、申告された値と違います。送り直してください",
      "the size of the file is not the one that was announced; send it again" },
    { "stored_value_unreadable", "保存したファイルを開けません。運用者に連絡し、送り直してください",
      "the stored file does not open; tell the operator and send it again" },
    { "file_unreadable", "保存したファイルを最後まで読めないため、途中で終わりました。運用者が保存先を点検し、結果のない行を送り直してください",
      "the stored file cannot be read to its end: the operator checks the disk of the gateway, and the rows without a result are sent again" },
    { "other_results_unreadable", "only_failed_of に指定されたファイルの結果を読み出せないため、失敗した行が分かりません。only_failed_of を付けずに送り直してください",
      "the results of the file named by only_failed_of cannot be read, so nobody knows which rows failed; send it again without only_failed_of" },
    { "municipality_closed", "この自治体の受付は終了しています", "this municipality has been closed here" },
    { "layout_unknown", "そのレイアウトがないか、この操作のものではありません", "there is no such layout, or it is not for this operation" },
};

static const struct nz_rule_info *reason_of(struct slice rule)
{
    for (size_t i = 0; i < COUNT(REASONS); i++) {
        if (slice_eq(rule, slice_str(REASONS[i].name)))
            return &REASONS[i];
    }
    for (int r = NZ_RULE_NONE + 1; r < NZ_RULE__MAX; r++) {
        const struct nz_rule_info *info = nz_rule_info((enum nz_rule)r);
        if (slice_eq(rule, slice_str(info->name)))
            return info;
    }
    return NULL;
}

static void json_reason(const struct nz_file_reject *j, struct jsonw *w)
{
    const struct nz_rule_info *info = reason_of(slice_str(j->rule));
    jsonw_cstr(w, "code", j->rule);
    if (!info)
        return;
    jsonw_cstr(w, "message_ja", info->ja);
    jsonw_cstr(w, "message_en", info->en);
}

/* It ended, but not at its end: what was applied stays. */
static void json_stopped(const struct nz_file_task *t, struct jsonw *w)
{
    jsonw_object(w, "stopped");
    json_reason(&t->reject, w);
    jsonw_cstr(w, "who", err_who_name(WHO_ACTS_OPERATOR));
    jsonw_u64(w, "rows_without_result", t->untold);
    jsonw_end_object(w);
}

static void json_reject(const struct nz_file_reject *j, struct jsonw *w)
{
    jsonw_object(w, "reject");
    json_reason(j, w);
    if (j->field[0])
        jsonw_cstr(w, "field", j->field);
    if (j->line)
        jsonw_u64(w, "line", j->line);
    if (j->column)
        jsonw_u64(w, "column", j->column);
    jsonw_end_object(w);
}

void nz_file_task_json_open(const struct nz_file_task *t, uint64_t now_ms, struct jsonw *w)
{
    char id[32];
    nz_task_id_format(&t->task.id, id);
    jsonw_object(w, NULL);
    jsonw_str(w, "task_id", ARR(id));
    jsonw_cstr(w, "operation", nz_form_info(t->task.form)->operation);
    jsonw_cstr(w, "state", nz_file_task_state(t, now_ms));
    json_when(w, "received_at", t->task.received_ms);
    json_when(w, "accepted_at", t->accepted_ms);
    json_when(w, "ended_at", t->ended_ms);
    jsonw_cstr(w, "mode", MODES[t->mode]);
    if (t->has_of) {
        nz_task_id_format(&t->of, id);
        jsonw_str(w, "of", ARR(id));
    }
    if (t->is_undone) {
        nz_task_id_format(&t->undone, id);
        jsonw_str(w, "undone_by", ARR(id));
    }
    if (t->mode != NZ_MODE_UNDO)
        jsonw_cstr(w, "source", SOURCES[t->source]);
    if (t->mode != NZ_MODE_UNDO && t->source == NZ_SOURCE_CSV && t->layout[0])
        jsonw_cstr(w, "layout", t->layout);
    if (t->task.form == NZ_FORM_INQUIRY)
        json_inquiry(t, w);
    else
        json_counts(&t->task, w);
    if (t->mode == NZ_MODE_DRY_RUN)
        jsonw_u64(w, "suspicious", t->suspicious);
    if (t->state == NZ_FILE_REJECTED)
        json_reject(&t->reject, w);
    else if (t->state == NZ_FILE_ENDED && t->reject.rule[0])
        json_stopped(t, w);
}
