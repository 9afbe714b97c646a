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

/* The oldest confirmed one, else the oldest. */
static size_t to_leave(const struct immun_record *rec)
{
    size_t at = 0;
    for (size_t i = 1; i < rec->n_recipients; i++) {
        const struct immun_recipient *r = &rec->recipients[i], *best = &rec->recipients[at];
        if ((r->acked_ms && !best->acked_ms) || (!r->acked_ms == !best->acked_ms && r->at_ms < best->at_ms))
            at = i;
    }
    return at;
}

/* Its row, or a new one. */
static struct immun_recipient *row_of(struct immun_record *rec, enum immun_audience audience, struct slice *who)
{
    size_t at = 0;
    if (who->n > sizeof rec->recipients[0].who)
        who->n = sizeof rec->recipients[0].who;
    while (at < rec->n_recipients && !is_who(&rec->recipients[at], audience, *who))
        at++;
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
    r->version = (uint16_t)rec->n_versions;
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
    r->version = version;
    r->acked_ms = now_ms;
    return true;
}

bool immun_recall_is_open(const struct immun_record *rec, const struct immun_recipient *r)
{
    return r->audience != IMMUN_TO_CERTIFICATE && r->version < rec->n_versions;
}
