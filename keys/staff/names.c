#include "keys/staff/names.h"

#include "gateway/base/text.h"

/* Every name is far shorter than STORE_NAME_MAX. */
static void put(struct store_name *k, struct slice s)
{
    memcpy(k->c + k->n, s.p, s.n);
    k->n += s.n;
}

static void begin(struct store_name *k, struct slice prefix, const char muni[static 6])
{
    k->n = 0;
    put(k, prefix);
    put(k, slice_of(muni, 6));
}

static void hex_of(const uint8_t *p, size_t n, char *out)
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = HEX[p[i] >> 4];
        out[2 * i + 1] = HEX[p[i] & 15];
    }
}

void nz_user_name_from(const char muni[static 6], const uint8_t handle[static STORE_HANDLE_BYTES], struct nz_user_name *ret_n)
{
    memcpy(ret_n->handle, handle, sizeof ret_n->handle);
    hex_of(handle, sizeof ret_n->handle, ret_n->hex);
    begin(&ret_n->us, LIT("us:"), muni);
    begin(&ret_n->sf, LIT("sf:"), muni);
    put(&ret_n->sf, LIT(":"));
    put(&ret_n->sf, ARR(ret_n->hex));
    ret_n->sk = ret_n->sf;
    put(&ret_n->sk, LIT(":k"));
}

ERR nz_user_name_of(struct store *s, const char muni[static 6], struct slice id, struct nz_user_name *ret_n)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    TRY(store_handle_user(s, slice_of(muni, 6), id, handle));
    nz_user_name_from(muni, handle, ret_n);
    return OK;
}

ERR nz_session_name(struct store *s, struct slice token, struct store_name *ret_k)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    char hex[2 * STORE_HANDLE_BYTES];
    TRY(store_handle_staff(s, token, handle));
    hex_of(handle, sizeof handle, hex);
    ret_k->n = 0;
    put(ret_k, LIT("ss:"));
    put(ret_k, ARR(hex));
    return OK;
}

void nz_reveals_name(const char muni[static 6], const struct nz_user_name *n, ymd_t day, struct store_name *ret_k)
{
    char date[10];
    ymd_format(day, date);
    begin(ret_k, LIT("sr:"), muni);
    put(ret_k, LIT(":"));
    put(ret_k, ARR(n->hex));
    put(ret_k, LIT(":"));
    put(ret_k, ARR(date));
}

void nz_released_name(const char muni[static 6], const struct nz_user_name *n, ymd_t day, struct store_name *ret_k)
{
    nz_reveals_name(muni, n, day, ret_k);
    put(ret_k, LIT(":r"));
}

ERR nz_approval_name(struct store *s, const char muni[static 6], struct slice order, struct store_name *ret_k)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    char hex[2 * STORE_HANDLE_BYTES];
    TRY(store_handle_order(s, slice_of(muni, 6), order, handle));
    hex_of(handle, sizeof handle, hex);
    begin(ret_k, LIT("sa:"), muni);
    put(ret_k, LIT(":"));
    put(ret_k, ARR(hex));
    return OK;
}
