/* A searchset, and the pieces that all resources are made of. */
#include "gateway/fhir/fhir_int.h"

#include "gateway/base/text.h"

enum { DIGITS_MAX = 20, HALF = 16 };

const char *fhir_type_name(enum fhir_type t)
{
    static const char *const NAMES[FHIR_TYPE__MAX] = { "Patient", "Coverage", "Immunization", "QuestionnaireResponse", "Consent", "AuditEvent" };
    return (unsigned)t < FHIR_TYPE__MAX ? NAMES[t] : NULL;
}

/* ---- ids ---- */

/* A letter for each half byte: no digit, so nothing that could be taken for a number. */
void fhir__ident(struct fhir *f, enum fhir_type type, struct slice name, char out[static FHIR_ID_CHARS])
{
    uint8_t mac[STORE_HANDLE_BYTES] = { 0 };
    _Static_assert(FHIR_ID_CHARS == 2 * STORE_HANDLE_BYTES, "a letter for each half byte");
    struct err e = store_handle_view(f->store, f->scope, slice_str(fhir_type_name(type)), name, mac);
    if (!err_ok(e))
        f->failed = e;
    for (size_t i = 0; i < sizeof mac; i++) {
        out[2 * i] = (char)('a' + mac[i] / HALF);
        out[2 * i + 1] = (char)('a' + mac[i] % HALF);
    }
}

/* ---- pieces ---- */

struct slice fhir__said(struct slice s)
{
    static const uint8_t WIDE[] = { 0xE3, 0x80, 0x80 }; /* U+3000 */
    for (size_t i = 0; i < s.n;) {
        if (s.n - i >= sizeof WIDE && slice_eq(slice_of(s.p + i, sizeof WIDE), ARR(WIDE)))
            i += sizeof WIDE;
        else if (s.p[i] <= ' ')
            i++;
        else
            return s;
    }
    return SLICE_NONE;
}

void fhir__text(struct jsonw *w, const char *name, struct slice s)
{
    if (fhir__said(s).n)
        jsonw_str(w, name, s);
}

void fhir__date(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

void fhir__when(struct jsonw *w, const char *name, uint64_t ms)
{
    char text[24];
    if (!ms)
        return;
    clock_format_utc(ms, text);
    jsonw_str(w, name, ARR(text));
}

void fhir__masked(struct jsonw *w)
{
    jsonw_array(w, "extension");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason");
    jsonw_cstr(w, "valueCode", "masked");
    jsonw_end_object(w);
    jsonw_end_array(w);
}

void fhir__guarded(struct fhir *f, const char *name, const char *masked_name, struct slice value)
{
    if (!qt_twelve_digits(value)) {
        fhir__text(&f->w, name, value);
        return;
    }
    f->withheld = true;
    jsonw_object(&f->w, masked_name);
    fhir__masked(&f->w);
    jsonw_end_object(&f->w);
}

void fhir__identifier(struct fhir *f, const char *name, const char *system, struct slice value)
{
    jsonw_object(&f->w, name);
    jsonw_cstr(&f->w, "system", system);
    fhir__guarded(f, "value", "_value", value);
    jsonw_end_object(&f->w);
}

void fhir__coding(struct jsonw *w, const char *system, struct slice code, struct slice display)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "system", system);
    jsonw_str(w, "code", code);
    fhir__text(w, "display", display);
    jsonw_end_object(w);
}

void fhir__concept(struct jsonw *w, const char *name, const char *system, struct slice code, struct slice display)
{
    jsonw_object(w, name);
    jsonw_array(w, "coding");
    fhir__coding(w, system, code, display);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void put_reference(struct jsonw *w, const char *name, const char id[static FHIR_ID_CHARS])
{
    char text[8 + FHIR_ID_CHARS] = "Patient/";
    memcpy(text + 8, id, FHIR_ID_CHARS);
    jsonw_str(w, name, ARR(text));
}

void fhir__patient(struct fhir *f, const char *name)
{
    jsonw_object(&f->w, name);
    put_reference(&f->w, "reference", f->patient);
    jsonw_end_object(&f->w);
}

void fhir__organization(struct fhir *f, const char *name, struct slice code)
{
    enum { INSTITUTION = 10, MUNI = 6 };
    const char *system = !all_digits(code) ? NULL : code.n == INSTITUTION ? FHIR_SYS_INSTITUTION : code.n == MUNI ? FHIR_SYS_MUNI : NULL;
    struct slice display = institution_name(f->world.institutions, code, INSTITUTION_JA);
    jsonw_object(&f->w, name);
    jsonw_cstr(&f->w, "type", "Organization");
    if (system)
        fhir__identifier(f, "identifier", system, code);
    if (!system || !slice_eq(display, code))
        fhir__text(&f->w, "display", display);
    jsonw_end_object(&f->w);
}

void fhir__english(struct jsonw *w, const char *masked_name, struct slice en)
{
    if (!fhir__said(en).n)
        return;
    jsonw_object(w, masked_name);
    jsonw_array(w, "extension");
    jsonw_object(w, NULL);
    jsonw_array(w, "extension");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "url", "lang");
    jsonw_cstr(w, "valueCode", "en");
    jsonw_end_object(w);
    jsonw_object(w, NULL);
    jsonw_cstr(w, "url", "content");
    jsonw_str(w, "valueString", en);
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_cstr(w, "url", "http://hl7.org/fhir/StructureDefinition/translation");
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

/* ---- the bundle ---- */

void fhir_begin(struct fhir *f, struct buf *out, struct store *store, enum fhir_type type, const struct fhir_form *form)
{
    *f = (struct fhir){ .store = store, .type = type, .form = form, .failed = OK };
    jsonw_init(&f->w, out);
    jsonw_object(&f->w, NULL);
    jsonw_cstr(&f->w, "resourceType", "Bundle");
    jsonw_cstr(&f->w, "type", "searchset");
}

void fhir_scope(struct fhir *f, struct slice scope, const struct store_name *person)
{
    f->scope = scope;
    fhir__ident(f, FHIR_PATIENT, store_name_slice(person), f->patient);
}

static bool on_page(const struct fhir *f, uint64_t nth)
{
    if (f->paged_elsewhere)
        return true;
    return nth >= f->form->cursor && nth - f->form->cursor < f->form->count;
}

static void write_meta(struct fhir *f, const struct fhir_head *h)
{
    char digits[DIGITS_MAX];
    struct slice ver = slice_of(digits + sizeof digits, 0);
    for (unsigned v = h->ver; v; v /= 10) {
        digits[sizeof digits - ++ver.n] = (char)('0' + v % 10);
        ver.p--;
    }
    if (!ver.n && !h->at_ms && !h->profile)
        return;
    jsonw_object(&f->w, "meta");
    fhir__text(&f->w, "versionId", ver);
    fhir__when(&f->w, "lastUpdated", h->at_ms);
    if (h->profile) {
        jsonw_array(&f->w, "profile");
        jsonw_cstr(&f->w, NULL, h->profile);
        jsonw_end_array(&f->w);
    }
    jsonw_end_object(&f->w);
}

static void open_entry(struct fhir *f)
{
    if (!f->open)
        jsonw_array(&f->w, "entry");
    f->open = true;
    jsonw_object(&f->w, NULL);
    jsonw_object(&f->w, "resource");
}

static void close_entry(struct fhir *f, const char *mode)
{
    jsonw_end_object(&f->w);
    jsonw_object(&f->w, "search");
    jsonw_cstr(&f->w, "mode", mode);
    jsonw_end_object(&f->w);
    jsonw_end_object(&f->w);
}

bool fhir__resource_named(struct fhir *f, const struct fhir_head *h, const char id[static FHIR_ID_CHARS])
{
    if (!on_page(f, f->total++)) {
        if (f->total > f->form->cursor && !f->next)
            f->next = f->total - 1;
        return false;
    }
    f->told++;
    open_entry(f);
    jsonw_cstr(&f->w, "resourceType", fhir_type_name(f->type));
    jsonw_str(&f->w, "id", slice_of(id, FHIR_ID_CHARS));
    write_meta(f, h);
    return true;
}

bool fhir__resource(struct fhir *f, const struct fhir_head *h)
{
    char id[FHIR_ID_CHARS];
    fhir__ident(f, f->type, h->name, id);
    return fhir__resource_named(f, h, id);
}

void fhir__resource_end(struct fhir *f) { close_entry(f, "match"); }

/* Who reads the bundle learns that something of it is missing, and where it can be had. */
static void write_withheld(struct fhir *f)
{
    open_entry(f);
    jsonw_cstr(&f->w, "resourceType", "OperationOutcome");
    jsonw_array(&f->w, "issue");
    jsonw_object(&f->w, NULL);
    jsonw_cstr(&f->w, "severity", "warning");
    jsonw_cstr(&f->w, "code", "suppressed");
    jsonw_object(&f->w, "details");
    jsonw_cstr(&f->w, "text", "12 桁の数字を含む識別子は、個人番号と区別できないため表示しません。 / An identifier with twelve digits is not shown here: it could be an individual number.");
    jsonw_end_object(&f->w);
    jsonw_end_object(&f->w);
    jsonw_end_array(&f->w);
    close_entry(f, "outcome");
}

/* Relative to the door's /fhir; a POST again, with the same body. Never a name of a session or a person. */
static void write_link(struct fhir *f, const char *relation, uint64_t cursor)
{
    struct buf url;
    buf_init(&url, 128);
    buf_puts(&url, fhir_type_name(f->type));
    buf_puts(&url, "/_search?_count=");
    buf_u64(&url, f->form->count);
    if (cursor) {
        buf_puts(&url, "&_cursor=");
        buf_u64(&url, cursor);
    }
    jsonw_object(&f->w, NULL);
    jsonw_cstr(&f->w, "relation", relation);
    jsonw_str(&f->w, "url", buf_slice(&url));
    jsonw_end_object(&f->w);
    buf_done(&url);
}

ERR fhir_end(struct fhir *f)
{
    if (f->withheld)
        write_withheld(f);
    if (f->open)
        jsonw_end_array(&f->w);
    if (!f->paged_elsewhere)
        jsonw_u64(&f->w, "total", f->total);
    jsonw_array(&f->w, "link");
    write_link(f, "self", f->form->cursor);
    if (f->next)
        write_link(f, "next", f->next);
    jsonw_end_array(&f->w);
    jsonw_end_object(&f->w);
    TRY(f->failed);
    return buf_check(f->w.out);
}
