#ifndef GW_ZONE_NUMBER
#error "decode.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_DECODE_H
#define KEYS_LINKAGE_DECODE_H

/* Bytes of a file to UTF-8 without BOM, piece by piece. UTF-8 passes byte-exactly; CP932 goes through iconv. */

#include <iconv.h>

#include "gateway/base/buf.h"
#include "keys/linkage/rules.h"

enum nz_encoding { NZ_ENC_AUTO, NZ_ENC_UTF8, NZ_ENC_CP932 };

/* How a UTF-8 reader stands between two bytes. */
struct nz_utf8 { uint8_t need, low, high; };

enum { NZ_DECODE_HEAD = 4, NZ_DECODE_HOLD = 4096 };

struct nz_decode {
    enum nz_encoding encoding; /* AUTO: not decided yet */
    iconv_t cp932;             /* (iconv_t)-1: none is needed */
    bool started;              /* the head was looked at */
    struct nz_utf8 utf8;       /* of the file (UTF-8), of what is held (AUTO) */
    struct { struct nz_utf8 utf8; bool valid; unsigned threes; } cell; /* CP932: whether this cell could be UTF-8 */
    uint8_t held[NZ_DECODE_HOLD];
    size_t n_held;             /* head, undecided bytes, or a part of a character */
};

/* Loads the converter (files of glibc), so call it before privileges are given up. CONFIG when the machine has none. */
ERR nz_decode_init(struct nz_decode *d, enum nz_encoding want);
/* AUTO decides: a BOM means UTF-8; else the first line that is not plain ASCII (4 KiB of it at most) tells, UTF-8 when it is valid
 * in it. On a fault, *out has everything before the fault; then the decoder is only to be ended with done. */
enum nz_rule nz_decode_feed(struct nz_decode *d, struct slice in, struct buf *out);
/* The file is over: gives out what is held. */
enum nz_rule nz_decode_end(struct nz_decode *d, struct buf *out);
void nz_decode_done(struct nz_decode *d);

#endif
