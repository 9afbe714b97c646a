/* An entry as the citizen reads it. event, result, seq and at are the words that the leaf says; the rest is explanation. */
#include "gateway/audit/entry_json.h"
#include "gateway/portal/log_page.h"
#include "gateway/portal/words.h"

static void write_words(struct jsonw *w, const char *ja, const char *en, struct words words)
{
    jsonw_cstr(w, ja, words.ja);
    jsonw_cstr(w, en, words.en);
}

static void write_who(struct jsonw *w, const struct lookup_env *env, const struct audit_rec *rec)
{
    struct slice code = words_institution(rec);
    jsonw_str(w, "institution", institution_name(env->institutions, code, INSTITUTION_JA));
    jsonw_str(w, "institution_en", institution_name(env->institutions, code, INSTITUTION_EN));
    jsonw_str(w, "institutionCode", code);
}

static void write_what(struct jsonw *w, unsigned items)
{
    jsonw_array(w, "what");
    for (unsigned bit = 0; audit_item_name(bit); bit++)
        if (items & 1u << bit)
            jsonw_cstr(w, NULL, audit_item_name(bit));
    jsonw_end_array(w);
}

static void write_why(struct jsonw *w, const struct basis *b, const struct audit_rec *rec)
{
    const struct basis_row *row = rec->basis ? basis_row_of(b, rec->basis) : NULL;
    const struct basis_purpose *purpose = rec->purpose ? basis_purpose_of(b, rec->purpose) : NULL;
    if (rec->basis)
        jsonw_u64(w, "basis", rec->basis);
    if (row)
        write_words(w, "why_ja", "why_en", (struct words){ row->law_ja, row->law_en });
    if (!purpose)
        return;
    jsonw_cstr(w, "purpose", purpose->word);
    write_words(w, "purpose_ja", "purpose_en", (struct words){ purpose->ja, purpose->en });
}

static void write_entry(struct jsonw *w, const struct lookup_env *env, const struct audit_proof *p)
{
    char at[24];
    const struct audit_rec *rec = &p->rec;
    clock_format_utc(rec->wall_ms, at);
    jsonw_object(w, NULL);
    jsonw_u64(w, "seq", p->seq);
    jsonw_str(w, "at", ARR(at));
    write_who(w, env, rec);
    jsonw_cstr(w, "event", audit_event_name(rec->event));
    write_words(w, "event_ja", "event_en", words_event(rec->event));
    write_what(w, rec->items);
    jsonw_cstr(w, "result", audit_result_name(rec->result));
    write_words(w, "result_ja", "result_en", words_result(rec->result));
    write_why(w, env->basis, rec);
    jsonw_cstr(w, "on_behalf", audit_behalf_name(rec->behalf));
    audit_entry_json_proof(w, p);
    jsonw_end_object(w);
}

void log_page_write(const struct log_page *p, struct jsonw *w)
{
    jsonw_str(w, "checkpoint", slice_of(p->note, p->note_n));
    jsonw_array(w, "entries");
    for (size_t i = 0; i < p->n; i++)
        write_entry(w, p->c.a.env, &p->entry[i]);
    jsonw_end_array(w);
    if (!p->next)
        return;
    struct buf digits;
    buf_init(&digits, 20);
    buf_u64(&digits, p->next);
    jsonw_str(w, "next", buf_slice(&digits));
    buf_done(&digits);
}
