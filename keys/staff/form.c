#include "keys/staff/form.h"

#include "gateway/base/text.h"

#define TEXT(name, type, member, min, max, required) { name, offsetof(struct type, member), FC_TEXT, min, max, required, CK_NONE, NULL, NULL, 0 }
#define COUNT(table) (sizeof(table) / sizeof *(table))

static ERR fault(struct field_report *r, const char *field, enum field_rule rule)
{
    field_fault_add(r, field, rule);
    return FAIL(E_FIELD);
}

static ERR read_object(struct slice body, struct arena *a, const struct field *table, size_t n, void *to, struct field_report *r)
{
    json_t *v;
    TRY(json_in_object(&v, a, body));
    return fields_read(v, table, n, NULL, to, r) ? OK : FAIL(E_FIELD);
}

static bool is_code(struct slice s) { return s.n == 6 && all_digits(s); }

/* ---- login ---- */

struct login_v { struct field_value id, password, totp; };

ERR nz_login_ask_read(struct slice body, struct arena *a, struct nz_login_ask *ret_ask, struct field_report *r)
{
    static const struct field FIELDS[] = {
        TEXT("user_id", login_v, id, NZ_USER_ID_MIN, NZ_USER_ID_MAX, true),
        TEXT("password", login_v, password, 1, NZ_PASSWORD_BYTES_MAX, true),
        TEXT("totp", login_v, totp, 6, 6, false),
    };
    struct login_v v;
    TRY(read_object(body, a, FIELDS, COUNT(FIELDS), &v, r));
    if (!nz_user_id_ok(v.id.text))
        return fault(r, "user_id", FR_CLASS);
    if (v.password.text.n > NZ_PASSWORD_BYTES_MAX)
        return fault(r, "password", FR_LENGTH);
    if (v.totp.present && !is_code(v.totp.text))
        return fault(r, "totp", FR_CLASS);
    *ret_ask = (struct nz_login_ask){ v.id.text, v.password.text, v.totp.present ? v.totp.text : SLICE_NONE };
    return OK;
}

/* ---- password, second factor ---- */

struct password_v { struct field_value password, fresh; };

ERR nz_password_ask_read(struct slice body, struct arena *a, struct nz_password_ask *ret_ask, struct field_report *r)
{
    static const struct field FIELDS[] = {
        TEXT("password", password_v, password, 1, NZ_PASSWORD_BYTES_MAX, true),
        TEXT("new_password", password_v, fresh, 1, NZ_PASSWORD_BYTES_MAX, true),
    };
    struct password_v v;
    TRY(read_object(body, a, FIELDS, COUNT(FIELDS), &v, r));
    if (v.password.text.n > NZ_PASSWORD_BYTES_MAX)
        return fault(r, "password", FR_LENGTH);
    if (v.fresh.text.n > NZ_PASSWORD_BYTES_MAX)
        return fault(r, "new_password", FR_LENGTH);
    *ret_ask = (struct nz_password_ask){ v.password.text, v.fresh.text };
    return OK;
}

struct totp_v { struct field_value password, code; };

ERR nz_totp_ask_read(struct slice body, struct arena *a, struct nz_totp_ask *ret_ask, struct field_report *r)
{
    static const struct field FIELDS[] = {
        TEXT("password", totp_v, password, 1, NZ_PASSWORD_BYTES_MAX, false),
        TEXT("code", totp_v, code, 6, 6, false),
    };
    struct totp_v v;
    TRY(read_object(body, a, FIELDS, COUNT(FIELDS), &v, r));
    if (v.code.present && !is_code(v.code.text))
        return fault(r, "code", FR_CLASS);
    if (v.password.present && v.password.text.n > NZ_PASSWORD_BYTES_MAX)
        return fault(r, "password", FR_LENGTH);
    if (v.code.present == v.password.present)
        return fault(r, v.code.present ? "code" : "password", v.code.present ? FR_UNKNOWN : FR_MISSING);
    *ret_ask = (struct nz_totp_ask){ v.password.present ? v.password.text : SLICE_NONE, v.code.present ? v.code.text : SLICE_NONE };
    return OK;
}

/* ---- a user ---- */

struct user_v { struct field_value shown, role, reveal, state, from, until, reset_password, reset_totp; };

#define AT(member) offsetof(struct user_v, member)
static const struct field USER[] = {
    TEXT("display_name", user_v, shown, 1, NZ_USER_SHOWN_CHARS, true),
    { "role", AT(role), FC_CODE, 1, 16, true, CK_NONE, "viewer|officer|admin", NULL, 0 },
    { "reveal", AT(reveal), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    { "state", AT(state), FC_CODE, 1, 16, false, CK_NONE, "active|withdrawn", NULL, 0 },
    { "from", AT(from), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "until", AT(until), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "reset_password", AT(reset_password), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    { "reset_totp", AT(reset_totp), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
};

static ERR read_program(json_t *one, nz_program_known_fn *known, void *arg, struct nz_user_ask *ask, struct field_report *r)
{
    struct slice w = slice_of(json_string_value(one), json_string_length(one));
    if (!json_is_string(one))
        return fault(r, "programs", FR_TYPE);
    if (!w.n || w.n > NZ_PROGRAM_MAX)
        return fault(r, "programs", FR_LENGTH);
    if (!slice_eq(w, LIT("*")) && !known(arg, w))
        return fault(r, "programs", FR_CODE);
    for (unsigned i = 0; i < ask->n_programs; i++)
        if (slice_eq(ask->program[i], w))
            return fault(r, "programs", FR_RANGE);
    ask->program[ask->n_programs++] = w;
    return OK;
}

static ERR read_programs(json_t *v, nz_program_known_fn *known, void *arg, struct nz_user_ask *ask, struct field_report *r)
{
    if (!v)
        return fault(r, "programs", FR_MISSING);
    if (!json_is_array(v))
        return fault(r, "programs", FR_TYPE);
    if (json_array_size(v) > NZ_USER_PROGRAMS_MAX)
        return fault(r, "programs", FR_LENGTH);
    for (size_t i = 0; i < json_array_size(v); i++)
        TRY(read_program(json_array_get(v, i), known, arg, ask, r));
    return OK;
}

ERR nz_user_ask_read(struct slice body, struct arena *a, nz_program_known_fn *known, void *arg, struct nz_user_ask *ret_ask, struct field_report *r)
{
    struct nz_user_ask ask = { .n_programs = 0 };
    struct user_v v;
    json_t *o, *rest;
    TRY(json_in_object(&o, a, body));
    TRY(read_programs(json_object_get(o, "programs"), known, arg, &ask, r));
    TRY(json_in_object(&rest, a, body)); /* the table has no arrays of words: read without them */
    json_object_del(rest, "programs");
    if (!fields_read(rest, USER, COUNT(USER), NULL, &v, r))
        return FAIL(E_FIELD);
    if (!nz_user_shown_ok(v.shown.text))
        return fault(r, "display_name", FR_CLASS);
    if (!nz_role_parse(v.role.text, &ask.role))
        return fault(r, "role", FR_CODE);
    if (v.from.present && v.until.present && v.from.date > v.until.date)
        return fault(r, "until", FR_RANGE);
    ask.shown = v.shown.text;
    ask.reveal = v.reveal.present && v.reveal.flag;
    ask.withdrawn = v.state.present && slice_eq(v.state.text, LIT("withdrawn"));
    ask.reset_password = v.reset_password.present && v.reset_password.flag;
    ask.reset_totp = v.reset_totp.present && v.reset_totp.flag;
    ask.from = v.from.present ? v.from.date : 0;
    ask.until = v.until.present ? v.until.date : 0;
    *ret_ask = ask;
    return OK;
}

static void copy(char *to, struct slice s)
{
    memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

void nz_user_apply(struct nz_user *u, const struct nz_user_ask *ask)
{
    copy(u->shown, ask->shown);
    u->role = ask->role;
    u->reveal = ask->reveal;
    u->withdrawn = ask->withdrawn;
    u->from = ask->from;
    u->until = ask->until;
    u->n_programs = ask->n_programs;
    for (unsigned i = 0; i < ask->n_programs; i++)
        copy(u->program[i], ask->program[i]);
    if (ask->reset_totp) {
        u->totp = NZ_TOTP_NONE;
        explicit_bzero(u->secret, sizeof u->secret);
    }
}

/* ---- reveal ---- */

struct reveal_v { struct field_value key, purpose; };

static bool is_word(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
            return false;
    return s.n > 0;
}

ERR nz_reveal_ask_read(struct slice body, struct arena *a, struct nz_reveal_ask *ret_ask, struct field_report *r)
{
    static const struct field FIELDS[] = {
        TEXT("municipalityIdentityKey", reveal_v, key, 1, NZ_RESIDENT_KEY_MAX, true),
        TEXT("purpose", reveal_v, purpose, 1, NZ_PURPOSE_MAX, true),
    };
    struct reveal_v v;
    TRY(read_object(body, a, FIELDS, COUNT(FIELDS), &v, r));
    if (!is_word(v.purpose.text))
        return fault(r, "purpose", FR_CLASS);
    *ret_ask = (struct nz_reveal_ask){ v.key.text, v.purpose.text };
    return OK;
}
