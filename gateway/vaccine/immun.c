#include "gateway/vaccine/immun.h"

#include "gateway/base/text.h"

enum { FIELD_HEAD = 2, MUNI_CHARS = 6, ID_HEX = 2 * IMMUN_ID_BYTES, FIELD_CHARS = FIELD_HEAD + MUNI_CHARS + 1 + ID_HEX };

/* ---- the field ---- */

void immun_field(const char muni[static 6], const uint8_t id[static IMMUN_ID_BYTES], struct store_name *ret_f)
{
    static const char HEX[] = "0123456789abcdef";
    char *to = ret_f->c;
    memcpy(to, "i:", FIELD_HEAD);
    memcpy(to + FIELD_HEAD, muni, MUNI_CHARS);
    to[FIELD_HEAD + MUNI_CHARS] = ':';
    for (size_t i = 0; i < IMMUN_ID_BYTES; i++) {
        to[FIELD_HEAD + MUNI_CHARS + 1 + 2 * i] = HEX[id[i] >> 4];
        to[FIELD_HEAD + MUNI_CHARS + 2 + 2 * i] = HEX[id[i] & 15];
    }
    ret_f->n = FIELD_CHARS;
}

bool immun_field_is(struct slice field, struct slice *ret_muni, uint8_t ret_id[static IMMUN_ID_BYTES])
{
    struct slice head, muni, colon;
    if (!slice_take(&field, FIELD_HEAD, &head) || !slice_eq(head, LIT("i:")) || !slice_take(&field, MUNI_CHARS, &muni) || !all_digits(muni) ||
        !slice_take(&field, 1, &colon) || colon.p[0] != ':' || !hex_decode(field, ret_id, IMMUN_ID_BYTES))
        return false;
    *ret_muni = muni;
    return true;
}

/* ---- sameness ---- */

/* Every text that the sender says. */
static const size_t TEXTS[] = {
    offsetof(struct immun, program), offsetof(struct immun, ticket), offsetof(struct immun, gtin),   offsetof(struct immun, vaccine), offsetof(struct immun, product),
    offsetof(struct immun, maker),   offsetof(struct immun, lot),    offsetof(struct immun, site),   offsetof(struct immun, route),   offsetof(struct immun, clinic),
    offsetof(struct immun, doctor),  offsetof(struct immun, place),  offsetof(struct immun, kind),   offsetof(struct immun, segment), offsetof(struct immun, special),
};

static struct slice text_at(const struct immun *i, size_t offset) { return *(const struct slice *)((const uint8_t *)i + offset); }

bool immun_same(const struct immun *a, const struct immun *b)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        if (!slice_eq(text_at(a, TEXTS[i]), text_at(b, TEXTS[i])))
            return false;
    return a->status == b->status && slice_eq(ARR(a->muni), ARR(b->muni)) && a->dose == b->dose && a->date == b->date && a->expiry == b->expiry &&
           a->amount_ul == b->amount_ul && a->consented == b->consented && a->overseas == b->overseas && a->caution == b->caution;
}

/* ---- recipients ---- */

static bool is_who(const struct immun_recipient *r, enum immun_audience audience, struct slice who)
{
    return r->audience == audience && slice_eq(slice_of(r->who, strnlen(r->who, sizeof r->who)), who);
}

/* What another one is told can be asked for again there; what is at the database is nobody else's to find. There is one of it. */
static unsigned rank_to_leave(const struct immun_recipient *r) { return r->audience == IMMUN_TO_DATABASE ? 0 : r->acked_ms ? 2 : 1; }

/* The oldest confirmed one, else the oldest. */
static size_t to_leave(const struct immun_record *rec)
{
    size_t at = 0;
    for (size_t i = 1; i < rec->n_recipients; i++) {
        const struct immun_recipient *r = &rec->recipients[i], *best = &rec->recipients[at];
        const unsigned rank = rank_to_leave(r), best_rank = rank_to_leave(best);
        if (rank > best_rank || (rank == best_rank && r->at_ms < best->at_ms))
            at = i;
    }
    return at;
}

static uint32_t bit_of(unsigned version) { return version && version <= IMMUN_VERSIONS_MAX ? (uint32_t)1 << (version - 1) : 0; }
static uint32_t bits_up_to(unsigned version) { return version >= IMMUN_VERSIONS_MAX ? UINT32_MAX : ((uint32_t)1 << version) - 1; }

/* From here on it is known that it has this version. */
static void tell(struct immun_recipient *r, size_t version)
{
    r->version = (uint16_t)version;
    r->perhaps &= ~bits_up_to((unsigned)version);
}

static size_t place_of(const struct immun_record *rec, enum immun_audience audience, struct slice who)
{
    size_t at = 0;
    while (at < rec->n_recipients && !is_who(&rec->recipients[at], audience, who))
        at++;
    return at;
}

/* Its row, or a new one. */
static struct immun_recipient *row_of(struct immun_record *rec, enum immun_audience audience, struct slice *who)
{
    if (who->n > sizeof rec->recipients[0].who)
        who->n = sizeof rec->recipients[0].who;
    size_t at = place_of(rec, audience, *who);
    if (at < rec->n_recipients)
        return &rec->recipients[at];
    if (at == IMMUN_RECIPIENTS_MAX)
        at = to_leave(rec);
    else
        rec->n_recipients++;
    rec->recipients[at] = (struct immun_recipient){ .audience = audience };
    if (who->n)
        memcpy(rec->recipients[at].who, who->p, who->n);
    return &rec->recipients[at];
}

bool immun_note_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint64_t now_ms)
{
    struct immun_recipient *r = row_of(rec, audience, &who);
    if (r->version == rec->n_versions)
        return false;
    tell(r, rec->n_versions);
    r->at_ms = now_ms;
    r->acked_ms = 0;
    return true;
}

bool immun_ack_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version, uint64_t now_ms)
{
    struct immun_recipient *r = row_of(rec, audience, &who);
    if (r->version > version)
        return false;
    if (r->version < version)
        r->at_ms = now_ms;
    tell(r, version);
    r->acked_ms = now_ms;
    return true;
}

bool immun_perhaps_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version, uint64_t now_ms)
{
    const uint32_t bit = version <= rec->n_versions ? bit_of(version) : 0;
    if (!bit)
        return false;
    struct immun_recipient *r = row_of(rec, audience, &who);
    if (r->version >= version || (r->perhaps & bit))
        return false;
    r->perhaps |= bit;
    r->at_ms = r->version ? r->at_ms : now_ms;
    return true;
}

bool immun_never_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version)
{
    const size_t at = place_of(rec, audience, who);
    if (at == rec->n_recipients || !(rec->recipients[at].perhaps & bit_of(version)))
        return false;
    struct immun_recipient *r = &rec->recipients[at];
    r->perhaps &= ~bit_of(version);
    if (!r->version && !r->perhaps) {
        rec->n_recipients--;
        memmove(r, r + 1, (rec->n_recipients - at) * sizeof *r);
    }
    return true;
}

const struct immun_recipient *immun_recipient_of(const struct immun_record *rec, enum immun_audience audience, struct slice who)
{
    const size_t at = place_of(rec, audience, who);
    return at < rec->n_recipients ? &rec->recipients[at] : NULL;
}

bool immun_was_perhaps_told(const struct immun_recipient *r, uint16_t version) { return (r->perhaps & bit_of(version)) != 0; }

uint16_t immun_told_before(const struct immun_recipient *r, uint16_t version)
{
    for (uint16_t v = version; v-- > 1;)
        if (r->version == v || (r->perhaps & bit_of(v)))
            return v;
    return 0;
}

/* The oldest that it has, or may have. */
static unsigned oldest_of(const struct immun_recipient *r)
{
    unsigned v = r->version;
    while (!r->version && ++v < IMMUN_VERSIONS_MAX && !(r->perhaps & bit_of(v)))
        continue;
    return v;
}

bool immun_recall_is_open(const struct immun_record *rec, const struct immun_recipient *r)
{
    return r->audience != IMMUN_TO_CERTIFICATE && oldest_of(r) < rec->n_versions;
}
