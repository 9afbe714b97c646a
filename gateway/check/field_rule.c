#include "gateway/check/field.h"

static const struct {
    const char *slug, *ja, *en;
} RULES[FR__MAX] = {
    [FR_NONE] = { "none", "", "" },
#define X(sym, slug, ja, en) [FR_##sym] = { slug, ja, en },
    FIELD_RULES(X)
#undef X
};

static enum field_rule known(enum field_rule r) { return (unsigned)r < FR__MAX ? r : FR_NONE; }

const char *field_rule_slug(enum field_rule r) { return RULES[known(r)].slug; }
const char *field_rule_ja(enum field_rule r) { return RULES[known(r)].ja; }
const char *field_rule_en(enum field_rule r) { return RULES[known(r)].en; }

void field_fault_write(struct jsonw *w, struct slice field, enum field_rule rule)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "field", field);
    jsonw_cstr(w, "rule", field_rule_slug(rule));
    jsonw_cstr(w, "message_ja", field_rule_ja(rule));
    jsonw_cstr(w, "message_en", field_rule_en(rule));
    jsonw_end_object(w);
}

void field_report_write(struct jsonw *w, void *report)
{
    const struct field_report *rep = report;
    jsonw_array(w, "errors");
    for (unsigned i = 0; i < rep->n_faults && i < FIELD_FAULTS_MAX; i++)
        field_fault_write(w, slice_str(rep->faults[i].field), rep->faults[i].rule);
    jsonw_end_array(w);
}

void field_fault_add(struct field_report *r, const char *field, enum field_rule rule)
{
    if (r->n_faults < FIELD_FAULTS_MAX)
        r->faults[r->n_faults++] = (struct field_fault){ field, rule };
}

void field_warning_add(struct field_report *r, const char *field, enum field_rule rule)
{
    if (r->n_warnings < FIELD_FAULTS_MAX)
        r->warnings[r->n_warnings++] = (struct field_fault){ field, rule };
}

void field_check_judge(struct field_report *r, const char *field, enum field_check check, const struct check_levels *levels, bool good)
{
    enum check_level level = levels ? levels->by_check[check] : CHECK_OFF;
    if (good || level == CHECK_OFF)
        return;
    if (level == CHECK_REJECT)
        field_fault_add(r, field, FR_CHECK_DIGIT);
    else
        field_warning_add(r, field, FR_CHECK_DIGIT);
}
