#include "keys/report/row.h"

#include <stdlib.h>

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/redis/swap.h"
#include "gateway/vaccine/book.h"

enum { SEALED_MAX = IMMUN_PLAIN_MAX + AEAD_OVERHEAD, ID_TEXT_MAX = 64 * 1024, SWAP_MAX = 2 << 20, FIELDS = 4 /* of a row */ };

bool nz_rep_row_begin(struct nz_rep_row *row, struct slice member, struct slice score)
{
    struct slice muni;
    *row = (struct nz_rep_row){ .state = NZ_REP_KEEP };
    if (member.n > sizeof row->mark.c)
        return false;
    memcpy(row->mark.c, member.p, member.n);
    row->mark.n = member.n;
    struct vrs_mark mark;
    if (!u64_parse(score, &row->due_ms) || !vrs_mark_parse(vrs_mark_slice(&row->mark), &mark) || !vrs_mark_kind_of(mark.field, &row->kind, &muni) ||
        (mark.gone && !hex_decode(mark.sid, row->sid, sizeof row->sid)))
        return false;
    row->person = mark.person;
    row->field = mark.field;
    row->again = mark.again;
    row->gone = mark.gone;
    row->version = mark.version;
    memcpy(row->muni, muni.p, sizeof row->muni);
    buf_init(&row->sealed, SEALED_MAX);
    buf_init(&row->end, STORE_RECORD_MAX);
    buf_init(&row->flags, STORE_RECORD_MAX);
    buf_init(&row->json, NZ_VRS_ROW_JSON_MAX);
    return true;
}

void nz_rep_row_done(struct nz_rep_row *row)
{
    buf_done(&row->sealed);
    buf_done(&row->end);
    buf_done(&row->flags);
    buf_done(&row->json);
}

static struct slice field_of_muni(const struct nz_rep_row *row, char kind, char out[static 8])
{
    out[0] = kind;
    out[1] = ':';
    memcpy(out + 2, row->muni, 6);
    return slice_of(out, 8);
}

void nz_rep_row_ask(const struct nz_rep_row *row, struct redis_batch *b)
{
    struct store_name person;
    char tie[8], end[8], flags[8];
    store_name_person(&row->person, &person);
    REDIS_ADD(b, LIT("HMGET"), store_name_slice(&person), row->field, field_of_muni(row, 's', tie), field_of_muni(row, 'e', end), field_of_muni(row, 'f', flags));
}

static void dead(struct nz_rep_row *row, enum nz_rep_why why)
{
    row->state = NZ_REP_DEAD;
    row->why = why;
}

/* ---- what is told ---- */

static ERR write_record(struct nz_rep_row *row, struct slice plain)
{
    struct immun_record *rec = calloc(1, sizeof *rec);
    struct jsonw w;
    struct err e = rec ? immun_decode(plain, rec) : FAIL(E_NOMEM);
    if (err_ok(e) && !rec->n_versions)
        e = FAIL(E_SEAL);
    for (size_t i = 0; err_ok(e) && !row->again && i < rec->n_recipients; i++)
        if (rec->recipients[i].audience == IMMUN_TO_VRS && rec->recipients[i].acked_ms && rec->recipients[i].version >= rec->n_versions)
            row->state = NZ_REP_CLEAR; /* it has this version */
    if (err_ok(e)) {
        memcpy(row->id, rec->id, sizeof row->id);
        row->version = rec->n_versions;
        jsonw_init(&w, &row->json);
        immun_write(rec, rec->n_versions, IMMUN_VIEW_MUNICIPALITY, &w);
    }
    if (rec)
        explicit_bzero(rec, sizeof *rec);
    free(rec);
    return e;
}

static void copy_text(json_t *from, const char *name, struct jsonw *w)
{
    json_t *v = json_object_get(from, name);
    if (json_is_string(v))
        jsonw_str(w, name, slice_of(json_string_value(v), json_string_length(v)));
}

/* Of a subject what VRS is known to hold: 宛名番号, name, date of birth, sex. No address, no guardian. */
static ERR write_subject(const struct record *rec, struct arena *a, struct jsonw *w)
{
    json_t *said, *basic;
    if (rec->eligibility.n) {
        TRY(json_in_object(&said, a, rec->eligibility));
        copy_text(said, "vaccinationSubjectNumber", w);
    }
    if (!rec->basic.n)
        return OK;
    TRY(json_in_object(&basic, a, rec->basic));
    copy_text(basic, "name", w);
    copy_text(basic, "dateOfBirth", w);
    copy_text(basic, "sex", w);
    return OK;
}

static ERR write_registration(struct nz_rep_row *row, const struct record *rec, const char *why, struct arena *a)
{
    struct jsonw w;
    char day[10];
    const bool ticket = row->kind == VRS_MARK_TICKET;
    jsonw_init(&w, &row->json);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "kind", ticket ? "ticket" : "subject");
    jsonw_cstr(&w, "status", rec->deleted ? "deleted" : rec->ended ? "ended" : "registered");
    if (rec->ended) {
        ymd_format(rec->ended, day);
        jsonw_str(&w, "endedOn", ARR(day));
    }
    if (why)
        jsonw_cstr(&w, "endReason", why);
    jsonw_bool(&w, "isNotDisclosed", record_silences(rec) || row->flags.n); /* flags that are there always silence */
    if (ticket)
        jsonw_raw(&w, "ticket", rec->eligibility.n ? rec->eligibility : LIT("{}"));
    else
        TRY(write_subject(rec, a, &w));
    jsonw_end_object(&w);
    return OK;
}

/* A ticket is the same one whoever has it; a subject is one under its number. */
static ERR registration_id(struct nz_rep_row *row, struct store *s)
{
    struct store_name whose;
    if (row->kind == VRS_MARK_TICKET)
        return store_handle_view(s, ARR(row->muni), LIT("vrs"), row->field, row->id);
    vrs_mark_name(&row->person, row->field, &whose);
    return store_handle_view(s, ARR(row->muni), LIT("vrs"), store_name_slice(&whose), row->id);
}

/* 転出, 死亡, 強制失効 of the whole person; the earlier end counts. */
static ERR take_end(const struct nz_rep_row *row, struct store *s, const struct store_name *person, struct record *rec, const char **ret_why)
{
    static const char *const WHY[] = { [STORE_END_MOVED] = "moved_out", [STORE_END_DIED] = "died", [STORE_END_FORCED] = "forced" };
    struct store_end end = { .from = 0 };
    struct buf plain;
    char field[8];
    *ret_why = NULL;
    if (!row->end.n)
        return OK;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(s, ARR(row->muni), person, field_of_muni(row, 'e', field), buf_slice(&row->end), &plain);
    if (err_ok(e))
        e = store_end_decode(buf_slice(&plain), &end);
    buf_done(&plain);
    TRY(e);
    *ret_why = WHY[end.why];
    if (!rec->ended || end.from < rec->ended)
        rec->ended = end.from;
    return OK;
}

static ERR take_registration(struct nz_rep_row *row, struct store *s, const struct store_name *person, struct slice plain)
{
    struct record rec;
    const char *why = NULL;
    struct arena *a = arena_new(STORE_RECORD_MAX);
    struct err e = a ? record_decode(plain, &rec) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        row->version = row->due_ms;
        e = registration_id(row, s);
    }
    if (err_ok(e))
        e = take_end(row, s, person, &rec, &why);
    if (err_ok(e))
        e = write_registration(row, &rec, why, a);
    arena_free(a);
    return err_ok(e) || err_is(e, E_NOMEM) || err_is(e, E_FORBIDDEN) ? e : FAIL(E_SEAL);
}

static ERR open_and_write(struct nz_rep_row *row, struct store *s)
{
    struct store_name person;
    struct buf plain;
    store_name_person(&row->person, &person);
    buf_init(&plain, SEALED_MAX);
    struct err e = store_open(s, ARR(row->muni), &person, row->field, buf_slice(&row->sealed), &plain);
    if (err_ok(e))
        e = row->kind == VRS_MARK_RECORD ? write_record(row, buf_slice(&plain)) : take_registration(row, s, &person, buf_slice(&plain));
    if (err_ok(e))
        e = buf_check(&row->json);
    buf_done(&plain);
    return e;
}

static ERR take_back(struct nz_rep_row *row, struct store *s)
{
    static const char *const DELETED[] = {
        [VRS_MARK_RECORD] = "{\"status\":\"deleted\"}",
        [VRS_MARK_TICKET] = "{\"kind\":\"ticket\",\"status\":\"deleted\"}",
        [VRS_MARK_SUBJECT] = "{\"kind\":\"subject\",\"status\":\"deleted\"}",
    };
    struct slice muni;
    if (row->kind != VRS_MARK_RECORD)
        TRY(registration_id(row, s));
    else if (!immun_field_is(row->field, &muni, row->id))
        return FAIL(E_INTERNAL);
    buf_puts(&row->json, DELETED[row->kind]);
    return buf_check(&row->json);
}

/* Where it stands again it has a mark of its own, and a newer version or the same one told later. */
static ERR read_gone(struct nz_rep_row *row, struct store *s, struct slice sealed)
{
    if (sealed.n) {
        row->state = NZ_REP_CLEAR;
        return OK;
    }
    TRY(store_handle_of_person(s, &row->person, row->handle));
    return take_back(row, s);
}

ERR nz_rep_row_read(struct nz_rep_row *row, struct store *s, const struct redis_reply *reply)
{
    const struct slice sealed = redis_reply_str(redis_reply_at(reply, 0)), sid = redis_reply_str(redis_reply_at(reply, 1));
    if (redis_reply_len(reply) != FIELDS)
        return FAIL(E_STORE_REFUSED);
    row->state = NZ_REP_TELL;
    if (row->gone)
        return read_gone(row, s, sealed);
    buf_put(&row->end, redis_reply_str(redis_reply_at(reply, 2)));
    buf_put(&row->flags, redis_reply_str(redis_reply_at(reply, 3)));
    TRY(buf_check(&row->end));
    TRY(buf_check(&row->flags));
    if (!sealed.n && (!sid.n || row->kind == VRS_MARK_RECORD)) { /* erased, or it is another person's now and has a mark there */
        row->state = NZ_REP_CLEAR;
        return OK;
    }
    buf_put(&row->sealed, sealed);
    TRY(buf_check(&row->sealed));
    TRY(store_handle_of_person(s, &row->person, row->handle));
    if (!hex_decode(sid, row->sid, sizeof row->sid)) { /* tie and field are written, moved and taken away by one script: nothing will come by itself */
        dead(row, NZ_REP_BECAUSE_NO_TIE);
        return OK;
    }
    if (!sealed.n) { /* an erasure is under way, or a file was taken back before that had marks that say it all */
        row->version = row->due_ms;
        return take_back(row, s);
    }
    struct err e = open_and_write(row, s);
    if (err_is(e, E_FORBIDDEN))
        dead(row, NZ_REP_BECAUSE_CLOSED);
    else if (err_is(e, E_SEAL) || err_is(e, E_FULL))
        dead(row, NZ_REP_BECAUSE_UNREADABLE);
    else
        return e;
    return OK;
}

bool nz_rep_row_may_be_erased(const struct nz_rep_row *row) { return !row->gone && !row->sealed.n; }

/* ---- what is written ---- */

const char *nz_rep_why_word(enum nz_rep_why why)
{
    static const char *const WORDS[NZ_REP_WHY__MAX] = {
        [NZ_REP_BECAUSE_REFUSED] = "refused", [NZ_REP_BECAUSE_BREACH] = "upstream_answer_refused", [NZ_REP_BECAUSE_UNREADABLE] = "stored_value_unreadable",
        [NZ_REP_BECAUSE_CLOSED] = "municipality_closed", [NZ_REP_BECAUSE_NO_NUMBER] = "no_number", [NZ_REP_BECAUSE_NO_TIE] = "no_tie",
    };
    return WORDS[why];
}

ERR nz_rep_row_read_again(struct nz_rep_row *row, const struct redis_reply *reply)
{
    const struct slice sealed = redis_reply_str(redis_reply_at(reply, 0));
    buf_reset(&row->sealed);
    buf_put(&row->sealed, sealed);
    if (!sealed.n)
        row->state = NZ_REP_CLEAR;
    return redis_reply_len(reply) == FIELDS ? buf_check(&row->sealed) : FAIL(E_STORE_REFUSED);
}

/* What VRS said of this version: that it has it is noted in the record, beside everybody else who was told. */
static ERR note(const struct nz_rep_row *row, struct store *s, const struct store_name *person, uint64_t now_ms, struct redis_swap *swap, bool *ret_newer)
{
    struct immun_record *rec = calloc(1, sizeof *rec);
    struct buf plain, out, sealed;
    buf_init(&plain, SEALED_MAX);
    buf_init(&out, IMMUN_PLAIN_MAX);
    buf_init(&sealed, SEALED_MAX);
    struct err e = rec ? store_open(s, ARR(row->muni), person, row->field, buf_slice(&row->sealed), &plain) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = immun_decode(buf_slice(&plain), rec);
    if (err_ok(e))
        *ret_newer = rec->n_versions > row->version;
    if (err_ok(e) && row->state == NZ_REP_ACCEPTED && immun_ack_recipient(rec, IMMUN_TO_VRS, SLICE_NONE, (uint16_t)row->version, now_ms)) {
        e = immun_encode(rec, &out);
        if (err_ok(e))
            e = store_seal(s, ARR(row->muni), person, row->field, buf_slice(&out), &sealed);
        if (err_ok(e)) {
            REDIS_SWAP(swap, LIT("HSET"), store_name_slice(person), row->field, buf_slice(&sealed));
            REDIS_SWAP(swap, LIT("HINCRBY"), store_name_slice(person), VACCINE_TURN_FIELD, LIT("1")); /* who read it before does not write it back */
        }
    }
    buf_done(&plain);
    buf_done(&out);
    buf_done(&sealed);
    free(rec);
    return e;
}

static ERR commands(const struct nz_rep_row *row, struct store *s, const struct store_name *person, uint64_t now_ms, uint64_t later_ms, struct redis_swap *swap)
{
    const struct slice mark = vrs_mark_slice(&row->mark);
    struct store_name score;
    bool newer = false;
    if (row->state == NZ_REP_PUT_OFF) {
        vrs_mark_score(now_ms + later_ms, &score);
        REDIS_SWAP(swap, LIT("ZADD"), VRS_MARK_QUEUE, LIT("XX"), store_name_slice(&score), mark);
        return OK;
    }
    if (nz_rep_is_noted(row) && row->version /* 0: it was not readable */)
        TRY(note(row, s, person, now_ms, swap, &newer));
    if (newer) /* it has a mark of its own, the same one */
        return OK;
    if (row->state == NZ_REP_DEAD)
        REDIS_SWAP(swap, LIT("HSET"), VRS_MARK_DEAD, mark, slice_str(row->code[0] ? row->code : nz_rep_why_word(row->why)));
    else
        REDIS_SWAP(swap, LIT("HDEL"), VRS_MARK_DEAD, mark); /* an older version was not taken, this one was, or there is none */
    if (row->gone && row->state != NZ_REP_DEAD)
        REDIS_SWAP(swap, LIT("ZREM"), VRS_MARK_GONE, slice_of(mark.p + 1, mark.n - 1));
    REDIS_SWAP(swap, LIT("ZREM"), VRS_MARK_QUEUE, mark);
    return OK;
}

ERR nz_rep_row_settle(const struct nz_rep_row *row, struct store *s, uint64_t now_ms, uint64_t later_ms, struct redis_batch *b, size_t *ret_n)
{
    struct store_name person;
    char end[8], flags[8];
    *ret_n = 0;
    if (row->state == NZ_REP_KEEP || row->state == NZ_REP_TELL)
        return OK;
    struct redis_swap *swap = redis_swap_new(SWAP_MAX);
    if (!swap)
        return FAIL(E_NOMEM);
    store_name_person(&row->person, &person);
    if (!row->gone)
        redis_swap_expect(swap, store_name_slice(&person), row->field, buf_slice(&row->sealed));
    if (!row->gone && row->kind != VRS_MARK_RECORD) { /* they were told with the registration */
        redis_swap_expect(swap, store_name_slice(&person), field_of_muni(row, 'e', end), buf_slice(&row->end));
        redis_swap_expect(swap, store_name_slice(&person), field_of_muni(row, 'f', flags), buf_slice(&row->flags));
    }
    struct err e = commands(row, s, &person, now_ms, later_ms, swap);
    if (err_ok(e))
        e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    *ret_n = err_ok(e);
    return e;
}

bool nz_rep_is_noted(const struct nz_rep_row *row)
{
    return !row->gone && (row->state == NZ_REP_ACCEPTED || row->state == NZ_REP_DEAD) && row->kind == VRS_MARK_RECORD;
}

ERR nz_rep_ticket(struct store *s, const char muni[static 6], const uint8_t sid[static SUBJECT_BYTES], struct nz_ticket *ret_t)
{
    _Static_assert((int)NZ_TICKET_BYTES == (int)STORE_HANDLE_BYTES, "a ticket is a handle");
    return store_handle_view(s, slice_of(muni, 6), LIT("vrs ticket"), slice_of(sid, SUBJECT_BYTES), ret_t->b);
}

void nz_rep_ask_gone(const uint8_t sid[static SUBJECT_BYTES], struct redis_batch *b)
{
    struct store_name subject, from, to;
    store_name_subject(sid, &subject);
    vrs_mark_gone_range(slice_of(subject.c + 2, 2 * SUBJECT_BYTES), &from, &to);
    REDIS_ADD(b, LIT("ZRANGEBYLEX"), VRS_MARK_GONE, store_name_slice(&from), store_name_slice(&to), LIT("LIMIT"), LIT("0"), LIT("1"));
}

ERR nz_rep_request_id(struct store *s, const struct nz_rep_row *const *rows, size_t n, char out[static NZ_VRS_REPORT_ID])
{
    uint8_t id[STORE_HANDLE_BYTES];
    struct buf names, hex;
    buf_init(&names, ID_TEXT_MAX);
    buf_init(&hex, NZ_VRS_REPORT_ID);
    for (size_t i = 0; i < n; i++) {
        buf_put(&names, ARR(rows[i]->id));
        buf_be64(&names, rows[i]->version);
        buf_put(&names, ARR(rows[i]->sid));
        buf_putc(&names, rows[i]->gone);
        buf_be64(&names, rows[i]->again ? rows[i]->due_ms : 0); /* the same version under another number, or back again, is another request */
    }
    struct err e = buf_check(&names);
    if (err_ok(e))
        e = store_handle_view(s, slice_of(rows[0]->muni, 6), LIT("vrs request"), buf_slice(&names), id);
    if (err_ok(e)) {
        buf_hex(&hex, ARR(id));
        memcpy(out, hex.p, NZ_VRS_REPORT_ID);
    }
    buf_done(&names);
    buf_done(&hex);
    return e;
}
