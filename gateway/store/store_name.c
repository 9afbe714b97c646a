#include "gateway/base/secret.h"
#include "gateway/base/text.h"
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

static struct err handle_of(struct store *s, struct slice kind, struct slice a, struct slice b, uint8_t out[static STORE_HANDLE_BYTES])
{
    uint8_t sum[MAC_BYTES];
    if (b.n)
        TRY(MAC_SUM(s->index, sum, kind, a, b));
    else
        TRY(MAC_SUM(s->index, sum, kind, a));
    memcpy(out, sum, STORE_HANDLE_BYTES);
    return OK;
}

struct err store_handle_used(struct store *s, struct slice jti, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("u"), jti, SLICE_NONE, out);
}

enum { TOKEN_HALF = STORE_TOKEN_BYTES / 2 };

/* masked: the person's name, or back from it. */
static struct err token_of(struct store *s, const uint8_t random[static TOKEN_HALF], const uint8_t in[static TOKEN_HALF], uint8_t masked[static TOKEN_HALF],
                           uint8_t ret_handle[static STORE_HANDLE_BYTES])
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("se"), slice_of(random, TOKEN_HALF)));
    memcpy(ret_handle, sum, STORE_HANDLE_BYTES);
    for (size_t i = 0; i < TOKEN_HALF; i++)
        masked[i] = in[i] ^ sum[STORE_HANDLE_BYTES + i];
    explicit_bzero(sum, sizeof sum);
    return OK;
}

struct err store_token_new(struct store *s, const struct person *p, uint8_t ret_token[static STORE_TOKEN_BYTES], uint8_t ret_handle[static STORE_HANDLE_BYTES])
{
    uint8_t h[TOKEN_HALF];
    if (!hex_decode(ARR(p->h), h, sizeof h))
        return FAIL(E_INTERNAL);
    rnd_bytes(ret_token, TOKEN_HALF);
    return token_of(s, ret_token, h, ret_token + TOKEN_HALF, ret_handle);
}

struct err store_token_open(struct store *s, const uint8_t token[static STORE_TOKEN_BYTES], struct person *ret_p, uint8_t ret_handle[static STORE_HANDLE_BYTES])
{
    uint8_t h[TOKEN_HALF];
    struct store_name hex = { .n = 0 };
    TRY(token_of(s, token, token + TOKEN_HALF, h, ret_handle));
    put_hex(&hex, h, sizeof h);
    memcpy(ret_p->h, hex.c, sizeof ret_p->h);
    return OK;
}

struct err store_handle_user(struct store *s, struct slice muni, struct slice user_id, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("us"), muni, user_id, out);
}

struct err store_handle_staff(struct store *s, struct slice token, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("ss"), token, SLICE_NONE, out);
}

struct err store_handle_source(struct store *s, struct slice where, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("sk"), where, SLICE_NONE, out);
}

struct err store_handle_view(struct store *s, struct slice scope, struct slice kind, struct slice name, uint8_t out[static STORE_HANDLE_BYTES])
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("vw"), scope, kind, name));
    memcpy(out, sum, STORE_HANDLE_BYTES);
    return OK;
}

struct err store_handle_order(struct store *s, struct slice muni, struct slice order, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("sa"), muni, order, out);
}

struct err store_handle_lane(struct store *s, struct slice who, struct slice kind, struct slice ref, uint8_t out[static STORE_HANDLE_BYTES])
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("nl"), who, kind, ref));
    memcpy(out, sum, STORE_HANDLE_BYTES);
    return OK;
}

struct err store_handle_provision(struct store *s, struct slice record, uint16_t version, uint8_t out[static STORE_HANDLE_BYTES])
{
    const uint8_t number[] = { (uint8_t)(version >> 8), (uint8_t)version };
    return handle_of(s, LIT("pv"), record, ARR(number), out);
}

struct err store_handle_consent(struct store *s, const struct person *p, struct slice consent_id, uint8_t out[static STORE_HANDLE_BYTES])
{
    return handle_of(s, LIT("co"), ARR(p->h), consent_id, out);
}

void store_name_of_used(const struct person *p, const uint8_t handle[static STORE_HANDLE_BYTES], struct store_name *ret_k)
{
    ret_k->n = 0;
    put(ret_k, LIT("u:{"));
    put(ret_k, ARR(p->h));
    put(ret_k, LIT("}:"));
    put_hex(ret_k, handle, STORE_HANDLE_BYTES);
}

struct err store_name_used(struct store *s, const struct person *p, struct slice jti, struct store_name *ret_k)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    TRY(store_handle_used(s, jti, handle));
    store_name_of_used(p, handle, ret_k);
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

/* <kind>:<hex> */
static struct err name_of(struct store *s, struct slice kind, struct slice a, struct slice b, struct store_name *ret_k)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    TRY(handle_of(s, kind, a, b, handle));
    ret_k->n = 0;
    put(ret_k, kind);
    put(ret_k, LIT(":"));
    put_hex(ret_k, handle, sizeof handle);
    return OK;
}

struct err store_name_ticket(struct store *s, struct slice muni, struct slice number, struct store_name *ret_k)
{
    return store__is_muni(muni) ? name_of(s, LIT("tk"), muni, number, ret_k) : FAIL(E_FORBIDDEN);
}

struct err store_name_ticket_tries(struct store *s, struct slice clinic, struct store_name *ret_k)
{
    return name_of(s, LIT("tf"), clinic, SLICE_NONE, ret_k);
}

void store_name_vaccinated(const char muni[static 6], struct store_name *ret_k)
{
    ret_k->n = 0;
    put(ret_k, LIT("vi:"));
    put(ret_k, slice_of(muni, MUNI_CHARS));
}

enum { RID_BYTES = 8, KIND_CHARS = 2, MADE_HEX = 32 };

/* A kind without a letter has no records of its own. */
static struct slice kind_head(enum store_kind kind)
{
    static const char HEADS[STORE_KIND__MAX][KIND_CHARS + 1] = {
        [STORE_SUBSIDY] = "r:", [STORE_CHECKUP] = "c:", [STORE_VACCINATION] = "v:", [STORE_TICKET] = "k:", [STORE_CHANGE] = "" };
    return (unsigned)kind < STORE_KIND__MAX ? slice_str(HEADS[kind]) : SLICE_NONE;
}

struct err store_field(struct store *s, enum store_kind kind, struct slice muni, struct slice type_id, struct slice key, struct store_name *ret_f)
{
    uint8_t sum[MAC_BYTES];
    const struct slice head = kind_head(kind);
    if (!store__is_muni(muni) || !head.n)
        return FAIL(E_FORBIDDEN);
    if (kind == STORE_SUBSIDY) /* the older name has no kind */
        TRY(MAC_SUM(s->index, sum, LIT("rid"), muni, type_id, key));
    else
        TRY(MAC_SUM(s->index, sum, LIT("rid"), head, muni, type_id, key));
    ret_f->n = 0;
    put(ret_f, head);
    put(ret_f, muni);
    put(ret_f, LIT(":"));
    put_hex(ret_f, sum, RID_BYTES);
    return OK;
}

struct err store_field_record(struct store *s, struct slice muni, struct slice type_id, struct slice history_key, struct store_name *ret_f)
{
    return store_field(s, STORE_SUBSIDY, muni, type_id, history_key, ret_f);
}

void store_field_end(const char muni[static 6], struct store_name *ret_f)
{
    ret_f->n = 0;
    put(ret_f, LIT("e:"));
    put(ret_f, slice_of(muni, MUNI_CHARS));
}

static bool take_muni(struct slice *field, struct slice *ret_muni) { return slice_take(field, MUNI_CHARS, ret_muni) && store__is_muni(*ret_muni); }

bool store_field_is_end(struct slice field, struct slice *ret_muni)
{
    struct slice head, muni;
    if (!slice_take(&field, KIND_CHARS, &head) || !slice_eq(head, LIT("e:")) || !take_muni(&field, &muni) || field.n)
        return false;
    *ret_muni = muni;
    return true;
}

bool store_field_kind(struct slice field, enum store_kind *ret_kind, struct slice *ret_muni)
{
    struct slice head, muni, colon;
    int kind = 0;
    if (!slice_take(&field, KIND_CHARS, &head))
        return false;
    while (kind < STORE_KIND__MAX && !slice_eq(head, kind_head((enum store_kind)kind)))
        kind++;
    if (kind == STORE_KIND__MAX || !take_muni(&field, &muni) || !slice_take(&field, 1, &colon) || colon.p[0] != ':' || field.n != 2 * RID_BYTES)
        return false;
    *ret_kind = (enum store_kind)kind;
    *ret_muni = muni;
    return true;
}

bool store_field_is_made(struct slice field, struct slice *ret_muni)
{
    struct slice head, muni, colon;
    uint8_t id[MADE_HEX / 2];
    if (!slice_take(&field, KIND_CHARS, &head) || !(slice_eq(head, LIT("i:")) || slice_eq(head, LIT("q:"))) || !take_muni(&field, &muni) ||
        !slice_take(&field, 1, &colon) || colon.p[0] != ':' || !hex_decode(field, id, sizeof id))
        return false;
    *ret_muni = muni;
    return true;
}

bool store_field_is_record(struct slice field, struct slice *ret_muni)
{
    enum store_kind kind;
    struct slice muni;
    if (!store_field_kind(field, &kind, &muni) || kind != STORE_SUBSIDY)
        return false;
    *ret_muni = muni;
    return true;
}
