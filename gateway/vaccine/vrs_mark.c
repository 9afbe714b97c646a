#include "gateway/vaccine/vrs_mark.h"

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/vaccine/immun.h"

enum { HANDLE_HEX = 32, FIELD_MAX = STORE_NAME_MAX - HANDLE_HEX - 2 };

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

bool vrs_mark_parse(struct slice member, struct vrs_mark *ret_m)
{
    struct slice h, colon, muni, plus;
    const bool again = slice_starts(member, LIT("+")) && slice_take(&member, 1, &plus);
    enum vrs_mark_kind kind;
    uint8_t bytes[HANDLE_HEX / 2];
    if (!slice_take(&member, HANDLE_HEX, &h) || !slice_take(&member, 1, &colon) || colon.p[0] != ':' || !hex_decode(h, bytes, sizeof bytes) ||
        !vrs_mark_kind_of(member, &kind, &muni))
        return false;
    *ret_m = (struct vrs_mark){ .field = member, .again = again };
    memcpy(ret_m->person.h, h.p, sizeof ret_m->person.h);
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
