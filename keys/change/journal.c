#include "keys/change/journal.h"

/* version u8 | state u8 | type u8 | flags u8 | effective u32 | ms u64 | task[16] | row u32 | undo_task[16] | undo_row u32, with F_UNDO only
 * | rk[16] | other_rk[16] | kept[16] | gone[16] | kept_key | gone_key | aliases | n u16 | (clash u8 | field | plain)*        texts as length u32 and bytes */
enum { FORM_VERSION = 1, F_CHANGED = 1, F_UNDO = 2 /* before that was known, task and row were the undoing ones */, U32 = 4, U64 = 8, HEAD = 4 };

static void put_part(struct buf *out, struct slice s)
{
    buf_be32(out, (uint32_t)s.n);
    buf_put(out, s);
}

void nz_journal_encode(const struct nz_journal *j, struct buf *out)
{
    buf_putc(out, FORM_VERSION);
    buf_putc(out, (uint8_t)j->state);
    buf_putc(out, (uint8_t)j->type);
    buf_putc(out, (uint8_t)((j->changed_since ? F_CHANGED : 0) | (j->undo_row ? F_UNDO : 0)));
    buf_be32(out, j->effective);
    buf_be64(out, j->ms);
    buf_put(out, ARR(j->task));
    buf_be32(out, j->row);
    if (j->undo_row) {
        buf_put(out, ARR(j->undo_task));
        buf_be32(out, j->undo_row);
    }
    buf_put(out, ARR(j->rk));
    buf_put(out, ARR(j->other_rk));
    buf_put(out, ARR(j->kept));
    buf_put(out, ARR(j->gone));
    put_part(out, j->kept_key);
    put_part(out, j->gone_key);
    put_part(out, j->aliases);
    buf_be16(out, (uint16_t)j->n_saved);
    for (size_t i = 0; i < j->n_saved; i++) {
        buf_putc(out, j->saved[i].clash);
        put_part(out, j->saved[i].field);
        put_part(out, j->saved[i].plain);
    }
}

static bool take_bytes(struct slice *in, void *to, size_t n)
{
    struct slice s;
    if (!slice_take(in, n, &s))
        return false;
    memcpy(to, s.p, n);
    return true;
}

static bool take_int(struct slice *in, size_t n, uint64_t *ret)
{
    struct slice s;
    if (!slice_take(in, n, &s))
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | s.p[i];
    return true;
}

static bool take_part(struct slice *in, struct slice *ret)
{
    uint64_t n;
    return take_int(in, U32, &n) && slice_take(in, (size_t)n, ret);
}

static bool take_undo(struct slice *in, struct nz_journal *j)
{
    uint64_t row;
    if (!take_bytes(in, j->undo_task, sizeof j->undo_task) || !take_int(in, U32, &row))
        return false;
    j->undo_row = (uint32_t)row;
    return row && (j->state == NZ_JOURNAL_UNDOING || j->state == NZ_JOURNAL_UNDONE);
}

static bool take_head(struct slice *in, struct nz_journal *j)
{
    uint8_t head[HEAD];
    uint64_t effective, row;
    if (!take_bytes(in, head, sizeof head) || head[0] != FORM_VERSION || !head[1] || head[1] >= NZ_JOURNAL__MAX || !head[2] ||
        head[2] >= NZ_CH__MAX || (head[3] & ~(F_CHANGED | F_UNDO)))
        return false;
    j->state = (enum nz_journal_state)head[1];
    j->type = (enum nz_change_type)head[2];
    j->changed_since = head[3] & F_CHANGED;
    if (!take_int(in, U32, &effective) || !take_int(in, U64, &j->ms) || !take_bytes(in, j->task, sizeof j->task) || !take_int(in, U32, &row))
        return false;
    j->effective = (ymd_t)effective;
    j->row = (uint32_t)row;
    if ((head[3] & F_UNDO) && !take_undo(in, j))
        return false;
    return take_bytes(in, j->rk, sizeof j->rk) && take_bytes(in, j->other_rk, sizeof j->other_rk) && take_bytes(in, j->kept, sizeof j->kept) &&
           take_bytes(in, j->gone, sizeof j->gone) && take_part(in, &j->kept_key) && take_part(in, &j->gone_key) && take_part(in, &j->aliases);
}

ERR nz_journal_decode(struct slice plain, struct arena *a, struct nz_journal *ret_j)
{
    struct nz_journal j = { 0 };
    uint64_t n;
    if (!take_head(&plain, &j) || j.kept_key.n > PMH_KEY_MAX || j.gone_key.n > PMH_KEY_MAX || j.aliases.n % NZ_CH_ALIAS ||
        j.aliases.n > NZ_CH_ALIASES_MAX * NZ_CH_ALIAS || !take_int(&plain, 2, &n) || n > NZ_CH_ITEMS_MAX)
        return FAIL(E_SEAL);
    j.n_saved = (size_t)n;
    j.saved = arena_get(a, (j.n_saved + 1) * sizeof *j.saved);
    if (!j.saved)
        return FAIL(E_FULL);
    for (size_t i = 0; i < j.n_saved; i++) {
        uint8_t clash;
        if (!take_bytes(&plain, &clash, 1) || clash > 1 || !take_part(&plain, &j.saved[i].field) || !j.saved[i].field.n ||
            j.saved[i].field.n > STORE_NAME_MAX || !take_part(&plain, &j.saved[i].plain))
            return FAIL(E_SEAL);
        j.saved[i].clash = clash;
    }
    if (plain.n)
        return FAIL(E_SEAL);
    *ret_j = j;
    return OK;
}

const struct nz_saved *nz_journal_find(const struct nz_journal *j, struct slice field)
{
    for (size_t i = 0; i < j->n_saved; i++) {
        if (slice_eq(j->saved[i].field, field))
            return &j->saved[i];
    }
    return NULL;
}
