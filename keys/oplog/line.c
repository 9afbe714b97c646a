#include "keys/oplog/line.h"

/* "municipality/<code>/...", or a daemon of ours that carried out what it was told: a name without a slash. */
static bool is_own(const struct nz_oplog_reader *who, const struct audit_rec *rec)
{
    struct slice word, code, rest;
    if (!slice_cut(ARR(rec->actor), '/', &word, &rest))
        return true;
    return slice_eq(word, LIT("municipality")) && slice_cut(rest, '/', &code, &rest) && slice_eq(code, slice_of(who->muni, 6));
}

static ERR write_person(const struct nz_oplog_reader *who, const struct audit_rec *rec, struct jsonw *w)
{
    static const uint8_t NOBODY[AUDIT_HANDLE_BYTES];
    uint8_t name[AUDIT_HANDLE_BYTES];
    struct buf hex;
    if (!is_own(who, rec) || slice_eq(ARR(rec->subject), ARR(NOBODY)))
        return OK;
    TRY(store_handle_for_muni(who->store, who->muni, rec->subject, name));
    buf_init(&hex, 2 * sizeof name);
    buf_hex(&hex, ARR(name));
    jsonw_str(w, "person", buf_slice(&hex));
    buf_done(&hex);
    return OK;
}

/* Words of the register, where it still knows them. */
static struct audit_words words_of(const struct basis *b, const struct audit_rec *rec)
{
    const struct basis_row *row = basis_row_of(b, rec->basis);
    const struct basis_purpose *purpose = basis_purpose_of(b, rec->purpose);
    return (struct audit_words){ row ? slice_str(row->law_ja) : SLICE_NONE, purpose ? slice_str(purpose->word) : SLICE_NONE };
}

ERR nz_oplog_entry_write(const struct nz_oplog_reader *who, const struct audit_proof *p, struct jsonw *w)
{
    jsonw_object(w, NULL);
    audit_entry_json(w, p->seq, &p->rec, words_of(who->basis, &p->rec));
    audit_entry_json_who(w, &p->rec);
    TRY(write_person(who, &p->rec, w));
    audit_entry_json_proof(w, p);
    jsonw_end_object(w);
    return OK;
}

void nz_oplog_last_write(struct slice note, uint64_t count, struct jsonw *w)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "checkpoint", note);
    jsonw_u64(w, "count", count);
    jsonw_end_object(w);
}
