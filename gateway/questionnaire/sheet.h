#ifndef GW_QUESTIONNAIRE_SHEET_H
#define GW_QUESTIONNAIRE_SHEET_H

/* 予診票: what one citizen answered for one ticket, and what the doctor found. Sealed in p:{h} q:<muni>:<32 hex> (docs/vaccination.md). Sans I/O.
 *
 *   draft ──submit──▶ submitted ──complete──▶ completed
 *     the citizen writes until it is completed; a clinic completes a submitted one, and may correct its own part */

#include "gateway/questionnaire/template.h"
#include "gateway/redis/redis.h"

enum { SHEET_ID_BYTES = 16, SHEET_REQUEST_BYTES = 16, SHEET_REQUESTS_MAX = 8, SHEET_HISTORY_MAX = 16, SHEET_PERSON_MAX = 64 /* of one person: no more are added */,
       SHEET_BOOK_MAX = 2 * SHEET_PERSON_MAX /* of two residents who became one */,
       SHEET_NAME_MAX = 60, SHEET_VALUE_MAX = 400 /* characters */, SHEET_PLAIN_MAX = 160 * 1024, SHEET_REQUEST_MIN = 16, SHEET_REQUEST_MAX = 64 };

enum sheet_status { SHEET_DRAFT = 1, SHEET_SUBMITTED = 2, SHEET_COMPLETED = 3 };
const char *sheet_status_name(enum sheet_status s);

struct sheet_answer { struct slice item, value; };

struct sheet_doctor { /* of a completed one */
    char clinic[10];            /* 医療機関コード */
    struct slice name;          /* 医師名 */
    bool fit;                   /* 可; false: 接種不可フラグ */
    bool explained;             /* effect, side reactions and relief were explained */
    bool consented;             /* 接種同意, after the explanation */
    uint64_t consented_ms;      /* when; 0 without */
    struct slice remarks;
    uint64_t at_ms;             /* when it was decided */
};

struct sheet_step { uint16_t version; enum sheet_status status; uint64_t at_ms; };

struct sheet { /* slices borrow from what was read */
    uint8_t id[SHEET_ID_BYTES]; /* 管理ID, random */
    char muni[6];
    struct slice program, ticket; /* ticket: 10 digits */
    unsigned dose;
    struct slice template_id;
    unsigned template_version;
    enum sheet_status status;
    uint16_t version;           /* raised with every write, from 1 */
    uint64_t created_ms;
    uint8_t requests[SHEET_REQUESTS_MAX][SHEET_REQUEST_BYTES]; /* the last ones that changed it, newest first; zero: none */
    size_t n_history;
    struct sheet_step history[SHEET_HISTORY_MAX]; /* oldest first; of more, the oldest but the first are forgotten */
    size_t n_answers;
    struct sheet_answer answers[QT_ITEMS_MAX];    /* in the order of the template; the doctor's behind the citizen's where they stand there */
    struct sheet_doctor doctor;
};

/* q:<muni>:<32 hex>, and back; false for other fields. */
void sheet_field(const char muni[static 6], const uint8_t id[static SHEET_ID_BYTES], struct store_name *ret_f);
bool sheet_field_is(struct slice field, struct slice *ret_muni, uint8_t ret_id[static SHEET_ID_BYTES]);
bool sheet_id_parse(struct slice hex32, uint8_t out[static SHEET_ID_BYTES]);

/* The plain form under the seal. */
ERR sheet_encode(const struct sheet *s, struct buf *out);
ERR sheet_decode(struct slice plain, struct sheet *ret_s); /* SEAL */

/* ---- answers ---- */

enum sheet_by { SHEET_BY_CITIZEN, SHEET_BY_DOCTOR };
/* Reads [{"item","value"}, ...] (jansson array) into *ret_n answers in the order of the template: each item known, once, answered by whom it is for, in its form,
 * without twelve digits in a row, and shown by what stands in `all` after these. with: answers that stand already (the citizen's when the doctor's are read).
 * whole: every required item that is shown and is `by`'s has an answer; a draft may lack them. FIELD with *ret_report. */
struct answers { size_t n; struct sheet_answer a[QT_ITEMS_MAX]; };
ERR answers_read(json_t *array, const struct qtemplate *t, enum sheet_by by, bool whole, const struct answers *with, struct answers *ret_a, struct qt_report *ret_report);
/* Item i is shown to somebody who has answered so. */
bool answers_show(const struct qtemplate *t, const struct answers *a, size_t i);
/* Items whose answer tells the doctor to look (unfit_if): *ret_items has their indexes. */
size_t answers_unfit(const struct qtemplate *t, const struct answers *a, size_t ret_items[static QT_ITEMS_MAX]);
/* SLICE_NONE: not answered. */
struct slice answers_find(const struct answers *a, struct slice item);

/* ---- changes ---- */

/* A write of its own: version, history, request. request: SHEET_REQUEST_BYTES of a digest of the caller's request id. */
void sheet_step(struct sheet *s, enum sheet_status to, const uint8_t request[static SHEET_REQUEST_BYTES], uint64_t now_ms);
/* Of the caller's request id, SHEET_REQUEST_MIN to SHEET_REQUEST_MAX characters: kept with what it changed, so that the same request again changes nothing. */
ERR sheet_request(struct slice request_id, uint8_t out[static SHEET_REQUEST_BYTES]);
bool sheet_was_asked(const struct sheet *s, const uint8_t request[static SHEET_REQUEST_BYTES]);

/* ---- as JSON ---- */

enum sheet_view { SHEET_VIEW_CITIZEN, SHEET_VIEW_CLINIC /* without the ticket's number, with what tells the doctor to look */ };
/* t: the template that it names, NULL: not at hand (no hints then). */
void sheet_write(const struct sheet *s, const struct qtemplate *t, enum sheet_view view, struct jsonw *w);

/* ---- what a record of a vaccination asks ---- */

/* The newest completed questionnaire of that dose which was decided on that very day (in Japan): 予診 holds for the day on which it was made. */
enum sheet_said { SHEET_SAID_NOTHING, SHEET_SAID_FIT, SHEET_SAID_UNFIT };
struct sheet_question { const char *muni; /* 6 */ struct slice program; unsigned dose; ymd_t day; };
struct sheet_finding { enum sheet_said said; bool consented; uint8_t id[SHEET_ID_BYTES]; };
/* person: p:{h}; hash: the reply to HGETALL of it. SEAL. */
ERR sheet_verdict(struct store *store, const struct store_name *person, const struct redis_reply *hash, const struct sheet_question *q, struct sheet_finding *ret_f);

/* Every questionnaire of the person, one call each (plain is gone afterwards); fields of municipalities without a key are passed over. fn false: stop. */
typedef bool sheet_fn(void *arg, const struct sheet *s, struct slice sealed);
ERR sheets_each(struct store *store, const struct store_name *person, const struct redis_reply *hash, sheet_fn *fn, void *arg);

#endif
