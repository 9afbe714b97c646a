#include "gateway/vaccine/vrs_mark.h"

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/vaccine/immun.h"

enum { HANDLE_HEX = 32, FIELD_MAX = STORE_NAME_MAX - HANDLE_HEX - 2, VERSION_DIGITS = 20 };

bool vrs_mark_kind_of(struct slice field, enum vrs_mark_kind *ret_kind, struct slice *ret_muni)
{
    enum store_kind kind;
    uint8_t id[IMMUN_ID_BYTES];
    if (field.n > FIELD_MAX)
        return false;
    if (immun_field_is(field, ret_muni, id)) {
        *ret_kind = VRS_MARK_RECORD;
        return true;
    }
    if (!store_field_kind(field, &kind, ret_muni) || (kind != STORE_TICKET && kind != STORE_VACCINATION))
        return false;
    *ret_kind = kind == STORE_TICKET ? VRS_MARK_TICKET : VRS_MARK_SUBJECT;
    return true;
}

void vrs_mark_name(const struct person *p, struct slice field, struct store_name *ret_m)
{
    MUST(field.n <= FIELD_MAX);
    memcpy(ret_m->c, p->h, HANDLE_HEX);
    ret_m->c[HANDLE_HEX] = ':';
    memcpy(ret_m->c + HANDLE_HEX + 1, field.p, field.n);
    ret_m->n = HANDLE_HEX + 1 + field.n;
}

void vrs_mark_name_again(const struct person *p, struct slice field, struct store_name *ret_m)
{
    vrs_mark_name(p, field, ret_m);
    memmove(ret_m->c + 1, ret_m->c, ret_m->n++);
    ret_m->c[0] = '+';
}

static void append(struct vrs_mark_text *t, struct slice s)
{
    MUST(s.n <= sizeof t->c - t->n);
    memcpy(t->c + t->n, s.p, s.n);
    t->n += s.n;
}

void vrs_mark_gone_name(struct slice sid, const struct person *p, struct slice field, uint64_t version, struct vrs_mark_text *ret_m)
{
    struct store_name digits;
    MUST(sid.n == HANDLE_HEX && version);
    vrs_mark_score(version, &digits);
    ret_m->n = 0;
    append(ret_m, LIT("-"));
    append(ret_m, sid);
    append(ret_m, LIT(":"));
    append(ret_m, ARR(p->h));
    append(ret_m, LIT(":"));
    append(ret_m, field);
    append(ret_m, LIT(":"));
    append(ret_m, store_name_slice(&digits));
}

void vrs_mark_gone_range(struct slice sid, struct store_name *ret_from, struct store_name *ret_to)
{
    struct store_name *const ends[] = { ret_from, ret_to };
    MUST(sid.n == HANDLE_HEX);
    for (size_t i = 0; i < 2; i++) {
        ends[i]->c[0] = '[';
        memcpy(ends[i]->c + 1, sid.p, HANDLE_HEX);
        ends[i]->c[1 + HANDLE_HEX] = i ? ';' : ':'; /* the character behind the colon */
        ends[i]->n = 2 + HANDLE_HEX;
    }
}

static bool take_hex(struct slice *in, struct slice *ret)
{
    uint8_t bytes[HANDLE_HEX / 2];
    struct slice colon;
    return slice_take(in, HANDLE_HEX, ret) && hex_decode(*ret, bytes, sizeof bytes) && slice_take(in, 1, &colon) && colon.p[0] == ':';
}

static bool take_version(struct slice *field, uint64_t *ret_version)
{
    size_t at = field->n;
    while (at && field->p[at - 1] != ':')
        at--;
    const struct slice digits = slice_of(field->p + at, field->n - at);
    if (!at || !digits.n || digits.n > VERSION_DIGITS || digits.p[0] == '0' || !u64_parse(digits, ret_version))
        return false;
    field->n = at - 1;
    return true;
}

bool vrs_mark_parse(struct slice member, struct vrs_mark *ret_m)
{
    struct vrs_mark m = { .gone = slice_starts(member, LIT("-")), .again = slice_starts(member, LIT("+")), .sid = SLICE_NONE };
    struct slice h, muni, sign;
    enum vrs_mark_kind kind;
    if (((m.gone || m.again) && !slice_take(&member, 1, &sign)) || (m.gone && !take_hex(&member, &m.sid)) || !take_hex(&member, &h))
        return false;
    if ((m.gone && !take_version(&member, &m.version)) || !vrs_mark_kind_of(member, &kind, &muni))
        return false;
    m.field = member;
    memcpy(m.person.h, h.p, sizeof m.person.h);
    *ret_m = m;
    return true;
}

void vrs_mark_score(uint64_t now_ms, struct store_name *ret_score)
{
    struct buf b;
    buf_init(&b, 24);
    buf_u64(&b, now_ms);
    memcpy(ret_score->c, b.p, b.n);
    ret_score->n = b.n;
    buf_done(&b);
}
