/* Reaches the writers of the FHIR view with whatever a store could hold: a record of a vaccination (first byte 0), a questionnaire (1), eligibility (2). What comes out
 * of text as it is taken in (UTF-8, no control characters) is JSON without an empty text, object or array, whose ids have no digit. */
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/fhir/fhir_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { OUT_MAX = 1 << 21 };

static struct store *store;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const enum key_kind KINDS[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    char dir[] = "/tmp/fhir_fuzz_XXXXXX", ring[64], master[64];
    struct keyring *keys;
    (void)argc, (void)argv;
    json_in_setup();
    MUST(mkdtemp(dir) && snprintf(ring, sizeof ring, "%s/ring", dir) > 0 && snprintf(master, sizeof master, "%s/master", dir) > 0);
    MUST(err_ok(keyring_create(RING_LINK, ring, master)));
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        MUST(err_ok(keyring_add(RING_LINK, ring, master, KINDS[i], LIT("1"), NULL)));
    MUST(err_ok(keyring_load(&keys, RING_LINK, ring, master)) && err_ok(store_new(&store, keys)));
    keyring_free(keys);
    MUST(unlink(ring) == 0 && unlink(master) == 0 && rmdir(dir) == 0);
    return 0;
}

static void look(json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(v))
        MUST(fhir__said(slice_of(json_string_value(v), json_string_length(v))).n);
    if (json_is_object(v)) {
        const char *id = json_string_value(json_object_get(v, "id"));
        MUST(json_object_size(v) && (!id || !strpbrk(id, "0123456789")));
        json_object_foreach(v, key, member) look(member);
    }
    if (json_is_array(v)) {
        MUST(json_array_size(v));
        json_array_foreach(v, i, member) look(member);
    }
}

static bool is_text(struct slice s) { return utf8_valid(s) && !(s.n && memmem(s.p, s.n, "\\u00", 4)); }

static bool put(struct fhir *f, struct arena *a, uint8_t kind, struct slice in)
{
    struct immun_record *rec = arena_get(a, sizeof *rec);
    struct sheet *s = arena_get(a, sizeof *s);
    if (kind == 0)
        return rec && err_ok(immun_decode(in, rec)) && fhir_immunization(f, rec);
    if (kind == 1)
        return s && err_ok(sheet_decode(in, s)) && fhir_response(f, s, NULL);
    return err_ok(fhir_coverages(f, a, in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const enum fhir_type TYPES[] = { FHIR_IMMUNIZATION, FHIR_QUESTIONNAIRE_RESPONSE, FHIR_COVERAGE };
    static const struct store_name PERSON = { "p:{x}", 5 };
    const struct fhir_form form = { .count = FHIR_COUNT_MAX };
    struct fhir f;
    struct buf out;
    json_t *v;
    if (n < 1 || data[0] >= sizeof TYPES / sizeof TYPES[0])
        return 0;
    struct arena *a = arena_new(8 << 20);
    buf_init(&out, OUT_MAX);
    fhir_begin(&f, &out, store, TYPES[data[0]], &form);
    fhir_scope(&f, LIT("scope"), &PERSON);
    if (put(&f, a, data[0], slice_of(data + 1, n - 1)) && err_ok(fhir_end(&f)) && is_text(buf_slice(&out))) {
        struct err e = json_in_object(&v, a, buf_slice(&out));
        MUST(err_ok(e) || err_is(e, E_JSON_SHAPE) || err_is(e, E_FULL) || err_is(e, E_NOMEM)); /* longer than what may come in */
        if (err_ok(e))
            look(v);
    }
    buf_done(&out);
    arena_free(a);
    return 0;
}
