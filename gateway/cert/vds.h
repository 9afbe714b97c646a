#ifndef GW_CERT_VDS_H
#define GW_CERT_VDS_H

/* VDS-NC proof of vaccination (ICAO "Visible Digital Seals for Non-Constrained Environments", as Japan's app issued it): {"data":...,"sig":...}, ES256 over
 * the canonical form (RFC 8785) of data, with the document signer's certificate in it. Sans I/O. Typed fields only, as shc.h; text is ASCII, so that the form
 * with sorted names that is written here is the canonical one. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { VDS_DOSES_MAX = 8, VDS_UVCI_MAX = 12, VDS_NAME_MAX = 39, VDS_PASSPORT_MAX = 11, VDS_CERT_MAX = 2048 /* DER */, VDS_TEXT_MAX = 8192 };

struct vds_dose {
    ymd_t date;
    unsigned seq;            /* dose number, 1.. */
    struct slice des, dis;   /* ICD-11 of vaccine and disease, at most 6 characters ("." counts) */
    struct slice nam;        /* brand, at most 40 */
    struct slice lot;        /* at most 20; required */
};
struct vds_seal {
    struct slice country;    /* three letters: who issues, and where the doses were given */
    struct slice uvci;
    struct slice name;       /* as in the passport, see names.h */
    struct slice passport;   /* [A-Z0-9]{1,11} */
    ymd_t birth;
    struct slice authority;  /* administering centre, at most 20 */
    size_t n;
    const struct vds_dose *doses; /* doses of one vaccine stand together */
};

/* Appends the canonical form of data and gives its SHA-256. FIELD: a field that cannot be in a seal, or twelve digits in a row. */
ERR vds_data(const struct vds_seal *s, struct buf *out, uint8_t ret_digest[static 32]);
/* Appends the whole seal. cert: DER of the document signer. FULL. */
ERR vds_sign(struct slice data, const uint8_t signature[static 64], struct slice cert, struct buf *out);

/* Random identifier of twelve capital letters and digits, never digits alone. */
void vds_uvci(char ret_uvci[static VDS_UVCI_MAX]);

#endif
