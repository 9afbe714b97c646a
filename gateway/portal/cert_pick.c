/* From a person's records to the texts that are to be signed. */
#include "gateway/base/text.h"
#include "gateway/portal/certs.h"

enum { LOT_MAX = 20 };

const char *cert_left_name(enum cert_left l)
{
    static const char *const NAMES[CERT_LEFT__MAX] = { "in", "no_code", "no_lot", "lot", "full" };
    return l < CERT_LEFT__MAX ? NAMES[l] : "?";
}

/* ---- which doses ---- */

static bool is_wanted(const struct cert_issue *x, const uint8_t id[static IMMUN_ID_BYTES])
{
    uint8_t want[IMMUN_ID_BYTES];
    for (size_t i = 0; i < json_array_size(x->wanted); i++) {
        json_t *v = json_object_get(json_array_get(x->wanted, i), "immunizationId");
        if (hex_decode(slice_of(json_string_value(v), json_string_length(v)), want, sizeof want) && slice_eq(ARR(want), slice_of(id, sizeof want)))
            return true;
    }
    return !x->wanted;
}

static bool lot_ok(struct slice lot)
{
    for (size_t i = 0; i < lot.n; i++)
        if (lot.p[i] < ' ' || lot.p[i] > '~' || lot.p[i] == '"' || lot.p[i] == '\\')
            return false;
    return lot.n <= LOT_MAX && !cert_has_twelve_digits(lot);
}

static enum cert_left judge(const struct cert_issue *x, const struct cert_pick *p)
{
    const struct slice lot = p->dose->lot;
    bool coded = p->product && (x->kind == CERT_SHC ? p->product->cvx != NULL : p->product->icd && p->program && p->program->disease_icd);
    if (!coded)
        return CERT_LEFT_NO_CODE;
    if (!lot_ok(lot))
        return CERT_LEFT_LOT;
    return x->kind == CERT_VDS && !lot.n ? CERT_LEFT_NO_LOT : CERT_IN;
}

/* Oldest first; in a VDS-NC doses of one product stand together, those of none behind them. */
static bool before(const struct cert_issue *x, const struct cert_pick *a, const struct cert_pick *b)
{
    if (x->kind == CERT_VDS && a->product != b->product)
        return b->product ? a->product && a->product < b->product : a->product != NULL;
    return a->dose->date < b->dose->date;
}

static void insert(struct cert_issue *x, struct cert_pick p)
{
    size_t at = x->n_picks++;
    for (; at > 0 && before(x, &p, &x->picks[at - 1]); at--)
        x->picks[at] = x->picks[at - 1];
    x->picks[at] = p;
}

static void note_muni(struct cert_issue *x, const char muni[static 6])
{
    for (size_t i = 0; i < x->n_munis; i++)
        if (slice_eq(ARR(x->munis[i].code), slice_of(muni, 6))) {
            x->munis[i].count++;
            return;
        }
    memcpy(x->munis[x->n_munis].code, muni, 6);
    x->munis[x->n_munis++].count = 1;
}

ERR cert_pick(struct cert_issue *x, const struct redis_reply *hash)
{
    const struct lookup_env *env = x->c.a.env;
    bool any = false;
    x->n_picks = x->n_munis = 0;
    TRY(immun_book_open(env->store, &x->c.ps.person, hash, req_arena(x->c.a.r), x->book));
    for (size_t i = 0; i < x->book->n; i++) {
        const struct immun_place *place = &x->book->at[i];
        const struct immun *dose = immun_now(place->rec);
        if (judge_has_ended(&x->c.judge, ARR(place->muni))) /* what it registered gives nothing any more */
            continue;
        any = true;
        if (dose->status != IMMUN_COMPLETED || !is_wanted(x, place->rec->id))
            continue;
        struct cert_pick p = { .place = place, .dose = dose };
        p.product = dose->gtin.n && env->vaccines ? vaccine_product(env->vaccines, dose->gtin) : NULL;
        p.program = env->vaccines ? vaccine_program(env->vaccines, dose->program) : NULL;
        p.left = judge(x, &p);
        insert(x, p);
    }
    for (size_t i = 0; i < x->n_picks; i++)
        if (x->picks[i].left == CERT_IN)
            note_muni(x, x->picks[i].place->muni);
    return x->n_munis ? OK : any ? FAIL(E_NO_DOSE) : FAIL(E_NOTHING);
}

/* ---- the texts ---- */

/* A card that is new in this round; what an earlier round had made goes. */
static void card_begin(struct cert_issue *x, struct cert_card **ret_card)
{
    struct cert_card *card = &x->cards[x->n_cards];
    buf_reset(&card->text);
    card->kept = (struct cert_stored){ .kind = x->kind, .issued_ms = x->now_ms };
    rnd_bytes(card->kept.name, sizeof card->kept.name);
    memcpy(card->kept.kid, x->kid, sizeof card->kept.kid);
    *ret_card = card;
}

static void card_end(struct cert_issue *x, struct cert_card *card, const size_t *picks, size_t n)
{
    card->kept.n_records = n;
    for (size_t i = 0; i < n; i++) {
        struct cert_pick *p = &x->picks[picks[i]];
        struct cert_record *r = &card->kept.records[i];
        p->card = x->n_cards;
        memcpy(r->muni, p->place->muni, sizeof r->muni);
        memcpy(r->id, p->place->rec->id, sizeof r->id);
        r->version = (uint16_t)p->place->rec->n_versions;
    }
    x->n_cards++;
}

/* Random, of nothing that is the person's. */
static void make_rid(struct cert_stored *kept)
{
    uint8_t rnd[12];
    struct buf b;
    buf_init(&b, CERT_RID_MAX);
    rnd_bytes(rnd, sizeof rnd);
    b64url_encode(ARR(rnd), &b);
    memcpy(kept->rid, b.p, b.n);
    buf_done(&b);
}

static struct shc_card card_of(const struct cert_issue *x, const struct cert_card *card, const struct shc_dose *doses, size_t n)
{
    struct shc_card c = { .issuer = x->desk->issuer, .nbf_s = x->now_ms / 1000, .rid = slice_of(card->kept.rid, strnlen(card->kept.rid, CERT_RID_MAX)),
                          .family = x->person.family, .given = x->person.given, .birth = x->person.birth, .authority = x->desk->authority, .n = n, .doses = doses };
    if (x->passport.there) { /* for use abroad: the name of the passport; up to its first space is the family's */
        const struct slice name = slice_of(x->passport.name, x->passport.name_n);
        c.family = name;
        c.given = SLICE_NONE;
        slice_cut(name, ' ', &c.family, &c.given);
    }
    return c;
}

/* As many as fit, from the first on. */
static ERR pack(struct cert_issue *x, struct cert_card *card, const size_t *picks, size_t n, size_t *ret_n)
{
    struct shc_dose doses[SHC_DOSES_MAX];
    struct err e = FAIL(E_FULL);
    size_t k = n < SHC_DOSES_MAX ? n : SHC_DOSES_MAX;
    for (size_t i = 0; i < k; i++)
        doses[i] = (struct shc_dose){ x->picks[picks[i]].dose->date, slice_str(x->picks[picks[i]].product->cvx), x->picks[picks[i]].dose->lot };
    for (; k > 0 && err_is(e, E_FULL); k--) {
        struct shc_card c = card_of(x, card, doses, k);
        buf_reset(&card->text);
        e = shc_text(x->desk->packer, &c, x->kid, &card->text, card->digest);
        *ret_n = k;
    }
    return e;
}

static ERR make_cards(struct cert_issue *x, const size_t *picks, size_t n)
{
    size_t at = 0;
    for (size_t took; at < n && x->n_cards < CERT_CARDS_MAX; at += took) {
        struct cert_card *card;
        card_begin(x, &card);
        make_rid(&card->kept);
        struct err e = pack(x, card, picks + at, n - at, &took);
        if (err_is(e, E_FULL)) /* not even one: the name and the issuer leave no room */
            break;
        TRY(e);
        card_end(x, card, picks + at, took);
    }
    for (; at < n; at++)
        x->picks[picks[at]].left = CERT_LEFT_FULL;
    return x->n_cards ? OK : FAIL(E_NO_DOSE);
}

static ERR make_seal(struct cert_issue *x, const size_t *picks, size_t n)
{
    struct vds_dose doses[VDS_DOSES_MAX];
    struct cert_card *card;
    char uvci[VDS_UVCI_MAX];
    size_t k = n < VDS_DOSES_MAX ? n : VDS_DOSES_MAX;
    card_begin(x, &card);
    vds_uvci(uvci);
    memcpy(card->kept.rid, uvci, sizeof uvci);
    for (size_t i = 0; i < k; i++) {
        const struct cert_pick *p = &x->picks[picks[i]];
        doses[i] = (struct vds_dose){ p->dose->date, p->dose->dose, slice_str(p->product->icd), slice_str(p->program->disease_icd), slice_str(p->product->product_en),
                                      p->dose->lot };
    }
    const struct vds_seal s = { .country = x->desk->country, .uvci = ARR(uvci), .name = slice_of(x->passport.name, x->passport.name_n), .passport = x->passport.number,
                                .birth = x->person.birth, .authority = x->desk->authority, .n = k, .doses = doses };
    TRY(vds_data(&s, &card->text, card->digest));
    card_end(x, card, picks, k);
    for (size_t i = k; i < n; i++)
        x->picks[picks[i]].left = CERT_LEFT_FULL;
    return OK;
}

ERR cert_cards_make(struct cert_issue *x)
{
    size_t picks[CERT_PICKS_MAX], n = 0;
    x->n_cards = 0;
    for (size_t i = 0; i < x->n_picks; i++)
        if (x->picks[i].left == CERT_IN)
            picks[n++] = i;
    return x->kind == CERT_SHC ? make_cards(x, picks, n) : make_seal(x, picks, n);
}
