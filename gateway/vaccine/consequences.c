#include "gateway/vaccine/consequences.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/notice/notice.h"
#include "gateway/vaccine/vrs_mark.h"

enum { FIELD_HEAD = 3, FIELD_HEX = 16, FIELD_CHARS = FIELD_HEAD + FIELD_HEX, PLAIN_FORM = 1, PLAIN_ROOM = 64, TIME_BYTES = 6, RANDOM_BYTES = 2 };

bool vaccine_notice_field_is(struct slice field)
{
    uint8_t bytes[FIELD_HEX / 2];
    return field.n == FIELD_CHARS && slice_starts(field, LIT("nt:")) && hex_decode(slice_of(field.p + FIELD_HEAD, FIELD_HEX), bytes, sizeof bytes);
}

static void notice_field(uint64_t now_ms, struct store_name *ret_f)
{
    struct buf b;
    uint8_t bytes[TIME_BYTES + RANDOM_BYTES];
    for (size_t i = 0; i < TIME_BYTES; i++)
        bytes[i] = (uint8_t)(now_ms >> (8 * (TIME_BYTES - 1 - i)));
    rnd_bytes(bytes + TIME_BYTES, RANDOM_BYTES);
    buf_init(&b, FIELD_CHARS);
    buf_puts(&b, "nt:");
    buf_hex(&b, ARR(bytes));
    memcpy(ret_f->c, b.p, b.n);
    ret_f->n = b.n;
    buf_done(&b);
}

static bool is_older(struct slice a, struct slice b)
{
    size_t i = 0;
    while (i + 1 < a.n && a.p[i] == b.p[i])
        i++;
    return a.p[i] < b.p[i];
}

/* The oldest of them, by name; SLICE_NONE while there is room for one more. */
static struct slice notice_to_leave(const struct redis_reply *hash)
{
    struct slice oldest = SLICE_NONE;
    size_t n = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        if (!vaccine_notice_field_is(field))
            continue;
        n++;
        if (!oldest.n || is_older(field, oldest))
            oldest = field;
    }
    return n < VACCINE_NOTICES_MAX ? SLICE_NONE : oldest;
}

static ERR add_notice(struct store *s, const struct vaccine_event *e, const struct store_name *person, struct redis_swap *swap)
{
    struct store_name field;
    struct buf plain, sealed;
    const struct slice leaves = notice_to_leave(e->hash);
    notice_field(e->now_ms, &field);
    buf_init(&plain, PLAIN_ROOM);
    buf_init(&sealed, PLAIN_ROOM + AEAD_OVERHEAD);
    buf_putc(&plain, PLAIN_FORM);
    buf_putc(&plain, (uint8_t)e->what);
    buf_be64(&plain, e->now_ms);
    buf_put(&plain, ARR(e->place->muni));
    buf_put(&plain, ARR(e->place->rec->id));
    buf_be16(&plain, (uint16_t)e->place->rec->n_versions);
    struct err err = buf_check(&plain);
    if (err_ok(err))
        err = store_seal(s, SLICE_NONE, person, store_name_slice(&field), buf_slice(&plain), &sealed);
    if (err_ok(err) && leaves.n)
        REDIS_SWAP(swap, LIT("HDEL"), store_name_slice(person), leaves);
    if (err_ok(err))
        REDIS_SWAP(swap, LIT("HSET"), store_name_slice(person), store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return err;
}

ERR vaccine_notice_decode(struct slice plain, struct vaccine_notice *ret_n)
{
    struct slice form, what, at, muni, id, version;
    if (!slice_take(&plain, 1, &form) || form.p[0] != PLAIN_FORM || !slice_take(&plain, 1, &what) || !slice_take(&plain, 8, &at) || !slice_take(&plain, 6, &muni) ||
        !slice_take(&plain, IMMUN_ID_BYTES, &id) || !slice_take(&plain, 2, &version) || plain.n)
        return FAIL(E_SEAL);
    if (what.p[0] < VACCINE_RECORDED || what.p[0] > VACCINE_CANCELLED || !all_digits(muni))
        return FAIL(E_SEAL);
    struct vaccine_notice n = { .what = (enum vaccine_change)what.p[0], .version = (uint16_t)(version.p[0] << 8 | version.p[1]) };
    for (size_t i = 0; i < at.n; i++)
        n.at_ms = n.at_ms << 8 | at.p[i];
    memcpy(n.muni, muni.p, sizeof n.muni);
    memcpy(n.id, id.p, sizeof n.id);
    *ret_n = n;
    return OK;
}

/* ---- messages ---- */

enum { CLINIC_CHARS = 10 };

static struct notice message(const struct vaccine_event *e, enum notice_kind kind)
{
    char tie[2 + sizeof e->place->muni] = "s:";
    static const enum notice_what WHAT[] = { [VACCINE_RECORDED] = NOTICE_NEW, [VACCINE_CORRECTED] = NOTICE_CHANGED, [VACCINE_CANCELLED] = NOTICE_ENDED };
    struct notice n = { .kind = kind, .what = WHAT[e->what], .person = *e->person, .version = (uint16_t)e->place->rec->n_versions, .at_ms = e->now_ms };
    memcpy(n.muni, e->place->muni, sizeof n.muni);
    memcpy(n.ref, e->place->rec->id, sizeof n.ref);
    memcpy(tie + 2, n.muni, sizeof n.muni);
    if (!hex_decode(hash_find(e->hash, ARR(tie)), n.subject, sizeof n.subject))
        memset(n.subject, 0, sizeof n.subject);
    return n;
}

static ERR tell_clinics(struct store *s, const struct vaccine_event *e, struct redis_swap *swap)
{
    const struct immun_record *rec = e->place->rec;
    struct notice n = message(e, NOTICE_RECORD);
    if (e->what == VACCINE_RECORDED)
        return immun_now(rec)->writer.n == CLINIC_CHARS ? notice_add(s, &n, immun_now(rec)->writer, swap) : OK;
    for (size_t i = 0; i < rec->n_recipients; i++) {
        const struct immun_recipient *r = &rec->recipients[i];
        if (r->audience == IMMUN_TO_CLINIC && immun_recall_is_open(rec, r))
            TRY(notice_add(s, &n, slice_of(r->who, strnlen(r->who, sizeof r->who)), swap));
    }
    return OK;
}

/* ps:<portal>. One whose name no message can have looks by itself. */
static ERR tell_portals(struct store *s, const struct vaccine_event *e, struct redis_swap *swap)
{
    struct notice n = message(e, NOTICE_CITIZEN);
    for (size_t i = 0; i + 1 < redis_reply_len(e->hash); i += 2) {
        struct slice portal = redis_reply_str(redis_reply_at(e->hash, i)), head;
        if (!slice_starts(portal, LIT("ps:")) || !slice_take(&portal, 3, &head))
            continue;
        struct err err = notice_add(s, &n, portal, swap);
        if (!err_ok(err) && !err_is(err, E_FIELD))
            return err;
    }
    return OK;
}

static ERR tell_database(struct store *s, const struct vaccine_event *e, struct redis_swap *swap)
{
    struct notice n = message(e, NOTICE_PROVISION);
    return notice_add(s, &n, SLICE_NONE, swap);
}

static void mark_for_vrs(const struct vaccine_event *e, struct redis_swap *swap)
{
    struct store_name member, score;
    vrs_mark_name(e->person, store_name_slice(&e->place->field), &member);
    vrs_mark_score(e->now_ms, &score);
    REDIS_SWAP(swap, LIT("ZADD"), VRS_MARK_QUEUE, store_name_slice(&score), store_name_slice(&member));
}

ERR vaccine_consequences_add(struct store *s, const struct vaccine_event *e, struct redis_swap *swap)
{
    struct store_name person, index;
    store_name_person(e->person, &person);
    store_name_vaccinated(e->place->muni, &index);
    REDIS_SWAP(swap, LIT("ZADD"), store_name_slice(&index), LIT("0"), ARR(e->person->h));
    if (e->to_vrs)
        mark_for_vrs(e, swap);
    TRY(add_notice(s, e, &person, swap));
    TRY(tell_clinics(s, e, swap));
    TRY(tell_portals(s, e, swap));
    return tell_database(s, e, swap);
}
