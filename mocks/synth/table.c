#include "mocks/synth/table.h"

#include <limits.h>

#include "mocks/synth/digits.h"

/* A row that is being written. */
struct row { const struct synth_resident *r; const struct synth_cert *c; ymd_t on; unsigned i; };

typedef struct slice text_fn(const struct row *row, char room[static 16]);

/* One value. Empty texts are left out of JSON. */
struct column {
    const char *header; /* NULL: last, not in CSV, and the text is JSON */
    const char *group, *field;
    text_fn *text;
    bool is_flag;  /* "1" and "0": a JSON boolean */
    bool quoted;   /* always, in CSV */
};

/* ---- values ---- */

static struct slice date_text(ymd_t d, char room[static 16])
{
    ymd_format(d, room);
    return slice_of(room, 10);
}

static struct slice digits_text(char room[static 16], size_t n, uint64_t v)
{
    digits_put(room, n, v);
    return slice_of(room, n);
}

#define TEXT(name, value) \
    static struct slice name(const struct row *row, char room[static 16]) \
    { \
        (void)row, (void)room; \
        return (value); \
    }

TEXT(number, slice_of(row->r->number, 12))
TEXT(name, slice_str(row->r->name))
TEXT(kana, slice_str(row->r->kana))
TEXT(address, slice_str(row->r->address))
TEXT(birth, date_text(row->r->birth, room))
TEXT(sex, slice_of(&row->r->sex, 1))
TEXT(silent, row->r->not_disclosed ? LIT("1") : LIT("0"))
TEXT(key, slice_str(row->r->key))
TEXT(no, LIT("0"))
TEXT(one, LIT("1"))

TEXT(type_id, slice_str(row->c->program->type_id))
TEXT(payer, slice_str(row->c->payer))
TEXT(certificate, slice_str(row->c->name))
TEXT(recipient, slice_str(row->c->recipient))
TEXT(segment, slice_str(row->c->program->segment))
TEXT(income, slice_str(row->c->program->income))
TEXT(conditions, slice_str(row->c->program->conditions))
TEXT(institutions, row->c->program->national ? LIT("3319900019") : SLICE_NONE)
TEXT(reimbursed, row->c->program->reimbursed ? LIT("1") : LIT("0"))
TEXT(copay_id, slice_str(row->c->program->copay.id))
TEXT(copay_type, slice_str(row->c->program->copay.type))
TEXT(copay_definition, slice_str(row->c->program->copay.definition))
TEXT(copay_rate, slice_str(row->c->program->copay.rate))
TEXT(copay_amount, slice_str(row->c->program->copay.amount))
TEXT(copay_times, slice_str(row->c->program->copay.times))
TEXT(valid_from, date_text(row->c->from, room))
TEXT(valid_to, date_text(row->c->to, room))
TEXT(no_details, LIT("[]"))
TEXT(history, digits_text(room, 6, row->i + 1))

/* The last digit of the key chooses: as good as chance, and the same on every run. */
static unsigned choice(const struct row *row, unsigned n) { return (unsigned)(row->r->key[9] - '0') % n; }

static const struct { const char *id, *name; } CHECKUPS[] = {
    { "GAN-01", "胃がん検診" }, { "GAN-02", "大腸がん検診" }, { "GAN-03", "肺がん検診" }, { "NYUYOJI-01", "1歳6か月児健診" }, { "KOTSU-01", "骨粗鬆症検診" },
};
/* Programs of config/vaccines.yaml whose first dose is due at that age, in months; the first line that fits. */
static const struct vaccine { unsigned from, to; const char *id, *name; } VACCINES[] = {
    { 0, 2, "bcg", "BCG" },
    { 2, 12, "dpt-ipv-hib", "5種混合" },
    { 12, 24, "mr-1", "麻しん風しん" },
    { 24, 60, "japanese-encephalitis", "日本脳炎" },
    { 60, 84, "mr-2", "麻しん風しん" },
    { 108, 144, "japanese-encephalitis-2", "日本脳炎" },
    { 144, 204, "hpv", "HPVワクチン" },
    { 780, UINT_MAX, "influenza-elderly", "インフルエンザ" },
    { 0, UINT_MAX, "covid-19-special", "新型コロナウイルス" },
};
enum { N_CHECKUPS = sizeof CHECKUPS / sizeof *CHECKUPS };

static const struct vaccine *vaccine_of(const struct row *row)
{
    const ymd_t born = row->r->birth, on = row->on;
    const unsigned then = born / 10000 * 12 + born / 100 % 100, now = on / 10000 * 12 + on / 100 % 100 - (on % 100 < born % 100);
    const unsigned age = now > then ? now - then : 0;
    const struct vaccine *v = VACCINES;
    while (age < v->from || age >= v->to)
        v++; /* the last fits everybody */
    return v;
}

TEXT(checkup_id, slice_str(CHECKUPS[choice(row, N_CHECKUPS)].id))
TEXT(checkup_name, slice_str(CHECKUPS[choice(row, N_CHECKUPS)].name))
TEXT(fiscal_year, digits_text(room, 4, row->on / 10000 - (row->on % 10000 < 401)))
TEXT(program_id, slice_str(vaccine_of(row)->id))
TEXT(vaccine, slice_str(vaccine_of(row)->name))
TEXT(year_first, date_text(row->on / 10000 * 10000 + 401, room))
TEXT(year_last, date_text((row->on / 10000 + 1) * 10000 + 331, room))

/* ---- forms ---- */

#define BASIC                                                          \
    { "氏名", "basicFiveInfo", "name", name, false, false },           \
    { "氏名カナ", "basicFiveInfo", "nameKana", kana, false, false },   \
    { "住所", "basicFiveInfo", "address", address, false, true },      \
    { "生年月日", "basicFiveInfo", "dateOfBirth", birth, false, false }, \
    { "性別", "basicFiveInfo", "sex", sex, false, false },             \
    { "不開示", NULL, "isNotDisclosed", silent, true, false }

#define SUBSIDY_COLUMNS                                                                                       \
    { "証明書種別ID", NULL, "orgSpecificCertificateTypeId", type_id, false, false },                          \
    { "個人番号", NULL, "myNumber", number, false, false },                                                   \
    BASIC,                                                                                                    \
    { "公費負担者番号", NULL, "medicalSubsidyInsurerNumber", payer, false, false },                           \
    { "証明書名", NULL, "certificationName", certificate, false, false },                                     \
    { "公費受給者番号", NULL, "medicalSubsidyRecipientNumber", recipient, false, false },                     \
    { "宛名番号", NULL, "municipalityIdentityKey", key, false, false },                                       \
    { "区分", NULL, "segment", segment, false, false },                                                       \
    { "所得区分", NULL, "incomeSegment", income, false, false },                                              \
    { "付加条件", NULL, "additionalConditions", conditions, false, false },                                   \
    { "指定医療機関", NULL, "designatedMedicalInstitutions", institutions, false, false },                    \
    { "償還払い", NULL, "isAlwaysReimbursement", reimbursed, false, false },                                  \
    { "自己負担上限額ID", "maxCopaymentAmount", "maxCopaymentAmountId", copay_id, false, false },             \
    { "自己負担上限額種別", "maxCopaymentAmount", "maxCopaymentAmountType", copay_type, false, false },       \
    { "負担定義", "maxCopaymentAmount", "burdenDefinition", copay_definition, false, false },                 \
    { "負担割合", "maxCopaymentAmount", "burdenRate", copay_rate, false, false },                             \
    { "自己負担上限額", "maxCopaymentAmount", "amount", copay_amount, false, false },                         \
    { "自己負担上限回数", "maxCopaymentAmount", "times", copay_times, false, false },                         \
    { "有効期間開始日", NULL, "validFrom", valid_from, false, false },                                        \
    { "有効期間終了日", NULL, "validTo", valid_to, false, false }

#define HEAD                                                                    \
    { "変更区分", NULL, "modificationSeg", one, false, false },                 \
    { "個人番号", NULL, "myNumber", number, false, false },                     \
    { "宛名番号", NULL, "municipalityIdentityKey", key, false, false }

static const struct column SUBSIDY[] = { SUBSIDY_COLUMNS };
static const struct column HISTORY[] = {
    SUBSIDY_COLUMNS,
    { "履歴キー", NULL, "historyKey", history, false, false },
    { "削除フラグ", NULL, "isDeleted", no, true, false },
    { NULL, NULL, "certificationDetail", no_details, false, false },
};
static const struct column CHECKUP[] = {
    HEAD, BASIC,
    { "閲覧停止", NULL, "isViewingStopped", no, true, false },
    { "検診種別ID", NULL, "checkupTypeId", checkup_id, false, false },
    { "年度", NULL, "fiscalYear", fiscal_year, false, false },
    { "検診名", NULL, "checkupName", checkup_name, false, false },
    { "受診券番号", NULL, "checkupTicketNumber", key, false, false },
    { "自己負担区分", NULL, "burdenSegment", one, false, false },
    { "有効期間開始日", NULL, "validFrom", year_first, false, false },
    { "有効期間終了日", NULL, "validTo", year_last, false, false },
};
static const struct column VACCINATION[] = {
    HEAD, BASIC,
    { "リカバリー", NULL, "isRecovery", no, true, false },
    { "閲覧停止", NULL, "isViewingStopped", no, true, false },
    { "接種対象者番号", NULL, "vaccinationSubjectNumber", key, false, false },
    { "対象者区分", NULL, "subjectSegment", one, false, false },
    { "減免区分", NULL, "reductionSegment", no, false, false },
};
static const struct column TICKET[] = {
    HEAD,
    { "予防接種事業ID", NULL, "vaccinationProgramId", program_id, false, false },
    { "接種券番号", NULL, "ticketNumber", key, false, false },
    { "ワクチン名", NULL, "vaccineName", vaccine, false, false },
    { "接種回数", NULL, "doseNumber", one, false, false },
    { "有効期間開始日", NULL, "validFrom", year_first, false, false },
    { "有効期間終了日", NULL, "validTo", year_last, false, false },
};

struct form { const char *name; const struct column *columns; size_t n; bool by_certificate; };

#define FORM(name, columns, by_certificate) { name, columns, sizeof columns / sizeof *columns, by_certificate }
static const struct form FORMS[SYNTH_FORM__MAX] = {
    [SYNTH_SUBSIDY] = FORM("subsidy", SUBSIDY, true),       [SYNTH_HISTORY] = FORM("history", HISTORY, true),
    [SYNTH_CHECKUP] = FORM("checkup", CHECKUP, false),      [SYNTH_VACCINATION] = FORM("vaccination", VACCINATION, false),
    [SYNTH_TICKET] = FORM("ticket", TICKET, false),
};

const char *synth_form_name(enum synth_form f) { return FORMS[f].name; }
unsigned synth_form_rows(enum synth_form f, const struct synth_resident *r) { return FORMS[f].by_certificate ? r->n_certs : 1; }

bool synth_form_find(struct slice wanted, enum synth_form *ret_f)
{
    for (size_t i = 0; i < SYNTH_FORM__MAX; i++)
        if (slice_eq(wanted, slice_str(FORMS[i].name))) {
            *ret_f = (enum synth_form)i;
            return true;
        }
    return false;
}

/* ---- JSON ---- */

void synth_row_json(enum synth_form f, const struct synth_resident *r, unsigned i, ymd_t on, struct buf *out)
{
    const struct row row = { r, &r->certs[i], on, i };
    const char *open = NULL; /* the group; one literal each */
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    for (size_t k = 0; k < FORMS[f].n; k++) {
        const struct column *c = &FORMS[f].columns[k];
        char room[16];
        struct slice text = c->text(&row, room);
        bool same = open && c->group && slice_eq(slice_str(open), slice_str(c->group));
        if (!text.n)
            continue;
        if (open && !same)
            jsonw_end_object(&w);
        if (c->group && !same)
            jsonw_object(&w, c->group);
        open = c->group;
        if (!c->header)
            jsonw_raw(&w, c->field, text);
        else if (c->is_flag)
            jsonw_bool(&w, c->field, text.p[0] == '1');
        else
            jsonw_str(&w, c->field, text);
    }
    if (open)
        jsonw_end_object(&w);
    jsonw_end_object(&w);
}

/* ---- CSV ---- */

static bool quotes_needed(struct slice s)
{
    return s.n && (memchr(s.p, ',', s.n) || memchr(s.p, '"', s.n) || memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n));
}

static void cell_put(struct slice s, bool quoted, struct buf *out)
{
    if (!quoted && !quotes_needed(s)) {
        buf_put(out, s);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0, from = 0; i <= s.n; i++)
        if (i == s.n || s.p[i] == '"') {
            buf_put(out, slice_of(s.p + from, i - from));
            if (i < s.n)
                buf_putc(out, '"');
            from = i;
        }
    buf_putc(out, '"');
}

void synth_head_csv(enum synth_form f, struct buf *out)
{
    for (size_t k = 0; k < FORMS[f].n && FORMS[f].columns[k].header; k++) {
        if (k)
            buf_putc(out, ',');
        cell_put(slice_str(FORMS[f].columns[k].header), false, out);
    }
    buf_puts(out, "\r\n");
}

void synth_row_csv(enum synth_form f, const struct synth_resident *r, unsigned i, ymd_t on, struct buf *out)
{
    const struct row row = { r, &r->certs[i], on, i };
    for (size_t k = 0; k < FORMS[f].n && FORMS[f].columns[k].header; k++) {
        const struct column *c = &FORMS[f].columns[k];
        char room[16];
        if (k)
            buf_putc(out, ',');
        cell_put(c->text(&row, room), c->quoted, out);
    }
    buf_puts(out, "\r\n");
}
