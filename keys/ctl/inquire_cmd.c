/* pmhgw inquire FILE --muni CODE: asks other municipalities for immunization records of many persons. The file is CSV with the names of the route's fields; it
 * goes in parts, each a task of its own, and what is answered is written as it comes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/base/file.h"
#include "gateway/base/json_write.h"
#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/muni_door.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/results.h"
#include "keys/ctl/say.h"
#include "keys/linkage/csv.h"

enum { FILE_MAX = 64 << 20, BODY_MAX = 3 << 20, PARTS_MAX = 256, PART_ROWS = 2000, POLL_MS = 200, PATH_MAX_BYTES = 512 };

enum column { C_NUMBER, C_PREVIOUS, C_BASIS, C_CONSENT, C_KEY, C__MAX };
static const char *const NAMES[C__MAX] = { "myNumber", "previousMunicipalityCode", "legalBasis", "consentConfirmed", "municipalityIdentityKey" };

struct part { char id[64], cursor[RESULTS_CURSOR_MAX]; uint64_t first; bool over; };

struct inquire {
    struct state_dirs dirs;
    const char *muni, *basis, *out_path;
    bool consent, no_wait;
    struct muni_door door;
    FILE *out;
    size_t column[C__MAX];  /* place of each in a row + 1; 0: the file has none */
    bool header, failed;
    struct buf body;
    struct jsonw w;
    uint64_t rows, in_part, told, incomplete;
    struct part parts[PARTS_MAX];
    size_t n_parts;
};

/* ---- sending ---- */

static void part_begin(struct inquire *q)
{
    buf_reset(&q->body);
    jsonw_init(&q->w, &q->body);
    jsonw_array(&q->w, NULL);
    q->in_part = 0;
}

static bool part_send(struct inquire *q)
{
    int status;
    if (!q->in_part)
        return true;
    jsonw_end_array(&q->w);
    if (q->n_parts == PARTS_MAX || !err_ok(buf_check(&q->body))) {
        say_error("ファイルが大きすぎます。分けてください", "the file is too large; split it");
        return false;
    }
    json_t *task = muni_door_json(&q->door, "POST", "/v1/vaccination/inquiries", buf_slice(&q->body), 202, &status);
    if (!task)
        return false;
    struct part *p = &q->parts[q->n_parts++];
    *p = (struct part){ .first = q->rows - q->in_part };
    snprintf(p->id, sizeof p->id, "%s", member_text(task, "task_id"));
    json_decref(task);
    say_hint(say_form("受付 %s: %llu 人", p->id, (unsigned long long)q->in_part).c, say_form("task %s: %llu persons", p->id, (unsigned long long)q->in_part).c);
    part_begin(q);
    return true;
}

/* ---- the file ---- */

static enum nz_rule header_take(struct inquire *q, const struct nz_csv_row *row)
{
    for (size_t i = 0; i < row->n && i < NZ_CSV_CELLS_MAX; i++)
        for (int c = 0; c < C__MAX; c++)
            if (slice_eq(row->cells[i], slice_str(NAMES[c])))
                q->column[c] = i + 1;
    q->header = true;
    if (q->column[C_NUMBER] && q->column[C_PREVIOUS] && (q->column[C_BASIS] || q->basis))
        return NZ_RULE_NONE;
    say_error("一行目に列名(myNumber、previousMunicipalityCode、legalBasis)が必要です。legalBasis は --basis でも指定できます",
              "the first line has to name the columns myNumber, previousMunicipalityCode and legalBasis; --basis can stand for the last one");
    q->failed = true;
    return NZ_RULE_NONE;
}

static struct slice cell(const struct inquire *q, const struct nz_csv_row *row, enum column c)
{
    const size_t at = q->column[c];
    return at && at <= row->n && at <= NZ_CSV_CELLS_MAX ? row->cells[at - 1] : SLICE_NONE;
}

static enum nz_rule on_row(void *ctx, const struct nz_csv_row *row)
{
    struct inquire *q = ctx;
    if (q->failed)
        return NZ_RULE_NONE;
    if (!q->header)
        return header_take(q, row);
    const struct slice consent = cell(q, row, C_CONSENT), key = cell(q, row, C_KEY);
    jsonw_object(&q->w, NULL);
    jsonw_str(&q->w, NAMES[C_NUMBER], cell(q, row, C_NUMBER));
    jsonw_str(&q->w, NAMES[C_PREVIOUS], cell(q, row, C_PREVIOUS));
    jsonw_str(&q->w, NAMES[C_BASIS], q->column[C_BASIS] ? cell(q, row, C_BASIS) : slice_str(q->basis));
    jsonw_bool(&q->w, NAMES[C_CONSENT], q->column[C_CONSENT] ? slice_eq(consent, LIT("true")) || slice_eq(consent, LIT("1")) : q->consent);
    if (key.n)
        jsonw_str(&q->w, NAMES[C_KEY], key);
    jsonw_end_object(&q->w);
    q->rows++;
    q->failed = ++q->in_part == PART_ROWS && !part_send(q);
    return NZ_RULE_NONE;
}

static bool file_send(struct inquire *q, const char *path)
{
    struct buf file;
    struct nz_csv *csv = NULL;
    struct nz_place at = { 0 };
    enum nz_rule rule = NZ_RULE_NONE;
    buf_init(&file, FILE_MAX);
    struct err e = file_read(path, &file);
    if (err_ok(e) && utf8_valid(buf_slice(&file)))
        e = nz_csv_new(&csv, on_row, q);
    if (csv) {
        const size_t bom = slice_starts(buf_slice(&file), LIT("\xef\xbb\xbf")) ? 3 : 0;
        rule = nz_csv_feed(csv, file.p + bom, file.n - bom, &at);
        if (rule == NZ_RULE_NONE)
            rule = nz_csv_end(csv, &at);
        e = nz_csv_check(csv);
    }
    nz_csv_free(csv);
    buf_done(&file);
    if (!csv || !err_ok(e))
        say_error("ファイルを UTF-8 の CSV として読めません", "the file cannot be read as CSV in UTF-8");
    else if (rule != NZ_RULE_NONE)
        say_error("%llu 行目: %s", "line %llu: %s", (unsigned long long)at.line, say_pick(nz_rule_info(rule)->ja, nz_rule_info(rule)->en));
    return csv && err_ok(e) && rule == NZ_RULE_NONE && !q->failed && part_send(q);
}

/* ---- what comes back ---- */

static bool write_rows(struct inquire *q, const struct part *p, const json_t *page)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get(page, "rows"), i, row) {
        json_object_set_new(row, "row", json_integer((json_int_t)(member_u64(row, "row") + p->first))); /* in the file */
        if (json_dumpf(row, q->out, JSON_COMPACT) != 0 || fputc('\n', q->out) == EOF)
            return false;
        q->told++;
    }
    return fflush(q->out) == 0;
}

static void tell_statement(struct inquire *q, const json_t *s)
{
    const bool complete = json_is_true(json_object_get(s, "complete"));
    q->incomplete += !complete;
    const unsigned long long n[] = { member_u64(s, "found"), member_u64(s, "nothing"), member_u64(s, "failed"), member_u64(s, "quarantined"), member_u64(s, "refused") };
    say_hint(say_form("%s 該当 %llu、該当なし %llu、回答なし %llu、破棄 %llu、不備 %llu", member_text(s, "message_ja"), n[0], n[1], n[2], n[3], n[4]).c,
             say_form("%s found %llu, nothing %llu, failed %llu, thrown away %llu, refused %llu", member_text(s, "message_en"), n[0], n[1], n[2], n[3], n[4]).c);
}

/* One page of one part; false: it cannot go on. */
static bool page_take(struct inquire *q, struct part *p, bool *ret_moved)
{
    char path[PATH_MAX_BYTES];
    int status;
    snprintf(path, sizeof path, "/v1/tasks/%s/results?limit=500%s%s", p->id, p->cursor[0] ? "&cursor=" : "", p->cursor);
    json_t *page = muni_door_json(&q->door, "GET", path, SLICE_NONE, 200, &status);
    if (!page)
        return false;
    *ret_moved |= json_array_size(json_object_get(page, "rows")) > 0;
    const bool good = write_rows(q, p, page);
    results_next(page, p->cursor);
    p->over = !p->cursor[0];
    if (json_object_get(page, "statement"))
        tell_statement(q, json_object_get(page, "statement"));
    json_decref(page);
    if (!good)
        say_error("結果を書き込めません", "the results cannot be written");
    return good;
}

static bool follow(struct inquire *q)
{
    for (bool left = true; left && !web_stop_asked();) {
        bool moved = false;
        left = false;
        for (size_t i = 0; i < q->n_parts; i++) {
            if (!q->parts[i].over && !page_take(q, &q->parts[i], &moved))
                return false;
            left |= !q->parts[i].over;
        }
        if (left && !moved)
            web_wait(POLL_MS);
    }
    return !web_stop_asked();
}

static int inquire(struct inquire *q, const char *path)
{
    q->out = q->out_path ? fopen(q->out_path, "wxe") : stdout;
    if (!q->out || (q->out_path && fchmod(fileno(q->out), 0600) != 0)) {
        say_error("%s を新しく作れません", "%s cannot be made as a new file", q->out_path);
        return 2;
    }
    buf_init(&q->body, BODY_MAX);
    part_begin(q);
    bool good = muni_door_open(&q->door, &q->dirs, q->muni, MUNI_PATIENCE_S) && file_send(q, path);
    if (good && !q->no_wait) {
        web_hold_stop();
        good = follow(q);
    }
    muni_door_close(&q->door);
    buf_done(&q->body);
    if (q->out_path && fclose(q->out) != 0)
        good = false;
    return !good ? 2 : q->incomplete ? 1 : 0;
}

int cmd_inquire(int argc, char **argv)
{
    struct inquire *q = calloc(1, sizeof *q);
    struct opt_list operands;
    if (!q)
        return 2;
    enum opts_end end = CLI_PARSE(argc, argv, "inquire", &operands, { "--muni", &q->muni }, { "--basis", &q->basis }, { "--consent", &q->consent }, { "--out", &q->out_path }, { "--no-wait", &q->no_wait }, { "--state", &q->dirs.state });
    int status = end == OPTS_HELP ? 0 : 2;
    if (end == OPTS_GO && !q->muni)
        say_error("--muni を指定してください", "--muni is needed");
    else if (end == OPTS_GO && muni_code_good(q->muni))
        status = inquire(q, operands.v[0]);
    free(q);
    return status;
}
