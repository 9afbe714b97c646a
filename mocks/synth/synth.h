#ifndef MOCKS_SYNTH_SYNTH_H
#define MOCKS_SYNTH_SYNTH_H

/* A synthetic municipality, resident by resident: households with one family name and address, parents and children,
 * and the certificates of medical subsidy that they hold. The same configuration gives the same residents.
 *
 * Individual numbers are valid and start with 99 and the slot of the city: the law reserves no range for tests, so this one is
 * a convention of the project. Numbers, card serials and resident keys are unique in a municipality and, for the cities that
 * city.c names, across municipalities. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { SYNTH_CERTS_MAX = 2, SYNTH_COUNT_MAX = 100 * 1000 * 1000 };

struct synth_conf {
    struct slice muni; /* 6 digits */
    uint64_t count;    /* residents, 1..SYNTH_COUNT_MAX */
    uint64_t seed;
    ymd_t on;          /* the day on which the municipality looks like this */
    bool distinct;     /* one certificate each, so that there are as many rows as residents */
    /* NULL, or whether a name can be written where it goes: others are replaced by an everyday name. */
    bool (*name_ok)(void *ctx, const char *utf8);
    void *ctx;
};

/* The parts of maxCopaymentAmount; id NULL: none. */
struct synth_copay { const char *id, *type, *definition, *rate, *amount, *times; };

struct synth_program {
    const char *type_id;  /* orgSpecificCertificateTypeId */
    const char *law;      /* 法別番号, 2 digits */
    const char *name;     /* certificationName; NULL: what the city calls its child subsidy */
    bool national;        /* has designated institutions and a monthly limit */
    struct synth_copay copay;
    const char *segment, *income, *conditions; /* NULL for none */
    bool reimbursed;      /* isAlwaysReimbursement */
};

struct synth_cert {
    const struct synth_program *program;
    const char *name;     /* certificationName */
    char payer[9];        /* 公費負担者番号, valid */
    char recipient[8];    /* 公費受給者番号, valid */
    ymd_t from, to;
};

struct synth_resident {
    char number[13];      /* valid individual number */
    char serial[9];       /* of the card's certificate, 8 hex digits */
    char key[11];         /* municipalityIdentityKey */
    char name[128], kana[160], address[256]; /* UTF-8 */
    ymd_t birth;
    char sex;             /* '1' male, '2' female */
    bool not_disclosed;
    unsigned n_certs;
    struct synth_cert certs[SYNTH_CERTS_MAX];
};

struct synth;
/* FIELD when muni is not 6 digits, CONFIG when count is out of range. */
ERR synth_new(struct synth **ret_s, const struct synth_conf *conf);
void synth_free(struct synth *s);
/* The next resident; false after the last one. */
bool synth_next(struct synth *s, struct synth_resident *ret_r);

/* One JSON line for the mock nation: {"card_serial","my_number","name","date_of_birth","sex","not_disclosed","resident_key"}. */
void synth_write_card(const struct synth_resident *r, struct buf *out);

#endif
