#ifndef GW_VACCINE_IMMUN_H
#define GW_VACCINE_IMMUN_H

/* 予防接種記録: one dose that was given, with all its versions, as it lies sealed in p:{h} i:<muni>:<id> (docs/vaccination.md). Sans I/O.
 * Texts are kept as they came (IVS, private use); slices borrow from what was read. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"
#include "gateway/check/field.h"
#include "gateway/store/store.h"

enum { IMMUN_ID_BYTES = 16, IMMUN_VERSIONS_MAX = 32, IMMUN_RECIPIENTS_MAX = 64, IMMUN_PLAIN_MAX = 160 * 1024 };
enum immun_status { IMMUN_COMPLETED = 1, IMMUN_CANCELLED = 2 };
enum immun_audience { IMMUN_TO_CLINIC = 1, IMMUN_TO_CITIZEN, IMMUN_TO_MUNICIPALITY, IMMUN_TO_DATABASE, IMMUN_TO_CERTIFICATE, IMMUN_TO_VRS, IMMUN_TO__MAX };

struct immun { /* one version */
    enum immun_status status;
    char muni[6];
    struct slice program;               /* vaccinationProgramId */
    unsigned dose;                      /* from 1 */
    ymd_t date;                         /* day of vaccination */
    struct slice ticket;                /* 10 digits; SLICE_NONE: without */
    struct slice gtin;                  /* 14 digits; SLICE_NONE: abroad, or before products were coded */
    struct slice vaccine, product, maker, lot;
    ymd_t expiry;                       /* last good day of the lot; 0: not told */
    uint32_t amount_ul;                 /* micro-litres; 0: not told */
    struct slice site, route, clinic /* 医療機関コード, 10 digits */, doctor, place, kind /* implementationSegment */, segment /* vaccinationSegment */, special;
    bool consented, overseas, caution;
    uint64_t recorded_ms;               /* wall clock of this version */
    struct slice reason;                /* of a correction or cancellation, [a-z_]{1,32} */
    uint32_t warnings;                  /* 1 << enum vaccine_rule, see table.h */
    struct slice request;               /* requestId of the clinic, 16 to 64 characters: the same again is answered the same; SLICE_NONE: the municipality */
    struct slice writer;                /* who wrote this version: 医療機関コード, or municipality code */
    struct slice reduction;             /* 減免区分 of the subject when this version was written: for claims, told to nobody else */
};

struct immun_recipient { /* 回収台帳: who was told which version */
    enum immun_audience audience;
    uint16_t version;                   /* 0: none for certain */
    uint64_t at_ms;
    uint64_t acked_ms;                  /* when it confirmed that version to the courier; 0: it asked for it itself, or has confirmed none */
    uint32_t perhaps;                   /* 1 << (version - 1): later ones that were sent to it and never confirmed: it may have them (docs/decisions/0046) */
    char who[10];                       /* 医療機関コード, municipality code, NUL-padded; empty for the citizen */
};

struct immun_record {
    uint8_t id[IMMUN_ID_BYTES];
    size_t n_versions, n_recipients;    /* version i + 1 is versions[i]; the last one counts */
    struct immun versions[IMMUN_VERSIONS_MAX];
    struct immun_recipient recipients[IMMUN_RECIPIENTS_MAX];
};

/* i:<muni>:<32 hex>; muni and id of such a field, false for other fields. */
void immun_field(const char muni[static 6], const uint8_t id[static IMMUN_ID_BYTES], struct store_name *ret_f);
bool immun_field_is(struct slice field, struct slice *ret_muni, uint8_t ret_id[static IMMUN_ID_BYTES]);

/* The plain form under the seal. FULL: more versions or recipients than are kept. */
ERR immun_encode(const struct immun_record *rec, struct buf *out);
ERR immun_decode(struct slice plain, struct immun_record *ret_rec); /* SEAL */
/* How many versions and recipients it has, out of the head of the plain form: a version is only ever added. false: no such form. */
bool immun_counts(struct slice plain, size_t *ret_versions, size_t *ret_recipients);

/* Reads the JSON object of docs/vaccination.md (without immunizationId, version, status, times). FIELD with the faults in *report; otherwise as json_in_object().
 * A GTIN becomes 14 digits; its check digit is a rule of the dose (rules.h). Texts that hold twelve digits in a row are refused as number_inside: no individual
 * number has a place in a record. Slices live in the arena. */
ERR immun_read(struct slice json, struct arena *a, struct immun *ret_i, struct field_report *report);
/* The same of a value that was read already. False: see *report. */
bool immun_read_value(json_t *v, struct arena *a, struct immun *ret_i, struct field_report *report);
/* Twelve digits, also full-width ones, whatever blanks, hyphens, dots and underscores stand between them. */
bool immun_holds_number(struct slice utf8);
/* What the sender said is the same: all but warnings, recorded_ms, request, writer, reason, reduction. */
bool immun_same(const struct immun *a, const struct immun *b);
enum immun_view { IMMUN_VIEW_CLINIC, IMMUN_VIEW_CITIZEN, IMMUN_VIEW_MUNICIPALITY /* with ticketNumber */ };
/* Version v (1..n_versions) as a JSON object. */
void immun_write(const struct immun_record *rec, size_t v, enum immun_view view, struct jsonw *w);

/* Notes that somebody was told the present version; the oldest confirmed one leaves when there are too many, and the oldest of all when none is confirmed; the
 * vaccination database never. False: that was known already. */
bool immun_note_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint64_t now_ms);
/* It confirmed that it was told `version`. False: a later one is known to it already. */
bool immun_ack_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version, uint64_t now_ms);
/* It is about to be told `version`, and whether it has taken it will perhaps never be known. False: that is noted already, or it knows a later one. */
bool immun_perhaps_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version, uint64_t now_ms);
/* It says that it never had `version`, which it was perhaps told. Who was told nothing leaves. False: it was not perhaps told. */
bool immun_never_recipient(struct immun_record *rec, enum immun_audience audience, struct slice who, uint16_t version);
const struct immun_recipient *immun_recipient_of(const struct immun_record *rec, enum immun_audience audience, struct slice who); /* NULL: nothing is known */
bool immun_was_perhaps_told(const struct immun_recipient *r, uint16_t version);
/* The newest version before this one that it was told or perhaps told; 0: none. */
uint16_t immun_told_before(const struct immun_recipient *r, uint16_t version);
/* 回収: it was told, or perhaps told, a version that is not the newest, and has confirmed no newer one. Certificates are superseded by themselves (gateway/cert). */
bool immun_recall_is_open(const struct immun_record *rec, const struct immun_recipient *r);

#endif
