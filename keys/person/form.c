#include "keys/person/form.h"

#include "gateway/base/json_write.h"

enum { KEY_MAX = 100, NOTE_FORM = 1 };

struct values {
    struct field_value key, not_disclosed, stopped, recovery, reason;
};

#define AT(member) offsetof(struct values, member)
#define KEY_FIELD { "municipalityIdentityKey", AT(key), FC_TEXT, 1, KEY_MAX, true, CK_NONE, NULL, NULL, 0 }
#define REASON_FIELD { "reason", AT(reason), FC_TEXT, 1, CONSENT_REASON_MAX, true, CK_NONE, NULL, NULL, 0 }

static const struct field FLAGS[] = {
    KEY_FIELD,
    { "isNotDisclosed", AT(not_disclosed), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },
    { "isViewingStopped", AT(stopped), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },
    { "isRecovery", AT(recovery), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },
    REASON_FIELD,
};
static const struct field RESIDENT[] = { KEY_FIELD };
static const struct field ERASE[] = { KEY_FIELD, REASON_FIELD };

static bool is_word(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_' && (s.p[i] < 'a' || s.p[i] > 'z'))
            return false;
    return s.n >= 1 && s.n <= CONSENT_REASON_MAX;
}

static ERR read_form(struct slice body, struct arena *a, const struct field *table, size_t n, struct values *ret_v, struct field_report *ret_report)
{
    json_t *obj;
    *ret_v = (struct values){ 0 };
    TRY(json_in_object(&obj, a, body));
    bool good = fields_read(obj, table, n, NULL, ret_v, ret_report);
    if (good && table != RESIDENT && !is_word(ret_v->reason.text)) {
        field_fault_add(ret_report, "reason", FR_CLASS);
        good = false;
    }
    return good ? OK : FAIL(E_FIELD);
}

ERR nz_flags_ask_read(struct slice body, struct arena *a, struct nz_flags_ask *ret_a, struct field_report *ret_report)
{
    struct values v;
    TRY(read_form(body, a, FLAGS, sizeof FLAGS / sizeof FLAGS[0], &v, ret_report));
    *ret_a = (struct nz_flags_ask){ .resident_key = v.key.text };
    ret_a->flags.bits = (uint8_t)((v.not_disclosed.flag ? FLAG_NOT_DISCLOSED : 0) | (v.stopped.flag ? FLAG_VIEWING_STOPPED : 0) |
                                  (v.recovery.flag ? FLAG_RECOVERY : 0));
    memcpy(ret_a->flags.reason, v.reason.text.p, v.reason.text.n);
    return OK;
}

ERR nz_erase_ask_read(struct slice body, struct arena *a, struct nz_erase_ask *ret_a, struct field_report *ret_report)
{
    struct values v;
    TRY(read_form(body, a, ERASE, sizeof ERASE / sizeof ERASE[0], &v, ret_report));
    *ret_a = (struct nz_erase_ask){ v.key.text, v.reason.text };
    return OK;
}

ERR nz_resident_ask_read(struct slice body, struct arena *a, struct slice *ret_key, struct field_report *ret_report)
{
    struct values v;
    TRY(read_form(body, a, RESIDENT, sizeof RESIDENT / sizeof RESIDENT[0], &v, ret_report));
    *ret_key = v.key.text;
    return OK;
}

void nz_flag_bits_write(struct jsonw *w, uint8_t bits)
{
    jsonw_bool(w, "isNotDisclosed", bits & FLAG_NOT_DISCLOSED);
    jsonw_bool(w, "isViewingStopped", bits & FLAG_VIEWING_STOPPED);
    jsonw_bool(w, "isRecovery", bits & FLAG_RECOVERY);
}

void nz_flags_why_write(struct jsonw *w, const struct control_flags *f)
{
    char at[24];
    clock_format_utc(f->set_ms, at);
    jsonw_str(w, "reason", slice_of(f->reason, strnlen(f->reason, sizeof f->reason)));
    jsonw_str(w, "set_at", ARR(at));
}

void nz_flags_json(const struct control_flags *f, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    nz_flag_bits_write(&w, f->bits);
    nz_flags_why_write(&w, f);
    jsonw_end_object(&w);
}

/* ---- the note ---- */

void nz_erase_note_encode(const struct nz_erase_note *n, struct buf *out)
{
    buf_putc(out, NOTE_FORM);
    buf_put(out, ARR(n->handle));
    buf_be32(out, n->count);
}

bool nz_erase_note_decode(struct slice plain, struct nz_erase_note *ret_n)
{
    if (plain.n != NZ_ERASE_NOTE_BYTES || plain.p[0] != NOTE_FORM)
        return false;
    memcpy(ret_n->handle, plain.p + 1, sizeof ret_n->handle);
    const uint8_t *c = plain.p + 1 + sizeof ret_n->handle;
    ret_n->count = (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3];
    return true;
}
