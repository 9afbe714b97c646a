#include "gateway/audit/audit.h"
#include "gateway/base/text.h"

/* One record. Everything between the fields and up to the end is zero; numbers are big endian. */
enum {
    FORM_1 = 1,       /* ends with the actor */
    FORM = 2,
    AT_FORM = 0,      /* u8 */
    AT_RESULT = 1,    /* u8 */
    AT_EVENT = 2,     /* u16 */
    AT_REASON = 4,    /* u16 */
    AT_GAP = 6,       /* 2 zero */
    AT_REQUEST = 8,   /* 8 */
    AT_WALL = 16,     /* u64 */
    AT_COUNT = 24,    /* u32 */
    AT_MUNI = 28,     /* 6 digits */
    AT_GAP2 = 34,     /* 6 zero */
    AT_SUBJECT = 40,  /* 16 */
    AT_ACTOR = 56,    /* 64 */
    AT_REF = 120,     /* 16 */
    AT_EPOCH = 136,   /* u64 */
    AT_UNTIL = 144,   /* u32 */
    AT_BASIS = 148,   /* u16 */
    AT_ITEMS = 150,   /* u16 */
    AT_PURPOSE = 152, /* u8 */
    AT_BEHALF = 153,  /* u8 */
    AT_GAP3 = 154     /* zero to the end */
};
_Static_assert(AT_SUBJECT + AUDIT_HANDLE_BYTES == AT_ACTOR && AT_ACTOR + AUDIT_ACTOR_MAX == AT_REF && AT_REF + AUDIT_HANDLE_BYTES == AT_EPOCH, "fields touch");

static void put(uint8_t *p, uint64_t v, unsigned n)
{
    while (n--)
        *p++ = (uint8_t)(v >> (8 * n));
}

static uint64_t get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static bool zeros(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    while (n--)
        any |= *p++;
    return any == 0;
}

void audit_encode(const struct audit_rec *rec, uint8_t out[static AUDIT_REC_BYTES])
{
    memset(out, 0, AUDIT_REC_BYTES);
    out[AT_FORM] = FORM;
    out[AT_RESULT] = (uint8_t)rec->result;
    put(out + AT_EVENT, rec->event, 2);
    put(out + AT_REASON, rec->reason, 2);
    memcpy(out + AT_REQUEST, rec->request.b, sizeof rec->request.b);
    put(out + AT_WALL, rec->wall_ms, 8);
    put(out + AT_COUNT, rec->count, 4);
    memcpy(out + AT_MUNI, rec->muni, sizeof rec->muni);
    memcpy(out + AT_SUBJECT, rec->subject, sizeof rec->subject);
    memcpy(out + AT_ACTOR, rec->actor, sizeof rec->actor);
    memcpy(out + AT_REF, rec->ref, sizeof rec->ref);
    put(out + AT_EPOCH, rec->epoch, 8);
    put(out + AT_UNTIL, rec->until_s, 4);
    put(out + AT_BASIS, rec->basis, 2);
    put(out + AT_ITEMS, rec->items, 2);
    out[AT_PURPOSE] = rec->purpose;
    out[AT_BEHALF] = (uint8_t)rec->behalf;
}

static bool event_known(unsigned number)
{
    static const uint16_t KNOWN[] = {
#define X(sym, n, name) n,
#include "gateway/audit/events.def"
#undef X
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (KNOWN[i] == number)
            return true;
    return false;
}

static bool actor_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-';
}

/* At least one character, then NULs only. */
static bool actor_good(const uint8_t *p)
{
    size_t n = 0;
    while (n < AUDIT_ACTOR_MAX && actor_char(p[n]))
        n++;
    return n > 0 && zeros(p + n, AUDIT_ACTOR_MAX - n);
}

static bool form_good(const uint8_t *in)
{
    if (in[AT_FORM] == FORM_1)
        return zeros(in + AT_REF, AUDIT_REC_BYTES - AT_REF);
    return in[AT_FORM] == FORM && in[AT_BEHALF] < AB__MAX && get(in + AT_ITEMS, 2) <= AUDIT_ITEMS_ALL && zeros(in + AT_GAP3, AUDIT_REC_BYTES - AT_GAP3);
}

bool audit_decode(const uint8_t in[static AUDIT_REC_BYTES], struct audit_rec *ret_rec)
{
    bool good = form_good(in) && in[AT_RESULT] < AR__MAX && event_known((unsigned)get(in + AT_EVENT, 2)) &&
                get(in + AT_REASON, 2) < E__MAX && zeros(in + AT_GAP, AT_REQUEST - AT_GAP) && all_digits(slice_of(in + AT_MUNI, 6)) &&
                zeros(in + AT_GAP2, AT_SUBJECT - AT_GAP2) && actor_good(in + AT_ACTOR);
    if (!good)
        return false;
    *ret_rec = (struct audit_rec){
        .event = (enum audit_event)get(in + AT_EVENT, 2),
        .result = (enum audit_result)in[AT_RESULT],
        .reason = (enum err_code)get(in + AT_REASON, 2),
        .count = (uint32_t)get(in + AT_COUNT, 4),
        .wall_ms = get(in + AT_WALL, 8),
        .epoch = get(in + AT_EPOCH, 8),
        .until_s = (uint32_t)get(in + AT_UNTIL, 4),
        .basis = (uint16_t)get(in + AT_BASIS, 2),
        .items = (uint16_t)get(in + AT_ITEMS, 2),
        .purpose = in[AT_PURPOSE],
        .behalf = (enum audit_behalf)in[AT_BEHALF],
    };
    memcpy(ret_rec->request.b, in + AT_REQUEST, sizeof ret_rec->request.b);
    memcpy(ret_rec->muni, in + AT_MUNI, sizeof ret_rec->muni);
    memcpy(ret_rec->subject, in + AT_SUBJECT, sizeof ret_rec->subject);
    memcpy(ret_rec->actor, in + AT_ACTOR, sizeof ret_rec->actor);
    memcpy(ret_rec->ref, in + AT_REF, sizeof ret_rec->ref);
    return true;
}

void audit_set_actor(struct audit_rec *rec, struct slice identity)
{
    memset(rec->actor, 0, sizeof rec->actor);
    for (size_t i = 0; i < identity.n && i < sizeof rec->actor; i++)
        rec->actor[i] = actor_char(identity.p[i]) ? (char)identity.p[i] : '_';
    if (identity.n == 0)
        rec->actor[0] = '_';
}
