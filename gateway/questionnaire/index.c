/* Plain form of the index: form u8 (1) | n u8 | n times: id, version u16, from u32, to u32, title_ja, title_en, n_programs u8, programs.
 * Texts are length u16 and bytes. Big endian. */
#include "gateway/questionnaire/pack.h"
#include "gateway/questionnaire/template.h"

enum { FORM = 1, TITLE_BYTES = 4 * QT_TITLE_MAX };

ERR qt_index_encode(const struct qt_index *x, struct buf *out)
{
    if (x->n > QT_TEMPLATES_MAX)
        return FAIL(E_FULL);
    buf_putc(out, FORM);
    buf_putc(out, (uint8_t)x->n);
    for (size_t i = 0; i < x->n; i++) {
        const struct qt_entry *e = &x->entries[i];
        pack_text(out, e->id);
        buf_be16(out, (uint16_t)e->version);
        buf_be32(out, e->from);
        buf_be32(out, e->to);
        pack_text(out, e->title_ja);
        pack_text(out, e->title_en);
        buf_putc(out, (uint8_t)e->n_programs);
        for (size_t k = 0; k < e->n_programs; k++)
            pack_text(out, e->programs[k]);
    }
    return buf_check(out);
}

static bool take_entry(struct slice *in, struct qt_entry *e)
{
    uint64_t version, from, to, n;
    *e = (struct qt_entry){ 0 };
    if (!unpack_text(in, QT_ID_MAX, &e->id) || !qt_id_ok(e->id) || !unpack_be(in, 2, &version) || !unpack_be(in, 4, &from) || !unpack_be(in, 4, &to) ||
        !unpack_text(in, TITLE_BYTES, &e->title_ja) || !unpack_text(in, TITLE_BYTES, &e->title_en) || !unpack_be(in, 1, &n) || n > QT_PROGRAMS_MAX ||
        version == 0 || version > QT_VERSION_MAX)
        return false;
    e->version = (unsigned)version;
    e->from = (ymd_t)from;
    e->to = (ymd_t)to;
    while (e->n_programs < n)
        if (!unpack_text(in, QT_PROGRAM_MAX, &e->programs[e->n_programs++]))
            return false;
    return true;
}

ERR qt_index_decode(struct slice plain, struct qt_index *ret_x)
{
    uint64_t form, n;
    if (!unpack_be(&plain, 1, &form) || form != FORM || !unpack_be(&plain, 1, &n) || n > QT_TEMPLATES_MAX)
        return FAIL(E_SEAL);
    ret_x->n = 0;
    while (ret_x->n < n)
        if (!take_entry(&plain, &ret_x->entries[ret_x->n++]))
            return FAIL(E_SEAL);
    return plain.n ? FAIL(E_SEAL) : OK;
}

const struct qt_entry *qt_index_find(const struct qt_index *x, struct slice id)
{
    for (size_t i = 0; i < x->n; i++)
        if (slice_eq(x->entries[i].id, id))
            return &x->entries[i];
    return NULL;
}

ERR qt_index_put(struct qt_index *x, const struct qtemplate *t)
{
    const struct qt_entry *old = qt_index_find(x, t->id);
    if (t->version != (old ? old->version + 1 : 1))
        return FAIL(E_VERSION);
    if (!old && x->n == QT_TEMPLATES_MAX)
        return FAIL(E_FULL);
    struct qt_entry *e = old ? &x->entries[old - x->entries] : &x->entries[x->n++];
    *e = (struct qt_entry){ .id = t->id, .version = t->version, .from = t->from, .to = t->to, .title_ja = t->title_ja, .title_en = t->title_en,
                            .n_programs = t->n_programs };
    memcpy(e->programs, t->programs, sizeof e->programs);
    return OK;
}
