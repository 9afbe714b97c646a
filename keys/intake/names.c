#include "keys/intake/names.h"

#include "gateway/base/must.h"
#include "gateway/base/text.h"

static void put(char *to, size_t cap, size_t *n, struct slice s)
{
    MUST(s.n <= cap - *n);
    memcpy(to + *n, s.p, s.n);
    *n += s.n;
}

struct slice nz_queue_name(enum nz_queue q) { return q == NZ_QUEUE_READY ? LIT("o:ready") : LIT("oq"); }

void nz_name_muni(const char *kind, const char muni[static 6], struct store_name *ret_k)
{
    ret_k->n = 0;
    put(ret_k->c, sizeof ret_k->c, &ret_k->n, slice_str(kind));
    put(ret_k->c, sizeof ret_k->c, &ret_k->n, LIT(":"));
    put(ret_k->c, sizeof ret_k->c, &ret_k->n, slice_of(muni, 6));
}

void nz_name_task(const char *prefix, const char muni[static 6], const struct nz_task_id *task, struct store_name *ret_k)
{
    char hex[32];
    nz_task_id_format(task, hex);
    nz_name_muni(prefix, muni, ret_k);
    put(ret_k->c, sizeof ret_k->c, &ret_k->n, LIT(":"));
    put(ret_k->c, sizeof ret_k->c, &ret_k->n, ARR(hex));
}

void nz_name_task_list(const char muni[static 6], struct store_name *ret_k) { nz_name_muni("tl", muni, ret_k); }

size_t nz_row_format(uint32_t row, char out[static 10])
{
    char rev[10];
    size_t n = 0;
    do {
        rev[n++] = (char)('0' + row % 10);
        row /= 10;
    } while (row);
    for (size_t i = 0; i < n; i++)
        out[i] = rev[n - 1 - i];
    return n;
}

void nz_task_id_format(const struct nz_task_id *id, char out[static 32])
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->b; i++) {
        out[2 * i] = HEX[id->b[i] >> 4];
        out[2 * i + 1] = HEX[id->b[i] & 15];
    }
}

bool nz_task_id_parse(struct slice hex, struct nz_task_id *ret_id)
{
    struct nz_task_id id;
    if (!hex_decode(hex, id.b, sizeof id.b))
        return false;
    *ret_id = id;
    return true;
}

void nz_member_write(const struct nz_row_ref *ref, struct nz_member *ret_m)
{
    char hex[32], digits[10];
    nz_task_id_format(&ref->task, hex);
    ret_m->n = 0;
    put(ret_m->c, sizeof ret_m->c, &ret_m->n, slice_of(ref->muni, 6));
    put(ret_m->c, sizeof ret_m->c, &ret_m->n, LIT(":"));
    put(ret_m->c, sizeof ret_m->c, &ret_m->n, ARR(hex));
    put(ret_m->c, sizeof ret_m->c, &ret_m->n, LIT(":"));
    put(ret_m->c, sizeof ret_m->c, &ret_m->n, slice_of(digits, nz_row_format(ref->row, digits)));
}

bool nz_member_parse(struct slice s, struct nz_row_ref *ret_ref)
{
    struct nz_row_ref ref;
    struct slice muni, task, colon;
    uint64_t row;
    if (!slice_take(&s, 6, &muni) || !all_digits(muni) || !slice_take(&s, 1, &colon) || colon.p[0] != ':' ||
        !slice_take(&s, 32, &task) || !nz_task_id_parse(task, &ref.task) || !slice_take(&s, 1, &colon) || colon.p[0] != ':' ||
        !u64_parse(s, &row) || row == 0 || row > UINT32_MAX)
        return false;
    memcpy(ref.muni, muni.p, 6);
    ref.row = (uint32_t)row;
    *ret_ref = ref;
    return true;
}
