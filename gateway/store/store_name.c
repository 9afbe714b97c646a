#include "gateway/store/store_keys.h"

static void put(struct store_name *k, struct slice s)
{
    /* Every part has a fixed size; the longest name is "u:{32}:32". */
    memcpy(k->c + k->n, s.p, s.n);
    k->n += s.n;
}

static void put_hex(struct store_name *k, const uint8_t *p, size_t n)
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        k->c[k->n++] = HEX[p[i] >> 4];
        k->c[k->n++] = HEX[p[i] & 15];
    }
}

struct err store_person(struct store *s, struct slice pmh_key, struct person *ret_p)
{
    uint8_t sum[MAC_BYTES];
    struct store_name hex = { .n = 0 };
    TRY(MAC_SUM(s->index, sum, LIT("h"), pmh_key));
    put_hex(&hex, sum, sizeof ret_p->h / 2);
    memcpy(ret_p->h, hex.c, sizeof ret_p->h);
    return OK;
}

void store_name_person(const struct person *p, struct store_name *ret_k)
{
    ret_k->n = 0;
    put(ret_k, LIT("p:{"));
    put(ret_k, ARR(p->h));
    put(ret_k, LIT("}"));
}

struct err store_name_used(struct store *s, const struct person *p, struct slice jti, struct store_name *ret_k)
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("u"), jti));
    ret_k->n = 0;
    put(ret_k, LIT("u:{"));
    put(ret_k, ARR(p->h));
    put(ret_k, LIT("}:"));
    put_hex(ret_k, sum, 16);
    return OK;
}

struct err store_name_pseudonym(struct store *s, struct slice portal, struct slice pseudonym, struct store_name *ret_k)
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("ps"), portal, pseudonym));
    ret_k->n = 0;
    put(ret_k, LIT("ps:"));
    put_hex(ret_k, sum, 16);
    return OK;
}

struct err store_name_session(struct store *s, struct slice token, struct store_name *ret_k)
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("se"), token));
    ret_k->n = 0;
    put(ret_k, LIT("se:"));
    put_hex(ret_k, sum, 16);
    return OK;
}

void store_name_subject(const uint8_t sid[static SUBJECT_BYTES], struct store_name *ret_k)
{
    ret_k->n = 0;
    put(ret_k, LIT("s:"));
    put_hex(ret_k, sid, SUBJECT_BYTES);
}

/* <kind>:<muni>:<hex> */
static struct err name_in_muni(struct store *s, struct slice kind, struct slice muni, struct slice key, struct store_name *ret_k)
{
    uint8_t sum[MAC_BYTES];
    if (!store__is_muni(muni))
        return FAIL(E_FORBIDDEN);
    TRY(MAC_SUM(s->index, sum, kind, muni, key));
    ret_k->n = 0;
    put(ret_k, kind);
    put(ret_k, LIT(":"));
    put(ret_k, muni);
    put(ret_k, LIT(":"));
    put_hex(ret_k, sum, 16);
    return OK;
}

struct err store_name_resident(struct store *s, struct slice muni, struct slice resident_key, struct store_name *ret_k)
{
    return name_in_muni(s, LIT("rk"), muni, resident_key, ret_k);
}

struct err store_name_change(struct store *s, struct slice muni, struct slice operation_key, struct store_name *ret_k)
{
    return name_in_muni(s, LIT("ch"), muni, operation_key, ret_k);
}

enum { RID_BYTES = 8 };

struct err store_field_record(struct store *s, struct slice muni, struct slice type_id, struct slice history_key, struct store_name *ret_f)
{
    uint8_t sum[MAC_BYTES];
    if (!store__is_muni(muni))
        return FAIL(E_FORBIDDEN);
    TRY(MAC_SUM(s->index, sum, LIT("rid"), muni, type_id, history_key));
    ret_f->n = 0;
    put(ret_f, LIT("r:"));
    put(ret_f, muni);
    put(ret_f, LIT(":"));
    put_hex(ret_f, sum, RID_BYTES);
    return OK;
}

bool store_field_is_record(struct slice field, struct slice *ret_muni)
{
    struct slice head, muni, colon;
    if (!slice_take(&field, 2, &head) || !slice_eq(head, LIT("r:")) || !slice_take(&field, MUNI_CHARS, &muni) || !store__is_muni(muni))
        return false;
    if (!slice_take(&field, 1, &colon) || colon.p[0] != ':' || field.n != 2 * RID_BYTES)
        return false;
    *ret_muni = muni;
    return true;
}
