/* Signed certificates, as the portal gets them: the text, its code as a picture, and a page to print. */
#include "gateway/base/text.h"
#include "gateway/portal/certs.h"

enum { SCALE = 4, PAGE_MAX = 4 << 20, HEX_ID = 2 * CERT_NAME_BYTES };

static void write_hex(struct jsonw *w, const char *name, struct slice bytes)
{
    struct buf hex;
    buf_init(&hex, 2 * bytes.n + 1);
    buf_hex(&hex, bytes);
    jsonw_str(w, name, buf_slice(&hex));
    buf_done(&hex);
}

static void write_time(struct jsonw *w, const char *name, uint64_t ms)
{
    char at[24];
    clock_format_utc(ms, at);
    jsonw_str(w, name, ARR(at));
}

/* ---- the whole text, and its code ---- */

static ERR complete(const struct cert_issue *x, struct cert_card *card, struct buf *qr_text)
{
    if (x->kind == CERT_SHC) {
        shc_sign(&card->text, card->signature);
        TRY(buf_check(&card->text));
        TRY(shc_numeric(buf_slice(&card->text), qr_text));
        return qr_of_shc(&card->qr, buf_slice(qr_text));
    }
    TRY(vds_sign(buf_slice(&card->text), card->signature, buf_slice(&x->desk->seal_cert), qr_text));
    return qr_of_bytes(&card->qr, buf_slice(qr_text));
}

static ERR write_pictures(const struct cert_card *card, struct jsonw *w)
{
    struct buf png, b64, svg;
    buf_init(&png, QR_PNG_MAX);
    buf_init(&b64, 2 * QR_PNG_MAX);
    buf_init(&svg, QR_SVG_MAX);
    struct err e = qr_png(card->qr, SCALE, &png);
    if (err_ok(e))
        e = qr_svg(card->qr, &svg);
    if (err_ok(e)) {
        b64_encode(buf_slice(&png), &b64);
        e = buf_check(&b64);
    }
    if (err_ok(e)) {
        jsonw_str(w, "png", buf_slice(&b64));
        jsonw_str(w, "svg", buf_slice(&svg));
    }
    buf_done(&png);
    buf_done(&b64);
    buf_done(&svg);
    return e;
}

static void write_doses(const struct cert_issue *x, size_t card, struct jsonw *w)
{
    jsonw_array(w, "doses");
    for (size_t i = 0; i < x->n_picks; i++) {
        const struct cert_pick *p = &x->picks[i];
        if (p->left != CERT_IN || p->card != card)
            continue;
        jsonw_object(w, NULL);
        write_hex(w, "immunizationId", ARR(p->place->rec->id));
        jsonw_u64(w, "version", p->place->rec->n_versions);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static ERR write_text(const struct cert_issue *x, const struct cert_card *card, struct slice qr_text, struct jsonw *w)
{
    struct buf qr;
    if (x->kind == CERT_VDS) {
        jsonw_str(w, "qr", qr_text);
        return OK;
    }
    jsonw_str(w, "jws", buf_slice(&card->text));
    buf_init(&qr, 5 + 2 * SHC_JWS_MAX);
    buf_puts(&qr, "shc:/");
    buf_put(&qr, qr_text);
    jsonw_str(w, "qr", buf_slice(&qr));
    struct err e = buf_check(&qr);
    buf_done(&qr);
    return e;
}

static ERR write_card(struct cert_issue *x, size_t k, struct jsonw *w)
{
    struct cert_card *card = &x->cards[k];
    struct buf qr_text;
    buf_init(&qr_text, VDS_TEXT_MAX);
    struct err e = complete(x, card, &qr_text);
    if (err_ok(e)) {
        jsonw_object(w, NULL);
        write_hex(w, "certificate_id", ARR(card->kept.name));
        jsonw_cstr(w, "kind", cert_kind_name(x->kind));
        write_time(w, "issued_at", card->kept.issued_ms);
        write_doses(x, k, w);
        e = write_text(x, card, buf_slice(&qr_text), w);
    }
    if (err_ok(e))
        e = write_pictures(card, w);
    jsonw_end_object(w);
    buf_done(&qr_text);
    return e;
}

/* ---- to print ---- */

static size_t page_doses(const struct cert_issue *x, struct page_dose *d)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_picks; i++) {
        const struct cert_pick *p = &x->picks[i];
        if (p->left == CERT_IN)
            d[n++] = (struct page_dose){ p->dose->date, p->dose->dose, slice_str(p->product->vaccine_ja), slice_str(p->product->vaccine_en),
                                         slice_str(p->product->product_ja), slice_str(p->product->maker_ja), p->dose->lot };
    }
    return n;
}

static ERR write_page(const struct cert_issue *x, struct jsonw *w)
{
    struct page_dose doses[CERT_PICKS_MAX];
    struct page_code codes[CERT_CARDS_MAX];
    struct buf name, html;
    buf_init(&name, 2 * ATTRIBUTES_MAX);
    buf_init(&html, PAGE_MAX);
    for (size_t k = 0; k < x->n_cards; k++)
        codes[k] = (struct page_code){ x->cards[k].qr, slice_of(x->cards[k].kept.rid, strnlen(x->cards[k].kept.rid, CERT_RID_MAX)), x->kind == CERT_VDS };
    if (x->passport.there)
        buf_put(&name, slice_of(x->passport.name, x->passport.name_n));
    else {
        buf_put(&name, x->person.family);
        buf_puts(&name, x->person.given.n ? "　" : "");
        buf_put(&name, x->person.given);
    }
    const struct page p = { .name = buf_slice(&name), .authority = x->desk->authority, .passport = x->passport.number, .nationality = x->passport.nationality,
                            .birth = x->person.birth, .issued = clock_date_jst(x->now_ms), .n_doses = page_doses(x, doses), .n_codes = x->n_cards, .doses = doses,
                            .codes = codes };
    struct err e = page_write(&p, &html);
    if (err_ok(e))
        jsonw_str(w, "html", buf_slice(&html));
    buf_done(&name);
    buf_done(&html);
    return e;
}

static void write_left(const struct cert_issue *x, struct jsonw *w)
{
    jsonw_array(w, "left_out");
    for (size_t i = 0; i < x->n_picks; i++) {
        if (x->picks[i].left == CERT_IN)
            continue;
        jsonw_object(w, NULL);
        write_hex(w, "immunizationId", ARR(x->picks[i].place->rec->id));
        jsonw_cstr(w, "why", cert_left_name(x->picks[i].left));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

ERR cert_answer(struct cert_issue *x)
{
    struct jsonw w;
    jsonw_init(&w, req_out(x->c.a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "certificates");
    for (size_t k = 0; k < x->n_cards; k++)
        TRY(write_card(x, k, &w));
    jsonw_end_array(&w);
    write_left(x, &w);
    TRY(write_page(x, &w));
    jsonw_end_object(&w);
    return buf_check(req_out(x->c.a.r));
}
