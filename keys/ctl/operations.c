#include "keys/ctl/operations.h"

static const struct { const char *operation, *layout; } OPERATIONS[NZ_FORM__MAX] = {
#define X(sym, operation, path, layout, kind) [sym] = { operation, layout },
    NZ_FORMS(X)
#undef X
};

/* NULL: no file can be for it. */
static const char *const WORDS[NZ_FORM__MAX] = {
    [NZ_FORM_SUBJECT] = "subject", [NZ_FORM_HISTORY] = "history", [NZ_FORM_CHECKUP] = "checkup",
    [NZ_FORM_VACCINATION] = "vaccination", [NZ_FORM_TICKET] = "ticket", [NZ_FORM_CHANGE] = "changes",
};

const char *nz_operation_words(void) { return "subject, history, checkup, vaccination, ticket, changes"; }

const char *nz_operation_name(enum nz_form form) { return OPERATIONS[form].operation; }

static bool same(const char *a, struct slice b) { return a && slice_eq(slice_str(a), b); }

bool nz_operation_find(const char *word, enum nz_form *ret_form)
{
    for (int i = 0; i < NZ_FORM__MAX; i++)
        if (WORDS[i] && (same(WORDS[i], slice_str(word)) || same(OPERATIONS[i].operation, slice_str(word)))) {
            *ret_form = (enum nz_form)i;
            return true;
        }
    return false;
}

bool nz_operation_of_layout(const char *layout, enum nz_form *ret_form)
{
    for (int i = 0; i < NZ_FORM__MAX; i++)
        if (WORDS[i] && same(OPERATIONS[i].layout, slice_str(layout))) {
            *ret_form = (enum nz_form)i;
            return true;
        }
    return false;
}

static struct slice trimmed(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '"' || s.p[0] == '\''))
        s = slice_of(s.p + 1, s.n - 1);
    size_t n = 0;
    while (n < s.n && s.p[n] != ' ' && s.p[n] != '"' && s.p[n] != '\'' && s.p[n] != '\r')
        n++;
    return slice_of(s.p, n);
}

bool nz_operation_in_layout(struct slice yaml, enum nz_form *ret_form)
{
    struct slice line, value;
    while (yaml.n) {
        if (!slice_cut(yaml, '\n', &line, &yaml)) {
            line = yaml;
            yaml = SLICE_NONE;
        }
        if (!slice_starts(line, LIT("operation:")))
            continue;
        value = trimmed(slice_of(line.p + strlen("operation:"), line.n - strlen("operation:")));
        for (int i = 0; i < NZ_FORM__MAX; i++)
            if (same(OPERATIONS[i].operation, value)) {
                *ret_form = (enum nz_form)i;
                return true;
            }
        return false;
    }
    return false;
}
