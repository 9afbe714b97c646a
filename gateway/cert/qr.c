#include "gateway/cert/qr.h"

#include <png.h>
#include <qrencode.h>
#include <stdlib.h>

#include "gateway/cert/shc.h"

/* jsQR, which many pages scan with, looks for the alignment patterns of version 23 at wrong places and reads none of them. */
enum { SCALE_MAX = 16, MISREAD = 23 };

struct qr { QRcode *code; };

static ERR encode(struct qr **ret_q, QRinput *in)
{
    QRcode *code = QRcode_encodeInput(in);
    QRinput_free(in);
    if (!code)
        return FAIL(E_FULL);
    struct qr *q = malloc(sizeof *q);
    if (!q) {
        QRcode_free(code);
        return FAIL(E_NOMEM);
    }
    q->code = code;
    *ret_q = q;
    return OK;
}

struct err qr_of_shc(struct qr **ret_q, struct slice digits)
{
    static const uint8_t PREFIX[] = { 's', 'h', 'c', ':', '/' };
    QRinput *in = QRinput_new2(0, QR_ECLEVEL_L);
    if (!in)
        return FAIL(E_NOMEM);
    if (digits.n == 0 || digits.n > 2 * SHC_JWS_MAX || QRinput_append(in, QR_MODE_8, sizeof PREFIX, PREFIX) != 0 ||
        QRinput_append(in, QR_MODE_NUM, (int)digits.n, digits.p) != 0) {
        QRinput_free(in);
        return FAIL(E_FULL);
    }
    TRY(encode(ret_q, in));
    if (qr_version(*ret_q) <= SHC_QR_VERSION_MAX)
        return OK;
    qr_free(*ret_q);
    *ret_q = NULL;
    return FAIL(E_FULL);
}

static ERR bytes_in(struct qr **ret_q, struct slice text, int version)
{
    QRinput *in = QRinput_new2(version, QR_ECLEVEL_L);
    if (!in)
        return FAIL(E_NOMEM);
    if (text.n == 0 || QRinput_append(in, QR_MODE_8, (int)text.n, text.p) != 0) {
        QRinput_free(in);
        return FAIL(E_FULL);
    }
    return encode(ret_q, in);
}

struct err qr_of_bytes(struct qr **ret_q, struct slice text)
{
    TRY(bytes_in(ret_q, text, 0));
    if (qr_version(*ret_q) != MISREAD)
        return OK;
    qr_free(*ret_q);
    *ret_q = NULL;
    return bytes_in(ret_q, text, MISREAD + 1);
}

void qr_free(struct qr *q)
{
    if (!q)
        return;
    QRcode_free(q->code);
    free(q);
}

unsigned qr_version(const struct qr *q) { return (unsigned)q->code->version; }
unsigned qr_width(const struct qr *q) { return (unsigned)q->code->width; }
bool qr_dark(const struct qr *q, unsigned x, unsigned y) { return q->code->data[y * qr_width(q) + x] & 1; }

/* ---- PNG ---- */

static void pixels_make(const struct qr *q, unsigned scale, unsigned side, uint8_t *pixels)
{
    unsigned width = qr_width(q);
    memset(pixels, 1, (size_t)side * side);
    for (unsigned y = 0; y < width * scale; y++)
        for (unsigned x = 0; x < width; x++)
            if (qr_dark(q, x, y / scale))
                memset(pixels + (size_t)(y + QR_QUIET * scale) * side + (x + QR_QUIET) * scale, 0, scale);
}

struct err qr_png(const struct qr *q, unsigned scale, struct buf *out)
{
    static const uint8_t BLACK_AND_WHITE[] = { 0, 255 }; /* two colours: libpng writes one bit a pixel */
    if (scale == 0 || scale > SCALE_MAX)
        return FAIL(E_INTERNAL);
    unsigned side = (qr_width(q) + 2 * QR_QUIET) * scale;
    png_image image = { .version = PNG_IMAGE_VERSION, .width = side, .height = side, .format = PNG_FORMAT_FLAG_COLORMAP, .colormap_entries = 2 };
    uint8_t *pixels = malloc((size_t)side * side), *room = buf_room(out, QR_PNG_MAX);
    png_alloc_size_t n = QR_PNG_MAX;
    bool good = pixels && room;
    if (good) {
        pixels_make(q, scale, side, pixels);
        good = png_image_write_to_memory(&image, room, &n, 0, pixels, (png_int_32)side, BLACK_AND_WHITE) != 0;
    }
    if (good)
        buf_grew(out, n);
    png_image_free(&image);
    free(pixels);
    return good ? buf_check(out) : FAIL(E_FULL);
}

/* ---- SVG ---- */

struct err qr_svg(const struct qr *q, struct buf *out)
{
    unsigned width = qr_width(q), side = width + 2 * QR_QUIET;
    buf_puts(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
    buf_u64(out, side);
    buf_putc(out, ' ');
    buf_u64(out, side);
    buf_puts(out, "\" shape-rendering=\"crispEdges\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path fill=\"#000\" d=\"");
    for (unsigned y = 0; y < width; y++)
        for (unsigned x = 0, n; x < width; x += n) {
            for (n = 0; x + n < width && qr_dark(q, x + n, y); n++) {}
            if (n == 0) {
                n = 1;
                continue;
            }
            buf_putc(out, 'M');
            buf_u64(out, x + QR_QUIET);
            buf_putc(out, ' ');
            buf_u64(out, y + QR_QUIET);
            buf_puts(out, "h");
            buf_u64(out, n);
            buf_puts(out, "v1h-");
            buf_u64(out, n);
            buf_puts(out, "z");
        }
    buf_puts(out, "\"/></svg>");
    return buf_check(out);
}
