/* Plain form: form u8 (1) | id[16] | muni[6] | program | ticket | dose u8 | template id | template version u16 | status u8 | version u16 | created u64
 *   | requests 8 x 16 | n_history u8 | (version u16 | status u8 | at u64)... | n_answers u8 | (item | value)...
 *   | of a completed one: clinic[10] | name | flags u8 (1 fit, 2 explained, 4 consented) | consented u64 | remarks | at u64
 * Texts are length u16 and bytes. Big endian. */
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"
#include "gateway/questionnaire/pack.h"
#include "gateway/questionnaire/sheet.h"

enum { FORM = 1, VALUE_BYTES = 4 * SHEET_VALUE_MAX, NAME_BYTES = 4 * SHEET_NAME_MAX, FIT = 1, EXPLAINED = 2, CONSENTED = 4, FLAGS_KNOWN = 7, TICKET_CHARS = 10 };

const char *sheet_status_name(enum sheet_status s)
{
    static const char *const NAMES[] = { [SHEET_DRAFT] = "draft", [SHEET_SUBMITTED] = "submitted", [SHEET_COMPLETED] = "completed" };
    return s >= SHEET_DRAFT && s <= SHEET_COMPLETED ? NAMES[s] : "";
}

static void put_doctor(const struct sheet_doctor *d, struct buf *out)
{
    buf_put(out, ARR(d->clinic));
    pack_text(out, d->name);
    buf_putc(out, (uint8_t)((d->fit ? FIT : 0) | (d->explained ? EXPLAINED : 0) | (d->consented ? CONSENTED : 0)));
    buf_be64(out, d->consented_ms);
    pack_text(out, d->remarks);
    buf_be64(out, d->at_ms);
}

ERR sheet_encode(const struct sheet *s, struct buf *out)
{
    buf_putc(out, FORM);
    buf_put(out, ARR(s->id));
    buf_put(out, ARR(s->muni));
    pack_text(out, s->program);
    pack_text(out, s->ticket);
    buf_putc(out, (uint8_t)s->dose);
    pack_text(out, s->template_id);
    buf_be16(out, (uint16_t)s->template_version);
    buf_putc(out, (uint8_t)s->status);
    buf_be16(out, s->version);
    buf_be64(out, s->created_ms);
    buf_put(out, slice_of(s->requests, sizeof s->requests));
    buf_putc(out, (uint8_t)s->n_history);
    for (size_t i = 0; i < s->n_history; i++) {
        buf_be16(out, s->history[i].version);
        buf_putc(out, (uint8_t)s->history[i].status);
        buf_be64(out, s->history[i].at_ms);
    }
    buf_putc(out, (uint8_t)s->n_answers);
    for (size_t i = 0; i < s->n_answers; i++) {
        pack_text(out, s->answers[i].item);
        pack_text(out, s->answers[i].value);
    }
    if (s->status == SHEET_COMPLETED)
        put_doctor(&s->doctor, out);
    return buf_check(out);
}

/* ---- and back ---- */

static bool take_status(struct slice *in, enum sheet_status *ret)
{
    uint64_t v;
    if (!unpack_be(in, 1, &v) || v < SHEET_DRAFT || v > SHEET_COMPLETED)
        return false;
    *ret = (enum sheet_status)v;
    return true;
}

static bool take_head(struct slice *in, struct sheet *s)
{
    uint64_t form, dose, template_version, version;
    if (!unpack_be(in, 1, &form) || form != FORM || !unpack_bytes(in, s->id, sizeof s->id) || !unpack_bytes(in, s->muni, sizeof s->muni) ||
        !unpack_text(in, QT_PROGRAM_MAX, &s->program) || !unpack_text(in, TICKET_CHARS, &s->ticket) || !unpack_be(in, 1, &dose) ||
        !unpack_text(in, QT_ID_MAX, &s->template_id) || !unpack_be(in, 2, &template_version) || !take_status(in, &s->status) ||
        !unpack_be(in, 2, &version) || !unpack_be(in, 8, &s->created_ms) || !unpack_bytes(in, s->requests, sizeof s->requests))
        return false;
    s->dose = (unsigned)dose;
    s->template_version = (unsigned)template_version;
    s->version = (uint16_t)version;
    return s->template_version && s->template_version <= QT_VERSION_MAX && s->version && qt_id_ok(s->template_id) && s->program.n && all_url_safe(s->program) && all_digits(s->ticket) && all_digits(ARR(s->muni));
}

static bool take_history(struct slice *in, struct sheet *s)
{
    uint64_t n, version;
    if (!unpack_be(in, 1, &n) || n > SHEET_HISTORY_MAX)
        return false;
    for (; s->n_history < n; s->n_history++) {
        struct sheet_step *step = &s->history[s->n_history];
        if (!unpack_be(in, 2, &version) || !take_status(in, &step->status) || !unpack_be(in, 8, &step->at_ms))
            return false;
        step->version = (uint16_t)version;
    }
    return true;
}

static bool take_answers(struct slice *in, struct sheet *s)
{
    uint64_t n;
    if (!unpack_be(in, 1, &n) || n > QT_ITEMS_MAX)
        return false;
    for (; s->n_answers < n; s->n_answers++) {
        struct sheet_answer *a = &s->answers[s->n_answers];
        if (!unpack_text(in, QT_ID_MAX, &a->item) || !qt_id_ok(a->item) || !unpack_text(in, VALUE_BYTES, &a->value) || !utf8_valid(a->value))
            return false;
    }
    return true;
}

static bool take_doctor(struct slice *in, struct sheet_doctor *d)
{
    uint64_t flags;
    if (!unpack_bytes(in, d->clinic, sizeof d->clinic) || !all_digits(ARR(d->clinic)) || !unpack_text(in, NAME_BYTES, &d->name) || !utf8_valid(d->name) ||
        !unpack_be(in, 1, &flags) || (flags & ~(uint64_t)FLAGS_KNOWN) || !unpack_be(in, 8, &d->consented_ms) || !unpack_text(in, VALUE_BYTES, &d->remarks) ||
        !utf8_valid(d->remarks) || !unpack_be(in, 8, &d->at_ms))
        return false;
    d->fit = flags & FIT;
    d->explained = flags & EXPLAINED;
    d->consented = flags & CONSENTED;
    return true;
}

ERR sheet_decode(struct slice plain, struct sheet *ret_s)
{
    struct sheet s = { 0 };
    if (!take_head(&plain, &s) || !take_history(&plain, &s) || !take_answers(&plain, &s) ||
        (s.status == SHEET_COMPLETED && !take_doctor(&plain, &s.doctor)) || plain.n)
        return FAIL(E_SEAL);
    *ret_s = s;
    return OK;
}

/* ---- changes ---- */

ERR sheet_request(struct slice request_id, uint8_t out[static SHEET_REQUEST_BYTES])
{
    uint8_t sum[SHA256_BYTES];
    TRY(sha256(1, &request_id, sum));
    memcpy(out, sum, SHEET_REQUEST_BYTES);
    return OK;
}

bool sheet_was_asked(const struct sheet *s, const uint8_t request[static SHEET_REQUEST_BYTES])
{
    for (size_t i = 0; i < SHEET_REQUESTS_MAX; i++)
        if (slice_eq(ARR(s->requests[i]), slice_of(request, SHEET_REQUEST_BYTES)))
            return true;
    return false;
}

void sheet_step(struct sheet *s, enum sheet_status to, const uint8_t request[static SHEET_REQUEST_BYTES], uint64_t now_ms)
{
    memmove(s->requests[1], s->requests[0], sizeof s->requests - sizeof s->requests[0]);
    memcpy(s->requests[0], request, sizeof s->requests[0]);
    if (s->n_history == SHEET_HISTORY_MAX) {
        memmove(&s->history[1], &s->history[2], (SHEET_HISTORY_MAX - 2) * sizeof s->history[0]);
        s->n_history--;
    }
    if (!s->created_ms)
        s->created_ms = now_ms;
    s->status = to;
    s->version++;
    s->history[s->n_history++] = (struct sheet_step){ s->version, to, now_ms };
}
