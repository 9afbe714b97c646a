#ifndef GW_PORTAL_CERTS_H
#define GW_PORTAL_CERTS_H

/* Applying for certificates of vaccination. Shared by cert_issue.c, cert_pick.c and cert_answer.c only. */

#include "gateway/cert/attributes.h"
#include "gateway/cert/names.h"
#include "gateway/cert/page.h"
#include "gateway/cert/stored.h"
#include "gateway/cert/vds.h"
#include "gateway/portal/cert_desk.h"
#include "gateway/portal/citizen.h"
#include "gateway/vaccine/book.h"
#include "gateway/vaccine/table.h"

enum { CERT_CARDS_MAX = 4, CERT_PICKS_MAX = IMMUN_BOOK_MAX };

/* Why a dose is not in a certificate. */
enum cert_left { CERT_IN, CERT_LEFT_NO_CODE /* its product has no code that such certificates know */, CERT_LEFT_NO_LOT, CERT_LEFT_LOT /* the lot has what no lot has */,
                 CERT_LEFT_FULL /* no room any more */, CERT_LEFT__MAX };
const char *cert_left_name(enum cert_left l);

struct cert_pick { /* a dose that was asked for */
    const struct immun_place *place;
    const struct immun *dose;
    const struct vaccine_product *product; /* NULL: not in the table */
    const struct vaccine_program *program; /* NULL: not in the table */
    enum cert_left left;
    size_t card;              /* when it is in: which */
};

struct cert_card { /* one certificate */
    struct cert_stored kept;
    uint8_t digest[SIGNER_DIGEST], signature[SIGNER_SIGNATURE];
    struct buf text;          /* what is signed, then the whole */
    struct qr *qr;
};

struct cert_passport { struct slice number, nationality; char name[NAME_LATIN_MAX]; size_t name_n; bool there; };

struct cert_issue {
    struct citizen c;
    struct cert_desk *desk;
    enum cert_kind kind;
    struct cert_passport passport;
    struct attributes person;
    json_t *wanted;           /* [{"immunizationId"}]; NULL: all */
    bool jti_used;            /* by this request */
    unsigned rounds;
    uint64_t now_ms;
    uint8_t key_number;
    const char *kid;
    struct immun_book *book;
    struct cert_book *certs;
    size_t n_picks;
    struct cert_pick picks[CERT_PICKS_MAX];
    size_t n_cards;
    struct cert_card cards[CERT_CARDS_MAX];
    unsigned waiting;
    struct err unsigned_why;
    struct judge_muni munis[CERT_PICKS_MAX];
    size_t n_munis;
};

/* cert_pick.c: which doses, from the hash; then the texts to be signed. NO_DOSE; NOTHING: no record at all. */
ERR cert_pick(struct cert_issue *x, const struct redis_reply *hash);
ERR cert_cards_make(struct cert_issue *x);
/* cert_answer.c: the signed certificates as the answer. */
ERR cert_answer(struct cert_issue *x);

#endif
